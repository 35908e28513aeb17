"""The edges of rules over intervals that a clause may state: alignment, slow requests, rounding, windows, presence."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest

from slaguard.evaluation.parts import decimal_text
from slaguard.evaluation.result import ObjectiveResult
from slaguard.records import Fact, Observation, Record
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Reason, Source, Verdict
from tests.evaluation.world import (
    DAY,
    MAINTENANCE,
    MEAN,
    MINUTE,
    RUNS,
    START,
    agreement,
    call,
    judge,
    minute,
    objective,
    period,
    watched,
)  # fmt: skip

SECOND = MINUTE // 60
ALL_FAIL = {**RUNS, "error_rate": {"at_least": "100%"}, "run": "1"}
SLOW = {"field": "total_time", "more_than": "10s"}


def result(rule: dict[str, Any], calls: Sequence[Record], minutes: int, **terms: Any) -> ObjectiveResult:
    """Return one promise of 99.5 % over so many watched minutes."""
    contract = agreement(objective(rule, **{"at_least": "99.5%", **terms}))
    return judge(contract, period(minutes), [watched(), *calls]).objectives[0]


def at(*seconds: int, outcome: str = "error_500", **fields: Any) -> list[Observation]:
    """Return one call at each of these seconds."""
    return [call(s * SECOND, outcome, n=s, **fields) for s in seconds]


def timed(index: int, *took_s: float, outcome: str = "ok") -> list[Observation]:
    """Return one minute's calls that took so many seconds."""
    return [call(index * MINUTE + i, outcome, total_time_ns=int(t * 10**9), n=i) for i, t in enumerate(took_s)]


# ── U1: every request fails ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_minute_is_down_only_when_every_request_in_it_fails() -> None:
    found = result(ALL_FAIL, [*minute(0, 0, 3), *minute(1, 1, 99), *minute(2, 5, 0)], 10)
    assert (found.estimate.bad, found.estimate.value) == (1, Fraction(9, 10))


def test_too_few_requests_do_not_take_a_minute_down() -> None:
    found = result({**ALL_FAIL, "min_requests": "3"}, [*minute(0, 0, 3), *minute(1, 0, 2)], 10)
    assert found.estimate.bad == 1


def test_an_empty_minute_is_up_or_bad_as_the_clause_says() -> None:
    calls = [*minute(0, 0, 1), *minute(1, 1, 0)]
    assert result(ALL_FAIL, calls, 10).estimate.bad == 1
    assert result({**ALL_FAIL, "empty_bin": "bad"}, calls, 10).estimate.bad == 9


def test_the_published_numbers_of_a_month_are_exact() -> None:
    # 31 days have 44,640 minutes; 360 of them down leave 99.193 %.
    calls = [c for i in range(360) for c in minute(i, 0, 1)]
    found = result(ALL_FAIL, calls, 44_640)
    assert found.estimate.value == 1 - Fraction(360, 44_640)
    assert decimal_text(found.estimate.value)[:9] == "0.9919354"  # 0.99193548…


@pytest.mark.parametrize(
    ("minutes", "promise", "allowed"),
    [(43_200, "99.9%", Fraction(432, 10)), (43_200, "99.99%", Fraction(432, 100)), (10_080, "99.95%", Fraction(504, 100))],
    ids=["43.2 minutes of a 30-day month", "4.32 minutes of it", "5 minutes and 2.4 seconds of a week"],
)
def test_the_allowed_downtime_is_exact(minutes: int, promise: str, allowed: Fraction) -> None:
    assert result(ALL_FAIL, list(minute(0, 1, 0)), minutes, at_least=promise).estimate.allowed == allowed


# ── where intervals begin ───────────────────────────────────────────────────────────────────────────────────────────
def test_intervals_begin_with_the_period_where_the_clause_says_so() -> None:
    rule = {**MEAN, "bin": "7m", "align": "period_start"}
    found = result(rule, [*minute(0, 1, 1), *minute(7, 1, 0)], 21)
    assert (found.estimate.n, found.estimate.value) == (3, 1 - Fraction(1, 6))


def test_the_last_interval_is_cut_by_the_end_and_counts_by_its_length_as_downtime() -> None:
    rule = {**ALL_FAIL, "bin": "7m", "align": "period_start", "cross_period": "split"}
    found = result(rule, list(minute(9, 0, 1)), 10)
    assert (found.estimate.n, found.estimate.value) == (2, Fraction(7, 10))
    assert [(e.start - START, e.end - START) for e in found.events] == [(7 * MINUTE, 10 * MINUTE)]


def test_the_last_interval_of_a_mean_weighs_as_much_as_the_others() -> None:
    found = result({**MEAN, "bin": "7m", "align": "period_start"}, list(minute(9, 0, 1)), 10)
    assert found.estimate.value == Fraction(1, 2)


def test_a_look_may_begin_anywhere_where_intervals_begin_with_the_period() -> None:
    contract = agreement(objective({**MEAN, "align": "period_start"}, at_least="99.5%"))
    end = START + 12 * MINUTE
    look = ResolvedPeriod("look", START + 2 * MINUTE, end, "UTC", False, ((START, START + 31 * DAY),), ((START, end),), "test")
    found = judge(contract, look, [watched(), *minute(3, 1, 1), *minute(8, 1, 0)]).objectives[0]
    assert (found.estimate.n, found.estimate.value) == (2, Fraction(3, 4))


# ── U9: unavailable or slow ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_slow_request_counts_as_failed_and_a_time_equal_to_the_limit_is_not_slow() -> None:
    rule = {**ALL_FAIL, "slow": {**SLOW, "counts": "as_failed"}}
    calls = [*timed(0, 10.001), *timed(1, 10), *timed(2, 11, outcome="refused"), *timed(3, 11, outcome="client_error")]
    assert result(rule, calls, 10).estimate.bad == 2


def test_failed_and_slow_requests_add_up_or_are_each_held_to_the_limit() -> None:
    calls = [*timed(0, *[1] * 8, 11), *at(30)]
    rule = {**RUNS, "run": "1", "error_rate": {"more_than": "15%"}}
    assert result({**rule, "slow": {**SLOW, "counts": "as_failed"}}, calls, 10).estimate.bad == 1
    assert result({**rule, "slow": {**SLOW, "counts": "on_its_own"}}, calls, 10).estimate.bad == 0
    assert (
        result({**rule, "slow": {**SLOW, "counts": "on_its_own"}, "error_rate": {"at_least": "10%"}}, calls, 10).estimate.bad
        == 1
    )


def test_the_share_of_slow_requests_by_itself_takes_a_minute_down() -> None:
    rule = {**RUNS, "run": "1", "error_rate": {"at_least": "50%"}, "slow": {**SLOW, "counts": "on_its_own"}}
    assert result(rule, [*timed(0, 11, 11, 1), *timed(1, 11, 1, 1)], 10).estimate.bad == 1


def test_a_slow_answer_lowers_the_mean_of_intervals() -> None:
    rule = {**MEAN, "slow": {**SLOW, "counts": "as_failed"}}
    assert result(rule, timed(0, 11, 1), 10).estimate.value == Fraction(3, 4)


# ── rounding of outages ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("rounding", "bad"), [(None, 5), ("up", 8), ("down", 4)])
def test_each_downtime_is_rounded_to_whole_minutes_by_itself(rounding: str | None, bad: int) -> None:
    # Half minutes: one outage of 2 intervals (1 minute), one of 3 (1.5 minutes): rounded 1 + 2 or 1 + 1 minutes.
    rule = {**ALL_FAIL, "bin": "30s", "outage_rounding": rounding}
    found = result(rule, at(0, 30, 120, 150, 180), 10)
    assert found.estimate.bad == {5: 5, 8: 6, 4: 4}[bad]


def test_an_outage_of_half_a_minute_rounds_to_a_minute_or_to_nothing() -> None:
    rule = {**ALL_FAIL, "bin": "30s"}
    assert result({**rule, "outage_rounding": "up"}, at(0), 10).estimate.value == Fraction(9, 10)
    assert result({**rule, "outage_rounding": "down"}, at(0), 10).estimate.value == 1


def test_an_outage_is_rounded_as_far_as_it_counts_in_the_period() -> None:
    # Three intervals of 30 s, one of them before the period: 1 minute in it, whole already.
    rule = {**ALL_FAIL, "run": "3", "bin": "30s", "outage_rounding": "up"}
    assert result(rule, at(-30, 0, 30), 10).estimate.bad == 2


def test_rounding_never_takes_more_than_there_is() -> None:
    rule = {**ALL_FAIL, "bin": "30s", "outage_rounding": "up"}
    assert result(rule, at(0, 60), 2).estimate.value == 0
    assert result({**rule, "bin": "20s"}, at(0, 40, 80), 2).estimate.value == 0


# ── windows before or after runs ────────────────────────────────────────────────────────────────────────────────────
def _run_over(run_over: str | None, effect: str, window: tuple[int, int]) -> ObjectiveResult:
    exclusion = {**MAINTENANCE, "effect": effect, "cap": None}
    contract = agreement(objective({**RUNS, "run_over": run_over}, at_least="99.5%", exclusions=[exclusion]))
    calls: list[Record] = [c for i in range(20) for c in minute(i, *((0, 1) if i < 6 else (1, 0)))]
    a, b = (START + m * MINUTE for m in window)
    said = Fact(id="a", type="announcement", when=START - 80 * 60 * MINUTE, exclusion="maintenance", start=a, end=b)
    return judge(contract, period(20), [watched(), *calls], [said]).objectives[0]


@pytest.mark.parametrize("effect", ["count_as_up", "remove_minutes"])
def test_a_window_inside_a_run_leaves_the_rest_of_it_down(effect: str) -> None:
    assert _run_over(None, effect, (2, 4)).estimate.bad == 4
    assert _run_over("all_minutes", effect, (2, 4)).estimate.bad == 4


def test_where_runs_are_found_among_counted_minutes_a_minute_that_counts_as_up_ends_a_run() -> None:
    assert _run_over("counted_minutes", "count_as_up", (2, 4)).estimate.bad == 0


def test_where_runs_are_found_among_counted_minutes_a_minute_that_leaves_is_passed_over() -> None:
    assert _run_over("counted_minutes", "remove_minutes", (2, 3)).estimate.bad == 5
    assert _run_over("counted_minutes", "remove_minutes", (2, 4)).estimate.bad == 0


def test_a_window_after_the_period_does_not_touch_the_interval_that_its_end_cuts() -> None:
    rule = {**ALL_FAIL, "bin": "7m", "align": "period_start", "cross_period": "split"}
    exclusion = {**MAINTENANCE, "effect": "remove_minutes", "cap": None}
    contract = agreement(objective(rule, at_least="99.5%", exclusions=[exclusion]))
    a, b = START + 10 * MINUTE, START + 20 * MINUTE
    said = Fact(id="a", type="announcement", when=START - 80 * 60 * MINUTE, exclusion="maintenance", start=a, end=b)
    found = judge(contract, period(10), [watched(), *minute(9, 0, 1)], [said]).objectives[0]
    assert (found.estimate.n, found.estimate.value, found.excluded) == (2, Fraction(7, 10), ())


# ── part of a period ────────────────────────────────────────────────────────────────────────────────────────────────
BOTH = {"from": "first_request", "to": "last_request"}


def test_the_time_that_counts_begins_and_ends_with_the_resource() -> None:
    calls = [*minute(4, 1, 0), *minute(5, 0, 1), *minute(7, 1, 0)]
    found = result({**ALL_FAIL, "presence": BOTH}, calls, 10)
    assert (found.estimate.n, found.estimate.value) == (4, Fraction(3, 4))
    only_begin = result({**ALL_FAIL, "presence": {**BOTH, "to": "period_end"}}, calls, 10)
    assert (only_begin.estimate.n, only_begin.estimate.value) == (6, Fraction(5, 6))
    only_end = result({**ALL_FAIL, "presence": {**BOTH, "from": "period_start"}}, calls, 10)
    assert (only_end.estimate.n, only_end.estimate.value) == (8, Fraction(7, 8))


def test_time_after_the_last_request_makes_nothing_good_once_the_period_is_over() -> None:
    contract = agreement(
        objective(
            {**ALL_FAIL, "presence": BOTH}, at_least="99.5%", credits={"below 99.5%": "10%", "below 80%": "20%"}
        )
    )  # fmt: skip
    found = judge(contract, period(10), [watched(), *minute(4, 1, 0), *minute(5, 0, 1), *minute(7, 1, 0)])
    # 1 of 4 minutes lost is 75 %, the second step; with two good minutes more it would be 1 of 6, the first
    assert found.credits is not None
    assert (found.objectives[0].estimate.value, str(found.credits.claimable)) == (Fraction(3, 4), "200.00")


def test_a_resource_nobody_used_has_no_uptime() -> None:
    found = result({**MEAN, "presence": BOTH}, [], 10)
    assert (found.verdict, found.reason, found.estimate.value) == (Verdict.INSUFFICIENT, Reason.NO_TRAFFIC, None)


def test_the_first_request_may_have_come_when_nobody_watched() -> None:
    contract = agreement(objective({**ALL_FAIL, "presence": BOTH}, at_least="99.5%", source="traffic", min_coverage="50%"))
    calls = [*minute(6, 1, 0), *minute(7, 0, 1), *minute(9, 1, 0)]
    found = judge(contract, period(10), [watched(b=2 * MINUTE), watched(a=4 * MINUTE), *calls]).objectives[0]
    assert found.estimate.value == Fraction(3, 4)
    # Up from minute 2 on: 1 of 8 lost. Down in the two that nobody watched, and there in no other: 3 of 6.
    assert (found.estimate.high, found.estimate.low) == (Fraction(7, 8), Fraction(1, 2))


def test_in_an_open_period_a_resource_may_stay_to_the_end() -> None:
    contract = agreement(objective({**ALL_FAIL, "presence": BOTH}, at_least="90%"))
    calls = [*minute(10, 0, 1), *minute(11, 1, 0)]
    found = judge(contract, period(100), [watched(), *calls], as_of=START + 12 * MINUTE).objectives[0]
    assert (found.verdict, found.reason) == (Verdict.INCONCLUSIVE, Reason.BREACHING_TO_DATE)


# ── U10: the function probe ─────────────────────────────────────────────────────────────────────────────────────────
def test_a_probe_that_gets_a_refusal_is_up_and_one_that_gets_an_empty_answer_is_down() -> None:
    outcomes = ["ok", "refused", "content_filtered", "empty", "truncated", "error_body", "timeout"]
    slots = [call(5 * i * MINUTE, o, source=Source.PROBE) for i, o in enumerate(outcomes)]
    rule = {**ALL_FAIL, "bin": "5m"}
    found = result(rule, list(slots), 35, source="probe")
    assert (found.estimate.n, found.estimate.bad) == (7, 4)
