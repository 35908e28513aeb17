"""One writer: an exclusive lock that names its holder and remembers how the last writer left."""

from __future__ import annotations

import fcntl
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from slaguard.errors import LedgerLocked

LOCK_NAME = "writer.lock"
_OPEN = "open"
_CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Left:
    """What a lock file says: ``PID open NEXT_SEQ CHECKSUM``, or ``closed``; the last two may be missing (older files)."""

    state: str = ""
    next_seq: int | None = None
    """A lower bound of the row that comes next: the file is not synced with each commit."""
    is_sound: bool = True
    """False: a number stands there that does not fit its checksum, so it is not taken."""

    @classmethod
    def parse(cls, content: bytes) -> Left:
        """Read a lock file's bytes, whatever they are."""
        words = content.decode("ascii", "replace").split()
        state = next((word for word in words if word in {_OPEN, _CLOSED}), "")
        rest = words[words.index(state) + 1 :] if state else []
        if not rest:
            return cls(state)
        if len(rest) == 2 and rest[0].isdecimal() and rest[1] == _checksum(rest[0]):
            return cls(state, int(rest[0]))
        return cls(state, None, is_sound=False)

    @property
    def was_used(self) -> bool:
        """Tell whether a row log was ever open here."""
        return bool(self.state)

    @property
    def was_left_open(self) -> bool:
        """Tell whether the last writer ended without closing the row log, or is still there."""
        return self.state == _OPEN


def _checksum(number: str) -> str:
    return f"{zlib.crc32(number.encode()):08x}"


class WriterLock:
    """The lock of one ledger directory, held by an open file (the kernel lets go when the process ends, however it ends).

    The file holds the holder's pid and, once the row log is open, the word ``open``; a clean end writes ``closed``. A
    file that still says ``open`` without a holder means: killed or lost power, so a write-ahead log must be there. After
    it stands which row comes next: a row log that ends before it lost acknowledged rows.
    """

    def __init__(self, handle: int, found: bytes) -> None:
        """Keep the open file and what it said when it was opened."""
        self._handle = handle
        self._next_seq = 0
        self.found = Left.parse(found)
        self._words = found.decode("ascii", "replace").split()[1:]

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
            words = _read(handle).decode("ascii", "replace").split()
            os.close(handle)
            pid = int(words[0]) if words and words[0].isdecimal() else None
            raise LedgerLocked(str(directory), pid) from None
        lock = cls(handle, _read(handle))
        # The old word stays until the log is open: a start that fails must not forget how the last writer left.
        try:
            lock._write(" ".join(lock._words))
        except OSError:
            os.close(handle)  # or this process would lock itself out of every later try
            raise
        return lock

    def mark_open(self, next_seq: int) -> None:
        """Note that the row log is open, after its write-ahead log is on disk, and which row comes next."""
        self._next_seq = next_seq
        self._write(self._state(_OPEN))

    def note(self, next_seq: int) -> None:
        """Note which row comes next, after the rows before it are on disk. Not synced: it may be older than the rows."""
        self._next_seq = next_seq
        with suppress(OSError):  # the rows are on disk; what stands in the file is still true of them
            os.pwrite(self._handle, _line(self._state(_OPEN)), 0)  # of the same length as what stands there

    def mark_closed(self) -> None:
        """Note that everything is in the main file."""
        self._write(self._state(_CLOSED))

    def _state(self, state: str) -> str:
        number = f"{self._next_seq:020d}"
        return f"{state} {number} {_checksum(number)}"

    def _write(self, state: str) -> None:
        content = _line(state)
        os.pwrite(self._handle, content, 0)
        os.ftruncate(self._handle, len(content))
        os.fsync(self._handle)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two writers lock two files of one name."""
        os.close(self._handle)


def _line(state: str) -> bytes:
    return f"{os.getpid()} {state}\n".encode()


def _read(handle: int) -> bytes:
    return os.pread(handle, 200, 0)
