"""Headers read many at a time: DuckDB takes the JSON of some thousand apart in one statement, far quicker than Python.

It gives what `segment.derive` gives, for headers as writers of this version write them. Whether they are that is seen from
the whole: records of each kind have fields of that kind alone, and each of their keys gave a value. Where it is not so,
nothing is taken, and `derive` says of each header what it is, or why it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from slaguard.ledger.columns import NAMES, SEPARATOR, VALUES, Columns, int64
from slaguard.ledger.layout import LAYOUTS, Field, Sort
from slaguard.ledger.stored import TABLES
from slaguard.records import SCHEMA_VERSION, Observation
from slaguard.terms import Grade

if TYPE_CHECKING:
    import duckdb

PARSED: Final = "parsed"
"""The table that holds what was read last: the headers' `kind`, and a column for each of `FIELDS`."""
_OF_ALL: Final = 3
"""Keys of every header: `kind`, `seq`, `v`."""
_BY_NAME: Final[dict[str, Field]] = {field.name: field for table in TABLES for field in LAYOUTS[table]}
_ALLOWED: Final = {table.kind: frozenset(f.name for f in LAYOUTS[table]) for table in TABLES}
_NEEDED: Final = {table.kind: frozenset(f.name for f in LAYOUTS[table] if f.sort is Sort.CODE) for table in TABLES}
COUNTED: Final = f"kind IN ({', '.join(repr(kind) for kind in _ALLOWED)})"
"""The condition for rows whose fields are columns; of all others the header alone is of use."""
_TIMES: Final = ("sent_at", "time_to_first_token_ns", "total_time_ns")
_TYPES: Final = {
    Sort.TEXT: "VARCHAR",
    Sort.CODE: "VARCHAR",
    Sort.FLAG: "BOOLEAN",
    Sort.MAP: "MAP(VARCHAR, VARCHAR)",
    Sort.NUMBER: "BIGINT",
    Sort.TIME: "BIGINT",
}
_IDENTITY: Final = {
    "observation": ("j.id",),
    "score": ("j.observation", "j.scorer", f"if(j.grade = '{Grade.UNSCORED}', 'unscored', 'graded')"),
    "adjudication": ("j.observation", 'j."by"', "j.grade", "coalesce(CAST(j.recorded_at AS VARCHAR), '')"),
    "probe_planned": ("j.slot",),
    "probe_missed": ("j.slot",),
    "traffic_tally": ("j.vendor", "j.via", "j.writer", 'CAST(j."start" AS VARCHAR)'),
}
"""What `segment.key_of` makes a key of, kind by kind."""


def _columns(field: Field) -> dict[str, str]:
    """Return the columns a field becomes, each with its expression."""
    value = f'j."{field.name}"'
    match field.sort:
        case Sort.CODE:
            listed = ", ".join(f"'{member}'" for member in field.codes)
            return {field.name: f"CAST(enum_code(TRY_CAST({value} AS ENUM({listed}))) AS BIGINT)"}
        case Sort.FLAG:
            return {field.name: f"CAST({value} AS BIGINT)"}
        case Sort.MAP:
            joined = "if(cardinality({1}) > 0, array_to_string({0}({1}), '{2}'), NULL)"
            pairs = ((NAMES, "map_keys"), (VALUES, "map_values"))
            return {name: joined.format(of, value, SEPARATOR) for name, of in pairs}
        case _:
            return {field.name: value}


_EXPRESSIONS: Final = {name: said for field in _BY_NAME.values() for name, said in _columns(field).items()}
FIELDS: Final = tuple(_EXPRESSIONS)
"""The columns that hold fields as they are, in the order of the record types."""


def _parse() -> str:
    """Return the statement that takes headers apart."""
    types = json.dumps(
        {"kind": "VARCHAR", "seq": "BIGINT", "v": "BIGINT"} | {f.name: _TYPES[f.sort] for f in _BY_NAME.values()}
    )
    keys = " ".join(f"WHEN '{kind}' THEN {' || chr(31) || '.join((repr(kind), *parts))}" for kind, parts in _IDENTITY.items())
    columns = ", ".join(f'{said} AS "{name}"' for name, said in _EXPRESSIONS.items())
    return (
        f"CREATE OR REPLACE TEMP TABLE {PARSED} AS SELECT j.kind AS kind, j.seq AS seq, j.v AS v,"  # noqa: S608 - our own names
        f" len(json_keys(hdr)) AS keys, CASE j.kind {keys} END AS named, {columns}"
        f" FROM (SELECT hdr, json_transform(hdr, '{types}') AS j FROM headers)"
    )


_PARSE: Final = _parse()
_FOUND: Final = ", ".join(f'count("{name}")' for name in FIELDS if name != NAMES)
_CHECK: Final = (
    f"SELECT kind, count(*), count(named), count(*) FILTER (v = {SCHEMA_VERSION}), CAST(sum(keys) AS BIGINT), {_FOUND}"  # noqa: S608
    f" FROM {PARSED} WHERE {COUNTED} GROUP BY kind"
)
_CHECKED: Final = tuple(name.replace(VALUES, "attributes") for name in FIELDS if name != NAMES)


@dataclass(frozen=True, slots=True)
class Parsed:
    """Headers that stand in the table, in their order.

    `texts` are the headers themselves, `seqs` the numbers they say they have, `names` the ids of records that have one.
    `named` is the text of each record's key, None for records whose fields are no columns. `times` are the fields from
    which other columns are made, missing ones as `NULL`.
    """

    texts: npt.NDArray[Any]
    seqs: npt.NDArray[np.int64]
    kinds: list[str]
    names: list[str]
    named: list[str | None]
    times: Columns


def parse(database: duckdb.DuckDBPyConnection, seqs: Sequence[int], headers: Sequence[bytes]) -> Parsed | None:
    """Put headers with these numbers into the table; None where one of them is not as a writer of this version writes it."""
    import duckdb  # noqa: PLC0415 - a writer starts without it

    try:
        texts = np.array([header.decode("ascii") for header in headers], dtype=object)
    except UnicodeDecodeError:
        return None
    database.register("headers", {"hdr": texts})
    try:
        database.execute(_PARSE)
    except (duckdb.InvalidInputException, duckdb.ConversionException):
        return None
    finally:
        database.unregister("headers")
    parsed = _fetched(database, texts) if _is_as_written(database) else None
    is_plain = parsed is not None and parsed.seqs.tolist() == list(seqs) and "".join(filter(None, parsed.named)).isascii()
    return parsed if is_plain else None


def _is_as_written(database: duckdb.DuckDBPyConnection) -> bool:
    """Tell whether counted records have the fields of their kind, all with a value that was understood."""
    for kind, rows, named, known, keys, *values in database.execute(_CHECK).fetchall():
        found = {name: count for name, count in zip(_CHECKED, values, strict=True) if count}
        is_whole = known == named == rows and all(found.get(name) == rows for name in _NEEDED[kind])
        # As many values as keys: none is strange, stands there twice, or holds what is not of its sort.
        if not is_whole or not found.keys() <= _ALLOWED[kind] or keys != sum(values) + _OF_ALL * rows:
            return False
    return True


def _fetched(database: duckdb.DuckDBPyConnection, texts: npt.NDArray[Any]) -> Parsed:
    times = dict.fromkeys((*_TIMES, *TABLES[Observation].known))
    listed = ", ".join(f'"{name}"' for name in times)
    texts_of = f"kind, coalesce(id, '') AS id, if({COUNTED}, named, NULL) AS named"
    statement = f"SELECT seq, {texts_of}, {listed} FROM {PARSED}"  # noqa: S608 - our own names
    found = cast("Columns", database.execute(statement).fetchnumpy())
    kinds, names, named = (found[name].tolist() for name in ("kind", "id", "named"))  # of a masked array the missing as None
    return Parsed(texts, int64(found["seq"]), kinds, names, named, {name: int64(found[name]) for name in times})
