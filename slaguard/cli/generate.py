"""`slaguard generate`: alerting rules and boards, from whatever generators are installed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from slaguard.errors import ConfigError
from slaguard.evaluation.snapshot import Generator
from slaguard.files import atomic_write, is_safe_name

GROUP: Final = "slaguard.generators"
READABLE: Final = 0o644
"""Prometheus and Grafana run as users of their own; there is no secret in what they are given."""


def generate(
    what: Annotated[str, typer.Argument(help="rules (for Prometheus), dashboards (for Grafana), or what a package brings.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder to write; made if absent, files of the same names replaced.")
    ] = None,
    dashboard_url: Annotated[str | None, typer.Option(help="rules: where your Grafana is.")] = None,
    runbook_url: Annotated[str | None, typer.Option(help="rules: where the page that explains each alert is.")] = None,
    severity: Annotated[
        list[str] | None, typer.Option(help="rules: page=critical, or SlaguardAbsent=ticket; repeat for more.")
    ] = None,
    portable: Annotated[
        bool, typer.Option("--portable", help="dashboards: ask for the data source when imported by hand.")
    ] = False,
) -> None:
    """Write alerting rules for Prometheus or boards for Grafana; one file without --out goes to standard output.

    Example: slaguard generate rules --dashboard-url https://grafana.example > slaguard.yml
    """
    given = {"dashboard_url": dashboard_url, "runbook_url": runbook_url, "severity": severity, "portable": portable or None}
    files = find_generator(what, {k: v for k, v in given.items() if v is not None}).generate()
    if out is None and len(files) == 1:
        typer.echo(next(iter(files.values())).decode(), nl=False)
        return
    for path in write(files, Path() if out is None else out):
        typer.echo(f"wrote {path}")


def find_generator(name: str, options: Mapping[str, Any]) -> Generator:
    """Return the generator of this name, made with these options.

    Raises:
        ConfigError: none of this name is installed, or it does not take one of the options.

    """
    doors = entry_points(group=GROUP)
    if name not in doors.names:
        there = ", ".join(sorted(doors.names)) or "none"
        raise ConfigError(f"there is nothing to generate called {name!r}; there is {there}\n    write one of these")
    factory: Callable[..., Generator] = doors[name].load()
    takes = inspect.signature(factory).parameters
    for option in options:
        if option not in takes:
            raise ConfigError(f"{name} takes no --{option.replace('_', '-')}\n    leave it out: {_said(takes)}")
    return factory(**options)


def _said(takes: Mapping[str, Any]) -> str:
    options = ", ".join(f"--{option.replace('_', '-')}" for option in takes)
    return f"it takes {options}" if options else "it takes no option"


def write(files: Mapping[str, bytes], folder: Path) -> tuple[Path, ...]:
    """Write files into a folder, each whole or not at all, and return their paths.

    Raises:
        ConfigError: a generator gave a name that leaves the folder; nothing was written.
        OSError: the folder cannot be made or written.

    """
    for name in files:
        if not is_safe_name(name):
            raise ConfigError(f"the generator names a file {name!r}\n    a plain file name is needed: report it to its authors")
    folder.mkdir(parents=True, exist_ok=True)
    paths = tuple(folder / name for name in files)
    for path, content in zip(paths, files.values(), strict=True):
        fresh = not path.exists()
        atomic_write(path, content)
        if fresh:
            path.chmod(READABLE)
    return paths
