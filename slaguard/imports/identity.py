"""Which record a row is: by the columns that name it, or by its whole content, counted on disk in bounded memory."""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from enum import Enum
from operator import attrgetter
from pathlib import Path
from typing import Final, Self

from slaguard.imports.values import plain
from slaguard.ledger.identity import idempotency_key
from slaguard.records import RECORD_TYPES, Record

_READABLE = re.compile(r"[A-Za-z0-9._:-]{1,60}\Z", re.ASCII)
_LONGEST_ID: Final = 160
_CACHE_KIB: Final = 32 * 1024


class Standing(Enum):
    """How a record stands to those read before."""

    NEW = "new"
    REPEATED = "repeated"
    CONFLICT = "conflict"


def named_id(mapping: str, values: Sequence[str]) -> str:
    """Return the id that some columns give a call: readable where their values are, else a hash."""
    if all(_READABLE.match(v) for v in values):
        readable = f"{mapping}:{'/'.join(values)}"
        if len(readable) <= _LONGEST_ID:
            return readable
    body = json.dumps([mapping, *values]).encode("ascii")
    return f"{mapping}:{hashlib.sha256(body).hexdigest()[:32]}"


def content_key(cells: Mapping[str, str]) -> bytes:
    """Return what makes two rows equal: every column that has a value, numbers in one spelling, in any order."""
    parts = [f"{name}\x1f{len(value)}\x1f{value}" for name, text in sorted(cells.items()) if (value := plain(text.strip()))]
    return hashlib.blake2b("\x1e".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


_SAID: Final = {kind: attrgetter(*(f.name for f in fields(kind) if f.name != "recorded_at")) for kind in RECORD_TYPES.values()}


def _said(record: Record) -> bytes:
    """Return a short hash of all that a record says but when it was written down."""
    body = "\x1f".join(map(str, _SAID[type(record)](record)))
    return hashlib.blake2b(body.encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Seen:
    """The rows and records read so far, in a temporary database that ends with the import."""

    def __init__(self) -> None:
        """Make an empty one; use it as a context."""
        self._home = tempfile.TemporaryDirectory(prefix="slaguard-import-")
        self._db = sqlite3.connect(Path(self._home.name) / "seen.db", isolation_level=None)
        # The database is worth nothing after a crash, so nothing is spent on surviving one.
        self._db.executescript(
            f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-{_CACHE_KIB}; PRAGMA locking_mode=EXCLUSIVE;"
            "CREATE TABLE rows (file INTEGER, content BLOB, n INTEGER, PRIMARY KEY (file, content)) WITHOUT ROWID;"
            "CREATE TABLE records (key BLOB PRIMARY KEY, said BLOB) WITHOUT ROWID; BEGIN"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()
        self._home.cleanup()

    def occurrence(self, file: int, content: bytes) -> int:
        """Count a row among the equal rows of its file; return its number, from 1."""
        found = self._db.execute(
            "INSERT INTO rows VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET n = n + 1 RETURNING n", (file, content)
        ).fetchone()
        return int(found[0])

    def content_id(self, file: int, cells: Mapping[str, str]) -> str:
        """Return the id of a row without an identifier: its content and its number among equal rows of the file."""
        content = content_key(cells)
        number = self.occurrence(file, content)
        return f"row:{content.hex()}" + (f".{number}" if number > 1 else "")

    def standing(self, record: Record) -> Standing:
        """Tell whether a record is new, and remember it."""
        key, said = idempotency_key(record), _said(record)
        if self._db.execute("INSERT OR IGNORE INTO records VALUES (?, ?)", (key, said)).rowcount:
            return Standing.NEW
        before = self._db.execute("SELECT said FROM records WHERE key = ?", (key,)).fetchone()
        return Standing.REPEATED if before[0] == said else Standing.CONFLICT
