"""The breach record: one flat row per promise, scope and period, for contract-management tools (`contracts.md` §10).

As JSON it is an object whose schema ships (`sla_specs/breach.schema.json`), as CSV a row of the same fields in the same
order.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

import rfc8785
from pydantic import Field

from slaguard.evaluation.parts import Amount, Exact, High, Low, Part, Time
from slaguard.evaluation.result import Evaluation, ObjectiveResult, TargetPart
from slaguard.terms import Reason, Verdict

ACTED_ON: Final = frozenset("=+-@\t\0\r\n＝＋－＠")  # noqa: RUF001 - the wide forms start a formula too
"""A cell of text that starts with one of these makes a spreadsheet compute (`evidence.md` §11)."""
FORFEITING: Final = frozenset({"notify", "ticket", "claim"})
"""The types of deadline that a claim depends on; disputing an answer to it comes later."""
_TEXTS: Final = frozenset(
    {
        "agreement",
        "vendor",
        "contract_id",
        "clause",
        "objective",
        "scope",
        "reading",
        "period",
        "target",
        "sentence",
        "second_target",
    }
)


class BreachRecord(Part):
    """One result in the form other tools take; `external_id` stays the same however often it is exported."""

    external_id: str
    """SHA-256 over (agreement, objective, scope, period): a second export updates the first."""
    agreement: str
    vendor: str
    contract_id: str
    clause: str
    objective: str
    scope: str
    reading: str
    """Which reading of the clause; ``combined`` where the clause has one."""
    period: str
    start: Time
    end: Time
    target: str
    """The bound as written: ``at_least 99.5%``."""
    unit: str
    measured: Exact | None
    low: Low | None
    high: High | None
    verdict: Verdict
    provisional: bool
    reason: Reason
    sentence: str
    credit: Amount | None
    """This promise's part of the claimable credit; null where it is not priced."""
    currency: str | None
    deadline: Time | None
    """Until when the claim must be made, past or not: acting at this instant is late. Null: its anchor is not recorded."""
    evidence_sha256: str
    credit_at_most: Amount | None = Field(default=None, exclude_if=lambda v: v is None)
    """What this promise alone may be worth where the contract leaves it open; absent: nothing is open."""
    in_kind_days: int | None = Field(default=None, exclude_if=lambda v: v is None)
    """By so many days the term becomes longer; absent: nothing is owed in kind."""
    second_target: str | None = Field(default=None, exclude_if=lambda v: v is None)
    """Of a promise of two tests (`dual_threshold`) the second share's bound; the fields above are then the first one's."""
    second_measured: Exact | None = Field(default=None, exclude_if=lambda v: v is None)
    """The second share over what was seen; absent: the promise has one figure, or nothing counts."""
    second_low: Low | None = Field(default=None, exclude_if=lambda v: v is None)
    """The second share with what was not watched bad."""
    second_high: High | None = Field(default=None, exclude_if=lambda v: v is None)
    """The second share with what was not watched good."""


def breach_records(evaluation: Evaluation) -> Iterator[BreachRecord]:
    """Yield the record of every promise of an Evaluation that is broken, in the Agreement's order."""
    for result in evaluation.breached:
        yield record(evaluation, result)


def record(evaluation: Evaluation, result: ObjectiveResult) -> BreachRecord:
    """Return the record of one promise, whatever its verdict."""
    agreement, period = evaluation.agreement, evaluation.period
    target, estimate = (result.tests[0].share, result.tests[0]) if result.tests else (result.target, result.estimate)
    second = result.tests[1] if result.tests else None
    return BreachRecord(
        external_id=external_id(evaluation, result),
        agreement=agreement.name,
        vendor=agreement.vendor,
        contract_id=agreement.contract,
        clause=result.clause,
        objective=result.name,
        scope=result.scope,
        reading=result.reading or "combined",
        period=period.label,
        start=period.start,
        end=period.end,
        target=_bound(target),
        unit=result.unit,
        measured=estimate.value,
        low=estimate.low,
        high=estimate.high,
        verdict=result.verdict,
        provisional=result.provisional,
        reason=result.reason,
        sentence=result.sentence,
        credit=_credit(evaluation, result),
        currency=evaluation.credits.currency if evaluation.credits else None,
        deadline=_deadline(evaluation),
        evidence_sha256=evaluation.inputs.evidence_sha256,
        credit_at_most=_at_most(evaluation, result),
        second_target=None if second is None else _bound(second.share),
        second_measured=None if second is None else second.value,
        second_low=None if second is None else second.low,
        second_high=None if second is None else second.high,
        in_kind_days=next((k.days for k in evaluation.in_kind if (k.objective, k.scope) == (result.name, result.scope)), None),
    )


def _bound(target: TargetPart) -> str:
    return f"{target.word} {target.limit}"


def external_id(evaluation: Evaluation, result: ObjectiveResult) -> str:
    """Return the hash of a result's identity: (agreement, objective, scope, period)."""
    identity = [evaluation.agreement.name, result.name, result.scope, evaluation.period.label]
    return hashlib.sha256(rfc8785.dumps(identity)).hexdigest()


def open_claim(evaluation: Evaluation, now: int, *, forfeits: bool) -> tuple[bool, int | None]:
    """Tell whether there is a credit to claim and a deadline ahead that the claim depends on, and return the nearest known.

    Args:
        evaluation: of one of the Agreement's own periods; in an open one only what is final can be claimed.
        now: UTC nanoseconds.
        forfeits: whether a claim that came too late is lost: then the first deadline that is missed ends it.

    """
    owed = evaluation.credits is not None and evaluation.credits.claimable > 0
    final = evaluation.period.closed or any(not result.provisional for result in evaluation.breached)
    terms = [d.due for d in evaluation.deadlines if d.type in FORFEITING]
    known = [due for due in terms if due is not None]
    ahead = [due for due in known if due > now]
    if not (owed and final and evaluation.period.own and terms) or (forfeits and len(ahead) < len(known)):
        return False, None
    return bool(ahead) or len(known) < len(terms), min(ahead, default=None)


def _deadline(evaluation: Evaluation) -> int | None:
    """Return the earliest deadline that the claim depends on: the one that is missed first loses it."""
    return min((d.due for d in evaluation.deadlines if d.due is not None and d.type in FORFEITING), default=None)


def _credit(evaluation: Evaluation, result: ObjectiveResult) -> Decimal | None:
    if evaluation.credits is None:
        return None
    lines = [c for c in evaluation.credits.lines if (c.objective, c.scope) == (result.name, result.scope)]
    return sum((line.amount for line in lines), Decimal(0)) if lines else None


def _at_most(evaluation: Evaluation, result: ObjectiveResult) -> Decimal | None:
    lines = evaluation.credits.lines if evaluation.credits is not None else ()
    return next((c.at_most for c in lines if (c.objective, c.scope) == (result.name, result.scope)), None)


# ── as a table, as a schema ─────────────────────────────────────────────────────────────────────────────────────────
def to_csv(records: Iterable[BreachRecord]) -> str:
    """Return the records as CSV (RFC 4180), the header line always.

    Figures are written as in the JSON; what is null is an empty cell; a text that a spreadsheet would compute gets a
    leading apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(BreachRecord.model_fields), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(_row(one) for one in records)
    return text.getvalue()


def _row(one: BreachRecord) -> dict[str, str]:
    return {name: _cell(name, value) for name, value in one.model_dump(mode="json").items()}


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return f"'{text}" if name in _TEXTS and text[:1] in ACTED_ON else text


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of one record."""
    return BreachRecord.model_json_schema(mode="serialization")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n")
