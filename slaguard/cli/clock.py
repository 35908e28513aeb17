"""The real clock: the one place of the product where the time of day is read."""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Final

from slaguard.records import Instant

_MONOTONIC: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""It goes on while the machine sleeps, where there is such a clock: so sleep is told from a clock that was set."""


class SystemClock:
    """Wall time, monotonic time and an identity of this process's run (a `records.Clock`)."""

    def __init__(self) -> None:
        """Give this run an identity, so that monotonic readings of two runs are never subtracted."""
        self._boot = uuid.uuid4().hex

    def read(self) -> Instant:
        """Return now."""
        return Instant(time.time_ns(), time.clock_gettime_ns(_MONOTONIC), self._boot)

    async def sleep_until(self, wall_ns: int) -> None:
        """Return when the wall clock has reached `wall_ns`, or was set back by more than a second: who waits looks again.

        It waits in short steps, so that a clock that is set is noticed.
        """
        left = wall_ns - time.time_ns()
        while left > 0:
            await asyncio.sleep(min(left / 1e9, 1.0))
            before, left = left, wall_ns - time.time_ns()
            if left > before:
                return
