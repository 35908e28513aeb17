"""The parts of the result that are money, from what was settled."""

from __future__ import annotations

from slaguard.evaluation.credits import CreditLine, Credits
from slaguard.evaluation.result import CreditLinePart, CreditsPart, EarnBackPart, OptionPart


def money_part(found: Credits, missing: tuple[str, ...], earned: tuple[EarnBackPart, ...]) -> CreditsPart:
    """Return the credit as the result has it.

    Args:
        found: what was settled.
        missing: what the amounts depend on and nobody recorded, a sentence each.
        earned: what the vendor may take back.

    """
    return CreditsPart(
        currency=found.currency,
        fee=found.fee.amount,
        claimable=found.claimable.amount,
        point=found.point.amount,
        upper=found.upper.amount,
        cap_applied=found.cap_applied,
        lines=tuple(map(_line, found.lines)),
        missing=missing,
        earned_back=earned,
    )


def _line(line: CreditLine) -> CreditLinePart:
    return CreditLinePart(
        objective=line.objective,
        scope=line.scope,
        step=line.step,
        percent=line.percent,
        alone=line.alone.amount,
        amount=line.amount.amount,
        counts=line.counts,
        sentence=line.sentence,
        remedy=line.remedy,
        at_most=None if line.at_most is None else line.at_most.amount,
        qualifier=line.qualifier,
        points=line.points or None,
        options=tuple(
            OptionPart(
                name=one.name,
                amount=None if one.amount is None else line.exactly(one.amount),
                sentence=one.words,
                elected=one.elected,
            )
            for one in line.options
        ),
    )
