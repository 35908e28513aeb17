"""What makes two records the same: written twice, they count once.

A record of the same identity that says something else is a conflict: both are kept, the first one counts.
"""

from __future__ import annotations

import hashlib

from slaguard.ledger.headers import text
from slaguard.records import (
    Adjudication,
    Coverage,
    Fact,
    Incident,
    Observation,
    ProbeMissed,
    ProbePlanned,
    Record,
    Score,
    TrafficTally,
)
from slaguard.terms import Grade


def identity(record: Record) -> tuple[str, ...]:
    """Return the identity of a record among those of its kind, as text.

    * Observation, Fact: their `id`. ProbePlanned, ProbeMissed: the slot.
    * Score: the observation and the scorer with its version; one that could not grade (`unscored`) does not stand in
      the way of a later grade.
    * Adjudication: the observation, the person, the grade, and when it was recorded if the record says so; a person
      who changes their mind and back again needs that time.
    * Incident: its `id` and whether it has ended; the end is a second record.
    * Coverage: source, interval and way. TrafficTally: vendor, way, writer and start.
    """
    match record:
        case Observation() | Fact():
            return (record.id,)
        case Score():
            return (record.observation, record.scorer, "unscored" if record.grade is Grade.UNSCORED else "graded")
        case Adjudication():
            return (record.observation, record.by, record.grade.value, _number(record.recorded_at))
        case Incident():
            return (record.id, "open" if record.end is None else "ended")
        case ProbePlanned() | ProbeMissed():
            return (record.slot,)
        case Coverage():
            return (record.source.value, str(record.start), str(record.end), record.via)
        case TrafficTally():
            return (record.vendor, record.via, record.writer, str(record.start))


def observation_key(name: str) -> bytes:
    """Return the key of an Observation from its `id` as a header holds it."""
    return hashlib.sha256(f"observation\x1f{name}".encode("ascii")).digest()


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def idempotency_key(record: Record) -> bytes:
    """Return 32 bytes that are equal exactly where kind and identity are.

    Text is taken as a header holds it, and the separator cannot occur in that.
    """
    parts = (record.kind, *(text(part) for part in identity(record)))
    return hashlib.sha256("\x1f".join(parts).encode("ascii")).digest()
