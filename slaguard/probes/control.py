"""Is it us? When a vendor is not reached, somebody else is tried: if he is not reached either, our own network is at fault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from slaguard.config import Listen

Control = Callable[[], Awaitable[bool]]
"""Returns whether the control target is reached."""
_WAIT_S: Final = 5.0


def control_of(target: Listen, *, wait_s: float = _WAIT_S) -> Control:
    """Return a check that opens a connection to `target` and closes it again, sending nothing."""

    async def reached() -> bool:
        try:
            async with asyncio.timeout(wait_s):
                _, writer = await asyncio.open_connection(target.host, target.port)
        except OSError:  # a time-out is one of them
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    return reached
