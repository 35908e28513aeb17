"""How people write a period: `2026-10-05`, `2026-10`, `2026-Q4`, `2026`, or `START/END`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from slaguard.errors import ConfigError
from slaguard.spec.model import PeriodUnit
from slaguard.spec.zones import DAY, instant, zone

FIRST_YEAR, LAST_YEAR = 1970, 2199
_LABEL: Final = re.compile(r"(\d{4})(?:-Q(\d)|-(\d{2})(?:-(\d{2}))?)?\Z", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))\Z", re.ASCII
)
_MONTHS: Final = {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.YEAR: 12}
_HOW: Final = (
    "write a day as 2026-10-05, a month as 2026-10, a quarter as 2026-Q4, a year as 2026,\n"
    "    or a look at any span as START/END: 2026-10-01T00:00:00+02:00/2026-10-08T00:00:00+02:00"
)


@dataclass(frozen=True, slots=True)
class Label:
    """A calendar period: its unit and its first day."""

    unit: PeriodUnit
    first: date

    @classmethod
    def around(cls, day: date, unit: PeriodUnit) -> Label:
        """Return the period that a day lies in."""
        if unit is PeriodUnit.DAY:
            return cls(unit, day)
        months = _MONTHS[unit]
        return cls(unit, day.replace(month=(day.month - 1) // months * months + 1, day=1))

    @property
    def after(self) -> date:
        """The first day that is no longer in the period."""
        if self.unit is PeriodUnit.DAY:
            return self.first + DAY
        return shift_months(self.first, _MONTHS[self.unit])

    @property
    def before(self) -> Label:
        """The period that ends where this one starts."""
        return Label.around(self.first - DAY, self.unit)

    @property
    def next(self) -> Label:
        """The period that starts where this one ends."""
        return Label(self.unit, self.after)

    def __str__(self) -> str:
        """Return the label as people write it."""
        match self.unit:
            case PeriodUnit.DAY:
                return self.first.isoformat()
            case PeriodUnit.MONTH:
                return f"{self.first.year:04d}-{self.first.month:02d}"
            case PeriodUnit.QUARTER:
                return f"{self.first.year:04d}-Q{(self.first.month + 2) // 3}"
            case PeriodUnit.YEAR:
                return f"{self.first.year:04d}"


@dataclass(frozen=True, slots=True)
class Look:
    """An explicit span of UTC nanoseconds, half-open, as it was written."""

    text: str
    start: int
    end: int

    def __str__(self) -> str:
        """Return the span as it was written."""
        return self.text


def parse_period(text: str) -> Label | Look:
    """Read a period.

    Raises:
        ConfigError: it is not written in one of the five forms, or there is no such day, month, quarter or time.

    """
    if "/" in text:
        start, end = text.split("/", 1)
        look = Look(text, _moment(text, start, "START"), _moment(text, end, "END"))
        if look.end <= look.start:
            raise refused(text, "END does not come after START")
        return look
    found = _LABEL.match(text)
    if found is None:
        raise refused(text, "this is no period")
    return _label(text, found)


def shift_months(day: date, months: int) -> date:
    """Return the same day number so many months later, clipped to the month's last day; a month end stays a month end."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = _last_of(year, month + 1)
    month_end = (day + DAY).day == 1
    return last if month_end else last.replace(day=min(day.day, last.day))


def _last_of(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - DAY


def _label(text: str, found: re.Match[str]) -> Label:
    year, quarter, month, day = (int(part) if part else None for part in found.groups())
    if year is None or not FIRST_YEAR <= year <= LAST_YEAR:
        raise refused(text, f"the year lies between {FIRST_YEAR} and {LAST_YEAR}")
    if quarter is not None:
        if not 1 <= quarter <= 4:
            raise refused(text, f"there is no quarter {quarter}")
        return Label(PeriodUnit.QUARTER, date(year, 3 * quarter - 2, 1))
    if month is None:
        return Label(PeriodUnit.YEAR, date(year, 1, 1))
    if not 1 <= month <= 12:
        raise refused(text, f"there is no month {month}")
    if day is None:
        return Label(PeriodUnit.MONTH, date(year, month, 1))
    if not 1 <= day <= _last_of(year, month).day:
        raise refused(text, f"{year:04d}-{month:02d} has no day {day}")
    return Label(PeriodUnit.DAY, date(year, month, day))


def _moment(text: str, part: str, name: str) -> int:
    """Return an RFC 3339 time with its offset in UTC nanoseconds."""
    found = _MOMENT.match(part)
    if found is None:
        raise refused(text, f"{name} is no time with its offset from UTC")
    *numbers, fraction, sign, hours, minutes = found.groups()
    year, month, day, hour, minute, second = map(int, numbers)
    ahead = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise refused(text, f"the year of {name} lies between {FIRST_YEAR} and {LAST_YEAR}")
    try:
        utc = datetime(year, month, day, hour, minute, second, tzinfo=timezone(ahead)).astimezone(UTC)
    except ValueError:
        raise refused(text, f"{name} is no time of the calendar") from None
    return instant(utc, zone("UTC")) + int((fraction or "").ljust(9, "0"))


def refused(text: str, why: str, mend: str = _HOW) -> ConfigError:
    """Return the error for a period that cannot be used: what was written, why not, and how to mend it."""
    shown = text if text.isprintable() and len(text) <= 80 else ascii(text[:80])
    return ConfigError(f"{shown}: E-PERIOD  {why}\n    {mend}")
