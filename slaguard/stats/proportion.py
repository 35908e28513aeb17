# ruff: noqa: N803 - N is the population, as in every formula
"""One look at a closed window (F4): is the share of bad events over the limit, and between what does it lie?

With the size N of the population known, the sample is without replacement and everything is hypergeometric: a sample of
all of it has width 0. With N unknown, Clopper and Pearson (1934), by the inverse of the incomplete beta function.
"""

from __future__ import annotations

from fractions import Fraction
from typing import overload

import numpy as np
from scipy.special import betainc, betaincc, betainccinv, betaincinv

from slaguard.stats.finite import lower_tail, population_ci, upper_tail
from slaguard.stats.inputs import Bools, Floats, IntLike, Ints, check_counts, check_limit, check_risk, most_allowed

Pair = tuple[float, float]
Pairs = tuple[Floats, Floats]


@overload
def fixed_ci(k: int, n: int, alpha: float | Fraction, N: int | None = None) -> Pair: ...
@overload
def fixed_ci(k: Ints, n: IntLike, alpha: float | Fraction, N: IntLike | None = None) -> Pairs: ...
def fixed_ci(
    k: IntLike,
    n: IntLike,
    alpha: float | Fraction,
    N: IntLike | None = None,
) -> Pair | Pairs:
    """Return the exact interval for the share of bad events.

    A limit below the lower end is rejected by `fixed_test` at `alpha`, and so is one at or above the upper end (the
    upper end itself is not).

    Args:
        k: bad events in the sample.
        n: events in the sample; with none the interval is 0 to 1.
        alpha: the risk on each side: 0.025 for a two-sided 95 % interval.
        N: events in the population (`population_ci` gives the bounds as exact counts); None where it is not known.

    Returns:
        Lower and upper end, shares of one: floats for numbers, arrays of the common shape for arrays.

    Raises:
        ValueError: impossible counts, or alpha outside (0, 0.5).

    """
    check_counts(k, n, N)
    risk = check_risk(alpha)
    if N is not None:
        low, high = population_ci(np.asarray(k), np.asarray(n), alpha, np.asarray(N))
        total = np.maximum(N, 1)
        return _pair(low / total, np.where(np.asarray(N) == 0, 1.0, high / total))
    if isinstance(k, int) and isinstance(n, int):
        low_end = float(betaincinv(k, n - k + 1, risk)) if k else 0.0
        return low_end, float(betainccinv(k + 1, n - k, risk)) if k < n else 1.0
    bad, good = np.asarray(k), np.asarray(n) - k
    lows = np.where(bad > 0, betaincinv(np.maximum(bad, 1), good + 1, risk), 0.0)
    return _pair(lows, np.where(good > 0, betainccinv(bad + 1, np.maximum(good, 1), risk), 1.0))


@overload
def fixed_test(k: int, n: int, threshold: Fraction, N: int | None = None, *, inclusive: bool = False) -> Pair: ...
@overload
def fixed_test(k: Ints, n: IntLike, threshold: Fraction, N: IntLike | None = None, *, inclusive: bool = False) -> Pairs: ...
def fixed_test(
    k: IntLike, n: IntLike, threshold: Fraction, N: IntLike | None = None, *, inclusive: bool = False
) -> Pair | Pairs:
    """Return how well the sample fits a kept promise, and how well a broken one.

    The promise limits the share of bad events. A breach is shown where the first number is at most alpha, compliance
    where the second is. A limit of 0 ("none allowed") is a count rule: one bad event breaks it, and only the whole
    population without one shows it kept. A promise that nothing can break is kept; one that nothing can keep is broken.

    Args:
        k: bad events in the sample.
        n: events in the sample.
        threshold: the limit, exactly as the contract states it.
        N: events in the population; None where it is not known.
        inclusive: whether reaching the limit already breaks the promise (``more_than``, ``less_than``); otherwise only
            going over it does (``at_least``, ``at_most``).

    Returns:
        ``p_breach``, the greatest probability of `k` or more bad events while the promise is kept, and ``p_comply``,
        that of `k` or fewer while it is broken: floats for numbers, arrays of the common shape for arrays.

    Raises:
        ValueError: impossible counts, or a limit that is not a fraction in [0, 1].

    """
    check_counts(k, n, N)
    limit = check_limit(threshold)
    if limit == 0 or (limit == 1 and not inclusive):
        return _by_count(np.asarray(k), np.asarray(n), N, limit, inclusive=inclusive)
    if N is not None:
        allowed = most_allowed(limit, N, inclusive=inclusive)
        none: IntLike = np.minimum(np.asarray(allowed) + 1, N)  # with an empty population nothing is rejected
        return _pair(upper_tail(k, n, allowed, N), lower_tail(k, n, none, N))
    bad, good, share = np.asarray(k), np.asarray(n) - k, limit.numerator / limit.denominator
    breach = np.where(bad > 0, betainc(np.maximum(bad, 1), good + 1, share), 1.0)
    comply = np.where(good > 0, betaincc(bad + 1, np.maximum(good, 1), share), 1.0)
    return _pair(breach, comply)


def _by_count(k: Ints, n: Ints, total: IntLike | None, limit: Fraction, *, inclusive: bool) -> Pair | Pairs:
    """Decide a limit of 0 or 1 by count: nothing about an error rate enters."""
    shape = np.broadcast_shapes(k.shape, n.shape, np.shape(0 if total is None else total))
    seen, size = np.broadcast_to(k, shape), np.broadcast_to(n, shape)
    broken: Bools = (seen > 0) | np.bool_(inclusive)
    kept: Bools = (seen == 0) & (size == total) & np.bool_(not inclusive)
    if limit == 1:
        broken, kept = np.zeros(shape, np.bool_), np.ones(shape, np.bool_)
    return _pair(np.where(broken, 0.0, 1.0), np.where(kept, 0.0, 1.0))


def _pair(low: Floats, high: Floats) -> Pair | Pairs:
    return (float(low), float(high)) if np.ndim(low) == 0 and np.ndim(high) == 0 else (low, high)
