"""One look at a closed window: the published intervals, and what the exact test may never do."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest
from statsmodels.stats.proportion import proportion_confint

from slaguard.stats import fixed_ci, fixed_test

TWO_PERCENT = Fraction(2, 100)
LIMITS = st.fractions(min_value=Fraction(1, 1000), max_value=Fraction(1, 2), max_denominator=1000)


@st.composite
def samples(draw: st.DrawFn, largest: int = 400) -> tuple[int, int]:
    n = draw(st.integers(0, largest))
    return draw(st.integers(0, n)), n


# Published figures


@pytest.mark.parametrize(
    ("k", "n", "alpha", "low", "high", "digits"),
    [
        pytest.param(7, 50, 0.025, 0.0581917003, 0.2673960025, 10, id="7 of 50"),
        pytest.param(4, 20, 0.05, 0.071354, 0.401028, 6, id="4 of 20 at 90 percent"),
        pytest.param(0, 10, 0.025, 0.0, 0.3084971, 7, id="0 of 10"),
        pytest.param(1, 10, 0.025, 0.002528579, 0.4450161, 7, id="1 of 10"),
        pytest.param(2, 10, 0.025, 0.025210726, 0.5560955, 7, id="2 of 10"),
        pytest.param(5, 25, 0.025, 0.068, 0.407, 3, id="5 of 25"),
        pytest.param(81, 263, 0.025, 0.2527, 0.3676, 4, id="Newcombe 1998: 81 of 263"),
        pytest.param(15, 148, 0.025, 0.0578, 0.1617, 4, id="Newcombe 1998: 15 of 148"),
        pytest.param(0, 20, 0.025, 0.0, 0.1684, 4, id="Newcombe 1998: 0 of 20"),
    ],
)
def test_the_interval_is_the_published_one(k: int, n: int, alpha: float, low: float, high: float, digits: int) -> None:
    assert fixed_ci(k, n, alpha) == pytest.approx((low, high), abs=0.51 * 10**-digits)


@pytest.mark.parametrize(
    ("total", "low", "high"),
    [
        pytest.param(1000, "2.00", "2.00", id="all of it"),
        pytest.param(1250, "1.68", "2.48", id="four fifths"),
        pytest.param(2000, "1.45", "2.75", id="half"),
        pytest.param(10_000, "1.27", "3.01", id="a tenth"),
        pytest.param(None, "1.23", "3.07", id="of nobody knows how many"),
    ],
)
def test_a_larger_share_of_the_population_makes_the_interval_narrower(total: int | None, low: str, high: str) -> None:
    ends = fixed_ci(20, 1000, 0.025, total)
    assert [f"{100 * end:.2f}" for end in ends] == [low, high]


def test_the_close_test_gives_the_published_probabilities() -> None:
    assert fixed_test(14, 400, TWO_PERCENT, 2000)[0] == pytest.approx(0.01836694, abs=5e-9)
    assert fixed_test(2, 400, TWO_PERCENT, 2000)[1] == pytest.approx(0.00625322, abs=5e-9)
    assert fixed_test(3, 400, TWO_PERCENT, 2000)[1] == pytest.approx(0.02331212, abs=5e-9)
    assert fixed_test(14, 400, TWO_PERCENT)[0] == pytest.approx(0.03269785, abs=5e-9)


# Against other people's code


@given(samples())
def test_the_interval_agrees_with_two_other_implementations(sample: tuple[int, int]) -> None:
    k, n = sample
    assume(n > 0)
    ours = fixed_ci(k, n, 0.025)
    assert ours == pytest.approx(tuple(binomtest(k, n).proportion_ci(0.95, "exact")), abs=1e-9)
    assert ours == pytest.approx(proportion_confint(k, n, 0.05, "beta"), abs=1e-9)


@given(samples(), LIMITS)
def test_the_binomial_test_agrees_with_another_implementation(sample: tuple[int, int], limit: Fraction) -> None:
    k, n = sample
    breach, comply = fixed_test(k, n, limit)
    assert breach == pytest.approx(float(binom.sf(k - 1, n, float(limit))), rel=1e-9, abs=1e-300)
    assert comply == pytest.approx(float(binom.cdf(k, n, float(limit))), rel=1e-9, abs=1e-300)


# What must hold whatever the numbers


@given(samples(), LIMITS, st.integers(0, 500), st.booleans())
def test_a_breach_is_shown_exactly_where_the_lower_end_is_over_the_limit(
    sample: tuple[int, int], limit: Fraction, unseen: int, inclusive: bool
) -> None:
    k, n = sample
    for total in (None, n + unseen):
        low, high = fixed_ci(k, n, 0.05, total)
        breach, comply = fixed_test(k, n, limit, total, inclusive=inclusive)
        assume(all(abs(p - 0.05) > 1e-9 for p in (breach, comply)))
        if total == 0:
            continue
        low_, high_ = (Fraction(end) if total is None else Fraction(round(end * total), total) for end in (low, high))
        assert (breach <= 0.05) == (low_ >= limit if inclusive else low_ > limit)
        assert (comply <= 0.05) == (high_ < limit if inclusive else high_ <= limit)


@given(samples(), LIMITS, st.integers(0, 500))
def test_a_promise_is_never_shown_kept_and_broken(sample: tuple[int, int], limit: Fraction, unseen: int) -> None:
    k, n = sample
    for total in (None, n + unseen):
        breach, comply = fixed_test(k, n, limit, total)
        assert breach + comply >= 1 - 1e-12


@given(samples(), st.integers(0, 500))
def test_the_interval_holds_the_measured_share_and_a_smaller_risk_widens_it(sample: tuple[int, int], unseen: int) -> None:
    k, n = sample
    assume(n > 0)
    for total in (None, n + unseen):
        low, high = fixed_ci(k, n, 0.05, total)
        wide_low, wide_high = fixed_ci(k, n, 0.01, total)
        assert 0 <= wide_low <= low <= k / n <= high <= wide_high <= 1


@given(st.integers(1, 400), st.data())
def test_the_whole_population_leaves_no_doubt(n: int, data: st.DataObject) -> None:
    k, limit = data.draw(st.integers(0, n)), data.draw(LIMITS)
    assert fixed_ci(k, n, 0.05, n) == (k / n, k / n)
    assert fixed_test(k, n, limit, n) == ((0.0, 1.0) if Fraction(k, n) > limit else (1.0, 0.0))
    assert fixed_test(k, n, limit, n, inclusive=True) == ((0.0, 1.0) if Fraction(k, n) >= limit else (1.0, 0.0))


@given(st.integers(10, 60), st.data())
def test_a_kept_promise_is_called_broken_no_more_often_than_the_risk_says(total: int, data: st.DataObject) -> None:
    """Exactly, over every possible sample of a population that is just within the limit."""
    n, limit = data.draw(st.integers(1, total)), data.draw(LIMITS)
    allowed = limit.numerator * total // limit.denominator
    breach, _ = fixed_test(np.arange(n + 1), n, limit, total)
    chance = fixed_test(np.arange(n + 1), n, Fraction(allowed, total) or Fraction(1, 10**9), total)[0]
    called = np.flatnonzero(breach <= 0.05)
    assert not len(called) or chance[called[0]] <= 0.05


@given(samples(200), LIMITS, st.integers(1, 40))
def test_knowing_the_population_never_weakens_a_breach_beyond_the_limit(
    sample: tuple[int, int], limit: Fraction, times: int
) -> None:
    k, n = sample
    total = limit.denominator * times
    assume(n <= total)
    assume(k >= n * limit + 1)
    assert fixed_test(k, n, limit, total)[0] <= fixed_test(k, n, limit)[0] + 1e-12


# The edges


def test_without_a_sample_nothing_is_known() -> None:
    for total in (None, 0, 10):
        assert fixed_ci(0, 0, 0.05, total) == (0.0, 1.0)
        assert fixed_test(0, 0, TWO_PERCENT, total) == (1.0, 1.0)
        assert fixed_test(0, 0, TWO_PERCENT, total, inclusive=True) == (1.0, 1.0)


def test_a_limit_is_not_cut_by_binary_fractions() -> None:
    """In floats 0.29 x 100 is 28.999999999999996: 29 bad of 100 would be called a breach of "at most 29 %"."""
    limit = Fraction(29, 100)
    assert fixed_test(29, 100, limit, 100) == (1.0, 0.0)
    assert fixed_test(30, 100, limit, 100) == (0.0, 1.0)
    assert fixed_test(29, 100, limit, 100, inclusive=True) == (0.0, 1.0)
    assert fixed_test(28, 100, limit, 100, inclusive=True) == (1.0, 0.0)


def test_none_allowed_is_broken_by_one_and_shown_kept_by_all() -> None:
    none = Fraction(0)
    assert fixed_test(1, 5, none) == (0.0, 1.0)
    assert fixed_test(0, 10**6, none) == (1.0, 1.0)
    assert fixed_test(0, 999, none, 1000) == (1.0, 1.0)
    assert fixed_test(0, 1000, none, 1000) == (1.0, 0.0)


def test_what_nothing_can_break_is_kept_and_what_nothing_can_keep_is_broken() -> None:
    assert fixed_test(5, 5, Fraction(1)) == (1.0, 0.0)
    assert fixed_test(0, 0, Fraction(0), inclusive=True) == (0.0, 1.0)
    assert fixed_test(4, 5, Fraction(1), 5, inclusive=True) == (1.0, 0.0)
    assert fixed_test(5, 5, Fraction(1), 5, inclusive=True) == (0.0, 1.0)


def test_underflow_never_makes_a_claim_out_of_nothing() -> None:
    breach, comply = fixed_test(1_001_000, 10**9, Fraction(1, 1000))
    assert 0 < breach < 1
    assert 0 < comply <= 1
    assert fixed_test(0, 10**9, Fraction(1, 2)) == (1.0, 0.0)
    assert fixed_test(10**9, 10**9, Fraction(1, 2))[0] == 0.0


def test_arrays_give_what_numbers_give() -> None:
    k, n, total = np.array([0, 3, 14, 7]), np.array([0, 40, 400, 7]), np.array([10, 50, 2000, 9])
    for size in (None, total):
        low, high = fixed_ci(k, n, 0.05, size)
        breach, comply = fixed_test(k, n, TWO_PERCENT, size)
        for i in range(len(k)):
            one = None if size is None else int(total[i])
            assert (low[i], high[i]) == fixed_ci(int(k[i]), int(n[i]), 0.05, one)
            assert (breach[i], comply[i]) == fixed_test(int(k[i]), int(n[i]), TWO_PERCENT, one)


def test_shapes_are_broadcast() -> None:
    low, high = fixed_ci(np.arange(4)[:, None], np.array([10, 20, 30]), 0.05, 40)
    breach, comply = fixed_test(np.arange(4)[:, None], np.array([10, 20, 30]), Fraction(0), 40)
    assert low.shape == high.shape == breach.shape == comply.shape == (4, 3)


@pytest.mark.parametrize(
    ("k", "n", "total"),
    [
        pytest.param(-1, 10, None, id="fewer than none"),
        pytest.param(11, 10, None, id="more bad than all"),
        pytest.param(1, 10, 9, id="more than there are"),
        pytest.param(1.0, 10, None, id="a float"),
        pytest.param(np.array([0, 11]), 10, None, id="one of several"),
    ],
)
def test_impossible_counts_are_refused(k: int, n: int, total: int | None) -> None:
    with pytest.raises(ValueError, match=r"bad|sample|whole"):
        fixed_ci(k, n, 0.05, total)
    with pytest.raises(ValueError, match=r"bad|sample|whole"):
        fixed_test(k, n, TWO_PERCENT, total)


@pytest.mark.parametrize("alpha", [0, 0.5, 1, -0.1, float("nan")])
def test_a_risk_outside_its_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        fixed_ci(1, 10, alpha)


@pytest.mark.parametrize("limit", [Fraction(-1, 100), Fraction(101, 100), 0.02])
def test_a_limit_that_is_no_exact_share_is_refused(limit: Fraction) -> None:
    with pytest.raises(ValueError, match="limit"):
        fixed_test(1, 10, limit)
