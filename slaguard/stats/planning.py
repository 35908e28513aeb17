# ruff: noqa: N803 - N is the population, as in every formula
"""How much it takes to decide: the least sample that could, and how many more events would at the present rate.

Exact power saw-tooths, so "the smallest total that decides" is searched for among the totals at which the whole-number
count is most telling (one for each count), and the neighbourhood of what bisection finds is looked through.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, log1p
from typing import Final

import numpy as np

from slaguard.stats.finite import lower_tail
from slaguard.stats.inputs import Bools, Ints, check_counts, check_limit, check_risk, most_allowed
from slaguard.stats.proportion import fixed_test

_BEYOND: Final = 10**12
"""No number of events above this is worth telling: the rate sits on the limit for all that anyone will count."""
_BLOCK: Final = 1024


def n_min(
    threshold: Fraction,
    alpha: float | Fraction,
    N: int | None = None,
    *,
    inclusive: bool = False,
) -> int | None:
    """Return the least sample with which some outcome (no bad event at all) shows the promise kept.

    Args:
        threshold: the limit on the share of bad events, exactly.
        alpha: the risk of calling a broken promise kept.
        N: events in the population; None where it is not known.
        inclusive: whether reaching the limit already breaks the promise.

    Returns:
        A number of events (of "none allowed": all of the population); None where no sample can show it.

    Raises:
        ValueError: a limit that is not a fraction in [0, 1], or alpha outside (0, 0.5).

    """
    limit, risk = check_limit(threshold), check_risk(alpha)
    if limit in {0, 1}:
        return _by_count(limit, N, inclusive=inclusive)
    if N is None:
        n = max(1, ceil(log1p(risk - 1) / log1p(-(limit.numerator / limit.denominator))) - 1)
        while fixed_test(0, n, limit)[1] > risk:
            n += 1
        return n
    broken = min(int(most_allowed(limit, N, inclusive=inclusive)) + 1, N)
    low, high = 0, N
    while low < high:
        middle = (low + high) // 2
        if lower_tail(0, middle, broken, N) <= risk:
            high = middle
        else:
            low = middle + 1
    return low


def _by_count(limit: Fraction, total: int | None, *, inclusive: bool) -> int | None:
    """Return `n_min` for a limit that counts, not rates, decide."""
    if limit == 0:
        return None if inclusive else total
    return int(inclusive)  # one good event shows that not all are bad


def n_needed(
    k: int,
    n: int,
    threshold: Fraction,
    alpha: float | Fraction,
    N: int | None = None,
    *,
    inclusive: bool = False,
) -> int | None:
    """Return how many more events decide if the present rate of bad ones stays.

    The count at a larger total m is k/n of it, rounded towards the limit, so that nothing is promised too early; the
    answer is the smallest m at which `fixed_test` decides, less n. The whole population always decides.

    Args:
        k: bad events so far.
        n: events so far; with none, the answer is `n_min` (as if all were good).
        threshold: the limit on the share of bad events, exactly.
        alpha: the risk on either side.
        N: events in the population; None where it is not known.
        inclusive: whether reaching the limit already breaks the promise.

    Returns:
        A number of events, 0 where the test decides already; None where the rate sits on the limit (or so near that
        a million million events would not tell).

    Raises:
        ValueError: impossible counts, a limit that is not a fraction in [0, 1], or alpha outside (0, 0.5).

    """
    check_counts(k, n, N)
    limit, risk = check_limit(threshold), check_risk(alpha)
    if min(fixed_test(k, n, limit, N, inclusive=inclusive)) <= risk:
        return 0
    if k == 0:
        least = n_min(limit, risk, N, inclusive=inclusive)
        return None if least is None else least - n
    if N is None and Fraction(k, n) == limit:
        return None
    total = _Search(k, n, limit, risk, N, inclusive).smallest()
    return None if total is None else total - n


@dataclass(frozen=True, slots=True)
class _Search:
    """The search for the smallest total that decides, over the bad count reached there."""

    k: int
    n: int
    limit: Fraction
    risk: float
    total: int | None
    inclusive: bool

    @property
    def over(self) -> bool:
        """Tell whether the rate points to a breach."""
        rate = Fraction(self.k, self.n)
        return rate > self.limit or (rate == self.limit and self.inclusive)

    @property
    def most(self) -> int:
        """The largest total that is looked at."""
        return _BEYOND if self.total is None else self.total

    def totals(self, bad: Ints) -> Ints:
        """Return the most telling total for each bad count: the fewest events that hold it, or the most with no more.

        That is bad * n / k, by quotient and remainder, so that the product stays within 64 bits.
        """
        whole, rest = np.divmod(bad, self.k)
        part = -(-rest * self.n // self.k) if self.over else rest * self.n // self.k
        totals: Ints = np.minimum(whole * self.n + part, self.most)
        return totals

    def decides(self, totals: Ints, bad: Ints) -> Bools:
        """Tell for each total, with its bad count, whether the test decides."""
        breach, comply = fixed_test(bad, totals, self.limit, self.total, inclusive=self.inclusive)
        return np.asarray((breach if self.over else comply) <= self.risk)

    def told(self, bad: Ints) -> Bools:
        """Tell for each bad count whether its most telling total decides."""
        totals = self.totals(bad)
        return self.decides(totals, np.minimum(bad, totals))

    def smallest(self) -> int | None:
        """Return the smallest total that decides; the whole population at the latest, None where nothing does."""
        share = self.k * self.most
        last = share // self.n if self.over else -(-share // self.n)
        bad = self._some(last)
        if bad is None:
            return self.total
        bad = self._first(bad)
        end = int(self.totals(np.array([bad]))[0])
        return end if self.over else self._within(bad, end)

    def _some(self, last: int) -> int | None:
        """Return a bad count that decides and whose predecessor does not, by doubling and bisection."""
        low, high = self.k, min(2 * self.k, last)
        while not self.told(np.array([high]))[0]:
            if high >= last:
                return None
            low, high = high, min(2 * high, last)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.told(np.array([middle]))[0] else (middle, high)
        return high

    def _first(self, bad: int) -> int:
        """Return the smallest bad count that decides: look back until a whole block of them does not."""
        while True:
            block = np.arange(max(self.k, bad - _BLOCK), bad)
            found = np.flatnonzero(self.told(block))
            if not len(found):
                return bad
            bad = int(block[found[0]])

    def _within(self, bad: int, end: int) -> int:
        """Return the smallest total with this bad count that decides: here more events only tell more."""
        low, high = max(self.n, int(self.totals(np.array([bad - 1]))[0])), end
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.decides(np.array([middle]), np.array([bad]))[0] else (middle, high)
        return high
