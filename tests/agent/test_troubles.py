"""What an agent meets besides a vendor's outage: reloads at a bad moment, wrong clocks, other writers, money over restarts."""

from __future__ import annotations

import asyncio
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from slaguard.errors import LedgerError, SlaguardError
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.providers.simulated import Fault
from slaguard.records import NS, ProbePlanned
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import DAY, HOUR, MINUTE, OCTOBER, World, outage, script, world

QUIET = {"every": "10m", "evaluate_every": "6h"}


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock(OCTOBER)


# ── reloads ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("more", ["", "  - {agreement: acme-chat, model: acme-small, every: 10m}"])
def test_a_reload_during_the_start_waits_until_everything_is_manned(tmp_path: Path, clock: JumpingClock, more: str) -> None:
    async def live() -> tuple[World, int]:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found:
            await found.live(OCTOBER + HOUR)
            async with found.agent() as agent:
                await asyncio.sleep(0)
                found.configure(**(QUIET | {"every": "5m", "more": more}))
                assert await agent.reload() is None
                await clock.sleep_until(OCTOBER + 4 * HOUR)
                stopped = clock.now
            found.books().balance(OCTOBER + 4 * HOUR)
            return found, clock.now - stopped

    found, took = simulate(clock, live())
    assert took < 10 * NS
    assert found.books().missed == []
    assert [p.requests > 10 for p in found.snapshots[-1].telemetry.probes] == [True] * (1 + bool(more))


def test_a_reload_of_an_agent_that_ends_before_it_began_is_answered(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> str | None:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found:
            async with found.agent() as agent:
                asked = asyncio.create_task(agent.reload())
                await asyncio.sleep(0)
                agent.stop()
            return await asked

    assert "ending" in str(simulate(clock, live()))


def test_a_probe_that_is_taken_out_and_comes_back_during_its_call_loses_no_slot(tmp_path: Path, clock: JumpingClock) -> None:
    story = script(outage(OCTOBER, OCTOBER + DAY, Fault.STALL), stall_s=50.0)

    async def live() -> World:
        async with world(tmp_path, story, clock=clock, settings=QUIET | {"every": "5m"}) as found:
            async with found.agent() as agent:
                while not found.vendor.truth:
                    await clock.wait(1)
                text = (found.folder / "slaguard.yaml").read_text()
                for changed in (text.partition("probes:")[0], text):
                    (found.folder / "slaguard.yaml").write_text(changed)
                    assert await agent.reload() is None
                assert not found.books().observations, "the call is still under way"
                await clock.sleep_until(OCTOBER + 2 * HOUR)
            return found

    books = simulate(clock, live()).books()
    books.balance(OCTOBER + 2 * HOUR)
    assert len(books.planned) == 24
    assert books.reasons == {("shed", "stop_rule"): 11}, "the rest of the hour that was planned"


def test_what_needs_a_restart_is_said_by_what_is_in_force_and_not_by_the_last_reload(
    tmp_path: Path, clock: JumpingClock
) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found:
            async with found.agent() as agent:
                await clock.sleep_until(OCTOBER + MINUTE)
                for more in ("server: {listen: 127.0.0.1:7999}", "server: {listen: 127.0.0.1:7999}", ""):
                    found.configure(**(QUIET | {"more": more}))
                    assert await agent.reload() is None
            return found

    said = simulate(clock, live()).events("restart_needed")
    assert len(said) == 2, "still another address at the second reload, and at the third the one that is in force"
    assert all("7999" in line for line in said)


def test_another_evaluate_every_takes_effect_at_once(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> list[int]:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found, found.agent() as agent:
            await clock.sleep_until(OCTOBER + 2 * HOUR)
            found.configure(**(QUIET | {"evaluate_every": "1h"}))
            await agent.reload()
            await clock.sleep_until(OCTOBER + 4 * HOUR + MINUTE)
            return sorted({s.telemetry.evaluated_at or 0 for s in found.snapshots})

    judged = simulate(clock, live())
    assert [(at - OCTOBER) // MINUTE for at in judged] == [0, 120, 180, 240]


# ── what is shown ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_results_are_shown_when_they_come_and_every_five_seconds_at_most(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings=QUIET | {"every": "2s"}) as found:
            await found.live(OCTOBER + MINUTE)
            return found

    shown = simulate(clock, live()).snapshots
    fresh = [(s.taken_at, s.telemetry.probes[0].last_at) for s in shown if s.telemetry.probes[0].last_at is not None]
    assert fresh[0][0] < OCTOBER + 5 * NS, "the first at once"
    assert 8 <= len(fresh) <= 13
    assert all(at - (last or 0) < NS for at, last in fresh)
    assert {s.telemetry.evaluated_at for s in shown} == {OCTOBER}, "nothing is judged for it"


def test_an_hour_without_trouble_is_one_line_in_the_log(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings={"every": "10m", "evaluate_every": "30m"}) as found:
            await found.live(OCTOBER + 2 * HOUR + MINUTE)
            return found

    said = simulate(clock, live()).events("alive")
    assert [line.partition("event=")[2] for line in said] == [f"alive asked={n} failed=0 shed=0 lost=0" for n in (6, 12)]


# ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_clock_that_is_set_back_blinds_no_probe_and_its_slots_keep_their_names(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found:
            async with found.agent():
                await clock.sleep_until(OCTOBER + 2 * HOUR)
                clock.pass_time(12 * HOUR, mono=False)
                await clock.sleep_until(clock.now + HOUR)
                clock.set_back(12 * HOUR)
                await clock.sleep_until(OCTOBER + 9 * HOUR)
            return found

    found = simulate(clock, live())
    books = found.books()
    books.balance(OCTOBER + 9 * HOUR)
    assert len(found.events("clock_set_back")) == 1
    sent = [o.sent_at for o in books.observations if o.sent_at is not None]
    right = sorted(at for at in sent if OCTOBER + 3 * HOUR + 5 * MINUTE < at < OCTOBER + 9 * HOUR)
    assert len(right) >= 35, "one every ten minutes of six hours"
    assert max(later - at for at, later in pairwise(right)) < 20 * MINUTE


def test_a_start_with_a_clock_that_is_right_again_goes_on_from_now(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> tuple[World, int]:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found:
            await found.live(OCTOBER + HOUR)
            clock.now += 2 * DAY
            await found.live(clock.now + 30 * MINUTE)
            wrong = len(found.books().observations)
            clock.now -= 2 * DAY
            right = clock.now
            await found.live(right + 3 * HOUR)
            await found.live(right + 5 * HOUR)
            found.books().balance(clock.now)
            return found, len(found.books().observations) - wrong

    found, asked = simulate(clock, live())
    assert 29 <= asked <= 36, "six an hour, and no more than an hour's twice"
    assert len(found.events("clock_was_ahead")) == 2, "once a start"


# ── ends, and what they cost ────────────────────────────────────────────────────────────────────────────────────────
def test_after_an_orderly_stop_nothing_is_said_to_have_crashed(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found:
            await found.live(OCTOBER + 10 * MINUTE)
            clock.pass_time(2 * HOUR)
            await found.live(clock.now + MINUTE)
            return found

    found = simulate(clock, live())
    assert found.books().reasons.keys() == {("lost", "own_down")}
    (line,) = found.events("lost")
    assert "reason=own_down slots=12 first_due=2026-09-30T22:1" in line
    assert "last_due=2026-10-01T00:0" in line


@pytest.mark.parametrize("killed", [False, True])
def test_a_call_that_was_sent_and_given_up_costs_the_most_it_can(tmp_path: Path, clock: JumpingClock, killed: bool) -> None:
    clock.now += 3 * HOUR  # the UTC day has begun
    budget = ", budget: {amount: 2.00 EUR, per: day, call: 1.00 EUR}"
    story = script(outage(OCTOBER, OCTOBER + DAY, Fault.SILENCE))

    async def live() -> World:
        async with world(tmp_path, story, clock=clock, settings=QUIET | {"probe": budget}) as found:
            for _ in range(3):
                async with found.killed() if killed else found.agent():
                    asked, until = len(found.vendor.truth), clock.now + 25 * MINUTE
                    while len(found.vendor.truth) == asked and clock.now < until:
                        await clock.wait(1)
            return found

    found = simulate(clock, live())
    assert len(found.vendor.truth) == 2, "what the budget allows, whatever became of it"
    assert ("shed", "budget") in found.books().reasons
    assert {reason for how, reason in found.books().reasons if how == "lost"} == {"crash" if killed else "given_up"}


def test_what_a_day_has_cost_is_remembered_through_budgets_that_come_and_go(tmp_path: Path, clock: JumpingClock) -> None:
    clock.now += 3 * HOUR
    price = ', price: {input: "1000000 EUR", output: "1000000 EUR"}'  # a EUR a token

    def amount(limit: str) -> dict[str, str]:
        return QUIET | {"every": "2m", "probe": f"{price}, budget: {{amount: {limit} EUR, per: day}}"}

    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings=amount("5000")) as found, found.agent() as agent:
            await clock.sleep_until(OCTOBER + 4 * HOUR)
            for limit in ("9000", "5000"):
                found.configure(**amount(limit))
                assert await agent.reload() is None
                await clock.sleep_until(clock.now + 2 * HOUR)
            return found

    books = simulate(clock, live()).books()
    late = [o for o in books.observations if (o.sent_at or 0) >= OCTOBER + 6 * HOUR + MINUTE]
    spent = sum((o.input_tokens or 0) + (o.output_tokens or 0) for o in books.observations)
    assert spent > 5000, "the larger budget was used"
    assert late == [], "and the smaller one is gone by then"


# ── other writers ───────────────────────────────────────────────────────────────────────────────────────────────────
def beside(found: World, clock: JumpingClock) -> Path:
    """Put the segments of another host, with a plan without results, into a sub-folder of the ledger."""
    elsewhere = found.folder / "elsewhere"
    with RowLog.open(elsewhere, clock=clock) as rows:
        rows.append([
            ProbePlanned(slot=f"acme-chat/b/{n}", agreement="acme-chat", golden_item="g", scheduled_at=OCTOBER - n * MINUTE)
            for n in range(1, 11)
        ])  # fmt: skip
        seal_all(rows)
    found.ledger.mkdir(exist_ok=True)
    (found.ledger / "host-b").mkdir()
    shutil.copytree(elsewhere / "segments", found.ledger / "host-b" / "segments")
    return found.ledger / "host-b" / "segments"


def test_the_plan_of_another_host_is_not_ours_to_write_off(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found:
            beside(found, clock)
            await found.live(OCTOBER + HOUR)
            return found

    books = simulate(clock, live()).books()
    assert len(books.planned) == 16
    assert books.missed == []


def test_probing_goes_on_while_the_folder_of_another_writer_is_damaged(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock, settings={"every": "10m", "evaluate_every": "20m"}) as found:
            segments = beside(found, clock)
            (parquet,) = segments.glob("*.parquet")
            whole = parquet.read_bytes()
            parquet.unlink()
            async with found.agent():
                await clock.sleep_until(OCTOBER + 90 * MINUTE)
                assert found.snapshots[-1].trouble is not None
                parquet.write_bytes(whole)
                await clock.sleep_until(OCTOBER + 2 * HOUR)
            return found

    found = simulate(clock, live())
    assert len(found.events("judge_later")) == 1, "said once"
    assert found.snapshots[-1].trouble is None
    assert found.snapshots[-1].standings
    assert len(found.books().observations) == 12


def test_an_own_log_that_cannot_be_read_ends_the_agent(
    tmp_path: Path, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def live() -> None:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found, found.agent() as agent:

            def broken() -> None:
                raise LedgerError("ledger: E-LOG-CORRUPT 7  the row is not JSON\n    restore it from a backup")

            monkeypatch.setattr(agent, "_judge", broken)
            monkeypatch.setattr(agent, "_require_own", broken)
            await clock.sleep_until(OCTOBER + 7 * HOUR)

    with pytest.raises(LedgerError, match="E-LOG-CORRUPT"):
        simulate(clock, live())


def test_a_fault_of_the_agent_itself_is_told_as_such(
    tmp_path: Path, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def live() -> None:
        async with world(tmp_path, script(), clock=clock, settings=QUIET) as found, found.agent() as agent:

            def broken() -> None:
                raise OSError(5, "Input/output error")

            monkeypatch.setattr(agent, "_judge", broken)
            await clock.sleep_until(OCTOBER + 7 * HOUR)

    with pytest.raises(SlaguardError, match="the agent itself failed: OSError"):
        simulate(clock, live())
