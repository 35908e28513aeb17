"""Play cases through a port, and name every difference between what was sent and what arrived, on both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import Final

from slaguard.sidecar.call import Call, Ended
from tests.sidecar.clients import Wire
from tests.sidecar.corpus import Case, token_of
from tests.sidecar.framing import HEAD_END, Answer, End, Head
from tests.sidecar.wire_vendor import LOOPBACK, Request, Script, WireVendor, by_book

AT_ONCE: Final = 16
_CLOSE: Final = (b"Connection", b"close")
_ARRIVES_AS: Final = {
    End.COMPLETE: {End.COMPLETE}, End.CLOSED: {End.CLOSED}, End.CUT: {End.CUT, End.RESET}, End.RESET: {End.CUT, End.RESET},
}  # fmt: skip
"""How an answer's end may arrive; the first two never from the last two. Where closing ends an answer, see `_ends`."""


def answer_differences(want: Answer, got: Answer, *, direct: bool = False) -> Iterator[str]:
    """Name what differs between an answer as the vendor gave it and as the client got it, less what the sidecar may change."""
    if want.head is None or got.head is None:
        yield f"no head: {got}"
        return
    if got.head.line != want.head.line:
        yield f"status line {want.head.line!r} became {got.head.line!r}"
    wanted = want.head.fields if direct else want.head.forwarded
    fields = got.head.fields if direct else tuple(pair for pair in got.head.fields if pair != _CLOSE)
    if fields != wanted:
        yield f"fields {wanted} became {fields}"
    if got.interim != want.interim:
        yield f"interim answers {want.interim} became {got.interim}"
    if got.chunks != want.chunks:
        yield f"chunk ends {want.chunks} became {got.chunks}"
    if got.body != want.body:
        yield f"body {brief(want.body)} became {brief(got.body)}"
    if got.end not in _ends(want):
        yield f"ended {want.end}, arrived {got.end}"


def _ends(want: Answer) -> set[End]:
    ends_by_closing = want.chunks is None and want.head is not None and not want.head.values(b"content-length")
    return {End.RESET} if want.end is End.RESET and ends_by_closing else _ARRIVES_AS[want.end]


def request_differences(case: Case, got: Request | None, authority: bytes, *, direct: bool = False) -> Iterator[str]:
    """Name what differs between a request as the client gave it and as the vendor got it, less what the sidecar may change."""
    if got is None:
        yield "the vendor never got the request"
        return
    raw, _, body = case.sent.partition(HEAD_END)
    want = Head.of(raw + HEAD_END)
    if got.head.line != want.line:
        yield f"request line {want.line!r} became {got.head.line!r}"
    fields = tuple((name, authority if name.lower() == b"host" else value) for name, value in want.forwarded)
    if got.head.fields != (want.fields if direct else fields):
        yield f"request fields {fields} became {got.head.fields}"
    if not (body.startswith(got.body) if case.prefix_is_enough else body == got.body):
        yield f"request body {brief(body)} became {brief(got.body)}"


def call_differences(case: Case, call: Call) -> Iterator[str]:
    """Name what a call says otherwise than it was."""
    want = case.answer
    ended = Ended.COMPLETE if want.end in {End.COMPLETE, End.CLOSED} else Ended.CUT
    if call.ended is not ended:
        yield f"the call ended {ended}, and says {call.ended}"
    if call.http_status != want.status:
        yield f"the call says status {call.http_status}, not {want.status}"
    if call.answer.size != len(want.body):
        yield f"the call says an answer of {call.answer.size} bytes, not {len(want.body)} ({call.ended}, {call.detail})"
    if not case.prefix_is_enough and call.question.size != len(case.sent.partition(HEAD_END)[2]):
        yield f"the call says a question of {call.question.size} bytes"


def brief(data: bytes) -> str:
    """Show bytes, shortly."""
    return repr(data) if len(data) < 300 else f"{data[:120]!r}...{data[-120:]!r} ({len(data)} bytes)"


class Stage:
    """The vendor that answers cases, and what came of them. `port`: where clients ask: the vendor itself, or a sidecar."""

    def __init__(self) -> None:
        """Make the vendor; it is started by whoever uses the stage."""
        self.vendor = WireVendor(by_book(self._script), keeps=False)
        self.troubles: list[str] = []
        self.played: dict[int, Case] = {}
        self.connections = 0
        self._playing: dict[int, Case] = {}
        self._received: dict[int, Request] = {}

    def _script(self, request: Request) -> Script:
        token = token_of(request.target)
        self._received[token] = request
        return self._playing[token].script

    async def play(self, cases: Iterable[Case], port: int) -> None:
        """Play all of them, some at once, each worker on a connection that it keeps as long as it may."""
        left = iter(cases)
        await asyncio.gather(*(self._work(left, port) for _ in range(AT_ONCE)))

    async def _work(self, left: Iterator[Case], port: int) -> None:
        wire: Wire | None = None
        for case in left:
            if wire is None or not wire.is_usable:
                if wire is not None:
                    wire.close()
                wire = await Wire.open(port)
                self.connections += 1
            await self._play_one(case, wire, direct=port == self.vendor.port)
        if wire is not None:
            wire.close()

    async def _play_one(self, case: Case, wire: Wire, *, direct: bool) -> None:
        self._playing[case.token] = case
        try:
            answer = await wire.ask(case.sending, case.method)
        except (OSError, ValueError) as error:  # no patience left, or bytes that cannot be read
            self._note(case, [f"{type(error).__name__}: {error}"])
            wire.is_usable = False
            return
        authority = f"{LOOPBACK}:{self.vendor.port}".encode()
        self._note(case, answer_differences(case.answer, answer, direct=direct))
        self._note(case, request_differences(case, self._received.pop(case.token, None), authority, direct=direct))
        if wire.buffer and wire.is_usable:
            self._note(case, [f"surplus {brief(bytes(wire.buffer))}"])
            wire.is_usable = False
        wire.is_usable = wire.is_usable and not case.prefix_is_enough  # what follows an early answer has tests of its own
        self.played[case.token] = self._playing.pop(case.token)

    def compare_calls(self, calls: Iterable[Call]) -> None:
        """Compare what calls say with the cases they were."""
        by_token = {token_of(call.target): call for call in calls}
        for token, case in self.played.items():
            call = by_token.get(token)
            self._note(case, ["no call was told of"] if call is None else call_differences(case, call))
        if self.troubles:  # a script that ended early looks like an answer that was cut on the way
            self.troubles += [f"the vendor itself: {trouble!r}" for trouble in self.vendor.troubles]

    def _note(self, case: Case, differences: Iterable[str]) -> None:
        self.troubles += [f"case {case.token} ({case.kind}): {difference}" for difference in differences]
