"""One record on its way into the row log, and the answer its writer gets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from slaguard.errors import LedgerError
from slaguard.ledger.headers import Parts
from slaguard.ledger.identity import idempotency_key, identity
from slaguard.ledger.payloads import Entropy, Payload
from slaguard.records import Observation, Record


@dataclass(frozen=True, slots=True)
class Entry:
    """A record encoded as far as it can be before its turn."""

    key: bytes
    body: bytes
    parts: Parts
    recorded_at: int | None
    payload: Payload | None
    name: tuple[str, tuple[str, ...]]

    @classmethod
    def of(cls, record: Record, body: bytes | None, entropy: Entropy) -> Self:
        """Encode a record; with a payload its header carries the commitment to it.

        Raises:
            LedgerError: a value is not of its field's type, or the record is of a kind that carries no payload.

        """
        name = (record.kind, identity(record))
        parts = Parts.of(record)
        said = parts.body_sha256()  # without the commitment: its key is drawn anew each time
        payload = None
        if body is not None:
            if not isinstance(record, Observation):
                raise LedgerError(f"E-RECORD  a {record.kind} carries no payload\n    give payloads with observations")
            payload = Payload.of(body, entropy)
            parts = Parts.of(replace(record, payload_commit=payload.commitment()))
        return cls(idempotency_key(record), said, parts, record.recorded_at, payload, name)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A record of a known identity that says something else: kept at `seq`, but the one at `first_seq` counts."""

    kind: str
    identity: tuple[str, ...]
    seq: int
    first_seq: int

    def __str__(self) -> str:
        """Return the line for a log or a terminal."""
        name = ascii(" ".join(self.identity))
        return (
            f"E-IDEMPOTENCY-CONFLICT  {self.kind} {name}: row {self.seq} does not say what row {self.first_seq} says\n"
            "    both are kept and the first one counts; find out which is right"
        )


@dataclass(frozen=True, slots=True)
class Ack:
    """What became of one append, once it is on disk.

    `new` rows from `first_seq` to `last_seq` (None: no new row), `repeated` ones that were there already, and those of
    the new ones that contradict an earlier record.
    """

    first_seq: int | None
    last_seq: int | None
    new: int
    repeated: int
    conflicts: tuple[Conflict, ...] = ()
