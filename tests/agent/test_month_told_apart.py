"""One October with seven troubles in it, each of which is something else in the Evaluation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from slaguard.agent.agent import Agent
from slaguard.agent.keeper import Keeper
from slaguard.agent.secret import agent_secret
from slaguard.agent.settings import Settings
from slaguard.agent.timeline import Timeline
from slaguard.cli import run
from slaguard.evaluation.result import Evaluation, EventPart, ObjectiveResult
from slaguard.evaluation.snapshot import Which
from slaguard.ledger.judge import judge, opened
from slaguard.probes.control import Control, control_of
from slaguard.probes.plan import Slot
from slaguard.providers.simulated import Fault, Latency, Script
from slaguard.records import Observation, Span
from slaguard.spec.load import Loaded, load
from slaguard.spec.resolve import resolve
from slaguard.terms import Attribution, Grade, Outcome, Verdict
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import DAY, FAST, GOOD, MINUTE, NOVEMBER, OCTOBER, Books, FullAt, World, outage, world

EVERY = 30 * MINUTE
"""One question, and one interval of the uptime promise."""
SLOTS = 2 * 745
"""An hour more than 31 days have, for the clock goes back on the 25th."""
AS_OF = NOVEMBER + 3 * DAY // 2
"""2 November, noon in Berlin; as the command line writes it:"""
AS_OF_TEXT = "2026-11-02T11:00:00Z"


def span(day: int, slots: int) -> Span:
    """Return so many whole intervals from the midnight after `day` days."""
    return OCTOBER + day * DAY, OCTOBER + day * DAY + slots * EVERY


DOWN, DOWN_SLOTS = span(2, 16), 16
MIDDLE = DOWN[0] + 8 * EVERY
"""The vendor answers 503, and from here on nothing at all; the control target is reached."""
OURS, OURS_SLOTS = span(6, 9), 9
"""Neither the vendor nor the control target is reached."""
REFUSED, TAKEN = OCTOBER + 9 * DAY, OCTOBER + 10 * DAY
"""A bad reload, and a good one."""
FULL, FULL_SLOTS = span(12, 11), 11
"""The disk is full."""
OFF, OFF_SLOTS = span(16, 28), 28
"""Killed in the call of the first slot; the machine stays off to the end."""
CRASHED = 2
"""The hour begins with the span, and its two slots were planned: the one under way and the one to come."""
SWAPPED = OCTOBER + 19 * DAY
"""Another model behind the same name, which takes every prime for composite."""

UNOBSERVED = OURS_SLOTS + FULL_SLOTS + OFF_SLOTS
SEEN = SLOTS - UNOBSERVED
ANSWERED = SEEN - DOWN_SLOTS

AGREEMENT = """\
apiVersion: slaguard/v1
kind: Agreement
name: acme-chat
version: 1
vendor: Acme AI
customer: Example Bank AG
contract: C-2031
effective: 2026-08-01
time_zone: Europe/Berlin
period: month
fee: 12000.00 EUR
combine: greater_of
use: outcomes/server-faults@1
objectives:
  - name: uptime
    clause: Exhibit B 2.1
    use: uptime/mean-of-5-minutes@1
    indicator: {bin: 30m}
    at_least: 99.5%
    credits: {below 99.5%: 10%, below 99.0%: 25%}
  - name: accuracy
    clause: Exhibit C 1
    use:
      - accuracy/agreed-questions@1: {min_n: 500}
    golden_set: claims-qa@4
    at_least: 95%
    credits: {below 95%: 15%}
"""


def story() -> Script:
    perfect = replace(GOOD, other_accuracy=1.0, latency=Latency(first_byte_ms=0, generation_ms=0))
    slow = replace(perfect, start_ns=OFF[0], latency=FAST)
    swapped = replace(perfect, start_ns=SWAPPED, revision="r2", fingerprint="fp_2", accuracy={"prime": 0.0})
    windows = outage(DOWN[0], MIDDLE), outage(MIDDLE, DOWN[1], Fault.RESET), outage(*OURS, Fault.RESET)
    return Script(segments=(perfect, slow, swapped), windows=windows, stall_s=301.0)


# ── how it is lived ─────────────────────────────────────────────────────────────────────────────────────────────────
class Month:
    """A month of the agent: its own network, its disk, its configuration and its end."""

    def __init__(self, found: World, patch: pytest.MonkeyPatch) -> None:
        self.found, self.clock = found, found.clock
        self._patch = patch
        self._port = 0
        self.settings = {"every": "30m", "evaluate_every": "7d", "seal_every": "7d"}

    async def _control(self) -> asyncio.Server:
        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", self._port)
        self._port = server.sockets[0].getsockname()[1]
        return server

    def _configure(self, **changes: str) -> None:
        self.found.configure(**(self.settings | changes), more=f"control: 127.0.0.1:{self._port}")

    async def live(self) -> None:
        (self.found.folder / "acme.yaml").write_text(AGREEMENT, encoding="utf-8")
        async with await self._control() as control:
            self._configure()
            async with self.found.killed(control=_control_of) as agent:
                await self._before_the_kill(agent, control)
        async with await self._control():
            self.clock.pass_time(OFF[1] - self.clock.now)
            await self.found.live(NOVEMBER + EVERY, control=_control_of)

    async def _before_the_kill(self, agent: Agent, control: asyncio.Server) -> None:
        await self.clock.sleep_until(OURS[0])
        control.close()
        await control.wait_closed()
        await self.clock.sleep_until(OURS[1])
        async with await self._control():
            await self._two_reloads(agent)
            self._patch.setattr(agent._rows, "append", FullAt(agent._rows, self.clock, FULL))
            await self.clock.sleep_until(OFF[0])
            first = next(s for s in plan(self.found) if s.scheduled_at >= OFF[0])
            await self.clock.sleep_until(first.scheduled_at)
            while self.found.vendor.truth[-1].at_ns < OFF[0]:
                await self.clock.wait(0.001)  # until the vendor has the question

    async def _two_reloads(self, agent: Agent) -> None:
        """Promise less and break the configuration with it; a day later change the time-out alone."""
        await self.clock.sleep_until(REFUSED)
        (self.found.folder / "acme.yaml").write_text(AGREEMENT.replace("99.5%", "90%"), encoding="utf-8")
        self.found.configure(**(self.settings | {"every": "5m"}), more="nonsense: 1")
        assert await agent.reload() is not None
        await self.clock.sleep_until(TAKEN)
        assert not self.found.snapshots[-1].telemetry.reload_successful
        (self.found.folder / "acme.yaml").write_text(AGREEMENT, encoding="utf-8")
        self._configure(vendor=", timeout: 30s")
        assert await agent.reload() is None
        assert self.found.snapshots[-1].telemetry.reload_successful


def _control_of(settings: Settings) -> Control:
    assert settings.config.control is not None
    return control_of(settings.config.control)


def plan(found: World) -> tuple[Slot, ...]:
    """Return the slots of October, drawn anew from the secret that lies in the ledger."""
    probe = found.load().probes[0]
    timeline = Timeline(
        agreement=probe.loaded.agreement,
        model="acme-large",
        every_ms=EVERY // 1_000_000,
        items=tuple(probe.subject.golden.items),
        secret=agent_secret(found.ledger, found.entropy),
    )
    return timeline.plan(resolve(probe.loaded.agreement, "2026-10")).slots()


def within(at: int | None, *spans: Span) -> bool:
    return at is not None and any(start <= at < end for start, end in spans)


# ── what the ledger holds of it ─────────────────────────────────────────────────────────────────────────────────────
def every_slot_has_the_end_of_its_hour(books: Books, planned: Mapping[str, Slot]) -> list[Observation]:
    """Check every slot of the plan against the windows; return what was asked in October."""
    asked = [o for o in books.observations if o.logical_request_id in planned]
    missed = [m for m in books.missed if m.slot in planned]
    written = {p.slot: p.scheduled_at for p in books.planned if p.slot in planned} | {m.slot: m.scheduled_at for m in missed}
    assert written == {slot.id: slot.scheduled_at for slot in planned.values()}, "no slot is another than the plan's"
    reasons = {(m.how, m.reason): 0 for m in missed}
    for one in missed:
        reasons[one.how, one.reason] += 1
        assert within(one.scheduled_at, FULL if one.reason == "disk_full" else OFF)
    assert reasons == {("lost", "disk_full"): FULL_SLOTS, ("lost", "crash"): CRASHED, ("lost", "own_down"): OFF_SLOTS - CRASHED}
    shed = sum(m.how == "shed" for m in missed)
    assert SLOTS == len(asked) + (FULL_SLOTS + OFF_SLOTS) + shed == len(asked) + len(missed), "planned = result + lost + shed"
    return asked


def every_answer_is_what_the_script_says(asked: Iterable[Observation]) -> None:
    for one in asked:
        at = one.sent_at
        if within(at, DOWN):
            first_half = at < MIDDLE  # type: ignore[operator]
            assert one.outcome is (Outcome.ERROR_5XX if first_half else Outcome.CONNECTION_ERROR)
            assert one.attribution is Attribution.VENDOR
        elif within(at, OURS):
            assert (one.outcome, one.attribution) == (Outcome.UNMEASURED, Attribution.OWN_NETWORK)
        else:
            assert one.outcome is Outcome.OK
            assert one.fingerprint == ("fp_1" if at < SWAPPED else "fp_2")  # type: ignore[operator]
            assert one.model_returned == "acme-large", "the name says nothing of it"


# ── what is judged ──────────────────────────────────────────────────────────────────────────────────────────────────
def uptime_knows_the_vendors_outage_from_our_own_troubles(result: ObjectiveResult) -> None:
    estimate = result.estimate
    assert (estimate.n, estimate.bad, estimate.population) == (SEEN, DOWN_SLOTS, SLOTS)
    assert estimate.value == 1 - Fraction(DOWN_SLOTS, SEEN)
    assert estimate.low == 1 - Fraction(DOWN_SLOTS + UNOBSERVED, SLOTS), "had all been down that was not seen"
    assert estimate.high == 1 - Fraction(DOWN_SLOTS, SLOTS)
    assert result.coverage == Fraction(SEEN, SLOTS)
    assert (result.unknown, result.unmeasured, result.dropped) == (UNOBSERVED, UNOBSERVED, 0), "lost slots say nothing either"
    assert result.verdict is Verdict.BREACH
    down = EventPart(kind="down", start=DOWN[0], end=DOWN[1], lost=Fraction(DOWN_SLOTS))
    unobserved = [EventPart(kind="unobserved", start=a, end=b, lost=Fraction(0)) for a, b in (OURS, FULL, OFF)]
    assert result.events == (down, *unobserved), "nothing else is down or missing: not the reloads, not the swap"


def accuracy_knows_the_swap(result: ObjectiveResult, wrong: int) -> None:
    estimate = result.estimate
    assert (estimate.n, estimate.bad) == (ANSWERED, wrong)
    assert estimate.value == 1 - Fraction(wrong, ANSWERED)
    assert result.unknown == 0
    assert result.verdict is Verdict.BREACH


def evaluated(found: World, loaded: Loaded) -> Evaluation:
    with opened(found.ledger) as store:
        period = resolve(loaded.agreement, "2026-10")
        return judge(store, loaded.agreement, period, AS_OF, spec_sha256=loaded.spec_sha256).evaluation


def test_outages_a_full_disk_a_restart_a_bad_reload_and_a_model_swap_of_one_month_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = JumpingClock(OCTOBER)

    async def live() -> World:
        async with world(tmp_path, story(), clock=clock) as found:
            await Month(found, monkeypatch).live()
            return found

    found = simulate(clock, live())
    loaded = load(tmp_path / "acme.yaml")
    books = found.books()
    books.balance(NOVEMBER)
    slots = {slot.id: slot for slot in plan(found)}
    assert len(slots) == SLOTS
    asked = every_slot_has_the_end_of_its_hour(books, slots)
    every_answer_is_what_the_script_says(asked)

    primes = {i for i, item in found.load().probes[0].subject.golden.items.items() if item.kind == "prime"}
    wrong = sum(slot.item in primes and within(slot.scheduled_at, (SWAPPED, NOVEMBER)) for slot in slots.values())
    truth = [t for t in found.vendor.truth if t.at_ns < NOVEMBER and t.grade not in {None, Grade.CORRECT}]
    assert len(truth) == wrong >= ANSWERED // 20, "the vendor's own answer key says the same, and more than 5 % are wrong"

    evaluation = evaluated(found, loaded)
    uptime, accuracy = evaluation.objectives
    uptime_knows_the_vendors_outage_from_our_own_troubles(uptime)
    accuracy_knows_the_swap(accuracy, wrong)
    assert evaluation.credits is not None
    assert evaluation.credits.claimable == 3000, "a quarter of the fee for uptime, which is more than 15 % for accuracy"

    assert {s.evaluation.inputs.spec_sha256 for shot in found.snapshots for s in shot.standings} == {loaded.spec_sha256}
    assert len(found.events("reload_refused")) == len(found.events("reload")) == 1
    assert len(found.events("disk_full")) == len(found.events("disk_has_room")) == 1
    everyone_judges_the_same(found, loaded, evaluation, capsys)


def everyone_judges_the_same(found: World, loaded: Loaded, evaluation: Evaluation, capsys: pytest.CaptureFixture[str]) -> None:
    """The keeper and the command line come to the same bytes; the agent's own last word has the same results."""
    path = found.folder / "acme.yaml"
    current, closed = Keeper([(path, loaded)], found.ledger).judge(AS_OF)
    assert (current.which, closed.which, closed.period.label) == (Which.CURRENT, Which.CLOSED, "2026-10")
    assert closed.evaluation.to_json() == evaluation.to_json()
    told = ["--period", "2026-10", "--as-of", AS_OF_TEXT, "--format", "json"]
    assert run(["evaluate", str(path), "--ledger", str(found.ledger), *told]) == 0
    assert capsys.readouterr().out == evaluation.to_json()
    assert found.events("period"), "the plan of November began"
    last = found.snapshots[-1].standings[-1]
    assert (last.which, last.evaluation.objectives) == (Which.CLOSED, evaluation.objectives)
