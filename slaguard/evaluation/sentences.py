"""The sentence behind each reason: what was counted, against what, in plain words with numbers."""

from __future__ import annotations

from fractions import Fraction

from slaguard.evaluation.decide import Analysis, Decided
from slaguard.evaluation.latency import NEVER
from slaguard.evaluation.measure import Measurement
from slaguard.spec.model import Objective, Percentile, Ratio, RequestAttainment, SampleProportion
from slaguard.terms import Count, Reason, format_percent


def sentence(objective: Objective, analysis: Analysis, m: Measurement, decided: Decided) -> str:
    """Return the reason as a sentence with its numbers."""
    counted = count_words(objective, m)
    match decided.reason:
        case Reason.N_BELOW_MIN:
            text = f"{number(m.n)} {plural(m)}, at least {number(_least(analysis, m, decided))} needed"
        case Reason.LOW_COVERAGE:
            text = f"{percent(m.coverage)} of the period watched, {format_percent(analysis.min_coverage)} agreed"
        case Reason.NO_TRAFFIC:
            text = "nothing that counts was seen"
        case Reason.NO_CLOCK:
            text = f"{number(m.clockless)} records carry no time, and this promise is about intervals"
        case Reason.UNGRADED:
            text = f"{number(m.unknown)} {plural(m)} without a grade or a time decide; {counted}"
        case Reason.NOT_OBSERVABLE:
            text = f"{counted}; the {percent(1 - m.coverage)} not watched decides"
        case Reason.CLOSE_TEST | Reason.CLOSE_TEST_COMPLY | Reason.STRADDLES | Reason.AT_RISK if decided.confidence is not None:
            text = f"{counted}; {_interval_words(decided)}"
        case Reason.ERROR_BUDGET_EXHAUSTED:
            text = f"{counted}; the whole period allows no more, whatever still comes"
        case _:
            text = counted
    return f"so far: {text}" if decided.provisional else text


def count_words(objective: Objective, m: Measurement) -> str:
    """Return what was counted against what is allowed: ``96 intervals lost, 44.7 allowed``."""
    rule = objective.indicator
    bad, n = number(m.bad), number(m.n)
    if m.noun == "interval":
        return f"{bad} {plural(m, m.bad)} lost, {number(m.allowed)} allowed"
    if isinstance(rule, SampleProportion) and objective.bound.word.is_floor:
        good = "correct" if rule.grades.wrong is not Count.OK else "good"
        return f"{number(m.n - m.bad)} of {n} answers {good}, {number(_ceil(m.n - m.allowed))} needed"
    if isinstance(rule, SampleProportion):
        return f"{bad} of {n} answers not supported, {number(_floor(m.allowed))} allowed"
    if isinstance(rule, Percentile | RequestAttainment):
        limit = objective.target if isinstance(rule, Percentile) else next(iter(_limit(rule)))
        slow = f"{bad} of {n} requests slower than {limit} or without an answer, {number(_floor(m.allowed))} allowed"
        return f"{slow}; the percentile lies among requests without an answer" if m.value == NEVER else slow
    if isinstance(rule, Ratio) and rule.of == "refusals":
        return f"{bad} of {n} requests refused, {number(_floor(m.allowed))} allowed"
    return f"{bad} of {n} requests failed, {number(_floor(m.allowed))} allowed"


def _limit(rule: RequestAttainment) -> list[str]:
    return [str(q) for q in (rule.within.at_most, rule.within.less_than, rule.within.at_least, rule.within.more_than) if q]


def plural(m: Measurement, count: Fraction | int = 2) -> str:
    """Return the noun, in the singular for exactly one."""
    return m.noun if count == 1 else f"{m.noun}s"


def number(value: Fraction | int) -> str:
    """Return a count with thousands separators and, where it is not whole, one digit after the point."""
    if isinstance(value, int) or value.denominator == 1:
        return f"{int(value):,}"
    tenths = round(value * 10)
    return f"{tenths // 10:,}.{tenths % 10}"


def percent(share: Fraction) -> str:
    """Return a share as a percentage with at most two digits, never rounded to 0 or 100 unless it is."""
    hundredths = round(share * 10_000)
    if hundredths in {0, 10_000} and share not in {0, 1}:
        return "under 0.01 %" if hundredths == 0 else "over 99.99 %"
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".") + " %"


def _least(analysis: Analysis, m: Measurement, decided: Decided) -> int:
    return max(analysis.min_n, m.n + (decided.n_needed or 0)) if m.n >= analysis.min_n else analysis.min_n


def _interval_words(decided: Decided) -> str:
    if decided.low is None or decided.high is None or decided.confidence is None:
        return "no interval"
    return f"{percent(decided.low)} to {percent(decided.high)} at {percent(decided.confidence)} on each side"


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator
