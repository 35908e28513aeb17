"""Partials: the answer of one Counts Demand on one segment, kept so that the segment need not be read again.

A partial stands for its segment only where that is exact (`stands`). Its key is the segment's hash and the Demand's less
its span, with the phase of the grid for Demands with bins; bins are kept on the absolute grid, so one partial serves
every span that holds the segment. The cache holds nothing that cannot be made again: what cannot be read or written is
done without.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import rfc8785

import slaguard
from slaguard.evaluation.demands import Condition, Counts, Mark
from slaguard.ledger.manifest import Manifest
from slaguard.records import NULL, Column, Span, Table
from slaguard.terms import BoundWord, Source

NAME: Final = "partials.db"
VERSION: Final = 2
"""Version 1 could have been made from a damaged file."""
LIMIT: Final = 512 * 2**20
"""Bytes beyond which the cache is begun anew: what nobody asks for any more has to go some time."""
_WAIT: Final = 2.0
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS demands(demand BLOB PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS partials(
  demand BLOB NOT NULL, segment BLOB NOT NULL, content BLOB NOT NULL, checksum BLOB NOT NULL, PRIMARY KEY(demand, segment));
CREATE TABLE IF NOT EXISTS stamps(stamp BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_SOUND: Final = (
    "SELECT body, segment, content, checksum FROM partials JOIN demands USING (demand)"
    " WHERE typeof(segment) = 'blob' AND typeof(content) = 'blob' AND typeof(body) = 'blob'"
)


# ── where a partial is exact ────────────────────────────────────────────────────────────────────────────────────────
def concerns(manifest: Manifest, span: Span) -> bool:
    """Tell whether an observation of this segment may lie in a span; if not, it contributes nothing."""
    start, end = span
    sent, batch = manifest.sent, manifest.batch
    return (sent is not None and sent[0] < end and sent[1] >= start) or (
        batch is not None and batch[0] <= end and batch[1] >= start
    )


def stands(manifest: Manifest, counts: Counts) -> bool:
    """Tell whether the answer on this segment alone can be kept: all of it in the span and known, and nothing asked beyond it.

    A grade may stand in another segment, and a later one may come; records that are told one by one are not kept twice.
    """
    start, end = counts.span
    sent, batch = manifest.sent, manifest.batch
    return (
        "grade" not in counts.keys
        and not counts.each
        and (manifest.known is None or manifest.known <= counts.as_of)
        and (sent is None or (start <= sent[0] and sent[1] < end))
        and (batch is None or (start <= batch[0] and batch[1] <= end))
    )


def body(counts: Counts) -> bytes:
    """Return the canonical bytes of a Demand less its span and time of knowledge, with the phase of its bins."""
    return rfc8785.dumps(
        {
            "v": VERSION,
            "software": slaguard.__version__,
            "source": counts.source.value,
            "where": [_condition(c) for c in counts.where],
            "marks": [
                {
                    "conditions": [_condition(c) for c in m.conditions],
                    "windows": None if m.windows is None else [[str(a), str(b)] for a, b in m.windows],
                }
                for m in counts.marks
            ],
            "keys": list(counts.keys),
            "bin_ns": None if counts.bin_ns is None else str(counts.bin_ns),
            "phase": str(phase(counts)),
            **counts.further(),
        }
    )


def _condition(condition: Condition) -> dict[str, Any]:
    return {
        "field": condition.field,
        "values": None if condition.values is None else list(condition.values),
        "word": condition.word.value if condition.word else None,
        "limit": None if condition.limit is None else str(condition.limit),
    }


def phase(counts: Counts) -> int:
    """Return where on the absolute grid the bins of a Demand begin; 0 without bins."""
    return counts.span[0] % counts.bin_ns if "bin" in counts.keys and counts.bin_ns else 0


def asked(content: bytes, span: Span) -> Counts:
    """Return the Demand of these bytes over a span, which begins no later than asked: on the grid of its bins.

    Raises:
        ValueError: not the bytes of a Demand of this version.

    """
    try:
        read = json.loads(content)
        bin_ns = None if read["bin_ns"] is None else int(read["bin_ns"])
        start = span[0] - ((span[0] - int(read["phase"])) % bin_ns if bin_ns and "bin" in read["keys"] else 0)
        counts = Counts(
            source=Source(read["source"]),
            span=(start, span[1]),
            as_of=-NULL - 1,
            where=tuple(map(_read_condition, read["where"])),
            marks=tuple(_read_mark(m) for m in read["marks"]),
            keys=tuple(map(str, read["keys"])),
            bin_ns=bin_ns,
            by=tuple(map(str, read.get("by", ()))),
            per=tuple(map(str, read.get("per", ()))),
            like=tuple(map(str, read.get("like", ()))),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a Demand: {error}") from None
    if body(counts) != content:
        raise ValueError("not a Demand of this version")
    return counts


def _read_condition(read: Mapping[str, Any]) -> Condition:
    values = None if read["values"] is None else tuple(map(str, read["values"]))
    word = None if read["word"] is None else BoundWord(read["word"])
    return Condition(str(read["field"]), values, word, None if read["limit"] is None else int(read["limit"]))


def _read_mark(read: Mapping[str, Any]) -> Mark:
    windows = None if read["windows"] is None else tuple((int(a), int(b)) for a, b in read["windows"])
    return Mark(tuple(map(_read_condition, read["conditions"])), windows)


# ── the absolute grid ───────────────────────────────────────────────────────────────────────────────────────────────
def _moved(table: Table, counts: Counts, sign: int) -> Table:
    if "bin" not in table.keys or not counts.bin_ns:
        return table
    steps = sign * (counts.span[0] // counts.bin_ns)
    place = table.keys.index("bin")
    bins = table.columns[place]
    columns = list(table.columns)
    columns[place] = np.where(bins == NULL, NULL, bins + steps)
    return replace(table, columns=tuple(columns))


def absolute(table: Table, counts: Counts) -> Table:
    """Return an answer with its bins counted from the beginning of time, whatever the span."""
    return _moved(table, counts, 1)


def relative(table: Table, counts: Counts) -> Table:
    """Return a partial with its bins counted from the start of a Demand's span."""
    return _moved(table, counts, -1)


# ── adding up ───────────────────────────────────────────────────────────────────────────────────────────────────────
def merged(keys: tuple[str, ...], tables: Sequence[Table]) -> Table:
    """Return the sum of answers: equal keys once, with the sum of their counts."""
    columns = tuple(np.concatenate([t.columns[i] for t in tables]) for i in range(len(keys))) if tables else ()
    n = np.concatenate([t.n for t in tables]) if tables else np.zeros(0, dtype=np.int64)
    if not tables or not len(n):
        return Table.of(keys, tuple(np.zeros(0, dtype=np.int64) for _ in keys), np.zeros(0, dtype=np.int64))
    if not keys:
        return Table.of(keys, (), np.array([n.sum()], dtype=np.int64))
    packed = _packed(columns)
    order = np.lexsort(tuple(reversed(columns))) if packed is None else np.argsort(packed, kind="stable")
    columns, n = tuple(c[order] for c in columns), n[order]
    new = np.zeros(len(n), dtype=np.bool_)
    new[0] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(new)
    return Table.of(keys, tuple(c[first] for c in columns), np.add.reduceat(n, first))


def _packed(columns: tuple[Column, ...]) -> Column | None:
    """Return one number per row in the order of all columns, where 63 bits hold it: one sort in place of many."""
    packed = np.zeros(len(columns[0]), dtype=np.int64)
    room = 1
    for column in columns:
        there = column != NULL
        least, most = (int(column[there].min()), int(column[there].max())) if there.any() else (0, 0)
        size = most - least + 2
        room *= size
        if room >= 2**62:
            return None
        packed = packed * size + np.where(there, column - least + 1, 0)
    return packed


# ── the cache ───────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Key:
    """What a partial is kept under beside its segment; `body` says what was asked."""

    sha256: bytes
    body: bytes

    @classmethod
    def of(cls, content: bytes) -> Key:
        """Return the key of these canonical bytes."""
        return cls(hashlib.sha256(content).digest(), content)


DOCUMENTS: Final = Key.of(rfc8785.dumps({"v": VERSION, "documents": "hdr"}))
"""The header lines of a segment's Facts, Incidents and Coverage: few, and scattered over the largest column."""

TALLIES: Final = Key.of(rfc8785.dumps({"v": VERSION, "tallies": "by name"}))
"""What the tallies of a segment say of each vendor (`watched`)."""


class Partials:
    """The cache beside a ledger; any number of processes use it. Nothing here ever fails: it is only without effect."""

    def __init__(self, directory: Path | None) -> None:
        """Keep where it is; None: there is no cache."""
        self.path = None if directory is None else directory / NAME

    @contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection | None]:
        """Open the file; None where that cannot be done. A damaged one is deleted."""
        if self.path is None or (mode == "rw" and not self.path.is_file()):
            yield None
            return
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(self.path.absolute()))}?mode={mode}", uri=True, isolation_level=None, timeout=_WAIT
            )
        except sqlite3.Error:
            yield None
            return
        with closing(connection):
            try:
                yield connection
            except sqlite3.Error as error:
                self._drop_damaged(error)

    def _drop_damaged(self, error: sqlite3.Error) -> None:
        damaged = str(getattr(error, "sqlite_errorname", "")).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR"))
        if damaged and self.path is not None:
            try:
                self.path.unlink(missing_ok=True)
            except OSError:
                return  # read-only: it goes on being without effect

    def find(self, key: Key, segments: Iterable[str]) -> dict[str, bytes]:
        """Return what is kept of these segments (by hash, hex) and not damaged."""
        wanted = set(segments)
        found: dict[str, bytes] = {}
        with self._open("rw") as cache:
            rows = cache.execute(f"{_SOUND} AND demand = ?", (key.sha256,)) if cache is not None and wanted else ()
            for _, segment, content, checksum in rows:
                if segment.hex() in wanted and checksum == _checksum(key, segment, content):
                    found[segment.hex()] = content
        return found

    def keep(self, key: Key, contents: Mapping[str, bytes]) -> None:
        """Keep these contents by segment, in place of what was there."""
        rows = [(key.sha256, (s := bytes.fromhex(name)), c, _checksum(key, s, c)) for name, c in contents.items()]
        with self._open("rwc") as cache:
            if cache is None or not rows:
                return
            self._make_room(cache)
            cache.execute("BEGIN IMMEDIATE")
            cache.execute("INSERT OR REPLACE INTO demands VALUES (?, ?)", (key.sha256, key.body))
            cache.executemany("INSERT OR REPLACE INTO partials VALUES (?, ?, ?, ?)", rows)
            cache.execute("COMMIT")

    @staticmethod
    def _make_room(cache: sqlite3.Connection) -> None:
        cache.executescript(f"PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF; {_TABLES}")
        (pages,), (size,) = cache.execute("PRAGMA page_count").fetchone(), cache.execute("PRAGMA page_size").fetchone()
        if pages * size > LIMIT:
            cache.executescript("DELETE FROM partials; DELETE FROM demands; DELETE FROM stamps; VACUUM;")

    # ── what was verified ───────────────────────────────────────────────────────────────────────────────────────────
    def stamps(self, wanted: Iterable[bytes]) -> set[bytes]:
        """Return which of these stamps are kept: names of something that was found true."""
        asked_for = set(wanted)
        found: set[bytes] = set()
        with self._open("rw") as cache:
            for (stamp,) in cache.execute("SELECT stamp FROM stamps") if cache is not None and asked_for else ():
                if stamp in asked_for:
                    found.add(stamp)
        return found

    def stamp(self, names: Iterable[bytes]) -> None:
        """Keep these stamps."""
        rows = [(name,) for name in names]
        if rows:
            with self._open("rwc") as cache:
                if cache is not None:
                    self._make_room(cache)
                    cache.execute("BEGIN IMMEDIATE")
                    cache.executemany("INSERT OR IGNORE INTO stamps VALUES (?)", rows)
                    cache.execute("COMMIT")

    def all(self) -> Iterator[tuple[bytes, str, bytes]]:
        """Yield what was asked, the segment (hex) and the content of all that is kept and not damaged."""
        with self._open("rw") as cache:
            if cache is None:
                return
            for asked_for, segment, content, checksum in cache.execute(_SOUND):
                if checksum == _checksum(Key.of(asked_for), segment, content):
                    yield asked_for, segment.hex(), content


def _checksum(key: Key, segment: bytes, content: bytes) -> bytes:
    return hashlib.sha256(b"".join((key.sha256, segment, content))).digest()


# ── a table as bytes ────────────────────────────────────────────────────────────────────────────────────────────────
def packed(table: Table) -> bytes:
    """Return a table's key columns and counts: whole numbers of 8 bytes, little-endian, compressed."""
    return zlib.compress(b"".join(c.astype("<i8").tobytes() for c in (*table.columns, table.n)), 1)


def unpacked(keys: tuple[str, ...], content: bytes) -> Table | None:
    """Return the table of these bytes; None where they are none."""
    try:
        raw = zlib.decompress(content)
    except zlib.error:
        return None
    width = len(keys) + 1
    if len(raw) % (8 * width):
        return None
    columns = np.frombuffer(raw, dtype="<i8").astype(np.int64).reshape(width, -1)
    return Table(keys, tuple(columns[:-1]), columns[-1])
