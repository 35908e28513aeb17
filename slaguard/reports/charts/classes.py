"""Before and after a change of the model: the share of good answers, by kind of question."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pandas as pd

from slaguard.records import NULL
from slaguard.reports import svg
from slaguard.reports.changes import Change
from slaguard.reports.charts.canvas import Chart, Layout, chart
from slaguard.reports.moments import Calendar
from slaguard.reports.subjects import Subject
from slaguard.reports.svg import Drawing
from slaguard.reports.tally import counts_of, must_equal, whole, words
from slaguard.reports.words import clean, percent

STEP = 36
WORSE = Fraction(5, 100)
"""A fall of more than this is marked."""


@dataclass(frozen=True, slots=True)
class Side:
    """Answers on one side of the change."""

    n: int
    bad: int

    @property
    def good(self) -> Fraction:
        """Return the share of good answers; only asked where there are answers."""
        return 1 - Fraction(self.bad, self.n)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind of question, before and after."""

    name: str
    before: Side
    after: Side

    @property
    def fall(self) -> Fraction:
        """Return by how much the share of good answers fell."""
        return self.before.good - self.after.good


@dataclass(frozen=True, slots=True)
class BeforeAfter:
    """One change with its effect: all answers, and each kind that was asked on both sides."""

    change: Change
    whole: Comparison
    classes: tuple[Comparison, ...]


def before_after(
    subject: Subject, records: pd.DataFrame, changes: tuple[Change, ...], classes: dict[str, str]
) -> BeforeAfter | None:
    """Return the change with the largest effect on a promise, between the changes next to it; None where there is none.

    Args:
        subject: the promise; its counted records are compared.
        records: one row for each Observation.
        changes: the changes of the model, in time order.
        classes: the class of each question, by its id.

    Raises:
        ReportRefused: the compared answers are not all that were counted.

    """
    counts, sent = counts_of(records, subject.result), whole(records, "sent_at")
    fail = (counts == "fail").to_numpy(dtype=bool)
    counted = fail | (counts == "ok").to_numpy(dtype=bool)
    items = words(records, "golden_item").map(lambda item: classes.get(item, ""))
    frame = pd.DataFrame({"at": sent, "fail": fail, "kind": items.to_numpy(dtype=object)})[counted]
    must_equal(subject.result, "counted", len(frame), subject.result.estimate.n)
    frame = frame[frame["at"] != NULL]
    edges = [NULL + 1, *(change.at for change in changes), 2**63 - 1]
    found = [_effect(frame, change, edges[i], edges[i + 2]) for i, change in enumerate(changes)]
    effects = [one for one in found if one is not None]
    return max(effects, key=lambda one: (abs(one.whole.fall), -one.change.at), default=None)


def _effect(frame: pd.DataFrame, change: Change, start: int, end: int) -> BeforeAfter | None:
    near = frame[(frame["at"] >= start) & (frame["at"] < end)]
    total = _comparison("all", near, change.at)
    if total is None:
        return None
    kinds = (_comparison(str(kind), part, change.at) for kind, part in near.groupby("kind", sort=True) if kind)
    found = [one for one in kinds if one is not None]
    return BeforeAfter(change, total, tuple(sorted(found, key=lambda one: (-one.fall, one.name))))


def _comparison(name: str, part: pd.DataFrame, at: int) -> Comparison | None:
    later = part["at"] >= at
    before = Side(int((~later).sum()), int(part.loc[~later, "fail"].sum()))
    after = Side(int(later.sum()), int(part.loc[later, "fail"].sum()))
    return Comparison(name, before, after) if before.n and after.n else None


def class_chart(ident: str, effect: BeforeAfter, calendar: Calendar, noun: str) -> Chart:
    """Return the picture of a change by kind of question; of all answers together where there are no kinds."""
    rows = effect.classes or (effect.whole,)

    def draw(layout: Layout, ident: str) -> Drawing:
        return _draw(rows, layout, ident)

    day = calendar.moment(effect.change.at)
    listed = "; ".join(f"{one.name}: {percent(one.before.good)}, then {percent(one.after.good)}" for one in rows)
    marks = [("before", f"before {day}"), ("after", "after")]
    if any(one.fall > WORSE for one in rows):
        marks.append(("worse", f"after, more than {int(WORSE * 100)} points lower"))
    return chart(ident, draw, f"Share of good {noun}s before and after {day}", f"{listed}.", tuple(marks))


def _draw(rows: tuple[Comparison, ...], layout: Layout, ident: str) -> Drawing:
    step = STEP if layout.is_wide else 48
    drawing = Drawing(ident, layout.width, step * len(rows) + 20)
    left = 150 if layout.is_wide else 8
    right = layout.width - (128 if layout.is_wide else 8)

    def x(share: Fraction) -> float:
        return left + (right - left) * float(share)

    for i, row in enumerate(rows):
        y = i * step + (16 if layout.is_wide else 32)
        _row(drawing, row, (left, right, y), layout)
        ends = x(row.before.good), x(row.after.good)
        drawing.line((ends[0], y), (ends[1], y), svg.INK, stroke_width=2)
        drawing.circle(ends[0], y, 5, svg.PAPER, stroke=svg.INK, stroke_width=2)
        drawing.circle(ends[1], y, 5.5, svg.RED if row.fall > WORSE else svg.INK)
    foot = step * len(rows) + (10 if layout.is_wide else 14)
    for share, anchor in ((Fraction(0), "start"), (Fraction(1, 2), "middle"), (Fraction(1), "end")):
        drawing.text(x(share), foot, percent(share), "tick", text_anchor=anchor)
    return drawing


def _row(drawing: Drawing, row: Comparison, place: tuple[int, int, int], layout: Layout) -> None:
    left, right, y = place
    figures = f"{percent(row.before.good).split(chr(0x202F))[0]} → {percent(row.after.good)}"
    drawing.line((left, y), (right, y), svg.LINE)
    if layout.is_wide:
        drawing.text(left - 14, y + 4, clean(row.name, 20), text_anchor="end")
        drawing.text(right + 14, y + 4, figures, "num")
    else:
        drawing.text(0, y - 14, clean(row.name, 26))
        drawing.text(layout.width, y - 14, figures, "num", text_anchor="end")
