"""The running sidecar: pump, link and admin together, from the first call to the last record."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from slaguard import __version__
from slaguard.config import Listen
from slaguard.errors import ConfigError, SlaguardError
from slaguard.records import Clock
from slaguard.sidecar.admin import Admin
from slaguard.sidecar.aside import aside
from slaguard.sidecar.control import ControlTarget
from slaguard.sidecar.link import Link, LinkState
from slaguard.sidecar.log import Log
from slaguard.sidecar.pump import Limits, Pump
from slaguard.sidecar.series import Family, OwnState, Page, families
from slaguard.sidecar.settings import Key, Settings, sampling_key

RELOAD_S: Final = 30.0
"""How long reading the configuration may take."""
_FLUSH_S: Final = 5.0
"""Of the grace, how much is kept for writing down what is left; a quarter of it where it is short."""
_LOOK_S: Final = 1.0
_DOWN: Final = 10
"""After so many looks a recorder that is not there is told of: one that starts takes a moment."""
_TOLD_AGAIN: Final = 60
"""So many looks lie between two lines about recorders that were started anew: one that flaps must not fill the log."""
_ENDING: Final = "the sidecar ends: nothing was changed"
_OWN_FILES: Final = 128
"""Descriptors that calls leave to admin's 64 connections, the recorder, the configuration and the process itself."""


@dataclass(frozen=True, slots=True)
class Seams:
    """What comes from outside: time, randomness, how the configuration is read again, and how many files may be open."""

    clock: Clock
    entropy: Callable[[int], bytes]
    load: Callable[[], Settings]
    files: int | None = None
    """Descriptors that this process may have; None: as many as it likes."""


@dataclass(slots=True)
class _Reloads:
    successful: bool
    success_at: int
    restart_needed: bool = False


class Sidecar:
    """Pump, link and admin: `run` until `stop`; `reload` whenever."""

    def __init__(self, settings: Settings, seams: Seams, log: Log) -> None:
        """Take the parts; nothing runs yet."""
        self._settings = settings
        self._seams = seams
        self._log = log
        self._at_start = settings.only_at_start()
        self._queue_limit = settings.most_bytes
        self._reloads = _Reloads(successful=True, success_at=seams.clock.read().wall_ns)
        self._one_reload = asyncio.Lock()
        self._stop = asyncio.Event()
        self._began = asyncio.Event()
        self._is_ready = False
        self._key = Key(b"")
        self._control = ControlTarget(settings.control, seams.clock)

    async def run(self, listening: Callable[[Listen, Listen], None]) -> None:
        """Pass calls on until `stop`; then let those under way end, and write down what is left.

        Args:
            listening: is told where calls are taken and where admin answers, as soon as they are.

        Raises:
            ConfigError: it cannot listen where it should.

        """
        loop, settings = asyncio.get_running_loop(), self._settings
        loop.set_exception_handler(self._internal)
        self._key = await sampling_key(settings.recorder.directory, self._seams.entropy)
        link = self._link = Link(
            settings.recorder, self._seams.clock, self._seams.entropy, bodies=settings.bodies, key=self._key.value,
            most_bytes=settings.most_bytes, vendors=settings.vendors, log=self._log,
        )  # fmt: skip
        pump = self._pump = Pump(settings.routes, link, self._seams.clock, control=self._control.reached, limits=self._limits())
        admin = Admin(Page(self._families, self._seams.clock), is_ready=lambda: self._is_ready, reload=self.reload)
        at_admin = await _bound("admin", settings.admin, admin.listen(settings.admin))
        try:
            at = await _bound("listen", settings.listen, pump.listen(settings.listen.host, settings.listen.port))
        except ConfigError:
            admin.close()
            raise
        await link.start()  # last, so that nothing is begun where a port is taken; it returns at once
        self._is_ready = True
        self._began.set()
        self._tell_start()
        listening(at, at_admin)
        watching = asyncio.create_task(self._watch(link))
        await self._stop.wait()
        self._is_ready = False
        await self._end(pump, link)
        watching.cancel()
        admin.close()

    def stop(self) -> None:
        """End: no new connections, and the grace for calls under way."""
        self._stop.set()

    async def _end(self, pump: Pump, link: Link) -> None:
        """Drain, then flush, both within the grace."""
        loop, grace = asyncio.get_running_loop(), self._settings.grace_s
        until, flush = loop.time() + grace, min(_FLUSH_S, grace / 4)
        self._log.info("stopping", open_calls=pump.state().open_calls, grace_s=int(grace))
        link.seal()  # what is there by now is published meanwhile: the grace may be too short for all of it
        ended = await pump.drain(grace - flush)
        whole = False
        with suppress(TimeoutError):  # a recorder that does not end is left behind, and ends by itself
            async with asyncio.timeout_at(until):
                whole = await link.stop(until - loop.time() - flush / 4)
        state = link.state()
        say = self._log.info if whole and not ended and state.published is not False else self._log.warning
        published = {} if state.published is None else {"published": state.published}
        say("stopped", calls_ended_early=ended, seen=state.seen, recorded=state.recorded, all_written=whole, **published)

    def _limits(self) -> Limits:
        """Return the pump's limits: a call takes two descriptors, and must not take the last ones."""
        files, most = self._seams.files, Limits().clients
        return Limits() if files is None else Limits(clients=max(1, min(most, (files - _OWN_FILES) // 2)))

    # ── reload ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def reload(self) -> str | None:
        """Read the configuration again; return what is wrong with it (the old one then goes on), None if it is in force."""
        await self._began.wait()  # a signal in the first second is not lost
        async with self._one_reload:
            if self._stop.is_set():
                return _ENDING
            try:
                settings = await aside(self._seams.load, RELOAD_S)
            except (SlaguardError, OSError) as error:  # a time-out is one of them
                reason = str(error) or f"the configuration could not be read within {RELOAD_S:g} s"
                self._reloads.successful = False
                self._log.error("reload_refused", reason=reason)
                return reason
            if self._stop.is_set():
                return _ENDING
            self._take_over(settings)
            return None

    def _take_over(self, settings: Settings) -> None:
        """Change over for calls that begin from now on; from here on nothing can be refused."""
        changed = list(self._changed(settings))
        for what, before, now in changed:
            self._log.warning("restart_needed", what=what, in_force=before, configured=now)
        self._pump.replace(settings.routes)
        self._link.replace(bodies=settings.bodies, vendors=settings.vendors)
        self._control.aim(settings.control)
        self._settings = settings
        self._reloads = _Reloads(True, self._seams.clock.read().wall_ns, bool(changed))
        self._log.info("reloaded", upstreams=len(settings.routes.upstreams))
        self._tell_unknown(settings)

    def _changed(self, settings: Settings) -> Iterator[tuple[str, str, str]]:
        """Yield what only a restart brings: its name, what is in force, and what is configured now."""
        now = settings.only_at_start()
        yield from ((what, before, now[what]) for what, before in self._at_start.items() if before != now[what])

    # ── what is said and shown ──────────────────────────────────────────────────────────────────────────────────────
    def _tell_start(self) -> None:
        if self._key.trouble is not None:
            reason = self._key.trouble
            self._log.warning("secret_not_kept", reason=reason, instead="bodies are drawn by one that ends with this process")
        self._tell_unknown(self._settings)

    def _tell_unknown(self, settings: Settings) -> None:
        for vendor in settings.unknown_vendors:
            self._log.warning("vendor_not_configured", vendor=vendor, mend="write it as under vendors, letter by letter")

    async def _watch(self, link: Link) -> None:
        """Say when recording stops or begins again, and when calls are lost to it; nothing of it touches a call."""
        before = _Heard()
        while True:
            await asyncio.sleep(_LOOK_S)
            before = self._compare(before, link.state())

    def _compare(self, before: _Heard, state: LinkState) -> _Heard:
        again = self._tell_restarts(before, state.restarts)
        now = _Heard(
            0 if state.recorder_up else before.down + 1, state.trouble, sum(state.shed.values()), state.ledger_lost, *again
        )
        if now.down == _DOWN:
            self._log.error("recorder_down", reason="the process that writes records is not there; it is started again")
        elif before.down >= _DOWN and not now.down:
            self._log.info("recorder_up")
        if now.trouble != before.trouble:
            if now.trouble is not None:
                self._log.error("recording_trouble", reason=now.trouble)
            else:
                self._log.info("recording_again")
        if now.lost > before.lost:
            self._log.warning("calls_not_recorded", calls=now.lost - before.lost, in_all=now.lost)
        if now.ledgers > before.ledgers:
            reason = "the ledger was removed or replaced: what stood in it and was not sealed is gone; it was made anew"
            self._log.error("ledger_lost", reason=reason, in_all=now.ledgers)
        return now

    def _tell_restarts(self, before: _Heard, restarts: int) -> tuple[int, int]:
        """Tell of recorders that were started anew, at once and then once a minute; return what is told, and its age."""
        if restarts > before.restarts and before.told_ago >= _TOLD_AGAIN:
            self._log.warning("recorder_restarted", times=restarts - before.restarts, in_all=restarts)
            return restarts, 0
        return before.restarts, before.told_ago + 1

    def _internal(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Say what the loop reports; the process goes on."""
        del loop
        error = context.get("exception")
        self._log.error("internal", where=context.get("message"), reason=f"{type(error).__name__}: {error}")

    def _families(self) -> Iterator[Family]:
        own = OwnState(
            version=__version__,
            ready=self._is_ready,
            queue_limit=self._queue_limit,
            secret_kept=self._key.trouble is None,
            reload_successful=self._reloads.successful,
            reload_success_at=self._reloads.success_at,
            restart_needed=self._reloads.restart_needed,
        )
        return families(self._pump.state(), self._link.state(), own)


@dataclass(frozen=True, slots=True)
class _Heard:
    """What was last heard of the link, and told.

    `down`: for how many looks there has been no recorder. `restarts` were told of, `told_ago` looks ago.
    """

    down: int = 0
    trouble: str | None = None
    lost: int = 0
    ledgers: int = 0
    restarts: int = 0
    told_ago: int = _TOLD_AGAIN


# ── the addresses ───────────────────────────────────────────────────────────────────────────────────────────────────
_WHY: Final = {
    errno.EADDRINUSE: ("another process listens there", "end it, or write another port"),
    errno.EACCES: ("this user may not listen there; ports below 1024 are not for everyone", "write a port above 1023"),
    errno.EADDRNOTAVAIL: ("this machine has no such address", "write an address of this machine: 127.0.0.1:7465"),
}


async def _bound(key: str, listen: Listen, opening: Awaitable[Listen]) -> Listen:
    """Return where a listener came to listen.

    Raises:
        ConfigError: it cannot listen there.

    """
    try:
        return await opening
    except OSError as error:
        unknown = isinstance(error, socket.gaierror)
        other = "no such host is known here" if unknown else error.strerror or str(error)
        why, mend = _WHY.get(error.errno or 0, (other, "write an address of this machine: 127.0.0.1:7465"))
        raise ConfigError(f"sidecar: {key}: {listen}: {why}\n    {mend}") from None
