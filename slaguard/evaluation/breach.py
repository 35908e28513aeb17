"""The breach record: one flat row per promise, scope and period, for contract-management tools (`contracts.md` §10)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from decimal import Decimal

import rfc8785

from slaguard.evaluation.result import Amount, Evaluation, Exact, High, Low, ObjectiveResult, Part, Time
from slaguard.terms import Reason, Verdict


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
    """Until when the claim must be made: acting at this instant is late."""
    evidence_sha256: str


def breach_records(evaluation: Evaluation) -> Iterator[BreachRecord]:
    """Yield the record of every promise of an Evaluation that is broken, in the Agreement's order."""
    for result in evaluation.breached:
        yield record(evaluation, result)


def record(evaluation: Evaluation, result: ObjectiveResult) -> BreachRecord:
    """Return the record of one promise, whatever its verdict."""
    agreement, period, estimate = evaluation.agreement, evaluation.period, result.estimate
    due = [d.due for d in evaluation.deadlines if d.due is not None]
    return BreachRecord(
        external_id=external_id(evaluation, result),
        agreement=agreement.name,
        vendor=agreement.vendor,
        contract_id=agreement.contract,
        clause=result.clause,
        objective=result.name,
        scope=result.scope,
        reading="combined",
        period=period.label,
        start=period.start,
        end=period.end,
        target=f"{result.target.word} {result.target.limit}",
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
        deadline=min(due) if due else None,
        evidence_sha256=evaluation.inputs.evidence_sha256,
    )


def external_id(evaluation: Evaluation, result: ObjectiveResult) -> str:
    """Return the hash of a result's identity: (agreement, objective, scope, period)."""
    identity = [evaluation.agreement.name, result.name, result.scope, evaluation.period.label]
    return hashlib.sha256(rfc8785.dumps(identity)).hexdigest()


def _credit(evaluation: Evaluation, result: ObjectiveResult) -> Decimal | None:
    if evaluation.credits is None:
        return None
    lines = [c for c in evaluation.credits.lines if (c.objective, c.scope) == (result.name, result.scope)]
    return sum((line.amount for line in lines), Decimal(0)) if lines else None
