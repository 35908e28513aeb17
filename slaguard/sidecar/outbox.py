"""What waits for the recorder: calls in batches, batches in frames, each kept until it is on disk; bounded in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final

from slaguard.sidecar import wire
from slaguard.sidecar.minutes import Cell, Tallied

MOST_CALLS: Final = 500
MOST_FRAME: Final = 2 << 20
"""Bytes at which a batch becomes a frame; one call alone may be more."""
TALLY_BYTES: Final = 256
"""What a tally takes up."""
MOST_TALLIES: Final = 1 << 20
"""Bytes of tallies that may wait beyond the bound: that something was lost must be told, even while it is being lost."""


class Waiting:
    """One frame on its way: its bytes, and whose calls it holds."""

    __slots__ = ("cells", "data", "number", "sent", "tries", "unkept")

    def __init__(self, number: int, data: bytes, cells: list[Cell], unkept: list[Cell]) -> None:
        """Keep it until it is acknowledged."""
        self.number = number
        self.data = data
        self.cells = cells
        self.unkept = unkept
        """Cells of calls whose bodies should have been kept and were not, for want of room."""
        self.sent = False
        self.tries = 0
        """How many recorders ended while it was their next."""


class Outbox:
    """Batches and frames, in order. `size` is what all of it takes up, in bytes."""

    __slots__ = ("_batch", "_batch_bytes", "_cells", "_number", "_tallies", "_unkept", "frames", "most_bytes", "size")

    def __init__(self, most_bytes: int) -> None:
        """Hold no more than `most_bytes`."""
        self.most_bytes = most_bytes
        self.size = 0
        self.frames: deque[Waiting] = deque()
        self._batch: list[wire.Plain] = []
        self._batch_bytes = 0
        self._cells: list[Cell] = []
        self._unkept: list[Cell] = []
        self._tallies: list[Tallied] = []
        self._number = 0

    def put(self, packed: wire.Plain, cell: Cell, size: int) -> bool:
        """Take a call that takes up about `size` bytes; tell whether the batch is large enough to be sent."""
        self._batch.append(packed)
        self._cells.append(cell)
        self.size += size
        self._batch_bytes += size
        return self._batch_bytes >= MOST_FRAME or len(self._cells) >= MOST_CALLS

    def put_unkept(self, cell: Cell) -> None:
        """Note that the bodies of the call that comes next are not kept, for want of room."""
        self._unkept.append(cell)

    def put_tally(self, tallied: Tallied) -> bool:
        """Take a tally; tell whether there was room."""
        if self.size + TALLY_BYTES > self.most_bytes + MOST_TALLIES:
            return False
        self._tallies.append(tallied)
        self.size += TALLY_BYTES
        self._batch_bytes += TALLY_BYTES
        return True

    def flush(self) -> list[Cell]:
        """Make what there is a frame; return the cells of calls that cannot be sent, which is nearly always none."""
        if not (self._batch or self._tallies):
            return []
        self._number += 1
        lost: list[Cell] = []
        try:
            data = wire.framed((self._number, self._batch, self._tallies))
        except ValueError:  # a value that is not plain
            data = wire.framed((self._number, [], self._tallies))
            lost, self._cells, self._unkept = self._cells, [], []
        self.frames.append(Waiting(self._number, data, self._cells, self._unkept))
        self.size += len(data) - self._batch_bytes
        self._batch, self._cells, self._unkept, self._tallies, self._batch_bytes = [], [], [], [], 0
        return lost

    def unsent(self, most: int) -> Iterator[Waiting]:
        """Yield the frames that may be sent now, if no more than `most` are to be on their way."""
        for place, frame in enumerate(self.frames):
            if place >= most:
                return
            if not frame.sent:
                yield frame

    def done(self, number: int) -> Waiting | None:
        """Let go of the frame that was acknowledged; None: it was before, or it is not the next."""
        if not self.frames or self.frames[0].number != number:
            return None
        return self.drop()

    def drop(self) -> Waiting:
        """Let go of the next frame."""
        frame = self.frames.popleft()
        self.size -= len(frame.data)
        return frame

    def lost_recorder(self, *, blame: bool) -> Waiting | None:
        """Begin anew with all frames; return the one that `blame` would put at fault."""
        first = self.frames[0] if self.frames and self.frames[0].sent else None
        if first is not None and blame:
            first.tries += 1
        for frame in self.frames:
            frame.sent = False
        return first if blame else None
