"""TLS before a vendor that speaks in the clear: a front in the vendor's own loop that passes bytes both ways."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.sidecar.wire_vendor import LOOPBACK, WireVendor


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on, as they come; the end of one side is the end of the other."""
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
            return
    writer.close()


class _Front:
    """The connections of a front."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_vendor, to_vendor = await asyncio.open_connection(LOOPBACK, self._port)
        try:
            await asyncio.gather(_pass_on(reader, to_vendor), _pass_on(from_vendor, writer))
        finally:
            for each in (writer, to_vendor):
                each.transport.abort()

    async def start(self, context: ssl.SSLContext) -> asyncio.Server:
        return await asyncio.start_server(self.accept, LOOPBACK, 0, ssl=context)

    async def stop(self, server: asyncio.Server) -> None:
        server.close()
        left = list(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0.05)  # sockets are closed a turn later


@contextmanager
def tls_before(vendor: WireVendor, context: ssl.SSLContext) -> Iterator[int]:
    """Listen with TLS; yields the port."""
    front = _Front(vendor.port)
    server = vendor.run(front.start(context))
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        vendor.run(front.stop(server))
