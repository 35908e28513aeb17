"""A call as plain values, for the recorder; it runs beside the bytes, so everything is written out."""

from __future__ import annotations

from typing import Final

from slaguard.sidecar.call import WINDOW, Body, Call, Ended
from slaguard.sidecar.wire import Plain

_HOW: Final[dict[Ended, str]] = {how: how.value for how in Ended}
"""The plain text of each end, looked up more quickly than it is asked for."""


def pack(call: Call, writer: str, share: str | None, kept: tuple[bytes, bytes] | str | None) -> Plain:
    """Return the values of a `wire.Packed`."""
    upstream, began, question, answer = call.upstream, call.began, call.question, call.answer
    asked, said = question.size, answer.size
    return (
        writer, call.name, call.logical_id, upstream.vendor, upstream.service, upstream.region, call.method, call.target,
        began.wall_ns, began.mono_ns, call.sent_ns, call.asked_ns, call.held_ns, call.first_byte_ns, call.ended_ns,
        call.http_status, _HOW[call.ended or Ended.STOPPED], call.detail, call.noted, call.returned, call.marks,
        asked, question.first if asked else b"", question.last if asked > WINDOW else b"", question.chunked,
        said, answer.first if said else b"", answer.last if said > WINDOW else b"", answer.chunked,
        share, kept,
    )  # fmt: skip


def kept_of(body: Body) -> bytes | None:
    """Return all of a body where it was kept."""
    return None if body.pieces is None else b"".join(body.pieces)
