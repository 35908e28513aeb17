"""Which records of a group are new, which are there already, and which contradict one that is."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from enum import Enum
from typing import Final

from slaguard.ledger.entry import Entry
from slaguard.ledger.payloads import PayloadStore

_AT_ONCE: Final = 500
"""Keys asked for in one statement (SQLite's oldest limit of parameters is 999)."""


class Standing(Enum):
    """How a record stands to those already written."""

    NEW = "new"
    REPEATED = "repeated"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Decision:
    """A record's standing, the row it was compared with (None: there is none), and the key it would be kept under."""

    standing: Standing
    first_seq: int | None
    key: bytes


class Keys:
    """The idempotency keys that one commit needs: those on disk, and those it adds.

    A contradicting record is kept under a key derived from the first one's and its own content, so that it too is
    known when it comes again.
    """

    def __init__(self, connection: sqlite3.Connection, payloads: PayloadStore, entries: list[Entry]) -> None:
        """Fetch what is known of the entries' keys."""
        self._connection = connection
        self._payloads = payloads
        self._known: dict[bytes, tuple[int, bytes]] = {}
        self._bodies: dict[int, bytes] = {}
        self.new: list[tuple[bytes, int, bytes]] = []
        for start in range(0, len(entries), _AT_ONCE):
            self._fetch([e.place for e in entries[start : start + _AT_ONCE]])

    def _fetch(self, keys: list[bytes]) -> None:
        marks = ",".join("?" * len(keys))
        found = self._connection.execute(
            f"SELECT key, seq, body_sha256 FROM idem WHERE key IN ({marks})",  # noqa: S608 - only question marks
            keys,
        )
        self._known.update({key: (seq, body) for key, seq, body in found})

    def decide(self, entry: Entry) -> Decision:
        """Compare a record with what is there under its key, and under the keys derived from it."""
        key = entry.place
        first: int | None = None
        while (known := self._known.get(key)) is not None:
            seq, body = known
            if first is None:
                first = seq
            if body == entry.body and self._same_payload(seq, entry):
                return Decision(Standing.REPEATED, seq, key)
            key = hashlib.sha256(key + entry.body).digest()
            self._fetch([key])
        return Decision(Standing.NEW if first is None else Standing.CONFLICT, first, key)

    def _same_payload(self, seq: int, entry: Entry) -> bool:
        """Compare payloads where both are there: one that was erased, or is not given again, contradicts nothing."""
        if entry.payload is None:
            return True
        body = self._bodies.get(seq)
        if body is None:
            body = self._payloads.body(seq)
        return body is None or body == entry.payload.body

    def remember(self, entry: Entry, key: bytes, seq: int) -> None:
        """Note that the record goes to row `seq`."""
        self._known[key] = (seq, entry.body)
        self.new.append((key, seq, entry.body))
        if entry.payload is not None:
            self._bodies[seq] = entry.payload.body
