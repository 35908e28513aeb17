"""Service hours as UTC spans: the hours of a week on the contract's clock, without the holidays.

Hours on a day when the clock is put forward or back are as long as that day makes them. Hours that run past midnight
belong to the day they begin on, so a holiday takes those out that begin on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from slaguard.spec.calendar import WEEKDAYS, ServiceHours, minutes_of
from slaguard.spec.period import Span
from slaguard.spec.working_days import is_holiday
from slaguard.spec.zones import DAY, instant, local_day


def service_spans(hours: ServiceHours, span: Span, where: ZoneInfo) -> tuple[Span, ...]:
    """Return the service time that touches a span, whole hours as they begin and end, merged and in order.

    Args:
        hours: the term.
        span: UTC nanoseconds, half-open.
        where: the contract's zone.

    """
    day, last = local_day(span[0], where) - DAY, local_day(span[1] - 1, where)
    merged: list[Span] = []
    while day <= last:
        for start, end in sorted(_on(hours, day, where)):
            if end <= span[0] or start >= span[1]:
                continue
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        day += DAY
    return tuple(merged)


def _on(hours: ServiceHours, day: date, where: ZoneInfo) -> Iterator[Span]:
    """Yield the hours that begin on a day."""
    if hours.holidays is not None and is_holiday(hours.holidays, day):
        return
    for weekly in hours.weekly:
        if WEEKDAYS[day.weekday()] in weekly.days:
            first, last = minutes_of(weekly.hours)
            start, end = _at(day, first, where), _at(day, last, where)
            if start < end:
                yield start, end


def _at(day: date, minutes: int, where: ZoneInfo) -> int:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the zone comes next
    return instant(midnight + timedelta(minutes=minutes), where)
