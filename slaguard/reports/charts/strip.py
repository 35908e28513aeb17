"""The period at a glance: a row for each promise and one for our own watching, over one axis of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from slaguard.evaluation.result import PeriodPart
from slaguard.records import NS
from slaguard.reports import svg
from slaguard.reports.changes import Change
from slaguard.reports.charts.canvas import CHARACTER, Chart, Layout, chart, every, fits, room_for
from slaguard.reports.charts.strip_words import strip_marks, strip_words
from slaguard.reports.moments import Calendar
from slaguard.reports.subjects import Subject, gaps
from slaguard.reports.svg import Drawing
from slaguard.reports.tally import Steps
from slaguard.reports.words import clean

BAR: Final = 18
FULL_MARK: Final = 3600 * NS
"""Lost time from which a mark of downtime has its full height."""
MOST_LABELS: Final = 3


@dataclass(frozen=True, slots=True)
class Strip:
    """What the picture shows, in one layout."""

    subjects: tuple[Subject, ...]
    changes: tuple[Change, ...]
    period: PeriodPart
    as_of: int
    steps: Steps
    calendar: Calendar
    layout: Layout

    @property
    def left(self) -> int:
        """Return where the axis begins: beside the labels, or at the edge where they stand above."""
        return room_for(subject.label for subject in self.subjects) if self.layout.is_wide else 0

    @property
    def row_height(self) -> int:
        """Return the distance between rows: labels stand beside the bars, or above them."""
        return 38 if self.layout.is_wide else 46

    @property
    def top(self) -> int:
        """Return where the first row begins: below the labels of the changes."""
        lines = min(len(self.changes), MOST_LABELS) * (1 if self.layout.is_wide else 2)
        return 8 + 15 * lines

    @property
    def bottom(self) -> int:
        """Return where the rows end."""
        return self.top + self.row_height * (len(self.subjects) + 1) - 10

    @property
    def now(self) -> int:
        """Return where what is known ends."""
        return max(self.period.start, min(self.as_of, self.period.end))

    def x(self, ns: int) -> float:
        """Return the position of an instant."""
        left, right = self.left, self.layout.width
        return left + (right - left) * float(Fraction(ns - self.period.start, self.period.end - self.period.start))

    def y(self, row: int) -> int:
        """Return the top of a row's bar."""
        return self.top + self.row_height * row + (0 if self.layout.is_wide else 16)


def strip_chart(
    found: tuple[Subject, ...], changes: tuple[Change, ...], period: PeriodPart, as_of: int, calendar: Calendar
) -> Chart | None:
    """Return the picture of the whole period; None where no record has a time and no promise is over intervals.

    Args:
        found: the promises; those without anything that has a time are left out.
        changes: changes of the model.
        period: the period.
        as_of: what lies behind it is still to come.
        calendar: the contract's zone.

    """
    found = tuple(subject for subject in found if subject.dated)
    if not found:
        return None

    def draw(layout: Layout, ident: str) -> Drawing:
        return _draw(Strip(found, changes, period, as_of, found[0].tally.steps, calendar, layout), ident)

    name = calendar.period(period.label, period.start, period.end)
    marks = strip_marks(found, changes, to_come=as_of < period.end)
    return chart("strip", draw, f"{name[:1].upper()}{name[1:]} at a glance", strip_words(found, changes, calendar), marks)


def _draw(strip: Strip, ident: str) -> Drawing:
    drawing = Drawing(ident, strip.layout.width, strip.bottom + 22)
    _weekends(drawing, strip)
    for row, subject in enumerate(strip.subjects):
        _label(drawing, strip, row, subject.label)
        if subject.by_intervals:
            _time_row(drawing, strip, row, subject)
        else:
            _tile_row(drawing, strip, row, subject)
    _watching_row(drawing, strip, len(strip.subjects))
    _change_lines(drawing, strip)
    _axis(drawing, strip)
    return drawing


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _label(drawing: Drawing, strip: Strip, row: int, words: str) -> None:
    if strip.layout.is_wide:
        most = int((strip.left - 12) / CHARACTER)
        drawing.text(strip.left - 12, strip.y(row) + 13, clean(words, most), text_anchor="end")
    else:
        drawing.text(0, strip.y(row) - 5, clean(words, 48))


def _ground(drawing: Drawing, strip: Strip, row: int) -> None:
    y, known = strip.y(row), strip.x(strip.now)
    drawing.rect(strip.x(strip.period.start), y, known - strip.x(strip.period.start), BAR, svg.PALE_GREEN)
    rest = strip.x(strip.period.end) - known
    drawing.rect(known + 0.5, y + 0.5, rest - 1, BAR - 1, svg.PAPER, stroke=svg.LINE)


def _time_row(drawing: Drawing, strip: Strip, row: int, subject: Subject) -> None:
    _ground(drawing, strip, row)
    for kind, fill in (("unobserved", "unwatched"), ("excluded", "excluded")):
        for event in subject.events(kind):
            _stretch(drawing, strip, row, (event.start, event.end), drawing.texture(fill))
    for event in subject.events("down"):
        x, width = _reach(strip, event.start, event.end)
        tall = _tallness(subject.lost(event) * subject.bin_ns)
        drawing.rect(x, strip.y(row) + BAR - tall, width, tall, svg.RED)


def _tallness(lost_ns: Fraction) -> float:
    return max(5.0, BAR * min(1.0, math.sqrt(float(lost_ns) / FULL_MARK)))


def _reach(strip: Strip, start: int, end: int) -> tuple[float, float]:
    """Return where a stretch begins and how wide it is drawn: never too thin to see, never beyond the edge."""
    width = max(strip.x(end) - strip.x(start), 2.0)
    return min(strip.x(start), strip.layout.width - width), width


def _stretch(drawing: Drawing, strip: Strip, row: int, span: tuple[int, int], fill: str) -> None:
    x, width = _reach(strip, *span)
    drawing.rect(x, strip.y(row), max(width, 4.0), BAR, fill)


def _tile_row(drawing: Drawing, strip: Strip, row: int, subject: Subject) -> None:
    numbers = zip(strip.steps.buckets, subject.tally.n.tolist(), subject.tally.bad.tolist(), strict=True)
    for bucket, n, bad in numbers:
        x, y = strip.x(bucket.start), strip.y(row)
        width = strip.x(bucket.end) - x - _gutter(strip)
        told = subject.tells(bad, n) if n else None
        if n == 0:
            drawing.rect(x + 0.5, y + 0.5, width - 1, BAR - 1, svg.PAPER, stroke=svg.LINE)
        elif told is None:
            drawing.rect(x, y + BAR / 3, width, BAR / 3, svg.GREY)
        elif told:
            drawing.rect(x, y, width, BAR, svg.PALE_GREEN)
        else:
            drawing.rect(x, y, width, BAR, svg.PALE_RED)
            drawing.rect(x, y + BAR - 4, width, 4, svg.RED)


def _gutter(strip: Strip) -> float:
    return 1.0 if len(strip.steps.buckets) <= 40 else 0.0


def _watching_row(drawing: Drawing, strip: Strip, row: int) -> None:
    _label(drawing, strip, row, "our watching")
    _ground(drawing, strip, row)
    for gap in gaps(strip.subjects):
        _stretch(drawing, strip, row, gap, drawing.texture("unwatched"))
    if any(subject.by_intervals for subject in strip.subjects):
        return
    for i, bucket in enumerate(strip.steps.buckets):
        missed = max(int(s.tally.unmeasured[i]) / max(int(s.tally.unmeasured[i] + s.tally.n[i]), 1) for s in strip.subjects)
        x, tall = strip.x(bucket.start), BAR * missed
        drawing.rect(x, strip.y(row) + BAR - tall, strip.x(bucket.end) - x, tall, drawing.texture("unwatched"))


# ── around the rows ─────────────────────────────────────────────────────────────────────────────────────────────────
def _weekends(drawing: Drawing, strip: Strip) -> None:
    if strip.steps.word != "day":
        return
    for bucket in strip.steps.buckets:
        if strip.calendar.at(bucket.start).weekday() >= 5:
            x = strip.x(bucket.start)
            drawing.rect(x, strip.top - 4, strip.x(bucket.end) - x, strip.bottom - strip.top + 4, svg.SHADE)


def _change_lines(drawing: Drawing, strip: Strip) -> None:
    for i, change in enumerate(strip.changes):
        x = strip.x(change.at)
        drawing.line((x, 4), (x, strip.bottom), svg.INK, stroke_dasharray="3 3")
        if i < MOST_LABELS:
            when = strip.calendar.moment(change.at)
            lines = (f"{when} · {change.brief}",) if strip.layout.is_wide else (when, change.brief)
            first = 13 + 15 * len(lines) * i
            for j, words in enumerate(lines):
                _beside(drawing, strip, x, first + 15 * j, clean(words, 84 if strip.layout.is_wide else 48))


def _beside(drawing: Drawing, strip: Strip, x: float, y: float, words: str) -> None:
    """Write words beside a line: on its right where there is room, else on its left, else across it."""
    if fits(x + 6, words, strip.layout.width):
        drawing.text(x + 6, y, words, "note")
    elif fits(0, words, x - 6):
        drawing.text(x - 6, y, words, "note", text_anchor="end")
    else:
        right = strip.layout.width
        drawing.text(right, y, words, "note", text_anchor="end", stroke=svg.PAPER, stroke_width=4, paint_order="stroke")


def _axis(drawing: Drawing, strip: Strip) -> None:
    buckets = strip.steps.buckets
    months = {bucket.label.partition(" ")[2] for bucket in buckets}
    for i in every(len(buckets), 8 if strip.layout.is_wide else 5):
        middle = (strip.x(buckets[i].start) + strip.x(buckets[i].end)) / 2
        label = buckets[i].label.partition(" ")[0] if len(months) == 1 else buckets[i].label
        half = len(label) * 3.2
        middle = min(max(middle, half), strip.layout.width - half)
        drawing.text(middle, strip.bottom + 16, label, "tick", text_anchor="middle")
