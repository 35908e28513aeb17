"""A watch asks the questions of one probe, one at a time, each at its moment, and writes down what became of each.

The slots of an hour are planned in one commit. A slot is then asked, or shed (we chose not to: budget, rate limit, the
call before it still under way), or lost (we could not: the process was down or asleep, the clock was set, the disk was
full). Nothing is asked late to make up for it: a slot that is due longer ago than its spacing is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from slaguard.agent.log import EventLog, timestamp
from slaguard.agent.pen import Pen
from slaguard.agent.retry_after import held_until
from slaguard.agent.timeline import Timeline, end_of_hour
from slaguard.agent.waiting import until
from slaguard.probes.observe import Result
from slaguard.probes.plan import Slot
from slaguard.probes.run import Prober
from slaguard.probes.spending import Aside
from slaguard.records import NS, NS_PER_MS, Clock, Instant
from slaguard.terms import ANSWERED, Attribution

STEP_NS: Final = NS
"""Wall and monotonic clock that disagree by more than this: the clock was set."""
Why = tuple[str, str]
"""``shed`` or ``lost``, and the reason."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Where a watch goes on: past `after`, the last slot known; past `since`, the last moment accounted for.

    `carried` are slots that were planned and are still to come; they are asked without being planned again.
    """

    after: int | None
    since: int
    carried: tuple[Slot, ...] = ()
    again: str = ""
    """Names slots anew where the clock was set back; empty where it never was."""


class Watch:
    """One probe on its clock. `run` ends after `stop`, with every due slot accounted for."""

    def __init__(
        self,
        prober: Prober,
        timeline: Timeline,
        *,
        clock: Clock,
        log: EventLog,
        on_result: Callable[[Result], None],
        on_period: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """Ask what `timeline` says through `prober`.

        Args:
            prober: asks, grades and appends; its purse says what may be spent.
            timeline: which question when.
            clock: wakes us.
            log: hears of what went wrong.
            on_result: is told of every result, asked or not, once it is on disk.
            on_period: awaited when a new period begins while we watch.

        """
        self._prober = prober
        self.timeline = timeline
        self._clock = clock
        self._log = log
        self._on_result = on_result
        self._on_period = on_period
        self._stop = asyncio.Event()
        self._pen = Pen(prober.append, clock, log, self._stop)
        self._spacing = timeline.every_ms * NS_PER_MS
        self._ahead: deque[Slot] = deque()
        self._far: list[Slot] = []
        self._again = ""
        self._last: int | None = None
        self._since = 0
        self._period: str | None = None
        self._anchor = clock.read()
        self._busy_until = self._held_until = 0
        self._call: asyncio.Task[Result] | None = None
        self._abandoned = self._leaving = False
        self._said: Why | None = None

    @property
    def name(self) -> str:
        """``agreement/model``."""
        return self.timeline.name

    @property
    def stopping(self) -> bool:
        """Whether it was told to end."""
        return self._stop.is_set()

    def now(self) -> int:
        """Return the time, UTC nanoseconds."""
        return self._clock.read().wall_ns

    def stop(self) -> None:
        """Ask nothing more; the call under way may finish."""
        self._stop.set()

    def leave(self) -> None:
        """Stop for good: what is planned and still to come is given up by name, because nobody will ask it."""
        self._leaving = True
        self._stop.set()

    def abandon(self) -> None:
        """Give up the call under way too."""
        self._stop.set()
        self._abandoned = True
        if self._call is not None:
            self._call.cancel()

    def resume(self) -> Resume:
        """Return where another watch of this probe may go on once this one has ended."""
        return Resume(self._last, max(self._since, self._last or 0), (*self._ahead, *self._far), self._again)

    async def run(self, resume: Resume) -> None:
        """Ask from `resume` on until `stop`; then write down what is due and will not be asked.

        Raises:
            LedgerError: nothing more can be written.

        """
        self._last, self._since, self._again = resume.after, resume.since, resume.again
        self._anchor = self._clock.read()
        end = end_of_hour(self._anchor.wall_ns)
        self._ahead = deque(slot for slot in resume.carried if slot.scheduled_at < end)
        self._far = [slot for slot in resume.carried if slot.scheduled_at >= end]
        await self._ask_all()
        due = [slot for slot in self._ahead if slot.scheduled_at <= self._clock.read().wall_ns]
        await self._give_up(due, ("lost", "own_down"))
        if self._leaving:
            await self._give_up([*self._ahead, *self._far], ("shed", "stop_rule"))
            self._far = []

    async def _ask_all(self) -> None:
        while await self._go_through() and await self._follow():
            pass  # the clock was set back: from the new time on

    async def _follow(self) -> bool:
        """Plan and ask hour by hour; return False at the end, True when the clock was set back."""
        again = self._again
        hours = self.timeline.hours(self._last, self._since, again)
        while (hour := await asyncio.to_thread(next, hours, None)) is not None:
            if not await self._wait(hour.opens):
                return False
            if self._again != again:
                return True
            await self._enter(hour.period)
            if self.stopping or not await self._plan(hour.slots) or not await self._go_through():
                return False
            if self._again != again:
                return True
        self._log.info("agreement_ended", probe=self.name)
        await self._stop.wait()
        return False

    async def _enter(self, period: str) -> None:
        before, self._period = self._period, period
        if before not in {None, period} and self._on_period is not None:
            await self._on_period(period)

    async def _plan(self, slots: tuple[Slot, ...]) -> bool:
        planned = await self._pen.write([(record, None) for record in self._prober.planned(slots)])
        if planned:
            self._last = slots[-1].scheduled_at
            end = end_of_hour(self._last)
            now_due = [slot for slot in self._far if slot.scheduled_at < end]
            self._far = [slot for slot in self._far if slot.scheduled_at >= end]
            self._ahead.extend(sorted((*slots, *now_due), key=lambda slot: slot.scheduled_at))
        return planned

    async def _go_through(self) -> bool:
        """Work off what is planned; return False if the end came first."""
        while self._ahead:
            if not await self._wait(self._ahead[0].scheduled_at):
                return False
            if self._ahead and not await self._given_up():
                await self._turn(self._ahead.popleft())
        return not self._stop.is_set()

    async def _wait(self, at: int) -> bool:
        """Wait for a moment; return False if the end came first. Clocks are compared with what they said before.

        A clock that is set back ends the wait: then nothing is `_ahead` any more.
        """
        while not self._is_set_back(now := self._clock.read()):
            if at > now.wall_ns:
                self._anchor = now
            if not await until(self._clock, at, self._stop):
                return False
            if self._clock.read().wall_ns >= at:
                return True
        self._begin_again(now)
        return not self.stopping

    def _is_set_back(self, now: Instant) -> bool:
        """Tell whether the wall clock was set back by more than our spacing since it was looked at."""
        by = (now.mono_ns - self._anchor.mono_ns) - (now.wall_ns - self._anchor.wall_ns)
        return by > max(self._spacing, STEP_NS)

    def _begin_again(self, now: Instant) -> None:
        """Go on from now: what is planned is asked at its time, and what lies before it is planned under other names."""
        back = self._anchor.wall_ns - now.wall_ns
        self._log.error("clock_set_back", probe=self.name, seconds=back // NS, now_is=timestamp(now.wall_ns))
        self._far += self._ahead
        self._ahead.clear()
        self._last, self._since, self._again = None, now.wall_ns, f"{now.wall_ns // NS:x}"
        self._anchor = now
        self._busy_until = self._held_until = 0

    # ── what is not asked ───────────────────────────────────────────────────────────────────────────────────────────
    async def _given_up(self) -> bool:
        """Write down the slots in front that are due and will not be asked; return whether there were any."""
        now = self._clock.read()
        first = self._why_not(self._ahead[0], now)
        if first is None:
            return False
        found = []
        for slot in self._ahead:
            if slot.scheduled_at > now.wall_ns or self._why_not(slot, now) != first:
                break
            found.append(slot)
        await self._give_up(found, first)
        return True

    def _why_not(self, slot: Slot, now: Instant) -> Why | None:
        """Return why a due slot is not asked; None if it is."""
        full = self._pen.full
        if full is not None and full[0] <= slot.scheduled_at <= full[1]:
            return "lost", "disk_full"
        if slot.item not in self._prober.subject.golden.items:
            return "shed", "stop_rule"  # planned, and the questions were changed meanwhile
        if slot.scheduled_at < self._held_until:
            return "shed", "rate_limit"
        if now.wall_ns - slot.scheduled_at <= self._spacing:
            return None
        if abs((now.wall_ns - self._anchor.wall_ns) - (now.mono_ns - self._anchor.mono_ns)) > STEP_NS:
            return "lost", "clock_step"
        return ("shed", "overload") if slot.scheduled_at < self._busy_until else ("lost", "own_down")

    async def _give_up(self, slots: Iterable[Slot], why: Why) -> None:
        how, reason = why
        results = [Result(slot=s, missed=self._prober.subject.missed(s, how, reason)) for s in slots]
        if not results:
            return
        gone = {result.slot.id for result in results}
        while self._ahead and self._ahead[0].id in gone:
            self._ahead.popleft()
        say = self._log.debug if why == self._said else self._log.warning if how == "lost" else self._log.info
        self._said = why
        say(how, probe=self.name, reason=reason, slots=len(results), first=results[0].slot.id)
        await self._keep(results)

    async def _keep(self, results: list[Result]) -> None:
        if await self._pen.write([pair for result in results for pair in result.records()]):
            for result in results:
                self._on_result(result)

    # ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────────
    async def _turn(self, slot: Slot) -> None:
        set_aside = self._prober.set_aside(slot)
        if set_aside is None:
            await self._give_up([slot], ("shed", "budget"))
            return
        result = await self._asked(slot, set_aside)
        ended = self._clock.read()
        if not self._is_set_back(ended):
            self._anchor = ended
        self._busy_until = ended.wall_ns
        if result is None:
            await self._give_up([slot], ("lost", "given_up"))
            return
        self._said = None
        if result.reply is not None:
            self._held_until = max(self._held_until, held_until(result.reply, ended.wall_ns))
        self._tell(result)
        await self._keep([result])

    async def _asked(self, slot: Slot, set_aside: Aside) -> Result | None:
        """Return the result; None if the call was given up."""
        self._call = asyncio.create_task(self._prober.ask(slot, set_aside))
        try:
            return await self._call
        except asyncio.CancelledError:
            if not self._abandoned:
                raise
            return None
        finally:
            self._call = None

    def _tell(self, result: Result) -> None:
        one, reply = result.observation, result.reply
        if one is None or reply is None:
            return
        say = self._log.debug if one.outcome in ANSWERED else self._log.warning
        grade = result.score.grade.value if result.score is not None else None
        say(
            "asked", probe=self.name, slot=result.slot.id, outcome=one.outcome.value, attribution=one.attribution.value,
            status=one.status, code=one.error_code, grade=grade,
        )  # fmt: skip
        unreached = one.attribution is Attribution.VENDOR and reply.exchange.sent_ns is None
        if unreached and self._prober.control is None:
            self._log.once(
                "no_control", "vendor_held_at_fault", vendor=one.vendor, mend="name a control target: control: HOST:PORT"
            )
