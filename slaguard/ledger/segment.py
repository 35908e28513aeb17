"""A segment's Parquet file: the exact header bytes of its rows, and the columns projected from them.

Whole numbers and text only, nullability written into the file, and everything stored that another engine would have to
compute in its own way: minute, hour, the buckets of both times, the segment's name (`performance.md` §6). One file holds
all kinds of records; `derive` is the one place where columns are made from headers, when sealing and when checking.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from slaguard.errors import LedgerError
from slaguard.ledger.columns import MEASURED, NAMES, VALUES, Columns, from_headers
from slaguard.ledger.layout import LAYOUTS, Sort
from slaguard.ledger.manifest import SCHEMA
from slaguard.ledger.stored import TABLES
from slaguard.records import MINUTE, NS, NULL, RECORD_TYPES, SCHEMA_VERSION, TrafficTally
from slaguard.terms import Grade

if TYPE_CHECKING:
    import duckdb

BATCH: Final = 5_000
"""Headers that are turned into columns at a time."""
MEMORY: Final = "512MB"
GENESIS: Final = "genesis"
HOUR: Final = 3600 * NS
BUCKETS: Final = {"latency_bucket": "total_time_ns", "first_token_bucket": "time_to_first_token_ns"}
"""Bucket columns, and the field each is made from."""
_PER_E: Final = 50
"""Buckets in which a time grows by the factor e: a bucket is ⌊ln(seconds)/0.02⌋."""

Body = Mapping[str, Any]
"""A parsed header."""


_SINCE: Final[dict[type[Any], int]] = {TrafficTally: 2}
"""The version of the columns since which a type's fields are among them; all others are since the first."""


def columns_of(schema: int) -> dict[str, tuple[str, bool]]:
    """Return the columns of a version: those of every row, then the fields of all counted records by name, then the bytes.

    Each stands for DuckDB's type and whether a value may be missing, in the order of the file.
    """
    found = {
        "seq": ("BIGINT", False),
        "kind": ("VARCHAR", False),
        "again": ("BIGINT", False),
        "segment": ("VARCHAR", False),
        "identity": ("BIGINT", False),
        "known_at": ("BIGINT", False),
        "minute": ("BIGINT", True),
        "hour": ("BIGINT", True),
        "latency_bucket": ("BIGINT", True),
        "first_token_bucket": ("BIGINT", True),
    }
    for record_type in (t for t in TABLES if _SINCE.get(t, 1) <= schema):
        for field in LAYOUTS[record_type]:
            if field.sort is Sort.MAP:
                found |= {NAMES: ("VARCHAR", True), VALUES: ("VARCHAR", True)}
            else:
                found.setdefault(field.name, ("VARCHAR" if field.sort is Sort.TEXT else "BIGINT", True))
    return found | dict.fromkeys(MEASURED, ("BIGINT", True)) | {"hdr": ("BLOB", False)}


COLUMNS: Final[dict[str, tuple[str, bool]]] = columns_of(SCHEMA)
"""Those of the files that are written now."""


# ── from headers to columns ─────────────────────────────────────────────────────────────────────────────────────────
def derive(kind: str, bodies: Sequence[Body]) -> Columns:
    """Return the columns of parsed headers of one kind: all that the file has but ``seq, kind, again, segment, hdr``.

    Whole numbers are int64 with `NULL` for a missing value, text is in the escaped form of a header. What no record of
    this kind has is left out: documents and the first row have ``identity`` and ``known_at`` alone.

    Raises:
        LedgerError: a kind, a version, a field or a value that is not known to this version.

    """
    return _derived(kind, bodies, [key_of(body) for body in bodies])


def _derived(kind: str, bodies: Sequence[Body], keys: Sequence[bytes]) -> Columns:
    _require_known(kind, bodies)
    columns = {"identity": np.array([as_number(key) for key in keys], dtype=np.int64)}
    table = TABLES.get(RECORD_TYPES[kind]) if kind in RECORD_TYPES else None
    if table is None:
        return columns | {"known_at": np.array([int(body.get("recorded_at", 0)) for body in bodies], dtype=np.int64)}
    found = from_headers(table.record_type, bodies)
    columns["known_at"] = _known(found, table.known)
    if "sent_at" in found:
        columns |= {"minute": _floored(found["sent_at"], MINUTE), "hour": _floored(found["sent_at"], HOUR)}
        columns |= {name: bucket(found[source]) for name, source in BUCKETS.items()}
    return columns | found


def _require_known(kind: str, bodies: Sequence[Body]) -> None:
    strange = next((b for b in bodies if (kind not in RECORD_TYPES and kind != GENESIS) or b.get("v") != SCHEMA_VERSION), None)
    if strange is not None:
        raise LedgerError(
            f"E-LOG-VERSION  row {strange.get('seq')} is of kind {kind!a}, version {strange.get('v')!a}, not known to this"
            " version\n    use the slaguard release that wrote this ledger"
        )


def key_of(body: Body) -> bytes:
    """Return `identity.idempotency_key` of a parsed header's record; the first row is named by its log.

    A header holds text in the form that is hashed, so nothing has to be escaped again.
    """
    kind = str(body["kind"])
    parts = (kind, *(str(part) for part in _identity(kind, body)))
    return hashlib.sha256("\x1f".join(parts).encode("ascii")).digest()


def _identity(kind: str, body: Body) -> tuple[Any, ...]:
    match kind:
        case "score":
            graded = "unscored" if body["grade"] == Grade.UNSCORED else "graded"
            return (body["observation"], body["scorer"], graded)
        case "adjudication":
            return (body["observation"], body["by"], body["grade"], body.get("recorded_at", ""))
        case "incident":
            return (body["id"], "ended" if "end" in body else "open")
        case "probe_planned" | "probe_missed":
            return (body["slot"],)
        case "coverage":
            return (body["source"], body["start"], body["end"], body["via"])
        case "traffic_tally":
            return (body["vendor"], body["via"], body["writer"], body["start"])
        case "genesis":
            return (body["origin"],)
        case _:
            return (body["id"],)


def as_number(key: bytes) -> int:
    """Return the first 8 bytes of a key as a signed number, most significant byte first."""
    return int.from_bytes(key[:8], "big", signed=True)


def _known(found: Columns, names: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return from when on records count: the first of these times that is there, else 0 (`stored.Stored.known`)."""
    known = np.zeros(len(found[names[0]]), dtype=np.int64)
    for name in reversed(names):
        known = np.where(found[name] == NULL, known, found[name])
    return known


def _floored(times: npt.NDArray[Any], unit: int) -> npt.NDArray[np.int64]:
    return np.where(times == NULL, NULL, times // unit)


def bucket(nanoseconds: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return ⌊ln(seconds)/0.02⌋ of lengths of time; `NULL` where there is none, and for one that is not above zero.

    No logarithm is taken of a measured time, so no two machines can differ: bucket b begins at the least whole number of
    nanoseconds that is not below e^(b/50) seconds, and a time is looked up among these numbers, which Decimal arithmetic
    gives to more digits than a nanosecond can need.
    """
    first, edges = _edges()
    found = np.searchsorted(edges, nanoseconds, side="right") - 1 + first
    return np.where(nanoseconds > 0, found, NULL).astype(np.int64)


@lru_cache(maxsize=1)
def _edges() -> tuple[int, npt.NDArray[np.int64]]:
    """Return the bucket of one nanosecond, and where it and each later bucket begin, up to the greatest 64-bit time."""
    first, last = -1037, 1147  # ⌊ln(1e-9)·50⌋ and ⌊ln(9.22e9)·50⌋
    with localcontext() as context:
        context.prec = 60
        exact = [(Decimal(b) / _PER_E).exp() * NS for b in range(first, last + 1)]
        edges = [int(e.to_integral_value(ROUND_CEILING)) for e in exact]
    return first, np.array(edges, dtype=np.int64)


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Keyed:
    """A row whose header was parsed, with the key of its record."""

    seq: int
    kind: str
    key: bytes
    body: Body


Again = Callable[[Sequence[Keyed]], Collection[int]]
"""Which of these rows (by seq) come after an earlier one of the same identity."""


def _none_again(_: Sequence[Keyed]) -> Collection[int]:
    return ()


@dataclass(frozen=True, slots=True)
class Written:
    """A file that is on disk under its name: what it is, and what a manifest says of it.

    `sent`: least and greatest `sent_at`. `batch`: of observations without it, the least and the greatest end of a batch.
    `known`: the greatest `known_at` of a record. `moments`: least and greatest time at which something happened or was
    due (`sent_at`, batches, `scheduled_at`, the spans of tallies). Each None where there is none.
    """

    bytes: int
    sha256: str
    first_seq: int
    last_seq: int
    kinds: Mapping[str, int]
    again: int
    sent: tuple[int, int] | None
    batch: tuple[int, int] | None
    known: int | None
    moments: tuple[int, int] | None


def segment_name(origin: str, ix: int) -> str:
    """Return the name that each row of a segment bears in the column ``segment``."""
    return f"{origin}/{ix}"


def write_segment(path: Path, rows: Iterable[tuple[int, bytes]], segment_id: str, *, again: Again = _none_again) -> Written:
    """Write rows to a Parquet file and make its content durable (its name is not yet).

    Memory is bounded: some thousand headers at a time become columns, and DuckDB spills beside the file beyond `MEMORY`.

    Args:
        path: the file; its directory must be there.
        rows: seq and header bytes in the order of seq, at least one.
        segment_id: what `segment_name` gives.
        again: says of some thousand rows at a time which of them contradict an earlier row.

    Raises:
        LedgerError: a header that this version does not know (its seq is named), or no rows.
        OSError: the disk refused; nothing is retried.

    """
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".spill-", suffix=".part") as spill:
        import duckdb  # noqa: PLC0415 - a writer starts without it

        try:
            with _database(spill) as database:
                _fill(database, rows, segment_id, again)
                _copy(database, path)
                found = _summary(database)
        except duckdb.IOException as error:
            full = os.strerror(errno.ENOSPC)
            number = errno.ENOSPC if full.lower() in str(error).lower() else errno.EIO
            raise OSError(number, _first_line(error), str(path)) from error
        except duckdb.OutOfMemoryException as error:  # also where it may not spill any more
            raise OSError(errno.ENOMEM, _first_line(error), str(path)) from error
    size, digest = _synced(path)
    return Written(size, digest, *found)


_EMPTY: Final = {"BIGINT": "-1", "VARCHAR": "''", "BLOB": "encode('')"}


def _database(spill: str) -> duckdb.DuckDBPyConnection:
    import duckdb  # noqa: PLC0415

    database = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": MEMORY,
            "temp_directory": spill,
            "threads": 1,
        },
    )
    database.execute("SET pandas_analyze_sample = 0")  # all objects are text: nothing to guess
    columns = ", ".join(f'"{name}" {kind}{"" if optional else " NOT NULL"}' for name, (kind, optional) in COLUMNS.items())
    database.execute(f"CREATE TABLE segment({columns})")
    # DuckDB calls a Parquet column optional where its statistics know of a missing value: a row before the first one, which
    # is not written, has all of them missing, so that every file's nullability is what COLUMNS says.
    required = ", ".join(f'{_EMPTY[kind]} AS "{name}"' for name, (kind, optional) in COLUMNS.items() if not optional)
    database.execute(f"INSERT INTO segment BY NAME SELECT {required}")
    return database


def _fill(database: duckdb.DuckDBPyConnection, rows: Iterable[tuple[int, bytes]], segment_id: str, again: Again) -> None:
    stream = iter(rows)
    while batch := list(islice(stream, BATCH)):
        keyed = _keyed(batch)
        repeated = set(again(keyed))
        headers = dict(batch)
        groups: dict[str, list[Keyed]] = {}
        for row in keyed:
            groups.setdefault(row.kind, []).append(row)
        for kind, group in groups.items():
            columns = _derived(kind, [row.body for row in group], [row.key for row in group])
            columns["seq"] = np.array([row.seq for row in group], dtype=np.int64)
            columns["again"] = np.array([row.seq in repeated for row in group], dtype=np.int64)
            columns["kind"] = np.full(len(group), kind, dtype=object)
            columns["segment"] = np.full(len(group), segment_id, dtype=object)
            columns["hdr"] = np.array([headers[row.seq].decode("ascii") for row in group], dtype=object)
            _insert(database, columns)


def _keyed(batch: Sequence[tuple[int, bytes]]) -> list[Keyed]:
    """Parse headers, many at a time."""
    joined = b",".join(header for _, header in batch)
    try:
        bodies: list[dict[str, Any]] = json.loads(f"[{joined.decode('ascii')}]")
        return [Keyed(seq, str(body["kind"]), key_of(body), body) for (seq, _), body in zip(batch, bodies, strict=True)]
    except (ValueError, KeyError, TypeError):
        seq = next((seq for seq, header in batch if not _is_header(header)), batch[0][0])
        raise LedgerError(f"E-LOG-CORRUPT {seq}  the row is not a record's header\n    restore it from a backup") from None


def _is_header(header: bytes) -> bool:
    try:
        key_of(json.loads(header.decode("ascii")))
    except (ValueError, KeyError, TypeError):
        return False
    return True


def _insert(database: duckdb.DuckDBPyConnection, columns: Columns) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(_value(name) for name in columns)
    database.register("batch", columns)
    try:
        database.execute(f"INSERT INTO segment({names}) SELECT {values} FROM batch")  # noqa: S608 - our own names
    finally:
        database.unregister("batch")


def _value(name: str) -> str:
    kind, optional = COLUMNS[name]
    if kind == "BLOB":
        return f'encode("{name}")'  # byte for byte; a cast would read backslashes
    return f"nullif(\"{name}\", CAST('{NULL}' AS BIGINT))" if kind == "BIGINT" and optional else f'"{name}"'


def _copy(database: duckdb.DuckDBPyConnection, path: Path) -> None:
    quoted = str(path).replace("'", "''")
    database.execute(
        f"COPY (SELECT * FROM segment WHERE seq >= 0 ORDER BY seq) TO '{quoted}'"  # noqa: S608 - quoted
        " (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
    )


_BATCHED: Final = "FILTER (WHERE sent_at IS NULL AND batch_start IS NOT NULL AND batch_end IS NOT NULL)"


def said_of(source: str, schema: int) -> str:
    """Return the query over rows of a version for what a manifest says of them: `Written` from `first_seq` on, less `kinds`."""
    moments = "sent_at, batch_start, batch_end, scheduled_at" + (', "start", "end"' if schema > 1 else "")
    return f"""
SELECT min(seq), max(seq), CAST(sum(again) AS BIGINT), min(sent_at), max(sent_at),
  min(least(batch_start, batch_end)) {_BATCHED}, max(greatest(batch_start, batch_end)) {_BATCHED},
  max(known_at) FILTER (WHERE kind <> '{GENESIS}'), min(least({moments})), max(greatest({moments}))
FROM {source}
"""  # noqa: S608 - our own names


_Summary = tuple[
    int, int, dict[str, int], int, tuple[int, int] | None, tuple[int, int] | None, int | None, tuple[int, int] | None
]


def _summary(database: duckdb.DuckDBPyConnection) -> _Summary:
    """Return `Written`'s fields from `first_seq` on."""
    row = database.execute(said_of("(FROM segment WHERE seq >= 0)", SCHEMA)).fetchone()
    if row is None or row[0] is None:
        raise LedgerError("E-LEDGER-WRITE  a segment needs at least one row\n    seal when there are some")
    kinds = dict(database.execute("SELECT kind, count(*) FROM segment WHERE seq >= 0 GROUP BY kind ORDER BY kind").fetchall())
    first, last, again, *rest = row
    return first, last, kinds, again, _pair(rest[0:2]), _pair(rest[2:4]), rest[4], _pair(rest[5:7])


def _pair(values: list[Any]) -> tuple[int, int] | None:
    return None if values[0] is None else (values[0], values[1])


def _synced(path: Path) -> tuple[int, str]:
    """Make the file's content durable; return its size and SHA-256 in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while chunk := file.read(1 << 20):
            digest.update(chunk)
        return file.tell(), digest.hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
