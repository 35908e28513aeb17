"""The row log's two SQLite files: settings, tables, triggers, and what their errors mean in words."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from slaguard.errors import LedgerError

ROWS_NAME: Final = "rows.db"
PAYLOADS_NAME: Final = "payloads.db"
APPLICATION_ID: Final = 0x534C4147  # "SLAG": file(1) and others can tell what this database is
USER_VERSION: Final = 3
"""Version 2 has segments; a writer brings a log of version 1 to it. Version 3 keeps keys in another order (`places`): a
log of version 2 goes on as it is. All are read."""
READABLE: Final = (1, 2, 3)
_SEGMENTED: Final = 2
PAYLOADS_VERSION: Final = 1

_SETTINGS: Final = (
    # FULL: an acknowledgement means on disk. NORMAL lost 28 % of acknowledged records in simulated power cuts.
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA recursive_triggers=ON",
    "PRAGMA cache_size=-16384",  # KiB: keys are looked for anywhere
)

# The triggers guard against accidents, not against the owner of the file. BEFORE INSERT is needed too: INSERT OR REPLACE
# slips past the others, and past the relaxed DELETE rule for sealed rows.
_ROWS: Final = """
CREATE TABLE rows(
  seq INTEGER PRIMARY KEY CHECK(seq >= 0),
  hdr BLOB NOT NULL CHECK(typeof(hdr) = 'blob'),
  leaf BLOB NOT NULL CHECK(typeof(leaf) = 'blob' AND length(leaf) = 32));
CREATE TABLE idem(key BLOB PRIMARY KEY, seq INTEGER NOT NULL, body_sha256 BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE log_state(
  one INTEGER PRIMARY KEY CHECK(one = 1), origin TEXT NOT NULL,
  next_seq INTEGER NOT NULL, sealed_through INTEGER NOT NULL);
CREATE TRIGGER rows_keep BEFORE UPDATE ON rows
  BEGIN SELECT RAISE(ABORT, 'rows are never changed'); END;
CREATE TRIGGER rows_stay BEFORE DELETE ON rows WHEN OLD.seq > (SELECT sealed_through FROM log_state)
  BEGIN SELECT RAISE(ABORT, 'rows are never deleted'); END;
CREATE TRIGGER rows_once BEFORE INSERT ON rows WHEN EXISTS(SELECT 1 FROM rows WHERE seq = NEW.seq)
  BEGIN SELECT RAISE(ABORT, 'rows are never replaced'); END;
CREATE TRIGGER idem_keep BEFORE UPDATE ON idem
  BEGIN SELECT RAISE(ABORT, 'keys are never changed'); END;
"""
# `named` holds identities that `idem` does not: an adjudication's, which hangs on the time the log gave it.
_SEGMENTS: Final = """
CREATE TABLE manifests(
  ix INTEGER PRIMARY KEY CHECK(ix >= 0),
  bytes BLOB NOT NULL CHECK(typeof(bytes) = 'blob'),
  leaf BLOB NOT NULL CHECK(typeof(leaf) = 'blob' AND length(leaf) = 32));
CREATE TABLE named(key BLOB PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER manifests_keep BEFORE UPDATE ON manifests
  BEGIN SELECT RAISE(ABORT, 'manifests are never changed'); END;
CREATE TRIGGER manifests_stay BEFORE DELETE ON manifests
  BEGIN SELECT RAISE(ABORT, 'manifests are never deleted'); END;
CREATE TRIGGER manifests_once BEFORE INSERT ON manifests WHEN EXISTS(SELECT 1 FROM manifests WHERE ix = NEW.ix)
  BEGIN SELECT RAISE(ABORT, 'manifests are never replaced'); END;
CREATE TRIGGER named_keep BEFORE UPDATE ON named
  BEGIN SELECT RAISE(ABORT, 'keys are never changed'); END;
"""
_PAYLOADS: Final = """
CREATE TABLE payloads(seq INTEGER PRIMARY KEY, k_rec BLOB NOT NULL CHECK(length(k_rec) = 32), body BLOB NOT NULL);
"""


def _mark(user_version: int) -> str:
    return f"PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={user_version};"


def connect_rows(directory: Path) -> sqlite3.Connection:
    """Open the writer's connection to the row log; the caller creates the tables of a new one."""
    return _connect(directory / ROWS_NAME, _SETTINGS)


@contextmanager
def snapshot(directory: Path) -> Iterator[sqlite3.Connection]:
    """Open the row log beside its writer, read-only, all reads in one transaction; appends go on meanwhile."""
    uri = f"file:{quote(str((directory / ROWS_NAME).absolute()))}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)) as rows:
        rows.execute("PRAGMA trusted_schema=OFF")
        rows.execute("BEGIN")
        rows.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the snapshot begins with the first read
        yield rows


def connect_payloads(directory: Path) -> sqlite3.Connection:
    """Open the payload store, making its table where it is new; what is deleted from it is overwritten."""
    path = directory / PAYLOADS_NAME
    # Only the writer's own user reads what people asked and were answered.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    connection = _connect(path, (*_SETTINGS, "PRAGMA secure_delete=ON"))
    if is_new(connection):
        connection.executescript(f"BEGIN IMMEDIATE; {_PAYLOADS} {_mark(PAYLOADS_VERSION)} COMMIT;")
    return connection


def _connect(path: Path, settings: tuple[str, ...]) -> sqlite3.Connection:
    # One thread writes at a time (`commit`), so SQLite's own check of the thread is not needed.
    with ExitStack() as undo:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        undo.callback(connection.close)
        for statement in settings:
            connection.execute(statement)
        undo.pop_all()
    return connection


def is_new(connection: sqlite3.Connection) -> bool:
    """Tell whether nothing was ever put into this database."""
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return tables == 0 and version(connection) == (0, 0)


def version(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return (application id, schema version)."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    return application, connection.execute("PRAGMA user_version").fetchone()[0]


def create_rows(connection: sqlite3.Connection, origin: str, genesis: tuple[bytes, bytes]) -> None:
    """Create the row log with its first row (header, leaf) at seq 0, all in one transaction."""
    connection.executescript(f"BEGIN IMMEDIATE; {_ROWS} {_SEGMENTS} {_mark(USER_VERSION)}")
    connection.execute("INSERT INTO log_state VALUES (1, ?, 1, -1)", (origin,))
    connection.execute("INSERT INTO rows VALUES (0, ?, ?)", genesis)
    connection.execute("COMMIT")


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a row log of version 1 to version 2, in one transaction; a later one stays as it is."""
    if version(connection)[1] < _SEGMENTED:
        connection.executescript(f"BEGIN IMMEDIATE; {_SEGMENTS} {_mark(_SEGMENTED)} COMMIT;")


def require_version(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is not a row log of a version that can be read.

    Raises:
        LedgerError: another program's database, or another version's.

    """
    found = version(connection)
    if found[0] == APPLICATION_ID and found[1] in READABLE:
        return
    if found[0] != APPLICATION_ID:
        raise LedgerError(
            f"{path}: E-LOG-VERSION  this SQLite file is not a slaguard row log\n"
            "    name another directory with --ledger, or restore the file from a backup"
        )
    raise LedgerError(
        f"{path}: E-LOG-VERSION  written by schema version {found[1]}; this slaguard reads versions up to {USER_VERSION}\n"
        "    use the slaguard release that wrote it, or start a ledger in a new directory"
    )


_MEANINGS: Final[dict[str, tuple[str, str, str]]] = {
    "SQLITE_FULL": (
        "E-DISK-FULL",
        "the disk is full; nothing of this was kept, all that was acknowledged is",
        "make room and try again",
    ),
    "SQLITE_READONLY": ("E-LEDGER-WRITE", "the file or its directory is read-only", "check the owner, mode and mount"),
    "SQLITE_CANTOPEN": ("E-LEDGER-WRITE", "the file cannot be opened", "check the owner, mode and mount"),
    "SQLITE_CORRUPT": ("E-LOG-CORRUPT", "the file is damaged", "restore it from a backup"),
    "SQLITE_NOTADB": ("E-LOG-CORRUPT", "this is not an SQLite file", "restore it from a backup"),
    "SQLITE_BUSY": ("E-LEDGER-BUSY", "another program holds the file", "end the program that has it open"),
}


def explain(error: sqlite3.Error, path: Path) -> LedgerError:
    """Return the LedgerError that says what an SQLite error means for the ledger and how to mend it."""
    name = str(getattr(error, "sqlite_errorname", "") or "")
    plain = "_".join(name.split("_")[:2])
    code, what, mend = _MEANINGS.get(
        plain, ("E-LEDGER-WRITE", f"the disk refused: {error}", "check the disk, then start again")
    )
    return LedgerError(f"{path}: {code}  {what}\n    {mend}")
