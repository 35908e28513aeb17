"""What counts: how each outcome is counted, and what is excluded, by record or by window of time."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, model_validator

from slaguard.spec.conditions import Conditions, SetOf, Term
from slaguard.spec.scalars import Duration, Slug, Words, refuse
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
    """At most this much excluded time in a calendar month; what exceeds it counts normally, in time order."""

    length: Duration
    """The longest excluded time."""
    per: Literal["month"]
    """The calendar month, in the Agreement's zone."""


def _cap(value: Any) -> Any:
    return {"length": value, "per": "month"} if isinstance(value, str) else value


class Exclusion(Term):
    """What does not count, who may say so, and what proves it."""

    id: Slug
    """Its name in results."""
    clause: Words
    """The clause that grants it."""
    kind: Literal[
        "maintenance", "customer_fault", "quota", "force_majeure", "beta", "third_party", "client_deadline",
        "grounding", "harness",
    ]  # fmt: skip
    """What sort of exclusion it is."""
    asserted_by: Literal["vendor", "customer", "either"]
    """Who may claim it."""
    effect: Effect
    """drop_records: matching records leave; count_as_up: the time stays and is up; remove_minutes: the time leaves."""
    selector: Conditions | None = None
    """For records: the conditions that all hold. Absent: the exclusion covers announced windows of time."""
    notice: Duration | None = None
    """For windows: announced at least this long before the start, else contested."""
    cap: Annotated[Cap | None, BeforeValidator(_cap)] = None
    """For windows: the longest excluded time in a month; absent: no cap."""
    proof: SetOf[Literal["announcement", "request_field", "vendor_letter"]]
    """What must be shown."""

    @model_validator(mode="after")
    def _record_or_window(self) -> Self:
        if (self.selector is None) == (self.notice is None):
            raise refuse("E-SPEC-EXCL", "name either a selector (records) or a notice (announced windows)")
        if self.selector is not None and self.effect is not Effect.DROP_RECORDS:
            raise refuse("E-SPEC-EXCL", "an exclusion with a selector can only drop_records")
        if self.selector is not None and self.cap is not None:
            raise refuse("E-SPEC-EXCL", "a cap limits windows of time; an exclusion with a selector has none")
        return self
