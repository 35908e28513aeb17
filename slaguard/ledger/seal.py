"""Sealing: the oldest rows of a row log become a segment, an immutable Parquet file with a manifest (`evidence.md` §3).

The steps, each safe to die after (`recovery` finishes or undoes them at the next start):

1. take contiguous committed rows from a snapshot and recompute each leaf;
2. write the Parquet file under a temporary name, fsync, hash, rename, fsync the directory (`draft`);
3. one transaction: the manifest's bytes and leaf, and how far the log is sealed (`commit`);
4. publish the manifest as a file;
5. delete the rows (`clean`).

Appends go on during 1, 2 and 4, and between the small transactions of 5.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Final

from slaguard import __version__
from slaguard.errors import LedgerError
from slaguard.files import fsync_directory
from slaguard.ledger import recovery, schema
from slaguard.ledger.check import Whole, sealed_through, whole_rows, whole_stretches
from slaguard.ledger.keyed import Identified
from slaguard.ledger.manifest import DIGITS, Manifest, root
from slaguard.ledger.places import placing, side_by_side
from slaguard.ledger.segment import segment_name, write_segment

if TYPE_CHECKING:
    from slaguard.ledger.rowlog import RowLog

MOST: Final = 100_000
"""Rows of a segment."""
MOST_BYTES: Final = 64 * 2**20
"""Header bytes of a segment: the engine needs several times as much memory to write it. Usual rows have 500 each."""
_AT_ONCE: Final = 500
"""Keys asked for in one statement (SQLite's oldest limit of parameters is 999)."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


def seal_due(log: RowLog, *, every_ns: int, rows: int = MOST) -> int:
    """Seal what is due, and return how many segments were made.

    Due are full segments, and all that waits once the oldest waiting row was recorded longer ago than `every_ns`.

    Args:
        log: the open row log; appends may go on in other threads.
        every_ns: how long a row waits at most, in nanoseconds of the log's own clock.
        rows: how many waiting rows make a full segment; at most 100,000.

    Raises:
        LedgerError: E-DISK-FULL (what was begun is gone, the log takes records as before), E-LOG-CORRUPT (a row's bytes
            do not match their hash), or the disk failed: then the log takes nothing more.

    """
    made, size = 0, max(1, min(rows, MOST))
    with _sealing(log):
        end = log.next_seq  # what comes meanwhile waits for the next call: writers may be faster than this
        while _waiting(log, end) >= size:
            _seal(log, size)
            made += 1
        while (left := _waiting(log, end)) and log.clock.read().wall_ns - _oldest(log) > every_ns:
            _seal(log, left)
            made += 1
    return made


def seal_all(log: RowLog) -> int:
    """Seal all rows that wait when this is called, and return how many segments were made.

    Raises:
        LedgerError: as `seal_due`.

    """
    made = 0
    with _sealing(log):
        end = log.next_seq
        while left := _waiting(log, end):
            _seal(log, min(left, MOST))
            made += 1
    return made


@contextmanager
def _sealing(log: RowLog) -> Iterator[None]:
    """Be the only one who seals, in a log that stays open meanwhile."""
    with log.sealing:
        log.require_open()
        yield


def _waiting(log: RowLog, end: int) -> int:
    """Return how many rows before `end` stand in no segment; the first row, about the log itself, makes none alone."""
    return end - 1 - log.sealed_through if end > 1 else 0


def _oldest(log: RowLog) -> int:
    """Return when the oldest waiting row was recorded."""
    with _disk(log), schema.snapshot(log.directory) as rows:
        _, header = next(whole_rows(rows, log.directory / schema.ROWS_NAME))
    return int(json.loads(header)["recorded_at"])


def _seal(log: RowLog, count: int) -> None:
    finish(log)
    drafted = draft(log, count)
    commit(log, drafted)
    publish(log, drafted)
    clean(log)


# ── steps 1 and 2 ───────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Draft:
    """A segment whose Parquet file is on disk and whose manifest is not in the row log yet.

    `named` are identities to keep for later segments (`Repeats`).
    """

    manifest: Manifest
    content: bytes
    named: dict[bytes, int]


def draft(log: RowLog, count: int) -> Draft:
    """Write the Parquet file of the `count` oldest waiting rows, fewer where these are very large.

    Raises:
        LedgerError: as `seal_due`; no file is left.

    """
    folder = log.directory / recovery.SEGMENTS
    with _disk(log), schema.snapshot(log.directory) as rows:
        _make(folder)
        first = sealed_through(rows) + 1
        (ix,) = rows.execute("SELECT count(*) FROM manifests").fetchone()
        repeats = Repeats(rows)
        leaves: list[bytes] = []
        stretches = whole_stretches(rows, log.directory / schema.ROWS_NAME, first, count)
        part = folder / f".{ix:0{DIGITS}d}.parquet{recovery.PART}"
        with _removed_on_failure(part):
            written = write_segment(part, _leaving(stretches, leaves), segment_name(log.origin, ix), again=repeats)
            moments = written.moments or (None, None)
            manifest = Manifest(
                origin=log.origin,
                ix=ix,
                first_seq=written.first_seq,
                last_seq=written.last_seq,
                records_root=root(leaves),
                parquet_bytes=written.bytes,
                parquet_sha256=written.sha256,
                kinds=written.kinds,
                again=written.again,
                sent=written.sent,
                batch=written.batch,
                known=written.known,
                t_min_ns=moments[0],
                t_max_ns=moments[1],
                sealed_wall_ns=log.clock.read().wall_ns,
                software=f"slaguard {__version__}",
            )
            part.replace(folder / manifest.file)
        fsync_directory(folder)
    return Draft(manifest, manifest.content(), repeats.named)


def _make(folder: Path) -> None:
    if not folder.is_dir():
        folder.mkdir()
        fsync_directory(folder.parent)


def _leaving(stretches: Iterator[Whole], leaves: list[bytes]) -> Iterator[tuple[int, bytes]]:
    """Pass rows on and note their leaf hashes, up to the bytes of a segment."""
    size = 0
    for first, headers, hashes in stretches:
        sizes = list(accumulate(map(len, headers), initial=size))[1:]
        fitting = max(bisect_right(sizes, MOST_BYTES), 0 if leaves else 1)
        leaves += hashes[:fitting]
        yield from enumerate(headers[:fitting], first)
        if fitting < len(headers):
            return
        size = sizes[-1]


@contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):  # what cannot be removed now is removed at the next start
            path.unlink(missing_ok=True)
        raise


class Repeats:
    """Which rows come after an earlier one of the same identity; they never count.

    The row log keeps for each key the first row that had it (`idempotency`): a row that is not the first of its own key
    comes again. That key is the one its writer gave, though, and an adjudication without a time is stored with one, which
    makes it another identity: where the row log's keys do not know a row's identity, `named` does, filled by sealing.
    """

    def __init__(self, rows: sqlite3.Connection) -> None:
        """Keep a connection to the row log (of version 1: it has no `named`)."""
        self._rows = rows
        self._placing = placing(schema.version(rows)[1])
        self._tables = ["idem"]
        there = rows.execute("SELECT count(*) FROM sqlite_master WHERE name = 'named'").fetchone()[0]
        if there and rows.execute("SELECT EXISTS(SELECT 1 FROM named)").fetchone()[0]:
            self._tables.append("named")
        self.named: dict[bytes, int] = {}

    def __call__(self, batch: Sequence[Identified]) -> Collection[int]:
        """Return the seqs of those of some rows, in order and after all given before, that come again."""
        places = [self._placing(row.kind, row.name) or row.key for row in batch]
        own = dict(zip(places, [row.seq for row in batch], strict=True))
        first = self._first(own)
        if len(own) == len(batch) and own.items() <= first.items() and own.keys().isdisjoint(self.named):
            return ()  # as it nearly always is: each row is the first of its own key
        again = set()
        for row, place in zip(batch, places, strict=True):
            earliest = min(first.get(place, row.seq + 1), self.named.get(place, row.seq + 1))
            if earliest < row.seq:
                again.add(row.seq)
            elif earliest > row.seq:
                self.named[place] = row.seq
        return again

    def _first(self, keys: Iterable[bytes]) -> dict[bytes, int]:
        """Return the first row of each key that the row log knows, and of some others beside them."""
        spans, single = side_by_side(keys)
        some = [single[start : start + _AT_ONCE] for start in range(0, len(single), _AT_ONCE)]
        asked = [("BETWEEN ? AND ?", span) for span in spans] + [(f"IN ({','.join('?' * len(s))})", s) for s in some]
        found: dict[bytes, int] = {}
        for table in self._tables:
            for condition, values in asked:
                there = dict(self._rows.execute(f"SELECT key, seq FROM {table} WHERE key {condition}", values))  # noqa: S608
                there.update({key: min(there[key], found[key]) for key in there.keys() & found.keys()})
                found.update(there)
        return found


# ── steps 3, 4 and 5 ────────────────────────────────────────────────────────────────────────────────────────────────
def commit(log: RowLog, drafted: Draft) -> None:
    """Put the manifest into the row log: from here on the segment counts and its rows do not.

    Raises:
        LedgerError: the disk refused; the rows go on standing in the row log.

    """
    manifest = drafted.manifest

    def write(rows: sqlite3.Connection) -> None:
        rows.execute("BEGIN IMMEDIATE")
        content, sealed = drafted.content, recovery.manifest_leaf(drafted.content)
        rows.execute("INSERT INTO manifests VALUES (?, ?, ?)", (manifest.ix, content, sealed))
        rows.executemany("INSERT INTO named VALUES (?, ?)", drafted.named.items())
        rows.execute("UPDATE log_state SET sealed_through = ?", (manifest.last_seq,))
        rows.execute("COMMIT")
        log.sealed_through = manifest.last_seq

    try:
        log.alone(write)
    except LedgerError:
        if log.is_open:  # the transaction was undone for certain: nothing speaks of the file
            with suppress(OSError):
                (log.directory / recovery.SEGMENTS / manifest.file).unlink()
        raise


def publish(log: RowLog, drafted: Draft) -> None:
    """Write the manifest as a file beside its Parquet file, for readers that have no row log.

    Raises:
        LedgerError: the disk refused; the next start, or the next sealing, does it.

    """
    with _disk(log):
        recovery.publish(log.directory / recovery.SEGMENTS, drafted.manifest, drafted.content)


def finish(log: RowLog) -> None:
    """Do steps 4 and 5 of the last segment, if its own sealing could not.

    Raises:
        LedgerError: the disk refused again.

    """
    with _disk(log), schema.snapshot(log.directory) as rows:
        last = rows.execute("SELECT bytes FROM manifests ORDER BY ix DESC LIMIT 1").fetchone()
        if last is not None:
            recovery.publish(log.directory / recovery.SEGMENTS, Manifest.parse(last[0]), last[0])
    clean(log)


def clean(log: RowLog) -> None:
    """Delete the rows that stand in segments, some thousand at a time.

    Raises:
        LedgerError: the disk refused; the next start, or the next sealing, does it.

    """
    while log.alone(lambda rows: recovery.prune(rows, log.sealed_through)) == recovery.PRUNED:
        pass


# ── disks that refuse ───────────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def _disk(log: RowLog) -> Iterator[None]:
    """Raise what the disk says as a LedgerError; after a failure that is no lack of room or rights, take nothing more."""
    try:
        yield
    except sqlite3.Error as error:
        raise schema.explain(error, log.directory) from error
    except OSError as error:
        failure = _refused(log.directory / recovery.SEGMENTS, error)
        if error.errno == errno.EIO:
            log.refuse(failure)
        raise failure from error


def _refused(folder: Path, error: OSError) -> LedgerError:
    if error.errno in _FULL:
        return LedgerError(
            f"{folder}: E-DISK-FULL  the disk is full; every record is kept where it is\n"
            "    make room; what waits is sealed the next time"
        )
    said = error.strerror or str(error)
    return LedgerError(
        f"{folder}: E-LEDGER-WRITE  a segment cannot be written: {said}\n    check the disk, its mount and the owner"
    )
