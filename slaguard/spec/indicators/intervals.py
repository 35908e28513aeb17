"""Rules over intervals of time (`contracts.md` archetypes U1, U2, U3, U6, U9 and U10)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from slaguard.spec.conditions import Limits, SetOf, Term
from slaguard.spec.indicators.requests import Filtered, LatencyField
from slaguard.spec.scalars import Duration, Natural, Whole, Words, refuse
from slaguard.terms import BoundWord


class Slow(Limits):
    """A request that took too long counts against an interval (U9)."""

    field: LatencyField
    """Which time."""
    counts: Literal["as_failed", "on_its_own"]
    """as_failed: a slow request is a failed one; on_its_own: the share of slow requests is held to the error rate by itself."""


class Presence(Term):
    """The part of the period in which the resource was there; the rest is no part of the time that counts."""

    # `from` is a word of Python's own, so it cannot be written as an annotation; it is read through `begins`.
    __annotations__["from"] = Annotated[
        Literal["first_request", "period_start"],
        Field(description="Where it begins: the interval of the first counted request."),
    ]
    to: Literal["last_request", "period_end"]
    """Where it ends: the interval of the last counted request."""

    @model_validator(mode="after")
    def _less_than_the_period(self) -> Self:
        if not self.begins and not self.ends:
            raise refuse("E-SPEC-SCHEMA", "this is the whole period: leave `presence` out")
        return self

    @property
    def begins(self) -> bool:
        """Whether the time that counts begins with the first request, not with the period."""
        return bool(getattr(self, "from") == "first_request")

    @property
    def ends(self) -> bool:
        """Whether the time that counts ends with the last request, not with the period."""
        return self.to == "last_request"


class Resources(Term):
    """Several resources told apart by fields of a record; absent: all requests are one pool."""

    by: Annotated[SetOf[Words], Field(min_length=1)]
    """The fields; records that are alike in all of them are of one resource."""


class Group(Resources):
    """When several resources together are down."""

    down_when: Literal["all", "any"]
    """An interval is bad when it is bad for all of the resources, or for any of them."""


class Averaged(Resources):
    """The mean of the resources' own figures."""

    down_when: Literal["mean"]
    """Each resource has a figure of its own, and the promise is about their mean."""


class BinRule(Filtered):
    """What rules over intervals of time share."""

    bin: Duration
    """Length of an interval."""
    align: Literal["clock", "period_start"] | None = None
    """Where intervals begin: on the contract's clock, or with the period; absent: on the clock."""
    slow: Slow | None = None
    """Slow requests count against an interval; absent: they do not."""
    presence: Presence | None = None
    """The time that counts begins and ends with the resource; absent: it is the period."""

    @property
    def least(self) -> int:
        """How many counted requests an interval needs to be judged; 0 and 1 are the same."""
        return 0

    @property
    def small(self) -> Literal["up", "leave_out"]:
        """What an interval with fewer is."""
        return "up"

    @property
    def pooled_by(self) -> tuple[str, ...]:
        """The fields that tell resources apart; empty: one pool."""
        return ()


class _Judged(BinRule):
    """What the rules share that say how many requests an interval needs."""

    min_requests: Whole
    """An interval with fewer counted requests is handled by `below_minimum`."""
    below_minimum: Literal["up", "leave_out"]
    """An interval with some requests but fewer than `min_requests`: up, or left out of the mean and of the minutes."""

    @property
    def least(self) -> int:
        """How many counted requests an interval needs to be judged."""
        return self.min_requests

    @property
    def small(self) -> Literal["up", "leave_out"]:
        """What an interval with fewer is."""
        return self.below_minimum


class MeanOfIntervals(_Judged):
    """Each interval scores its share of good answers; the period is the mean over all intervals (U3)."""

    rule: Literal["mean_of_intervals"]
    """The rule's name."""
    empty_bin: Literal["up", "leave_out"]
    """A watched interval without a counted request."""
    resources: Averaged | None = None
    """Several resources, each with a figure of its own; absent: all requests are one pool."""

    @property
    def pooled_by(self) -> tuple[str, ...]:
        """The fields that tell resources apart; empty: one pool."""
        return self.resources.by if self.resources else ()


class ErrorRateRuns(_Judged):
    """An interval over the error rate is bad; runs of enough bad intervals are downtime (U1, U2, U9, U10)."""

    rule: Literal["error_rate_runs"]
    """The rule's name."""
    error_rate: Limits
    """The share of failures at which an interval is bad; the word is the strictness."""
    run: Natural
    """How many bad intervals in a row make downtime."""
    empty_bin: Literal["breaks_run", "continues_run", "bad"]
    """An interval without a counted request ends the run, lets it go on without adding to it, or is bad."""
    cross_period: Literal["attribute_minutes", "split"]
    """A run over the period's edge: whole run judged and each interval counted in its own period, or cut at the edge."""
    outage_rounding: Literal["up", "down"] | None = None
    """Each downtime in the period, less what windows excuse, is rounded to whole minutes; absent: it is as long as it is."""
    run_over: Literal["all_minutes", "counted_minutes"] | None = None
    """Runs are found before windows are taken out, or among the time that is left; absent: before."""
    resources: Group | None = None
    """Several resources, and when they are down together; absent: all requests are one pool."""

    @property
    def pooled_by(self) -> tuple[str, ...]:
        """The fields that tell resources apart; empty: one pool."""
        return self.resources.by if self.resources else ()


class RateTest(Term):
    """One of two tests: so many intervals keep the error rate."""

    error_rate: Limits
    """The share of failures that a good interval keeps; the word is the strictness."""
    share: Limits
    """How many of the intervals must be good."""


class DualThreshold(BinRule):
    """Two error rates, each with its share of good intervals; the promise is broken if either share is missed (U6)."""

    rule: Literal["dual_threshold"]
    """The rule's name."""
    tests: Annotated[tuple[RateTest, ...], Field(min_length=2, max_length=2)]
    """The two tests, in the order of the clause."""
    empty_bin: Literal["good", "leave_out"]
    """A watched interval without a counted request: good, or left out of the share."""
    priced_by: Literal["worst", "first", "second"]
    """Which share the credits are read from: the lower one, or that of one test."""
    min_requests: Whole | None = None
    """An interval with fewer counted requests is handled by `below_minimum`; absent: one is enough."""
    below_minimum: Literal["up", "leave_out"] | None = None
    """An interval with some requests but fewer than `min_requests`: good, or left out of the share."""
    resources: Group | None = None
    """Several resources, and when an interval is bad for all of them together; absent: all requests are one pool."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.min_requests is None) != (self.below_minimum is None):
            raise refuse("E-SPEC-EMPTY", "write both min_requests and below_minimum, or neither")
        return self

    @property
    def least(self) -> int:
        """How many counted requests an interval needs to be judged."""
        return self.min_requests or 0

    @property
    def small(self) -> Literal["up", "leave_out"]:
        """What an interval with fewer is."""
        return self.below_minimum or "up"

    @property
    def pooled_by(self) -> tuple[str, ...]:
        """The fields that tell resources apart; empty: one pool."""
        return self.resources.by if self.resources else ()

    @property
    def word(self) -> BoundWord:
        """The strictness of both shares."""
        return self.tests[0].share.bound.word

    @property
    def priced(self) -> tuple[RateTest, ...]:
        """The tests whose shares the credits are read from; of several the lowest share decides."""
        return {"worst": self.tests, "first": self.tests[:1], "second": self.tests[1:]}[self.priced_by]

    @property
    def priced_share(self) -> Limits:
        """The share that the credits begin at: the higher one, of those that the clause prices by."""
        return max((test.share for test in self.priced), key=lambda share: share.bound.value)
