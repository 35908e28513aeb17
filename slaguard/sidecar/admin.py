"""Health, readiness, metrics and reload, on a listener of its own, where nothing can hold up a call.

One request a connection, of 8 KiB at most and without a body, within five seconds; 64 connections, of which the oldest
gives way. Two doors are shut that a page of somebody else could use through a browser of yours: a Host that no such page
could not have, and a foreign Origin on anything but GET and HEAD (`docs/cli.md` says what that means for a scrape).
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, cast

from slaguard.config import Listen
from slaguard.sidecar.head import END, Refused, read_request
from slaguard.sidecar.series import Page

MAX_HEAD: Final = 8 << 10
MAX_CONNECTIONS: Final = 64
HEAD_S: Final = 5.0
"""Until the request is whole."""
ANSWER_S: Final = 60.0
"""Until the answer is there: a reload reads files."""
_LINGER_S: Final = 1.0
_BACKLOG: Final = 64
_REASONS: Final = {
    200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 408: "Request Timeout",
    413: "Content Too Large", 421: "Misdirected Request", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
    501: "Not Implemented", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
}  # fmt: skip
_HEALTH: Final = frozenset({"/-/healthy", "/-/ready"})
_ALLOWED: Final = {"/-/healthy": "GET, HEAD", "/-/ready": "GET, HEAD", "/metrics": "GET, HEAD", "/-/reload": "POST"}
_SECURITY: Final = (
    "Cache-Control: no-store\r\nContent-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'\r\nCross-Origin-Resource-Policy: same-origin\r\nReferrer-Policy: no-referrer\r\n"
    "X-Content-Type-Options: nosniff\r\n"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: its status, its body and what the body is; further header lines, each with its end."""

    status: int
    body: bytes
    kind: str = "application/json"
    more: str = ""

    def sent(self, *, to_head: bool) -> bytes:
        """Return the bytes of it."""
        head = (
            f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\nContent-Type: {self.kind}\r\n"
            f"Content-Length: {len(self.body)}\r\n{self.more}{_SECURITY}Connection: close\r\n\r\n"
        )
        return head.encode("ascii") + (b"" if to_head else self.body)


def refusal(status: int, code: str, message: str, more: str = "") -> Answer:
    """Return an answer that says no: a word for programs, and a sentence that says how to mend it."""
    return Answer(status, _json({"error": {"code": code, "message": message}}), more=more)


def _json(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request: what is looked at of it."""

    method: str
    path: str
    host: str
    fields: dict[str, str]
    has_body: bool


def read_asked(head: bytes) -> Asked:
    """Return the request of a head, its end included.

    Raises:
        Refused: it is none.

    """
    request = read_request(head)
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:-2])
    fields: dict[str, str] = {}
    for name, _, value in lines:
        lower, text = name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1")
        fields[lower] = f"{fields[lower]},{text}" if lower in fields else text
    return Asked(
        method=request.method.decode("ascii"),
        path=request.target.decode("ascii").partition("?")[0],
        host=request.host,
        fields=fields,
        has_body=request.framing is not None,
    )


def is_known(host: str, names: frozenset[str]) -> bool:
    """Tell whether a Host, without port, cannot be that of somebody else's page.

    That is an address, a name without a point (a container's, `localhost`), or one of `names`: a page of the web has none
    of them for its own origin, whatever its name is made to lead to.
    """
    name = host.strip("[]").rstrip(".")
    if name in names or (name and "." not in name and ":" not in name) or name.endswith(".localhost"):
        return True
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False


# ── what is answered ────────────────────────────────────────────────────────────────────────────────────────────────
class Admin:
    """The listener, and what it answers."""

    def __init__(self, page: Page, *, is_ready: Callable[[], bool], reload: Callable[[], Awaitable[str | None]]) -> None:
        """Take what there is to show and to do; nothing listens yet.

        Args:
            page: the metrics.
            is_ready: whether calls are taken.
            reload: reads the configuration again; returns what is wrong with it, None if it is in force.

        """
        self._page = page
        self._is_ready = is_ready
        self._reload = reload
        self._names: frozenset[str] = frozenset()
        self._server: asyncio.Server | None = None
        self._open: dict[_Connection, None] = {}

    async def listen(self, at: Listen) -> Listen:
        """Answer from now on; returns where.

        Raises:
            OSError: the address is not ours, or taken.

        """
        self._names = frozenset({at.host.lower()})
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), at.host, at.port, backlog=_BACKLOG)
        found = self._server.sockets[0].getsockname()
        return Listen(found[0], found[1])

    def close(self) -> None:
        """Answer nobody any more."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.abort()

    async def answer(self, asked: Asked) -> Answer:
        """Return the answer to a request."""
        refused = self._refusal(asked)
        if refused is not None:
            return refused
        match asked.path:
            case "/-/healthy":
                return Answer(200, _json({"status": "healthy"}))
            case "/-/ready":
                return self._readiness()
            case "/metrics":
                body, kind = self._page.answer(asked.fields.get("accept", ""))
                return Answer(200, body, kind, "Vary: Accept\r\n")
            case _:
                wrong = await self._reload()
                return refusal(500, "reload_failed", wrong) if wrong is not None else Answer(200, _json({"status": "reloaded"}))

    def _readiness(self) -> Answer:
        """Hang on the pump alone: a vendor that is down, or records that are not written, are no reason to stop calls."""
        if self._is_ready():
            return Answer(200, _json({"status": "ready"}))
        return refusal(503, "not_ready", "calls are not taken: the sidecar starts, or ends and waits for those under way")

    def _refusal(self, asked: Asked) -> Answer | None:
        if asked.path not in _ALLOWED:
            return refusal(404, "not_found", f"there is nothing at this path; there are {', '.join(_ALLOWED)}")
        if asked.path not in _HEALTH and not is_known(asked.host, self._names):
            return refusal(421, "foreign_host", "the sidecar has no such name: ask by its address, or a name without a point")
        if asked.method not in _ALLOWED[asked.path].split(", "):
            allow = f"Allow: {_ALLOWED[asked.path]}\r\n"
            return refusal(405, "method_not_allowed", "this path does not answer that method", allow)
        if asked.method == "POST" and not _own(asked):
            return refusal(403, "foreign_origin", "a page of another origin may not do this; use curl")
        if asked.has_body:
            return refusal(413, "too_large", "no request here needs a body; send none")
        return None

    # ── called by connections ───────────────────────────────────────────────────────────────────────────────────────
    def arrived(self, connection: _Connection) -> None:
        """Take a connection in; where there are too many the oldest gives way."""
        self._open[connection] = None
        if len(self._open) > MAX_CONNECTIONS:
            next(iter(self._open)).abort()

    def left(self, connection: _Connection) -> None:
        """Forget a connection."""
        self._open.pop(connection, None)


def _own(asked: Asked) -> bool:
    """Tell whether a request comes from no page at all: there is none here that could ask."""
    return "origin" not in asked.fields and asked.fields.get("sec-fetch-site", "none") == "none"


# ── the connection ──────────────────────────────────────────────────────────────────────────────────────────────────
class _Connection(asyncio.Protocol):
    """One connection: a request, its answer, the end."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._transport: asyncio.Transport | None = None
        self._head = b""
        self._task: asyncio.Task[None] | None = None
        self._is_done = False
        self._timer = asyncio.get_running_loop().call_later(HEAD_S, self._late)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen."""
        self._transport = cast("asyncio.Transport", transport)  # a stream's; uvloop's own are no subclass
        self._admin.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Wait for the whole head; what follows it is not looked at."""
        if self._is_done or self._task is not None:
            return
        self._head += data
        end = self._head.find(END) + len(END)
        if max(end, len(self._head) if end < len(END) else 0) > MAX_HEAD:
            self._send(refusal(431, "too_large", "the head of a request has 8 KiB at most"))
        elif end >= len(END):
            self._begin(self._head[:end])

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone; what it asked for goes on."""
        del exc
        self._is_done = True
        self._timer.cancel()
        self._admin.left(self)

    def abort(self) -> None:
        """Close now."""
        self._admin.left(self)
        if self._transport is not None:
            self._transport.abort()

    def _late(self) -> None:
        self._send(refusal(408, "too_late", "the request did not come in time"))

    def _begin(self, head: bytes) -> None:
        try:
            asked = read_asked(head)
        except Refused as error:
            self._send(refusal(error.status, "bad_request", error.why))
            return
        loop = asyncio.get_running_loop()
        self._timer.cancel()
        self._timer = loop.call_later(ANSWER_S, self.abort)
        self._task = loop.create_task(self._answer(asked))

    async def _answer(self, asked: Asked) -> None:
        self._send(await self._admin.answer(asked), to_head=asked.method == "HEAD")

    def _send(self, answer: Answer, *, to_head: bool = False) -> None:
        """Send the answer and say that nothing more comes.

        Closing at once while bytes of the client are unread would reset the connection, and take the answer from it.
        """
        self._timer.cancel()
        if self._is_done or self._transport is None or self._transport.is_closing():
            return
        self._is_done = True
        self._transport.write(answer.sent(to_head=to_head))
        self._transport.write_eof()
        self._timer = asyncio.get_running_loop().call_later(_LINGER_S, self.abort)
