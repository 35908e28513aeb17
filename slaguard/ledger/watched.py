"""The coverage of traffic: which spans were watched for one vendor, from tallies in their columns.

A tally in which nothing was left out or lost says that its minute was watched; one with a loss, of any writer, says that
it was not. Touching minutes become long spans before a row is ever looked at in Python. What one segment says is kept
like a partial: unions can be taken in any order, so the answer is the same however records are spread over segments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import duckdb
import numpy as np
import rfc8785

from slaguard.ledger.attached import AT_ONCE, Attached, Part
from slaguard.ledger.columns import Columns, int64
from slaguard.ledger.headers import text
from slaguard.ledger.partials import TALLIES, Partials
from slaguard.ledger.stored import TABLES
from slaguard.records import MINUTE, Column, Observation, Span, TrafficTally
from slaguard.terms import Source

_TALLY: Final = TABLES[TrafficTally]
_READ: Final = ("known_at", "vendor", "start", "end", "sampled_out", "shed")
_CALL: Final = TABLES[Observation]
_DIFFERING: Final = f"""
SELECT vendor, writer, minute, said, coalesce(there, 0) FROM (
  SELECT vendor, via, writer, "start" // {MINUTE} AS minute, CAST(sum(recorded) AS BIGINT) AS said
  FROM {{tallies}} GROUP BY ALL) LEFT JOIN (
  SELECT vendor, via, left(id, length(id) - strpos(reverse(id), '/')) AS writer,
    coalesce(scheduled_at, sent_at) // {MINUTE} AS minute, count(*) AS there
  FROM {{calls}} WHERE source = {list(Source).index(Source.TRAFFIC)} GROUP BY ALL) USING (vendor, via, writer, minute)
WHERE said <> coalesce(there, 0) ORDER BY minute, vendor, writer LIMIT ?
"""  # noqa: S608 - our own names
_PICKED: Final = '"start", "end", CAST(shed > 0 OR sampled_out > 0 AS BIGINT) AS lost'


@dataclass(frozen=True, slots=True)
class Watched:
    """Spans that tallies call watched, and those in which one of them counts a loss; each sorted and merged."""

    whole: tuple[Span, ...]
    lost: tuple[Span, ...]

    def of(self, documents: Sequence[Span], span: Span) -> tuple[Span, ...]:
        """Return what of a span was watched: by documents or tallies, less where something was lost."""
        return clipped(less(united([*documents, *self.whole]), self.lost), span)


@dataclass(frozen=True, slots=True)
class Differing:
    """A minute (its start, UTC nanoseconds) of one vendor and watcher: how many records tallies count, and how many there are.

    Text is in the form of a header.
    """

    vendor: str
    writer: str
    minute: int
    said: int
    there: int


class Tallies:
    """Answers what was watched, from a store's own tallies and those in segments."""

    def __init__(self, database: duckdb.DuckDBPyConnection, attached: Attached, cache: Partials) -> None:
        """Keep where everything is."""
        self._database = database
        self._attached = attached
        self._cache = cache

    def watched(self, vendor: str, span: Span, as_of: int) -> Watched:
        """Return what the tallies of a vendor known by `as_of` say of a span, and perhaps of time around it.

        Raises:
            LedgerError: a segment does not hold what was sealed in it.
            duckdb.Error: a segment cannot be read.

        """
        near = [part for part in self._attached.of_kind(_TALLY.name) if _concerns(part, span)]
        kept = [part for part in near if self._stands(part, as_of)]
        others = [part for part in near if part not in kept]
        found = [self._scanned(source, vendor, span, as_of) for source in (_TALLY.name, *self._relations(others))]
        found += [said[name] for said in self._kept(kept) if (name := text(vendor)) in said]
        return Watched(united([s for one in found for s in one.whole]), united([s for one in found for s in one.lost]))

    def _stands(self, part: Part, as_of: int) -> bool:
        """Tell whether what a segment says can be kept: all of it is known, and none of it gives way to another writer's."""
        known = part.manifest.known
        return self._cache.path is not None and part not in self._attached.yielding and (known is None or known <= as_of)

    # ── scans ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _relations(self, parts: Sequence[Part]) -> Iterator[str]:
        self._attached.reconcile(self._database, parts)
        for first in range(0, len(parts), AT_ONCE):
            yield self._attached.relation(_TALLY, parts[first : first + AT_ONCE], here=False, only=_READ)

    def _scanned(self, source: str, vendor: str, span: Span, as_of: int) -> Watched:
        statement = f'SELECT {_PICKED} FROM {source} WHERE vendor = ? AND known_at <= ? AND "end" > ? AND "start" < ?'  # noqa: S608
        return _watched(self._fetch(statement, [text(vendor), as_of, *span]))

    def _fetch(self, statement: str, values: Sequence[int | str] = ()) -> Columns:
        return cast("Columns", self._database.execute(statement, list(values)).fetchnumpy())

    # ── what each segment says ──────────────────────────────────────────────────────────────────────────────────────
    def _kept(self, parts: Sequence[Part]) -> Iterator[Mapping[str, Watched]]:
        """Yield what these segments say of each vendor, from the cache where it knows them."""
        found = self._cache.find(TALLIES, [part.sha256 for part in parts])
        fresh = [part for part in parts if part.sha256 not in found]
        made: dict[str, bytes] = {}
        for first in range(0, len(fresh), AT_ONCE):
            some = fresh[first : first + AT_ONCE]
            made |= {part.sha256: content for part, content in zip(some, self.contents(some), strict=True)}
        self._cache.keep(TALLIES, made)
        yield from (_unpacked(content) for content in {**found, **made}.values())

    def contents(self, parts: Sequence[Part]) -> list[bytes]:
        """Return what each of some segments says, by a scan, as it is kept.

        Raises:
            LedgerError, duckdb.Error: as `watched`.

        """
        self._attached.reconcile(self._database, parts)
        source = self._attached.numbered(_TALLY, parts, _READ)
        found = self._fetch(f"SELECT part, vendor, {_PICKED} FROM {source}")  # noqa: S608 - our own names
        names, vendors = np.unique(np.asarray(found["vendor"], dtype=str), return_inverse=True)
        groups = int64(found["part"]) * max(1, len(names)) + vendors
        contents: list[dict[str, list[list[list[int]]]]] = [{} for _ in parts]
        for group, rows in _groups(groups):
            part, vendor = divmod(group, len(names))
            said = _watched({name: found[name][rows] for name in ("start", "end", "lost")})
            contents[part][str(names[vendor])] = [[list(s) for s in said.whole], [list(s) for s in said.lost]]
        return [rfc8785.dumps(_texts(content)) for content in contents]

    # ── do tallies and calls agree ──────────────────────────────────────────────────────────────────────────────────
    def differing(self, most: int) -> list[Differing]:
        """Return the minutes in which a watcher's tallies count other records than stand there, at most so many.

        A call belongs to the minute in which it began: `scheduled_at`, or `sent_at` where that is missing.
        """
        parts = self._attached.of_kind(_TALLY.name, _CALL.name)
        self._attached.reconcile(self._database, parts)
        tallies, calls = (self._attached.relation(table) for table in (_TALLY, _CALL))
        rows = self._database.execute(_DIFFERING.format(tallies=tallies, calls=calls), [most]).fetchall()
        return [Differing(vendor, writer, minute * MINUTE, said, there) for vendor, writer, minute, said, there in rows]


def _concerns(part: Part, span: Span) -> bool:
    """Tell whether a tally of this segment may touch a span."""
    first, last = part.manifest.t_min_ns, part.manifest.t_max_ns
    return first is None or last is None or (first < span[1] and last > span[0])


def _groups(groups: Column) -> Iterator[tuple[int, Column]]:
    """Yield each number and the places where it stands."""
    order = np.argsort(groups, kind="stable")
    numbers, starts = np.unique(groups[order], return_index=True)
    yield from zip(numbers.tolist(), np.split(order, starts[1:]) if len(numbers) else (), strict=True)


def _texts(content: Mapping[str, Any]) -> dict[str, Any]:
    return {vendor: [[[str(a), str(b)] for a, b in spans] for spans in both] for vendor, both in content.items()}


def _unpacked(content: bytes) -> dict[str, Watched]:
    def spans(found: Sequence[Sequence[str]]) -> tuple[Span, ...]:
        return tuple((int(start), int(end)) for start, end in found)

    return {vendor: Watched(spans(whole), spans(lost)) for vendor, (whole, lost) in json.loads(content).items()}


# ── spans ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _watched(found: Columns) -> Watched:
    """Return what tallies of one vendor (start, end, lost) say."""
    starts, ends, lost = (int64(found[name]) for name in ("start", "end", "lost"))
    return Watched(_islands(starts[lost == 0], ends[lost == 0]), _islands(starts[lost > 0], ends[lost > 0]))


def _islands(starts: Column, ends: Column) -> tuple[Span, ...]:
    """Return the union of half-open intervals, touching ones joined: an island begins beyond all ends before it."""
    if not len(starts):
        return ()
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    first = np.flatnonzero(np.concatenate(([True], starts[1:] > reach[:-1])))
    last = np.concatenate((first[1:], [len(starts)])) - 1
    return tuple(zip(starts[first].tolist(), reach[last].tolist(), strict=True))


def united(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return the union of half-open intervals, sorted, touching ones joined (`records.merge_spans`, for many)."""
    some = [span for span in spans if span[1] > span[0]]
    both = np.array(some, dtype=np.int64).reshape(-1, 2)
    return _islands(both[:, 0], both[:, 1])


def less(spans: Sequence[Span], lost: Sequence[Span]) -> tuple[Span, ...]:
    """Return what is left of some spans without others; both sorted and merged."""
    left: list[Span] = []
    place = 0
    for start, end in spans:
        begin = start
        while place < len(lost) and lost[place][1] <= begin:
            place += 1
        ahead = place
        while ahead < len(lost) and lost[ahead][0] < end:
            if lost[ahead][0] > begin:
                left.append((begin, lost[ahead][0]))
            begin = max(begin, lost[ahead][1])
            ahead += 1
        if begin < end:
            left.append((begin, end))
        place = max(place, ahead - 1)
    return tuple(left)


def clipped(spans: Sequence[Span], within: Span) -> tuple[Span, ...]:
    """Return what of some spans lies in one."""
    cut: Callable[[Span], Span] = lambda s: (max(s[0], within[0]), min(s[1], within[1]))  # noqa: E731
    return tuple(span for span in map(cut, spans) if span[1] > span[0])
