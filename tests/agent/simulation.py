"""A clock that jumps, and the event loop it needs: simulated time moves when, and only when, nothing else can happen.

Everything in a test runs in one process: agent, vendor, ledger. Once no callback waits, no thread works and no socket can be
read, the only thing left is to wait for a moment, so the clock goes to the earliest one that somebody waits for. Real
HTTP, real files, real threads; a month in seconds, and twice the same.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from slaguard.records import NS, Instant

T = TypeVar("T")
_LOOK_S = 0.0005


class JumpingClock:
    """Simulated time (a `records.Clock`). `step` sets the wall clock as an administrator does; `suspend` sleeps deeply."""

    def __init__(self, start: int) -> None:
        self.now = start
        self._mono = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def read(self) -> Instant:
        return Instant(self.now, self._mono, "simulated")

    def now_ns(self) -> int:
        return self.now

    async def sleep_until(self, wall_ns: int) -> None:
        if wall_ns <= self.now:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (wall_ns, next(self._order), future))
        await future

    async def wait(self, seconds: float) -> None:
        await self.sleep_until(self.now + round(seconds * NS))

    def pass_time(self, ns: int, *, mono: bool = True) -> None:
        """Let time pass in which nobody runs; with `mono` False only the wall clock is moved."""
        self.now += ns
        self._mono += ns if mono else 0

    def set_back(self, ns: int) -> None:
        """Set the wall clock back, as an administrator does; whoever waits looks again."""
        self.now -= ns
        while self._waiting:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)

    def jump(self) -> bool:
        """Go to the earliest moment that somebody waits for; return whether there was one."""
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)  # he was cancelled
        if not self._waiting:
            return False
        moment = max(self._waiting[0][0], self.now)
        self._mono += moment - self.now
        self.now = moment
        while self._waiting and self._waiting[0][0] <= self.now:
            future = heapq.heappop(self._waiting)[2]
            if not future.done():
                future.set_result(None)
        return True


class _Selector(selectors.DefaultSelector):
    """Lets the clock jump where a loop would wait."""

    def __init__(self, clock: JumpingClock) -> None:
        super().__init__()
        self._clock = clock
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return super().select(timeout)
        while True:
            found = super().select(_LOOK_S if timeout is None else min(timeout, _LOOK_S))
            if found or (timeout is not None and timeout <= _LOOK_S):
                return found
            if not self.threads and self._clock.jump():
                return []
            if timeout is not None:
                timeout -= _LOOK_S


class _Loop(asyncio.SelectorEventLoop):
    """Counts the threads at work, until what they brought is in the loop."""

    def __init__(self, clock: JumpingClock) -> None:
        self._waits = _Selector(clock)
        super().__init__(self._waits)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]
        self._waits.threads += 1
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._done)
        return future

    def _done(self, _: asyncio.Future[Any]) -> None:
        self._waits.threads -= 1


def simulate(clock: JumpingClock, main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on the simulated clock."""
    with asyncio.Runner(loop_factory=lambda: _Loop(clock)) as runner:
        return runner.run(main)
