"""Is the row log that stands here the one that was left? What the last writer noted, and a look that changes nothing.

SQLite takes a write-ahead log that is cut or damaged for one that ends there, and an empty file for a new database: both
would be a smaller number. So the writer notes in its lock file, after each commit, which row comes next.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from slaguard.errors import LedgerError
from slaguard.ledger import schema, scratch
from slaguard.ledger.lock import LOCK_NAME, Left
from slaguard.ledger.recovery import SEGMENTS, is_segments

_RETRIES: Final = 5


def left(folder: Path) -> Left:
    """Return what the last writer noted, without taking the lock; nothing where the file cannot be read.

    Read it before the row log: what it says was on disk before it was said.
    """
    try:
        handle = os.open(folder / LOCK_NAME, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return Left()  # a copy without it, or not ours to read: nothing tells how the writer left
    try:
        found = Left.parse(os.pread(handle, 200, 0))
        for _ in range(_RETRIES):
            if not found.is_sound:  # a writer may be writing just now, and half of it was read
                found = Left.parse(os.pread(handle, 200, 0))
    finally:
        os.close(handle)
    return found


def require_not_behind(path: Path, next_seq: int, noted: Left) -> None:
    """Refuse a row log that ends before a row that was acknowledged.

    Raises:
        LedgerError: E-LOG-ROLLBACK.

    """
    if noted.next_seq is not None and next_seq < noted.next_seq:
        raise LedgerError(
            f"{path}: E-LOG-ROLLBACK  the log ends at row {next_seq - 1}, and row {noted.next_seq - 1} was acknowledged:"
            f" its -wal is damaged or cut, or the file is an older one\n"
            f"    restore both from a backup; to accept the loss, remove {LOCK_NAME}"
        )


def require_reaches(path: Path, noted: Left) -> None:
    """Refuse a killed writer's row log that ends too early, before anybody opens it for writing and so shortens it.

    Raises:
        LedgerError: E-LOG-ROLLBACK.
        sqlite3.Error: it cannot be read.

    """
    with snapshot(path, at_rest=False) as rows:
        if not schema.is_new(rows) and schema.version(rows)[0] == schema.APPLICATION_ID:
            require_not_behind(path, next_seq(rows), noted)


def next_seq(rows: sqlite3.Connection) -> int:
    """Return the number of the row that comes next."""
    (found,) = rows.execute("SELECT next_seq FROM log_state").fetchone()
    return int(found)


# ── emptied ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def require_not_emptied(path: Path) -> None:
    """Refuse a row log of no bytes where there was one: SQLite would delete its write-ahead log, and begin anew.

    Raises:
        LedgerError: E-LOG-MISSING or E-LOG-ROLLBACK.

    """
    if _is_empty(path) and (traces := _traces(path.parent)) is not None and _is_empty(path):
        raise traces


def require_being_made(path: Path) -> None:
    """Refuse a row log without tables where there were rows; a writer that is just making one has put nothing beside it.

    Raises:
        LedgerError: E-LOG-MISSING or E-LOG-ROLLBACK.
        sqlite3.Error: it cannot be read.

    """
    traces = _traces(path.parent)
    if traces is None:
        return
    # What lies beside it came later than the tables: a second look sees them, if a writer has just made them.
    with snapshot(path, at_rest=not path.with_name(f"{path.name}-wal").exists()) as rows:
        if schema.is_new(rows):
            raise traces


def _is_empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return False


def _traces(folder: Path) -> LedgerError | None:
    """Return the error that says what in a folder speaks of rows; None where nothing does."""
    path = folder / schema.ROWS_NAME
    if left(folder).was_used:
        return LedgerError(
            f"{path}: E-LOG-MISSING  a row log was here and is empty\n"
            "    restore it with its -wal from a backup; to start a new ledger, use a new directory"
        )
    segment = next((p.name for p in sorted((folder / SEGMENTS).glob("*")) if is_segments(p)), None)
    if segment is not None:
        return LedgerError(
            f"{path}: E-LOG-ROLLBACK  the row log is empty or new, and {SEGMENTS}/{segment} stands beside it\n"
            "    restore the newest row log with its -wal; to start a new ledger, use a new directory"
        )
    if _has_payloads(folder / schema.PAYLOADS_NAME):
        return LedgerError(
            f"{path}: E-LOG-MISSING  the row log is empty or new, and {schema.PAYLOADS_NAME} beside it holds payloads of rows\n"
            f"    restore the row log with its -wal from a backup; to begin anew here, move {schema.PAYLOADS_NAME} away"
        )
    return None


def _has_payloads(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with snapshot(path, at_rest=not path.with_name(f"{path.name}-wal").exists()) as stored:
            return not schema.is_new(stored) and stored.execute("SELECT 1 FROM payloads LIMIT 1").fetchone() is not None
    except sqlite3.Error:
        return True  # what cannot be read is no new file


# ── a write-ahead log that is gone ──────────────────────────────────────────────────────────────────────────────────
def require_not_rolled_back(path: Path) -> None:
    """Refuse a row log whose last writer was killed and whose write-ahead log is gone: acknowledged rows went with it.

    A writer that just closes removes the write-ahead log before it says so: while it holds the lock, nothing is wrong.

    Raises:
        LedgerError: E-LOG-ROLLBACK.

    """
    try:
        handle = os.open(path.with_name(LOCK_NAME), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return  # as in `left`
    try:
        if not Left.parse(os.pread(handle, 200, 0)).was_left_open or not _is_free(handle):
            return
        left_open = Left.parse(os.pread(handle, 200, 0)).was_left_open
    finally:
        os.close(handle)
    if left_open and not path.with_name(f"{path.name}-wal").exists():
        raise LedgerError(
            f"{path}-wal: E-LOG-ROLLBACK  the last writer did not close the ledger and its write-ahead log is gone\n"
            f"    acknowledged rows may be missing: restore the file; to accept the loss, remove {LOCK_NAME}"
        )


def _is_free(handle: int) -> bool:
    """Tell whether no process holds the lock; it is held for no longer than this look."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(handle, fcntl.LOCK_UN)
    return True


# ── read-only connections ───────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def snapshot(path: Path, *, at_rest: bool) -> Iterator[sqlite3.Connection]:
    """Open the row log read-only, all reads in one transaction.

    A log that was closed has no write-ahead log, and opening it the usual way would leave an empty one behind:
    `immutable` reads the file as it is. With a write-ahead log, SQLite needs its index beside it; where that cannot be
    made (a read-only copy of a killed writer's directory), a copy elsewhere is read.

    Raises:
        LedgerError: there is no room for the copy.
        sqlite3.Error: it cannot be read.

    """
    if at_rest:
        with closing(_connect(path, "mode=ro&immutable=1")) as rows:
            yield rows
        return
    try:
        rows = _connect(path, "mode=ro")
    except sqlite3.OperationalError as error:
        if not error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
            raise
        with scratch.folder() as elsewhere:
            with scratch.refusals():
                copied = _copy(path, Path(elsewhere))
            with closing(_connect(copied, "mode=rw")) as rows:
                yield rows
        return
    with closing(rows):
        yield rows


def _connect(path: Path, options: str) -> sqlite3.Connection:
    rows = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{options}", uri=True, isolation_level=None, timeout=5)
    try:
        rows.execute("PRAGMA trusted_schema=OFF")
        rows.execute("BEGIN")
        rows.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the snapshot begins with the first read
    except sqlite3.Error:
        rows.close()
        raise
    return rows


def _copy(path: Path, elsewhere: Path) -> Path:
    for name in (path.name, f"{path.name}-wal"):
        shutil.copyfile(path.with_name(name), elsewhere / name)
    return elsewhere / path.name
