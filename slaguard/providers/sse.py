"""Server-sent events out of the bytes of a finished stream (WHATWG HTML, 9.2.6): what each says, and where it ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Event:
    """The data of one event, and the offset in the stream at which it was whole."""

    data: bytes
    end: int


def events(stream: bytes) -> Iterator[Event]:
    """Yield the events that were finished by an empty line; a last one without it was cut off and is none.

    Lines may end with LF, CRLF or CR; an event's data lines are joined with LF; comments and other fields are skipped.
    """
    data: list[bytes] = []
    at = len(_BOM) if stream.startswith(_BOM) else 0
    for end in _LINE_END.finditer(stream, at):
        line, at = stream[at : end.start()], end.end()
        if not line:
            if data:
                yield Event(b"\n".join(data), at)
            data = []
            continue
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
