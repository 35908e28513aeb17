"""Terms of time: what period a promise is judged over, its edges, service hours, and a stated length of the month.

A period is a word (`month`) or a map with one key: `fiscal_quarter`, `fiscal_year`, `billing_cycle` or `rolling`. Both
answer to `value`, the word that sentences use. What no calendar gives a length, like a rolling month, is refused.
"""

from __future__ import annotations

import re
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    WithJsonSchema,
    model_validator,
)  # fmt: skip

from slaguard.spec.conditions import SetOf, Term
from slaguard.spec.scalars import as_text, refuse
from slaguard.spec.working_days import known_calendar

DAY_MS: Final = 86_400_000
LONGEST_ROLLING: Final = 3660
WEEKDAYS: Final = ("mo", "tu", "we", "th", "fr", "sa", "su")
_NUMBER = re.compile(r"[1-9]\d?\Z", re.ASCII)
_DAYS = re.compile(r"([1-9]\d{0,3})([dw])\Z", re.ASCII)
_HOURS = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})\Z", re.ASCII)
_MONTH_LENGTH = re.compile(r"\d{2}(\.\d{1,4})?d\Z", re.ASCII)
_LIKE_A_MONTH = re.compile(r"\d+ ?(mo|mon|months?|M|quarters?|q|y|years?)\Z", re.IGNORECASE | re.ASCII)


class PeriodUnit(StrEnum):
    """Calendar periods, in the Agreement's time zone; a week begins on Monday (ISO 8601)."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


# ── scalars ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _between(first: int, last: int, what: str) -> Any:
    def validate(value: Any) -> Any:
        if isinstance(value, int):
            return value
        text = as_text(value)
        if not _NUMBER.match(text) or not first <= int(text) <= last:
            raise refuse("E-SPEC-PERIOD", f"write {what} as a number from {first} to {last}")
        return int(text)

    schema = {"type": ["integer", "string"], "description": f"{what[0].upper()}{what[1:]}, {first} to {last}."}
    return BeforeValidator(validate), WithJsonSchema(schema)


MonthNumber = Annotated[int, *_between(1, 12, "a month")]
DayNumber = Annotated[int, *_between(1, 31, "a day of the month")]


def _rolling_days(value: Any) -> Any:
    if isinstance(value, int):
        return value
    text = as_text(value)
    if found := _DAYS.match(text):
        days = int(found[1]) * (7 if found[2] == "w" else 1)
        if days <= LONGEST_ROLLING:
            return days
        raise refuse("E-SPEC-PERIOD", f"a rolling window is at most {LONGEST_ROLLING} days")
    if _LIKE_A_MONTH.match(text):
        why = "a rolling month has no length (a month has 28 to 31 days)"
        raise refuse("E-SPEC-PERIOD", f"{why}: agree on days, rolling: 30d, or judge by `period: month`")
    raise refuse("E-SPEC-PERIOD", "write the length of the window in days or weeks: 30d, 4w")


RollingDays = Annotated[
    int,
    BeforeValidator(_rolling_days),
    PlainSerializer(lambda days: f"{days}d", return_type=str, when_used="unless-none"),
    WithJsonSchema({"type": "string", "pattern": r"^[1-9]\d*[dw]$", "description": "A number of days.", "examples": ["30d"]}),
]


def _month_length(value: Any) -> Any:
    if isinstance(value, str) and (value == "actual" or _MONTH_LENGTH.match(value)):
        if value == "actual" or 28 <= Fraction(value[:-1]) <= 31:
            return value
    elif not isinstance(value, str):
        as_text(value)
    mend = "write actual, or, only where the clause says that a month counts as so many days, that number: 30d, 30.41d"
    raise refuse("E-SPEC-PERIOD", mend)


MonthLength = Annotated[
    str,
    BeforeValidator(_month_length),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^(actual|\d{2}(\.\d+)?d)$",
            "description": "actual, or days.",
            "examples": ["actual"],
        }
    ),
]


def _calendar(text: str) -> str:
    try:
        return known_calendar(text)
    except ValueError as error:
        raise refuse("E-SPEC-ANCHOR", str(error)) from None


CalendarName = Annotated[
    str,
    BeforeValidator(as_text),
    AfterValidator(_calendar),
    WithJsonSchema({
        "type": "string", "pattern": "^[A-Z]{2}(-[A-Z0-9]{1,3})?$", "examples": ["DE-HE", "US"],
        "description": "Public holidays of a country, or of a part of it (ISO 3166).",
    }),
]  # fmt: skip


def _hours(value: Any) -> Any:
    found = _HOURS.match(as_text(value))
    if found is None or not _is_clock(int(found[1]), int(found[2]), 23) or not _is_clock(int(found[3]), int(found[4]), 24):
        raise refuse("E-SPEC-PERIOD", "write hours as 08:00-20:00; 24:00 is the end of the day, 22:00-06:00 runs into the next")
    if minutes_of(value)[0] == minutes_of(value)[1] % 1440 and not value.endswith("24:00"):
        raise refuse("E-SPEC-PERIOD", "these hours are empty; a whole day is 00:00-24:00")
    return value


def _is_clock(hour: int, minute: int, most: int) -> bool:
    return hour <= most and minute <= 59 and not (hour == 24 and minute)


def minutes_of(hours: str) -> tuple[int, int]:
    """Return the two ends of ``08:00-20:00`` as minutes after midnight; an end in the next day is more than 1440."""
    first, last = (int(part[:2]) * 60 + int(part[3:]) for part in hours.split("-"))
    return first, last if last > first else last + 1440


Hours = Annotated[
    str,
    BeforeValidator(_hours),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": r"^\d{2}:\d{2}-\d{2}:\d{2}$",
            "description": "Two times.",
            "examples": ["08:00-20:00"],
        }
    ),
]


# ── the period ──────────────────────────────────────────────────────────────────────────────────────────────────────
class FiscalCalendar(Term):
    """A year of accounts that need not begin in January."""

    year_starts: MonthNumber
    """The month in which the fiscal year begins: 4 is April."""


class BillingCycle(Term):
    """A month of bills that begins on any day."""

    start_day: DayNumber
    """The day on which a cycle begins; a day beyond a short month's end means its last day."""


class SpelledPeriod(Term):
    """A period that one word does not name: exactly one of its keys, and `ends` beside `rolling`."""

    fiscal_quarter: FiscalCalendar | None = None
    """Three months of the fiscal year."""
    fiscal_year: FiscalCalendar | None = None
    """The fiscal year."""
    billing_cycle: BillingCycle | None = None
    """A month from one billing day to the next."""
    rolling: RollingDays | None = None
    """So many days, up to the end of each day."""
    ends: Literal["day"] | None = None
    """Rolling: a window ends with every local day, and each is judged."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = [self.fiscal_quarter, self.fiscal_year, self.billing_cycle, self.rolling]
        if sum(form is not None for form in given) != 1:
            forms = "exactly one of fiscal_quarter, fiscal_year, billing_cycle and rolling"
            raise refuse("E-SPEC-PERIOD", f"write {forms}: a window rolls, or a calendar decides")
        if (self.rolling is None) != (self.ends is None):
            raise refuse("E-SPEC-PERIOD", "write `ends: day` beside rolling, and only there: {rolling: 30d, ends: day}")
        return self

    @property
    def value(self) -> str:
        """The period as a word in a sentence: ``billing cycle``."""
        if self.rolling is not None:
            return f"rolling window of {self.rolling} days"
        if self.billing_cycle is not None:
            return "billing cycle"
        return "fiscal quarter" if self.fiscal_quarter is not None else "fiscal year"

    @property
    def year_starts(self) -> int:
        """The month in which the fiscal year begins; January where there is none."""
        fiscal = self.fiscal_quarter or self.fiscal_year
        return 1 if fiscal is None else fiscal.year_starts


def _form(value: Any) -> str:
    return "spelled" if isinstance(value, dict | SpelledPeriod) else "word"


Period = Annotated[Annotated[PeriodUnit, Tag("word")] | Annotated[SpelledPeriod, Tag("spelled")], Field(), Discriminator(_form)]
"""A period as a document writes it."""
AnyPeriod = PeriodUnit | SpelledPeriod


def unit_of(period: AnyPeriod) -> PeriodUnit | None:
    """Return the calendar unit whose length a period has: a billing cycle is a month; a rolling window is none."""
    if isinstance(period, PeriodUnit):
        return period
    if period.rolling is not None:
        return None
    if period.billing_cycle is not None:
        return PeriodUnit.MONTH
    return PeriodUnit.QUARTER if period.fiscal_quarter is not None else PeriodUnit.YEAR


def is_rolling(period: AnyPeriod) -> bool:
    """Tell whether windows of a period overlap."""
    return isinstance(period, SpelledPeriod) and period.rolling is not None


# ── what of the period counts ───────────────────────────────────────────────────────────────────────────────────────
class WeeklyHours(Term):
    """Hours of some days of the week, on the Agreement's clock."""

    days: Annotated[SetOf[Literal["mo", "tu", "we", "th", "fr", "sa", "su"]], Field(min_length=1)]
    """The days on which they begin."""
    hours: Hours
    """From when to when: 08:00-20:00; 22:00-06:00 ends on the next day."""


class ServiceHours(Term):
    """The time in which the promise holds: nothing outside it counts, neither for nor against."""

    weekly: Annotated[tuple[WeeklyHours, ...], Field(min_length=1)]
    """The hours of a week."""
    holidays: CalendarName | None = None
    """A day that is a public holiday there has no service hours; absent: holidays are days like others."""


def stated_days(month_length: str | None) -> Fraction | None:
    """Return how many days the clause counts for a month; None where a month is as long as it is."""
    return None if month_length in {None, "actual"} else Fraction(str(month_length)[:-1])
