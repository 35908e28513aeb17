"""Rules on the promise itself: its bound, unit, direction and scale, and the intervals it is measured in."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.indicators import Compared, IntervalP50, MeanOfMinutes
from slaguard.spec.model import (
    DualThreshold,
    ErrorRateRuns,
    Limits,
    Objective,
    Percentile,
    Ratio,
    RequestAttainment,
    SampleProportion,
    written_limit,
)
from slaguard.terms import BoundWord, format_duration, format_percent

HALF_HOUR: Final = 1_800_000
SECOND: Final = 1000
_FASTEST, _SLOWEST = 10, 600_000
"""A promised time below 10 ms or above 10 minutes is more likely a slip of the unit."""
_FLOORS: Final = "at_least or more_than"
_CEILINGS: Final = "at_most or less_than"


def words_given(objective: Objective) -> list[BoundWord]:
    """Return which of the four words an Objective writes."""
    return [word for word in BoundWord if getattr(objective, word.value) is not None]


def priced_word(objective: Objective) -> BoundWord | None:
    """Return the word in which the figure is promised that credits are read from; None where that is not one word."""
    if isinstance(objective.indicator, DualThreshold):
        return objective.indicator.word
    given = words_given(objective)
    return given[0] if len(given) == 1 else None


def is_floor(objective: Objective) -> bool:
    """Tell whether more is better for what the indicator measures."""
    rule = objective.indicator
    if isinstance(rule, Ratio):
        return rule.of == "successes"
    if isinstance(rule, SampleProportion):
        return rule.event == "correct"
    if isinstance(rule, MeanOfMinutes):
        return rule.of.speed is not None
    return not isinstance(rule, Percentile | Compared)


def one_word(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-STRICT: a promise is exactly one of the four words."""
    del draft
    given = words_given(view.objective)
    mend = "write exactly one of at_least, at_most, more_than, less_than"
    if "indicator" in view.has and isinstance(view.objective.indicator, DualThreshold):
        return  # its two tests carry the bounds (`intervals.two_tests`)
    if not given:
        yield view.problem("E-SPEC-STRICT", "no bound", mend, "name", at_key=True)
    for extra in given[1:]:
        yield view.problem("E-SPEC-STRICT", "a second bound", mend, extra.value, at_key=True)


def unit_and_direction(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-UNIT, E-SPEC-STRICT: the target has the unit of what is measured, and bounds it on the bad side."""
    del draft
    given = words_given(view.objective)
    if len(given) != 1:
        return
    word, objective, target = given[0], view.objective, view.objective.target
    if target.unit != objective.unit:
        yield view.problem("E-SPEC-UNIT", str(target), _unit_mend(objective), word.value)
    elif target.unit == "ratio" and target.value > 1:
        yield view.problem("E-SPEC-UNIT", str(target), "a share is at most 100%", word.value)
    elif target.unit == "count" and target.value == 0:
        yield view.problem("E-SPEC-UNIT", str(target), "every answer is faster; write the agreed speed: 50", word.value)
    elif target.unit == "ms" and target.value == 0:
        yield view.problem("E-SPEC-UNIT", str(target), "no call takes no time; write the time that was agreed: 2s", word.value)
    floor = is_floor(objective)
    if word.is_floor != floor:
        what = "what is measured here is good" if floor else "what is measured here is bad"
        mend = f"{what}: promise it as {_FLOORS if floor else _CEILINGS}"
        yield view.problem("E-SPEC-STRICT", f"{word.value} {target}", mend, word.value, at_key=True)


def _unit_mend(objective: Objective) -> str:
    target = objective.target
    if objective.unit == "count":
        return "this promise is a speed in tokens a second: write a plain number (50)"
    if objective.unit == "ms" and isinstance(objective.indicator, MeanOfMinutes):
        return "this promise is a mean time: write a duration (2s)"
    if objective.unit == "ms":
        return "a percentile is a time: write a duration (2s); for a share of requests use latency/share-within"
    if target.unit == "count":
        return f"a percentage needs its sign: {target.value}%"
    return "this promise is a share: write a percentage (99.5%)"


def scale(view: View, draft: Draft) -> Iterator[Problem]:
    """W-SPEC-SCALE: 0.999% where 99.9% is likely meant, 2ms where 2s is."""
    del draft
    given = words_given(view.objective)
    if len(given) != 1 or view.objective.target.unit != view.objective.unit or given[0].is_floor != is_floor(view.objective):
        return
    value, word = view.objective.target.value, given[0]
    if view.objective.unit == "ms":
        if 0 < value < _FASTEST or value > _SLOWEST:
            yield view.problem("W-SPEC-SCALE", format_duration(int(value)), "is the unit right (ms, s, m)?", word.value)
        return
    meant = likely(value, floor=word.is_floor)
    if meant is not None:
        yield view.problem("W-SPEC-SCALE", format_percent(value), f"did you mean {format_percent(meant)}?", word.value)


def likely(value: Fraction, *, floor: bool) -> Fraction | None:
    """Return the share that was likely meant, if the one written is far from what is promised anywhere."""
    if floor:
        if value >= Fraction(1, 2):
            return None
        return value * 100 if Fraction(1, 2) <= value * 100 < 1 else 1 - value
    return 1 - value if Fraction(1, 2) < value <= 1 else None


def all_or_nothing(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-TARGET-100, W-SPEC-TARGET-100: no sample can show that nothing ever fails."""
    del draft
    given = words_given(view.objective)
    objective = view.objective
    if len(given) != 1 or objective.target.unit != "ratio" or objective.unit != "ratio":
        return
    word, limit = given[0], objective.target
    if limit.value != (1 if word.is_floor else 0):
        return
    if word in {BoundWord.MORE_THAN, BoundWord.LESS_THAN}:
        mend = f"nothing is {word.value.replace('_', ' ')} {limit}; write the limit that can be kept"
        yield view.problem("E-SPEC-TARGET-100", f"{word.value} {limit}", mend, word.value)
    elif isinstance(objective.indicator, SampleProportion) and objective.decision.estimand == "realised":
        mend = "no sample shows that all are good; agree on a figure below 100%, or grade every answer of an agreed set"
        yield view.problem("E-SPEC-TARGET-100", f"{word.value} {limit}", mend, word.value)
    else:
        yield view.problem(
            "W-SPEC-TARGET-100", f"{word.value} {limit}", "a single failure is a breach; is that meant?", word.value
        )


def intervals(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-BIN: the intervals of a speed or a mean fit every clock."""
    del draft
    rule = view.objective.indicator
    if not isinstance(rule, IntervalP50 | MeanOfMinutes):
        return
    if rule.bin < SECOND or HALF_HOUR % rule.bin or rule.bin % SECOND:
        mend = "write a length of whole seconds that divides 30m, so that it fits the clock in every time zone: 1m, 5m"
        yield view.problem("E-SPEC-BIN", format_duration(rule.bin), mend, "indicator", "bin")


def limits_inside(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-UNIT, E-SPEC-STRICT: the limits a rule has inside it have their unit and direction; a percentile is one."""
    del draft
    rule = view.objective.indicator
    if isinstance(rule, ErrorRateRuns):
        yield from inside(view, rule.error_rate, "error_rate", "ratio", floor=True)
    elif isinstance(rule, RequestAttainment):
        if rule.within is not None:
            yield from inside(view, rule.within, "within", "ms", floor=False)
    elif isinstance(rule, Percentile):
        if not 0 < rule.p < 1:
            mend = "write a percentile between 0% and 100%: 95%"
            yield view.problem("E-SPEC-UNIT", format_percent(rule.p), mend, "indicator", "p")
        elif rule.p < Fraction(1, 2):
            mend = f"did you mean {format_percent(1 - rule.p)}?"
            yield view.problem("W-SPEC-SCALE", format_percent(rule.p), mend, "indicator", "p")


def inside(view: View, limits: Limits, key: str | tuple[str | int, ...], unit: str, *, floor: bool) -> Iterator[Problem]:
    """E-SPEC-UNIT, E-SPEC-STRICT: a limit inside a rule has its unit and direction; `key` is where it stands in the rule."""
    word, quantity = limits.bound.word, written_limit(limits)
    where = ("indicator", *((key,) if isinstance(key, str) else key), word.value)
    if quantity.unit != unit or (unit == "ratio" and quantity.value > 1):
        mend = "write a percentage of at most 100%: 5%" if unit == "ratio" else "write a duration: 2s"
        yield view.problem("E-SPEC-UNIT", str(quantity), mend, *where)
    if word.is_floor != floor:
        mend = f"this limit is {_FLOORS if floor else _CEILINGS}"
        yield view.problem("E-SPEC-STRICT", f"{word.value} {quantity}", mend, *where, at_key=True)
