"""A figure averaged with those of earlier periods: the exact mean, and the mean of what is unknown at both ends.

All periods count by the terms of the one that is judged, whose clause says that it is averaged. A period in which nothing
counted has no figure and leaves the mean; one that was not watched stays in its bounds. Where the Agreement is younger,
the mean is over the periods there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from slaguard.evaluation.latency import NEVER
from slaguard.evaluation.measure import Measurement


def mean_of(labels: Sequence[str], figures: Sequence[Measurement]) -> Measurement:
    """Return the figure of a period averaged with those of periods before it.

    Args:
        labels: of each period its label, the judged one first.
        figures: of each its own Measurement, from one source, with one set of exclusions.

    Returns:
        the judged period's Measurement with `value`, `best` and `worst` as means; `n`, `bad`, `allowed`, what was excluded
        and the events stay its own; `coverage` is that of the least watched period.

    """
    own, earlier = figures[0], figures[1:]
    rest = own.if_rest_is_good
    return replace(
        own,
        value=None if own.value is None else _mean([m.value for m in figures]),
        best=_mean([m.best for m in figures]),
        worst=_mean([m.worst for m in figures]),
        sampled_low=_whole_mean([m.sampled_low for m in figures]),
        sampled_high=_whole_mean([m.sampled_high for m in figures]),
        if_rest_is_good=None if rest is None else _mean([rest, *(m.best for m in earlier)]),
        coverage=min(m.coverage for m in figures),
        census=all(m.census for m in figures),
        unknown=sum(m.unknown for m in figures),
        averaged=True,
        periods=tuple((label, m.value) for label, m in zip(labels, figures, strict=True)),
    )


def _mean(values: Sequence[Fraction | None]) -> Fraction | None:
    """Return the mean of what is there; a time that is never reached makes the mean one that is never reached."""
    known = [v for v in values if v is not None]
    if not known or NEVER in known:
        return NEVER if known else None
    return sum(known, Fraction(0)) / len(known)


def _whole_mean(values: Sequence[Fraction | None]) -> Fraction | None:
    return None if None in values else _mean(values)
