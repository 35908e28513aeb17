"""The HTTP server, in the caller's event loop: it binds first, has no signal handlers, and ends when it is told to."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from slaguard.config import Listen
from slaguard.errors import ConfigError

GRACE_S: Final = 5
"""How long requests under way may still take when the server ends, seconds."""
MAX_HEAD: Final = 32 * 1024
"""The largest target and headers of a request, bytes."""


async def serve(app: ASGIApp, listen: Listen, *, stop: asyncio.Event, started: Callable[[str], None]) -> None:
    """Answer requests until `stop` is set.

    Args:
        app: the application.
        listen: where; port 0 takes any free one.
        stop: ends the server; requests under way have `GRACE_S` seconds.
        started: is told the address, ``http://127.0.0.1:7464``, as soon as it answers.

    Raises:
        ConfigError: the port is taken or not allowed, or the address is not this machine's.

    """
    bound = await _bind(listen)
    host, port = bound.getsockname()[:2]
    config = uvicorn.Config(
        app, http=Protocol, ws="none", lifespan="off", log_config=None, access_log=False, server_header=False,
        date_header=True, proxy_headers=False, timeout_graceful_shutdown=GRACE_S,
    )  # fmt: skip
    server = _Server(config, lambda: started(f"http://{Listen(host, port)}"))
    running, stopping = asyncio.create_task(server.serve(sockets=[bound])), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        server.should_exit = True
        stopping.cancel()
        with suppress(asyncio.CancelledError):
            await stopping
        await running


class _Server(uvicorn.Server):
    """Uvicorn without hands of its own on the process's signals, and with a word when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the caller."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._ready()


class Protocol(HttpToolsProtocol):
    """Uvicorn's parser, and what it lets pass: endless headers, a whole URL for a target, no Host or two."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._size = self._hosts = 0

    def on_message_begin(self) -> None:
        """Count anew."""
        self._size = self._hosts = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count(name, value)
        self._hosts += name.lower() == b"host"
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Refuse what proxies and servers might read in two ways; the answer is 400."""
        if not self.url.startswith(b"/") or self._hosts != 1:
            raise ValueError("a request needs a path and exactly one Host")
        super().on_headers_complete()

    def _count(self, *parts: bytes) -> None:
        self._size += sum(map(len, parts))
        if self._size > MAX_HEAD:
            raise ValueError("the headers are too large")


# ── the address ─────────────────────────────────────────────────────────────────────────────────────────────────────
async def _bind(listen: Listen) -> socket.socket:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(listen.host, listen.port, type=socket.SOCK_STREAM)
    except OSError:
        raise _refused(listen, "no such host is known here", "write an address of this machine: 127.0.0.1:7464") from None
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setblocking(False)
        bound.bind(address)
        bound.listen()
    except OSError as error:
        bound.close()
        raise _refused(listen, *_WHY.get(error.errno or 0, (str(error), _ELSEWHERE))) from None
    return bound


_ELSEWHERE: Final = "choose another: server: {listen: 127.0.0.1:7465}"
_WHY: Final = {
    errno.EADDRINUSE: ("another process listens there", f"end it, or {_ELSEWHERE}"),
    errno.EACCES: ("this user may not listen there; ports below 1024 are not for everyone", _ELSEWHERE),
    errno.EADDRNOTAVAIL: ("this machine has no such address", "listen at an address of this machine: 127.0.0.1:7464"),
}


def _refused(listen: Listen, why: str, mend: str) -> ConfigError:
    return ConfigError(f"server: listen: {listen}: {why}\n    {mend}")
