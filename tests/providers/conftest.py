"""Vendors made of bytes: real servers on loopback that answer exactly what a test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawVendor:
    """A server that reads one request after the other and lets `answer` write what it likes."""

    answer: Answer
    port: int = 0
    scheme: str = "http"
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0

    @property
    def base_url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next((int(v) for n, _, v in fields(head) if n == b"content-length"), 0)
                self.requests.append(head + await reader.readexactly(length))
                await self.answer(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


def fields(head: bytes) -> list[tuple[bytes, bytes, bytes]]:
    parts = [line.partition(b":") for line in head.split(b"\r\n")[1:] if line]
    return [(name.strip().lower(), colon, value.strip()) for name, colon, value in parts]


@pytest.fixture
def raw_vendor() -> Callable[..., AbstractAsyncContextManager[RawVendor]]:
    """Start a vendor: bytes to answer with, or a coroutine function that writes them."""

    @asynccontextmanager
    async def start(answer: bytes | Answer, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawVendor]:
        vendor = RawVendor(written(answer) if isinstance(answer, bytes) else answer, scheme="https" if tls else "http")
        server = await asyncio.start_server(vendor.serve, "127.0.0.1", 0, ssl=tls)
        vendor.port = server.sockets[0].getsockname()[1]
        try:
            yield vendor
        finally:
            server.close()

    return start


def written(answer: bytes) -> Answer:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    return write
