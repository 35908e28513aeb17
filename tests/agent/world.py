"""What the tests of the agent stand on: one folder, one simulated vendor, one simulated clock, and everything else real."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from slaguard.agent.agent import Agent
from slaguard.agent.crew import Seams
from slaguard.agent.log import EventLog
from slaguard.agent.settings import Settings
from slaguard.cli.probing import prepare_all, transports
from slaguard.errors import LedgerError
from slaguard.evaluation.snapshot import Snapshot
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.probes.control import Control
from slaguard.providers.simulated import Fault, Latency, Script, Segment, SimulatedVendor, Window, read_questions
from slaguard.records import NS, Observation, ProbeMissed, ProbePlanned, Record
from tests.agent.simulation import JumpingClock

MINUTE = 60 * NS
HOUR = 60 * MINUTE
DAY = 24 * HOUR
OCTOBER = 1_790_805_600 * NS
"""2026-10-01T00:00 in Berlin, which is 22:00 UTC of the day before."""
NOVEMBER = OCTOBER + 745 * HOUR
"""Berlin's October has an hour more than 31 days: the clock goes back on the 25th."""
FAST = Latency(first_byte_ms=100.0, generation_ms=400.0, sigma=0.1)
GOOD = Segment(start_ns=OCTOBER, revision="r1", fingerprint="fp_1", other_accuracy=1.0, latency=FAST)
CONFIG = """\
ledger: {{path: ledger, seal_every: {seal_every}}}
agreements: [acme.yaml]
evaluate_every: {evaluate_every}
vendors:
  Acme AI: {{adapter: openai, base_url: "{base_url}", send_request_id: true{vendor}}}
probes:
  - {{agreement: acme-chat, model: acme-large, every: {every}{probe}}}
{more}"""


def script(*windows: Window, stall_s: float = 301.0, **segment: Any) -> Script:
    """A good vendor, but for these windows."""
    return Script(segments=(replace(GOOD, **segment),), windows=windows, stall_s=stall_s)


def outage(start: int, end: int, fault: Fault = Fault.ERROR_503) -> Window:
    return Window(start_ns=start, end_ns=end, fault=fault)


@dataclass
class Books:
    """What a ledger holds of its slots."""

    planned: list[ProbePlanned]
    observations: list[Observation]
    missed: list[ProbeMissed]
    conflicts: int

    @classmethod
    def of(cls, ledger: Path) -> Books:
        with open_store(ledger) as store:
            return cls(list(store.planned()), list(store.observations()), list(store.missed()), store.conflicts)

    @property
    def reasons(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for one in self.missed:
            found[one.how, one.reason] = found.get((one.how, one.reason), 0) + 1
        return found

    def balance(self, until: int) -> None:
        """Every slot that was due was planned once and has exactly one end; what never was planned was lost as a whole."""
        planned = {p.slot: p.scheduled_at for p in self.planned}
        asked = [o.logical_request_id for o in self.observations]
        missed = [m.slot for m in self.missed]
        assert len(planned) == len(self.planned), "a slot was planned twice"
        assert len(set(asked)) == len(asked), "a slot was asked twice"
        assert len(set(missed)) == len(missed), "a slot was missed twice"
        assert not set(asked) & set(missed), "a slot has two ends"
        assert set(asked) <= planned.keys(), "a slot was asked that was not planned"
        due = {slot for slot, at in planned.items() if at <= until}
        assert due <= {*asked, *missed}, "a slot has no end"
        assert {m.reason for m in self.missed if m.slot not in planned} <= {"own_down"}
        assert self.conflicts == 0


@dataclass
class World:
    """A folder with a configuration, a clock and a vendor; `agent` starts as many agents as wanted, one after the other."""

    folder: Path
    clock: JumpingClock
    vendor: SimulatedVendor
    lines: list[str] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list, repr=False)
    control: Control | None = None
    _keys: Any = field(default_factory=itertools.count)

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    def configure(self, **changes: str) -> None:
        known = {"every": "5m", "evaluate_every": "1d", "seal_every": "1d", "vendor": "", "probe": "", "more": ""}
        settings = known | {"base_url": self.vendor.base_url} | changes
        (self.folder / "slaguard.yaml").write_text(CONFIG.format(**settings), encoding="utf-8")

    def load(self) -> Settings:
        return prepare_all(self.folder / "slaguard.yaml")

    def entropy(self, size: int) -> bytes:
        return next(self._keys).to_bytes(8, "big") * (size // 8 + 1) if size != 32 else bytes(range(32))

    async def hire(self, **seams: Any) -> Agent:
        """Return an agent that is prepared and not yet running."""
        rows = RowLog.open(self.ledger, clock=self.clock)
        settings = self.load()
        given: dict[str, Any] = {
            "clock": self.clock, "transports": transports(self.clock), "entropy": self.entropy, "load": self.load,
            "publish": self.snapshots.append, "control": lambda _: self.control,
        }  # fmt: skip
        agent = Agent(settings, rows, Seams(**(given | seams)), EventLog(self.lines.append, self.clock))
        await agent.prepare()
        return agent

    @asynccontextmanager
    async def agent(self, **seams: Any) -> AsyncIterator[Agent]:
        """Run an agent while the context is open; at its end it is stopped and must have ended well."""
        agent = await self.hire(**seams)
        task = asyncio.create_task(agent.run())
        try:
            yield agent
        finally:
            agent.stop()
            await task

    @asynccontextmanager
    async def killed(self, **seams: Any) -> AsyncIterator[Agent]:
        """Run an agent while the context is open, then end it as SIGKILL does: nothing more is written."""
        agent = await self.hire(**seams)
        run = asyncio.create_task(agent.run())
        yield agent
        tasks = {*agent._tasks, run}
        with agent._rows.sealing, agent._rows._one_at_a_time:  # between two commits
            shutil.copytree(self.ledger, self.folder / "as it was")
        agent._rows.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        shutil.rmtree(self.ledger)
        (self.folder / "as it was").rename(self.ledger)

    async def live(self, until: int, **seams: Any) -> None:
        """Run an agent until a moment."""
        async with self.agent(**seams):
            await self.clock.sleep_until(until)

    def books(self) -> Books:
        return Books.of(self.ledger)

    def events(self, name: str) -> list[str]:
        return [line for line in self.lines if f" event={name} " in f"{line} "]


@asynccontextmanager
async def world(
    folder: Path, story: Script, *, start: int = OCTOBER, clock: JumpingClock, settings: Mapping[str, str] | None = None
) -> AsyncIterator[World]:
    """Set up a folder with the Agreement acme-chat, and a vendor that follows a story."""
    examples = files("sla_specs") / "examples"
    (folder / "acme.yaml").write_text((examples / "acme-chat.yaml").read_text("utf-8"), encoding="utf-8")
    questions = read_questions((files("sla_specs") / "golden" / "claims-qa@4.jsonl").read_text("utf-8").splitlines())
    vendor = SimulatedVendor(story, 7, questions, now_ns=clock.now_ns, delay=clock.wait)
    async with vendor:
        found = World(folder, clock, vendor)
        found.configure(**(settings or {}))
        yield found


class FullAt:
    """A row log whose disk is full between two moments; `code` says what else may be wrong with it."""

    def __init__(self, rows: RowLog, clock: JumpingClock, span: tuple[int, int], code: str = "E-DISK-FULL") -> None:
        self._append = rows.append
        self._clock = clock
        self._span = span
        self._code = code

    def __call__(self, records: list[Record], payloads: Any = None) -> Any:
        if self._span[0] <= self._clock.now < self._span[1]:
            raise LedgerError(f"ledger: {self._code}  nothing of this append was kept\n    make room")
        return self._append(records, payloads)
