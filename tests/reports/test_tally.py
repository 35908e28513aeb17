"""Records by day, and the proof that they are the Evaluation's."""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest

from slaguard.evaluation.result import PeriodPart
from slaguard.records import NS
from slaguard.reports import ClaimInputs, ReportRefused
from slaguard.reports.moments import Calendar
from slaguard.reports.subjects import gaps, subjects
from slaguard.reports.tally import must_add_up, steps_of, tally
from tests.reports.parts import BERLIN, GAP, OCTOBER, ns

CALENDAR = Calendar.of(BERLIN)
Claims = Callable[[str], ClaimInputs]


def period(start: int, end: int) -> PeriodPart:
    return PeriodPart(label="x", start=start, end=end, time_zone=BERLIN, closed=True, own=True)


def test_a_month_is_shown_by_local_days_and_the_day_of_the_clock_change_is_longer() -> None:
    steps = steps_of(period(*OCTOBER), CALENDAR)
    assert (steps.word, len(steps.buckets)) == ("day", 31)
    lengths = {bucket.label: (bucket.end - bucket.start) // (3600 * NS) for bucket in steps.buckets}
    assert lengths.pop("25 Oct") == 25
    assert set(lengths.values()) == {24}
    assert (steps.buckets[0].start, steps.buckets[-1].end) == OCTOBER


def test_a_day_is_shown_by_hours_and_a_year_by_weeks() -> None:
    day = steps_of(period(ns("2026-10-25T00:00:00+02:00"), ns("2026-10-26T00:00:00+01:00")), CALENDAR)
    assert (day.word, len(day.buckets)) == ("hour", 25)
    year = steps_of(period(ns("2026-01-01T00:00:00+01:00"), ns("2027-01-01T00:00:00+01:00")), CALENDAR)
    assert (year.word, len(year.buckets)) == ("week", 53)


def test_every_day_adds_up_to_the_evaluation(claims: Claims) -> None:
    accuracy, uptime, people = subjects(claims("mock_month"), CALENDAR)
    for subject in (accuracy, people):
        assert int(subject.tally.n.sum()) == subject.result.estimate.n
        assert int(subject.tally.bad.sum()) == subject.result.estimate.bad
    assert sum(subject_lost := [uptime.lost(event) for event in uptime.events("down")]) == uptime.result.estimate.bad
    assert len(subject_lost) > 1
    assert gaps((accuracy, uptime, people)) == (GAP,)


def test_a_report_on_other_records_than_those_evaluated_is_refused(claims: Claims) -> None:
    claim = claims("mock_month")
    with pytest.raises(
        ReportRefused, match=r"E-REPORT-SUM  accuracy: \d+ answers counted in the records, \d+ in the evaluation"
    ):
        subjects(replace(claim, records=claim.records.iloc[:-1]), CALENDAR)
    one_more = claim.records.copy()
    first_ok = one_more.index[one_more["counts.accuracy"] == "ok"][0]
    one_more.loc[first_ok, "counts.accuracy"] = "fail"
    with pytest.raises(ReportRefused, match="against the promise"):
        subjects(replace(claim, records=one_more), CALENDAR)


def test_a_report_whose_outages_do_not_add_up_is_refused(claims: Claims) -> None:
    claim = claims("mock_month")
    results = list(claim.evaluation.objectives)
    results[1] = results[1].model_copy(update={"events": results[1].events[:-1]})
    evaluation = claim.evaluation.model_copy(update={"objectives": tuple(results)})
    kept = [event for event in results[1].events if event.kind == "down"]
    assert sum(event.lost for event in kept) != results[1].estimate.bad
    with pytest.raises(ReportRefused, match=r"uptime: .* intervals lost in the records"):
        subjects(replace(claim, evaluation=evaluation), CALENDAR)


def test_a_counted_record_outside_the_period_is_refused(claims: Claims) -> None:
    claim = claims("mock_month")
    moved = claim.records.copy()
    moved.loc[moved.index[moved["counts.accuracy"] == "ok"][0], "sent_at"] = OCTOBER[1]
    with pytest.raises(ReportRefused, match="E-REPORT-SUM"):
        subjects(replace(claim, records=moved), CALENDAR)


def test_records_that_do_not_say_how_they_count_are_refused(claims: Claims) -> None:
    claim = claims("mock_month")
    with pytest.raises(ReportRefused, match="E-REPORT-COLUMN"):
        subjects(replace(claim, records=claim.records.drop(columns="counts.uptime")), CALENDAR)


def test_an_agreement_without_the_promise_is_refused(claims: Claims) -> None:
    with pytest.raises(ReportRefused, match="E-REPORT-AGREEMENT  the agreement has no promise named accuracy"):
        subjects(replace(claims("mock_month"), agreement=claims("contested").agreement), CALENDAR)


def test_records_without_a_time_count_and_belong_to_no_day(claims: Claims) -> None:
    claim = claims("latency_breach")
    timeless = claim.records.copy()
    timeless.loc[timeless.index[:7], "sent_at"] = pd.NA
    (subject,) = subjects(replace(claim, records=timeless), CALENDAR)
    assert subject.tally.undated == 7
    assert int(subject.tally.n.sum()) == subject.result.estimate.n - 7


def test_one_table_that_does_not_add_up_is_a_fault_of_ours() -> None:
    must_add_up("the credit", [1, 2], 3)
    with pytest.raises(ReportRefused, match="the credit: 3 is not 4"):
        must_add_up("the credit", [1, 2], 4)


def test_scopes_are_counted_apart(claims: Claims) -> None:
    eu, us = subjects(claims("scopes"), CALENDAR)
    assert (eu.name, us.name) == ("Errors (eu)", "Errors (us)")
    assert tally(claims("scopes").records, eu.result, eu.tally.steps).n.sum() == 4000
    assert eu.tally.bad.sum() != us.tally.bad.sum()
