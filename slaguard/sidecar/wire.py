"""What goes between pump and recorder: calls as plain values, frames with a length before them, messages back.

`marshal` is the quickest encoding of plain values there is, and both ends are one program on one host: the recorder
reads only what the process that started it sends. The way back is JSON: it comes from where hostile bodies are read.
"""

from __future__ import annotations

import json
import marshal
from typing import Any, Final, NamedTuple, cast

from slaguard.sidecar.minutes import Tallied

LENGTH_BYTES: Final = 4
MOST_WORD: Final = 1 << 20
"""Bytes of one message that comes back."""
SHED: Final = "queue"
TOO_LARGE: Final = "too_large"
SEAL_NOW: Final = 0
"""The number of a frame that asks to seal and publish what there is, beside the recording; it is not acknowledged."""


class Packed(NamedTuple):
    """One call as it goes to the recorder: what `Call` says, and of each body its size and its first and last bytes.

    `logical_id` is None where the client named none. `share` is there where question and answer were to be kept: the share
    of requests that was drawn from when this one was. `kept` then holds both, or why not: ``queue``, ``too_large``.
    """

    writer: str
    name: int
    logical_id: str | None
    vendor: str
    service: str | None
    region: str | None
    method: str
    target: str
    wall_ns: int
    mono_ns: int
    sent_ns: int | None
    asked_ns: int | None
    held_ns: int
    first_byte_ns: int | None
    ended_ns: int | None
    status: int | None
    ended: str
    detail: str | None
    noted: dict[bytes, bytes]
    returned: dict[bytes, bytes]
    marks: list[tuple[int, int]]
    question_size: int
    question_first: bytes
    question_last: bytes
    question_chunked: bool
    answer_size: int
    answer_first: bytes
    answer_last: bytes
    answer_chunked: bool
    share: str | None
    kept: tuple[bytes, bytes] | str | None


Plain = tuple[Any, ...]
"""The values of a Packed."""


# ── to the recorder ─────────────────────────────────────────────────────────────────────────────────────────────────
class Setup(NamedTuple):
    """The first frame: the writer's folder, after how many ms rows are sealed, where segments are copied, what is kept.

    `key`: by which names that may not be written are replaced, so that equal ones stay equal.
    """

    directory: str
    seal_every_ms: int
    publish: str | None
    largest_body: int
    key: bytes = b""


class Frame(NamedTuple):
    """Calls and tallies that go into one commit."""

    number: int
    calls: list[Plain]
    tallies: list[Tallied]


def framed(value: Any) -> bytes:
    """Return plain values as they are sent."""
    content = marshal.dumps(value, 2)  # version 2 looks for no repeats, which costs more than they are worth here
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


def unframed(content: bytes) -> tuple[Any, ...]:
    """Return what was framed, without its length."""
    return cast("tuple[Any, ...]", marshal.loads(content))  # noqa: S302 - from the process that started this one


# ── and back ────────────────────────────────────────────────────────────────────────────────────────────────────────
def word(**said: object) -> bytes:
    """Return one message of the recorder."""
    return json.dumps(said, separators=(",", ":")).encode("ascii") + b"\n"


class Words:
    """Takes bytes from the recorder and gives the messages in them."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        """Begin before the first."""
        self._rest = b""

    def take(self, data: bytes) -> list[dict[str, Any]]:
        """Return the messages that are whole now.

        Raises:
            ValueError: this is no recorder.

        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MOST_WORD:
            raise ValueError("a message without an end")
        found = [json.loads(line) for line in lines]
        if not all(isinstance(one, dict) for one in found):
            raise ValueError("a message that is no object")
        return found
