"""Every anchor with every unit, counted by hand on a calendar, and what an anchor rests on."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from slaguard.evaluation.anchors import Found, is_about
from slaguard.evaluation.deadlines import Due, due
from slaguard.records import Fact, Incident, Span
from slaguard.spec.model import Deadline
from tests.evaluation.test_deadlines import AS_OF, fact, month, ns

BERLIN = "Europe/Berlin"
OUTAGE: Span = (ns("2026-10-05T14:00:00+02:00"), ns("2026-10-06T02:30:00+02:00"))
"""From Monday the 5th, 14:00, to Tuesday the 6th, 02:30, in Berlin."""
FAILED = month("2026-09").end
UNITS = ("hours", "days", "business_days", "months", "billing_cycles")


def term(n: int, unit: str, anchor: str, **more: Any) -> Deadline:
    asked: dict[str, Any] = {
        "type": "claim", "n": str(n), "unit": unit, "anchor": anchor, "time_zone": BERLIN,
        "margin": {"n": "0", "unit": "days"}, **more,
    }  # fmt: skip
    if unit == "business_days":
        asked.setdefault("calendar", "DE-HE")
    if unit == "billing_cycles" or anchor == "billing_month_end":
        asked.setdefault("start_day", "12")
    return Deadline.model_validate(asked)


FACTS = (
    fact("invoice", "2026-11-03T09:00:00+01:00"),
    fact("awareness", "2026-10-07T09:15:00+02:00"),
    fact("notice", "2026-11-04T16:00:00+01:00"),
    fact("vendor_report", "2026-11-10T12:00:00+01:00"),
)


def october(deadline: Deadline, facts: tuple[Fact, ...] = FACTS, found: Found | None = None) -> Due:
    return due(deadline, month(), facts, ns("2026-12-01T00:00:00Z"), found or Found(downtimes=(OUTAGE,), failed_ends=(FAILED,)))


# In the order of UNITS: 48 hours, 5 days, 5 business days in Hesse, 2 months, 1 billing cycle that begins on a 12th. Saturday
# the 3rd of October is a holiday; All Saints is none in Hesse.
BY_HAND = {
    "incident_start": (
        "Wed 2026-10-07, 14:00 Europe/Berlin", "Sat 2026-10-10", "Mon 2026-10-12", "Sat 2026-12-05", "Wed 2026-11-11",
    ),
    "incident_end": (
        "Thu 2026-10-08, 02:30 Europe/Berlin", "Sun 2026-10-11", "Tue 2026-10-13", "Sun 2026-12-06", "Wed 2026-11-11",
    ),
    "awareness": (
        "Fri 2026-10-09, 09:15 Europe/Berlin", "Mon 2026-10-12", "Wed 2026-10-14", "Mon 2026-12-07", "Wed 2026-11-11",
    ),
    "eligibility": (
        "Thu 2026-10-08, 02:30 Europe/Berlin", "Sun 2026-10-11", "Tue 2026-10-13", "Sun 2026-12-06", "Wed 2026-11-11",
    ),
    "period_end": (
        "Mon 2026-11-02, 24:00 Europe/Berlin", "Thu 2026-11-05", "Fri 2026-11-06", "Thu 2026-12-31", "Fri 2026-12-11",
    ),
    "incident_month_end": (
        "Mon 2026-11-02, 24:00 Europe/Berlin", "Thu 2026-11-05", "Fri 2026-11-06", "Thu 2026-12-31", "Fri 2026-12-11",
    ),
    "billing_month_end": (
        "Tue 2026-10-13, 24:00 Europe/Berlin", "Fri 2026-10-16", "Fri 2026-10-16", "Fri 2026-12-11", "Wed 2026-11-11",
    ),
    "invoice_date": (
        "Thu 2026-11-05, 09:00 Europe/Berlin", "Sun 2026-11-08", "Tue 2026-11-10", "Sun 2027-01-03", "Fri 2026-12-11",
    ),
    "nth_failed_period_end": (
        "Fri 2026-10-02, 24:00 Europe/Berlin", "Mon 2026-10-05", "Wed 2026-10-07", "Mon 2026-11-30", "Wed 2026-11-11",
    ),
    "notice_sent": (
        "Fri 2026-11-06, 16:00 Europe/Berlin", "Mon 2026-11-09", "Wed 2026-11-11", "Mon 2027-01-04", "Fri 2026-12-11",
    ),
    "vendor_report": (
        "Thu 2026-11-12, 12:00 Europe/Berlin", "Sun 2026-11-15", "Tue 2026-11-17", "Sun 2027-01-10", "Fri 2026-12-11",
    ),
}  # fmt: skip
COUNTS = {"hours": 48, "days": 5, "business_days": 5, "months": 2, "billing_cycles": 1}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("anchor", BY_HAND)
def test_every_anchor_with_every_unit_falls_where_a_calendar_says(anchor: str, unit: str) -> None:
    expected = BY_HAND[anchor][UNITS.index(unit)]
    expected = expected if unit == "hours" else f"{expected}, 24:00 Europe/Berlin"
    assert october(term(COUNTS[unit], unit, anchor)).local == expected


def test_the_table_by_hand_holds_every_anchor() -> None:
    assert set(BY_HAND) == set(get_args(Deadline.model_fields["anchor"].annotation))


# Incidents and downtime


def incident(start: str, end: str | None, source: str = "status page") -> Incident:
    return Incident(id=f"i-{start}", start=ns(start), end=None if end is None else ns(end), severity="major", source=source)


def test_a_recorded_incident_goes_before_the_downtime_that_was_found() -> None:
    stated = Found(incidents=(incident("2026-10-09T10:00:00Z", "2026-10-09T11:00:00Z"),), downtimes=(OUTAGE,))
    found = october(term(5, "days", "incident_start"), found=stated)
    assert found.local == "Wed 2026-10-14, 24:00 Europe/Berlin"
    assert found.reason == "5 days after the incident stated by status page began, 2026-10-09"


def test_without_a_recorded_incident_the_reason_says_that_our_own_figures_dated_it() -> None:
    found = october(term(5, "days", "incident_start"))
    assert found.reason == "5 days after the downtime found in our own figures began, 2026-10-05"


def test_of_several_downtimes_the_earliest_deadline_decides_and_how_many_there_are_is_said() -> None:
    later = (ns("2026-10-20T00:00:00Z"), ns("2026-10-20T01:00:00Z"))
    found = october(term(5, "days", "incident_end"), found=Found(downtimes=(later, OUTAGE)))
    assert found.local == "Sun 2026-10-11, 24:00 Europe/Berlin"
    assert found.reason.endswith("2026-10-06, the earliest of 2")


def test_an_incident_over_a_period_end_has_deadlines_in_both_periods() -> None:
    over = Found(incidents=(incident("2026-10-31T20:00:00Z", "2026-11-01T04:00:00Z"),))
    deadline = term(5, "days", "incident_start")
    both = [due(deadline, month(label), (), AS_OF, over).local for label in ("2026-10", "2026-11")]
    assert both == ["Thu 2026-11-05, 24:00 Europe/Berlin"] * 2


def test_an_incident_of_another_period_is_not_counted_from() -> None:
    other = Found(incidents=(incident("2026-08-01T20:00:00Z", "2026-08-01T21:00:00Z"),))
    assert october(term(5, "days", "incident_start"), found=other).trouble == "UNKNOWN_ANCHOR"


def test_an_incident_that_lasts_has_no_end_to_count_from() -> None:
    lasts = Found(incidents=(incident("2026-10-09T10:00:00Z", None),))
    found = october(term(5, "days", "incident_end"), found=lasts)
    assert found.trouble == "UNKNOWN_ANCHOR"
    assert "no incident that has ended is recorded" in found.reason


def test_eligible_is_read_in_both_ways_and_the_earlier_decides() -> None:
    early, late = october(term(30, "days", "eligibility")), october(term(30, "days", "eligibility"), found=Found())
    assert early.local == "Thu 2026-11-05, 24:00 Europe/Berlin"
    assert late.local == "Mon 2026-11-30, 24:00 Europe/Berlin"
    assert "the earlier one decides" in early.reason
    assert "the earlier one decides" in late.reason


def test_without_an_incident_a_deadline_shows_the_earliest_it_can_fall_on() -> None:
    found = october(term(5, "days", "incident_start"), found=Found())
    assert found.due_ns is None
    assert found.earliest_ns == ns("2026-10-07T00:00:00+02:00")
    assert "record the incident" in found.reason


def test_a_period_that_has_not_failed_for_the_nth_time_is_no_anchor() -> None:
    found = october(term(30, "days", "nth_failed_period_end"), found=Found())
    assert found.trouble == "UNKNOWN_ANCHOR"
    assert found.earliest_ns == ns("2026-12-01T00:00:00+01:00")


def test_a_report_that_does_not_say_what_it_is_about_counts_from_the_end_of_the_period_on() -> None:
    early = fact("vendor_report", "2026-10-02T12:00:00+02:00")
    found = october(term(5, "days", "vendor_report"), facts=(early,))
    assert found.trouble == "UNKNOWN_ANCHOR"
    assert "2026-10-02 does not say what it is about" in found.reason
    named = fact("vendor_report", "2026-10-02T12:00:00+02:00", period="2026-10")
    assert october(term(5, "days", "vendor_report"), facts=(named,)).local == "Wed 2026-10-07, 24:00 Europe/Berlin"


# Calendars, months and cycles


@pytest.mark.parametrize(
    ("calendar", "last"),
    [
        pytest.param("DE-HE", "Tue 2026-12-29", id="Christmas Day is a Friday"),
        pytest.param("US", "Tue 2026-12-29", id="Thanksgiving lies before"),
        pytest.param("GB", "Wed 2026-12-30", id="Boxing Day is made up for on the Monday"),
    ],
)
def test_business_days_leave_out_the_holidays_of_the_named_calendar(calendar: str, last: str) -> None:
    noticed = fact("awareness", "2026-12-22T09:00:00+01:00", period="2026-10")
    deadline = term(4, "business_days", "awareness", calendar=calendar)
    assert due(deadline, month(), (noticed,), ns("2027-01-01T00:00:00Z")).local == f"{last}, 24:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("roll", "last"),
    [
        ("none", "Sun 2026-11-01"),
        ("next_business_day", "Mon 2026-11-02"),
        ("previous", "Fri 2026-10-30"),
        (None, "Sun 2026-11-01"),
    ],
)
def test_a_last_day_that_is_no_business_day_rolls_as_the_clause_says(roll: str | None, last: str) -> None:
    more = {} if roll is None else {"roll": roll, "calendar": "DE-HE"}
    noticed = fact("awareness", "2026-10-02T09:00:00+02:00")
    assert october(term(30, "days", "awareness", **more), facts=(noticed,)).local == f"{last}, 24:00 Europe/Berlin"


def test_a_month_end_stays_a_month_end() -> None:
    february = due(term(1, "months", "period_end"), month("2027-02"), (), AS_OF)
    assert february.local == "Wed 2027-03-31, 24:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("start_day", "n", "last"),
    [
        (1, 2, "Thu 2026-12-31"),
        (12, 2, "Fri 2026-12-11"),
        (31, 1, "Sun 2026-11-29"),
        (31, 5, "Tue 2027-03-30"),
        (12, 0, "Sun 2026-10-11"),
    ],
)
def test_the_nth_billing_cycle_after_ends_on_its_last_day(start_day: int, n: int, last: str) -> None:
    deadline = term(n, "billing_cycles", "incident_start", start_day=str(start_day))
    assert october(deadline).local == f"{last}, 24:00 Europe/Berlin"


def test_the_margin_in_business_days_keeps_the_deadlines_own_holidays() -> None:
    noticed = fact("awareness", "2026-12-21T09:00:00+01:00", period="2026-10")
    deadline = term(7, "days", "awareness", calendar="DE-HE", margin={"n": "2", "unit": "business_days"})
    found = due(deadline, month(), (noticed,), ns("2027-01-01T00:00:00Z"))
    assert found.local == "Mon 2026-12-28, 24:00 Europe/Berlin"
    assert found.act_by_local == "Wed 2026-12-23, 24:00 Europe/Berlin"


def test_an_invoice_that_names_its_period_counts_whenever_it_came() -> None:
    named = fact("invoice", "2026-10-28T09:00:00+01:00", period="2026-10")
    other = fact("invoice", "2026-11-02T09:00:00+01:00", period="2026-09")
    assert october(term(5, "days", "invoice_date"), facts=(named, other)).local == "Mon 2026-11-02, 24:00 Europe/Berlin"
    assert october(term(5, "days", "invoice_date"), facts=(other,)).trouble == "UNKNOWN_ANCHOR"


def test_an_invoice_of_a_month_is_one_of_the_parts_that_an_amendment_splits_it_into() -> None:
    whole = month()
    part = replace(whole, label="2026-10.2", parts=(("2026-10.1", whole.start, whole.start + 1), ("2026-10.2", 0, 0)))
    assert is_about(fact("invoice", "2026-10-28T09:00:00+01:00", period="2026-10"), part)
    assert not is_about(fact("invoice", "2026-10-28T09:00:00+01:00", period="2026-10.1"), part)


def test_an_incident_that_ends_at_midnight_ends_on_the_day_that_begins_there() -> None:
    ends = Found(incidents=(incident("2026-10-05T20:00:00Z", "2026-10-05T22:00:00Z"),))  # 6 October, 00:00 in Berlin
    found = october(term(5, "days", "incident_end"), found=ends)
    assert found.local == "Sun 2026-10-11, 24:00 Europe/Berlin"
