"""Several resources under one promise: down when all are, when any is, or the mean of their own figures."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from slaguard.evaluation.result import ObjectiveResult
from slaguard.records import Record
from slaguard.terms import Reason, Source, Verdict
from tests.evaluation.world import MEAN, MINUTE, RUNS, START, agreement, call, judge, minute, objective, period, watched

ALL_FAIL = {**RUNS, "error_rate": {"at_least": "100%"}, "run": "1"}
BOTH = {"from": "first_request", "to": "last_request"}


def of(down_when: str, **rule: Any) -> dict[str, Any]:
    """Return the terms of a rule over the resources of each region."""
    kept = MEAN if down_when == "mean" else ALL_FAIL
    return {**kept, "resources": {"by": "region", "down_when": down_when}, **rule}


def result(rule: dict[str, Any], regions: dict[str, str], **terms: Any) -> ObjectiveResult:
    """Return the result of regions whose minutes are good (+), bad (-) or empty (.)."""
    calls: list[Record] = []
    for region, minutes in regions.items():
        for i, mark in enumerate(minutes):
            calls += minute(i, *{"+": (1, 0), "-": (0, 1), ".": (0, 0)}[mark], region=region)
    contract = agreement(objective(rule, **{"at_least": "99.5%", **terms}))
    return judge(contract, period(max(map(len, regions.values()))), [watched(), *calls]).objectives[0]


@pytest.mark.parametrize(("down_when", "bad"), [("all", 2), ("any", 6)])
def test_a_minute_is_down_when_all_resources_are_or_when_any_is(down_when: str, bad: int) -> None:
    found = result(of(down_when), {"eu": "----++++++", "us": "++----++++"})
    assert (found.estimate.bad, found.estimate.n) == (bad, 10)


def test_without_resources_all_requests_are_one_pool() -> None:
    regions = {"eu": "----++++++", "us": "++----++++"}
    assert result({**ALL_FAIL, "error_rate": {"at_least": "50%"}}, regions).estimate.bad == 6


@pytest.mark.parametrize(("empty_bin", "bad"), [("breaks_run", 1), ("bad", 3)])
def test_a_resource_without_a_request_is_not_bad_unless_the_clause_says_so(empty_bin: str, bad: int) -> None:
    assert result(of("all", empty_bin=empty_bin), {"eu": "---+++", "us": "-..+++"}).estimate.bad == bad


def test_a_run_is_one_of_intervals_in_which_all_are_bad() -> None:
    # Each resource is bad for four minutes in a row, both together for two: a run of three is none.
    regions = {"eu": "----++++++", "us": "++----++++"}
    assert result(of("all", run="3"), regions).estimate.bad == 0
    assert result(of("any", run="6"), regions).estimate.bad == 6


def test_a_resource_with_too_few_requests_stands_aside_or_is_up() -> None:
    calls: list[Record] = [*minute(0, 0, 3, region="eu"), *minute(0, 0, 1, region="us"), *minute(1, 3, 3, region="us")]
    for below, bad in (("leave_out", 1), ("up", 0)):
        contract = agreement(objective(of("all", min_requests="2", below_minimum=below), at_least="99.5%"))
        assert judge(contract, period(10), [watched(), *calls]).objectives[0].estimate.bad == bad


def test_records_without_the_field_are_a_resource_of_their_own() -> None:
    calls: list[Record] = [*minute(0, 0, 1, region="eu"), *minute(0, 1, 0)]
    for down_when, bad in (("all", 0), ("any", 1)):
        contract = agreement(objective(of(down_when), at_least="99.5%"))
        assert judge(contract, period(10), [watched(), *calls]).objectives[0].estimate.bad == bad


def test_resources_are_told_apart_by_all_the_fields() -> None:
    rule = {**ALL_FAIL, "resources": {"by": ["region", "client_id"], "down_when": "all"}}
    calls: list[Record] = [
        *minute(0, 0, 1, region="eu", client_id="a"), *minute(0, 1, 0, region="eu", client_id="b"),
        *minute(1, 0, 1, region="eu", client_id="a"), *minute(1, 0, 1, region="eu", client_id="b"),
    ]  # fmt: skip
    assert judge(agreement(objective(rule, at_least="99.5%")), period(10), [watched(), *calls]).objectives[0].estimate.bad == 1


# ── presence ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_resource_that_is_gone_does_not_keep_the_others_up() -> None:
    regions = {"eu": "++++----++", "us": "+++......."}
    assert result(of("all"), regions).estimate.bad == 0
    found = result(of("all", presence=BOTH), regions)
    assert (found.estimate.bad, found.estimate.n) == (4, 10)


def test_the_time_that_counts_is_when_any_resource_was_there() -> None:
    found = result(of("any", presence=BOTH), {"eu": "..+-......", "us": "....+--+.."})
    assert (found.estimate.bad, found.estimate.n) == (3, 6)


# ── the mean ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_mean_gives_every_resource_the_same_weight_however_busy() -> None:
    calls: list[Record] = [*minute(0, 0, 100, region="eu"), *minute(0, 1, 0, region="us")]
    found = judge(agreement(objective(of("mean"), at_least="99.5%")), period(10), [watched(), *calls]).objectives[0]
    # eu: (0 + 1) / 2; us: (1 + 1) / 2. As one pool it would be (1/101 + 1) / 2.
    assert (found.estimate.value, found.estimate.n, found.estimate.bad) == (Fraction(3, 4), 2, Fraction(1, 2))
    assert [e.lost for e in found.events] == [Fraction(1, 2)]


def test_each_resource_has_the_time_in_which_it_was_there() -> None:
    found = result(of("mean", bin="1m", presence=BOTH), {"eu": "+-+-......", "us": "++++++++++"})
    assert found.estimate.value == (Fraction(1, 2) + 1) / 2


def test_time_nobody_watched_widens_the_mean_of_all_resources() -> None:
    calls: list[Record] = [*minute(0, 1, 0, region="eu"), *minute(0, 1, 1, region="us")]
    contract = agreement(objective(of("mean", bin="1m"), at_least="99.5%", source="traffic", min_coverage="50%"))
    found = judge(contract, period(10), [watched(b=9 * MINUTE), *calls]).objectives[0]
    assert (found.estimate.low, found.estimate.high) == (Fraction(17, 20) + Fraction(1, 40), 1 - Fraction(1, 40) - 0)


def test_probes_of_one_region_say_nothing_of_another() -> None:
    slots: list[Record] = [call(i * MINUTE, "ok", source=Source.PROBE, region="eu") for i in range(10)]
    slots += [call(i * MINUTE, "error_500", source=Source.PROBE, region="us") for i in range(9)]
    mean = judge(agreement(objective(of("mean", bin="1m"), source="probe", at_least="99.5%")), period(10), slots).objectives[0]
    assert (mean.coverage, mean.estimate.value) == (Fraction(19, 20), Fraction(1, 2))
    every = judge(agreement(objective(of("all"), source="probe", at_least="99.5%")), period(10), slots).objectives[0]
    assert (every.unknown, every.estimate.value) == (0, 1)  # where one is up, it does not matter what the other is
    either = judge(agreement(objective(of("any"), source="probe", at_least="99.5%")), period(10), slots).objectives[0]
    assert (either.unknown, either.coverage) == (1, Fraction(9, 10))


# ── the open period, and none at all ────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("down_when", "reason"), [("mean", Reason.BREACHING_TO_DATE), ("any", Reason.ERROR_BUDGET_EXHAUSTED)])
def test_a_resource_that_is_still_to_come_can_save_a_mean(down_when: str, reason: Reason) -> None:
    calls: list[Record] = [c for i in range(30) for c in minute(i, 0, 1, region="eu")]
    contract = agreement(objective(of(down_when, bin="1m"), at_least="90%"))
    found = judge(contract, period(100), [watched(), *calls], as_of=START + 40 * MINUTE).objectives[0]
    assert found.reason is reason


def test_a_resource_that_is_still_to_come_was_not_down_before_unless_it_begins_with_its_first_request() -> None:
    calls: list[Record] = [c for i in range(30) for c in minute(i, 0, 1, region="eu")]
    for presence, reason in ((None, Reason.BREACHING_TO_DATE), (BOTH, Reason.ERROR_BUDGET_EXHAUSTED)):
        contract = agreement(objective(of("all", presence=presence), at_least="90%"))
        found = judge(contract, period(100), [watched(), *calls], as_of=START + 40 * MINUTE).objectives[0]
        assert found.reason is reason


@pytest.mark.parametrize("down_when", ["all", "any", "mean"])
def test_without_a_request_there_is_no_resource_and_no_verdict(down_when: str) -> None:
    contract = agreement(objective(of(down_when), at_least="99.5%"))
    found = judge(contract, period(10), [watched()]).objectives[0]
    assert (found.verdict, found.reason) == (Verdict.INSUFFICIENT, Reason.NO_TRAFFIC)
    unwatched = judge(contract, period(10), []).objectives[0]
    assert (unwatched.verdict, unwatched.reason) == (Verdict.INSUFFICIENT, Reason.LOW_COVERAGE)
