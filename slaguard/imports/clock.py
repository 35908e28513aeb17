"""When a call happened: from columns of times, from durations, or only the batch it was made in.

A failed call has no latency that was not measured: a 0 or an empty cell is missing, and none is derived for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from slaguard.errors import RecordsError
from slaguard.imports.cells import Cells, RowError, parsed
from slaguard.imports.mapping import BatchForm, DurationField, Mapping, TimeField
from slaguard.imports.times import Zoned
from slaguard.imports.values import duration_ns
from slaguard.records import NS_PER_MS, Span

NOT_CLOCK = "a first byte outside its call (before the start or after the end): not taken as a time"
AT_END = "failed calls with an end and no duration: placed at their end"
BEFORE = "the answer ended before the request was sent; is the unit of the times right?"


@dataclass(slots=True)
class Times:
    """All times of one record, UTC nanoseconds, and durations in nanoseconds."""

    sent_at: int | None = None
    first_byte_at: int | None = None
    ended_at: int | None = None
    scheduled_at: int | None = None
    time_to_first_token_ns: int | None = None
    total_time_ns: int | None = None
    batch_start: int | None = None
    batch_end: int | None = None

    @property
    def known_at(self) -> int:
        """When the record could be known: at the call's end, else when it was sent, else at the batch's end."""
        return next(t for t in (self.ended_at, self.sent_at, self.batch_end) if t is not None)


class Clockwork:
    """Reads the times of a row as the mapping says."""

    def __init__(self, mapping: Mapping, notes: Counter[str]) -> None:
        """Compile the time columns."""
        fields, self._notes = mapping.fields, notes
        self._zoned: list[Zoned] = []
        zone = mapping.zone
        self._times = {n: self._time(n, f, zone) for n in _TIMES if (f := getattr(fields, n)) is not None}
        self._durations = {n: _duration(n, f) for n in _DURATIONS if (f := getattr(fields, n)) is not None}
        self._batch = self._span(mapping.time.batch, zone) if mapping.time else None

    @property
    def ambiguous(self) -> int:
        """How many local times happened twice; the first was taken."""
        return sum(z.ambiguous for z in self._zoned)

    def read(self, cells: Cells, *, failed: bool) -> Times:
        """Return the times of a row.

        Raises:
            RowError: a time or duration cannot be read, there is no time at all, or the end lies before the start.

        """
        times = Times(**{name: read(cells) for name, read in self._times.items()})
        for name, read in self._durations.items():
            measured = read(cells)
            if failed and measured == 0:
                self._notes[f"failed calls with a {name} of 0: taken as not measured"] += 1
                measured = None
            setattr(times, f"{name}_ns", measured)
        if self._batch is not None:
            times.batch_start, times.batch_end = self._batch(cells)
            return times
        self._complete(times, failed)
        return times

    def _complete(self, t: Times, failed: bool) -> None:
        """Derive start, end and durations from each other."""
        if t.sent_at is None and t.ended_at is not None:
            if t.total_time_ns is None:
                self._notes[AT_END if failed else AT_END.removeprefix("failed ")] += 1
            t.sent_at = t.ended_at - (t.total_time_ns or 0)
        if t.sent_at is None:
            raise RowError(self._clock_column(), "no time; every call needs one")
        if t.ended_at is None and t.total_time_ns is not None:
            t.ended_at = t.sent_at + t.total_time_ns
        elif t.ended_at is not None and t.total_time_ns is None and not failed and "sent_at" in self._times:
            t.total_time_ns = t.ended_at - t.sent_at
        if t.ended_at is not None and t.ended_at < t.sent_at:
            raise RowError(self._clock_column(), BEFORE)
        self._first_byte(t, t.sent_at, failed)

    def _first_byte(self, t: Times, sent_at: int, failed: bool) -> None:
        if t.first_byte_at is not None and not sent_at <= t.first_byte_at <= (t.ended_at or t.first_byte_at):
            # Some gateways write a duration or the time of their own queue here.
            self._notes[NOT_CLOCK] += 1
            t.first_byte_at = None
        if t.first_byte_at is None and t.time_to_first_token_ns is not None:
            t.first_byte_at = sent_at + t.time_to_first_token_ns
        elif t.first_byte_at is not None and t.time_to_first_token_ns is None and not failed:
            t.time_to_first_token_ns = t.first_byte_at - sent_at

    def _clock_column(self) -> str:
        return "sent_at" if "sent_at" in self._times else "ended_at"

    def _time(self, name: str, field: TimeField, zone: str | None) -> Callable[[Cells], int | None]:
        zoned = Zoned(field.format, field.zone or zone)
        self._zoned.append(zoned)
        columns = field.column

        def read(cells: Cells) -> int | None:
            column, text = cells.first(columns, name)
            return parsed(column, text, zoned)

        return read

    def _span(self, batch: BatchForm, zone: str | None) -> Callable[[Cells], Span]:
        if batch.span is not None:
            span = batch.span
            return lambda _: span
        if batch.ends is not None:
            return _needed(batch.ends, self._ends(batch, batch.ends, zone))
        if batch.day is None:
            raise RecordsError("time.batch: write one of span, day, ends")
        return _needed(batch.day, Zoned(batch.day.format, batch.day.zone or zone).day)

    def _ends(self, batch: BatchForm, field: TimeField, zone: str | None) -> Callable[[str], Span]:
        zoned = Zoned(field.format, field.zone or zone)
        self._zoned.append(zoned)
        length = (batch.within or 0) * NS_PER_MS

        def span(text: str) -> Span:
            end = zoned(text)
            return end - length, end

        return span


_TIMES = ("scheduled_at", "sent_at", "first_byte_at", "ended_at")
_DURATIONS = ("time_to_first_token", "total_time")


def _duration(name: str, field: DurationField) -> Callable[[Cells], int | None]:
    columns, unit = field.column, field.unit

    def read(cells: Cells) -> int | None:
        column, text = cells.first(columns, name)
        return parsed(column, text, lambda t: duration_ns(t, unit))

    return read


def _needed(field: TimeField, span: Callable[[str], Span]) -> Callable[[Cells], Span]:
    columns = field.column

    def read(cells: Cells) -> Span:
        column, text = cells.first(columns, "batch")
        found = parsed(column, text, span)
        if found is None:
            raise RowError(column, "no date; every record needs its day or run")
        return found

    return read
