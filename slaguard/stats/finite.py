# ruff: noqa: N803 - N is the population, as in every formula
"""A random sample from a population of known size (F4): hypergeometric tails, and the interval made of them.

The tails are summed outwards from the observed count, so that every term is smaller than the one before and nothing
cancels; the first term comes from the deviances of the 2 x 2 table (Loader's saddle-point form), which keeps twelve
digits where differences of log-factorials of 1e9 would keep five. The cost grows with the standard deviation of the
count, not with the size of the population.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, overload

import numpy as np
from scipy.special import gammaln, xlog1py

from slaguard.stats.inputs import Bools, Floats, IntLike, Ints, check_counts, check_risk

_NEGLIGIBLE: Final = 1e-17
"""A term this small against the sum no longer changes it."""
_FIRST_TERMS: Final = 32
_CELLS: Final = 1 << 18
"""How many terms are held at once, over all samples of a call."""


def upper_tail(k: IntLike, n: IntLike, bad: IntLike, total: IntLike) -> Floats:
    """Return P(X >= k), X the number of bad events in a sample without replacement.

    Args:
        k: at least this many bad events in the sample.
        n: events in the sample.
        bad: bad events in the population.
        total: events in the population.

    All are whole numbers or arrays that broadcast; the result has their common shape.

    """
    shape = np.broadcast_shapes(*(np.shape(a) for a in (k, n, bad, total)))
    k_, n_, bad_, total_ = (np.broadcast_to(np.asarray(a, dtype=np.int64), shape).ravel() for a in (k, n, bad, total))
    least, most = np.maximum(0, n_ + bad_ - total_), np.minimum(n_, bad_)
    tail = np.where(k_ <= least, 1.0, 0.0)
    inside: Bools = (k_ > least) & (k_ <= most)
    if np.any(inside):
        tail[inside] = _inside(k_[inside], n_[inside], bad_[inside], total_[inside])
    return tail.reshape(shape)


def lower_tail(k: IntLike, n: IntLike, bad: IntLike, total: IntLike) -> Floats:
    """Return P(X <= k); arguments as in `upper_tail`."""
    return upper_tail(n - k, n, total - bad, total)


@overload
def population_ci(k: int, n: int, alpha: float | Fraction, N: int) -> tuple[int, int]: ...
@overload
def population_ci(k: Ints, n: IntLike, alpha: float | Fraction, N: IntLike) -> tuple[Ints, Ints]: ...
def population_ci(
    k: IntLike,
    n: IntLike,
    alpha: float | Fraction,
    N: IntLike,
) -> tuple[int, int] | tuple[Ints, Ints]:
    """Return how many bad events the population can hold: every number that neither tail rejects at `alpha`.

    Args:
        k: bad events in the sample.
        n: events in the sample, drawn at random without replacement.
        alpha: the risk on each side.
        N: events in the population.

    Returns:
        The smallest and the largest number, as exact integers; arrays where arrays were given.

    Raises:
        ValueError: impossible counts, or alpha outside (0, 0.5).

    """
    check_counts(k, n, N)
    risk = check_risk(alpha)
    k_, n_, total = np.broadcast_arrays(*(np.asarray(a, dtype=np.int64) for a in (k, n, N)))
    low = _fewest(k_, n_, total, risk)
    high = total - _fewest(n_ - k_, n_, total, risk)  # the fewest good events leave the most bad ones
    if low.ndim == 0:
        return int(low), int(high)
    return low, high


def _fewest(k: Ints, n: Ints, total: Ints, risk: float) -> Ints:
    """Return the smallest number of bad events with P(X >= k) > risk: bisection on whole numbers."""
    low, high = k.copy(), total - n + k  # with `high` every sample has at least k: the tail is 1
    while np.any(low < high):
        middle = (low + high) // 2
        kept = upper_tail(k, n, middle, total) > risk
        low, high = np.where(kept, low, np.minimum(middle + 1, high)), np.where(kept, middle, high)
    return low


def _inside(k: Ints, n: Ints, bad: Ints, total: Ints) -> Floats:
    """Return P(X >= k) where it is neither 0 nor 1; below the mean as one less the tail of the good events."""
    high: Bools = k > n * (bad / total)
    summed = _outward(np.where(high, k, n - k + 1), n, np.where(high, bad, total - bad), total)
    tail: Floats = np.clip(np.where(high, summed, 1.0 - summed), 0.0, 1.0)
    return tail


def _outward(k: Ints, n: Ints, bad: Ints, total: Ints) -> Floats:
    """Return P(X >= k) for k above the mean, as the first term times a sum of falling ratios."""
    last, added = np.ones(len(k)), np.ones(len(k))
    active = np.arange(len(k))
    done, width = 0, _FIRST_TERMS
    while len(active):
        x = (k[active] + done)[:, None] + np.arange(width, dtype=np.float64)
        size, marked = n[active][:, None], bad[active][:, None]
        rest = total[active][:, None] - marked - size
        ratio = np.maximum(marked - x, 0.0) * np.maximum(size - x, 0.0) / ((x + 1.0) * (rest + x + 1.0))
        terms = last[active][:, None] * np.cumprod(ratio, axis=1)
        added[active] += terms.sum(axis=1)
        last[active] = terms[:, -1]
        active = active[last[active] > _NEGLIGIBLE * added[active]]
        done, width = done + width, min(2 * width, max(_FIRST_TERMS, _CELLS // max(len(active), 1)))
    return np.exp(_log_probability(k, n, bad, total)) * added


_SIGNS: Final = np.array([[1.0], [-1.0], [-1.0], [1.0]])
"""If the bad sampled are d more than expected, so are the good not sampled; the two other cells are d fewer."""


def _log_probability(k: Ints, n: Ints, bad: Ints, total: Ints) -> Floats:
    """Return ln P(X = k): minus the deviances of the 2 x 2 table, and what Stirling's formula leaves over.

    ln x! = x ln x - x + R(x); in the probability the first two terms of all margins and cells add up to deviances,
    x ln(x/e) - x + e, here in the form e ((1+t) ln(1+t) - t) with t = (x-e)/e, in which nothing cancels near x = e.
    """
    good, unseen = total - bad, total - n
    cells = np.stack([k, bad - k, n - k, good - n + k])
    expected = np.stack([bad, bad, good, good]) * (np.stack([n, unseen, n, unseen]) / total)
    safe = np.where(expected > 0, expected, 1.0)
    shift = (k - expected[0]) * _SIGNS / safe
    deviance = expected * (xlog1py(cells / safe, shift) - shift)
    left_over = _beyond_stirling(np.stack([bad, good, n, unseen, total, *cells]))
    log_p: Floats = left_over[:4].sum(axis=0) - left_over[4:].sum(axis=0) - deviance.sum(axis=0)
    return log_p


def _beyond_stirling(x: Ints) -> Floats:
    """Return R(x) = ln x! - x ln x + x; R(0) = 0."""
    small = np.minimum(x, 15).astype(np.float64)
    exact = gammaln(small + 1.0) - small * np.log(np.maximum(small, 1.0)) + small
    big = np.maximum(x, 16).astype(np.float64)
    square = big * big
    series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / big
    beyond: Floats = np.where(x < 16, exact, 0.5 * np.log(2 * np.pi * big) + series)
    return beyond
