"""Periods as people write them, as UTC instants: real lengths, odd clocks, days in force, and what is refused."""

from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slaguard.errors import ConfigError
from slaguard.spec.labels import Label, shift_months
from slaguard.spec.model import Agreement, PeriodUnit
from slaguard.spec.resolve import last_closed, resolve
from slaguard.spec.zones import local_day, local_time, midnight, tzdata_version, zone

MINUTE = 60 * 10**9
ZONES = [
    "UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/St_Johns", "America/Havana", "America/Sao_Paulo",
    "America/Asuncion", "America/Santiago", "Asia/Beirut", "Asia/Kathmandu", "Asia/Gaza", "Africa/Cairo", "Pacific/Apia",
    "Australia/Lord_Howe", "Antarctica/Troll", "Atlantic/Azores",
]  # fmt: skip
DAYS = st.dates(date(1975, 1, 1), date(2037, 12, 31))


def agreement(
    period: str = "month",
    time_zone: str = "Europe/Berlin",
    effective: date = date(1970, 1, 1),
    expires: date | None = None,
) -> Agreement:
    """An Agreement of which only the calendar is read."""
    read: dict[str, Any] = {
        "name": "acme-chat",
        "version": 1,
        "period": PeriodUnit(period),
        "time_zone": time_zone,
        "effective": effective,
        "expires": expires,
        "objectives": (),
    }
    return Agreement.model_construct(**read)


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


def minutes(label: str, *, time_zone: str = "Europe/Berlin") -> int:
    period = resolve(agreement(time_zone=time_zone), label)
    length, rest = divmod(period.end - period.start, MINUTE)
    assert rest == 0
    return length


# Lengths


@pytest.mark.parametrize(
    ("label", "time_zone", "length"),
    [
        pytest.param("2026-10", "Europe/Berlin", 44_700, id="October with the hour that comes twice"),
        pytest.param("2026-03", "Europe/Berlin", 44_580, id="March with the hour that is skipped"),
        pytest.param("2026-10", "UTC", 44_640, id="October without daylight saving"),
        pytest.param("2026-02", "Europe/Berlin", 40_320, id="February"),
        pytest.param("2028-02", "Europe/Berlin", 41_760, id="February of a leap year"),
        pytest.param("2000-02", "UTC", 41_760, id="February of 2000, a leap year after all"),
        pytest.param("2100-02", "UTC", 40_320, id="February of 2100, no leap year"),
        pytest.param("2026-10-25", "Europe/Berlin", 1500, id="a day of 25 hours"),
        pytest.param("2026-03-29", "Europe/Berlin", 1380, id="a day of 23 hours"),
        pytest.param("2026-04-05", "Australia/Lord_Howe", 1470, id="half an hour twice"),
        pytest.param("2026-Q4", "Europe/Berlin", 132_540, id="a quarter"),
        pytest.param("2026", "Europe/Berlin", 525_600, id="a year"),
        pytest.param("2028", "Europe/Berlin", 527_040, id="a leap year"),
    ],
)
def test_a_period_is_as_long_as_its_calendar_and_clock_make_it(label: str, time_zone: str, length: int) -> None:
    assert minutes(label, time_zone=time_zone) == length


def test_a_period_runs_from_local_midnight_to_local_midnight() -> None:
    period = resolve(agreement(), "2026-10")
    assert (period.start, period.end) == (ns("2026-10-01T00:00:00+02:00"), ns("2026-11-01T00:00:00+01:00"))
    assert period.span == (period.start, period.end)
    assert (period.label, period.zone, period.own, period.notes) == ("2026-10", "Europe/Berlin", True, ())


@pytest.mark.parametrize(
    ("day", "time_zone", "start"),
    [
        pytest.param("2018-11-04", "America/Sao_Paulo", "2018-11-04T01:00:00-02:00", id="midnight skipped: an hour later"),
        pytest.param("2026-11-01", "America/Havana", "2026-11-01T00:00:00-04:00", id="midnight twice: the first"),
        pytest.param("2018-02-18", "America/Sao_Paulo", "2018-02-18T00:00:00-03:00", id="the hour before midnight twice"),
        pytest.param("2011-12-31", "Pacific/Apia", "2011-12-31T00:00:00+14:00", id="after a day that never was"),
    ],
)
def test_a_day_starts_where_the_clock_first_shows_it(day: str, time_zone: str, start: str) -> None:
    assert resolve(agreement(time_zone=time_zone), day).start == ns(start)


def test_a_day_that_the_clock_skipped_is_refused() -> None:
    with pytest.raises(ConfigError, match="skipped this day"):
        resolve(agreement(time_zone="Pacific/Apia"), "2011-12-30")
    assert len(resolve(agreement(time_zone="Pacific/Apia"), "2011-12").days) == 30


@given(DAYS, st.sampled_from(ZONES))
def test_a_local_day_starts_with_the_first_quarter_of_an_hour_that_the_clock_shows_of_it(day: date, name: str) -> None:
    """Found by walking through time, without any arithmetic on offsets."""
    where = zone(name)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    steps = [noon + timedelta(minutes=15 * i) for i in range(-4 * 40, 4 * 40)]
    shown = [step for step in steps if step.astimezone(where).date() == day]
    assume(shown)
    assert midnight(day, where) == int(shown[0].timestamp()) * 10**9


@given(DAYS, st.sampled_from(ZONES), st.sampled_from(list(PeriodUnit)))
def test_periods_follow_each_other_without_gap_or_overlap(day: date, name: str, unit: PeriodUnit) -> None:
    terms = agreement(unit.value, name)
    label = Label.around(day, unit)
    assume(midnight(label.first, zone(name)) < midnight(label.after, zone(name)))
    assume(midnight(label.after, zone(name)) < midnight(label.next.after, zone(name)))
    one, two = resolve(terms, str(label)), resolve(terms, str(label.next))
    assert one.own
    assert one.end == two.start
    assert label.before.next == label
    assert one.start <= midnight(day, zone(name)) < one.end


@given(DAYS, st.sampled_from(ZONES), st.sampled_from(["month", "quarter", "year"]))
def test_the_days_of_a_period_fill_it(day: date, name: str, unit: str) -> None:
    period = resolve(agreement(unit, name), str(Label.around(day, PeriodUnit(unit))))
    assert (period.days[0][0], period.days[-1][1]) == period.span
    assert (period.months[0][0], period.months[-1][1]) == period.span
    for spans in (period.days, period.months):
        assert all(one[1] == two[0] and one[0] < one[1] for one, two in pairwise(spans))
    assert len(period.months) == {"month": 1, "quarter": 3, "year": 12}[unit]


# What is its own, and what is a look


@pytest.mark.parametrize(
    ("unit", "label"), [("day", "2026-10-05"), ("month", "2026-10"), ("quarter", "2026-Q4"), ("year", "2026")]
)
def test_only_a_period_of_the_agreement_is_its_own(unit: str, label: str) -> None:
    for other in PeriodUnit:
        period = resolve(agreement(other.value), label)
        assert period.own == (other.value == unit)
        assert ("so a look" in " ".join(period.notes)) == (other.value != unit)


def test_an_explicit_span_is_a_look_even_where_it_is_a_whole_month() -> None:
    text = "2026-10-01T00:00:00+02:00/2026-11-01T00:00:00+01:00"
    look, own = resolve(agreement(), text), resolve(agreement(), "2026-10")
    assert look.span == own.span
    assert not look.own
    assert look.label == text
    assert look.notes == (f"{text} is a look: only a month of the Agreement makes a claim",)


def test_a_look_is_exact_to_the_nanosecond_and_touches_whole_months_and_days() -> None:
    period = resolve(agreement(), "2026-10-31T23:59:59.123456789Z/2026-11-01T00:00:00z")
    assert period.end - period.start == 876_543_211
    assert period.months == (resolve(agreement(), "2026-11").span,)
    assert period.days == (resolve(agreement(), "2026-11-01").span,)


# Days in force


def test_a_period_that_the_agreement_covers_in_part_is_cut_and_says_so() -> None:
    terms = agreement(effective=date(2026, 8, 12), expires=date(2026, 10, 15))
    first, last = resolve(terms, "2026-08"), resolve(terms, "2026-10")
    assert (first.start, first.end) == (ns("2026-08-12T00:00:00+02:00"), ns("2026-09-01T00:00:00+02:00"))
    assert (last.start, last.end) == (ns("2026-10-01T00:00:00+02:00"), ns("2026-10-16T00:00:00+02:00"))
    assert first.own
    assert last.own
    assert first.notes == ("the Agreement is in force from 2026-08-12: the period is cut to begin there",)
    assert last.notes == ("the Agreement ends with 2026-10-15: the period is cut to end there",)
    assert len(first.days) == 20
    assert first.months == (resolve(agreement(), "2026-08").span,), "whole: caps are per calendar month"


@pytest.mark.parametrize("label", ["2026-07", "2026-11", "2026-08-11", "2026-10-16"])
def test_a_period_outside_the_days_in_force_is_refused_with_those_days(label: str) -> None:
    terms = agreement(effective=date(2026, 8, 12), expires=date(2026, 10, 15))
    with pytest.raises(ConfigError) as refused:
        resolve(terms, label)
    assert str(refused.value) == (
        f"{label}: E-PERIOD  acme-chat 1 is in force from 2026-08-12 to 2026-10-15\n"
        "    choose a period in that time; the first is 2026-08"
    )


def test_a_contract_that_ends_never_may_say_so_with_the_last_date_there_is() -> None:
    terms = agreement(effective=date(1, 1, 1), expires=date(9999, 12, 31))
    assert resolve(terms, "2026-10").notes == ()
    assert last_closed(terms, ns("2026-11-02T09:00:00+00:00")) == "2026-10"


# The last closed period


@pytest.mark.parametrize(
    ("unit", "now", "label"),
    [
        pytest.param("month", "2026-11-02T09:00:00+00:00", "2026-10", id="a month"),
        pytest.param("month", "2026-10-31T23:00:00+00:00", "2026-10", id="at the very end, local midnight"),
        pytest.param("month", "2026-10-31T22:59:59+00:00", "2026-09", id="a second before the end"),
        pytest.param("quarter", "2026-11-02T09:00:00+00:00", "2026-Q3", id="a quarter"),
        pytest.param("year", "2026-11-02T09:00:00+00:00", "2025", id="a year"),
        pytest.param("day", "2026-11-02T09:00:00+00:00", "2026-11-01", id="a day"),
    ],
)
def test_the_last_closed_period_ended_at_or_before_now(unit: str, now: str, label: str) -> None:
    assert last_closed(agreement(unit), ns(now)) == label


def test_after_the_last_day_in_force_the_period_that_holds_it_is_the_last() -> None:
    terms = agreement(effective=date(2026, 8, 12), expires=date(2026, 10, 15))
    assert last_closed(terms, ns("2030-01-01T00:00:00+00:00")) == "2026-10"
    assert last_closed(terms, ns("2026-10-15T22:00:00+00:00")) == "2026-10"
    assert last_closed(terms, ns("2026-10-15T21:59:59+00:00")) == "2026-09"
    assert last_closed(terms, ns("2026-09-10T00:00:00+00:00")) == "2026-08"


def test_before_any_period_has_closed_the_first_one_is_named() -> None:
    for now in ("2026-08-20T00:00:00+00:00", "2026-01-01T00:00:00+00:00"):
        with pytest.raises(ConfigError, match="no period of acme-chat 1 has closed yet; the first is 2026-08"):
            last_closed(agreement(effective=date(2026, 8, 12)), ns(now))


@given(DAYS, st.integers(0, 86_399), st.sampled_from(ZONES), st.sampled_from(list(PeriodUnit)))
def test_the_last_closed_period_is_closed_and_the_next_is_not(day: date, second: int, name: str, unit: PeriodUnit) -> None:
    terms = agreement(unit.value, name)
    now = midnight(day, zone(name)) + second * 10**9
    label = last_closed(terms, now)
    period = resolve(terms, label)
    assert period.end <= now
    following = Label.around(local_day(period.end, zone(name)), unit)
    assert now < midnight(following.after, zone(name))


# How not to write it


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("", "this is no period", id="nothing"),
        pytest.param("October 2026", "this is no period", id="words"),
        pytest.param("2026-10-05\n", "this is no period", id="a line end"),
        pytest.param("2026-1", "this is no period", id="one digit"),
        pytest.param("2026-q4", "this is no period", id="a small q"),
        pytest.param("\u0662\u0660\u0662\u0666", "this is no period", id="other digits"),
        pytest.param("2026-13", "there is no month 13", id="month 13"),
        pytest.param("2026-00", "there is no month 0", id="month 0"),
        pytest.param("2026-Q5", "there is no quarter 5", id="quarter 5"),
        pytest.param("2026-02-29", "2026-02 has no day 29", id="no leap year"),
        pytest.param("0000", "the year lies between 1970 and 2199", id="year 0"),
        pytest.param("9999", "the year lies between 1970 and 2199", id="year 9999"),
        pytest.param("2026-10-01/2026-10-02", "START is no time with its offset", id="days as a span"),
        pytest.param("2026-10-01T00:00:00Z/2026-10-02T00:00:00", "END is no time with its offset", id="no offset"),
        pytest.param("2026-10-01T24:00:00Z/2026-10-03T00:00:00Z", "START is no time of the calendar", id="24 o'clock"),
        pytest.param("2026-10-01T00:00:60Z/2026-10-03T00:00:00Z", "START is no time of the calendar", id="second 60"),
        pytest.param("2026-10-01T00:00:00+25:00/2026-10-03T00:00:00Z", "START is no time of the calendar", id="offset"),
        pytest.param("0001-01-01T00:00:00Z/2026-10-03T00:00:00Z", "the year of START", id="year 1"),
        pytest.param("2026-10-02T00:00:00Z/2026-10-02T02:00:00+02:00", "END does not come after START", id="no time"),
        pytest.param("2026-10-02T00:00:00Z//2026-10-03T00:00:00Z", "END is no time with its offset", id="two slashes"),
        pytest.param("x" * 500, "this is no period", id="long"),
    ],
)
def test_a_text_that_is_no_period_is_refused_with_how_to_write_one(text: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        resolve(agreement(), text)
    message = str(refused.value)
    assert f"E-PERIOD  {why}" in message
    for form in (
        "2026-10-05",
        "2026-W41",
        "2026-10",
        "2026-Q4",
        "2026;",
        "FQ2026-10",
        "FY2026-04",
        "BC2026-10-12",
        "30d-to-2026-10-31",
    ):
        assert form in message
    assert len(message) < 700


@given(st.text(st.sampled_from("0123456789-/QTZ:+. "), max_size=45))
def test_whatever_is_written_is_a_period_or_a_plain_refusal(text: str) -> None:
    try:
        period = resolve(agreement(), text)
    except ConfigError:
        return
    assert period.start < period.end


# Zones and months


def test_the_zone_data_is_the_package_and_its_version_is_named() -> None:
    assert resolve(agreement(), "2026-10").tzdata == tzdata_version()
    year, release = version("tzdata").split(".")[:2]
    assert tzdata_version() == f"{year}{chr(ord('a') + int(release) - 1)}"


@pytest.mark.parametrize(
    "name",
    [
        "Europe/Nowhere",
        "../UTC",
        "/etc/localtime",
        "",
        "Europe",
        "Europe/Berlin\n",
        "zone.tab",
        "iso3166.tab",
        "leapseconds",
        "tzdata.zi",
    ],
)
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no time zone of the IANA list"):
        zone(name)


@given(st.integers(0, 2**60), st.sampled_from(ZONES))
def test_a_local_time_belongs_to_its_local_day(now: int, name: str) -> None:
    assert local_day(now, zone(name)) == local_time(now, zone(name)).date()
    assert local_time(now, zone(name)).timestamp() == pytest.approx(now / 1e9, abs=1e-3)


@given(DAYS, st.integers(0, 60))
def test_months_on_the_same_day_number_unless_the_month_is_too_short_or_both_are_month_ends(day: date, months: int) -> None:
    moved = shift_months(day, months)
    assert (moved.year * 12 + moved.month) - (day.year * 12 + day.month) == months
    is_end = (day + timedelta(days=1)).day == 1
    if is_end:
        assert (moved + timedelta(days=1)).day == 1
    else:
        assert moved.day == day.day or (moved.day < day.day and (moved + timedelta(days=1)).day == 1)
