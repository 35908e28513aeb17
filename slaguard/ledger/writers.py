"""Several writers side by side: the one whose row log lies in a ledger's directory, and those in its sub-folders.

A writer is a folder with a row log, or with ``segments/`` alone (copied there from elsewhere). One process writes to a
folder at a time; who finds a ledger taken writes beside it, and readers take all of them together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from slaguard.errors import LedgerError, LedgerLocked
from slaguard.files import is_safe_name
from slaguard.ledger import standing
from slaguard.ledger.lock import LOCK_NAME
from slaguard.ledger.manifest import DIGITS, Manifest
from slaguard.ledger.recovery import PART, is_segments
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.schema import ROWS_NAME
from slaguard.records import Clock

SEGMENTS: Final = "segments"
"""The folder of a writer's segments; no writer may be called so."""


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def open_writer(directory: Path, name: str, *, clock: Clock, **options: Any) -> RowLog:
    """Open a ledger for writing; where another process is its writer, become a writer of its own in a sub-folder.

    Args:
        directory: the ledger.
        name: the sub-folder's name: ``import``, ``record``.
        clock: as `RowLog.open`.
        options: as `RowLog.open`.

    Raises:
        LedgerLocked: the ledger and the sub-folder are both taken; carries the process that holds the sub-folder.
        LedgerError: as `RowLog.open`, or a name that no writer can have.

    """
    if name == SEGMENTS or not is_safe_name(name):
        raise LedgerError(f"{directory}: E-LEDGER-WRITE  no writer can be called {name!a}\n    use letters and digits")
    try:
        return RowLog.open(directory, clock=clock, **options)
    except LedgerLocked:
        return RowLog.open(directory / name, clock=clock, **options)


# ── finding ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def folders(directory: Path) -> tuple[Path, ...]:
    """Return the folders of a ledger's writers: its own, then its sub-folders by name.

    A folder in which a writer is just being made has nothing to read and is not among them.

    Raises:
        LedgerError: the directory cannot be looked into, or a writer's row log is gone.

    """
    try:
        beside = [p for p in sorted(directory.iterdir()) if p.is_dir() and p.name != SEGMENTS and not p.name.startswith(".")]
        return tuple(p for p in (directory, *beside) if _is_writer(p))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise LedgerError(
            f"{directory}: E-LEDGER-READ  the ledger cannot be read here: {error.strerror}\n"
            "    check --ledger, and who may read the directory"
        ) from None


def _is_writer(folder: Path) -> bool:
    if (folder / ROWS_NAME).is_file():
        return True
    if standing.left(folder).was_used:
        raise LedgerError(
            f"{folder / ROWS_NAME}: E-LOG-MISSING  a row log was here and is gone\n"
            f"    restore it from a backup; to read what was sealed alone, remove {LOCK_NAME} too"
        )
    if next((folder / SEGMENTS).glob("*.json"), None) is not None:
        return True
    require_manifests(folder, 0)
    return False


def under_way(file: str) -> str:
    """Return the name under which a manifest stands while its Parquet file is being published (`publish`)."""
    return f".{Path(file).stem}.json{PART}"


def require_manifests(folder: Path, known: int) -> None:
    """Refuse Parquet files that no manifest speaks of in a folder without a row log: nobody will mend it there.

    One whose manifest is announced is being published, or its publisher died: it is as if it were not there.

    Args:
        folder: the writer's.
        known: how many manifests are there.

    Raises:
        LedgerError: E-LOG-MISSING.

    """
    found = [p for p in sorted((folder / SEGMENTS).glob("*.parquet")) if is_segments(p) and int(p.stem) >= known]
    found = [p for p in found if not p.with_name(under_way(p.name)).exists()]  # it is not here yet, and nothing of it counts
    if found:
        more = f" (and of {len(found) - 1} more)" if len(found) > 1 else ""
        raise LedgerError(
            f"{found[0]}: E-LOG-MISSING  the manifest of this segment{more} is not there, so its rows would not count\n"
            f"    copy {found[0].with_suffix('.json').name} from where it comes from: a copy may be under way, run it again"
        )


# ── segments ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Sealed:
    """What one writer has sealed: its name, and the manifests of its segments with the bytes they were read from."""

    folder: Path
    origin: str
    manifests: tuple[Manifest, ...]
    contents: tuple[bytes, ...]
    alone: bool = False
    """Whether only its published manifests are there, and no row log that vouches for them."""

    def path(self, manifest: Manifest) -> Path:
        """Return where a segment's Parquet file is."""
        return self.folder / SEGMENTS / manifest.file


def sealed(folder: Path, origin: str | None, contents: list[tuple[int, bytes]]) -> Sealed:
    """Return what the manifests of one log say, after a check that none is missing.

    Args:
        folder: the writer's.
        origin: the log's name where it is known from elsewhere.
        contents: number and bytes of each manifest, by number.

    Raises:
        LedgerError: a gap, another log's manifest, or bytes that are none.

    """
    manifests: list[Manifest] = []
    next_seq = 0
    for expected, (ix, content) in enumerate(contents):
        path = folder / SEGMENTS / f"{expected:0{DIGITS}d}.json"
        if ix != expected:
            raise LedgerError(
                f"{path}: E-LOG-MISSING  the manifest of segment {expected} is gone (the next one is {ix})\n"
                "    copy it and its .parquet from where the others come from, or restore them"
            )
        manifest = _parsed(path, content)
        origin = manifest.origin if origin is None else origin
        if (manifest.origin, manifest.ix, manifest.first_seq) != (origin, ix, next_seq):
            raise LedgerError(
                f"{path}: E-LOG-CORRUPT {next_seq}  it is segment {manifest.ix} of {manifest.origin!a} from row"
                f" {manifest.first_seq}, not segment {ix} of {origin!a} from row {next_seq}\n    restore it from a backup"
            )
        manifests.append(manifest)
        next_seq = manifest.last_seq + 1
    return Sealed(folder, origin or "", tuple(manifests), tuple(content for _, content in contents))


def _parsed(path: Path, content: bytes) -> Manifest:
    try:
        return Manifest.parse(content)
    except ValueError as error:
        raise LedgerError(f"{path}: E-LOG-CORRUPT  {error}\n    restore it from a backup") from None


def newest_published(folder: Path) -> int:
    """Return the greatest number of a segment whose manifest is published in a folder, -1 where none is."""
    names = (path.stem for path in (folder / SEGMENTS).glob("*.json"))
    return max((int(name) for name in names if name.isdecimal() and len(name) == DIGITS), default=-1)


def published(folder: Path) -> Sealed:
    """Return what a folder with ``segments/`` alone holds, from the manifests published there.

    Raises:
        LedgerError: as `sealed`, or a file that cannot be read, or a Parquet file without a manifest.

    """
    found: list[tuple[int, bytes]] = []
    for path in sorted((folder / SEGMENTS).glob("*.json")):
        if path.stem.isdecimal() and len(path.stem) == DIGITS:
            try:
                found.append((int(path.stem), path.read_bytes()))
            except OSError as error:
                raise LedgerError(f"{path}: E-LEDGER-READ  {error.strerror}\n    check who may read the file") from None
    alone = replace(sealed(folder, None, found), alone=True)
    require_manifests(folder, len(alone.manifests))
    return alone


def require_file(path: Path, manifest: Manifest, *, alone: bool = False) -> None:
    """Refuse a segment whose file is gone or of another size than it was sealed with.

    Args:
        path: the file.
        manifest: what was sealed.
        alone: whether its folder is a copy of segments, so that the copy may be under way.

    Raises:
        LedgerError: E-LOG-MISSING.

    """
    try:
        size = path.stat().st_size
    except OSError:
        raise missing(path, "the segment is not there" if alone else "the segment is gone", manifest, alone=alone) from None
    if size != manifest.parquet_bytes:
        what = f"the segment has {size:,} bytes, not the {manifest.parquet_bytes:,} it was sealed with"
        raise missing(path, what, manifest, alone=alone)


def missing(path: Path, what: str, manifest: Manifest, *, alone: bool = False) -> LedgerError:
    """Return the error that names a segment's file and the rows it holds."""
    rows = f"rows {manifest.first_seq} to {manifest.last_seq}"
    mend = "restore it from a backup or another copy"
    if alone:
        mend = (
            f"the copy in {path.parent.parent} is not complete: run it again, and copy manifests last"
            " (rsync --exclude '*.json' first, then all)"
        )
    return LedgerError(f"{path}: E-LOG-MISSING  {what}; it holds {rows}\n    {mend}")
