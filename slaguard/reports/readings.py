"""The readings of a clause in words: what each gives, and on which one the figures and the claim rest."""

from __future__ import annotations

from collections.abc import Iterator

from slaguard.evaluation.result import ObjectiveResult, ReadingPart
from slaguard.reports.words import clean, figure, money
from slaguard.spec.scalars import Quantity
from slaguard.terms import Verdict


def reading_lines(result: ObjectiveResult, currency: str | None) -> Iterator[str]:
    """Yield one line for each reading that is open, and which of them is shown; nothing where none is open."""
    for part in result.readings:
        yield f"under {part.id}{_basis(part)}: {_figure(result, part)}, {part.verdict.value}{_pays(part, currency)}"
    if result.reading is not None:
        why = "which owes least" if result.verdict is Verdict.BREACH else "which is nearest to a kept promise"
        yield f"the figures here are those under {result.reading}, {why}"


def _basis(part: ReadingPart) -> str:
    return f" ({clean(part.basis, 200)})" if part.basis else ""


def _figure(result: ObjectiveResult, part: ReadingPart) -> str:
    limit = Quantity.parse(result.target.limit)
    return figure(part.estimate.value, result.unit, limit.value if (limit.unit == "ms") == (result.unit == "ms") else None)


def _pays(part: ReadingPart, currency: str | None) -> str:
    if part.credit is None or currency is None:
        return ""
    return f", would pay {money(part.credit, currency)} alone" if part.credit else ", would pay nothing"
