"""How people write a period: `2026-10-05`, `2026-W41`, `2026-10`, `2026-Q4`, `2026`, `FQ2026-10`, …, or `START/END`.

What the calendar alone gives is named as everybody names it. What an Agreement adds is named by where it begins, with
two letters before it, so that it is never taken for a day or a month: `FQ2026-10` is the fiscal quarter that begins in
October 2026, `BC2026-10-12` the billing cycle that begins on that day. A rolling window is named by its last day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from slaguard.errors import ConfigError
from slaguard.spec.calendar import AnyPeriod, BillingCycle, FiscalCalendar, PeriodUnit, SpelledPeriod
from slaguard.spec.zones import DAY, instant, zone

FIRST_YEAR, LAST_YEAR = 1970, 2199
_PART: Final = r"(?:\.(?P<part>[1-9]))?\Z"
_LABEL: Final = re.compile(
    r"(?P<year>\d{4})(?:-Q(?P<quarter>\d)|-W(?P<week>\d{2})|-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?" + _PART, re.ASCII
)
_SPELLED: Final = re.compile(
    r"(?P<kind>FQ|FY|BC|\d{1,4}d-to-)(?P<year>\d{4})-(?P<month>\d{2})(?:-(?P<day>\d{2}))?" + _PART, re.ASCII
)
_MOMENT: Final = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))\Z", re.ASCII
)
_MONTHS: Final = {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.YEAR: 12}
_HOW: Final = (
    "write a day as 2026-10-05, a week as 2026-W41, a month as 2026-10, a quarter as 2026-Q4, a year as 2026;\n"
    "    a fiscal quarter or year by the month it begins in, FQ2026-10 and FY2026-04, a billing cycle by its first day,\n"
    "    BC2026-10-12, a rolling window by its last day, 30d-to-2026-10-31;\n"
    "    or a look at any span as START/END: 2026-10-01T00:00:00+02:00/2026-10-08T00:00:00+02:00"
)


@dataclass(frozen=True, slots=True)
class Label:
    """A period of a calendar: its unit (or what an Agreement spells out instead) and its first day.

    `part` is 0 for the whole period, and 1, 2, … for the parts that an amendment splits it into.
    """

    unit: AnyPeriod
    first: date
    part: int = 0

    @classmethod
    def around(cls, day: date, unit: AnyPeriod) -> Label:
        """Return the period that a day lies in; of rolling windows the one that ends with it."""
        if isinstance(unit, SpelledPeriod):
            return cls(unit, _spelled_first(day, unit))
        if unit is PeriodUnit.DAY:
            return cls(unit, day)
        if unit is PeriodUnit.WEEK:
            return cls(unit, day - day.weekday() * DAY)
        months = _MONTHS[unit]
        return cls(unit, day.replace(month=(day.month - 1) // months * months + 1, day=1))

    @property
    def after(self) -> date:
        """The first day that is no longer in the period."""
        unit = self.unit
        if isinstance(unit, SpelledPeriod):
            return _spelled_after(self.first, unit)
        if unit is PeriodUnit.DAY or unit is PeriodUnit.WEEK:
            return self.first + (DAY if unit is PeriodUnit.DAY else 7 * DAY)
        return shift_months(self.first, _MONTHS[unit])

    @property
    def before(self) -> Label:
        """The period before: it ends where this one starts, a rolling window a day earlier."""
        if isinstance(self.unit, SpelledPeriod) and self.unit.rolling is not None:
            return Label(self.unit, self.first - DAY)
        return Label.around(self.first - DAY, self.unit)

    @property
    def next(self) -> Label:
        """The period after: it starts where this one ends, a rolling window a day later."""
        if isinstance(self.unit, SpelledPeriod) and self.unit.rolling is not None:
            return Label(self.unit, self.first + DAY)
        return Label(self.unit, self.after)

    @property
    def whole(self) -> Label:
        """The period that this is a part of."""
        return replace(self, part=0)

    def __str__(self) -> str:
        """Return the label as people write it."""
        return _text(self) + (f".{self.part}" if self.part else "")


def _text(label: Label) -> str:
    first = label.first
    match label.unit:
        case PeriodUnit.DAY:
            return first.isoformat()
        case PeriodUnit.WEEK:
            year, week, _ = first.isocalendar()
            return f"{year:04d}-W{week:02d}"
        case PeriodUnit.MONTH:
            return f"{first.year:04d}-{first.month:02d}"
        case PeriodUnit.QUARTER:
            return f"{first.year:04d}-Q{(first.month + 2) // 3}"
        case PeriodUnit.YEAR:
            return f"{first.year:04d}"
        case spelled:
            if spelled.rolling is not None:
                return f"{spelled.rolling}d-to-{label.after - DAY}"
            if spelled.billing_cycle is not None:
                return f"BC{first.isoformat()}"
            return f"{'FQ' if spelled.fiscal_quarter is not None else 'FY'}{first.year:04d}-{first.month:02d}"


# ── periods that an Agreement spells out ────────────────────────────────────────────────────────────────────────────
def _spelled_first(day: date, unit: SpelledPeriod) -> date:
    if unit.rolling is not None:
        return day - (unit.rolling - 1) * DAY
    if unit.billing_cycle is not None:
        return cycle_around(day, unit.billing_cycle.start_day)[0]
    since = (day.month - unit.year_starts) % (12 if unit.fiscal_year is not None else 3)
    return shift_months(day.replace(day=1), -since)


def _spelled_after(first: date, unit: SpelledPeriod) -> date:
    if unit.rolling is not None:
        return first + unit.rolling * DAY
    if unit.billing_cycle is not None:
        return cycle_around(first, unit.billing_cycle.start_day)[1]
    return shift_months(first, 12 if unit.fiscal_year is not None else 3)


def cycle_around(day: date, start_day: int) -> tuple[date, date]:
    """Return the first day of the billing cycle that a day lies in, and the first day of the next one.

    A start day beyond a short month's end means its last day.
    """
    here = _start_in(day.year, day.month - 1, start_day)
    if day < here:
        return _start_in(day.year, day.month - 2, start_day), here
    return here, _start_in(day.year, day.month, start_day)


def _start_in(year: int, months: int, start_day: int) -> date:
    """Return when the cycle of a month begins, the month counted from January of a year."""
    last = _last_of(year + months // 12, months % 12 + 1)
    return last.replace(day=min(start_day, last.day))


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def parse_period(text: str) -> Label | Look:
    """Read a period.

    A billing cycle, a fiscal period and a rolling window are taken as they are named; `resolve` holds them against the
    Agreement's own.

    Raises:
        ConfigError: it is not written in one of the forms, or there is no such day, week, month, quarter or time.

    """
    if "/" in text:
        start, end = text.split("/", 1)
        look = Look(text, _moment(text, start, "START"), _moment(text, end, "END"))
        if look.end <= look.start:
            raise refused(text, "END does not come after START")
        return look
    if found := _SPELLED.match(text):
        return _spelled(text, found)
    found = _LABEL.match(text)
    if found is None:
        raise refused(text, "this is no period")
    return replace(_label(text, found), part=int(found["part"] or 0))


@dataclass(frozen=True, slots=True)
class Look:
    """An explicit span of UTC nanoseconds, half-open, as it was written."""

    text: str
    start: int
    end: int

    def __str__(self) -> str:
        """Return the span as it was written."""
        return self.text


def shift_months(day: date, months: int) -> date:
    """Return the same day number so many months later, clipped to the month's last day; a month end stays a month end."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    last = _last_of(year, month + 1)
    month_end = (day + DAY).day == 1
    return last if month_end else last.replace(day=min(day.day, last.day))


def _last_of(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - DAY


def _spelled(text: str, found: re.Match[str]) -> Label:
    kind, written = found["kind"], found["day"]
    if (kind in {"FQ", "FY"}) == (written is not None):
        raise refused(text, "this is no period")
    day = _day(text, _year(text, found["year"]), _month(text, int(found["month"])), int(written or 1))
    part = int(found["part"] or 0)
    if kind == "BC":
        return Label(SpelledPeriod(billing_cycle=BillingCycle(start_day=day.day)), day, part)
    fiscal = FiscalCalendar(year_starts=day.month)
    if kind == "FQ":
        return Label(SpelledPeriod(fiscal_quarter=fiscal), day, part)
    if kind == "FY":
        return Label(SpelledPeriod(fiscal_year=fiscal), day, part)
    length = int(kind.removesuffix("d-to-"))
    if not 1 <= length <= 3660:
        raise refused(text, "a rolling window is 1 to 3660 days")
    return Label(SpelledPeriod(rolling=length, ends="day"), day - (length - 1) * DAY, part)


def _label(text: str, found: re.Match[str]) -> Label:
    year = _year(text, found["year"])
    if found["quarter"] is not None:
        quarter = int(found["quarter"])
        if not 1 <= quarter <= 4:
            raise refused(text, f"there is no quarter {quarter}")
        return Label(PeriodUnit.QUARTER, date(year, 3 * quarter - 2, 1))
    if found["week"] is not None:
        try:
            return Label(PeriodUnit.WEEK, date.fromisocalendar(year, int(found["week"]), 1))
        except ValueError:
            raise refused(text, f"{year} has no week {int(found['week'])}") from None
    if found["month"] is None:
        return Label(PeriodUnit.YEAR, date(year, 1, 1))
    month = _month(text, int(found["month"]))
    if found["day"] is None:
        return Label(PeriodUnit.MONTH, date(year, month, 1))
    return Label(PeriodUnit.DAY, _day(text, year, month, int(found["day"])))


def _year(text: str, written: str) -> int:
    if not FIRST_YEAR <= int(written) <= LAST_YEAR:
        raise refused(text, f"the year lies between {FIRST_YEAR} and {LAST_YEAR}")
    return int(written)


def _month(text: str, month: int) -> int:
    if not 1 <= month <= 12:
        raise refused(text, f"there is no month {month}")
    return month


def _day(text: str, year: int, month: int, day: int) -> date:
    if not 1 <= day <= _last_of(year, month).day:
        raise refused(text, f"{year:04d}-{month:02d} has no day {day}")
    return date(year, month, day)


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
