"""Numbers and names as the claim page prints them.

A figure is never rounded onto or across its target, nor onto 0 or 100 %: digits are added until the texts differ. What
a vendor, a contract or a log wrote is cleaned of everything that is not plain text.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal

from slaguard.evaluation.result import ObjectiveResult, TargetPart
from slaguard.spec.explain_words import counted, listing
from slaguard.spec.scalars import Quantity
from slaguard.terms import minor_digits

__all__ = [
    "NARROW", "Rounding", "clean", "count", "counted", "duration", "figure", "figure_range", "listing", "money", "percent",
    "promise", "promised", "sentence", "shares", "spaced", "target", "title",
]  # fmt: skip

NARROW: Final = "\u202f"
"""Between a number and its unit: a thin space at which no line breaks."""
MOST_DIGITS: Final = 12
LONGEST: Final = 2000
"""As much of one foreign text as a page shows."""
_PERCENT: Final = re.compile(r"(?<=\d) ?(?=%)")
_JOINERS: Final = frozenset("\u200c\u200d")
"""Zero-width joiners: format characters that scripts need and that cannot reorder a line."""
_WORDS: Final = {"at_least": "at least", "at_most": "at most", "more_than": "more than", "less_than": "less than"}

Rounding = Literal["half", "down", "up"]
_ROUND: Final[dict[str, Callable[[Fraction], int]]] = {"half": round, "down": math.floor, "up": math.ceil}


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def clean(text: str, limit: int = LONGEST) -> str:
    """Return foreign text as plain text on one line.

    Control characters (C0, C1) and line ends become spaces; format characters (bidirectional marks and overrides, tags,
    byte order marks) vanish; lone surrogates become replacement characters. Longer texts are cut with an ellipsis.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip(" ")
    whole = "".join(map(_clean_character, text[: limit + 1]))
    flat = " ".join(whole.split(" ")) if "  " not in whole else " ".join(part for part in whole.split(" ") if part)
    return flat.strip(" ") if len(text) <= limit else f"{flat.strip(' ')[: limit - 1]}…"


def _clean_character(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    category = unicodedata.category(character)
    if category == "Cf":
        return character if character in _JOINERS else ""
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "\ufffd" if category == "Cs" else character


def title(name: str) -> str:
    """Return a slug as a heading has it: ``first-token`` is ``First token``."""
    words = clean(name, 80).replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


def spaced(text: str) -> str:
    """Put the thin space between numbers and percent signs in words of our own: ``92%`` is printed ``92 %``."""
    return _PERCENT.sub(NARROW, text)


def sentence(text: str) -> str:
    """Return a clause as a sentence: a capital first, a full stop last."""
    plain = spaced(clean(text))
    if not plain:
        return ""
    return plain[0].upper() + plain[1:] + ("" if plain[-1] in ".?:" else ".")


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def count(value: Fraction | int) -> str:
    """Write a count with thousands separated; what is not whole gets one digit, or as many as keep it from looking whole."""
    exact = Fraction(value)
    if exact.denominator == 1:
        return f"{int(exact):,}"
    return _decimal(exact, 1, "half", (Fraction(math.floor(exact)), Fraction(math.ceil(exact))))


def money(amount: Decimal, currency: str) -> str:
    """Write an amount with thousands separated: ``1,800.00 EUR``."""
    return f"{amount:,.{minor_digits(currency)}f}\u00a0{clean(currency, 8)}"


def percent(share: Fraction, beside: Fraction | None = None, rounding: Rounding = "half") -> str:
    """Write a share as a percentage with one digit (two near 0 and 100), more where it would look like `beside`.

    Args:
        share: a share of one.
        beside: the target it stands beside, a share of one.
        rounding: half to even; down or up for the ends of an interval.

    """
    return f"{_percent_number(share, beside, rounding)}{NARROW}%"


def _percent_number(share: Fraction, beside: Fraction | None, rounding: Rounding) -> str:
    hundred = share * 100
    least = 2 if share >= Fraction(99, 100) or share <= Fraction(1, 100) else 1
    apart = (Fraction(0), Fraction(100)) if beside is None else (Fraction(0), Fraction(100), beside * 100)
    return _decimal(hundred, least, rounding, apart)


def _decimal(value: Fraction, least: int, rounding: Rounding, apart: Iterable[Fraction]) -> str:
    """Write a number with at least `least` digits, and so many that it looks like none of `apart` unless it is one."""
    apart = tuple(apart)
    digits = next((d for d in range(least, MOST_DIGITS) if _tells(value, d, rounding, apart)), MOST_DIGITS)
    scaled = _ROUND[rounding](value * 10**digits)
    text = f"{Decimal(scaled).scaleb(-digits):,.{digits}f}"
    exact = Fraction(scaled, 10**digits) == value
    return text.rstrip("0").rstrip(".") if exact and digits else text


def _tells(value: Fraction, digits: int, rounding: Rounding, apart: tuple[Fraction, ...]) -> bool:
    rounded = Fraction(_ROUND[rounding](value * 10**digits), 10**digits)
    return all((rounded == other) == (value == other) and (rounded > other) == (value > other) for other in apart)


def speed(value: Fraction, beside: Fraction | None = None, rounding: Rounding = "half") -> str:
    """Write a speed as ``48.3 tok/s``; never so that it looks like `beside`."""
    return f"{_decimal(value, 1, rounding, () if beside is None else (beside,))}{NARROW}tok/s"


def duration(ms: Fraction, beside: Fraction | None = None, rounding: Rounding = "half") -> str:
    """Write milliseconds as ``842 ms``, or from one second on as ``1.93 s``; never so that it looks like `beside`."""
    apart = () if beside is None else (beside,)
    if ms < 1000 and (beside is None or beside < 1000):
        return f"{_decimal(ms, 0, rounding, apart)}{NARROW}ms"
    return f"{_decimal(ms / 1000, 2, rounding, tuple(one / 1000 for one in apart))}{NARROW}s"


def figure(value: Fraction | None, unit: str, beside: Fraction | None = None, rounding: Rounding = "half") -> str:
    """Write a measured figure in its unit (``ratio``, ``ms`` or ``tok/s``); a figure that is not there is a dash."""
    if value is None:
        return "–"
    if unit == "tok/s":
        return speed(value, beside, rounding)
    return duration(value, beside, rounding) if unit == "ms" else percent(value, beside, rounding)


def figure_range(low: Fraction, high: Fraction | None, unit: str, beside: Fraction | None = None) -> str:
    """Write an interval, its ends rounded outward: ``0.3 – 4.1 %``; one without an upper end as ``at least 3.2 s``."""
    first, last = figure(low, unit, beside, "down"), figure(high, unit, beside, "up")
    if high is None:
        return f"at least {first}" if low else "open at both ends"
    number, _, name = first.rpartition(NARROW)
    dash = "\u00a0–\u00a0"
    return f"{number}{dash}{last}" if last.endswith(NARROW + name) else f"{first}{dash}{last}"


def target(part: TargetPart) -> str:
    """Write a limit with its unit, exactly as the contract has it: ``99.5 %``, ``2 s``, ``1,005 ms``."""
    limit = Quantity.parse(part.limit)
    if limit.unit == "count":
        return f"{int(limit.value):,}{NARROW}tok/s"
    if limit.unit != "ms":
        return f"{part.limit.removesuffix('%')}{NARROW}%"
    seconds, rest = divmod(int(limit.value), 1000)
    return f"{int(limit.value):,}{NARROW}ms" if rest else f"{seconds:,}{NARROW}s"


def promised(result: ObjectiveResult) -> str:
    """Write what a result was promised to be: ``at least 99.5 %``; of two tests, both shares."""
    return listing([promise(t.share) for t in result.tests] or [promise(result.target)])


def shares(result: ObjectiveResult) -> str:
    """Write the shares that two tests found, never rounded onto or across their targets; empty where there are no tests."""
    return listing(figure(t.value, "ratio", Quantity.parse(t.share.limit).value) for t in result.tests)


def promise(part: TargetPart) -> str:
    """Write a promise: ``at least 99.5 %``."""
    return f"{_WORDS[part.word]} {target(part)}"
