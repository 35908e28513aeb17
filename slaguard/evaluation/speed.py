"""Rules over tokens a second: medians of intervals (L1), the share of requests that are fast enough (L2), and means (L3).

A speed is a whole number of tokens in a whole number of nanoseconds, and is compared with a limit by cross-multiplying:
nothing is rounded. An answer that took no time has no speed (TPS_UNDEFINED) and leaves the count; one whose tokens or time
are not known is taken both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.means import Timed, mean_of
from slaguard.evaluation.measure import Measurement, Rows, rows_of
from slaguard.evaluation.requirements import Question, timed_by
from slaguard.evaluation.shares import Tally, coverage_of, is_census, measured
from slaguard.records import NS, NS_PER_MS, NULL, Column, Evidence, Span
from slaguard.spec.indicators import IntervalP50, MeanOfMinutes
from slaguard.spec.model import RequestAttainment
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Bound, BoundWord, Source

Mask = npt.NDArray[np.bool_]
_ROOM: Final = 2**62


def measure_speed(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return the figure of an `IntervalP50`, a `MeanOfMinutes`, or a `RequestAttainment` with a speed, from one source."""
    counts = next(c for c in question.counts if c.source is source)
    rows = rows_of(question, evidence.tables[counts.sha256()], variant)
    coverage = coverage_of(rows, source, evidence, period, as_of)
    rule = question.objective.indicator
    if isinstance(rule, RequestAttainment) and rule.speed is not None:
        speeds = Speeds.of(rows, *timed_by(rule))
        tally = _fast_enough(rule, rule.speed.bound, rows, speeds, source)
        return measured(question, source, rows, tally, coverage, "request", undefined=rows.sum(speeds.undefined))
    if isinstance(rule, IntervalP50):
        watched = None if source is Source.PROBE else evidence.coverage.get(source, ())
        return _medians(question, rule, rows, _Look(source, coverage, watched, period, as_of))
    if isinstance(rule, MeanOfMinutes):
        return _mean(question, rule, source, rows, coverage)
    msg = "not a rule over speed"
    raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class Speeds:
    """The speeds of a Table's rows: `known` counts the good answers that have one, and `tokens` in `time` say which.

    `undefined` counts those that took no time, `unknown` those whose tokens or time are not known.
    """

    tokens: Column
    time: Column
    known: Column
    undefined: Column
    unknown: Column

    @classmethod
    def of(cls, rows: Rows, tokens: str, time: str) -> Speeds:
        """Return the speeds of these rows, from two of their keys."""
        spent, took = rows.table.column(tokens), rows.table.column(time)
        told = (spent != NULL) & (spent >= 0) & (took != NULL)
        timeless = (took != NULL) & (took <= 0)
        known, undefined = told & ~timeless, timeless
        return cls(
            np.where(known, spent, 0),
            np.where(known, took, 1),
            np.where(known, rows.ok, 0),
            np.where(undefined, rows.ok, 0),
            np.where(known | undefined, 0, rows.ok),
        )

    def keep(self, bound: Bound) -> Mask:
        """Mark the rows whose speed keeps a bound, exactly."""
        factor, limit = NS * bound.value.denominator, bound.value.numerator
        most = max(int(self.tokens.max(initial=0)) * factor, int(self.time.max(initial=0)) * limit)
        kind = np.int64 if most < _ROOM else object
        ours, theirs = self.tokens.astype(kind) * factor, self.time.astype(kind) * limit
        kept = {
            BoundWord.AT_LEAST: lambda: ours >= theirs,
            BoundWord.MORE_THAN: lambda: ours > theirs,
            BoundWord.AT_MOST: lambda: ours <= theirs,
            BoundWord.LESS_THAN: lambda: ours < theirs,
        }[bound.word]()
        return np.asarray(kept, dtype=np.bool_)

    def exact(self, row: int) -> Fraction:
        """Return one row's speed in tokens a second."""
        return Fraction(int(self.tokens[row]) * NS, int(self.time[row]))


# ── the share of requests ───────────────────────────────────────────────────────────────────────────────────────────
def _fast_enough(rule: RequestAttainment, bound: Bound, rows: Rows, speeds: Speeds, source: Source) -> Tally:
    fast = speeds.keep(bound)
    late = rows.sum(speeds.known[~fast])
    failed = rows.sum(rows.fail) if rule.failed != "leave_out" else 0
    n = rows.sum(speeds.known) + failed
    unknown = rows.sum(speeds.unknown)
    counted = rows.ok - speeds.undefined + (rows.fail if rule.failed != "leave_out" else 0)
    known = is_census(rows, counted, source)
    return Tally(late + failed, n, unknown, n + unknown if known else None, known)


# ── medians of intervals ────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Look:
    """From where, and until when, intervals are looked at; `watched` is None for probes, whose slots are ours."""

    source: Source
    coverage: Fraction
    watched: tuple[Span, ...] | None
    period: ResolvedPeriod
    as_of: int


def _medians(question: Question, rule: IntervalP50, rows: Rows, look: _Look) -> Measurement:
    speeds = Speeds.of(rows, *timed_by(rule))
    bin_ns = rule.bin * NS_PER_MS
    size = -(-(look.period.end - look.period.start) // bin_ns)
    ends = np.minimum(look.period.start + (np.arange(size, dtype=np.int64) + 1) * bin_ns, look.period.end)
    so_far = ends <= look.as_of
    met = _Met.of(rule, rows, speeds, size)
    seen = so_far & _seen(look, ends, bin_ns, rows)
    judged = seen & (met.there >= rule.min_requests)
    good = int((judged & met.good).sum())
    free = int((seen & (met.there == 0)).sum()) if rule.empty_bin == "met" else 0
    sure_good = int((judged & met.surely).sum()) + free
    open_ = int((judged & (met.possibly & ~met.surely)).sum()) + int((so_far & ~seen).sum())
    n = int(judged.sum()) + free
    whole = n + int((so_far & ~seen).sum())
    target = question.objective.target.value
    census = is_census(rows, rows.ok, look.source)
    rest = whole + int((~so_far).sum())
    return Measurement(
        source=look.source,
        noun="interval",
        value=Fraction(good + free, n) if n else None,
        best=Fraction(sure_good + open_, whole) if whole else None,
        worst=Fraction(sure_good, whole) if whole else None,
        n=n,
        bad=Fraction(n - good - free),
        allowed=(1 - target) * n,
        coverage=look.coverage,
        census=census,
        unknown=open_,
        dropped=rows.sum(rows.dropped),
        unmeasured=rows.sum(rows.unmeasured),
        left=rows.left(),
        calls=rows.sum(rows.table.n),
        clockless=rows.sum(rows.table.n[rows.table.column("clock") == 0]),
        requests=rows.sum(speeds.known) + rows.sum(speeds.unknown),
        excluded=rows.excluded(question),
        undefined=rows.sum(speeds.undefined),
        averaged=True,
        allowed_in_all=(1 - target) * rest,
        if_rest_is_good=Fraction(sure_good + open_ + rest - whole, rest) if census and rest else None,
    )


def _seen(look: _Look, ends: Column, bin_ns: int, rows: Rows) -> Mask:
    """Mark the intervals that were watched from end to end; of probes, those with a counted call.

    One of which only our own failures are known was not watched, as in every rule over intervals.
    """
    counted, ours = (_per_interval(rows, column, len(ends)) for column in (rows.ok + rows.fail, rows.unmeasured))
    if look.watched is None:
        return counted > 0
    starts = look.period.start + np.arange(len(ends), dtype=np.int64) * bin_ns
    seen = np.zeros(len(ends), dtype=np.bool_)
    for a, b in look.watched:
        seen |= (starts >= a) & (ends <= b)
    found: Mask = seen & ((counted > 0) | (ours == 0))
    return found


def _per_interval(rows: Rows, column: Column, size: int) -> Column:
    """Return how many records of a column lie in each of so many intervals."""
    where, out = rows.table.column("bin"), np.zeros(size, dtype=np.int64)
    inside = (where != NULL) & (where >= 0) & (where < size)
    np.add.at(out, where[inside], column[inside])
    return out


@dataclass(frozen=True, slots=True)
class _Met:
    """For each interval: how many answers it has, and whether their median keeps the limit.

    `good` looks at the known speeds alone; `possibly` and `surely` take the unknown ones as fast, and as slow.
    """

    there: Column
    good: Mask
    possibly: Mask
    surely: Mask

    @classmethod
    def of(cls, rule: IntervalP50, rows: Rows, speeds: Speeds, size: int) -> _Met:
        """Judge every interval."""
        where, bound = rows.table.column("bin"), rule.speed.bound
        inside = (where != NULL) & (where >= 0) & (where < size)
        fast = speeds.keep(bound)
        n, over, open_ = (np.zeros(size, dtype=np.int64) for _ in range(3))
        np.add.at(n, where[inside], speeds.known[inside])
        np.add.at(over, where[inside & fast], speeds.known[inside & fast])
        np.add.at(open_, where[inside], speeds.unknown[inside])
        middle = _Middle(where, inside & (speeds.known > 0), fast, speeds, bound)
        return cls(
            n + open_,
            middle.keeps(n, over, fastest=None),
            middle.keeps(n + open_, over + open_, fastest=True),
            middle.keeps(n + open_, over, fastest=False),
        )


@dataclass(frozen=True, slots=True)
class _Middle:
    """The rows of an interval, for medians that lie between one that keeps the limit and one that does not."""

    where: Column
    known: Mask
    fast: Mask
    speeds: Speeds
    bound: Bound

    def keeps(self, n: Column, over: Column, *, fastest: bool | None) -> Mask:
        """Mark the intervals whose median keeps the limit.

        Args:
            n: how many speeds each has.
            over: how many of them keep it.
            fastest: whether unknown speeds are without limit (True) or none at all (False); None: there are none.

        """
        kept: Mask = 2 * over > n
        tied = np.flatnonzero((2 * over == n) & (n > 0))
        if not len(tied):
            return kept
        places = np.flatnonzero(self.known & np.isin(self.where, tied))
        places = places[np.argsort(self.where[places], kind="stable")]
        edges = np.searchsorted(self.where[places], np.append(tied, tied[-1] + 1))
        for i, one in enumerate(tied.tolist()):
            own = places[edges[i] : np.searchsorted(self.where[places], one, side="right")]
            kept[one] = self._mean_keeps(own, fastest=fastest)
        return kept

    def _mean_keeps(self, own: npt.NDArray[np.intp], *, fastest: bool | None) -> bool:
        """Tell whether the mean of the two speeds in the middle keeps the limit: the fastest below it and the slowest above."""
        above = [self.speeds.exact(i) for i in own[self.fast[own]].tolist()]
        below = [self.speeds.exact(i) for i in own[~self.fast[own]].tolist()]
        if fastest is True and not above:
            return True
        low = max(below, default=Fraction(0))
        return self.bound.holds((low + min(above, default=Fraction(0))) / 2)


# ── means ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _mean(question: Question, rule: MeanOfMinutes, source: Source, rows: Rows, coverage: Fraction) -> Measurement:
    speeds = _times(rule, rows) if rule.of.speed is None else Speeds.of(rows, *timed_by(rule))
    where = rows.table.column("bin")
    placed = where != NULL
    clockless = rows.sum(rows.ok[~placed])
    timed = Timed(where, speeds.tokens, speeds.time, np.where(placed, speeds.known, 0), np.where(placed, speeds.unknown, 0))
    unwatched = 1 - coverage if question.objective.decision.estimand == "realised" else Fraction(0)
    mean = mean_of(rule, timed, question.objective.bound, loose=bool(clockless), unwatched=unwatched)
    n = rows.sum(timed.known)
    floor = question.objective.bound.word.is_floor
    return Measurement(
        source=source,
        noun="request",
        value=mean.value,
        best=mean.high if floor else mean.low,
        worst=mean.low if floor else mean.high,
        n=n,
        bad=Fraction(0),
        allowed=Fraction(0),
        coverage=coverage,
        census=is_census(rows, rows.ok, source),
        unknown=rows.sum(timed.unknown) + clockless,
        dropped=rows.sum(rows.dropped),
        unmeasured=rows.sum(rows.unmeasured),
        left=rows.left(),
        calls=rows.sum(rows.table.n),
        clockless=rows.sum(rows.table.n[rows.table.column("clock") == 0]),
        excluded=rows.excluded(question),
        undefined=rows.sum(speeds.undefined),
        averaged=True,
        intervals=mean.intervals,
    )


def _times(rule: MeanOfMinutes, rows: Rows) -> Speeds:
    """Return the times of these rows as if they were speeds: nothing of them is undefined, some are not known."""
    *weight, field = timed_by(rule)
    took = rows.table.column(field)
    tokens = rows.table.column(weight[0]) if weight else np.zeros_like(took)
    told = (took != NULL) & (took >= 0) & (tokens != NULL)
    none = np.zeros_like(took)
    return Speeds(
        np.where(told, tokens, 0), np.where(told, took, 0), np.where(told, rows.ok, 0), none, np.where(told, 0, rows.ok)
    )
