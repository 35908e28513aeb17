"""One attempt at one call, its grades, and calls that were planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from slaguard.terms import Attribution, Grade, Outcome, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One attempt at one call: its raw facts, failure included, and the outcome they amount to.

    `id` names the attempt wherever it is read from, so that the same record imported twice counts once. A record
    without a clock of its own has `sent_at` None and the batch (`batch_start`, `batch_end`) it was made in.
    """

    kind: ClassVar[str] = "observation"
    id: str
    outcome: Outcome
    attribution: Attribution
    source: Source
    via: str
    vendor: str
    sent_at: int | None = None
    batch_start: int | None = None
    batch_end: int | None = None
    scheduled_at: int | None = None
    first_byte_at: int | None = None
    ended_at: int | None = None
    recorded_at: int | None = None
    service: str | None = None
    model_requested: str | None = None
    model_returned: str | None = None
    region: str | None = None
    tier_served: str | None = None
    status: int | None = None
    error_code: str | None = None
    stream: bool | None = None
    stream_end: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    logical_request_id: str | None = None
    attempt: int | None = None
    client_id: str | None = None
    grounded: bool | None = None
    inclusion_probability: str | None = None
    cluster: str | None = None
    golden_item: str | None = None
    request_id: str | None = None
    fingerprint: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict)
    payload_commit: str | None = None
    time_to_first_token_ns: int | None = None
    total_time_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One grade of one answer by one scorer."""

    kind: ClassVar[str] = "score"
    observation: str
    scorer: str
    grade: Grade
    reason: str | None = None
    prompt_sha256: str | None = None
    recorded_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjudication:
    """A person's final grade, with who gave it; appended, never overwritten, and the latest one counts."""

    kind: ClassVar[str] = "adjudication"
    observation: str
    grade: Grade
    by: str
    note: str | None = None
    recorded_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlanned:
    """Written before a request is sent: this slot will be asked, of this vendor and model."""

    kind: ClassVar[str] = "probe_planned"
    slot: str
    agreement: str
    golden_item: str
    scheduled_at: int
    vendor: str | None = None
    model_requested: str | None = None
    recorded_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeMissed:
    """A planned slot without a result: lost (crash, own outage) or shed (budget, rate limit)."""

    kind: ClassVar[str] = "probe_missed"
    slot: str
    how: str
    reason: str
    scheduled_at: int
    vendor: str | None = None
    model_requested: str | None = None
    recorded_at: int | None = None
