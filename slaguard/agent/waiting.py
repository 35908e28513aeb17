"""Waiting for a moment, or for the end, whichever comes first."""

from __future__ import annotations

import asyncio

from slaguard.records import Clock


async def until(clock: Clock, wall_ns: int, stop: asyncio.Event) -> bool:
    """Wait for `wall_ns` (UTC nanoseconds); return False as soon as `stop` is set.

    True says that the moment has come, or that the clock was set back meanwhile.
    """
    if stop.is_set() or clock.read().wall_ns >= wall_ns:
        return not stop.is_set()
    waits = {asyncio.ensure_future(clock.sleep_until(wall_ns)), asyncio.ensure_future(stop.wait())}
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    for one in done:
        one.result()  # a clock that fails is not the moment it was asked for
    return not stop.is_set()
