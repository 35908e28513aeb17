"""Killed and started again: what was planned is lost by name, what passed is lost by name, and nothing is said twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from slaguard.agent import recovery
from slaguard.providers.simulated import Latency
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import DAY, HOUR, MINUTE, OCTOBER, World, script, world


async def lived_and_killed(found: World, until: int) -> None:
    """Run an agent until a call is under way after a moment, and kill it."""
    async with found.killed():
        await found.clock.sleep_until(until)
        asked = len(found.vendor.truth)
        while len(found.vendor.truth) == asked:
            await found.clock.wait(1)


def test_a_kill_in_mid_call_costs_that_one_slot_and_the_time_until_the_next_start(tmp_path: Path) -> None:
    clock = JumpingClock(OCTOBER)
    slow = Latency(first_byte_ms=8000.0, generation_ms=0.0, sigma=0.0)

    async def live() -> World:
        async with world(tmp_path, script(latency=slow), clock=clock) as found:
            await lived_and_killed(found, OCTOBER + 2 * HOUR + 5 * MINUTE)
            clock.pass_time(3 * HOUR)
            await found.live(OCTOBER + 8 * HOUR)
            return found

    found = simulate(clock, live())
    books = found.books()
    books.balance(OCTOBER + 8 * HOUR)
    slots = {p.slot for p in books.planned if p.scheduled_at <= OCTOBER + 8 * HOUR} | {m.slot for m in books.missed}
    assert len(slots) == 96, "one every five minutes of eight hours, whatever happened"
    assert books.reasons.keys() == {("lost", "crash"), ("lost", "own_down")}
    crashed = [m for m in books.missed if m.reason == "crash"]
    assert all(OCTOBER + 2 * HOUR < m.scheduled_at < OCTOBER + 3 * HOUR for m in crashed), "the hour that was planned"
    assert 35 <= len(books.missed) <= 38
    probe = found.snapshots[-1].telemetry.probes[0]
    assert probe.lost == {"crash": len(crashed), "own_down": len(books.missed) - len(crashed)}


def test_slots_that_were_planned_and_are_still_to_come_are_asked_after_the_next_start(tmp_path: Path) -> None:
    clock = JumpingClock(OCTOBER)

    async def live() -> World:
        async with world(tmp_path, script(), clock=clock) as found:
            await lived_and_killed(found, OCTOBER + 2 * HOUR + 5 * MINUTE)
            planned = {p.slot for p in found.books().planned}
            assert len(planned) == 36, "the whole of the third hour"
            await found.live(OCTOBER + 4 * HOUR)
            return found

    books = simulate(clock, live()).books()
    books.balance(OCTOBER + 4 * HOUR)
    assert len(books.observations) >= 47
    assert books.reasons in ({}, {("lost", "crash"): 1})


def test_starting_again_and_again_says_nothing_new(tmp_path: Path) -> None:
    clock = JumpingClock(OCTOBER)

    async def live() -> list[int]:
        counts = []
        async with world(tmp_path, script(), clock=clock) as found:
            await found.live(OCTOBER + 70 * MINUTE)
            clock.pass_time(2 * HOUR)
            for _ in range(3):
                await found.live(clock.now + 1)
                books = found.books()
                books.balance(clock.now)
                counts.append(len(books.missed))
        return counts

    counts = simulate(clock, live())
    assert counts[0] in range(23, 26)
    assert len(set(counts)) == 1


def test_an_absence_of_months_is_written_down_up_to_a_bound_and_then_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound, passed = 8_000, 50 * 288
    monkeypatch.setattr(recovery, "MOST", bound)
    clock = JumpingClock(OCTOBER)

    async def live() -> World:
        async with world(tmp_path, script(), clock=clock) as found:
            await found.live(OCTOBER + 10 * MINUTE)
            clock.pass_time(50 * DAY)
            await found.live(clock.now + 10 * MINUTE)
            return found

    found = simulate(clock, live())
    books = found.books()
    assert books.reasons == {("lost", "own_down"): bound + 10}, "and what was planned for the rest of that hour"
    (line,) = found.events("slots_unrecorded")
    left = int(line.partition("slots=")[2].split()[0])
    assert passed - bound - 12 <= left <= passed - bound, "but for what was planned, which is lost by name"
    assert max(m.scheduled_at for m in books.missed) < OCTOBER + 29 * DAY
    assert len(books.observations) in {3, 4}
