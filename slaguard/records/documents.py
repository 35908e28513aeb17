"""What somebody states: outages, dated documents, and what was watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from slaguard.records.clock import MINUTE
from slaguard.terms import Source

TALLIED: Final = ("seen", "recorded", "sampled_out", "shed", "client_abort", "bodies", "bodies_shed")
"""The counts of a TrafficTally."""


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
    """Who says so: a status page, a ticket system, our own probes."""
    vendor: str | None = None
    """Whose outage it is; None: of any vendor."""
    service: str | None = None
    """The service or site it is about; None: of all."""
    recorded_at: int | None = None


FACT_TYPES: Final = (
    "ticket", "notice", "invoice", "announcement", "awareness", "model_notice", "exclusion_state", "incident_log",
    "vendor_report", "usage", "usage_days", "affected_users", "election", "credit_paid", "prepayment",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A dated document or statement: what, when, by whom, its hash.

    An `announcement` names the exclusion it claims and the window (`start`, `end`); `when` is when it was made. An
    `exclusion_state` sets the state (accepted, contested, rejected) of an exclusion, or of the window that starts at
    `start`. An `incident_log` says that the Incidents of its `by` are complete from `start` to `end`.
    Those with a `value`: an `invoice` or a `prepayment` (what was paid), the `usage` of the period and its `usage_days`, the
    share of `affected_users`, an `election` (the option that the customer chose), and a `credit_paid`.
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
    period: str | None = None
    """Which period of the Agreement it is about, by its label; None: the one that `start` and `end` touch."""
    subject: str | None = None
    """What it is about: an objective, a scope (service), or a region; None: everything."""
    value: str | None = None
    """What it states, as the Agreement writes such a value: an amount, a share, a number, or an option's name."""
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
