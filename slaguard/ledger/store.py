"""Typed columns in DuckDB, on which Demands are answered: the same whether records come from a row log or a file.

What a row log has sealed stays in its segments (`attached`); here stand records from files, and rows not sealed yet.
Memory is bounded: beyond `memory_limit` DuckDB writes to a temporary directory that goes with the store. Nothing is
downloaded: extensions are switched off.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Final, Self

import duckdb
import numpy as np
import numpy.typing as npt

from slaguard.errors import LedgerError
from slaguard.evaluation.demands import Counts, Demands
from slaguard.ledger import database, scratch, twins
from slaguard.ledger.answers import Answers, Overview
from slaguard.ledger.attached import Attached
from slaguard.ledger.columns import Columns, Kept, from_headers, from_records, int64, plain
from slaguard.ledger.documents import Documents
from slaguard.ledger.identity import idempotency_key
from slaguard.ledger.keyed import Keyed, as_number
from slaguard.ledger.partials import Partials
from slaguard.ledger.stored import PER_WRITER, TABLES
from slaguard.ledger.verified import require_true_manifests
from slaguard.ledger.watched import Differing, Tallies, Watched
from slaguard.ledger.writers import Sealed
from slaguard.records import (
    NULL,
    Adjudication,
    Coverage,
    Evidence,
    Fact,
    Incident,
    Observation,
    ProbeMissed,
    ProbePlanned,
    Record,
    Score,
    Span,
    TrafficTally,
    from_header,
)
from slaguard.terms import Source

BATCH: Final = 20_000
"""Records that are turned into columns at a time."""


class ColumnStore:
    """Records as columns; used by one thread.

    A record whose identity is there already is a repeat: the first one counts, and of several writers the one that was
    known first. Records without a recording time are
    known from when they ended.
    """

    def __init__(
        self,
        *,
        memory_limit: str = "1GB",
        threads: int | None = None,
        writers: Sequence[Sealed] = (),
        cache: Path | None = None,
    ) -> None:
        """Make a store without records of its own.

        Args:
            memory_limit: what DuckDB may use before it writes to disk, as DuckDB writes it: ``500MB``.
            threads: how many DuckDB uses; None: as many as there are processors.
            writers: what has been sealed, in the order in which of two equal records known at one time the first one counts.
            cache: the folder in which answers on single segments are kept; None: none are.

        Raises:
            LedgerError: a segment's file is gone or of another size.

        """
        self._directory = scratch.folder()
        with ExitStack() as undo:
            undo.callback(self._directory.cleanup)
            self._attached = Attached(writers, Path(self._directory.name), Partials(cache))
            self._duckdb = database.connect(Path(self._directory.name), memory_limit, threads, writers)
            undo.callback(self._duckdb.close)
            with self._reading():
                require_true_manifests(self._duckdb, self._attached)
            undo.pop_all()
        self._answers = Answers(self._duckdb, self._attached, Partials(cache))
        self._tallies = Tallies(self._duckdb, self._attached, Partials(cache))
        self._documents = Documents()
        self._added = 0
        self._repeated = 0
        self._conflicts = 0
        self._contradicted: set[tuple[str, int]] = set()
        self._unsettled: set[type[Record]] = set()
        self._writers = len(writers)
        self._sealed_again: int | None = None

    # ── in ──────────────────────────────────────────────────────────────────────────────────────────────────────────
    def add(self, records: Iterable[Record]) -> None:
        """Take records in; a stream of any length, read in batches.

        Raises:
            LedgerError: a value is not of its field's type or does not fit into 64 bits; earlier batches stay.

        """
        stream = iter(records)
        while batch := list(islice(stream, BATCH)):
            for record_type, group in _by_type(batch).items():
                if record_type in TABLES:
                    places = np.arange(self._added, self._added + len(group), dtype=np.int64) + self._writers * PER_WRITER
                    keys = [as_number(idempotency_key(r)) for r in group] if self._writers else None
                    self._insert(record_type, from_records(record_type, group), places, keys)
                    self._added += len(group)
                else:
                    self._documents.add(group)

    def add_rows(self, writer: int, record_type: type[Record], rows: Sequence[Keyed]) -> None:
        """Take in rows that one writer has not sealed.

        Args:
            writer: its place among the writers.
            record_type: what the rows are.
            rows: with their parsed headers.

        Raises:
            LedgerError: as `add`, or a field this version does not know.

        """
        bodies = [row.body for row in rows]
        if record_type in TABLES:
            batch = from_headers(record_type, bodies)
            places = np.fromiter((row.seq for row in rows), dtype=np.int64, count=len(rows)) + writer * PER_WRITER
            self._insert(record_type, batch, places, [as_number(row.key) for row in rows])
        else:
            self._documents.add([from_header(body) for body in bodies], writer)

    def add_sealed_documents(self, writer: int) -> None:
        """Take in the Facts, Incidents and Coverage that one writer has sealed: before its rows, in the writers' order.

        Raises:
            LedgerError: a segment does not hold what was sealed in it.

        """
        with self._reading():
            for headers in self._answers.documents(writer):
                self._documents.add([from_header(json.loads(line)) for line in headers], writer)

    def turn_away(self, kind: str, key: bytes) -> None:
        """Count a row that contradicts an earlier one of its own log: it never counts."""
        self._repeated += 1
        self._contradicted.add((kind, as_number(key)))

    def _insert(
        self, record_type: type[Record], batch: Columns, places: npt.NDArray[np.int64], keys: Sequence[int] | None
    ) -> None:
        batch["pos"] = places
        batch["key"] = np.full(len(places), NULL) if keys is None else np.array(keys, dtype=np.int64)
        self._duckdb.register("batch", batch)
        try:
            with self._reading():
                self._duckdb.execute(TABLES[record_type].insert())
        finally:
            self._duckdb.unregister("batch")
        self._unsettled.add(record_type)

    def _settle(self) -> None:
        """Keep the first record of each identity, count the others."""
        if not self._unsettled and self._sealed_again is not None:
            return
        for record_type in self._unsettled:
            table = TABLES[record_type]
            if self._number(table.repeats()):
                self._conflicts += self._number(table.conflicts())
                self._repeated += self._number(table.delete_repeats(self._writers))
        with self._reading():
            if self._sealed_again is None:
                self._sealed_again, contradicted = self._answers.again()
                self._contradicted |= contradicted
            if self._attached.parts:
                found = twins.settle(self._duckdb, self._attached, self._writers)
                self._repeated += found.repeated
                self._contradicted |= found.contradicted
        self._unsettled.clear()

    def _number(self, statement: str) -> int:
        row = self._duckdb.execute(statement).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Say which segment is behind an error of DuckDB, or that the temporary directory has no room."""
        try:
            yield
        except duckdb.Error as error:
            found = self._attached.explain(error) or _no_room(error, self._directory.name)
            if found is None:
                raise
            raise found from error

    @property
    def repeated(self) -> int:
        """Return how many records were there before and count once."""
        self._settle()
        return self._repeated + (self._sealed_again or 0) + self._documents.repeated

    @property
    def conflicts(self) -> int:
        """Return how many identities had records that contradict each other; the first one counts."""
        self._settle()
        return self._conflicts + len(self._contradicted) + self._documents.conflicts

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, demands: Demands) -> Evidence:
        """Answer all Demands.

        Raises:
            ValueError: a Demand names an unknown key or field.
            LedgerError: a segment does not hold what was sealed in it.

        """
        self._settle()
        with self._reading():
            tables = {counts.sha256(): self._answers.table(counts) for counts in demands.counts}
            coverage = self._coverage(demands)
        return Evidence(
            tables=tables,
            coverage=coverage,
            facts=self._documents.facts(demands.as_of),
            incidents=self._documents.incidents(demands.as_of),
            notes=self._notes(),
        )

    def _coverage(self, demands: Demands) -> dict[Source, tuple[Span, ...]]:
        """Return what was watched: what documents say, and of traffic what the tallies of the vendor say besides."""
        coverage = self._documents.coverage(demands.span, demands.as_of)
        if demands.vendor is not None:
            tallied = self._tallies.watched(demands.vendor, demands.span, demands.as_of)
            coverage[Source.TRAFFIC] = tallied.of(coverage[Source.TRAFFIC], demands.span)
        return coverage

    def watched(self, vendor: str, span: Span, as_of: int) -> Watched:
        """Return what the tallies of a vendor known by `as_of` say of a span, and perhaps of time around it.

        Raises:
            LedgerError: as `answer`.

        """
        self._settle()
        with self._reading():
            return self._tallies.watched(vendor, span, as_of)

    def untallied(self, most: int) -> list[Differing]:
        """Return the minutes in which tallies of traffic count other records than stand here, at most so many.

        Raises:
            LedgerError: a segment does not hold what was sealed in it.

        """
        self._settle()
        with self._reading():
            return self._tallies.differing(most)

    def _notes(self) -> tuple[str, ...]:
        notes = []
        if self.repeated:
            notes.append(f"{_counted(self.repeated, 'record')} more of the same: each counts once")
        if self.conflicts:
            notes.append(f"{_counted(self.conflicts, 'record')} with contradicting versions: the first one counts")
        return tuple(notes)

    def rows(self, counts: Counts, fields: tuple[str, ...] = ()) -> Columns:
        """Return the records a Demand counts, one by one in time order: ``id``, its keys, and the fields asked for.

        The same records as in `answer`: its table is these rows grouped. Whole numbers are int64 with `NULL` for a
        missing value (a flag 0 or 1, a member of a closed list its code), text is object with None.

        Raises:
            ValueError: a Demand names an unknown key, or there is no such field.
            LedgerError: as `answer`.

        """
        self._settle()
        asked = ("id", *(f for f in fields if f != "id" and f not in counts.keys))
        with self._reading():
            found = self._answers.listed(counts, asked)
        keys = {key: int64(found[key]) for key in counts.keys}
        shown = {name: plain(found[f"f{i}"]) for i, name in enumerate(asked)}
        return {"id": shown.pop("id"), **keys, **shown}

    # ── out ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def observations(self) -> Iterator[Observation]:
        """Yield all observations by the time they were sent (those without a clock by their batch), then by id."""
        yield from self._read(Observation)

    def scores(self) -> Iterator[Score]:
        """Yield all scores in the order they were recorded."""
        yield from self._read(Score)

    def adjudications(self) -> Iterator[Adjudication]:
        """Yield all adjudications in the order they were recorded."""
        yield from self._read(Adjudication)

    def planned(self) -> Iterator[ProbePlanned]:
        """Yield all planned calls by the time they were due."""
        yield from self._read(ProbePlanned)

    def missed(self) -> Iterator[ProbeMissed]:
        """Yield all planned calls that were given up, by the time they were due."""
        yield from self._read(ProbeMissed)

    def tallies(self) -> Iterator[TrafficTally]:
        """Yield all tallies of traffic by start, then by vendor, way and writer."""
        yield from self._read(TrafficTally)

    def facts(self, as_of: int) -> tuple[Fact, ...]:
        """Return the Facts known by `as_of`, by when they were made."""
        return self._documents.facts(as_of)

    def incidents(self, as_of: int) -> tuple[Incident, ...]:
        """Return the Incidents known by `as_of`, by start."""
        return self._documents.incidents(as_of)

    def documents(self) -> Iterator[Fact | Incident | Coverage]:
        """Yield all Facts, Incidents and Coverage, in order of arrival."""
        yield from self._documents.all()

    def open_slots(self, until: int) -> Iterator[ProbePlanned]:
        """Yield the planned calls due before `until` (UTC nanoseconds) that have no result and were not given up, by time."""
        self._settle()
        with self._reading():
            yield from self._answers.open_slots(until)

    def last_recorded(self) -> int | None:
        """Return when the latest record was written down, UTC nanoseconds; None without records that say so."""
        moments = [part.manifest.known for part in self._attached.parts]
        moments += [self._duckdb.execute(f"SELECT max(recorded_at) FROM {t.name}").fetchall()[0][0] for t in TABLES.values()]  # noqa: S608
        moments += [document.recorded_at for document in self._documents.all()]
        return max((moment for moment in moments if moment is not None), default=None)

    def _read(self, record_type: type[Kept]) -> Iterator[Kept]:
        self._settle()
        with self._reading():
            yield from self._answers.records(record_type)

    def overview(self) -> Overview:
        """Return whose calls these are and when they were made: for saying why none of them counts."""
        self._settle()
        with self._reading():
            return self._answers.overview()

    def close(self) -> None:
        """Let go of memory and temporary files. Closing twice is fine."""
        self._duckdb.close()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _no_room(error: duckdb.Error, place: str) -> LedgerError | None:
    """Return what an error of DuckDB says of its temporary directory; None where it is about something else."""
    if not isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException):
        return None
    what = str(error).partition("\n")[0][:200]
    return scratch.refused(what, place, full=isinstance(error, duckdb.OutOfMemoryException) or "no space" in what.lower())


def _by_type(batch: list[Record]) -> dict[type[Record], list[Record]]:
    """Sort a batch by type, each type in its own order of arrival."""
    groups: dict[type[Record], list[Record]] = {}
    for record in batch:
        groups.setdefault(type(record), []).append(record)
    return groups


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
