"""Rules on caps and the smallest payout: of a span that can be counted, and leaving every credit reachable."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Final

from slaguard.errors import Problem
from slaguard.spec.calendar import unit_of
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint.money import period_fee, priced, stated_fee, times_of_fee, written_caps
from slaguard.spec.lint.tables import options
from slaguard.spec.model import CreditCap, PeriodUnit
from slaguard.spec.remedies import Flat, PoolAllocation, StepTable
from slaguard.spec.rights import CapSpan
from slaguard.terms import Money, format_percent

_LENGTH: Final = {PeriodUnit.DAY: 0, PeriodUnit.WEEK: 1, PeriodUnit.MONTH: 2, PeriodUnit.QUARTER: 3, PeriodUnit.YEAR: 4}
_SPANS: Final = {
    CapSpan.DAY: PeriodUnit.DAY,
    CapSpan.MONTH: PeriodUnit.MONTH,
    CapSpan.QUARTER: PeriodUnit.QUARTER,
    CapSpan.YEAR: PeriodUnit.YEAR,
    CapSpan.CONTRACT_YEAR: PeriodUnit.YEAR,
}


def caps(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-CAP, W-SPEC-CAP-BELOW-TIER: a cap is for whole periods, and leaves every step reachable."""
    if "period" not in draft.has:
        return
    period, base = draft.agreement.period, period_fee(draft)
    largest = max((share for view in priced(draft) for share in shares(view)), default=Fraction(0))
    for i, cap in enumerate(written_caps(draft)):
        problem = _countable(draft, cap, i)
        if problem is not None:
            yield problem
            continue
        share = _as_share(cap.amount, base) if cap.amount is not None else (cap.value or Fraction(0)) * _times(draft, cap)
        if share is not None and share < largest:
            what = cap.amount or (format_percent(share) if _own(cap, period) else f"{format_percent(cap.value or Fraction(0))}")
            text = f"{what} is less than the largest credit, {format_percent(largest)}"
            key = "value" if cap.value is not None else "amount"
            yield draft.problem("W-SPEC-CAP-BELOW-TIER", text, "is the step beyond the cap meant?", "caps", i, key)


def _own(cap: CreditCap, period: Any) -> bool:
    return cap.of is None and (cap.per in {CapSpan.EVENT, CapSpan.PERIOD} or cap.per.value == period.value)


def _countable(draft: Draft, cap: CreditCap, i: int) -> Problem | None:
    period = draft.agreement.period
    if cap.per in {CapSpan.EVENT, CapSpan.PERIOD}:
        return None
    own, span = unit_of(period), _SPANS[cap.per]
    if own is None or _LENGTH[span] < _LENGTH[own]:
        mend = f"write a cap per {period.value}: a shorter span than the Agreement's period is not priced by itself"
        return draft.problem("E-SPEC-CAP", f"per {cap.per.value}", mend, "caps", i, "per")
    fee = stated_fee(draft)
    if cap.value is not None and fee is not None and times_of_fee(fee, span) is None:
        mend = f"write it as an amount: no whole number of fees per {fee.per.value} makes a {span.value}"
        return draft.problem("E-SPEC-CAP", f"per {cap.per.value}", mend, "caps", i, "per")
    return None


def _times(draft: Draft, cap: CreditCap) -> Fraction:
    """Return how many fees of one period the fee is that a cap is a share of."""
    fee, period = stated_fee(draft), draft.agreement.period
    if fee is None or _own(cap, period):
        return Fraction(1)
    unit = PeriodUnit.YEAR if cap.of == "annual_fee" else _SPANS.get(cap.per)
    span = times_of_fee(fee, period) if unit is None else times_of_fee(fee, unit)
    own = times_of_fee(fee, period)
    return span / own if span and own else Fraction(1)


def crossing(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-CAP: a cap by promise and one by service would cut one line twice, in an order that no contract states."""
    found = written_caps(draft)
    scopes = {cap.scope for cap in found}
    several = any(len(view.objective.service or ()) > 1 for view in draft.views if "service" in view.has)
    if {"objective", "service"} <= scopes and several:
        i = next(i for i, cap in enumerate(found) if cap.scope == "service")
        mend = "write one of the two, or give each service promises of its own"
        yield draft.problem("E-SPEC-CAP", "a cap by service beside one by objective", mend, "caps", i, "scope")


def smallest_payout(draft: Draft) -> Iterator[Problem]:
    """W-SPEC-CAP-BELOW-TIER: a payout below the smallest that is paid."""
    stated, base = stated_fee(draft), period_fee(draft)
    credits_ = [share for view in priced(draft) for share in shares(view)]
    if stated is None or stated.minimum_payout is None or not credits_:
        return
    share = _as_share(stated.minimum_payout, base)
    if share is not None and share >= min(credits_):
        text = f"{stated.minimum_payout} is not less than the smallest credit, {format_percent(min(credits_))}"
        mend = "is it meant that this credit is never paid?"
        yield draft.problem("W-SPEC-CAP-BELOW-TIER", text, mend, "fee", "minimum_payout")


def shares(view: View) -> Iterator[Fraction]:
    """Yield every share of the fee that a promise can pay as one credit."""
    yield from (step.credit for step in view.objective.credits)
    for one, _ in options(view.objective.remedy) if view.objective.remedy is not None else ():
        if isinstance(one, StepTable):
            yield from (row.credit for row in one.rows)
        elif isinstance(one, Flat) and one.credit is not None:
            yield one.credit
        elif isinstance(one, PoolAllocation):
            yield one.at_risk * one.category.share * one.share


def _as_share(amount: Money | None, base: Money | None) -> Fraction | None:
    if amount is None or base is None or amount.currency != base.currency or not base.amount:
        return None
    return Fraction(amount.amount) / Fraction(base.amount)
