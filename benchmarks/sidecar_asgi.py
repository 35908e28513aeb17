"""The comparator: a bare ASGI application on uvicorn (uvloop, httptools) that asks with aiohttp, and captures nothing.

It is the usual way to write such a proxy, with the settings that keep bytes as they are: nothing decoded, no redirects, no
cookies, no fields added, bodies as they arrive, fields in their order.

    python sidecar_asgi.py PORT JSON_PORT EVENTS_PORT PREFIX
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import aiohttp
import uvicorn
from multidict import CIMultiDict
from yarl import URL

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]

HOP: Final = frozenset({b"connection", b"keep-alive", b"te", b"upgrade", b"proxy-authorization", b"proxy-authenticate"})
"""`Transfer-Encoding` is left to the server, which frames anew."""
MOST: Final = 32 * 1024


async def rest(first: bytes, receive: Receive) -> AsyncIterator[bytes]:
    """Yield a body that comes in several pieces."""
    yield first
    more = True
    while more:
        got = await receive()
        more = got.get("more_body", False)
        yield got.get("body", b"")


class Proxy:
    """The application."""

    def __init__(self, origins: tuple[str, str], prefix: str) -> None:
        """Know where to ask; the session is opened when the loop runs."""
        self._origins = origins
        self._prefix = prefix.encode()
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self._session is not None:
            await self._pass(self._session, scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Hold the session as long as the server runs."""
        await receive()
        async with aiohttp.ClientSession(
            auto_decompress=False,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=900),
            max_line_size=MOST,
            max_field_size=MOST,
        ) as self._session:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _pass(self, session: aiohttp.ClientSession, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask the vendor and pass the answer piece by piece."""
        path: bytes = scope["raw_path"]
        which = path.startswith(self._prefix)
        target = path[len(self._prefix) :] if which else path
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        fields = CIMultiDict(
            (k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"] if k not in HOP and k != b"host"
        )
        got = await receive()
        body: bytes | AsyncIterator[bytes] = got.get("body", b"")
        if got.get("more_body", False):
            body = rest(got["body"], receive)
        url = URL(self._origins[which] + target.decode("ascii"), encoded=True)
        async with session.request(scope["method"], url, headers=fields, data=body, allow_redirects=False) as found:
            kept = [(k, v) for k, v in found.raw_headers if k.lower() not in HOP and k.lower() != b"transfer-encoding"]
            await send({"type": "http.response.start", "status": found.status, "headers": kept})
            async for piece in found.content.iter_any():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    port, json_port, events_port, prefix = sys.argv[1:5]
    uvicorn.run(
        Proxy((f"http://127.0.0.1:{json_port}", f"http://127.0.0.1:{events_port}"), prefix),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        ws="none",
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
