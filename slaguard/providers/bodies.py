"""Unpack a body as it comes in, and keep no more of it than is needed: a small answer may unpack to a very large one."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

_GZIP: Final = 31
_ZLIB: Final = 15
_RAW: Final = -15
_MOST_MEMBERS: Final = 100
"""Parts that a gzip body may have: servers send one."""
_READABLE: Final = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})


class Body:
    """The body of one answer, unpacked, at most `limit` bytes of it.

    `over_limit` is set once more came than is kept, `unreadable` where the coding is unknown or the data is no such
    coding; from then on nothing more is taken.
    """

    def __init__(self, coding: str, limit: int) -> None:
        """Start empty; `coding` is the Content-Encoding."""
        self._coding = coding.strip().lower()
        self._limit = limit
        self._unpacker = _unpacker(self._coding)
        self._parts: list[bytes] = []
        self.size = 0
        self.over_limit = False
        self.unreadable = self._coding not in _READABLE

    def take(self, piece: bytes) -> bool:
        """Take in a piece of the body as it came; return whether more is wanted."""
        if self.unreadable:
            return False
        try:
            for part in self._unpacked(piece):
                room = self._limit - self.size
                self._parts.append(part[:room])
                self.size += min(len(part), room)
                if len(part) > room:
                    self.over_limit = True
                    return False
        except zlib.error:
            self.unreadable = True
            return False
        return True

    def _unpacked(self, piece: bytes) -> Iterator[bytes]:
        if self._unpacker is None:
            yield piece
            return
        if self._coding == "deflate" and self.size == 0 and not self._parts and piece and piece[0] & 0x0F != 8:
            self._unpacker = zlib.decompressobj(_RAW)  # some send it without its header
        members = 0
        while piece:
            unpacker = self._unpacker
            yield unpacker.decompress(piece, self._limit - self.size + 1)
            piece = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if unpacker.eof and piece:  # a further gzip member
                members += 1
                if members > _MOST_MEMBERS:
                    raise zlib.error("too many members")
                self._unpacker = zlib.decompressobj(_GZIP)

    @property
    def whole(self) -> bool:
        """Whether the packed data came to its end."""
        return not (self.over_limit or self.unreadable) and (self._unpacker is None or self._unpacker.eof or not self._parts)

    def content(self) -> bytes:
        """Return what was kept."""
        return b"".join(self._parts)


def _unpacker(coding: str) -> zlib._Decompress | None:
    if coding in {"gzip", "x-gzip"}:
        return zlib.decompressobj(_GZIP)
    return zlib.decompressobj(_ZLIB) if coding == "deflate" else None
