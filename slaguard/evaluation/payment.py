"""From verdicts to what is owed and by when: which figure of each row prices the claim.

Only a BREACH pays. The claim asks for the amount at the figure nearest to compliance among all that is not decided: what
was not watched, what a sample leaves open, what exclusions in dispute would change. Under the rule `point` the figure
itself is the fact (`statistics.md` §5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Protocol

from slaguard.evaluation.credits import Credits, PricedRow, price, settle
from slaguard.evaluation.deadlines import due
from slaguard.evaluation.decide import Analysis, Decided
from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.measure import Measurement
from slaguard.evaluation.requirements import Question
from slaguard.evaluation.result import CreditLinePart, CreditsPart, DeadlinePart
from slaguard.records import Fact
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Verdict


class Answered(Protocol):
    """One row of the evaluation, as far as money looks at it."""

    @property
    def question(self) -> Question:
        """The Objective and its scope."""

    @property
    def analysis(self) -> Analysis:
        """The frozen parameters."""

    @property
    def measured(self) -> dict[Variant, Measurement]:
        """The figure in each variant of the exclusions."""

    @property
    def decided(self) -> dict[Variant, Decided]:
        """The verdict in each variant."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of the row."""


Figures = tuple[Fraction | None, Fraction | None, Fraction | None]
"""The values at which a row is priced: claimable, point, upper; None: no credit."""


def credits_part(agreement: Agreement, period: ResolvedPeriod, rows: Sequence[Answered], *, closed: bool) -> CreditsPart | None:
    """Return what is owed; None where the Agreement prices nothing.

    A look at another span than the period owes nothing, and nothing is claimed of a period that is not over.
    """
    priced = {_priced(r): _figures(r) if period.own else (None, None, None) for r in rows if r.question.objective.credits}
    if agreement.fee is None or not priced:
        return None
    found = price(
        agreement,
        {row: figures[0] if closed else None for row, figures in priced.items()},
        {row: figures[1] for row, figures in priced.items()},
        {row: figures[2] for row, figures in priced.items()},
    )
    return None if found is None else _part(found)


def _priced(row: Answered) -> PricedRow:
    objective = row.question.objective
    return PricedRow(objective.name, row.question.scope, objective.bound, objective.credits)


def credit_alone(agreement: Agreement, period: ResolvedPeriod, row: Answered, variant: Variant) -> Decimal | None:
    """Return what one row alone would pay with one set of exclusions, in the fee's currency; None where it is not priced."""
    if agreement.fee is None or not row.question.objective.credits or not period.own:
        return None
    priced = _priced(row)
    broken = row.decided[variant].verdict is Verdict.BREACH
    return settle(agreement, {priced: _near(row, variant) if broken else None}).lines[0].alone.amount


def _figures(row: Answered) -> Figures:
    here, other = row.measured["accepted"], row.measured["with_contested"]
    if row.verdict is Verdict.BREACH:
        near = _nearest(row, [_near(row, "accepted"), _near(row, "with_contested")])
        return near, _nearest(row, [here.value, other.value]), _far(row, "accepted")
    disputed = row.decided["accepted"].verdict is not row.decided["with_contested"].verdict
    if disputed or row.verdict is Verdict.INCONCLUSIVE:
        return None, None, _far(row, "accepted")
    return None, None, None


def _near(row: Answered, variant: Variant) -> Fraction | None:
    """Return the value nearest to compliance that the verdict allows."""
    m, decided = row.measured[variant], row.decided[variant]
    if decided.provisional is False and m.if_rest_is_good is not None and m.best is not None:
        return _nearest(row, [m.best, m.if_rest_is_good])
    if not m.census and row.analysis.rule == "point":
        return m.value
    return m.best if m.census else decided.high if row.analysis.bound.word.is_floor else decided.low


def _far(row: Answered, variant: Variant) -> Fraction | None:
    decided = row.decided[variant]
    if not row.measured[variant].census:
        return decided.low if row.analysis.bound.word.is_floor else decided.high
    return row.measured[variant].worst


def _nearest(row: Answered, values: Iterable[Fraction | None]) -> Fraction | None:
    known = [v for v in values if v is not None]
    if not known:
        return None
    return max(known) if row.analysis.bound.word.is_floor else min(known)


def _part(found: Credits) -> CreditsPart:
    return CreditsPart(
        currency=found.currency,
        fee=found.fee.amount,
        claimable=found.claimable.amount,
        point=found.point.amount,
        upper=found.upper.amount,
        cap_applied=found.cap_applied,
        lines=tuple(
            CreditLinePart(
                objective=line.objective,
                scope=line.scope,
                step=line.step,
                percent=line.percent,
                alone=line.alone.amount,
                amount=line.amount.amount,
                counts=line.counts,
                sentence=line.sentence,
            )
            for line in found.lines
        ),
    )


def deadline_parts(
    agreement: Agreement, period: ResolvedPeriod, facts: tuple[Fact, ...], as_of: int
) -> tuple[DeadlinePart, ...]:
    """Return every deadline of the claim, the earliest first; those whose date is not known last."""
    if agreement.claim is None or not period.own:
        return ()
    found = [due(d, period, facts, as_of) for d in agreement.claim.deadlines]
    found.sort(key=lambda d: (d.due_ns is None, d.act_by_ns or 0, d.due_ns or 0))
    return tuple(
        DeadlinePart(
            type=d.type,
            due=d.due_ns,
            act_by=d.act_by_ns,
            local=d.local,
            act_by_local=d.act_by_local,
            earliest=d.earliest_ns,
            days_left=d.days_left,
            anchor=d.anchor,
            reason=d.reason,
        )
        for d in found
    )
