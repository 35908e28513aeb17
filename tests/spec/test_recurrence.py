"""Times that come back, on the contract's own clock: days by RFC 5545, instants by the zone."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.spec.recurrence import occurrences, parse_local, parse_rule
from slaguard.spec.zones import zone

BERLIN = zone("Europe/Berlin")
HOUR = 3_600_000
NS = 1_000_000_000


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS


def told(rule: str, start: str, within: tuple[str, str], length: int = HOUR) -> list[tuple[str, str]]:
    spans = occurrences(rule, parse_local(start), length, (ns(within[0]), ns(within[1])), BERLIN)
    return [tuple(f"{datetime.fromtimestamp(t // NS, UTC):%m-%d %H:%M}" for t in span) for span in spans]  # type: ignore[misc]


def test_the_first_tuesday_of_each_month_moves_with_the_clock_of_the_contract() -> None:
    found = told("FREQ=MONTHLY;BYDAY=1TU", "2026-08-04T02:00", ("2026-10-01", "2026-12-31"))
    assert found == [("10-06 00:00", "10-06 01:00"), ("11-03 01:00", "11-03 02:00"), ("12-01 01:00", "12-01 02:00")]


def test_a_local_time_that_the_clock_skips_moves_forward_by_the_gap() -> None:
    # 29 March 2026, 02:00 to 03:00 do not exist in Berlin: 02:30 is 03:30 summer time, 01:30 UTC
    assert told("FREQ=DAILY", "2026-03-29T02:30", ("2026-03-29", "2026-03-30")) == [("03-29 01:30", "03-29 02:30")]


def test_of_a_local_time_that_the_clock_shows_twice_the_first_is_meant() -> None:
    # 25 October 2026, 02:30 is shown at 00:30 UTC and at 01:30 UTC
    assert told("FREQ=DAILY", "2026-10-25T02:30", ("2026-10-25", "2026-10-26")) == [("10-25 00:30", "10-25 01:30")]


def test_nothing_comes_back_before_its_start_or_after_its_end() -> None:
    assert told("FREQ=WEEKLY;COUNT=2", "2026-10-05T09:00", ("2026-09-01", "2026-12-01")) == [
        ("10-05 07:00", "10-05 08:00"),
        ("10-12 07:00", "10-12 08:00"),
    ]
    assert told("FREQ=DAILY;UNTIL=20261006", "2026-10-05T00:00", ("2026-09-01", "2026-12-01")) == [
        ("10-04 22:00", "10-04 23:00"),
        ("10-05 22:00", "10-05 23:00"),
    ]


def test_one_that_began_before_the_span_and_reaches_into_it_is_told() -> None:
    assert told("FREQ=DAILY;COUNT=1", "2026-10-01T23:00", ("2026-10-01T22:00", "2026-10-02T12:00"), 5 * HOUR) == [
        ("10-01 21:00", "10-02 02:00")
    ]


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=3", "BYDAY=MO", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;FREQ=DAILY", "every Tuesday",
        "FREQ=DAILY;COUNT=3;UNTIL=20270101", "FREQ=DAILY;UNTIL=20270101T0000Z", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYDAY=9ZZ", "RRULE:FREQ=DAILY", "FREQ=YEARLY;BYMONTH=13", "",
    ],
)  # fmt: skip
def test_what_is_no_rule_of_days_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"write|it brings no day|no rule"):
        parse_rule(rule, parse_local("2026-08-04T02:00"))


@pytest.mark.parametrize("text", ["2026-08-04", "2026-08-04T02:00Z", "2026-08-04T02:00+02:00", "02:00", "2026-13-04T02:00"])
def test_what_is_no_local_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"local time|month"):
        parse_local(text)


@given(st.integers(0, 400), st.integers(1, 60))
def test_a_wider_look_finds_the_same_times_and_more(first: int, days: int) -> None:
    start = ns("2026-08-01") + first * 86_400 * NS
    span = start, start + days * 86_400 * NS
    wide = occurrences(
        "FREQ=WEEKLY;BYDAY=TU,SU", parse_local("2026-08-04T02:30"), HOUR, (ns("2026-01-01"), ns("2028-06-01")), BERLIN
    )
    inside = occurrences("FREQ=WEEKLY;BYDAY=TU,SU", parse_local("2026-08-04T02:30"), HOUR, span, BERLIN)
    assert inside == tuple(one for one in wide if one[0] < span[1] and one[1] > span[0])


def test_an_end_in_utc_as_the_standard_writes_it_is_read_on_the_clock_of_the_contract() -> None:
    # 18 October 2026, 00:00 UTC is 02:00 in Berlin: the occurrence at 01:30 of that day is still there, that at 02:30 is not
    within = ("2026-10-17T12:00", "2026-10-20")
    assert told("FREQ=DAILY;UNTIL=20261018T000000Z", "2026-10-01T01:30", within) == [("10-17 23:30", "10-18 00:30")]
    assert told("FREQ=DAILY;UNTIL=20261018T000000Z", "2026-10-01T02:30", within) == []
