"""Ask the questions of a plan: planned and acknowledged first, then sent once, then recorded, whatever came back.

Slots are planned in windows, so that one commit acknowledges many; results are written as they come, as many as wait
in one commit. A run that is ended early writes down what it has and gives up the rest by name.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from slaguard.errors import SlaguardError
from slaguard.probes.control import Control
from slaguard.probes.observe import Redact, Result, Subject, grade, kept_text, observe
from slaguard.probes.plan import Slot
from slaguard.probes.spending import Aside, Purse
from slaguard.providers.base import Prompt, Provider, Reply
from slaguard.records import Clock, RawFacts, Record
from slaguard.scorers.base import Scorer
from slaguard.terms import Attribution, Grade, Outcome

Append = Callable[[Sequence[Record], Sequence[bytes | None]], object]
"""Writes records with their payloads and returns once they are on disk; called from a thread, one call at a time."""
_MOST_RESULTS: Final = 200
_LINGER_S: Final = 0.02


@dataclass(slots=True)
class Tally:
    """What a run did, as it goes: how many slots were asked or shed, what came of them, what it cost.

    `codes` are the error codes by outcome; `blamed_unreached` counts calls that never had a connection and are held
    against the vendor all the same.
    """

    asked: int = 0
    shed: int = 0
    lost: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    grades: Counter[Grade] = field(default_factory=Counter)
    codes: Counter[tuple[Outcome, str]] = field(default_factory=Counter)
    blamed_unreached: int = 0
    spent: Decimal = Decimal(0)

    def add(self, result: Result) -> None:
        """Count one result that is on disk."""
        if result.missed is not None:
            self.shed += result.missed.how == "shed"
            self.lost += result.missed.how == "lost"
        one = result.observation
        if one is not None and result.reply is not None:
            self.asked += 1
            self.outcomes[one.outcome] += 1
            if one.error_code is not None:
                self.codes[one.outcome, one.error_code] += 1
            self.blamed_unreached += one.attribution is Attribution.VENDOR and result.reply.exchange.sent_ns is None
        if result.score is not None:
            self.grades[result.score.grade] += 1


@dataclass(slots=True)
class _Run:
    """The state of one run: what is planned and not yet on disk, and what is on its way there."""

    queue: asyncio.Queue[Slot | None]
    results: asyncio.Queue[Result | None]
    settled: asyncio.Event
    tally: Tally = field(default_factory=Tally)
    planned: dict[str, Slot] = field(default_factory=dict)
    set_aside: dict[str, Aside] = field(default_factory=dict)
    unwritten: dict[str, Result] = field(default_factory=dict)
    under_way: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """Asks one vendor the questions of one Agreement. `run` may be called more than once.

    `concurrency` calls are under way at most; `ahead` slots are planned in one commit. `control` tells our own network
    from the vendor; without one, a vendor that is not reached is at fault. `on_result` is told of each result once it
    is on disk.
    """

    subject: Subject
    scorers: Mapping[str, Scorer]
    provider: Provider
    append: Append
    clock: Clock
    redact: Redact
    control: Control | None = None
    purse: Purse | None = None
    concurrency: int = 8
    ahead: int = 64
    on_result: Callable[[Result], None] | None = None

    async def run(self, slots: Iterable[Slot]) -> Tally:
        """Ask every slot, in time order, and return what was done.

        Raises:
            SlaguardError: records could not be written; nothing more is sent.

        """
        run = _Run(asyncio.Queue(self.ahead), asyncio.Queue(self.ahead), asyncio.Event())
        try:
            async with asyncio.TaskGroup() as group:
                writer = group.create_task(self._write(run))
                workers = [group.create_task(self._work(run)) for _ in range(self.concurrency)]
                await self._plan(slots, run)
                await asyncio.wait(workers)
                await run.results.put(None)
                await writer
        except BaseExceptionGroup as group_error:
            raise _first(group_error) from group_error
        except asyncio.CancelledError:
            self._give_up(run)
            raise
        run.tally.spent = self.purse.spent if self.purse is not None else Decimal(0)
        return run.tally

    # ── planning ────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _plan(self, slots: Iterable[Slot], run: _Run) -> None:
        window: list[Slot] = []
        for slot in slots:
            aside = self.set_aside(slot)
            while aside is None and (window or run.under_way):
                await self._release(window, run)
                window = []
                await run.settled.wait()
                run.settled.clear()
                aside = self.set_aside(slot)
            if aside is None:
                await run.results.put(Result(slot=slot, missed=self.subject.missed(slot, "shed", "budget")))
                continue
            run.set_aside[slot.id] = aside
            window.append(slot)
            if len(window) >= self.ahead:
                await self._release(window, run)
                window = []
        await self._release(window, run)
        for _ in range(self.concurrency):
            await run.queue.put(None)

    def set_aside(self, slot: Slot) -> Aside | None:
        """Set aside what asking can cost; None if the budget does not allow it."""
        if self.purse is None:
            return Aside()
        prompt = self._prompt(slot)
        return self.purse.set_aside(self.provider.request(prompt), prompt)

    def _prompt(self, slot: Slot) -> Prompt:
        golden = self.subject.golden
        return golden.prompt(golden.items[slot.item], self.subject.model, slot.request_id)

    def planned(self, slots: Iterable[Slot]) -> list[Record]:
        """Return the records that say that these slots will be asked."""
        return [self.subject.planned(slot) for slot in slots]

    async def _release(self, window: list[Slot], run: _Run) -> None:
        """Plan a window of slots: they are asked only once that is on disk."""
        if not window:
            return
        planned = self.planned(window)
        run.planned |= {slot.id: slot for slot in window}  # before the commit: a run that is ended during it knows them
        await self._commit(planned, [None] * len(planned))
        run.under_way += len(window)
        for slot in window:
            await run.queue.put(slot)

    # ── asking ──────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _work(self, run: _Run) -> None:
        while (slot := await run.queue.get()) is not None:
            await self.clock.sleep_until(slot.scheduled_at)
            result = await self.ask(slot, run.set_aside.pop(slot.id))
            run.unwritten[slot.id] = result
            run.under_way -= 1
            run.settled.set()
            await run.results.put(result)

    async def ask(self, slot: Slot, set_aside: Aside) -> Result:
        """Ask one question now and return what came back, graded and paid for; nothing is written."""
        reply = await self.provider.complete(self._prompt(slot))
        if self.purse is not None:
            self.purse.settle(set_aside, reply)
        facts = await self._attributed(reply)
        observation = observe(self.subject, slot, reply, facts, self.redact)
        item = self.subject.golden.items[slot.item]
        return Result(
            slot=slot,
            observation=observation,
            score=grade(item, observation, reply, self.scorers[self.subject.golden.scorer_of(item)]),
            payload=kept_text(reply, self.redact),
            reply=reply,
            set_aside=set_aside,
        )

    async def _attributed(self, reply: Reply) -> RawFacts:
        """Ask the control target who is at fault where nothing of an answer came."""
        facts = reply.facts
        unreached = facts.failure in {"connection", "timeout"} and reply.exchange.first_byte_ns is None
        if not unreached or self.control is None or await self.control():
            return facts
        return replace(facts, failure="own_network")

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────
    async def _write(self, run: _Run) -> None:
        ended = False
        while not ended:
            waiting = [await run.results.get()]
            if waiting[0] is not None:
                await asyncio.sleep(_LINGER_S)  # one commit for the results of a moment
            while len(waiting) < _MOST_RESULTS and not run.results.empty():
                waiting.append(run.results.get_nowait())
            ended = waiting[-1] is None
            batch = [result for result in waiting if result is not None]
            if batch:
                await self._commit(*_columns(batch))
                self._written(batch, run)

    async def _commit(self, records: Sequence[Record], payloads: Sequence[bytes | None]) -> None:
        """Write in a thread. A run that is ended meanwhile waits for it: what is given up is written after, not beside."""
        writing = asyncio.ensure_future(asyncio.to_thread(self.append, records, payloads))
        try:
            await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing])
            writing.result()
            raise

    def _written(self, batch: Sequence[Result], run: _Run) -> None:
        for result in batch:
            run.planned.pop(result.slot.id, None)
            run.unwritten.pop(result.slot.id, None)
            run.tally.add(result)
            if self.on_result is not None:
                self.on_result(result)

    def _give_up(self, run: _Run) -> None:
        """Write what is known and name the slots that were planned and will not be asked. Repeats count once."""
        batch = list(run.unwritten.values())
        batch += [
            Result(slot=s, missed=self.subject.missed(s, "lost", "own_down"))
            for s in run.planned.values()
            if s.id not in run.unwritten
        ]
        if batch:
            self.append(*_columns(batch))
            self._written(batch, run)


def _columns(batch: Sequence[Result]) -> tuple[list[Record], list[bytes | None]]:
    """Return the records of these results, and beside them their payloads."""
    pairs = [pair for result in batch for pair in result.records()]
    return [record for record, _ in pairs], [payload for _, payload in pairs]


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what ended a run: an error of ours if there is one, else the first."""
    found = list(group.exceptions)
    for error in found:
        if isinstance(error, BaseExceptionGroup):
            return _first(error)
    return next((e for e in found if isinstance(e, SlaguardError)), found[0])
