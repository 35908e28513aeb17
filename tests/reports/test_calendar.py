"""The calendar file of a claim's deadlines."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import icalendar

from slaguard.evaluation.result import DeadlinePart
from slaguard.reports import ClaimInputs
from slaguard.reports.calendar import deadlines_ics
from tests.reports.parts import AS_OF, ns

Claims = Callable[[str], ClaimInputs]


def events(claim: ClaimInputs) -> list[icalendar.Event]:
    content = deadlines_ics(claim)
    assert content is not None
    return [one for one in icalendar.Calendar.from_ical(content).walk("VEVENT") if isinstance(one, icalendar.Event)]


def with_deadlines(claim: ClaimInputs, *found: DeadlinePart, **more: object) -> ClaimInputs:
    return replace(claim, evaluation=claim.evaluation.model_copy(update={"deadlines": found, **more}))


def part(**more: object) -> DeadlinePart:
    plain = {
        "type": "notify",
        "due": ns("2026-12-01T00:00:00+01:00"),
        "act_by": None,
        "local": None,
        "anchor": "period_end",
        "reason": None,
    }
    return DeadlinePart.model_validate({**plain, **more})


def test_24_00_on_30_november_is_an_event_of_that_whole_day(claims: Claims) -> None:
    act, due = events(claims("mock_month"))
    assert due.decoded("dtstart") == date(2026, 11, 30)
    assert due.decoded("dtend") == date(2026, 12, 1)
    assert act.decoded("dtstart") == date(2026, 11, 26)
    assert str(due["summary"]) == "Last day: notify, Acme AI, October 2026: 1,800.00 EUR"


def test_a_deadline_within_a_day_is_an_instant(claims: Claims) -> None:
    (due,) = events(with_deadlines(claims("mock_month"), part(due=ns("2026-11-04T17:30:00+01:00"))))
    assert due.decoded("dtstart") == datetime(2026, 11, 4, 16, 30, tzinfo=UTC)
    assert "dtend" not in due


def test_each_event_reminds_a_week_before_and_is_stamped_with_the_time_of_knowledge(claims: Claims) -> None:
    for event in events(claims("mock_month")):
        assert event.decoded("dtstamp") == datetime.fromtimestamp(AS_OF // 10**9, UTC)
        (alarm,) = event.walk("VALARM")
        assert alarm.decoded("trigger") == timedelta(days=-7)


def test_a_later_report_moves_an_event_and_adds_none(claims: Claims) -> None:
    before = {str(event["uid"]) for event in events(claims("mock_month"))}
    later = with_deadlines(claims("mock_month"), *claims("mock_month").evaluation.deadlines, as_of=AS_OF + 10**15)
    assert {str(event["uid"]) for event in events(later)} == before
    assert len(before) == 2


def test_an_open_period_names_no_amount(claims: Claims) -> None:
    content = deadlines_ics(claims("open_month"))
    assert content is not None
    assert b"EUR" not in content
    assert b"Nothing is shown to be broken so far." in content.replace(b"\r\n ", b"")


def test_nothing_to_claim_a_look_and_an_unknown_date_make_no_calendar(claims: Claims) -> None:
    assert deadlines_ics(claims("nothing_month")) is None
    assert deadlines_ics(claims("look")) is None
    assert deadlines_ics(with_deadlines(claims("mock_month"), part(due=None, reason="record the invoice"))) is None


def test_an_undecided_month_keeps_its_dates(claims: Claims) -> None:
    assert len(events(claims("contested"))) == 2


def test_the_same_inputs_give_the_same_bytes(claims: Claims) -> None:
    assert deadlines_ics(claims("mock_month")) == deadlines_ics(claims("mock_month"))
