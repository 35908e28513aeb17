"""Publishing: sealed segments are copied to a folder that others read, on a disk they share or in a volume of the Pod.

A copy is a writer's folder with ``segments/`` alone (`writers`). Parquet files come first and each manifest after its file,
in the order of numbers; every file is complete and durable before it has its name. Killed at any moment, the next call goes
on; what is there is never written over.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Final

from slaguard.errors import LedgerError
from slaguard.files import fsync_directory
from slaguard.ledger.manifest import DIGITS, Manifest
from slaguard.ledger.recovery import PART
from slaguard.ledger.schema import ROWS_NAME
from slaguard.ledger.writers import SEGMENTS, require_file, under_way

_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_CHUNK: Final = 1 << 20
_MODE: Final = 0o640


class Step(Enum):
    """What was just done for one segment; each step is safe to die after."""

    COPIED = "the Parquet file stands there under a temporary name"
    NAMED = "the Parquet file has its name"
    PUBLISHED = "the manifest stands beside it"


def publish(folder: Path, destination: Path) -> int:
    """Copy what a writer has sealed and is not in the destination yet, and return how many segments that were.

    Args:
        folder: the writer's folder; it may seal meanwhile.
        destination: the folder of the copy, made where there is none; of this writer alone.

    Raises:
        LedgerError: the destination holds another writer's segments or files, a segment is not what was sealed, or the
            disk refused; what was copied before stays.

    """
    return sum(step is Step.PUBLISHED for step in steps(folder, destination))


def steps(folder: Path, destination: Path) -> Iterator[Step]:
    """Yield after each step of `publish`; raises as it."""
    source, target = folder / SEGMENTS, destination / SEGMENTS
    try:
        sealed = _numbers(source)
        there = _numbers(target)
        if there or sealed:
            _require_copy(folder, destination, there)
        for ix in sorted(sealed - there):
            if not target.is_dir():
                _make(destination, target)
            yield from _segment(source, target, ix)
    except OSError as error:
        raise _refused(Path(error.filename or target), error) from error


def _numbers(folder: Path) -> set[int]:
    """Return the numbers of the manifests in a folder."""
    try:
        stems = [path.stem for path in folder.iterdir() if path.suffix == ".json"]
    except FileNotFoundError:
        return set()
    return {int(stem) for stem in stems if stem.isdecimal() and len(stem) == DIGITS}


def _require_copy(folder: Path, destination: Path, there: set[int]) -> None:
    """Refuse a destination that is a writer's own folder, or the copy of another log: its last manifest tells.

    Raises:
        LedgerError: it is.

    """
    if (destination / ROWS_NAME).exists():
        raise LedgerError(
            f"{destination}: E-PUBLISH  a writer works in this folder, so it cannot hold a copy\n"
            "    publish to a folder of its own"
        )
    if there:
        name = f"{max(there):0{DIGITS}d}.json"
        own = folder / SEGMENTS / name
        if not own.is_file() or own.read_bytes() != (destination / SEGMENTS / name).read_bytes():
            raise _different(destination / SEGMENTS / name, "it is the manifest of another log than", own)


def _make(destination: Path, target: Path) -> None:
    made = [path for path in (*reversed(destination.parents), destination, target) if not path.is_dir()]
    target.mkdir(parents=True, exist_ok=True)
    for path in made:
        fsync_directory(path.parent)


def _segment(source: Path, target: Path, ix: int) -> Iterator[Step]:
    """Copy one segment."""
    said = source / f"{ix:0{DIGITS}d}.json"
    content = said.read_bytes()
    manifest = _parsed(said, content)
    require_file(source / manifest.file, manifest)
    path = target / manifest.file
    part, announced = target / f".{manifest.file}{PART}", target / under_way(manifest.file)
    if not path.exists():
        _copy(source / manifest.file, part, manifest)
        yield Step.COPIED
    elif path.stat().st_size != manifest.parquet_bytes or _sha256(path) != manifest.parquet_sha256:
        raise _different(path, "it is not", source / manifest.file)
    _write(announced, content)  # so that a reader who meets the file alone knows that its manifest comes
    if not path.exists():
        part.replace(path)
        fsync_directory(target)
    yield Step.NAMED
    announced.replace(target / manifest.published)
    fsync_directory(target)
    yield Step.PUBLISHED


def _parsed(path: Path, content: bytes) -> Manifest:
    try:
        manifest = Manifest.parse(content)
    except ValueError as error:
        raise LedgerError(f"{path}: E-LOG-CORRUPT  {error}\n    restore it from a backup") from None
    if manifest.published != path.name:
        raise LedgerError(f"{path}: E-LOG-CORRUPT  it is the manifest of segment {manifest.ix}\n    restore it from a backup")
    return manifest


def _copy(path: Path, part: Path, manifest: Manifest) -> None:
    """Copy a file to a temporary name, hashing what is copied, and make it durable."""
    digest = hashlib.sha256()
    with path.open("rb") as read, part.open("wb") as written:
        while chunk := read.read(_CHUNK):
            digest.update(chunk)
            written.write(chunk)
        written.flush()
        os.fchmod(written.fileno(), _MODE)
        os.fsync(written.fileno())
    if digest.hexdigest() != manifest.parquet_sha256:
        part.unlink()
        raise LedgerError(
            f"{path}: E-LOG-CORRUPT {manifest.first_seq}  its bytes are not those that were sealed, so it is not published\n"
            "    restore it from a backup or another copy"
        )


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as written:
        written.write(content)
        written.flush()
        os.fchmod(written.fileno(), _MODE)
        os.fsync(written.fileno())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _different(path: Path, how: str, own: Path) -> LedgerError:
    return LedgerError(
        f"{path}: E-PUBLISH  {how} {own}, and nothing is written over\n"
        "    give each writer a folder of its own; to begin the copy anew, move this one away"
    )


def _refused(path: Path, error: OSError) -> LedgerError:
    if error.errno in _FULL:
        return LedgerError(f"{path}: E-DISK-FULL  the disk is full; what is sealed stays where it is\n    make room there")
    said = error.strerror or str(error)
    return LedgerError(
        f"{path}: E-LEDGER-WRITE  segments cannot be published: {said}\n    check the folder, its mount and owner"
    )
