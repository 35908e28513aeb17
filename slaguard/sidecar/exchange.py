"""One request and its answer, between a client's connection and a vendor's: bytes through, and the `Call` filled in."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from slaguard.records import Clock
from slaguard.sidecar.body import BadFraming, Chunked, Framing, UntilClose
from slaguard.sidecar.call import MARKS, Call, Ended, Watcher
from slaguard.sidecar.connect import Connector, Unreached
from slaguard.sidecar.head import END, MAX_HEAD, AnswerHead, Refused, RequestHead, read_answer
from slaguard.sidecar.route import Upstream
from slaguard.sidecar.vendor import Pool, VendorSide

_MOST_QUEUED: Final = 64 << 10
"""Bytes of a question that wait for a connection, before the client is read no further."""
_MOST_INTERIM: Final = 16
"""Answers of 1xx before the answer."""
_HEAR_OUT_S: Final = 5
"""How long a question is listened to that can be sent to nobody."""
_RACE_NS: Final = 1_000_000_000
_REFUSALS: Final[dict[Ended, tuple[int, str]]] = {
    Ended.NO_ANSWER: (502, "the vendor closed the connection without an answer"),
    Ended.RACED: (502, "the vendor closed a kept connection as the request was sent; nothing was sent again"),
    Ended.MALFORMED: (502, "what the vendor sent is no HTTP/1.1 answer"),
    Ended.UNREACHED: (502, "the vendor was not reached"),
    Ended.SILENT: (504, "the vendor sent nothing for the whole allowed time"),
    Ended.CLIENT_BROKE: (400, "the body of the request is broken"),
    Ended.STOPPED: (503, "the sidecar stops"),
}
"""What a client is told that has no byte of an answer yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long things may take, in seconds; times in which bytes flow do not count.

    `head_s`: until a request's head is whole. `question_s`: a client sends nothing of a body it owes. `idle_s`: between two
    requests. `stall_s`: a client reads nothing of its answer. `linger_s`: after the last byte, for the client to close.
    `pool_s`: a vendor connection waits for its next request. `clients`: connections at a time.
    """

    head_s: int = 30
    question_s: int = 300
    idle_s: int = 300
    stall_s: int = 900
    linger_s: int = 2
    pool_s: int = 15
    clients: int = 8192


class Core(Protocol):
    """What all exchanges of a pump share; `tick` counts seconds."""

    clock: Clock
    watcher: Watcher
    pool: Pool
    connector: Connector
    limits: Limits
    tick: int
    is_draining: bool
    control: Callable[[], Awaitable[bool]] | None

    def began(self, call: Call) -> None:
        """Count a call and tell the watcher."""

    def over(self, call: Call) -> None:
        """The same at its end."""

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a task until it is done."""


class Asking(Protocol):
    """The client's side, as an exchange sees it."""

    is_slow: bool

    def write(self, data: bytes) -> None:
        """Send bytes."""

    def pause(self, *, paused: bool) -> None:
        """Read nothing for a while, or go on."""

    def finished(self, *, keep: bool) -> None:
        """The answer is whole; `keep`: another request may follow."""

    def refuse(self, status: int, why: str, *, to_head: bool) -> None:
        """Answer in the sidecar's own name, and close."""

    def cut(self, *, reset: bool) -> None:
        """Close in the middle of an answer; `reset`: so that it cannot be taken for its end."""


class Exchange:
    """From a request's head to the end of its answer, or to whatever ended it before."""

    __slots__ = (
        "_answer", "_client", "_closing", "_connecting", "_core", "_head", "_head_ns", "_held_since", "_interim",
        "_is_over", "_now", "_partial", "_queued", "_queued_bytes", "_since", "_slow_since", "_target", "_unasked", "_vendor",
        "_vendor_is_slow", "_vendor_stays", "call", "question_done",
    )  # fmt: skip

    def __init__(self, core: Core, client: Asking, head: RequestHead, upstream: Upstream, target: bytes) -> None:
        """Begin a call; nothing is sent yet."""
        self._core = core
        self._client = client
        self._head = head
        self._target = target
        self._vendor: VendorSide | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._unasked: asyncio.Event | None = None
        self._held_since: int | None = None
        self._queued: list[bytes] = []
        self._queued_bytes = 0
        self._partial = b""
        self._head_ns: int | None = None
        self._interim = 0
        self._now = 0
        self._answer: Framing | None = None
        self._closing = False
        self._is_over = False
        self._vendor_is_slow = False
        self._vendor_stays = False
        self._since = self._slow_since = core.tick
        self.question_done = head.framing is None
        self.call = Call(upstream, head.method.decode("ascii"), target.decode("ascii"), core.clock.read())
        self.call.client_version = b"1." + head.minor
        self.call.noted = head.noted
        self.call.question.chunked = head.framing is not None and head.framing.chunked

    # ── the question ────────────────────────────────────────────────────────────────────────────────────────────────
    def begin(self, data: bytes) -> int:
        """Send the request, or have it sent once a connection stands.

        Args:
            data: what came behind its head.

        Returns:
            Where in `data` the request ends.

        """
        call, core = self.call, self._core
        core.began(call)
        piece = self._take_question(data)
        if piece is None:
            return len(data)
        out = self._head.forwarded(self._target, call.upstream.authority.encode("ascii")) + piece
        vendor = core.pool.take(call.upstream.origin)
        if vendor is not None:
            self._attach(vendor)
            vendor.write(out)
            if self.question_done:
                call.asked_ns = call.sent_ns  # it went with the head, at one moment
        else:
            self._queue(out)
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
            core.keep(self._connecting)
        return self._end_of_question(data)

    def from_client(self, data: bytes) -> int:
        """Take bytes of the request's body; return where in them it ends."""
        self._since = self._core.tick
        piece = self._take_question(data)
        if piece is None:
            return len(data)
        if self._vendor is not None:
            self._vendor.write(piece)
            self._note_asked()
        else:
            self._queue(piece)
        return self._end_of_question(data)

    def _take_question(self, data: bytes) -> bytes | None:
        """Note the body's bytes and return what is sent; None where its framing is broken, which ends the exchange."""
        framing = self._head.framing
        if framing is None or not data:
            return b""
        try:
            piece = framing.take(data, 0)
        except BadFraming:
            self._end(Ended.CLIENT_BROKE, "chunk")
            return None
        self.call.question.take(piece)
        self.question_done = framing.done
        if framing.done and self._unasked is not None:
            self._unasked.set()
        return piece

    def _end_of_question(self, data: bytes) -> int:
        framing = self._head.framing
        return framing.end if framing is not None and data else 0

    def _note_asked(self) -> None:
        if self.question_done and self.call.asked_ns is None:
            self.call.asked_ns = self._core.clock.read().mono_ns

    def _queue(self, data: bytes) -> None:
        if self._unasked is not None:
            return  # there is nobody to send it to
        self._queued.append(data)
        self._queued_bytes += len(data)
        if self._queued_bytes > _MOST_QUEUED:
            self._client.pause(paused=True)

    async def _connect(self) -> None:
        try:
            vendor = await self._core.connector.connect(self.call.upstream)
        except Unreached as error:
            await self._unreached(error.detail)
            return
        if self._is_over:
            vendor.abort()
            return
        self._connecting = None
        self._attach(vendor)
        out = b"".join(self._queued)
        self._queued.clear()
        self._queued_bytes = 0
        self._client.pause(paused=False)
        vendor.write(out)
        self._note_asked()

    async def _unreached(self, detail: str) -> None:
        """Hear the question out, answer the client, and then find out whether it is our own network that is down.

        Whoever is not reached was asked something: without the model that was asked for, an outage belongs to none.
        """
        self._queued.clear()
        if not self.question_done:
            self._unasked = asyncio.Event()
            self._client.pause(paused=False)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._unasked.wait(), _HEAR_OUT_S)
        if self._is_over:
            return
        self._finish(Ended.UNREACHED, detail)
        self._tell_client(Ended.UNREACHED)
        try:
            if self._core.control is not None and not await self._core.control():
                self.call.detail = "no_way_out"
        finally:  # also where a stop does not wait for it
            self._core.over(self.call)

    def _attach(self, vendor: VendorSide) -> None:
        self._vendor = vendor
        vendor.served = self
        self.call.reused = vendor.used
        self.call.sent_ns = self._core.clock.read().mono_ns
        self._since = self._core.tick
        if self._client.is_slow:
            vendor.pause(paused=True)
            self._hold(slow=True)

    # ── the answer ──────────────────────────────────────────────────────────────────────────────────────────────────
    def from_vendor(self, data: bytes) -> None:
        """Take bytes of the answer."""
        self._since = self._core.tick
        self._now = 0
        if self._answer is not None:
            self._pass_on(b"", data, 0)
        else:
            self._take_heads(data)

    def _take_heads(self, data: bytes) -> None:
        """Pass on interim answers; begin the answer once its head is whole."""
        if self._head_ns is None:
            self._head_ns = self._moment()
        if self._partial:
            data = self._partial + data
        at = 0
        while (end := data.find(END, at)) >= 0:
            if end + 4 - at > MAX_HEAD or self._interim > _MOST_INTERIM:
                self._end(Ended.MALFORMED, "head")
                return
            try:
                answer = read_answer(data[at : end + 4], self._head.method)
            except Refused:
                self._end(Ended.MALFORMED, "head")
                return
            at = end + 4
            if answer.status >= 200:
                self._partial = b""
                self._begin_answer(answer, data, at)
                return
            self._interim += 1
            self._head_ns = None if at == len(data) else self._head_ns
            if self._head.minor == b"1":
                self._client.write(answer.forwarded(closing=False))
        self._partial = data[at:]
        if len(self._partial) > MAX_HEAD:
            self._end(Ended.MALFORMED, "head")

    def _begin_answer(self, answer: AnswerHead, data: bytes, at: int) -> None:
        call, framing = self.call, answer.framing
        call.http_status = answer.status
        call.returned = answer.noted
        call.first_byte_ns = self._head_ns
        self._answer = framing
        self._vendor_stays = answer.keep_alive
        stays_open = self._head.keep_alive and self.question_done and not self._core.is_draining
        self._closing = not stays_open or isinstance(framing, UntilClose)
        unpacked = False
        if isinstance(framing, Chunked):
            call.answer.chunked = True
            if self._head.minor == b"0":
                unpacked = True
                framing.payload = []
        out = answer.forwarded(closing=self._closing, unpacked=unpacked)
        if framing is None:
            self._client.write(out)
            self._complete(surplus=at < len(data))
        else:
            self._pass_on(out, data, at)

    def _pass_on(self, before: bytes, data: bytes, at: int) -> None:
        """Pass on bytes of the answer's body, as they came and at once."""
        framing = self._answer
        assert framing is not None  # noqa: S101 - there is a body
        broken = False
        try:
            piece = framing.take(data, at)
        except BadFraming as error:
            piece, broken = error.good, True
        if piece:
            self._note(piece)
        self._client.write(before + self._shown(framing, piece))
        if broken:
            self._end(Ended.CUT, "chunk")
        elif framing.done:
            self._complete(surplus=framing.end < len(data))

    def _note(self, piece: bytes) -> None:
        call = self.call
        call.answer.take(piece)
        if len(call.marks) < MARKS:
            now = self._moment()
            call.marks.append((call.answer.size, now))
            if call.first_body_ns is None:
                call.first_body_ns = now

    def _moment(self) -> int:
        """Return when the bytes came that are looked at: one reading of the clock for all that is done with them."""
        if not self._now:
            self._now = self._core.clock.read().mono_ns
        return self._now

    @staticmethod
    def _shown(framing: Framing, piece: bytes) -> bytes:
        """Return what the client gets of a piece: itself, or for a client of HTTP/1.0 what its chunks hold."""
        if isinstance(framing, Chunked) and framing.payload is not None:
            shown = b"".join(framing.payload)
            framing.payload.clear()
            return shown
        return piece

    # ── slower and faster ───────────────────────────────────────────────────────────────────────────────────────────
    def vendor_is_slow(self, *, slow: bool) -> None:
        """Read the client no further while the vendor does not take what it sent."""
        self._vendor_is_slow = slow
        self._client.pause(paused=slow)

    def client_is_slow(self, *, slow: bool) -> None:
        """Read the vendor no further while the client does not take what it sent."""
        self._slow_since = self._since = self._core.tick
        self._hold(slow=slow)
        if self._vendor is not None:
            self._vendor.pause(paused=slow)

    def _hold(self, *, slow: bool) -> None:
        """Count the time in which the vendor waits for the client."""
        now = self._core.clock.read().mono_ns
        if self._held_since is not None:
            self.call.held_ns += now - self._held_since
        self._held_since = now if slow else None

    def look(self) -> None:
        """End the exchange if a side has been quiet for too long; called every second."""
        core, limits = self._core, self._core.limits
        if self._client.is_slow:
            if core.tick - self._slow_since >= limits.stall_s:
                self.client_left("stalled")
        elif not self.question_done and not self._vendor_is_slow and self._vendor is not None:
            if core.tick - self._since >= limits.question_s:
                self._end(Ended.CLIENT_BROKE, "stalled")
        elif self._vendor is not None and (core.tick - self._since) * 1000 >= self.call.upstream.silence_ms:
            self._end(Ended.SILENT)

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def vendor_closed(self, *, reset: bool) -> None:
        """The vendor has ended: its answer, or before it."""
        self._vendor = None
        self._now = 0
        word = "reset" if reset else "closed"
        if isinstance(self._answer, UntilClose) and not reset:
            self._complete(surplus=True)
        elif self._answer is not None:
            self._end(Ended.CUT, word)
        elif self._partial or self._interim:
            self._end(Ended.MALFORMED, word)
        else:
            sent = self.call.sent_ns or 0
            raced = self.call.reused and self._core.clock.read().mono_ns - sent < _RACE_NS
            self._end(Ended.RACED if raced else Ended.NO_ANSWER, word)

    def client_left(self, detail: str = "closed") -> None:
        """The client is gone, so the vendor has nobody to work for."""
        self._finish(Ended.CLIENT_LEFT, detail)

    def stop(self) -> None:
        """End the exchange because the sidecar stops."""
        self._end(Ended.STOPPED)

    def _complete(self, *, surplus: bool) -> None:
        """The answer has ended by its own framing; bytes behind it make its connection useless."""
        if self._is_over:
            return
        vendor, self._vendor = self._vendor, None
        if vendor is not None:
            if self._vendor_stays and self.question_done and not surplus:
                self._core.pool.give(vendor, self._core.tick)
            else:
                vendor.abort()
        self._client.finished(keep=not self._closing and self.question_done)
        self._finish(Ended.COMPLETE, None)

    def _end(self, ended: Ended, detail: str | None = None) -> None:
        """End the exchange before its answer has ended."""
        if not self._is_over:
            self._tell_client(ended)
            self._finish(ended, detail)

    def _tell_client(self, ended: Ended) -> None:
        if self.call.http_status is None and ended in _REFUSALS:
            status, why = _REFUSALS[ended]
            self._client.refuse(status, why, to_head=self._head.method == b"HEAD")
        else:
            self._client.cut(reset=self._ends_by_closing)

    @property
    def _ends_by_closing(self) -> bool:
        """Tell whether the client takes a closed connection for the answer's end."""
        answer = self._answer
        return isinstance(answer, UntilClose) or (isinstance(answer, Chunked) and answer.payload is not None)

    def _finish(self, ended: Ended, detail: str | None) -> None:
        """Note how the call ended, let go of the vendor, and tell the watcher: bytes come first, so this comes last."""
        if self._is_over:
            return
        self._is_over = True
        if self._vendor is not None:
            self._vendor.abort()
            self._vendor = None
        if self._connecting is not None and ended is not Ended.UNREACHED:
            self._connecting.cancel()
        self._queued.clear()
        call = self.call
        call.ended, call.detail = ended, detail
        if self._held_since is not None:
            self._hold(slow=False)
        call.ended_ns = self._moment() if ended is Ended.COMPLETE else self._core.clock.read().mono_ns
        if ended is not Ended.UNREACHED:  # told once it is known whose network it is
            self._core.over(call)
