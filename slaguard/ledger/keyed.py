"""Rows told apart: the key of each, made from its header, without making a record of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from slaguard.errors import LedgerError
from slaguard.terms import Grade

Body = Mapping[str, Any]
"""A parsed header."""


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


@dataclass(frozen=True, slots=True)
class Keyed:
    """A row whose header was parsed, with the key of its record."""

    seq: int
    kind: str
    key: bytes
    body: Body

    @property
    def name(self) -> str:
        """Return its id; of a record that has none, anything."""
        return str(self.body.get("id"))


class Told(NamedTuple):
    """A row whose header stands in the engine, with the key and the id of its record."""

    seq: int
    kind: str
    key: bytes
    name: str


class Identified(Protocol):
    """A row that can be told from others."""

    @property
    def seq(self) -> int:
        """Return its number."""

    @property
    def kind(self) -> str:
        """Return its record's kind."""

    @property
    def key(self) -> bytes:
        """Return its record's key."""

    @property
    def name(self) -> str:
        """Return its record's id, if that has one."""


def keyed(batch: Sequence[tuple[int, bytes]]) -> list[Keyed]:
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
