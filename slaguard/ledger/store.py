"""Typed columns in DuckDB, on which Demands are answered: the same whether records come from a row log or a file.

Memory is bounded: beyond `memory_limit` DuckDB writes to a temporary directory that goes with the store. Nothing is
downloaded: extensions are switched off.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Self, cast

import duckdb
import numpy as np

from slaguard.evaluation.demands import Counts, Demands
from slaguard.ledger import statements
from slaguard.ledger.columns import Columns, Kept, from_headers, from_records, int64, plain, to_records
from slaguard.ledger.conditions import Sql
from slaguard.ledger.documents import Documents
from slaguard.ledger.stored import TABLES
from slaguard.records import (
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
    Table,
    from_header,
)

BATCH: Final = 20_000
"""Records that are turned into columns at a time."""
_FETCH: Final = 5_000


@dataclass(frozen=True, slots=True)
class Overview:
    """How many calls each vendor has, and the first and last moment of them all (None without calls)."""

    vendors: Mapping[str, int]
    first: int | None
    last: int | None


class ColumnStore:
    """Records as columns; used by one thread.

    A record whose identity is there already is a repeat: the first one counts. Records without a recording time are
    known from when they ended.
    """

    def __init__(self, *, memory_limit: str = "1GB", threads: int | None = None) -> None:
        """Make an empty store.

        Args:
            memory_limit: what DuckDB may use before it writes to disk, as DuckDB writes it: ``500MB``.
            threads: how many DuckDB uses; None: as many as there are processors.

        """
        self._directory = tempfile.TemporaryDirectory(prefix="slaguard-")
        config: dict[str, str | bool | int | float | list[str]] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": memory_limit,
            "temp_directory": self._directory.name,
        }
        if threads is not None:
            config["threads"] = threads
        self._duckdb = duckdb.connect(":memory:", config=config)
        # All objects are text: nothing to guess. Order is by `pos`, not by insertion.
        for setting in ("pandas_analyze_sample = 0", "preserve_insertion_order = false", "enable_external_access = false"):
            self._duckdb.execute(f"SET {setting}")
        for table in TABLES.values():
            self._duckdb.execute(table.create())
        self._documents = Documents()
        self._count = 0
        self._repeated = 0
        self._conflicts = 0
        self._unsettled: set[type[Record]] = set()

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
                    self._insert(record_type, from_records(record_type, group))
                else:
                    self._documents.add(group)

    def add_headers(self, record_type: type[Record], bodies: Sequence[Mapping[str, Any]]) -> None:
        """Take in parsed headers of one type, as a row log holds them.

        Raises:
            LedgerError: as `add`, or a field this version does not know.

        """
        if record_type in TABLES:
            self._insert(record_type, from_headers(record_type, bodies))
        else:
            self._documents.add([from_header(body) for body in bodies])

    def _insert(self, record_type: type[Record], batch: Columns) -> None:
        size = len(next(iter(batch.values())))
        batch["pos"] = np.arange(self._count, self._count + size, dtype=np.int64)
        self._duckdb.register("batch", batch)
        try:
            self._duckdb.execute(TABLES[record_type].insert())
        finally:
            self._duckdb.unregister("batch")
        self._count += size
        self._unsettled.add(record_type)

    def _settle(self) -> None:
        """Keep the first record of each identity, count the others."""
        for record_type in self._unsettled:
            table = TABLES[record_type]
            if self._number(table.repeats()):
                self._conflicts += self._number(table.conflicts())
                self._repeated += self._number(table.delete_repeats())
        self._unsettled.clear()

    def _number(self, statement: str) -> int:
        row = self._duckdb.execute(statement).fetchone()
        return int(row[0]) if row else 0

    @property
    def repeated(self) -> int:
        """Return how many records were there before and count once."""
        self._settle()
        return self._repeated + self._documents.repeated

    @property
    def conflicts(self) -> int:
        """Return how many identities had records that contradict each other; the first one counts."""
        self._settle()
        return self._conflicts + self._documents.conflicts

    # ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def answer(self, demands: Demands) -> Evidence:
        """Answer all Demands.

        Raises:
            ValueError: a Demand names an unknown key or field.

        """
        self._settle()
        return Evidence(
            tables={counts.sha256(): self._table(counts) for counts in demands.counts},
            coverage=self._documents.coverage(demands.span, demands.as_of),
            facts=self._documents.facts(demands.as_of),
            incidents=self._documents.incidents(demands.as_of),
            notes=self._notes(),
        )

    def _table(self, counts: Counts) -> Table:
        found = self._fetch(statements.grouped(counts))
        return Table.of(counts.keys, tuple(int64(found[key]) for key in counts.keys), int64(found["n"]))

    def _fetch(self, statement: Sql) -> Columns:
        found = self._duckdb.execute(statement.text, list(statement.values)).fetchnumpy()
        return cast("Columns", found)

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

        """
        self._settle()
        asked = ("id", *(f for f in fields if f != "id" and f not in counts.keys))
        found = self._fetch(statements.listed(counts, asked))
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

    def facts(self, as_of: int) -> tuple[Fact, ...]:
        """Return the Facts known by `as_of`, by when they were made."""
        return self._documents.facts(as_of)

    def incidents(self, as_of: int) -> tuple[Incident, ...]:
        """Return the Incidents known by `as_of`, by start."""
        return self._documents.incidents(as_of)

    def documents(self) -> Iterator[Fact | Incident | Coverage]:
        """Yield all Facts, Incidents and Coverage, in order of arrival."""
        yield from self._documents.all()

    def _read(self, record_type: type[Kept]) -> Iterator[Kept]:
        self._settle()
        # A cursor of its own: the caller may ask for something else before it has read all.
        with self._duckdb.cursor() as cursor:
            cursor.execute(TABLES[record_type].read())
            while rows := cursor.fetchmany(_FETCH):
                yield from to_records(record_type, rows)

    def overview(self) -> Overview:
        """Return whose calls these are and when they were made: for saying why none of them counts."""
        self._settle()
        rows = self._duckdb.execute("SELECT vendor, count(*) FROM observation GROUP BY vendor ORDER BY 2 DESC, 1").fetchall()
        first, last = self._duckdb.execute(
            "SELECT min(coalesce(sent_at, batch_start)), max(coalesce(sent_at, batch_end)) FROM observation"
        ).fetchall()[0]
        return Overview({str(vendor): int(n) for vendor, n in rows}, first, last)

    def close(self) -> None:
        """Let go of memory and temporary files. Closing twice is fine."""
        self._duckdb.close()
        self._directory.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _by_type(batch: list[Record]) -> dict[type[Record], list[Record]]:
    """Sort a batch by type, each type in its own order of arrival."""
    groups: dict[type[Record], list[Record]] = {}
    for record in batch:
        groups.setdefault(type(record), []).append(record)
    return groups


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
