"""The intervals of a period: what was counted in each, which were watched, which windows take, and when a resource was there.

An interval is *unobserved* where we did not watch all of it, or (probes) where no answered slot lies in it: it is never up
and never down, and every figure is formed twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from slaguard.evaluation.exclusions import Variant, bins_touched
from slaguard.evaluation.measure import Rows
from slaguard.evaluation.requirements import Question
from slaguard.records import MINUTE, NS_PER_MS, NULL, Column, Evidence, Span
from slaguard.spec.indicators.intervals import Presence
from slaguard.spec.model import BinRule, Effect
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Source

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Grid:
    """The intervals of a widened span: counts, and which of them are what.

    All arrays have one element per interval. `slow` counts requests that took too long; `length` is in nanoseconds (the
    period's last interval may be cut by its end). `inside` marks the period's own, in its service hours; `served` all that
    lie wholly in service hours; `elapsed` those that had ended by the time of knowledge; `unobserved` those not wholly
    watched; `up` and `removed` those that windows take; `stay` the part of the period in which the resource was there.
    """

    start: int
    bin_ns: int
    n: Column
    fail: Column
    slow: Column
    length: Column
    inside: Mask
    served: Mask
    elapsed: Mask
    unobserved: Mask
    up: Mask
    removed: Mask
    stay: Mask
    below: Mask
    """Fewer counted requests than `min_requests`, but some."""

    @property
    def so_far(self) -> Mask:
        """The period's own intervals that had ended by the time of knowledge."""
        return self.inside & self.elapsed

    @property
    def end(self) -> int:
        """The end of the last interval, which the period may cut."""
        return self.start + (len(self.n) - 1) * self.bin_ns + int(self.length[-1])

    def span(self, first: int, last: int) -> Span:
        """Return the time from the first interval's start to the last one's end."""
        begin = self.start + last * self.bin_ns
        return self.start + first * self.bin_ns, begin + int(self.length[last])

    def minutes(self, where: list[int]) -> Fraction:
        """Return the length of some intervals in minutes."""
        return Fraction(int(self.length[where].sum()), MINUTE)

    def worth(self, marked: Mask) -> Fraction:
        """Return how many whole intervals the marked ones are as long as."""
        return Fraction(int(self.length[marked].sum()), self.bin_ns)


@dataclass(frozen=True, slots=True)
class Watched:
    """What a grid is made from, for one source at one time of knowledge."""

    question: Question
    source: Source
    evidence: Evidence
    period: ResolvedPeriod
    as_of: int
    variant: Variant

    @property
    def span(self) -> Span:
        """The time that the Demand is about."""
        return next(c.span for c in self.question.counts if c.source is self.source)


def bin_rule(question: Question) -> BinRule:
    """Return the rule of a promise over intervals.

    Raises:
        TypeError: it has another.

    """
    rule = question.objective.indicator
    if not isinstance(rule, BinRule):
        msg = "not an interval rule"
        raise TypeError(msg)
    return rule


def grid_of(watched: Watched, rows: Rows) -> Grid:
    """Return the intervals with the counts of all rows."""
    rule, span, period = bin_rule(watched.question), watched.span, watched.period
    bin_ns = rule.bin * NS_PER_MS
    size = -(-(span[1] - span[0]) // bin_ns)
    starts = span[0] + np.arange(size, dtype=np.int64) * bin_ns
    own = (starts >= period.start) & (starts < period.end)
    ends = np.where(own, np.minimum(starts + bin_ns, period.end), starts + bin_ns)
    served = own | True if period.service is None else _wholly_covered(starts, ends, period.service)
    inside = own & served
    elapsed = ends <= watched.as_of
    up, removed = _windows(watched, span[0], bin_ns, size)
    nothing = np.zeros(size, dtype=np.int64)
    empty = Grid(
        start=span[0], bin_ns=bin_ns, n=nothing, fail=nothing, slow=nothing, length=ends - starts, inside=inside, served=served,
        elapsed=elapsed, unobserved=~elapsed, up=up & ~removed, removed=removed, stay=inside, below=nothing > 0,
    )  # fmt: skip
    covered = _wholly_covered(starts, ends, watched.evidence.coverage.get(watched.source, ()))
    return _filled(watched, empty, covered, rows, np.ones(len(rows.table.n), dtype=np.bool_))


def grids_of(watched: Watched, pooled: Grid, rows: Rows) -> Iterator[Grid]:
    """Yield the intervals of each resource that has a counted request in the period; of one pool, those of all rows.

    Where no resource has one, that is one pool too.
    """
    if not bin_rule(watched.question).pooled_by:
        yield pooled
        return
    starts = pooled.start + np.arange(len(pooled.n), dtype=np.int64) * pooled.bin_ns
    covered = _wholly_covered(starts, starts + pooled.length, watched.evidence.coverage.get(watched.source, ()))
    codes, found = rows.table.column("group"), False
    for code in np.unique(codes).tolist():
        grid = _filled(watched, pooled, covered, rows, codes == code)
        if (grid.n[grid.inside] > 0).any():
            found = True
            yield grid
    if not found:
        yield pooled


def _filled(watched: Watched, grid: Grid, covered: Mask, rows: Rows, part: Mask) -> Grid:
    """Return the grid with the counts of a part of the rows."""
    rule, size = bin_rule(watched.question), len(grid.n)
    where = rows.table.column("bin")
    timed = part & (where != NULL) & (where >= 0) & (where < size)
    n, fail, slow, unmeasured = (
        _summed(where[timed], column[timed], size)
        for column in (rows.ok + rows.fail, rows.fail, _slow(watched.question, rows), rows.unmeasured)
    )
    seen = n > 0 if watched.source is Source.PROBE else covered
    # What is still to come is not known, whatever the log says it will cover.
    unobserved = ~seen | ((n == 0) & (unmeasured > 0)) | ~grid.elapsed
    below = (n > 0) & (n < rule.least)
    stay = _stay(rule.presence, grid.inside, n > 0)
    return replace(grid, n=n, fail=fail, slow=slow, unobserved=unobserved, below=below, stay=stay)


def _summed(where: Column, column: Column, size: int) -> Column:
    found = np.zeros(size, dtype=np.int64)
    np.add.at(found, where, column)
    return found


def _slow(question: Question, rows: Rows) -> Column:
    """Return how many counted requests of each row took too long, where that share is held to the limit by itself."""
    counted = rows.ok + rows.fail
    bit = next((i for i, b in enumerate(question.bits) if b.slow == "on_its_own"), None)
    return np.zeros_like(counted) if bit is None else np.where(rows.table.column("mask") >> bit & 1, counted, 0)


def _windows(watched: Watched, start: int, bin_ns: int, size: int) -> tuple[Mask, Mask]:
    """Mark the intervals that windows count as up, and those they take out."""
    up, removed = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    for applied in watched.question.applied:
        if applied.is_window and applied.exclusion.effect is not Effect.DROP_RECORDS:
            target = up if applied.exclusion.effect is Effect.COUNT_AS_UP else removed
            target[bins_touched(applied.windows(watched.variant), start, bin_ns, size, watched.span[1])] = True
    return up, removed


def _wholly_covered(starts: Column, ends: Column, coverage: tuple[Span, ...]) -> Mask:
    """Mark the intervals that lie wholly inside the coverage."""
    covered = np.zeros(len(starts), dtype=np.bool_)
    for a, b in coverage:
        covered |= (starts >= a) & (ends <= b)
    return covered


# ── when the resource was there ─────────────────────────────────────────────────────────────────────────────────────
def _stay(presence: Presence | None, inside: Mask, asked: Mask) -> Mask:
    """Mark the part of the period from the first counted request to the last, as far as the rule says so."""
    if presence is None:
        return inside
    found = np.flatnonzero(inside & asked)
    index = np.arange(len(inside))
    stay = inside.copy()
    if not len(found):
        return np.zeros_like(inside)
    if presence.begins:
        stay &= index >= found[0]
    if presence.ends:
        stay &= index <= found[-1]
    return stay


def stays(grid: Grid) -> tuple[Mask, ...]:
    """Return what the stay may have been, as masks of the period so far: the one that was seen first.

    Unobserved time around it may hold the resource's first or last request: it may have begun there, with all that lies
    between, or been there in that time alone.
    """
    seen = grid.so_far & grid.stay
    perhaps = grid.so_far & ~grid.stay & grid.unobserved
    if not perhaps.any():
        return (seen,)
    wide = seen | perhaps
    index = np.flatnonzero(wide)
    hull = grid.so_far.copy()
    hull[: index[0]] = False
    hull[index[-1] + 1 :] = False
    return seen, wide, hull


def longest_stay(grid: Grid, presence: Presence | None) -> Mask:
    """Return the part of the whole period that can still count, when requests may come until its end."""
    if presence is None or not grid.stay.any() or not presence.begins:
        return grid.inside
    found: Mask = grid.inside & (np.arange(len(grid.n)) >= int(np.flatnonzero(grid.stay)[0]))
    return found
