"""`slaguard import`: read logs that exist already into a ledger, or write a mapping for one nobody has described yet."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from slaguard.errors import ConfigError, RecordsError

if TYPE_CHECKING:
    from slaguard.imports.opening import Advance
    from slaguard.imports.reader import Import
    from slaguard.ledger.rowlog import RowLog

BATCH: Final = 5_000
SEALED_FROM: Final = 1_000
"""New records from which on an import ends with a segment; fewer wait for the next ones."""
SEAL_EVERY_NS: Final = 3600 * 1_000_000_000
_SHOWN: Final = 5


Files = Annotated[
    list[str], typer.Argument(metavar="FILE…", help="CSV or JSON lines, gzipped or not; - is the standard input.")
]
How = Annotated[str, typer.Option(help="How to read them: auto, a shipped mapping's name, or your own file.")]
Ledger = Annotated[Path | None, typer.Option(help="The ledger's directory; it is made if it is not there.")]
Covers = Annotated[str | None, typer.Option(help="What the files cover, START/END (RFC 3339), if not what the mapping says.")]
Vendor = Annotated[str | None, typer.Option(help="The vendor, as your Agreement names it, where the log names none.")]
Facts = Annotated[Path | None, typer.Option(help="Incidents and Facts (announcements, invoices …), JSON lines.")]
Suggest = Annotated[bool, typer.Option("--suggest", help="Write a mapping for the first file, and import nothing.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Read and report, write nothing.")]
Format = Annotated[Literal["text", "json"], typer.Option(help="text for people, json for machines.")]


def import_(  # noqa: PLR0913, PLR0917 - the verb's options
    files: Files,
    mapping: How = "auto",
    ledger: Ledger = None,
    covers: Covers = None,
    vendor: Vendor = None,
    facts: Facts = None,
    suggest: Suggest = False,
    dry_run: DryRun = False,
    format: Format = "text",  # noqa: A002
) -> None:
    """Import logs into a ledger. Imported twice, a record counts once.

    Mappings that ship: halueval, litellm, llmdrift-leetcode, llmdrift-prime, llmperf, nginx, nginx-msec,
    refchecker.

    Example: slaguard import calls.csv.gz --mapping auto --ledger ledger --covers 2026-10-01T00:00:00Z/2026-11-01T00:00:00Z
    """
    from slaguard.imports.coverage import parse_covers
    from slaguard.imports.load import read
    from slaguard.imports.reader import Options
    from slaguard.imports.suggest import suggest as suggestion

    if suggest:
        typer.echo(suggestion(files[0], sys.stdin.buffer), nl=False)
        return
    if (ledger is None) != dry_run:
        raise ConfigError("name the ledger to write to, --ledger DIR; or look first with --dry-run, which writes nothing")
    span = parse_covers(covers) if covers is not None else None
    with _progress(files) as advance:
        options = Options(covers=span, vendor=vendor, stdin=sys.stdin.buffer, advance=advance, recorded=False)
        records = read(files, mapping, options)
        written = _write(records, ledger, facts) if ledger is not None else _look(records, facts)
    report = records.report
    if format == "json":
        typer.echo(json.dumps({**report.as_dict(), "ledger": written.as_dict()}, ensure_ascii=False, indent=2))
        return
    typer.echo("\n".join([*report.lines(), *written.lines()]))


@dataclass(slots=True)
class Written:
    """What the ledger acknowledged."""

    new: int = 0
    repeated: int = 0
    facts: int = 0
    writer: Path | None = None
    """The folder that was written to: the ledger's, or one in it where another process is the ledger's writer."""
    conflicts: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-ready values."""
        return {"new": self.new, "repeated": self.repeated, "facts": self.facts, "conflicts": len(self.conflicts)}

    def lines(self) -> list[str]:
        """Return what a person reads."""
        if self.writer is None:
            return ["nothing was written (--dry-run)"]
        there = f", {self.repeated:,} were there already" if self.repeated else ""
        more = len(self.conflicts) - _SHOWN
        return [
            f"{self.writer}: {self.new:,} new records acknowledged{there}",
            *self.conflicts[:_SHOWN],
            *([f"and {more:,} more contradictions"] if more > 0 else []),
        ]


def _write(records: Import, ledger: Path, facts: Path | None) -> Written:
    from slaguard.cli.clock import SystemClock
    from slaguard.imports.facts import read_facts
    from slaguard.ledger.seal import seal_all, seal_due
    from slaguard.ledger.writers import open_writer

    entered = read_facts(facts) if facts is not None else []
    written = Written(facts=len(entered))
    with open_writer(ledger, "import", clock=SystemClock()) as log:
        written.writer = log.directory
        _append(log, entered, written)
        stream = iter(records)
        try:
            while batch := list(islice(stream, BATCH)):
                _append(log, batch, written)
                seal_due(log, every_ns=SEAL_EVERY_NS)
        except RecordsError as error:
            if not written.new:
                raise
            kept = f"{written.new:,} records were acknowledged before this; mend it and import again, they count once"
            raise RecordsError(f"{error}\n    {kept}") from None
        if written.new >= SEALED_FROM:
            seal_all(log)
    return written


def _append(log: RowLog, batch: Sequence[Any], written: Written) -> None:
    if batch:
        ack = log.append(batch)
        written.new += ack.new
        written.repeated += ack.repeated
        written.conflicts += [str(conflict) for conflict in ack.conflicts]


def _look(records: Import, facts: Path | None) -> Written:
    from slaguard.imports.facts import read_facts

    for _ in records:
        pass
    return Written(facts=len(read_facts(facts)) if facts is not None else 0)


@contextmanager
def _progress(files: Sequence[str]) -> Iterator[Advance]:
    """Show a bar on standard error where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _advance: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=_size(files))
        yield lambda advance: bar.advance(task, advance)


def _size(files: Sequence[str]) -> int | None:
    """Return the bytes of all files; None if any has no size (the standard input, a pipe)."""
    paths = [Path(file) for file in files]
    return sum(path.stat().st_size for path in paths) if all(path.is_file() for path in paths) else None
