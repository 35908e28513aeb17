"""What the runs of this folder stand on: a simulated vendor with known answers, in simulated time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import pytest

from slaguard.probes.golden import GoldenSet, load_golden
from slaguard.probes.observe import Subject
from slaguard.probes.plan import ProbePlan, Slot
from slaguard.probes.run import Prober
from slaguard.providers.addresses import AddressPolicy
from slaguard.providers.base import Endpoint
from slaguard.providers.openai import OpenAIChat
from slaguard.providers.simulated import Script, Segment, SimulatedVendor, current_request, read_questions
from slaguard.providers.transport import HttpTransport
from slaguard.records import NS, Instant, Record
from slaguard.redact import Redactor
from slaguard.scorers.find import find_scorers

START = 1_790_812_800_000_000_000  # 2026-10-01T00:00:00Z
EVERY_MS = 300_000


class SlotClock:
    """A clock for many slots at once: each lives in its own time, which moves only by what its own call takes.

    `request` names the request that the vendor is answering right now, by the id that it carried. Outside any slot it
    is `idle_ns`.
    """

    def __init__(self, slots: Iterable[Slot], *, idle_ns: int, request: Callable[[], str]) -> None:
        """Give each slot a time of its own, which starts when it is due."""
        self._idle_ns = idle_ns
        self._request = request
        self._now: ContextVar[list[int] | None] = ContextVar("slot_clock", default=None)
        self._by_moment: dict[int, list[int]] = {}
        self._by_request: dict[str, list[int]] = {}
        for slot in slots:
            time = self._by_moment.setdefault(slot.scheduled_at, [slot.scheduled_at])
            self._by_request[slot.request_id] = time

    def read(self) -> Instant:
        """Return the time of the slot that this task works on."""
        time = self._now.get()
        now = self._idle_ns if time is None else time[0]
        return Instant(now, now, "simulated")

    async def sleep_until(self, wall_ns: int) -> None:
        """Go to the slot that is due at `wall_ns`, without waiting."""
        self._now.set(self._by_moment.setdefault(wall_ns, [wall_ns]))

    def now_ns(self) -> int:
        """Return the time of the request that the vendor answers, in UTC nanoseconds."""
        return self._by_request[self._request()][0]

    async def delay(self, seconds: float) -> None:
        """Let that request take `seconds` longer, without waiting."""
        self._by_request[self._request()][0] += round(seconds * NS)


@dataclass
class Kept:
    """A row log that is a list: what was appended, batch by batch."""

    batches: list[list[Record]] = field(default_factory=list)
    payloads: dict[str, bytes] = field(default_factory=dict)

    def append(self, records: Sequence[Record], payloads: Sequence[bytes | None]) -> None:
        self.batches.append(list(records))
        self.payloads |= {r.id: p for r, p in zip(records, payloads, strict=True) if p is not None}  # type: ignore[union-attr]

    def of(self, kind: type[Any]) -> list[Any]:
        return [record for batch in self.batches for record in batch if isinstance(record, kind)]


@dataclass
class Rig:
    """A run that is set up and not begun."""

    vendor: SimulatedVendor
    slots: tuple[Slot, ...]
    clock: SlotClock
    golden: GoldenSet
    transport: HttpTransport

    def prober(self, append: Callable[..., object], **more: Any) -> Prober:
        settings: dict[str, Any] = {
            "subject": Subject(agreement="acme-chat", vendor="Acme AI", model="acme-large", golden=self.golden),
            "scorers": find_scorers(["exact@1", "numeric@1"]),
            "provider": OpenAIChat(Endpoint(base_url=self.vendor.base_url, send_request_id=True), self.transport),
            "append": append,
            "clock": self.clock,
            "redact": Redactor(),
        }
        return Prober(**(settings | more))


@pytest.fixture(scope="session")
def golden_set() -> GoldenSet:
    return load_golden("claims-qa@4")


@pytest.fixture
def rig(golden_set: GoldenSet) -> Callable[..., Any]:
    """Set up a run of so many slots against a vendor that follows a script."""

    @asynccontextmanager
    async def start(
        count: int, script: Script | None = None, golden: GoldenSet | None = None, timeout_ms: int = 60_000
    ) -> AsyncIterator[Rig]:
        golden = golden or golden_set
        plan = ProbePlan(
            agreement="acme-chat", model="acme-large", start=START, end=START + count * EVERY_MS * 10**6,
            every_ms=EVERY_MS, seed=b"s" * 32, items=tuple(golden.items),
        )  # fmt: skip
        slots = plan.slots()
        clock = SlotClock(slots, idle_ns=START, request=current_request.get)
        script = script or Script(segments=(Segment(start_ns=START, revision="r1", fingerprint="fp_1"),))
        questions = read_questions((files("sla_specs") / "golden" / "claims-qa@4.jsonl").read_text("utf-8").splitlines())
        vendor = SimulatedVendor(script, 7, questions, now_ns=clock.now_ns, delay=clock.delay)
        async with vendor, HttpTransport(clock, AddressPolicy(loopback=True), timeout_ms=timeout_ms) as transport:
            yield Rig(vendor, slots, clock, golden, transport)

    return start


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def run() -> Callable[..., Any]:
    """Run a coroutine to its end."""
    return asyncio.run
