"""Where the product and the contracts page are known to part, each with the fields in which that may show.

A point that is settled leaves this list; nothing else excuses a difference.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from slaguard.evaluation.result import ObjectiveResult
from slaguard.spec.model import Effect, ErrorRateRuns, Exclusion, MeanOfIntervals, Objective, Percentile, Ratio
from slaguard.terms import Reason
from tests.evaluation.months import Month
from tests.evaluation.naive import Finding
from tests.evaluation.naive_verdict import Tally, fits_broken, fits_kept

JUDGED: Final = frozenset({"verdict", "reason", "provisional", "with", "without"})
FIGURES: Final = frozenset(
    {"value", "n", "bad", "ends", "population", "unknown", "coverage", "design", "excluded", "dropped", "unmeasured"}
)
Excuse = Callable[[Month, Objective, Finding, ObjectiveResult], bool]


def _is_open(month: Month) -> bool:
    return month.as_of < month.period.end


def _reasons(result: ObjectiveResult) -> list[Reason | None]:
    variants = (result.with_contested, result.without_exclusions)
    return [result.reason, *(v.reason if v else None for v in variants)]


def _rulings(finding: Finding) -> list[Any]:
    return [finding.accepted, finding.contested or finding.accepted, finding.bare]


def _looks_around(objective: Objective) -> bool:
    rule = objective.indicator
    return isinstance(rule, ErrorRateRuns) and rule.cross_period == "attribute_minutes"


def _drops(exclusion: Exclusion) -> bool:
    return exclusion.selector is not None or exclusion.effect is not Effect.COUNT_AS_UP


def unwatched_percentile(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """A percentile over time that nobody watched at all is decided as if all of it had been watched."""
    return isinstance(objective.indicator, Percentile) and finding.accepted.tally.coverage == 0


def early_breach(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """The budget of an open period is called spent by an interval still in progress, or before `min_n` is met."""
    mine = [r.reason for r in _rulings(finding)]
    return _is_open(month) and any(
        theirs is Reason.ERROR_BUDGET_EXHAUSTED and own is not theirs
        for own, theirs in zip(mine, _reasons(result), strict=True)
    )


def counted_outside(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """What leaves the count in the intervals around the period is reported as if it had been in it."""
    return _looks_around(objective)


def end_not_over(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """At the close the intervals that settle a run over the end have not passed yet, and are taken as good."""
    return _looks_around(objective) and month.period.end <= month.as_of < month.period.end + 3_000_000_000_000


def window_cut(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """A window that drops records is cut at the period's edge, while the runs look beyond it."""
    drops = {e.id for e in objective.exclusions if e.selector is None and e.effect is Effect.DROP_RECORDS}
    span = month.period.span
    beyond = (
        f.exclusion in drops and f.start is not None and f.end is not None and (f.start < span[0] or f.end > span[1])
        for f in month.facts
    )
    return _looks_around(objective) and any(beyond)


def small_and_up(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """An interval with too few requests inside a window that counts as up leaves the minutes, under runs alone."""
    rule = objective.indicator
    up = any(e.effect is Effect.COUNT_AS_UP for e in objective.exclusions)
    return isinstance(rule, ErrorRateRuns) and rule.below_minimum == "leave_out" and rule.min_requests > 1 and up


def capped_dispute(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """With contested windows, the cap is used up by the accepted ones first, not in time order."""
    return any(e.cap is not None and e.id in finding.disputed for e in objective.exclusions)


def dispute_in_an_open_period(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """A verdict that hangs on a dispute is called final in a period that is not over."""
    return _is_open(month) and Reason.CONTESTED_EXCLUSION in {finding.reason, result.reason}


def nothing_counted(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """Watched intervals of which none counts are called unwatched."""
    bins = isinstance(objective.indicator, ErrorRateRuns | MeanOfIntervals)
    return bins and any(r.tally.n == 0 and r.reason is not Reason.LOW_COVERAGE for r in _rulings(finding))


def open_sample(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """A sample of an open period that is too small, or too little watched, is called undecided."""
    return _is_open(month) and any(not r.tally.census for r in _rulings(finding)) and Reason.STRADDLES in _reasons(result)


def up_before_drop(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """A failure in a window that counts as up stays in a ratio though a later exclusion drops the record."""
    order = [_drops(e) for e in objective.exclusions]
    return isinstance(objective.indicator, Ratio) and any(drop and not all(order[:i]) for i, drop in enumerate(order))


def other_source(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """The first source whose coverage reaches the minimum is passed over where nothing that counts came from it."""
    return result.source is not finding.source


def removal_to_come(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """A window still to come already shortens an open period, and is not told as an exclusion that changed anything."""
    return _is_open(month) and any(e.effect is Effect.REMOVE_MINUTES for e in objective.exclusions) and not result.excluded


def on_the_edge(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """The exact chance is alpha itself, and a float of it is a little more."""
    return any(
        not r.tally.census and r.tally.n and objective.decision.alpha in _chances(objective, r.tally) for r in _rulings(finding)
    )


def _chances(objective: Objective, t: Tally) -> set[Fraction]:
    bad, total, population = int(t.bad), t.total, t.population
    sides = {fits_kept(objective, bad, total, population), fits_broken(objective, bad + t.unknown, total, population)}
    return sides | {
        fits_broken(objective, 0, t.n, population),
        fits_kept(objective, bad, t.n, None),
        fits_broken(objective, bad, t.n, None),
    }


POINTS: Final[dict[Excuse, frozenset[str]]] = {
    unwatched_percentile: JUDGED,
    early_breach: JUDGED,
    counted_outside: frozenset({"dropped", "unmeasured", "excluded"}),
    end_not_over: JUDGED | {"ends"},
    window_cut: JUDGED | FIGURES,
    small_and_up: JUDGED | FIGURES,
    capped_dispute: JUDGED | {"excluded"},
    dispute_in_an_open_period: frozenset({"provisional"}),
    nothing_counted: JUDGED | {"coverage"},
    open_sample: JUDGED,
    up_before_drop: JUDGED | FIGURES,
    removal_to_come: frozenset({"without"}),
    on_the_edge: JUDGED,
    other_source: JUDGED | FIGURES | {"source"},
}
