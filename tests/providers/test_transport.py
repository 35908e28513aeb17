"""The way out to a vendor, tried over real connections on loopback."""

from __future__ import annotations

import asyncio
import gzip
import logging
import pickle
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slaguard.cli.clock import SystemClock
from slaguard.config import Secret
from slaguard.providers.addresses import AddressPolicy
from slaguard.providers.base import Exchange, Fault, Request
from slaguard.providers.transport import HttpTransport
from slaguard.records import NS_PER_MS, Instant

LOOPBACK = AddressPolicy(loopback=True)
Start = Callable[..., Any]


def ok(body: bytes, *more: bytes) -> bytes:
    head = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def post(url: str, *headers: tuple[str, str | Secret]) -> Request:
    return Request(url=url, headers=headers, body=b"{}")


async def send(url: str, *headers: tuple[str, str | Secret], policy: AddressPolicy = LOOPBACK, **more: Any) -> Exchange:
    limits: dict[str, Any] = {"timeout_ms": 5000} | more
    async with HttpTransport(limits.pop("clock", None) or SystemClock(), policy, **limits) as transport:
        return await transport.send(post(url, *headers))


def asked(start: Start, answer: object, **more: Any) -> Exchange:
    async def run() -> Exchange:
        async with start(answer) as vendor:
            return await send(vendor.base_url, **more)

    return asyncio.run(run())


def test_an_answer_comes_back_byte_for_byte_with_its_times_and_its_peer(raw_vendor: Start) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nx-request-id: req_1\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(b"hello")
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.write(b"world")

    got = asked(raw_vendor, slowly)
    assert (got.status, got.body, got.complete, got.fault) == (200, b"helloworld", True, None)
    assert got.headers == {"x-request-id": "req_1"}
    assert got.peer == "127.0.0.1"
    assert got.sent_ns is not None
    assert got.first_byte_ns is not None
    assert (got.first_byte_ns - got.sent_ns) / NS_PER_MS > 80
    assert (got.ended_ns - got.first_byte_ns) / NS_PER_MS > 150
    assert [size for size, _ in got.marks] == [5, 10]
    assert got.marks[0][1] == got.first_byte_ns


def test_a_request_whose_connection_dies_is_sent_once_and_never_again(raw_vendor: Start) -> None:
    async def run() -> tuple[Exchange, int]:
        async def hang_up(writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with raw_vendor(hang_up) as vendor:
            return await send(vendor.base_url), len(vendor.requests)

    got, requests = asyncio.run(run())
    assert (got.fault, got.status, requests) == (Fault.CONNECTION, None, 1)
    assert got.sent_ns is not None


def test_aiohttp_sends_a_get_again_on_a_dead_connection_and_a_post_never(raw_vendor: Start) -> None:
    """Why questions are posted, on connections of their own: this is what the library does by itself."""

    async def run(method: str) -> tuple[int, str]:
        answers = 0

        async def then_die(writer: asyncio.StreamWriter) -> None:
            nonlocal answers
            answers += 1
            writer.write(ok(b"x")) if answers != 2 else writer.close()  # the second answer never comes

        async with raw_vendor(then_die) as vendor, aiohttp.ClientSession() as client:
            async with client.request(method, vendor.base_url) as first:
                await first.read()
            try:
                async with client.request(method, vendor.base_url) as second:
                    return len(vendor.requests), (await second.read()).decode()
            except aiohttp.ServerDisconnectedError:
                return len(vendor.requests), "disconnected"

    assert asyncio.run(run("GET")) == (3, "x")
    assert asyncio.run(run("POST")) == (2, "disconnected")


def test_every_request_has_a_connection_of_its_own_and_bytes_behind_an_answer_reach_nobody(raw_vendor: Start) -> None:
    async def run() -> tuple[list[bytes], int]:
        async with raw_vendor(ok(b"mine") + ok(b"evil")) as vendor:
            async with HttpTransport(SystemClock(), LOOPBACK, timeout_ms=5000) as transport:
                bodies = [(await transport.send(post(vendor.base_url))).body for _ in range(20)]
            return bodies, vendor.connections

    bodies, connections = asyncio.run(run())
    assert bodies == [b"mine"] * 20
    assert connections == 20


def test_a_malformed_chunk_ends_the_answer_at_once_and_not_at_the_time_out(raw_vendor: Start) -> None:
    async def malformed(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await writer.drain()
        await asyncio.sleep(0.1)
        writer.write(b"ZZZ\r\n")
        await writer.drain()
        await asyncio.sleep(10)

    begun = time.monotonic()
    got = asked(raw_vendor, malformed)
    assert time.monotonic() - begun < 2
    assert (got.fault, got.body, got.complete, got.detail) == (Fault.CUT, b"hello", False, "malformed_chunk")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", id="length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", id="chunked"),
    ],
)
def test_a_connection_cut_in_mid_answer_keeps_what_came(raw_vendor: Start, answer: bytes) -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    got = asked(raw_vendor, cut)
    assert (got.fault, got.status, got.body, got.complete) == (Fault.CUT, 200, b"half", False)


def test_a_redirect_is_recorded_and_not_followed(raw_vendor: Start) -> None:
    async def run() -> tuple[Exchange, int]:
        location = b"Location: http://127.0.0.1:1/elsewhere"
        async with raw_vendor(b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n" + location + b"\r\n\r\n") as vendor:
            return await send(vendor.base_url), len(vendor.requests)

    got, requests = asyncio.run(run())
    assert (got.status, got.headers["location"], requests) == (307, "http://127.0.0.1:1/elsewhere", 1)


def test_silence_and_a_stall_after_the_first_byte_are_time_outs_at_the_time_out(raw_vendor: Start) -> None:
    async def silence(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nh")
        await writer.drain()
        await asyncio.sleep(5)

    for answer, status in ((silence, None), (stall, 200)):
        got = asked(raw_vendor, answer, timeout_ms=200)
        assert (got.fault, got.status, got.ended_ns) == (Fault.TIMEOUT, status, 200 * NS_PER_MS)
        assert (got.first_byte_ns is not None) == (status == 200)


@dataclass
class SteppingClock:
    """A clock that stands still until somebody moves it."""

    ns: int = 1_790_812_800_000_000_000
    reads: list[int] = field(default_factory=list)

    def read(self) -> Instant:
        return Instant(self.ns, self.ns, "stepping")

    async def sleep_until(self, wall_ns: int) -> None:
        self.ns = max(self.ns, wall_ns)


def test_the_time_out_holds_on_the_clock_that_is_passed_in(raw_vendor: Start) -> None:
    clock = SteppingClock()

    async def late(writer: asyncio.StreamWriter) -> None:
        clock.ns += 6_000_000_000
        writer.write(ok(b"too late"))

    got = asked(raw_vendor, late, clock=clock)
    assert (got.fault, got.status, got.body, got.ended_ns) == (Fault.TIMEOUT, None, b"", 5_000_000_000)


def test_cookies_and_headers_outside_the_list_leave_no_trace(raw_vendor: Start) -> None:
    async def run() -> tuple[list[Exchange], list[bytes]]:
        answer = ok(b"x", b"Set-Cookie: session=canary", b"X-Canary: canary", b"Date: Thu, 01 Oct 2026 00:00:00 GMT")
        async with raw_vendor(answer) as vendor, HttpTransport(SystemClock(), LOOPBACK, timeout_ms=5000) as transport:
            return [await transport.send(post(vendor.base_url)) for _ in range(2)], vendor.requests

    got, requests = asyncio.run(run())
    assert "canary" not in repr(got)
    assert got[0].headers == {"date": "Thu, 01 Oct 2026 00:00:00 GMT"}
    assert b"cookie" not in requests[1].lower()


def test_a_proxy_in_the_environment_is_not_used(raw_vendor: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert asked(raw_vendor, ok(b"direct")).body == b"direct"


def test_the_key_is_on_the_wire_and_in_no_repr(raw_vendor: Start, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def run() -> tuple[Exchange, bytes]:
        async with raw_vendor(ok(b"x")) as vendor:
            return await send(vendor.base_url, ("Authorization", Secret("canary-key"))), vendor.requests[0]

    got, request = asyncio.run(run())
    assert b"Authorization: canary-key" in request
    assert "canary-key" not in repr(got) + repr(post("http://x", ("Authorization", Secret("canary-key")))) + caplog.text
    with pytest.raises(TypeError):
        pickle.dumps(Secret("canary-key"))


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        pytest.param("gzip", gzip.compress(b"the answer"), id="gzip"),
        pytest.param("gzip", gzip.compress(b"the ") + gzip.compress(b"answer"), id="two members"),
        pytest.param("deflate", zlib.compress(b"the answer"), id="deflate"),
        pytest.param("deflate", zlib.compress(b"the answer", wbits=-15), id="raw deflate"),
        pytest.param("identity", b"the answer", id="identity"),
    ],
)
def test_packed_bodies_are_unpacked(raw_vendor: Start, coding: str, packed: bytes) -> None:
    got = asked(raw_vendor, ok(packed, f"Content-Encoding: {coding}".encode()))
    assert (got.body, got.complete) == (b"the answer", True)


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        pytest.param("br", b"whatever", id="unknown"),
        pytest.param("gzip", b"not gzip at all", id="garbage"),
    ],
)
def test_a_coding_that_cannot_be_read_is_said_to_be(raw_vendor: Start, coding: str, packed: bytes) -> None:
    got = asked(raw_vendor, ok(packed, f"Content-Encoding: {coding}".encode()))
    assert (got.status, got.complete, got.detail) == (200, False, "content_encoding")


def test_half_a_packed_body_is_not_complete(raw_vendor: Start) -> None:
    packed = gzip.compress(bytes(range(256)) * 20)
    got = asked(raw_vendor, ok(packed[: len(packed) // 2], b"Content-Encoding: gzip"))
    assert (got.status, got.complete, got.fault) == (200, False, None)


def test_no_more_of_a_body_is_kept_than_the_limit(raw_vendor: Start) -> None:
    bomb = gzip.compress(b" " * (8 << 20))
    packed = asked(raw_vendor, ok(bomb, b"Content-Encoding: gzip"), max_body=1000)
    plain = asked(raw_vendor, ok(b"x" * 100_000), max_body=1000)
    for got in (packed, plain):
        assert (got.over_limit, got.complete, len(got.body), got.status) == (True, False, 1000, 200)
    exact = asked(raw_vendor, ok(b"x" * 1000), max_body=1000)
    assert (exact.over_limit, exact.complete) == (False, True)


# ── not reached ─────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_closed_port_and_an_unknown_name_are_told_apart(unused_port: int) -> None:
    assert asyncio.run(send(f"http://127.0.0.1:{unused_port}/v1")).fault is Fault.REFUSED
    got = asyncio.run(send("https://api.acme.invalid/v1", policy=AddressPolicy()))
    assert (got.fault, got.sent_ns, got.status) == (Fault.DNS, None, None)


@pytest.fixture
def unused_port() -> int:
    async def find() -> int:
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return port

    return asyncio.run(find())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::ffff:127.0.0.1]", "127.1", "2130706433"])
def test_a_vendor_beyond_this_machine_never_leads_to_it(raw_vendor: Start, host: str) -> None:
    async def run() -> tuple[Exchange, int]:
        async with raw_vendor(ok(b"inside")) as vendor:
            got = await send(f"http://{host}:{vendor.port}/v1", policy=AddressPolicy(private=True))
            return got, vendor.connections

    got, connections = asyncio.run(run())
    assert (got.fault, got.body, connections) == (Fault.DENIED, b"", 0)


def test_a_vendor_on_this_machine_is_reached_by_name(raw_vendor: Start) -> None:
    async def run() -> Exchange:
        async with raw_vendor(ok(b"inside")) as vendor:
            return await send(f"http://localhost:{vendor.port}/v1")

    assert asyncio.run(run()).body == b"inside"


# ── no HTTP at all ──────────────────────────────────────────────────────────────────────────────────────────────────
HOSTILE_HEADS = [
    b"",
    b"\x00\xff\xfe" * 100,
    b"HTTP/1.1 ABC OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nx",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 99 Odd\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n: nameless\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
]


@pytest.mark.parametrize("head", HOSTILE_HEADS, ids=range(len(HOSTILE_HEADS)))
def test_what_is_no_http_is_a_fault_and_not_an_error(raw_vendor: Start, head: bytes) -> None:
    got = asked(raw_vendor, closing(head), timeout_ms=2000)
    assert got.fault is not None or not got.complete or got.body in {b"x", b"abc", b"hello"}
    assert got.detail is None or got.detail.isascii()


def closing(content: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    return write


@given(
    junk=st.lists(
        st.one_of(st.binary(max_size=60), st.sampled_from([b"HTTP/1.1 200 OK\r\n", b"\r\n", b"0\r\n\r\n"])), max_size=8
    )
)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_bytes_come_back_nothing_is_raised(raw_vendor: Start, junk: list[bytes]) -> None:
    got = asked(raw_vendor, closing(b"".join(junk)), timeout_ms=1000)
    assert got.ended_ns <= 1000 * NS_PER_MS


def test_headers_up_to_32_kib_are_accepted(raw_vendor: Start) -> None:
    assert asked(raw_vendor, ok(b"x", b"X-Long: " + b"y" * 20_000)).body == b"x"
