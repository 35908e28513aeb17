"""`slaguard sidecar`: real traffic passed on byte for byte and written down, until it is told to end."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from slaguard.agent.log import EventLog, Form
from slaguard.cli.clock import SystemClock
from slaguard.cli.deployment import load_config
from slaguard.cli.event_loop import new_event_loop
from slaguard.cli.lines import STDOUT, Lines
from slaguard.cli.signals import on_signals
from slaguard.config import Listen, is_loopback
from slaguard.config.sidecar import writer_name
from slaguard.errors import ConfigError
from slaguard.sidecar.settings import Settings, settings_of
from slaguard.sidecar.sidecar import Seams, Sidecar

_AT_ONCE: Final = 130
_MOST_FILES: Final = 65_536


def sidecar(
    config: Annotated[Path, typer.Option(help="slaguard.yaml: the ledger, and sidecar: with its upstreams.")],
    name: Annotated[str | None, typer.Option(help="Another name than sidecar: name, such as the Pod's.")] = None,
    log_format: Annotated[Form, typer.Option(help="What lines on standard error look like.")] = "logfmt",
) -> None:
    """Pass the application's calls to its vendors, byte for byte, and write down what came of each, until SIGTERM.

    Example: slaguard sidecar --config slaguard.yaml
    """
    clock, lines, said = SystemClock(), Lines(), Lines(STDOUT)
    log = EventLog(lines, clock, form=log_format)
    load = partial(_settings, config, _checked(name))
    settings = load()
    files = _allow_many_files()

    def at_once() -> None:
        log.warning("ended_at_once")
        lines.end()
        os._exit(_AT_ONCE)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        found = Sidecar(settings, Seams(clock, secrets.token_bytes, load, files), log)
        runner.run(_until_told(found, partial(_say_where, said, log), at_once))
    said.end()
    lines.end()


def _checked(name: str | None) -> str | None:
    try:
        return name if name is None else writer_name(name)
    except ValueError as error:
        raise ConfigError(f"--name: {error}") from None


def _settings(config: Path, name: str | None) -> Settings:
    return settings_of(load_config(config), config, name)


def _allow_many_files() -> int | None:
    """Raise the soft limit of open files, which is often 1024, to what this user may have: two are open for a call.

    Returns:
        How many may be open; None where there is no limit.

    """
    if sys.platform == "win32":
        return None
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return None if soft == resource.RLIM_INFINITY else soft


async def _until_told(found: Sidecar, listening: Callable[[Listen, Listen], None], at_once: Callable[[], None]) -> None:
    """Run until SIGTERM or SIGINT; a second one ends it at once; SIGHUP reads the configuration again.

    Raises:
        ConfigError: it cannot listen where it should.

    """
    running: set[asyncio.Task[Any]] = set()
    told = False

    def end() -> None:
        nonlocal told
        if told:
            at_once()
        told = True
        found.stop()

    def begin(work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        running.add(task)  # the loop itself keeps no hold of a task
        task.add_done_callback(running.discard)

    on_signals(end, lambda: begin(found.reload()))
    await found.run(listening)


def _say_where(said: Lines, log: EventLog, calls: Listen, admin: Listen) -> None:
    """Say on standard output and in the log where the application calls and where the metrics are."""
    said(f"calls    http://{calls}\nmetrics  http://{admin}/metrics")
    log.info("listening", url=f"http://{calls}", admin=f"http://{admin}")
    if not is_loopback(calls.host):
        log.warning(
            "open_to_others", listen=calls, mend="whoever reaches it can call your vendors through it: 127.0.0.1 is usual"
        )
