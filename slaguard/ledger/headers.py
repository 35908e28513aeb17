"""The stored bytes of a record: its canonical header with the row's `seq` and `recorded_at` written in.

`records.header` defines the bytes. This encoder gives the same ones about ten times faster: records that have the same
fields share a template, and only text that needs escaping is looked at one by one. A property test holds both equal.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import compress
from operator import attrgetter
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

# What is known only at the commit has room in every header: neither text can stand inside a value, where a quotation
# mark follows a backslash.
_KNOWN_AT: Final = '"recorded_at":0'
_SEQ: Final = '"seq":0'


def text(value: str) -> str:
    """Return the escaped form of `records.escape`, quickly where nothing needs escaping."""
    return value if _PLAIN(value) else escape(value)


def escaped_map(value: Mapping[str, str]) -> dict[str, str]:
    """Return attributes as a header holds them: escaped, sorted, and no more than the bound."""
    escaped = {text(k): text(v) for k, v in sorted(value.items())[:MAX_ATTRIBUTES]}
    return dict(sorted(escaped.items()))


# ── fields ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Type:
    """A record type's fields but `recorded_at`, in canonical order."""

    fields: tuple[Field, ...]
    values: Callable[[Record], tuple[Any, ...]]
    fixed: dict[str, Any]

    @classmethod
    def of(cls, record_type: type[Any]) -> _Type:
        own = tuple(sorted((f for f in LAYOUTS[record_type] if f.name != "recorded_at"), key=lambda f: f.name))
        fixed = {"kind": record_type.kind, "v": SCHEMA_VERSION, "recorded_at": 0, "seq": 0}
        return cls(own, attrgetter(*(f.name for f in own)), fixed)


_TYPES: Final[dict[str, _Type]] = {t.kind: _Type.of(t) for t in LAYOUTS}
_FITS: Final[dict[Sort, type]] = {
    Sort.TEXT: str,
    Sort.CODE: str,
    Sort.FLAG: bool,
    Sort.MAP: Mapping,
    Sort.NUMBER: int,
    Sort.TIME: int,
}


@dataclass(frozen=True, slots=True)
class _Shape:
    """Records that have values in the same fields: a template, and where each sort of value stands in it."""

    mask: tuple[bool, ...]
    template: str
    quotes: int
    texts: tuple[int, ...]
    numbers: tuple[tuple[int, str, int], ...]
    """(place, field, the least number that is not written as it is)"""
    flags: tuple[int, ...]

    def fill(self, values: tuple[Any, ...]) -> str | None:
        """Return the header of these values, None where one of them cannot stand there as it is."""
        present = list(compress(values, self.mask))
        for place, name, limit in self.numbers:
            if not -limit < _whole(name, present[place]) < limit:
                return None
        for place in self.flags:
            present[place] = "true" if present[place] else "false"
        if max([len(present[place]) for place in self.texts]) > MAX_TEXT:
            return None
        filled = self.template % tuple(present)
        plain = filled.isascii() and filled.isprintable() and "%" not in filled and "\\" not in filled
        return filled if plain and filled.count('"') == self.quotes else None


@lru_cache(maxsize=4096)
def _shape(record_kind: str, kinds: tuple[type, ...]) -> _Shape:
    """Return the shape of records whose values are of these Python types.

    Raises:
        LedgerError: a value is not of its field's type.

    """
    plan = _TYPES[record_kind]
    mask = tuple(kind is not type(None) for kind in kinds)
    for field, kind in compress(zip(plan.fields, kinds, strict=True), mask):
        if not issubclass(kind, _FITS[field.sort]) or (kind is bool) != (field.sort is Sort.FLAG):
            raise LedgerError(f"E-RECORD  {record_kind}.{field.name} holds a {kind.__name__}\n    give it a {field.sort.value}")
    # A map is written by `_slow`: its place is left out here.
    mask = tuple(there and f.sort is not Sort.MAP for there, f in zip(mask, plan.fields, strict=True))
    present = list(compress(plan.fields, mask))
    pieces = {name: json.dumps(value) for name, value in plan.fixed.items()}
    pieces |= {f.name: "%s" if f.sort in {Sort.NUMBER, Sort.FLAG} else '"%s"' for f in present}
    template = "{" + ",".join(f'"{name}":{pieces[name]}' for name in sorted(pieces)) + "}"
    limits = {Sort.NUMBER: MAX_EXACT, Sort.TIME: 2**63}
    return _Shape(
        mask,
        template,
        template.count('"'),
        tuple(i for i, f in enumerate(present) if f.sort in {Sort.TEXT, Sort.CODE}),
        tuple((i, f.name, limits[f.sort]) for i, f in enumerate(present) if f.sort in limits),
        tuple(i for i, f in enumerate(present) if f.sort is Sort.FLAG),
    )


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

    template: str

    @classmethod
    def of(cls, record: Record) -> Parts:
        """Encode all fields but `recorded_at`.

        Raises:
            LedgerError: a value is not of its field's type, or a number does not fit into 64 bits.

        """
        plan = _TYPES[record.kind]
        values = plan.values(record)
        shape = _shape(record.kind, tuple(map(type, values)))
        filled = None if getattr(record, "attributes", None) else shape.fill(values)
        return cls(_slow(plan, values) if filled is None else filled)

    def header(self, *, seq: int, recorded_at: int) -> bytes:
        """Return the canonical bytes with these two written in."""
        before, _, rest = self.template.partition(_KNOWN_AT)
        between, _, after = rest.partition(_SEQ)
        known = _whole("recorded_at", recorded_at)
        return f'{before}"recorded_at":"{known}"{between}"seq":{seq}{after}'.encode("ascii")

    def body_sha256(self) -> bytes:
        """Return the hash of what the record says: all of it but when and where it was written down."""
        return hashlib.sha256(self.template.encode("ascii")).digest()


def leaf(header: bytes) -> bytes:
    """Return the leaf hash of stored bytes, SHA-256(0x00 ‖ hdr) (RFC 6962 §2.1)."""
    return hashlib.sha256(b"\x00" + header).digest()
