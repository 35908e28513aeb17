"""What works on whole columns says the same as the plain formula for each row."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.demands import Counts
from slaguard.evaluation.latency import NEVER, _within, is_within, quantile
from slaguard.evaluation.measure import distinct_pairs
from slaguard.evaluation.scores import _FEW, exact_share
from slaguard.records import NULL
from slaguard.terms import Bound, BoundWord, Source

times = st.lists(st.one_of(st.just(NULL), st.integers(0, 30)), max_size=40)
limits = st.fractions(min_value=0, max_value=30, max_denominator=4)


@given(st.lists(st.tuples(st.sampled_from([0, 3, 18]), st.sampled_from([0, 1, 2**62])), max_size=40))
def test_distinct_pairs_are_found_in_order_and_every_row_finds_its_own(rows: list[tuple[int, int]]) -> None:
    first, second = np.array([r[0] for r in rows], dtype=np.int64), np.array([r[1] for r in rows], dtype=np.int64)
    pairs, where = distinct_pairs(first, second)
    assert pairs == sorted(set(rows))
    assert [pairs[i] for i in where.tolist()] == rows


@given(times, st.sampled_from(list(BoundWord)), limits)
def test_a_time_keeps_a_limit_in_a_column_as_it_does_alone(values: list[int], word: BoundWord, limit: Fraction) -> None:
    bound = Bound(word, limit)
    assert _within(np.array(values, dtype=np.int64), bound).tolist() == [is_within(t, bound) for t in values]


def plain_quantile(pairs: list[tuple[int, int]], never: int, p: Fraction, instant: Fraction) -> Fraction | None:
    """Return the quantile by its definition: one call after the other, in order of time."""
    total = sum(n for _, n in pairs) + never + instant
    if not total:
        return None
    reached = instant
    if reached and reached >= p * total:
        return Fraction(0)
    for time, n in sorted(pairs):
        reached += n
        if n and reached >= p * total:
            return Fraction(time)
    return NEVER


@given(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 9)), max_size=20),
    st.integers(0, 20),
    st.fractions(min_value=0, max_value=1, max_denominator=1000),
    st.fractions(min_value=0, max_value=5, max_denominator=7),
)
def test_a_percentile_is_the_smallest_time_that_enough_do_not_exceed(
    pairs: list[tuple[int, int]], never: int, p: Fraction, instant: Fraction
) -> None:
    at, n = np.array([t for t, _ in pairs], dtype=np.int64), np.array([n for _, n in pairs], dtype=np.int64)
    assert quantile(at, n, never, p, instant) == plain_quantile(pairs, never, p, instant)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=4 * _FEW))
def test_shares_add_up_exactly_however_many_there_are(pairs: list[tuple[int, int]]) -> None:
    fail, n = np.array([f for f, _ in pairs], dtype=np.int64), np.array([n for _, n in pairs], dtype=np.int64)
    assert exact_share(fail, n) == sum((Fraction(f, k) for f, k in pairs), Fraction(0))


def test_a_demands_identity_is_no_part_of_its_equality_and_not_shown() -> None:
    first = Counts(Source.PROBE, (0, 1), 5, (), (), ("outcome",))
    second = Counts(Source.PROBE, (0, 1), 6, (), (), ("outcome",))
    assert first.sha256() == second.sha256()
    assert first != second
    assert "sha256" not in repr(first)
