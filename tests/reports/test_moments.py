"""Instants as people say them, across midnights and clock changes."""

import pytest

from slaguard.records import NS
from slaguard.reports.moments import Calendar, left, length, period_name, unit_of
from tests.reports.parts import ns

BERLIN = Calendar.of("Europe/Berlin")


def test_a_stretch_on_one_day_names_the_day_once() -> None:
    assert BERLIN.span(ns("2026-10-08T14:20:00+02:00"), ns("2026-10-08T15:01:00+02:00")) == "8 Oct, 14:20–15:01"


def test_a_stretch_that_ends_at_midnight_ends_at_24_00() -> None:
    assert BERLIN.span(ns("2026-10-08T22:00:00+02:00"), ns("2026-10-09T00:00:00+02:00")) == "8 Oct, 22:00–24:00"


def test_a_stretch_over_midnight_names_both_days() -> None:
    assert BERLIN.span(ns("2026-10-08T23:00:00+02:00"), ns("2026-10-09T01:30:00+02:00")) == "8 Oct 23:00 – 9 Oct 01:30"


def test_the_hour_that_comes_twice_says_which_one_it_is() -> None:
    assert (
        BERLIN.span(ns("2026-10-25T02:10:00+02:00"), ns("2026-10-25T02:40:00+01:00")) == "25 Oct, 02:10 (UTC+2)–02:40 (UTC+1)"
    )


def test_seconds_are_shown_only_where_there_are_any() -> None:
    assert BERLIN.time(ns("2026-10-08T14:20:07+02:00")) == "14:20:07"
    assert BERLIN.moment(ns("2026-10-08T14:20:07+02:00")) == "8 Oct 14:20"


@pytest.mark.parametrize(
    ("now", "days", "words"),
    [
        ("2026-11-02T10:00:00+01:00", 28, "28 days left"),
        ("2026-11-29T23:59:59+01:00", 1, "1 day left"),
        ("2026-11-30T00:00:00+01:00", 0, "today is the last day"),
        ("2026-12-01T00:00:00+01:00", -1, "past"),
    ],
)
def test_days_left_count_the_midnights_to_the_last_day(now: str, days: int, words: str) -> None:
    due = ns("2026-12-01T00:00:00+01:00")
    assert BERLIN.deadline_day(due) == "Mon 30 Nov 2026"
    assert BERLIN.end_time(due) == "24:00"
    assert BERLIN.days_left(due, ns(now)) == days
    assert left(days) == words


def test_a_deadline_within_a_day_is_due_on_that_day() -> None:
    due = ns("2026-11-30T17:00:00+01:00")
    assert (BERLIN.deadline_day(due), BERLIN.end_time(due)) == ("Mon 30 Nov 2026", "17:00")


@pytest.mark.parametrize(
    ("label", "name", "unit"),
    [
        ("2026-10", "October 2026", "month"),
        ("2026-Q3", "the third quarter of 2026", "quarter"),
        ("2026-10-05", "5 October 2026", "day"),
        ("2026", "2026", "year"),
        ("2026-10-01T00:00:00Z/2026-10-02T00:00:00Z", "2026-10-01T00:00:00Z/2026-10-02T00:00:00Z", "period"),
    ],
)
def test_periods_have_names(label: str, name: str, unit: str) -> None:
    assert (period_name(label), unit_of(label)) == (name, unit)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("2026-10-03T00:00:00+02:00", "2026-10-11T00:00:00+02:00", "3 October 2026 to 10 October 2026"),
        ("2026-10-03T00:00:00+02:00", "2026-10-04T00:00:00+02:00", "3 October 2026"),
        ("2026-10-03T06:00:00+02:00", "2026-10-04T18:30:00+02:00", "3 October 2026, 06:00 to 4 October 2026, 18:30"),
    ],
)
def test_a_look_is_named_by_its_days(start: str, end: str, words: str) -> None:
    assert BERLIN.period(f"{start}/{end}", ns(start), ns(end)) == words


def test_lengths_leave_out_what_is_nought() -> None:
    assert length(41 * 60 * NS) == "41 minutes"
    assert length(25 * 3600 * NS) == "1 day 1 hour"
    assert length(61 * NS) == "1 minute 1 second"
    assert length(0) == "0 seconds"
