"""The Agreement: the promise as data, in its normal form (profiles expanded, shorthands written out).

One set of models serves three ends: what a document may say (field names and types), the JSON Schema that editors use
(every field has a description), and the object that the rest of slaguard reads. Nothing that decides a verdict, an
amount or a date has a default here; where a field may be absent, its absence means something and is described.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from slaguard.spec.amendments import Amendment
from slaguard.spec.calendar import CalendarName, DayNumber, MonthLength, Period, PeriodUnit, ServiceHours
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
from slaguard.spec.filters import ENTITLEMENT, Eligible, Entitlement
from slaguard.spec.indicators import (
    BinRule,
    Decision,
    DualThreshold,
    ErrorRateRuns,
    Grades,
    Indicator,
    LatencyField,
    MeanOfIntervals,
    Percentile,
    Ratio,
    RequestAttainment,
    SampleProportion,
    unit_of,
)
from slaguard.spec.readings import Readings, Settled
from slaguard.spec.remedies import NoRemedy, Remedy
from slaguard.spec.rights import Chronic, CreditCap, EarnBack, PointsTable
from slaguard.spec.scalars import Amount, Day, Flag, Natural, Quantity, Share, Slug, Whole, Words, Zone, refuse
from slaguard.terms import Bound, Source

__all__ = [
    "ATTRIBUTES", "FIELDS", "Agreement", "BinRule", "Cap", "Claim", "Clause", "Combine", "Conditions", "Contract", "CreditCap",
    "Deadline", "Decision", "DualThreshold", "Effect", "ErrorRateRuns", "Exclusion", "Fee", "FieldKind", "GoldenSetRef",
    "Grades", "Indicator", "LatencyField", "Limits", "Listed", "Margin", "MeanOfIntervals", "Objective", "Outcomes",
    "Percentile", "PeriodUnit", "Predicate", "PredicateForm", "Ratio", "RequestAttainment", "SampleProportion",
    "Service", "SetOf", "Step", "Term",
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


class Fee(Term):
    """What credits are shares of."""

    amount: Amount
    """The fee before any credit."""
    per: PeriodUnit
    """The period the fee is paid for."""
    minimum_payout: Amount | None = None
    """A credit is paid only when it is more than this; absent: every credit is paid."""
    base: Literal["agreement", "service", "region", "unit_purchase", "cash_paid", "affected_users"] | None = None
    """What a share is a share of: the whole fee, the affected service's or region's, the price of the units bought, what was
    paid in cash (a Fact), or the affected users' part of the fee (a Fact); absent: the whole fee."""
    amounts: Annotated[dict[Words, Amount] | None, AfterValidator(lambda v: dict(sorted(v.items())) if v else v)] = None
    """The part of the fee of each service or region, for a base that asks for it."""
    divided: Literal["equally"] | None = None
    """equally: a fee for a longer time is divided into equal parts, a year's into twelve months; absent: it is not divided."""
    rounding: Literal["half_up", "half_even", "up", "down"] | None = None
    """How a credit is rounded to the currency's smallest unit; absent: half up."""


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


def _nothing(remedy: Any) -> Any:  # `remedy: {kind: none}` is how a document says that there is none
    return None if isinstance(remedy, NoRemedy) else remedy


class Objective(Term):
    """One promise."""

    name: Slug
    """Its name in results."""
    clause: Annotated[Clause, BeforeValidator(lambda v: {"where": v} if isinstance(v, str) else v)]
    """Where it stands in the contract."""
    service: SetOf[Slug] | None = None
    """The services it is about, each a result of its own; absent: everything."""
    eligible: Eligible | None = None
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
    average_with_previous: Natural | None = None
    """The figure is the mean of the period's own and that of so many periods before; absent: the period's own."""
    golden_set: Annotated[GoldenSetRef | None, BeforeValidator(lambda v: {"id": v} if isinstance(v, str) else v)] = None
    """The agreed questions, for accuracy."""
    scorer: Words | None = None
    """The scorer and version whose grades count; absent: the golden set's own, or any by the named grading."""
    decision: Decision
    """How it is decided."""
    pairs_with: Slug | None = None
    """For a ceiling on unsupported answers: the promise on refusals beside it; what is not answered cannot be wrong."""
    at_least: Quantity | None = None
    """The promise: the measured figure is at least this."""
    at_most: Quantity | None = None
    """The promise: the measured figure is at most this."""
    more_than: Quantity | None = None
    """The promise: the measured figure is more than this."""
    less_than: Quantity | None = None
    """The promise: the measured figure is less than this."""
    credits: Annotated[tuple[Step, ...], BeforeValidator(_ladder)] = ()
    """The ladder of credits; empty: the promise pays nothing (target only), or what `remedy` says."""
    remedy: Annotated[Remedy | None, AfterValidator(_nothing)] = None
    """What the promise is worth, where a ladder does not say it; absent: see `credits`."""
    event: Slug | None = None
    """Its kind of event: promises with the same word are broken by one event, and pay once; absent: an event of its own."""
    readings: Readings = ()
    """The ways the clause can be read, where it can be read in several; absent: as written here."""
    settled: Listed[Settled] = ()
    """Which readings are agreed to be right."""

    @property
    def conditions(self) -> dict[str, PredicateForm]:
        """The conditions on single records among those of `eligible`."""
        return {field: term for field, term in (self.eligible or {}).items() if isinstance(term, PredicateForm)}

    @property
    def entitlement(self) -> Entitlement | None:
        """The entitlement among the conditions of `eligible`."""
        term = (self.eligible or {}).get(ENTITLEMENT)
        return term if isinstance(term, Entitlement) else None

    @property
    def bound(self) -> Bound:
        """The promise as a bound; of two tests, on the smaller of their margins."""
        if isinstance(self.indicator, DualThreshold):
            return Bound(self.indicator.word, self.target.value)
        return one_bound(self)

    @property
    def target(self) -> Quantity:
        """The promise's limit as written; no margin of two tests is below zero."""
        return Quantity(Fraction(0), "ratio") if isinstance(self.indicator, DualThreshold) else written_limit(self)

    @property
    def priced(self) -> Bound:
        """The bound that the credits begin at; of two tests, the higher of the shares that the clause prices by."""
        rule = self.indicator
        return rule.priced_share.bound if isinstance(rule, DualThreshold) else self.bound

    @property
    def priced_from(self) -> Quantity:
        """The limit that the credits begin at, as written."""
        rule = self.indicator
        return written_limit(rule.priced_share) if isinstance(rule, DualThreshold) else self.target

    @property
    def is_priced(self) -> bool:
        """Tell whether a breach is worth anything: money, or something in kind."""
        return bool(self.credits) or self.remedy is not None

    @property
    def unit(self) -> str:
        """The unit of the measured figure and its target: ``ratio``, ``ms``, or ``count`` for tokens a second."""
        return unit_of(self.indicator)


# ── money and dates ─────────────────────────────────────────────────────────────────────────────────────────────────
class Combine(Term):
    """How several broken promises pay together."""

    within_event: Literal["highest_only"]
    """One event pays once: the highest."""
    across_objectives: Literal["greater_of", "sum_to_cap", "customer_elects"]
    """The larger credit alone, the sum up to the caps, or the one that the customer chooses (a Fact)."""
    events: Literal["overlap"] | None = None
    """overlap: promises whose outages overlap in time are broken by one event; absent: those with the same word in `event`."""


def _combine(value: Any) -> Any:  # `greater_of` says how Objectives pay together; one event always pays once
    return {"within_event": "highest_only", "across_objectives": value} if isinstance(value, str) else value


class Margin(Term):
    """Time kept in hand before a deadline."""

    n: Whole
    """How many."""
    unit: Literal["days", "business_days"]
    """business_days: those of the deadline's calendar, Monday to Friday without one."""


class Deadline(Term):
    """Until when something must be done."""

    type: Literal["notify", "claim", "ticket", "dispute", "terminate"]
    """What must be done."""
    n: Whole
    """How many units after the anchor."""
    unit: Literal["hours", "days", "business_days", "months", "billing_cycles"]
    """hours are exact; days and months are calendar days and months in the zone; business_days leave weekends and the
    holidays of `calendar` out; billing_cycles end with the last day of the n-th cycle after the one that holds the anchor."""
    anchor: Literal[
        "incident_start", "incident_end", "awareness", "eligibility", "period_end", "incident_month_end", "billing_month_end",
        "invoice_date", "nth_failed_period_end", "notice_sent", "vendor_report",
    ]  # fmt: skip
    """What the time is counted from. Incidents are recorded ones, else the downtime that was found; eligibility is read
    in both ways, the end of a downtime and the end of the period, and the earlier decides."""
    time_zone: Zone
    """The zone in which the day ends."""
    calendar: CalendarName | None = None
    """The holidays that are no business days; needed for business_days and for `roll`."""
    roll: Literal["none", "next_business_day", "previous"] | None = None
    """A last day that is no business day moves to the next one, or back to the one before; absent or none: it stays."""
    start_day: DayNumber | None = None
    """The day on which a billing cycle begins; absent: that of the Agreement's own billing cycle."""
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
    period: Period
    """What each promise is judged over: a calendar period, or a fiscal period, a billing cycle or a rolling window."""
    first_period: Literal["partial", "skip", "merge_with_next"] | None = None
    """A period that begins before the Agreement: judged as far as it is in force, not judged, or judged with the next.
    Absent: as far as it is in force."""
    last_period: Literal["partial", "skip", "merge_with_previous"] | None = None
    """A period that ends after the Agreement, in the same way."""
    service_hours: ServiceHours | None = None
    """The time in which the promises hold; absent: always."""
    month_length: MonthLength | None = None
    """actual or absent: a month is as long as it is. 30d or 30.41d, only where the clause says so: it counts as so long."""
    amendments: tuple[Amendment, ...] = ()
    """Changes of terms, in the order in which they take effect; each period is judged under the version valid in it."""
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
    points_table: PointsTable | None = None
    """What points are worth; needed where a promise pays points."""
    earn_back: Listed[EarnBack] = ()
    """When the vendor takes earlier credits back."""
    chronic: tuple[Chronic, ...] = ()
    """Rights that arise from several bad periods."""
    claim: Claim | None = None
    """How, and until when, a credit is claimed; absent: no deadline is known."""
