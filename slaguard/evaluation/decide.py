"""From a Measurement to one of four words, with its reason: the whole verdict logic, first match wins.

The decision rule is the contract's own and fixed before measuring. A count needs no inference; a sample is decided at
the close by the exact test and is otherwise undecided; what is missing is bounded on both sides and never guessed.
Source: `statistics.md` §4 (census, close test, minimum n, open window); ILAC-G8:09/2019 for the decision rules.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Final

import rfc8785

from slaguard.evaluation.measure import Measurement
from slaguard.spec.indicators import MeanOfMinutes
from slaguard.spec.model import Objective, Percentile, Ratio, RequestAttainment, SampleProportion
from slaguard.stats.finite import population_ci
from slaguard.stats.planning import n_min, n_needed
from slaguard.stats.proportion import fixed_ci, fixed_test
from slaguard.terms import Bound, BoundWord, Reason, Verdict

MORE_EVENTS_DECIDE: Final = frozenset({Reason.N_BELOW_MIN, Reason.STRADDLES, Reason.AT_RISK})
"""Reasons for which more decided events would help; more of them do not mend what was not watched."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The frozen parameters of one Objective and window; `theta0` is the share of bad events at the limit."""

    objective: str
    scope: str
    bound: Bound
    theta0: Fraction
    inclusive: bool
    """A bad share equal to `theta0` is a breach already (the bound excludes its limit)."""
    estimand: str
    rule: str
    alpha: Fraction
    min_n: int
    min_coverage: Fraction
    grading: str

    @classmethod
    def of(cls, objective: Objective, scope: str) -> Analysis:
        """Return the parameters as the Agreement states them."""
        rule, bound, decision = objective.indicator, objective.bound, objective.decision
        if isinstance(rule, Percentile):
            theta0, inclusive = 1 - rule.p, False
        elif isinstance(rule, MeanOfMinutes):
            theta0, inclusive = Fraction(0), False  # a mean is no share of bad events
        else:
            theta0 = 1 - bound.value if bound.word.is_floor else bound.value
            inclusive = bound.word in {BoundWord.MORE_THAN, BoundWord.LESS_THAN}
        least = rule.min_requests if isinstance(rule, Ratio | Percentile | RequestAttainment | MeanOfMinutes) else 0
        grading = rule.grading if isinstance(rule, SampleProportion) else "none"
        return cls(
            objective.name, scope, bound, theta0, inclusive, decision.estimand, decision.rule,
            decision.alpha, max(decision.min_n, least), objective.min_coverage, grading,
        )  # fmt: skip

    def sha256(self) -> str:
        """Return the hash that is fixed when the window opens."""
        body = {k: str(v) if isinstance(v, Fraction) else v for k, v in asdict(self).items()}
        body["bound"] = [self.bound.word.value, str(self.bound.value)]
        return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


@dataclass(frozen=True, slots=True)
class Decided:
    """A verdict with what led to it. `low` and `high` are in the Objective's unit; `confidence` is one-sided, of a sample."""

    verdict: Verdict
    provisional: bool
    reason: Reason
    low: Fraction | None
    high: Fraction | None
    confidence: Fraction | None
    method: str
    n_needed: int | None = None


def decide(analysis: Analysis, m: Measurement, *, closed: bool) -> Decided:
    """Return the verdict of one Measurement.

    Args:
        analysis: the frozen parameters.
        m: what was measured, with its bounds.
        closed: whether the period had ended at the time of knowledge.

    """
    low, high, confidence, method = _interval(analysis, m)
    verdict, reason = _at_close(analysis, m) if closed else _open(analysis, m)
    if m.comparison and m.n:
        verdict, reason = Verdict.INSUFFICIENT, Reason.NEEDS_STATISTICS
    needed = _needed(analysis, m) if reason in MORE_EVENTS_DECIDE else None
    final = closed or reason is Reason.ERROR_BUDGET_EXHAUSTED
    return Decided(verdict, not final, reason, low, high, confidence, method, needed)


# ── the period is over ──────────────────────────────────────────────────────────────────────────────────────────────
def _at_close(analysis: Analysis, m: Measurement) -> tuple[Verdict, Reason]:
    short = _too_little(analysis, m)
    if short is not None:
        return (Verdict.INCONCLUSIVE if short is Reason.NOT_OBSERVABLE else Verdict.INSUFFICIENT), short
    if m.census:
        return _counted(analysis, m)
    if m.coverage < analysis.min_coverage:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE
    if analysis.rule == "point":
        return _by_point(analysis, m)
    return _by_test(analysis, m)


def _too_little(analysis: Analysis, m: Measurement) -> Reason | None:
    """Return why there is not enough to decide on, whatever the count."""
    if m.noun == "interval" and m.clockless:
        return Reason.NO_CLOCK
    if m.n == 0:
        if m.coverage < analysis.min_coverage:
            return Reason.LOW_COVERAGE
        unknown = Reason.NOT_OBSERVABLE if m.over_time else Reason.UNGRADED
        return unknown if m.unknown else Reason.NO_TRAFFIC
    if m.requests == 0:
        return Reason.NO_TRAFFIC
    return Reason.N_BELOW_MIN if m.n < analysis.min_n else None


def _counted(analysis: Analysis, m: Measurement) -> tuple[Verdict, Reason]:
    """Count and compare; what is unknown must not matter."""
    kept = _kept(analysis, m)
    if kept is True:
        return Verdict.COMPLIANT, Reason.COUNT_WITHIN
    if kept is False:
        return Verdict.BREACH, Reason.COUNT_EXCEEDED
    return _undecided(analysis, m)


def _kept(analysis: Analysis, m: Measurement) -> bool | None:
    """Tell whether the bound holds at both ends of what is unknown; None where the ends disagree."""
    if m.best is None or m.worst is None:
        return None
    best, worst = analysis.bound.holds(m.best), analysis.bound.holds(m.worst)
    return best if best == worst else None


def _undecided(analysis: Analysis, m: Measurement) -> tuple[Verdict, Reason]:
    if not m.over_time and m.unknown and m.coverage >= analysis.min_coverage:
        return Verdict.INSUFFICIENT, Reason.UNGRADED
    if m.coverage < analysis.min_coverage:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE
    return Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE


def _by_point(analysis: Analysis, m: Measurement) -> tuple[Verdict, Reason]:
    kept = _kept(analysis, m)
    if kept is None:
        return _undecided(analysis, m)
    return (Verdict.COMPLIANT if kept else Verdict.BREACH), Reason.POINT_RULE


def _by_test(analysis: Analysis, m: Measurement) -> tuple[Verdict, Reason]:
    """Decide a sample by the exact test (F4): what is missing or unwatched is good for a breach, bad for compliance."""
    if _shows(analysis, m, breach=True, unwatched=_unwatched(analysis, m), missing=m.unknown):
        return Verdict.BREACH, Reason.CLOSE_TEST
    if _shows(analysis, m, breach=False, unwatched=_unwatched(analysis, m), missing=m.unknown):
        return Verdict.COMPLIANT, Reason.CLOSE_TEST_COMPLY
    if not _enough(analysis, m):
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN
    if m.unknown and _either(analysis, m, Fraction(0), 0):
        return Verdict.INSUFFICIENT, Reason.UNGRADED
    if _either(analysis, m, Fraction(0), m.unknown):
        return Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE
    return Verdict.INCONCLUSIVE, Reason.STRADDLES


def _unwatched(analysis: Analysis, m: Measurement) -> Fraction:
    """Return the share of the period nobody watched, where the period's own events are what is promised."""
    return 1 - m.coverage if analysis.estimand == "realised" else Fraction(0)


def _either(analysis: Analysis, m: Measurement, unwatched: Fraction, missing: int) -> bool:
    return any(_shows(analysis, m, breach=side, unwatched=unwatched, missing=missing) for side in (True, False))


def _shows(analysis: Analysis, m: Measurement, *, breach: bool, unwatched: Fraction, missing: int) -> bool:
    """Tell whether the sample shows a breach (or compliance) at alpha, with so much unwatched and missing.

    The sample speaks of the watched share w. The whole is over the limit for certain where the watched part is over
    limit/w (the rest good), and within it where the watched part is within (limit - (1 - w))/w (the rest bad). With no
    missing grades considered, the population is left open too: the question is then whether more grades would decide.
    """
    watched = 1 - unwatched
    if watched == 0:
        return False
    limit = analysis.theta0 / watched if breach else (analysis.theta0 - unwatched) / watched
    if limit < 0 or limit > 1 or (breach and limit == 1):
        return False
    bad, size = int(m.bad), m.n + missing
    population = m.population if missing == m.unknown else None
    p_breach, _ = fixed_test(bad, size, limit, population, inclusive=analysis.inclusive)
    _, p_comply = fixed_test(bad + missing, size, limit, population, inclusive=analysis.inclusive)
    return (p_breach if breach else p_comply) <= analysis.alpha


def _enough(analysis: Analysis, m: Measurement) -> bool:
    """Tell whether some outcome of so many events could show the promise kept."""
    least = n_min(analysis.theta0, analysis.alpha, m.population, inclusive=analysis.inclusive)
    return least is not None and m.n >= least


# ── the period is open ──────────────────────────────────────────────────────────────────────────────────────────────
def _open(analysis: Analysis, m: Measurement) -> tuple[Verdict, Reason]:
    """Judge a period that is not over: never BREACH unless nothing that still comes can save it."""
    short = _too_little(analysis, m)
    if short is not None:
        return (Verdict.INCONCLUSIVE if short is Reason.NOT_OBSERVABLE else Verdict.INSUFFICIENT), short
    if m.if_rest_is_good is not None and not analysis.bound.holds(m.if_rest_is_good):
        return Verdict.BREACH, Reason.ERROR_BUDGET_EXHAUSTED
    if m.census:
        kept = _kept(analysis, m)
        if kept is None:
            return _undecided(analysis, m)
        return (Verdict.COMPLIANT, Reason.WITHIN_TO_DATE) if kept else (Verdict.INCONCLUSIVE, Reason.BREACHING_TO_DATE)
    if m.value is not None and not analysis.bound.holds(m.value):
        return Verdict.INCONCLUSIVE, Reason.AT_RISK
    if m.coverage < analysis.min_coverage:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE
    if analysis.rule == "lower_bound" and not _enough(analysis, m):
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN
    return Verdict.INCONCLUSIVE, Reason.STRADDLES


# ── how sure ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _interval(analysis: Analysis, m: Measurement) -> tuple[Fraction | None, Fraction | None, Fraction | None, str]:
    """Return (low, high, one-sided confidence, method): for a count, what is unknown; for a sample, the exact interval."""
    if m.best is None or m.worst is None:
        return None, None, None, "none"
    if m.census or m.averaged:
        return min(m.best, m.worst), max(m.best, m.worst), None, "count"
    if m.sampled_low is not None and m.sampled_high is not None:
        return m.sampled_low, m.sampled_high, 1 - analysis.alpha, "clopper-pearson"
    return _sampled_interval(analysis, m)


def _sampled_interval(analysis: Analysis, m: Measurement) -> tuple[Fraction | None, Fraction | None, Fraction | None, str]:
    size, bad = m.n + m.unknown, int(m.bad)
    if m.population is not None:
        fewest, _ = population_ci(bad, size, analysis.alpha, m.population)
        _, most = population_ci(bad + m.unknown, size, analysis.alpha, m.population)
        bounds = Fraction(fewest, m.population), Fraction(most, m.population)
    else:
        low, _ = fixed_ci(bad, size, analysis.alpha)
        _, high = fixed_ci(bad + m.unknown, size, analysis.alpha)
        bounds = Fraction(low), Fraction(high)
    gap = _unwatched(analysis, m)
    bounds = bounds[0] * (1 - gap), bounds[1] * (1 - gap) + gap
    if analysis.bound.word.is_floor:
        bounds = 1 - bounds[1], 1 - bounds[0]
    method = "hypergeometric" if m.population is not None else "clopper-pearson"
    return bounds[0], bounds[1], 1 - analysis.alpha, method


def _needed(analysis: Analysis, m: Measurement) -> int | None:
    """Return how many more decided events would decide at the present rate; None where no number would."""
    short = max(0, analysis.min_n - m.n)
    if m.census or m.over_time or m.averaged:
        return short or None
    more = n_needed(int(m.bad), m.n, analysis.theta0, analysis.alpha, m.population, inclusive=analysis.inclusive)
    return None if more is None else max(short, more)
