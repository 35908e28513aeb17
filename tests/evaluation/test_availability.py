"""Rules over intervals: the worked examples of the contracts, and the edges they leave to a word."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from slaguard.records import Fact, Observation, Record
from slaguard.terms import Reason, Source, Verdict
from tests.evaluation.world import (
    MAINTENANCE,
    MEAN,
    MINUTE,
    OUTCOMES,
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


def runs(errors: list[int], **rule: Any) -> Fraction | None:
    """Return the uptime of minutes with so many percent of 100 requests failed each."""
    contract = agreement(objective({**RUNS, **rule}, at_least="99.5%"))
    calls: list[Record] = [c for i, e in enumerate(errors) for c in minute(i, 100 - e, e)]
    value: Fraction | None = judge(contract, period(len(errors)), [watched(), *calls]).objectives[0].estimate.value
    return value


def mean(minutes: list[tuple[int, int]], **rule: Any) -> Fraction | None:
    """Return the uptime by 5-minute intervals of minutes with (good, bad) requests."""
    contract = agreement(objective({**MEAN, **rule}, at_least="99.5%"))
    calls: list[Record] = [c for i, (g, b) in enumerate(minutes) for c in minute(i, g, b)]
    value: Fraction | None = judge(contract, period(len(minutes)), [watched(), *calls]).objectives[0].estimate.value
    return value


# ── runs of bad minutes ─────────────────────────────────────────────────────────────────────────────────────────────
def test_five_bad_minutes_in_a_row_are_down_and_four_are_not() -> None:
    assert runs([6, 6, 6, 6, 6, 0, 6, 6, 6, 6]) == Fraction(1, 2)


def test_a_rate_equal_to_the_limit_is_not_more_than_it() -> None:
    assert runs([5, 5, 5, 5, 5, 0, 5, 5, 5, 5]) == 1


def test_at_least_counts_the_rate_equal_to_the_limit() -> None:
    assert runs([5, 5, 5, 5, 5, 0, 5, 5, 5, 5], error_rate={"at_least": "5%"}) == Fraction(1, 2)


@pytest.mark.parametrize(("empty_bin", "uptime"), [("breaks_run", Fraction(1)), ("continues_run", Fraction(1, 6))])
def test_an_empty_minute_breaks_a_run_or_carries_it_on_without_counting(empty_bin: str, uptime: Fraction) -> None:
    contract = agreement(objective({**RUNS, "empty_bin": empty_bin}, at_least="99.5%"))
    calls: list[Record] = [c for i in (0, 1, 2, 4, 5) for c in minute(i, 0, 10)]
    assert judge(contract, period(6), [watched(), *calls]).objectives[0].estimate.value == uptime


@pytest.mark.parametrize(("cross", "down"), [("attribute_minutes", 3), ("split", 0)])
def test_a_run_across_the_start_counts_its_own_minutes_or_is_cut(cross: str, down: int) -> None:
    contract = agreement(objective({**RUNS, "cross_period": cross}, at_least="99.5%"))
    calls: list[Record] = [c for i in (-2, -1, 0, 1, 2) for c in minute(i, 0, 10)]
    calls += [c for i in range(3, 10) for c in minute(i, 10, 0)]
    assert judge(contract, period(10), [watched(), *calls]).objectives[0].estimate.bad == down


def test_a_run_across_the_end_is_settled_by_the_minutes_after_it() -> None:
    contract = agreement(objective(RUNS, at_least="99.5%"))
    calls: list[Record] = [c for i in range(8) for c in minute(i, 10, 0)]
    calls += [c for i in range(8, 13) for c in minute(i, 0, 10)]
    assert judge(contract, period(10), [watched(), *calls]).objectives[0].estimate.bad == 2


# ── the mean of intervals ───────────────────────────────────────────────────────────────────────────────────────────
def test_the_mean_of_intervals_weighs_every_interval_equally() -> None:
    busy, quiet = [(99, 1)] * 5, [(0, 1), (1, 0), (0, 0), (0, 0), (0, 0)]
    assert mean(busy + quiet) == (Fraction(99, 100) + Fraction(1, 2)) / 2


def test_an_empty_interval_is_up_or_leaves_the_mean_as_the_clause_says() -> None:
    minutes = [(1, 1)] + [(0, 0)] * 9
    assert mean(minutes) == Fraction(3, 4)
    assert mean(minutes, empty_bin="leave_out") == Fraction(1, 2)


def test_an_interval_below_the_minimum_is_up_or_leaves_the_mean() -> None:
    minutes = [(1, 1)] + [(0, 0)] * 4 + [(5, 5)] + [(0, 0)] * 4
    assert mean(minutes, min_requests="3") == Fraction(3, 4)
    assert mean(minutes, min_requests="3", below_minimum="leave_out") == Fraction(1, 2)


def test_uptime_is_exact_where_a_float_would_fall_on_the_other_side() -> None:
    # 1 of 3 in one of 67 intervals: 1 - 1/201. The promise 200/201 has no finite percentage; 99.502487562189% is under it.
    contract = agreement(objective(MEAN, at_least="99.502487562189%"))
    calls: list[Record] = [*minute(0, 2, 1), *[c for i in range(1, 67) for c in minute(5 * i, 1, 0)]]
    result = judge(contract, period(67 * 5), [watched(), *calls]).objectives[0]
    assert result.estimate.value == Fraction(200, 201)
    assert result.verdict is Verdict.COMPLIANT


# ── time not watched ────────────────────────────────────────────────────────────────────────────────────────────────
def _gap(bad_minutes: int, gap: tuple[int, int], min_coverage: str) -> Any:
    contract = agreement(objective(MEAN, at_least="90%", min_coverage=min_coverage, source="traffic"))
    calls: list[Record] = [
        c for i in range(100) if not gap[0] <= i < gap[1] for c in minute(i, *((0, 2) if i < bad_minutes else (2, 0)))
    ]
    return judge(contract, period(100), [watched(b=gap[0] * MINUTE), watched(a=gap[1] * MINUTE), *calls]).objectives[0]


def test_a_gap_that_cannot_change_the_verdict_does_not() -> None:
    result = _gap(20, (95, 100), "95%")
    assert (result.verdict, result.reason) == (Verdict.BREACH, Reason.COUNT_EXCEEDED)
    assert result.estimate.low < result.estimate.high


def test_a_gap_that_decides_is_not_observable_above_the_agreed_coverage() -> None:
    result = _gap(10, (95, 100), "95%")
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE)


def test_a_gap_that_decides_is_low_coverage_below_the_agreed_one() -> None:
    result = _gap(10, (90, 100), "95%")
    assert (result.verdict, result.reason) == (Verdict.INSUFFICIENT, Reason.LOW_COVERAGE)


def test_a_month_nobody_watched_is_never_up() -> None:
    contract = agreement(objective(MEAN, at_least="99.5%"))
    result = judge(contract, period(100), []).objectives[0]
    assert (result.verdict, result.reason, result.estimate.value) == (Verdict.INSUFFICIENT, Reason.LOW_COVERAGE, None)


def test_a_probe_that_said_nothing_of_the_vendor_leaves_its_interval_unobserved() -> None:
    contract = agreement(objective(MEAN, at_least="99.5%", source="probe"))
    slots: list[Observation] = [call(5 * i * MINUTE, "ok", source=Source.PROBE) for i in range(18)]
    slots += [call(90 * MINUTE, "unmeasured", source=Source.PROBE), call(95 * MINUTE, "auth_error", source=Source.PROBE)]
    result = judge(contract, period(100), slots).objectives[0]
    assert (result.unknown, result.coverage) == (2, Fraction(9, 10))
    assert result.verdict is Verdict.INSUFFICIENT


def test_records_without_a_clock_are_refused_by_intervals() -> None:
    contract = agreement(objective(MEAN, at_least="99.5%"))
    batch = [call(0, "ok", sent_at=None, batch_start=START, batch_end=START + MINUTE)]
    result = judge(contract, period(100), [watched(), *batch]).objectives[0]
    assert (result.verdict, result.reason) == (Verdict.INSUFFICIENT, Reason.NO_CLOCK)


# ── exclusions ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _maintained(
    announced_before_h: int, effect: str = "count_as_up", cap: str = "4h", by: str | None = None, **state: Any
) -> Any:
    exclusion = {**MAINTENANCE, "effect": effect, "cap": cap}
    contract = agreement(
        objective(MEAN, at_least="99.5%", exclusions=[exclusion], credits=[{"edge": "99.5%", "credit": "10%"}])
    )
    calls: list[Record] = [c for i in range(600) for c in minute(i, *((0, 1) if 120 <= i < 180 else (1, 0)))]
    start = START + 120 * MINUTE
    announced = Fact(
        id="a", type="announcement", when=start - announced_before_h * 60 * MINUTE, exclusion="maintenance", by=by,
        start=start, end=start + 60 * MINUTE,
    )  # fmt: skip
    facts = [
        announced,
        *([Fact(id="s", type="exclusion_state", when=start, exclusion="maintenance", **state)] if state else []),
    ]
    return judge(contract, period(600), [watched(), *calls], facts)


def test_maintenance_announced_in_time_counts_as_up_and_is_shown_with_its_clause() -> None:
    result = _maintained(72).objectives[0]
    assert (result.verdict, result.estimate.value) == (Verdict.COMPLIANT, 1)
    assert [(e.id, e.clause, e.state, e.n, e.minutes) for e in result.excluded] == [
        ("maintenance", "B 2.4", "accepted", 12, 60)
    ]
    assert result.without_exclusions.verdict is Verdict.BREACH


def test_maintenance_announced_late_is_contested_and_leaves_the_verdict_open_with_both_amounts() -> None:
    evaluation = _maintained(71)
    result = evaluation.objectives[0]
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, Reason.CONTESTED_EXCLUSION)
    assert result.with_contested.verdict is Verdict.COMPLIANT
    assert evaluation.credits is not None
    assert (evaluation.credits.claimable, evaluation.credits.upper) == (0, 100)


def test_a_recorded_state_overrides_the_notice() -> None:
    assert _maintained(71, state="accepted").objectives[0].verdict is Verdict.COMPLIANT
    assert _maintained(72, state="rejected").objectives[0].verdict is Verdict.BREACH


def test_an_announcement_by_somebody_who_may_not_claim_it_is_contested() -> None:
    evaluation = _maintained(72, by="C")
    assert evaluation.objectives[0].reason is Reason.CONTESTED_EXCLUSION
    assert any(w.code == "W-FACTS" for w in evaluation.warnings)


def test_an_announcement_made_after_the_time_of_knowledge_is_not_known() -> None:
    later = _maintained(-100_000)
    assert (later.objectives[0].verdict, later.objectives[0].excluded) == (Verdict.BREACH, ())


def test_minutes_past_the_cap_count_normally_in_time_order() -> None:
    result = _maintained(72, cap="30m").objectives[0]
    assert result.estimate.value == 1 - Fraction(6, 120)


def test_removed_minutes_leave_the_period_too() -> None:
    result = _maintained(72, effect="remove_minutes").objectives[0]
    assert (result.estimate.n, result.estimate.value) == (108, 1)


def test_an_excluded_record_leaves_before_intervals_are_formed_and_is_counted_under_its_clause() -> None:
    quota = {
        "id": "quota", "clause": "B 3", "kind": "quota", "asserted_by": "vendor", "effect": "drop_records",
        "proof": "request_field", "selector": {"outcome": {"values": ["rate_limited"]}},
    }  # fmt: skip
    terms = objective(MEAN, at_least="99.5%", outcomes={**OUTCOMES, "rate_limited": "fail"}, exclusions=[quota])
    calls: list[Record] = [*minute(0, 3, 0), call(4 * MINUTE, "rate_limited"), *minute(6, 1, 0)]
    result = judge(agreement(terms), period(10), [watched(), *calls]).objectives[0]
    assert (result.estimate.value, [(e.id, e.n) for e in result.excluded]) == (1, [("quota", 1)])
    assert result.without_exclusions is not None
    assert result.without_exclusions.value == 1 - Fraction(1, 8)


# ── the open period ─────────────────────────────────────────────────────────────────────────────────────────────────
def _open(bad: int, of: int, as_of: int) -> Any:
    contract = agreement(objective(MEAN, at_least="90%"))
    calls: list[Record] = [c for i in range(as_of) for c in minute(i, *((0, 1) if i < bad else (1, 0)))]
    return judge(contract, period(of), [watched(), *calls], as_of=START + as_of * MINUTE).objectives[0]


def test_an_open_period_is_never_a_breach_while_later_intervals_can_save_it() -> None:
    result = _open(10, 1000, 20)
    assert (result.verdict, result.reason, result.provisional) == (Verdict.INCONCLUSIVE, Reason.BREACHING_TO_DATE, True)


def test_an_open_period_is_broken_for_good_once_the_whole_budget_is_spent() -> None:
    result = _open(105, 1000, 120)
    assert (result.verdict, result.reason, result.provisional) == (Verdict.BREACH, Reason.ERROR_BUDGET_EXHAUSTED, False)


def test_an_open_period_within_its_promise_is_compliant_so_far() -> None:
    result = _open(5, 1000, 120)
    assert (result.verdict, result.reason, result.provisional) == (Verdict.COMPLIANT, Reason.WITHIN_TO_DATE, True)
