"""Work that may hang, such as reading a disk that is gone: beside the loop, and never waited for longer than is said."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from slaguard.errors import SlaguardError

T = TypeVar("T")


async def aside(work: Callable[[], T], wait_s: float) -> T:
    """Return what `work` returns, or raise what it refuses with.

    Its thread is one that the process does not wait for at its end, as it would for those of the loop's own pool.

    Args:
        work: called in a thread of its own.
        wait_s: how long to wait, seconds; what it does after that is dropped.

    Raises:
        TimeoutError: it did not end in time.
        SlaguardError, OSError: as `work`.

    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[T] = loop.create_future()

    def settle(tell: Callable[[], None]) -> None:
        if not ended.done():
            tell()

    def run() -> None:
        try:
            tell: Callable[[], None] = partial(ended.set_result, work())
        except (SlaguardError, OSError) as error:
            tell = partial(ended.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, tell)

    threading.Thread(target=run, daemon=True, name="aside").start()
    async with asyncio.timeout(wait_s):
        return await ended
