"""The recorder: the process that reads what calls were, and writes it down (``python -m slaguard.sidecar.recorder``).

Its whole world is the socket on its standard input: the first frame says where to write, each further one holds calls
and tallies, which are acknowledged once they are on disk. It holds one frame at a time. What a hostile body can do, it
does here; what the disk refuses is tried again, without losing the frame, until the pump is gone.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, cast

from slaguard.errors import SlaguardError
from slaguard.ledger.rowlog import RowLog
from slaguard.records import Instant, TrafficTally
from slaguard.redact import Redactor
from slaguard.sidecar import wire
from slaguard.sidecar.kept import NotKept, payload, remembering
from slaguard.sidecar.minutes import Tallied
from slaguard.sidecar.readings import VIA, Reader, Row
from slaguard.sidecar.sealing import Sealing
from slaguard.terms import Outcome

RETRY_S: Final = 2.0
_IDLE_S: Final = 1.0
_MOST_FRAME: Final = 1 << 30
_MOST_AT_ONCE: Final = 1 << 20
"""Bytes of frames that go into one commit."""
_MOST_TROUBLE: Final = 300
_SLICE: Final = 50
"""Calls that are read in one go."""
_WAIT_S: Final = 0.5
"""How long what is read may wait for the rest of its frames."""
_TELL_S: Final = 1.0
"""How often it is said that there is work."""
_BODY_S: Final = 0.25
"""Processor time for the bodies of one call; a usual one takes some milliseconds."""
_LEAST_BODY_S: Final = 0.01
_BUSY: Final = 32 << 10
"""Bytes of a frame behind which more will come soon."""
_GATHER_S: Final = 0.25
"""How long it is then waited for: a commit of many calls costs little more than one of few."""
File = tuple[int, int]


class Clock:
    """The clock of this process (a `records.Clock`)."""

    def __init__(self) -> None:
        """Give this run an identity."""
        self._boot = uuid.uuid4().hex

    def read(self) -> Instant:
        """Return now."""
        return Instant(time.time_ns(), time.monotonic_ns(), self._boot)  # noqa: TID251 - a process of its own: the clock comes in here

    async def sleep_until(self, wall_ns: int) -> None:
        """Refuse: nothing here waits for an hour."""
        raise NotImplementedError(f"nobody waits until {wall_ns}")


class Gone(Exception):  # noqa: N818 - what happened is the name
    """The pump is gone."""


class Line:
    """The recorder's end of the way to the pump."""

    def __init__(self, pump: socket.socket) -> None:
        """Speak through this socket."""
        self._pump = pump
        self._poll = select.poll()
        self._poll.register(pump, select.POLLIN)

    def frames(self, idle: Callable[[], None]) -> list[bytes]:
        """Return the content of the frames that are there, of one at least; none at the end.

        Args:
            idle: called every second that brings none.

        Raises:
            Gone: the pump ended in the middle of one.

        """
        while not self._poll.poll(_IDLE_S * 1000):
            idle()
        found: list[bytes] = []
        size, until = 0, time.monotonic() + _GATHER_S
        while (content := self._frame()) is not None:
            found.append(content)
            size += len(content)
            more = max(0.0, until - time.monotonic()) if len(content) >= _BUSY else 0.0
            if size >= _MOST_AT_ONCE or not self._poll.poll(more * 1000):
                break
        return found

    def _frame(self) -> bytes | None:
        length = self._exactly(wire.LENGTH_BYTES)
        if length is None:
            return None
        size = int.from_bytes(length, "big")
        content = self._exactly(size) if size <= _MOST_FRAME else None
        if content is None:
            raise Gone
        return content

    def _exactly(self, size: int) -> bytes | None:
        content = bytearray(size)
        view, got = memoryview(content), 0
        while got < size:
            try:
                came = self._pump.recv_into(view[got:])
            except OSError:
                return None
            if not came:
                return None
            got += came
        return bytes(content)

    def say(self, **said: object) -> None:
        """Send a message.

        Raises:
            Gone: nobody is there to hear it.

        """
        try:
            self._pump.sendall(wire.word(**said))
        except OSError:
            raise Gone from None

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises:
            Gone: the pump has ended meanwhile.

        """
        gone = select.poll()
        gone.register(self._pump, select.POLLHUP | select.POLLERR)
        if gone.poll(seconds * 1000):
            raise Gone


class Batch:
    """Rows that go together, and how many of them stand in which log."""

    def __init__(self, tallies: list[Tallied]) -> None:
        """Begin without rows."""
        self.tallies = tallies
        self.rows: list[Row] = []
        self.payloads: dict[int, bytes] = {}
        self.origin: str | None = None
        self._written = 0
        self._since = time.monotonic()

    def is_old(self) -> bool:
        """Tell whether what is not written has waited long enough."""
        return time.monotonic() - self._since > _WAIT_S

    def unwritten(self) -> tuple[list[Row], dict[int, bytes]]:
        """Return the rows that are not written, and what is kept of their bodies, by place among them."""
        first = self._written
        return self.rows[first:], {place - first: kept for place, kept in self.payloads.items() if place >= first}

    def is_written(self, origin: str) -> bool:
        """Take note that they stand in this log now; tell whether all do: what stands in another one is gone."""
        is_same = self.origin in {None, origin}
        self.origin = origin
        self._written = len(self.rows) if is_same else 0
        self._since = time.monotonic()
        return is_same


class Recorder:
    """Writes frames to the row log of one folder, whatever becomes of that folder."""

    def __init__(self, setup: wire.Setup, line: Line, clock: Clock) -> None:
        """Open nothing yet."""
        self._setup = setup
        self._folder = Path(setup.directory)
        self._line = line
        self._clock = clock
        self._redact = Redactor()
        self._redact_part = remembering(self._redact)
        self._reader = Reader(self._redact, setup.key)
        self._told = time.monotonic()
        self._patience: dict[str, float] = {}
        self._log: RowLog | None = None
        self._file: File | None = None
        self._sealing = Sealing(self._folder, setup)
        self._said: str | None = None

    def take(self, frames: list[wire.Frame]) -> None:
        """Write frames in one commit, however often it takes, and acknowledge them.

        Raises:
            Gone: the pump is.

        """
        filled = [frame for frame in frames if frame.number != wire.SEAL_NOW]
        if filled:
            self._record(filled)
        if len(filled) < len(frames):
            self._sealing.hurry()

    def _record(self, frames: list[wire.Frame]) -> None:
        calls = [plain for frame in frames for plain in frame.calls]
        batch = Batch([tallied for frame in frames for tallied in frame.tallies])
        for first in range(0, len(calls), _SLICE):
            self._read(calls[first : first + _SLICE], batch)
            if batch.is_old():
                self._put(batch, [])  # what is read is not kept waiting for what takes long
        self._put(batch, batch.tallies)
        self.trouble(self._sealing.problem)
        self._acknowledge(frames, batch)

    def _read(self, calls: list[wire.Plain], batch: Batch) -> None:
        """Read some calls, and what is kept of their bodies."""
        first = len(batch.rows)
        batch.rows += self._reader.rows(calls)
        self._work()
        for place, plain in enumerate(calls, first):
            if isinstance(plain[-1], tuple):
                self._keep(wire.Packed(*plain), place, batch)
                self._work()

    def _work(self) -> None:
        """Say that there is work, so that nobody takes it for a standstill."""
        if time.monotonic() - self._told >= _TELL_S:
            self._told = time.monotonic()
            self._line.say(working=True)

    def _keep(self, packed: wire.Packed, place: int, batch: Batch) -> None:
        """Take what is kept of a call's bodies; a call of which nothing can be kept says so.

        Whose bodies have taken all of their time has half of it next time: one vendor must not hold back all others.
        """
        patience = self._patience.get(packed.vendor, _BODY_S)
        until = time.thread_time() + patience
        question, answer = cast("tuple[bytes, bytes]", packed.kept)
        try:
            batch.payloads[place] = payload(
                packed, question, answer, limit=self._setup.largest_body, redact=self._redact_part,
                is_over=lambda: time.thread_time() > until,
            )  # fmt: skip
        except NotKept as why:
            batch.rows[place]["attributes"] = batch.rows[place]["attributes"] | {"body": str(why)}
        took_all = time.thread_time() > until
        self._patience[packed.vendor] = max(_LEAST_BODY_S, patience / 2) if took_all else min(_BODY_S, patience * 2)

    def _put(self, batch: Batch, tallies: list[Tallied]) -> None:
        """Write what is read, however often it takes.

        Raises:
            Gone: the pump is.

        """
        while True:
            rows, payloads = batch.unwritten()
            origin = self._written(rows, payloads, tallies)
            if origin is None:
                self._line.pause(RETRY_S)
            elif batch.is_written(origin):
                return

    def _written(self, rows: list[Row], payloads: Mapping[int, bytes], tallies: list[Tallied]) -> str | None:
        """Return the log in which all of it stands now; None where it could not be written, and why was said."""
        try:
            log = self._opened()
            self._write(log, rows, payloads, tallies)
        except SlaguardError as error:
            self.trouble(str(error))
            self._let_go(unless_open=True)
            return None
        if self._is_there():
            return log.origin
        self.trouble(f"{self._folder}: the ledger was removed or replaced while it was open; it is opened anew")
        self._line.say(lost=True)
        self._let_go()
        return None

    def _write(self, log: RowLog, rows: list[Row], payloads: Mapping[int, bytes], tallies: list[Tallied]) -> None:
        if rows:
            log.append_observations(rows, [payloads.get(i) for i in range(len(rows))] if payloads else None)
        # A tally speaks of records in a log: where that is not this one, they are gone, and their minute was not watched.
        ours = [tally(tallied) for tallied in tallies if tallied[-1] in {None, log.origin}]
        if ours:
            log.append(ours)

    def _acknowledge(self, frames: list[wire.Frame], batch: Batch) -> None:
        first = 0
        for frame in frames:
            places = range(first, first + len(frame.calls))
            aborted = [i - first for i in places if batch.rows[i]["outcome"] is Outcome.CLIENT_ABORT]
            bodies = [i - first for i in places if i in batch.payloads] if batch.payloads else []
            self._line.say(ack=frame.number, log=batch.origin, aborted=aborted, bodies=bodies)
            first = places.stop

    # ── the folder ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _opened(self) -> RowLog:
        """Return the open log.

        Raises:
            SlaguardError: it cannot be opened now.

        """
        if self._log is None:
            self._log = RowLog.open(self._folder, clock=self._clock)
            self._file = self._found()
            self._sealing.begin(self._log)
        return self._log

    def _is_there(self) -> bool:
        """Tell whether what was written stands in the folder; one that was removed or replaced holds nothing of it."""
        return self._file is not None and self._found() == self._file

    def _found(self) -> File | None:
        try:
            found = (self._folder / "rows.db").stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _let_go(self, *, unless_open: bool = False) -> None:
        """Close the log, which is opened anew when it is needed."""
        if self._log is not None and not (unless_open and self._log.is_open):
            self._sealing.end()
            log, self._log = self._log, None
            log.close()

    # ── around it ───────────────────────────────────────────────────────────────────────────────────────────────────
    def trouble(self, text: str | None) -> None:
        """Tell the pump what is wrong, or that nothing is any more.

        Raises:
            Gone: nobody is there to hear it.

        """
        fit = None if text is None else self._redact(" ".join(text.split()))[:_MOST_TROUBLE]
        if fit is not None or self._said is not None:
            self._said = fit
            self._line.say(trouble=fit)

    def idle(self) -> None:
        """Nothing came for a while: all that did is on disk."""
        self.trouble(self._sealing.problem)

    def finish(self) -> None:
        """Seal and publish what is to be, say whether all of it is, and close."""
        published = self._sealing.finish()
        self._let_go()
        if published is not None:
            with suppress(Gone):  # nobody asks any more
                self._line.say(published=published)


def tally(tallied: Tallied) -> TrafficTally:
    """Return the record of what was counted."""
    vendor, writer, start, end, seen, recorded, shed, client_abort, bodies, bodies_shed, _ = tallied
    return TrafficTally(
        vendor=vendor,
        via=VIA,
        writer=writer,
        start=start,
        end=end,
        seen=seen,
        recorded=recorded,
        sampled_out=0,
        shed=shed,
        client_abort=client_abort,
        bodies=bodies,
        bodies_shed=bodies_shed,
    )


def serve(pump: socket.socket, clock: Clock) -> None:
    """Take frames until the pump ends."""
    line = Line(pump)
    recorder: Recorder | None = None
    try:
        while contents := line.frames(recorder.idle if recorder is not None else _nothing):
            if recorder is None:
                setup, *contents = contents
                recorder = Recorder(wire.Setup(*wire.unframed(setup)), line, clock)
                line.say(ready=True)
            if contents:
                recorder.take([wire.Frame(*wire.unframed(content)) for content in contents])
    except Gone:
        pass
    if recorder is not None:
        recorder.finish()


def _nothing() -> None:
    """Wait on."""


def _report(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say where the process ended, without a word that came from outside."""
    del error
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(traceback.extract_tb(trace)[-4:]))
    sys.stderr.write(f"slaguard recorder: {kind.__name__} at {places}\n")


def main() -> None:
    """Run on standard input. Signals to the terminal's group are not for this process: it ends when its input does."""
    sys.excepthook = _report
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    with socket.socket(fileno=os.dup(0)) as pump:
        serve(pump, Clock())


if __name__ == "__main__":
    main()
