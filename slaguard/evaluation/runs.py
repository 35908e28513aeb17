"""Runs of bad intervals (U1, U2, U9, U10): which intervals are bad, for one resource or several, and what is downtime.

Runs are found on the continuous timeline; windows that count as up or leave the period act after that (`run_over:
all_minutes`) or before (`counted_minutes`). Sources: the U1, U2 and U9 archetypes of published cloud terms; the settled
edges of `contracts.md` §3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from operator import ge, gt, le, lt

import numpy as np

from slaguard.evaluation.grid import Grid, Mask
from slaguard.evaluation.measure import distinct_pairs
from slaguard.records import MINUTE, Column
from slaguard.spec.model import BinRule, ErrorRateRuns, Limits
from slaguard.terms import BoundWord

_COMPARED = {BoundWord.AT_LEAST: ge, BoundWord.AT_MOST: le, BoundWord.MORE_THAN: gt, BoundWord.LESS_THAN: lt}


@dataclass(frozen=True, slots=True)
class Line:
    """The intervals as judged: bad ones if what was not watched is up, and if it is down; one element per interval.

    `empty` have no request that judges them; `leaves` are out of the time that counts.
    """

    bad_at_best: Mask
    bad_at_worst: Mask
    empty: Mask
    leaves: Mask
    stay: Mask

    @property
    def unknown(self) -> Mask:
        """The intervals that what was not watched decides."""
        return np.not_equal(self.bad_at_best, self.bad_at_worst)

    def bad(self, unwatched_is_down: bool) -> Mask:
        """Return the bad intervals under one assumption."""
        return self.bad_at_worst if unwatched_is_down else self.bad_at_best


def count(marked: Mask) -> Fraction:
    """Return how many intervals are marked."""
    return Fraction(int(marked.sum()))


@dataclass(frozen=True, slots=True)
class Lost:
    """What is lost, and of how much, in whole intervals' worth.

    `live` marks the intervals that count, `where` the lost ones; `weigh` tells how much some of them are worth.
    """

    lost: Fraction
    total: Fraction
    live: Mask
    where: Mask
    weigh: Callable[[Mask], Fraction]


def judged(grid: Grid, rule: BinRule, over: Mask, *, empty_is_bad: bool = False, empty_leaves: bool = False) -> Line:
    """Return one resource's intervals as judged; `over` marks those with requests that cross the limit."""
    nothing, few = grid.n == 0, grid.below & (rule.small == "leave_out")
    bad = over & ~grid.below | (nothing & empty_is_bad)
    leaves = (few | (nothing & empty_leaves)) & ~grid.unobserved
    return Line(bad & ~grid.unobserved, bad | grid.unobserved, nothing | few, leaves, grid.stay)


def crossing(limits: Limits, bad: Column, n: Column) -> Mask:
    """Mark the intervals whose share of bad requests keeps a bound (`more_than: 5%`), compared as exact fractions."""
    bound = limits.bound
    pairs, where = distinct_pairs(bad, n)
    # bad/n against a/b is bad * b against a * n: in whole numbers, as there are thousands of pairs.
    a, b = bound.value.as_integer_ratio()
    crossed = [of > 0 and _COMPARED[bound.word](some * b, a * of) for some, of in pairs]
    over: Mask = np.array(crossed, dtype=np.bool_)[where]
    return over


def together(lines: Iterable[Line], pooled: Grid, down_when: str) -> Line:
    """Return several resources as one: an interval is bad when it is bad for all, or for any, of those that are in it.

    A resource is in an interval while it stays, and where it may have been unseen, unless too few requests take it out of
    it; beyond the period's edges, in those with a request of its own.
    """
    size = len(pooled.n)
    every = [np.ones(size, dtype=np.bool_) for _ in range(2)]
    some = [np.zeros(size, dtype=np.bool_) for _ in range(2)]
    present, stay, leaving = (np.zeros(size, dtype=np.bool_) for _ in range(3))
    empty = np.ones(size, dtype=np.bool_)
    for line in lines:
        there = np.where(pooled.inside, line.stay, ~line.empty) | line.unknown
        judges = there & ~line.leaves
        for i, bad in enumerate((line.bad_at_best, line.bad_at_worst)):
            every[i] &= bad | ~judges
            some[i] |= bad & judges
        present |= judges
        stay |= line.stay
        leaving |= there & line.leaves
        empty &= line.empty | ~there
    best, worst = some if down_when == "any" else [e & present for e in every]
    return Line(best, worst, empty, leaving & ~present, stay)


def downtime(rule: ErrorRateRuns, grid: Grid, line: Line, part: Mask, *, unwatched_is_down: bool) -> Lost:
    """Return the downtime in `part` of the period, rounded as the rule says, and the time that counts there."""
    bad = line.bad(unwatched_is_down) & grid.served
    neutral = line.empty & (rule.empty_bin == "continues_run") & ~line.unknown & grid.served
    if rule.run_over == "counted_minutes":
        bad &= ~(grid.up | grid.removed)
        neutral = (neutral & ~grid.up) | grid.removed
    seen = part | (~grid.inside & (grid.elapsed | grid.unobserved))
    if rule.cross_period == "split":
        seen &= grid.inside
    runs = long_runs(bad & seen, neutral & seen, rule.run)
    live = part & ~grid.removed & ~(line.leaves & ~grid.up)
    where = live & (runs > 0) & ~grid.up
    total = grid.worth(live)
    return Lost(min(total, _length(rule, grid, runs, where)), total, live, where, grid.worth)


def _length(rule: ErrorRateRuns, grid: Grid, runs: Column, where: Mask) -> Fraction:
    """Return the downtime in whole intervals' worth; each run's part in the period is rounded by itself."""
    if rule.outage_rounding is None:
        return grid.worth(where)
    lengths = np.zeros(int(runs.max(initial=0)) + 1, dtype=np.int64)
    np.add.at(lengths, runs[where], grid.length[where])
    minutes = -(-lengths // MINUTE) if rule.outage_rounding == "up" else lengths // MINUTE
    return Fraction(int(minutes.sum()) * MINUTE, grid.bin_ns)


def long_runs(bad: Mask, neutral: Mask, k: int) -> Column:
    """Number the runs of at least `k` bad intervals, from 1 on; 0 where there is none.

    Neutral intervals carry a run on without adding to it, so runs are found among all others.
    """
    numbers = np.zeros(len(bad), dtype=np.int64)
    others = np.flatnonzero(bad | ~neutral)
    hit = np.concatenate([[False], bad[others], [False]]).astype(np.int8)
    first, end = np.flatnonzero(np.diff(hit) == 1), np.flatnonzero(np.diff(hit) == -1)
    kept = end - first >= k
    opened, open_ = (np.zeros(len(others) + 1, dtype=np.int64) for _ in range(2))
    opened[first[kept]] = open_[first[kept]] = 1
    open_[end[kept]] = -1  # the interval after a run is not bad, so no run begins there
    numbers[others] = (np.cumsum(opened) * np.cumsum(open_))[:-1]
    return numbers
