"""The Agreement: the promise as data, in its normal form (profiles expanded, shorthands written out).

One set of models serves three ends: what a document may say (field names and types), the JSON Schema that editors use
(every field has a description), and the object that the rest of slaguard reads. Nothing that decides a verdict, an
amount or a date has a default here; where a field may be absent, its absence means something and is described.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from slaguard.spec.conditions import (
    ATTRIBUTES,
    FIELDS,
    Conditions,
    FieldKind,
    Limits,
    Listed,
    Predicate,
    PredicateForm,
    SetOf,
    Term,
    one_bound,
    written_limit,
)
from slaguard.spec.counting import Cap, Effect, Exclusion, Outcomes
from slaguard.spec.indicators import (
    BinRule,
    Decision,
    ErrorRateRuns,
    Grades,
    Indicator,
    LatencyField,
    MeanOfIntervals,
    Percentile,
    Ratio,
    RequestAttainment,
    SampleProportion,
)
from slaguard.spec.scalars import Amount, Day, Flag, Percent, Quantity, Share, Slug, Whole, Words, Zone, refuse
from slaguard.terms import Bound, Source

__all__ = [
    "ATTRIBUTES", "FIELDS", "Agreement", "BinRule", "Cap", "Claim", "Clause", "Combine", "Conditions", "Contract", "CreditCap",
    "Deadline", "Decision", "Effect", "ErrorRateRuns", "Exclusion", "Fee", "FieldKind", "GoldenSetRef", "Grades", "Indicator",
    "LatencyField", "Limits", "Listed", "Margin", "MeanOfIntervals", "Objective", "Outcomes", "Percentile", "PeriodUnit",
    "Predicate", "PredicateForm", "Ratio", "RequestAttainment", "SampleProportion", "Service", "SetOf", "Step", "Term",
    "one_bound", "written_limit",
]  # fmt: skip


def _in_order(terms: tuple[Term, ...]) -> tuple[Term, ...]:
    return tuple(sorted(terms, key=lambda term: term.model_dump_json()))


# ── who and when ────────────────────────────────────────────────────────────────────────────────────────────────────
class Contract(Term):
    """The paper this Agreement stands for."""

    id: Words
    """The contract's number or name."""
    basis: Words | None = None
    """negotiated, or the vendor's published terms."""


class Clause(Term):
    """Where a promise stands in the contract, and its words."""

    where: Words
    """The place: document, section, page."""
    words: Words | None = None
    """The clause as quoted."""


class PeriodUnit(StrEnum):
    """Calendar periods, in the Agreement's time zone."""

    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


class Fee(Term):
    """What credits are shares of."""

    amount: Amount
    """The fee before any credit."""
    per: PeriodUnit
    """The period the fee is paid for."""
    minimum_payout: Amount | None = None
    """A credit is paid only when it is more than this; absent: every credit is paid."""


class Service(Term):
    """A part of the traffic that a promise is about; an Objective without a service covers all of it (scope `all`)."""

    id: Slug
    """The name Objectives use, and the scope shown in results."""
    models: SetOf[Words] | None = None
    """Models as requested; absent: any."""
    regions: SetOf[Words] | None = None
    """Regions; absent: any."""
    where: Conditions | None = None
    """Further conditions on a record's fields."""


# ── one promise ─────────────────────────────────────────────────────────────────────────────────────────────────────
class GoldenSetRef(Term):
    """The agreed questions."""

    id: Words
    """`name@version`."""
    sha256: Words | None = None
    """The pinned content; absent: not pinned (a warning)."""


def _ladder(value: Any) -> Any:  # the ladder is written as a map: `below 99.5%: 10%`
    if isinstance(value, dict):
        return [{"step": step, "credit": credit} for step, credit in value.items()]
    return value


_STEP = re.compile(r"(?:below|above) (\S+)\Z")


class Step(Term):
    """One row of the credit ladder."""

    edge: Quantity
    """The step reaches from here to the next edge, on the bad side."""
    credit: Share
    """The share of the fee."""

    @model_validator(mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        if not isinstance(value, dict) or "step" not in value:
            return value
        found = _STEP.match(value["step"])
        if found is None:
            raise refuse("E-SPEC-SCHEMA", "write a step as `below 99.5%: 10%` (a floor) or `above 2s: 5%` (a ceiling)")
        return {"edge": found[1], "credit": value["credit"]}


class Objective(Term):
    """One promise."""

    name: Slug
    """Its name in results."""
    clause: Annotated[Clause, BeforeValidator(lambda v: {"where": v} if isinstance(v, str) else v)]
    """Where it stands in the contract."""
    service: SetOf[Slug] | None = None
    """The services it is about, each a result of its own; absent: everything."""
    eligible: Conditions | None = None
    """Conditions a record must meet to count."""
    outcomes: Outcomes
    """Which answers count as failures."""
    exclusions: tuple[Exclusion, ...] = ()
    """What does not count."""
    source: Listed[Source]
    """Evidence in order of preference: the first whose coverage reaches `min_coverage`, never mixed."""
    min_coverage: Share
    """The least share of the period that must have been watched."""
    indicator: Indicator
    """How the number is formed."""
    golden_set: Annotated[GoldenSetRef | None, BeforeValidator(lambda v: {"id": v} if isinstance(v, str) else v)] = None
    """The agreed questions, for accuracy."""
    scorer: Words | None = None
    """The scorer and version whose grades count; absent: the golden set's own, or any by the named grading."""
    decision: Decision
    """How it is decided."""
    at_least: Quantity | None = None
    """The promise: the measured figure is at least this."""
    at_most: Quantity | None = None
    """The promise: the measured figure is at most this."""
    more_than: Quantity | None = None
    """The promise: the measured figure is more than this."""
    less_than: Quantity | None = None
    """The promise: the measured figure is less than this."""
    credits: Annotated[tuple[Step, ...], BeforeValidator(_ladder)] = ()
    """The ladder of credits; empty: the promise pays nothing (target only)."""

    @property
    def bound(self) -> Bound:
        """The promise as a bound."""
        return one_bound(self)

    @property
    def target(self) -> Quantity:
        """The promise's limit as written."""
        return written_limit(self)

    @property
    def unit(self) -> str:
        """The unit of the measured figure: ``ratio`` or ``ms``."""
        return "ms" if isinstance(self.indicator, Percentile) else "ratio"


# ── money and dates ─────────────────────────────────────────────────────────────────────────────────────────────────
class Combine(Term):
    """How several broken promises pay together."""

    within_event: Literal["highest_only"]
    """One event pays once: the highest."""
    across_objectives: Literal["greater_of", "sum_to_cap"]
    """The larger credit alone, or the sum up to the caps."""


def _combine(value: Any) -> Any:  # `greater_of` says how Objectives pay together; one event always pays once
    return {"within_event": "highest_only", "across_objectives": value} if isinstance(value, str) else value


class CreditCap(Term):
    """The most that is paid in one period."""

    value: Percent | None = None
    """As a share of the fee of the period."""
    amount: Amount | None = None
    """As an amount."""
    per: PeriodUnit
    """The Agreement's own period."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.value is None) == (self.amount is None):
            raise refuse("E-SPEC-CAP", "write exactly one of value (a share of the fee) and amount")
        return self


class Margin(Term):
    """Time kept in hand before a deadline."""

    n: Whole
    """How many."""
    unit: Literal["days", "business_days"]
    """business_days: Monday to Friday."""


class Deadline(Term):
    """Until when something must be done."""

    type: Literal["notify", "claim", "ticket", "dispute"]
    """What must be done."""
    n: Whole
    """How many units after the anchor."""
    unit: Literal["hours", "days", "months"]
    """hours are exact; days and months are calendar days and months in the zone."""
    anchor: Literal["period_end", "invoice_date", "awareness", "notice_sent"]
    """What the time is counted from; all but period_end need a recorded Fact."""
    time_zone: Zone
    """The zone in which the day ends."""
    margin: Margin
    """Act this much earlier."""


class Claim(Term):
    """How, and until when, a credit is claimed."""

    deadlines: Annotated[tuple[Deadline, ...], Field(min_length=1), AfterValidator(_in_order)]
    """Every deadline; the earliest decides."""
    channel: Words
    """How a claim is made."""
    forfeits: Flag
    """Whether a late claim is lost."""


class Agreement(Term):
    """One SLA between a vendor and a customer, in its normal form."""

    apiVersion: Literal["slaguard/v1"]  # noqa: N815 - the one key of the notation that is not snake_case
    """The notation's version."""
    kind: Literal["Agreement"]
    """Always Agreement."""
    name: Slug
    """Its name in results."""
    version: Whole
    """Raised by one with every change."""
    status: Literal["draft", "signed"] = "draft"
    """signed: warnings about pins become errors."""
    owner: Words | None = None
    """Who looks after it."""
    vendor: Words
    """The party that promises."""
    customer: Words
    """The party that pays."""
    contract: Annotated[Contract, BeforeValidator(lambda v: {"id": v} if isinstance(v, str) else v)]
    """The paper."""
    effective: Day
    """The first day it is in force."""
    expires: Day | None = None
    """The last day it is in force; absent: open-ended."""
    time_zone: Zone
    """The contract's clock."""
    period: PeriodUnit
    """The calendar period each promise is judged over."""
    fee: Fee | None = None
    """What credits are shares of; absent: no promise is priced."""
    tags: SetOf[Words] = ()
    """Labels for reports, never thresholds."""
    services: Annotated[tuple[Service, ...], AfterValidator(_in_order)] = ()
    """Named parts of the traffic."""
    objectives: Annotated[tuple[Objective, ...], Field(min_length=1)]
    """The promises."""
    combine: Annotated[Combine | None, BeforeValidator(_combine)] = None
    """How several broken promises pay; needed when more than one is priced."""
    caps: Annotated[tuple[CreditCap, ...], AfterValidator(_in_order)] = ()
    """The most that is paid."""
    claim: Claim | None = None
    """How, and until when, a credit is claimed; absent: no deadline is known."""
