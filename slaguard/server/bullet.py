"""The small picture of "how sure": the measured figure and its interval against the promise, the good side shaded.

The scale is each picture's own. It runs from the lowest to the highest of target, figure and interval, with 28 % of that
stretch to spare on both sides, cut at 0 and (of a share) at 100 %. So a picture says on which side of the promise a figure
lies and whether the interval crosses it; how far that is in percent or seconds stand the numbers beside it.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from markupsafe import Markup

from slaguard.evaluation.result import ObjectiveResult
from slaguard.reports.svg import BLUE, INK, PALE_GREEN, Drawing
from slaguard.reports.words import figure, figure_range, percent, promise
from slaguard.spec.scalars import Quantity
from slaguard.terms import BoundWord

WIDTH: Final = 190
HEIGHT: Final = 26
_MIDDLE: Final = HEIGHT / 2
_SPARE: Final = Fraction(28, 100)
_EDGE: Final = 6
"""Room for half a dot at both ends, pixels."""


def bullet(ident: str, result: ObjectiveResult, nearest: Fraction) -> Markup:
    """Return the picture of one result.

    Args:
        ident: tells its ids from those of other pictures on the page.
        result: the promise with its figure and interval.
        nearest: the edge that the printed figure must not be mistaken for.

    """
    limit, estimate = Quantity.parse(result.target.limit).value, result.estimate
    place = _scale([limit, *(v for v in (estimate.value, estimate.low, estimate.high) if v is not None)], result.unit)
    draw, at = Drawing(ident, WIDTH, HEIGHT), place(limit)
    floor = BoundWord(result.target.word).is_floor
    draw.rect(at if floor else 0, 5, WIDTH - at if floor else at, 16, PALE_GREEN, class_="good")
    if estimate.low is not None and estimate.low != estimate.high:
        end = WIDTH - _EDGE if estimate.high is None else place(estimate.high)
        ends = (place(estimate.low), _MIDDLE), (end, _MIDDLE)
        draw.line(*ends, BLUE, stroke_width=4, stroke_opacity="0.45", class_="span")
    draw.line((at, 2), (at, HEIGHT - 2), INK, stroke_width=1.5, class_="mark")
    if estimate.value is not None:
        draw.circle(place(estimate.value), _MIDDLE, 4.5, BLUE, class_="dot")
    return draw.render("how sure", describe(result, nearest))


def describe(result: ObjectiveResult, nearest: Fraction) -> str:
    """Return what the picture shows, in words: ``measured 98.93 %, counted; promised at least 99.5 %``."""
    measured = figure(result.estimate.value, result.unit, nearest)
    return f"measured {measured}, {how_sure(result, nearest)}; promised {promise(result.target)}"


def how_sure(result: ObjectiveResult, nearest: Fraction) -> str:
    """Return ``counted``, the interval of a sample with its confidence, or the range that unwatched time leaves."""
    estimate = result.estimate
    if estimate.low is None:
        return "no figure" if estimate.value is None else "counted"
    if estimate.confidence is None and estimate.low == estimate.high:
        return "counted"
    ends = figure_range(estimate.low, estimate.high, result.unit, nearest)
    return f"{ends} with what was not seen" if estimate.confidence is None else f"{ends} ({percent(estimate.confidence)})"


class _Place:
    """From a figure to a place on the line."""

    def __init__(self, low: Fraction, high: Fraction) -> None:
        self._low, self._length = low, high - low

    def __call__(self, value: Fraction) -> float:
        return _EDGE + float((value - self._low) / self._length) * (WIDTH - 2 * _EDGE)


def _scale(values: list[Fraction], unit: str) -> _Place:
    low, high = min(values), max(values)
    spare = (high - low) * _SPARE or abs(high) / 10 or Fraction(1, 100)
    first, last = max(Fraction(0), low - spare), high + spare
    if unit == "ratio":
        last = min(max(Fraction(1), high), last)
    return _Place(first, last) if first < last else _Place(low - spare, high + spare)
