"""What a sample of a column's cells shows: how times are written, which unit durations have, what words mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median
from typing import Final

from slaguard.imports.times import EPOCHS, ISO, Zoned
from slaguard.imports.values import try_number
from slaguard.terms import Grade, Outcome

VOID: Final = ("-", "NaN", "nan", "null", "NULL", "None", "N/A", "n/a", "NA")
"""Texts that stand for no value in many logs."""
_TRUE: Final = frozenset({"1", "true", "yes", "y", "t", "correct", "pass", "passed", "right"})
_FALSE: Final = frozenset({"0", "false", "no", "n", "f", "wrong", "incorrect", "fail", "failed"})
_PATTERNS: Final = (
    "%Y/%m/%d %H:%M:%S", "%d/%b/%Y:%H:%M:%S %z", "%a, %d %b %Y %H:%M:%S %z", "%a %b %d %H:%M:%S %Y", "%d %b %Y %H:%M:%S",
    "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%m/%d/%Y, %H:%M:%S", "%d/%m/%Y, %H:%M:%S", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %I:%M:%S %p", "%Y-%m-%d %H:%M:%S %z",
)  # fmt: skip
_DAYS: Final = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d %b %Y")
_ZONE = re.compile(r"(?:[Zz]|UTC|[+-]\d\d:?(?:\d\d)?)\Z", re.ASCII)
_MAGNITUDE: Final = 100
"""A typical call takes seconds: a median above this is in milliseconds."""


_ENOUGH: Final = 10
"""With fewer cells one that is no time may as well mean that the column holds something else."""


@dataclass(frozen=True, slots=True)
class TimeGuess:
    """How a column writes its times; `also` is a second format that fits every cell of the sample."""

    format: str
    day_only: bool
    has_zone: bool
    also: str | None = None


def filled(cells: Sequence[str]) -> list[str]:
    """Return the cells that hold a value."""
    return [c for text in cells if (c := text.strip()) and c not in VOID]


def time_format(cells: Sequence[str]) -> TimeGuess | None:
    """Return how a column writes its times; None if it does not hold times.

    A few cells may be none (a slip of the pen): they become rows that are refused, each with its number.
    """
    values = filled(cells)
    if not values:
        return None
    found = _one_format(values)
    if found is not None or len(values) < _ENOUGH:
        return found
    for form in (ISO, *EPOCHS, *_PATTERNS):
        sound = [value for value in values if _fits(form, [value])]
        if len(sound) * 10 >= len(values) * 9:
            return _one_format(sound)
    return None


def _one_format(values: Sequence[str]) -> TimeGuess | None:
    """Return the format that fits every value."""
    fitting = [form for form in EPOCHS if _fits(form, values)]
    if fitting:
        return TimeGuess(fitting[0], day_only=False, has_zone=True)
    if _fits(ISO, values):
        return TimeGuess(ISO, day_only=False, has_zone=all(_ZONE.search(v) for v in values))
    days = [form for form in ("date", *_DAYS) if _fits_day(form, values)]
    if days:
        return TimeGuess(days[0], day_only=True, has_zone=False, also=_also(days))
    found = [form for form in _PATTERNS if _fits(form, values)]
    return TimeGuess(found[0], day_only=False, has_zone="%z" in found[0], also=_also(found)) if found else None


def _also(found: Sequence[str]) -> str | None:
    return next((f for f in found[1:] if f.replace("%d", "%m") != found[0] and sorted(f) == sorted(found[0])), None)


def _fits(form: str, values: Sequence[str]) -> bool:
    zoned = Zoned(form, "UTC")
    try:
        for value in values:
            zoned(value)
    except ValueError:
        return False
    return True


def _fits_day(form: str, values: Sequence[str]) -> bool:
    zoned = Zoned(form, "UTC")
    try:
        for value in values:
            zoned.day(value)
    except ValueError:
        return False
    return True


# ── units ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_SUFFIXES: Final[dict[str, str]] = {
    "ms": "ms", "msec": "ms", "msecs": "ms", "millis": "ms", "milliseconds": "ms", "millisecond": "ms",
    "s": "s", "sec": "s", "secs": "s", "seconds": "s", "second": "s",
    "us": "us", "micros": "us", "microseconds": "us", "usec": "us", "ns": "ns", "nanos": "ns", "nanoseconds": "ns",
    "min": "min", "minutes": "min",
}  # fmt: skip


def unit_of(name: str) -> tuple[str, str | None]:
    """Split a normalised column name into its stem and the unit it ends in; a bare unit is a duration."""
    if name in _SUFFIXES and len(name) > 1:
        return "duration", _SUFFIXES[name]
    stem, _, last = name.rpartition("_")
    return (stem, _SUFFIXES[last]) if stem and last in _SUFFIXES else (name, None)


def unit_by_size(cells: Sequence[str]) -> str:
    """Return the unit that durations of this size are likely to have."""
    numbers = [n for text in filled(cells) if (n := try_number(text)) is not None and n > 0]
    middle = median(numbers) if numbers else Decimal(0)
    if middle > _MAGNITUDE * 10_000:
        return "us" if middle < _MAGNITUDE * 10_000_000 else "ns"
    return "ms" if middle > _MAGNITUDE else "s"


def is_numeric(cells: Sequence[str]) -> bool:
    """Tell whether a column holds numbers."""
    values = filled(cells)
    return bool(values) and all(try_number(v) is not None for v in values)


def is_http(cells: Sequence[str]) -> bool:
    """Tell whether a column holds HTTP status codes (0: no answer came)."""
    numbers = [try_number(v) for v in filled(cells)]
    return bool(numbers) and all(n is not None and (n == 0 or 100 <= n <= 599) for n in numbers)


# ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def yes_and_no(cells: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return the spellings of yes and of no that a column uses; None if it holds anything else."""
    words = sorted({v.casefold(): v for v in filled(cells)}.values())
    numbers = {w: try_number(w) for w in words}
    yes = [w for w in words if w.casefold() in _TRUE or numbers[w] == 1]
    no = [w for w in words if w.casefold() in _FALSE or numbers[w] == 0]
    spelt = sorted(set(filled(cells)))
    if not words or len(yes) + len(no) != len(words):
        return None
    lowered = {w.casefold() for w in yes}
    return [w for w in spelt if w.casefold() in lowered], [w for w in spelt if w.casefold() not in lowered]


def are_all(closed: type[Grade | Outcome], cells: Sequence[str]) -> bool:
    """Tell whether a column holds words of a closed list only."""
    values = filled(cells)
    return bool(values) and {v.lower() for v in values} <= {str(member) for member in closed}
