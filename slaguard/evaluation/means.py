"""The mean over a period of the means of its intervals (L3), exact.

Times are summed as whole nanoseconds. Speeds are fractions with all sorts of denominators; of many of them the sum is
enclosed between two whole numbers of a trillionth of a token a second each, and the fractions themselves are added only
where a limit lies between the two, or where they are few. No float is near.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np

from slaguard.evaluation.latency import NEVER
from slaguard.records import NS, NS_PER_MS, Column
from slaguard.spec.indicators import MeanOfMinutes
from slaguard.terms import Bound

_STEP: Final = 10**6
_FINE: Final = _STEP**2
"""Parts of a token a second to which a speed is enclosed."""
_FEW: Final = 5_000
_ROOM: Final = 2**62


@dataclass(frozen=True, slots=True)
class Timed:
    """Answers: in which interval, how many tokens in how many nanoseconds, and how many answers are so.

    `unknown` counts those in the interval whose speed or time is not known.
    """

    where: Column
    tokens: Column
    time: Column
    known: Column
    unknown: Column


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its bounds; None where nothing counts. `intervals` is how many have a mean of their own."""

    value: Fraction | None
    low: Fraction | None
    high: Fraction | None
    intervals: int


def mean_of(rule: MeanOfMinutes, timed: Timed, bound: Bound, *, loose: bool, unwatched: Fraction) -> Mean:
    """Return the mean: tokens a second, or milliseconds.

    Args:
        rule: what is averaged, and how intervals weigh.
        timed: the answers.
        bound: the limit it will be held to.
        loose: whether there are answers of which not even the interval is known.
        unwatched: the share of the period that nobody watched.

    """
    used = timed.known + timed.unknown > 0
    _, place = np.unique(timed.where[used], return_inverse=True)
    place = place.reshape(-1)
    size = int(place.max(initial=-1)) + 1
    n, tokens, open_ = (np.zeros(size, dtype=np.int64) for _ in range(3))
    np.add.at(n, place, timed.known[used])
    np.add.at(open_, place, timed.unknown[used])
    np.add.at(tokens, place, (timed.tokens * timed.known)[used])
    if not n.any():
        missing = bool(open_.any()) or loose
        return Mean(None, Fraction(0) if missing else None, NEVER if missing else None, 0)
    some = Timed(place, timed.tokens[used], timed.time[used], timed.known[used], timed.unknown[used])
    weights = _weights(rule, n, tokens)
    if not any(weights):
        return Mean(None, Fraction(0), NEVER, int((n > 0).sum()))
    low, high = _enclosed(rule, some, size, n, weights, bound)
    doubt = bool(open_.any()) or loose
    least = low
    if doubt:  # what is not known is taken as nothing at all, and without limit
        tight = rule.weights != "tokens" and not loose
        least = _enclosed(rule, some, size, n + open_, _weights(rule, n + open_, tokens), bound)[0] if tight else Fraction(0)
    return Mean(low, least * (1 - unwatched), NEVER if doubt or unwatched else high, int((n > 0).sum()))


def _weights(rule: MeanOfMinutes, n: Column, tokens: Column) -> list[int]:
    """Return what each interval weighs."""
    match rule.weights:
        case "equal":
            return (n > 0).astype(np.int64).tolist()  # type: ignore[no-any-return]
        case "requests":
            return n.tolist()  # type: ignore[no-any-return]
        case "tokens":
            return tokens.tolist()  # type: ignore[no-any-return]


def _enclosed(
    rule: MeanOfMinutes, timed: Timed, size: int, n: Column, weights: list[int], bound: Bound
) -> tuple[Fraction, Fraction]:
    """Return the weighted mean of the intervals' means from below and from above; equal where it is exact."""
    if rule.of.speed is None:
        whole = _sums(timed.where, timed.time, timed.known, size)
        mean = _weighted(whole, n, weights) / NS_PER_MS
        return mean, mean
    if len(timed.where) <= _FEW:
        exact = _exact(timed, size, n, weights)
        return exact, exact
    below, rest = _floors(timed)
    floors = _sums(timed.where, below, timed.known, size)
    ceilings = [a + b for a, b in zip(floors, _sums(timed.where, rest, timed.known, size), strict=True)]
    low, high = _weighted(floors, n, weights) / _FINE, _weighted(ceilings, n, weights) / _FINE
    if bound.holds(low) == bound.holds(high):
        return low, high
    exact = _exact(timed, size, n, weights)
    return exact, exact


def _weighted(sums: list[int], n: Column, weights: list[int]) -> Fraction:
    """Return the weighted mean of sum / n, adding intervals of one n first."""
    by_n: dict[int, int] = {}
    for total, count, weight in zip(sums, n.tolist(), weights, strict=True):
        if count:
            by_n[count] = by_n.get(count, 0) + total * weight
    return sum((Fraction(total, count) for count, total in by_n.items()), start=Fraction(0)) / sum(weights)


def _exact(timed: Timed, size: int, n: Column, weights: list[int]) -> Fraction:
    """Return the weighted mean of the intervals' mean speeds, from the fractions themselves."""
    own: list[list[Fraction]] = [[] for _ in range(size)]
    rows = zip(timed.where.tolist(), timed.tokens.tolist(), timed.time.tolist(), timed.known.tolist(), strict=True)
    for place, tokens, time, count in rows:
        if count:
            own[place].append(Fraction(tokens * NS * count, time))
    means = [_total(own[i]) * weights[i] / int(n[i]) for i in range(size) if n[i]]
    return _total(means) / sum(weights)


def _total(fractions: list[Fraction]) -> Fraction:
    """Return the sum; halves first, so that few of the sums have long denominators."""
    if len(fractions) < 2:
        return fractions[0] if fractions else Fraction(0)
    middle = len(fractions) // 2
    return _total(fractions[:middle]) + _total(fractions[middle:])


def _floors(timed: Timed) -> tuple[Column, Column]:
    """Return each speed in whole trillionths, rounded down, and 1 where something was cut off."""
    time = timed.time
    most = max(int(timed.tokens.max(initial=0)) * NS, int(time.max(initial=0)) * _STEP)
    kind = np.int64 if most < _ROOM else object
    time = time.astype(kind)
    whole, rest = np.divmod(timed.tokens.astype(kind) * NS, time)
    first, rest = np.divmod(rest * _STEP, time)
    second, rest = np.divmod(rest * _STEP, time)
    return whole.astype(object) * _FINE + first * _STEP + second, (rest > 0).astype(np.int64)


def _sums(where: Column, values: Column, n: Column, size: int) -> list[int]:
    """Return the sum of values times their counts in each interval, as whole numbers of any length."""
    total = np.zeros(size, dtype=object)
    most = int(np.max(values, initial=0)) * max(1, int(n.sum()))
    if values.dtype != object and most < _ROOM:
        small = np.zeros(size, dtype=np.int64)
        np.add.at(small, where, values * n)
        return [int(v) for v in small]
    np.add.at(total, where, values.astype(object) * n.astype(object))
    return [int(v) for v in total]
