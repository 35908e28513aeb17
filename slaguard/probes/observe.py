"""From a Reply to the records that are kept of it: the Observation, its Score, and the answer's text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from slaguard.probes.golden import GoldenItem, GoldenSet
from slaguard.probes.plan import Slot
from slaguard.providers.base import Reply
from slaguard.records import NS_PER_MS, Observation, ProbeMissed, ProbePlanned, RawFacts, Record, Score, classify
from slaguard.scorers.base import Scorer
from slaguard.terms import ANSWERED, Source

MAX_ANSWER: Final = 256 * 1024
"""Characters of an answer that are kept; graded is the whole of it."""
VIA: Final = "agent"
Redact = Callable[[str], str]
_KEPT_HEADERS: Final = {
    "date": "date",
    "location": "location",
    "openai-processing-ms": "processing_ms",
    "retry-after": "retry_after",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is probed, and the questions it is probed with."""

    agreement: str
    vendor: str
    model: str
    golden: GoldenSet

    def planned(self, slot: Slot) -> ProbePlanned:
        """Return the record that says that a slot will be asked."""
        return ProbePlanned(
            slot=slot.id,
            agreement=self.agreement,
            golden_item=slot.item,
            scheduled_at=slot.scheduled_at,
            vendor=self.vendor,
            model_requested=self.model,
        )

    def missed(self, slot: Slot, how: str, reason: str) -> ProbeMissed:
        """Return the record that says why a slot was not asked: ``shed`` or ``lost``, and the reason."""
        return ProbeMissed(
            slot=slot.id,
            how=how,
            reason=reason,
            scheduled_at=slot.scheduled_at,
            vendor=self.vendor,
            model_requested=self.model,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one slot: an Observation with its Score and answer, or the reason why it was not asked."""

    slot: Slot
    observation: Observation | None = None
    score: Score | None = None
    payload: bytes | None = None
    missed: ProbeMissed | None = None
    reply: Reply | None = None
    set_aside: Decimal = Decimal(0)

    def records(self) -> list[tuple[Record, bytes | None]]:
        """Return what is to be appended, each with its payload."""
        found: list[tuple[Record, bytes | None]] = []
        if self.observation is not None:
            found.append((self.observation, self.payload))
        found += [(record, None) for record in (self.score, self.missed) if record is not None]
        return found


def observe(subject: Subject, slot: Slot, reply: Reply, facts: RawFacts, redact: Redact) -> Observation:
    """Return the Observation of one asked slot; vendor text goes through `redact` first.

    `sent_at` is when the request was on the connection, or when the attempt began if none came about. Only an answered
    call has durations.
    """
    exchange = reply.exchange
    outcome, attribution = classify(facts)
    sent = exchange.sent_ns or 0
    answered = outcome in ANSWERED
    theirs = _theirs(reply, facts, redact)
    return Observation(
        id=f"probe:{slot.id}",
        outcome=outcome,
        attribution=attribution,
        source=Source.PROBE,
        via=VIA,
        vendor=subject.vendor,
        scheduled_at=slot.scheduled_at,
        sent_at=exchange.wall(sent),
        first_byte_at=exchange.wall(exchange.first_byte_ns),
        ended_at=exchange.wall(exchange.ended_ns),
        model_requested=subject.model,
        model_returned=theirs.pop("model_returned", None),
        status=facts.status,
        error_code=theirs.pop("error_code", None),
        stream=reply.stream,
        stream_end=reply.stream_end,
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        logical_request_id=slot.id,
        attempt=1,
        inclusion_probability="1",
        golden_item=slot.item,
        request_id=theirs.pop("request_id", None),
        fingerprint=theirs.pop("fingerprint", None),
        attributes={**_ours(subject, slot, reply), **theirs},
        time_to_first_token_ns=reply.first_token_ns - sent if answered and reply.first_token_ns is not None else None,
        total_time_ns=exchange.ended_ns - sent if answered else None,
    )


def _ours(subject: Subject, slot: Slot, reply: Reply) -> dict[str, str]:
    """Return what we know of the call beside the fields of an Observation."""
    exchange = reply.exchange
    found = {
        "agreement": subject.agreement,
        "golden_set": subject.golden.id,
        "class": subject.golden.items[slot.item].kind,
        "connect_ms": str(exchange.sent_ns // NS_PER_MS) if exchange.sent_ns is not None else None,
        "peer": exchange.peer,
        "certificate_sha256": exchange.certificate_sha256,
        "sent_request_id": slot.request_id,
    }
    return {name: value for name, value in found.items() if value is not None}


def _theirs(reply: Reply, facts: RawFacts, redact: Redact) -> dict[str, str]:
    """Return what the vendor said beside the answer, above all the handles by which he finds the call in his logs."""
    headers = reply.exchange.headers
    said = {
        "model_returned": reply.model_returned,
        "error_code": facts.error_code,
        "request_id": reply.request_id,
        "fingerprint": reply.fingerprint,
        "answer_id": reply.answer_id,
        "finish_reason": reply.finish_reason,
        **{name: headers.get(header) for header, name in _KEPT_HEADERS.items()},
    }
    known = {name: value for name, value in said.items() if value is not None}
    together = "\n".join(known.values())
    # Nearly always there is nothing to take out, and one look at all of it shows that.
    return known if redact(together) == together else {name: redact(value) for name, value in known.items()}


def grade(item: GoldenItem, observation: Observation, reply: Reply, scorer: Scorer) -> Score | None:
    """Return the Score of an answered call; an answer that was refused or filtered is graded as the text it is."""
    if observation.outcome not in ANSWERED:
        return None
    graded = scorer.score(item, reply.text)
    return Score(observation=observation.id, scorer=scorer.id, grade=graded.grade, reason=graded.reason)


def kept_text(reply: Reply, redact: Redact) -> bytes | None:
    """Return the answer's text as it may be kept; None where there is none."""
    if not reply.text:
        return None
    return redact(reply.text)[:MAX_ANSWER].encode("utf-8", "replace")  # cut last: half a key is no key that anyone finds
