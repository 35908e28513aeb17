"""The `Watcher` of the product: between the pump, which must feel nothing of it, and the recorder, which may be gone.

`began` draws whose bodies are kept and counts the minute, `ended` packs what the pump noted. Ten times a second, or when
much has come, a frame goes to the recorder; it is kept until it is on disk, and sent again to the next recorder if the
one there was ends. What there is no room for is shed and counted: first bodies, then calls.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from slaguard.records import NS, Clock
from slaguard.sidecar import wire
from slaguard.sidecar.call import WINDOW, Call
from slaguard.sidecar.child import Child
from slaguard.sidecar.log import Log
from slaguard.sidecar.minutes import Cell, Minutes
from slaguard.sidecar.outbox import Outbox, Waiting
from slaguard.sidecar.packing import kept_of, pack
from slaguard.sidecar.sampling import Sampler, logical_id

LOOK_S: Final = 0.1
MOST_TRIES: Final = 5
"""Recorders that may end over one frame, before the frame is dropped: one call must not stop the record of all others."""
_ON_THEIR_WAY: Final = 8
"""Frames sent and not acknowledged: enough that the recorder always has one."""
_CALL_BYTES: Final = 1200
"""What a packed call takes up beside its bodies."""
_MOST_CALL_BYTES: Final = _CALL_BYTES + 4 * WINDOW
_FOR_CALLS: Final = Fraction(1, 4)
"""Of the room, what bodies leave to calls."""
_RUN_BYTES: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class RecorderSpec:
    """What a recorder writes, and where.

    `directory` is the writer's own folder in the ledger, `name` that of this sidecar. Rows are sealed after `seal_every_ms`
    and sealed segments copied to `publish`. `largest_body`: bytes of question and answer together that are kept.
    `patience_s`: how long a recorder may say nothing while it has work, before it is ended and another one started.
    """

    directory: Path
    name: str
    seal_every_ms: int
    publish: Path | None
    largest_body: int
    patience_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkState:
    """How the observing goes. Counts are of calls and since the start; `last_ack_ns` is UTC nanoseconds."""

    recorder_up: bool
    trouble: str | None
    queued_bytes: int
    seen: int
    recorded: int
    client_abort: int
    shed: Mapping[str, int]
    """By reason: ``queue`` (no room), ``error`` (they cannot be read), ``stop`` (not on disk when the time was over)."""
    bodies: int
    bodies_shed: int
    last_ack_ns: int | None
    restarts: int = 0
    """Recorders that were started after the first."""
    ledger_lost: int = 0
    """How often the log was removed or replaced under a recorder: what stood in it and was not sealed is gone."""
    published: bool | None = None
    """After a stop: whether all is published; None where nothing is to be."""


class Link:
    """Tells a recorder of every call. All of it runs on the pump's event loop; `began` and `ended` never wait or raise."""

    def __init__(
        self,
        spec: RecorderSpec,
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        bodies: Fraction,
        key: bytes,
        most_bytes: int,
        vendors: Iterable[str] = (),
        log: Log | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        Args:
            spec: what the recorder writes.
            clock: the pump's.
            entropy: gives this run its name, so that no two runs give two calls one id.
            bodies: share of requests whose question and answer are kept.
            key: by which they are drawn; secret.
            most_bytes: how much may wait for the recorder.
            vendors: whose minutes are counted even if nothing is seen.
            log: told of what should not happen.

        """
        self._spec = spec
        self._clock = clock
        self._key = key
        self._log = log
        self._patience_ns = int(spec.patience_s * NS)
        self._name = f"{spec.name}.{entropy(_RUN_BYTES).hex()}"
        self._sampler = Sampler(key, bodies, self._name)
        self._vendors = tuple(vendors)
        self._minutes = Minutes(self._name, clock.read(), ())
        self._outbox = Outbox(most_bytes)
        self._keeping: dict[int, tuple[Call, str]] = {}
        self._given_up: dict[int, str] = {}
        self._recorder = Child(_setup(spec, key), self._came, self._said, self._gone)
        self._timer: asyncio.TimerHandle | None = None
        self._heard_ns = 0
        self._is_up = False
        self._is_ready = False
        self._trouble: str | None = None
        self._is_old_trouble = False
        self._started = self._ledger_lost = 0
        self._failed = False
        self._seen = self._recorded = self._client_abort = self._bodies = self._bodies_shed = 0
        self._shed = {"queue": 0, "error": 0, "stop": 0}
        self._last_ack_ns: int | None = None
        self._published = None if spec.publish is None else False
        self._settled = asyncio.Event()

    # ── the data path ───────────────────────────────────────────────────────────────────────────────────────────────
    def began(self, call: Call) -> None:
        """Count a call and draw whether its bodies are kept (a `Watcher`)."""
        try:
            self._begin(call)
        except Exception as error:  # noqa: BLE001 - where observing ends: whatever is wrong with it, the call goes on
            self._could_not(call, error)

    def ended(self, call: Call) -> None:
        """Pack a call for the recorder (a `Watcher`)."""
        try:
            self._end(call)
        except Exception as error:  # noqa: BLE001 - as above
            self._could_not(call, error)

    def _begin(self, call: Call) -> None:
        self._seen += 1
        call.name = self._seen
        call.watched = self._minutes.count(call.upstream.vendor, call.began)
        call.logical_id = logical_id(call.noted)
        if self._sampler.draws(call.logical_id, call.name):
            call.question.pieces, call.answer.pieces = [], []
            self._keeping[call.name] = call, self._sampler.share  # another one may hold when it has ended

    def _end(self, call: Call) -> None:
        cell = call.watched
        if not isinstance(cell, Cell):
            return  # it was not counted when it began, and that was said then
        if call.name in self._keeping:
            packed, size = self._packed_with_bodies(call, cell)
        else:
            packed = pack(call, cell.writer, None, None)
            size = _size(call)
        outbox = self._outbox
        if outbox.size + size > outbox.most_bytes:
            cell.lose()
            self._shed["queue"] += 1
        elif outbox.put(packed, cell, size):
            self._flush()

    def _packed_with_bodies(self, call: Call, cell: Cell) -> tuple[wire.Plain, int]:
        _, share = self._keeping.pop(call.name)
        size = _size(call)
        total = call.question.size + call.answer.size
        why = self._given_up.pop(call.name, None)
        if why is None and total > self._spec.largest_body:
            why = wire.TOO_LARGE
        if why is None and self._outbox.size + size + total > self._room_for_bodies():
            why = wire.SHED
        question, answer = kept_of(call.question), kept_of(call.answer)
        kept = why if why is not None or question is None or answer is None else (question, answer)
        packed = pack(call, cell.writer, share, kept)
        if why == wire.SHED and self._outbox.size + size <= self._outbox.most_bytes:
            self._outbox.put_unkept(cell)
        return packed, size + (total if why is None else 0)

    def _could_not(self, call: Call, error: Exception) -> None:
        """Count a call that cannot be told of; say so once."""
        cell, call.watched = call.watched, None
        self._keeping.pop(call.name, None)
        self._given_up.pop(call.name, None)
        self._shed["error"] += 1
        if isinstance(cell, Cell):
            cell.lose()
        else:
            self._minutes.doubt()
        if not self._failed and self._log is not None:
            self._log.error("call_not_observed", error=type(error).__name__)
        self._failed = True

    # ── running ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def start(self) -> None:
        """Begin to watch, and start a recorder; returns before it is there."""
        self._minutes.replace(self._vendors, self._clock.read())
        self._recorder.start()
        self._look()

    def replace(self, *, bodies: Fraction | None = None, vendors: Iterable[str] | None = None) -> None:
        """Draw another share of bodies, or watch other vendors, from now on."""
        if bodies is not None:
            self._sampler = Sampler(self._key, bodies, self._name)
        if vendors is not None:
            self._minutes.replace(vendors, self._clock.read())

    def state(self) -> LinkState:
        """Return how it goes."""
        return LinkState(
            recorder_up=self._is_up,
            trouble=self._recorder.problem or self._trouble,
            queued_bytes=self._outbox.size,
            seen=self._seen,
            recorded=self._recorded,
            client_abort=self._client_abort,
            shed=dict(self._shed),
            bodies=self._bodies,
            bodies_shed=self._bodies_shed,
            last_ack_ns=self._last_ack_ns,
            restarts=max(0, self._started - 1),
            ledger_lost=self._ledger_lost,
            published=self._published,
        )

    @property
    def recorder_pid(self) -> int | None:
        """Return the process id of the recorder that runs."""
        return self._recorder.pid

    def seal(self) -> None:
        """Have the recorder seal and publish what there is by now, beside the recording; `stop` does so with the rest."""
        if self._spec.publish is not None:
            self._flush()
            self._recorder.send(wire.framed((wire.SEAL_NOW, [], [])))

    async def stop(self, timeout_s: float) -> bool:
        """Write what there is, let the recorder close its log, and end it; tell whether everything is on disk.

        Args:
            timeout_s: how long all of that may take, seconds. What is not on disk then is lost, and its minutes have no
                tally.

        """
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._minutes.stop(self._clock.read())
        all_written = False
        try:
            async with asyncio.timeout_at(until):
                await self._drained()
                all_written = True
        except TimeoutError:
            self._shed["stop"] += self._seen - self._recorded - sum(self._shed.values())
        self._recorder.end()
        await self._recorder.ended(max(0.0, until - loop.time()))
        self._is_up = False
        return all_written

    async def _drained(self) -> None:
        """Return once all that can be written is on disk: calls first, then the tallies that they complete."""
        while True:
            self._write_tallies()
            self._flush()
            if not self._outbox.frames:
                return
            self._settled.clear()
            await self._settled.wait()

    # ── ten times a second ──────────────────────────────────────────────────────────────────────────────────────────
    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        now = self._clock.read()
        self._minutes.look(now)
        self._write_tallies()
        self._flush()
        if self._keeping:
            self._bound_bodies()
        if self._is_up and self._outbox.frames and now.mono_ns - self._heard_ns > self._patience_ns:
            self._trouble, self._is_old_trouble = "the recorder did not answer and was ended", True
            self._heard_ns = now.mono_ns
            self._recorder.kill()

    def _write_tallies(self) -> None:
        for cell in self._minutes.due():
            self._outbox.put_tally(cell.tallied())  # without room there is none, and its minute is not called watched

    def _flush(self) -> None:
        outbox = self._outbox
        had_work = bool(outbox.frames)
        if lost := outbox.flush():
            self._lose(lost)
        if outbox.frames and self._recorder.takes:
            if not had_work:
                self._heard_ns = self._clock.read().mono_ns
            self._send()

    def _send(self) -> None:
        for frame in self._outbox.unsent(_ON_THEIR_WAY):
            frame.sent = True
            self._recorder.send(frame.data)

    def _bound_bodies(self) -> None:
        """Give up bodies of calls under way: those that are too large, then the largest, until the rest have room."""
        sizes = {name: call.question.size + call.answer.size for name, (call, _) in self._keeping.items()}
        held = sorted((size, name) for name, size in sizes.items() if name not in self._given_up)
        total = self._outbox.size + sum(size for size, _ in held)
        while held and (held[-1][0] > self._spec.largest_body or total > self._room_for_bodies()):
            size, name = held.pop()
            self._given_up[name] = wire.TOO_LARGE if size > self._spec.largest_body else wire.SHED
            call, _ = self._keeping[name]
            call.question.pieces = call.answer.pieces = None
            total -= size

    def _room_for_bodies(self) -> int:
        return self._outbox.most_bytes - int(self._outbox.most_bytes * _FOR_CALLS)

    # ── the recorder ────────────────────────────────────────────────────────────────────────────────────────────────
    def _came(self) -> None:
        self._is_up, self._is_ready = True, False
        self._started += 1
        self._is_old_trouble = True
        self._heard_ns = self._clock.read().mono_ns
        self._send()

    def _gone(self) -> None:
        self._is_up = False
        frame = self._outbox.lost_recorder(blame=self._is_ready)
        self._is_ready = False
        if frame is not None and frame.tries >= MOST_TRIES:
            self._give_up(self._outbox.drop())
        self._settled.set()

    def _give_up(self, frame: Waiting) -> None:
        """Shed the calls of a frame over which recorders end."""
        self._lose(frame.cells)
        self._trouble = "a recorder ended again and again over the same calls, which are not recorded"
        self._is_old_trouble = True

    def _lose(self, cells: list[Cell]) -> None:
        for cell in cells:
            cell.lose()
        self._shed["error"] += len(cells)

    def _said(self, message: dict[str, Any]) -> None:
        """Take a message.

        ``{"ready"}``, ``{"working"}``, ``{"lost"}`` (a log), ``{"trouble": TEXT | null}``, ``{"ack", "log", "aborted": [i],
        "bodies": [i]}``.
        """
        now = self._clock.read()
        self._heard_ns = now.mono_ns
        self._is_ready = True
        if "trouble" in message:
            self._trouble, self._is_old_trouble = message["trouble"], False
        if "lost" in message:
            self._ledger_lost += 1
        if "published" in message:
            self._published = bool(message["published"])
        if "ack" in message and (frame := self._outbox.done(message["ack"])) is not None:
            self._recorder.is_proven = True
            if self._is_old_trouble:
                self._trouble = None  # it was another recorder's: this one writes
            self._last_ack_ns = now.wall_ns
            self._acknowledged(frame, message)
            self._send()
            self._settled.set()

    def _acknowledged(self, frame: Waiting, message: dict[str, Any]) -> None:
        cells, log = frame.cells, message["log"]
        for cell in cells:
            cell.record(log)
        for cell in (cells[i] for i in message["aborted"]):
            cell.client_abort += 1
        for cell in (cells[i] for i in message["bodies"]):
            cell.bodies += 1
        for cell in frame.unkept:
            cell.bodies_shed += 1
        self._recorded += len(cells)
        self._client_abort += len(message["aborted"])
        self._bodies += len(message["bodies"])
        self._bodies_shed += len(frame.unkept)


def _size(call: Call) -> int:
    """Return about how many bytes a call takes up, without kept bodies."""
    size = _CALL_BYTES + call.question.size + call.answer.size
    return size if size < _MOST_CALL_BYTES else _MOST_CALL_BYTES  # noqa: FURB136 - a call of min() costs more


def _setup(spec: RecorderSpec, key: bytes) -> bytes:
    publish = None if spec.publish is None else str(spec.publish.absolute())
    # A key of its own, made from the secret one: who has it cannot tell whose bodies are drawn.
    names = hashlib.blake2b(b"names", key=hashlib.blake2b(key).digest()).digest()
    setup = wire.Setup(str(spec.directory.absolute()), spec.seal_every_ms, publish, spec.largest_body, names)
    return wire.framed(tuple(setup))
