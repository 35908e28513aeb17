"""What a broken promise is worth: the ladder of credits, how several pay together, caps, and one rounding at the end.

Everything is exact until the last step: fractions inside, `Decimal` money outside, each credit line rounded once, half up,
to the currency's minor unit. The order is the contract's (`contracts.md` section 4): the amount of each promise, within
one event, across promises, caps on the unrounded amounts, the smallest payout, rounding; the total is the sum of the
lines. A promise known only between bounds has three amounts, of which the claim asks for the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import floor

from slaguard.spec.explain_words import money
from slaguard.spec.lint.money import periods_of_fee
from slaguard.spec.model import Agreement, CreditCap, Fee, PeriodUnit, Step
from slaguard.terms import Bound, Money, format_percent, minor_digits


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A promise with a ladder of credits, in one scope: what a measured value is looked up in.

    Rows with the same `event` pay once, the highest of them; a row without an event is an event of its own.
    """

    objective: str
    scope: str
    bound: Bound
    steps: tuple[Step, ...]
    event: str | None = None

    def step_at(self, value: Fraction) -> Step | None:
        """Return the step of the ladder (R1) that holds a value; None where the promise is kept.

        The first edge is the target and as strict as it; a value exactly at a further edge is not past it.
        """
        if self.bound.holds(value) or not self.steps:
            return None
        higher = self.bound.word.is_floor
        past = [s for s in self.steps[1:] if (value < s.edge.value if higher else value > s.edge.value)]
        return past[-1] if past else self.steps[0]

    @property
    def title(self) -> str:
        """The promise's name, with its scope where it has one of its own."""
        return self.objective if self.scope == "all" else f"{self.objective} ({self.scope})"


Values = Mapping[PricedRow, Fraction | None]
"""The measured value of each priced row, in the Objective's unit; None: no credit at this figure."""


@dataclass(frozen=True, slots=True)
class CreditLine:
    """What one priced row pays at one figure, and why.

    `step` is the edge as the contract has it (``below 99%``) and `percent` its share of the fee; both None where there is
    no credit. `alone` is what the row would pay by itself, `amount` its part of the total; both are rounded. `counts` tells
    whether it is part of the total.
    """

    objective: str
    scope: str
    step: str | None
    percent: Fraction | None
    alone: Money
    amount: Money
    counts: bool
    sentence: str


@dataclass(frozen=True, slots=True)
class Settlement:
    """The credit at one set of figures: the total is the sum of the lines' amounts."""

    total: Money
    cap_applied: bool
    lines: tuple[CreditLine, ...]


@dataclass(frozen=True, slots=True)
class Credits:
    """The credit of a period: at the figures nearest to compliance, as measured, and at the far ends.

    `fee` is the fee of the period, the base of every share. `lines` and `cap_applied` are those of `claimable`.
    """

    currency: str
    fee: Money
    claimable: Money
    point: Money
    upper: Money
    cap_applied: bool
    lines: tuple[CreditLine, ...]


def price(agreement: Agreement, claimable: Values, point: Values, upper: Values) -> Credits | None:
    """Return what is owed for a period; None where the Agreement states no fee.

    Args:
        agreement: its fee, period, combination and caps are read.
        claimable: each priced row's value nearest to compliance.
        point: its measured value.
        upper: its value at the far bound.

    Raises:
        ValueError: the fee is not stated for the period, or amounts are in several currencies.

    """
    if agreement.fee is None:
        return None
    base = period_fee(agreement.fee, agreement.period)
    first, middle, last = (settle(agreement, values) for values in (claimable, point, upper))
    return Credits(base.currency, base, first.total, middle.total, last.total, first.cap_applied, first.lines)


def settle(agreement: Agreement, values: Values) -> Settlement:
    """Return the credit at one set of figures.

    Args:
        agreement: its fee, period, combination and caps are read.
        values: the value of every priced row, in the Agreement's order.

    Raises:
        ValueError: there is no fee, it is not stated for the period, or amounts are in several currencies.

    """
    if agreement.fee is None:
        raise ValueError("credits are shares of a fee, and none is stated")
    base = period_fee(agreement.fee, agreement.period)
    shares = [_Share.of(row, value, base) for row, value in values.items()]
    shares = _within_events(shares)
    shares = _across(shares, agreement)
    limit = _limit(agreement.caps, agreement.fee, base)
    owed = sum((s.exact for s in shares), Fraction(0))
    smallest = agreement.fee.minimum_payout
    if smallest is not None:
        shares = _if_more_than(smallest, shares, owed if limit is None else min(owed, limit), base)
    return _rounded(shares, limit, base)


def period_fee(fee: Fee, period: PeriodUnit) -> Money:
    """Return the fee of one period: three monthly fees make a quarter's. A longer fee is never divided.

    Raises:
        ValueError: the fee is for a longer span than the period.

    """
    times = periods_of_fee(fee.per, period)
    if times is None:
        raise ValueError(f"a fee per {fee.per.value} does not say what a {period.value} costs")
    return _money(_half_up(Fraction(fee.amount.amount) * times, fee.amount), fee.amount)  # whole cents: nothing is rounded


# ── one row ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Share:
    """A row's exact amount on its way through the rules; `why_not` says which rule left it out."""

    row: PricedRow
    step: Step | None
    alone: Fraction
    exact: Fraction
    why_not: str | None
    base: Money

    @classmethod
    def of(cls, row: PricedRow, value: Fraction | None, base: Money) -> _Share:
        step = None if value is None else row.step_at(value)
        if step is None:
            return cls(row, None, Fraction(0), Fraction(0), "no credit at this figure", base)
        amount = Fraction(base.amount) * step.credit
        return cls(row, step, amount, amount, None, base)

    def left_out(self, why: str) -> _Share:
        return self if self.why_not else replace(self, exact=Fraction(0), why_not=why)

    def line(self, units: int, *, cut: bool) -> CreditLine:
        """Return the credit line, `units` of the currency's minor unit being paid."""
        alone, amount = _money(_half_up(self.alone, self.base), self.base), _money(units, self.base)
        step = share = None
        words = []
        if self.step is not None:
            side = "below" if self.row.bound.word.is_floor else "above"
            step, share = f"{side} {self.step.edge}", self.step.credit
            words.append(f"{format_percent(share)} of {money(self.base)}")
        if self.why_not is not None:
            words.append(self.why_not)
        elif cut:
            words.append(f"cut to {money(amount)} by the cap")
        sentence = ", ".join(words)
        return CreditLine(self.row.objective, self.row.scope, step, share, alone, amount, self.why_not is None, sentence)


# ── several rows ────────────────────────────────────────────────────────────────────────────────────────────────────
def _within_events(shares: Sequence[_Share]) -> list[_Share]:
    """One event pays once: the highest of its rows, the first of equal ones."""
    best: dict[str, _Share] = {}
    for share in shares:
        event = share.row.event
        if event is not None and (event not in best or share.exact > best[event].exact):
            best[event] = share
    return [
        s
        if s.row.event is None or best[s.row.event] is s
        else s.left_out(f"one event pays once, for {best[s.row.event].row.title}")
        for s in shares
    ]


def _across(shares: Sequence[_Share], agreement: Agreement) -> list[_Share]:
    """Keep the largest alone, unless the contract says that credits add up."""
    if agreement.combine is not None and agreement.combine.across_objectives == "sum_to_cap":
        return list(shares)
    if not shares:
        return []
    largest = max(shares, key=lambda s: s.exact)  # the first of equal ones
    return [s if s is largest else s.left_out(f"only the largest credit is paid, that of {largest.row.title}") for s in shares]


def _limit(caps: Sequence[CreditCap], fee: Fee, base: Money) -> Fraction | None:
    """Return the lowest cap in money, exactly; None without one."""
    return min((_cap(cap, fee, base) for cap in caps), default=None)


def _cap(cap: CreditCap, fee: Fee, base: Money) -> Fraction:
    if cap.amount is not None:
        return _same_currency(cap.amount, base)
    return Fraction(period_fee(fee, cap.per).amount) * (cap.value or 0)


def _if_more_than(smallest: Money, shares: list[_Share], owed: Fraction, base: Money) -> list[_Share]:
    """Leave all out where the credit is not more than the smallest that is paid: exactly at it, nothing is."""
    if owed > _same_currency(smallest, base):
        return shares
    return [s.left_out(f"a credit is paid only when it is more than {money(smallest)}") for s in shares]


def _same_currency(amount: Money, base: Money) -> Fraction:
    if amount.currency != base.currency:
        raise ValueError(f"{amount} and {base} are of different currencies, and amounts are never converted")
    return Fraction(amount.amount)


# ── rounding ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _rounded(shares: Sequence[_Share], limit: Fraction | None, base: Money) -> Settlement:
    """Round each line once. Where a cap cuts, the lines share it in proportion, and together never exceed it."""
    owed = sum((s.exact for s in shares), Fraction(0))
    over = limit is not None and owed > limit
    kept = [s.exact * (limit / owed) if over and limit is not None else s.exact for s in shares]
    units = [_half_up(amount, base) for amount in kept]
    most = None if limit is None else floor(_units(limit, base))
    if most is not None and (over or sum(units) > most):
        units, over = _largest_remainders([_units(amount, base) for amount in kept], most), True
    lines = tuple(
        share.line(paid, cut=over and paid < _half_up(share.exact, base)) for share, paid in zip(shares, units, strict=True)
    )
    return Settlement(_money(sum(units), base), over, lines)


def _largest_remainders(amounts: Sequence[Fraction], total: int) -> list[int]:
    """Return whole numbers below or next to the amounts that add up to `total` (Hamilton's method; first come first)."""
    whole = [floor(amount) for amount in amounts]
    by_rest = sorted(range(len(amounts)), key=lambda i: (whole[i] - amounts[i], i))
    for i in by_rest[: total - sum(whole)]:
        whole[i] += 1
    return whole


def _units(amount: Fraction, base: Money) -> Fraction:
    """Return an amount in the currency's minor unit: cents, or whole yen."""
    return amount * int(10 ** minor_digits(base.currency))


def _half_up(amount: Fraction, base: Money) -> int:
    return floor(2 * _units(amount, base) + 1) // 2


def _money(units: int, base: Money) -> Money:
    return Money(Decimal(f"{units}E-{minor_digits(base.currency)}"), base.currency)
