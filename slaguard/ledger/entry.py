"""One record on its way into the row log, and the answer its writer gets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import NamedTuple

from slaguard.errors import LedgerError
from slaguard.ledger.headers import Parts, text
from slaguard.ledger.identity import idempotency_key, identity, observation_key
from slaguard.ledger.payloads import Entropy, Payload
from slaguard.ledger.places import Placing
from slaguard.ledger.traffic import Row, template
from slaguard.records import Observation, Record


class Entry(NamedTuple):
    """A record encoded as far as it can be before its turn (a tuple: there are many).

    `place` is where the row log keeps its identity (`places`), `body` the hash of what it says, `head` its header with
    room for what is known only at the commit.
    """

    place: bytes
    body: bytes
    head: bytes
    recorded_at: int | None
    payload: Payload | None
    name: tuple[str, tuple[str, ...]]


def of_record(record: Record, body: bytes | None, entropy: Entropy, placing: Placing) -> Entry:
    """Encode a record; with a payload its header carries the commitment to it.

    Raises:
        LedgerError: a value is not of its field's type, or the record is of a kind that carries no payload.

    """
    name = (record.kind, identity(record))
    head = Parts.of(record).template
    said = hashlib.sha256(head).digest()  # without the commitment: its key is drawn anew each time
    payload = None
    if body is not None:
        if not isinstance(record, Observation):
            raise LedgerError(f"E-RECORD  a {record.kind} carries no payload\n    give payloads with observations")
        payload = Payload.of(body, entropy)
        head = Parts.of(replace(record, payload_commit=payload.commitment())).template
    place = placing(record.kind, text(name[1][0])) or idempotency_key(record)
    return Entry(place, said, head, record.recorded_at, payload, name)


def of_row(row: Row, body: bytes | None, entropy: Entropy, placing: Placing) -> Entry:
    """Encode an Observation given as its fields; the same entry as that of its record.

    Raises:
        LedgerError: as `traffic.template`.

    """
    head = template(row)
    said = hashlib.sha256(head).digest()
    payload = None
    if body is not None:
        payload = Payload.of(body, entropy)
        head = template({**row, "payload_commit": payload.commitment()})
    own: str = row["id"]
    kept = text(own)
    place = placing("observation", kept) or observation_key(kept)
    return Entry(place, said, head, row.get("recorded_at"), payload, ("observation", (own,)))


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
