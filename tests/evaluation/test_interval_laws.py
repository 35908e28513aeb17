"""Laws that hold for every rule over intervals, whatever the month was like."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.evaluation.result import ObjectiveResult
from slaguard.evaluation.runs import long_runs
from slaguard.records import Fact, Record
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

DUAL = {
    "rule": "dual_threshold", "bin": "1m", "empty_bin": "good", "priced_by": "worst",
    "tests": [
        {"error_rate": {"at_most": "10%"}, "share": {"at_least": "90%"}},
        {"error_rate": {"at_most": "50%"}, "share": {"at_least": "95%"}},
    ],
}  # fmt: skip
SHORT_RUNS = {**RUNS, "run": "2", "error_rate": {"more_than": "40%"}}
RULES: dict[str, dict[str, Any]] = {
    "mean": {**MEAN, "bin": "2m"},
    "runs": SHORT_RUNS,
    "runs over empty minutes": {**SHORT_RUNS, "empty_bin": "continues_run"},
    "all fail": {**RUNS, "run": "1", "error_rate": {"at_least": "100%"}},
    "all regions": {**SHORT_RUNS, "resources": {"by": "region", "down_when": "all"}},
    "any region": {**SHORT_RUNS, "resources": {"by": "region", "down_when": "any"}},
    "mean of regions": {**MEAN, "bin": "2m", "resources": {"by": "region", "down_when": "mean"}},
    "two tests": DUAL,
}
MINUTES = 12
marks = st.sampled_from([(0, 0), (1, 0), (0, 1), (1, 1), (3, 1)])
months = st.lists(st.tuples(marks, marks), min_size=MINUTES, max_size=MINUTES)
each_rule = pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
few = settings(max_examples=12, deadline=None)


def records(month: list[tuple[tuple[int, int], tuple[int, int]]], first: int = 0) -> list[Record]:
    """Return the calls of two regions, minute by minute."""
    return [
        c
        for i, regions in enumerate(month, first)
        for name, (good, bad) in zip(("eu", "us"), regions, strict=True)
        for c in minute(i, good, bad, region=name)
    ]


def result(
    rule: dict[str, Any], calls: Sequence[Record], minutes: int = MINUTES, facts: Any = (), **terms: Any
) -> ObjectiveResult:
    bound = {} if rule["rule"] == "dual_threshold" else {"at_least": "90%"}
    return judge(agreement(objective(rule, **bound, **terms)), period(minutes), [watched(), *calls], facts).objectives[0]


def uptime(found: ObjectiveResult) -> list[Fraction]:
    """Return the figure, or the shares of both tests; nothing counted is nothing lost."""
    values = [t.value for t in found.tests] or [found.estimate.value]
    return [Fraction(1) if v is None else v for v in values]


@each_rule
@few
@given(month=months, seed=st.randoms(use_true_random=False))
def test_the_order_of_records_means_nothing(rule: dict[str, Any], month: Any, seed: Any) -> None:
    calls = records(month)
    shuffled = list(calls)
    seed.shuffle(shuffled)
    assert result(rule, shuffled) == result(rule, calls)


@each_rule
@few
@given(month=months)
def test_another_empty_interval_that_is_up_never_lowers_uptime(rule: dict[str, Any], month: Any) -> None:
    calls = records(month)
    before, after = uptime(result(rule, calls)), uptime(result(rule, calls, MINUTES + 2))
    assert all(a >= b for a, b in zip(after, before, strict=True))


@each_rule
@few
@given(month=months, at=st.integers(0, MINUTES - 1))
def test_a_record_that_is_excluded_changes_nothing(rule: dict[str, Any], month: Any, at: int) -> None:
    quota = {
        "id": "quota", "clause": "B 3", "kind": "quota", "asserted_by": "vendor", "effect": "drop_records",
        "proof": "request_field", "selector": {"outcome": {"values": ["rate_limited"]}},
    }  # fmt: skip
    terms: dict[str, Any] = {"outcomes": {**OUTCOMES, "rate_limited": "fail"}, "exclusions": [quota]}
    calls = records(month)
    extra = call(at * MINUTE + 1, "rate_limited", region="eu")
    with_it, without = result(rule, [*calls, extra], **terms), result(rule, calls, **terms)
    assert (with_it.estimate, with_it.tests, with_it.verdict) == (without.estimate, without.tests, without.verdict)


@each_rule
@few
@given(month=months, window=st.tuples(st.integers(0, MINUTES - 1), st.integers(1, MINUTES)))
def test_a_longer_window_that_counts_as_up_never_lowers_uptime(rule: dict[str, Any], month: Any, window: Any) -> None:
    exclusion = {**MAINTENANCE, "cap": None}
    calls, found = records(month), []
    for length in (window[1], window[1] + 2):
        a = START + window[0] * MINUTE
        said = Fact(
            id="a", type="announcement", when=START - 5_000 * MINUTE, exclusion="maintenance", start=a, end=a + length * MINUTE
        )
        found.append(uptime(result(rule, calls, facts=[said], exclusions=[exclusion])))
    assert all(a >= b for a, b in zip(found[1], found[0], strict=True))


@few
@given(month=months)
def test_any_is_never_better_than_all_and_the_mean_lies_between_the_resources(month: Any) -> None:
    every, some = (uptime(result(RULES[name], records(month)))[0] for name in ("all regions", "any region"))
    assert some <= every
    alone = [result(RULES["mean"], [c for c in records(month) if getattr(c, "region", None) == r]) for r in ("eu", "us")]
    values = [f.estimate.value for f in alone if f.estimate.value is not None and f.reason.value != "NO_TRAFFIC"]
    if values:
        assert min(values) <= uptime(result(RULES["mean of regions"], records(month)))[0] <= max(values)


@few
@given(month=months)
def test_rounding_down_loses_no_more_and_rounding_up_no_less_than_was_measured(month: Any) -> None:
    rule = {**RUNS, "bin": "30s", "run": "1", "error_rate": {"more_than": "40%"}}
    calls = records(month)
    up, plain, down = (uptime(result({**rule, "outage_rounding": r}, calls))[0] for r in ("up", None, "down"))
    assert up <= plain <= down


@settings(max_examples=200, deadline=None)
@given(line=st.lists(st.sampled_from("BN."), max_size=30), k=st.integers(1, 4))
def test_runs_are_those_that_a_walk_along_the_line_finds(line: list[str], k: int) -> None:
    found: list[list[int]] = [[]]
    for i, mark in enumerate(line):
        if mark == "B":
            found[-1].append(i)
        elif mark == ".":
            found.append([])
    kept = [run for run in found if len(run) >= k]
    numbers = [next((n for n, run in enumerate(kept, 1) if i in run), 0) for i in range(len(line))]
    marked = np.array(line, dtype="U1")
    assert long_runs(marked == "B", marked == "N", k).tolist() == numbers
