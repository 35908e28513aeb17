"""How one record counts for one promise, as a word: what a table of records shows beside each of them.

The same functions that form the figure decide here, so the words add up to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from slaguard.evaluation.demands import Counts
from slaguard.evaluation.exclusions import bins_touched
from slaguard.evaluation.latency import is_within
from slaguard.evaluation.measure import OUTCOMES, counted_as
from slaguard.evaluation.requirements import Question, timed_by
from slaguard.evaluation.shares import GRADES
from slaguard.records import NS, NULL
from slaguard.spec.indicators import IntervalP50, MeanOfMinutes
from slaguard.spec.model import Effect, Percentile, Ratio, RequestAttainment, SampleProportion
from slaguard.terms import ANSWERED, Count, Outcome

UNMEASURED: Final = "unmeasured"
UNSCORED: Final = "unscored"
NOT_SAMPLED: Final = "not sampled"
TPS_UNDEFINED: Final = "TPS_UNDEFINED"
"""An answer that took no time has no speed."""


def treatment(question: Question, keys: Mapping[str, int]) -> str:
    """Return ``ok`` or ``fail`` (for and against the vendor), or why the record does not count.

    Args:
        question: the row of the result.
        keys: the record's Demand keys: outcome, mask and, where the rule asks for them, grade and time.

    Returns:
        ``ok fail drop excluded:<id> unscored unmeasured``, or ``not sampled`` for an answer that nobody was asked to grade.

    """
    outcome = OUTCOMES[keys["outcome"]]
    count, position = counted_as(question, outcome, keys["mask"], "accepted")
    if count is None:
        return UNMEASURED
    if count is Count.DROP:
        return "drop" if position is None else f"excluded:{question.applied[position].exclusion.id}"
    rule = question.objective.indicator
    if isinstance(rule, SampleProportion):
        return _graded(rule, outcome, count, keys["grade"])
    if isinstance(rule, Percentile | RequestAttainment):
        return _timed(question, rule, count, [keys[key] for key in timed_by(rule)])
    if isinstance(rule, IntervalP50 | MeanOfMinutes):
        return Count.DROP.value if count is Count.FAIL else _speed_known([keys[key] for key in timed_by(rule)])
    if isinstance(rule, Ratio):
        event = {"failures": count is Count.FAIL, "successes": count is Count.OK, "refusals": outcome is Outcome.REFUSED}[
            rule.of
        ]
        return "fail" if event is not question.objective.bound.word.is_floor else "ok"
    return count.value


def _graded(rule: SampleProportion, outcome: Outcome, count: Count, grade: int) -> str:
    if outcome not in ANSWERED or count is Count.FAIL:
        return Count.DROP.value
    if grade == NULL:
        return NOT_SAMPLED if rule.grading == "human" else UNSCORED
    counted = rule.grades.of(GRADES[grade])
    return UNSCORED if counted is None else counted.value


def _timed(question: Question, rule: Percentile | RequestAttainment, count: Count, taken: list[int]) -> str:
    if count is Count.FAIL:
        return Count.DROP.value if rule.failed == "leave_out" else Count.FAIL.value
    if isinstance(rule, RequestAttainment) and rule.speed is not None:
        known = _speed_known(taken)
        if known != Count.OK.value:
            return known
        fast = rule.speed.bound.holds(Fraction(taken[0] * NS, taken[1]))
        return Count.OK.value if fast else Count.FAIL.value
    (time,) = taken
    if time == NULL:
        return UNSCORED
    within = rule.within if isinstance(rule, RequestAttainment) else None
    limit = within.bound if within is not None else question.objective.bound
    return Count.OK.value if is_within(time, limit) else Count.FAIL.value


def _speed_known(taken: list[int]) -> str:
    """Return ``ok`` where a record has what its rule averages, else why it does not count."""
    if NULL in taken or min(taken) < 0:
        return UNSCORED
    return TPS_UNDEFINED if taken[-1] == 0 else Count.OK.value


def excluded_intervals(question: Question, counts: Counts) -> dict[int, str]:
    """Return the intervals that accepted windows take out or count as up, each with its exclusion: ``excluded:<id>``.

    Keyed by the Demand's ``bin``; empty for rules that are not about intervals. The first exclusion in order stands.
    """
    if counts.bin_ns is None:
        return {}
    start, end = counts.span
    size = -(-(end - start) // counts.bin_ns)
    found: dict[int, str] = {}
    for applied in question.applied:
        if applied.is_window and applied.exclusion.effect is not Effect.DROP_RECORDS:
            for index in bins_touched(applied.accepted, start, counts.bin_ns, size, end):
                found.setdefault(index, f"excluded:{applied.exclusion.id}")
    return found
