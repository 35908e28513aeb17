"""What the agent works by: the configuration with everything it names already read, checked and found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from slaguard.agent.traffic import asked_models
from slaguard.config import Budget, Config, Probe, Secret, Vendor
from slaguard.probes.observe import Subject
from slaguard.providers.base import Transport
from slaguard.scorers.base import Scorer
from slaguard.spec.load import Loaded
from slaguard.spec.model import Agreement, Percentile, RequestAttainment
from slaguard.spec.scalars import Quantity
from slaguard.terms import Money


class OpenTransport(Transport, Protocol):
    """A transport that is entered before it sends."""

    async def __aenter__(self) -> Self:
        """Open it."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""


Transports = Callable[[str, Vendor], OpenTransport]
"""Returns the way to an address, under the limits of a vendor; nothing is opened yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """One probe with everything it needs but a connection."""

    loaded: Loaded
    probe: Probe
    vendor: Vendor
    key: Secret | None
    subject: Subject
    scorers: Mapping[str, Scorer]

    @property
    def name(self) -> str:
        """``agreement/model``."""
        return f"{self.subject.agreement}/{self.subject.model}"

    @property
    def budgets(self) -> tuple[Budget, ...]:
        """The budgets that its calls are paid from."""
        return tuple(b for b in (self.probe.budget, self.vendor.budget) if b is not None)

    def same_as(self, other: ProbeSettings) -> bool:
        """Tell whether nothing that matters to the running probe is different."""
        keys = [s.key.reveal() if s.key is not None else None for s in (self, other)]
        mine, theirs = ((s.loaded.spec_sha256, s.probe, s.vendor, s.subject.golden, sorted(s.scorers)) for s in (self, other))
        return keys[0] == keys[1] and mine == theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One configuration, accepted as a whole."""

    config: Config
    agreements: tuple[tuple[Path, Loaded], ...]
    probes: tuple[ProbeSettings, ...]

    @property
    def secrets(self) -> tuple[str, ...]:
        """Every key that this process holds."""
        return tuple(dict.fromkeys(p.key.reveal() for p in self.probes if p.key is not None))

    @property
    def asked(self) -> Mapping[str, frozenset[str]]:
        """Of each vendor the models that its probes ask for."""
        return asked_models(self.config.probes, self.agreements)

    def limit(self, vendor: str) -> Money | None:
        """Return the most that may be spent on a vendor in its budget's day or month; None without a limit."""
        mine = [p for p in self.probes if p.subject.vendor == vendor]
        if mine and mine[0].vendor.budget is not None:
            return mine[0].vendor.budget.amount
        budgets = [p.probe.budget for p in mine]
        known = [b for b in budgets if b is not None]
        if len(known) < len(budgets) or len({(b.per, b.amount.currency) for b in known}) != 1:
            return None
        return Money(sum((b.amount.amount for b in known), start=known[0].amount.amount * 0), known[0].amount.currency)


def latency_limits(agreement: Agreement) -> tuple[int, ...]:
    """Return every limit in milliseconds that an Agreement sets on a latency, credit steps included, ascending."""
    return tuple(sorted({int(q.value) for q in _limits(agreement) if q.unit == "ms" and q.value > 0}))


def _limits(agreement: Agreement) -> Iterator[Quantity]:
    for objective in agreement.objectives:
        if isinstance(objective.indicator, Percentile):
            yield objective.target
            yield from (step.edge for step in objective.credits)
        elif isinstance(objective.indicator, RequestAttainment):
            within = objective.indicator.within
            if within is not None:
                yield Quantity(Fraction(within.bound.value), within.unit)
