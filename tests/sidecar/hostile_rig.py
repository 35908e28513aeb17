"""A pump between raw bytes and a vendor that answers anything, and the second opinion on what those bytes say.

`strict` is an HTTP/1.1 request parser of the tests' own, written from RFC 9112 and knowing nothing of the pump: what a vendor
received must be requests by it, and the very ones that the client's bytes are by it.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import socket
import threading
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar, cast

import uvloop

from slaguard.cli.clock import SystemClock
from slaguard.providers.addresses import AddressPolicy
from slaguard.sidecar.call import Call
from slaguard.sidecar.pump import Limits, Pump
from slaguard.sidecar.route import Routes, Upstream

HOST: Final = b"Host: sidecar.test\r\n"
SMUGGLED: Final = b"GET /smuggled HTTP/1.1\r\nHost: sidecar.test\r\n\r\n"
PATIENCE: Final = 20.0
"""Seconds within which everything ends, on a machine that has other things to do."""
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINE: Final = re.compile(rb"(" + _TOKEN + rb") (/[\x21\x22\x24-\x7e]*) HTTP/1\.([01])\Z")
_NAME: Final = re.compile(_TOKEN + rb"\Z")
_VALUE: Final = re.compile(rb"[\t \x21-\x7e\x80-\xff]*\Z")
_HOST: Final = re.compile(rb"[A-Za-z0-9._~\-\[\]:%]+\Z")
_NEVER_IN_TRAILERS: Final = {
    b"transfer-encoding", b"content-length", b"host", b"connection", b"te", b"trailer", b"upgrade", b"authorization", b"cookie",
    b"content-encoding", b"content-type", b"content-range", b"expect", b"cache-control", b"proxy-authorization",
}  # fmt: skip
T = TypeVar("T")


# ── the second opinion ──────────────────────────────────────────────────────────────────────────────────────────────
class FaultError(ValueError):
    """These bytes are no request."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the strict reading has it; `body` without chunk framing."""

    method: bytes
    target: bytes
    body: bytes
    fields: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def said(self) -> tuple[bytes, bytes, bytes]:
        """What must be the same on both sides of the pump."""
        return self.method, self.target, self.body


@dataclass(frozen=True, slots=True)
class Reading:
    """The requests in some bytes, one after the other, what is left, and why reading stopped (None: more may come)."""

    requests: tuple[Request, ...]
    rest: bytes
    fault: str | None


def strict(data: bytes) -> Reading:
    """Read the requests that a connection carried."""
    found: list[Request] = []
    while data:
        try:
            request, size = one(data)
        except FaultError as fault:
            return Reading(tuple(found), data, str(fault))
        if request is None:
            break
        found.append(request)
        data = data[size:]
    return Reading(tuple(found), data, None)


def one(data: bytes) -> tuple[Request | None, int]:
    """Return the request at the start, and its length in bytes; None where it is not whole yet."""
    end = data.find(b"\r\n\r\n")
    if end < 0:
        _plain(data.removesuffix(b"\r"))
        return None, 0
    _plain(data[:end])
    line, *rows = data[:end].split(b"\r\n")
    matched = _LINE.match(line)
    if matched is None:
        raise FaultError(f"no request line: {line[:80]!r}")
    fields = tuple(_field(row) for row in rows)
    _require_host(fields)
    body, size = _body(fields, data[end + 4 :], matched[3])
    if body is None:
        return None, 0
    return Request(matched[1], matched[2], body, fields), end + 4 + size


def _plain(head: bytes) -> None:
    bare = head.replace(b"\r\n", b"")
    if b"\r" in bare or b"\n" in bare:
        raise FaultError("a bare CR or LF in the head")


def _field(row: bytes) -> tuple[bytes, bytes]:
    name, colon, value = row.partition(b":")
    if not colon or not _NAME.match(name) or not _VALUE.match(value):
        raise FaultError(f"no field: {row[:80]!r}")
    return name.lower(), value.strip(b" \t")


def _require_host(fields: Sequence[tuple[bytes, bytes]]) -> None:
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1 or not _HOST.match(hosts[0]):
        raise FaultError(f"not one Host: {hosts[:3]!r}")


def _body(fields: Sequence[tuple[bytes, bytes]], data: bytes, minor: bytes) -> tuple[bytes | None, int]:
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise FaultError("framed twice")
    if codings:
        if codings[0].lower() != b"chunked" or minor == b"0":
            raise FaultError(f"Transfer-Encoding {codings[0][:40]!r}")
        return _chunks(data)
    if not lengths:
        return b"", 0
    if not re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
        raise FaultError(f"Content-Length {lengths[0][:40]!r}")
    size = int(lengths[0])
    return (data[:size], size) if len(data) >= size else (None, 0)


def _chunks(data: bytes) -> tuple[bytes | None, int]:
    body, at = b"", 0
    while True:
        end = data.find(b"\r\n", at)
        line = data[at:] if end < 0 else data[at:end]
        if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", line.removesuffix(b"\r") if end < 0 else line) and (line or end >= 0):
            raise FaultError(f"chunk size {line[:40]!r}")
        if end < 0:
            return None, 0
        size, at = int(line, 16), end + 2
        if size == 0:
            return _trailers(body, data, at)
        if data[at + size : at + size + 2] != b"\r\n"[: max(0, len(data) - at - size)]:
            raise FaultError("no CRLF after a chunk")
        if len(data) < at + size + 2:
            return None, 0
        body, at = body + data[at : at + size], at + size + 2


def _trailers(body: bytes, data: bytes, at: int) -> tuple[bytes | None, int]:
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            _plain(data[at:].removesuffix(b"\r"))
            return None, 0
        if end == at:
            return body, end + 2
        _plain(data[at:end])
        name, _ = _field(data[at:end])
        if name in _NEVER_IN_TRAILERS:
            raise FaultError(f"a trailer {name!r}")
        at = end + 2


# ── the vendor ──────────────────────────────────────────────────────────────────────────────────────────────────────
def answer_to(request: Request) -> bytes:
    """Return the body that the vendor answers a request with: nobody else's."""
    digest = hashlib.sha256(request.body).hexdigest().encode()
    return b" ".join((request.method, request.target, b"%d" % len(request.body), digest))


class RecordingVendor:
    """Keeps every byte it was sent, answers what is a request, and notes what is none."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.faults: list[str] = []
        self.unfinished: list[bytes] = []
        self.transports: set[asyncio.Transport] = set()

    def clear(self) -> None:
        self.seen.clear()
        self.faults.clear()
        self.unfinished.clear()


class _VendorSide(asyncio.Protocol):
    def __init__(self, vendor: RecordingVendor) -> None:
        self._vendor = vendor
        self._data = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so
        self._vendor.transports.add(self._transport)

    def data_received(self, data: bytes) -> None:
        reading = strict(self._data + data)
        self._data = reading.rest
        for request in reading.requests:
            self._vendor.seen.append(request)
            self._answer(request)
        if reading.fault is not None:
            self._vendor.faults.append(f"{reading.fault}: {reading.rest[:200]!r}")
            assert self._transport is not None
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            self._data = b""

    def _answer(self, request: Request) -> None:
        assert self._transport is not None
        if request.method == b"HEAD":
            self._transport.write(b"HTTP/1.1 200 OK\r\n\r\n")
            return
        body = answer_to(request)
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def connection_lost(self, exc: Exception | None) -> None:
        assert self._transport is not None
        self._vendor.transports.discard(self._transport)
        if self._data:
            self._vendor.unfinished.append(self._data)
            self._data = b""


# ── the rig ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class Noting:
    """A watcher that counts: what began must end."""

    def __init__(self) -> None:
        self.begun = 0
        self.over: list[Call] = []

    def began(self, call: Call) -> None:
        self.begun += 1

    def ended(self, call: Call) -> None:
        self.over.append(call)


@dataclass(slots=True)
class Answer:
    """What a client got: the answers in order, whether the connection was closed, and whether we lost patience."""

    answers: list[tuple[int, bytes]]
    closed: bool
    hung: bool

    @property
    def statuses(self) -> list[int]:
        return [status for status, _ in self.answers]


class Rig:
    """The pump and its vendor on a loop of their own, in a thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self.vendor = RecordingVendor()
        self.watcher = Noting()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE * 2)

    async def _start(self) -> None:
        server = await self._loop.create_server(lambda: _VendorSide(self.vendor), "127.0.0.1", 0)
        self._server = cast("asyncio.Server", server)
        port = self._server.sockets[0].getsockname()[1]
        upstream = Upstream(
            vendor="Acme AI", tls=False, address="127.0.0.1", port=port, authority=f"127.0.0.1:{port}",
            policy=AddressPolicy(loopback=True), connect_ms=5_000, silence_ms=15_000,
        )  # fmt: skip
        self.pump = Pump(Routes([upstream]), self.watcher, SystemClock(), limits=self._limits)
        self.port = (await self.pump.listen("127.0.0.1", 0)).port

    async def _stop(self) -> None:
        await self.pump.drain(0.2)
        self._server.close()
        for transport in list(self.vendor.transports):
            transport.abort()
        await asyncio.sleep(0.05)

    @property
    def open_calls(self) -> int:
        async def look() -> int:
            return self.pump.state().open_calls

        return self.run(look())

    def settle(self) -> None:
        """Wait until no call is open."""
        until = time.monotonic() + PATIENCE
        while self.open_calls:
            assert time.monotonic() < until, "a call is open that nobody waits for"
            time.sleep(0.005)
        time.sleep(0.005)  # the vendor's side of it

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client

    def exchange(self, *pieces: bytes, expected: int | None = None, pause: float = 0.0) -> Answer:
        """Send bytes on a new connection; read `expected` answers (None: until the connection is closed)."""
        with self.connect() as client:
            send(client, pieces, pause)
            return receive(client, expected)

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Send an honest request on a new connection and return its answer."""
        got = self.exchange(request, expected=1)
        assert len(got.answers) == 1, "an honest request was not answered"
        return got.answers[0]


@contextmanager
def rig(limits: Limits | None = None) -> Iterator[Rig]:
    with Rig(limits or Limits()) as made:
        yield made


def send(client: socket.socket, pieces: Sequence[bytes], pause: float = 0.0) -> None:
    """Send piece by piece; that the other side has already hung up is an answer, too."""
    try:
        for piece in pieces:
            client.sendall(piece)
            if pause:
                time.sleep(pause)
    except (BrokenPipeError, ConnectionResetError):
        return


def receive(client: socket.socket, expected: int | None) -> Answer:
    data = b""
    while True:
        answers = answers_in(data)
        if expected is not None and len(answers) >= expected:
            return Answer(answers, closed=False, hung=False)
        try:
            piece = client.recv(65536)
        except ConnectionResetError:
            return Answer(answers, closed=True, hung=False)
        except TimeoutError:
            return Answer(answers, closed=False, hung=True)
        if not piece:
            return Answer(answers, closed=True, hung=False)
        data += piece


def answers_in(data: bytes) -> list[tuple[int, bytes]]:
    """Return the whole answers in these bytes (all of them have a Content-Length; 1xx are passed over)."""
    found: list[tuple[int, bytes]] = []
    while (end := data.find(b"\r\n\r\n")) >= 0:
        matched = re.match(rb"HTTP/1\.[01] ([1-5][0-9][0-9])[ \r]", data)
        assert matched, f"no answer: {data[:200]!r}"
        length = re.search(rb"\r\ncontent-length: *([0-9]+)\r\n", data[: end + 2], re.IGNORECASE)
        size = int(length[1]) if length else 0
        if len(data) < end + 4 + size:
            break
        if matched[1][:1] != b"1":
            found.append((int(matched[1]), data[end + 4 : end + 4 + size]))
        data = data[end + 4 + size :]
    return found


def post(*rows: bytes, body: bytes = b"", target: bytes = b"/v1/chat/completions", version: bytes = b"1.1") -> bytes:
    """Write a POST with these field lines (without line ends) after Host."""
    return b"POST %s HTTP/%s\r\n%s%s\r\n%s" % (target, version, HOST, b"".join(row + b"\r\n" for row in rows), body)


def get(target: bytes, *rows: bytes) -> bytes:
    return b"GET %s HTTP/1.1\r\n%s%s\r\n" % (target, HOST, b"".join(row + b"\r\n" for row in rows))
