"""The tests' own reading of HTTP/1.1 messages (RFC 9112), which knows nothing of the pump and keeps every byte it read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

CRLF: Final = b"\r\n"
HEAD_END: Final = b"\r\n\r\n"
HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"upgrade"}
)
"""What the sidecar leaves out in both directions, beside what `Connection` names (docs/design/sidecar.md)."""
BODYLESS: Final = frozenset({204, 304})


class End(Enum):
    """How an answer ended, as the client can tell."""

    COMPLETE = "by its own framing"
    CLOSED = "by the end of the connection, which its framing says is its end"
    CUT = "by the end of the connection, before its framing's end"
    RESET = "by a reset, before its framing's end"
    BROKEN = "by bytes that are no such framing"


@dataclass(frozen=True, slots=True)
class Head:
    """A head: its bytes, its first line, and its fields in order, whitespace around values taken off."""

    raw: bytes
    line: bytes
    fields: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, raw: bytes) -> Head:
        """Read a head that ends with its empty line."""
        line, *rest = raw.removesuffix(HEAD_END).split(CRLF)
        pairs = [text.partition(b":") for text in rest]
        return cls(raw, line, tuple((name, value.strip(b" \t")) for name, _, value in pairs))

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a field, in order."""
        return [value for key, value in self.fields if key.lower() == name]

    @property
    def status(self) -> int:
        """The code of an answer's head."""
        return int(self.line.split(b" ", 2)[1])

    @property
    def named(self) -> frozenset[bytes]:
        """What `Connection` names."""
        return frozenset(token.strip().lower() for value in self.values(b"connection") for token in value.split(b","))

    @property
    def forwarded(self) -> tuple[tuple[bytes, bytes], ...]:
        """The fields that are not between two neighbours alone."""
        away = HOP_BY_HOP | self.named
        return tuple(pair for pair in self.fields if pair[0].lower() not in away)


class Chunks:
    """Finds the end of a chunked body in a buffer that grows; `sizes` are the chunks so far, `payload` what they hold."""

    def __init__(self, at: int) -> None:
        """Begin at a place in the buffer."""
        self.at = at
        self.sizes: list[int] = []
        self.payload = bytearray()
        self._is_behind_last = False

    def scan(self, buffer: bytearray) -> bool:
        """Go as far as there are bytes; True once `at` stands behind the end.

        Raises:
            ValueError: it is no chunked body.

        """
        while (end := buffer.find(CRLF, self.at)) >= 0:
            line = bytes(buffer[self.at : end])
            if self._is_behind_last:
                self.at = end + 2
                if not line:
                    return True
                continue
            size = int(line.partition(b";")[0], 16)
            stop = end + 2 + size
            if not size:
                self._is_behind_last = True
                self.at = end + 2
                continue
            if len(buffer) < stop + 2:
                return False
            if buffer[stop : stop + 2] != CRLF:
                raise ValueError(f"no end of line behind a chunk of {size}")
            self.sizes.append(size)
            self.payload += buffer[end + 2 : stop]
            self.at = stop + 2
        return False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a client got for one request: `body` as it was on the wire, framing included."""

    interim: tuple[bytes, ...]
    head: Head | None
    body: bytes
    chunks: tuple[int, ...] | None
    end: End
    payload: bytes = field(repr=False, default=b"")

    @property
    def status(self) -> int:
        """The code; 0 where no head came."""
        return self.head.status if self.head is not None else 0


class Reading:
    """Reads one answer from bytes in order; what stands behind its end is `surplus`."""

    def __init__(self, method: str = "GET", buffer: bytearray | None = None) -> None:
        """Expect the answer to a request of that method."""
        self._method = method
        self.buffer = bytearray() if buffer is None else buffer
        self.interim: list[bytes] = []
        self.head: Head | None = None
        self.end: End | None = None
        self._length: int | None = None
        self._chunks: Chunks | None = None
        self._stop: int | None = None

    def feed(self, data: bytes) -> bool:
        """Take bytes; True once the answer has ended."""
        self.buffer += data
        if self.head is None:
            self._take_heads()
        if self.head is not None and self.end is None:
            self._take_body()
        return self.end is not None

    def over(self, *, reset: bool = False) -> None:
        """Know that nothing more comes."""
        if self.end is None and reset:
            self.end = End.RESET
        elif self.end is None:
            is_its_end = self.head is not None and self._length is None and self._chunks is None
            self.end = End.CLOSED if is_its_end else End.CUT

    def _take_heads(self) -> None:
        while self.head is None and (at := self.buffer.find(HEAD_END)) >= 0:
            head = Head.of(bytes(self.buffer[: at + 4]))
            del self.buffer[: at + 4]
            if head.status // 100 == 1 and head.status != 101:
                self.interim.append(head.raw)
                continue
            self.head = head
            self._frame(head)

    def _frame(self, head: Head) -> None:
        if self._method == "HEAD" or head.status in BODYLESS or head.status == 101:
            self._length = 0
        elif head.values(b"transfer-encoding"):
            self._chunks = Chunks(0)
        elif lengths := head.values(b"content-length"):
            self._length = int(lengths[0])

    def _take_body(self) -> None:
        if self._length is not None and len(self.buffer) >= self._length:
            self.end, self._stop = End.COMPLETE, self._length
        elif self._chunks is not None:
            try:
                if self._chunks.scan(self.buffer):
                    self.end, self._stop = End.COMPLETE, self._chunks.at
            except ValueError:
                self.end = End.BROKEN

    @property
    def body_so_far(self) -> bytes:
        """The bytes behind the head that have come."""
        return bytes(self.buffer) if self.head is not None else b""

    @property
    def surplus(self) -> bytes:
        """What came behind the end of the answer."""
        return b"" if self._stop is None else bytes(self.buffer[self._stop :])

    @property
    def answer(self) -> Answer:
        """The answer, once it has ended."""
        if self.end is None:
            raise AssertionError("the answer has not ended")
        body = bytes(self.buffer[: self._stop])
        chunks = None if self._chunks is None else tuple(self._chunks.sizes)
        payload = body if self._chunks is None else bytes(self._chunks.payload)
        return Answer(tuple(self.interim), self.head, body, chunks, self.end, payload)


def read(data: bytes, method: str = "GET", *, reset: bool = False) -> Answer:
    """Read an answer whose bytes are all there."""
    reading = Reading(method)
    reading.feed(data)
    reading.over(reset=reset)
    return reading.answer
