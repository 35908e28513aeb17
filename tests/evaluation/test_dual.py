"""Two error rates with a share each: the smaller margin decides, and the clause says which share prices."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from slaguard.evaluation.breach import breach_records
from slaguard.evaluation.result import Evaluation
from slaguard.records import Record
from slaguard.terms import Reason, Verdict
from tests.evaluation.world import MINUTE, OUTCOMES, START, agreement, judge, minute, objective, period, watched

TESTS = [
    {"error_rate": {"at_most": "1%"}, "share": {"at_least": "90%"}},
    {"error_rate": {"at_most": "10%"}, "share": {"at_least": "99%"}},
]
DUAL = {"rule": "dual_threshold", "bin": "1m", "tests": TESTS, "empty_bin": "good", "priced_by": "worst"}
LADDER = [{"edge": "99%", "credit": "10%"}, {"edge": "95%", "credit": "20%"}, {"edge": "50%", "credit": "40%"}]


def judged(
    errors: list[int], minutes: int = 100, *, gap: range = range(0), as_of: int | None = None, **rule: Any
) -> Evaluation:
    """Return the evaluation of minutes with so many percent of 100 requests failed; the rest are good, but for a gap."""
    terms = {"credits": LADDER} if rule.pop("priced", False) else {}
    coverage = {"min_coverage": "50%", "source": "traffic"} if gap else {}
    contract = agreement(objective({**DUAL, **rule}, **terms, **coverage))
    given = [*errors, *[0] * (minutes - len(errors))]
    calls: list[Record] = [c for i, e in enumerate(given) if i not in gap for c in minute(i, 100 - e, e)]
    seen = [watched(b=gap.start * MINUTE), watched(a=gap.stop * MINUTE)] if gap else [watched()]
    return judge(contract, period(minutes), [*seen, *calls], as_of=None if as_of is None else START + as_of * MINUTE)


def test_both_shares_are_kept() -> None:
    found = judged([1, 5, 11]).objectives[0]
    assert (found.verdict, found.reason) == (Verdict.COMPLIANT, Reason.COUNT_WITHIN)
    assert [t.value for t in found.tests] == [Fraction(98, 100), Fraction(99, 100)]
    assert found.estimate.value == 0  # the second share is just kept; the first has a margin of 8 points
    assert (found.target.word, found.target.limit) == ("at_least", "0%")


@pytest.mark.parametrize(("errors", "margin", "bad"), [([11, 11], Fraction(-1, 100), 2), ([5] * 11, Fraction(-1, 100), 11)])
def test_either_share_missed_breaks_the_promise(errors: list[int], margin: Fraction, bad: int) -> None:
    found = judged(errors).objectives[0]
    assert (found.verdict, found.reason) == (Verdict.BREACH, Reason.COUNT_EXCEEDED)
    assert (found.estimate.value, found.estimate.bad) == (margin, bad)


def test_the_sentence_tells_both_tests() -> None:
    assert judged([11, 11, 5]).objectives[0].sentence == (
        "3 intervals without at most 1% failures, 10 allowed; 2 intervals without at most 10% failures, 1 allowed"
    )


def test_an_error_rate_equal_to_its_limit_is_kept_unless_the_word_is_less_than() -> None:
    assert [t.bad for t in judged([1] * 5).objectives[0].tests] == [0, 0]
    strict = [{**TESTS[0], "error_rate": {"less_than": "1%"}}, TESTS[1]]
    assert [t.bad for t in judged([1] * 5, tests=strict).objectives[0].tests] == [5, 0]


def test_a_share_equal_to_its_limit_is_missed_where_more_is_promised() -> None:
    tests = [{**t, "share": {"more_than": limit}} for t, limit in zip(TESTS, ("90%", "98%"), strict=True)]
    found = judged([5] * 10, tests=tests).objectives[0]
    assert (found.estimate.value, found.target.word, found.verdict) == (0, "more_than", Verdict.BREACH)


def test_an_empty_interval_is_good_or_leaves_both_shares() -> None:
    contract = {rule: agreement(objective({**DUAL, "empty_bin": rule})) for rule in ("good", "leave_out")}
    calls: list[Record] = [*minute(0, 1, 1), *minute(1, 1, 0)]
    shares = {r: judge(c, period(10), [watched(), *calls]).objectives[0].tests[0].value for r, c in contract.items()}
    assert shares == {"good": Fraction(9, 10), "leave_out": Fraction(1, 2)}


def test_an_interval_below_the_minimum_is_good_or_leaves_both_shares() -> None:
    calls: list[Record] = [*minute(0, 1, 1), *minute(1, 5, 0)]
    for below, share in (("up", Fraction(1)), ("leave_out", Fraction(1))):
        rule = {**DUAL, "min_requests": "3", "below_minimum": below}
        found = judge(agreement(objective(rule)), period(10), [watched(), *calls]).objectives[0]
        assert (found.tests[0].value, found.estimate.n) == (share, {"up": 10, "leave_out": 9}[below])


def test_what_was_not_watched_is_up_for_both_or_down_for_both() -> None:
    kept = judged([], gap=range(50, 51)).objectives[0]
    assert (kept.verdict, kept.estimate.low, kept.estimate.high) == (Verdict.COMPLIANT, 0, Fraction(1, 100))
    open_ = judged([], gap=range(50, 52)).objectives[0]
    assert (open_.verdict, open_.reason) == (Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE)
    assert [(t.low, t.high) for t in open_.tests] == [(Fraction(98, 100), 1)] * 2


def test_an_open_period_is_broken_for_good_by_the_test_that_nothing_can_save() -> None:
    found = judged([50, 50, 5, 5, 5], as_of=20).objectives[0]
    assert (found.verdict, found.reason) == (Verdict.BREACH, Reason.ERROR_BUDGET_EXHAUSTED)
    assert "2 intervals lost, 1 allowed in the whole period" in found.sentence


@pytest.mark.parametrize(
    ("priced_by", "errors", "credit"),
    [
        ("worst", [11, 11, *[5] * 4], 100),  # shares 94 % and 98 %; the lower one is below 95 %: see below
        ("first", [5] * 60, 400),
        ("second", [11] * 2, 100),
        ("second", [5] * 60, 0),  # the second share is 100 %: no step holds it
    ],
)
def test_credits_are_read_from_the_share_that_the_clause_prices_by(priced_by: str, errors: list[int], credit: int) -> None:
    evaluation = judged(errors, priced_by=priced_by, priced=True)
    assert evaluation.objectives[0].verdict is Verdict.BREACH
    assert evaluation.credits is not None
    expected = 200 if priced_by == "worst" else credit
    assert (evaluation.credits.claimable, evaluation.credits.point) == (expected, expected)


def test_slow_requests_miss_a_test_as_failures_do() -> None:
    rule = {**DUAL, "slow": {"field": "total_time", "more_than": "10s", "counts": "as_failed"}}
    contract = agreement(objective(rule, outcomes=OUTCOMES))
    calls = [c for i in range(100) for c in minute(i, 1, 0, total_time_ns=(11 if i < 2 else 1) * 10**9)]
    assert [t.bad for t in judge(contract, period(100), [watched(), *calls]).objectives[0].tests] == [2, 2]


def test_a_breach_record_has_both_shares_and_no_margin() -> None:
    found = next(breach_records(judged([11, 11, 5])))
    assert (found.target, found.measured) == ("at_least 90%", Fraction(97, 100))
    assert (found.second_target, found.second_measured) == ("at_least 99%", Fraction(98, 100))
    assert (found.second_low, found.second_high) == (Fraction(98, 100), Fraction(98, 100))
