"""Rules over requests in sentences: speed, and the filters that look at single records before anything is counted."""

from __future__ import annotations

from typing import Final

from slaguard.spec.explain_words import BOUND_WORDS, duration, limits, listing
from slaguard.spec.filters import Backoff, Entitlement, Repeats
from slaguard.spec.indicators import Filtered, IntervalP50, LatencyField, MeanOfMinutes, RequestAttainment, Speed, SpeedOf
from slaguard.spec.model import Objective
from slaguard.spec.scalars import format_weight
from slaguard.terms import BoundWord

LATENCY_WORDS: Final[dict[LatencyField, str]] = {
    LatencyField.TIME_TO_FIRST_TOKEN: "the time from sending the request to the first token",
    LatencyField.TOTAL_TIME: "the time from sending the request to the end of the answer",
}
_OVER: Final = {
    "generation": "from the first byte of the answer to its end",
    "request": "from sending the request to the end of the answer",
}


def speed(term: Speed | SpeedOf) -> str:
    """Return what the speed of an answer is."""
    return f"its output tokens by the seconds {_OVER[term.over]}"


def speed_limit(term: Speed) -> str:
    """Return the limit of a speed: ``more than 50 tokens a second``."""
    bound = term.bound
    return f"{BOUND_WORDS[bound.word]} {int(bound.value):,} tokens a second"


def fast_enough(rule: RequestAttainment) -> str:
    """Return when a request is fast enough."""
    if rule.speed is not None:
        return f"the speed of the answer, {speed(rule.speed)}, is {speed_limit(rule.speed)}"
    assert rule.field is not None and rule.within is not None  # noqa: S101, PT018 - the model holds one form or the other
    return f"{LATENCY_WORDS[rule.field]} is {limits(rule.within)}"


def median_promise(rule: IntervalP50, bound: str, may: str) -> str:
    """Return the promise of a median speed."""
    met = f"an interval of {duration(rule.bin)} keeps it when the median speed of its answers is {speed_limit(rule.speed)}"
    return f"{bound} of the intervals {may} keep the speed; {met}"


def median_edges(rule: IntervalP50) -> list[str]:
    """Return the edges of a median speed."""
    empty = {"leave_out": "is no interval of this promise", "met": "keeps it"}[rule.empty_bin]
    few = "One timed answer is enough" if rule.min_requests == 1 else f"With fewer than {rule.min_requests:,} timed answers"
    rest = "to judge an interval." if rule.min_requests == 1 else "an interval is none of this promise."
    return [
        f"The speed of an answer is {speed(rule.speed)}.",
        "Of an even number of answers the median is the mean of the two in the middle.",
        f"A watched interval without a timed answer {empty}.",
        f"{few} {rest}",
        *_no_speed("requests that failed have no speed and leave this promise"),
    ]


def mean_promise(rule: MeanOfMinutes, word: BoundWord, limit: str) -> str:
    """Return the promise of a mean of means."""
    what = "speed" if rule.of.speed is not None else "time"
    unit = " tokens a second" if rule.of.speed is not None else ""
    return f"the mean {what} over all intervals of {duration(rule.bin)} must be {BOUND_WORDS[word]} {limit}{unit}"


def mean_edges(rule: MeanOfMinutes, enough: str) -> list[str]:
    """Return the edges of a mean of means."""
    weights = {
        "equal": "every interval with a timed request counts alike",
        "requests": "an interval counts by its timed requests",
        "tokens": "an interval counts by the output tokens of its timed requests",
    }[rule.weights]
    own = "Each interval has the mean of its own requests"
    if rule.of.speed is not None:
        what = f"The speed of an answer is {speed(rule.of.speed)}."
        return [what, f"{own}; {weights}.", enough, *_no_speed("requests that failed have no speed and leave this promise")]
    field = LATENCY_WORDS[rule.of.field] if rule.of.field is not None else ""
    return [f"Timed is {field}. {own}; {weights}.", enough, "Requests that failed have no such time, and leave this promise."]


def _no_speed(failed: str) -> list[str]:
    return [f"An answer that took no time has no speed and leaves the count; {failed}."]


# ── filters ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def filters(objective: Objective) -> list[str]:
    """Return what is taken out before anything is counted, in the order in which it is."""
    rule = objective.indicator
    lines = [] if objective.entitlement is None else [_entitlement(objective.entitlement)]
    if isinstance(rule, Filtered):
        lines += [] if rule.backoff is None else [_backoff(rule.backoff)]
        lines += [] if rule.repeats is None else [_repeats(rule.repeats)]
    if len(lines) > 1:
        lines.append("They act in this order; what one of them takes out, those after it do not see.")
    return lines


def _entitlement(term: Entitlement) -> str:
    weights = term.weights
    whose = {"eligible": "of such requests", "service": "of all requests to the service"}[term.of]
    return (
        f"Only requests within the entitlement count: in each {duration(term.window)} of the clock the tokens {whose} add up,"
        f" in the order in which they were sent, to at most {term.tokens:,}; the request that goes past it, and those after it,"
        f" do not count. A token of the question uses {format_weight(weights.input)}, one of it that was cached"
        f" {format_weight(weights.cached_input)}, one of the answer {format_weight(weights.output)}."
    )


def _backoff(term: Backoff) -> str:
    gap = {"error_end": "the error arrived", "error_start": "its request was sent"}[term.gap_from]
    grows = "and no longer after more of them" if term.factor == 1 else f"{term.factor} times as long after each further one"
    return (
        f"After an error a client must wait {duration(term.first)}, {grows} in a row, at most {duration(term.max)}, counted"
        f" from when {gap}; a request that comes earlier is not valid: it leaves both counts and changes nothing. Any success"
        f" ends this. One client is: the same {listing(term.per)}."
    )


def _repeats(term: Repeats) -> str:
    start = {"fixed": "a counted error", "sliding": "any error, counted or not,"}[term.window]
    end = {"inclusive": "that moment included", "exclusive": "that moment not included"}[term.end]
    reset = {"yes": "a success between them ends this", "no": "a success between them changes nothing"}[term.success_resets]
    return (
        f"Errors within {duration(term.within)} after {start} of the same {listing(term.by)} are its repeats ({end}) and leave"
        f" both counts; {reset}. Successes never leave."
    )
