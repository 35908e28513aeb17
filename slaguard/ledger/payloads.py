"""What was asked and answered, in a file of its own: erasable, because the row log holds only a keyed commitment."""

from __future__ import annotations

import hashlib
import hmac
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from slaguard.ledger.schema import connect_payloads

KEY_BYTES: Final = 32
Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Payload:
    """One payload with the key of its record."""

    key: bytes
    body: bytes

    @classmethod
    def of(cls, body: bytes, entropy: Entropy) -> Payload:
        """Draw a key of its own for a payload."""
        return cls(entropy(KEY_BYTES), body)

    def commitment(self) -> str:
        """Return HMAC-SHA256 in hex: it binds the record to the payload and says nothing once the key is erased."""
        return hmac.new(self.key, self.body, hashlib.sha256).hexdigest()


class PayloadStore:
    """``payloads.db`` beside a row log, used by the thread that commits.

    The order is payload first, then header, so a header's payload is always there; a payload without a header is what
    an interrupted commit leaves, and is deleted.
    """

    def __init__(self, directory: Path) -> None:
        """Open the store; raises sqlite3.Error."""
        self._connection = connect_payloads(directory)

    def put(self, first: int, payloads: list[tuple[int, Payload]]) -> None:
        """Commit payloads of rows from `first` on, in place of what a failed commit left there."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self.drop_from(first)
            self._connection.executemany("INSERT INTO payloads VALUES (?, ?, ?)", [(seq, p.key, p.body) for seq, p in payloads])
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def body(self, seq: int) -> bytes | None:
        """Return the payload of a row, None where it has none (any more)."""
        row = self._connection.execute("SELECT body FROM payloads WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else bytes(row[0])

    def drop_from(self, seq: int) -> int:
        """Delete payloads whose header was never committed: those from `seq` on. Return how many."""
        return self._connection.execute("DELETE FROM payloads WHERE seq >= ?", (seq,)).rowcount

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
