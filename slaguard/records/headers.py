"""Canonical header bytes: RFC 8785 over printable ASCII without floats (`evidence.md` §2).

Numbers of 2^53 and more, and all times, are decimal strings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

import rfc8785

from slaguard.records.calls import Adjudication, Observation, ProbeMissed, ProbePlanned, Score
from slaguard.records.documents import TALLIED, Coverage, Fact, Incident, TrafficTally
from slaguard.terms import Attribution, Grade, Outcome, Source

SCHEMA_VERSION: Final = 1
MAX_TEXT: Final = 256
MAX_ATTRIBUTES: Final = 32


Record = Observation | Score | Adjudication | Incident | Fact | ProbePlanned | ProbeMissed | Coverage | TrafficTally
RECORD_TYPES: Final[dict[str, type[Record]]] = {
    t.kind: t for t in (Observation, Score, Adjudication, Incident, Fact, ProbePlanned, ProbeMissed, Coverage, TrafficTally)
}


NANOSECONDS: Final = frozenset(
    {"sent_at", "batch_start", "batch_end", "scheduled_at", "first_byte_at", "ended_at", "recorded_at", "start", "end", "when"}
    | {"time_to_first_token_ns", "total_time_ns"}
)
_WHOLE: Final = frozenset({"status", "input_tokens", "output_tokens", "attempt", *TALLIED})


def escape(text: str) -> str:
    """Return text as printable ASCII: ``%`` and every other byte as ``%XX``; cut at 256 characters, never inside an escape."""
    out: list[str] = []
    length = 0
    for byte in text.encode("utf-8", "surrogatepass"):
        piece = chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}"
        length += len(piece)
        if length > MAX_TEXT:
            break
        out.append(piece)
    return "".join(out)


def unescape(text: str) -> str:
    """Undo `escape`; a character cut in its middle is shown as a replacement character."""
    raw = bytearray()
    position = 0
    while position < len(text):
        if text[position] == "%":
            raw.append(int(text[position + 1 : position + 3], 16))
            position += 3
        else:
            raw.append(ord(text[position]))
            position += 1
    return raw.decode("utf-8", "replace")


def _encode(name: str, value: Any) -> Any:
    if name in NANOSECONDS:
        return str(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, Mapping):
        return {escape(k): escape(v) for k, v in sorted(value.items())[:MAX_ATTRIBUTES]}
    return escape(str(value))


def header(record: Record) -> bytes:
    """Return the canonical header bytes of a record: RFC 8785, one line, absent fields left out."""
    body: dict[str, Any] = {"v": SCHEMA_VERSION, "kind": record.kind}
    for item in fields(record):
        value = getattr(record, item.name)
        if value is None or value == {}:
            continue
        body[item.name] = _encode(item.name, value)
    return rfc8785.dumps(body)


_ENUMS: Final[dict[str, Any]] = {"outcome": Outcome, "attribution": Attribution, "source": Source, "grade": Grade}


def _decode(record_type: type[Record], name: str, value: Any) -> Any:
    if name in NANOSECONDS:
        return int(value)
    if name in _ENUMS and not (record_type is Incident and name == "source"):
        return _ENUMS[name](value)
    if isinstance(value, dict):
        return {unescape(k): unescape(v) for k, v in value.items()}
    if name in _WHOLE:
        return int(value)  # 2^53 and more stands as text
    return unescape(value) if isinstance(value, str) else value


def from_header(body: Mapping[str, Any]) -> Record:
    """Return the record of a parsed header.

    Raises:
        ValueError: unknown kind, version or field, or a value outside its closed list.

    """
    kind = str(body.get("kind"))
    record_type = RECORD_TYPES.get(kind)
    if record_type is None or body.get("v") != SCHEMA_VERSION:
        msg = f"a record of kind {kind!r}, version {body.get('v')!r}, is not known to this version"
        raise ValueError(msg)
    known = {f.name for f in fields(record_type)}
    unknown = sorted(set(body) - known - {"v", "kind", "seq"})
    if unknown:
        msg = f"a {kind} record has no field {unknown[0]!r}"
        raise ValueError(msg)
    values = {k: _decode(record_type, k, v) for k, v in body.items() if k in known}
    try:
        return record_type(**values)
    except TypeError as error:
        msg = f"a {kind} record is incomplete: {error}"
        raise ValueError(msg) from None
