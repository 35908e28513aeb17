"""Is a row log whole? Every row is there, once, and its bytes are those that were acknowledged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from slaguard.errors import LedgerError
from slaguard.ledger.headers import leaf

_STRETCH: Final = 5_000


def corrupt(path: Path, seq: int, what: str) -> LedgerError:
    """Return the error that names the first damaged row."""
    return LedgerError(
        f"{path}: E-LOG-CORRUPT {seq}  {what}\n"
        f"    rows before {seq} are whole; restore this file and its -wal from a backup made before the damage"
    )


def sealed_through(rows: sqlite3.Connection) -> int:
    """Return the number of the last row that stands in a segment, -1 where none does."""
    (found,) = rows.execute("SELECT sealed_through FROM log_state").fetchone()
    return int(found)


def whole_rows(rows: sqlite3.Connection, path: Path, first: int | None = None) -> Iterator[tuple[int, bytes]]:
    """Yield (seq, header bytes) of all rows from `first` on, each checked against its leaf, its number and its place.

    Without `first`, of those that stand in no segment.

    Raises:
        LedgerError: E-LOG-CORRUPT with the seq of the first row that is damaged or missing.

    """
    expected = 0 if first is None else first
    try:
        expected = sealed_through(rows) + 1 if first is None else first
        for seq, header, kept in rows.execute("SELECT seq, hdr, leaf FROM rows WHERE seq >= ? ORDER BY seq", (expected,)):
            if seq != expected:
                raise corrupt(path, expected, f"the row is missing (the next one is {seq})")
            if leaf(header) != kept:
                raise corrupt(path, seq, "the row's bytes do not match their hash")
            if b'"seq":%d' % seq not in header:
                raise corrupt(path, seq, "the row stands in another row's place")
            yield seq, header
            expected = seq + 1
        (next_seq,) = rows.execute("SELECT next_seq FROM log_state").fetchone()
    except sqlite3.DatabaseError as error:
        raise corrupt(path, expected, f"the row cannot be read: {error}") from error
    if next_seq != expected:
        raise corrupt(path, min(expected, next_seq), f"the log should have {next_seq} rows and has {expected}")


class Whole(NamedTuple):
    """Rows without a gap that were checked: the number of the first one, and of each the header bytes and the leaf hash."""

    first: int
    headers: list[bytes]
    leaves: list[bytes]


def whole_stretches(rows: sqlite3.Connection, path: Path, first: int, count: int) -> Iterator[Whole]:
    """Yield `count` rows from `first` on some thousand at a time, checked like those of `whole_rows`, only quicker.

    Raises:
        LedgerError: as `whole_rows`.

    """
    end = first + count
    for start in range(first, end, _STRETCH):
        last = min(start + _STRETCH, end) - 1
        statement = "SELECT hdr, leaf FROM rows WHERE seq BETWEEN ? AND ? ORDER BY seq"
        try:
            found = rows.execute(statement, (start, last)).fetchall()
        except sqlite3.DatabaseError:
            found = []
        headers = [header for header, _ in found]
        leaves = [leaf(header) for header in headers]
        in_place = all(b'"seq":%d' % seq in header for seq, header in enumerate(headers, start))
        if not in_place or leaves != [kept for _, kept in found] or len(found) != last - start + 1:
            for _ in whole_rows(rows, path, start):
                pass  # which finds the row and raises
            raise corrupt(path, start, "the rows cannot be read twice alike")
        yield Whole(start, headers, leaves)


def check_rows(rows: sqlite3.Connection, path: Path) -> tuple[str, int]:
    """Check the rows that stand in no segment, and all pages; return the log's name and the seq that comes next.

    Rows first: they tell which seq is damaged, where SQLite's own check only tells that a page is.

    Raises:
        LedgerError: E-LOG-CORRUPT.

    """
    for _ in whole_rows(rows, path):
        pass
    origin, next_seq = rows.execute("SELECT origin, next_seq FROM log_state").fetchone()
    (verdict,) = rows.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise corrupt(path, next_seq, f"the file is damaged beside its rows: {str(verdict)[:200]}")
    return str(origin), int(next_seq)
