"""`slaguard ledger check`: is the store whole? Every file is read, nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer

from slaguard.ledger.whole import Checked, Finding, Report, check

SCHEMA: Final = "slaguard/ledger-check/v1"

What = Annotated[Literal["check"], typer.Argument(metavar="check", help="Read everything that is stored, and compare.")]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The ledger's directory.", show_default=False)]
Shape = Annotated[Literal["text", "json"], typer.Option(help="text for people, json for machines.")]


def ledger(what: What, directory: Directory, *, format: Shape = "text") -> None:  # noqa: A002 - the option's name
    """Say whether a ledger is whole: rows, segments, manifests, payloads and kept answers, of all its writers.

    Exit codes: 0 whole, 1 something is lost or altered, 2 it cannot be read.

    Example: slaguard ledger check ledger
    """
    del what  # there is one so far
    report = check(directory)
    if format == "json":
        typer.echo(json.dumps(as_dict(report), ensure_ascii=False, indent=2))
    else:
        typer.echo("\n".join(lines(report)))
    raise typer.Exit(0 if report.whole else 1)


def as_dict(report: Report) -> dict[str, Any]:
    """Return the report as JSON-ready values."""
    writers = [{name: value for name, value in asdict(w).items() if name != "findings"} for w in report.writers]
    return {
        "schema": SCHEMA,
        "whole": report.whole,
        "writers": writers,
        "partials": report.partials,
        "findings": [asdict(finding) for finding in report.findings],
    }


def lines(report: Report) -> Iterator[str]:
    """Yield what a person reads: one line per writer, what was found, and the answer."""
    for writer in report.writers:
        yield _writer(writer)
        yield from map(_finding, writer.findings)
    if report.partials:
        yield f"{_counted(report.partials, 'kept answer')} counted again"
    yield from map(_finding, report.beside)
    errors = sum(finding.is_error for finding in report.findings)
    yield "whole" if report.whole else f"not whole: {_counted(errors, 'finding')}"


def _writer(writer: Checked) -> str:
    held = (
        f"{_counted(writer.segments, 'segment')} with {_counted(writer.sealed, 'row')}",
        f"{_counted(writer.waiting, 'row')} not sealed yet",
        _counted(writer.payloads, "payload"),
    )
    return f"{writer.folder}: {writer.origin or 'no rows yet'}: {', '.join(held)}"


def _finding(finding: Finding) -> str:
    row = "" if finding.seq is None else f" {finding.seq}"
    return f"{finding.file}: {finding.code}{row}  {finding.what}\n    {finding.mend}"


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
