"""What a writer finds beside its rows when it starts: whole segments, and what an interrupted sealing left half done.

Every step of sealing (`seal`) is safe to die after: a Parquet file without a manifest is deleted, a manifest without its
file is published again, rows that are sealed are deleted.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sqlite3
from pathlib import Path
from typing import Final

from slaguard.errors import LedgerError
from slaguard.files import atomic_write, fsync_directory
from slaguard.ledger.check import sealed_through
from slaguard.ledger.manifest import DIGITS, Manifest
from slaguard.ledger.schema import ROWS_NAME

SEGMENTS: Final = "segments"
PART: Final = ".part"
"""How the name of a file ends that is still being written."""
PRUNED: Final = 5_000
"""Rows that are deleted in one transaction."""
_OURS: Final = re.compile(rf"(\d{{{DIGITS}}})\.(parquet|json)\Z", re.ASCII).match


def recover(rows: sqlite3.Connection, directory: Path, origin: str) -> int:
    """Check the segments of a row log and finish what was interrupted; return the number of the last sealed row.

    Sizes alone are looked at: `slaguard ledger check` reads every byte.

    Raises:
        LedgerError: E-LOG-MISSING (a Parquet file is gone or cut), E-LOG-ROLLBACK (there are more segments than the row
            log knows: it is older than they are), E-LOG-CORRUPT (the manifests are not those of this log).
        OSError: the directory cannot be read or written.

    """
    through = sealed_through(rows)
    sealed = manifests_of(rows, directory, origin, through)
    folder = directory / SEGMENTS
    if folder.is_dir():
        clear(folder, len(sealed))
    for manifest, content in sealed:
        _require_parquet(folder, manifest)
        publish(folder, manifest, content)
    while prune(rows, through) == PRUNED:
        pass
    return through


def manifests_of(rows: sqlite3.Connection, directory: Path, origin: str, through: int) -> list[tuple[Manifest, bytes]]:
    """Return the manifests in the row log with their bytes, after looking that together they are all that is sealed.

    Raises:
        LedgerError: E-LOG-CORRUPT with the seq of the first row that no whole manifest speaks of.

    """
    found: list[tuple[Manifest, bytes]] = []
    next_seq = 0
    for ix, content, leaf in rows.execute("SELECT ix, bytes, leaf FROM manifests ORDER BY ix"):
        manifest = _parsed(content, leaf)
        if manifest is None or (ix, manifest.ix, manifest.first_seq, manifest.origin) != (len(found), ix, next_seq, origin):
            raise _corrupt(directory, next_seq, f"the manifest of segment {ix} is damaged or another segment's")
        found.append((manifest, content))
        next_seq = manifest.last_seq + 1
    if next_seq != through + 1:
        raise _corrupt(directory, min(next_seq, through + 1), f"rows are sealed up to {through}, manifests say {next_seq - 1}")
    return found


def _parsed(content: bytes, leaf: bytes) -> Manifest | None:
    try:
        return Manifest.parse(content) if manifest_leaf(content) == leaf else None
    except ValueError:
        return None


def manifest_leaf(content: bytes) -> bytes:
    """Return the leaf hash of manifest bytes, SHA-256(0x00 ‖ bytes) (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x00" + content).digest()


def _corrupt(directory: Path, seq: int, what: str) -> LedgerError:
    return LedgerError(
        f"{directory / ROWS_NAME}: E-LOG-CORRUPT {seq}  {what}\n"
        "    restore this file and its -wal from a backup made before the damage"
    )


def require_no_segments(directory: Path) -> None:
    """Refuse to begin a new log beside the segments of an old one.

    Raises:
        LedgerError: E-LOG-ROLLBACK.

    """
    folder = directory / SEGMENTS
    if folder.is_dir():
        clear(folder, 0)


def clear(folder: Path, known: int) -> None:
    """Delete what an interrupted sealing left: files that are half written, and a Parquet file no manifest speaks of.

    Args:
        folder: the directory of segments.
        known: how many segments the row log knows.

    Raises:
        LedgerError: E-LOG-ROLLBACK; nothing was deleted. A manifest is published after the row log has it on disk, so a
            row log that does not know a published one was put back.

    """
    found = sorted(folder.iterdir())
    strange = [path for path in found if _unknown(path, known)]
    published = next((path for path in strange if path.suffix == ".json"), None)
    if published is not None:
        raise LedgerError(
            f"{published}: E-LOG-ROLLBACK  the row log beside it knows {known} segments and not this one\n"
            f"    restore the newest {ROWS_NAME} with its -wal; to go on without, move this segment and later ones away"
        )
    left = [path for path in found if path.name.startswith(".") and path.name.endswith(PART)]
    for path in (*strange, *left):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    if strange or left:
        fsync_directory(folder)


def is_segments(path: Path) -> bool:
    """Tell whether a file is a segment's, or its manifest's, by its name."""
    return _OURS(path.name) is not None


def _unknown(path: Path, known: int) -> bool:
    ours = _OURS(path.name)
    return ours is not None and int(ours[1]) >= known


def _require_parquet(folder: Path, manifest: Manifest) -> None:
    path = folder / manifest.file
    size = path.stat().st_size if path.is_file() else None
    if size != manifest.parquet_bytes:
        what = "is gone" if size is None else f"has {size} bytes in place of {manifest.parquet_bytes}"
        raise LedgerError(
            f"{path}: E-LOG-MISSING  the segment of rows {manifest.first_seq} to {manifest.last_seq} {what}\n"
            "    restore this file from a backup: these rows stand nowhere else"
        )


def publish(folder: Path, manifest: Manifest, content: bytes) -> None:
    """Write a manifest's own file, if it is not there with just these bytes.

    Raises:
        OSError: the disk refused.

    """
    path = folder / manifest.published
    if not path.is_file() or path.read_bytes() != content:
        atomic_write(path, content)


def prune(rows: sqlite3.Connection, through: int) -> int:
    """Delete up to `PRUNED` sealed rows in one transaction and return how many; readers keep what they have begun with."""
    (oldest,) = rows.execute("SELECT min(seq) FROM rows").fetchone()
    if oldest is None or oldest > through:
        return 0
    last = min(through, oldest + PRUNED - 1)
    return rows.execute("DELETE FROM rows WHERE seq BETWEEN ? AND ?", (oldest, last)).rowcount
