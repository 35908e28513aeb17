"""A scripted vendor on loopback: it sends exact bytes in exact pieces, ends connections at any point, keeps what it was sent.

It works on bare sockets in a thread and loop of its own: nothing buffers, frames or mends behind its back.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import socket
import struct
import sys
import termios
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeVar

from tests.sidecar.framing import HEAD_END, Chunks, Head

LOOPBACK: Final = "127.0.0.1"
_READ: Final = 1 << 18
T = TypeVar("T")


# ── what a script is made of, beside bytes that are sent as one piece ────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so long; 0 lets everybody else have a turn."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Gate:
    """Wait until the test opens it."""

    name: str


@dataclass(frozen=True, slots=True)
class Part:
    """Read on until so many bytes of the request's body are there."""

    size: int


class Do(Enum):
    """What a script can do besides."""

    WHOLE = "read the request's body; done first by a script that neither says this nor `Part`"
    CLOSE = "end the connection from this side (FIN), then wait for the other side to do so"
    RESET = "reset the connection, once the other side's kernel has every byte"
    HANG = "do nothing until the other side has gone"


Step = bytes | Pause | Gate | Part | Do
Script = Sequence[Step]


@dataclass(slots=True)
class Request:
    """A request as it was received: `body` as it was on the wire, framing included, as far as it was read."""

    head: Head
    body: bytes = b""
    is_whole: bool = False

    @property
    def method(self) -> str:
        """The method."""
        return self.head.line.split(b" ")[0].decode("ascii")

    @property
    def target(self) -> str:
        """Path and query."""
        return self.head.line.split(b" ")[1].decode("ascii")

    @property
    def payload(self) -> bytes:
        """The body without its framing."""
        if not self.head.values(b"transfer-encoding"):
            return self.body
        chunks = Chunks(0)
        chunks.scan(bytearray(self.body))
        return bytes(chunks.payload)


class Line:
    """One connection, seen by the vendor. `gone`: how the other side ended it, ``eof`` or ``reset``."""

    def __init__(self, vendor: WireVendor, sock: socket.socket) -> None:
        """Serve an accepted connection."""
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._vendor = vendor
        self._sock = sock
        self.requests: list[Request] = []
        self.unread = bytearray()
        self.received = 0
        self.sent = 0
        self.gone: str | None = None
        self.is_over = False

    @property
    def has_ended(self) -> bool:
        """Whether either side has ended it."""
        return self.is_over or self.gone is not None

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _more(self) -> bool:
        loop = asyncio.get_running_loop()
        try:
            piece = await loop.sock_recv(self._sock, _READ)
        except ConnectionError:
            self.gone = "reset"
            return False
        if not piece:
            self.gone = "eof"
            return False
        self.unread += piece
        self.received += len(piece)
        return True

    async def head(self) -> Request | None:
        """Read a request's head; None where the other side has gone before it was whole."""
        while (at := self.unread.find(HEAD_END)) < 0:
            if not await self._more():
                return None
        request = Request(Head.of(bytes(self.unread[: at + 4])))
        del self.unread[: at + 4]
        if self._vendor.keeps:
            self.requests.append(request)
            self._vendor.requests.append(request)
        return request

    async def body(self, request: Request, part: int | None = None) -> None:
        """Read a request's body, or what is missing until so many bytes of it are there; less where the other side goes."""
        if request.is_whole:
            return
        self.unread[:0] = request.body
        lengths = request.head.values(b"content-length")
        stop = int(lengths[0]) if lengths else 0
        chunks = Chunks(0) if request.head.values(b"transfer-encoding") else None
        while not (chunks.scan(self.unread) if chunks else len(self.unread) >= stop):
            if (part is not None and len(self.unread) >= part) or not await self._more():
                stop = len(self.unread)
                break
        else:
            stop = chunks.at if chunks else stop
            request.is_whole = part is None
        if part is not None:
            stop = min(stop, part)
        request.body = bytes(self.unread[:stop])
        del self.unread[:stop]

    async def until_gone(self) -> None:
        """Read and keep until the other side ends the connection."""
        while self.gone is None:
            await self._more()

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def say(self, data: bytes) -> None:
        """Send a piece; the kernel has it when this returns.

        Raises:
            ConnectionError: the other side has reset.

        """
        loop = asyncio.get_running_loop()
        if len(data) < _READ:
            await loop.sock_sendall(self._sock, data)
            self.sent += len(data)
            return
        for at in range(0, len(data), 1 << 16):  # so that `sent` tells how far it went
            piece = data[at : at + (1 << 16)]
            await loop.sock_sendall(self._sock, piece)
            self.sent += len(piece)

    async def flushed(self) -> None:
        """Wait until the other side's kernel has acknowledged every byte, where the system tells it."""
        if sys.platform != "linux":
            await asyncio.sleep(0.02)
            return
        waiting = array.array("i", [0])
        while True:
            fcntl.ioctl(self._sock, termios.TIOCOUTQ, waiting)
            if not waiting[0]:
                return
            await asyncio.sleep(0.0005)

    async def finish(self) -> None:
        """Send FIN, and read until the other side has gone too."""
        self._sock.shutdown(socket.SHUT_WR)
        await self.until_gone()

    async def reset(self) -> None:
        """Send what is sent, then RST."""
        await self.flushed()
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    async def play(self, script: Script, request: Request) -> None:
        """Do what a script says; the body is read first where it does not say when."""
        if not any(step is Do.WHOLE or isinstance(step, Part) for step in script):
            await self.body(request)
        for step in script:
            if not self.is_over:
                await self._step(step, request)

    async def _step(self, step: Step, request: Request) -> None:
        match step:
            case bytes():
                await self.say(step)
            case Pause():
                await asyncio.sleep(step.seconds)
            case Gate():
                await self._vendor.gates[step.name].wait()
            case Part():
                await self.body(request, step.size)
            case Do.WHOLE:
                await self.body(request)
            case Do.CLOSE:
                await self.finish()
            case Do.RESET:
                await self.reset()
                self.is_over = True
            case Do.HANG:
                await self.until_gone()

    def close(self) -> None:
        """Let go of the socket."""
        self.is_over = True
        self._sock.close()


Book = Callable[[Request], Script]
Serve = Callable[[Line], Awaitable[None]]


def by_book(book: Book, *, whole: Callable[[Request], bool] = lambda request: False) -> Serve:
    """Serve a connection: read a head, look up its script, play it, and so on until one side ends it.

    `whole`: whether a request's body is read before its script is looked up.
    """

    async def serve(line: Line) -> None:
        while not line.has_ended and (request := await line.head()) is not None:
            if whole(request):
                await line.body(request)
            await line.play(book(request), request)
            if not line.has_ended:
                await line.body(request)

    return serve


class WireVendor:
    """The vendor: `serve` runs for each connection. `lines` are all connections and `requests` all requests, as they came."""

    def __init__(self, serve: Serve, *, keeps: bool = True, kernel: int | None = None) -> None:
        """Listen on a port of loopback.

        `keeps`: whether connections keep their requests; `kernel`: how many bytes of a connection the kernel may keep on this
        side, each way (None: as many as it likes).
        """
        self.serve = serve
        self.keeps = keeps
        self.lines: list[Line] = []
        self.requests: list[Request] = []
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.troubles: list[BaseException] = []
        self._listening = socket.create_server((LOOPBACK, 0), backlog=512)
        self._listening.setblocking(False)
        if kernel is not None:  # what is accepted inherits it
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                self._listening.setsockopt(socket.SOL_SOCKET, option, kernel)
        self.port: int = self._listening.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="wire vendor", daemon=True)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(self._accept())
        self.loop.close()

    async def _accept(self) -> None:
        accepting = self.loop.create_task(self._accept_all())
        await self._stopped.wait()
        left = [accepting, *self._tasks]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _accept_all(self) -> None:
        while True:
            sock, _ = await self.loop.sock_accept(self._listening)
            line = Line(self, sock)
            self.lines.append(line)
            task = self.loop.create_task(self._serve(line))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, line: Line) -> None:
        try:
            await self.serve(line)
        except ConnectionError:
            line.gone = line.gone or "reset"
        except Exception as trouble:  # noqa: BLE001 - a script that is wrong shows in the test
            self.troubles.append(trouble)
        finally:
            line.close()

    # ── for tests, from their own thread ────────────────────────────────────────────────────────────────────────────
    def open(self, gate: str) -> None:
        """Open a gate."""
        self.loop.call_soon_threadsafe(self._open, gate)

    def _open(self, gate: str) -> None:
        self.gates[gate].set()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the vendor's loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """End all connections and the thread."""
        self.loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(30)
        self._listening.close()


@contextmanager
def running(vendor: WireVendor) -> Iterator[WireVendor]:
    """Run a vendor; a script that was wrong is raised at the end."""
    vendor.start()
    try:
        yield vendor
    finally:
        vendor.stop()
    if vendor.troubles:
        raise vendor.troubles[0]
