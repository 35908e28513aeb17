"""From exact amounts to whole cents: each line once, by the contract's rule, and never beyond what is left under a cap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

from slaguard.terms import Money, minor_digits


@dataclass(frozen=True, slots=True)
class Ceiling:
    """A limit in money on some of the lines: their places, and the exact amount that together they never exceed."""

    lines: frozenset[int]
    amount: Fraction


def whole_units(amount: Fraction, currency: str, rule: str) -> int:
    """Return an amount in the currency's minor unit (cents, whole yen), rounded half up, half to even, up or down."""
    units = in_units(amount, currency)
    match rule:
        case "up":
            return ceil(units)
        case "down":
            return floor(units)
        case "half_even":
            return round(units)
    return floor(2 * units + 1) // 2


def in_units(amount: Fraction, currency: str) -> Fraction:
    """Return an amount in the currency's minor unit, exactly."""
    return amount * int(10 ** minor_digits(currency))


def as_money(units: int, currency: str) -> Money:
    """Return minor units as an amount, with as many digits as the currency has."""
    return Money(Decimal(f"{units}E-{minor_digits(currency)}"), currency)


def rounded_within(
    amounts: Sequence[Fraction], ceilings: Sequence[Ceiling], cut: frozenset[int], currency: str, rule: str
) -> tuple[list[int], bool]:
    """Return every line in minor units, and whether a ceiling had a say.

    Lines that no ceiling touches are rounded by the rule. Where a ceiling cut them, or rounding would carry them past it,
    they are rounded down and the units that are left go to the largest remainders (Hamilton's method; first come first).

    Args:
        amounts: exact amounts that keep every ceiling.
        ceilings: the limits.
        cut: the places of lines that a ceiling has cut already.
        currency: of all of them.
        rule: half_up, half_even, up or down.

    """
    units = [whole_units(amount, currency, rule) for amount in amounts]
    most = [floor(in_units(one.amount, currency)) for one in ceilings]
    tight = cut | {
        i for one, top in zip(ceilings, most, strict=True) if sum(units[i] for i in one.lines) > top for i in one.lines
    }
    if not tight:
        return units, False
    exact = [in_units(amount, currency) for amount in amounts]
    for i in tight:
        units[i] = floor(exact[i])
    for i in sorted(tight, key=lambda i: (units[i] - exact[i], i)):
        room = all(sum(units[j] for j in one.lines) < top for one, top in zip(ceilings, most, strict=True) if i in one.lines)
        if exact[i] > units[i] and room:
            units[i] += 1
    return units, True
