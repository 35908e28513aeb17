"""Lines to standard error from a thread of their own: whoever does not read them holds nobody up."""

from __future__ import annotations

import queue
import sys
import threading
from typing import Final

MOST: Final = 1000
"""Lines that wait; further ones are dropped until there is room."""
_LAST_S: Final = 1.0


class Lines:
    """Takes lines at once, and writes them as fast as they are read."""

    def __init__(self) -> None:
        """Begin to write."""
        self._waiting: queue.Queue[str | None] = queue.Queue(MOST)
        self._thread = threading.Thread(target=self._write, daemon=True, name="lines")
        self._thread.start()

    def __call__(self, line: str) -> None:
        """Take a line without its end."""
        self._put(line)

    def end(self) -> None:
        """Write what waits, for a second at most."""
        self._put(None)
        self._thread.join(_LAST_S)

    def _put(self, line: str | None) -> None:
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            return

    def _write(self) -> None:
        while (line := self._waiting.get()) is not None:
            try:
                print(line, file=sys.stderr, flush=True)
            except OSError:
                return  # nobody will ever read it
