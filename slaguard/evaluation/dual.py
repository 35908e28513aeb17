"""Two error rates, each with its share of good intervals (U6): the promise is broken if either share is missed.

The figure is the smaller of the two margins (a share less its target), and the promise is that it is not below zero. What
was not watched is up for both tests, or down for both. Source: the U6 archetype; the settled edges of `contracts.md` §3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from slaguard.evaluation.figures import Figure
from slaguard.evaluation.grid import Grid, Mask
from slaguard.evaluation.measure import Measurement, Tested
from slaguard.evaluation.runs import Line, Lost, count
from slaguard.spec.model import DualThreshold, Objective


def missed(grid: Grid, line: Line, part: Mask, *, unwatched_is_down: bool) -> Lost:
    """Return how many intervals of a part of the period miss one test's error rate, and of how many."""
    live = part & ~grid.removed & ~(line.leaves & ~grid.up)
    where = live & line.bad(unwatched_is_down) & grid.served & ~grid.up
    return Lost(count(where), count(live), live, where, count)


def tested(rule: DualThreshold, figures: Sequence[Figure]) -> tuple[Tested, ...]:
    """Return what each test found."""
    return tuple(
        Tested(
            test=test,
            value=f.value,
            best=f.best,
            worst=f.worst,
            if_rest_is_good=f.if_rest_is_good,
            bad=f.bad,
            allowed=(1 - test.share.bound.value) * f.total,
            allowed_in_all=(1 - test.share.bound.value) * f.rest_total,
        )
        for test, f in zip(rule.tests, figures, strict=True)
    )


def margins(figures: Sequence[Figure], tests: Sequence[Tested]) -> Figure:
    """Return the smaller margin as a figure, with what is lost to the test that has it."""
    return replace(
        figures[nearest(tests)],
        value=_least([t.margin(t.value) for t in tests]),
        best=_least([t.margin(t.best) for t in tests]),
        worst=_least([t.margin(t.worst) for t in tests]),
        if_rest_is_good=_least([t.margin(t.if_rest_is_good) for t in tests]),
        where=figures[0].where | figures[1].where,
    )


def nearest(tests: Sequence[Tested]) -> int:
    """Return which test the figure tells of: the one that nothing to come can save, else that with the smaller margin."""
    return min(range(len(tests)), key=lambda i: _order(tests[i]))


def _order(test: Tested) -> tuple[bool, Fraction]:
    rest = test.margin(test.if_rest_is_good)
    return not (rest is not None and not test.kept(rest)), test.margin(test.value) or Fraction(0)


def _least(margins_: Sequence[Fraction | None]) -> Fraction | None:
    known = [m for m in margins_ if m is not None]
    return min(known) if len(known) == len(margins_) else None


def priced_figure(objective: Objective, m: Measurement) -> Measurement:
    """Return the figure that the credits of a promise are read from: of two tests, the share that the clause prices by."""
    rule = objective.indicator
    if not isinstance(rule, DualThreshold):
        return m
    shares = [t for t in m.tests if t.test in rule.priced]
    return replace(
        m,
        value=_least([t.value for t in shares]),
        best=_least([t.best for t in shares]),
        worst=_least([t.worst for t in shares]),
        if_rest_is_good=_least([t.if_rest_is_good for t in shares]),
    )
