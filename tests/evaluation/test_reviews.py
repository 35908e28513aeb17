"""Reviewed texts: defects per volume, weighted penalties, and comparisons that counting does not decide."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.result import ObjectiveResult
from slaguard.evaluation.reviews import Text, allowed, passes
from slaguard.ledger.judge import judge
from slaguard.ledger.store import ColumnStore
from slaguard.records import Adjudication, Coverage, Observation, Record
from slaguard.spec.indicators import DefectsPerVolume
from slaguard.terms import Grade, Reason, Source, Verdict
from tests.evaluation.world import MINUTE, START, agreement, call, objective, period

DEFECTS = {
    "rule": "defects_per_volume", "volume": "words", "per": "1000", "most": {"minor": "2", "major": "0"},
    "last_block": "pro_rata",
}  # fmt: skip
PENALTY = {"rule": "weighted_penalty", "volume": "strings", "weights": {"minor": "1", "major": "5"}, "floor": "none"}
POINT = {"estimand": "defined_measure", "rule": "point", "alpha": "5%", "min_n": "1"}


def text(i: int, **attributes: int) -> Observation:
    """Return an answer with what its reviewers wrote down."""
    return call(i * MINUTE, n=i, attributes={k: str(v) for k, v in attributes.items()})


def judged(indicator: dict[str, Any], *records: Record, **terms: Any) -> ObjectiveResult:
    """Return the result over a day of traffic, watched throughout."""
    bound = {} if {"at_least", "at_most"} & set(terms) else {"at_least": "90%"}
    one = agreement(objective(indicator, source="traffic", decision=POINT, **bound, **terms))
    with ColumnStore() as store:
        store.add([*records, Coverage(source=Source.TRAFFIC, start=START, end=START + 1440 * MINUTE, via="test")])
        done = judge(store, one, period(1440), START + 1440 * MINUTE, spec_sha256="0" * 64)
    return done.evaluation.objectives[0]


# ── defects per volume ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("last_block", "short", "words", "limit"),
    [
        ("pro_rata", None, 1500, 3),
        ("pro_rata", None, 1750, Fraction(7, 2)),
        ("floor", None, 1999, 2),
        ("floor", None, 999, 0),
        ("ceil", None, 1001, 4),
        ("ceil", None, 1000, 2),
        ("floor", {"minor": "1"}, 1000, 1),
        ("floor", {"minor": "1"}, 1001, 2),
    ],
)
def test_a_text_may_have_so_many_minor_defects(
    last_block: str, short: dict[str, str] | None, words: int, limit: Fraction | int
) -> None:
    terms = {**DEFECTS, "last_block": last_block, **({"short_text": short} if short else {})}
    assert allowed(DefectsPerVolume.model_validate(terms), "minor", words) == limit


def test_texts_past_any_limit_are_against_the_promise_and_unreviewed_ones_are_no_part_of_it() -> None:
    texts = [
        text(1, words=2000, minor=4, major=0), text(2, words=2000, minor=5, major=0), text(3, words=2000, minor=0, major=1),
        text(4, words=500, minor=1, major=0), text(5), text(6, words=500, minor=0), text(7, words=0, minor=0, major=0),
        call(8 * MINUTE, "error_500", attributes={"words": "9", "minor": "9", "major": "9"}),
    ]  # fmt: skip
    result = judged(DEFECTS, *texts)
    assert (result.estimate.n, result.estimate.bad, result.estimate.value) == (4, 2, Fraction(1, 2))
    assert (result.verdict, result.reason) == (Verdict.BREACH, Reason.COUNT_EXCEEDED)


RULE = DefectsPerVolume.model_validate(DEFECTS)


@given(st.integers(1, 10**6), st.integers(0, 10**4), st.integers(0, 3), st.integers(0, 10**4))
def test_a_text_with_more_words_and_no_more_defects_never_does_worse(words: int, minor: int, major: int, more: int) -> None:
    if passes(RULE, Text(1, words, (major, minor))):
        assert passes(RULE, Text(1, words + more, (major, minor)))
    assert passes(RULE, Text(1, words, (major, minor))) == (major == 0 and minor * 1000 <= 2 * words)


# ── weighted penalties ──────────────────────────────────────────────────────────────────────────────────────────────
def test_the_score_is_one_less_the_penalties_by_reviewed_strings() -> None:
    result = judged(PENALTY, text(1, strings=100, minor=3, major=1), text(2, strings=60, minor=2, major=1), text(3))
    assert (result.estimate.n, result.estimate.bad) == (160, 15)
    assert result.estimate.value == Fraction(145, 160)
    assert result.verdict is Verdict.COMPLIANT
    assert judged(PENALTY, text(1, strings=100, minor=1, major=2)).verdict is Verdict.BREACH


@pytest.mark.parametrize(("floor", "value"), [("none", Fraction(-4, 1)), ("zero", Fraction(0))])
def test_a_score_falls_below_zero_only_where_the_clause_lets_it(floor: str, value: Fraction) -> None:
    assert judged({**PENALTY, "floor": floor}, text(1, strings=1, minor=0, major=1)).estimate.value == value


def test_nothing_reviewed_is_no_score() -> None:
    assert judged(PENALTY, text(1)).verdict is Verdict.INSUFFICIENT


# ── comparisons ─────────────────────────────────────────────────────────────────────────────────────────────────────
GRADED = {"event": "correct", "grading": "human", "grades": {"correct": "ok", "wrong": "fail"}}


@pytest.mark.parametrize(
    "indicator",
    [
        {
            "rule": "versus_baseline",
            "drop": "absolute_points",
            "baseline": {"value": "92%", "frozen": "2026-08-01", "model": "m"},
        },
        {"rule": "group_gap", "by": "attributes.language", "reference": "de", "min_n": "200"},
    ],
    ids=["versus_baseline", "group_gap"],
)
def test_a_comparison_is_counted_and_not_decided(indicator: dict[str, Any]) -> None:
    graded = [Adjudication(observation=text(1).id, grade=Grade.CORRECT, by="Ann")]
    result = judged({**indicator, **GRADED}, text(1), *graded, at_most="3%")
    assert (result.verdict, result.reason) == (Verdict.INSUFFICIENT, Reason.NEEDS_STATISTICS)
    assert (result.estimate.n, result.estimate.value) == (1, None)
