"""Where the body of an HTTP/1.1 message ends (RFC 9112 §6, §7): bytes are counted and recognised, never changed."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

_MOST_LINE: Final = 4096
"""The longest chunk-size line, extensions included."""
_MOST_TRAILERS: Final = 32 << 10
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n")
_SIZE_AND_EXTENSION: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*+)?\r\n")
_TRAILER: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[\t\x20-\x7e\x80-\xff]*+\r\n")
_SIZE_BEGUN: Final = re.compile(rb"[0-9A-Fa-f]{1,15}\r?")
_SIZE_AND_EXTENSION_BEGUN: Final = re.compile(rb"[0-9A-Fa-f]{1,15}(?:\r|[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*+\r?)?)")
_TRAILER_BEGUN: Final = re.compile(
    rb"\r|[!#$%&'*+\-.^_`|~0-9A-Za-z]++|([!#$%&'*+\-.^_`|~0-9A-Za-z]++):[\t\x20-\x7e\x80-\xff]*+\r?"
)
_TINY_BELOW: Final = 16


def _tiny(extension: bytes) -> re.Pattern[bytes]:
    """Return the pattern of chunks of a few bytes each, as many as follow each other: one by one they would cost a lot."""
    sizes = (rb"%x%s\r\n[\s\S]{%d}\r\n" % (size, extension, size) for size in range(1, _TINY_BELOW))
    return re.compile(rb"(?:" + b"|".join(sizes) + rb")*+", re.IGNORECASE)


_TINY: Final = _tiny(b"")
_TINY_AND_EXTENSION: Final = _tiny(rb"(?:;[\t\x20-\x7e\x80-\xff]{0,64}+)?")
_NO_TRAILER: Final = frozenset(
    {
        b"content-length", b"transfer-encoding", b"host", b"connection", b"trailer", b"te", b"upgrade", b"keep-alive",
        b"content-encoding", b"content-type", b"content-range", b"authorization", b"proxy-authorization", b"cookie", b"expect",
        b"cache-control",
    }
)  # fmt: skip
"""Fields that decide how a message is read: behind a body they come too late, and are refused (RFC 9110 §6.5.1)."""


class BadFraming(Exception):  # noqa: N818 - what happened is the name
    """A body whose framing is not exactly the grammar; `good` is what was recognised of the bytes before the trouble."""

    def __init__(self, good: bytes) -> None:
        """Keep them."""
        self.good = good
        super().__init__("the framing of a body is broken")


class Framing:
    """How a body ends. `take` looks at bytes in order; `done` once the end was seen, and then `end` is where."""

    __slots__ = ("done", "end")
    chunked = False

    def __init__(self) -> None:
        """Begin before the first byte."""
        self.done = False
        self.end = 0

    def take(self, data: bytes, at: int) -> bytes:
        """Return what of these bytes may be passed on: what is recognised as the body's. `end` is where it ends in them.

        Args:
            data: bytes as they came.
            at: where in them to begin.

        Raises:
            BadFraming: they are no such body.

        """
        raise NotImplementedError


class Length(Framing):
    """A body of so many bytes, at least one."""

    __slots__ = ("_left",)

    def __init__(self, length: int) -> None:
        """Expect `length` bytes."""
        self.done = False  # not by way of super(): that costs more than all of this
        self.end = 0
        self._left = length

    def take(self, data: bytes, at: int) -> bytes:
        """As `Framing.take`."""
        piece = data[at : at + self._left]
        self._left -= len(piece)
        self.done = not self._left
        self.end = at + len(piece)
        return piece


class UntilClose(Framing):
    """A body that ends with the connection; `done` never comes from its bytes."""

    __slots__ = ()

    def take(self, data: bytes, at: int) -> bytes:
        """As `Framing.take`."""
        self.end = len(data)
        return data[at:]


class _At(Enum):
    SIZE = 0
    DATA = 1
    AFTER_DATA = 2
    TRAILERS = 3


class Chunked(Framing):
    """A body in chunks. `payload`, where it is a list, gets what the chunks hold, piece by piece."""

    __slots__ = ("_at", "_begun", "_left", "_line", "_seen", "_size", "_strict", "_tiny", "payload")
    chunked = True

    def __init__(self, *, extensions: bool) -> None:
        """Begin before the first chunk; `extensions`: whether a size may carry some."""
        super().__init__()
        self._size = _SIZE_AND_EXTENSION if extensions else _SIZE
        self._begun = _SIZE_AND_EXTENSION_BEGUN if extensions else _SIZE_BEGUN
        self._tiny = _TINY_AND_EXTENSION if extensions else _TINY
        self._strict = not extensions
        self._at = _At.SIZE
        self._left = 0
        self._line = b""
        self._seen = 0
        self.payload: list[bytes] | None = None

    def take(self, data: bytes, at: int) -> bytes:
        """As `Framing.take`: of a line that is not whole, what can be the beginning of one is passed on."""
        start, stop = at, len(data)
        while at < stop and not self.done:
            if self._at is _At.SIZE and not self._line:
                at = self._take_whole_chunks(data, at)
                if at == stop:
                    break
            if self._at is _At.DATA:
                at += self._take_data(data, at)
                continue
            found = data.find(b"\n", at) + 1
            line = self._line + data[at : found or stop]
            self._line = b"" if found else line
            if not (self._is_taken(line) if found else self._may_begin(line)):
                raise BadFraming(data[start:at])
            at = found or stop
        self.end = at
        return data[start:at]

    def _take_whole_chunks(self, data: bytes, at: int) -> int:
        """Go on by the chunks that are there whole, as most are that hold an event; return where the next one begins."""
        while (size := self._size.match(data, at)) is not None:
            begin = size.end()
            end = begin + int(size[1], 16)
            if end == begin or data[end : end + 2] != b"\r\n" or begin - at > _MOST_LINE:
                break
            if self.payload is not None:
                self.payload.append(data[begin:end])
            at = end + 2
            if end - begin < _TINY_BELOW and self.payload is None:
                tiny = self._tiny.match(data, at)
                at = tiny.end() if tiny is not None else at
        return at

    def _take_data(self, data: bytes, at: int) -> int:
        """Go on by bytes of a chunk; return how many."""
        step = min(self._left, len(data) - at)
        if self.payload is not None:
            self.payload.append(data[at : at + step])
        self._left -= step
        if not self._left:
            self._at = _At.AFTER_DATA
        return step

    def _may_begin(self, line: bytes) -> bool:
        """Tell whether a line that is not whole may be the beginning of one that may stand here."""
        match self._at:
            case _At.SIZE:
                return len(line) <= _MOST_LINE and self._begun.fullmatch(line) is not None
            case _At.AFTER_DATA:
                return line == b"\r"
            case _:
                begun = _TRAILER_BEGUN.fullmatch(line)
                return begun is not None and len(line) <= _MOST_TRAILERS and self._is_allowed(begun[1])

    def _is_taken(self, line: bytes) -> bool:
        """Go on by a line; tell whether it may stand here."""
        match self._at:
            case _At.SIZE:
                size = self._size.fullmatch(line) if len(line) <= _MOST_LINE else None
                if size is None:
                    return False
                self._left = int(size[1], 16)
                self._at = _At.DATA if self._left else _At.TRAILERS
                return True
            case _At.AFTER_DATA:
                self._at = _At.SIZE
                return line == b"\r\n"
            case _:
                return self._is_trailer(line)

    def _is_trailer(self, line: bytes) -> bool:
        if line == b"\r\n":
            self.done = True
            return True
        self._seen += len(line)
        field = _TRAILER.fullmatch(line)
        return field is not None and self._seen <= _MOST_TRAILERS and self._is_allowed(field[1])

    def _is_allowed(self, name: bytes | None) -> bool:
        return name is None or not self._strict or name.lower() not in _NO_TRAILER


def dechunk(raw: bytes) -> tuple[bytes, bool]:
    """Return what chunks hold, and whether they are whole; what is broken ends them.

    Args:
        raw: a chunked body as it was on the wire.

    """
    body = Chunked(extensions=True)
    body.payload = []
    try:
        body.take(raw, 0)
    except BadFraming:
        return b"".join(body.payload), False
    return b"".join(body.payload), body.done
