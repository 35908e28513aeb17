"""The naive evaluation's second half: from a tally to a verdict, with the tails of the exact tests summed term by term."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from math import comb
from typing import Any

from slaguard.spec.model import Objective
from slaguard.terms import Reason, Verdict
from tests.evaluation.naive_parts import keeps

ONE, ZERO = Fraction(1), Fraction(0)


@dataclass
class Tally:
    """One measurement: decided events, the bad ones among them, and what is not known."""

    by_interval: bool = False
    coverage: Fraction = ZERO
    n: int = 0
    bad: Fraction = ZERO
    value: Fraction | None = None
    total: int = 0  # decided events and those not known
    best: Fraction = ZERO  # the share of bad events if all that is not known was good
    worst: Fraction = ZERO  # and if it was bad
    times: tuple[Fraction | None, Fraction | None] = (None, None)  # a percentile: its ends in milliseconds; None: never
    unknown: int = 0
    census: bool = True
    population: int | None = None
    clockless: bool = False
    dropped: int = 0
    unmeasured: int = 0
    taken: dict[str, int] = field(default_factory=dict)  # by exclusion: records or intervals
    still: Fraction = ZERO  # intervals that can still come to count
    mass: Fraction = ZERO  # what the intervals so far weigh; one that the period cuts is less than one
    requests: int = 0  # by interval: the counted requests in them
    filtered: dict[str, int] = field(default_factory=dict)  # by filter: records
    mean: tuple[Any, Any] | None = None  # of a mean: its ends in its own unit
    tests: list[Tally] = field(default_factory=list)  # of a promise of two tests: each of them
    limit: Any = None  # of one of two tests: the share that must be good

    def take(self, exclusion: str) -> None:
        self.taken[exclusion] = self.taken.get(exclusion, 0) + 1

    def copy(self, other: Tally) -> None:
        """Take the figure of another tally."""
        for name in (
            "coverage",
            "n",
            "bad",
            "value",
            "total",
            "best",
            "worst",
            "unknown",
            "population",
            "still",
            "mass",
            "requests",
        ):
            setattr(self, name, getattr(other, name))


Decided = tuple[Verdict, Reason, bool]
"""Verdict, reason, and in an open period: nothing that still comes can change it."""


def allowed(objective: Objective) -> Fraction:
    """Return which share of the events may be bad."""
    rule: Any = objective.indicator
    if rule.rule == "percentile":
        return Fraction(1 - rule.p)
    return 1 - objective.bound.value if objective.bound.word.is_floor else objective.bound.value


def strict(objective: Objective) -> bool:
    """Tell whether a share at the limit breaks the promise already."""
    return objective.bound.word.value in {"more_than", "less_than"} and objective.indicator.rule != "percentile"


def broken(objective: Objective, share: Fraction, limit: Any = None) -> bool:
    """Tell whether a share of bad events breaks the promise; one at the limit breaks only a strict one."""
    if limit is not None:
        return not keeps(1 - share, limit)
    return share > allowed(objective) or (strict(objective) and share == allowed(objective))


def spent(objective: Objective, t: Tally) -> bool:
    """Tell whether the promise is broken whatever still comes."""
    parts = t.tests or [t]
    return any(broken(objective, p.best * p.mass / (p.mass + p.still), p.limit) for p in parts if p.mass)


def breaks(objective: Objective, t: Tally, end: str) -> bool:
    """Tell whether the promise is broken at one end: if all that is not known was good (best), or bad (worst)."""
    if t.mean is not None:
        value = t.mean[(end == "best") == objective.bound.word.is_floor]
        return not keeps(value, objective.bound)
    return any(broken(objective, getattr(p, end), p.limit) for p in t.tests or [t])


def decide(objective: Objective, t: Tally, *, is_open: bool) -> Decided:
    """Return the verdict: first match wins."""
    short = too_little(objective, t)
    if short is not None:
        return *short, False
    lacking = t.coverage < objective.min_coverage
    if not t.census:
        sample = decide_open_sample if is_open else decide_sample
        return *sample(objective, t, lacking=lacking), False
    if is_open and t.by_interval and spent(objective, t):
        return Verdict.BREACH, Reason.ERROR_BUDGET_EXHAUSTED, True
    return *decide_count(objective, t, lacking=lacking, is_open=is_open), False


def too_little(objective: Objective, t: Tally) -> tuple[Verdict, Reason] | None:
    """Return what there is to say where nothing, or too little, can be decided on, whatever the count."""
    lacking = t.coverage < objective.min_coverage
    least = max(objective.decision.min_n, 0 if t.by_interval else getattr(objective.indicator, "min_requests", 0))
    if t.by_interval and t.clockless:
        return Verdict.INSUFFICIENT, Reason.NO_CLOCK
    if t.n == 0 and lacking:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE
    if t.n == 0 and t.unknown == 0:
        return Verdict.INSUFFICIENT, Reason.NO_TRAFFIC
    if t.n == 0 and not t.by_interval:
        return Verdict.INSUFFICIENT, Reason.UNGRADED
    if t.n == 0:
        return Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE
    if t.by_interval and t.requests == 0:  # empty intervals are up, but a period of nothing else shows nothing
        return Verdict.INSUFFICIENT, Reason.NO_TRAFFIC
    return (Verdict.INSUFFICIENT, Reason.N_BELOW_MIN) if t.n < least else None


def decide_count(objective: Objective, t: Tally, *, lacking: bool, is_open: bool) -> tuple[Verdict, Reason]:
    """Compare both bounds: only where they agree is there a verdict."""
    if breaks(objective, t, "best"):
        over = Verdict.BREACH, Reason.COUNT_EXCEEDED
        return (Verdict.INCONCLUSIVE, Reason.BREACHING_TO_DATE) if is_open else over
    if not breaks(objective, t, "worst"):
        return Verdict.COMPLIANT, Reason.WITHIN_TO_DATE if is_open else Reason.COUNT_WITHIN
    if lacking:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE
    if t.unknown and not t.by_interval:
        return Verdict.INSUFFICIENT, Reason.UNGRADED
    return Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE


def decide_sample(objective: Objective, t: Tally, *, lacking: bool) -> tuple[Verdict, Reason]:
    bad, unknown, alpha = int(t.bad), t.unknown, objective.decision.alpha
    if lacking:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE
    if objective.decision.rule == "point":
        ends = {broken(objective, t.best), broken(objective, t.worst)}
        if len(ends) == 2:
            return (Verdict.INSUFFICIENT, Reason.UNGRADED) if unknown else (Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE)
        return (Verdict.BREACH if ends == {True} else Verdict.COMPLIANT), Reason.POINT_RULE
    high, low = limits(objective, t)  # what the part that was watched must be over, or within, for the whole to be so
    if high < 1 and fits_kept(objective, bad, t.total, t.population, high) <= alpha:
        return Verdict.BREACH, Reason.CLOSE_TEST
    if low >= 0 and fits_broken(objective, bad + unknown, t.total, t.population, low) <= alpha:
        return Verdict.COMPLIANT, Reason.CLOSE_TEST_COMPLY
    if fits_broken(objective, 0, t.n, t.population) > alpha:
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN
    if unknown and min(fits_kept(objective, bad, t.n, None), fits_broken(objective, bad, t.n, None)) <= alpha:
        return Verdict.INSUFFICIENT, Reason.UNGRADED
    over = fits_kept(objective, bad, t.total, t.population)
    if min(over, fits_broken(objective, bad + unknown, t.total, t.population)) <= alpha:
        return Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE
    return Verdict.INCONCLUSIVE, Reason.STRADDLES


def decide_open_sample(objective: Objective, t: Tally, *, lacking: bool) -> tuple[Verdict, Reason]:
    """Judge a sample of a period that is not over: never certified, at most at risk."""
    if broken(objective, t.bad / t.n):
        return Verdict.INCONCLUSIVE, Reason.AT_RISK
    if lacking:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE
    tested = objective.decision.rule == "lower_bound"
    if tested and fits_broken(objective, 0, t.n, t.population) > objective.decision.alpha:
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN
    return Verdict.INCONCLUSIVE, Reason.STRADDLES


def limits(objective: Objective, t: Tally) -> tuple[Fraction, Fraction]:
    """Return the share of bad ones in what was watched above which, and up to which, the whole period is decided."""
    if objective.decision.estimand != "realised":
        return allowed(objective), allowed(objective)
    if t.coverage == 0:
        return ONE + ONE, -ONE
    return allowed(objective) / t.coverage, (allowed(objective) - (1 - t.coverage)) / t.coverage


# ── tails, term by term ─────────────────────────────────────────────────────────────────────────────────────────────
def fits_kept(objective: Objective, bad: int, n: int, population: int | None, limit: Fraction | None = None) -> Fraction:
    """Return the chance of so many bad ones or more while the promise is just kept."""
    share = allowed(objective) if limit is None else limit
    if share == 0:
        return ZERO if bad or strict(objective) else ONE
    if population is None:
        return sum((binomial(k, n, share) for k in range(bad, n + 1)), ZERO)
    most = most_kept(objective, population, share)
    return sum((hypergeometric(k, n, most, population) for k in range(bad, n + 1)), ZERO)


def fits_broken(objective: Objective, bad: int, n: int, population: int | None, limit: Fraction | None = None) -> Fraction:
    """Return the chance of so many bad ones or fewer while the promise is just broken."""
    share = allowed(objective) if limit is None else limit
    if share == 0:  # only all of them, all good, show that none is bad
        return ZERO if bad == 0 and n == population and not strict(objective) else ONE
    if population is None:
        return sum((binomial(k, n, share) for k in range(bad + 1)), ZERO)
    fewest = min(most_kept(objective, population, share) + 1, population)
    return sum((hypergeometric(k, n, fewest, population) for k in range(bad + 1)), ZERO)


def most_kept(objective: Objective, population: int, share: Fraction) -> int:
    """Return the largest number of bad ones that keeps within a share, by trying them all."""
    kept = (
        k
        for k in range(population + 1)
        if Fraction(k, population) < share or (k == share * population and not strict(objective))
    )
    return max(kept, default=0)


def binomial(k: int, n: int, share: Fraction) -> Fraction:
    return comb(n, k) * share**k * (1 - share) ** (n - k)


def hypergeometric(k: int, n: int, bad: int, population: int) -> Fraction:
    return Fraction(comb(bad, k) * comb(population - bad, n - k), comb(population, n))
