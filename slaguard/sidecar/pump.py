"""The pump: listens, and passes every request to its vendor and every answer back, byte for byte.

It knows nothing of what the bytes mean. Who wants to know gets each `Call` through the `Watcher`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from slaguard.config import Listen
from slaguard.records import Clock
from slaguard.sidecar.call import Call, Ended, Watcher
from slaguard.sidecar.client import ClientSide
from slaguard.sidecar.connect import Connector
from slaguard.sidecar.exchange import Limits
from slaguard.sidecar.route import Routes
from slaguard.sidecar.vendor import Pool

__all__ = ["Limits", "Pump", "PumpState"]

_BACKLOG: Final = 1024
_WAIT_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class PumpState:
    """What a pump does now and has done.

    `open_calls`: calls under way; `clients`: their connections and those that wait; `pooled`: vendor connections that wait.
    `ended`: calls by how they ended; `refused`: answers in our own name, by status.
    """

    open_calls: int
    clients: int
    pooled: int
    ended: Mapping[Ended, int]
    refused: Mapping[str, int]


class Pump:
    """Passes requests on; one event loop, no threads."""

    def __init__(
        self,
        routes: Routes,
        watcher: Watcher,
        clock: Clock,
        *,
        control: Callable[[], Awaitable[bool]] | None = None,
        limits: Limits | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Make a pump that does not listen yet.

        Args:
            routes: which request goes where.
            watcher: is told of every call.
            clock: gives the times of calls.
            control: tells whether somebody else is reached, asked where a vendor is not; None: nobody else is asked.
            limits: how long things may take.
            trust: the certificates that are trusted; None: the system's.

        """
        self.routes = routes
        self.watcher = watcher
        self.clock = clock
        self.control = control
        self.limits = limits or Limits()
        self.pool = Pool()
        self.connector = Connector(trust)
        self.tick = 0
        self.is_draining = False
        self._clients: set[ClientSide] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = 0
        self._ended: Counter[Ended] = Counter()
        self._refused: Counter[str] = Counter()
        self._quiet = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> Listen:
        """Take connections from now on; returns where.

        Args:
            host: an address of this machine.
            port: 0: any that is free.

        Raises:
            OSError: the address is not ours, or taken.

        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: ClientSide(self), host, port, backlog=_BACKLOG)
        self.keep(loop.create_task(self._look_around()))
        found = self._server.sockets[0].getsockname()
        return Listen(found[0], found[1])

    def replace(self, routes: Routes) -> None:
        """Send new requests by other routes; those under way end as they began."""
        self.routes = routes

    def state(self) -> PumpState:
        """Return what it does now and has done."""
        return PumpState(self._open, len(self._clients), len(self.pool), dict(self._ended), dict(self._refused))

    async def drain(self, grace_s: float) -> int:
        """Take no more connections, let the calls under way end, then close everything.

        Args:
            grace_s: how long they have.

        Returns:
            How many calls had to be ended.

        """
        self.is_draining = True
        if self._server is not None:
            self._server.close()
        self._is_quiet()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), grace_s)
        ended = self._open
        for client in list(self._clients):
            client.stop()
        await asyncio.sleep(_WAIT_S if ended else 0)  # what is said last is sent
        for client in list(self._clients):
            client.close()
        self.pool.close_idle(self.tick)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return ended

    def _is_quiet(self) -> None:
        if self.is_draining and not self._open and not self._clients:
            self._quiet.set()

    async def _look_around(self) -> None:
        """Every second: end what has been quiet for too long."""
        while True:
            await asyncio.sleep(1)
            self.tick += 1
            for client in list(self._clients):
                client.look()
            self.pool.close_idle(self.tick - self.limits.pool_s)

    # ── called by connections and exchanges ─────────────────────────────────────────────────────────────────────────
    def arrived(self, client: ClientSide) -> bool:
        """Take a connection in; tell whether there is room for it."""
        self._clients.add(client)
        return len(self._clients) <= self.limits.clients

    def left(self, client: ClientSide) -> None:
        """Forget a connection."""
        self._clients.discard(client)
        self._is_quiet()

    def refused(self, status: int) -> None:
        """Count an answer in our own name."""
        self._refused[str(status)] += 1

    def began(self, call: Call) -> None:
        """Count a call and tell the watcher."""
        self._open += 1
        self.watcher.began(call)

    def over(self, call: Call) -> None:
        """Count a call's end and tell the watcher."""
        self._open -= 1
        assert call.ended is not None  # noqa: S101 - it is over
        self._ended[call.ended] += 1
        if self.is_draining:
            self._is_quiet()
        self.watcher.ended(call)

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a task until it is done; an error in it is raised where the loop reports such."""
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            task.get_loop().call_exception_handler({"message": "the sidecar's pump", "exception": error, "task": task})
