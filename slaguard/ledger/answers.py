"""The answer of one Counts Demand over segments and unsealed rows: kept partials, fresh scans, and planned calls.

The sum is the same whichever way each segment is answered: a partial is used only where it is exact (`partials.stands`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

import duckdb
import numpy as np

from slaguard.evaluation.demands import Counts, Failures, Mark, Near
from slaguard.evaluation.near import near_failures, near_rows
from slaguard.ledger import statements
from slaguard.ledger.attached import AT_ONCE, Attached, Part
from slaguard.ledger.columns import Columns, Kept, int64, to_records
from slaguard.ledger.conditions import Sql
from slaguard.ledger.layout import LAYOUTS
from slaguard.ledger.partials import (
    DOCUMENTS,
    Key,
    Partials,
    absolute,
    body,
    concerns,
    merged,
    packed,
    relative,
    stands,
    unpacked,
)
from slaguard.ledger.statements import Sources
from slaguard.ledger.stored import TABLES, parquet
from slaguard.records import Column, Coverage, Fact, Incident, Observation, ProbeMissed, ProbePlanned, Span, Table
from slaguard.terms import Source

_OBSERVATION: Final = TABLES[Observation]
_SLOTS: Final = (TABLES[ProbePlanned].name, TABLES[ProbeMissed].name)
_HELD: Final = 64
"""Tables that are held before they are added up."""
_DOCUMENTS: Final = tuple(t.kind for t in (Fact, Incident, Coverage))
_FETCH: Final = 5_000
_TIMES: Final = "near_times"


@dataclass(frozen=True, slots=True)
class Overview:
    """How many calls each vendor has, and the first and last moment of them all (None without calls)."""

    vendors: Mapping[str, int]
    first: int | None
    last: int | None


class Answers:
    """Answers Demands from a store's tables and the segments attached to it."""

    def __init__(self, database: duckdb.DuckDBPyConnection, attached: Attached, cache: Partials) -> None:
        """Keep where everything is."""
        self._database = database
        self._attached = attached
        self._cache = cache

    def table(self, counts: Counts) -> Table:
        """Return the answer.

        Raises:
            ValueError: the Demand names an unknown key or field.
            LedgerError: a segment does not hold what was sealed in it.
            duckdb.Error: a segment cannot be read.

        """
        alone = statements.grouped(counts)  # also says what is wrong with the Demand
        if not self._attached.parts:
            return self._grouped(counts, alone)
        if counts.each or (counts.grader is not None and "grade" in counts.keys):
            return self._at_once(counts)
        near = self._near(counts)
        kept = [p for p in near if self._cache.path is not None and p not in self._attached.yielding]
        kept = [p for p in kept if stands(p.manifest, counts)]
        tables = self._kept(counts, kept) + self._scanned(counts, [p for p in near if p not in kept])
        if counts.source is Source.PROBE and self._has_slots():
            self._reconcile(_OBSERVATION.name, *_SLOTS)
            tables.append(self._grouped(counts, statements.slots(counts, self._attached.sources())))
        return merged(counts.keys, tables)

    def near(self, counts: Counts) -> Sources:
        """Return what a statement on a Demand's records reads, after a look whether it is what was sealed."""
        parts = self._near(counts)
        others = () if counts.grader is None or "grade" not in counts.keys else ("score", "adjudication")
        slots = (_OBSERVATION.name, *_SLOTS) if counts.source is Source.PROBE else ()
        self._attached.reconcile(self._database, [*parts, *self._attached.of_kind(*others, *slots)])
        return self._attached.sources(parts)

    def _near(self, counts: Counts) -> list[Part]:
        return [p for p in self._attached.of_kind(_OBSERVATION.name) if concerns(p.manifest, counts.span)]

    def _reconcile(self, *kinds: str) -> None:
        self._attached.reconcile(self._database, self._attached.of_kind(*kinds))

    def _has_slots(self) -> bool:
        here = (f"SELECT 1 FROM {name} LIMIT 1" for name in _SLOTS)  # noqa: S608 - our own names
        return bool(self._attached.of_kind(*_SLOTS)) or any(self._database.execute(s).fetchone() for s in here)

    # ── records one by one ──────────────────────────────────────────────────────────────────────────────────────────
    def listed(self, counts: Counts, fields: tuple[str, ...]) -> Columns:
        """Return the records a Demand counts in time order: its keys, then the fields as ``f0 f1 …``; raises as `table`."""
        statements.grouped(counts)
        return self._fetch(statements.listed(counts, fields, self.near(counts)))

    def records(self, record_type: type[Kept]) -> Iterator[Kept]:
        """Yield all records of a type in time order."""
        table = TABLES[record_type]
        self._reconcile(table.name)
        yield from self._stream(record_type, table.read(self._attached.relation(table)))

    def open_slots(self, until: int) -> Iterator[ProbePlanned]:
        """Yield planned calls due before a moment that have no result and were not given up."""
        self._reconcile(_OBSERVATION.name, *_SLOTS)
        fields = tuple(f"p.{f.name}" for f in LAYOUTS[ProbePlanned])
        yield from self._stream(ProbePlanned, statements.open_slots(fields, self._attached.sources()), (until,))

    def _stream(self, record_type: type[Kept], statement: str, values: Sequence[int] = ()) -> Iterator[Kept]:
        # A cursor of its own: the caller may ask for something else before it has read all.
        with self._database.cursor() as cursor:
            cursor.execute(statement, list(values))
            while rows := cursor.fetchmany(_FETCH):
                yield from to_records(record_type, rows)

    def overview(self) -> Overview:
        """Return whose calls there are, and the first and last moment of them."""
        source = self._attached.relation(_OBSERVATION)
        vendors = f"SELECT vendor, count(*) FROM {source} GROUP BY vendor ORDER BY 2 DESC, 1"  # noqa: S608 - our own names
        edges = f"SELECT min(coalesce(sent_at, batch_start)), max(coalesce(sent_at, batch_end)) FROM {source}"  # noqa: S608
        rows = self._database.execute(vendors).fetchall()
        first, last = self._database.execute(edges).fetchall()[0]
        return Overview({str(vendor): int(n) for vendor, n in rows}, first, last)

    def documents(self, writer: int) -> Iterator[list[bytes]]:
        """Yield the header lines of one writer's sealed Facts, Incidents and Coverage, by segment, in order."""
        parts = [part for part in self._attached.of_kind(*_DOCUMENTS) if part.writer == writer]
        found = self._cache.find(DOCUMENTS, [part.sha256 for part in parts])
        for part in parts:
            content = found.get(part.sha256)
            if content is None:
                content = self.headers(part)
                self._cache.keep(DOCUMENTS, {part.sha256: content})
            yield content.splitlines()

    def headers(self, part: Part) -> bytes:
        """Return the header lines of one segment's Facts, Incidents and Coverage, in order."""
        self._attached.reconcile(self._database, [part])
        kinds = ", ".join(f"'{kind}'" for kind in _DOCUMENTS)
        statement = f"SELECT hdr FROM {parquet([part.link])} WHERE kind IN ({kinds}) ORDER BY seq"  # noqa: S608 - our own names
        return b"\n".join(header for (header,) in self._database.execute(statement).fetchall())

    def again(self) -> tuple[int, set[tuple[str, int]]]:
        """Return how many sealed rows contradict an earlier one of their log, and the kinds and keys of these."""
        files = [part.link for part in self._attached.parts if part.manifest.again]
        if not files:
            return 0, set()
        self._attached.verify(part for part in self._attached.parts if part.manifest.again)
        kinds = ", ".join(f"'{table.name}'" for table in TABLES.values())  # documents are told apart by `Documents`
        statement = f"SELECT kind, identity FROM {parquet(files)} WHERE again = 1 AND kind IN ({kinds})"  # noqa: S608
        rows = self._database.execute(statement).fetchall()
        return len(rows), {(kind, key) for kind, key in rows}

    # ── scans ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _grouped(self, counts: Counts, statement: Sql) -> Table:
        return _table(counts, self._fetch(statement))

    def _fetch(self, statement: Sql) -> Columns:
        return cast("Columns", self._database.execute(statement.text, list(statement.values)).fetchnumpy())

    def _at_once(self, counts: Counts) -> Table:
        """Ask for everything at once: a grade may stand in another segment than its answer, and so may a neighbour."""
        sources = self.near(counts)
        if counts.near is None or counts.failed is None:
            return self._grouped(counts, statements.grouped(counts, sources))
        self._database.register(_TIMES, {"sent_at": self._times(counts, counts.failed, counts.near, sources)})
        try:
            chosen = f"(SELECT * FROM {sources.observation} AS o WHERE o.sent_at IN (SELECT sent_at FROM {_TIMES}))"  # noqa: S608
            return self._grouped(counts, statements.grouped(counts, replace(sources, observation=chosen)))
        finally:
            self._database.unregister(_TIMES)

    def _times(self, counts: Counts, failed: Failures, near: Near, sources: Sources) -> Column:
        """Return when the records were sent that come near a failure: all keys are read of these alone.

        Others may have been sent at the same nanosecond: what is near is decided in the end by `near_failures`.
        """
        found = self._fetch(statements.neighbours(counts, failed, near, sources))
        sent, end, place = int64(found["sent_at"]), int64(found["end_at"]), found["place"]
        return np.unique(sent[near_rows(sent, end, place, found["failed"], found["sure"], near.within_ns)])

    def _scanned(self, counts: Counts, parts: Sequence[Part]) -> list[Table]:
        """Count the observations not sealed yet, and those of these segments, some segments at a time."""
        self._attached.reconcile(self._database, parts)
        tables = [self._grouped(counts, statements.calls(counts))]
        for asked, some in _alike(counts, self._of_source(counts.source, parts)):
            source = self._attached.relation(_OBSERVATION, some, here=False, only=statements.columns(counts))
            _hold(counts, tables, self._grouped(counts, statements.calls(asked, Sources(observation=source))))
        return tables

    def _of_source(self, source: Source, parts: Iterable[Part]) -> list[Part]:
        return [part for part in parts if self._attached.may_hold(part, source)]

    # ── partials ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _kept(self, counts: Counts, parts: Sequence[Part]) -> list[Table]:
        """Return what these segments come to, from the cache where it knows them."""
        key = Key.of(body(counts))
        found = self._cache.find(key, [part.sha256 for part in parts])
        fresh: list[Part] = []
        tables: list[Table] = []
        for part in parts:
            content = found.get(part.sha256)
            table = None if content is None else unpacked(counts.keys, content)
            if table is None:
                fresh.append(part)
            else:
                _hold(counts, tables, relative(table, counts))
        for table in self._made(counts, key, fresh):
            _hold(counts, tables, table)
        return tables

    def _made(self, counts: Counts, key: Key, parts: Sequence[Part]) -> Iterator[Table]:
        """Yield the answer on each segment, and keep it. One without calls of this source has none, which is kept as well."""
        self._attached.reconcile(self._database, parts)
        held = self._of_source(counts.source, parts)
        if len(held) < len(parts):
            nothing = packed(merged(counts.keys, []))
            self._cache.keep(key, {part.sha256: nothing for part in set(parts).difference(held)})
        for asked, some in _alike(counts, held):
            source = Sources(observation=self._attached.numbered(_OBSERVATION, some, statements.columns(counts)))
            tables = _by_part(counts, len(some), self._fetch(statements.calls_by_part(asked, source)))
            self._cache.keep(key, {p.sha256: packed(absolute(t, counts)) for p, t in zip(some, tables, strict=True)})
            yield from tables

    def one(self, counts: Counts, part: Part) -> Table:
        """Return the answer on one segment, by a scan, as it would be kept."""
        source = Sources(observation=self._attached.numbered(_OBSERVATION, [part], statements.columns(counts)))
        return absolute(self._grouped(counts, statements.calls(counts, source)), counts)


def _alike(counts: Counts, parts: Iterable[Part]) -> Iterator[tuple[Counts, list[Part]]]:
    """Yield segments, some at a time, with the Demand as they can be asked it: less the windows that none of their calls is in.

    Most segments lie in no window at all; of these DuckDB need not read the times.
    """
    groups: dict[tuple[Mark, ...], list[Part]] = {}
    for part in parts:
        groups.setdefault(tuple(_touching(mark, part.manifest.sent) for mark in counts.marks), []).append(part)
    for marks, alike in groups.items():
        asked = replace(counts, marks=marks)
        yield from ((asked, alike[start : start + AT_ONCE]) for start in range(0, len(alike), AT_ONCE))


def _touching(mark: Mark, sent: Span | None) -> Mark:
    """Return a mark with those of its windows that touch the time from the first call to the last (None: no call has one)."""
    if mark.windows is None:
        return mark
    return replace(mark, windows=tuple(w for w in mark.windows if sent is not None and w[0] <= sent[1] and w[1] > sent[0]))


def _table(counts: Counts, found: Columns) -> Table:
    table = Table.of(counts.keys, tuple(int64(found[key]) for key in counts.keys), int64(found["n"]))
    if counts.near is None or counts.failed is None:
        return table
    return near_failures(table, counts.failed, counts.near)


def _by_part(counts: Counts, parts: int, found: Columns) -> list[Table]:
    """Split groups by the segment they are of."""
    places = int64(found["part"])
    order = np.argsort(places, kind="stable")
    ends = np.searchsorted(places[order], np.arange(parts + 1))
    columns = {name: int64(found[name])[order] for name in (*counts.keys, "n")}
    cuts = [{name: column[ends[i] : ends[i + 1]] for name, column in columns.items()} for i in range(parts)]
    return [_table(counts, cut) for cut in cuts]


def _hold(counts: Counts, tables: list[Table], table: Table) -> None:
    """Take one more table; many are added up, so that few are held."""
    tables.append(table)
    if len(tables) >= _HELD:
        tables[:] = [merged(counts.keys, tables)]


def parts_of(attached: Attached, hashes: Iterable[str]) -> dict[str, Part]:
    """Return the segments with these hashes."""
    wanted = set(hashes)
    return {part.sha256: part for part in attached.parts if part.sha256 in wanted}
