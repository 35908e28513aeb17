"""Has a ledger changed? A look at names, sizes and times of its files: no row is read and nothing is opened by SQLite."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from slaguard.ledger.schema import ROWS_NAME
from slaguard.ledger.writers import SEGMENTS, folders

_INDEX_HEADER: Final = 48
"""The wal-index begins with a header that every commit counts up: a write-ahead log that is used again keeps its size."""


def fingerprint(directory: Path) -> str | None:
    """Return what tells one state of a ledger from another, for all of its writers; None: there is no ledger yet.

    A file that is changed in place, at an equal size and time, is not noticed: no writer does that.

    Raises:
        LedgerError: the directory cannot be looked into, or a writer's row log is gone.

    """
    parts = [part for folder in folders(directory) for part in _parts(folder)]
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest() if parts else None


def _parts(folder: Path) -> Iterator[str]:
    """Yield what each file of a writer looks like; of the folder of segments, what every name that comes or goes changes."""
    for name in (ROWS_NAME, f"{ROWS_NAME}-wal", SEGMENTS):
        try:
            found = (folder / name).stat()
        except FileNotFoundError:
            continue
        yield f"{folder.name}/{name} {found.st_ino} {found.st_size} {found.st_mtime_ns}"
    try:
        with (folder / f"{ROWS_NAME}-shm").open("rb") as index:
            yield f"{folder.name} {index.read(_INDEX_HEADER).hex()}"
    except FileNotFoundError:
        return
