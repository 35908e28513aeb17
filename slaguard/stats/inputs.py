"""What the statistics take: counts as whole numbers, a limit as an exact fraction, a risk between nought and a half."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
IntLike = int | Ints
"""One count, or an array of them; several arrays are broadcast against each other."""


def check_counts(k: IntLike, n: IntLike, total: IntLike | None) -> None:
    """Refuse counts that no sample can have.

    Args:
        k: bad events in the sample.
        n: events in the sample.
        total: events in the population; None where it is not known.

    Raises:
        ValueError: not whole numbers, k < 0, k > n, n > total, or shapes that do not fit each other.

    """
    for name, value in (("k", k), ("n", n), ("N", total)):
        if not (value is None or isinstance(value, int) or np.asarray(value).dtype.kind in "iu"):
            raise ValueError(f"{name} is a whole number of events")
    if _some(k < 0):
        raise ValueError("there cannot be fewer than 0 bad events")
    if _some(k > n):
        raise ValueError("there cannot be more bad events than events")
    if total is not None and _some(n > total):
        raise ValueError("the sample cannot be larger than the population")


def _some(found: bool | Bools) -> bool:
    return found if isinstance(found, bool) else bool(np.any(found))


def check_risk(alpha: float | Fraction) -> float:
    """Return a one-sided risk as a float.

    Raises:
        ValueError: alpha is not above 0 and below one half.

    """
    risk = float(alpha)
    if not 0 < risk < 0.5:
        raise ValueError("alpha lies between 0 and 0.5: it is the risk on one side")
    return risk


def check_limit(threshold: Fraction) -> Fraction:
    """Return the limit on the share of bad events.

    Raises:
        ValueError: a float (its digits are not those of the contract), below 0 or above 1.

    """
    if not isinstance(threshold, Fraction):
        raise ValueError("the limit is an exact fraction, not a float")  # noqa: TRY004 - stats raises ValueError alone
    if not 0 <= threshold <= 1:
        raise ValueError("the limit on the share of bad events lies between 0 and 1")
    return threshold


def most_allowed(threshold: Fraction, total: IntLike, *, inclusive: bool) -> IntLike:
    """Return how many of `total` events may be bad, in whole-number arithmetic.

    In floats 0.29 x 100 is 28.999999999999996, which would allow one too few.

    Args:
        threshold: the limit on the share of bad events.
        total: events in the population, a number or an array.
        inclusive: whether reaching the limit already breaks the promise (``more_than``, ``less_than``).

    """

    def allowed(size: int) -> int:
        return max(0, (threshold.numerator * size - inclusive) // threshold.denominator)

    if isinstance(total, int):
        return allowed(total)
    flat = [allowed(size) for size in np.asarray(total).ravel().tolist()]
    return np.asarray(flat, dtype=np.int64).reshape(np.shape(total))
