"""Rules over tokens a second: medians of intervals, the share of requests, means; exact, and against naive fractions."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.evaluation.means import Timed, mean_of
from slaguard.evaluation.result import ObjectiveResult
from slaguard.records import NS, Observation, Record
from slaguard.spec.indicators import MeanOfMinutes
from slaguard.terms import Bound, BoundWord, Reason, Verdict
from tests.evaluation.world import MINUTE, START, agreement, call, judge, objective, period, watched

SPEED = {"tokens": "output_tokens", "over": "generation", "more_than": "50"}
P50 = {"rule": "interval_p50", "bin": "5m", "speed": SPEED, "min_requests": "1", "empty_bin": "leave_out"}
SHARE = {"rule": "request_attainment", "speed": SPEED, "failed": "miss", "min_requests": "0"}
MEAN = {
    "rule": "mean_of_minutes", "bin": "1m", "of": {"speed": {"tokens": "output_tokens", "over": "generation"}},
    "weights": "equal", "min_requests": "0",
}  # fmt: skip


def spoken(at: int, tokens: int | None, seconds: float | None, **fields: Any) -> Observation:
    """Return an answer of so many tokens in so many seconds after its first byte, one second after it was asked for."""
    took = None if seconds is None else NS + int(seconds * NS)
    return call(at, output_tokens=tokens, time_to_first_token_ns=NS, total_time_ns=took, **fields)


def judged(rule: dict[str, Any], records: list[Record], minutes: int = 60, **terms: Any) -> ObjectiveResult:
    (one,) = judge(agreement(objective(rule, **(terms or {"at_least": "99%"}))), period(minutes), records).objectives
    return one


# ── medians of intervals ────────────────────────────────────────────────────────────────────────────────────────────
def test_the_median_of_an_even_count_is_the_mean_of_the_two_in_the_middle() -> None:
    keeps: list[Record] = [spoken(0, 40, 1), spoken(1, 61, 1), watched()]
    misses: list[Record] = [spoken(0, 40, 1), spoken(1, 60, 1), watched()]  # exactly 50 is not more than 50
    assert judged(P50, keeps).estimate.value == 1
    assert judged(P50, misses).estimate.value == 0
    at_least = {**P50, "speed": {"tokens": "output_tokens", "over": "generation", "at_least": "50"}}
    assert judged(at_least, misses).estimate.value == 1


def test_intervals_with_too_few_answers_are_none_of_the_promise_and_empty_ones_as_the_clause_says() -> None:
    records: list[Record] = [spoken(0, 100, 1), spoken(1, 100, 1), spoken(5 * MINUTE, 1, 1), watched()]
    result = judged({**P50, "min_requests": "2"}, records)
    assert (result.estimate.bad, result.estimate.n) == (0, 1)
    met = judged({**P50, "empty_bin": "met"}, records)
    assert (met.estimate.bad, met.estimate.n) == (1, 12)


def test_an_answer_that_took_no_time_has_no_speed_and_is_told() -> None:
    result = judged(P50, [spoken(0, 100, 1), spoken(1, 100, 0), watched()])
    assert (result.estimate.n, result.undefined, result.unknown) == (1, 1, 0)


def test_an_answer_whose_tokens_are_not_known_is_taken_both_ways() -> None:
    result = judged(P50, [spoken(0, 51, 1), spoken(1, None, 1), watched()])
    assert (result.estimate.value, result.estimate.low, result.estimate.high) == (1, 0, 1)
    assert result.verdict is Verdict.INCONCLUSIVE


def test_an_interval_that_was_not_watched_from_end_to_end_is_open() -> None:
    records: list[Record] = [spoken(i * 5 * MINUTE, 51, 1) for i in range(12)]
    result = judged(P50, [*records, watched(MINUTE)], min_coverage="50%", at_least="99%")
    assert (result.estimate.n, result.unknown, result.estimate.low) == (11, 1, Fraction(11, 12).limit_denominator(10**12))
    assert result.reason is Reason.NOT_OBSERVABLE


speeds = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 4)), min_size=1, max_size=14)


@given(speeds, st.sampled_from(["at_least", "more_than"]))
def test_medians_are_those_of_exact_fractions(rows: list[tuple[int, int, int]], word: str) -> None:
    rule = {**P50, "speed": {"tokens": "output_tokens", "over": "generation", word: "1"}}
    records: list[Record] = [spoken(b * 5 * MINUTE + i, t, s) for i, (b, t, s) in enumerate(rows)]
    own = [[Fraction(t, s) for b, t, s in rows if b == i] for i in range(4)]
    bound = Bound(BoundWord(word), Fraction(1))
    good = [bound.holds(Fraction(median(some))) for some in own if some]
    result = judged(rule, [*records, watched()], at_least="50%")
    assert (result.estimate.n, result.estimate.bad) == (len(good), good.count(False))


# ── the share of requests ───────────────────────────────────────────────────────────────────────────────────────────
def test_the_share_of_fast_requests_compares_exactly_and_failures_miss() -> None:
    third = call(2, output_tokens=17, time_to_first_token_ns=0, total_time_ns=340_000_000)  # 17 tokens in 0.34 s are 50
    records: list[Record] = [spoken(0, 51, 1), third, call(3, "error_500"), spoken(4, None, 1), watched()]
    result = judged(SHARE, records, at_least="90%")
    assert (result.estimate.bad, result.estimate.n, result.unknown) == (2, 3, 1)
    assert "at 50 tok/s or slower" in result.sentence


def test_a_speed_over_the_whole_request_counts_the_wait_for_the_first_token() -> None:
    rule = {**SHARE, "speed": {**SPEED, "over": "request"}}
    assert judged(rule, [spoken(0, 100, 1), watched()], at_least="90%").estimate.bad == 1  # 100 tokens in two seconds are 50


# ── means ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("weights", "mean"), [("equal", 60), ("requests", 80), ("tokens", Fraction(320 * 100 + 20 * 20, 320 + 20))]
)
def test_minutes_weigh_alike_or_by_their_requests_or_by_their_tokens(weights: str, mean: Fraction | int) -> None:
    if weights == "tokens":
        records: list[Record] = [spoken(0, 160, 1.6), spoken(1, 160, 1.6), spoken(MINUTE, 20, 1)]
    else:
        records = [*(spoken(i, 100, 1) for i in range(3)), spoken(MINUTE, 20, 1)]
    result = judged({**MEAN, "weights": weights}, [*records, watched()], at_least="50")
    assert result.unit == "tok/s"
    assert result.estimate.value == Fraction(mean).limit_denominator(10**6)
    assert result.verdict is Verdict.COMPLIANT


def test_a_mean_exactly_at_its_limit_is_decided_by_the_word() -> None:
    records: list[Record] = [spoken(0, 100, 3), spoken(1, 200, 3), watched()]  # 100/3 and 200/3: 50
    assert judged(MEAN, records, at_least="50").verdict is Verdict.COMPLIANT
    assert judged(MEAN, records, more_than="50").verdict is Verdict.BREACH


def test_a_mean_time_is_one_of_whole_nanoseconds() -> None:
    rule = {**MEAN, "of": {"field": "total_time"}}
    records: list[Record] = [call(0, total_time_ns=1_000_000_001), call(1, total_time_ns=NS), watched()]
    assert judged(rule, records, at_most="1s").verdict is Verdict.BREACH
    result = judged(rule, records, at_most="1001ms")
    assert (result.verdict, result.unit) == (Verdict.COMPLIANT, "ms")
    assert "mean of" in result.sentence


def test_an_answer_of_unknown_speed_leaves_the_mean_open() -> None:
    result = judged(MEAN, [spoken(0, 100, 1), spoken(1, None, 1), watched()], at_least="60")
    assert (result.estimate.value, result.estimate.low) == (100, 50)
    assert result.verdict is Verdict.INSUFFICIENT


def test_too_few_timed_requests_are_not_enough() -> None:
    result = judged({**MEAN, "min_requests": "2"}, [spoken(0, 100, 1), watched()], at_least="60")
    assert (result.verdict, result.reason) == (Verdict.INSUFFICIENT, Reason.N_BELOW_MIN)


@settings(max_examples=settings().max_examples // 2)
@given(st.integers(0, 10**6), st.sampled_from(["equal", "requests", "tokens"]), st.booleans())
def test_a_mean_of_many_speeds_is_enclosed_and_equals_the_fractions(seed: int, weights: str, touching: bool) -> None:
    rng = random.Random(seed)
    rows = [(rng.randrange(5), rng.randint(1, 900), rng.randint(1, 10**10)) for _ in range(60)]
    where, tokens, time = (np.array([r[i] for r in rows], dtype=np.int64) for i in range(3))
    one = np.ones(60, dtype=np.int64)
    rule = MeanOfMinutes.model_validate({**MEAN, "weights": weights})
    own = [[(t, Fraction(t * NS, s)) for b, t, s in rows if b == i] for i in range(5)]
    ways: dict[str, Callable[[list[tuple[int, Fraction]]], int]] = {
        "equal": lambda _: 1, "requests": len, "tokens": lambda o: sum(t for t, _ in o),
    }  # fmt: skip
    weight = ways[weights]
    total = sum(weight(o) for o in own if o)
    exact = sum((sum((v for _, v in o), Fraction(0)) * weight(o) / len(o) for o in own if o), Fraction(0)) / total
    limit = exact if touching else Fraction(1)
    timed = Timed(where, tokens, time, one, one * 0)
    few = mean_of(rule, timed, Bound(BoundWord.AT_LEAST, limit), loose=False, unwatched=Fraction(0))
    assert (few.value, few.low, few.high) == (exact, exact, exact)
    times = 100  # so many rows that they are enclosed first
    many = Timed(*(np.tile(c, times) for c in (where, tokens, time, one, one * 0)))
    found = mean_of(rule, many, Bound(BoundWord.AT_LEAST, limit), loose=False, unwatched=Fraction(0))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= exact <= found.high
    assert found.high - found.low <= Fraction(1, 10**11)
    assert not touching or found.low == exact


# ── intervals as in every rule over them ────────────────────────────────────────────────────────────────────────────
def test_an_interval_of_which_only_our_own_failures_are_known_is_open() -> None:
    records: list[Record] = [spoken(0, 100, 1), call(5 * MINUTE, "unmeasured"), watched()]
    result = judged({**P50, "empty_bin": "met"}, records, minutes=10)
    assert (result.estimate.n, result.unknown, result.reason) == (1, 1, Reason.NOT_OBSERVABLE)


def test_an_open_period_is_broken_once_no_good_interval_can_save_it() -> None:
    rule, records = P50, [spoken(i * 5 * MINUTE, 1, 1) for i in range(4)]
    contract = agreement(objective(rule, at_least="90%"))
    for minutes, reason in ((60, Reason.ERROR_BUDGET_EXHAUSTED), (60 * 24, Reason.BREACHING_TO_DATE)):
        found = judge(contract, period(minutes), [*records, watched()], as_of=START + 20 * MINUTE).objectives[0]
        assert found.reason is reason
