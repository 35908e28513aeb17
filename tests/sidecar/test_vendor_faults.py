"""A vendor that answers wrongly harms the call it answers at most: everybody else gets exactly their own answers.

Each answer carries the token of its request, and each fault is tried sixty times with honest calls beside and behind it.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from slaguard.sidecar.call import Ended
from tests.sidecar.clients import Wire, ask, get, until
from tests.sidecar.framing import Answer, End
from tests.sidecar.running import Sidecar, sidecar_to, upstream
from tests.sidecar.wire_vendor import Do, Gate, Line, Pause, Request, Script, WireVendor, by_book, running

TRIES = 60
STOLEN = b"HTTP/1.1 200 OK\r\nX-Token: stolen\r\nContent-Length: 6\r\n\r\nstolen"
OVER_LONG = b"X-Long: " + b"v" * 8_000 + b"\r\n"


def own(token: str) -> bytes:
    """Return the honest answer to a request."""
    return b"HTTP/1.1 200 OK\r\nX-Token: %b\r\nContent-Length: %d\r\n\r\n%b" % (token.encode(), len(token), token.encode())


def chunked(token: str, *behind: bytes) -> list[bytes]:
    """Return an answer in chunks that says the token, and what stands behind that first chunk."""
    first = b"%x\r\n%b\r\n" % (len(token), token.encode())
    return [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + first, *behind]


Faulty = Callable[[str], Script]


@dataclass(frozen=True, slots=True)
class Fault:
    """How a vendor answers wrongly. `late`: it does so once its connection waits in the pool, behind an honest answer."""

    name: str
    script: Faulty
    ended: frozenset[Ended]
    method: str = "GET"
    late: bool = False


# ── faults behind an answer that is good in itself ──────────────────────────────────────────────────────────────────
def _behind(name: str, script: Faulty, method: str = "GET") -> Fault:
    return Fault(f"{name}", script, frozenset({Ended.COMPLETE}), method)


def _late(name: str, *steps: bytes | Do) -> Fault:
    return Fault(name, lambda token: [own(token), Gate(token), *steps], frozenset({Ended.COMPLETE}), late=True)


BEHIND = [
    _behind("a surplus byte", lambda token: [own(token) + b"x", Do.HANG]),
    _behind("a surplus line end", lambda token: [own(token) + b"\r\n", Do.HANG]),
    _behind("a second whole answer", lambda token: [own(token) + STOLEN, Do.HANG]),
    _behind("a hundred more answers", lambda token: [own(token) + STOLEN * 100, Do.HANG]),
    _behind("a second answer behind chunks", lambda token: [b"".join(chunked(token, b"0\r\n\r\n", STOLEN)), Do.HANG]),
    _behind("a second answer behind trailers", lambda token: [b"".join(chunked(token, b"0\r\nA: 1\r\n\r\n", STOLEN)), Do.HANG]),
    _behind("a body behind HEAD", lambda token: [own(token), Do.HANG], "HEAD"),
    _behind("a body behind 204", lambda token: [b"HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\nabc", Do.HANG]),
    _behind("a body behind 304", lambda token: [b"HTTP/1.1 304 Not Modified\r\n\r\n" + STOLEN, Do.HANG]),
    _late("an answer to nobody", STOLEN, Do.HANG),
    _late("an interim answer to nobody", b"HTTP/1.1 103 Early Hints\r\n\r\n", Do.HANG),
    _late("a byte to nobody", b"H", Do.HANG),
    _late("an answer to nobody and the end", STOLEN, Do.CLOSE),
    _late("the end while idle", Do.CLOSE),
    _late("a reset while idle", Do.RESET),
]


# ── faults in the head: the client gets a 502 of the sidecar's own ──────────────────────────────────────────────────
def _head(name: str, *pieces: bytes | Pause | Do, ended: Ended = Ended.MALFORMED) -> Fault:
    return Fault(name, lambda token: [*pieces, Do.HANG], frozenset({ended}))


def _fields(name: str, lines: bytes) -> Fault:
    return _head(name, b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n\r\nhello" + STOLEN)


HEADS = [
    _head("no HTTP", b"220 mail.example ESMTP\r\n\r\n"),
    _head("bare line feeds", b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello\r\n\r\n"),
    _head("one bare line feed", b"HTTP/1.1 200 OK\r\nA: 1\nContent-Length: 5\r\n\r\nhello"),
    _head("bare carriage return", b"HTTP/1.1 200 OK\r\nA: 1\rB: 2\r\nContent-Length: 5\r\n\r\nhello"),
    _head("no status", b"HTTP/1.1 OK\r\nContent-Length: 5\r\n\r\nhello"),
    _head("a status of four digits", b"HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello"),
    _head("a status of nought", b"HTTP/1.1 000 OK\r\nContent-Length: 5\r\n\r\nhello"),
    _head("another protocol", b"HTTP/2 200\r\nContent-Length: 5\r\n\r\nhello"),
    _head("an event stream without a head", b"data: {}\n\n" * 20, b"\r\n\r\n"),
    _fields("two differing lengths", b"Content-Length: 5\r\nContent-Length: 6"),
    _fields("a list of lengths", b"Content-Length: 5, 6"),
    _fields("a length with a sign", b"Content-Length: +5"),
    _fields("a negative length", b"Content-Length: -5"),
    _fields("a hexadecimal length", b"Content-Length: 0x5"),
    _fields("an empty length", b"Content-Length:"),
    _fields("a length beyond all bounds", b"Content-Length: " + b"9" * 40),
    _fields("a coding that is not carried", b"Transfer-Encoding: gzip, chunked"),
    _fields("an unknown coding", b"Transfer-Encoding: xchunked"),
    _fields("two codings", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    _fields("a folded field", b"A: 1\r\n 2\r\nContent-Length: 5"),
    _fields("whitespace before the colon", b"Content-Length : 5"),
    _fields("a NUL in a value", b"A: \x00\r\nContent-Length: 5"),
    _fields("a field without a colon", b"Nonsense\r\nContent-Length: 5"),
    _fields("a field without a name", b": 1\r\nContent-Length: 5"),
    _fields("an over-long head", OVER_LONG * 5 + b"Content-Length: 5"),
    _head("a head without an end", b"HTTP/1.1 200 OK\r\n", *[OVER_LONG] * 20),
    _head(
        "another protocol without being asked",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    ),
    _head("a flood of interim answers", *[b"HTTP/1.1 102 Processing\r\n\r\n" * 50] * 20),
    _head("a flood of interim answers in one piece", b"HTTP/1.1 102 Processing\r\n\r\n" * 100 + STOLEN),
    _head("a head that ends half way", b"HTTP/1.1 200 OK\r\nContent-Le", Do.CLOSE),
    _head("a head that is reset half way", b"HTTP/1.1 200 OK\r\nContent-Le", Do.RESET),
    _head("an interim answer and the end", b"HTTP/1.1 103 Early Hints\r\n\r\n", Do.CLOSE),
    Fault("nothing and the end", lambda token: [Do.CLOSE], frozenset({Ended.NO_ANSWER, Ended.RACED})),
    Fault("nothing and a reset", lambda token: [Do.RESET], frozenset({Ended.NO_ANSWER, Ended.RACED})),
]


# ── faults in the body: the client gets what was good, and can tell that it is not whole ────────────────────────────
def _body(name: str, *pieces: bytes | Do) -> Fault:
    steps = [
        piece + STOLEN if isinstance(piece, bytes) and number == len(pieces) - 1 else piece
        for number, piece in enumerate(pieces)
    ]
    return Fault(name, lambda token: [*chunked(token), *steps, Do.HANG], frozenset({Ended.CUT}))


BODIES = [
    _body("a size that is no number", b"zz\r\n"),
    _body("a negative size", b"-5\r\nhello\r\n"),
    _body("a size with a sign", b"+5\r\nhello\r\n"),
    _body("a size with a prefix", b"0x5\r\nhello\r\n"),
    _body("an empty size", b"\r\n"),
    _body("whitespace before a size", b" 5\r\nhello\r\n"),
    _body("a size beyond all bounds", b"10000000000000005\r\nhello\r\n"),
    _body("a size that ends with a bare line feed", b"5\nhello\r\n"),
    _body("an extension with a control byte", b"5;a=\x01\r\nhello\r\n"),
    _body("an extension without an end", b"5;a=" + b"x" * 6_000),
    _body("more data than the size says", b"5\r\nhello!\r\n"),
    _body("no line end behind the data", b"5\r\nhello\n"),
    _body("a trailer that is no field", b"0\r\nnonsense\r\n\r\n"),
    _body("trailers without an end", b"0\r\n", *[OVER_LONG] * 10),
    _body("the end in mid-chunk", b"ff\r\nhello", Do.CLOSE),
    _body("a reset in mid-chunk", b"ff\r\n", Do.RESET),
    Fault("the end short of the length", lambda token: [own(token)[:-1], Do.CLOSE], frozenset({Ended.CUT})),
    Fault("a reset short of the length", lambda token: [own(token)[:-1], Do.RESET], frozenset({Ended.CUT})),
]


# ── the rig ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def slug(name: str) -> str:
    """Return a name as it stands in a target."""
    return name.replace(" ", "-")


class World:
    """A vendor that is honest and faulty as it is asked, a sidecar, and clients of both kinds."""

    def __init__(self) -> None:
        """Make the vendor."""
        self.vendor = WireVendor(self._serve)
        self.sidecar: Sidecar
        self.faults = {slug(fault.name): fault for fault in [*BEHIND, *HEADS, *BODIES]}
        self.extra: dict[str, Faulty] = {
            "silence": lambda token: [Do.HANG],
            "half-silence": lambda token: [*chunked(token), Do.HANG],
        }
        self.lines: dict[str, Line] = {}
        self._tokens = map(str, itertools.count(100_000))

    async def _serve(self, line: Line) -> None:
        def book(request: Request) -> Script:
            kind, _, token = request.target.removeprefix("/v1/").partition("/")
            self.lines[token] = line
            if kind == "honest":
                return [own(token)]
            return self.extra[kind](token) if kind in self.extra else self.faults[kind].script(token)

        await by_book(book)(line)

    def target(self, kind: str) -> tuple[str, str]:
        """Return a new token, and the target that asks for a kind of answer with it."""
        token = next(self._tokens)
        return token, f"/v1/{slug(kind)}/{token}"

    async def honest(self, wire: Wire) -> None:
        """Ask honestly, and get one's own answer."""
        token, target = self.target("honest")
        got = await wire.ask(get(target, "X-Client: honest"))
        assert got.head is not None, f"{target} got no answer: {got}"
        assert (got.status, got.payload, got.end) == (200, token.encode(), End.COMPLETE)
        assert (got.head.values(b"x-token"), wire.buffer, wire.is_usable) == ([token.encode()], b"", True)

    async def settle(self) -> None:
        """Let the sidecar see what its kernel has."""
        for _ in range(2):
            await asyncio.to_thread(lambda: self.sidecar.state)

    async def faulty(self, fault: Fault) -> None:
        """Ask for a fault; the call ends, and says rightly how."""
        token, target = self.target(fault.name)
        got = await ask(self.sidecar.port, get(target, method=fault.method), fault.method)
        call = await self.sidecar.watcher.one(target)
        assert call.ended in fault.ended
        line = self.lines[token]
        if fault.late:
            self.vendor.open(token)
        await until(lambda: line.gone is not None or line.is_over, "the end of the vendor's connection")
        await self.settle()
        check(fault, token, got)


def check(fault: Fault, token: str, got: Answer) -> None:
    """The client of a faulty call got what was good, a refusal, or what it can tell is cut; and nothing that is not its own."""
    assert b"stolen" not in got.payload
    if fault in BEHIND:
        assert (got.status // 100, got.end) in {(2, End.COMPLETE), (3, End.COMPLETE)}
        assert got.payload in {token.encode(), b""}
    elif fault in HEADS:
        assert (got.status, got.end) == (502, End.COMPLETE)
        assert got.head is not None
        assert got.head.values(b"slaguard-sidecar") == [b"refused"]
    else:
        assert (got.status, got.end in {End.CUT, End.RESET}) == (200, True)
        assert token.encode().startswith(got.payload[: len(token) - 1])


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    with running(world.vendor):
        quick = upstream(world.vendor.port, prefix="/quick", silence_ms=1_000)
        with sidecar_to(upstream(world.vendor.port), quick) as sidecar:
            world.sidecar = sidecar
            yield world


# ── the tests ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.faults
@pytest.mark.parametrize("fault", [*BEHIND, *HEADS, *BODIES], ids=lambda fault: slug(fault.name))
def test_a_fault_of_the_vendor_harms_nobody_else(world: World, fault: Fault) -> None:
    async def each(tries: int) -> None:
        async with AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(await Wire.open(world.sidecar.port)) for _ in range(3)]
            for _ in range(tries):
                if fault.late:  # what comes while a request is on its way is an answer to it, for all that anybody can tell
                    await world.faulty(fault)
                else:
                    await asyncio.gather(world.faulty(fault), *(world.honest(wire) for wire in wires[:2]))
                for wire in wires[1:]:
                    await world.honest(wire)

    async def tries() -> None:
        at_once = 1 if fault.late else 4
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(each(TRIES // at_once))

    world.sidecar.watcher.clear()
    asyncio.run(tries())
    ended = [call.ended for call in world.sidecar.watcher.over if "/honest/" in call.target]
    assert set(ended) == {Ended.COMPLETE}
    assert world.sidecar.state.open_calls == 0


@pytest.mark.faults
@pytest.mark.parametrize("coded_first", [True, False])
def test_chunks_win_over_a_length_which_is_not_passed_on_and_the_connection_is_not_used_again(
    world: World, *, coded_first: bool
) -> None:
    fields = [b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n"]
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(fields if coded_first else fields[::-1]) + b"\r\n"
    world.extra["both"] = lambda token: [head, b"%x\r\n%b\r\n0\r\n\r\n" % (len(token), token.encode())]

    async def tries() -> None:
        async with await Wire.open(world.sidecar.port) as wire:
            for _ in range(TRIES):
                token, target = world.target("both")
                got = await wire.ask(get(target))
                assert got.head is not None
                assert (got.payload, got.end, got.head.values(b"content-length")) == (token.encode(), End.COMPLETE, [])
                line = world.lines[token]
                await until(lambda line=line: line.gone is not None, "the end of the vendor's connection")  # type: ignore[misc]
                await world.honest(wire)

    asyncio.run(tries())


@pytest.mark.faults
def test_a_vendor_that_closes_without_saying_so_costs_a_racing_call_at_most_a_refusal(world: World) -> None:
    world.extra["and-gone"] = lambda token: [own(token), Do.CLOSE]
    outcomes = []

    async def tries() -> None:
        for _ in range(TRIES):
            _, target = world.target("and gone")
            await ask(world.sidecar.port, get(target))
            token, target = world.target("honest")
            got = await ask(world.sidecar.port, get(target))
            call = await world.sidecar.watcher.one(target)
            outcomes.append((got.status, call.ended))
            assert got.status == 502 or got.payload == token.encode()

    world.sidecar.watcher.clear()
    asyncio.run(tries())
    assert set(outcomes) <= {(200, Ended.COMPLETE), (502, Ended.RACED)}
    assert (200, Ended.COMPLETE) in outcomes


@pytest.mark.faults
@pytest.mark.parametrize(
    ("kind", "status", "end"), [("silence", 504, {End.COMPLETE}), ("half silence", 200, {End.CUT, End.RESET})]
)
def test_a_vendor_that_says_nothing_more_ends_its_calls_and_no_others(
    world: World, kind: str, status: int, end: set[End]
) -> None:
    async def silent() -> None:
        _, target = world.target(kind)
        got = await ask(world.sidecar.port, get("/quick" + target))
        assert (got.status, got.end in end) == (status, True)
        assert (await world.sidecar.watcher.one(target)).ended is Ended.SILENT

    async def beside() -> None:
        async with await Wire.open(world.sidecar.port) as wire:
            for _ in range(TRIES):
                await world.honest(wire)

    async def all_of_them() -> None:
        await asyncio.gather(beside(), *(silent() for _ in range(TRIES)))

    asyncio.run(all_of_them())


@pytest.mark.faults
def test_a_request_is_sent_once_whatever_its_method(world: World) -> None:
    async def tries() -> None:
        for method in ("GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS"):
            for name in ("nothing and the end", "nothing and a reset"):
                await ask(world.sidecar.port, get(world.target("honest")[1]))  # leaves a connection in the pool
                _, target = world.target(name)
                assert (await ask(world.sidecar.port, get(target, method=method), method)).status == 502
                assert len([request for request in world.vendor.requests if request.target == target]) == 1

    asyncio.run(tries())
