"""`slaguard report`: the claim pack of one period, or the honest report that there is nothing to claim."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from slaguard.cli.clock import SystemClock
from slaguard.cli.gather import Gathered, RecordSource, gather, parse_as_of, warn_of_future
from slaguard.cli.options import AsOf, Covers, FactsFile, LedgerDir, MappingName, PeriodText, RecordFiles
from slaguard.cli.pack import claim_inputs
from slaguard.reports.inputs import ClaimInputs, Note
from slaguard.reports.moments import Calendar
from slaguard.reports.pack import write_claim_pack
from slaguard.reports.standing import head, standing_of
from slaguard.reports.subjects import subjects


def report(  # noqa: PLR0913, PLR0917 - the verb's options
    agreement: Annotated[Path, typer.Argument(help="The Agreement, a YAML file.")],
    out: Annotated[Path, typer.Option(help="The folder to write; made if absent, files of the same names replaced.")],
    ledger: LedgerDir = None,
    records: RecordFiles = None,
    mapping: MappingName = None,
    covers: Covers = None,
    facts: FactsFile = None,
    period: PeriodText = None,
    as_of: AsOf = None,
    note: Annotated[list[str] | None, typer.Option(help="What a reader must be told; printed on the page. Repeatable.")] = None,
) -> None:
    """Write the claim page, its tables, the deadlines and everything needed to check them into one folder.

    Example: slaguard report acme.yaml --ledger ledger --period 2026-10 --out claim
    """
    source = RecordSource(ledger, tuple(records or ()), mapping, covers, facts)
    moment = parse_as_of(as_of, SystemClock())
    warn_of_future(moment, SystemClock())
    gathered = gather(agreement, source, period, moment)
    with gathered.store:
        notes = tuple(Note(text) for text in note or ())
        inputs = claim_inputs(gathered, agreement, notes)
        written = write_claim_pack(inputs, out)
    if period is None:
        typer.echo(f"no --period: the last closed one, {gathered.period.label}", err=True)
    typer.echo(_said(inputs, gathered, written))


def _said(inputs: ClaimInputs, gathered: Gathered, written: tuple[Path, ...]) -> str:
    """Say what the report says, in one line, and where it stands."""
    calendar = Calendar.of(gathered.period.zone)
    told = head(inputs, standing_of(inputs), subjects(inputs, calendar), calendar)
    page, *rest = written
    names = ", ".join(path.relative_to(page.parent).as_posix() for path in rest)
    title = told.title.replace("\u00a0", " ")
    return f"{title}\n  read it   {page}\n  beside it {names}"
