"""A segment's Parquet file: the exact header bytes of its rows, and the columns projected from them.

Whole numbers and text only, nullability written into the file, and everything stored that another engine would have to
compute in its own way: minute, hour, the buckets of both times, the segment's name (`performance.md` §6). One file holds
all kinds of records; `derive` is the one place where columns are made from headers, when sealing and when checking.
"""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache
from itertools import accumulate, islice, repeat
from operator import mul
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from slaguard.errors import LedgerError
from slaguard.ledger.columns import MEASURED, NAMES, VALUES, Columns, from_headers, milliseconds
from slaguard.ledger.keyed import Body, Identified, Keyed, Told, key_of, keyed
from slaguard.ledger.layout import LAYOUTS, Sort
from slaguard.ledger.manifest import SCHEMA
from slaguard.ledger.projection import COUNTED, FIELDS, PARSED, Parsed, parse
from slaguard.ledger.stored import TABLES
from slaguard.records import MINUTE, NS, NULL, RECORD_TYPES, SCHEMA_VERSION, Observation, TrafficTally

if TYPE_CHECKING:
    import duckdb

BATCH: Final = 20_000
"""Headers that are turned into columns at a time."""
FEW: Final = 500
"""Headers that are read one by one in less time than DuckDB takes to plan how."""
MEMORY: Final = "512MB"
GENESIS: Final = "genesis"
HOUR: Final = 3600 * NS
BUCKETS: Final = {"latency_bucket": "total_time_ns", "first_token_bucket": "time_to_first_token_ns"}
"""Bucket columns, and the field each is made from."""
_PER_E: Final = 50
"""Buckets in which a time grows by the factor e: a bucket is ⌊ln(seconds)/0.02⌋."""

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
    columns = {"identity": _numbers(keys)}
    table = TABLES.get(RECORD_TYPES[kind]) if kind in RECORD_TYPES else None
    if table is None:
        return columns | {"known_at": np.array([int(body.get("recorded_at", 0)) for body in bodies], dtype=np.int64)}
    found = from_headers(table.record_type, bodies)
    return columns | _reckoned(found, table.known) | found


def _reckoned(found: Columns, known: Sequence[str]) -> Columns:
    """Return what follows from times: from when on records count, and where calls lie in time and among lengths of time."""
    columns = {"known_at": _known(found, known)}
    if "sent_at" in found:
        columns |= {"minute": _floored(found["sent_at"], MINUTE), "hour": _floored(found["sent_at"], HOUR)}
        columns |= {name: bucket(found[source]) for name, source in BUCKETS.items()}
    return columns


def _require_known(kind: str, bodies: Sequence[Body]) -> None:
    strange = next((b for b in bodies if (kind not in RECORD_TYPES and kind != GENESIS) or b.get("v") != SCHEMA_VERSION), None)
    if strange is not None:
        raise LedgerError(
            f"E-LOG-VERSION  row {strange.get('seq')} is of kind {kind!a}, version {strange.get('v')!a}, not known to this"
            " version\n    use the slaguard release that wrote this ledger"
        )


def _numbers(keys: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """Return `keyed.as_number` of each key, which is a quarter of it."""
    return np.frombuffer(b"".join(keys), dtype=">i8")[::4].astype(np.int64)


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
        context.prec = 60  # of which the steps lose four
        step = (Decimal(1) / _PER_E).exp()
        exact = accumulate(repeat(step, last - first), mul, initial=(Decimal(first) / _PER_E).exp() * NS)
        edges = [int(e.to_integral_value(ROUND_CEILING)) for e in exact]
    return first, np.array(edges, dtype=np.int64)


# ── the file ────────────────────────────────────────────────────────────────────────────────────────────────────────
Again = Callable[[Sequence[Identified]], Collection[int]]
"""Which of these rows (by seq) come after an earlier one of the same identity."""


def _none_again(_: Sequence[Identified]) -> Collection[int]:
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
                count, is_in_order = _fill(database, rows, segment_id, again)
                _copy(database, path, is_in_order=is_in_order)
                found = _summary(database)
                if sum(found[2].values()) != count:  # before anything speaks of the file: its rows are deleted after that
                    raise LedgerError(f"{path}: E-LEDGER-WRITE  {count} rows gave {found[2]}\n    seal with another release")
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


def _fill(
    database: duckdb.DuckDBPyConnection, rows: Iterable[tuple[int, bytes]], segment_id: str, again: Again
) -> tuple[int, bool]:
    """Put rows into the table; return how many, and whether they stand there in order."""
    stream, count, ends = iter(rows), 0, list[int]()
    while batch := list(islice(stream, BATCH)):
        seqs, headers = zip(*batch, strict=True)
        parsed = parse(database, seqs, headers) if len(batch) > FEW else None
        known = keyed(batch) if parsed is None else _told(batch, parsed)
        repeated = again(known)
        others = [row for row in known if isinstance(row, Keyed)]
        for columns in _by_hand(dict(batch) if others else {}, others):
            ends += _insert(database, columns, segment_id, repeated)
        if parsed is not None and len(others) < len(known):
            first = next(row.seq for row in known if isinstance(row, Told))
            ends += (first, _insert(database, _made(parsed, known), segment_id, repeated, parsed=True)[1])
        count += len(batch)
    return count, ends == sorted(ends)


def _told(batch: Sequence[tuple[int, bytes]], parsed: Parsed) -> list[Identified]:
    """Tell rows apart that the engine has read; those whose fields are no columns are read here."""
    keys = [b"" if named is None else hashlib.sha256(named.encode("ascii")).digest() for named in parsed.named]
    told: list[Identified] = [*map(Told, (seq for seq, _ in batch), parsed.kinds, keys, parsed.names)]
    strange = [place for place, named in enumerate(parsed.named) if named is None]
    for place, row in zip(strange, keyed([batch[place] for place in strange]), strict=True):
        told[place] = row
    return told


def _by_hand(headers: Mapping[int, bytes], rows: Sequence[Keyed]) -> Iterator[Columns]:
    """Yield the columns of rows read here, kind by kind."""
    groups: dict[str, list[Keyed]] = {}
    for row in rows:
        groups.setdefault(row.kind, []).append(row)
    for kind, group in groups.items():
        columns = _derived(kind, [row.body for row in group], [row.key for row in group])
        columns["seq"] = np.array([row.seq for row in group], dtype=np.int64)
        columns["kind"] = np.full(len(group), kind, dtype=object)
        columns["hdr"] = np.array([headers[row.seq].decode("ascii") for row in group], dtype=object)
        yield columns


def _made(parsed: Parsed, rows: Sequence[Identified]) -> Columns:
    """Return the columns beside those that the engine has read."""
    times = parsed.times
    return {
        "seq": parsed.seqs,
        "hdr": parsed.texts,
        "identity": _numbers([row.key for row in rows]),
        # All other records have of these times but the one they are known from.
        **_reckoned(times, TABLES[Observation].known),
        **{name: milliseconds(times[source]) for name, source in MEASURED.items()},
    }


def _insert(
    database: duckdb.DuckDBPyConnection, columns: Columns, segment_id: str, repeated: Collection[int], *, parsed: bool = False
) -> tuple[int, int]:
    """Insert rows whose columns are these, with those of the table where their fields are `parsed`; return their ends."""
    seqs = columns["seq"]
    columns["again"] = np.isin(seqs, list(repeated)).astype(np.int64)
    columns["segment"] = np.full(len(seqs), segment_id, dtype=object)
    source, names = "batch", list(columns)
    values = [_value(name) for name in names]
    if parsed:
        source, names = f"{PARSED} AS p POSITIONAL JOIN batch WHERE {COUNTED}", [*names, "kind", *FIELDS]
        values = [f"batch.{value}" if value == '"seq"' else value for value in values]
        values += ["kind", *(f'"{name}"' for name in FIELDS)]
    listed = ", ".join(f'"{name}"' for name in names)
    database.register("batch", columns)
    try:
        database.execute(f"INSERT INTO segment({listed}) SELECT {', '.join(values)} FROM {source}")  # noqa: S608 - our own names
    finally:
        database.unregister("batch")
    return int(seqs[0]), int(seqs[-1])


def _value(name: str) -> str:
    kind, optional = COLUMNS[name]
    if kind == "BLOB":
        return f'encode("{name}")'  # byte for byte; a cast would read backslashes
    return f"nullif(\"{name}\", CAST('{NULL}' AS BIGINT))" if kind == "BIGINT" and optional else f'"{name}"'


def _copy(database: duckdb.DuckDBPyConnection, path: Path, *, is_in_order: bool) -> None:
    quoted = str(path).replace("'", "''")
    order = "" if is_in_order else " ORDER BY seq"
    database.execute(
        f"COPY (SELECT * FROM segment WHERE seq >= 0{order}) TO '{quoted}'"  # noqa: S608 - quoted
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
