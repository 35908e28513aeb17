"""What really happened, kept apart from what the client was told: the answer key for a simulated human."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slaguard.providers.simulated.behaviour import Asked, Turn
    from slaguard.providers.simulated.script import Fault
    from slaguard.terms import Grade


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """One request. `request_id` is the one the client got in ``x-request-id``; times are intended, not measured."""

    request_id: str
    identity: str
    attempt: int
    at_ns: int
    item: str | None
    kind: str | None
    reference: str | None
    revision: str
    fault: Fault | None
    grade: Grade | None
    refused: bool
    hallucinated: bool
    text: str
    first_byte_ms: int
    total_ms: int


def truth_of(asked: Asked, turn: Turn) -> Truth:
    """Return the line of the truth log for one turn."""
    question = asked.question
    return Truth(
        request_id=turn.request_id,
        identity=asked.identity,
        attempt=asked.attempt,
        at_ns=asked.at_ns,
        item=question.item if question else None,
        kind=question.kind if question else None,
        reference=question.reference if question else None,
        revision=turn.segment.revision,
        fault=turn.fault,
        grade=turn.grade,
        refused=turn.refused,
        hallucinated=turn.hallucinated,
        text=turn.text,
        first_byte_ms=turn.first_byte_ms,
        total_ms=turn.total_ms,
    )


def truth_as_jsonl(truth: Iterable[Truth]) -> str:
    """Return one JSON object a line, keys sorted, ASCII, in the order of simulated time and request id."""
    ordered = sorted(truth, key=lambda t: (t.at_ns, t.request_id))
    return "".join(json.dumps(asdict(t), sort_keys=True) + "\n" for t in ordered)
