"""Rules over intervals of time: the mean of intervals (U3) and runs of bad intervals (U2).

Both walk the same grid. An interval is *unobserved* where we did not watch all of it, or (probes) where no answered slot
lies in it: it is never up and never down, and the figure is formed twice. Windows that count as up or leave the period
act after runs are found on the continuous timeline.
Sources: the U2 and U3 archetypes of published cloud terms; the settled edges of `contracts.md` §3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from operator import ge, gt, le, lt

import numpy as np
import numpy.typing as npt

from slaguard.evaluation.exclusions import Variant, bins_touched
from slaguard.evaluation.measure import Event, Excluded, Measurement, Rows, distinct_pairs, rows_of
from slaguard.evaluation.requirements import Question
from slaguard.records import NS_PER_MS, NULL, Column, Evidence, Span
from slaguard.spec.model import BinRule, Effect, ErrorRateRuns, MeanOfIntervals
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import BoundWord, Source

Mask = npt.NDArray[np.bool_]
MINUTE_NS = 60_000 * NS_PER_MS
_COMPARED = {BoundWord.AT_LEAST: ge, BoundWord.AT_MOST: le, BoundWord.MORE_THAN: gt, BoundWord.LESS_THAN: lt}
_FEW = 8
"""So many fractions are added faster one by one than grouped."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The intervals of a widened span: counts, and which of them are what.

    All arrays have one element per interval. `inside` marks the period's own; `elapsed` those that had ended by the
    time of knowledge; `unobserved` those not wholly watched; `up` and `removed` those that windows take.
    """

    start: int
    bin_ns: int
    n: Column
    fail: Column
    inside: Mask
    elapsed: Mask
    unobserved: Mask
    up: Mask
    removed: Mask
    below: Mask
    """Fewer counted requests than `min_requests`, but some."""

    def span(self, first: int, last: int) -> Span:
        """Return the time from the first interval's start to the last one's end."""
        return self.start + first * self.bin_ns, self.start + (last + 1) * self.bin_ns

    def minutes(self, count: int) -> Fraction:
        """Return the length of `count` intervals in minutes."""
        return Fraction(count * self.bin_ns, MINUTE_NS)


def measure_intervals(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return the figure of an interval rule from one source.

    Args:
        question: the row; its indicator is a `MeanOfIntervals` or an `ErrorRateRuns`.
        source: traffic or probe.
        evidence: the answered Demands.
        period: the resolved period.
        as_of: UTC nanoseconds; later intervals are still to come.
        variant: which exclusions apply.

    """
    counts = next(c for c in question.counts if c.source is source)
    rows = rows_of(question, evidence.tables[counts.sha256()], variant)
    grid = _grid(question, counts.span, rows, evidence.coverage.get(source, ()), period, as_of, variant, source)
    rule = question.objective.indicator
    if isinstance(rule, MeanOfIntervals):
        score = _mean(rule)
    elif isinstance(rule, ErrorRateRuns):
        score = _runs(rule, grid)
    else:
        msg = "not an interval rule"
        raise TypeError(msg)
    return _measurement(question, source, grid, rows, score, variant)


def _grid(
    question: Question, span: Span, rows: Rows, coverage: tuple[Span, ...], period: ResolvedPeriod,
    as_of: int, variant: Variant, source: Source,
) -> Grid:  # fmt: skip
    rule = question.objective.indicator
    if not isinstance(rule, BinRule):
        msg = "not an interval rule"
        raise TypeError(msg)
    bin_ns = rule.bin * NS_PER_MS
    size = -(-(span[1] - span[0]) // bin_ns)
    n, fail, unmeasured = (np.zeros(size, dtype=np.int64) for _ in range(3))
    where = rows.table.column("bin")
    timed = (where != NULL) & (where >= 0) & (where < size)
    np.add.at(n, where[timed], (rows.ok + rows.fail)[timed])
    np.add.at(fail, where[timed], rows.fail[timed])
    np.add.at(unmeasured, where[timed], rows.unmeasured[timed])
    index = np.arange(size, dtype=np.int64)
    starts = span[0] + index * bin_ns
    inside = (starts >= period.start) & (starts < period.end)
    ends = starts + bin_ns
    elapsed = np.where(inside, np.minimum(ends, period.end), ends) <= as_of
    watched = n > 0 if source is Source.PROBE else _wholly_covered(starts, bin_ns, coverage, period)
    # What is still to come is not known, whatever the log says it will cover.
    unobserved = ~watched | ((n == 0) & (unmeasured > 0)) | ~elapsed
    up, removed = np.zeros(size, dtype=np.bool_), np.zeros(size, dtype=np.bool_)
    for applied in question.applied:
        if applied.is_window and applied.exclusion.effect is not Effect.DROP_RECORDS:
            target = up if applied.exclusion.effect is Effect.COUNT_AS_UP else removed
            target[bins_touched(applied.windows(variant), span[0], bin_ns, size)] = True
    below = (n > 0) & (n < rule.min_requests)
    return Grid(span[0], bin_ns, n, fail, inside, elapsed, unobserved, up & ~removed, removed, below)


def _wholly_covered(starts: Column, bin_ns: int, coverage: tuple[Span, ...], period: ResolvedPeriod) -> Mask:
    """Mark the intervals that lie wholly inside the coverage; the period's last may be shorter than the others."""
    covered = np.zeros(len(starts), dtype=np.bool_)
    ends = starts + bin_ns
    ends = np.where((starts < period.end) & (ends > period.end), period.end, ends)
    for a, b in coverage:
        covered |= (starts >= a) & (ends <= b)
    return covered


# ── the two rules ───────────────────────────────────────────────────────────────────────────────────────────────────
Score = Callable[[Grid, Mask, bool], tuple[Fraction, int, Mask]]
"""(grid, which intervals take part, unobserved are bad) -> (intervals lost, intervals in the denominator, lost ones)."""


def _mean(rule: MeanOfIntervals) -> Score:
    def score(grid: Grid, part: Mask, unobserved_bad: bool) -> tuple[Fraction, int, Mask]:
        live = part & ~grid.removed
        leaves = (grid.n == 0) & (rule.empty_bin == "leave_out") & ~grid.unobserved & ~grid.up
        leaves |= grid.below & (rule.below_minimum == "leave_out") & ~grid.unobserved & ~grid.up
        scored = live & ~grid.unobserved & ~leaves & ~grid.up & (grid.fail > 0) & ~grid.below
        unknown = live & grid.unobserved & ~grid.up
        lost = _exact_share(grid.fail[scored], grid.n[scored])
        lost += int(unknown.sum()) if unobserved_bad else 0
        return lost, int((live & ~leaves).sum()), scored

    return score


def _exact_share(fail: Column, n: Column) -> Fraction:
    """Return the exact sum of fail/n: grouped by n and brought to one common denominator."""
    if len(n) <= _FEW:
        return sum(map(Fraction, fail.tolist(), n.tolist()), Fraction(0))
    sizes, where = np.unique(n, return_inverse=True)
    totals = np.zeros(len(sizes), dtype=np.int64)
    np.add.at(totals, where.reshape(-1), fail)
    common = math.lcm(*(int(s) for s in sizes))
    return Fraction(sum(int(t) * (common // int(s)) for t, s in zip(totals, sizes, strict=True)), common)


def _runs(rule: ErrorRateRuns, grid: Grid) -> Score:
    bad = _over(rule, grid) & ~grid.below
    empty = (grid.n == 0) | (grid.below & (rule.below_minimum == "leave_out"))
    stretch = empty & (rule.empty_bin == "continues_run")

    def score(grid: Grid, part: Mask, unobserved_bad: bool) -> tuple[Fraction, int, Mask]:
        now_bad = np.where(grid.unobserved, unobserved_bad, bad)
        neutral = stretch & ~grid.unobserved
        seen = grid.elapsed | part | (~grid.inside & grid.unobserved)
        if rule.cross_period == "split":
            seen &= grid.inside
        down = _long_runs(now_bad & seen, neutral & seen, rule.run)
        leaves = grid.below & (rule.below_minimum == "leave_out") & ~grid.unobserved & ~grid.up
        live = part & ~grid.removed & ~leaves
        lost = live & down & ~grid.up
        return Fraction(int(lost.sum())), int(live.sum()), lost

    return score


def _over(rule: ErrorRateRuns, grid: Grid) -> Mask:
    """Mark the intervals whose error rate keeps the rule's bound (`more_than: 5%`), compared as exact fractions."""
    bound = rule.error_rate.bound
    pairs, where = distinct_pairs(grid.fail, grid.n)
    # fail/n against a/b is fail * b against a * n: in whole numbers, as there are thousands of pairs.
    a, b = bound.value.as_integer_ratio()
    crossed = [n > 0 and _COMPARED[bound.word](fail * b, a * n) for fail, n in pairs]
    over: Mask = np.array(crossed, dtype=np.bool_)[where]
    return over


def _long_runs(bad: Mask, neutral: Mask, k: int) -> Mask:
    """Mark the bad intervals of every run of at least `k`; neutral ones carry a run on without adding to it."""
    down = np.zeros(len(bad), dtype=np.bool_)
    run: list[int] = []
    for i in np.flatnonzero(bad | neutral | _after(bad | neutral)).tolist():
        if bad[i]:
            run.append(i)
        elif not neutral[i]:
            if len(run) >= k:
                down[run] = True
            run = []
    if len(run) >= k:
        down[run] = True
    return down


def _after(mask: Mask) -> Mask:
    """Mark the intervals that follow a marked one: where a run can end."""
    shifted = np.zeros_like(mask)
    shifted[1:] = mask[:-1]
    return shifted


# ── the figure ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _measurement(question: Question, source: Source, grid: Grid, rows: Rows, score: Score, variant: Variant) -> Measurement:
    so_far = grid.inside & grid.elapsed
    lost, total, lost_bins = score(grid, so_far, False)
    worst_lost, _, _ = score(grid, so_far, True)
    _, rest_total, _ = score(grid, grid.inside, False)
    unknown = so_far & grid.unobserved & ~grid.removed & ~grid.up
    seen = total - int(unknown.sum())
    where = rows.table.column("bin")
    own = (where == NULL) | np.isin(where, np.flatnonzero(grid.inside))
    watchable = int((so_far & ~grid.removed).sum())
    return Measurement(
        source=source,
        noun="interval",
        value=1 - lost / seen if seen > 0 else None,
        best=1 - lost / total if total else None,
        worst=1 - worst_lost / total if total else None,
        n=seen,
        bad=lost,
        allowed=(1 - question.objective.target.value) * total,
        coverage=Fraction(watchable - int(unknown.sum()), watchable) if watchable else Fraction(int(so_far.any())),
        census=True,
        unknown=int(unknown.sum()),
        population=total,
        dropped=rows.sum(rows.dropped[own]),
        unmeasured=rows.sum(rows.unmeasured[own]),
        left=rows.left(own),
        clockless=rows.sum(rows.table.n[rows.table.column("clock") == 0]),
        calls=rows.sum(rows.table.n[own]),
        requests=int(grid.n[so_far].sum()),
        excluded=(*_excluded_windows(question, grid, variant), *rows.excluded(question, own)),
        events=_events(grid, lost_bins, so_far) if variant == "accepted" else (),  # the others are not drawn
        allowed_in_all=(1 - question.objective.target.value) * rest_total,
        if_rest_is_good=1 - lost / rest_total if rest_total else None,
    )


def _excluded_windows(question: Question, grid: Grid, variant: Variant) -> tuple[Excluded, ...]:
    found: list[Excluded] = []
    for applied in question.applied:
        if not applied.is_window or applied.exclusion.effect is Effect.DROP_RECORDS:
            continue
        touched = bins_touched(applied.windows(variant), grid.start, grid.bin_ns, len(grid.n))
        own = [i for i in touched if grid.inside[i] and grid.elapsed[i]]
        if own:
            found.append(Excluded(applied, len(own), grid.minutes(len(own))))
    return tuple(found)


def _events(grid: Grid, lost_bins: Mask, so_far: Mask) -> tuple[Event, ...]:
    excluded = so_far & (grid.up | grid.removed)
    unobserved = so_far & grid.unobserved & ~excluded
    events = [Event("down", grid.span(a, b), _lost_in(grid, a, b)) for a, b in _stretches(lost_bins)]
    events += [Event("excluded", grid.span(a, b)) for a, b in _stretches(excluded)]
    events += [Event("unobserved", grid.span(a, b)) for a, b in _stretches(unobserved)]
    return tuple(sorted(events, key=lambda e: (e.span, e.kind)))


def _lost_in(grid: Grid, first: int, last: int) -> Fraction:
    fail, n = grid.fail[first : last + 1], grid.n[first : last + 1]
    return _exact_share(fail[n > 0], n[n > 0])


def _stretches(mask: Mask) -> list[tuple[int, int]]:
    """Return the (first, last) indices of every run of marked intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
