"""Rules over requests, each counted once: shares, percentiles and speed (`contracts.md` archetypes U4, U5, L1 to L4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self

from pydantic import model_validator

from slaguard.spec.conditions import Limits, Term
from slaguard.spec.filters import Backoff, Repeats
from slaguard.spec.scalars import Duration, Natural, Share, Whole, refuse


class Filtered(Term):
    """What every rule over requests may carry: filters that look at single records before anything is counted."""

    backoff: Backoff | None = None
    """Requests that came too early after an error are not valid, and leave both counts; absent: all are."""
    repeats: Repeats | None = None
    """Errors that repeat a counted one leave both counts; absent: every error counts."""


class Ratio(Filtered):
    """The share of counted requests that failed, succeeded or were refused (U5)."""

    rule: Literal["ratio"]
    """The rule's name."""
    of: Literal["failures", "successes", "refusals"]
    """What is counted in the numerator."""
    min_requests: Whole
    """With fewer counted requests in the period there is not enough evidence."""


class LatencyField(StrEnum):
    """Which time is measured, from the moment the request was sent."""

    TIME_TO_FIRST_TOKEN = "time_to_first_token"  # noqa: S105 - a token of text
    TOTAL_TIME = "total_time"


class Percentile(Filtered):
    """The smallest time that at least the share `p` of requests does not exceed (L4)."""

    rule: Literal["percentile"]
    """The rule's name."""
    field: LatencyField
    """Which time."""
    p: Share
    """The percentile, such as 95%."""
    failed: Literal["exceed", "leave_out"]
    """Failed requests have no latency: they exceed every limit, or leave the count."""
    min_requests: Whole
    """With fewer counted requests in the period there is not enough evidence."""


class SpeedOf(Term):
    """The speed of one answer in tokens a second."""

    tokens: Literal["output_tokens"]
    """Which tokens are counted, as the record has them."""
    over: Literal["generation", "request"]
    """generation: from the first byte to the end of the answer; request: from sending the request to its end."""


class Speed(Limits):
    """The speed of one answer in tokens a second, and the limit it is held to: a plain number."""

    tokens: Literal["output_tokens"]
    """Which tokens are counted, as the record has them."""
    over: Literal["generation", "request"]
    """generation: from the first byte to the end of the answer; request: from sending the request to its end."""


class RequestAttainment(Filtered):
    """The share of requests that were fast enough (L2): in time (`field`, `within`), or at the agreed `speed`."""

    rule: Literal["request_attainment"]
    """The rule's name."""
    field: LatencyField | None = None
    """Which time; absent: `speed` says what is measured."""
    within: Limits | None = None
    """The limit a request must keep, a duration; absent: `speed` has its own."""
    speed: Speed | None = None
    """The speed that an answer must have; absent: `field` and `within` say what is measured."""
    failed: Literal["miss", "leave_out"]
    """Failed requests have no latency and no speed: they miss the limit, or leave the count."""
    min_requests: Whole
    """With fewer counted requests in the period there is not enough evidence."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.field is None) != (self.within is None) or (self.field is None) == (self.speed is None):
            raise refuse("E-SPEC-UNMEASURABLE", "write field and within (a time), or speed alone (tokens a second)")
        return self


class IntervalP50(Filtered):
    """The share of intervals whose median speed keeps the limit (L1)."""

    rule: Literal["interval_p50"]
    """The rule's name."""
    bin: Duration
    """Length of an interval, on the contract's clock."""
    speed: Speed
    """The speed of one answer, and the limit for the median of an interval."""
    min_requests: Natural
    """An interval with fewer timed answers is no interval of this promise."""
    empty_bin: Literal["leave_out", "met"]
    """A watched interval without a timed answer: no interval of this promise, or one that keeps it."""


class MeanOfWhat(Term):
    """What is averaged within an interval: a speed, or a time."""

    speed: SpeedOf | None = None
    """The speed of each answer; absent: `field` names a time."""
    field: LatencyField | None = None
    """The time each request took; absent: `speed` is averaged."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.speed is None) == (self.field is None):
            raise refuse("E-SPEC-UNMEASURABLE", "write either speed (tokens a second) or field (a time)")
        return self


class MeanOfMinutes(Filtered):
    """The mean over the period of each interval's mean (L3)."""

    rule: Literal["mean_of_minutes"]
    """The rule's name."""
    bin: Duration
    """Length of an interval, on the contract's clock."""
    of: MeanOfWhat
    """What is averaged; requests that failed have no time and no speed."""
    weights: Literal["equal", "requests", "tokens"]
    """How much an interval's mean counts: all alike, by its timed requests, or by the tokens of its answers."""
    min_requests: Whole
    """With fewer timed requests in the period there is not enough evidence."""
