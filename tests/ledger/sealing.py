"""Looking at a sealed ledger without the ledger's own reader: segments with DuckDB, the rest with SQLite."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb

from slaguard.ledger.headers import leaf
from slaguard.ledger.keyed import key_of
from slaguard.ledger.manifest import Manifest, root
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import clean, commit, draft, publish, seal_all
from slaguard.records import Record
from tests.ledger.world import Watch, call


def connect(directory: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{directory / 'rows.db'}?mode=ro", uri=True, isolation_level=None)


def tail(directory: Path) -> list[tuple[int, bytes]]:
    """All rows in the row log, sealed or not."""
    with closing(connect(directory)) as rows:
        return rows.execute("SELECT seq, hdr FROM rows ORDER BY seq").fetchall()


def manifests(directory: Path) -> list[Manifest]:
    with closing(connect(directory)) as rows:
        return [Manifest.parse(content) for (content,) in rows.execute("SELECT bytes FROM manifests ORDER BY ix")]


def segment_rows(directory: Path, manifest: Manifest, engine: duckdb.DuckDBPyConnection) -> list[tuple[int, bytes, int]]:
    """A segment's rows (seq, header, again), after looking that it is what its manifest says."""
    path = directory / "segments" / manifest.file
    content = path.read_bytes()
    assert (len(content), hashlib.sha256(content).hexdigest()) == (manifest.parquet_bytes, manifest.parquet_sha256)
    found = engine.execute("SELECT seq, hdr, again, segment FROM read_parquet(?)", [str(path)]).fetchall()
    assert [row[0] for row in found] == list(range(manifest.first_seq, manifest.last_seq + 1))
    assert {row[3] for row in found} == {f"{manifest.origin}/{manifest.ix}"}
    assert root(leaf(row[1]) for row in found) == manifest.records_root
    assert sum(row[2] for row in found) == manifest.again
    return [(seq, header, again) for seq, header, again, _ in found]


def everything(directory: Path) -> list[bytes]:
    """Every header, after looking that each stands in one place and is published as it is kept."""
    found: list[bytes] = []
    with duckdb.connect() as engine:
        for manifest in manifests(directory):
            assert (directory / "segments" / manifest.published).read_bytes() == manifest.content()
            found += [header for _, header, _ in segment_rows(directory, manifest, engine)]
    rows = tail(directory)
    assert [seq for seq, _ in rows] == list(range(len(found), len(found) + len(rows)))
    found += [header for _, header in rows]
    assert [json.loads(header)["seq"] for header in found] == list(range(len(found)))
    return found


def again_by_hand(headers: list[bytes]) -> list[int]:
    """The seqs of rows whose identity an earlier row has."""
    seen: set[bytes] = set()
    found = []
    for seq, header in enumerate(headers):
        key = key_of(json.loads(header))
        if key in seen:
            found.append(seq)
        seen.add(key)
    return found


def again_as_sealed(directory: Path) -> list[int]:
    with duckdb.connect() as engine:
        return [seq for m in manifests(directory) for seq, _, again in segment_rows(directory, m, engine) if again]


def names(directory: Path) -> list[str]:
    """The files of the segments' folder."""
    folder = directory / "segments"
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def ids(headers: list[bytes]) -> list[Any]:
    return [json.loads(header)["id"] for header in headers[1:]]


def calls(first: int, count: int) -> list[Record]:
    return [call(f"call-{i}") for i in range(first, first + count)]


def step_seal(log: RowLog, count: int) -> None:
    """One segment of the oldest rows, whatever is due."""
    drafted = draft(log, count)
    commit(log, drafted)
    publish(log, drafted)
    clean(log)


def sealed_ledger(directory: Path) -> RowLog:
    """An open log of 30 calls, of which 20 stand in two segments."""
    log = RowLog.open(directory, clock=Watch())
    for first in (0, 10):
        log.append(calls(first, 10))
        seal_all(log)
    log.append(calls(20, 10))
    return log
