"""What a share is a share of: the fee of the period, or the part of it that the contract takes as the base.

A shorter fee is multiplied (three monthly fees make a quarter's); a longer one is divided only where the contract says so.
What was paid in cash, used, or how many users were affected are Facts: where one is not recorded it is named, never guessed,
and the amount that depends on it is nothing until it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from slaguard.evaluation.rounding import as_money, whole_units
from slaguard.spec.calendar import AnyPeriod
from slaguard.spec.lint.money import times_of_fee
from slaguard.spec.model import Agreement, Fee, PeriodUnit
from slaguard.terms import Money

EVERYTHING = "all"


@dataclass(frozen=True, slots=True)
class Account:
    """What somebody recorded of a period's money. Amounts are exact, by what they are about (`all`: the whole)."""

    cash: Mapping[str, Fraction] = field(default_factory=dict)
    usage: Mapping[str, Fraction] = field(default_factory=dict)
    usage_days: Mapping[str, int] = field(default_factory=dict)
    affected: Mapping[str, Fraction] = field(default_factory=dict)
    elections: Mapping[str, str] = field(default_factory=dict)
    """The option that the customer chose, by promise; `all`: between promises."""
    days: int = 1
    """The days of the period."""
    share: Fraction = Fraction(1)
    """The share of the period's fee that is this part's, where an amendment splits the period."""


def period_fee(fee: Fee, period: AnyPeriod) -> Money:
    """Return the fee of one period, rounded half up where a divided fee is no whole cent.

    Raises:
        ValueError: the fee is for a longer span than the period, and it is not said how it is divided.

    """
    currency = fee.amount.currency
    return as_money(whole_units(exact_fee(fee, period), currency, "half_up"), currency)


def exact_fee(fee: Fee, period: AnyPeriod) -> Fraction:
    """Return the fee of one period exactly.

    Raises:
        ValueError: the fee is for a longer span than the period, and it is not said how it is divided.

    """
    times = times_of_fee(fee, period)
    if times is None:
        raise ValueError(f"a fee per {fee.per.value} does not say what a {period.value} costs")
    return Fraction(fee.amount.amount) * times


def annual_fee(fee: Fee) -> Fraction:
    """Return the fee of a year.

    Raises:
        ValueError: the fee is by the day or the week, of which no year has a whole number.

    """
    return exact_fee(fee, PeriodUnit.YEAR)


@dataclass(frozen=True, slots=True)
class Base:
    """The exact fee base of one scope, and what must be recorded before it is known (empty: it is)."""

    exact: Fraction
    currency: str
    missing: str = ""

    @property
    def shown(self) -> Money:
        """The base as an amount to print."""
        return as_money(whole_units(self.exact, self.currency, "half_up"), self.currency)


def base_of(agreement: Agreement, scope: str, objective: str, account: Account) -> Base:
    """Return what credits of a promise in one scope are shares of.

    Raises:
        ValueError: there is no fee, or it is not stated for the period.

    """
    fee = agreement.fee
    if fee is None:
        raise ValueError("credits are shares of a fee, and none is stated")
    whole, currency = exact_fee(fee, agreement.period) * account.share, fee.amount.currency
    match fee.base:
        case "service" | "region" if scope != EVERYTHING and (unstated := fee_parts(agreement, scope)[1]):
            return Base(Fraction(0), currency, f"the part of the fee for {', '.join(unstated)}")
        case "service" | "region" | "unit_purchase":
            return Base(_part(agreement, fee, scope, whole), currency)
        case "cash_paid":
            paid = _about(account.cash, objective, scope)
            return Base(Fraction(0), currency, f"what was paid for {scope}") if paid is None else Base(paid, currency)
        case "affected_users":
            share = _about(account.affected, objective, scope)
            missing = "" if share is not None else f"the share of users that {objective} affected"
            return Base(whole * (share or 0), currency, missing)
    return Base(whole, currency)


def _part(agreement: Agreement, fee: Fee, scope: str, whole: Fraction) -> Fraction:
    """Return the part of the fee that a scope has; the whole for everything, and where a purchase states no part."""
    amounts, times = fee.amounts or {}, whole / Fraction(fee.amount.amount) if fee.amount.amount else Fraction(0)
    found = [Fraction(amounts[name].amount) * times for name in fee_parts(agreement, scope)[0]]
    return sum(found, Fraction(0)) if found else whole


def fee_parts(agreement: Agreement, scope: str) -> tuple[list[str], list[str]]:
    """Return the parts of the fee that a scope's credits are shares of (its regions, or itself): stated ones, and others."""
    fee, names = agreement.fee, [scope]
    if fee is not None and fee.base == "region":
        names = [region for one in agreement.services if one.id == scope for region in one.regions or ()] or [scope]
    amounts = {} if fee is None else fee.amounts or {}
    return [name for name in names if name in amounts], [name for name in names if name not in amounts]


def _about(stated: Mapping[str, Fraction], objective: str, scope: str) -> Fraction | None:
    """Return what is stated of a promise, else of its scope, else of everything."""
    return next((stated[name] for name in (objective, scope, EVERYTHING) if name in stated), None)


def has_usage(scope: str, objective: str, account: Account) -> bool:
    """Tell whether somebody recorded the consumption that a promise in one scope is priced on."""
    return _about(account.usage, objective, scope) is not None


def usage_of(agreement: Agreement, scope: str, objective: str, account: Account) -> Fraction:
    """Return the consumption of the period: as recorded, else the fee."""
    found = _about(account.usage, objective, scope)
    return base_of(agreement, scope, objective, account).exact if found is None else found


def usage_days_of(scope: str, objective: str, account: Account) -> int | None:
    """Return on how many days there was any use; None where nobody recorded it."""
    names = (objective, scope, EVERYTHING)
    return next((account.usage_days[name] for name in names if name in account.usage_days), None)
