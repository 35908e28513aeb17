"""A client of bare sockets: sends exact bytes in exact pieces, and hides nothing of what comes back."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final, Self

from tests.sidecar.framing import Answer, End, Reading
from tests.sidecar.wire_vendor import LOOPBACK, Pause

PATIENCE: Final = 60.0
"""Seconds after which something hangs: no measurement, only an end for a test that would otherwise have none."""
_READ: Final = 1 << 18


class Wait(Enum):
    """What a client waits for between two pieces of its request."""

    CONTINUE = "an interim answer, or the final one"
    HEAD = "the head of the final answer"


Sending = Sequence[bytes | Pause | Wait]


class Wire:
    """One connection to a server, seen by the client."""

    def __init__(self, sock: socket.socket) -> None:
        """Use a connected socket."""
        self._sock = sock
        self.buffer = bytearray()
        self.sent = 0
        self.is_usable = True

    @classmethod
    async def open(cls, port: int, *, kernel: int | None = None) -> Wire:
        """Connect; `kernel`: how many bytes it may keep on this side, each way (None: as many as it likes)."""
        sock = socket.socket()
        sock.setblocking(False)
        if kernel is not None:
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, kernel)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, (LOOPBACK, port))
        return cls(sock)

    async def send(self, data: bytes) -> None:
        """Send a piece.

        Raises:
            ConnectionError: the other side has gone.

        """
        loop = asyncio.get_running_loop()
        for at in range(0, len(data), 1 << 16):
            piece = data[at : at + (1 << 16)]
            await loop.sock_sendall(self._sock, piece)
            self.sent += len(piece)

    async def read_until(self, reading: Reading, enough: Callable[[], bool]) -> None:
        """Read on until there is enough, or the answer has ended.

        Raises:
            TimeoutError: nothing came; the test hangs.

        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(PATIENCE):
            reading.feed(b"")
            while reading.end is None and not enough():
                try:
                    data = await loop.sock_recv(self._sock, _READ)
                except ConnectionError:
                    reading.over(reset=True)
                    self.is_usable = False
                    return
                if not data:
                    reading.over()
                    self.is_usable = False
                    return
                reading.feed(data)

    async def finish(self, reading: Reading) -> Answer:
        """Read an answer to its end; what stands behind it is kept for the next."""
        await self.read_until(reading, lambda: False)
        answer = reading.answer
        self.buffer = bytearray(reading.surplus)
        self.is_usable = self.is_usable and answer.end is End.COMPLETE and answer.head is not None
        if answer.head is not None and (b"close" in answer.head.named or answer.head.line.startswith(b"HTTP/1.0")):
            self.is_usable = False
        return answer

    def reading(self, method: str = "GET") -> Reading:
        """Begin to read an answer."""
        return Reading(method, self.buffer)

    async def ask(self, sending: bytes | Sending, method: str = "GET") -> Answer:
        """Send a request and read its answer; a server that answers early and goes may leave some of it unsent."""
        reading = self.reading(method)
        for step in [sending] if isinstance(sending, bytes) else sending:
            match step:
                case bytes():
                    try:
                        await asyncio.wait_for(self.send(step), PATIENCE)
                    except ConnectionError:
                        break
                case Pause():
                    await asyncio.sleep(step.seconds)
                case Wait.CONTINUE:
                    await self.read_until(reading, lambda: bool(reading.interim) or reading.head is not None)
                case Wait.HEAD:
                    await self.read_until(reading, lambda: reading.head is not None)
            if reading.end is not None and not self.is_usable:
                break
        return await self.finish(reading)

    async def is_closed(self) -> bool:
        """Wait until the other side ends the connection, and tell whether nothing came before."""
        async with asyncio.timeout(PATIENCE):
            try:
                return not await asyncio.get_running_loop().sock_recv(self._sock, _READ)
            except ConnectionError:
                return True

    async def __aenter__(self) -> Self:
        """Use it."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        self.close()

    def half_close(self) -> None:
        """Send FIN, and go on reading."""
        self._sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Send RST."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Let go of the socket."""
        self.is_usable = False
        self._sock.close()


async def ask(port: int, sending: bytes | Sending, method: str = "GET") -> Answer:
    """Ask on a connection of its own."""
    async with await Wire.open(port) as wire:
        return await wire.ask(sending, method)


def get(target: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Return a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: sidecar.test", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


async def until(true: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        AssertionError: it never was.

    """
    for turn in range(int(PATIENCE / 0.005)):
        if true():
            return
        await asyncio.sleep(0.0005 if turn < 20 else 0.005)
    raise AssertionError(f"waited in vain: {what}")
