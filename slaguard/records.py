"""What happened: the record types, the one classifier, the canonical header bytes, and Evidence.

Every record is frozen and carries raw facts beside the one `outcome`, so that a later reading of the contract can count
it again. Times are integer nanoseconds UTC. Header bytes follow RFC 8785 over printable ASCII without floats
(`evidence.md` §2): numbers of 2^53 and more, and all times, are decimal strings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Final, Protocol, Self

import numpy as np
import numpy.typing as npt
import rfc8785

from slaguard.terms import Attribution, Grade, Outcome, Source

NS: Final = 1_000_000_000
NS_PER_MS: Final = 1_000_000
MINUTE: Final = 60 * NS
SCHEMA_VERSION: Final = 1
MAX_TEXT: Final = 256
MAX_ATTRIBUTES: Final = 32


@dataclass(frozen=True, slots=True)
class Instant:
    """One reading of a clock: wall time for records, monotonic time for durations, and the boot both belong to."""

    wall_ns: int
    mono_ns: int
    boot_id: str


class Clock(Protocol):
    """Where time comes from."""

    def read(self) -> Instant:
        """Return now."""

    async def sleep_until(self, wall_ns: int) -> None:
        """Return when the wall clock has reached `wall_ns` (UTC nanoseconds); also when it was set back meanwhile."""


# ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────
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
class Incident:
    """An outage as somebody states it."""

    kind: ClassVar[str] = "incident"
    id: str
    start: int
    end: int | None = None
    """None while it lasts."""
    severity: str
    source: str
    recorded_at: int | None = None


FACT_TYPES: Final = ("ticket", "notice", "invoice", "announcement", "awareness", "model_notice", "exclusion_state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A dated document or statement: what, when, by whom, its hash.

    An `announcement` names the exclusion it claims and the window (`start`, `end`); `when` is when it was made. An
    `exclusion_state` sets the state (accepted, contested, rejected) of an exclusion, or of the window that starts at
    `start`.
    """

    kind: ClassVar[str] = "fact"
    id: str
    type: str
    when: int
    by: str | None = None
    reference: str | None = None
    document_sha256: str | None = None
    exclusion: str | None = None
    start: int | None = None
    end: int | None = None
    state: str | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """A span in which we watched: every call of this source in it was recorded."""

    kind: ClassVar[str] = "coverage"
    source: Source
    start: int
    end: int
    via: str
    recorded_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficTally:
    """What became of all calls to one vendor that began in one minute, as one watcher of traffic saw them.

    Of `seen` calls `recorded` stand in the ledger, `sampled_out` were left out on purpose, `shed` were lost; of the recorded
    ones `client_abort` were left by their client, question and answer of `bodies` were kept, and those of `bodies_shed`
    should have been. The ids of the writer's observations begin with its name and a slash. `start` and `end` are UTC
    nanoseconds within one minute. A minute with a tally in which nothing was left out or lost was watched.
    """

    kind: ClassVar[str] = "traffic_tally"
    vendor: str
    via: str
    writer: str
    start: int
    end: int
    seen: int
    recorded: int
    sampled_out: int
    shed: int
    client_abort: int
    bodies: int
    bodies_shed: int
    recorded_at: int | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that do not add up, or a span that is not within a minute, with a ValueError."""
        if not (self.start < self.end and self.start // MINUTE == (self.end - 1) // MINUTE):
            raise ValueError(f"start, end: from {self.start} to {self.end} is no part of one minute")
        seen, recorded, sampled_out, shed, client_abort, bodies, bodies_shed = (getattr(self, name) for name in TALLIED)
        if (low := min(seen, recorded, sampled_out, shed, client_abort, bodies, bodies_shed)) < 0:
            raise ValueError(f"a tally counts calls, and {low} is no number of calls")
        if seen != recorded + sampled_out + shed:
            raise ValueError(f"seen {seen} is not recorded {recorded} + sampled_out {sampled_out} + shed {shed}")
        if client_abort > recorded or bodies + bodies_shed > recorded:
            of = f"client_abort {client_abort}, and bodies {bodies} + bodies_shed {bodies_shed}"
            raise ValueError(f"{of}, are of the {recorded} recorded")


Record = Observation | Score | Adjudication | Incident | Fact | ProbePlanned | ProbeMissed | Coverage | TrafficTally
RECORD_TYPES: Final[dict[str, type[Record]]] = {
    t.kind: t for t in (Observation, Score, Adjudication, Incident, Fact, ProbePlanned, ProbeMissed, Coverage, TrafficTally)
}


# ── the one classifier ──────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True, kw_only=True)
class RawFacts:
    """What is known of an attempt before it is classified."""

    status: int | None = None
    error_code: str | None = None
    body_empty: bool = False
    body_is_error: bool = False
    body_complete: bool = True
    refused: bool = False
    content_filtered: bool = False
    failure: str | None = None
    """``timeout client_deadline connection client_abort own_network own_probe harness``; None: the exchange ended."""


_FAILURES: Final[dict[str, tuple[Outcome, Attribution]]] = {
    "timeout": (Outcome.TIMEOUT, Attribution.VENDOR),
    "client_deadline": (Outcome.CLIENT_DEADLINE, Attribution.CLIENT),
    "connection": (Outcome.CONNECTION_ERROR, Attribution.VENDOR),
    "client_abort": (Outcome.CLIENT_ABORT, Attribution.CLIENT),
    "own_network": (Outcome.UNMEASURED, Attribution.OWN_NETWORK),
    "own_probe": (Outcome.UNMEASURED, Attribution.OWN_PROBE),
    "harness": (Outcome.UNMEASURED, Attribution.HARNESS),
}
_STATUSES: Final[dict[int, tuple[Outcome, Attribution]]] = {
    401: (Outcome.AUTH_ERROR, Attribution.CLIENT),
    403: (Outcome.AUTH_ERROR, Attribution.CLIENT),
    408: (Outcome.REQUEST_TIMEOUT, Attribution.VENDOR),
    429: (Outcome.RATE_LIMITED, Attribution.CLIENT_QUOTA),
    499: (Outcome.CLIENT_ABORT, Attribution.CLIENT),
    500: (Outcome.ERROR_500, Attribution.VENDOR),
    529: (Outcome.OVERLOADED, Attribution.VENDOR),
}
_OVERLOADED_CODES: Final = frozenset({"overloaded", "overloaded_error", "engine_overloaded"})
_FILTER_CODES: Final = frozenset({"content_filter", "content_policy_violation"})


def classify(facts: RawFacts) -> tuple[Outcome, Attribution]:
    """Return the outcome of an attempt and at whose door a failure lies, from raw facts alone.

    A failure on the way wins over the status; a status wins over the body; a 200 is judged by what it carried. Without
    a status the caller must know that there was an answer.
    """
    if facts.failure is not None:
        return _FAILURES[facts.failure]
    if facts.error_code in _OVERLOADED_CODES and facts.status != 200:
        return Outcome.OVERLOADED, Attribution.VENDOR
    if facts.error_code in _FILTER_CODES:
        return Outcome.CONTENT_FILTERED, Attribution.NONE
    if facts.status is not None and not 200 <= facts.status < 300:
        return _classify_status(facts.status)
    return _classify_body(facts)


def _classify_status(status: int) -> tuple[Outcome, Attribution]:
    if status in _STATUSES:
        return _STATUSES[status]
    if 300 <= status < 400:
        return Outcome.REDIRECT, Attribution.VENDOR
    if 400 <= status < 500:
        return Outcome.CLIENT_ERROR, Attribution.CLIENT
    if 500 <= status < 600:
        return Outcome.ERROR_5XX, Attribution.VENDOR
    return Outcome.CONNECTION_ERROR, Attribution.VENDOR


def _classify_body(facts: RawFacts) -> tuple[Outcome, Attribution]:
    if facts.body_is_error:
        return Outcome.ERROR_BODY, Attribution.VENDOR
    if not facts.body_complete:
        return Outcome.TRUNCATED, Attribution.VENDOR
    if facts.content_filtered:
        return Outcome.CONTENT_FILTERED, Attribution.NONE
    if facts.refused:
        return Outcome.REFUSED, Attribution.NONE
    if facts.body_empty:
        return Outcome.EMPTY, Attribution.VENDOR
    return Outcome.OK, Attribution.NONE


# ── header bytes ────────────────────────────────────────────────────────────────────────────────────────────────────
NANOSECONDS: Final = frozenset(
    {"sent_at", "batch_start", "batch_end", "scheduled_at", "first_byte_at", "ended_at", "recorded_at", "start", "end", "when"}
    | {"time_to_first_token_ns", "total_time_ns"}
)
TALLIED: Final = ("seen", "recorded", "sampled_out", "shed", "client_abort", "bodies", "bodies_shed")
"""The counts of a TrafficTally."""
_WHOLE: Final = frozenset({"status", "input_tokens", "output_tokens", "attempt", *TALLIED})


def escape(text: str) -> str:
    """Return text as printable ASCII: ``%`` and every other byte as ``%XX``; cut at 256 characters, never inside an escape."""
    out: list[str] = []
    length = 0
    for byte in text.encode("utf-8", "surrogatepass"):
        piece = chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x25 else f"%{byte:02X}"
        length += len(piece)
        if length > MAX_TEXT:
            break
        out.append(piece)
    return "".join(out)


def unescape(text: str) -> str:
    """Undo `escape`; a character cut in its middle is shown as a replacement character."""
    raw = bytearray()
    position = 0
    while position < len(text):
        if text[position] == "%":
            raw.append(int(text[position + 1 : position + 3], 16))
            position += 3
        else:
            raw.append(ord(text[position]))
            position += 1
    return raw.decode("utf-8", "replace")


def _encode(name: str, value: Any) -> Any:
    if name in NANOSECONDS:
        return str(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, Mapping):
        return {escape(k): escape(v) for k, v in sorted(value.items())[:MAX_ATTRIBUTES]}
    return escape(str(value))


def header(record: Record) -> bytes:
    """Return the canonical header bytes of a record: RFC 8785, one line, absent fields left out."""
    body: dict[str, Any] = {"v": SCHEMA_VERSION, "kind": record.kind}
    for item in fields(record):
        value = getattr(record, item.name)
        if value is None or value == {}:
            continue
        body[item.name] = _encode(item.name, value)
    return rfc8785.dumps(body)


_ENUMS: Final[dict[str, Any]] = {"outcome": Outcome, "attribution": Attribution, "source": Source, "grade": Grade}


def _decode(record_type: type[Record], name: str, value: Any) -> Any:
    if name in NANOSECONDS:
        return int(value)
    if name in _ENUMS and not (record_type is Incident and name == "source"):
        return _ENUMS[name](value)
    if isinstance(value, dict):
        return {unescape(k): unescape(v) for k, v in value.items()}
    if name in _WHOLE:
        return int(value)  # 2^53 and more stands as text
    return unescape(value) if isinstance(value, str) else value


def from_header(body: Mapping[str, Any]) -> Record:
    """Return the record of a parsed header.

    Raises:
        ValueError: unknown kind, version or field, or a value outside its closed list.

    """
    kind = str(body.get("kind"))
    record_type = RECORD_TYPES.get(kind)
    if record_type is None or body.get("v") != SCHEMA_VERSION:
        msg = f"a record of kind {kind!r}, version {body.get('v')!r}, is not known to this version"
        raise ValueError(msg)
    known = {f.name for f in fields(record_type)}
    unknown = sorted(set(body) - known - {"v", "kind", "seq"})
    if unknown:
        msg = f"a {kind} record has no field {unknown[0]!r}"
        raise ValueError(msg)
    values = {k: _decode(record_type, k, v) for k, v in body.items() if k in known}
    try:
        return record_type(**values)
    except TypeError as error:
        msg = f"a {kind} record is incomplete: {error}"
        raise ValueError(msg) from None


# ── evidence ────────────────────────────────────────────────────────────────────────────────────────────────────────
NULL: Final = -(2**63)
"""A missing value in an Evidence column."""
Column = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """The answer of one Counts Demand: integer key columns, sorted by all keys, and `n` (never zero) per row."""

    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    n: Column

    @classmethod
    def of(cls, keys: tuple[str, ...], columns: tuple[Column, ...], n: Column) -> Self:
        """Sort the rows by all keys and leave out those that count nothing."""
        kept = n > 0
        columns = tuple(c[kept] for c in columns)
        n = n[kept]
        order = np.lexsort(tuple(reversed(columns))) if columns else np.arange(len(n))
        return cls(keys, tuple(np.ascontiguousarray(c[order]) for c in columns), np.ascontiguousarray(n[order]))

    def column(self, key: str) -> Column:
        """Return one key column."""
        return self.columns[self.keys.index(key)]

    def content(self) -> bytes:
        """Return the bytes that are hashed: a canonical header line, then each column little-endian."""
        head = rfc8785.dumps({"keys": list(self.keys), "rows": len(self.n)})
        return b"\n".join([head, b"".join(c.astype("<i8").tobytes() for c in (*self.columns, self.n))])


Span = tuple[int, int]
"""A half-open interval of UTC nanoseconds."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was asked for, and what the records say: one Table per Demand (by its hash), what we watched, and the Facts."""

    tables: Mapping[str, Table]
    coverage: Mapping[Source, tuple[Span, ...]]
    facts: tuple[Fact, ...] = ()
    incidents: tuple[Incident, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know of the records: rows refused, repeats counted once."""

    def sha256(self) -> str:
        """Return the hash over tables, coverage, facts and incidents.

        When a document reached us is no part of it, nor are `notes`, which are words about a file.
        """
        digest = hashlib.sha256()
        for name in sorted(self.tables):
            digest.update(name.encode() + b"\n" + self.tables[name].content() + b"\n")
        spans = {str(s): [[str(a), str(b)] for a, b in self.coverage[s]] for s in sorted(self.coverage)}
        digest.update(rfc8785.dumps(spans))
        documents: list[Fact | Incident] = [*self.facts, *self.incidents]
        for document in sorted(documents, key=lambda d: (d.kind, d.id)):
            digest.update(b"\n" + header(replace(document, recorded_at=None)))
        return digest.hexdigest()


def merge_spans(spans: list[Span]) -> tuple[Span, ...]:
    """Return the union of half-open intervals, sorted, touching ones joined."""
    merged: list[Span] = []
    for start, end in sorted(s for s in spans if s[1] > s[0]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)
