"""What became of the calls of each minute: counted in cells, which become a `TrafficTally` once nothing of them is open.

A cell is one vendor's part of one minute of the wall clock, by when its calls began. It covers only time in which calls
could be seen: it begins with the watching, and ends with it, with the minute, at a step of the wall clock, or where the
process stood still. Nothing here is invented for time that was skipped, and every call is in one cell.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from slaguard.records import MINUTE, NS, Instant

STEP_NS: Final = NS
"""A wall clock that moves by more than this against the monotonic one was set."""
PAUSE_NS: Final = 5 * NS
"""Who looks ten times a second and has not looked for so long was standing still: nothing was watched meanwhile."""
Tallied = tuple[str, str, int, int, int, int, int, int, int, int, str | None]
"""vendor, writer, start, end, seen, recorded, shed, client_abort, bodies, bodies_shed; the log that has the recorded ones."""


class Cell:
    """The calls to one vendor that began in [start, end), UTC nanoseconds; `end` is 0 while more may come.

    `open` are those of which it is not known yet whether they are on disk.
    """

    __slots__ = (
        "bodies", "bodies_shed", "client_abort", "end", "log", "open", "recorded", "seen", "shed", "start", "vendor", "void",
        "writer",
    )  # fmt: skip

    def __init__(self, vendor: str, writer: str, start: int) -> None:
        """Begin to count."""
        self.vendor = vendor
        self.writer = writer
        self.start = start
        self.end = 0
        self.seen = self.open = self.recorded = self.shed = self.client_abort = self.bodies = self.bodies_shed = 0
        self.log: str | None = None
        """The log that has its records."""
        self.void = False
        """It cannot be told any more what became of its calls: then no tally is written."""

    def record(self, log: str) -> None:
        """One of its calls is on disk, in this log: if that is another one than before, the earlier ones are gone."""
        self.open -= 1
        self.recorded += 1
        if self.log is None:
            self.log = log
        elif self.log != log:
            self.void = True

    def lose(self) -> None:
        """One of its calls will not be on disk."""
        self.open -= 1
        self.shed += 1

    def tallied(self) -> Tallied:
        """Return what a tally says."""
        counts = self.seen, self.recorded, self.shed, self.client_abort, self.bodies, self.bodies_shed
        return (self.vendor, self.writer, self.start, self.end, *counts, self.log)


class Minutes:
    """The cells of all watched vendors. Times come in as they are read, from one clock.

    `writer` names the watcher: after each step of the wall clock it is another one, because the same minute may come again.
    """

    __slots__ = ("_cells", "_closed", "_end", "_last", "_latest", "_name", "_start", "_steps", "_vendors", "writer")

    def __init__(self, name: str, now: Instant, vendors: Iterable[str]) -> None:
        """Watch these vendors from now on."""
        self._name = self.writer = name
        self._steps = 0
        self._vendors = tuple(dict.fromkeys(vendors))
        self._cells: dict[str, Cell] = {}
        self._closed: list[Cell] = []
        self._last = now
        self._start = self._end = self._latest = now.wall_ns
        self._begin(now.wall_ns)

    def count(self, vendor: str, now: Instant) -> Cell:
        """Count a call that began now, and return its cell."""
        last, wall = self._last, now.wall_ns
        pause = now.mono_ns - last.mono_ns
        if not self._start <= wall < self._end or pause > PAUSE_NS or not -STEP_NS <= wall - last.wall_ns - pause <= STEP_NS:
            self._turn(now)
        self._last = now
        if wall > self._latest:  # noqa: PLR1730 - a call of max() costs as much as all of this
            self._latest = wall
        cell = self._cells.get(vendor) or self._watch(vendor, wall)
        cell.seen += 1
        cell.open += 1
        return cell

    def look(self, now: Instant) -> None:
        """End what is over; called ten times a second."""
        last = self._last
        pause = now.mono_ns - last.mono_ns
        step = now.wall_ns - last.wall_ns - pause
        if not self._start <= now.wall_ns < self._end or pause > PAUSE_NS or not -STEP_NS <= step <= STEP_NS:
            self._turn(now)
        self._last = now

    def replace(self, vendors: Iterable[str], now: Instant) -> None:
        """Watch other vendors from now on."""
        self.look(now)
        self._vendors = tuple(dict.fromkeys(vendors))
        for vendor in [v for v in self._cells if v not in self._vendors]:
            self._close(self._cells.pop(vendor), max(now.wall_ns, self._latest + 1))
        for vendor in self._vendors:
            if vendor not in self._cells:
                self._watch(vendor, now.wall_ns)

    def stop(self, now: Instant) -> None:
        """Watch no longer."""
        self.look(now)
        self._close_all(max(now.wall_ns, self._latest + 1))
        self._vendors = ()

    def due(self) -> list[Cell]:
        """Return the cells that are over, each once."""
        if not self._closed:
            return []
        settled = [cell for cell in self._closed if not cell.open]
        self._closed = [cell for cell in self._closed if cell.open]
        return [cell for cell in settled if not cell.void]

    def doubt(self) -> None:
        """A call could not be counted: what is being counted now says nothing of its minute."""
        for cell in self._cells.values():
            cell.void = True

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _turn(self, now: Instant) -> None:
        """End the cells there are, at the time that the clock of before would show, and begin new ones."""
        last = self._last
        pause = now.mono_ns - last.mono_ns
        was_set = abs(now.wall_ns - last.wall_ns - pause) > STEP_NS or now.wall_ns < self._start
        stood_still = pause > PAUSE_NS
        if not was_set and not stood_still:
            end = self._end
            self._close_all(end)
            self._begin(end if now.wall_ns < end + MINUTE else now.wall_ns)
            return
        until = last.wall_ns + (0 if stood_still else max(0, pause))
        self._close_all(max(until, self._latest + 1))
        if was_set:
            self._steps += 1
            self.writer = f"{self._name}-{self._steps}"
        self._begin(now.wall_ns)

    def _begin(self, wall_ns: int) -> None:
        self._start = wall_ns
        self._latest = wall_ns - 1
        self._end = wall_ns - wall_ns % MINUTE + MINUTE
        for vendor in self._vendors:
            self._watch(vendor, wall_ns)

    def _watch(self, vendor: str, since: int) -> Cell:
        cell = self._cells[vendor] = Cell(vendor, self.writer, since)
        return cell

    def _close_all(self, end: int) -> None:
        for cell in self._cells.values():
            self._close(cell, end)
        self._cells.clear()

    def _close(self, cell: Cell, end: int) -> None:
        cell.end = min(end, self._end)
        if cell.end > cell.start:
            self._closed.append(cell)
