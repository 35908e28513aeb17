"""A share by day, with the exact 95 % interval of each day, against the promise."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt

from slaguard.reports import svg
from slaguard.reports.changes import Change
from slaguard.reports.charts.canvas import Chart, Layout, chart, every, ticks
from slaguard.reports.subjects import EACH_SIDE, Subject
from slaguard.reports.svg import Drawing
from slaguard.reports.words import percent, promised
from slaguard.stats import fixed_ci

Floats = npt.NDArray[np.float64]
TOP: Final = 16


@dataclass(frozen=True, slots=True)
class Days:
    """The points: for each bucket the share, the ends of its interval, and whether it would keep the promise alone."""

    share: Floats
    low: Floats
    high: Floats
    n: tuple[int, ...]
    kept: tuple[bool, ...]

    @classmethod
    def of(cls, subject: Subject) -> Days:
        """Return the points of a promise; a bucket without events is not a number."""
        n, bad = subject.tally.n, subject.tally.bad
        low, high = (np.asarray(end, dtype=np.float64) for end in fixed_ci(bad, n, EACH_SIDE))
        share = np.where(n > 0, bad / np.maximum(n, 1), np.nan)
        if subject.floor:
            share, low, high = 1 - share, 1 - high, 1 - low
        kept = tuple(subject.keeps(b, m) for b, m in zip(bad.tolist(), n.tolist(), strict=True))
        return cls(share, low, high, tuple(n.tolist()), kept)

    def stretches(self) -> list[list[int]]:
        """Return the runs of buckets that have events."""
        runs: list[list[int]] = []
        for i, size in enumerate(self.n):
            if size and i and self.n[i - 1]:
                runs[-1].append(i)
            elif size:
                runs.append([i])
        return runs


@dataclass(frozen=True, slots=True)
class Axes:
    """Positions in one layout."""

    layout: Layout
    rungs: tuple[Fraction, ...]
    left: int
    count: int

    @property
    def right(self) -> int:
        """Return where the plot ends."""
        return self.layout.width - (24 if self.layout.is_wide else 10)

    @property
    def bottom(self) -> int:
        """Return where the plot stands."""
        return 226 if self.layout.is_wide else 216

    def x(self, i: float) -> float:
        """Return the position of the middle of a bucket."""
        return self.left + (self.right - self.left) * (i + 0.5) / self.count

    def y(self, share: float) -> float:
        """Return the height of a share."""
        low, high = float(self.rungs[0]), float(self.rungs[-1])
        return self.bottom - (self.bottom - TOP) * (share - low) / (high - low)


def day_chart(ident: str, subject: Subject, changes: tuple[Change, ...]) -> Chart | None:
    """Return the picture of a share by day; None where fewer than two days have events, or none has a time."""
    days = Days.of(subject)
    if sum(1 for n in days.n if n) < 2:
        return None

    def draw(layout: Layout, ident: str) -> Drawing:
        return _draw(subject, days, changes, layout, ident)

    step = subject.tally.steps.word
    undated = f"; {subject.tally.undated:,} without a time of their own are not in it" if subject.tally.undated else ""
    caption = f"{_what(subject)} by {step}{undated}"
    marks = [
        ("interval", f"the share of a {step} and its exact 95 % interval"),
        ("target", f"promised: {_limit(subject)}"),
    ]
    if not all(kept for kept, n in zip(days.kept, days.n, strict=True) if n):
        marks.append(("below_day", f"a {step} that missed the promise"))
    if changes:
        marks.append(("change", "the model changed"))
    title = f"{subject.name} by {step} against the promise"
    return chart(ident, draw, title, _description(subject, days), tuple(marks), caption)


def _limit(subject: Subject) -> str:
    if subject.result.unit == "ms":
        return f"at most {percent(subject.share)} over the limit"
    return promised(subject.result)


def _what(subject: Subject) -> str:
    noun = subject.result.estimate.noun
    if subject.result.unit == "ms":
        return f"share of {noun}s over the limit"
    if subject.floor:
        return f"share of {subject.good_word} {noun}s"
    return f"share of {noun}s that went against the promise"


def _limit_share(subject: Subject) -> float:
    share = float(subject.share)
    return 1 - share if subject.floor else share


def _draw(subject: Subject, days: Days, changes: tuple[Change, ...], layout: Layout, ident: str) -> Drawing:
    limit = _limit_share(subject)
    low = min(float(np.nanmin(np.where(np.isnan(days.share), np.nan, days.low))), limit)
    high = max(float(np.nanmax(np.where(np.isnan(days.share), np.nan, days.high))), limit)
    rungs = tuple(r for r in ticks(low, max(high, low + 0.01), 4) if 0 <= r <= 1)
    labels = [_rung(r, rungs) for r in rungs]
    axes = Axes(layout, rungs, 10 + 7 * max(map(len, labels)), len(days.n))
    drawing = Drawing(ident, layout.width, axes.bottom + 26)
    _scales(drawing, axes, labels, subject)
    _band(drawing, axes, days)
    y = axes.y(limit)
    drawing.line((axes.left, y), (axes.right, y), svg.RED, stroke_width=1.5)
    for change in changes:
        x = _time_x(axes, subject, change.at)
        drawing.line((x, TOP - 6), (x, axes.bottom), svg.INK, stroke_dasharray="3 3")
    _points(drawing, axes, days)
    return drawing


def _rung(share: Fraction, rungs: tuple[Fraction, ...]) -> str:
    digits = 0
    while any((r * 100 * 10**digits).denominator != 1 for r in rungs):
        digits += 1
    return f"{float(share * 100):.{digits}f} %"


def _scales(drawing: Drawing, axes: Axes, labels: list[str], subject: Subject) -> None:
    for rung, label in zip(axes.rungs, labels, strict=True):
        y = axes.y(float(rung))
        drawing.line((axes.left, y), (axes.right, y), svg.LINE)
        drawing.text(axes.left - 8, y + 4, label, "tick", text_anchor="end")
    buckets = subject.tally.steps.buckets
    for i in every(len(buckets), 8 if axes.layout.is_wide else 4):
        half = len(buckets[i].label) * 3.2
        x = min(axes.x(i), axes.layout.width - half)
        drawing.text(x, axes.bottom + 18, buckets[i].label, "tick", text_anchor="middle")


def _band(drawing: Drawing, axes: Axes, days: Days) -> None:
    for run in days.stretches():
        if len(run) == 1:
            x = axes.x(run[0])
            drawing.line((x, axes.y(days.low[run[0]])), (x, axes.y(days.high[run[0]])), svg.BLUE, opacity="0.4")
            continue
        over = [(axes.x(i), axes.y(days.high[i])) for i in run]
        under = [(axes.x(i), axes.y(days.low[i])) for i in reversed(run)]
        drawing.polygon([*over, *under], svg.BLUE, opacity="0.14")
        drawing.polyline([(axes.x(i), axes.y(days.share[i])) for i in run], svg.BLUE, stroke_width=2)


def _points(drawing: Drawing, axes: Axes, days: Days) -> None:
    small = len(days.n) > 40 or not axes.layout.is_wide
    for i, (n, kept) in enumerate(zip(days.n, days.kept, strict=True)):
        if n and kept and not small:
            drawing.circle(axes.x(i), axes.y(days.share[i]), 3, svg.PAPER, stroke=svg.BLUE, stroke_width=1.5)
        elif n and not kept:
            drawing.circle(axes.x(i), axes.y(days.share[i]), 2.5 if small else 3.8, svg.RED)


def _time_x(axes: Axes, subject: Subject, at: int) -> float:
    buckets = subject.tally.steps.buckets
    where = next((i for i, bucket in enumerate(buckets) if bucket.start <= at < bucket.end), len(buckets) - 1)
    bucket = buckets[where]
    inside = (at - bucket.start) / (bucket.end - bucket.start)
    return axes.x(where + inside - 0.5)


def _description(subject: Subject, days: Days) -> str:
    known = [i for i, n in enumerate(days.n) if n]
    worst = min(known, key=lambda i: days.share[i] * (1 if subject.floor else -1))
    best = max(known, key=lambda i: days.share[i] * (1 if subject.floor else -1))
    labels = [bucket.label for bucket in subject.tally.steps.buckets]
    missed = sum(not days.kept[i] for i in known)
    step = subject.tally.steps.word
    ends = [f"{labels[i]} with {_shown(days.share[i])}" for i in (best, worst)]
    missed_words = f"{missed} of {len(known)} {step}s missed the promise ({_limit(subject)})."
    return f"{missed_words} The best was {ends[0]}, the worst {ends[1]}."


def _shown(share: float) -> str:
    return percent(Fraction(round(share * 10**6), 10**6))
