"""One writer: an exclusive lock that names its holder and remembers how the last writer left."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from slaguard.errors import LedgerLocked

LOCK_NAME = "writer.lock"
_OPEN = "open"
_CLOSED = "closed"


class WriterLock:
    """The lock of one ledger directory, held by an open file (the kernel lets go when the process ends, however it ends).

    The file holds the holder's pid and, once the row log is open, the word ``open``; a clean end writes ``closed``. A
    file that still says ``open`` without a holder means: killed or lost power, so a write-ahead log must be there.
    """

    def __init__(self, handle: int, found: str) -> None:
        """Keep the open file and what it said when it was opened."""
        self._handle = handle
        self._found = found

    @classmethod
    def acquire(cls, directory: Path) -> WriterLock:
        """Take the lock.

        Raises:
            LedgerLocked: another writer holds it; carries that process's pid.
            OSError: the file cannot be created.

        """
        path = directory / LOCK_NAME
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            words = _read(handle).split()
            os.close(handle)
            pid = int(words[0]) if words and words[0].isdecimal() else None
            raise LedgerLocked(str(directory), pid) from None
        lock = cls(handle, _read(handle))
        # The old word stays until the log is open: a start that fails must not forget how the last writer left.
        lock._write(" ".join(lock._found.split()[1:]))
        return lock

    @property
    def was_used(self) -> bool:
        """Tell whether a row log was open here before."""
        return _OPEN in self._found.split() or _CLOSED in self._found.split()

    @property
    def was_left_open(self) -> bool:
        """Tell whether the last writer ended without closing the row log."""
        return _OPEN in self._found.split()

    def mark_open(self) -> None:
        """Note that the row log is open, after its write-ahead log is on disk."""
        self._write(_OPEN)

    def mark_closed(self) -> None:
        """Note that everything is in the main file."""
        self._write(_CLOSED)

    def _write(self, state: str) -> None:
        content = f"{os.getpid()} {state}\n".encode()
        os.pwrite(self._handle, content, 0)
        os.ftruncate(self._handle, len(content))
        os.fsync(self._handle)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two writers lock two files of one name."""
        os.close(self._handle)


def _read(handle: int) -> str:
    return os.pread(handle, 200, 0).decode("ascii", "replace")
