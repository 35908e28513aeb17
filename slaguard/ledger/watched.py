"""The coverage of traffic: which spans were watched for one vendor, from tallies in their columns.

A tally in which nothing was left out or lost says that its minute was watched; one with a loss, of any writer, says that
it was not. So does a tally that is missing: a watcher that ends in order ends within a minute, so one whose tallies end
with a minute was killed, or has calls under way, and what it saw after is not known. Touching minutes become long spans
before a row is ever looked at in Python. What one segment says is kept like a partial: unions can be taken in any order, so
the answer is the same however records are spread over segments.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import duckdb
import numpy as np
import numpy.typing as npt
import rfc8785

from slaguard.ledger.attached import AT_ONCE, Attached, Part
from slaguard.ledger.columns import Columns, int64
from slaguard.ledger.headers import text
from slaguard.ledger.partials import TALLIES, Partials
from slaguard.ledger.stored import TABLES
from slaguard.records import MINUTE, Column, Observation, Span, TrafficTally
from slaguard.terms import Source

_TALLY: Final = TABLES[TrafficTally]
_READ: Final = ("known_at", "vendor", "via", "writer", "start", "end", "sampled_out", "shed")
_NAME: Final = "left(writer, length(writer) - strpos(reverse(writer), '.'))"
"""The watcher's name, the same in each of its runs: what stands before the last point."""
_BESIDE: Final = 24 * 60 * MINUTE
"""How far beside a span a watcher's tallies are looked at, to know what is missing in it."""
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
_PICKED: Final = f'{_NAME} AS name, "start", "end", CAST(shed > 0 OR sampled_out > 0 AS BIGINT) AS lost'


@dataclass(frozen=True, slots=True)
class Watched:
    """What tallies say, each sorted and merged: spans that were watched, spans with a loss, spans of which one is missing."""

    whole: tuple[Span, ...]
    lost: tuple[Span, ...]
    missing: tuple[Span, ...] = ()

    def of(self, documents: Sequence[Span], span: Span) -> tuple[Span, ...]:
        """Return what of a span was watched: by documents or tallies, less where something was lost or is missing."""
        return clipped(less(united([*documents, *self.whole]), united([*self.lost, *self.missing])), span)


Said = Mapping[str, tuple[tuple[Span, ...], tuple[Span, ...]]]
"""By a watcher's name: the spans its tallies call watched, and those with a loss."""


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
        wide = (span[0] - _BESIDE, span[1] + _BESIDE)
        near = [part for part in self._attached.of_kind(_TALLY.name) if _concerns(part, wide)]
        kept = [part for part in near if self._stands(part, as_of)]
        others = [part for part in near if part not in kept]
        found = [self._scanned(source, vendor, wide, as_of) for source in (_TALLY.name, *self._relations(others))]
        found += [said[name] for said in self._kept(kept) if (name := text(vendor)) in said]
        return _together(found)

    def _stands(self, part: Part, as_of: int) -> bool:
        """Tell whether what a segment says can be kept: all of it is known, and none of it gives way to another writer's."""
        known = part.manifest.known
        return self._cache.path is not None and part not in self._attached.yielding and (known is None or known <= as_of)

    # ── scans ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def _relations(self, parts: Sequence[Part]) -> Iterator[str]:
        self._attached.reconcile(self._database, parts)
        for first in range(0, len(parts), AT_ONCE):
            yield self._attached.relation(_TALLY, parts[first : first + AT_ONCE], here=False, only=_READ)

    def _scanned(self, source: str, vendor: str, span: Span, as_of: int) -> Said:
        statement = f'SELECT {_PICKED} FROM {source} WHERE vendor = ? AND known_at <= ? AND "end" > ? AND "start" < ?'  # noqa: S608
        return _said(self._fetch(statement, [text(vendor), as_of, *span]))

    def _fetch(self, statement: str, values: Sequence[int | str] = ()) -> Columns:
        return cast("Columns", self._database.execute(statement, list(values)).fetchnumpy())

    # ── what each segment says ──────────────────────────────────────────────────────────────────────────────────────
    def _kept(self, parts: Sequence[Part]) -> Iterator[Mapping[str, Said]]:
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
        contents: list[dict[str, Said]] = [{} for _ in parts]
        for (part, vendor), rows in _groups(int64(found["part"]), np.asarray(found["vendor"], dtype=str)):
            contents[part][vendor] = _said({name: found[name][rows] for name in ("name", "start", "end", "lost")})
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


def _groups(numbers: Column, texts: npt.NDArray[Any]) -> Iterator[tuple[tuple[int, str], Column]]:
    """Yield each pair of a number and a text, and the places where it stands."""
    names, codes = np.unique(texts, return_inverse=True)
    pairs = numbers * max(1, len(names)) + codes
    order = np.argsort(pairs, kind="stable")
    found, starts = np.unique(pairs[order], return_index=True)
    for pair, places in zip(found.tolist(), np.split(order, starts[1:]) if len(found) else (), strict=True):
        number, code = divmod(pair, len(names))
        yield (number, str(names[code])), places


def _texts(content: Mapping[str, Said]) -> dict[str, Any]:
    return {
        vendor: {name: [[[str(a), str(b)] for a, b in spans] for spans in both] for name, both in said.items()}
        for vendor, said in content.items()
    }


def _unpacked(content: bytes) -> dict[str, Said]:
    def spans(found: Sequence[Sequence[str]]) -> tuple[Span, ...]:
        return tuple((int(start), int(end)) for start, end in found)

    return {
        vendor: {name: (spans(whole), spans(lost)) for name, (whole, lost) in said.items()}
        for vendor, said in json.loads(content).items()
    }


# ── spans ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _said(found: Columns) -> Said:
    """Return what tallies of one vendor (name, start, end, lost) say, by the watcher's name."""
    said: dict[str, tuple[tuple[Span, ...], tuple[Span, ...]]] = {}
    columns = {column: int64(found[column]) for column in ("start", "end", "lost")}
    for (_, name), rows in _groups(np.zeros(len(columns["start"]), dtype=np.int64), np.asarray(found["name"], dtype=str)):
        starts, ends, lost = (columns[column][rows] for column in ("start", "end", "lost"))
        said[name] = (_islands(starts[lost == 0], ends[lost == 0]), _islands(starts[lost > 0], ends[lost > 0]))
    return said


def _together(found: Sequence[Said]) -> Watched:
    """Return what all of it says of one vendor."""
    whole: dict[str, list[Span]] = defaultdict(list)
    lost: dict[str, list[Span]] = defaultdict(list)
    for said in found:
        for name, (some, others) in said.items():
            whole[name] += some
            lost[name] += others
    missing = [gap for name in whole.keys() | lost.keys() for gap in _missing(united([*whole[name], *lost[name]]))]
    return Watched(united(_all(whole)), united(_all(lost)), united(missing))


def _all(spans: Mapping[str, Sequence[Span]]) -> list[Span]:
    return [span for own in spans.values() for span in own]


def _missing(told: tuple[Span, ...]) -> Iterator[Span]:
    """Yield the spans that a watcher owes tallies for: behind what it told of, up to what it tells of next.

    Where nothing follows yet, one minute: how long it went on is not known.
    """
    for (_, end), after in zip(told, [start for start, _ in told[1:]] + [None], strict=True):
        if end % MINUTE == 0:
            yield end, end + MINUTE if after is None else after


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
