"""What must hold before anything slow is imported: a signal in the first second, and standard files that are not open.

Nothing but `os`, `signal` and `sys` is imported here. What is left to the system is the start of Python itself.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Final

_ENDING: Final = ("SIGTERM", "SIGINT")
_RELOADING: Final = "SIGHUP"  # by name: Windows has none


class Early:
    """The handler of signals until there is a loop: one to end ends the process with 0, one to reload is kept."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self.end = False
        self.reload = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Take a signal.

        Raises:
            SystemExit: it is one to end. Python drops what is raised in a finaliser, so `end` says it too.

        """
        del frame
        if signal.Signals(number).name == _RELOADING:
            self.reload = True
            return
        self.end = True
        sys.exit(0)


def prepare() -> None:
    """Take signals from here on, and open what is closed of standard input, output and error on nothing."""
    _open_standard_files()
    if sys.platform == "win32":
        return
    early = Early()
    for name in (*_ENDING, _RELOADING):
        signal.signal(getattr(signal, name), early)


def early_signals() -> Early | None:
    """Return what came since `prepare`; None where it was not called."""
    if sys.platform == "win32":
        return None
    found = signal.getsignal(signal.SIGHUP)
    return found if isinstance(found, Early) else None


def _open_standard_files() -> None:
    """Open them: the next file or socket would have their number, and what is printed would go into it."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free, which is this one
            os.set_inheritable(number, True)  # as standard files are
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the same
