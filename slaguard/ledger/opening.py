"""Opening and closing a row log: the lock, the files, and the check before the first record is accepted."""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import rfc8785

from slaguard.errors import LedgerError
from slaguard.files import fsync_directory
from slaguard.ledger import schema, standing
from slaguard.ledger.check import check_rows
from slaguard.ledger.headers import leaf
from slaguard.ledger.lock import LOCK_NAME, WriterLock
from slaguard.ledger.payloads import Entropy, PayloadStore
from slaguard.ledger.recovery import recover, require_no_segments
from slaguard.records import SCHEMA_VERSION, Clock

GENESIS = "genesis"


@dataclass(frozen=True, slots=True)
class Opened:
    """An open row log that was found whole."""

    directory: Path
    lock: WriterLock
    rows: sqlite3.Connection
    payloads: PayloadStore
    origin: str
    next_seq: int
    sealed_through: int

    def close(self) -> None:
        """Checkpoint, say so in the lock file, close the files and let go of the lock.

        The lock file says ``closed`` only when everything is in the main file: from then on the write-ahead log can be
        missing without a loss. A disk that refuses is no reason to keep the lock; the file then goes on saying ``open``.
        """
        with ExitStack() as closing:
            closing.callback(self.lock.release)
            closing.callback(self.payloads.close)
            with suppress(sqlite3.Error, OSError):
                busy = self.rows.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
                if not busy:
                    self.lock.mark_closed()
            self.rows.close()
            # A reader that held up the checkpoint may have left since: then SQLite has just done it, and removed the log.
            if not _wal(self.directory).exists():
                self.lock.mark_closed()


def open_log(directory: Path, clock: Clock, entropy: Entropy) -> Opened:
    """Lock, open and check the ledger in `directory`; make it where there is none.

    Raises:
        LedgerLocked: another process writes here.
        LedgerError: see `RowLog.open`.

    """
    with ExitStack() as undo:
        try:
            directory.mkdir(parents=True, exist_ok=True)
            lock = WriterLock.acquire(directory)
            undo.callback(lock.release)
            opened = _open_locked(directory, lock, clock, entropy, undo)
        except sqlite3.Error as error:
            raise schema.explain(error, directory) from error
        except OSError as error:
            raise _unwritable(directory, error) from None
        undo.pop_all()
    return opened


def _unwritable(directory: Path, error: OSError) -> LedgerError:
    return LedgerError(
        f"{directory}: E-LEDGER-WRITE  a ledger cannot be written here: {error.strerror}\n"
        "    name a directory that you own, on a local disk with room, with --ledger"
    )


def _open_locked(directory: Path, lock: WriterLock, clock: Clock, entropy: Entropy, undo: ExitStack) -> Opened:
    _require_files(directory, lock)
    rows = schema.connect_rows(directory)
    undo.callback(rows.close)
    origin, next_seq, sealed_through = _checked(rows, directory, clock, entropy)
    standing.require_not_behind(directory / schema.ROWS_NAME, next_seq, lock.found)
    payloads = PayloadStore(directory)
    undo.callback(payloads.close)
    payloads.drop_from(next_seq)
    fsync_directory(directory)
    lock.mark_open(next_seq)
    return Opened(directory, lock, rows, payloads, origin, next_seq, sealed_through)


def _wal(directory: Path) -> Path:
    return directory / f"{schema.ROWS_NAME}-wal"


def _require_files(directory: Path, lock: WriterLock) -> None:
    """Refuse a ledger that lost a file since its last writer."""
    rows = directory / schema.ROWS_NAME
    if lock.found.was_used and not rows.exists():
        raise LedgerError(
            f"{rows}: E-LOG-MISSING  a row log was here and is gone\n"
            f"    restore it from a backup; to start a new ledger here, remove {LOCK_NAME} too"
        )
    if lock.found.was_left_open and not _wal(directory).exists():
        raise LedgerError(
            f"{rows}-wal: E-LOG-ROLLBACK  the last writer did not close the ledger and its write-ahead log is gone\n"
            f"    acknowledged rows may be missing: restore the file; to accept the loss, remove {LOCK_NAME}"
        )
    standing.require_not_emptied(rows)
    if lock.found.was_left_open:
        standing.require_reaches(rows, lock.found)


def _checked(rows: sqlite3.Connection, directory: Path, clock: Clock, entropy: Entropy) -> tuple[str, int, int]:
    """Return the log's name, its next seq and its last sealed row, after making a new log or checking an old one."""
    if schema.is_new(rows):
        standing.require_being_made(directory / schema.ROWS_NAME)
        require_no_segments(directory)
        origin = f"slaguard/{entropy(8).hex()}"
        header = _genesis(origin, clock)
        schema.create_rows(rows, origin, (header, leaf(header)))
        return origin, 1, -1
    path = directory / schema.ROWS_NAME
    schema.require_version(rows, path)
    origin, next_seq = check_rows(rows, path)
    schema.upgrade(rows)
    return origin, next_seq, recover(rows, directory, origin)


def _genesis(origin: str, clock: Clock) -> bytes:
    """Return the bytes of row 0: which log this is, when and on which boot it began."""
    now = clock.read()
    return rfc8785.dumps(
        {
            "v": SCHEMA_VERSION,
            "kind": GENESIS,
            "seq": 0,
            "origin": origin,
            "recorded_at": str(now.wall_ns),
            "mono_ns": str(now.mono_ns),
            "boot_id": now.boot_id[:64],
            "schema": schema.USER_VERSION,
        }
    )
