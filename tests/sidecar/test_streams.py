"""Streams: nothing is held back, nobody works for one who has gone, and whoever is slow slows the other side.

No clock decides here: the vendor sends its next piece only once the client has said that it has the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from slaguard.sidecar.call import Ended
from tests.sidecar.clients import Wire, ask, get, until
from tests.sidecar.corpus import MIB
from tests.sidecar.framing import End
from tests.sidecar.running import Sidecar, sidecar_to, upstream
from tests.sidecar.wire_vendor import Do, Gate, Line, Part, Script, WireVendor, by_book, running

CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
PIECES = [b'data: {"n":%d,"d":"\xe2\x82\xac"}\n\n' % n for n in range(12)]
STREAM = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in PIECES]
LAST = b"0\r\n\r\n"


@dataclass
class Between:
    """A vendor with a script for each target, and a sidecar before it."""

    vendor: WireVendor
    sidecar: Sidecar
    scripts: dict[str, Script]

    @property
    def sent(self) -> int:
        """Bytes that the vendor's kernel took."""
        return sum(line.sent for line in self.vendor.lines)

    def line_of(self, target: str) -> Line | None:
        """Return the vendor's connection on which a target was asked for."""
        found = (line for line in self.vendor.lines for request in line.requests if request.target == target)
        return next(found, None)

    async def asked(self, target: str) -> Line:
        """Wait until the vendor has a request's head."""
        await until(lambda: self.line_of(target) is not None, f"the request {target}")
        line = self.line_of(target)
        assert line is not None
        return line

    @asynccontextmanager
    async def half_way(self, target: str, script: Script, sending: bytes | None = None) -> AsyncIterator[tuple[Wire, Line]]:
        """Ask, and go on once the vendor has the request."""
        self.scripts[target] = script
        async with await Wire.open(self.sidecar.port) as wire:
            await wire.send(sending or get(target))
            yield wire, await self.asked(target)


@pytest.fixture(scope="module")
def between() -> Iterator[Between]:
    scripts: dict[str, Script] = {}
    with (
        running(WireVendor(by_book(lambda request: scripts[request.target]))) as vendor,
        sidecar_to(upstream(vendor.port)) as sidecar,
    ):
        yield Between(vendor, sidecar, scripts)


# ── nothing is held back ────────────────────────────────────────────────────────────────────────────────────────────
def gated(target: str, head: bytes, pieces: list[bytes], *behind: bytes | Do) -> Script:
    """Return a script that sends each piece only once the one before has been confirmed."""
    steps: list[bytes | Gate | Do] = [head]
    for number, piece in enumerate(pieces):
        steps += [Gate(f"{target} {number}"), piece]
    return [*steps, Gate(f"{target} {len(pieces)}"), *behind]


async def confirm_each(between: Between, port: int, target: str, head: bytes, pieces: list[bytes]) -> bytes:
    """Read a gated answer, confirming what has come; returns its body."""
    async with await Wire.open(port) as wire:
        await wire.send(get(target))
        reading = wire.reading()
        await wire.read_until(reading, lambda: reading.head is not None)
        for number in range(len(pieces)):
            between.vendor.open(f"{target} {number}")
            there = sum(map(len, pieces[: number + 1]))
            await wire.read_until(reading, lambda there=there: len(reading.body_so_far) >= there)  # type: ignore[misc]
            assert reading.body_so_far == b"".join(pieces[: number + 1])
        between.vendor.open(f"{target} {len(pieces)}")
        return (await wire.finish(reading)).body


JSON_PIECES = [b'{"choices"', b":[{}", b"]", b"}"]
BYTES_OF_A_CHUNK = [b"1", b"0", b"\r", b"\n", b"0123456789abcde", b"f", b"\r", b"\n", b"0", b"\r", b"\n", b"\r"]


@pytest.mark.parametrize(
    ("name", "head", "pieces", "behind"),
    [
        ("events", CHUNKED, STREAM, (LAST,)),
        ("several-events-a-piece", CHUNKED, [b"".join(STREAM[:3]), b"".join(STREAM[3:])], (LAST,)),
        ("bytes-of-a-chunk", CHUNKED, BYTES_OF_A_CHUNK, (b"\n",)),
        ("json", b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n", JSON_PIECES, (b"\n\n",)),
        ("until-close", UNTIL_CLOSE, PIECES, (Do.CLOSE,)),
        ("head-alone", CHUNKED, [], (LAST,)),
    ],
)
def test_a_piece_is_at_the_client_before_the_vendor_sends_the_next(
    between: Between, name: str, head: bytes, pieces: list[bytes], behind: tuple[bytes | Do, ...]
) -> None:
    for number in range(3):  # on a new connection and on used ones
        target = f"/v1/{name}/{number}"
        between.scripts[target] = gated(target, head, pieces, *behind)
        body = asyncio.run(confirm_each(between, between.sidecar.port, target, head, pieces))
        assert body == b"".join([*pieces, *(step for step in behind if isinstance(step, bytes))])


def test_fifty_streams_at_once_each_get_their_own_events_as_they_come(between: Between) -> None:
    async def all_of_them() -> None:
        jobs = []
        for number in range(50):
            target = f"/v1/many/{number}"
            own = [b"%x\r\n%s\r\n" % (len(data), data) for data in (b"data: %d %d\n\n" % (number, n) for n in range(20))]
            between.scripts[target] = gated(target, CHUNKED, own, LAST)
            jobs.append(confirm_each(between, between.sidecar.port, target, CHUNKED, own))
        await asyncio.gather(*jobs)

    asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("name", "field", "pieces"),
    [
        ("length", "Content-Length: 18", [*JSON_PIECES, b"\n", b"\n"]),
        ("chunked", "Transfer-Encoding: chunked", [*BYTES_OF_A_CHUNK, b"\n"]),
    ],
)
def test_a_piece_of_a_question_is_at_the_vendor_before_the_client_sends_the_next(
    between: Between, name: str, field: str, pieces: list[bytes]
) -> None:
    async def step_by_step(target: str) -> None:
        asked = get(target, field, method="POST")
        async with between.half_way(target, [Do.WHOLE, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"], asked) as (wire, line):
            start = line.received
            for number, piece in enumerate(pieces):
                await wire.send(piece)
                there = start + sum(map(len, pieces[: number + 1]))
                await until(lambda there=there: line.received == there, f"piece {number}")  # type: ignore[misc]
            assert (await wire.finish(wire.reading())).status == 200

    asyncio.run(step_by_step(f"/v1/up-{name}"))


def test_an_interim_answer_is_not_held_back_until_the_final_one(between: Between) -> None:
    async def hinted() -> None:
        hint = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        script: Script = [hint, Gate("hinted"), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
        async with between.half_way("/v1/hint", script) as (wire, _):
            reading = wire.reading()
            await wire.read_until(reading, lambda: reading.interim == [hint])
            between.vendor.open("hinted")
            assert (await wire.finish(reading)).end is End.COMPLETE

    asyncio.run(hinted())


# ── who goes takes the other side along ─────────────────────────────────────────────────────────────────────────────
Leave = Callable[[Wire], None]
LEAVING = pytest.mark.parametrize("leave", [Wire.close, Wire.reset], ids=["closes", "resets"])


async def gone(between: Between, target: str, line: Line) -> None:
    """The vendor sees that its client has gone, the call says so, and nothing is left."""
    await until(lambda: line.gone is not None or line.is_over, "the end of the vendor's connection")
    assert (await between.sidecar.watcher.one(target)).ended is Ended.CLIENT_LEFT
    await until(lambda: between.sidecar.state.open_calls == 0, "no open call")


@LEAVING
@pytest.mark.parametrize("head", [CHUNKED + STREAM[0], b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", UNTIL_CLOSE + b"x"])
def test_a_client_that_goes_in_mid_answer_ends_the_vendors_connection(between: Between, head: bytes, leave: Leave) -> None:
    async def leaving(target: str) -> None:
        async with between.half_way(target, [head, Do.HANG]) as (wire, line):
            reading = wire.reading()
            await wire.read_until(reading, lambda: len(reading.body_so_far) > 0)
            leave(wire)
            await gone(between, target, line)

    asyncio.run(leaving(f"/v1/leave/{leave.__name__}/{len(head)}"))


@LEAVING
def test_a_client_that_goes_before_its_answer_ends_the_vendors_connection(between: Between, leave: Leave) -> None:
    async def leaving(target: str) -> None:
        async with between.half_way(target, [Do.HANG]) as (wire, line):
            leave(wire)
            await gone(between, target, line)

    asyncio.run(leaving(f"/v1/leave-early/{leave.__name__}"))


@LEAVING
def test_a_client_that_goes_while_it_asks_ends_the_vendors_connection(between: Between, leave: Leave) -> None:
    async def leaving(target: str) -> None:
        asked = get(target, "Content-Length: 100", method="POST") + b"half"
        async with between.half_way(target, [Do.WHOLE], asked) as (wire, line):
            leave(wire)
            await gone(between, target, line)
            assert line.requests[-1].body == b"half"

    asyncio.run(leaving(f"/v1/leave-asking/{leave.__name__}"))


def test_a_client_that_goes_in_mid_stream_is_noticed_while_the_vendor_sends_on(between: Between) -> None:
    async def leaving(target: str) -> None:
        async with between.half_way(target, [CHUNKED, *STREAM * 2_000, Do.HANG]) as (wire, line):
            reading = wire.reading()
            await wire.read_until(reading, lambda: len(reading.body_so_far) > 2_000)
            wire.close()
            await gone(between, target, line)

    asyncio.run(leaving("/v1/leave-busy"))


@pytest.mark.parametrize("ending", [Do.CLOSE, Do.RESET])
@pytest.mark.parametrize(
    "head",
    [CHUNKED + STREAM[0], CHUNKED + STREAM[0][:-2], b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"],
    ids=["chunk", "cut", "length"],
)
def test_a_vendor_that_goes_in_mid_answer_ends_the_clients_connection(between: Between, head: bytes, ending: Do) -> None:
    target = f"/v1/vendor-leaves/{ending.name}/{len(head)}"
    between.scripts[target] = [head, ending]

    async def asking() -> None:
        got = await ask(between.sidecar.port, get(target))
        assert got.end in {End.CUT, End.RESET}
        assert got.body == head.partition(b"\r\n\r\n")[2]
        call = await between.sidecar.watcher.one(target)
        assert (call.ended, call.http_status) == (Ended.CUT, 200)

    asyncio.run(asking())


@pytest.mark.parametrize("ending", [Do.CLOSE, Do.RESET])
def test_a_vendor_that_goes_while_the_client_asks_ends_the_call_at_once(between: Between, ending: Do) -> None:
    async def asking(target: str) -> None:
        asked = get(target, f"Content-Length: {MIB}", method="POST") + bytes(20_000)
        async with between.half_way(target, [Part(20_000), ending], asked) as (wire, _):
            got = await wire.finish(wire.reading())
            assert (got.status, got.end) == (502, End.COMPLETE)
            call = await between.sidecar.watcher.one(target)
            assert call.ended in {Ended.NO_ANSWER, Ended.RACED}

    asyncio.run(asking(f"/v1/vendor-leaves-asking/{ending.name}"))


# ── who is slow slows the other side ────────────────────────────────────────────────────────────────────────────────
MOST_HELD = MIB
"""Bytes of one stream that the sidecar itself may hold, beside what the kernel holds for its sockets."""
KERNEL = 1 << 17
LARGE = 48 * MIB
BLOCK = bytes(range(256)) * 1024  # 256 KiB


@pytest.fixture(scope="module")
def narrow() -> Iterator[Between]:
    """The same with a vendor for which the kernel keeps little."""
    scripts: dict[str, Script] = {}
    vendor = WireVendor(by_book(lambda request: scripts[request.target]), kernel=KERNEL)
    with running(vendor), sidecar_to(upstream(vendor.port)) as sidecar:
        yield Between(vendor, sidecar, scripts)


def in_the_kernel(between: Between) -> int:
    """Return how many bytes wait in the sockets of the client, the sidecar and the vendor."""
    ends = {f":{port:04X}" for port in (between.vendor.port, between.sidecar.port)}
    table = Path("/proc/net/tcp")
    if not table.exists():
        pytest.skip("what the kernel holds is read from /proc/net/tcp, which Linux has")
    rows = [line.split() for line in table.read_text(encoding="ascii").splitlines()[1:]]
    queues = [row[4].split(":") for row in rows if row[1][8:] in ends or row[2][8:] in ends]
    return sum(int(waiting, 16) + int(unread, 16) for waiting, unread in queues)


async def stands_still(count: Callable[[], int]) -> int:
    """Wait until a count has begun to grow and grows no more; a busy machine can only make it look smaller."""
    still, last = 0, 0
    while still < 20 or not last:
        now = count()
        still = still + 1 if now == last else 0
        last = now
        await asyncio.sleep(0.05)
    return last


@pytest.mark.parametrize("framing", ["length", "chunked", "until close"])
def test_a_client_that_does_not_read_stops_the_vendor_and_gets_everything_once_it_reads(narrow: Between, framing: str) -> None:
    block, head = BLOCK, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE
    ending: list[bytes | Do] = []
    if framing == "chunked":
        block, head, ending = b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK), CHUNKED, [LAST]
    elif framing == "until close":
        head, ending = UNTIL_CLOSE, [Do.CLOSE]
    body = block * (LARGE // len(BLOCK))

    async def slowly(target: str) -> None:
        narrow.scripts[target] = [head, body, *ending]
        async with await Wire.open(narrow.sidecar.port, kernel=KERNEL) as wire:
            before = narrow.sent
            await wire.send(get(target))
            sent = await stands_still(lambda: narrow.sent - before)
            assert 0 < sent < LARGE
            assert sent - in_the_kernel(narrow) < MOST_HELD
            got = await wire.finish(wire.reading())
        assert got.body == body + (LAST if framing == "chunked" else b"")
        assert got.end is (End.CLOSED if framing == "until close" else End.COMPLETE)
        assert (await narrow.sidecar.watcher.one(target)).ended is Ended.COMPLETE

    asyncio.run(slowly(f"/v1/slow-client/{framing[:5]}"))


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_vendor_that_does_not_read_stops_the_client_and_gets_everything_once_it_reads(narrow: Between, framing: str) -> None:
    field, block, ending = f"Content-Length: {LARGE}", BLOCK, b""
    if framing == "chunked":
        field, block, ending = "Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(BLOCK), BLOCK), LAST
    body = block * (LARGE // len(BLOCK)) + ending

    async def slowly(target: str) -> None:
        narrow.scripts[target] = [Part(1), Gate(target), Do.WHOLE, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
        async with await Wire.open(narrow.sidecar.port, kernel=KERNEL) as wire:
            sending = asyncio.create_task(wire.send(get(target, field, method="POST") + body))
            line = await narrow.asked(target)
            sent = await stands_still(lambda: wire.sent)
            assert 0 < sent < LARGE
            arrived = len(line.unread) + len(line.requests[-1].body)
            assert sent - arrived - in_the_kernel(narrow) < MOST_HELD
            narrow.vendor.open(target)
            await sending
            assert (await wire.finish(wire.reading())).status == 200
        assert line.requests[-1].body == body

    asyncio.run(slowly(f"/v1/slow-vendor/{framing}"))


def test_a_client_that_does_not_read_harms_no_other(narrow: Between) -> None:
    body = BLOCK * (LARGE // len(BLOCK))

    async def beside(target: str) -> None:
        async with narrow.half_way(target, [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE, body]) as (_, line):
            assert await stands_still(lambda: line.sent)
            for number in range(50):
                other = f"{target}/{number}"
                narrow.scripts[other] = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(other), other.encode())]
                assert (await ask(narrow.sidecar.port, get(other))).payload == other.encode()

    asyncio.run(beside("/v1/slow-neighbour"))
