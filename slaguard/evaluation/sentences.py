"""The sentence behind each reason: what was counted, against what, in plain words with numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from slaguard.evaluation.decide import Analysis, Decided
from slaguard.evaluation.latency import NEVER
from slaguard.evaluation.measure import Measurement, Tested
from slaguard.spec.indicators import IntervalP50, MeanOfMinutes
from slaguard.spec.model import Objective, Percentile, Ratio, RequestAttainment, SampleProportion, one_bound, written_limit
from slaguard.terms import BoundWord, Count, Outcome, Reason, Source, format_percent

MANY: Final = Fraction(1, 100)
"""A share of the calls that leaves the count, and is told when it is larger."""


def sentence(objective: Objective, analysis: Analysis, m: Measurement, decided: Decided) -> str:
    """Return the reason as a sentence with its numbers."""
    counted = count_words(objective, m)
    match decided.reason:
        case Reason.N_BELOW_MIN:
            text = f"{number(m.n)} {plural(m, m.n)}, at least {number(_least(analysis, m, decided))} needed"
        case Reason.LOW_COVERAGE:
            watched = percent(m.coverage, analysis.min_coverage)
            text = f"{watched} of the period watched, {format_percent(analysis.min_coverage)} agreed"
        case Reason.NO_TRAFFIC:
            text = "nothing that counts was seen"
        case Reason.NO_CLOCK:
            text = f"{number(m.clockless)} records carry no time, and this promise is about intervals"
        case Reason.UNGRADED:
            text = f"{number(m.unknown)} {plural(m)} without a grade or a time decide; {counted}"
        case Reason.NOT_OBSERVABLE:
            text = f"{counted}; the {percent(1 - m.coverage)} not watched decides"
        case Reason.CLOSE_TEST | Reason.CLOSE_TEST_COMPLY | Reason.STRADDLES | Reason.AT_RISK if decided.confidence is not None:
            text = f"{counted}; {_interval_words(objective, decided)}"
        case Reason.ERROR_BUDGET_EXHAUSTED:
            whole = number(m.allowed_in_all or m.allowed, m.bad)
            text = f"{number(m.bad, m.allowed_in_all)} {plural(m, m.bad)} lost, {whole} allowed in the whole period"
        case _:
            text = counted
    return f"so far: {text}" if decided.provisional else text


def count_words(objective: Objective, m: Measurement) -> str:
    """Return what was counted against what is allowed: ``96 intervals lost, 44.7 allowed``."""
    rule, strict = objective.indicator, objective.bound.word in {BoundWord.MORE_THAN, BoundWord.LESS_THAN}
    if m.periods:
        return _mean_of_periods(objective, m)
    bad, n = number(m.bad), number(m.n)
    if isinstance(rule, MeanOfMinutes):
        return _mean_words(objective, rule, m)
    if isinstance(rule, IntervalP50):
        return f"{bad} of {n} {plural(m, m.n)} slower than agreed, {number(_most(m.allowed, strict=strict))} allowed"
    if m.tests:
        return "; ".join(_test_words(t, strict=strict) for t in m.tests)
    if m.over_time:
        under = "under " if strict else ""
        return f"{number(m.bad, m.allowed)} {plural(m, m.bad)} lost, {under}{number(m.allowed, m.bad)} allowed"
    most = number(_most(m.allowed, strict=strict and not isinstance(rule, Percentile)))
    if isinstance(rule, SampleProportion) and objective.bound.word.is_floor:
        good = "correct" if rule.grades.wrong is not Count.OK else "good"
        needed = number(m.n - _most(m.allowed, strict=strict))
        return f"{number(m.n - m.bad)} of {n} {plural(m, m.n)} {good}, {needed} needed"
    if isinstance(rule, SampleProportion):
        return f"{bad} of {n} {plural(m, m.n)} not supported, {most} allowed"
    if isinstance(rule, Percentile | RequestAttainment):
        past = _past(objective, rule)
        slow = f"{bad} of {n} {plural(m, m.n)} {past} or without an answer, {most} allowed"
        return f"{slow}; the percentile lies among requests without an answer" if m.value == NEVER else slow
    verb = "refused" if isinstance(rule, Ratio) and rule.of == "refusals" else "failed"
    return f"{bad} of {n} {plural(m, m.n)} {verb}, {most} allowed"


def _test_words(tested: Tested, *, strict: bool) -> str:
    rate = tested.test.error_rate
    kept = f"{rate.bound.word.value.replace('_', ' ')} {written_limit(rate)}"
    n = f"{number(tested.bad, tested.allowed)} interval{'' if tested.bad == 1 else 's'}"
    return f"{n} without {kept} failures, {'under ' if strict else ''}{number(tested.allowed, tested.bad)} allowed"


def _mean_of_periods(objective: Objective, m: Measurement) -> str:
    """Say a figure averaged with earlier periods: ``the mean of 2 periods is 99.4 % (2026-10: 99.1 %, 2026-09: 99.7 %)``."""
    each = ", ".join(f"{label}: {_figure(objective, value)}" for label, value in m.periods)
    word = objective.bound.word.value.replace("_", " ")
    mean = f"the mean of {len(m.periods)} periods is {_figure(objective, m.value)} ({each})"
    return f"{mean}, {word} {objective.target} agreed"


def _figure(objective: Objective, value: Fraction | None) -> str:
    if value is None:
        return "nothing counted"
    if objective.unit != "ms":
        return percent(value, objective.target.value)
    return "no answer" if value == NEVER else time(value)


def _most(allowed: Fraction, *, strict: bool) -> int:
    """Return how many whole events keep the promise: those within, or those under the limit."""
    return _ceil(allowed) - 1 if strict else _floor(allowed)


def _past(objective: Objective, rule: Percentile | RequestAttainment) -> str:
    """Return what a request does that misses its limit: ``slower than 2s``."""
    if isinstance(rule, RequestAttainment) and rule.speed is not None:
        limit, word = f"{written_limit(rule.speed)} tok/s", rule.speed.bound.word
        return f"at {limit} or slower" if word is BoundWord.MORE_THAN else f"slower than {limit}"
    terms = objective if isinstance(rule, Percentile) else rule.within
    limit, word = str(written_limit(terms)), one_bound(terms).word
    return f"not under {limit}" if word is BoundWord.LESS_THAN else f"slower than {limit}"


def _mean_words(objective: Objective, rule: MeanOfMinutes, m: Measurement) -> str:
    """Return a mean against its limit: ``mean of 48.31 tok/s in 1,204 intervals, at least 50 tok/s promised``."""
    bound = objective.bound
    if m.value is None:
        return "nothing was timed"
    if rule.of.speed is not None:
        shown, limit = f"{number(m.value, bound.value)} tok/s", f"{objective.target} tok/s"
    else:
        shown, limit = f"{number(m.value, bound.value)} ms", str(objective.target)
    intervals = m.intervals or 0
    where = "1 interval" if intervals == 1 else f"{intervals:,} intervals"
    return f"mean of {shown} in {where}, {bound.word.value.replace('_', ' ')} {limit} promised"


def plural(m: Measurement, count: Fraction | int = 2) -> str:
    """Return the noun, in the singular for exactly one."""
    return m.noun if count == 1 else f"{m.noun}s"


def number(value: Fraction | int, beside: Fraction | int | None = None) -> str:
    """Return a count with thousands separators; what is not whole gets a digit, or as many as tell it from `beside`."""
    if isinstance(value, int) or value.denominator == 1:
        return f"{int(value):,}"
    digits, shown = 1, round(value * 10)
    for digits in range(1, 9):
        shown = round(value * 10**digits)
        if beside is None or value == beside or shown != round(beside * 10**digits):
            break
    return f"{shown // 10**digits:,}.{shown % 10**digits:0{digits}d}"


def percent(share: Fraction, beside: Fraction | None = None) -> str:
    """Return a share as a percentage with two digits at most, more where it would look like `beside`; 0 and 100 are exact."""
    apart = [Fraction(0), Fraction(1), *([] if beside is None else [beside])]
    shown = share
    for digits in range(2, 13):
        shown = Fraction(round(share * 10 ** (digits + 2)), 10 ** (digits + 2))
        if all((shown == other) == (share == other) for other in apart):
            break
    return format_percent(shown).replace("%", " %")


def _least(analysis: Analysis, m: Measurement, decided: Decided) -> int:
    return max(analysis.min_n, m.n + (decided.n_needed or 0)) if m.n >= analysis.min_n else analysis.min_n


def left_words(objective: Objective, m: Measurement) -> str:
    """Return how many calls left the count by their outcome, and which; empty where it is no more than one in a hundred.

    A graded promise is about answers alone. Of probes, what was not measured is told as what was not watched.
    """
    if isinstance(objective.indicator, SampleProportion):
        return ""
    left = [(o, n) for o, n in m.left if not (m.source is Source.PROBE and o is Outcome.UNMEASURED)]
    gone = sum(n for _, n in left)
    if gone <= m.calls * MANY:
        return ""
    share = percent(Fraction(gone, m.calls))
    named = ", ".join(f"{number(n)} {o.value}" for o, n in left)
    return f"{number(gone)} of {number(m.calls)} calls ({share}) left the count: {named}; they count neither for nor against"


def _interval_words(objective: Objective, decided: Decided) -> str:
    if decided.low is None or decided.high is None or decided.confidence is None:
        return "no interval"
    sure = f"at {percent(decided.confidence)} on each side"
    if not isinstance(objective.indicator, Percentile):
        return f"{percent(decided.low)} to {percent(decided.high)} {sure}"
    if decided.high == NEVER:
        return f"{'no answer' if decided.low == NEVER else f'at least {time(decided.low)}'} {sure}"
    return f"{time(decided.low)} to {time(decided.high)} {sure}"


def time(ms: Fraction) -> str:
    """Return a time exactly, as whole milliseconds or from one second on as seconds: ``4.078 s``."""
    if ms < 1000:
        return f"{int(ms)} ms"
    seconds, rest = divmod(int(ms), 1000)
    return f"{f'{seconds:,}.{rest:03d}'.rstrip('0').rstrip('.')} s"


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)


def _floor(value: Fraction) -> int:
    return value.numerator // value.denominator
