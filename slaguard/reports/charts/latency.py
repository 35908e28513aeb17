"""How long requests took: the distribution, the limit, and where the promised percentile lies."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

from slaguard.records import NS_PER_MS, NULL
from slaguard.reports import svg
from slaguard.reports.charts.canvas import Chart, Layout, chart, fits, ticks
from slaguard.reports.subjects import Subject
from slaguard.reports.svg import Drawing
from slaguard.reports.tally import counts_of, must_equal, whole
from slaguard.reports.words import duration, percent
from slaguard.spec.model import LatencyField, Percentile, RequestAttainment

Ints = npt.NDArray[np.int64]
BARS = 40
TOP = 34


@dataclass(frozen=True, slots=True)
class Times:
    """Counted requests by how long they took: bars of `step` milliseconds, the slower ones, and those without an answer."""

    step: int
    bars: tuple[int, ...]
    slower: int
    unanswered: int
    limit: Fraction
    strict: bool
    """A time equal to the limit misses it."""

    @property
    def top(self) -> int:
        """Return the tallest bar."""
        return max(*self.bars, self.slower, self.unanswered, 1)


def times_of(subject: Subject, records: pd.DataFrame) -> Times | None:
    """Return the distribution of a latency promise's counted requests; None for other promises.

    Raises:
        ReportRefused: the requests or those over the limit are not as many as were counted.

    """
    rule = subject.objective.indicator
    if not isinstance(rule, Percentile | RequestAttainment) or subject.result.estimate.n == 0:
        return None
    if isinstance(rule, RequestAttainment) and rule.within is None:
        return None  # a speed is no time
    within = rule.within if isinstance(rule, RequestAttainment) else None
    bound = within.bound if within is not None else subject.objective.bound
    strict = bound.word.value == "less_than"
    ms, unanswered = _counted_ms(subject, records, rule)
    over = int((ms >= int(bound.value)).sum() if strict else (ms > int(bound.value)).sum())
    must_equal(subject.result, "counted", len(ms) + unanswered, subject.result.estimate.n)
    must_equal(subject.result, "over the limit", over + unanswered, subject.result.estimate.bad)
    step = _step(ms, bound.value)
    bars = np.bincount(np.minimum((ms - 1).clip(0) // step, BARS), minlength=BARS + 1)
    return Times(step, tuple(bars[:BARS].tolist()), int(bars[BARS]), unanswered, bound.value, strict)


def _counted_ms(subject: Subject, records: pd.DataFrame, rule: Percentile | RequestAttainment) -> tuple[Ints, int]:
    """Return the times of the counted requests, in whole milliseconds rounded up, and how many had no answer."""
    counts = counts_of(records, subject.result)
    column = "time_to_first_token_ns" if rule.field is LatencyField.TIME_TO_FIRST_TOKEN else "total_time_ns"
    ns = whole(records, column)
    counted = counts.isin(["ok", "fail"]).to_numpy(dtype=bool)
    failed = (records["outcome"].astype(str) != "ok").to_numpy(dtype=bool) & (counts == "fail").to_numpy(dtype=bool)
    timed = ns[counted & ~failed & (ns != NULL)]
    return -(-timed // NS_PER_MS), int(counted.sum()) - len(timed)


def _step(ms: Ints, limit: Fraction) -> int:
    """Return the width of a bar: round, an exact part of the limit, and the bars reach well past it."""
    reach = max(int(np.quantile(ms, 0.99)) if len(ms) else 1, int(limit * 3 / 2), 1)
    wanted = reach / BARS
    parts = [limit / k for k in range(1, 61) if (limit / k).denominator == 1]
    fitting = [int(part) for part in parts if part >= wanted]
    return min(fitting, default=int(ticks(0.0, float(reach), BARS)[1]) or 1)


def latency_chart(ident: str, subject: Subject, times: Times) -> Chart:
    """Return the picture of a distribution of times."""

    def draw(layout: Layout, ident: str) -> Drawing:
        return _draw(subject, times, layout, ident)

    marks = [("good", "within the limit"), ("missed", "over the limit"), ("target", f"the limit, {duration(times.limit)}")]
    if times.unanswered:
        marks.append(("down", "no answer"))
    estimate = subject.result.estimate
    words = f"{estimate.n - int(estimate.bad):,} of {estimate.n:,} requests kept the limit of {duration(times.limit)}."
    if times.unanswered:
        words += f" {times.unanswered:,} had no answer."
    caption = f"requests by how long they took, in steps of {duration(Fraction(times.step))}"
    return chart(ident, draw, f"{subject.name}: how long requests took", words, tuple(marks), caption)


def _draw(subject: Subject, times: Times, layout: Layout, ident: str) -> Drawing:
    drawing = Drawing(ident, layout.width, 226)
    left, right, bottom = 4.0, layout.width - 112.0, 186.0
    width = (right - left) / BARS
    for i, size in enumerate(times.bars):
        over = i * times.step >= times.limit
        _bar(drawing, (left + i * width, width - 1, bottom), size / times.top, over=over)
    _ends(drawing, times, right, bottom)
    drawing.line((left, bottom), (right, bottom), svg.MUTE)
    for tick in ticks(0.0, float(BARS * times.step), 6 if layout.is_wide else 3)[:-1]:
        x = left + float(tick) / times.step * width
        anchor = "start" if tick == 0 else "middle"
        drawing.text(x, bottom + 18, duration(tick) if tick else "0", "tick", text_anchor=anchor)
    _lines(drawing, subject, times, (left, width, right, bottom))
    return drawing


def _bar(drawing: Drawing, place: tuple[float, float, float], share: float, *, over: bool) -> None:
    x, width, bottom = place
    tall = (bottom - TOP) * share
    if share > 0:
        tall = max(tall, 1.0)
        drawing.rect(x, bottom - tall, width, tall, drawing.texture("missed") if over else "#9fcdb5")


def _ends(drawing: Drawing, times: Times, right: float, bottom: float) -> None:
    room = drawing.width - float(right)
    x = right + 16
    beyond = duration(Fraction(BARS * times.step))
    if times.slower:
        _bar(drawing, (x, 18, bottom), times.slower / times.top, over=True)
        drawing.text(x + 9, bottom + 18, f"> {beyond}", "tick", text_anchor="middle")
        drawing.text(x + 9, bottom + 32, f"{times.slower:,}", "tick", text_anchor="middle")
    if times.unanswered:
        x = right + room - 34
        tall = max((bottom - TOP) * times.unanswered / times.top, 1.0)
        drawing.rect(x, bottom - tall, 18, tall, svg.RED)
        drawing.text(drawing.width, bottom + 18, "no answer", "tick", text_anchor="end")
        drawing.text(drawing.width, bottom + 32, f"{times.unanswered:,}", "tick", text_anchor="end")


def _lines(drawing: Drawing, subject: Subject, times: Times, place: tuple[float, float, float, float]) -> None:
    left, width, right, bottom = place
    x = left + float(times.limit) / times.step * width
    drawing.line((x, TOP - 8), (x, bottom), svg.RED, stroke_width=2)
    _note(drawing, x, TOP - 12, f"limit {duration(times.limit)}", svg.RED)
    rule, value = subject.objective.indicator, subject.result.estimate.value
    if isinstance(rule, Percentile) and value is not None:
        at = min(left + float(value) / times.step * width, right)
        drawing.line((at, 12), (at, bottom), svg.INK, stroke_dasharray="3 3")
        _note(drawing, at, 10, f"{percent(rule.p)} took at most {duration(value, times.limit)}", svg.INK)


def _note(drawing: Drawing, x: float, y: float, words: str, fill: str) -> None:
    if fits(x + 5, words, float(drawing.width)):
        drawing.text(x + 5, y, words, "note", fill=fill)
    else:
        drawing.text(x - 5, y, words, "note", fill=fill, text_anchor="end")
