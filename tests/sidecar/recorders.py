"""Calls without a pump, links with a real recorder behind them, and what stands in the ledger afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, closing
from fractions import Fraction
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

from slaguard.cli.clock import SystemClock
from slaguard.cli.event_loop import new_event_loop
from slaguard.ledger.schema import snapshot
from slaguard.providers.addresses import AddressPolicy
from slaguard.records import NS, Clock, Instant, Observation, Record, TrafficTally, from_header
from slaguard.redact import Redactor
from slaguard.sidecar import wire
from slaguard.sidecar.call import Call, Ended
from slaguard.sidecar.link import Link, RecorderSpec
from slaguard.sidecar.packing import pack
from slaguard.sidecar.readings import Reader, Row
from slaguard.sidecar.route import Upstream

VENDOR = "Acme AI"
CHAT = "/v1/chat/completions"
T0 = 1_793_488_740 * NS
KEY = b"a key of this test"
JSON = {b"content-type": b"application/json"}
SSE = {b"content-type": b"text/event-stream; charset=utf-8"}
QUESTION = b'{"model":"m-1","messages":[{"role":"user","content":"What is 2 + 2?"}]}'
ANSWER = (
    b'{"id":"a-1","object":"chat.completion","model":"m-1-2026","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"4","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":12,"completion_tokens":3}}'
)


P = ParamSpec("P")


def looped(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test on the loop that the sidecar runs on."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class HandClock:
    """A clock that is set by hand."""

    def __init__(self, wall_ns: int = T0, mono_ns: int = 10 * NS) -> None:
        self.wall_ns, self.mono_ns = wall_ns, mono_ns

    def read(self) -> Instant:
        return Instant(self.wall_ns, self.mono_ns, "boot")

    def go(self, seconds: float) -> Instant:
        """Let time pass."""
        self.wall_ns += int(seconds * NS)
        self.mono_ns += int(seconds * NS)
        return self.read()

    def set_by(self, seconds: float) -> Instant:
        """Set the wall clock."""
        self.wall_ns += int(seconds * NS)
        return self.read()

    async def sleep_until(self, wall_ns: int) -> None:
        await asyncio.sleep(0)


def upstream(vendor: str = VENDOR) -> Upstream:
    policy = AddressPolicy.of("http://127.0.0.1:1", private=False)
    return Upstream(vendor=vendor, tls=False, address="127.0.0.1", port=1, authority="127.0.0.1:1", policy=policy)


def begin(clock: Clock | None = None, *, target: str = CHAT, method: str = "POST", vendor: str = VENDOR) -> Call:
    """A request whose head has come."""
    return Call(upstream(vendor), method, target, (clock or SystemClock()).read())


def finish(
    call: Call,
    *,
    question: bytes = QUESTION,
    answer: bytes | list[bytes] = ANSWER,
    status: int | None = 200,
    noted: Mapping[bytes, bytes] = JSON,
    returned: Mapping[bytes, bytes] = JSON,
    ended: Ended = Ended.COMPLETE,
    detail: str | None = None,
    chunked: bool = False,
) -> Call:
    """Let the rest of a call pass as a pump would: sent after 1 ms, a piece of the answer each 10 ms, over after 1 s."""
    start = call.began.mono_ns
    call.noted.update(noted)
    if question:
        call.question.take(question)
    if ended is not Ended.UNREACHED:
        call.sent_ns = start + NS // 1000
    if status is not None:
        call.http_status, call.first_byte_ns = status, start + NS // 100
        call.returned.update(returned)
        call.answer.chunked = chunked
        pieces = [answer] if isinstance(answer, bytes) else answer
        for number, piece in enumerate(p for p in pieces if p):
            call.answer.take(piece)
            if number < 16:
                call.marks.append((call.answer.size, start + (2 + number) * NS // 100))
    call.ended_ns = start + NS
    call.ended, call.detail = ended, detail
    return call


def row_of(call: Call, *, share: str | None = None) -> Row:
    """The Observation of a call, as its fields."""
    call.name = call.name or 1
    packed = wire.unframed(wire.framed(pack(call, "sidecar.test", share, None))[wire.LENGTH_BYTES :])
    (row,) = Reader(Redactor()).rows([packed])
    return row


def observed(**about: Any) -> Row:
    """The fields of the Observation of one call that went as `finish` says."""
    first = {k: about.pop(k) for k in ("target", "method") if k in about}
    call = begin(HandClock(), **first)
    call.logical_id = about.pop("logical_id", None)
    return row_of(finish(call, **about))


# ── links ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def spec_of(folder: Path, **other: Any) -> RecorderSpec:
    about: dict[str, Any] = {"name": "sidecar", "seal_every_ms": 3_600_000, "publish": None, "largest_body": 1 << 20}
    return RecorderSpec(directory=folder, **(about | other))


def make_link(folder: Path, clock: Clock | None = None, **other: Any) -> Link:
    about: dict[str, Any] = {"bodies": Fraction(0), "key": KEY, "most_bytes": 32 << 20, "vendors": (VENDOR,)}
    spec = other.pop("spec", spec_of(folder))
    return Link(spec, clock or SystemClock(), os.urandom, **(about | other))


@asynccontextmanager
async def linked(folder: Path, clock: Clock | None = None, **other: Any) -> AsyncIterator[Link]:
    """A link with its recorder, stopped at the end, whatever happens."""
    link = make_link(folder, clock, **other)
    await link.start()
    try:
        yield link
    finally:
        await link.stop(20)


def pass_call(link: Link, clock: Clock | None = None, **about: Any) -> Call:
    """One call that begins and ends."""
    first = {k: about.pop(k) for k in ("target", "method", "vendor") if k in about}
    call = begin(clock, **first)
    call.noted.update(about.pop("noted", JSON))
    link.began(call)
    link.ended(finish(call, noted={}, **about))
    return call


async def until(true: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


def signal_recorder(link: Link, number: signal.Signals) -> int:
    """Send a signal to the recorder that runs; return its process id."""
    pid = link.recorder_pid
    assert pid is not None
    os.kill(pid, number)
    return pid


# ── what is on disk ─────────────────────────────────────────────────────────────────────────────────────────────────
def records(folder: Path) -> list[Record]:
    """The records of a writer that are not sealed; in their order."""
    with snapshot(folder) as rows:
        headers = [json.loads(header) for (header,) in rows.execute("SELECT hdr FROM rows WHERE seq > 0 ORDER BY seq")]
    return [from_header(header) for header in headers]


def observations(folder: Path) -> list[Observation]:
    return [r for r in records(folder) if isinstance(r, Observation)]


def tallies(folder: Path) -> list[TrafficTally]:
    return [r for r in records(folder) if isinstance(r, TrafficTally)]


def payloads(folder: Path) -> list[dict[str, Any]]:
    """What was kept of bodies."""
    with closing(sqlite3.connect(f"file:{folder / 'payloads.db'}?mode=ro", uri=True)) as store:
        return [json.loads(body) for (body,) in store.execute("SELECT body FROM payloads ORDER BY seq")]


def bytes_in(*folders: Path) -> bytes:
    """Every byte of every file."""
    return b"\0".join(p.read_bytes() for folder in folders for p in sorted(folder.rglob("*")) if p.is_file())
