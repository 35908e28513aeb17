"""The ceiling: a pump of uvloop Protocols and httptools that passes bytes and keeps connections, and nothing else.

It checks nothing, changes no field, waits for nobody (no backpressure, no timeouts, no drain), speaks no TLS and tells
nobody. It is no product; it says what Python can reach at best.

    python sidecar_raw.py PORT JSON_PORT EVENTS_PORT PREFIX
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import httptools
import uvloop


class Vendor(asyncio.Protocol):
    """A connection to a vendor: passes what comes to the client that holds it, and is free once the answer is whole."""

    def __init__(self, free: list[Vendor], client: Client) -> None:
        """Serve a client."""
        self.free, self.client = free, client
        self.parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        self.client.transport.write(data)
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Be free for the next."""
        self.client.vendor = None
        self.free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the client down with it."""
        del exc
        if self in self.free:
            self.free.remove(self)
        elif self.client.vendor is self:
            self.client.transport.close()


class Client(asyncio.Protocol):
    """A connection of the application: passes what comes to a vendor's connection, a free one first."""

    pools: tuple[list[Vendor], list[Vendor]] = ([], [])
    ports = (int(sys.argv[2]), int(sys.argv[3]))
    prefix = sys.argv[4].encode()

    def __init__(self) -> None:
        """Begin with no vendor."""
        self.vendor: Vendor | None = None
        self.waiting: list[bytes] | None = None
        self.parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def on_url(self, url: bytes) -> None:
        """Choose where a request goes."""
        which = url.startswith(self.prefix)
        if self.pools[which]:
            self.vendor = self.pools[which].pop()
            self.vendor.client = self
        else:
            self.waiting = []
            self.opening = asyncio.ensure_future(self.connect(which))

    async def connect(self, which: int) -> None:
        """Open a connection, and send what has come meanwhile."""
        _, self.vendor = await asyncio.get_running_loop().create_connection(
            lambda: Vendor(self.pools[which], self), "127.0.0.1", self.ports[which]
        )
        self.vendor.transport.writelines(self.waiting or [])
        self.waiting = None

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        self.parser.feed_data(data)
        if self.waiting is not None:
            self.waiting.append(data)
        elif self.vendor is not None:
            self.vendor.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the vendor's connection down with it, where an answer is under way."""
        del exc
        if self.vendor is not None:
            self.vendor.transport.close()


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Client, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
