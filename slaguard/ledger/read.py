"""Reading a row log: any number of readers, while the writer writes, and without writing anything.

Rows go through SQLite in read-only mode into typed columns (DuckDB's SQLite extension is a download). Every row is
checked against its leaf hash on the way.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from slaguard.errors import LedgerError
from slaguard.evaluation.demands import Demands
from slaguard.ledger import schema
from slaguard.ledger.check import whole_rows
from slaguard.ledger.documents import Documents
from slaguard.ledger.opening import GENESIS
from slaguard.ledger.store import ColumnStore
from slaguard.records import RECORD_TYPES, SCHEMA_VERSION, Evidence, Fact, Incident, from_header

Read = TypeVar("Read")
_BATCH: Final = 5_000
_ATTEMPTS: Final = 5


def read(directory: Path, demands: Demands) -> Evidence:
    """Answer Demands from a ledger.

    Raises:
        LedgerError: no ledger there, a damaged row (its seq is named), another version.
        ValueError: a Demand names an unknown key or field.

    """
    with open_store(directory) as store:
        return store.answer(demands)


def open_store(directory: Path, *, memory_limit: str = "1GB", threads: int | None = None) -> ColumnStore:
    """Return a store with everything in the ledger; the caller closes it.

    Raises:
        LedgerError: as `read`.

    """

    def load(rows: sqlite3.Connection, path: Path) -> ColumnStore:
        with ExitStack() as undo:
            store = undo.enter_context(ColumnStore(memory_limit=memory_limit, threads=threads))
            _load(store, rows, path)
            undo.pop_all()
        return store

    return _reading(directory, load, ColumnStore.close)


def facts(directory: Path, as_of: int) -> tuple[tuple[Fact, ...], tuple[Incident, ...]]:
    """Return the Facts and Incidents known by `as_of`, without reading everything into a store.

    Raises:
        LedgerError: as `read`.

    """

    def load(rows: sqlite3.Connection, path: Path) -> Documents:
        found = Documents()
        # No text inside a header can look like this: there a quotation mark follows a backslash.
        wanted = [f'"kind":"{t.kind}"'.encode() for t in (Fact, Incident)]
        found.add(
            from_header(_parsed(header, path, seq))
            for seq, header in whole_rows(rows, path)
            if any(kind in header for kind in wanted)
        )
        return found

    found = _reading(directory, load, lambda _: None)
    return found.facts(as_of), found.incidents(as_of)


def _load(store: ColumnStore, rows: sqlite3.Connection, path: Path) -> None:
    stream = whole_rows(rows, path)
    while batch := list(islice(stream, _BATCH)):
        kinds: dict[str, list[dict[str, Any]]] = {}
        for body in _bodies(batch, path):
            kinds.setdefault(str(body.get("kind")), []).append(body)
        kinds.pop(GENESIS, None)
        for kind, bodies in kinds.items():
            _require_known(kind, bodies, path)
            store.add_headers(RECORD_TYPES[kind], bodies)


def _bodies(batch: Sequence[tuple[int, bytes]], path: Path) -> list[dict[str, Any]]:
    """Parse headers, many at a time."""
    try:
        bodies: list[dict[str, Any]] = json.loads(b"[" + b",".join(header for _, header in batch) + b"]")
    except ValueError:
        return [_parsed(header, path, seq) for seq, header in batch]
    return bodies


def _parsed(header: bytes, path: Path, seq: int) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(header)
    except ValueError as error:
        raise LedgerError(f"{path}: E-LOG-CORRUPT {seq}  the row is not JSON\n    restore it from a backup") from error
    return body


def _require_known(kind: str, bodies: list[dict[str, Any]], path: Path) -> None:
    strange = next((b for b in bodies if kind not in RECORD_TYPES or b.get("v") != SCHEMA_VERSION), None)
    if strange is not None:
        raise LedgerError(
            f"{path}: E-LOG-VERSION  row {strange.get('seq')} is of kind {kind!a}, version {strange.get('v')},"
            " not known to this version\n    use the slaguard release that wrote this ledger"
        )


# ── read-only connections ───────────────────────────────────────────────────────────────────────────────────────────
def _reading(directory: Path, load: Callable[[sqlite3.Connection, Path], Read], discard: Callable[[Read], None]) -> Read:
    """Load from a snapshot of the row log; again if a writer moved the file meanwhile."""
    path = directory / schema.ROWS_NAME
    for _ in range(_ATTEMPTS):
        if not path.is_file():
            raise LedgerError(f"{path}: E-LOG-MISSING  there is no ledger here\n    check --ledger; import and probe make one")
        before = _state(path)
        try:
            with _snapshot(path, at_rest=before[0] is None) as rows:
                schema.require_version(rows, path)
                loaded = load(rows, path)
        except (sqlite3.Error, LedgerError) as error:
            if _was_at_rest(path, before):
                raise error if isinstance(error, LedgerError) else schema.explain(error, path) from error
            continue
        if _was_at_rest(path, before):
            return loaded
        discard(loaded)
    raise LedgerError(f"{path}: E-LEDGER-BUSY  a writer comes and goes too fast to read\n    try again")


def _state(path: Path) -> tuple[int | None, int, int]:
    """Return the size of the write-ahead log (None: there is none), and size and time of the main file."""
    wal = path.with_name(f"{path.name}-wal")
    found = path.stat()
    return (wal.stat().st_size if wal.exists() else None), found.st_size, found.st_mtime_ns


def _was_at_rest(path: Path, before: tuple[int | None, int, int]) -> bool:
    """Tell whether what was read is one state: SQLite's own snapshot, or a file at rest that nobody touched."""
    return before[0] is not None or before == _state(path)


@contextmanager
def _snapshot(path: Path, *, at_rest: bool) -> Iterator[sqlite3.Connection]:
    """Open the row log read-only, all reads in one transaction.

    A log that was closed has no write-ahead log, and opening it the usual way would leave an empty one behind:
    `immutable` reads the file as it is. With a write-ahead log, SQLite needs its index beside it; where that cannot be
    made (a read-only copy of a killed writer's directory), a copy elsewhere is read.
    """
    if at_rest:
        with closing(_connect(path, "mode=ro&immutable=1")) as rows:
            yield rows
        return
    with tempfile.TemporaryDirectory(prefix="slaguard-") as elsewhere:
        try:
            rows = _connect(path, "mode=ro")
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith(("SQLITE_CANTOPEN", "SQLITE_READONLY")):
                raise
            rows = _connect(_copy(path, Path(elsewhere)), "mode=rw")
        with closing(rows):
            yield rows


def _connect(path: Path, options: str) -> sqlite3.Connection:
    rows = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{options}", uri=True, isolation_level=None, timeout=5)
    try:
        rows.execute("PRAGMA trusted_schema=OFF")
        rows.execute("BEGIN")
        rows.execute("SELECT count(*) FROM sqlite_master").fetchone()  # the snapshot begins with the first read
    except sqlite3.Error:
        rows.close()
        raise
    return rows


def _copy(path: Path, elsewhere: Path) -> Path:
    for name in (path.name, f"{path.name}-wal"):
        shutil.copyfile(path.with_name(name), elsewhere / name)
    return elsewhere / path.name
