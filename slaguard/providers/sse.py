"""Server-sent events out of the bytes of a finished stream (WHATWG HTML, 9.2.6): what each says, and where it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


class Event(NamedTuple):
    """The data of one event, the offset in the stream at which it was whole, and the kind that it was given."""

    data: bytes
    end: int
    name: bytes = b""


def events(stream: bytes, begin: int = 0) -> Iterator[Event]:
    """Yield the events that were finished by an empty line; a last one without it was cut off and is none.

    Lines may end with LF, CRLF or CR; an event's data lines are joined with LF; comments and other fields are skipped.
    `begin` is where an event begins, for who wants no earlier one.
    """
    at = len(_BOM) if not begin and stream.startswith(_BOM) else begin
    return _by_line(stream, at) if b"\r" in stream else _by_block(stream, at)


def _by_block(stream: bytes, at: int) -> Iterator[Event]:
    """As `events`, where lines end with LF alone, as nearly all do: an event ends where two of them stand together."""
    while (stop := stream.find(b"\n\n", at)) >= 0:
        block, at = stream[at:stop], stop + 2
        if block[:6] == b"data: " and b"\n" not in block:
            yield Event(block[6:], at)
        elif (event := _read(block.split(b"\n"), at)) is not None:
            yield event


def _by_line(stream: bytes, at: int) -> Iterator[Event]:
    lines: list[bytes] = []
    for end in _LINE_END.finditer(stream, at):
        line, at = stream[at : end.start()], end.end()
        if line:
            lines.append(line)
        elif lines:
            event, lines = _read(lines, at), []
            if event is not None:
                yield event


def _read(lines: list[bytes], end: int) -> Event | None:
    """Return the event that these lines are; None where none of them is data."""
    data: list[bytes] = []
    name = b""
    for line in lines:
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return Event(b"\n".join(data), end, name) if data else None
