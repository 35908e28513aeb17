"""What signals do in a process that runs until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable
from typing import Final

from slaguard.cli.early import early_signals

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)


def on_signals(end: Callable[[], None], reload: Callable[[], None]) -> None:
    """Call `end` on SIGTERM and SIGINT, `reload` on SIGHUP, in the running loop; Windows has but Ctrl-C, which ends.

    What came before, where `early.prepare` kept it, is done now.
    """
    if sys.platform == "win32":
        return
    loop, early = asyncio.get_running_loop(), early_signals()
    for number in _ENDING:
        loop.add_signal_handler(number, end)
    loop.add_signal_handler(signal.SIGHUP, reload)
    if early is not None and early.end:
        end()
    elif early is not None and early.reload:
        reload()
