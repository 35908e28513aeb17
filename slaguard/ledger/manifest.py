"""What a segment's manifest says: which rows of which log stand in it, under which hashes (`evidence.md` §3).

The bytes are canonical JSON (RFC 8785) on one line and are what is hashed, kept and published; they are never made anew
from a parsed manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import rfc8785

VERSION: Final = 1
SCHEMA: Final = 2
"""The version of the Parquet columns (`segment.columns_of`). Version 2 has those of a TrafficTally."""
READABLE: Final = (1, 2)
DIGITS: Final = 8
_PAIR: Final = 64
"""Bytes of two hashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One sealed segment.

    `spans` says what a reader needs to know without opening the file: the least and the greatest time of its observations
    (`sent`, and `batch` of those without a clock), the greatest time at which a record of it was known (`known`), each
    None where there is none. `t_min_ns` and `t_max_ns` are the least and greatest time at which something in it happened or
    was due (calls, batches, planned slots, tallies). `kinds` counts the rows of each record kind, `again` those that contradict
    an earlier row.
    """

    origin: str
    ix: int
    first_seq: int
    last_seq: int
    records_root: str
    parquet_bytes: int
    parquet_sha256: str
    kinds: Mapping[str, int]
    again: int
    sent: tuple[int, int] | None
    batch: tuple[int, int] | None
    known: int | None
    t_min_ns: int | None
    t_max_ns: int | None
    sealed_wall_ns: int
    software: str
    schema: int = SCHEMA
    """Which columns its file has."""

    @property
    def count(self) -> int:
        """Return how many rows there are."""
        return self.last_seq - self.first_seq + 1

    @property
    def file(self) -> str:
        """Return the name of the Parquet file."""
        return f"{self.ix:0{DIGITS}d}.parquet"

    @property
    def published(self) -> str:
        """Return the name of the manifest's own file."""
        return f"{self.ix:0{DIGITS}d}.json"

    def content(self) -> bytes:
        """Return the canonical bytes."""
        body: dict[str, Any] = {
            "v": VERSION,
            "kind": "segment",
            "origin": self.origin,
            "ix": self.ix,
            "first_seq": self.first_seq,
            "last_seq": self.last_seq,
            "count": self.count,
            "records_root": self.records_root,
            "parquet": {
                "name": self.file,
                "bytes": self.parquet_bytes,
                "sha256": self.parquet_sha256,
                "schema_v": self.schema,
            },
            "kinds": dict(self.kinds),
            "again": self.again,
            "spans": {
                "sent": _texts(self.sent),
                "batch": _texts(self.batch),
                "known": _text(self.known),
            },
            "t_min_ns": _text(self.t_min_ns),
            "t_max_ns": _text(self.t_max_ns),
            "sealed_wall_ns": str(self.sealed_wall_ns),
            "software": self.software,
        }
        return rfc8785.dumps(body)

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read manifest bytes.

        Raises:
            ValueError: not a manifest of this version, or its numbers do not add up.

        """
        try:
            body = json.loads(content)
            schema = body["parquet"]["schema_v"]
            if (body["v"], body["kind"]) != (VERSION, "segment") or schema not in READABLE:
                raise ValueError("another version's manifest")
            read = cls(
                origin=str(body["origin"]),
                ix=int(body["ix"]),
                first_seq=int(body["first_seq"]),
                last_seq=int(body["last_seq"]),
                records_root=str(body["records_root"]),
                parquet_bytes=int(body["parquet"]["bytes"]),
                parquet_sha256=str(body["parquet"]["sha256"]),
                kinds={str(k): int(n) for k, n in body["kinds"].items()},
                again=int(body["again"]),
                sent=_numbers(body["spans"]["sent"]),
                batch=_numbers(body["spans"]["batch"]),
                known=_number(body["spans"]["known"]),
                t_min_ns=_number(body["t_min_ns"]),
                t_max_ns=_number(body["t_max_ns"]),
                sealed_wall_ns=int(body["sealed_wall_ns"]),
                software=str(body["software"]),
                schema=int(schema),
            )
        except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
            raise ValueError(f"not a manifest: {error}") from None
        if read.content() != content:
            raise ValueError("the bytes are not the canonical ones")
        if read.count < 1 or read.count != sum(read.kinds.values()):
            raise ValueError("its counts do not add up")
        return read


def root(leaves: Iterable[bytes]) -> str:
    """Return the RFC 6962 tree hash over leaf hashes, as hex: the root of a segment's records.

    Neighbours are joined level by level; a node without one is moved up as it is, which gives the same tree.
    """
    level = list(leaves)
    if not level:
        return hashlib.sha256(b"").hexdigest()
    while len(level) > 1:
        nodes = b"".join(level)
        pairs = range(0, len(nodes) - _PAIR + 1, _PAIR)
        level = [hashlib.sha256(b"\x01" + nodes[i : i + _PAIR]).digest() for i in pairs] + level[len(level) & ~1 :]
    return level[0].hex()


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _texts(value: tuple[int, int] | None) -> list[str] | None:
    return None if value is None else [str(v) for v in value]


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _numbers(value: Any) -> tuple[int, int] | None:
    return None if value is None else (int(value[0]), int(value[1]))
