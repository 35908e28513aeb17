"""What one figure of one promise is worth: each remedy as a function of the figure (`contracts.md` §4, R1 to R5 and R10).

A remedy gives two amounts, which are the same where the contract leaves nothing open: `low` is what is certain, `high` what
the vendor may owe at most (a figure in a gap of a table, an option the customer has yet to choose). Both only grow as the
figure becomes worse, where the table it is looked up in is in order. Amounts are exact, in whole units of the currency.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Final, Literal, TypeVar

from slaguard.evaluation.rounding import as_money, whole_units
from slaguard.spec.explain_words import duration, money
from slaguard.spec.remedies import (
    EdgeRow,
    Elect,
    Extension,
    Flat,
    Option,
    PerStep,
    Points,
    PoolAllocation,
    Priced,
    ProRata,
    StepTable,
    UsageMultiple,
    option_name,
)
from slaguard.spec.scalars import format_times
from slaguard.spec.tables import Found, look_up
from slaguard.terms import Bound, Money, format_percent

Qualifier = Literal["TIER_GAP", "TIER_OVERLAP"]
AnyRow = TypeVar("AnyRow", bound=EdgeRow)
_MINUTE: Final = 60_000


@dataclass(frozen=True, slots=True)
class Ground:
    """What a figure is priced on.

    `base` is the exact fee base and `shown` the same as an amount to print. `length_ms` is the time whose share the figure
    is, where it is one. `usage` is the consumption of the period and `usage_days` by how many days it is divided.
    """

    bound: Bound
    base: Fraction
    shown: Money
    length_ms: Fraction | None = None
    usage: Fraction = Fraction(0)
    usage_days: int = 1
    elected: str | None = None
    """The option that the customer chose, by its name."""

    @property
    def currency(self) -> str:
        """The one currency of the Agreement."""
        return self.shown.currency

    def shortfall(self, value: Fraction) -> Fraction:
        """Return how far a figure is on the bad side of the target, in the figure's unit."""
        past = self.bound.value - value if self.bound.word.is_floor else value - self.bound.value
        return max(Fraction(0), past)

    def downtime_ms(self, value: Fraction) -> Fraction:
        """Return the downtime that a share of good time leaves, in milliseconds; 0 where the figure is no share of time."""
        return Fraction(0) if self.length_ms is None else max(Fraction(0), 1 - value) * self.length_ms


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of several: its name, its amount (None: it is no money), and what it gives in words."""

    name: str
    amount: Fraction | None
    words: str
    elected: bool
    days: int = 0


@dataclass(frozen=True, slots=True)
class Price:
    """What one figure is worth. `words` say how it comes about, without the amount itself."""

    low: Fraction
    high: Fraction
    words: str
    step: str | None = None
    """The row, as printed."""
    percent: Fraction | None = None
    """The share of the fee, where it is one."""
    qualifier: Qualifier | None = None
    points: int = 0
    days: int = 0
    """In kind: by how many days the term becomes longer."""
    options: tuple[Choice, ...] = ()


def price_of(remedy: Priced, value: Fraction, ground: Ground) -> Price | None:
    """Return what a figure is worth; None where the promise is kept at it.

    Args:
        remedy: the term.
        value: the figure, in the promise's unit.
        ground: what it is priced on.

    Raises:
        ValueError: an amount is in another currency than the fee.

    """
    return None if ground.bound.holds(value) else _priced(remedy, value, ground)


def _priced(remedy: Priced, value: Fraction, ground: Ground) -> Price | None:
    match remedy:
        case StepTable():
            return _table(look_up(remedy, value, ground.bound), ground)
        case Flat():
            return _flat(remedy, ground)
        case UsageMultiple():
            return _multiple(remedy, value, ground)
        case PoolAllocation():
            return _pool(remedy, ground)
        case Points():
            return Price(Fraction(0), Fraction(0), _points_words(remedy.points), points=remedy.points)
        case ProRata():
            return _pro_rata(remedy, value, ground)
        case PerStep():
            return _per_step(remedy, value, ground)
        case Extension():
            return _extension(remedy, value, ground)
        case Elect():
            return _elect(remedy, value, ground)


# ── a share of the fee ──────────────────────────────────────────────────────────────────────────────────────────────
def _table(found: Found, ground: Ground) -> Price | None:
    if found.low is None:
        return None
    low, high = ground.base * found.low, ground.base * found.high
    share = (
        format_percent(found.low) if found.low == found.high else f"{format_percent(found.low)} to {format_percent(found.high)}"
    )
    words = f"{share} of {money(ground.shown)}" + (f", {found.words}" if found.words else "")
    return Price(low, high, words, step=found.step, percent=found.low, qualifier=found.qualifier)


def _flat(remedy: Flat, ground: Ground) -> Price:
    if remedy.amount is not None:
        amount = same_currency(remedy.amount, ground.shown)
        return Price(amount, amount, "a fixed amount")
    share = remedy.credit or Fraction(0)
    amount = ground.base * share
    return Price(amount, amount, f"{format_percent(share)} of {money(ground.shown)}", percent=share)


def _pool(remedy: PoolAllocation, ground: Ground) -> Price:
    share = remedy.at_risk * remedy.category.share * remedy.share
    parts = (
        f"{format_percent(remedy.share)} of {format_percent(remedy.category.share)} ({remedy.category.name}) "
        f"of {format_percent(remedy.at_risk)} of {money(ground.shown)}"
    )
    return Price(ground.base * share, ground.base * share, parts, percent=share)


def _pro_rata(remedy: ProRata, value: Fraction, ground: Ground) -> Price:
    lost = max(Fraction(0), 1 - value)
    amount = ground.base * remedy.times * lost
    words = f"{format_times(remedy.times)} the fee of {_time(ground.downtime_ms(value))} down, of {money(ground.shown)}"
    return Price(amount, amount, words)


def _points_words(points: int) -> str:
    return f"{points:,} {'point' if points == 1 else 'points'}"


# ── by quantity ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _multiple(remedy: UsageMultiple, value: Fraction, ground: Ground) -> Price:
    row = _row_at(remedy.rows, value, ground.bound)
    amount = row.times * ground.usage / ground.usage_days
    words = (
        f"{format_times(row.times)} the average of a day, of {money(_shown(ground.usage, ground))} in {ground.usage_days} days"
    )
    return Price(amount, amount, words, step=_edge_text(row))


def _row_at(rows: tuple[AnyRow, ...], value: Fraction, bound: Bound) -> AnyRow:
    """Return the row that holds a figure on the bad side of the target; a figure exactly at a further edge is not past it."""
    past = [row for row in rows[1:] if (value < row.edge.value if bound.word.is_floor else value > row.edge.value)]
    return past[-1] if past else rows[0]


def _edge_text(row: EdgeRow) -> str:
    return f"{'below' if row.below is not None else 'above'} {row.edge}"


def _per_step(remedy: PerStep, value: Fraction, ground: Ground) -> Price:
    quantity = ground.downtime_ms(value) if remedy.of == "downtime" else ground.shortfall(value)
    steps = parts(quantity / remedy.step.value, remedy.partial)
    if remedy.amount is not None:
        each, of = same_currency(remedy.amount, ground.shown), money(remedy.amount)
    else:
        each, of = (
            ground.base * (remedy.credit or 0),
            f"{format_percent(remedy.credit or Fraction(0))} of {money(ground.shown)}",
        )
    what = f"{_time(quantity)} down" if remedy.of == "downtime" else f"{_gap(quantity, remedy)} past the target"
    words = f"{_number(steps)} × {of}, a step of {remedy.step} each, for {what}"
    return Price(each * steps, each * steps, words)


def parts(quantity: Fraction, partial: str) -> Fraction:
    """Return how many steps a quantity has, in steps: whole ones below it, up to it, or in proportion."""
    if partial == "pro_rata":
        return quantity
    return Fraction(floor(quantity) if partial == "floor" else ceil(quantity))


def _extension(remedy: Extension, value: Fraction, ground: Ground) -> Price:
    if remedy.by_downtime is None:
        row = _row_at(remedy.rows or (), value, ground.bound)
        step = _edge_text(row)
        return Price(Fraction(0), Fraction(0), f"the row {step}", step=step, days=row.days)
    per, each, partial = remedy.by_downtime
    down = ground.downtime_ms(value)
    days = int(parts(down / per, partial)) * each
    limited = days if remedy.at_most is None else min(days, remedy.at_most)
    cut = "" if limited == days else f", and never more than {remedy.at_most}"
    words = f"{each} day{'s' if each != 1 else ''} for each {duration(per)}, {_time(down)} down{cut}"
    return Price(Fraction(0), Fraction(0), words, days=limited)


# ── the customer's choice ───────────────────────────────────────────────────────────────────────────────────────────
def _elect(remedy: Elect, value: Fraction, ground: Ground) -> Price | None:
    """List every option; the certain amount is the lowest one of money, until the customer has chosen."""
    found = [(option, _priced(option, value, ground)) for option in remedy.options]
    choices = tuple(_choice(option, price, ground) for option, price in found)
    chosen = next((price for option, price in found if option_name(option) == ground.elected), None)
    if chosen is not None:
        return replace(chosen, words=f"{chosen.words}, as the customer chose", options=choices)
    amounts = [price for option, price in found if price is not None and not isinstance(option, Extension)]
    if not amounts:
        return Price(Fraction(0), Fraction(0), "the customer chooses", options=choices)
    lowest = min(amounts, key=lambda price: price.low)
    return Price(
        lowest.low,
        max(price.high for price in amounts),
        f"the lowest of {len(choices)} options: {lowest.words}",
        options=choices,
    )


def _choice(option: Option, price: Price | None, ground: Ground) -> Choice:
    name = option_name(option)
    elected = name == ground.elected
    if price is None:
        return Choice(name, Fraction(0), "nothing at this figure", elected)
    amount = None if isinstance(option, Extension) else price.low
    return Choice(name, amount, price.words, elected, price.days)


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def same_currency(amount: Money, base: Money) -> Fraction:
    """Return an amount exactly.

    Raises:
        ValueError: it is in another currency than the fee.

    """
    if amount.currency != base.currency:
        raise ValueError(f"{amount} and {base} are of different currencies, and amounts are never converted")
    return Fraction(amount.amount)


def _shown(amount: Fraction, ground: Ground) -> Money:
    return as_money(whole_units(amount, ground.currency, "half_up"), ground.currency)


def _time(ms: Fraction) -> str:
    """Write a length of time in minutes, exactly where that is short, else to two digits."""
    minutes = ms / _MINUTE
    return f"{_number(minutes)} minute{'' if minutes == 1 else 's'}"


def _gap(quantity: Fraction, remedy: PerStep) -> str:
    return f"{_number(quantity * 100)}%" if remedy.step.unit == "ratio" else f"{_number(quantity)} ms"


def _number(value: Fraction) -> str:
    hundredths = value * 100
    if hundredths.denominator == 1:
        whole = value.denominator == 1
        return f"{int(value):,}" if whole else f"{Decimal(int(hundredths)).scaleb(-2):,f}".rstrip("0")
    return f"about {Decimal(round(hundredths)).scaleb(-2):,f}"
