"""Three vendors, two months: real Agreements, real records, judged by the product; a Board over them, and servers for it."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from fastapi import FastAPI

from slaguard.config import Listen
from slaguard.errors import ConfigError, LedgerError
from slaguard.evaluation.breach import BreachRecord, breach_records
from slaguard.evaluation.result import Evaluation
from slaguard.evaluation.snapshot import ProbeTelemetry, Snapshot, Standing, Telemetry, Which
from slaguard.ledger.judge import judge
from slaguard.ledger.store import ColumnStore
from slaguard.records import NS, Adjudication, Coverage, Fact, Incident, Observation, Record, Score
from slaguard.server.app import create_app
from slaguard.server.board import Exposition
from slaguard.server.serve import serve
from slaguard.spec.labels import parse_period
from slaguard.spec.library import Shelves
from slaguard.spec.load import Loaded, load, loads
from slaguard.spec.resolve import resolve
from slaguard.terms import Attribution, Grade, Outcome, Source

REPO = Path(__file__).resolve().parent.parent.parent
BERLIN = ZoneInfo("Europe/Berlin")
MINUTE = 60 * NS


def at(month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    """Return a moment of 2026, Berlin time, as UTC nanoseconds."""
    return int(datetime(2026, month, day, hour, minute, tzinfo=BERLIN).timestamp()) * NS


NOW = at(11, 18, 10)
BOREALIS = """
apiVersion: slaguard/v1
kind: Agreement
name: borealis-llm
version: 2
vendor: Borealis
customer: Example Bank AG
contract: MSA 77
effective: 2026-01-01
time_zone: UTC
period: month
fee: 4500.00 USD
combine: greater_of
use:
  - outcomes/server-faults@1
  - claim/written@1: {days: 30}
objectives:
  - name: uptime
    clause: Schedule 2
    use: uptime/mean-of-5-minutes@1
    at_least: 99.9%
    credits:
      below 99.9%: 10%
  - name: first-token
    clause: Schedule 3
    use: [latency/percentile@1: {field: time_to_first_token}]
    at_most: 2s
    credits:
      above 2s: 5%
"""
CIRRUS = """
apiVersion: slaguard/v1
kind: Agreement
name: cirrus-speech
version: 1
vendor: Cirrus Speech
customer: Example Bank AG
contract: 2026/114
effective: 2026-01-01
time_zone: Europe/Berlin
period: quarter
fee: {amount: 900.00 EUR, per: month}
combine: greater_of
use:
  - outcomes/server-faults@1
  - claim/written@1: {days: 30}
services:
  - {id: eu, regions: [eu]}
  - {id: us, regions: [us]}
objectives:
  - name: unsupported-answers
    clause: Annex 4
    service: [eu, us]
    use: hallucination/human-audited-sample@1
    source: traffic
    at_most: 8%
    credits:
      above 8%: 10%
"""


# ── what happened ───────────────────────────────────────────────────────────────────────────────────────────────────
def _call(i: int, when: int, outcome: str, **fields: Any) -> Observation:
    return Observation(**{
        "id": f"{fields.get('vendor')}-{i}", "outcome": Outcome(outcome), "source": Source.PROBE, "via": "agent",
        "attribution": Attribution.NONE if outcome == "ok" else Attribution.VENDOR, "sent_at": when, "ended_at": when + NS,
        "recorded_at": when + NS, "inclusion_probability": "1", **fields,
    })  # fmt: skip


def _acme() -> Iterator[Record]:
    """Probes every 5 minutes; an outage on 8 October, another model from 13 October to 1 November, a gap on 22 October."""
    draw, swap = random.Random(7), at(10, 13, 14)
    gap = at(10, 22, 12), at(10, 22, 15)
    yield Coverage(source=Source.PROBE, start=at(10, 1), end=gap[0], via="agent", recorded_at=gap[0])
    yield Coverage(source=Source.PROBE, start=gap[1], end=NOW, via="agent", recorded_at=NOW)
    for i, when in enumerate(range(at(10, 1), NOW, 5 * MINUTE)):
        if gap[0] <= when < gap[1]:
            continue
        down = at(10, 8, 10, 12) <= when < at(10, 8, 10, 53)
        yield _call(i, when, "error_5xx" if down else "ok", vendor="Acme AI", model_requested="acme-large")
        wrong = draw.random() < (0.3 if swap <= when < at(11, 1) else 0.03)
        name, grade = f"Acme AI-{i}", Grade.WRONG if wrong else Grade.CORRECT
        if not down:
            yield Score(observation=name, scorer="exact@1", grade=grade, recorded_at=when + 2 * NS)
        if not down and draw.random() < 0.014:
            verdict = Grade.UNSUPPORTED if draw.random() < 0.012 else Grade.CORRECT
            yield Adjudication(observation=name, grade=verdict, by="a reviewer", recorded_at=when + MINUTE)


def _borealis() -> Iterator[Record]:
    """Traffic every 5 minutes; half an hour down on 9 November; the first token comes within 1.4 seconds."""
    draw = random.Random(8)
    yield Coverage(source=Source.TRAFFIC, start=at(10, 1), end=NOW, via="import:own", recorded_at=NOW)
    for i, when in enumerate(range(at(10, 1), NOW, 5 * MINUTE)):
        down = at(11, 9, 10) <= when < at(11, 9, 10, 30)
        took = int(draw.uniform(0.4, 1.35) * NS)
        yield _call(i, when, "overloaded" if down else "ok", vendor="Borealis", source=Source.TRAFFIC, via="import:own",
                    model_requested="b-2", time_to_first_token_ns=None if down else took)  # fmt: skip


def _cirrus() -> Iterator[Record]:
    """Traffic of two regions since July, of which people graded some."""
    draw = random.Random(9)
    yield Coverage(source=Source.TRAFFIC, start=at(7, 1), end=NOW, via="import:own", recorded_at=NOW)
    for i, when in enumerate(range(at(7, 1), NOW, 45 * MINUTE)):
        region = "eu" if i % 2 else "us"
        yield _call(i, when, "ok", vendor="Cirrus Speech", source=Source.TRAFFIC, via="import:own", region=region)
        if draw.random() < 0.35:
            bad = draw.random() < (0.072 if region == "eu" else 0.14)
            grade = Grade.UNSUPPORTED if bad else Grade.CORRECT
            yield Adjudication(observation=f"Cirrus Speech-{i}", grade=grade, by="a reviewer", recorded_at=when + MINUTE)


FACTS = (
    Fact(id="f-1", type="announcement", when=at(10, 1, 9), by="Acme AI", exclusion="maintenance", start=at(10, 6, 2),
         end=at(10, 6, 3), recorded_at=at(10, 1, 10)),
    Fact(id="f-2", type="ticket", when=at(10, 8, 11), reference="T-77 =1+1", recorded_at=at(10, 8, 11)),
)  # fmt: skip
INCIDENTS = (Incident(id="i-1", start=at(10, 8, 10), end=at(10, 8, 11), severity="major", source="status page"),)


@dataclass(frozen=True)
class Known:
    """One Agreement with its records."""

    loaded: Loaded
    store: ColumnStore

    def judge(self, label: str, as_of: int) -> Evaluation:
        """Judge it."""
        terms = self.loaded.agreement
        documents = (*FACTS, *INCIDENTS) if terms.vendor == "Acme AI" else ()
        period = resolve(terms, label)
        return judge(self.store, terms, period, as_of, spec_sha256=self.loaded.spec_sha256, documents=documents).evaluation

    def standing(self, label: str, which: Which, as_of: int = NOW) -> Standing:
        """Return what stands."""
        return Standing(self.loaded.agreement, resolve(self.loaded.agreement, label), which, self.judge(label, as_of))


@cache
def known() -> tuple[Known, ...]:
    """Return the three."""
    found = []
    shelves = Shelves(REPO / "sla_specs" / "examples")
    acme = load(REPO / "sla_specs" / "examples" / "acme-assistant.yaml")
    texts = (loads(BOREALIS, "borealis.yaml", shelves), loads(CIRRUS, "cirrus.yaml", shelves))
    for loaded, records in zip((acme, *texts), (_acme(), _borealis(), _cirrus()), strict=True):
        store = ColumnStore(memory_limit="200MB", threads=1)
        store.add(records)
        found.append(Known(loaded, store))
    return tuple(found)


def forget() -> None:
    """Let go of the three: DuckDB complains of connections that outlive the interpreter."""
    for one in known():
        one.store.close()
    known.cache_clear()


PROBE = ProbeTelemetry(
    name="acme-assistant/acme-large", agreement="acme-assistant", vendor="Acme AI", model="acme-large", every_ms=300_000,
    requests=13_920, failures=3, lost={"own_down": 9, "crash": 1}, shed={"budget": 4}, last_at=NOW - 40 * NS,
    spent=Decimal("3.20"), currency="EUR",
)  # fmt: skip
TELEMETRY = Telemetry(probes=(PROBE,), last_append_at=NOW - 39 * NS, reload_success_at=at(11, 1), evaluated_at=NOW - 20 * NS)


@cache
def snapshot() -> Snapshot:
    """Return what stands on the morning of 18 November."""
    closed = ("2026-10", "2026-10", "2026-Q3")
    current = ("2026-11", "2026-11", "2026-Q4")
    standings = [one.standing(label, Which.CLOSED) for one, label in zip(known(), closed, strict=True)]
    standings += [one.standing(label, Which.CURRENT) for one, label in zip(known(), current, strict=True)]
    return Snapshot(NOW, tuple(standings), TELEMETRY)


# ── a Board ─────────────────────────────────────────────────────────────────────────────────────────────────────────
CLAIM = "<!doctype html><html><head><style>p{color:#123456}</style></head><body><p>Acme AI owes</p></body></html>"


@dataclass
class FakeBoard:
    """A Board over what stands; what a test sets is what goes wrong."""

    shown: Snapshot = field(default_factory=snapshot)
    loaded: Sequence[Loaded] = field(default_factory=lambda: [one.loaded for one in known()])
    reason: str | None = None
    broken: str | None = None
    refused: str | None = None
    reloads: int = 0
    scrapes: list[tuple[str, str]] = field(default_factory=list)
    bug: bool = False

    def snapshot(self) -> Snapshot:
        if self.bug:
            raise RuntimeError("the inside of a bug")
        return self.shown

    def not_ready(self) -> str | None:
        return self.reason

    def agreements(self) -> Sequence[Loaded]:
        return self.loaded

    def metrics(self, accept: str, accept_encoding: str) -> Exposition:
        self.scrapes.append((accept, accept_encoding))
        return Exposition(b"slaguard_build_info 1\n", "text/plain; version=0.0.4; charset=utf-8")

    async def evaluation(self, agreement: str, period: str | None, as_of: int | None) -> Evaluation:
        self._read()
        return self._of(agreement).judge(period or "2026-10", NOW if as_of is None else as_of)

    async def breaches(self, vendor: str | None, start: str, end: str) -> Sequence[BreachRecord]:
        self._read()
        if int(end[:4]) - int(start[:4]) > 20:
            raise ConfigError("from, to: too many periods\n    ask for at most 20 years at once")
        return [
            record
            for standing in self.shown.standings
            if vendor in {None, standing.evaluation.agreement.vendor}
            for record in breach_records(standing.evaluation)
        ]

    async def documents(self) -> tuple[Sequence[Fact], Sequence[Incident]]:
        self._read()
        return FACTS, INCIDENTS

    async def claim_page(self, agreement: str, period: str) -> str:
        self._read()
        parse_period(period)
        resolve(self._of(agreement).loaded.agreement, period)
        return CLAIM

    async def reload(self) -> str | None:
        self.reloads += 1
        return self.refused

    def _read(self) -> None:
        if self.broken is not None:
            raise LedgerError(self.broken)

    def _of(self, name: str) -> Known:
        for one in known():
            if one.loaded.agreement.name == name:
                return one
        raise ConfigError(f"there is no Agreement {name!r}")


def with_telemetry(**changes: Any) -> Snapshot:
    """Return what stands, with another Telemetry."""
    return replace(snapshot(), telemetry=replace(TELEMETRY, **changes))


# ── servers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
Client = Callable[[aiohttp.ClientSession, str], Awaitable[Any]]
ANYWHERE = Listen("127.0.0.1", 0)
TIMEOUT = aiohttp.ClientTimeout(total=60)


def talk(board: FakeBoard, work: Client, *, hosts: Sequence[str] = (), now: int | None = NOW) -> Any:
    """Serve a Board on loopback while a coroutine speaks to it; return what it returned."""

    async def run() -> Any:
        stop, address = asyncio.Event(), asyncio.get_running_loop().create_future()
        app = create_app(board, hosts=hosts, now=None if now is None else lambda: now)
        server = asyncio.create_task(serve(app, ANYWHERE, stop=stop, started=address.set_result))
        try:
            await asyncio.wait({server, address}, return_when=asyncio.FIRST_COMPLETED)
            async with aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False) as session:
                return await work(session, address.result())
        finally:
            stop.set()
            await server

    return asyncio.run(run())


@dataclass(frozen=True)
class Server:
    """A server that stands while many tests ask it, each about a Board of its own."""

    address: str
    app: FastAPI

    def ask(self, board: FakeBoard, *asked: str, method: str = "GET", **options: Any) -> list[Any]:
        """Return (status, headers, body) of each path."""
        self.app.state.board = board

        async def work() -> list[Any]:
            found = []
            async with aiohttp.ClientSession(timeout=TIMEOUT, auto_decompress=False) as session:
                for path in asked:
                    async with session.request(method, self.address + path, **options) as answer:
                        found.append((answer.status, answer.headers, await answer.read()))
            return found

        return asyncio.run(work())


@contextmanager
def standing_server(board: FakeBoard, *, hosts: Sequence[str] = ()) -> Iterator[Server]:
    """Serve a Board from a thread of its own."""
    app = create_app(board, hosts=hosts, now=lambda: NOW)
    found: list[str] = []
    ready, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    def started(address: str) -> None:
        found.append(address)
        ready.set()

    def run() -> None:
        loop.run_until_complete(serve(app, ANYWHERE, stop=stop, started=started))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(20)
        yield Server(found[0], app)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
