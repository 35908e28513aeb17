"""Where the product and the contracts page are known to part, each with the fields in which that may show.

A point that is settled leaves this list; nothing else excuses a difference.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from slaguard.evaluation.result import ObjectiveResult
from slaguard.spec.model import Effect, ErrorRateRuns, Objective
from tests.evaluation.months import Month
from tests.evaluation.naive import Finding
from tests.evaluation.naive_verdict import Tally, fits_broken, fits_kept

JUDGED: Final = frozenset({"verdict", "reason", "provisional", "with", "without"})
FIGURES: Final = frozenset({
    "value", "n", "bad", "ends", "population", "unknown", "coverage", "design", "excluded", "dropped", "unmeasured",
})  # fmt: skip
Excuse = Callable[[Month, Objective, Finding, ObjectiveResult], bool]


def _is_open(month: Month) -> bool:
    return month.as_of < month.period.end


def _rulings(finding: Finding) -> list[Any]:
    return [finding.accepted, finding.contested or finding.accepted, finding.bare]


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
    ignoring = {fits_kept(objective, bad, t.n, None), fits_broken(objective, bad, t.n, None)}
    return sides | ignoring | {fits_broken(objective, 0, t.n, population)}


def other_source(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """Settled otherwise: a source of which nothing counts is passed over (docs/design/spine.md)."""
    return result.source is not finding.source


def only_around(month: Month, objective: Objective, finding: Finding, result: ObjectiveResult) -> bool:
    """An exclusion that takes records beyond the period's edges alone can move a run across them, and is not told."""
    rule = objective.indicator
    return isinstance(rule, ErrorRateRuns) and rule.cross_period != "split" and result.without_exclusions is None


POINTS: Final[dict[Excuse, frozenset[str]]] = {
    removal_to_come: frozenset({"without"}),
    only_around: frozenset({"without"}),
    on_the_edge: JUDGED,
    other_source: JUDGED | FIGURES | {"source"},
}
