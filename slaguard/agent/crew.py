"""Builds what mans a probe: its way to the vendor, its adapter, its purse, its watch; and measures our own part of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from slaguard.agent.log import EventLog
from slaguard.agent.overhead import measure
from slaguard.agent.post import Post
from slaguard.agent.purses import Purses
from slaguard.agent.settings import ProbeSettings, Settings, Transports, latency_limits
from slaguard.agent.telemetry import Recorder
from slaguard.agent.timeline import Timeline
from slaguard.agent.watch import Watch
from slaguard.evaluation.snapshot import Snapshot
from slaguard.ledger.rowlog import RowLog
from slaguard.probes.control import Control, control_of
from slaguard.probes.run import Prober
from slaguard.probes.spending import Purse
from slaguard.providers.base import Endpoint, Provider
from slaguard.providers.find import find_adapter
from slaguard.records import NS_PER_MS, Clock, Record
from slaguard.redact import Redactor


@dataclass(frozen=True, slots=True, kw_only=True)
class Seams:
    """What the agent is given from outside.

    `load` reads the configuration (blocking; raises SlaguardError); `publish` takes each Snapshot; `replaced` hears of the
    Agreements that came into force by a reload; `control` makes the check of the control target.
    """

    clock: Clock
    transports: Transports
    entropy: Callable[[int], bytes]
    load: Callable[[], Settings]
    publish: Callable[[Snapshot], None] = lambda _: None
    replaced: Callable[[Settings], None] = lambda _: None
    control: Callable[[Settings], Control | None] = lambda settings: (
        control_of(settings.config.control) if settings.config.control is not None else None
    )


class Crew:
    """Makes posts; `secret` is what plans are drawn from, and with `ending` nothing more is measured."""

    def __init__(self, seams: Seams, rows: RowLog, recorder: Recorder, purses: Purses, log: EventLog) -> None:
        """Take over the seams; nothing is opened yet."""
        self._seams = seams
        self._rows = rows
        self._recorder = recorder
        self._purses = purses
        self._log = log
        self._one_measure = asyncio.Lock()
        self.secret = b""
        self.ending = False

    async def posts(self, settings: Settings, probes: Sequence[ProbeSettings]) -> dict[str, Post]:
        """Return a post for each of these probes, not started.

        Raises:
            SlaguardError: a budget that cannot be kept, an adapter that is not installed, a ledger that cannot be read.

        """
        ways = [self._seams.transports(p.vendor.base_url, p.vendor) for p in probes]
        providers: list[Provider] = [
            find_adapter(p.vendor.adapter)(
                Endpoint(base_url=p.vendor.base_url, key=p.key, send_request_id=p.vendor.send_request_id), way
            )
            for p, way in zip(probes, ways, strict=True)
        ]
        purses = await asyncio.to_thread(self._purses.fill, probes, providers)
        control = self._seams.control(settings)
        found = {}
        for probe, way, provider, purse in zip(probes, ways, providers, purses, strict=True):
            prober = self._prober(probe, provider, purse, control, settings)
            watch = Watch(
                prober,
                self.timeline(probe),
                clock=self._seams.clock,
                log=self._log,
                on_result=partial(self._recorder.add, probe.name),
                on_period=partial(self._on_period, probe, provider),
            )
            found[probe.name] = Post(probe, way, watch, partial(self._measure, probe, provider))
        return found

    def _prober(
        self, probe: ProbeSettings, provider: Provider, purse: Purse, control: Control | None, settings: Settings
    ) -> Prober:
        return Prober(
            subject=probe.subject,
            scorers=probe.scorers,
            provider=provider,
            append=self._append,
            clock=self._seams.clock,
            redact=Redactor(settings.secrets),
            control=control,
            purse=purse,
            concurrency=1,
        )

    def _append(self, records: Sequence[Record], payloads: Sequence[bytes | None]) -> object:
        return self._rows.append(records, payloads)

    def timeline(self, probe: ProbeSettings) -> Timeline:
        """Return when a probe asks what."""
        return Timeline(
            agreement=probe.loaded.agreement,
            model=probe.subject.model,
            every_ms=probe.probe.every,
            items=tuple(probe.subject.golden.items),
            secret=self.secret,
        )

    async def _on_period(self, probe: ProbeSettings, provider: Provider, period: str) -> None:
        self._log.info("period", agreement=probe.subject.agreement, model=probe.subject.model, period=period)
        await self._measure(probe, provider)

    async def _measure(self, probe: ProbeSettings, provider: Provider) -> None:
        """Measure our own part of a call's time, one probe after the other."""
        golden = probe.subject.golden
        request = provider.request(golden.prompt(next(iter(golden.items.values())), probe.subject.model))
        path = urlsplit(request.url).path
        async with self._one_measure:
            if self.ending:
                return
            found = await measure(request, lambda address: self._seams.transports(address, probe.vendor), path)
        if found is None:
            self._log.warning("overhead_unknown", probe=probe.name, why="no call to this machine came through")
            return
        self._recorder.meter(probe.name).overhead = found.seconds()
        limits = latency_limits(probe.loaded.agreement)
        if limits and found.is_too_much(limits[0]):
            p95 = f"{found.p95 / NS_PER_MS:.1f}ms"
            why = f"more than 2% of the smallest latency limit, {limits[0]}ms: latencies hold too much of our own"
            self._log.warning("overhead", probe=probe.name, p95=p95, why=why)
