"""Time in words: the period, its first and last one, service hours, a stated month, amendments, and averages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from slaguard.spec.amendments import Amendment
from slaguard.spec.calendar import WEEKDAYS as SHORT_DAYS
from slaguard.spec.calendar import AnyPeriod, PeriodUnit, ServiceHours, SpelledPeriod
from slaguard.spec.explain_words import MONTHS, WEEKDAYS, counted, day, listing, name, value
from slaguard.spec.model import Agreement, Objective

_FIRST: Final = {
    "partial": "A first period that begins before the Agreement is judged as far as it is in force.",
    "skip": "A first period that begins before the Agreement is not judged.",
    "merge_with_next": "A first period that begins before the Agreement is judged together with the next one.",
}
_LAST: Final = {
    "partial": "A last period that ends after the Agreement is judged as far as it is in force.",
    "skip": "A last period that ends after the Agreement is not judged.",
    "merge_with_previous": "A last period that ends after the Agreement is judged together with the one before.",
}


def period_words(period: AnyPeriod) -> str:
    """Return a period with what makes it: ``one calendar month``, ``one billing cycle, which begins on day 12 of a month``."""
    if not isinstance(period, SpelledPeriod):
        return f"one calendar {period.value}"
    if period.rolling is not None:
        return f"the {counted(period.rolling, 'day')} up to the end of each day, so that windows overlap"
    if period.billing_cycle is not None:
        start = period.billing_cycle.start_day
        short = "; in a shorter month on its last day" if start > 28 else ""
        return f"one billing cycle, which begins on day {start} of a month{short}"
    return f"one {period.value} of a year that begins with {MONTHS[period.year_starts - 1]}"


def each_period(period: AnyPeriod) -> str:
    """Return how a promise's sentence begins."""
    if isinstance(period, SpelledPeriod):
        if period.rolling is not None:
            return f"In the {counted(period.rolling, 'day')} up to the end of each day"
        if period.billing_cycle is not None:
            return f"In each billing cycle from day {period.billing_cycle.start_day}"
        return f"In each {period.value} (the year begins with {MONTHS[period.year_starts - 1]})"
    return "On each day" if period is PeriodUnit.DAY else f"In each calendar {period.value}"


def time_lines(agreement: Agreement) -> Iterator[str]:
    """Yield what is said of time: over what each promise is judged, and what of it counts."""
    yield f"Each promise is judged over {period_words(agreement.period)}, on the clock of {agreement.time_zone}."
    if agreement.first_period is not None:
        yield _FIRST[agreement.first_period]
    if agreement.last_period is not None:
        yield _LAST[agreement.last_period]
    if agreement.service_hours is not None:
        yield from _service(agreement.service_hours)
    if agreement.month_length == "actual":
        yield "A month is as long as it is."
    elif agreement.month_length is not None:
        days = agreement.month_length[:-1]
        yield f"By the clause a month counts as {days} days, however long it is: shares of time are taken of so many minutes."
    yield from (_amendment(one) for one in agreement.amendments)


def averaged(objective: Objective) -> list[str]:
    """Return that a figure is averaged with earlier periods, where it is."""
    n = objective.average_with_previous
    if n is None:
        return []
    return [f"The figure is the mean of the period's own and that of the {counted(n, 'period')} before; each counts alike."]


def _service(hours: ServiceHours) -> Iterator[str]:
    weekly = "; ".join(f"{listing(_days(one.days))} {one.hours.replace('-', ' to ')}" for one in hours.weekly)
    yield f"Only service hours count: {weekly}. What happens outside them counts neither for nor against."
    if hours.holidays is not None:
        yield f"A public holiday of {hours.holidays} has no service hours."
    else:
        yield "Public holidays are days like others."


def _days(days: tuple[str, ...]) -> list[str]:
    return [WEEKDAYS[i] for i, short in enumerate(SHORT_DAYS) if short in days]


def _amendment(one: Amendment) -> str:
    changes = listing(f"{value(path)} becomes {_shown(new)}" for path, new in one.set.items())
    when = (
        "inside a period it splits it, and each part is judged under its own terms with its days' share of the fee"
        if one.within_period == "split"
        else "inside a period it begins with the next one"
    )
    return f"Amendment {one.id} ({name(one.clause)}), in force from {day(one.effective)}: {changes}; {when}."


def _shown(new: Any) -> str:
    if isinstance(new, Mapping):
        return "{" + ", ".join(f"{value(str(k))}: {_shown(v)}" for k, v in new.items()) + "}"
    if isinstance(new, tuple):
        return "[" + ", ".join(_shown(v) for v in new) + "]"
    return value(str(new))
