"""The rules over intervals of time in sentences: what is promised, when an interval is bad, and every edge."""

from __future__ import annotations

from collections.abc import Iterator

from slaguard.spec.explain_words import BOUND_WORDS, LATENCY_WORDS, duration, limits, listing, plain, quantity
from slaguard.spec.indicators.intervals import Presence, RateTest
from slaguard.spec.model import BinRule, DualThreshold, ErrorRateRuns, MeanOfIntervals, Objective
from slaguard.terms import BoundWord


def interval_promise(objective: Objective, rule: BinRule) -> str:
    """Return what is promised, as the end of a sentence."""
    if isinstance(rule, DualThreshold):
        first, second = (_test(rule, test) for test in rule.tests)
        return f"two things must hold: in {first}, and in {second}"
    word = objective.bound.word
    bound = f"{BOUND_WORDS[word]} {quantity(objective.target)}"
    if isinstance(rule, ErrorRateRuns):
        return f"{bound} of the time {'must' if word.is_floor else 'may'} be up; {_down(rule)}"
    mean = f"the mean score of all intervals of {duration(rule.bin)} must be {bound}"
    return f"{mean}; each interval scores its share of good answers"


def _down(rule: ErrorRateRuns) -> str:
    one = f"an interval of {duration(rule.bin)}"
    where = one if rule.run == 1 else f"{rule.run:,} or more intervals of {duration(rule.bin)} in a row"
    bound = rule.error_rate.bound
    share = "all" if bound.word is BoundWord.AT_LEAST and bound.value == 1 else limits(rule.error_rate)
    return f"time is down when, in {where}, {share} of the counted requests fail"


def _test(rule: DualThreshold, test: RateTest) -> str:
    intervals = f"{limits(test.share)} of the intervals of {duration(rule.bin)}"
    return f"{intervals} {limits(test.error_rate)} of the counted requests fail"


def interval_edges(rule: BinRule) -> list[str]:
    """Return the sentences that settle the edges of a rule over intervals."""
    return [*_own(rule), *_small_bins(rule), *_slow(rule), *_resources(rule), *_presence(rule.presence)]


def _own(rule: BinRule) -> Iterator[str]:
    empty = "A watched interval without a counted request"
    if isinstance(rule, MeanOfIntervals):
        yield f"{empty} {'counts as fully up' if rule.empty_bin == 'up' else 'leaves the mean'}."
    elif isinstance(rule, DualThreshold):
        yield f"{empty} {'is good in both' if rule.empty_bin == 'good' else 'leaves both shares'}."
        yield "The figure is the smaller margin: a share less what was promised of it; below zero the promise is broken."
        yield {
            "worst": "Credits are read from the lower of the two shares.",
            "first": "Credits are read from the first of the two shares.",
            "second": "Credits are read from the second of the two shares.",
        }[rule.priced_by]
    elif isinstance(rule, ErrorRateRuns):
        yield from _runs(rule, empty)


def _runs(rule: ErrorRateRuns, empty: str) -> Iterator[str]:
    does = {
        "breaks_run": "ends a run of bad intervals",
        "continues_run": "lets a run of bad intervals go on, and adds neither to its length nor to the downtime",
        "bad": "is bad",
    }[rule.empty_bin]
    across = {
        "attribute_minutes": "is judged whole, and each interval counts in its own period",
        "split": "is cut at the edge, and each part is judged alone",
    }[rule.cross_period]
    yield f"{empty} {does}."
    yield f"A run over the edge of the period {across}."
    if rule.run_over == "all_minutes":
        yield "Runs are found in all of the time; what is excluded is taken out of the downtime after that."
    elif rule.run_over == "counted_minutes":
        yield (
            "Runs are found in the time that counts: an excluded interval that counts as up ends a run, and one that leaves "
            "the period is passed over."
        )
    if rule.outage_rounding is not None:
        whole = f"rounded {rule.outage_rounding} to whole minutes"
        yield f"Each downtime, as far as it counts in the period, is {whole}; a run is one downtime."


def _small_bins(rule: BinRule) -> Iterator[str]:
    begin = "Intervals follow the contract's clock"
    if rule.align == "clock":
        begin = "Intervals begin on the contract's clock"
    elif rule.align == "period_start":
        begin = "Intervals begin with the period, whose end may cut the last one"
    yield f"{begin}; a request belongs to the interval in which it was sent."
    if isinstance(rule, DualThreshold) and rule.min_requests is None:
        yield "One counted request is enough to judge an interval."
        return
    leaves = {MeanOfIntervals: "leaves the mean", DualThreshold: "leaves both shares"}
    fate = "counts as fully up" if rule.small == "up" else leaves.get(type(rule), "leaves the minutes that count")
    if rule.least == 1:
        yield f"One counted request is enough to judge an interval (one with too few, if there could be any, {fate})."
    else:
        yield f"An interval with counted requests, but fewer than {rule.least:,}, {fate}."


def _slow(rule: BinRule) -> Iterator[str]:
    slow = rule.slow
    if slow is None:
        return
    what = f"A request is slow when {LATENCY_WORDS[slow.field]} is {limits(slow)}"
    if slow.counts == "as_failed":
        yield f"{what}; it counts as failed, even where it brought an answer."
    else:
        yield f"{what}; the share of slow requests, failed ones among them, is held to the same error rate by itself."


def _resources(rule: BinRule) -> Iterator[str]:
    resources = rule.resources if isinstance(rule, MeanOfIntervals | ErrorRateRuns | DualThreshold) else None
    if resources is None:
        return
    fields = listing(plain(field) for field in resources.by)
    yield f"Requests that are alike in {fields} are of one resource; those without such a field are one resource too."
    match resources.down_when:
        case "mean":
            yield "Each resource with a counted request in the period has a figure of its own; the promise is about their mean."
        case "all":
            yield "An interval is bad when it is bad for all resources that had a counted request in the period."
        case "any":
            yield "An interval is bad when it is bad for any of the resources."


def _presence(presence: Presence | None) -> Iterator[str]:
    if presence is None:
        return
    begin = "the interval of the first counted request" if presence.begins else "the period"
    end = "the interval of the last counted request" if presence.ends else "the period"
    yield f"The time that counts begins with {begin} and ends with {end}; a resource is there from the one to the other."
