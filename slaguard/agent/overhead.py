"""What of a measured time is our own: the same transport against a server on this machine that does nothing.

Measured before a probe starts and once a period (`performance.md` §2). Where it is more than 2 % of the smallest latency
limit, the log says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from slaguard.agent.settings import OpenTransport
from slaguard.providers.base import Request, Transport
from slaguard.records import NS, NS_PER_MS

CALLS: Final = 50
LIMIT_S: Final = 5.0
SHARE: Final = Fraction(2, 100)
"""The most of a latency limit that may be our own doing."""
_HEAD_BYTES: Final = 64 * 1024
_BODY: Final = b'{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"-"}}]}'
_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
_ANSWER: Final = _HEAD % len(_BODY) + _BODY


@dataclass(frozen=True, slots=True)
class Overhead:
    """Our own part of a call's time, nanoseconds, over `n` calls."""

    n: int
    p50: int
    p95: int

    @classmethod
    def of(cls, times: Sequence[int]) -> Overhead:
        """Return the percentiles of times: the smallest that so many do not exceed."""
        ordered = sorted(times)
        return cls(len(ordered), *(ordered[-(-len(ordered) * p // 100) - 1] for p in (50, 95)))

    def seconds(self) -> dict[str, float]:
        """Return the statistics by name, in seconds."""
        return {"p50": self.p50 / NS, "p95": self.p95 / NS}

    def is_too_much(self, limit_ms: int) -> bool:
        """Tell whether it is more of a latency limit than measuring may take."""
        return self.p95 > SHARE * limit_ms * NS_PER_MS


async def measure(request: Request, way: Callable[[str], OpenTransport], path: str, *, calls: int = CALLS) -> Overhead | None:
    """Return how long a call takes that costs a vendor nothing; None if not one came through.

    Args:
        request: a question as it would be asked; its body is sent, its headers with keys are not.
        way: makes the transport to an address, the same kind that asks the vendor.
        path: where the question would be posted.
        calls: how many; fewer where the time (5 s) is up.

    """
    times: list[int] = []
    with suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S), _null_server() as address, way(address) as transport:
            mine = replace(request, url=address + path, headers=(("Content-Type", "application/json"),))
            for _ in range(calls):
                times += await _timed(transport, mine)
    return Overhead.of(times) if times else None


async def _timed(transport: Transport, request: Request) -> list[int]:
    exchange = await transport.send(request)
    return [exchange.ended_ns - exchange.sent_ns] if exchange.complete and exchange.sent_ns is not None else []


@asynccontextmanager
async def _null_server() -> AsyncIterator[str]:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0, limit=_HEAD_BYTES)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await server.wait_closed()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read one request, answer it, hang up."""
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0]) if lengths else 0)
        writer.write(_ANSWER)
        await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
