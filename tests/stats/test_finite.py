"""Samples without replacement: against exact arithmetic, and at sizes where naive formulas lose their digits."""

from fractions import Fraction
from math import comb
from time import process_time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.stats import population_ci
from slaguard.stats.finite import _outward, lower_tail, upper_tail


@st.composite
def tables(draw: st.DrawFn, largest: int = 300) -> tuple[int, int, int, int]:
    total = draw(st.integers(0, largest))
    n = draw(st.integers(0, total))
    return draw(st.integers(0, n)), n, draw(st.integers(0, total)), total


def exact_tail(k: int, n: int, bad: int, total: int) -> Fraction:
    """P(X >= k) in whole numbers."""
    return Fraction(sum(comb(bad, x) * comb(total - bad, n - x) for x in range(k, n + 1)), comb(total, n))


@given(tables())
def test_the_tails_are_those_of_exact_arithmetic(table: tuple[int, int, int, int]) -> None:
    k, n, bad, total = table
    assert float(upper_tail(k, n, bad, total)) == pytest.approx(float(exact_tail(k, n, bad, total)), rel=1e-12)
    below = 1 - exact_tail(k + 1, n, bad, total)
    assert float(lower_tail(k, n, bad, total)) == pytest.approx(float(below), rel=1e-12)


@given(tables(120), st.sampled_from([0.005, 0.025, 0.05, 0.2]))
def test_the_interval_is_every_number_that_neither_tail_rejects(table: tuple[int, int, int, int], alpha: float) -> None:
    k, n, _, total = table
    kept = [
        bad for bad in range(total + 1) if exact_tail(k, n, bad, total) > alpha and 1 - exact_tail(k + 1, n, bad, total) > alpha
    ]
    low, high = population_ci(k, n, alpha, total)
    assert (low, high) == (kept[0], kept[-1])
    assert kept == list(range(low, high + 1))


def test_the_interval_is_the_published_one() -> None:
    assert population_ci(14, 400, 0.05, 2000) == (45, 104)
    assert population_ci(14, 400, 0.025, 2000) == (42, 111)


@pytest.mark.parametrize(
    ("n", "bad", "total"),
    [
        pytest.param(10**6, 5 * 10**8, 10**9, id="a thousandth of a billion"),
        pytest.param(5 * 10**8, 5 * 10**8, 10**9, id="half of a billion"),
        pytest.param(10**7, 10**4, 10**9, id="rare events"),
        pytest.param(10**9 - 5, 3 * 10**8, 10**9, id="all but five"),
        pytest.param(10**6, 10**9, 10**12, id="a million of a million million"),
    ],
)
def test_the_two_sides_add_up_to_one_in_large_populations(n: int, bad: int, total: int) -> None:
    """Both tails are summed by themselves, of the bad events and of the good ones: a check of every digit."""
    k = n * bad // total + 1
    bads = _outward(np.array([k]), np.array([n]), np.array([bad]), np.array([total]))
    goods = _outward(np.array([n - k + 1]), np.array([n]), np.array([total - bad]), np.array([total]))
    assert bads[0] + goods[0] == pytest.approx(1, abs=1e-12)


def test_a_large_population_does_not_hang() -> None:
    start = process_time()
    low, high = population_ci(25 * 10**7 + 5000, 5 * 10**8, 0.05, 10**9)
    assert process_time() - start < 5
    assert low < 500_010_000 < high
    assert float(upper_tail(25 * 10**7 + 5000, 5 * 10**8, low, 10**9)) > 0.05
    assert float(upper_tail(25 * 10**7 + 5000, 5 * 10**8, low - 1, 10**9)) <= 0.05
    assert population_ci(0, 5 * 10**8, 0.05, 10**9) == (0, 4)


def test_many_samples_at_once_give_what_each_gives() -> None:
    rng = np.random.default_rng(20261001)
    total = rng.integers(1, 5000, 60)
    n = rng.integers(0, total + 1)
    k = rng.integers(0, n + 1)
    low, high = population_ci(k, n, 0.025, total)
    for i in range(60):
        assert (low[i], high[i]) == population_ci(int(k[i]), int(n[i]), 0.025, int(total[i]))


def test_impossible_samples_are_refused() -> None:
    with pytest.raises(ValueError, match="larger than the population"):
        population_ci(1, 10, 0.05, 9)
    with pytest.raises(ValueError, match="alpha"):
        population_ci(1, 10, 0.7, 90)
