"""`slaguard validate`: lint documents by their kind, with file:line:column, what is wrong, and how to mend it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from slaguard.errors import Place, Problem, SpecError
from slaguard.spec.documents import UNREADABLE, Check, Checked, check_file, counted, documents

SHOWN: Final = 10
HELP_PAGE: Final = "docs/errors.md"


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def validate(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Documents, or folders of them.", show_default=False)],
    *,
    expand: Annotated[bool, typer.Option("--expand", help="Print the normal form: every term written out.")] = False,
    output: Annotated[Format, typer.Option("--format", help="text, json, or github (annotations).")] = Format.TEXT,
) -> None:
    """Check Agreements, profiles, golden sets and mappings; folders are read recursively.

    Example: slaguard validate sla_specs/examples/acme-chat.yaml
    """
    checked = tuple(check_paths(paths, checks()))
    if expand:
        code = print_expanded(checked)
    else:
        typer.echo("\n".join(_PRINTERS[output](checked)))
        code = exit_code(checked)
    raise typer.Exit(code)


def checks() -> Mapping[str, Check]:
    """Return how documents of kinds that other packages own are checked."""
    from slaguard.imports.find import parse_mapping
    from slaguard.probes.golden import assemble
    from slaguard.spec.golden import GoldenSet
    from slaguard.spec.nodes import plain
    from slaguard.spec.notation import parse
    from slaguard.spec.reading import MAX_GOLDEN_BYTES, read_bytes

    def mapping(text: str, file: str) -> tuple[Problem, ...]:
        try:
            parse_mapping(text, file)
        except SpecError as error:
            return error.problems
        return ()

    def questions(text: str, file: str) -> tuple[Problem, ...]:
        root = parse(text, file).root
        place = Place(str(Path(file).with_suffix(".jsonl")))
        try:
            assemble(
                GoldenSet.model_validate(plain(root) if root else {}),
                read_bytes(Path(place.file), MAX_GOLDEN_BYTES, place),
                place,
            )
        except SpecError as error:
            return error.problems
        return ()

    return {"Mapping": mapping, "GoldenSet": questions}


def check_paths(paths: Iterable[Path], further: Mapping[str, Check]) -> Iterator[Checked]:
    """Yield every document named, and every document of ours in the folders named."""
    for path in paths:
        if path.is_dir():
            yield from (found for file in documents(path) if (found := check_file(file, further)).ours)
        else:
            yield check_file(path, further)


def exit_code(checked: Iterable[Checked]) -> int:
    """Return 0 where all is accepted, 2 where nothing was found or something could not be read, 1 where one was refused."""
    looked_at = tuple(checked)
    refused = [c for c in looked_at if not c.ok]
    if not looked_at or any(p.code == UNREADABLE for c in refused for p in c.problems):
        return 2
    return 1 if refused else 0


def print_expanded(checked: tuple[Checked, ...]) -> int:
    """Print the normal form of one Agreement, and what was found to standard error."""
    if len(checked) != 1:
        typer.echo(f"--expand prints one Agreement, not {counted(len(checked), 'document')}\n    name one file", err=True)
        return 2
    one = checked[0]
    if one.expanded is not None:
        typer.echo(one.expanded, nl=False)
        if one.problems:
            typer.echo("\n".join(_blocks(one.problems)), err=True)
        return 0
    if one.ok:
        typer.echo(f"{clean(one.file)} is a {one.kind}; only an Agreement has a normal form", err=True)
        return 2
    typer.echo("\n".join(_blocks(one.problems)), err=True)
    return exit_code(checked)


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def clean(text: str) -> str:
    """Return text without anything a terminal would obey: control and direction characters are made visible."""
    return "".join(c if c == "\n" or c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _text(checked: tuple[Checked, ...]) -> Iterator[str]:
    for one in checked:
        if one.ok:
            warnings = (counted(len(one.problems), "warning"),) if one.problems else ()
            holds = ", ".join((*one.holds, *warnings)) or str(one.kind).lower()
            yield clean(f"{one.file}: ok ({holds})")
        yield from _blocks(one.problems)
    if not checked:
        yield "no documents found: slaguard reads *.yaml files that say their kind"


def _blocks(problems: tuple[Problem, ...]) -> Iterator[str]:
    for problem in problems[:SHOWN]:
        yield clean(f"{problem.render()}\n    {help_link(problem.code)}")
    if len(problems) > SHOWN:
        yield f"    and {len(problems) - SHOWN} more"


def help_link(code: str) -> str:
    """Return where a code is explained."""
    return f"{HELP_PAGE}#{code.lower()}"


# ── for machines ────────────────────────────────────────────────────────────────────────────────────────────────────
def _json(checked: tuple[Checked, ...]) -> Iterator[str]:
    body = {"schema": "slaguard/validation/v1", "ok": all(c.ok for c in checked), "documents": [_document(c) for c in checked]}
    yield json.dumps(body, indent=2, ensure_ascii=True)


def _document(one: Checked) -> dict[str, Any]:
    return {
        "file": one.file,
        "kind": one.kind,
        "ok": one.ok,
        "holds": list(one.holds),
        "sha256": one.sha256,
        "problems": [_problem(p) for p in one.problems],
    }


def _problem(problem: Problem) -> dict[str, Any]:
    place = problem.place
    return {
        "code": problem.code,
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "path": problem.path,
        "text": problem.text,
        "mend": problem.mend,
        "help": help_link(problem.code),
    }


def _github(checked: tuple[Checked, ...]) -> Iterator[str]:
    for problem in (p for one in checked for p in one.problems):
        level = "error" if problem.is_error else "warning"
        place = problem.place
        where = f"file={_property(place.file)},line={place.line},col={place.column},title={_property(problem.code)}"
        subject = f"{problem.path}: {problem.text}" if problem.path else problem.text
        told = clean(f"{subject}\n{problem.mend}")
        yield f"::{level} {where}::{_escaped(told)}"
    accepted = sum(one.ok for one in checked)
    yield f"{counted(len(checked), 'document')}, {accepted} accepted"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(clean(text)).replace(":", "%3A").replace(",", "%2C")


_PRINTERS: Final = {Format.TEXT: _text, Format.JSON: _json, Format.GITHUB: _github}
