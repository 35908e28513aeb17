"""Rules over intervals of time: from the counts of one source to a Measurement.

All rules walk the same grid (`grid`); each judges its intervals in a module of its own: the mean of intervals (`means`),
runs of bad ones (`runs`), two tests (`dual`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np

from slaguard.evaluation.dual import margins, missed, nearest, tested
from slaguard.evaluation.exclusions import Variant, bins_touched
from slaguard.evaluation.figures import Figure, Score, averaged, figure
from slaguard.evaluation.grid import Grid, Mask, Watched, bin_rule, grid_of, grids_of
from slaguard.evaluation.measure import Event, Excluded, Measurement, Rows, Tested, rows_of
from slaguard.evaluation.requirements import Question
from slaguard.evaluation.runs import Line, crossing, downtime, judged, together
from slaguard.evaluation.scores import lost_shares
from slaguard.records import NS_PER_MS, NULL, Evidence
from slaguard.spec.indicators.intervals import RateTest
from slaguard.spec.model import DualThreshold, Effect, ErrorRateRuns, MeanOfIntervals
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Source


def measure_intervals(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return the figure of an interval rule from one source.

    Args:
        question: the row; its indicator is a `BinRule`.
        source: traffic or probe.
        evidence: the answered Demands.
        period: the resolved period.
        as_of: UTC nanoseconds; later intervals are still to come.
        variant: which exclusions apply.

    """
    counts = next(c for c in question.counts if c.source is source)
    rows = rows_of(question, evidence.tables[counts.sha256()], variant)
    watched = Watched(question, source, evidence, period, as_of, variant)
    grid = grid_of(watched, rows)
    found, tests = _figure(watched, grid, rows)
    return _measurement(watched, grid, rows, found, tests)


def _figure(watched: Watched, grid: Grid, rows: Rows) -> tuple[Figure, tuple[Tested, ...]]:
    rule, extra = bin_rule(watched.question), _extra(watched)
    if isinstance(rule, MeanOfIntervals):
        each = [figure(rule, g, g.unobserved, partial(lost_shares, rule, g), extra) for g in grids_of(watched, grid, rows)]
        return (averaged(each) if rule.pooled_by else each[0]), ()
    if isinstance(rule, ErrorRateRuns):
        line = _line(watched, grid, rows, lambda g: _over(rule, g), empty_is_bad=rule.empty_bin == "bad")
        return _of_line(rule, grid, line, partial(downtime, rule, _as_line(grid, line), line), extra), ()
    if isinstance(rule, DualThreshold):
        return _of_tests(watched, grid, rows, rule)
    msg = "not an interval rule"
    raise TypeError(msg)


def _of_tests(watched: Watched, grid: Grid, rows: Rows, rule: DualThreshold) -> tuple[Figure, tuple[Tested, ...]]:
    figures = []
    for test in rule.tests:
        line = _line(watched, grid, rows, partial(_misses, rule, test), empty_leaves=rule.empty_bin == "leave_out")
        score = partial(missed, _as_line(grid, line), line)
        figures.append(_of_line(rule, grid, line, score, _extra(watched)))
    tests = tested(rule, figures)
    return margins(figures, tests), tests


def _of_line(rule: ErrorRateRuns | DualThreshold, grid: Grid, line: Line, score: Score, extra: Fraction) -> Figure:
    found = figure(rule, _as_line(grid, line), line.unknown, score, extra)
    late = rule.resources is not None and rule.resources.down_when == "all" and not (rule.presence and rule.presence.begins)
    # A resource that is still to come was not down before, where it belongs to the group from the period's start.
    return replace(found, if_rest_is_good=None) if late else found


def _as_line(grid: Grid, line: Line) -> Grid:
    """Return the grid with what is known, and when somebody was there, of all resources together."""
    return replace(grid, stay=line.stay, unobserved=line.unknown)


def _line(watched: Watched, grid: Grid, rows: Rows, over: Callable[[Grid], Mask], **policy: bool) -> Line:
    """Return the intervals as judged, of one pool or of several resources together."""
    rule = bin_rule(watched.question)
    lines = (judged(g, rule, over(g), **policy) for g in grids_of(watched, grid, rows))
    resources = rule.resources if isinstance(rule, ErrorRateRuns | DualThreshold) else None
    return next(lines) if resources is None else together(lines, grid, resources.down_when)


def _over(rule: ErrorRateRuns, grid: Grid) -> Mask:
    """Mark the intervals whose share of failures, or of slow requests by itself, is over the error rate."""
    over = crossing(rule.error_rate, grid.fail, grid.n)
    return over | crossing(rule.error_rate, grid.slow, grid.n) if grid.slow.any() else over


def _misses(rule: DualThreshold, test: RateTest, grid: Grid) -> Mask:
    """Mark the intervals with requests that do not keep a test's error rate."""
    kept = crossing(test.error_rate, grid.fail, grid.n)
    if rule.slow is not None and rule.slow.counts == "on_its_own":
        kept &= crossing(test.error_rate, grid.slow, grid.n)
    return (grid.n > 0) & ~kept


def _extra(watched: Watched) -> Fraction:
    """Return how many intervals the period has by its clause beyond those it has on the clock."""
    rule, period = bin_rule(watched.question), watched.period
    if period.stated is None or rule.presence is not None:
        return Fraction(0)
    return Fraction(period.stated - (period.end - period.start), rule.bin * NS_PER_MS)


# ── the Measurement ─────────────────────────────────────────────────────────────────────────────────────────────────
def _measurement(watched: Watched, grid: Grid, rows: Rows, found: Figure, tests: tuple[Tested, ...]) -> Measurement:
    question = watched.question
    target = tests[nearest(tests)].test.share.bound if tests else question.objective.bound
    allowed = 1 - target.value
    where = rows.table.column("bin")
    own = (where == NULL) | np.isin(where, np.flatnonzero(grid.inside))
    return Measurement(
        source=watched.source,
        noun="interval",
        value=found.value,
        best=found.best,
        worst=found.worst,
        n=found.n,
        bad=found.bad,
        allowed=allowed * found.total,
        coverage=found.coverage,
        census=True,
        unknown=int((found.live & found.unknown).sum()),
        population=int(found.live.sum()),
        dropped=rows.sum(rows.dropped[own]),
        unmeasured=rows.sum(rows.unmeasured[own]),
        left=rows.left(own),
        clockless=rows.sum(rows.table.n[rows.table.column("clock") == 0]),
        calls=rows.sum(rows.table.n[own]),
        requests=int(grid.n[grid.so_far].sum()),
        excluded=(*_excluded_windows(question, grid, watched.variant), *rows.excluded(question, own)),
        events=_events(grid, found) if watched.variant == "accepted" else (),  # the others are not drawn
        allowed_in_all=allowed * found.rest_total,
        if_rest_is_good=found.if_rest_is_good,
        tests=tests,
    )


def _excluded_windows(question: Question, grid: Grid, variant: Variant) -> tuple[Excluded, ...]:
    found: list[Excluded] = []
    for applied in question.applied:
        if not applied.is_window or applied.exclusion.effect is Effect.DROP_RECORDS:
            continue
        touched = bins_touched(applied.windows(variant), grid.start, grid.bin_ns, len(grid.n), grid.end)
        own = [i for i in touched if grid.inside[i] and grid.elapsed[i]]
        if own:
            found.append(Excluded(applied, len(own), grid.minutes(own)))
    return tuple(found)


def _events(grid: Grid, found: Figure) -> tuple[Event, ...]:
    excluded = grid.so_far & (grid.up | grid.removed)
    events = [Event("down", grid.span(a, b), found.cost(a, b)) for a, b in _stretches(found.where)]
    events += [Event("excluded", grid.span(a, b)) for a, b in _stretches(excluded)]
    events += [Event("unobserved", grid.span(a, b)) for a, b in _stretches(found.unknown)]
    return tuple(sorted(events, key=lambda e: (e.span, e.kind)))


def _stretches(mask: Mask) -> list[tuple[int, int]]:
    """Return the (first, last) indices of every run of marked intervals."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b) - 1) for a, b in edges.reshape(-1, 2)]
