"""Rules on money: the fee behind a credit, its base, currencies, what is at risk, and how several broken promises pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from slaguard.errors import Problem
from slaguard.spec.calendar import AnyPeriod, unit_of
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint.tables import options
from slaguard.spec.model import CreditCap, Fee, PeriodUnit
from slaguard.spec.nodes import map_items, plain, shown
from slaguard.spec.remedies import Extension, PoolAllocation
from slaguard.terms import Money, format_percent

PERIODS_OF_FEE: Final[dict[tuple[PeriodUnit, PeriodUnit], int]] = {
    (PeriodUnit.MONTH, PeriodUnit.QUARTER): 3,
    (PeriodUnit.MONTH, PeriodUnit.YEAR): 12,
    (PeriodUnit.QUARTER, PeriodUnit.YEAR): 4,
}
"""How many fees (first) make up the fee of one period (second); a longer fee is never divided without being told how."""


def periods_of_fee(per: PeriodUnit, period: AnyPeriod) -> int | None:
    """Return how many fees fall into one period; None where that is not a whole number of them."""
    unit = unit_of(period)
    if unit is None:
        return None
    return 1 if per is unit else PERIODS_OF_FEE.get((per, unit))


def times_of_fee(fee: Fee, period: AnyPeriod) -> Fraction | None:
    """Return how many fees one period costs: several, or a part of one where the contract divides it equally."""
    times, unit = periods_of_fee(fee.per, period), unit_of(period)
    if times is not None:
        return Fraction(times)
    parts = PERIODS_OF_FEE.get((unit, fee.per)) if unit is not None and fee.divided is not None else None
    return None if parts is None else Fraction(1, parts)


def says_what_it_pays(view: View, draft: Draft) -> Iterator[Problem]:
    """W-SPEC-COMBINE: a promise that pays nothing says so."""
    if not view.objective.is_priced and view.node.path not in draft.unpriced:
        mend = "write its credits, or `remedy: {kind: none}` for a promise that is only reported"
        yield view.problem("W-SPEC-COMBINE", "no credits", mend, "name")


def priced(draft: Draft) -> list[View]:
    """Return the promises that pay money."""
    sound = [view for view in draft.views if {"credits", "remedy"} <= view.has]
    return [view for view in sound if view.objective.credits or any(in_money(one) for one, _ in _options(view))]


def in_money(remedy: Any) -> bool:
    """Tell whether a remedy is money."""
    return remedy is not None and not isinstance(remedy, Extension)


def _options(view: View) -> list[tuple[Any, tuple[str | int, ...]]]:
    return options(view.objective.remedy) if view.objective.remedy is not None else []


def written_caps(draft: Draft) -> list[CreditCap]:
    """Return the caps in the order written (the model keeps them sorted)."""
    if "caps" not in draft.has:
        return []
    return [CreditCap.model_validate(plain(node)) for node in map_items(draft.root.get("caps"))]


def stated_fee(draft: Draft) -> Fee | None:
    """Return the fee, where it is sound."""
    return draft.agreement.fee if "fee" in draft.has else None


def fee(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-FEE: a share needs a fee, and a fee of the Agreement's period."""
    if "fee" not in draft.has:
        return
    stated = draft.agreement.fee
    if stated is None:
        mend = "state what credits are shares of: `fee: 12000.00 EUR`"
        for view in priced(draft)[:1]:
            key = "credits" if view.objective.credits else "remedy"
            yield view.problem("E-SPEC-FEE", "credits without a fee", mend, key, at_key=True)
        for i, cap in enumerate(written_caps(draft)):
            if cap.value is not None:
                yield draft.problem("E-SPEC-FEE", "a share without a fee", mend, "caps", i, "value")
    elif "period" in draft.has and times_of_fee(stated, draft.agreement.period) is None:
        period = draft.agreement.period
        mend = f"state the fee of a {period.value}, as the contract divides it"
        if unit_of(period) is not None and (unit_of(period), stated.per) in PERIODS_OF_FEE:
            mend += ", or `divided: equally` where it says so"
        yield draft.problem("E-SPEC-FEE", f"a fee per {stated.per.value}, a period of a {period.value}", mend, "fee", "per")


def base(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-FEE, E-SPEC-REF, W-SPEC-FEE: a fee by service or region says the part of each that a promise names."""
    stated = stated_fee(draft)
    if stated is None:
        return
    by_part = stated.base in {"service", "region"}
    if stated.amounts is not None and not (by_part or stated.base == "unit_purchase"):
        mend = "write `base: service` or `base: region` beside it, or leave the amounts out"
        yield draft.problem("E-SPEC-FEE", "amounts that no credit is a share of", mend, "fee", "amounts", at_key=True)
        return
    if by_part and not stated.amounts:
        mend = "write the part of each: `amounts: {chat: 8000.00 EUR, batch: 4000.00 EUR}`"
        yield draft.problem("E-SPEC-FEE", f"a fee by {stated.base} without amounts", mend, "fee", "base")
        return
    yield from _parts(draft, stated)


def _parts(draft: Draft, stated: Fee) -> Iterator[Problem]:
    amounts = stated.amounts or {}
    if "services" in draft.has and stated.base is not None:
        regions = {region for one in draft.agreement.services for region in one.regions or ()}
        known = regions if stated.base == "region" else {one.id for one in draft.agreement.services}
        for name in amounts:
            if name not in known:
                mend = f"write one of {', '.join(sorted(known)) or 'the services'}"
                yield draft.problem("E-SPEC-REF", shown(name), mend, "fee", "amounts", name, at_key=True)
    yield from _unstated(draft, stated)
    same = [a.amount for a in amounts.values() if a.currency == stated.amount.currency]
    if len(same) == len(amounts) and sum(same) > stated.amount.amount:
        text = f"the amounts add up to {Money(sum(same, Decimal(0)), stated.amount.currency)}, the fee is {stated.amount}"
        yield draft.problem("W-SPEC-FEE", text, "do the parts overlap?", "fee", "amounts", at_key=True)


def _unstated(draft: Draft, stated: Fee) -> Iterator[Problem]:
    """Tell which parts of the fee a promise is priced on, and the amounts leave out."""
    if stated.base not in {"service", "region"} or "services" not in draft.has:
        return
    scopes = dict.fromkeys(s for view in priced(draft) if "service" in view.has for s in view.objective.service or ())
    parts = {one.id: one.regions or (one.id,) for one in draft.agreement.services} if stated.base == "region" else {}
    for name in dict.fromkeys(part for scope in scopes for part in parts.get(scope, (scope,))):
        if name not in (stated.amounts or {}):
            mend = f"write its part: `{name}: 4000.00 {stated.amount.currency}`"
            if name in parts:
                mend = "say which regions the service is in (`regions`), and write the part of each"
            yield draft.problem("E-SPEC-FEE", f"no part of the fee for {shown(name)}", mend, "fee", "amounts", at_key=True)


def currencies(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-CURRENCY: amounts are never converted, so there is one currency."""
    amounts: list[tuple[Money, Problem]] = []

    def told(amount: Money, problem: Callable[[str, str, str], Problem]) -> None:
        first = amounts[0][0].currency if amounts else amount.currency
        amounts.append((amount, problem("E-SPEC-CURRENCY", str(amount), f"write it in {first}; amounts are never converted")))

    for amount, location in _amounts(draft):
        told(amount, lambda code, text, mend, at=location: draft.problem(code, text, mend, *at))  # type: ignore[misc]
    for view in draft.views:
        for one, where in _options(view) if "remedy" in view.has else ():
            if getattr(one, "amount", None) is not None:
                told(one.amount, lambda c, t, m, v=view, at=where: v.problem(c, t, m, *at, "amount"))  # type: ignore[misc]
    yield from (problem for amount, problem in amounts[1:] if amount.currency != amounts[0][0].currency)


def _amounts(draft: Draft) -> Iterator[tuple[Money, tuple[str | int, ...]]]:
    stated = stated_fee(draft)
    if stated is not None:
        yield stated.amount, ("fee", "amount")
        if stated.minimum_payout is not None:
            yield stated.minimum_payout, ("fee", "minimum_payout")
        for name, amount in (stated.amounts or {}).items():
            yield amount, ("fee", "amounts", name)
    for i, cap in enumerate(written_caps(draft)):
        if cap.amount is not None:
            yield cap.amount, ("caps", i, "amount")
    for i, term in enumerate(draft.agreement.chronic if "chronic" in draft.has else ()):
        if term.prepaid is not None:
            yield term.prepaid, ("chronic", i, "prepaid")


def period_fee(draft: Draft) -> Money | None:
    """Return the fee of one period, where it is known."""
    stated = stated_fee(draft)
    if stated is None or "period" not in draft.has:
        return None
    times = times_of_fee(stated, draft.agreement.period)
    if not times:
        return None
    exact = Fraction(stated.amount.amount) * times
    return Money(Decimal(exact.numerator) / Decimal(exact.denominator), stated.amount.currency)


def pools(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-FEE, W-SPEC-FEE: promises that share what is at risk say the same of it, and parts are at most a whole."""
    found = [(v, r) for v in draft.views if "remedy" in v.has and isinstance(r := v.objective.remedy, PoolAllocation)]
    shares: dict[str, Fraction] = {}
    categories: dict[str, Fraction] = {}
    for view, remedy in found:
        if remedy.at_risk != found[0][1].at_risk:
            mend = f"the whole is shared: write {format_percent(found[0][1].at_risk)}, as the promise before does"
            yield view.problem("E-SPEC-FEE", format_percent(remedy.at_risk), mend, "remedy", "at_risk")
        name = remedy.category.name
        if categories.setdefault(name, remedy.category.share) != remedy.category.share:
            mend = f"the category {shown(name)} has {format_percent(categories[name])} in the promise before"
            yield view.problem("E-SPEC-FEE", format_percent(remedy.category.share), mend, "remedy", "category", "share")
        shares[name] = shares.get(name, Fraction(0)) + remedy.share
        if shares[name] > 1 and remedy.over_allocation is not True:
            text = f"the parts of {shown(name)} add up to {format_percent(shares[name])}"
            mend = "write `over_allocation: true` if that is meant: what is at risk is still the most"
            yield view.problem("W-SPEC-FEE", text, mend, "remedy", "share")
    if found and sum(categories.values()) > 1:
        text = f"the categories add up to {format_percent(sum(categories.values(), Fraction(0)))} of what is at risk"
        yield found[-1][0].problem("W-SPEC-FEE", text, "check the parts", "remedy", "category", "share")


def combination(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-COMBINE: two priced promises, or one in several services, say how they pay together."""
    paying = priced(draft)
    rows = sum(len(view.objective.service or ("all",)) if "service" in view.has else 1 for view in paying)
    if rows > 1 and "combine" in draft.has and draft.agreement.combine is None:
        names = " and ".join(str(view.objective.name) for view in paying[:2] if "name" in view.has)
        names = names if len(paying) > 1 else f"the services of {names}"
        mend = "write `combine: greater_of` (the larger credit alone) or `combine: sum_to_cap`"
        yield draft.problem("E-SPEC-COMBINE", f"{names} both pay", mend, "combine", at_key=True)
