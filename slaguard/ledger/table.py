"""Records as rows of a table: what reports write as CSV and imports read back, without loss.

One row a record, `kind` first; a cell that is absent or empty is a missing field. Times are RFC 3339 in UTC with as many
digits as they need (a spreadsheet rounds a 19-digit integer, it leaves this text alone); integers of nanoseconds are
read as well. Text is written as it is, but for what a spreadsheet, a terminal or a CSV reader might act on: `%`,
characters that do not print, and a leading `=`, `+`, `-` or `@` become ``%XX`` bytes; a present but empty text is ``%``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from slaguard.records import NS, RECORD_TYPES, TALLIED, Incident, Record
from slaguard.terms import Attribution, Grade, Outcome, Source

ATTRIBUTE: Final = "attributes."
"""Columns that start so hold one attribute each."""
IGNORED: Final = "counts."
"""Columns that start so are a report's own remarks; a reader skips them."""
COLUMNS: Final = (
    "kind", "id", "sent_at", "outcome", "attribution", "status", "error_code", "time_to_first_token_ns", "total_time_ns",
    "vendor", "service", "model_requested", "model_returned", "region", "tier_served", "source", "via",
    "batch_start", "batch_end", "scheduled_at", "first_byte_at", "ended_at", "recorded_at", "stream", "stream_end",
    "input_tokens", "output_tokens", "logical_request_id", "attempt", "client_id", "grounded", "inclusion_probability",
    "cluster", "golden_item", "request_id", "fingerprint", "payload_commit",
    "observation", "scorer", "grade", "reason", "prompt_sha256", "by", "note",
    "start", "end", "severity", "type", "when", "reference", "document_sha256", "exclusion", "state",
    "period", "subject", "value",
    "slot", "agreement", "how",
    "writer", "seen", "recorded", "sampled_out", "shed", "client_abort", "bodies", "bodies_shed",
)  # fmt: skip
"""Every column but those of attributes, in the order a report writes them."""

_TIMES: Final = frozenset(
    {"sent_at", "batch_start", "batch_end", "scheduled_at", "first_byte_at", "ended_at", "recorded_at", "start", "end", "when"}
)
_WHOLE: Final = frozenset(
    {"status", "input_tokens", "output_tokens", "attempt", "time_to_first_token_ns", "total_time_ns", *TALLIED}
)
_FLAGS: Final = frozenset({"stream", "grounded"})
_ENUMS: Final[dict[str, Any]] = {"outcome": Outcome, "attribution": Attribution, "source": Source, "grade": Grade}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = (-62_135_596_800 * NS, 253_402_300_800 * NS)
_LEAST: Final = -(2**63)
_INTEGER = re.compile(r"-?\d{1,19}\Z", re.ASCII)
_RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])([01]\d|2[0-3]):([0-5]\d))\Z", re.ASCII
)
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_ACTED_ON: Final = frozenset("=+-@＝＋－＠")  # noqa: RUF001 - the wide forms start a formula too


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def format_time(ns: int) -> str:
    """Write UTC nanoseconds as RFC 3339 with 0, 3, 6 or 9 digits; a time outside the years 1 to 9999 as the integer."""
    if not _YEARS[0] <= ns < _YEARS[1]:
        return str(ns)
    seconds, rest = divmod(ns, NS)
    text = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    if rest:
        digits = f"{rest:09d}"
        text += "." + (digits[:3] if rest % 1_000_000 == 0 else digits[:6] if rest % 1000 == 0 else digits)
    return text + "Z"


def parse_time(text: str) -> int:
    """Read RFC 3339 with a zone, or an integer of nanoseconds, as UTC nanoseconds (digits beyond nine are cut).

    A leap second ``:60`` is read as ``:59.999``.

    Raises:
        ValueError: the text is neither, or no time of the calendar.

    """
    if _INTEGER.match(text):
        return _int64(text)
    found = _RFC3339.match(text)
    if not found:
        msg = "write a time with its zone, 2026-10-05T12:00:00Z, or whole nanoseconds since 1970"
        raise ValueError(msg)
    day, minute, second, fraction, sign, hours, minutes = found.groups()
    leap = second == "60"
    rest = 999_000_000 if leap else int((fraction or "").ljust(9, "0"))
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    try:
        local = datetime.fromisoformat(f"{day}T{minute}:{'59' if leap else second}+00:00")
    except ValueError:
        msg = f"{day} {minute}:{second} is no time of the calendar"
        raise ValueError(msg) from None
    # Whole seconds of a timedelta: no float is made.
    since = local - _EPOCH - (-offset if sign == "-" else offset)
    return (since.days * 86_400 + since.seconds) * NS + rest


def _int64(text: str) -> int:
    value = int(text)
    if not _LEAST < value < -_LEAST:
        msg = f"{text} does not fit into 64 bits"
        raise ValueError(msg)
    return value


# ── cells ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _quoted(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _write_text(text: str) -> str:
    if not text:
        return "%"
    if text.isprintable() and "%" not in text and text[0] not in _ACTED_ON and text == text.strip():
        return text
    last = len(text) - 1
    return "".join(
        _quoted(c) if c == "%" or not c.isprintable() or (i == 0 and c in _ACTED_ON) or (c == " " and i in {0, last}) else c
        for i, c in enumerate(text)
    )


def _read_text(cell: str) -> str:
    if cell == "%":
        return ""
    if "%" not in cell:
        return cell
    if cell.count("%") != len(_ESCAPED.findall(cell)):
        msg = f"{cell[:40]!r}: a percent sign is written %25"
        raise ValueError(msg)
    parts = _ESCAPED.split(cell)
    raw = b"".join(bytes([int(part, 16)]) if i % 2 else part.encode("utf-8", "surrogatepass") for i, part in enumerate(parts))
    try:
        return raw.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        msg = f"{cell[:40]!r}: the bytes written with % are not UTF-8"
        raise ValueError(msg) from None


def _write(name: str, value: Any) -> str:
    if name in _TIMES:
        return format_time(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else _write_text(value)


def _read_enum(name: str, cell: str) -> Any:
    closed = _ENUMS[name]
    try:
        return closed(cell)
    except ValueError:
        msg = f"{name}: {cell[:40]!r} is none of {', '.join(closed)}"
        raise ValueError(msg) from None


def _read_flag(name: str, cell: str) -> bool:
    if cell.lower() not in {"true", "false"}:
        msg = f"{name}: write true or false"
        raise ValueError(msg)
    return cell.lower() == "true"


def _read(record_type: type[Record], name: str, cell: str) -> Any:
    if name in _TIMES:
        try:
            return parse_time(cell)
        except ValueError as error:
            msg = f"{name}: {error}"
            raise ValueError(msg) from None
    if name in _WHOLE:
        if not _INTEGER.match(cell):
            msg = f"{name}: {cell[:40]!r} is no whole number"
            raise ValueError(msg)
        return _int64(cell)
    if name in _FLAGS:
        return _read_flag(name, cell)
    if name in _ENUMS and not (record_type is Incident and name == "source"):
        return _read_enum(name, cell)
    return _read_text(cell)


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def to_row(record: Record) -> dict[str, str]:
    """Return the cells of a record, by column; a missing field has none."""
    row = {"kind": record.kind}
    for item in fields(record):
        value = getattr(record, item.name)
        if item.name == "attributes":
            row |= {ATTRIBUTE + _write_text(k): _write_text(v) for k, v in value.items()}
        elif value is not None:
            row[item.name] = _write(item.name, value)
    return row


def is_column(name: str) -> bool:
    """Tell whether a table of records may have a column of this name."""
    return name in COLUMNS or name.startswith((ATTRIBUTE, IGNORED))


def from_row(row: Mapping[str, str]) -> Record:
    """Return the record of a row of cells.

    Raises:
        ValueError: an unknown kind or column, a cell that is not what its column holds, or one that is missing.

    """
    kind = row.get("kind", "")
    record_type = RECORD_TYPES.get(kind)
    if record_type is None:
        msg = f"kind: {kind[:40]!r} is none of {', '.join(RECORD_TYPES)}"
        raise ValueError(msg)
    known = {item.name: item for item in fields(record_type)}
    values: dict[str, Any] = {}
    attributes: dict[str, str] = {}
    for name, cell in row.items():
        if cell == "" or name == "kind" or name.startswith(IGNORED):
            continue
        if name.startswith(ATTRIBUTE) and "attributes" in known:
            attributes[_read_text(name[len(ATTRIBUTE) :])] = _read_text(cell)
        elif name in known and name != "attributes":
            values[name] = _read(record_type, name, cell)
        else:
            msg = f"a {kind} record has no {name[:60]!r}: leave the cell empty"
            raise ValueError(msg)
    if attributes:
        values["attributes"] = attributes
    if record_type is Incident:
        values.setdefault("end", None)  # must be given in code, but may be None
    absent = sorted(set(known) - set(values) - {n for n, f in known.items() if _has_default(f)})
    if absent:
        msg = f"a {kind} record needs {', '.join(absent)}"
        raise ValueError(msg)
    return record_type(**values)


def _has_default(item: Field[Any]) -> bool:
    return item.default is not MISSING or item.default_factory is not MISSING
