"""What the pump does when a side is slow, silent, gone or not to be reached; and that it ends in order."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from slaguard.providers.addresses import AddressPolicy
from slaguard.sidecar import connect
from slaguard.sidecar.call import Call, Ended
from slaguard.sidecar.pump import Limits
from slaguard.sidecar.route import Routes
from tests.sidecar.clients import Wire, ask, get
from tests.sidecar.framing import End
from tests.sidecar.running import sidecar_to, upstream
from tests.sidecar.wire_vendor import LOOPBACK, Do, Gate, Part, Pause, Script, WireVendor, by_book, running

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


@asynccontextmanager
async def _wires(port: int, count: int = 1) -> AsyncIterator[list[Wire]]:
    """Connect, and let go at the end."""
    wires = [await Wire.open(port) for _ in range(count)]
    try:
        yield wires
    finally:
        for wire in wires:
            wire.close()


def _once(*upstreams: Any, requests: bytes = get("/x"), **options: Any) -> tuple[int, Call]:
    """Ask once; return the status the client got and the call."""
    with sidecar_to(*upstreams, **options) as sidecar:

        async def run() -> tuple[int, Call]:
            answer = await ask(sidecar.port, requests)
            await sidecar.watcher.settled()
            return answer.status, sidecar.watcher.over[0]

        return asyncio.run(run())


# ── reaching the vendor ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "detail"),
    [
        pytest.param({}, "refused", id="nobody listens"),
        pytest.param({"address": "no-such-host.invalid", "policy": AddressPolicy()}, "dns", id="no such name"),
        pytest.param({"policy": AddressPolicy()}, "denied", id="an address that is not allowed"),
        pytest.param({"address": "localhost", "policy": AddressPolicy()}, "denied", id="a name that leads inside"),
        pytest.param({"address": "169.254.169.254"}, "denied", id="a cloud's metadata"),
    ],
)
def test_a_vendor_that_is_not_reached_is_said_to_the_client_and_to_the_watcher(options: dict[str, Any], detail: str) -> None:
    status, call = _once(upstream(_free_port(), **options))
    assert (status, call.ended, call.detail, call.sent_ns) == (502, Ended.UNREACHED, detail, None)


def test_what_was_asked_is_known_although_nobody_was_reached() -> None:
    with sidecar_to(upstream(_free_port()), keep_bodies=True) as sidecar:

        async def run() -> int:
            async with _wires(sidecar.port) as (wire,):
                head = get("/x", "Content-Length: 17", method="POST")
                answer = await wire.ask([head, Pause(0.2), b'{"model":', Pause(0.2), b'"large"}'])
                await sidecar.watcher.settled()
                return answer.status

        assert asyncio.run(run()) == 502
        (call,) = sidecar.watcher.over
        assert (call.ended, call.question.first) == (Ended.UNREACHED, b'{"model":"large"}')


def test_a_vendor_that_takes_no_connection_in_time_is_not_reached() -> None:
    with socket.socket() as full:  # a listener whose queue is full answers no handshake
        full.bind((LOOPBACK, 0))
        full.listen(0)
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        for sock in held:
            sock.setblocking(False)
            sock.connect_ex((LOOPBACK, port))
        status, call = _once(upstream(port, connect_ms=200))
        for sock in held:
            sock.close()
    assert (status, call.ended, call.detail) == (502, Ended.UNREACHED, "connect_timeout")


def test_a_name_nobody_looks_up_in_time_holds_up_no_other_vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = threading.Event()

    def look_up(name: str, port: int) -> list[str]:
        del port
        if name == "stuck.test":
            stuck.wait(20)
        return [LOOPBACK]

    monkeypatch.setattr(connect, "_look_up", look_up)
    with running(WireVendor(by_book(lambda _: [OK]))) as vendor:
        good = upstream(vendor.port, address="good.test")
        bad = upstream(vendor.port, address="stuck.test", prefix="/bad", connect_ms=500)
        with sidecar_to(good, bad) as sidecar:

            async def run() -> list[int]:
                others = [asyncio.create_task(ask(sidecar.port, get("/bad/x"))) for _ in range(20)]
                good_ones = [(await ask(sidecar.port, get("/x"))).status for _ in range(5)]
                return good_ones + [(await other).status for other in others]

            assert asyncio.run(run()) == [200] * 5 + [502] * 20
            stuck.set()


def test_an_address_that_swallows_everything_is_passed_over_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(WireVendor(by_book(lambda _: [OK]))) as vendor, socket.socket() as full:
        full.bind(("127.0.0.2", vendor.port))
        full.listen(0)
        held = [socket.socket() for _ in range(4)]
        for sock in held:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.2", vendor.port))
        monkeypatch.setattr(connect, "_look_up", lambda *_: ["127.0.0.2", LOOPBACK])
        status, call = _once(upstream(vendor.port, address="two.test", connect_ms=2000))
        for sock in held:
            sock.close()
    assert (status, call.ended) == (200, Ended.COMPLETE)


@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1\nHost: a\n\n", b"\x16\x03\x01\x02\x00\x01\x00", b"\r\nGET"])
def test_what_cannot_become_a_head_is_refused_at_once(begun: bytes) -> None:
    with sidecar_to(upstream(_free_port()), limits=Limits(head_s=3600)) as sidecar:
        assert asyncio.run(ask(sidecar.port, begun)).status == 400


def test_a_client_that_resets_while_nobody_reads_its_question_is_noticed() -> None:
    async def never_reads(line: Any) -> None:
        while line.gone is None:
            await asyncio.sleep(0.05)

    with running(WireVendor(never_reads)) as vendor, sidecar_to(upstream(vendor.port)) as sidecar:

        async def run() -> Call:
            wire = await Wire.open(sidecar.port)
            asked = get("/up", "Content-Length: 900000000", method="POST") + bytes(64 << 20)
            with suppress(TimeoutError):
                await asyncio.wait_for(wire.send(asked), 2)
            wire.reset()
            return await sidecar.watcher.one("/up")

        assert asyncio.run(run()).ended is Ended.CLIENT_LEFT
        for line in vendor.lines:
            line.gone = "eof"


def test_the_clients_own_time_is_known_beside_the_vendors() -> None:
    with running(WireVendor(by_book(lambda _: [Do.WHOLE, OK]))) as vendor, sidecar_to(upstream(vendor.port)) as sidecar:

        async def run() -> Call:
            async with _wires(sidecar.port) as (wire,):
                await wire.ask([get("/slow", "Content-Length: 4", method="POST"), Pause(0.5), b"rest"])
                return await sidecar.watcher.one("/slow")

        call = asyncio.run(run())
        assert call.sent_ns is not None
        assert call.asked_ns is not None
        assert call.asked_ns - call.sent_ns > 400_000_000


@pytest.mark.parametrize(("others_are_reached", "detail"), [(True, "refused"), (False, "no_way_out")])
def test_a_control_target_tells_our_own_outage_from_the_vendors(others_are_reached: bool, detail: str) -> None:
    with sidecar_to(upstream(_free_port())) as sidecar:

        async def control() -> bool:
            return others_are_reached

        sidecar.pump.control = control

        async def run() -> None:
            assert (await ask(sidecar.port, get("/x"))).status == 502
            await sidecar.watcher.settled()

        asyncio.run(run())
        assert sidecar.watcher.over[0].detail == detail


# ── TLS ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this machine that is its own authority; the key stands beside it."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("the openssl command is not installed")
    folder = tmp_path_factory.mktemp("tls")
    command = [program, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=vendor", "-addext", "subjectAltName=DNS:localhost", "-days", "2", "-keyout", "key", "-out", "pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "pem"


async def _hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(OK)
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


def _over_tls(
    certificate: Path, address: str, trust: ssl.SSLContext | None
) -> list[tuple[int, Ended | None, str | None, bool]]:
    async def run() -> list[tuple[int, Ended | None, str | None, bool]]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_name("key"))
        server = await asyncio.start_server(_hello, LOOPBACK, 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        to = upstream(port, tls=True, address=address)
        found = []
        manager = sidecar_to(to, trust=trust)
        sidecar = manager.__enter__()
        try:
            for _ in range(2):
                status = (await ask(sidecar.port, get("/x"))).status
                await sidecar.watcher.settled()
                call = sidecar.watcher.over[-1]
                found.append((status, call.ended, call.detail, call.reused))
        finally:
            await asyncio.to_thread(manager.__exit__, None, None, None)
            server.close()
        return found

    return asyncio.run(run())


def test_a_vendor_is_spoken_to_over_tls_and_its_connection_kept(certificate: Path) -> None:
    trust = ssl.create_default_context(cafile=certificate)
    assert _over_tls(certificate, "localhost", trust) == [
        (200, Ended.COMPLETE, None, False),
        (200, Ended.COMPLETE, None, True),
    ]


@pytest.mark.parametrize("address", [pytest.param("localhost", id="not trusted"), pytest.param(LOOPBACK, id="another name")])
def test_a_certificate_that_does_not_hold_is_no_connection(certificate: Path, address: str) -> None:
    trust = None if address == "localhost" else ssl.create_default_context(cafile=certificate)
    assert _over_tls(certificate, address, trust) == [(502, Ended.UNREACHED, "tls", False)] * 2


# ── quiet sides ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("script", "status"),
    [
        pytest.param([Do.HANG], 504, id="before the answer"),
        pytest.param([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Do.HANG], 200, id="in its middle"),
    ],
)
def test_a_vendor_that_falls_silent_is_given_up_in_time(script: Script, status: int) -> None:
    with running(WireVendor(by_book(lambda _: script))) as vendor:
        got, call = _once(upstream(vendor.port, silence_ms=1000))
    assert (got, call.ended) == (status, Ended.SILENT)


def test_a_client_that_owes_the_rest_of_its_question_is_given_up_in_time() -> None:
    with running(WireVendor(by_book(lambda _: [OK]))) as vendor:
        request = get("/x", "Content-Length: 100", method="POST") + b"some"
        status, call = _once(upstream(vendor.port), requests=request, limits=Limits(question_s=1))
        assert (status, call.ended, call.detail) == (400, Ended.CLIENT_BROKE, "stalled")


def test_a_head_that_never_ends_and_a_connection_nobody_uses_are_closed() -> None:
    with (
        running(WireVendor(by_book(lambda _: [OK]))) as vendor,
        sidecar_to(upstream(vendor.port), limits=Limits(head_s=1, idle_s=1)) as sidecar,
    ):

        async def run() -> None:
            async with _wires(sidecar.port, 2) as (slow, unused):
                assert (await slow.ask(b"GET / HTTP/1.1\r\nHo")).status == 408
                assert await unused.is_closed()

        asyncio.run(run())
        assert sidecar.watcher.begun == []
        assert sidecar.state.refused == {"408": 1}


def test_more_connections_than_allowed_are_refused_and_the_others_served() -> None:
    with (
        running(WireVendor(by_book(lambda _: [OK]))) as vendor,
        sidecar_to(upstream(vendor.port), limits=Limits(clients=2)) as sidecar,
    ):

        async def run() -> list[int]:
            async with _wires(sidecar.port, 2) as wires:
                assert [(await wire.ask(get("/x"))).status for wire in wires] == [200, 200]
                return [(await ask(sidecar.port, get("/x"))).status, (await wires[0].ask(get("/y"))).status]

        assert asyncio.run(run()) == [503, 200]


# ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_answer_before_the_question_is_whole_is_passed_on_and_nothing_is_kept() -> None:
    early = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
    with running(WireVendor(by_book(lambda _: [Part(3), early]))) as vendor:
        request = get("/x", "Content-Length: 100000", method="POST") + b"abc"
        status, call = _once(upstream(vendor.port), requests=request)
        assert (status, call.ended, call.http_status) == (413, Ended.COMPLETE, 413)


def test_a_stop_lets_answers_end_and_refuses_new_connections() -> None:
    answer: Script = [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfor", Gate("later"), b"you"]
    with running(WireVendor(by_book(lambda _: answer))) as vendor, sidecar_to(upstream(vendor.port)) as sidecar:

        async def run() -> None:
            async with _wires(sidecar.port, 2) as (wire, idle):
                reading = wire.reading()
                await wire.send(get("/x"))
                await wire.read_until(reading, lambda: reading.head is not None)
                draining = asyncio.create_task(asyncio.to_thread(sidecar.run, sidecar.pump.drain(30)))
                await asyncio.sleep(0.1)
                with pytest.raises(ConnectionError):
                    await asyncio.open_connection(LOOPBACK, sidecar.port)
                asked = asyncio.create_task(idle.ask(get("/late")))  # on a connection that was kept
                await asyncio.sleep(0.1)
                assert not draining.done()
                vendor.open("later")
                answer = await wire.finish(reading)
                assert (answer.end, answer.body) == (End.COMPLETE, b"foryou")
                late = await asked
                assert late.body == b"foryou"
                assert late.head is not None
                assert b"close" in late.head.named
                assert await draining == 0

        asyncio.run(run())
        assert sidecar.watcher.ends == {Ended.COMPLETE}


def test_what_outlasts_the_grace_is_ended_and_said_so() -> None:
    with running(WireVendor(by_book(lambda _: [Do.HANG]))) as vendor, sidecar_to(upstream(vendor.port)) as sidecar:

        async def run() -> None:
            asked = asyncio.create_task(ask(sidecar.port, get("/x")))
            while not sidecar.watcher.begun:
                await asyncio.sleep(0.01)
            assert await asyncio.to_thread(sidecar.run, sidecar.pump.drain(0.2)) == 1
            assert (await asked).status == 503

        asyncio.run(run())
        assert sidecar.watcher.ends == {Ended.STOPPED}


def test_requests_sent_at_once_are_answered_in_their_order() -> None:
    def book(request: Any) -> list[bytes]:
        body = request.target.encode()
        return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)]

    with running(WireVendor(by_book(book))) as vendor, sidecar_to(upstream(vendor.port)) as sidecar:

        async def run() -> list[bytes]:
            async with _wires(sidecar.port) as (wire,):
                await wire.send(get("/a") + get("/b", method="POST", body=b"two") + get("/c"))
                return [(await wire.finish(wire.reading())).body for _ in range(3)]

        assert asyncio.run(run()) == [b"/a", b"/b", b"/c"]


def test_other_routes_hold_for_the_next_request_on_the_same_connection() -> None:
    def answering(word: bytes) -> WireVendor:
        return WireVendor(by_book(lambda _: [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(word), word)]))

    with running(answering(b"old")) as old, running(answering(b"new")) as new, sidecar_to(upstream(old.port)) as sidecar:

        async def run() -> list[bytes]:
            async with _wires(sidecar.port) as (wire,):
                first = await wire.ask(get("/x"))
                sidecar.pump.replace(Routes([upstream(new.port)]))
                return [first.body, (await wire.ask(get("/x"))).body]

        assert asyncio.run(run()) == [b"old", b"new"]
