"""The agent: one watch a probe, one keeper of verdicts, one row log; it starts where it stopped and ends with nothing lost.

    recover ─► watches ─► row log ─► every minute at most: seal, judge, publish
                  ▲
               reload: everything new is built first; what is refused changes nothing

The agent knows no server and no exporter: it hands Snapshots to `publish`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from slaguard.agent.alive import Alive
from slaguard.agent.crew import Crew, Seams
from slaguard.agent.keeper import Keeper
from slaguard.agent.log import EventLog, timestamp
from slaguard.agent.post import Post
from slaguard.agent.purses import Call, Purses, calls_in
from slaguard.agent.recovery import Known, known_of, probe_of, recover
from slaguard.agent.secret import agent_secret
from slaguard.agent.settings import ProbeSettings, Settings
from slaguard.agent.telemetry import Recorder
from slaguard.agent.timeline import own_periods
from slaguard.agent.verdicts import Verdicts
from slaguard.agent.waiting import until
from slaguard.agent.watch import Resume
from slaguard.errors import LedgerError, SlaguardError
from slaguard.evaluation.snapshot import Snapshot, Standing
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all, seal_due
from slaguard.probes.observe import Result
from slaguard.probes.plan import Slot
from slaguard.records import NS, NS_PER_MS, ProbeMissed, Span

GRACE_NS: Final = 10 * NS
"""How long calls under way may take to finish after a stop."""
DAY_NS: Final = 86_400 * NS
_BATCH: Final = 5_000
_PASSING: Final = ("E-DISK-FULL", "E-LEDGER-BUSY")
"""What of a ledger's troubles goes away by itself: sealing and judging are tried again."""
_READING: Final = (*_PASSING, "E-LEDGER-READ")
"""And what of them when nothing is to be written."""
_FRESH_NS: Final = 5 * NS
"""How often results alone are shown, without anything being judged."""


class Agent:
    """Runs every probe of a configuration on one row log. Make it, `prepare` it, `run` it; `stop` ends it."""

    def __init__(self, settings: Settings, rows: RowLog, seams: Seams, log: EventLog) -> None:
        """Take over an open row log; nothing is read or sent yet."""
        self._settings = settings
        self._rows = rows
        self._seams = seams
        self._clock = seams.clock
        self._log = log
        self._keeper = Keeper(settings.agreements, rows.directory, asked=settings.asked)
        self._recorder = Recorder(self._clock, self._show_soon)
        self._crew = Crew(seams, rows, self._recorder, Purses(self._clock, self._calls), log)
        self._verdicts = Verdicts(log)
        self._posts: dict[str, Post] = {}
        self._manned: set[Post] = set()
        self._resumes: Mapping[str, Resume] = {}
        self._standings: tuple[Standing, ...] = ()
        self._trouble: str | None = None
        self._told: dict[str, str] = {}
        self._at_start = {part: _needs_restart(settings, part) for part in _ONLY_AT_START}
        self._leaving: dict[str, Post] = {}
        self._ended = asyncio.Event()
        self._ready = asyncio.Event()
        self._nudged = asyncio.Event()
        self._ticked_at = 0
        self._shown_at: int | None = None
        self._alive = Alive(log)
        self._failure: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._one_reload = asyncio.Lock()
        self._boundary = 0

    # ── the beginning ───────────────────────────────────────────────────────────────────────────────────────────────
    async def prepare(self) -> None:
        """Check all that can be refused, before anything is sent or recorded.

        Raises:
            SlaguardError: a budget that cannot be kept, a secret that others may read, a ledger that cannot be read.

        """
        self._crew.secret = await asyncio.to_thread(agent_secret, self._rows.directory, self._seams.entropy)
        self._log.hide(self._settings.secrets)
        self._posts = await self._crew.posts(self._settings, self._settings.probes)
        self._recorder.follow(self._settings)

    async def run(self) -> None:
        """Probe, judge and publish until `stop`, or until the ledger fails; then seal and close the row log.

        Raises:
            LedgerError: nothing more can be written, or what is there cannot be read.

        """
        config = self._settings.config
        self._log.info("start", ledger=config.ledger.path, agreements=len(self._settings.agreements), probes=len(self._posts))
        self._guard(asyncio.create_task(self._begin(), name="begin"))
        await self._ended.wait()
        await self._end()

    async def _begin(self) -> None:
        """Recover, judge once and man every probe; until then no reload begins."""
        await self._recover()
        await self._tick()
        if self._ended.is_set():
            return
        for name, post in self._posts.items():
            self._man(post, self._resumes[name])
        self._guard(asyncio.create_task(self._tick_on(), name="tick"))
        self._ready.set()

    def stop(self) -> None:
        """Send nothing more; `run` ends when the calls under way have, at most ten seconds from now."""
        self._ended.set()
        self._nudged.set()
        self._ready.set()

    def _man(self, post: Post, resume: Resume | Callable[[], Resume], before: Post | None = None) -> None:
        """Start a post, after the one it relieves."""
        task = post.start(resume, before)
        self._manned.add(post)
        task.add_done_callback(lambda _: self._manned.discard(post))
        self._guard(task)

    def _guard(self, task: asyncio.Task[None]) -> None:
        """Keep a task; one that fails ends the agent."""
        self._tasks.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                self._failure = self._failure or error
                self.stop()

        task.add_done_callback(done)

    async def _recover(self) -> None:
        timelines = [self._crew.timeline(p) for p in self._settings.probes]
        known = await asyncio.to_thread(self._known)
        now = self._clock.read().wall_ns
        found = await asyncio.to_thread(recover, known, timelines, now, self._log, killed=self._rows.was_left_open)
        stream = iter(found.missed)
        while batch := list(islice(stream, _BATCH)):
            await asyncio.to_thread(self._rows.append, batch)
        for probe in self._settings.probes:
            meter = self._recorder.meter(probe.name)
            meter.last_at = known.ended.get(probe.name)
        for one in found.missed:
            self._count_lost(one)
        for reason in sorted({one.reason for one in found.missed}):
            due = [one.scheduled_at for one in found.missed if one.reason == reason and one.scheduled_at is not None]
            since, until = (timestamp(at) for at in (min(due), max(due)))
            self._log.warning("lost", reason=reason, slots=len(due), first_due=since, last_due=until)
        self._resumes = found.resume

    def _count_lost(self, missed: ProbeMissed) -> None:
        slot = Slot(missed.slot, missed.scheduled_at, "")
        name = probe_of(missed.slot)
        if name is not None and name in self._posts:
            self._recorder.add(name, Result(slot=slot, missed=missed))

    def _known(self) -> Known:
        """Return what our own log knows: the plans of other writers are not ours to end."""
        with open_store(self._rows.directory, partials=False, alone=True) as store:
            return known_of(store, self._clock.read().wall_ns)

    def _calls(self, vendor: str, span: Span) -> Sequence[Call]:
        now = self._clock.read().wall_ns
        with open_store(self._rows.directory, partials=False, alone=True) as store:
            return calls_in(store, vendor, span, now, killed=self._rows.was_left_open)

    # ── every minute ────────────────────────────────────────────────────────────────────────────────────────────────
    async def _tick_on(self) -> None:
        while not self._ended.is_set():
            self._nudged.clear()
            if await until(self._clock, self._next_tick(), self._nudged):
                await self._tick()

    def _next_tick(self) -> int:
        """Return when to judge next: after `evaluate_every`, and as soon as a UTC day or a period ends."""
        now = self._clock.read().wall_ns
        if now >= self._boundary:
            ends = [next(own_periods(loaded.agreement, now), None) for _, loaded in self._settings.agreements]
            self._boundary = min([(now // DAY_NS + 1) * DAY_NS, *(p.end for p in ends if p is not None and p.end > now)])
        return min(min(now, self._ticked_at) + self._settings.config.evaluate_every * NS_PER_MS, self._boundary)

    async def _tick(self) -> None:
        await self._passing("seal", self._seal)
        try:
            await self._passing("judge", self._judge, _READING)
        except LedgerError as error:
            await asyncio.to_thread(self._require_own)
            self._tell("judge", error)  # it is another writer's folder that is damaged; ours is whole
        self._publish()
        self._ticked_at = self._clock.read().wall_ns
        self._alive.tell(self._ticked_at, self._recorder)

    def _require_own(self) -> None:
        """Return if our own row log can be read.

        Raises:
            LedgerError: it cannot.

        """
        with open_store(self._rows.directory, partials=False, alone=True):
            pass

    async def _passing(self, what: str, work: Callable[[], None], passing: Sequence[str] = _PASSING) -> None:
        """Work in a thread; a trouble that passes is told once and tried again the next time."""
        try:
            await asyncio.to_thread(work)
        except LedgerError as error:
            if not any(code in str(error) for code in passing):
                raise
            self._tell(what, error)
        else:
            self._told.pop(what, None)
            self._trouble = None if what == "judge" else self._trouble

    def _tell(self, what: str, error: LedgerError) -> None:
        """Say what cannot be done now, if it is not what was said before."""
        if self._told.get(what) != str(error):
            self._log.warning(f"{what}_later", problem=str(error).splitlines()[0])
        self._told[what] = str(error)
        self._trouble = str(error) if what == "judge" else self._trouble

    def _seal(self) -> None:
        made = seal_due(self._rows, every_ns=self._settings.config.ledger.seal_every * NS_PER_MS)
        if made:
            self._log.info("sealed", segments=made)

    def _judge(self) -> None:
        now = self._clock.read().wall_ns
        self._standings = self._keeper.judge(now)
        self._recorder.evaluated_at = now
        self._verdicts.tell(self._standings, self._keeper.failures)

    def _publish(self) -> None:
        telemetry = self._recorder.telemetry(self._keeper.indicator_events(), self._keeper.traffic)
        now, failures = self._clock.read().wall_ns, dict(self._keeper.failures)
        try:
            self._seams.publish(Snapshot(now, self._standings, telemetry, failures, self._trouble))
        except SlaguardError as error:  # an exporter that refuses what it is given; probing goes on
            self._log.error("not_exported", problem=str(error))

    def _show_soon(self) -> None:
        """Show what a result changed, unless that was done just now; nothing is judged and nobody is woken up for it."""
        now = self._clock.read().mono_ns
        if self._shown_at is None or now - self._shown_at >= _FRESH_NS:
            self._shown_at = now
            self._publish()

    # ── another configuration ───────────────────────────────────────────────────────────────────────────────────────
    async def reload(self) -> str | None:
        """Read the configuration again; return what was wrong with it (the old one then goes on), None if all is well."""
        await self._ready.wait()
        async with self._one_reload:
            try:
                settings = await asyncio.to_thread(self._seams.load)
                if not await self._swap(settings):
                    return "the agent is ending: nothing was changed"
            except SlaguardError as error:
                self._recorder.reload_successful = False
                self._log.error("reload_refused", problem=str(error))
                self._publish()
                return str(error)
            self._log.info("reload", agreements=len(settings.agreements), probes=len(settings.probes))
            self._publish()
            return None

    async def _swap(self, settings: Settings) -> bool:
        """Build everything new; then, and only then, change over, unless the end has come meanwhile.

        Probes of which nothing changed are not disturbed.
        """
        old = self._settings
        control = old.config.control == settings.config.control
        kept = {
            p.name for p in settings.probes
            if control and p.name in self._posts and self._posts[p.name].settings.same_as(p)
        }  # fmt: skip
        changed = [p for p in settings.probes if p.name not in kept]
        posts = await self._crew.posts(settings, changed)
        await self._remember([p for p in changed if p.name not in {*self._posts, *self._leaving}])
        if self._ended.is_set():
            return False
        # From here on nothing can be refused.
        self._log.hide(settings.secrets)
        for part, before in self._at_start.items():
            now = _needs_restart(settings, part)
            if before != now:
                self._log.warning("restart_needed", what=part, in_force=before, configured=now)
        self._settings = settings
        self._boundary = 0
        self._keeper.replace(settings.agreements, settings.asked)
        self._recorder.follow(settings)
        self._relieve(posts, {p.name for p in settings.probes})
        self._seams.replaced(settings)
        self._nudged.set()  # it may be due to judge by now
        return True

    async def _remember(self, probes: Sequence[ProbeSettings]) -> None:
        """Find out where probes that join go on, if they ran before."""
        if not probes:
            return
        known = await asyncio.to_thread(self._known)
        now = self._clock.read().wall_ns
        joined = {p.name: known.resume(p.name, now, known.last.get(p.name)) for p in probes}
        self._resumes = {**self._resumes, **joined}

    def _relieve(self, posts: dict[str, Post], configured: set[str]) -> None:
        """Put new posts in the place of old ones, each when its old one has ended."""
        for name, old in list(self._posts.items()):
            if name in posts:
                old.watch.stop()
                self._man(posts[name], partial(_handed_over, old, posts[name]), old)
                self._posts[name] = posts[name]
            elif name not in configured:
                old.watch.leave()
                self._leaving[name] = self._posts.pop(name)
        for name, post in posts.items():
            if name not in self._posts:
                left = self._leaving.pop(name, None)
                if left is None:
                    self._man(post, self._resumes[name])
                else:  # it was here before, and may still have a call under way
                    self._man(post, partial(_after, left, post), left)
                self._posts[name] = post

    # ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _end(self) -> None:
        """Let calls under way finish, within reason; write, seal, close. Raise what ended us, if it was an error."""
        self._ended.set()
        self._crew.ending = True
        for post in self._manned:
            post.watch.stop()
        tasks = set(self._tasks)
        if tasks:
            grace = asyncio.create_task(self._clock.sleep_until(self._clock.read().wall_ns + GRACE_NS))
            while self._tasks and not grace.done():
                await asyncio.wait({*self._tasks, grace}, return_when=asyncio.FIRST_COMPLETED)
            grace.cancel()
            for post in self._manned:
                post.watch.abandon()
            await self._give_up(tasks)
            await asyncio.gather(grace, return_exceptions=True)
        failure = self._failure
        if failure is not None and not isinstance(failure, SlaguardError):
            failure = SlaguardError(f"the agent itself failed: {type(failure).__name__}: {failure}")
        if failure is None:
            failure = await self._close()
        await asyncio.to_thread(self._rows.close)
        if failure is not None:
            self._log.error("failed", problem=str(failure))
            raise failure from self._failure
        self._log.info("stop")

    async def _give_up(self, tasks: set[asyncio.Task[None]]) -> None:
        """Wait for what is left to write and to end, and not for ever."""
        late = asyncio.create_task(self._clock.sleep_until(self._clock.read().wall_ns + GRACE_NS))
        ended = asyncio.gather(*tasks, return_exceptions=True)
        first: set[asyncio.Future[Any]] = {ended, late}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        late.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.wait(first, timeout=GRACE_NS / NS)

    async def _close(self) -> LedgerError | None:
        try:
            await self._passing("seal", self._seal_all)
        except LedgerError as error:
            return error
        return None

    def _seal_all(self) -> None:
        made = seal_all(self._rows)
        if made:
            self._log.info("sealed", segments=made)


_ONLY_AT_START: Final = ("server", "ledger")


def _needs_restart(settings: Settings, part: str) -> str | Path:
    """Return what of a configuration is only read at a start."""
    if part == "ledger":
        return settings.config.ledger.path
    server = settings.config.server
    return f"{server.listen}, hosts: {', '.join(server.hosts) or 'none'}"


def _handed_over(old: Post, new: Post) -> Resume:
    """Return where a new watch goes on: a plan that stays takes over what fell due meanwhile, another one starts afresh."""
    return old.watch.resume() if old.watch.timeline == new.watch.timeline else _after(old, new)


def _after(old: Post, new: Post) -> Resume:
    """Return where a new watch starts afresh, after the last slot that the old one planned."""
    return replace(old.watch.resume(), since=new.watch.now())
