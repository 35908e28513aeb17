"""From records, or from stored headers, to named numpy columns that DuckDB takes over as they are; no per-row objects.

Whole numbers are int64 with `NULL` for a missing value; a flag is 0 or 1; a member of a closed list is its code; text
is in the escaped form of a header (`records.escape`), so that a record read from the log and one that was just made
are the same bytes. Attributes are two texts, names and values, separated by a character no escaped text holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter, index
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt

from slaguard.errors import LedgerError
from slaguard.ledger.headers import escaped_map, text
from slaguard.ledger.layout import LAYOUTS, Field, Sort
from slaguard.records import NS_PER_MS, NULL, Record, unescape

Columns = dict[str, npt.NDArray[Any]]
"""Equally long arrays by name: int64, or object for text."""
Kept = TypeVar("Kept", bound=Record)
SEPARATOR: Final = "\x1f"
NAMES, VALUES = "attribute_names", "attribute_values"
MEASURED: Final = {"time_to_first_token": "time_to_first_token_ns", "total_time": "total_time_ns"}
"""The two times in whole milliseconds rounded up, and the field each is made from."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """How values are taken: from a record's fields, or from a parsed header."""

    text: Callable[[str], str]
    attributes: Callable[[Mapping[str, str]], dict[str, str]]
    number: Callable[[Any], int]


_RECORD: Final = _Reading(text, escaped_map, index)
_HEADER: Final = _Reading(str, dict, int)


def from_records(record_type: type[Record], records: Sequence[Record]) -> Columns:
    """Return the columns of records of one type (at least one).

    Raises:
        LedgerError: a value outside its closed list, or a number that does not fit into 64 bits.

    """
    fields = LAYOUTS[record_type]
    rows = map(attrgetter(*(f.name for f in fields)), records)
    return _columns(record_type, fields, zip(*rows, strict=True), _RECORD)


def from_headers(record_type: type[Record], bodies: Sequence[Mapping[str, Any]]) -> Columns:
    """Return the columns of parsed headers of one type.

    Raises:
        LedgerError: as `from_records`, or a field that this version does not know.

    """
    fields = LAYOUTS[record_type]
    unknown = set().union(*bodies) - {f.name for f in fields} - {"kind", "v", "seq"}
    if unknown:
        raise LedgerError(
            f"E-LOG-VERSION  a {record_type.kind} record has the field {min(unknown)!a}, not known to this version\n"
            "    use the slaguard release that wrote this ledger"
        )
    values = ([body.get(f.name) for body in bodies] for f in fields)
    return _columns(record_type, fields, values, _HEADER)


def _columns(
    record_type: type[Record], fields: tuple[Field, ...], values: Iterable[Iterable[Any]], reading: _Reading
) -> Columns:
    columns: Columns = {}
    for field, column in zip(fields, values, strict=True):
        try:
            columns |= _column(field, column, reading)
        except (OverflowError, ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                f"E-RECORD  {record_type.kind}.{field.name}: {error} cannot stand there\n    correct or leave out this field"
            ) from error
    return columns | {name: milliseconds(columns[source]) for name, source in MEASURED.items() if source in columns}


def _column(field: Field, values: Iterable[Any], reading: _Reading) -> Columns:
    match field.sort:
        case Sort.TEXT:
            return {field.name: _objects([None if value is None else reading.text(value) for value in values])}
        case Sort.CODE:
            return {field.name: _whole(map(field.codes.__getitem__, values))}
        case Sort.MAP:
            return _map([reading.attributes(value) if value else None for value in values])
        case Sort.NUMBER | Sort.TIME | Sort.FLAG:
            return {field.name: _whole(NULL if value is None else reading.number(value) for value in values)}


def _objects(values: list[str | None]) -> npt.NDArray[Any]:
    return np.array(values, dtype=object)


def _whole(values: Iterable[int]) -> npt.NDArray[np.int64]:
    return np.fromiter(values, dtype=np.int64)


def _map(values: list[dict[str, str] | None]) -> Columns:
    """Return names and values as two texts: one character tells the entries apart."""
    return {
        NAMES: _objects([None if value is None else SEPARATOR.join(value) for value in values]),
        VALUES: _objects([None if value is None else SEPARATOR.join(value.values()) for value in values]),
    }


def milliseconds(nanoseconds: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Round up to whole milliseconds: a contract's limit is whole, so no value changes its side of one."""
    rounded = nanoseconds // NS_PER_MS + (nanoseconds % NS_PER_MS > 0)
    return np.where(nanoseconds == NULL, NULL, rounded)


# ── and back ────────────────────────────────────────────────────────────────────────────────────────────────────────
def int64(column: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return a fetched column of whole numbers, missing ones as `NULL`."""
    return np.asarray(np.ma.filled(column, NULL), dtype=np.int64)


def plain(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return a fetched column for readers: text as it was, whole numbers as int64."""
    if column.dtype != object:
        return int64(column)
    absent = np.ma.getmaskarray(column)
    values = zip(np.ma.getdata(column), absent, strict=True)
    return _objects([None if missing or value is None else _unescaped(value) for value, missing in values])


def _unescaped(value: str) -> str:
    return unescape(value) if "%" in value else value


def to_records(record_type: type[Kept], rows: Iterable[tuple[Any, ...]]) -> Iterator[Kept]:
    """Yield the records of fetched rows, whose values stand in the order of the type's fields."""
    fields = LAYOUTS[record_type]
    decoders = [(f.name, _decoder(f)) for f in fields]
    for row in rows:
        pairs = zip(decoders, row, strict=True)
        yield record_type(**{name: decode(value) for (name, decode), value in pairs if value is not None})


def _attributes(texts: Mapping[str, str | None]) -> dict[str, str]:
    names, values = texts[NAMES], texts[VALUES]
    if names is None or values is None:
        return {}
    pairs = zip(names.split(SEPARATOR), values.split(SEPARATOR), strict=True)
    return {_unescaped(name): _unescaped(value) for name, value in pairs}


def _decoder(field: Field) -> Callable[[Any], Any]:
    match field.sort:
        case Sort.TEXT:
            return _unescaped
        case Sort.CODE:
            return list(field.members or ()).__getitem__
        case Sort.FLAG:
            return bool
        case Sort.MAP:
            return _attributes
        case Sort.NUMBER | Sort.TIME:
            return int
