"""What the process did since it started, counted as it goes, and handed out as plain values."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Final

from slaguard.agent.settings import ProbeSettings, Settings, latency_limits
from slaguard.agent.traffic import Traffic
from slaguard.evaluation.snapshot import OTHER, Histogram, ProbeTelemetry, Spending, Telemetry
from slaguard.probes.observe import Result
from slaguard.probes.spending import Cost
from slaguard.records import NS, NS_PER_MS, Clock
from slaguard.terms import ANSWERED

BOUNDS_MS: Final = (100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000)
"""Edges of the latency histograms; each limit of an Agreement is one more."""
LAG_MS: Final = (1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 60_000)
PURPOSE: Final = "probe"
_REFUSED: Final = 400
"""From this HTTP status on, the status tells why there was no answer."""


class Distribution:
    """A histogram that fills; a time lies at or under a bound exactly, in whole nanoseconds."""

    def __init__(self, bounds_ms: Iterable[int]) -> None:
        """Count up to each bound, milliseconds."""
        self._bounds = sorted({ms * NS_PER_MS for ms in bounds_ms})
        self._counts = [0] * (len(self._bounds) + 1)
        self._total = 0

    def add(self, ns: int | None) -> None:
        """Count one time; one that was not measured is not there."""
        if ns is not None:
            self._counts[bisect_left(self._bounds, ns)] += 1
            self._total += ns

    def histogram(self) -> Histogram:
        """Return what was counted, in seconds."""
        return Histogram(tuple(b / NS for b in self._bounds), tuple(self._counts), float(Fraction(self._total, NS)))


class Meter:
    """The counts of one probe."""

    def __init__(self, settings: ProbeSettings) -> None:
        """Count from nothing."""
        self._requests = self._failures = 0
        self._missed: dict[str, Counter[str]] = {"shed": Counter(), "lost": Counter()}
        self._spent: dict[str | None, Decimal] = {}
        self._failing, self._failing_as = 0, ""
        self._lag = Distribution(LAG_MS)
        self.last_at: int | None = None
        self.overhead: Mapping[str, float] = {}
        self.follow(settings)

    def follow(self, settings: ProbeSettings) -> None:
        """Go by these settings from now on; other limits begin other histograms."""
        self._settings = settings
        self._cost = Cost.of(settings.probe, settings.vendor.budget)
        bounds = tuple(sorted({*BOUNDS_MS, *latency_limits(settings.loaded.agreement)}))
        if bounds != getattr(self, "_bounds", None):
            self._bounds = bounds
            self._duration, self._first_token = Distribution(bounds), Distribution(bounds)

    def add(self, result: Result) -> None:
        """Count one result that is on disk."""
        if result.missed is not None:
            self._missed[result.missed.how][result.missed.reason] += 1
        one, reply = result.observation, result.reply
        if one is None or reply is None:
            return
        self._requests += 1
        self._failures += one.outcome not in ANSWERED
        self._failing = 0 if one.outcome in ANSWERED else self._failing + 1
        self._failing_as = str(one.status) if one.status is not None and one.status >= _REFUSED else one.outcome.value
        self._duration.add(one.total_time_ns)
        self._first_token.add(one.time_to_first_token_ns)
        self._lag.add(max(0, reply.exchange.started.wall_ns - result.slot.scheduled_at))
        self.last_at = one.ended_at
        cost = self._cost.of_reply(reply)
        currency = self._cost.currency
        self._spent[currency] = self._spent.get(currency, Decimal(0)) + (result.set_aside if cost is None else cost)

    @property
    def spent(self) -> tuple[tuple[str, str | None, Decimal], ...]:
        """Vendor, currency and what was spent, for each currency that there was; the present one in any case."""
        sums = {self._cost.currency: Decimal(0), **self._spent}
        return tuple((self._settings.subject.vendor, currency, spent) for currency, spent in sums.items())

    def telemetry(self) -> ProbeTelemetry:
        """Return the counts as they are now."""
        subject = self._settings.subject
        return ProbeTelemetry(
            name=self._settings.name,
            agreement=subject.agreement,
            vendor=subject.vendor,
            model=subject.model,
            every_ms=self._settings.probe.every,
            requests=self._requests,
            failures=self._failures,
            shed=dict(self._missed["shed"]),
            lost=dict(self._missed["lost"]),
            last_at=self.last_at,
            duration=self._duration.histogram(),
            time_to_first_token=self._first_token.histogram(),
            lag=self._lag.histogram(),
            overhead=dict(self.overhead),
            spent=self._spent.get(self._cost.currency, Decimal(0)),
            currency=self._cost.currency,
            failing=self._failing,
            failing_as=self._failing_as if self._failing else None,
        )


class Recorder:
    """All counts of the process; they outlive a reload, as counters must."""

    def __init__(self, clock: Clock, changed: Callable[[], None] = lambda: None) -> None:
        """Count from nothing; `changed` hears of every result that was counted."""
        self._clock = clock
        self._changed = changed
        self._settings: Settings | None = None
        self._meters: dict[str, Meter] = {}
        self._observations: Counter[tuple[str, str, str, str]] = Counter()
        self.last_append_at: int | None = None
        self.reload_successful = True
        self.reload_success_at: int | None = None
        self.evaluated_at: int | None = None

    def follow(self, settings: Settings) -> None:
        """Count for these settings from now on; what a probe that stays did so far is kept."""
        self._settings = settings
        for probe in settings.probes:
            if probe.name in self._meters:
                self._meters[probe.name].follow(probe)
            else:
                self._meters[probe.name] = Meter(probe)
        self.reload_successful = True
        self.reload_success_at = self._clock.read().wall_ns

    def meter(self, name: str) -> Meter:
        """Return the counts of one probe."""
        return self._meters[name]

    def add(self, name: str, result: Result) -> None:
        """Count one result of a probe."""
        self._meters[name].add(result)
        self.last_append_at = self._clock.read().wall_ns
        one = result.observation
        if one is not None:
            configured = {p.subject.model for p in self._settings.probes} if self._settings else set()
            model = one.model_requested if one.model_requested in configured else OTHER
            self._observations[one.vendor, model or OTHER, one.source.value, one.outcome.value] += 1
        if result.reply is not None:
            self._changed()

    def totals(self) -> dict[str, int]:
        """Return how many questions were asked since the start, got no answer, were shed and were lost."""
        probes = [meter.telemetry() for meter in self._meters.values()]
        return {
            "asked": sum(p.requests for p in probes),
            "failed": sum(p.failures for p in probes),
            "shed": sum(sum(p.shed.values()) for p in probes),
            "lost": sum(sum(p.lost.values()) for p in probes),
        }

    def telemetry(self, indicator_events: Mapping[tuple[str, str, str], tuple[int, int]], traffic: Traffic) -> Telemetry:
        """Return everything as it is now, with what others wrote; probes that are configured no more are not shown."""
        assert self._settings is not None, "settings are followed before anything is shown"  # noqa: S101
        return Telemetry(
            probes=tuple(self._meters[p.name].telemetry() for p in self._settings.probes),
            observations={**traffic.calls, **self._observations},
            traffic=traffic.seen,
            indicator_events=indicator_events,
            spending=tuple(self._spending(self._settings)),
            last_append_at=self.last_append_at,
            reload_successful=self.reload_successful,
            reload_success_at=self.reload_success_at,
            evaluated_at=self.evaluated_at,
        )

    def _spending(self, settings: Settings) -> Iterable[Spending]:
        """Yield one row a vendor and currency; money whose cost is not known is in none."""
        sums: dict[tuple[str, str], Decimal] = {}
        for vendor, currency, spent in (row for meter in self._meters.values() for row in meter.spent):
            if currency is not None:
                sums[vendor, currency] = sums.get((vendor, currency), Decimal(0)) + spent
        for (vendor, currency), spent in sums.items():
            limit = settings.limit(vendor)
            same = limit is not None and limit.currency == currency
            yield Spending(vendor, PURPOSE, currency, spent, limit.amount if same and limit is not None else None)
