"""Until when: the contract's days as local midnights, what a missing document leaves open, and the day to act by."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.deadlines import Due, due
from slaguard.records import Fact
from slaguard.spec.labels import Label
from slaguard.spec.model import Agreement, Deadline, PeriodUnit
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.resolve import resolve
from slaguard.spec.zones import local_day, local_time, midnight, zone

DAY = timedelta(days=1)
HOUR = 3600 * 10**9
ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "America/Havana", "America/Sao_Paulo", "America/Asuncion", "Asia/Beirut",
    "Asia/Kathmandu", "Africa/Cairo", "Pacific/Apia", "Australia/Lord_Howe",
]  # fmt: skip


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


def month(label: str = "2026-10", time_zone: str = "Europe/Berlin", expires: date | None = None) -> ResolvedPeriod:
    unit = PeriodUnit.QUARTER if "Q" in label else PeriodUnit.YEAR if len(label) == 4 else PeriodUnit.MONTH
    read: dict[str, Any] = {
        "name": "acme-chat", "version": 1, "period": unit, "time_zone": time_zone, "effective": date(1970, 1, 1),
        "expires": expires, "objectives": (),
    }  # fmt: skip
    return resolve(Agreement.model_construct(**read), label)


def term(
    n: int,
    unit: str = "days",
    anchor: str = "period_end",
    time_zone: str = "Europe/Berlin",
    margin: str = "2 business_days",
) -> Deadline:
    many, kind = margin.split()
    return Deadline.model_validate({
        "type": "claim", "n": str(n), "unit": unit, "anchor": anchor, "time_zone": time_zone,
        "margin": {"n": many, "unit": kind},
    })  # fmt: skip


def fact(kind: str, when: str, **more: Any) -> Fact:
    return Fact(id=f"{kind}-{when}", type=kind, when=ns(when), **more)


AS_OF = ns("2026-11-02T09:00:00+00:00")


def october(deadline: Deadline, *facts: Fact, as_of: int = AS_OF) -> Due:
    return due(deadline, month(), facts, as_of)


# The date


def test_thirty_days_after_october_end_with_the_thirtieth_of_november() -> None:
    found = october(term(30))
    assert found.due_ns == ns("2026-12-01T00:00:00+01:00")
    assert found.local == "Mon 2026-11-30, 24:00 Europe/Berlin"
    assert found.days_left == 28
    assert found.anchor_ns == month().end
    assert found.reason == "30 days after the last day of the period, 2026-10-31"
    assert found.trouble is None


@pytest.mark.parametrize(
    ("label", "n", "unit", "local"),
    [
        pytest.param("2026-10", 0, "days", "Sat 2026-10-31, 24:00 Europe/Berlin", id="the last day itself is day 0"),
        pytest.param("2028-01", 29, "days", "Tue 2028-02-29, 24:00 Europe/Berlin", id="over a leap day"),
        pytest.param("2026-01", 1, "months", "Sat 2026-02-28, 24:00 Europe/Berlin", id="clipped to February"),
        pytest.param("2028-01", 1, "months", "Tue 2028-02-29, 24:00 Europe/Berlin", id="clipped to a leap February"),
        pytest.param("2026-02", 1, "months", "Tue 2026-03-31, 24:00 Europe/Berlin", id="a month end stays one"),
        pytest.param("2026-11", 2, "months", "Sun 2027-01-31, 24:00 Europe/Berlin", id="over the new year"),
        pytest.param("2026-Q4", 1, "months", "Sun 2027-01-31, 24:00 Europe/Berlin", id="after a quarter"),
        pytest.param("2026", 30, "days", "Sat 2027-01-30, 24:00 Europe/Berlin", id="after a year"),
        pytest.param("2026-10", 24, "hours", "Sun 2026-11-01, 24:00 Europe/Berlin", id="hours that end at midnight"),
        pytest.param("2026-10", 36, "hours", "Mon 2026-11-02, 12:00 Europe/Berlin", id="hours are exact"),
        pytest.param("2026-02", 672, "hours", "Sat 2026-03-28, 24:00 Europe/Berlin", id="hours before the clock changes"),
        pytest.param("2026-02", 696, "hours", "Mon 2026-03-30, 01:00 Europe/Berlin", id="hours over a change of clock"),
    ],
)
def test_days_and_months_end_at_local_midnight_and_hours_are_exact(label: str, n: int, unit: str, local: str) -> None:
    assert due(term(n, unit), month(label), (), AS_OF).local == local


def test_the_last_day_is_that_of_the_deadlines_own_zone() -> None:
    found = due(term(30, time_zone="America/New_York"), month(), (), AS_OF)
    assert found.local == "Mon 2026-11-30, 24:00 America/New_York"
    assert found.due_ns == ns("2026-12-01T00:00:00-05:00")
    ahead = due(term(30, time_zone="Pacific/Auckland"), month(), (), AS_OF)
    assert ahead.local == "Tue 2026-12-01, 24:00 Pacific/Auckland", "October ended there in the middle of 1 November"


def test_a_cut_period_ends_where_it_is_cut() -> None:
    found = due(term(30), month(expires=date(2026, 10, 15)), (), AS_OF)
    assert found.local == "Sat 2026-11-14, 24:00 Europe/Berlin"


def test_an_hour_that_the_clock_shows_twice_is_told_apart_by_its_offset() -> None:
    aware = fact("awareness", "2026-10-24T02:30:00+02:00")
    for hours, local in ((24, "02:30 Europe/Berlin (+0200)"), (25, "02:30 Europe/Berlin (+0100)")):
        assert october(term(hours, "hours", "awareness"), aware).local == f"Sun 2026-10-25, {local}"


# What it is counted from


@pytest.mark.parametrize(
    ("anchor", "kind"), [("invoice_date", "invoice"), ("awareness", "awareness"), ("notice_sent", "notice")]
)
def test_a_recorded_document_is_day_nought(anchor: str, kind: str) -> None:
    found = october(term(30, anchor=anchor), fact(kind, "2026-11-01T23:30:00+01:00"), fact("ticket", "2026-10-02T00:00:00Z"))
    assert found.local == "Tue 2026-12-01, 24:00 Europe/Berlin"
    assert found.anchor_ns == ns("2026-11-01T23:30:00+01:00")
    assert found.reason.startswith("30 days after ")
    assert found.reason.endswith(", 2026-11-01")


@pytest.mark.parametrize(
    ("anchor", "kind", "earliest", "reason"),
    [
        pytest.param(
            "invoice_date",
            "invoice",
            "2026-12-02T00:00:00+01:00",
            "needs your input: record the invoice of this period (a fact of type invoice); "
            "one of 2026-11-01 would make it Tue 2026-12-01, 24:00 Europe/Berlin, a later one later",
            id="invoice",
        ),
        pytest.param(
            "awareness",
            "awareness",
            "2026-11-01T00:00:00+01:00",
            "needs your input: record when you became aware (a fact of type awareness); "
            "one of 2026-10-01 would make it Sat 2026-10-31, 24:00 Europe/Berlin, a later one later",
            id="awareness",
        ),
    ],
)
def test_without_its_document_no_date_is_guessed(anchor: str, kind: str, earliest: str, reason: str) -> None:
    other = fact("notice" if kind == "invoice" else "invoice", "2026-11-02T08:00:00Z")
    found = october(term(30, anchor=anchor), other)
    assert (found.due_ns, found.act_by_ns, found.local, found.days_left, found.anchor_ns) == (None,) * 5
    assert found.trouble == "UNKNOWN_ANCHOR"
    assert found.earliest_ns == ns(earliest)
    assert found.reason == reason


def test_the_earliest_of_several_documents_decides() -> None:
    late, early = fact("awareness", "2026-10-20T12:00:00Z"), fact("awareness", "2026-10-09T12:00:00Z")
    found = october(term(5, anchor="awareness"), late, early)
    assert found.local == "Wed 2026-10-14, 24:00 Europe/Berlin"
    assert found.reason == "5 days after you became aware, 2026-10-09, the earliest of 2 recorded"


def test_a_document_of_another_period_does_not_count() -> None:
    september = {"start": ns("2026-09-01T00:00:00+02:00"), "end": ns("2026-10-01T00:00:00+02:00")}
    this = {"start": ns("2026-10-01T00:00:00+02:00"), "end": ns("2026-11-01T00:00:00+01:00")}
    theirs = fact("invoice", "2026-11-01T12:00:00Z", **september)
    assert october(term(30, anchor="invoice_date"), theirs).trouble == "UNKNOWN_ANCHOR"
    in_advance = fact("invoice", "2026-09-28T12:00:00Z", **this)
    assert october(term(30, anchor="invoice_date"), theirs, in_advance).local == "Wed 2026-10-28, 24:00 Europe/Berlin"


def test_a_document_that_may_be_about_the_period_before_is_asked_about() -> None:
    found = october(term(30, anchor="invoice_date"), fact("invoice", "2026-10-02T12:00:00Z"))
    assert found.due_ns is None
    assert "the one of 2026-10-02 does not say what it is about: give its start and end" in found.reason


def test_what_was_not_yet_known_does_not_count() -> None:
    recorded_late = fact("notice", "2026-11-01T12:00:00Z", recorded_at=AS_OF + 1)
    not_yet = fact("notice", "2026-11-05T12:00:00Z")
    for unknown in (recorded_late, not_yet):
        assert october(term(30, anchor="notice_sent"), unknown).trouble == "UNKNOWN_ANCHOR"
        assert october(term(30, anchor="notice_sent"), unknown, as_of=AS_OF + 10**15).trouble is None


# When to act


@pytest.mark.parametrize(
    ("n", "margin", "act_by"),
    [
        pytest.param(30, "2 business_days", "Thu 2026-11-26, 24:00 Europe/Berlin", id="over a weekend"),
        pytest.param(27, "2 business_days", "Wed 2026-11-25, 24:00 Europe/Berlin", id="from a Friday"),
        pytest.param(28, "2 business_days", "Thu 2026-11-26, 24:00 Europe/Berlin", id="from a Saturday"),
        pytest.param(29, "5 business_days", "Mon 2026-11-23, 24:00 Europe/Berlin", id="a whole week from a Sunday"),
        pytest.param(30, "6 business_days", "Fri 2026-11-20, 24:00 Europe/Berlin", id="more than a week"),
        pytest.param(28, "0 business_days", "Sat 2026-11-28, 24:00 Europe/Berlin", id="no margin"),
        pytest.param(30, "3 days", "Fri 2026-11-27, 24:00 Europe/Berlin", id="days"),
        pytest.param(30, "60 days", "Sat 2026-10-31, 24:00 Europe/Berlin", id="never before the anchor"),
    ],
)
def test_one_acts_so_many_days_or_business_days_earlier(n: int, margin: str, act_by: str) -> None:
    assert october(term(n, margin=margin)).act_by_local == act_by


def test_the_margin_of_an_exact_hour_keeps_the_time_of_day_over_a_change_of_clock() -> None:
    aware = fact("awareness", "2026-10-22T09:15:30+02:00")
    found = october(term(97, "hours", "awareness", margin="2 days"), aware)
    assert found.local == "Mon 2026-10-26, 09:15:30 Europe/Berlin"
    assert found.act_by_local == "Sat 2026-10-24, 09:15:30 Europe/Berlin"
    assert found.due_ns is not None
    assert found.act_by_ns is not None
    assert found.due_ns - found.act_by_ns == 49 * HOUR


def test_after_the_last_day_the_days_left_are_below_nought() -> None:
    last_moment = ns("2026-11-30T23:59:59+01:00")
    assert october(term(30), as_of=last_moment).days_left == 0
    assert october(term(30), as_of=last_moment + 10**9).days_left == -1


@pytest.mark.parametrize("unit", ["hours", "days", "months"])
def test_a_date_beyond_all_calendars_is_said_and_not_a_failure(unit: str) -> None:
    found = october(term(999_999_999_999, unit))
    assert (found.due_ns, found.trouble) == (None, "BEYOND_CALENDAR")
    lost = october(term(999_999_999_999, unit, "invoice_date"))
    assert (lost.earliest_ns, lost.trouble) == (None, "UNKNOWN_ANCHOR")


# Whatever the zone and the day


@st.composite
def cases(draw: st.DrawFn) -> tuple[ResolvedPeriod, str, int]:
    name = draw(st.sampled_from(ZONES))
    label = Label.around(draw(st.dates(date(1990, 1, 1), date(2037, 12, 31))), PeriodUnit.MONTH)
    return month(str(label), name), name, draw(st.integers(0, 400))


@given(cases())
def test_days_count_local_midnights(case: tuple[ResolvedPeriod, str, int]) -> None:
    period, name, n = case
    where = zone(name)
    found = due(term(n, time_zone=name), period, (), period.end)
    last = local_day(period.end - 1, where) + n * DAY
    assert found.due_ns == midnight(last + DAY, where)
    assert found.local is not None
    assert found.local[4:] == f"{last.isoformat()}, 24:00 {name}"
    assert found.days_left == (last - local_day(period.end, where)).days


@given(cases())
def test_hours_are_exact_whatever_the_clock_does(case: tuple[ResolvedPeriod, str, int]) -> None:
    period, name, n = case
    assert due(term(n, "hours", time_zone=name), period, (), period.end).due_ns == period.end + n * HOUR


@given(cases())
def test_months_end_with_the_month(case: tuple[ResolvedPeriod, str, int]) -> None:
    period, name, n = case
    found = due(term(n % 24, "months", time_zone=name), period, (), period.end)
    assert found.due_ns is not None
    where = zone(name)
    assert local_time(found.due_ns, where).day == 1
    ahead = local_day(found.due_ns, where)
    first = local_day(period.end, where)
    assert (ahead.year * 12 + ahead.month) - (first.year * 12 + first.month) == n % 24


@given(cases(), st.integers(0, 30), st.sampled_from(["days", "business_days"]))
def test_acting_in_time_is_never_too_late_and_never_before_the_anchor(
    case: tuple[ResolvedPeriod, str, int], margin: int, kind: str
) -> None:
    period, name, n = case
    found = due(term(n, time_zone=name, margin=f"{margin} {kind}"), period, (), period.end)
    assert found.due_ns is not None
    assert found.act_by_ns is not None
    assert period.end <= found.act_by_ns <= found.due_ns


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(0, 40))
def test_business_days_are_counted_one_by_one(day: date, margin: int) -> None:
    """Against walking back through the calendar a day at a time."""
    aware = Fact(id="a", type="awareness", when=midnight(day, zone("UTC")))
    period = month(str(Label.around(day, PeriodUnit.MONTH)), "UTC")
    found = due(term(200, anchor="awareness", time_zone="UTC", margin=f"{margin} business_days"), period, (aware,), aware.when)
    last = day + 200 * DAY
    left = margin
    while left:
        last -= DAY
        left -= last.weekday() < 5
    assert found.act_by_ns == midnight(last + DAY, zone("UTC"))
