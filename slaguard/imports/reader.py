"""One pass over the files of an import: rows in, records out, and a report that accounts for every row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Protocol

from slaguard.errors import RecordsError
from slaguard.imports.cells import RowError
from slaguard.imports.convert import Context, Converter
from slaguard.imports.coverage import Extent, first_to_last
from slaguard.imports.identity import Seen, Standing
from slaguard.imports.opening import Advance, open_rows
from slaguard.imports.report import ImportReport, Refusal, Tally
from slaguard.imports.rows import BadRow, Row, Rows
from slaguard.imports.scalars import FIRST_LAST
from slaguard.records import Adjudication, Coverage, Observation, Record, Score, Span


class Choose(Protocol):
    """Takes an open file and returns what turns its rows into records; `delimiter`: what its CSV cells are parted by."""

    delimiter: str | None

    def __call__(self, rows: Rows, context: Context) -> Converter:
        """Return the converter for a file; one converter for all files of one form."""


MOST_VENDORS: Final = 20
CONTRADICTS: Final = "the id of an earlier row and says something else; the first counts: name more columns under id:"


def _silent(_advance: int) -> None:
    """Show no progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How an import is made, besides its files and mapping.

    `covers` overrides what the mapping says; `vendor` names the vendor of logs that do not; `stdin` is what the file
    ``-`` stands for; `advance` is told the bytes read. `recorded`: records were known when their call had ended (to look
    at files without a ledger); else they have no `recorded_at`, and the ledger that takes them gives them one.
    """

    covers: Span | None = None
    vendor: str | None = None
    stdin: BinaryIO | None = None
    advance: Advance = _silent
    recorded: bool = True


@dataclass(slots=True)
class _Part:
    """What the files of one converter add up to."""

    converter: Converter
    extent: Extent = field(default_factory=Extent)


class Import:
    """The records of some files, once, in order; `report` is there when all were taken."""

    def __init__(self, files: Sequence[str], choose: Choose, options: Options) -> None:
        """Keep what to read; nothing is opened before the first record is asked for."""
        self._files = tuple(files)
        self._choose = choose
        self._options = options
        self._tally = Tally()
        self._parts: dict[int, _Part] = {}
        self._vendors: dict[str, None] = {}
        self._report: ImportReport | None = None

    @property
    def report(self) -> ImportReport:
        """Return what became of every row.

        Raises:
            RecordsError: not all records were taken yet.

        """
        if self._report is None:
            raise RecordsError("the report of an import is there once all its records were read")
        return self._report

    def __iter__(self) -> Iterator[Record]:
        """Yield every record once.

        Raises:
            RecordsError: a file cannot be read, or more than half of the rows were refused.

        """
        with ExitStack() as stack:
            seen = stack.enter_context(Seen())
            context = Context(seen, self._tally, self._options.vendor, self._options.recorded)
            for number, file in enumerate(self._files):
                yield from self._file(number, file, context)
            self._tally.check()
            yield from self._closing(context)
        for stranger in self._strangers():
            self._tally.assumed[stranger] = None
        gaps = tuple(dict.fromkeys(g for part in self._parts.values() for g in part.converter.gaps()))
        names = " + ".join(dict.fromkeys(part.converter.name for part in self._parts.values()))
        self._report = self._tally.finish(self._files, names, gaps)

    # ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _file(self, number: int, file: str, context: Context) -> Iterator[Record]:
        options = self._options
        with open_rows(file, options.stdin, options.advance, self._choose.delimiter) as rows:
            converter = self._choose(rows, context)
            part = self._parts.setdefault(id(converter), _Part(converter))
            for row in rows:
                self._tally.rows += 1
                if isinstance(row, BadRow):
                    self._tally.refuse(Refusal(file, row.number, "", f"{row.what}; {row.mend}"))
                    continue
                try:
                    new = self._row(part, row, number, context.seen)
                except RowError as error:
                    self._tally.settle(kept=False)
                    self._tally.refuse(Refusal(file, row.number, error.column, error.text))
                    continue
                self._tally.settle(kept=bool(new))
                yield from new

    def _row(self, part: _Part, row: Row, file: int, seen: Seen) -> list[Record]:
        records = part.converter.convert(row, file)
        new, against = _new_ones(records, seen)
        if against and not new:
            raise RowError("", CONTRADICTS)
        if against:
            self._tally.row_notes[f"rows with a part that has {CONTRADICTS}"] += 1
        for record in new:
            self._take(part, record, row)
        if records and not new:
            self._tally.repeated += 1
        return new

    def _take(self, part: _Part, record: Record, row: Row) -> None:
        self._tally.kinds[record.kind] += 1
        part.converter.keep(record, row)
        if isinstance(record, Observation):
            part.extent.take(record)
            if len(self._vendors) < MOST_VENDORS:
                self._vendors[record.vendor] = None

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def _closing(self, context: Context) -> Iterator[Record]:
        spans: list[Span] = []
        for part in self._parts.values():
            for record in part.converter.closing():
                if context.seen.standing(record) is Standing.NEW:
                    self._tally.kinds[record.kind] += 1
                    yield record
            for coverage in self._coverage(part):
                spans.append((coverage.start, coverage.end))
                yield coverage
        self._tally.covers = tuple(sorted(spans))

    def _coverage(self, part: _Part) -> Iterable[Coverage]:
        covers = part.converter.covers
        if covers is None:
            return
        source, term = covers
        for start, end in part.extent.covered(term, self._options.covers):
            if self._options.covers is None and term.word == FIRST_LAST:
                self._tally.assumed[first_to_last((start, end))] = None
            yield Coverage(source=source, start=start, end=end, via=f"import:{part.converter.name}")

    def _strangers(self) -> tuple[str, ...]:
        """Say so where no record is of the vendor that was asked for."""
        wanted = self._options.vendor
        if wanted is None or not self._vendors or wanted in self._vendors:
            return ()
        named = ", ".join(ascii(v) for v in self._vendors)
        return (f"no record is of the vendor {wanted!r}: the log names {named}",)


def _new_ones(records: Iterable[Record], seen: Seen) -> tuple[list[Record], int]:
    """Return the records of a row that are new, and how many contradict an earlier one (with their grades left out)."""
    new: list[Record] = []
    refused: set[str] = set()
    against = 0
    for record in records:
        if isinstance(record, Score | Adjudication) and record.observation in refused:
            continue
        standing = seen.standing(record)
        if standing is Standing.NEW:
            new.append(record)
        elif standing is Standing.CONFLICT:
            against += 1
            if isinstance(record, Observation):
                refused.add(record.id)
    return new, against
