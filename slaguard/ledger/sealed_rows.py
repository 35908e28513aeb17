"""Is a segment what was sealed? Its bytes, and its columns made anew from the header bytes that stand beside them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, cast

import duckdb
import numpy as np

from slaguard.errors import LedgerError
from slaguard.ledger.attached import file_sha256
from slaguard.ledger.columns import Columns, int64
from slaguard.ledger.headers import leaf
from slaguard.ledger.manifest import Manifest, root
from slaguard.ledger.segment import columns_of, derive, said_of, segment_name
from slaguard.ledger.stored import parquet
from slaguard.records import NULL

Damage = tuple[str, int | None, str]
"""Code, the first row concerned, and what is wrong."""
Commit = tuple[int, str]
"""A row's number, and what it says of its payload."""
_ROWS: Final = 20_000
"""Rows that are looked at together."""
_OWN: Final = frozenset({"seq", "kind", "again", "segment", "hdr"})


def check_segment(engine: duckdb.DuckDBPyConnection, path: Path, link: str, manifest: Manifest, *, shown: int) -> list[Damage]:
    """Return everything that is wrong with one segment's file, at most about `shown` findings.

    Args:
        engine: may read the file under `link`.
        path: the file.
        link: the name by which DuckDB reads it.
        manifest: what was sealed.
        shown: after how many damaged rows to stop.

    """
    damage: list[Damage] = []
    rows = f"rows {manifest.first_seq} to {manifest.last_seq}"
    try:
        size = path.stat().st_size
        if size != manifest.parquet_bytes:
            what = f"the segment has {size:,} bytes, not the {manifest.parquet_bytes:,} it was sealed with; it holds {rows}"
            return [("E-LOG-MISSING", manifest.first_seq, what)]
        if file_sha256(path) != manifest.parquet_sha256:
            what = f"its SHA-256 is not the one it was sealed with; it holds {rows}"
            damage.append(("E-LOG-CORRUPT", manifest.first_seq, what))
    except FileNotFoundError:
        return [("E-LOG-MISSING", manifest.first_seq, f"the segment is gone; it holds {rows}")]
    except OSError as error:
        return [("E-LEDGER-READ", manifest.first_seq, f"it cannot be read: {error.strerror}")]
    try:
        damage += _rows(engine, link, manifest, shown)
        damage += summary(engine, link, manifest)
    except duckdb.Error as error:
        damage.append(("E-LOG-CORRUPT", manifest.first_seq, f"it cannot be read: {str(error).splitlines()[0][:200]}"))
    return damage


# ── row by row ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _rows(engine: duckdb.DuckDBPyConnection, link: str, manifest: Manifest, shown: int) -> list[Damage]:
    """Look at each row's bytes, number and columns, and at the hash over all of them."""
    damage: list[Damage] = []
    leaves: list[bytes] = []
    names = ", ".join(f'"{name}"' for name in columns_of(manifest.schema))
    for first in range(manifest.first_seq, manifest.last_seq + 1, _ROWS):
        last = min(first + _ROWS - 1, manifest.last_seq)
        statement = f"SELECT {names} FROM {parquet([link])} WHERE seq BETWEEN {first} AND {last} ORDER BY seq"  # noqa: S608
        found = cast("Columns", engine.execute(statement).fetchnumpy())
        headers = [bytes(header) for header in found["hdr"]]
        leaves += [leaf(header) for header in headers]
        seqs = int64(found["seq"])
        if seqs.tolist() != list(range(first, last + 1)):
            missing = sorted(set(range(first, last + 1)) - set(seqs.tolist()))
            damage.append(("E-LOG-CORRUPT", (missing or [first])[0], "a row is missing, or stands there twice"))
            return damage
        damage += _columns(found, headers, manifest)
        if len(damage) > shown:
            return damage
    if root(leaves) != manifest.records_root:
        damage.append(("E-LOG-CORRUPT", manifest.first_seq, "the hash over its rows is not the one in the manifest"))
    return damage


def _columns(found: Columns, headers: Sequence[bytes], manifest: Manifest) -> Iterator[Damage]:
    """Yield the columns that do not follow from the rows' bytes."""
    seqs = int64(found["seq"])
    kinds = found["kind"].tolist()
    try:
        bodies: list[dict[str, Any]] = [json.loads(header) for header in headers]
    except ValueError:
        yield "E-LOG-CORRUPT", int(seqs[0]), "a row is not JSON"
        return
    said = [(body.get("seq"), body.get("kind")) for body in bodies]
    wrong = next((i for i, pair in enumerate(said) if pair != (int(seqs[i]), kinds[i])), None)
    if wrong is not None:
        yield "E-LOG-CORRUPT", int(seqs[wrong]), "its number or its kind is not the one in its bytes"
        return
    if set(found["segment"].tolist()) != {segment_name(manifest.origin, manifest.ix)}:
        yield "E-LOG-CORRUPT", int(seqs[0]), "the column segment names another segment"
    for kind in dict.fromkeys(kinds):
        places = [i for i, other in enumerate(kinds) if other == kind]
        try:
            made = derive(kind, [bodies[i] for i in places])
        except LedgerError as error:
            yield "E-LOG-CORRUPT", int(seqs[places[0]]), str(error).splitlines()[0]
            continue
        yield from _differences(found, made, places, manifest.schema)


def _differences(found: Columns, made: Columns, places: Sequence[int], schema: int) -> Iterator[Damage]:
    seqs = int64(found["seq"])
    for name, (kind, _) in columns_of(schema).items():
        if name in _OWN:
            continue
        if kind == "BIGINT":
            stored = int64(found[name])[places]
            expected = made.get(name, np.full(len(places), NULL))
            wrong = np.flatnonzero(stored != expected)
        else:
            texts = _texts(found[name])
            wanted = made[name].tolist() if name in made else [None] * len(places)
            wrong = np.array([i for i, place in enumerate(places) if texts[place] != wanted[i]], dtype=np.int64)
        if len(wrong):
            what = f"the column {name} does not follow from the row's bytes ({len(wrong):,} rows)"
            yield "E-LOG-CORRUPT", int(seqs[places[int(wrong[0])]]), what


def _texts(column: Any) -> list[str | None]:
    absent = np.ma.getmaskarray(column)
    return [None if missing else value for value, missing in zip(np.ma.getdata(column).tolist(), absent.tolist(), strict=True)]


# ── as a whole ──────────────────────────────────────────────────────────────────────────────────────────────────────
def summary(engine: duckdb.DuckDBPyConnection, link: str, manifest: Manifest) -> Iterator[Damage]:
    """Yield what the manifest says of the file and the file does not."""
    source = parquet([link])
    (row,) = engine.execute(said_of(source, manifest.schema)).fetchall()
    kinds = dict(engine.execute(f"SELECT kind, count(*) FROM {source} GROUP BY kind").fetchall())  # noqa: S608
    sent, batch = manifest.sent or (None, None), manifest.batch or (None, None)
    says = (
        manifest.first_seq,
        manifest.last_seq,
        manifest.again,
        *sent,
        *batch,
        manifest.known,
        manifest.t_min_ns,
        manifest.t_max_ns,
    )
    if kinds != dict(manifest.kinds):
        yield "E-LOG-CORRUPT", manifest.first_seq, "it does not hold the kinds of records that the manifest says"
    if row != says:
        yield (
            "E-LOG-CORRUPT",
            manifest.first_seq,
            "its numbers, its times, or its contradicting rows, are not what the manifest says",
        )


def contradictions(engine: duckdb.DuckDBPyConnection, files: Sequence[str]) -> list[int]:
    """Return the rows of one log's segments of which the column ``again`` is not true, by number.

    Equal keys of 64 bits are taken for equal records: among ten million that is wrong once in 300,000 ledgers.
    """
    if not files:
        return []
    statement = (
        "SELECT seq FROM (SELECT seq, again, row_number() OVER (PARTITION BY kind, identity ORDER BY seq) AS nth"  # noqa: S608
        f" FROM {parquet(files)}) WHERE (nth > 1) <> (again = 1) ORDER BY seq"
    )
    return [seq for (seq,) in engine.execute(statement).fetchall()]


def commitments(engine: duckdb.DuckDBPyConnection, files: Sequence[str], rows: sqlite3.Connection | None) -> Iterator[Commit]:
    """Yield what rows say of their payloads, in the order of rows: sealed ones, then those in the row log."""
    last = -1
    if files:
        statement = f"SELECT seq, payload_commit FROM {parquet(files)} WHERE payload_commit IS NOT NULL ORDER BY seq"  # noqa: S608
        with engine.cursor() as cursor:
            cursor.execute(statement)
            while batch := cursor.fetchmany(_ROWS):
                yield from batch
        ((last,),) = engine.execute(f"SELECT max(seq) FROM {parquet(files)}").fetchall()  # noqa: S608 - our own names
    for seq, header in rows.execute("SELECT seq, hdr FROM rows WHERE seq > ? ORDER BY seq", (last,)) if rows else ():
        body = json.loads(header)
        if "payload_commit" in body:
            yield seq, body["payload_commit"]
