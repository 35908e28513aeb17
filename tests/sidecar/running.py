"""A pump that runs in a thread and loop of its own, as in the product, and a Watcher that keeps the calls."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import uvloop

from slaguard.cli.clock import SystemClock
from slaguard.providers.addresses import AddressPolicy
from slaguard.sidecar.call import Call, Ended
from slaguard.sidecar.pump import Limits, Pump, PumpState
from slaguard.sidecar.route import Routes, Upstream
from tests.sidecar.clients import until
from tests.sidecar.wire_vendor import LOOPBACK

T = TypeVar("T")
PATIENCE: Final = 60.0


class Keeping:
    """Keeps every call, once it began and once it ended; `keep_bodies` asks for all of them."""

    def __init__(self, *, keep_bodies: bool = False) -> None:
        """Begin empty."""
        self.begun: list[Call] = []
        self.over: list[Call] = []
        self._keep_bodies = keep_bodies

    def began(self, call: Call) -> None:
        """As `Watcher.began`."""
        self.begun.append(call)
        if self._keep_bodies:
            call.question.pieces = []
            call.answer.pieces = []

    def ended(self, call: Call) -> None:
        """As `Watcher.ended`."""
        self.over.append(call)

    def clear(self) -> None:
        """Forget the calls of before."""
        self.begun.clear()
        self.over.clear()

    def of(self, target: str) -> list[Call]:
        """Return the ended calls of a target."""
        return [call for call in list(self.over) if call.target == target]

    async def one(self, target: str) -> Call:
        """Wait for the one call of a target to end, and return it."""
        await until(lambda: bool(self.of(target)), f"the end of the call {target}")
        (call,) = self.of(target)
        return call

    async def settled(self) -> None:
        """Wait until every call that began has ended, each once."""
        await until(lambda: len(self.over) >= len(self.begun), "the end of every call that began")
        assert len({id(call) for call in self.over}) == len(self.over) == len(self.begun)

    @property
    def ends(self) -> set[Ended | None]:
        """How calls ended."""
        return {call.ended for call in list(self.over)}


class Sidecar:
    """The pump on its thread."""

    def __init__(self, upstreams: Sequence[Upstream], watcher: Keeping, limits: Limits, trust: ssl.SSLContext | None) -> None:
        """Make it; `port` is known once it runs."""
        self.watcher = watcher
        self._arguments = (Routes(upstreams), limits, trust)
        self._loop = uvloop.new_event_loop()
        self._loop.set_exception_handler(self._note)
        self.troubles: list[dict[str, Any]] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="sidecar", daemon=True)
        self.port = 0

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.troubles.append(context)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on its loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        self.port = self.run(self._listen())

    async def _listen(self) -> int:
        routes, limits, trust = self._arguments
        self.pump = Pump(routes, self.watcher, SystemClock(), limits=limits, trust=trust)
        return (await self.pump.listen(LOOPBACK, 0)).port

    @property
    def state(self) -> PumpState:
        """What it says of itself."""

        async def look() -> PumpState:
            return self.pump.state()

        return self.run(look())

    def stop(self) -> None:
        """End it; calls that are open get half a second."""
        self.run(self.pump.drain(0.5))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()


def upstream(port: int, **options: Any) -> Upstream:
    """Return an upstream on loopback."""
    given: dict[str, Any] = {
        "vendor": "Acme AI", "tls": False, "address": LOOPBACK, "port": port, "authority": f"{LOOPBACK}:{port}",
        "policy": AddressPolicy(loopback=True), "silence_ms": 60_000,
    }  # fmt: skip
    return Upstream(**(given | options))


@contextmanager
def sidecar_to(
    *upstreams: Upstream, limits: Limits | None = None, trust: ssl.SSLContext | None = None, keep_bodies: bool = False
) -> Iterator[Sidecar]:
    """Run a sidecar; an exception that reached its event loop is raised at the end."""
    sidecar = Sidecar(upstreams, Keeping(keep_bodies=keep_bodies), limits or Limits(), trust)
    sidecar.start()
    try:
        yield sidecar
    finally:
        sidecar.stop()
    assert not sidecar.troubles, sidecar.troubles
