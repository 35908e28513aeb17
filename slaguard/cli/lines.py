"""Lines to standard error or output from a thread of their own: whoever does not read them holds nobody up."""

from __future__ import annotations

import os
import queue
import threading
from typing import Final

MOST: Final = 1000
"""Lines that wait; further ones are dropped until there is room."""
STDOUT: Final = 1
STDERR: Final = 2
_LAST_S: Final = 1.0


class Lines:
    """Takes lines at once, and writes them as fast as they are read.

    They are written to the descriptor itself: what waits in a buffer of `sys.stderr` would hold up the end of the process.
    """

    def __init__(self, descriptor: int = STDERR) -> None:
        """Begin to write to a descriptor."""
        self._descriptor = descriptor
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
            content = f"{line}\n".encode("utf-8", "backslashreplace")
            try:
                while content:
                    content = content[os.write(self._descriptor, content) :]
            except OSError:
                continue  # this line is lost; a disk that is full may have room for the next
