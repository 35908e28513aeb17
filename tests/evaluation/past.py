"""Earlier months for tests: Evaluations with a stated verdict and figure, made from one that was evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

from slaguard.evaluation.result import CreditLinePart, CreditsPart, Evaluation
from slaguard.spec.labels import shift_months
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.resolve import resolve
from slaguard.terms import Verdict
from tests.evaluation.world import DAY, MEAN, START, agreement, judge, objective, period, watched

VERDICTS = {"b": Verdict.BREACH, "g": Verdict.COMPLIANT, "u": Verdict.INCONCLUSIVE, "i": Verdict.INSUFFICIENT}
FIGURES = {"b": "98%", "g": "100%", "u": None, "i": None}


def contract(**terms: Any) -> Agreement:
    """Return an Agreement with one promise of uptime, in force since 2026."""
    paid = {} if "remedy" in terms.get("promise", {}) else {"credits": [{"edge": "99.5%", "credit": "10%"}]}
    promise = objective(MEAN, name="uptime", at_least="99.5%", **paid, **terms.pop("promise", {}))
    return agreement(promise, **({"expires": "2026-12-31"} | terms))


@cache
def _base() -> Evaluation:
    return judge(contract(), period(60), [watched()])


def month(
    number: int, verdict: str = "b", value: Fraction | None = None, paid: str | None = None, year: int = 2026
) -> Evaluation:
    """Return the Evaluation of a month: `verdict` is b, g, u or i; `value` its figure; `paid` what it claims."""
    first = date(year, number, 1)
    base = _base()
    start = START + (first - date(2026, 10, 1)).days * DAY
    end = START + (shift_months(first, 1) - date(2026, 10, 1)).days * DAY
    n = (end - start) // (5 * 60 * 10**9)
    shown = (
        Fraction(98, 100) if value is None and verdict == "b" else Fraction(1) if value is None and verdict == "g" else value
    )
    bad = Fraction(0) if shown is None else (1 - shown) * n
    estimate = base.objectives[0].estimate.model_copy(update={"value": shown, "low": shown, "high": shown, "n": n, "bad": bad})
    result = base.objectives[0].model_copy(update={"verdict": VERDICTS[verdict], "estimate": estimate})
    label = f"{year}-{number:02d}"
    part = base.period.model_copy(update={"label": label, "start": start, "end": end, "closed": True, "own": True})
    return base.model_copy(update={"period": part, "objectives": (result,), "credits": credits_of(paid)})


def credits_of(paid: str | None) -> CreditsPart | None:
    """Return the credit of a month that claims so much for its uptime."""
    if paid is None:
        return None
    amount = Decimal(paid)
    line = CreditLinePart(
        objective="uptime", scope="all", step="below 99.5%", percent=Fraction(1, 10), alone=amount, amount=amount, counts=True,
        sentence="",
    )  # fmt: skip
    return CreditsPart(
        currency="EUR", fee=Decimal(1000), claimable=amount, point=amount, upper=amount, cap_applied=False, lines=(line,)
    )  # fmt: skip


def months(states: str, first: int = 1) -> list[Evaluation]:
    """Return months in a row, a letter each."""
    return [month(first + i, state) for i, state in enumerate(states)]


def of(terms: Agreement, label: str) -> ResolvedPeriod:
    """Return a period of the Agreement."""
    return resolve(terms, label)


def last_end(evaluations: Sequence[Evaluation]) -> int:
    """Return when the last of them ended."""
    return evaluations[-1].period.end
