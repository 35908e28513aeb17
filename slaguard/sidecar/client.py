"""The client's side of a connection: one request after the other, each answered before the next one is looked at."""

from __future__ import annotations

import asyncio
import select
import socket
import struct
from typing import Final, Protocol, cast

from slaguard.sidecar.exchange import Core, Exchange
from slaguard.sidecar.head import END, MAX_HEAD, Refused, may_be_head, own_answer, read_request
from slaguard.sidecar.route import Routes

_MOST_WAITING: Final = 64 << 10
"""Bytes of further requests that wait for the answer under way."""
_HANG_UP: Final = getattr(select, "POLLRDHUP", select.POLLHUP)  # Linux alone tells of a FIN behind unread bytes
_RESET: Final = struct.pack("ii", 1, 0)


class Desk(Core, Protocol):
    """What client connections need of their pump beside what exchanges do."""

    routes: Routes

    def arrived(self, client: ClientSide) -> bool:
        """Take a connection in; tell whether there is room for it."""

    def left(self, client: ClientSide) -> None:
        """Forget it."""

    def refused(self, status: int) -> None:
        """Count an answer in our own name."""


class ClientSide(asyncio.Protocol):
    """One connection of a client."""

    def __init__(self, desk: Desk) -> None:
        """Begin without a connection."""
        self._desk = desk
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._waiting = b""
        self._searched = 0
        self._since = desk.tick
        self._is_leaving = False
        self._left_at = 0
        self._is_paused = False
        self._poll = select.poll()
        self.is_slow = False

    # ── called by the event loop ────────────────────────────────────────────────────────────────────────────────────
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to listen."""
        self._transport = cast("asyncio.Transport", transport)  # a stream's; uvloop's own are no subclass
        self._poll.register(transport.get_extra_info("socket").fileno(), _HANG_UP)
        if not self._desk.arrived(self):
            self.refuse(503, "too many connections")

    def data_received(self, data: bytes) -> None:
        """Give bytes to the request they belong to."""
        if self._is_leaving:
            self._since = self._desk.tick  # it still sends; what it sends is of no use any more
            return
        exchange = self._exchange
        if exchange is not None and not exchange.question_done:
            end = exchange.from_client(data)
            if end == len(data) or self._is_leaving:
                return
            data = data[end:]
        if not self._waiting:
            self._since = self._desk.tick
        self._waiting += data
        if self._exchange is None:
            self._next()
        elif len(self._waiting) > _MOST_WAITING:
            self.pause(paused=True)

    def eof_received(self) -> None:
        """The client has gone: nobody waits for an answer any more."""
        self._gone()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        del exc
        self._gone()
        self._desk.left(self)

    def pause_writing(self) -> None:
        """The client takes bytes more slowly than they come."""
        self.is_slow = True
        if self._exchange is not None:
            self._exchange.client_is_slow(slow=True)

    def resume_writing(self) -> None:
        """It has caught up."""
        self.is_slow = False
        if self._exchange is not None:
            self._exchange.client_is_slow(slow=False)

    def _gone(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.client_left()

    # ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────
    def _next(self) -> None:
        """Begin the request that waits, once its head is whole."""
        while self._exchange is None and self._waiting and not self._is_leaving:
            end = self._waiting.find(END, max(self._searched - 3, 0)) + 4
            if end < 4 or end > MAX_HEAD:
                self._searched = len(self._waiting)
                if max(end, self._searched if end < 4 else 0) > MAX_HEAD:
                    self.refuse(431, "the head of a request has 32 KiB at most")
                elif not may_be_head(self._waiting):
                    self.refuse(400, "this is no head of an HTTP/1.1 request")
                return
            head, rest = self._waiting[:end], self._waiting[end:]
            self._searched, self._waiting = 0, b""
            self._begin(head, rest)

    def _begin(self, head: bytes, rest: bytes) -> None:
        try:
            request = read_request(head)
        except Refused as error:
            self.refuse(error.status, error.why, to_head=head.startswith(b"HEAD "))
            return
        found = self._desk.routes.find(request.host, request.target)
        if found is None:
            self.refuse(404, "no upstream is configured for this host and path", to_head=request.method == b"HEAD")
            return
        exchange = Exchange(self._desk, self, request, *found)
        self._exchange = exchange
        end = exchange.begin(rest)
        if not self._is_leaving:
            self._waiting = rest[end:]

    # ── called by the exchange ──────────────────────────────────────────────────────────────────────────────────────
    def write(self, data: bytes) -> None:
        """Send bytes; to a client that has gone they go nowhere."""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def pause(self, *, paused: bool) -> None:
        """Read nothing for a while, or go on."""
        if self._transport is None or paused == self._is_paused or self._transport.is_closing():
            return
        self._is_paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def finished(self, *, keep: bool) -> None:
        """Go on with the next request, or close."""
        self._exchange = None
        self._since = self._desk.tick
        if not keep:
            self._leave()
            return
        self.pause(paused=False)
        self._next()

    def refuse(self, status: int, why: str, *, to_head: bool = False) -> None:
        """Answer in the sidecar's own name, and close."""
        self._desk.refused(status)
        self.write(own_answer(status, why, to_head=to_head))
        self._leave()

    def cut(self, *, reset: bool) -> None:
        """Close in the middle of an answer: what has come of it is sent first."""
        if reset and self._transport is not None:
            own: socket.socket | None = self._transport.get_extra_info("socket")
            if own is not None:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._exchange = None
            self._transport.close()
            return
        self._leave()

    def _leave(self) -> None:
        """Say that nothing more comes, and wait a moment for the client to close.

        Closing at once while bytes of the client are unread would reset the connection, and take the answer from it.
        """
        self._exchange = None
        self._waiting = b""
        self._is_leaving = True
        self._since = self._left_at = self._desk.tick
        if self._transport is not None and not self._transport.is_closing():
            self.pause(paused=False)
            self._transport.write_eof()

    # ── called by the pump ──────────────────────────────────────────────────────────────────────────────────────────
    def look(self) -> None:
        """End what has been quiet for too long; called every second."""
        quiet, limits = self._desk.tick - self._since, self._desk.limits
        if self._is_leaving:
            is_stuck = self._desk.tick - self._left_at > limits.question_s and not self.is_slow
            if is_stuck or quiet > (limits.stall_s if self.is_slow else limits.linger_s):
                self.close()
        elif self._is_paused and self._poll.poll(0):
            self._gone()  # whoever is not read is not heard leaving either
            self.close()
        elif self._exchange is not None:
            self._exchange.look()
        elif self._waiting:
            if quiet > (limits.linger_s if self._desk.is_draining else limits.head_s):
                self.refuse(408, "the head of the request did not come in time")
        elif quiet > (1 if self._desk.is_draining else limits.idle_s):
            self.close()

    def stop(self) -> None:
        """End the exchange under way, or close."""
        if self._exchange is not None:
            self._exchange.stop()
        else:
            self.close()

    def close(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()
