"""How much it takes to decide: the published least samples, and the smallest total at the present rate."""

from fractions import Fraction
from time import process_time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slaguard.stats import fixed_test, n_min, n_needed

ONE_PERCENT, TWO_PERCENT = Fraction(1, 100), Fraction(2, 100)


@pytest.mark.parametrize(
    ("limit", "total", "least"),
    [
        pytest.param(TWO_PERCENT, 2000, 140, id="2 percent of 2000"),
        pytest.param(ONE_PERCENT, 1000, 238, id="1 percent of 1000"),
        pytest.param(ONE_PERCENT, 10_000, 291, id="1 percent of 10000"),
        pytest.param(Fraction(1, 1000), None, 2995, id="0.1 percent"),
        pytest.param(ONE_PERCENT, None, 299, id="1 percent"),
        pytest.param(Fraction(5, 100), None, 59, id="5 percent"),
    ],
)
def test_the_least_sample_is_the_published_one(limit: Fraction, total: int | None, least: int) -> None:
    assert n_min(limit, 0.05, total) == least
    assert n_min(limit, Fraction(5, 100), total) == least


@given(
    st.fractions(min_value=Fraction(1, 300), max_value=Fraction(1, 2), max_denominator=300),
    st.one_of(st.none(), st.integers(1, 2000)),
    st.sampled_from([0.01, 0.05, 0.2]),
    st.booleans(),
)
def test_one_event_fewer_than_the_least_sample_shows_nothing(
    limit: Fraction, total: int | None, alpha: float, inclusive: bool
) -> None:
    least = n_min(limit, alpha, total, inclusive=inclusive)
    assert least is not None
    assert fixed_test(0, least, limit, total, inclusive=inclusive)[1] <= alpha
    assert fixed_test(0, least - 1, limit, total, inclusive=inclusive)[1] > alpha


def test_no_sample_shows_that_there_is_none_and_all_of_it_does() -> None:
    assert n_min(Fraction(0), 0.05) is None
    assert n_min(Fraction(0), 0.05, 800) == 800
    assert n_min(Fraction(0), 0.05, 800, inclusive=True) is None
    assert n_min(Fraction(1), 0.05) == 0
    assert n_min(Fraction(1), 0.05, inclusive=True) == 1
    assert n_needed(0, 30, Fraction(0), 0.05, 800) == 770
    assert n_needed(0, 30, Fraction(0), 0.05) is None


def step_by_step(k: int, n: int, limit: Fraction, total: int | None, *, inclusive: bool) -> int | None:
    """Try every total in turn; None where 3000 more do not decide."""
    rate = Fraction(k, n)
    over = rate > limit or (rate == limit and inclusive)
    if min(fixed_test(k, n, limit, total, inclusive=inclusive)) <= 0.05:
        return 0
    for more in range(3000 if total is None else total - n + 1):
        size = n + more
        bad = k * size // n if over else -(-k * size // n)
        if fixed_test(bad, size, limit, total, inclusive=inclusive)[0 if over else 1] <= 0.05:
            return more
    return None if total is None else total - n


@given(st.integers(1, 80), st.integers(0, 400), st.booleans(), st.booleans(), st.data())
def test_the_number_still_needed_is_what_trying_every_total_finds(
    n: int, unseen: int, known: bool, inclusive: bool, data: st.DataObject
) -> None:
    limit = Fraction(data.draw(st.integers(1, 20)), data.draw(st.integers(40, 200)))
    k = data.draw(st.integers(0, min(n, int(n * limit * 3) + 1)))
    total = n + unseen if known else None
    expected = step_by_step(k, n, limit, total, inclusive=inclusive)
    found = n_needed(k, n, limit, 0.05, total, inclusive=inclusive)
    assume(expected is not None or found is None)  # beyond what is tried one by one
    assert found == expected


def test_a_rate_that_sits_on_the_limit_is_never_decided_by_more_of_the_same() -> None:
    assert n_needed(20, 1000, TWO_PERCENT, 0.05) is None
    assert n_needed(20, 1000, TWO_PERCENT, 0.05, inclusive=True) is None
    assert n_needed(5_000_001, 10**7, Fraction(1, 2), 0.05) is None, "for all that anyone will count"


def test_the_whole_population_decides_even_a_rate_on_the_limit() -> None:
    needed = n_needed(20, 1000, TWO_PERCENT, 0.05, 20_000)
    assert needed is not None
    assert 0 < needed <= 19_000


def test_nothing_more_is_needed_where_the_test_decides_already() -> None:
    assert n_needed(10, 1000, TWO_PERCENT, 0.05) == 0
    assert n_needed(40, 1000, TWO_PERCENT, 0.05) == 0


def test_before_the_first_event_the_least_sample_is_needed() -> None:
    assert n_needed(0, 0, ONE_PERCENT, 0.05) == 299
    assert n_needed(0, 100, ONE_PERCENT, 0.05) == 199
    assert n_needed(0, 0, ONE_PERCENT, 0.05, 1000) == 238


def test_a_rate_near_the_limit_is_told_in_a_moment() -> None:
    start = process_time()
    needed = n_needed(100_010, 10**7, ONE_PERCENT, 0.05)
    assert process_time() - start < 5
    assert needed is not None
    total = 10**7 + needed
    assert fixed_test(100_010 * total // 10**7, total, ONE_PERCENT)[0] <= 0.05
    assert fixed_test(100_010 * (total - 1) // 10**7, total - 1, ONE_PERCENT)[0] > 0.05


def test_impossible_questions_are_refused() -> None:
    with pytest.raises(ValueError, match="bad"):
        n_needed(5, 4, ONE_PERCENT, 0.05)
    with pytest.raises(ValueError, match="alpha"):
        n_min(ONE_PERCENT, 0.5)
    with pytest.raises(ValueError, match="limit"):
        n_min(Fraction(3, 2), 0.05)
