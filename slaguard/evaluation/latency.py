"""Latency promises: a percentile (L4), decided by counting what exceeds the limit, and the share within a limit (L2).

Times are whole milliseconds rounded up, the resolution of the notation, so no time moves over or under a limit. The
percentile is the inverted distribution function: the smallest x with F(x) >= p. Histograms never decide.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.measure import Measurement, Rows, rows_of
from slaguard.evaluation.requirements import Question, timed_by
from slaguard.evaluation.shares import Tally, coverage_of, is_census, measured
from slaguard.records import NULL, Column, Evidence
from slaguard.spec.model import Percentile, RequestAttainment
from slaguard.spec.period import ResolvedPeriod
from slaguard.stats.proportion import fixed_ci
from slaguard.terms import Bound, BoundWord, Source


def measure_latency(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return the figure of a `Percentile` or a `RequestAttainment` from one source."""
    counts = next(c for c in question.counts if c.source is source)
    rows = rows_of(question, evidence.tables[counts.sha256()], variant)
    coverage = coverage_of(rows, source, evidence, period, as_of)
    rule = question.objective.indicator
    if isinstance(rule, RequestAttainment) and rule.within is not None:
        tally = _tally(rule, rows, source, rule.within.bound)
        return measured(question, source, rows, tally, coverage, "request")
    if isinstance(rule, Percentile):
        return _percentile(question, rule, source, rows, coverage)
    msg = "not a latency rule"
    raise TypeError(msg)


def _tally(rule: Percentile | RequestAttainment, rows: Rows, source: Source, limit: Bound) -> Tally:
    """Count the requests that miss the limit; one that succeeded without a measured time is not decided."""
    times = rows.table.column(*timed_by(rule))
    in_time = _within(times, limit) & (times != NULL)
    untimed = rows.sum(rows.ok[times == NULL])
    late = rows.sum(rows.ok[~in_time & (times != NULL)])
    failed = rows.sum(rows.fail) if rule.failed != "leave_out" else 0
    good = rows.sum(rows.ok[in_time])
    n = good + late + failed
    counted = rows.ok + (rows.fail if rule.failed != "leave_out" else 0)
    known = is_census(rows, counted, source)
    return Tally(late + failed, n, untimed, n + untimed if known else None, known)


def is_within(time: int, limit: Bound) -> bool:
    """Tell whether a time in whole milliseconds keeps a limit."""
    return limit.holds(Fraction(time))


def _within(times: Column, limit: Bound) -> npt.NDArray[np.bool_]:
    """Mark the times that keep a limit: a whole number is on the same side of a fraction as of the next whole number."""
    kept: npt.NDArray[np.bool_]
    match limit.word:
        case BoundWord.AT_LEAST | BoundWord.LESS_THAN:
            kept = times >= ceil(limit.value)
        case BoundWord.AT_MOST | BoundWord.MORE_THAN:
            kept = times <= floor(limit.value)
    return kept if limit.word in {BoundWord.AT_LEAST, BoundWord.AT_MOST} else ~kept


def _percentile(question: Question, rule: Percentile, source: Source, rows: Rows, coverage: Fraction) -> Measurement:
    bound = question.objective.bound
    tally = _tally(rule, rows, source, bound)
    times = rows.table.column(*timed_by(rule))
    failed = rows.fail if rule.failed != "leave_out" else np.zeros_like(rows.fail)
    known = times != NULL
    finite = np.where(known, rows.ok, 0)
    late = rows.sum(failed)
    realised = question.objective.decision.estimand == "realised"
    unwatched = 1 - coverage if realised else Fraction(0)
    size = tally.n + tally.unknown
    alpha = question.objective.decision.alpha
    low, high = (None, None) if tally.census else _ends(times, finite, late, tally.unknown, rule.p, alpha, unwatched)
    return Measurement(
        source=source,
        sampled_low=low,
        sampled_high=high,
        noun="request",
        value=quantile(times, finite, late, rule.p, Fraction(0)),
        best=Fraction(0) if unwatched == 1 else quantile(times, finite, late, rule.p, Fraction(tally.unknown), lift=unwatched),
        worst=NEVER if unwatched == 1 else quantile(times, finite, late + tally.unknown, rule.p, Fraction(0), drop=unwatched),
        n=tally.n,
        bad=Fraction(tally.bad),
        allowed=(1 - rule.p) * tally.n,
        coverage=coverage,
        census=tally.census,
        unknown=tally.unknown,
        population=size if tally.population is not None else None,
        dropped=rows.sum(rows.dropped),
        unmeasured=rows.sum(rows.unmeasured),
        left=rows.left(),
        calls=rows.sum(rows.table.n),
        clockless=rows.sum(rows.table.n[rows.table.column("clock") == 0]),
        excluded=rows.excluded(question),
    )


def _ends(
    times: Column, n: Column, never: int, unknown: int, p: Fraction, alpha: Fraction, unwatched: Fraction
) -> tuple[Fraction, Fraction]:
    """Return the ends of a sampled percentile: the smallest times whose F may reach p, and reaches it for certain.

    F's exact bounds at each time (F4) are those of a share; requests without a time and time nobody watched are taken
    as instant for the lower end and as never answered for the upper one.
    """
    distinct, where = np.unique(times[n > 0], return_inverse=True)
    reached = np.zeros(len(distinct), dtype=np.int64)
    np.add.at(reached, where.reshape(-1), n[n > 0])
    reached = np.cumsum(reached)
    total = int(n.sum()) + never + unknown
    if not len(distinct):
        return NEVER, NEVER
    certain = np.asarray(fixed_ci(reached, np.full_like(reached, total), float(alpha))[0])
    possible = np.asarray(fixed_ci(reached + unknown, np.full_like(reached, total), float(alpha))[1])
    seen = float(1 - unwatched)
    low = np.flatnonzero(possible * seen + float(unwatched) >= float(p))
    high = np.flatnonzero(certain * seen >= float(p))
    return (
        Fraction(int(distinct[low[0]])) if len(low) else NEVER,
        Fraction(int(distinct[high[0]])) if len(high) else NEVER,
    )


NEVER = Fraction(10**15)
"""A percentile that lies among requests that never answered, in milliseconds: longer than any limit can say."""


def quantile(
    times: Column,
    n: Column,
    never: int,
    p: Fraction,
    instant: Fraction,
    *,
    lift: Fraction = Fraction(0),
    drop: Fraction = Fraction(0),
) -> Fraction | None:
    """Return the smallest time that at least the share `p` does not exceed, in milliseconds.

    Args:
        times: whole milliseconds, one per row.
        n: how many requests took that long.
        never: requests without an answer: longer than any time.
        p: the percentile as a share.
        instant: requests without a measured time, taken as instant.
        lift: the share of requests not seen, taken as instant.
        drop: the share of requests not seen, taken as never answered.

    Returns:
        The time, `NEVER` where it lies among the requests without an answer, None where there are no requests at all.

    """
    total = Fraction(int(n.sum()) + never) + instant
    if not total:
        return None
    unseen = total * (lift + drop) / (1 - lift - drop) if lift + drop < 1 else Fraction(0)
    needed = p * (total + unseen)
    reached = instant + (unseen if lift else 0)
    if reached >= needed and reached:
        return Fraction(0)
    kept = n > 0
    order = np.argsort(times[kept], kind="stable")
    # So many counted requests are short of it, a whole number: the rest of the search is in integers.
    place = int(np.searchsorted(np.cumsum(n[kept][order]), ceil(needed - reached)))
    return Fraction(int(times[kept][order][place])) if place < len(order) else NEVER
