"""Public holidays by country, from the kept library `holidays`, which is loaded only where an Agreement names a calendar.

A calendar is named as ISO 3166 names countries and their parts: ``US``, ``DE-HE``. A day is a working day unless it is
a holiday (observed ones too) or lies on that country's weekend.
"""

from __future__ import annotations

import re
from datetime import date
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, Final

from slaguard.spec.zones import DAY

_NAME: Final = re.compile(r"([A-Z]{2})(?:-([A-Z0-9]{1,3}))?\Z", re.ASCII)
_SATURDAY: Final = 5


def holidays_version() -> str:
    """Return the version of the holiday library: with another one a holiday may differ."""
    return str(import_module("holidays").__version__)


def known_calendar(name: str) -> str:
    """Return the name of a calendar.

    Raises:
        ValueError: there is no such calendar; the message says how to name one.

    """
    found = _NAME.match(name)
    parts = _countries().get(found[1]) if found else None
    if found is None or parts is None:
        raise ValueError(f"{name[:20]!r} is no holiday calendar; write a country as US or a part of one as DE-HE")
    if found[2] is not None and found[2] not in parts:
        near = get_close_matches(found[2], parts, 1)
        like = f"; did you mean {found[1]}-{near[0]}?" if near else ""
        raise ValueError(f"{found[1]} has no part {found[2]!r}{like}; it has {', '.join(parts) or 'none'}")
    return name


def is_holiday(name: str, day: date) -> bool:
    """Tell whether a day is a public holiday of a calendar (its weekend apart)."""
    return day in _calendar(name)


def is_working_day(name: str | None, day: date) -> bool:
    """Tell whether a day is neither weekend nor holiday; without a calendar, Monday to Friday."""
    if name is None:
        return day.weekday() < _SATURDAY
    return bool(_calendar(name).is_working_day(day))


def working_day(name: str | None, day: date, n: int) -> date:
    """Return the n-th working day strictly after a day, or before it where n is negative; the day itself for none.

    Raises:
        OverflowError: the calendar of dates does not reach that far.

    """
    step = DAY if n > 0 else -DAY
    for _ in range(abs(n)):
        day += step
        while not is_working_day(name, day):
            day += step
    return day


@cache
def _countries() -> dict[str, list[str]]:
    found: dict[str, list[str]] = import_module("holidays").list_supported_countries(include_aliases=False)
    return found


@cache
def _calendar(name: str) -> Any:
    country, _, part = name.partition("-")
    return import_module("holidays").country_holidays(country, subdiv=part or None)
