"""How a promise is counted, in a few words: what stands beside its figure where several contracts are compared."""

from __future__ import annotations

from collections.abc import Iterator

from slaguard.spec.explain_words import limits, percent
from slaguard.spec.indicators import (
    BinRule,
    Compared,
    DefectsPerVolume,
    DualThreshold,
    ErrorRateRuns,
    Filtered,
    IntervalP50,
    MeanOfIntervals,
    MeanOfMinutes,
    OutagesMinLength,
    Percentile,
    Ratio,
    ReportClock,
    RequestAttainment,
    SampleProportion,
    WeightedPenalty,
)  # fmt: skip
from slaguard.spec.model import Objective
from slaguard.terms import OUTCOME_GROUPS, Count, Outcome, format_duration

_EMPTY = {
    "up": "empty ones are up", "good": "empty ones are good", "leave_out": "empty ones are left out",
    "breaks_run": "empty ones end a run", "continues_run": "empty ones do not end a run", "bad": "empty ones are bad",
}  # fmt: skip


def rule_words(objective: Objective) -> str:
    """Return the rule in a few words: ``mean of 5m intervals (empty ones are up)``."""
    return "; ".join([_rule(objective), *_filters(objective)])


def failure_words(objective: Objective, seen: frozenset[Outcome]) -> str:
    """Return which of the outcomes that were seen count as failures, and which leave the count."""
    by_count = {count: _named(frozenset(o for o in seen if objective.outcomes.of(o) is count)) for count in Count}
    parts = [f"failures: {by_count[Count.FAIL] or 'none of those seen'}"]
    good = _named(frozenset(o for o in seen if objective.outcomes.of(o) is Count.OK and o is not Outcome.OK))
    parts += [f"counted as good: {good}"] * bool(good)
    parts += [f"left out: {by_count[Count.DROP]}"] * bool(by_count[Count.DROP])
    return "; ".join(parts)


def _named(outcomes: frozenset[Outcome]) -> str:
    """Name outcomes, a group word for a whole group."""
    words: list[str] = []
    rest = set(outcomes)
    for word, members in OUTCOME_GROUPS.items():
        if set(members) <= rest:
            words.append(word)
            rest -= set(members)
    return ", ".join([*words, *(o.value for o in Outcome if o in rest)])


def _rule(objective: Objective) -> str:  # noqa: C901, PLR0912 - one line for each rule
    rule = objective.indicator
    match rule:
        case MeanOfIntervals():
            return f"mean of {format_duration(rule.bin)} intervals ({_EMPTY[rule.empty_bin]})"
        case ErrorRateRuns():
            runs = "" if rule.run == 1 else f", {rule.run:,} or more in a row"
            bad = f"{format_duration(rule.bin)} intervals in which {limits(rule.error_rate)} fail{runs}"
            return f"{bad} ({_EMPTY[rule.empty_bin]})"
        case DualThreshold():
            tests = " and ".join(f"{limits(t.share)} with {limits(t.error_rate)} failing" for t in rule.tests)
            return f"of the {format_duration(rule.bin)} intervals {tests} ({_EMPTY[rule.empty_bin]})"
        case Ratio():
            return {"failures": "share that failed", "successes": "share that succeeded", "refusals": "share refused"}[rule.of]
        case Percentile():
            return f"{percent(rule.p)} of the requests, by {rule.field.value.replace('_', ' ')}"
        case RequestAttainment():
            return "share of requests that were fast enough"
        case IntervalP50():
            return f"{format_duration(rule.bin)} intervals by their median speed"
        case MeanOfMinutes():
            return f"mean of the means of {format_duration(rule.bin)} intervals"
        case OutagesMinLength():
            return f"stated outages of at least {format_duration(rule.min_length)}"
        case ReportClock():
            return "stated outages, from the ticket on"
        case SampleProportion():
            return f"share of graded answers that are {'good' if rule.event == 'correct' else 'unsupported'}"
        case DefectsPerVolume() | WeightedPenalty():
            return "reviewed texts"
        case Compared():
            return "a comparison of graded shares"


def _filters(objective: Objective) -> Iterator[str]:
    rule = objective.indicator
    if isinstance(rule, BinRule) and rule.slow is not None:
        yield f"slower than {limits(rule.slow)} counts too"
    if not isinstance(rule, Filtered):
        return
    if rule.backoff is not None:
        yield "requests that came too early after an error do not count"
    if rule.repeats is not None:
        yield f"errors within {format_duration(rule.repeats.within)} of a counted one do not count ({rule.repeats.window})"
