"""Terms of money and rights that look beyond one promise: caps, points, earn-back, chronic breach (`contracts.md` §4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from slaguard.spec.conditions import SetOf, Term
from slaguard.spec.scalars import Amount, Duration, Natural, Percent, Quantity, Share, Slug, Whole, Words, refuse


class PointsRow(Term):
    """A row of the points table; it reaches to the next."""

    __annotations__["from"] = Annotated[Natural, Field(description="From so many points on.")]
    credit: Share
    """The share of the fee."""

    @property
    def first(self) -> int:
        """From how many points on the row holds."""
        found: int = getattr(self, "from")
        return found


class PointsTable(Term):
    """R4: what the points of all broken promises are worth together."""

    rows: Annotated[tuple[PointsRow, ...], Field(min_length=1)]
    """The thresholds, ascending; the last row is open. Below the first nothing is owed."""
    average_with_previous: Whole
    """The points are the mean with so many periods before; 0: those of the period alone."""


class CapSpan(StrEnum):
    """What a cap is for."""

    EVENT = "event"
    PERIOD = "period"
    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"
    CONTRACT_YEAR = "contract_year"


class CreditCap(Term):
    """The most that is paid in a span of time."""

    value: Percent | None = None
    """As a share of the fee of the span."""
    amount: Amount | None = None
    """As an amount."""
    of: Literal["fee", "annual_fee"] | None = None
    """What a share is a share of: the fee of the span, or the fee of a whole year; absent: of the span."""
    per: CapSpan
    """The span: one event, the Agreement's own period, or a longer time, in which what earlier periods paid counts."""
    scope: Literal["objective", "service", "agreement"] | None = None
    """What it limits: each promise, each service, or all together; absent: all together."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.value is None) == (self.amount is None):
            raise refuse("E-SPEC-CAP", "write exactly one of value (a share of the fee) and amount")
        return self


class EarnBack(Term):
    """R9: the vendor takes earlier credits of a promise back, where its average turns out high enough."""

    objective: Slug
    """The promise."""
    at_least: Quantity | None = None
    """Of a floor: the average must be at least this."""
    above: Quantity | None = None
    """Of a floor: the average must be more than this."""
    below: Quantity | None = None
    """Of a ceiling: the average must be less than this."""
    over: Literal["year", "contract_year"]
    """The periods that are averaged: those of the calendar year, or of the year since the Agreement's first day."""
    average: Literal["recomputed", "of_periods"]
    """All that was counted in the year as one figure, or the mean of the periods' figures."""

    @model_validator(mode="after")
    def _one_edge(self) -> Self:
        if sum(one is not None for one in (self.at_least, self.above, self.below)) != 1:
            raise refuse("E-SPEC-STRICT", "write exactly one of at_least and above (of a floor) and below (of a ceiling)")
        return self

    @property
    def level(self) -> tuple[Literal["at_least", "above", "below"], Quantity]:
        """The word that is written, and its figure."""
        if self.at_least is not None:
            return "at_least", self.at_least
        if self.above is not None:
            return "above", self.above
        assert self.below is not None  # noqa: S101 - one of the three is written
        return "below", self.below


class When(Term):
    """When a right arises: enough bad periods, all at once or in a row, enough downtime, or one figure that is too bad."""

    objective: Annotated[SetOf[Slug], Field(min_length=1)]
    """The promises; a period is bad where one of them is."""
    at_least: Quantity | None = None
    """A period is bad where the figure is at least this (a threshold of its own, of a ceiling)."""
    at_most: Quantity | None = None
    """A period is bad where the figure is at most this (of a floor)."""
    more_than: Quantity | None = None
    """A period is bad where the figure is more than this (of a ceiling)."""
    less_than: Quantity | None = None
    """A period is bad where the figure is less than this (of a floor). Absent, all four: where the promise is broken."""
    bad: Natural | None = None
    """So many bad periods."""
    of: Natural | None = None
    """Out of so many last ones."""
    consecutive: Natural | None = None
    """So many bad periods in a row."""
    downtime: Duration | None = None
    """So much downtime in all, within the last `of` periods."""

    @model_validator(mode="after")
    def _one_count(self) -> Self:
        counts = [self.bad is not None, self.consecutive is not None, self.downtime is not None]
        if sum(counts) > 1 or (self.of is not None) != (self.bad is not None or self.downtime is not None):
            mend = "write one of `bad: 3, of: 12`, `consecutive: 2`, `downtime: 24h, of: 12`, or a bound alone"
            raise refuse("E-SPEC-CHRONIC", mend)
        if not any(counts) and not self.bounds:
            mend = "say when the right arises: `bad: 3, of: 12`, `consecutive: 2`, or `less_than: 95%`"
            raise refuse("E-SPEC-CHRONIC", mend)
        if len(self.bounds) > 1 or (self.bounds and self.downtime is not None):
            mend = "write at most one of at_least, at_most, more_than, less_than, and none with downtime"
            raise refuse("E-SPEC-STRICT", mend)
        if self.bad is not None and self.of is not None and self.bad > self.of:
            raise refuse("E-SPEC-CHRONIC", f"there are no {self.bad} bad periods out of {self.of}")
        return self

    @property
    def bounds(self) -> tuple[str, ...]:
        """The words of the threshold that are written: none, or one."""
        return tuple(w for w in ("at_least", "at_most", "more_than", "less_than") if getattr(self, w) is not None)

    @property
    def window(self) -> int:
        """How many periods are looked at."""
        return self.of or self.consecutive or 1


class RightNotice(Term):
    """Until when a right must be used."""

    n: Natural
    """How many units after the anchor."""
    unit: Literal["days", "months"]
    """Calendar days or months, in the Agreement's zone."""
    anchor: Literal["nth_failed_period_end"]
    """The last day of the bad period that completed the number."""


class Chronic(Term):
    """R6: a right that arises from the history of a promise, with a notice window of its own."""

    id: Slug
    """Its name in results."""
    clause: Words
    """Where it stands in the contract."""
    when: When
    """When it arises."""
    undecided: Literal["breaks", "skip"]
    """A period that is not decided: it counts as not bad (breaks), or as not there (skip). Results show both."""
    right: Literal["terminate", "step_in", "renegotiate", "root_cause"]
    """What the customer may do."""
    notice: RightNotice | None = None
    """Until when; absent: no limit is agreed."""
    cure: Duration | None = None
    """How long the vendor has to mend it after notice; absent: no time for it is agreed."""
    refund: Literal["prepaid_pro_rata"] | None = None
    """What is paid back: what was paid in advance × remaining days / days of the term; absent: nothing."""
    prepaid: Amount | None = None
    """What was paid in advance for the whole term; absent: the recorded prepayment (a Fact)."""
