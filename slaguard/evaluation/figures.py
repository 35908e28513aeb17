"""From lost time to a figure over intervals: as seen, with what was not watched up and down, and with the rest all good.

Everything is fractions; what may have been when nobody watched stands as the two ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

import numpy as np

from slaguard.evaluation.grid import Grid, Mask, longest_stay, stays
from slaguard.evaluation.runs import Lost
from slaguard.evaluation.scores import exact_share
from slaguard.spec.model import BinRule

Cost = Callable[[int, int], Fraction]
"""(first interval, last) -> how many intervals' worth of good answers a stretch of downtime cost."""


class Score(Protocol):
    """A rule's judgement of a part of the period."""

    def __call__(self, part: Mask, *, unwatched_is_down: bool) -> Lost:
        """Return what is lost in a part of the period, and of how much."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure over intervals, as shares of one; None where nothing counts.

    `bad` out of `total` is lost, in whole intervals' worth, and `rest_total` is how much counts in the whole period. `live`
    marks the intervals that count, `unknown` those that what was not watched decides, `where` the lost ones.
    """

    value: Fraction | None
    best: Fraction | None
    worst: Fraction | None
    if_rest_is_good: Fraction | None
    bad: Fraction
    total: Fraction
    rest_total: Fraction
    live: Mask
    unknown: Mask
    where: Mask
    coverage: Fraction
    cost: Cost

    @property
    def n(self) -> int:
        """How many watched intervals count."""
        return int((self.live & ~self.unknown).sum())


def figure(rule: BinRule, grid: Grid, unknown: Mask, score: Score, extra: Fraction) -> Figure:
    """Return the figure of one timeline.

    Args:
        rule: its `presence` says which part of the period counts.
        grid: the intervals.
        unknown: those that what was not watched decides.
        score: the rule's judgement of a part.
        extra: how many intervals the clause says that the whole period is longer than it is.

    """
    open_ = grid.so_far & unknown & ~grid.removed & ~grid.up
    over = extra if not (grid.inside & ~grid.elapsed).any() else Fraction(0)
    parts = stays(grid)
    here = score(parts[0], unwatched_is_down=False)
    total = here.total + over
    unseen = here.weigh(here.live & open_)
    ends = [_kept(score(p, unwatched_is_down=down), over) for p in parts for down in (False, True)]
    known = [end for end in ends if end is not None]
    rest = score(longest_stay(grid, rule.presence), unwatched_is_down=False).total + extra
    return Figure(
        value=_share(here.lost, total - unseen),
        best=max(known, default=None),
        worst=min(known, default=None),
        if_rest_is_good=_share(here.lost, rest),
        bad=here.lost,
        total=total,
        rest_total=rest,
        live=here.live,
        unknown=open_,
        where=here.where,
        coverage=_coverage(grid, open_),
        cost=_cost(grid, here.where),
    )


def _kept(lost: Lost, over: Fraction) -> Fraction | None:
    return _share(lost.lost, lost.total + over)


def _share(lost: Fraction, total: Fraction) -> Fraction | None:
    """Return what is left of a total; rounded outages never take more than there is."""
    return max(Fraction(0), 1 - lost / total) if total > 0 else None


def _coverage(grid: Grid, unknown: Mask) -> Fraction:
    watchable = int((grid.so_far & ~grid.removed).sum())
    return Fraction(watchable - int(unknown.sum()), watchable) if watchable else Fraction(int(grid.so_far.any()))


def _cost(grid: Grid, where: Mask) -> Cost:
    """Return the lost shares of a stretch of the lost intervals."""
    index = np.flatnonzero(where & (grid.n > 0))
    fail, n = grid.fail[index], grid.n[index]

    def cost(first: int, last: int) -> Fraction:
        here = (index >= first) & (index <= last)
        return exact_share(fail[here], n[here])

    return cost


# ── one figure of several resources ─────────────────────────────────────────────────────────────────────────────────
def averaged(figures: Sequence[Figure]) -> Figure:
    """Return the mean of the resources' own figures; one without a figure is no part of it.

    `bad` is what the mean is of the intervals of all of them. What another resource will bring is not known, so nothing
    is said of the figure if the rest is good.
    """
    if len(figures) == 1:
        return replace(figures[0], if_rest_is_good=None)
    counted = [f for f in figures if f.value is not None]
    live, unknown, where = (
        np.logical_or.reduce(masks)
        for masks in ([f.live for f in figures], [f.unknown for f in figures], [f.where for f in figures])
    )
    value = _mean([f.value for f in counted])
    seen = int((live & ~unknown).sum())
    return Figure(
        value=value,
        best=_mean([f.best for f in counted or figures]),
        worst=_mean([f.worst for f in counted or figures]),
        if_rest_is_good=None,
        bad=Fraction(0) if value is None else (1 - value) * seen,
        total=Fraction(int(live.sum())),
        rest_total=max(f.rest_total for f in figures),
        live=live,
        unknown=unknown,
        where=where,
        coverage=sum((f.coverage for f in figures), Fraction(0)) / len(figures),
        cost=lambda first, last: sum((f.cost(first, last) for f in counted), Fraction(0)) / len(counted),
    )


def _mean(values: Sequence[Fraction | None]) -> Fraction | None:
    known = [v for v in values if v is not None]
    return sum(known, Fraction(0)) / len(known) if known else None
