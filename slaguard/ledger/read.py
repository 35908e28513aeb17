"""Reading a ledger: any number of readers, while writers write, and without writing anything but the cache of partials.

Rows that are not sealed go through SQLite in read-only mode into typed columns (DuckDB's SQLite extension is a download),
each checked against its leaf hash on the way. What is sealed stays where it is (`attached`): one snapshot of the row log
gives the manifests and the rows that follow them, whatever the writer seals and deletes meanwhile.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from slaguard.errors import LedgerError
from slaguard.evaluation.demands import Demands
from slaguard.ledger import schema, standing
from slaguard.ledger.check import sealed_through, whole_rows
from slaguard.ledger.keyed import Keyed, key_of
from slaguard.ledger.opening import GENESIS
from slaguard.ledger.recovery import manifests_of
from slaguard.ledger.seal import Repeats
from slaguard.ledger.store import ColumnStore
from slaguard.ledger.stored import TABLES
from slaguard.ledger.writers import SEGMENTS, Sealed, folders, newest_published, published
from slaguard.records import RECORD_TYPES, SCHEMA_VERSION, Evidence, Fact, Incident

_BATCH: Final = 5_000
_ATTEMPTS: Final = 5


def read(directory: Path, demands: Demands) -> Evidence:
    """Answer Demands from a ledger.

    Raises:
        LedgerError: no ledger there, a damaged row (its seq is named), a segment that is gone, another version.
        ValueError: a Demand names an unknown key or field.

    """
    with open_store(directory) as store:
        return store.answer(demands)


def facts(directory: Path, as_of: int) -> tuple[tuple[Fact, ...], tuple[Incident, ...]]:
    """Return the Facts and Incidents known by `as_of`.

    Raises:
        LedgerError: as `read`.

    """
    with open_store(directory) as store:
        return store.facts(as_of), store.incidents(as_of)


def open_store(
    directory: Path, *, memory_limit: str = "1GB", threads: int | None = None, partials: bool = True, alone: bool = False
) -> ColumnStore:
    """Return a store that answers from everything in a ledger, of all its writers; the caller closes it.

    Args:
        directory: the ledger: a writer's folder, or one with writers' folders in it.
        memory_limit: as `ColumnStore`.
        threads: as `ColumnStore`.
        partials: whether answers on single segments are kept in the ledger, and used.
        alone: leave out the writers in its sub-folders.

    Raises:
        LedgerError: as `read`.

    """

    def load(logs: Sequence[Log]) -> ColumnStore:
        ordered = sorted(logs, key=lambda log: log.sealed.origin)  # by folder where two have one name: a copy
        with ExitStack() as undo:
            store = undo.enter_context(
                ColumnStore(
                    memory_limit=memory_limit,
                    threads=threads,
                    writers=[log.sealed for log in ordered],
                    cache=directory if partials else None,
                )
            )
            for place, log in enumerate(ordered):
                store.add_sealed_documents(place)
                if log.rows is not None:
                    _load(store, place, log.rows, log.path)
            undo.pop_all()
        return store

    return _reading(directory, load, alone=alone)


# ── one writer's rows ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Log:
    """One writer as it was found: what it has sealed, and a snapshot of its row log (None: there is none)."""

    sealed: Sealed
    rows: sqlite3.Connection | None

    @property
    def path(self) -> Path:
        """Return where its row log is."""
        return self.sealed.folder / schema.ROWS_NAME


def _load(store: ColumnStore, place: int, rows: sqlite3.Connection, path: Path) -> None:
    """Take in what is not sealed; a row that contradicts a sealed one, or an earlier one, never counts."""
    repeats = Repeats(rows) if sealed_through(rows) >= 0 else None
    stream = whole_rows(rows, path)
    while batch := list(islice(stream, _BATCH)):
        parsed = _keyed(batch, path)
        again = set() if repeats is None else set(repeats(parsed))
        kinds: dict[str, list[Keyed]] = {}
        for row in parsed:
            counted = RECORD_TYPES.get(row.kind) in TABLES
            if counted and row.seq in again:
                store.turn_away(row.kind, row.key)
            else:
                kinds.setdefault(row.kind, []).append(row)
        kinds.pop(GENESIS, None)
        for kind, found in kinds.items():
            _require_known(kind, found, path)
            store.add_rows(place, RECORD_TYPES[kind], found)


def _keyed(batch: Sequence[tuple[int, bytes]], path: Path) -> list[Keyed]:
    """Parse headers, many at a time."""
    try:
        bodies = json.loads(b"[" + b",".join(header for _, header in batch) + b"]")
    except ValueError:
        bodies = [_parsed(header, path, seq) for seq, header in batch]
    return [Keyed(seq, str(body.get("kind")), _key(body), body) for (seq, _), body in zip(batch, bodies, strict=True)]


def _parsed(header: bytes, path: Path, seq: int) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads(header)
    except ValueError as error:
        raise LedgerError(f"{path}: E-LOG-CORRUPT {seq}  the row is not JSON\n    restore it from a backup") from error
    return body


def _key(body: Mapping[str, Any]) -> bytes:
    """Return a record's key; none for a record that lacks a part of it, which is refused where it is taken in."""
    try:
        return key_of(body)
    except KeyError:
        return b""


def _require_known(kind: str, rows: Sequence[Keyed], path: Path) -> None:
    strange = next((r for r in rows if kind not in RECORD_TYPES or r.body.get("v") != SCHEMA_VERSION), None)
    if strange is not None:
        raise LedgerError(
            f"{path}: E-LOG-VERSION  row {strange.seq} is of kind {kind!a}, version {strange.body.get('v')!a},"
            " not known to this version\n    use the slaguard release that wrote this ledger"
        )


# ── snapshots of all writers ────────────────────────────────────────────────────────────────────────────────────────
State = tuple[int | None, int, int] | None


def _reading(directory: Path, load: Callable[[Sequence[Log]], ColumnStore], *, alone: bool) -> ColumnStore:
    """Load from snapshots of all row logs; again if a writer moved a file meanwhile."""
    for _ in range(_ATTEMPTS):
        before = {folder: _state(folder / schema.ROWS_NAME) for folder in ((directory,) if alone else folders(directory))}
        if not before:
            raise LedgerError(
                f"{directory / schema.ROWS_NAME}: E-LOG-MISSING  there is no ledger here\n"
                "    check --ledger; import and probe make one"
            )
        try:
            with ExitStack() as snapshots:
                store = load([log for f, s in before.items() if (log := _log(f, s, snapshots)) is not None])
        except (sqlite3.Error, LedgerError) as error:
            if _were_at_rest(before):
                raise error if isinstance(error, LedgerError) else schema.explain(error, directory) from error
            continue
        if _were_at_rest(before):
            return store
        store.close()
    raise LedgerError(f"{directory}: E-LEDGER-BUSY  a writer comes and goes too fast to read\n    try again")


def _log(folder: Path, state: State, snapshots: ExitStack) -> Log | None:
    """Return what one writer has; None where it is just being made.

    Raises:
        LedgerError: a file is missing or damaged.
        sqlite3.Error: the row log cannot be read.

    """
    path = folder / schema.ROWS_NAME
    if state is None:
        return Log(published(folder), None)
    noted = standing.left(folder)
    standing.require_not_emptied(path)
    if state[0] is None:
        standing.require_not_rolled_back(path)
    newest = newest_published(folder)
    rows = snapshots.enter_context(standing.snapshot(path, at_rest=state[0] is None))
    if schema.is_new(rows):
        standing.require_being_made(path)
        return None
    schema.require_version(rows, path)
    standing.require_not_behind(path, standing.next_seq(rows), noted)
    (origin,) = rows.execute("SELECT origin FROM log_state").fetchone()
    known = manifests_of(rows, folder, origin, sealed_through(rows)) if schema.version(rows)[1] > 1 else []
    if newest >= len(known):
        raise LedgerError(
            f"{path}: E-LOG-ROLLBACK  {SEGMENTS}/ holds segment {newest}, and the row log knows {len(known)}: it is older\n"
            f"    restore the newest {schema.ROWS_NAME}"
        )
    return Log(Sealed(folder, origin, tuple(m for m, _ in known), tuple(content for _, content in known)), rows)


def _state(path: Path) -> State:
    """Return the size of the write-ahead log (None: there is none), and size and time of the main file; None without it."""
    wal = path.with_name(f"{path.name}-wal")
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (wal.stat().st_size if wal.exists() else None), found.st_size, found.st_mtime_ns


def _were_at_rest(before: Mapping[Path, State]) -> bool:
    """Tell whether what was read is one state: SQLite's own snapshots, or files at rest that nobody touched."""
    return all(
        (state is not None and state[0] is not None) or state == _state(folder / schema.ROWS_NAME)
        for folder, state in before.items()
    )
