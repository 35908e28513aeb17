"""Rules over requests, each counted once: shares, percentiles and speed (`contracts.md` archetypes U4, U5, L1 to L4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from slaguard.spec.conditions import Limits, Term
from slaguard.spec.scalars import Share, Whole


class Ratio(Term):
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


class Percentile(Term):
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


class RequestAttainment(Term):
    """The share of requests that were fast enough (L2)."""

    rule: Literal["request_attainment"]
    """The rule's name."""
    field: LatencyField
    """Which time."""
    within: Limits
    """The limit a request must keep, a duration."""
    failed: Literal["miss", "leave_out"]
    """Failed requests have no latency: they miss the limit, or leave the count."""
    min_requests: Whole
    """With fewer counted requests in the period there is not enough evidence."""
