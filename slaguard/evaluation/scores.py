"""The mean of intervals (U3): each scores its share of good answers, and the period is the mean over all of them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from slaguard.evaluation.grid import Grid, Mask
from slaguard.evaluation.runs import Lost, count
from slaguard.records import Column
from slaguard.spec.model import MeanOfIntervals

_FEW = 8
"""So many fractions are added faster one by one than grouped."""


def lost_shares(rule: MeanOfIntervals, grid: Grid, part: Mask, *, unwatched_is_down: bool) -> Lost:
    """Return the sum of the lost shares in `part` of the period, and how many intervals it is of."""
    part = part & ~grid.removed
    free = ~grid.unobserved & ~grid.up
    leaves = (grid.n == 0) & (rule.empty_bin == "leave_out") & free
    leaves |= grid.below & (rule.below_minimum == "leave_out") & free
    live = part & ~leaves
    scored = live & free & (grid.fail > 0) & ~grid.below
    lost = exact_share(grid.fail[scored], grid.n[scored])
    lost += int((live & grid.unobserved & ~grid.up).sum()) if unwatched_is_down else 0
    return Lost(lost, count(live), live, scored, count)


def exact_share(fail: Column, n: Column) -> Fraction:
    """Return the exact sum of fail/n: grouped by n and brought to one common denominator."""
    if len(n) <= _FEW:
        return sum(map(Fraction, fail.tolist(), n.tolist()), Fraction(0))
    sizes, where = np.unique(n, return_inverse=True)
    totals = np.zeros(len(sizes), dtype=np.int64)
    np.add.at(totals, where.reshape(-1), fail)
    common = math.lcm(*(int(s) for s in sizes))
    return Fraction(sum(int(t) * (common // int(s)) for t, s in zip(totals, sizes, strict=True)), common)
