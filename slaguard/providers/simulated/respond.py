"""Put a sound answer on the wire, whole or as a stream."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from aiohttp import web

from slaguard.providers.simulated import wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from slaguard.providers.simulated.behaviour import Turn
    from slaguard.providers.simulated.script import Script

EVENT_STREAM: Final = "text/event-stream"
_NS: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request being answered; `delay` takes seconds, on whatever clock the owner keeps."""

    request: web.Request
    script: Script
    turn: Turn
    message: wire.Message
    stream: bool
    with_usage: bool
    delay: Callable[[float], Awaitable[None]]
    at_ns: int

    async def wait_first_byte(self) -> None:
        """Wait until the first byte is due."""
        await self.delay(self.turn.first_byte_ms / 1000)

    async def wait_rest(self, share: float = 1.0) -> None:
        """Wait for `share` of the time between the first byte and the last."""
        await self.delay((self.turn.total_ms - self.turn.first_byte_ms) * share / 1000)

    def headers(self) -> dict[str, str]:
        """Return the headers of every answer; the date is the simulated one."""
        return {
            "x-request-id": self.turn.request_id,
            "openai-processing-ms": str(self.turn.total_ms),
            "Date": formatdate(self.at_ns // _NS, usegmt=True),
            "Server": "simulated-vendor",
        }

    def json(self, text: str, status: int = 200, **headers: str) -> web.Response:
        """Return an answer of JSON text."""
        more = self.headers() | headers
        return web.Response(body=text.encode(), status=status, content_type="application/json", headers=more)

    def hang_up(self) -> None:
        """End the connection after what was written; the client sees it break."""
        if self.request.transport is not None:
            self.request.transport.close()


async def open_stream(call: Call, content_type: str = EVENT_STREAM) -> web.StreamResponse:
    """Send the headers of a stream and return it."""
    stream = web.StreamResponse(headers=call.headers() | {"Content-Type": content_type, "Cache-Control": "no-cache"})
    await stream.prepare(call.request)
    return stream


async def answer(call: Call, framing: wire.Framing | None = None) -> web.StreamResponse:
    """Answer soundly, in the usual framing unless told otherwise."""
    framing = framing or wire.Framing()
    if call.stream:
        return await _stream(call, framing)
    await call.wait_first_byte()
    await call.wait_rest()
    return call.json(wire.encode(wire.completion(call.message), framing))


async def _stream(call: Call, framing: wire.Framing) -> web.StreamResponse:
    """Write the events, spread evenly over the time the answer takes."""
    events = [wire.event(value, framing) for value in wire.chunks(call.message, with_usage=call.with_usage)]
    events.append(wire.done(framing))
    parts = _repiece(events, framing.piece)
    await call.wait_first_byte()
    stream = await open_stream(call)
    await stream.write(parts[0])
    for part in parts[1:]:
        await call.wait_rest(1 / (len(parts) - 1))
        await stream.write(part)
    await stream.write_eof()
    return stream


def _repiece(events: list[bytes], size: int | None) -> list[bytes]:
    """Return the same bytes in pieces of `size`, or as they are."""
    if size is None:
        return events
    whole = b"".join(events)
    return [whole[i : i + size] for i in range(0, len(whole), size)]
