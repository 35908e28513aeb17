"""Writing to the row log from the loop, with patience for a disk that is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from slaguard.agent.log import EventLog
from slaguard.agent.waiting import until
from slaguard.errors import LedgerError
from slaguard.records import NS, Clock, Record, Span

RETRY_NS: Final = 30 * NS
FULL: Final = "E-DISK-FULL"
Append = Callable[[Sequence[Record], Sequence[bytes | None]], object]


class Pen:
    """Appends records for one watch; while the disk is full it tries again every 30 s and nothing else is done."""

    def __init__(self, append: Append, clock: Clock, log: EventLog, stop: asyncio.Event) -> None:
        """Write with `append`, until `stop` is set."""
        self._append = append
        self._clock = clock
        self._log = log
        self._stop = stop
        self.full: Span | None = None
        """The last time in which nothing could be written, UTC nanoseconds; up to and with its end."""

    async def write(self, pairs: Sequence[tuple[Record, bytes | None]]) -> bool:
        """Return True once the records are on disk; False if the end came before the disk had room.

        Raises:
            LedgerError: the disk failed in another way; nothing more can be written.

        """
        records, payloads = [record for record, _ in pairs], [payload for _, payload in pairs]
        since: int | None = None
        while True:
            try:
                await asyncio.to_thread(self._append, records, payloads)
            except LedgerError as error:
                if FULL not in str(error):
                    raise
                now = self._clock.read().wall_ns
                if since is None:
                    self._log.error("disk_full", records=len(records), problem=_first_line(error))
                    since = now
            else:
                if since is not None:
                    self.full = (since, self._clock.read().wall_ns)
                    self._log.info("disk_has_room", seconds=(self.full[1] - since) // NS)
                return True
            if not await until(self._clock, now + RETRY_NS, self._stop):
                self._log.error("unwritten", records=len(records))
                return False


def _first_line(error: LedgerError) -> str:
    return str(error).splitlines()[0]
