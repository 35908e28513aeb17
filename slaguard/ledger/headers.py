"""The stored bytes of a record: its canonical header with the row's `seq` and `recorded_at` written in.

`records.header` defines the bytes. This encoder gives the same ones about ten times faster: records that have the same
fields share a template, and only text that needs escaping is looked at one by one. A property test holds both equal.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from operator import attrgetter, itemgetter
from typing import Any, Final

from slaguard.errors import LedgerError
from slaguard.ledger.layout import LAYOUTS, Field, Sort
from slaguard.records import MAX_ATTRIBUTES, MAX_TEXT, SCHEMA_VERSION, Record, escape

SMALLEST: Final = -(2**63) + 1
"""The least number a record may hold: the one below it stands for a missing value in a column."""
LARGEST: Final = 2**63 - 1
MAX_EXACT: Final = 2**53
_PLAIN = re.compile(r"[ -$&-~]{0,256}").fullmatch
_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_HARMLESS: Final = bytes(byte for byte in range(0x20, 0x7F) if byte not in b"%\\")
"""What may stand in a header without being escaped; quotation marks are counted."""

# What is known only at the commit has room in every header: neither text can stand inside a value, where a quotation
# mark follows a backslash.
_KNOWN_AT: Final = b'"recorded_at":0'
_SEQ: Final = b'"seq":0'


def text(value: str) -> str:
    """Return the escaped form of `records.escape`, quickly where nothing needs escaping."""
    return value if _PLAIN(value) else escape(value)


def escaped_map(value: Mapping[str, str]) -> dict[str, str]:
    """Return attributes as a header holds them: escaped, sorted, and no more than the bound."""
    escaped = {text(k): text(v) for k, v in sorted(value.items())[:MAX_ATTRIBUTES]}
    return dict(sorted(escaped.items()))


@lru_cache(maxsize=4096)
def _map_text(items: tuple[tuple[str, str], ...]) -> str:
    """Return attributes as they stand in a header: most records have the same few."""
    return _encode(escaped_map(dict(items)))


# ── fields ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Type:
    """A record type's fields but `recorded_at`, in canonical order."""

    fields: tuple[Field, ...]
    values: Callable[[Record], tuple[Any, ...]]
    fixed: dict[str, Any]
    map: int | None
    """The place of the one field that holds a map."""

    @classmethod
    def of(cls, record_type: type[Any]) -> _Type:
        own = tuple(sorted((f for f in LAYOUTS[record_type] if f.name != "recorded_at"), key=lambda f: f.name))
        fixed = {"kind": record_type.kind, "v": SCHEMA_VERSION, "recorded_at": 0, "seq": 0}
        place = next((i for i, f in enumerate(own) if f.sort is Sort.MAP), None)
        return cls(own, attrgetter(*(f.name for f in own)), fixed, place)


_TYPES: Final[dict[str, _Type]] = {t.kind: _Type.of(t) for t in LAYOUTS}
_FITS: Final[dict[Sort, type]] = {
    Sort.TEXT: str,
    Sort.CODE: str,
    Sort.FLAG: bool,
    Sort.MAP: Mapping,
    Sort.NUMBER: int,
    Sort.TIME: int,
}


Picked = Callable[[Sequence[Any]], tuple[Any, ...]]


def _picker(places: Sequence[int]) -> Picked:
    """Return what picks these places, as a tuple however many they are."""
    match places:
        case ():
            return lambda _: (0,)
        case (one,):
            return lambda values: (values[one],)
        case _:
            return itemgetter(*places)


@dataclass(frozen=True, slots=True)
class Shape:
    """Records that have values in the same fields: a template, its length without them, and where each sort stands in it."""

    template: str
    bare: int
    quotes: int
    texts: Picked
    numbers: Picked
    times: Picked
    flags: tuple[int, ...]
    maps: tuple[int, ...]

    def with_known(self, fields: Sequence[Field], known: Mapping[str, Any]) -> Shape | None:
        """Return the shape of records in which some fields have these values; None where one cannot stand there as it is."""
        if self.fill([known.get(f.name, _NOTHING.get(f.sort)) for f in fields]) is None:
            return None
        said = tuple(_said(f, known[f.name]) if f.name in known else "%s" for f in fields)
        return _with_places(self.template % said, [f for f in fields if f.name not in known])

    def fill(self, values: Sequence[Any]) -> bytes | None:
        """Return the header of these values, None where one of them cannot stand there as it is."""
        numbers, times = self.numbers(values), self.times(values)
        if not (min(numbers) > -MAX_EXACT and max(numbers) < MAX_EXACT and min(times) >= SMALLEST and max(times) <= LARGEST):
            return None
        quotes = self.quotes
        if self.flags or self.maps:
            present = list(values)
            for place in self.flags:
                present[place] = "true" if present[place] else "false"
            for place in self.maps:
                present[place] = said = _map_text(tuple(present[place].items()))
                quotes += said.count('"')
            filled = self.template % tuple(present)
        else:
            filled = self.template % tuple(values)
        if len(filled) - self.bare > MAX_TEXT and max(map(len, self.texts(values))) > MAX_TEXT:
            return None
        if not filled.isascii():
            return None
        content = filled.encode()
        return None if content.translate(None, _HARMLESS) or content.count(b'"') != quotes else content


@lru_cache(maxsize=4096)
def _shape(record_kind: str, kinds: tuple[type, ...]) -> tuple[tuple[bool, ...], Shape]:
    """Return which fields records have whose values are of these Python types, and their shape; raises as `shape_of`."""
    fields = _TYPES[record_kind].fields
    there = tuple(kind is not type(None) for kind in kinds)
    return there, shape_of(record_kind, tuple(compress(zip(fields, kinds, strict=True), there)))


def shape_of(record_kind: str, present: Sequence[tuple[Field, type]]) -> Shape:
    """Return the shape of records with values of these Python types in these fields, which are in order of their names.

    Raises:
        LedgerError: a value is not of its field's type.

    """
    for field, kind in present:
        if not issubclass(kind, _FITS[field.sort]) or (kind is bool) != (field.sort is Sort.FLAG):
            raise LedgerError(f"E-RECORD  {record_kind}.{field.name} holds a {kind.__name__}\n    give it a {field.sort.value}")
    bare = {Sort.NUMBER, Sort.FLAG, Sort.MAP}
    pieces = {name: json.dumps(value) for name, value in _TYPES[record_kind].fixed.items()}
    pieces |= {f.name: "%s" if f.sort in bare else '"%s"' for f, _ in present}
    template = "{" + ",".join(f'"{name}":{pieces[name]}' for name in sorted(pieces)) + "}"
    return _with_places(template, [field for field, _ in present])


def _with_places(template: str, fields: Sequence[Field]) -> Shape:
    def places(*sorts: Sort) -> tuple[int, ...]:
        return tuple(i for i, f in enumerate(fields) if f.sort in sorts)

    return Shape(
        template,
        len(template) - 2 * len(fields),
        template.count('"'),
        _picker(places(Sort.TEXT, Sort.CODE)),
        _picker(places(Sort.NUMBER)),
        _picker(places(Sort.TIME)),
        places(Sort.FLAG),
        places(Sort.MAP),
    )


_NOTHING: Final[dict[Sort, Any]] = {
    Sort.TEXT: "", Sort.CODE: "", Sort.NUMBER: 0, Sort.TIME: 0, Sort.FLAG: False, Sort.MAP: {}
}  # fmt: skip
"""What can stand in place of a value that is not known yet."""


def _said(field: Field, value: Any) -> str:
    """Return a value that needs no escaping as it stands in a template."""
    if field.sort is Sort.MAP:
        return _map_text(tuple(value.items()))
    return ("true" if value else "false") if field.sort is Sort.FLAG else str(value)


def _whole(name: str, value: int) -> int:
    if SMALLEST <= value <= LARGEST:
        return value
    raise LedgerError(f"E-RECORD  {name} {value} does not fit into 64 bits\n    correct or leave out this field")


def _slow(plan: _Type, values: tuple[Any, ...]) -> str:
    """Write a header field by field."""
    pairs = zip(plan.fields, values, strict=True)
    return _encode(plan.fixed | {f.name: _regular(f, v) for f, v in pairs if v is not None and v != {}})


def _regular(field: Field, value: Any) -> Any:
    match field.sort:
        case Sort.TEXT | Sort.CODE:
            return text(value)
        case Sort.MAP:
            return escaped_map(value)
        case Sort.TIME:
            return str(_whole(field.name, value))
        case Sort.NUMBER if not -MAX_EXACT < value < MAX_EXACT:
            return str(_whole(field.name, value))
        case _:
            return value


# ── headers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Parts:
    """A record's header, with room for the two things known only when it is committed."""

    template: bytes

    @classmethod
    def of(cls, record: Record) -> Parts:
        """Encode all fields but `recorded_at`.

        Raises:
            LedgerError: a value is not of its field's type, or a number does not fit into 64 bits.

        """
        plan = _TYPES[record.kind]
        values = plan.values(record)
        if plan.map is not None and values[plan.map] == {}:
            values = (*values[: plan.map], None, *values[plan.map + 1 :])
        there, shape = _shape(record.kind, tuple(map(type, values)))
        try:
            filled = shape.fill(tuple(compress(values, there)))
            return cls(_slow(plan, values).encode("ascii") if filled is None else filled)
        except (TypeError, AttributeError) as error:
            raise LedgerError(f"E-RECORD  {record.kind}.attributes: {error}\n    give it texts by name") from None

    def header(self, *, seq: int, recorded_at: int) -> bytes:
        """Return the canonical bytes with these two written in."""
        return stamped(self.template, seq, recorded_at)

    def body_sha256(self) -> bytes:
        """Return the hash of what the record says: all of it but when and where it was written down."""
        return hashlib.sha256(self.template).digest()


def stamped(template: bytes, seq: int, recorded_at: int) -> bytes:
    """Return the canonical bytes of a record from its `Parts.template`, its number and when it was recorded.

    Raises:
        LedgerError: the time does not fit into 64 bits.

    """
    before, _, rest = template.partition(_KNOWN_AT)
    between, _, after = rest.partition(_SEQ)
    return b'%b"recorded_at":"%d"%b"seq":%d%b' % (before, _whole("recorded_at", recorded_at), between, seq, after)


def leaf(header: bytes) -> bytes:
    """Return the leaf hash of stored bytes, SHA-256(0x00 ‖ hdr) (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x00" + header).digest()
