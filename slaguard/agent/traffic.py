"""What others wrote down of the calls to our vendors: where traffic was last seen, and how many calls there are by outcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from slaguard.config import Probe
from slaguard.evaluation.demands import Condition, Counts, Demands
from slaguard.evaluation.snapshot import OTHER, TrafficTelemetry
from slaguard.ledger.store import ColumnStore
from slaguard.records import MINUTE, Span, Table
from slaguard.spec.load import Loaded
from slaguard.spec.model import Agreement
from slaguard.terms import Outcome, Source

DAY: Final = 1440 * MINUTE
LOOK: Final = 7 * DAY
"""Traffic that was last seen longer ago is no longer looked for, nanoseconds: by then it has ended, or everybody knows."""
Key = tuple[str, str, str, str]
"""(vendor, model, source, outcome)."""
_OUTCOMES: Final = tuple(Outcome)


class Traffic:
    """Counts for the vendors whose traffic an Agreement names; `look` is for one thread at a time."""

    def __init__(self) -> None:
        """Count from the first look on."""
        self._since: int | None = None
        self._seen: tuple[TrafficTelemetry, ...] = ()
        self._calls: Mapping[Key, int] = {}

    @property
    def seen(self) -> tuple[TrafficTelemetry, ...]:
        """Return of each vendor with a sidecar how far its traffic is accounted for."""
        return self._seen

    @property
    def calls(self) -> Mapping[Key, int]:
        """Return how many calls were recorded that were sent since the first look; only ever growing."""
        return self._calls

    def look(
        self,
        store: ColumnStore,
        agreements: Iterable[Agreement],
        as_of: int,
        *,
        asked: Mapping[str, AbstractSet[str]] = MappingProxyType({}),
        copied: bool = False,
    ) -> None:
        """Look at what is known at `as_of` (UTC nanoseconds).

        Args:
            store: the records.
            agreements: those in force.
            as_of: the time of knowledge.
            asked: of vendors the models that probes ask for; their names are known as those in an Agreement are.
            copied: whether some of them come from folders of segments alone.

        Raises:
            LedgerError: a segment does not hold what was sealed in it.

        """
        self._since = as_of if self._since is None else self._since
        models = _models(agreements, asked)
        found = (_seen(store, vendor, as_of) for vendor in models)
        self._seen = tuple(replace(one, copied=copied) for one in found if one is not None)
        calls = dict(self._calls)
        for key, n in _calls(store, models, (self._since, as_of + DAY), as_of):
            calls[key] = max(n, calls.get(key, 0))  # a counter stays where it was, also when the clock is set back
        self._calls = calls


def asked_models(probes: Iterable[Probe], agreements: Iterable[tuple[Path, Loaded]]) -> dict[str, frozenset[str]]:
    """Return of each vendor the models that the configured probes of its Agreements ask for."""
    found: dict[str, set[str]] = {}
    vendors = {loaded.agreement.name: loaded.agreement.vendor for _, loaded in agreements}
    for probe in probes:
        if probe.agreement in vendors:
            found.setdefault(vendors[probe.agreement], set()).add(probe.model)
    return {vendor: frozenset(models) for vendor, models in found.items()}


def _models(agreements: Iterable[Agreement], asked: Mapping[str, AbstractSet[str]]) -> dict[str, tuple[str, ...]]:
    """Return the vendors whose traffic is evidence, each with the models that its Agreements name or its probes ask for."""
    found: dict[str, set[str]] = {}
    for agreement in agreements:
        if any(Source.TRAFFIC in objective.source for objective in agreement.objectives):
            named = (model for service in agreement.services for model in service.models or ())
            found.setdefault(agreement.vendor, set()).update(named, asked.get(agreement.vendor, ()))
    return {vendor: tuple(sorted(models)) for vendor, models in sorted(found.items())}


def _seen(store: ColumnStore, vendor: str, as_of: int) -> TrafficTelemetry | None:
    watched = store.watched(vendor, (as_of - LOOK, as_of), as_of)
    spans = [*watched.whole, *watched.lost]
    last = max((end for _, end in spans), default=0)
    if last <= as_of - LOOK:
        return None
    lost = sum(max(0, end - max(start, as_of - DAY)) for start, end in watched.lost)
    return TrafficTelemetry(
        vendor=vendor, last_at=last, lost_ns=lost, lost_at=max((end for _, end in watched.lost), default=None)
    )


def _calls(store: ColumnStore, models: Mapping[str, Sequence[str]], span: Span, as_of: int) -> Iterator[tuple[Key, int]]:
    """Yield how many calls there are by vendor, model and outcome; those of a model that nobody names are `OTHER`'s."""
    if not models:
        return
    asked = {(vendor, model): _counts(vendor, model, span, as_of) for vendor in models for model in (None, *models[vendor])}
    tables = store.answer(Demands(tuple(asked.values()), span, as_of)).tables
    for vendor, named in models.items():
        rest = _by_outcome(tables[asked[vendor, None].sha256()])
        for model in named:
            for outcome, n in _by_outcome(tables[asked[vendor, model].sha256()]).items():
                rest[outcome] -= n
                yield (vendor, model, Source.TRAFFIC.value, outcome), n
        yield from (((vendor, OTHER, Source.TRAFFIC.value, outcome), n) for outcome, n in rest.items() if n)


def _counts(vendor: str, model: str | None, span: Span, as_of: int) -> Counts:
    named = () if model is None else (Condition("model_requested", (model,)),)
    where = (Condition("vendor", (vendor,)), *named)
    return Counts(source=Source.TRAFFIC, span=span, as_of=as_of, where=where, marks=(), keys=("outcome",))


def _by_outcome(table: Table) -> dict[str, int]:
    return {_OUTCOMES[code].value: n for code, n in zip(table.column("outcome").tolist(), table.n.tolist(), strict=True)}
