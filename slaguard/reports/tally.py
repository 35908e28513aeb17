"""Records counted by day and by class, for pictures and tables, and the proof that they add up to the Evaluation.

Nothing here decides: a picture whose counts are not those of the Evaluation would show other records than those that
were judged, so the report is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from slaguard.errors import SlaguardError
from slaguard.evaluation.result import ObjectiveResult, PeriodPart
from slaguard.records import NS, NULL
from slaguard.reports.inputs import counts_column, heading
from slaguard.reports.moments import Calendar

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
HOUR: Final = 3600 * NS
MOST_DAYS: Final = 100
"""Longer periods are shown by weeks."""


class ReportRefused(SlaguardError):  # noqa: N818 - what happened is the name
    """A report was not written, because it would not be true."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """One step of a picture's time axis: a local day, or an hour or a week where the period is short or long."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Steps:
    """The time axis of a period."""

    buckets: tuple[Bucket, ...]
    word: str
    """day, hour or week."""

    def edges(self) -> Ints:
        """Return the instants between the buckets, and both ends: one more than there are buckets."""
        return np.array([*(b.start for b in self.buckets), self.buckets[-1].end], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Tally:
    """For each bucket how many events of a promise were counted and how many went against it.

    `undated` are those without a time of their own; they belong to no bucket.
    """

    steps: Steps
    n: Ints
    bad: Ints
    unmeasured: Ints
    undated: int


def steps_of(period: PeriodPart, calendar: Calendar) -> Steps:
    """Return the time axis of a period: local days; hours up to two days, weeks over a hundred."""
    days = _days(period, calendar)
    if len(days) <= 2:
        hours = range(period.start, period.end, HOUR)
        return Steps(tuple(Bucket(h, min(h + HOUR, period.end), calendar.time(h)) for h in hours), "hour")
    if len(days) <= MOST_DAYS:
        return Steps(days, "day")
    weeks = [days[i : i + 7] for i in range(0, len(days), 7)]
    return Steps(tuple(Bucket(w[0].start, w[-1].end, w[0].label) for w in weeks), "week")


def _days(period: PeriodPart, calendar: Calendar) -> tuple[Bucket, ...]:
    found: list[Bucket] = []
    start, day = period.start, calendar.at(period.start).date()
    while start < period.end:
        day += timedelta(days=1)
        end = min(calendar.ns(day), period.end)
        found.append(Bucket(start, end, calendar.short_day(start)))
        start = end
    return tuple(found)


# ── columns ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def counts_of(records: pd.DataFrame, result: ObjectiveResult) -> pd.Series[str]:
    """Return how each record counts for a promise.

    Raises:
        ReportRefused: the records have no such column.

    """
    name = counts_column(result)
    if name not in records:
        msg = f"report: E-REPORT-COLUMN  the records do not say how they count for {heading(result)} ({name})"
        raise ReportRefused(f"{msg}\n    make the report from the records that were evaluated")
    return records[name].astype(str)


def whole(records: pd.DataFrame, name: str) -> Ints:
    """Return a column of whole numbers as int64; a value or a column that is not there is `NULL`."""
    if name not in records:
        return np.full(len(records), NULL, dtype=np.int64)
    values: Ints = np.asarray(records[name].astype("Int64").to_numpy(dtype=np.int64, na_value=NULL), dtype=np.int64)
    return values


def words(records: pd.DataFrame, name: str) -> pd.Series[str]:
    """Return a column of words; a value or a column that is not there is empty."""
    if name not in records:
        return pd.Series("", index=records.index, dtype=str)
    column = records[name]
    return column.where(column.notna(), "").astype(str)


def tally(records: pd.DataFrame, result: ObjectiveResult, steps: Steps) -> Tally:
    """Count a promise's records by bucket, and prove that they are the Evaluation's.

    Raises:
        ReportRefused: the counts are not those that were evaluated, or a counted record lies outside the period.

    """
    counts, sent = counts_of(records, result), whole(records, "sent_at")
    fail, ok = (counts == "fail").to_numpy(dtype=bool), (counts == "ok").to_numpy(dtype=bool)
    unmeasured = (counts == "unmeasured").to_numpy(dtype=bool)
    counted = fail | ok
    undated = counted & (sent == NULL)
    found = Tally(
        steps,
        _by_bucket(sent[counted & ~undated], steps),
        _by_bucket(sent[fail & ~undated], steps),
        _by_bucket(sent[unmeasured & (sent != NULL)], steps),
        int(undated.sum()),
    )
    if result.estimate.noun not in {"interval", "minute"}:
        undated_bad = int((undated & fail).sum())
        must_equal(result, "counted", int(found.n.sum()) + found.undated, result.estimate.n)
        must_equal(result, "against the promise", int(found.bad.sum()) + undated_bad, result.estimate.bad)
    return found


def _by_bucket(sent: Ints, steps: Steps) -> Ints:
    """Count times by bucket; those before the first and after the last are in none, and the sums will tell."""
    edges = steps.edges()
    where = np.searchsorted(edges, sent, side="right") - 1
    inside = (where >= 0) & (where < len(steps.buckets))
    counted: Ints = np.bincount(where[inside], minlength=len(steps.buckets)).astype(np.int64)
    return counted


# ── adding up ───────────────────────────────────────────────────────────────────────────────────────────────────────
def must_equal(result: ObjectiveResult, what: str, shown: Fraction | int, evaluated: Fraction | int) -> None:
    """Refuse to show a count that is not the Evaluation's.

    Raises:
        ReportRefused: they differ.

    """
    if shown != evaluated:
        name, noun = heading(result), result.estimate.noun
        told = f"{name}: {shown} {noun}s {what} in the records, {evaluated} in the evaluation"
        mend = "make the report from the records and the --as-of that were evaluated"
        raise ReportRefused(f"report: E-REPORT-SUM  {told}\n    {mend}")


def must_add_up(what: str, parts: Sequence[Fraction | int], total: Fraction | int) -> None:
    """Refuse a table whose parts are not its total.

    Raises:
        ReportRefused: they do not add up.

    """
    if sum(parts, Fraction(0)) != total:
        mend = "this is a fault of slaguard; please report it with the evaluation.json"
        raise ReportRefused(f"report: E-REPORT-SUM  {what}: {sum(parts, Fraction(0))} is not {total}\n    {mend}")
