"""Instants as people say them, in the contract's zone. Dates are written in English words, times on a 24-hour clock."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from slaguard.records import NS
from slaguard.spec.explain_words import MONTHS, clock, counted
from slaguard.spec.zones import local_time, midnight, zone

DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_QUARTERS: Final = ("first", "second", "third", "fourth")
_OWN: Final = re.compile(
    r"(?P<year>\d{4})-W(?P<week>\d{2})\Z|(?P<whole>.+)\.(?P<part>\d)\Z"
    r"|(?P<kind>FQ|FY|BC|\d+d-to-)(?P<since>\d{4}-\d{2}(?:-\d{2})?)\Z",
    re.ASCII,
)
_KINDS: Final = {"FQ": "fiscal quarter", "FY": "fiscal year", "BC": "billing cycle"}
_MONTH = re.compile(r"(\d{4})-(\d{2})\Z", re.ASCII)
_QUARTER = re.compile(r"(\d{4})-Q([1-4])\Z", re.ASCII)
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Calendar:
    """A time zone and its words."""

    name: str
    zone: ZoneInfo

    @classmethod
    def of(cls, name: str) -> Calendar:
        """Return the calendar of an IANA zone."""
        return cls(name, zone(name))

    @property
    def clock(self) -> str:
        """Return the zone as people say it: ``Berlin time``."""
        return clock(self.name)

    def at(self, ns: int) -> datetime:
        """Return the local time of an instant, to the microsecond below it."""
        return local_time(ns, self.zone)

    def ns(self, day: date) -> int:
        """Return the first instant of a local day."""
        return midnight(day, self.zone)

    def last_day(self, end: int) -> date:
        """Return the local day on which the last instant before `end` lies."""
        return self.at(end - 1).date()

    # ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def day(self, ns: int) -> str:
        """Write the day: ``13 October``."""
        when = self.at(ns)
        return f"{when.day} {MONTHS[when.month - 1]}"

    def short_day(self, ns: int) -> str:
        """Write the day in little room: ``13 Oct``."""
        when = self.at(ns)
        return f"{when.day} {MONTHS[when.month - 1][:3]}"

    def time(self, ns: int) -> str:
        """Write the time of day: ``14:02``; seconds only where there are any, the offset only where the hour comes twice."""
        when = self.at(ns)
        text = f"{when:%H:%M:%S}" if when.second else f"{when:%H:%M}"
        if when.replace(fold=0).utcoffset() == when.replace(fold=1).utcoffset():
            return text
        hours = (when.utcoffset() or timedelta()) / timedelta(hours=1)
        return f"{text} (UTC{hours:+g})"

    def minute(self, ns: int) -> str:
        """Write the minute in which an instant lies: ``14:02``."""
        return self.time(ns - ns % (60 * NS))

    def moment(self, ns: int) -> str:
        """Write the day and the minute in which an instant lies: ``13 Oct 14:02``."""
        return f"{self.short_day(ns)} {self.minute(ns)}"

    def stamp(self, ns: int) -> str:
        """Write an instant in full: ``2 November 2026, 10:00``."""
        when = self.at(ns)
        return f"{when.day} {MONTHS[when.month - 1]} {when.year}, {self.time(ns)}"

    def span(self, start: int, end: int) -> str:
        """Write a stretch of time: ``8 Oct, 14:20–15:01``, or with both days where it goes over midnight."""
        if self.at(start).date() == self.last_day(end):
            return f"{self.short_day(start)}, {self.time(start)}–{self.end_time(end)}"
        return f"{self.short_day(start)} {self.time(start)} – {self.end_day(end)} {self.end_time(end)}"

    def end_time(self, end: int) -> str:
        """Write the end of a stretch: a midnight is 24:00 of the day before."""
        return "24:00" if self.is_midnight(end) else self.time(end)

    def end_day(self, end: int) -> str:
        """Write the day on which a stretch ends: ``30 Nov``."""
        return self.short_day(end - 1) if self.is_midnight(end) else self.short_day(end)

    def period(self, label: str, start: int, end: int) -> str:
        """Write a period: its name, or of a span between two instants its first and last day, with times where needed."""
        if "/" not in label:
            return period_name(label)
        first, last = self.at(start), self.day_of_deadline(end)
        days = [f"{day.day} {MONTHS[day.month - 1]} {day.year}" for day in (first.date(), last)]
        if self.is_midnight(start) and self.is_midnight(end):
            return days[0] if days[0] == days[1] else " to ".join(days)
        return f"{days[0]}, {self.time(start)} to {days[1]}, {self.end_time(end)}"

    def deadline_day(self, due: int) -> str:
        """Write the last day on which one may act: ``Mon 30 Nov 2026``."""
        last = self.day_of_deadline(due)
        return f"{DAYS[last.weekday()]} {last.day} {MONTHS[last.month - 1][:3]} {last.year}"

    def days_left(self, due: int, now: int) -> int:
        """Return how many midnights lie between the day of `now` and the last day on which one may act."""
        return (self.day_of_deadline(due) - self.at(now).date()).days

    def day_of_deadline(self, due: int) -> date:
        """Return the last day on which one may act: of a deadline at midnight, the day that ends there."""
        return self.last_day(due) if self.is_midnight(due) else self.at(due).date()

    def is_midnight(self, ns: int) -> bool:
        """Tell whether an instant is the start of a local day, which is 24:00 of the day before."""
        when = self.at(ns)
        return (when.hour, when.minute, when.second, when.microsecond) == (0, 0, 0, 0)


def left(days: int) -> str:
    """Write how much time is left."""
    return "today is the last day" if days == 0 else f"{counted(days, 'day')} left" if days > 0 else "past"


def length(ns: int) -> str:
    """Write a length of time: ``41 minutes``, ``3 hours``, ``2 days 4 hours``."""
    minutes, rest = divmod(ns // NS, 60)
    if not minutes:
        return counted(rest, "second")
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "day"), (hours, "hour"), (minutes, "minute"), (rest, "second"))
    return " ".join(counted(n, unit) for n, unit in parts if n)


def period_name(label: str) -> str:
    """Return a period as a sentence has it: ``October 2026``, ``the third quarter of 2026``; other labels as they are."""
    if found := _MONTH.match(label):
        return f"{MONTHS[int(found[2]) - 1]} {found[1]}"
    if found := _QUARTER.match(label):
        return f"the {_QUARTERS[int(found[2]) - 1]} quarter of {found[1]}"
    if found := _DAY.match(label):
        return f"{int(found[3])} {MONTHS[int(found[2]) - 1]} {found[1]}"
    if found := _OWN.match(label):
        return _own_name(found)
    return label


def _own_name(found: re.Match[str]) -> str:
    """Name a week, a part of a period, or a period that an Agreement spells out."""
    if found["week"]:
        return f"week {int(found['week'])} of {found['year']}"
    if found["part"]:
        return f"part {found['part']} of {period_name(found['whole'])}"
    since = period_name(found["since"])
    if found["kind"].endswith("d-to-"):
        return f"the {found['kind'].removesuffix('d-to-')} days to {since}"
    return f"the {_KINDS[found['kind']]} from {since}"


def unit_of(label: str) -> str:
    """Return what sort of period a label names: month, quarter, day, year, or just period."""
    forms = ((_MONTH, "month"), (_QUARTER, "quarter"), (_DAY, "day"), (re.compile(r"\d{4}\Z", re.ASCII), "year"))
    word = next((word for form, word in forms if form.match(label)), None)
    found = _OWN.match(label) if word is None else None
    if found is None:
        return word or "period"
    return "week" if found["week"] else _KINDS.get(found["kind"] or "", "period")
