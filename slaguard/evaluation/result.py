"""The result of one evaluation, and its one JSON form (`schema: slaguard/evaluation/v1`).

Only this module makes the JSON. Ratios and money are decimal strings: a counted figure exactly where it has a finite
decimal form, else to 12 significant digits; bounds rounded outward, so that a reader never sees a narrower interval than
was computed. Times are RFC 3339 in UTC.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

from slaguard.terms import Reason, Source, Verdict

SCHEMA: Final = "slaguard/evaluation/v1"
METHOD_VERSION: Final = 1
"""Raised with every change that can alter a past verdict (CHANGELOG, *Verdict-affecting*)."""
DIGITS: Final = 12
LEFT_OUT: Final = "W-LEFT-OUT"
"""The code of the warning that many calls of a promise left its count by what became of them."""


def decimal_text(value: Fraction, rounding: str = ROUND_HALF_EVEN) -> str:
    """Return a fraction as decimal text: exact where it is finite within 12 digits, else rounded to 12."""
    context = Context(prec=DIGITS, rounding=rounding)
    number = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return f"{number.normalize():f}" if number else "0"


def rfc3339(ns: int) -> str:
    """Return UTC nanoseconds as RFC 3339 text, with as many fraction digits as it has."""
    seconds, rest = divmod(ns, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0").rstrip(".") + "Z" if rest else f"{text}Z"


def parse_rfc3339(text: str) -> int:
    """Undo `rfc3339` (offsets are accepted; at most nine fraction digits).

    Raises:
        ValueError: not RFC 3339, or without an offset.

    """
    whole, dot, tail = text.partition(".")
    digits = ""
    if dot:
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        whole += tail[len(digits) :]
    moment = datetime.fromisoformat(whole)
    if moment.tzinfo is None or len(digits) > 9:
        msg = f"{text!r} has no offset from UTC"
        raise ValueError(msg)
    return int(moment.timestamp()) * 1_000_000_000 + int(digits.ljust(9, "0") or 0)


def _fraction(value: Any) -> Any:
    return Fraction(value) if isinstance(value, str | int) else value


def _schema(text: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": text})


Exact = Annotated[
    Fraction,
    BeforeValidator(_fraction),
    PlainSerializer(lambda v: decimal_text(v), return_type=str),
    _schema("A decimal number; exact where it is finite, else 12 significant digits."),
]
Low = Annotated[
    Fraction,
    BeforeValidator(_fraction),
    PlainSerializer(lambda v: decimal_text(v, ROUND_FLOOR), return_type=str),
    _schema("A lower bound, rounded down."),
]
High = Annotated[
    Fraction,
    BeforeValidator(_fraction),
    PlainSerializer(lambda v: decimal_text(v, ROUND_CEILING), return_type=str),
    _schema("An upper bound, rounded up."),
]
Time = Annotated[
    int,
    BeforeValidator(lambda v: parse_rfc3339(v) if isinstance(v, str) else v),
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "An instant, RFC 3339 in UTC."}),
]
Amount = Annotated[
    Decimal,
    PlainSerializer(lambda v: f"{v:f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": "An amount in `currency`."}),
]


class Part(BaseModel):
    """A part of the result: immutable, every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)


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
    """Events that were decided: intervals, requests or answers."""
    bad: Exact
    """How many of them went against the promise (intervals: the sum of their lost shares)."""
    allowed: Exact
    """How many may."""
    population: int | None
    """How many events there were in all, where known."""
    noun: Literal["interval", "request", "answer"]


class ExcludedPart(Part):
    """What one exclusion took out."""

    id: str
    clause: str
    state: Literal["accepted", "contested", "rejected"]
    n: int
    """Intervals or records."""
    minutes: Exact
    """Excluded time; 0 for records."""
    windows: tuple[tuple[Time, Time], ...] = ()


class VariantPart(Part):
    """The result with another set of exclusions."""

    verdict: Verdict
    reason: Reason
    value: Exact | None
    n: int
    bad: Exact
    credit: Amount | None = None
    """What this promise alone would pay, before combination and caps; null where it is not priced."""


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
    unit: Literal["ratio", "ms"]
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
    with_contested: VariantPart | None
    """With exclusions in dispute applied too; null where none is."""
    without_exclusions: VariantPart | None
    """With no exclusion applied; null where none took anything out."""
    events: tuple[EventPart, ...]
    next: NextPart
    readings: tuple[Any, ...] = ()
    sources: tuple[SourcePart, ...] = ()
    """Every source that the promise names, in its order; empty in results that were written before it was told."""


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
