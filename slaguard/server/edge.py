"""What every request passes first and every answer last: who may ask, how much, and what browsers may do with the answer.

There is no authentication here, so two doors are shut that a page of somebody else could use through a browser of yours:
a Host that is no name of this server (DNS rebinding), and a foreign Origin on anything but GET and HEAD.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from slaguard.server.headers import SECURITY
from slaguard.server.refusals import Refusal, answer

MAX_BODY: Final = 1 << 20
"""The largest body of a request, bytes; nothing here reads one."""
_READING: Final = frozenset({"GET", "HEAD"})


class Edge:
    """The outermost layer of the application (ASGI)."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = ()) -> None:
        """Take the names, beside this machine's own and every IP address, under which the server may be asked."""
        self._app, self._hosts = app, frozenset(host.lower().rstrip(".") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on; HEAD is answered as GET, and the HTTP server leaves the body out."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refused = self._refusal(scope, headers)
        close = "transfer-encoding" in headers or refused is not None

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                secure(MutableHeaders(scope=message), close=close)
            await send(message)

        if refused is not None:
            await answer(scope["path"], headers, refused)(scope, receive, secured)
        else:
            await self._app({**scope, "method": "GET"} if scope["method"] == "HEAD" else scope, receive, secured)

    def _refusal(self, scope: Scope, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        if not known(host, self._hosts):
            return Refusal(
                421,
                "foreign_host",
                f"this server has no such name: {host[:200]!r}; if it has, add it: server: {{hosts: [name]}}",
            )
        if scope["method"] not in _READING and not _own(headers, host):
            return Refusal(
                403, "foreign_origin", "a page of another origin may not do this; use curl, or a page of this server"
            )
        size = headers.get("content-length", "0")
        if not (size.isascii() and size.isdigit()) or int(size[:20]) > MAX_BODY:
            return Refusal(413, "too_large", "no request here needs a body; send none")
        return None


def secure(headers: MutableHeaders, *, close: bool = False) -> None:
    """Add what every answer carries; an answer's own content security policy stays.

    Args:
        headers: the headers of the answer.
        close: whether the connection ends with it, so that what still comes of the request is not read.

    """
    for name, value in SECURITY.items():
        headers.setdefault(name, value)
    if close:
        headers["connection"] = "close"


def known(host: str, hosts: frozenset[str]) -> bool:
    """Tell whether a Host header names this server: loopback by name, any IP address, or one of `hosts`.

    An address is no danger: a page of somebody else never has one of ours as its own origin.
    """
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if not name or not host.isascii() or any(c in host for c in "/?#@\\ "):
        return False
    name = name.rstrip(".")
    return name in hosts or name == "localhost" or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own(headers: Headers, host: str) -> bool:
    """Tell whether a request comes from no page at all, or from a page of this server."""
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return False
    origin = headers.get("origin")
    return origin is None or origin.lower() in {f"http://{host.lower()}", f"https://{host.lower()}"}
