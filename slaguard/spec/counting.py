"""What counts: how each outcome is counted, and what is excluded, by record or by window of time."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema, model_validator

from slaguard.spec.conditions import Conditions, SetOf, Term
from slaguard.spec.recurrence import parse_local, parse_rule
from slaguard.spec.scalars import Duration, Slug, Words, as_text, refuse
from slaguard.terms import Count, Outcome


class Outcomes(Term):
    """How each outcome counts: `fail` (bad), `ok` (stays in the denominator), `drop` (leaves it).

    `ok` and `unmeasured` are never mapped: an answer is good, and what was not measured is no evidence.
    """

    empty: Count
    """A 200 without content."""
    error_body: Count
    """A 200 whose body is an error."""
    truncated: Count
    """An answer that broke off."""
    refused: Count
    """The model declined to answer."""
    content_filtered: Count
    """A filter withheld the answer."""
    redirect: Count
    """A 3xx answer; never followed."""
    client_error: Count
    """A 4xx answer other than those listed."""
    auth_error: Count
    """401 or 403."""
    request_timeout: Count
    """408: the vendor gave up waiting for the request."""
    rate_limited: Count
    """429."""
    error_500: Count
    """Exactly 500."""
    error_5xx: Count
    """A 5xx answer other than 500 and 529."""
    overloaded: Count
    """529, or the vendor's own word for it."""
    timeout: Count
    """No complete answer within the client's time-out."""
    timeout_after: Duration | None = None
    """A caller waits this long before a call may count as `timeout`; absent: as the record says."""
    client_deadline: Count
    """The caller's own deadline, shorter than the service's, ended the call."""
    connection_error: Count
    """The connection failed or was cut."""
    client_abort: Count
    """The caller left."""
    codes: dict[str, Count] | None = None
    """Vendor error codes that count differently from their outcome."""

    def of(self, outcome: Outcome) -> Count | None:
        """Return how an outcome counts; None for `unmeasured`, which is no evidence."""
        if outcome is Outcome.OK:
            return Count.OK
        if outcome is Outcome.UNMEASURED:
            return None
        counted: Count = getattr(self, outcome.value)
        return counted


class Effect(StrEnum):
    """What an exclusion does."""

    DROP_RECORDS = "drop_records"
    COUNT_AS_UP = "count_as_up"
    REMOVE_MINUTES = "remove_minutes"


class Cap(Term):
    """At most this much excluded time in a calendar month, quarter or year; what exceeds it counts, in time order."""

    length: Duration
    """The longest excluded time."""
    per: Literal["month", "quarter", "year"]
    """The calendar month, quarter or year, in the Agreement's zone."""


def _cap(value: Any) -> Any:
    return {"length": value, "per": "month"} if isinstance(value, str) else value


def _local(value: Any) -> Any:
    if isinstance(value, datetime):
        return value
    try:
        return parse_local(as_text(value))
    except ValueError as error:
        raise refuse("E-SPEC-DATES", str(error)) from None


LocalTime = Annotated[
    datetime,
    BeforeValidator(_local),
    PlainSerializer(lambda v: f"{v:%Y-%m-%dT%H:%M:%S}".removesuffix(":00"), return_type=str, when_used="unless-none"),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?$",
            "description": "A local time without a zone.",
            "examples": ["2026-08-04T02:00"],
        }
    ),
]
"""A time on the contract's own clock: skipped by it, it moves forward by the gap; shown twice, the first is meant."""


class Window(Term):
    """One stretch of time that the contract names."""

    start: LocalTime
    """When it begins, on the contract's clock."""
    end: LocalTime
    """When it ends; the end is outside."""

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end <= self.start:
            raise refuse("E-SPEC-EXCL", "a window ends after it begins")
        return self


class Recurring(Term):
    """Times that come back, by a rule of RFC 5545."""

    rrule: Words
    """The rule, by days: FREQ=MONTHLY;BYDAY=1TU is the first Tuesday of each month."""
    start: LocalTime
    """The first local time that the rule can bring; its time of day is that of all."""
    length: Duration
    """How long each lasts."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.length == 0:
            raise refuse("E-SPEC-EXCL", "write how long each time lasts: 1h")
        try:
            parse_rule(self.rrule, self.start)
        except ValueError as error:
            raise refuse("E-SPEC-EXCL", str(error)) from None
        return self


class Exclusion(Term):
    """What does not count, who may say so, and what proves it."""

    id: Slug
    """Its name in results."""
    clause: Words
    """The clause that grants it."""
    kind: Literal[
        "maintenance", "customer_fault", "quota", "force_majeure", "beta", "third_party", "suspension", "region",
        "client_deadline", "grounding", "abuse", "dependency", "harness",
    ]  # fmt: skip
    """What sort of exclusion it is."""
    asserted_by: Literal["vendor", "customer", "either"]
    """Who may claim it."""
    effect: Effect
    """drop_records: matching records leave; count_as_up: the time stays and is up; remove_minutes: the time leaves."""
    selector: Conditions | None = None
    """For records: the conditions that all hold. Absent: the exclusion covers windows of time."""
    windows: tuple[Window, ...] = ()
    """For time: the windows that the contract names."""
    recurring: Recurring | None = None
    """For time: windows that come back."""
    notice: Duration | None = None
    """For time: announced at least this long before the start, else contested; of windows that the contract names or that
    come back, only those that are announced are excluded. Absent, and no `claimed_within`: the contract's windows alone."""
    claimed_within: Duration | None = None
    """For time that nobody can announce (force majeure, a suspension): claimed at the latest so long after its end, else
    contested."""
    cap: Annotated[Cap | None, BeforeValidator(_cap)] = None
    """For time: the longest excluded time in a month, quarter or year; absent: no cap."""
    proof: SetOf[Literal["announcement", "request_field", "vendor_letter", "ticket", "document"]]
    """What must be shown, by Facts that name the exclusion; until it is recorded, the exclusion is only proposed."""

    @property
    def scheduled(self) -> bool:
        """Tell whether the contract itself says which times are excluded."""
        return bool(self.windows) or self.recurring is not None

    @model_validator(mode="after")
    def _record_or_window(self) -> Self:
        if self.selector is None and not self.scheduled and self.notice is None and self.claimed_within is None:
            mend = "name a selector (records), or for time a notice, claimed_within, windows or recurring"
            raise refuse("E-SPEC-EXCL", mend)
        if self.selector is not None and (self.scheduled or self.notice is not None or self.claimed_within is not None):
            raise refuse("E-SPEC-EXCL", "name either a selector (records) or windows of time, not both")
        if self.notice is not None and self.claimed_within is not None:
            raise refuse("E-SPEC-EXCL", "name either a notice (told before) or claimed_within (told after)")
        if self.selector is not None and self.effect is not Effect.DROP_RECORDS:
            raise refuse("E-SPEC-EXCL", "an exclusion with a selector can only drop_records")
        if self.selector is not None and self.cap is not None:
            raise refuse("E-SPEC-EXCL", "a cap limits windows of time; an exclusion with a selector has none")
        if self.scheduled and self.claimed_within is not None:
            raise refuse("E-SPEC-EXCL", "windows that the contract names are not claimed; write a notice, or leave it out")
        return self
