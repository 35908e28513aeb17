"""What signals do in a process that runs until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Final

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def on_signals(end: Callable[[], None], reload: Callable[[], None]) -> None:
    """Call `end` on SIGTERM and SIGINT, `reload` on SIGHUP, in the running loop; Windows has but Ctrl-C, which ends."""
    if sys.platform == "win32":
        return
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, reload)
