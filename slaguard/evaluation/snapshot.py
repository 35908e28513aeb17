"""What exporters, the page and the API take: the current results, and counters and histograms as plain values.

A Snapshot is made when something changed and never altered; who shows it computes nothing anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, Protocol

from slaguard.evaluation.result import Evaluation, ObjectiveResult
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod

OTHER: Final = "other"
"""Stands for a value that the configuration does not name: labels stay bounded whatever a vendor answers."""


class Which(StrEnum):
    """Which of an Agreement's periods that are shown."""

    CURRENT = "current"
    """The one that is open."""
    CLOSED = "closed"
    """The last one that ended."""
    EARLIER = "earlier"
    """One before that, while a claim about it is still open; there may be several."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One Agreement in one period: what was judged."""

    agreement: Agreement
    period: ResolvedPeriod
    which: Which
    evaluation: Evaluation

    def model(self, result: ObjectiveResult) -> str:
        """Return the one model that an objective's scope names, else ``all``."""
        named = [s.models or () for s in self.agreement.services or () if s.id == result.scope]
        models = tuple(named[0]) if named else ()
        return models[0] if len(models) == 1 else "all"


@dataclass(frozen=True, slots=True)
class Histogram:
    """A distribution as values: `counts` has one entry per bound (seconds, ascending) and one for what is above them all."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float
    """The sum of all values, seconds."""

    @property
    def n(self) -> int:
        """Return how many values there are."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTelemetry:
    """What one probe did since the process started; `name` is ``agreement/model``."""

    name: str
    agreement: str
    vendor: str
    model: str
    every_ms: int
    """How often it asks, milliseconds; 0: it asks no more."""
    requests: int = 0
    failures: int = 0
    """Requests whose outcome is not an answer (`terms.ANSWERED`)."""
    shed: Mapping[str, int] = field(default_factory=dict)
    lost: Mapping[str, int] = field(default_factory=dict)
    last_at: int | None = None
    """When the last call ended, UTC nanoseconds; also from before the process started."""
    duration: Histogram | None = None
    time_to_first_token: Histogram | None = None
    lag: Histogram | None = None
    """How long after its moment a question was sent."""
    failing: int = 0
    """Calls in a row, up to now, that got no answer."""
    failing_as: str | None = None
    """The HTTP status or the outcome of the last of them."""
    overhead: Mapping[str, float] = field(default_factory=dict)
    """Our own part of a call's time, seconds, by statistic: p50, p95."""
    spent: Decimal = Decimal(0)
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficTelemetry:
    """What others wrote down lately of the calls to one vendor; times are UTC nanoseconds."""

    vendor: str
    last_at: int
    """The end of the last minute that was accounted for."""
    lost_ns: int = 0
    """How much of the last 24 hours lies in minutes in which calls were left out or lost."""
    lost_at: int | None = None
    """The end of the last such minute."""
    copied: bool = False
    """Whether the ledger holds segments that are copied to it, which are as old as their last sealing."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What one vendor's probes cost, and the most they may: one row per vendor, purpose and currency."""

    vendor: str
    purpose: str
    currency: str
    spent: Decimal
    """Since the process started."""
    limit: Decimal | None
    """What may be spent in the budget's day (or month); None: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """How slaguard itself is doing. Every count starts with the process, as Prometheus expects."""

    probes: tuple[ProbeTelemetry, ...] = ()
    observations: Mapping[tuple[str, str, str, str], int] = field(default_factory=dict)
    """(vendor, model, source, outcome) → how many; model is configured or `OTHER`."""
    indicator_events: Mapping[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)
    """(agreement, objective, scope) → events and bad events, only ever growing."""
    spending: tuple[Spending, ...] = ()
    traffic: tuple[TrafficTelemetry, ...] = ()
    """Of each vendor whose traffic an Agreement names and a sidecar watched lately."""
    last_append_at: int | None = None
    reload_successful: bool = True
    reload_success_at: int | None = None
    evaluated_at: int | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything there is to show at one moment."""

    taken_at: int
    standings: tuple[Standing, ...]
    telemetry: Telemetry = Telemetry()
    failures: Mapping[str, str] = field(default_factory=dict)
    """Agreements that could not be judged, with why: of theirs some or all Standings are missing."""
    trouble: str | None = None
    """Why nothing can be judged now; the Standings are then those of before."""
    notes: tuple[str, ...] = ()
    """What whoever looks at this must know, a sentence each."""

    def of(self, *which: Which) -> tuple[Standing, ...]:
        """Return the Standings of these kinds of period, in the order of the configuration."""
        return tuple(s for s in self.standings if s.which in which)


class Exporter(Protocol):
    """Takes a Snapshot somewhere; found through the entry points ``slaguard.exporters``."""

    def export(self, snapshot: Snapshot) -> Any:
        """Show or send what the Snapshot holds."""


class Generator(Protocol):
    """Writes files for another system from what is known without a Snapshot; found through ``slaguard.generators``.

    The entry point names a class (or function) whose keyword parameters are its options, each with a default.
    """

    def generate(self) -> Mapping[str, bytes]:
        """Return the content of each file by its name: a plain file name, the same bytes for the same options."""
