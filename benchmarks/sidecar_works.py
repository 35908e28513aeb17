"""What is sent and what comes back, of sizes that are common for a chat, and the two vendors that answer at once.

The request has 0.75 KB of JSON, the answer 1.2 KB or 40 events of about 0.2 KB. nginx answers in JSON; this file, run as a
script, answers in events: each is one write of its own, as a vendor's are, and the streams take turns, so that a proxy that
keeps up meets every event alone.

    python sidecar_works.py PORT
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Final

import uvloop

EVENTS: Final = 40
PACE_S: Final = 0.002
PREFIX: Final = "/events"
"""What is asked under it goes to the vendor of events, without it where a proxy takes prefixes off."""
KEY: Final = "sk-benchmark-not-a-key"


@dataclass(frozen=True, slots=True)
class Work:
    """What is asked: its name, its target at the proxy, whether events come back, on how many connections."""

    name: str
    target: str
    events: bool
    connections: int = 16

    @property
    def at_vendor(self) -> str:
        """Return the target at the vendor."""
        return self.target.removeprefix(PREFIX)

    @property
    def question(self) -> bytes:
        """Return the body of the request."""
        asked = "Summarise the ticket below in one sentence and say how urgent it is. " + "The printer is out of paper. " * 15
        said = [{"role": "system", "content": "You answer briefly."}, {"role": "user", "content": asked}]
        body = {"model": "acme-large", "messages": said, "temperature": 0.2, "max_tokens": 256, "stream": self.events}
        return json.dumps(body).encode()

    @property
    def fields(self) -> dict[str, str]:
        """Return the fields of the request's head but `Host` and `Content-Length`."""
        return {
            "Accept": "text/event-stream" if self.events else "application/json",
            "Authorization": f"Bearer {KEY}",
            "Content-Type": "application/json",
            "User-Agent": "benchmark/1",
        }


JSON: Final = Work("json", "/v1/chat/completions", events=False)
STREAM: Final = Work("stream", f"{PREFIX}/v1/chat/completions", events=True)
PACED: Final = Work("paced", f"{PREFIX}/v1/chat/completions?paced=1", events=True, connections=32)
WORKS: Final = (JSON, STREAM, PACED)


def answer() -> str:
    """Return the JSON that nginx gives: 1.2 KB, no quote of nginx's own in it."""
    said = {"role": "assistant", "content": "A printer has no paper. " * 33, "refusal": None}
    usage = {"prompt_tokens": 181, "completion_tokens": 200, "total_tokens": 381}
    made = {"id": "chatcmpl-8f21c0", "object": "chat.completion", "created": 1_790_812_800, "model": "acme-large-2026-07-18"}
    choice = {"index": 0, "message": said, "logprobs": None, "finish_reason": "stop"}
    return json.dumps({**made, "choices": [choice], "usage": usage, "system_fingerprint": "fp_44709d6fcb"})


def _event(delta: dict[str, str], usage: dict[str, int] | None) -> bytes:
    made = {"id": "chatcmpl-8f21c0", "object": "chat.completion.chunk", "created": 1_790_812_800}
    choice = {"index": 0, "delta": delta, "finish_reason": None if usage is None else "stop"}
    text = json.dumps({**made, "model": "acme-large-2026-07-18", "choices": [choice], "usage": usage})
    return f"data: {text}\n\n".encode()


def pieces() -> tuple[bytes, ...]:
    """Return an answer of events as it is written: its head, then each event as a chunk, the last with the end."""
    events = [_event({"content": f" word{n}"}, None) for n in range(EVENTS - 2)]
    usage = {"prompt_tokens": 181, "completion_tokens": EVENTS - 2, "total_tokens": 179 + EVENTS}
    events += [_event({}, usage), b"data: [DONE]\n\n"]
    chunks = [b"%x\r\n%b\r\n" % (len(e), e) for e in events]
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nx-request-id: req_8f21c0\r\n"
    return (head + b"Transfer-Encoding: chunked\r\n\r\n", *chunks[:-1], chunks[-1] + b"0\r\n\r\n")


def nginx(port: int) -> str:
    """Return the server block of the vendor of JSON."""
    return (
        f"server {{ listen 127.0.0.1:{port} reuseport; keepalive_requests 1000000000; default_type application/json;"
        f" add_header x-request-id req_8f21c0; location / {{ return 200 '{answer()}'; }} }}"
    )


# ── the vendor of events ────────────────────────────────────────────────────────────────────────────────────────────
class Turns:
    """The streams under way: each gets its next piece, one after the other."""

    def __init__(self, loop: asyncio.AbstractEventLoop, pause: float) -> None:
        """Begin with none; `pause`: seconds between a stream's events."""
        self._loop = loop
        self._pause = pause
        self._pieces = pieces()
        self._open: dict[Stream, int] = {}
        self._going = False

    def add(self, stream: Stream) -> None:
        """Begin an answer."""
        self._open[stream] = 0
        if not self._going:
            self._going = True
            self._loop.call_soon(self._go)

    def drop(self, stream: Stream) -> None:
        """Forget a stream whose client has left."""
        self._open.pop(stream, None)

    def _go(self) -> None:
        """Give every stream a piece. What a socket does not take at once (it holds 40 events with ease) ends the run."""
        for stream, n in list(self._open.items()):
            piece = self._pieces[n]
            try:
                if os.write(stream.fd, piece) != len(piece):
                    raise SystemExit("a piece was written in part")
            except (BrokenPipeError, ConnectionResetError):
                self.drop(stream)
                continue
            if n + 1 < len(self._pieces):
                self._open[stream] = n + 1
            else:
                del self._open[stream]
        self._going = bool(self._open)
        if self._going:
            self._next()

    def _next(self) -> None:
        if self._pause:
            self._loop.call_later(self._pause, self._go)
        else:
            self._loop.call_soon(self._go)


class Stream(asyncio.Protocol):
    """A connection: waits for a whole request, then takes turns."""

    def __init__(self, at_once: Turns, paced: Turns) -> None:
        """Begin with no bytes."""
        self._at_once, self._paced = at_once, paced
        self._got = b""
        self.fd = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the descriptor: pieces are written without the loop's buffering."""
        self.fd = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Begin the answer once the body is whole."""
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end or len(body) < int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
            return
        self._got = b""
        (self._paced if b"?paced" in head.split(b"\r\n", 1)[0] else self._at_once).add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop."""
        del exc
        self._at_once.drop(self)
        self._paced.drop(self)


async def _serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    at_once, paced = Turns(loop, 0), Turns(loop, PACE_S)
    server = await loop.create_server(lambda: Stream(at_once, paced), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
