"""The close test, many times over: how often it covers the truth, and how often it calls a kept promise broken.

The bands are computed from the number of runs: three standard errors of a proportion.
"""

from fractions import Fraction
from math import sqrt

import numpy as np
import pytest
from numpy.typing import NDArray

from slaguard.stats import fixed_ci, fixed_test, population_ci
from slaguard.stats.inputs import most_allowed

pytestmark = pytest.mark.simulation

RUNS = 20_000
SEED = 20261001


def error_rate(hits: NDArray[np.bool_]) -> float:
    return float(np.mean(hits))


def at_most(risk: float, runs: int = RUNS) -> float:
    """The largest share of errors that is still no evidence against `risk`."""
    return risk + 3 * sqrt(risk * (1 - risk) / runs)


@pytest.mark.parametrize("truth", [0.001, 0.01, 0.02, 0.05, 0.3])
@pytest.mark.parametrize("n", [50, 400, 3000])
def test_the_interval_misses_the_truth_no_more_often_than_it_says_on_each_side(truth: float, n: int) -> None:
    k = np.random.default_rng(SEED).binomial(n, truth, RUNS)
    low, high = fixed_ci(k, n, 0.05)
    assert error_rate(low > truth) <= at_most(0.05)
    assert error_rate(high < truth) <= at_most(0.05)


@pytest.mark.parametrize(("bad", "n"), [(40, 400), (40, 1900), (3, 500), (700, 100)])
def test_the_count_of_a_known_population_is_missed_no_more_often_than_it_says(bad: int, n: int) -> None:
    k = np.random.default_rng(SEED).hypergeometric(bad, 2000 - bad, n, RUNS)
    low, high = population_ci(k, n, 0.05, 2000)
    assert error_rate(low > bad) <= at_most(0.05)
    assert error_rate(high < bad) <= at_most(0.05)


@pytest.mark.parametrize("limit", [Fraction(1, 1000), Fraction(1, 100), Fraction(5, 100)])
@pytest.mark.parametrize("n", [500, 3000])
def test_a_vendor_exactly_at_the_limit_is_wrongly_accused_no_more_often_than_alpha(limit: Fraction, n: int) -> None:
    rng = np.random.default_rng(SEED)
    breach, _ = fixed_test(rng.binomial(n, float(limit), RUNS), n, limit)
    assert error_rate(breach <= 0.05) <= at_most(0.05)
    total = 10_000
    allowed = int(most_allowed(limit, total, inclusive=False))
    breach, _ = fixed_test(rng.hypergeometric(allowed, total - allowed, n, RUNS), n, limit, total)
    assert error_rate(breach <= 0.05) <= at_most(0.05)
    _, comply = fixed_test(rng.hypergeometric(allowed + 1, total - allowed - 1, n, RUNS), n, limit, total)
    assert error_rate(comply <= 0.05) <= at_most(0.05), "one more than allowed is a broken promise"


def bursty(rng: np.random.Generator, total: int, rate: float, burst: int) -> NDArray[np.int64]:
    """A month of requests in which bad ones come in bursts of mean length `burst`; 1 is bad."""
    month = np.zeros(total, dtype=np.int64)
    position = int(rng.geometric(rate / burst))
    while position < total:
        length = int(rng.geometric(1 / burst))
        month[position : position + length] = 1
        position += length + int(rng.geometric(rate / burst / (1 - rate)))
    return month


@pytest.mark.parametrize("burst", [1, 20, 100])
def test_bursts_do_not_make_a_random_sample_accuse_a_month_that_kept_its_promise(burst: int) -> None:
    """The sampler supplies the randomness: what the month was like does not matter (statistics.md, section 1)."""
    rng, runs, total, n, limit = np.random.default_rng(SEED), 1500, 20_000, 2000, Fraction(1, 100)
    seen, truth = np.empty(runs, dtype=np.int64), np.empty(runs, dtype=np.int64)
    for i in range(runs):
        month = bursty(rng, total, float(limit), burst)
        truth[i] = month.sum()
        seen[i] = month[rng.choice(total, n, replace=False, shuffle=False)].sum()
    breach, comply = fixed_test(seen, n, limit, total)
    kept = truth <= most_allowed(limit, total, inclusive=False)
    assert error_rate((breach <= 0.05) & kept) <= at_most(0.05, runs)
    assert error_rate((comply <= 0.05) & ~kept) <= at_most(0.05, runs)
