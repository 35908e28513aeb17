"""One call on its way through the pump, and who is told of it: the whole interface between bytes and observing."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Protocol

from slaguard.records import Instant
from slaguard.sidecar.route import Upstream

MARKS: Final = 16
"""Pieces of an answer whose arrival is noted: enough to find the first token of a stream."""
WINDOW: Final = 2048
"""Bytes of the start and of the end of a body that are looked at where the body itself is not kept."""
MOST_KEPT: Final = 64 << 20
"""Bytes of one body that are held for keeping: far more than is kept, and a bound between two looks at what is held."""
_LAST_PIECES: Final = 8
"""A stream ends with small pieces: the last token, the usage, the end mark, the last chunk."""


class Ended(StrEnum):
    """How a call ended."""

    COMPLETE = "complete"
    """The answer ended by its own framing."""
    CUT = "cut"
    """After its answer's head the vendor closed or reset early, or broke the framing (where closing ends the answer: reset)."""
    MALFORMED = "malformed"
    """What came back was no HTTP answer."""
    NO_ANSWER = "no_answer"
    """The vendor closed before a byte of an answer."""
    RACED = "raced"
    """As `NO_ANSWER`, on a reused connection within a second: the vendor may have closed it before it saw the request."""
    UNREACHED = "unreached"
    """No connection; `detail` says why (``dns refused denied tls connect_timeout connection own_limit no_way_out``)."""
    SILENT = "silent"
    """The vendor sent nothing for the whole allowed time."""
    CLIENT_LEFT = "client_left"
    """The client closed or reset before it had the whole answer."""
    CLIENT_BROKE = "client_broke"
    """The client's body broke its framing, or stalled for the whole allowed time."""
    STOPPED = "stopped"
    """We ended it: the grace of a stop was over."""

    __hash__ = str.__hash__
    """An Enum's own is written in Python, and costs more than what is looked up by it."""


class Body:
    """What is kept of one body as it passes: its size, its first and last bytes, all of it where asked for.

    Bytes as they were on the wire, chunk framing included (`chunked` tells), nothing decoded.
    """

    __slots__ = ("_first", "_last", "chunked", "pieces", "size")

    def __init__(self) -> None:
        """Start empty and keep windows only; set `pieces` to a list to keep everything."""
        self.size = 0
        self._first: list[bytes] = []
        self._last: list[bytes] = []
        self.pieces: list[bytes] | None = None
        self.chunked = False

    def take(self, piece: bytes) -> None:
        """Note a piece; small ones by reference, of large ones no more than a window."""
        if self.size < WINDOW:
            self._first.append(piece[:WINDOW])
        last = self._last
        last.append(piece[-WINDOW:])
        if len(last) > _LAST_PIECES:
            del last[0]
        self.size += len(piece)
        if self.pieces is not None:
            if self.size > MOST_KEPT:
                self.pieces.clear()  # it is not kept, whatever is allowed; that it was to be stays known
            else:
                self.pieces.append(piece)

    @property
    def first(self) -> bytes:
        """Return the first bytes: `WINDOW` at most."""
        return b"".join(self._first)[:WINDOW]

    @property
    def last(self) -> bytes:
        """Return the last bytes, of the last few pieces: `WINDOW` at most."""
        return b"".join(self._last)[-WINDOW:]


class Call:
    """One attempt: what the pump fills in as it goes. Times are monotonic nanoseconds; `began` has the wall clock too."""

    __slots__ = (
        "answer", "asked_ns", "began", "client_version", "detail", "ended", "ended_ns", "first_body_ns", "first_byte_ns",
        "held_ns", "http_status", "logical_id", "marks", "method", "name", "noted", "question", "returned", "reused",
        "sent_ns", "target", "upstream", "watched",
    )  # fmt: skip

    def __init__(self, upstream: Upstream, method: str, target: str, began: Instant) -> None:
        """Begin a call: its request head was whole at `began`."""
        self.upstream = upstream
        self.method = method
        self.target = target
        """As it is sent to the vendor: path and query."""
        self.began = began
        self.client_version = b"1.1"
        self.question = Body()
        self.answer = Body()
        self.noted: dict[bytes, bytes] = {}
        """Fields of the request's head that observing needs (`head.NOTED`), by lower-case name; never a credential."""
        self.returned: dict[bytes, bytes] = {}
        """The same of the answer's head."""
        self.sent_ns: int | None = None
        """When the head was given to a vendor connection that stands."""
        self.asked_ns: int | None = None
        """When the last byte of the question was given to it."""
        self.held_ns = 0
        """For how long the vendor was not read because the client did not read."""
        self.first_byte_ns: int | None = None
        """When the first byte of the final answer's head came."""
        self.first_body_ns: int | None = None
        self.marks: list[tuple[int, int]] = []
        """(bytes of the answer's body so far, when) for the first `MARKS` pieces."""
        self.ended_ns: int | None = None
        self.http_status: int | None = None
        self.reused = False
        self.ended: Ended | None = None
        self.detail: str | None = None
        self.name = 0
        """The link's number for it."""
        self.logical_id: str | None = None
        self.watched: object = None
        """The link's own."""


class Watcher(Protocol):
    """Who is told of calls. Both methods return at once and raise nothing: they run on the data path."""

    def began(self, call: Call) -> None:
        """A request's head was recognised and has an upstream; sets ``pieces`` of its bodies where they are to be kept."""

    def ended(self, call: Call) -> None:
        """The call is over and the pump holds it no longer; `call.ended` says how."""
