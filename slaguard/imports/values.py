"""Cells of a log as exact values. Every refusal is a `ValueError` whose sentence says what stands there and what to write."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

from slaguard.records import MAX_TEXT, escape, unescape

UNIT_NS: Final[dict[str, int]] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1000, "ns": 1, "min": 60_000_000_000}
"""Units a log may state durations in, in nanoseconds."""
LONGEST_NS: Final = 31 * 86_400 * UNIT_NS["s"]
"""No call lasts longer than a month: a longer one is in another unit."""
LARGEST_WHOLE: Final = 10**15
_NUMBER = re.compile(r"[+-]?(?:\d{1,25}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?\Z", re.ASCII)
_SHOWN: Final = 40


def shown(text: str) -> str:
    """Return a cell as a message may show it: printable, quoted, cut."""
    cut = text[:_SHOWN].encode("ascii", "backslashreplace").decode() if not text.isprintable() else text[:_SHOWN]
    safe = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in cut)
    return f"'{safe}'" + ("…" if len(text) > _SHOWN else "")


def number(text: str) -> Decimal:
    """Read a plain decimal number, exactly.

    Raises:
        ValueError: the text is no number, not finite, or has more digits than a measurement has.

    """
    if _NUMBER.match(text):
        return Decimal(text)
    if re.fullmatch(r"[+-]?(nan|inf(inity)?)", text, re.ASCII | re.IGNORECASE):
        msg = f"{shown(text)} is not a measurement; if it stands for no value, list it under missing: in the mapping"
        raise ValueError(msg)
    if re.fullmatch(r"[+-]?\d+,\d+", text, re.ASCII):
        msg = f"{shown(text)}: write the decimal point as '.'"
        raise ValueError(msg)
    if text.strip("+-0123456789.") == "" and len(text) > _SHOWN:
        msg = f"{shown(text)} has {len(text)} digits; a measurement has at most 25"
        raise ValueError(msg)
    msg = f"{shown(text)} is not a number"
    raise ValueError(msg)


def try_number(text: str) -> Decimal | None:
    """Return the number a cell holds, or None."""
    return Decimal(text) if _NUMBER.match(text) else None


def plain(text: str) -> str:
    """Return one spelling for one number (``429``, ``429.0`` and ``4.29e2`` are one); other text as it is."""
    value = try_number(text)
    if value is None:
        return text
    return f"{value.normalize():f}" if value else "0"


def whole(text: str) -> int:
    """Read a whole number of at least 0; ``429.0``, as tables with gaps write it, is one.

    Raises:
        ValueError: the text is no such number.

    """
    value = number(text)
    if value != value.to_integral_value() or not 0 <= value <= LARGEST_WHOLE:
        msg = f"{shown(text)} is not a whole number of 0 or more"
        raise ValueError(msg)
    return int(value)


def duration_ns(text: str, unit: str) -> int:
    """Read a duration in `unit` as nanoseconds, rounded up, so that it never slips under a limit.

    Raises:
        ValueError: no number, negative, or longer than a month.

    """
    value = number(text)
    if value < 0:
        msg = f"{shown(text)} is negative; if it stands for no value, list it under missing: in the mapping"
        raise ValueError(msg)
    ns = int((value * UNIT_NS[unit]).to_integral_value(rounding=ROUND_CEILING))
    if ns > LONGEST_NS:
        msg = f"{shown(text)} {unit} is longer than a month; is the unit right?"
        raise ValueError(msg)
    return ns


_TRUE: Final = frozenset({"true", "1", "yes", "t", "y"})
_FALSE: Final = frozenset({"false", "0", "no", "f", "n"})


def flag(text: str) -> bool:
    """Read true or false, also written 1 and 0 or yes and no.

    Raises:
        ValueError: another word.

    """
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    msg = f"{shown(text)} is neither true nor false"
    raise ValueError(msg)


def bounded(text: str) -> str:
    """Return text as a record's header can hold it: cut where its escaped form would pass 256 characters."""
    if len(text) <= MAX_TEXT and text.isascii() and text.isprintable() and "%" not in text:
        return text
    return unescape(escape(text))
