"""The same records under several Agreements: a row for each promise, and why the figures differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from slaguard.evaluation.result import Evaluation, ObjectiveResult
from slaguard.spec.model import Agreement
from slaguard.spec.rule_words import failure_words, rule_words
from slaguard.terms import Outcome


@dataclass(frozen=True, slots=True)
class Contrast:
    """One promise of one Agreement on the records that all of them share."""

    agreement: str
    result: ObjectiveResult
    rule: str
    """How it is counted, in a few words."""
    failures: str
    """Which of the outcomes in the records count against it."""
    credit: Decimal | None
    """What it pays; None: it is not priced."""
    at_most: Decimal | None
    """What it would pay by itself under the reading that pays most; None: it is not priced."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """One Agreement on the shared records."""

    name: str
    agreement: Agreement
    evaluation: Evaluation
    unconfirmed: tuple[str, ...]
    """The presets in it that nobody has compared with their source."""

    def rows(self, seen: Mapping[Outcome, int]) -> tuple[Contrast, ...]:
        """Return its promises, in its order."""
        terms = {objective.name: objective for objective in self.agreement.objectives}
        present = frozenset(outcome for outcome, n in seen.items() if n)
        return tuple(
            Contrast(
                self.name,
                result,
                rule_words(terms[result.name]),
                failure_words(terms[result.name], present),
                owed := self._credit(result),
                None if owed is None else max([owed, *(r.credit for r in result.readings if r.credit is not None)]),
            )
            for result in self.evaluation.objectives
        )

    def _credit(self, result: ObjectiveResult) -> Decimal | None:
        """Return what a promise pays of the claim; a promise with steps that are not reached pays nothing."""
        owed = self.evaluation.credits
        lines = [] if owed is None else [c for c in owed.lines if (c.objective, c.scope) == (result.name, result.scope)]
        return sum((line.amount for line in lines), Decimal(0)) if lines else None


def as_json(simulated: Sequence[Simulated], seen: Mapping[Outcome, int], period: str) -> dict[str, object]:
    """Return the object that machines read: each Agreement's Evaluation, and how it counted. It is no claim."""
    return {
        "schema": "slaguard/simulation/v1",
        "hypothetical": True,
        "period": period,
        "calls": {outcome.value: n for outcome, n in seen.items() if n},
        "agreements": [
            {
                "name": one.name,
                "needs_confirmation": list(one.unconfirmed),
                "promises": [
                    {
                        "name": row.result.name,
                        "scope": row.result.scope,
                        "rule": row.rule,
                        "counting": row.failures,
                        "credit": None if row.credit is None else str(row.credit),
                        "at_most": None if row.at_most is None else str(row.at_most),
                    }
                    for row in one.rows(seen)
                ],
                "evaluation": one.evaluation.model_dump(mode="json", by_alias=True),
            }
            for one in simulated
        ],
    }
