"""A vendor whose every answer is known to the byte, a client that compares them, and what a ledger may say afterwards."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self, TypeVar, cast

import uvloop

from slaguard.evaluation.demands import Demands
from slaguard.ledger.read import open_store
from slaguard.records import Observation, TrafficTally
from slaguard.terms import Source

VENDOR: Final = "Acme AI"
AT_ONCE: Final = 16
PATIENCE_S: Final = 60.0
EVENTS: Final = 6
_END: Final = b"\r\n\r\n"
_CHUNKED: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
T = TypeVar("T")


# ── what is asked and answered ──────────────────────────────────────────────────────────────────────────────────────
def question(kind: str, number: int, size: int = 600) -> bytes:
    """Return a whole request; `kind` is one of ``json sse held error cut slow``."""
    text = f'{{"model":"acme-large","stream":{str(kind in {"sse", "held"}).lower()},"messages":"{number} {"q" * size}"}}'
    head = f"POST /v1/{kind}/{number} HTTP/1.1\r\nHost: sidecar.test\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(text)}\r\n\r\n{text}".encode()


def answer(kind: str, number: int, asked: bytes) -> bytes:
    """Return the whole answer to a request with this body."""
    digest = hashlib.sha256(asked).hexdigest()
    if kind in {"sse", "held"}:
        return (
            _CHUNKED
            + b"".join(chunk(event(number, i, digest)) for i in range(EVENTS))
            + chunk(b"data: [DONE]\n\n")
            + chunk(b"")
        )
    choice = f'"choices":[{{"message":{{"content":"{digest} {"a" * 1000}"}},"finish_reason":"stop"}}]'
    usage = '"usage":{"prompt_tokens":7,"completion_tokens":5,"total_tokens":12}'
    body = f'{{"id":"c-{number}","model":"acme-large",{choice},{usage}}}'
    line = "500 Internal Server Error" if kind == "error" else "200 OK"
    return f"HTTP/1.1 {line}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def event(number: int, place: int, digest: str) -> bytes:
    return b'data: {"id":"c-%d","choices":[{"delta":{"content":"%d %s"}}]}\n\n' % (number, place, digest.encode())


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class _Serving(asyncio.Protocol):
    def __init__(self, vendor: LoadedVendor) -> None:
        self._vendor = vendor
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._vendor.open.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._vendor.open.discard(cast("asyncio.Transport", self._transport))

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(_END)) >= 0:
            length = re.search(rb"(?i)content-length: *(\d+)", self._data[:end])
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._data) < size:
                return
            head, body, self._data = self._data[:end], self._data[end + 4 : size], self._data[size:]
            _, kind, number = head.split(b" ")[1].decode().rsplit("/", 2)
            self._vendor.asked[int(number)] += 1
            self._answer(kind, int(number), body)

    def _answer(self, kind: str, number: int, body: bytes) -> None:
        transport, whole = self._transport, answer(kind, number, body)
        assert transport is not None
        if kind == "sse":
            for piece in _pieces(whole):
                transport.write(piece)
        elif kind == "held":
            pieces = _pieces(whole)
            transport.write(pieces[0])
            self._vendor.held.append((transport, pieces[1:]))
        elif kind == "cut":
            transport.write(whole[: len(whole) // 2])
            transport.close()
        elif kind == "slow":
            asyncio.get_running_loop().call_later(0.3, transport.write, whole)
        else:
            transport.write(whole)


def _pieces(stream: bytes) -> list[bytes]:
    """Cut a stream behind its head and behind each event."""
    head, _, rest = stream.partition(_END)
    events = [piece + b"\n\n\r\n" for piece in rest.split(b"\n\n\r\n")[:-1]]
    return [head + _END + events[0], *events[1:-1], events[-1] + chunk(b"")]


class LoadedVendor:
    """The vendor, on a thread of its own. `asked` counts each question it saw."""

    def __init__(self) -> None:
        self.asked: Counter[int] = Counter()
        self.held: list[tuple[asyncio.Transport, list[bytes]]] = []
        self.open: set[asyncio.Transport] = set()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._run(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)

    async def _listen(self) -> int:
        server = await self._loop.create_server(lambda: _Serving(self), "127.0.0.1", 0, backlog=1024)
        self._server = cast("asyncio.Server", server)
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        self._server.close()
        for transport in list(self.open):
            transport.abort()
        await asyncio.sleep(0.05)

    def release(self, *, step_s: float = 0.02) -> None:
        """Send the rest of all held streams, an event of each at a time."""

        async def work() -> None:
            held, self.held = self.held, []
            for row in itertools.zip_longest(*(pieces for _, pieces in held)):
                for (transport, _), piece in zip(held, row, strict=True):
                    if piece is not None and not transport.is_closing():
                        transport.write(piece)
                await asyncio.sleep(step_s)

        self._run(work())


# ── the client ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class Sent:
    """One call of the client: when it was sent and when its answer was whole (UTC nanoseconds), and what was wrong with it."""

    number: int
    kind: str
    sent_ns: int
    done_ns: int = 0
    wrong: str | None = None


@dataclass(slots=True)
class Load:
    """What came of a load."""

    calls: list[Sent] = field(default_factory=list)

    @property
    def wrong(self) -> list[str]:
        """Every call that failed or whose answer was changed."""
        return [f"{call.kind} {call.number}: {call.wrong}" for call in self.calls if call.wrong is not None]

    def within(self, start: int, end: int) -> list[Sent]:
        """Return the calls that were wholly in a span."""
        return [call for call in self.calls if start <= call.sent_ns <= call.done_ns < end]


class Caller:
    """One kept-alive connection."""

    def __init__(self, port: int, now: Callable[[], int] = time.time_ns) -> None:
        self._port = port
        self._now = now
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, kind: str, number: int, size: int = 600) -> Sent:
        """Ask once, and compare every byte of the answer."""
        call = Sent(number, kind, self._now())
        asked = question(kind, number, size)
        expected = answer(kind, number, asked.partition(_END)[2])
        got = b""
        try:
            if self._writer is None:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            assert self._reader is not None
            self._writer.write(asked)
            async with asyncio.timeout(PATIENCE_S):
                got = await self._reader.readexactly(len(expected))
        except (OSError, TimeoutError) as error:
            call.wrong = f"{type(error).__name__} {error}"
        except asyncio.IncompleteReadError as error:
            call.wrong = f"cut: {error.partial[:300]!r}"
        if call.wrong is None and got != expected:
            call.wrong = f"changed: {got[:300]!r}"
        call.done_ns = self._now()
        if call.wrong is not None:
            self.close()
        return call

    async def leave(self, kind: str, number: int) -> None:
        """Ask, and go away before the answer is there."""
        _, writer = await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(question(kind, number))
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.transport.abort()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()  # at once: a loop that ends does not wait for bytes to be taken
        self._reader = self._writer = None


MIXED: Final = ("json", "json", "json", "sse")
Trouble = tuple[int, Callable[[], object]]
"""At which call something is done, and what; it runs beside the load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a load goes: so many calls over 16 connections, each waiting `pace_s` after an answer; `size`: of a question, bytes.

    `first` is the number of the first call; with `gives_up` a connection asks no more once a call has failed.
    """

    total: int = 500
    first: int = 0
    gives_up: bool = False
    pace_s: float = 0.1
    size: int = 600
    troubles: Sequence[Trouble] = ()
    now: Callable[[], int] = time.time_ns


async def _load(port: int, plan: Plan) -> Load:
    found, left = Load(), iter(range(plan.first, plan.first + plan.total))
    due = sorted(plan.troubles, key=lambda trouble: trouble[0])
    tasks: list[asyncio.Task[object]] = []

    async def work() -> None:
        caller = Caller(port, plan.now)
        for number in left:
            while due and len(found.calls) >= due[0][0]:
                tasks.append(asyncio.create_task(asyncio.to_thread(due.pop(0)[1])))
            found.calls.append(call := await caller.ask(MIXED[number % len(MIXED)], number, plan.size))
            if plan.gives_up and call.wrong is not None:
                break
            await asyncio.sleep(plan.pace_s)
        caller.close()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    await asyncio.gather(*tasks)
    assert not due, "the load was over before the trouble"
    return found


def load(port: int, plan: Plan) -> Load:
    """Send calls, and have troubles meanwhile."""
    return asyncio.run(_load(port, plan))


# ── afterwards ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Ledger:
    """What stands in a ledger of the traffic."""

    observations: tuple[Observation, ...]
    tallies: tuple[TrafficTally, ...]
    covered: tuple[tuple[int, int], ...]
    """What an Agreement with this vendor is told was watched, UTC nanoseconds."""

    @classmethod
    def of(cls, folder: Path) -> Self:
        with open_store(folder) as store:
            everything = Demands(counts=(), span=(0, 1 << 62), as_of=1 << 62, vendor=VENDOR)
            covered = store.answer(everything).coverage[Source.TRAFFIC]
            assert store.conflicts == 0
            assert store.untallied(10) == [], "a tally counts other records than stand there"
            observations = (o for o in store.observations() if o.via == "sidecar")
            return cls(tuple(observations), tuple(store.tallies()), covered)

    @property
    def numbers(self) -> Counter[int]:
        """Return how often each call of the load stands there."""
        return Counter(int(o.attributes["endpoint"].rpartition("/")[2]) for o in self.observations)

    def lost(self, load: Load) -> int:
        """Return how many calls are not there; none may be there twice."""
        found = self.numbers
        assert all(n == 1 for n in found.values()), "a call counts twice"
        return len({call.number for call in load.calls} - found.keys())

    def require_true(self, load: Load) -> None:
        """Assert that no tally claims more than is there, and that none calls a minute watched in which a call is missing."""
        there = self.numbers
        for tally in self.tallies:
            inside = [o for o in self.observations if o.id.startswith(f"{tally.writer}/") and _in(tally, o)]
            assert tally.seen == tally.recorded + tally.sampled_out + tally.shed
            assert len(inside) == tally.recorded
            assert tally.seen >= len(load.within(tally.start, tally.end)) - sum(call.wrong is not None for call in load.calls)
        for start, end in self.covered:
            missing = [call.number for call in load.within(start, end) if call.number not in there]
            assert missing == [], "time is called watched in which a call is missing"

    def is_watched(self, moment: int) -> bool:
        return any(start <= moment < end for start, end in self.covered)


def _in(tally: TrafficTally, seen: Observation) -> bool:
    return seen.scheduled_at is not None and tally.start <= seen.scheduled_at < tally.end


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────────
def children(pid: int) -> list[int]:
    """Return the processes that a process has started and that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "status").read_text("utf-8")
            except OSError:
                continue
            if f"\nPPid:\t{pid}\n" in status and "\nState:\tZ" not in status:
                found.append(int(entry.name))
    return found


def resident(pid: int) -> int:
    """Return the memory of a process that is in use, bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid: int) -> int:
    """Return how many files and connections a process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
