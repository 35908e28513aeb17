"""The recorder's process as the pump sees it: started, restarted, fed, ended if it hangs, and never waited for."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from slaguard.sidecar import wire
from slaguard.sidecar.aside import aside

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 30.0
_START_S: Final = 30.0
_REAP_S: Final = 5.0
COMMAND: Final = (sys.executable, "-P", "-m", "slaguard.sidecar.recorder")


class Child:
    """Keeps one recorder running until it is told to end.

    `came` is called when one is there and takes frames, `said` with each of its messages, `gone` when it has ended.
    """

    def __init__(
        self, setup: bytes, came: Callable[[], None], said: Callable[[dict[str, Any]], None], gone: Callable[[], None]
    ) -> None:
        """Start each recorder with this first frame."""
        self._setup = setup
        self._came, self._said, self._gone = came, said, gone
        self._process: subprocess.Popen[bytes] | None = None
        self._way: asyncio.WriteTransport | None = None
        self._task: asyncio.Task[None] | None = None
        self._ending = False
        self.is_proven = False
        """The recorder that runs has done something: the next one is started without a pause."""
        self.problem: str | None = None
        """Why none could be started."""

    @property
    def pid(self) -> int | None:
        """Return the process id of the recorder that runs."""
        return self._process.pid if self._process is not None and self._way is not None else None

    @property
    def takes(self) -> bool:
        """Tell whether there is a recorder to send to."""
        return self._way is not None

    def start(self) -> None:
        """Begin; returns at once."""
        self._task = asyncio.get_running_loop().create_task(self._keep())

    def send(self, data: bytes) -> None:
        """Send bytes, without waiting."""
        if self._way is not None:
            self._way.write(data)

    def kill(self) -> None:
        """End the recorder as it is; another one is started."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    def end(self) -> None:
        """Let the recorder finish, and start no other."""
        self._ending = True
        if self._way is not None and self._way.can_write_eof():
            self._way.write_eof()

    async def ended(self, wait_s: float) -> None:
        """Return once it has ended, which is seen to after `wait_s`."""
        if self._task is None:
            return
        done, _ = await asyncio.wait([self._task], timeout=wait_s)
        if not done:
            self.kill()
            await asyncio.wait([self._task], timeout=_REAP_S)
            self._task.cancel()
            await asyncio.wait([self._task])

    # ── inside ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _keep(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._ending:
            self.is_proven = False
            await self._run_one()
            pause = FIRST_PAUSE_S if self.is_proven else min(pause * 2, LONGEST_PAUSE_S)
            if not self._ending:
                await asyncio.sleep(pause)

    async def _run_one(self) -> None:
        ours, theirs = socket.socketpair()
        try:
            self._process = await aside(partial(_spawn, theirs), _START_S)
        except (OSError, TimeoutError) as error:
            self.problem = f"the recorder cannot be started: {type(error).__name__}"
            ours.close()
            return
        finally:
            theirs.close()
        self.problem = None
        try:
            await self._talk(ours)
        except OSError as error:
            self.problem = f"the recorder cannot be reached: {type(error).__name__}"
        finally:
            self._way = None
            await self._reap(self._process)
            self._gone()

    async def _talk(self, ours: socket.socket) -> None:
        """Return once the recorder has closed its end."""
        loop = asyncio.get_running_loop()
        closed = loop.create_future()
        ours.setblocking(False)
        self._way, _ = await loop.create_unix_connection(partial(_Line, self._take, closed), sock=ours)
        self._way.write(self._setup)
        self._came()
        if self._ending:
            self.end()
        await closed

    def _take(self, message: dict[str, Any] | None) -> None:
        """Pass a message on; a process that says something else is no recorder."""
        if message is None:
            self.kill()
        else:
            self._said(message)

    async def _reap(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for a process that has closed its end: it may be finishing a file, and is ended if that takes too long."""
        with suppress(TimeoutError):
            await aside(process.wait, _REAP_S)
        if process.returncode is None:
            process.kill()
            with suppress(TimeoutError):
                await aside(process.wait, _REAP_S)


def _spawn(theirs: socket.socket) -> subprocess.Popen[bytes]:
    """Start a recorder in a session of its own: a signal to the pump's group must not end it before it has written."""
    return subprocess.Popen(  # noqa: S603 - our own program
        COMMAND, stdin=theirs.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
    )


class _Line(asyncio.Protocol):
    """The pump's end of the way to the recorder."""

    def __init__(self, take: Callable[[dict[str, Any] | None], None], closed: asyncio.Future[None]) -> None:
        self._take = take
        self._closed = closed
        self._words = wire.Words()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._words.take(data)
        except ValueError:
            self._take(None)
            return
        for message in messages:
            self._take(message)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        del error
        if not self._closed.done():
            self._closed.set_result(None)
