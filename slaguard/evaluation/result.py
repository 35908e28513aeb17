"""The result of one evaluation, and its one JSON form (`schema: slaguard/evaluation/v1`).

Only this module makes the JSON. Ratios and money are decimal strings: a counted figure exactly where it has a finite
decimal form, else to 12 significant digits; bounds rounded outward, so that a reader never sees a narrower interval than
was computed. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final, Literal

from pydantic import Field

from slaguard.evaluation.parts import Amount, Exact, High, Low, Part, Time
from slaguard.terms import Reason, Source, Verdict

SCHEMA: Final = "slaguard/evaluation/v1"
METHOD_VERSION: Final = 1
"""Raised with every change that can alter a past verdict (CHANGELOG, *Verdict-affecting*)."""
LEFT_OUT: Final = "W-LEFT-OUT"
"""The code of the warning that many calls of a promise left its count by what became of them."""


class AgreementPart(Part):
    """Which Agreement was evaluated."""

    name: str
    version: int
    sha256: str
    """Over the normal form."""
    vendor: str
    customer: str
    contract: str


class PeriodPart(Part):
    """The period, half-open."""

    label: str
    start: Time
    end: Time
    time_zone: str
    closed: bool
    """Whether the period had ended at `as_of`."""
    own: bool
    """Whether it is one of the Agreement's own periods; only those make a claim."""


class Inputs(Part):
    """What the result depends on: equal inputs give equal bytes."""

    spec_sha256: str
    evidence_sha256: str
    analysis_sha256: str
    tzdata: str
    method_version: int
    history_sha256: str | None = Field(default=None, exclude_if=lambda v: v is None)
    """Over what earlier results were made from, where the Agreement looks back; absent: none was looked at."""
    holidays: str | None = Field(default=None, exclude_if=lambda v: v is None)
    """The version of the holiday calendars in use; absent: none is used."""


class TargetPart(Part):
    """The promise."""

    word: Literal["at_least", "at_most", "more_than", "less_than"]
    limit: str
    """As written: 99.5% or 2s."""


class Estimate(Part):
    """The measured figure, in the Objective's unit, and how sure it is."""

    value: Exact | None
    """The figure over what was seen; null where nothing counts."""
    low: Low | None
    """With what is unknown or not sampled at its lowest."""
    high: High | None
    """With what is unknown or not sampled at its highest; null beside a `low`: it lies among requests without an answer."""
    confidence: Exact | None
    """Of a sample: one-sided, for each bound; null for a count."""
    method: Literal["count", "clopper-pearson", "hypergeometric", "none"]
    n: int
    """Events that were decided: intervals, requests or answers; minutes where outages are stated."""
    bad: Exact
    """How many of them went against the promise (intervals: the sum of their lost shares)."""
    allowed: Exact
    """How many may."""
    population: int | None
    """How many events there were in all, where known."""
    noun: Literal["interval", "request", "answer", "minute", "unit"]


class TestPart(Part):
    """One of two tests over intervals: how many of them keep an error rate."""

    error_rate: TargetPart
    """The error rate that a good interval keeps."""
    share: TargetPart
    """How many of the intervals must be good."""
    value: Exact | None
    """The share of good intervals over what was seen; null where nothing counts."""
    low: Low | None
    """With what was not watched bad."""
    high: High | None
    """With what was not watched good."""
    bad: Exact
    """How many intervals miss the error rate."""
    allowed: Exact
    """How many may."""


class ExcludedPart(Part):
    """What one exclusion took out."""

    id: str
    clause: str
    state: Literal["accepted", "contested", "rejected", "proposed"]
    """accepted: applied; contested: in dispute, not applied; proposed: what must be shown is not recorded, not applied."""
    n: int
    """Intervals or records."""
    minutes: Exact
    """Excluded time; 0 for records."""
    windows: tuple[tuple[Time, Time], ...] = ()
    also: int = Field(default=0, exclude_if=lambda v: v == 0)
    """Records that it matches too, and that are counted under another exclusion. Absent: none."""


class FilteredPart(Part):
    """What one filter over single records took out before anything was counted."""

    filter: Literal["entitlement", "backoff", "repeats"]
    """entitlement: past the agreed tokens; backoff: asked again too early; repeats: errors that repeat a counted one."""
    n: int
    """Records."""


class VariantPart(Part):
    """The result with another set of exclusions."""

    verdict: Verdict
    reason: Reason
    value: Exact | None
    n: int
    bad: Exact
    credit: Amount | None = None
    """What this promise alone would pay, before combination and caps; null where it is not priced."""


class AlonePart(Part):
    """The result with one of several exclusions in dispute accepted, and the others not."""

    id: str
    """The exclusion."""
    result: VariantPart


class EventPart(Part):
    """A stretch of time: down, excluded, or not watched."""

    kind: Literal["down", "excluded", "unobserved"]
    start: Time
    end: Time
    lost: Exact
    """Down: how many intervals' worth of good answers it cost."""


class NextPart(Part):
    """What would decide."""

    n_needed: int | None
    """How many more decided events would decide at the present rate; null: no number would."""


class SourcePart(Part):
    """What one of the sources that a promise names comes to. One of them decides; they are never mixed."""

    source: Source
    used: bool
    """Whether the figure is made from it."""
    coverage: Exact
    """The share of the period so far that it watched."""
    n: int
    """Events that it decides: intervals, requests or answers."""
    bad: Exact
    """How many of them went against the promise."""
    calls: int
    """Its calls in scope, whatever became of them; of probes those that were planned."""
    unmeasured: int
    """How many of the calls say nothing of the vendor: not sent, or our own failure."""
    verdict: Verdict | None = None
    """What it says by itself, with the accepted exclusions; null in results that were written before it was told."""


class ReadingPart(Part):
    """The result under one reading of the clause, or one combination of readings."""

    id: str
    """The names of the readings, joined by a plus sign."""
    set: dict[str, Any]
    """Terms that are otherwise under it, by path, as written."""
    unset: tuple[str, ...] = Field(default=(), exclude_if=lambda v: not v)
    """Terms that are not there under it."""
    basis: str | None
    """What allows it."""
    verdict: Verdict
    reason: Reason
    sentence: str
    estimate: Estimate
    credit: Amount | None
    """What this promise alone would pay under it, before combination and caps; null where it is not priced."""


class ObjectiveResult(Part):
    """One promise in one scope."""

    name: str
    scope: str
    indicator: str
    clause: str
    clause_words: str | None
    verdict: Verdict
    provisional: bool
    """Whether this verdict may still change."""
    reason: Reason
    sentence: str
    """The reason with its numbers."""
    target: TargetPart
    tests: tuple[TestPart, ...] = Field(default=(), exclude_if=lambda v: not v)
    """A promise of two tests: each of them; the estimate is the smaller margin, a share less its target."""
    unit: Literal["ratio", "ms", "tok/s"]
    estimate: Estimate
    source: Source
    """Which of the sources decided."""
    design: Literal["census", "sample"]
    grading: Literal["none", "rule", "judge", "human"]
    coverage: Exact
    """The share of the period so far that was watched."""
    min_coverage: Exact
    unknown: int
    """Intervals not watched, or answers not graded."""
    dropped: int
    """Records that leave the count by their outcome."""
    unmeasured: int
    """Records that say nothing of the vendor: our own failure."""
    excluded: tuple[ExcludedPart, ...]
    filtered: tuple[FilteredPart, ...] = Field(default=(), exclude_if=lambda v: not v)
    """What the promise's filters took out, in the order in which they act. Absent: it has none."""
    undefined: int = Field(default=0, exclude_if=lambda v: not v)
    """Rules over speed: answers that took no time, so that they have none (TPS_UNDEFINED); they leave the count."""
    with_contested: VariantPart | None
    """With exclusions in dispute applied too; null where none is."""
    contested: tuple[AlonePart, ...] = Field(default=(), exclude_if=lambda v: not v)
    """With each exclusion in dispute by itself, where several are. Absent: one is, or none."""
    without_exclusions: VariantPart | None
    """With no exclusion applied; null where none took anything out."""
    events: tuple[EventPart, ...]
    next: NextPart
    readings: tuple[ReadingPart, ...] = ()
    """Under each reading of the clause that is open, in the order written; empty where none is."""
    reading: str | None = Field(default=None, exclude_if=lambda v: v is None)
    """Under which of them the figures here are: the one that owes least. Absent where none is open."""
    sources: tuple[SourcePart, ...] = ()
    """Every source that the promise names, in its order; empty in results that were written before it was told."""


class OptionPart(Part):
    """One of the remedies between which the customer chooses."""

    name: str
    """What an election calls it."""
    amount: Amount | None
    """What it pays; null: it is no money."""
    sentence: str
    elected: bool
    """Whether the customer's choice is recorded."""


class CreditLinePart(Part):
    """One priced promise."""

    objective: str
    scope: str
    step: str | None
    """The step of the ladder, as written."""
    percent: Exact | None
    """The share of the fee."""
    alone: Amount | None = None
    """What the promise would pay by itself."""
    amount: Amount
    """Its part of the total."""
    counts: bool
    """Whether it is part of the total; the sentence says why."""
    sentence: str
    remedy: str | None = Field(default=None, exclude_if=lambda v: v is None)
    """The kind of remedy; absent: a ladder of credits."""
    at_most: Amount | None = Field(default=None, exclude_if=lambda v: v is None)
    """What it may be worth alone where the contract leaves that open; absent: what `alone` says."""
    qualifier: Literal["TIER_GAP", "TIER_OVERLAP"] | None = Field(default=None, exclude_if=lambda v: v is None)
    """The figure lies where no row of the table, or more than one, holds it; absent: in one row."""
    points: int | None = Field(default=None, exclude_if=lambda v: v is None)
    """Points, which are priced together in a line of their own; absent: none."""
    options: tuple[OptionPart, ...] = Field(default=(), exclude_if=lambda v: not v)
    """What the customer can choose between; absent: nothing."""


class EarnBackPart(Part):
    """Earlier credits that the vendor may take back."""

    objective: str
    amount: Amount
    """At most what was credited."""
    sentence: str


class InKindPart(Part):
    """What is owed that is not money."""

    objective: str
    scope: str
    days: int
    """By so many days the term becomes longer, for certain."""
    at_most: int
    """By so many at the far end of what is not known."""
    sentence: str


class RightPart(Part):
    """A right that arises from several periods: terminating, stepping in."""

    id: str
    clause: str
    right: str
    state: Literal["arisen", "lapsed", "not_arisen", "open"]
    """open: it hangs on how undecided periods count."""
    sentence: str
    bad: int
    """How many bad periods count towards it, undecided ones as the contract says."""
    needed: int
    """How many give the right."""
    if_undecided_break: bool
    """Whether it has arisen if undecided periods count as not bad."""
    if_undecided_are_skipped: bool
    """Whether it has arisen if undecided periods are passed over."""
    periods: tuple[str, ...]
    """The bad periods, by their labels."""
    due: Time | None
    """The right must be used before this instant; null: no limit is agreed, or it has not arisen."""
    local: str | None
    refund: Amount | None
    """What is paid back; null: nothing is agreed, or it is not known."""
    refund_sentence: str | None
    cure: str | None
    """How long the vendor has to mend it after notice."""


class CreditsPart(Part):
    """What is owed."""

    currency: str
    fee: Amount
    """The fee of the period, the base."""
    claimable: Amount
    """What the claim asks for."""
    point: Amount
    """At the measured figure."""
    upper: Amount
    """At the far bound."""
    cap_applied: bool
    lines: tuple[CreditLinePart, ...]
    missing: tuple[str, ...] = Field(default=(), exclude_if=lambda v: not v)
    """What the amounts depend on and nobody recorded; absent: nothing."""
    earned_back: tuple[EarnBackPart, ...] = Field(default=(), exclude_if=lambda v: not v)
    """What the vendor may take back of earlier credits; it is not taken off the amounts here. Absent: nothing."""


class DeadlinePart(Part):
    """Until when something must be done."""

    type: str
    due: Time | None
    """The last instant is the one before: acting at `due` is late. Null: the anchor is not known."""
    act_by: Time | None
    """With the safety margin."""
    local: str | None
    """In the zone of the deadline: Mon 2026-11-30, 24:00 Europe/Berlin."""
    act_by_local: str | None = None
    earliest: Time | None = None
    """Where the anchor is not known: the earliest the deadline can fall on."""
    days_left: int | None = None
    """Midnights between the local day of `as_of` and the last day to act; negative once it has passed."""
    anchor: str
    reason: str | None
    """What the date rests on, or what must be recorded first."""


class WarningPart(Part):
    """What a reader should know before relying on the result."""

    code: str
    path: str
    text: str


class Evaluation(Part):
    """All results of one Agreement for one period."""

    schema_: Literal["slaguard/evaluation/v1"] = "slaguard/evaluation/v1"
    agreement: AgreementPart
    period: PeriodPart
    as_of: Time
    inputs: Inputs
    objectives: tuple[ObjectiveResult, ...]
    credits: CreditsPart | None
    deadlines: tuple[DeadlinePart, ...]
    warnings: tuple[WarningPart, ...]
    in_kind: tuple[InKindPart, ...] = Field(default=(), exclude_if=lambda v: not v)
    """What is owed that is not money; absent: nothing."""
    rights: tuple[RightPart, ...] = Field(default=(), exclude_if=lambda v: not v)
    """Rights that the Agreement gives after several bad periods; absent: it gives none."""

    def to_json(self) -> str:
        """Return the JSON text: same result, same bytes."""
        body = self.model_dump(mode="json")
        return json.dumps({"schema": body.pop("schema_"), **body}, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Evaluation:
        """Read what `to_json` wrote.

        Raises:
            ValueError: not this schema.

        """
        body = json.loads(text)
        body["schema_"] = body.pop("schema", None)
        return cls.model_validate(body)

    @property
    def breached(self) -> tuple[ObjectiveResult, ...]:
        """The promises that are broken for certain."""
        return tuple(o for o in self.objectives if o.verdict is Verdict.BREACH)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the JSON form."""
    schema = Evaluation.model_json_schema(mode="serialization")
    schema["properties"] = {"schema": schema["properties"].pop("schema_"), **schema["properties"]}
    schema["required"] = ["schema", *(k for k in schema.get("required", []) if k != "schema_")]
    return schema


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
