"""Rules on money: the fee behind a credit, currencies, caps, and how several broken promises pay."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.model import CreditCap, Fee, PeriodUnit
from slaguard.spec.nodes import map_items, plain
from slaguard.terms import Money, format_percent

PERIODS_OF_FEE: Final[dict[tuple[PeriodUnit, PeriodUnit], int]] = {
    (PeriodUnit.MONTH, PeriodUnit.QUARTER): 3,
    (PeriodUnit.MONTH, PeriodUnit.YEAR): 12,
    (PeriodUnit.QUARTER, PeriodUnit.YEAR): 4,
}
"""How many fees (first) make up the fee of one period (second); a longer fee is never divided without being told how."""


def periods_of_fee(per: PeriodUnit, period: PeriodUnit) -> int | None:
    """Return how many fees fall into one period; None where that is not a whole number of them."""
    return 1 if per is period else PERIODS_OF_FEE.get((per, period))


def says_what_it_pays(view: View, draft: Draft) -> Iterator[Problem]:
    """W-SPEC-COMBINE: a promise that pays nothing says so."""
    if not view.objective.credits and view.node.path not in draft.unpriced:
        mend = "write its credits, or `remedy: {kind: none}` for a promise that is only reported"
        yield view.problem("W-SPEC-COMBINE", "no credits", mend, "name")


def _priced(draft: Draft) -> list[View]:
    return [view for view in draft.views if "credits" in view.has and view.objective.credits]


def _caps(draft: Draft) -> list[CreditCap]:
    """Return the caps in the order written (the model keeps them sorted)."""
    if "caps" not in draft.has:
        return []
    return [CreditCap.model_validate(plain(node)) for node in map_items(draft.root.get("caps"))]


def _fee(draft: Draft) -> Fee | None:
    return draft.agreement.fee if "fee" in draft.has else None


def fee(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-FEE: a share needs a fee, and a fee of the Agreement's period."""
    if "fee" not in draft.has:
        return
    stated = draft.agreement.fee
    if stated is None:
        mend = "state what credits are shares of: `fee: 12000.00 EUR`"
        for view in _priced(draft)[:1]:
            yield view.problem("E-SPEC-FEE", "credits without a fee", mend, "credits", at_key=True)
        for i, cap in enumerate(_caps(draft)):
            if cap.value is not None:
                yield draft.problem("E-SPEC-FEE", "a share without a fee", mend, "caps", i, "value")
    elif "period" in draft.has and periods_of_fee(stated.per, draft.agreement.period) is None:
        period = draft.agreement.period
        mend = f"state the fee of a {period.value}, as the contract divides it"
        yield draft.problem("E-SPEC-FEE", f"a fee per {stated.per.value}, a period of a {period.value}", mend, "fee", "per")


def currencies(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-CURRENCY: amounts are never converted, so there is one currency."""
    amounts: list[tuple[Money, tuple[str | int, ...]]] = []
    stated = _fee(draft)
    if stated is not None:
        amounts.append((stated.amount, ("fee", "amount")))
        if stated.minimum_payout is not None:
            amounts.append((stated.minimum_payout, ("fee", "minimum_payout")))
    amounts += [(cap.amount, ("caps", i, "amount")) for i, cap in enumerate(_caps(draft)) if cap.amount is not None]
    for amount, location in amounts[1:]:
        if amount.currency != amounts[0][0].currency:
            mend = f"write it in {amounts[0][0].currency}; amounts are never converted"
            yield draft.problem("E-SPEC-CURRENCY", str(amount), mend, *location)


def caps(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-CAP, W-SPEC-CAP-BELOW-TIER: a cap is for the Agreement's period, and leaves every step reachable."""
    if "period" not in draft.has:
        return
    period = draft.agreement.period
    largest = max((step.credit for view in _priced(draft) for step in view.objective.credits), default=Fraction(0))
    for i, cap in enumerate(_caps(draft)):
        if cap.per is not period:
            mend = f"write a cap per {period.value}: caps over other spans than the Agreement's period are not evaluated"
            yield draft.problem("E-SPEC-CAP", f"per {cap.per.value}", mend, "caps", i, "per")
            continue
        share = cap.value if cap.value is not None else _as_share(cap.amount, _period_fee(draft))
        if share is not None and share < largest:
            text = f"{cap.amount or format_percent(share)} is less than the largest credit, {format_percent(largest)}"
            key = "value" if cap.value is not None else "amount"
            yield draft.problem("W-SPEC-CAP-BELOW-TIER", text, "is the step beyond the cap meant?", "caps", i, key)


def smallest_payout(draft: Draft) -> Iterator[Problem]:
    """W-SPEC-CAP-BELOW-TIER: a payout below the smallest that is paid."""
    stated, base = _fee(draft), _period_fee(draft)
    credits_ = [step.credit for view in _priced(draft) for step in view.objective.credits]
    if stated is None or stated.minimum_payout is None or not credits_:
        return
    share = _as_share(stated.minimum_payout, base)
    if share is not None and share >= min(credits_):
        text = f"{stated.minimum_payout} is not less than the smallest credit, {format_percent(min(credits_))}"
        mend = "is it meant that this credit is never paid?"
        yield draft.problem("W-SPEC-CAP-BELOW-TIER", text, mend, "fee", "minimum_payout")


def _period_fee(draft: Draft) -> Money | None:
    stated = _fee(draft)
    if stated is None or "period" not in draft.has:
        return None
    times = periods_of_fee(stated.per, draft.agreement.period)
    return Money(stated.amount.amount * times, stated.amount.currency) if times else None


def _as_share(amount: Money | None, base: Money | None) -> Fraction | None:
    if amount is None or base is None or amount.currency != base.currency or not base.amount:
        return None
    return Fraction(amount.amount) / Fraction(base.amount)


def combination(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-COMBINE: two priced promises, or one in several services, say how they pay together."""
    priced = _priced(draft)
    rows = sum(len(view.objective.service or ("all",)) if "service" in view.has else 1 for view in priced)
    if rows > 1 and "combine" in draft.has and draft.agreement.combine is None:
        names = " and ".join(str(view.objective.name) for view in priced[:2] if "name" in view.has)
        names = names if len(priced) > 1 else f"the services of {names}"
        mend = "write `combine: greater_of` (the larger credit alone) or `combine: sum_to_cap`"
        yield draft.problem("E-SPEC-COMBINE", f"{names} both pay", mend, "combine", at_key=True)
