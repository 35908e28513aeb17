"""The doors of this room: records as a stream, records into a store, Evidence for Demands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from slaguard.evaluation.demands import Demands
from slaguard.imports.auto import Auto
from slaguard.imports.columns import absent_columns, check_columns, some
from slaguard.imports.convert import Context, Converter, MappingConverter
from slaguard.imports.coverage import parse_covers
from slaguard.imports.find import load_mapping
from slaguard.imports.mapping import Mapping
from slaguard.imports.reader import Choose, Import, Options
from slaguard.imports.report import ImportReport
from slaguard.imports.rows import Rows
from slaguard.ledger.store import ColumnStore
from slaguard.records import Evidence, Fact, Incident, Record

AUTO = "auto"
BATCH = 4096


class Store(Protocol):
    """Takes records in batches."""

    def add(self, records: Iterable[Record]) -> object:
        """Take some records."""


class Named:
    """Reads every file with one mapping (a `reader.Choose`)."""

    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.delimiter = {"tab": "\t"}.get(mapping.delimiter or "", mapping.delimiter)
        self._converter: MappingConverter | None = None

    def __call__(self, rows: Rows, context: Context) -> Converter:
        """Return the mapping's converter, after looking whether it fits the header."""
        if rows.has_header:
            check_columns(self.mapping, rows.file, rows.columns)
        elif absent := absent_columns(self.mapping, rows.columns):
            # JSON objects may leave out what is empty, so this may be right.
            context.tally.assumed[f"{rows.file}: its first rows have no {some(absent)}; is the spelling right?"] = None
        if self._converter is None:
            self._converter = MappingConverter(self.mapping, context)
        return self._converter


def chooser(mapping: Mapping | str) -> Choose:
    """Return what reads files: a Mapping, ``auto``, a shipped name, or the path of a mapping file.

    Raises:
        SpecError, RecordsError: there is no such mapping, or it is refused.

    """
    if mapping == AUTO:
        return Auto()
    return Named(load_mapping(mapping) if isinstance(mapping, str) else mapping)


def read(files: Sequence[str], mapping: Mapping | str, options: Options | None = None) -> Import:
    """Return the records of some files as an iterable, which has a `report` once it is exhausted.

    Args:
        files: paths of CSV or JSON lines, gzipped or not; ``-`` is `options.stdin`.
        mapping: a Mapping, ``auto``, a shipped name, or the path of a mapping file.
        options: coverage, vendor, progress.

    Raises:
        SpecError, RecordsError: there is no such mapping, or it is refused. (What is wrong with a file is raised while
            its records are taken.)

    """
    return Import(files, chooser(mapping), options or Options())


def load(files: Sequence[str], mapping: Mapping | str, store: Store, options: Options | None = None) -> ImportReport:
    """Put the records of some files into a store, in batches, and return the report.

    Raises:
        SpecError, RecordsError: as for `read`, and for a file that cannot be read.

    """
    records = read(files, mapping, options)
    batch: list[Record] = []
    for record in records:
        batch.append(record)
        if len(batch) == BATCH:
            store.add(batch)
            batch = []
    store.add(batch)
    return records.report


def load_records(
    files: Sequence[str],
    mapping: str,
    store: Store,
    *,
    covers: str | None = None,
    vendor: str | None = None,
    options: Options | None = None,
) -> ImportReport:
    """Put the records of some files into a store, with options as a user types them.

    Raises:
        ConfigError: `covers` is no START/END with zones.
        SpecError, RecordsError: as for `load`.

    """
    span = parse_covers(covers) if covers is not None else None
    return load(files, mapping, store, replace(options or Options(), covers=span, vendor=vendor))


def evidence(
    files: Sequence[str],
    mapping: Mapping | str,
    demands: Demands,
    *,
    facts: Sequence[Fact | Incident] = (),
    options: Options | None = None,
) -> Evidence:
    """Answer Demands from files alone: the same bytes that a ledger with these records would answer.

    Raises:
        SpecError, RecordsError: as for `load`.

    """
    store = ColumnStore()
    try:
        report = load(files, mapping, store, options)
        answered = store.answer(demands)
    finally:
        store.close()
    return replace(
        answered,
        facts=(*answered.facts, *(f for f in facts if isinstance(f, Fact))),
        incidents=(*answered.incidents, *(f for f in facts if isinstance(f, Incident))),
        notes=(*report.notes(), *answered.notes),
    )
