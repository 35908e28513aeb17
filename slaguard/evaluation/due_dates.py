"""From an anchor to the end of a last day: hours, days, business days, months and billing cycles (`contracts.md` §6).

A day ends at 24:00 local time. The anchor's day is day 0; an anchor that is the end of a period or a month lies on the last
day inside it, and an incident that ends at midnight ends on the day that begins there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from slaguard.records import NS
from slaguard.spec.labels import cycle_around, shift_months
from slaguard.spec.model import Deadline, Margin
from slaguard.spec.working_days import is_working_day, working_day
from slaguard.spec.zones import DAY, instant, local_day, local_time, midnight

_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SATURDAY: Final = 5
_HOUR: Final = 3600 * NS


@dataclass(frozen=True, slots=True)
class Anchor:
    """What a deadline counts from: an instant in UTC nanoseconds, and how a sentence names it.

    `is_end` is true for the first instant after something: its day is then the day before a midnight.
    """

    ns: int
    words: str
    is_end: bool = False

    def day(self, where: ZoneInfo) -> date:
        """Return the local day that is day 0."""
        return local_day(self.ns - 1 if self.is_end else self.ns, where)


@dataclass(frozen=True, slots=True)
class Moment:
    """The end of a local day, or an exact instant on one."""

    day: date
    ns: int
    where: ZoneInfo
    is_day_end: bool

    @classmethod
    def end_of(cls, day: date, where: ZoneInfo) -> Moment:
        """Return 24:00 of a local day."""
        return cls(day, midnight(day + DAY, where), where, is_day_end=True)

    @classmethod
    def exactly(cls, ns: int, where: ZoneInfo) -> Moment:
        """Return an instant; a local midnight is 24:00 of the day before."""
        day = local_day(ns, where)
        if midnight(day, where) == ns:
            return cls.end_of(day - DAY, where)
        return cls(day, ns, where, is_day_end=False)

    def earlier(self, margin: Margin, calendar: str | None) -> Moment:
        """Return the same time of day, so many days or business days before."""
        if margin.unit == "business_days":
            day = _business_days_before(self.day, margin.n, calendar)
        else:
            day = self.day - margin.n * DAY
        if self.is_day_end:
            return Moment.end_of(day, self.where)
        clock = local_time(self.ns, self.where).time().replace(microsecond=0)
        return Moment.exactly(instant(datetime.combine(day, clock), self.where) + self.ns % NS, self.where)

    def __str__(self) -> str:
        """Return ``Mon 2026-11-30, 24:00 Europe/Berlin``; the offset is added where the clock shows the time twice."""
        head = f"{_WEEKDAYS[self.day.weekday()]} {self.day.isoformat()}, "
        if self.is_day_end:
            return f"{head}24:00 {self.where.key}"
        shown = local_time(self.ns, self.where)
        text = f"{shown:%H:%M:%S}" if shown.second else f"{shown:%H:%M}"
        twice = shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()
        offset = f" ({shown:%z})" if twice else ""
        return f"{head}{text} {self.where.key}{offset}"


def computed(deadline: Deadline, anchor: Anchor, where: ZoneInfo) -> tuple[Moment, Moment] | None:
    """Return the deadline and when to act by, never before the anchor; None where no calendar reaches that far."""
    try:
        moment = _moment(deadline, anchor, where)
        act_by = moment.earlier(deadline.margin, deadline.calendar)
        return moment, act_by if act_by.ns >= anchor.ns else Moment.exactly(anchor.ns, where)
    except (OverflowError, ValueError):  # what `datetime` says beyond the year 9999
        return None


def _moment(deadline: Deadline, anchor: Anchor, where: ZoneInfo) -> Moment:
    if deadline.unit == "hours":
        return Moment.exactly(anchor.ns + deadline.n * _HOUR, where)
    return Moment.end_of(_rolled(deadline, _last_day(deadline, anchor.day(where))), where)


def _last_day(deadline: Deadline, day: date) -> date:
    match deadline.unit:
        case "business_days":
            return working_day(deadline.calendar, day, deadline.n)
        case "months":
            return shift_months(day, deadline.n)
        case "billing_cycles":
            return _end_of_cycle(day, deadline.start_day or 1, deadline.n)
        case _:
            return day + timedelta(days=deadline.n)


def _end_of_cycle(day: date, start_day: int, n: int) -> date:
    """Return the last day of the n-th billing cycle after the one that a day lies in."""
    _, after = cycle_around(day, start_day)
    for _ in range(n):
        _, after = cycle_around(after, start_day)
    return after - DAY


def _rolled(deadline: Deadline, day: date) -> date:
    """Move a last day that is no business day as the clause says (rule 3)."""
    if deadline.roll in {None, "none"} or is_working_day(deadline.calendar, day):
        return day
    return working_day(deadline.calendar, day, 1 if deadline.roll == "next_business_day" else -1)


def _business_days_before(day: date, n: int, calendar: str | None) -> date:
    """Return the n-th business day before `day`; `day` itself for none."""
    if n == 0 or calendar is not None:
        return working_day(calendar, day, -n)
    if day.weekday() >= _SATURDAY:
        day += (7 - day.weekday()) * DAY  # the same business days lie before the Monday that follows
    day -= n // 5 * 7 * DAY
    for _ in range(n % 5):
        day -= DAY if day.weekday() else 3 * DAY
    return day
