"""The agent in simulated time, one trouble at a time: every slot has exactly one end (all in one: test_month_told_apart)."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from slaguard.errors import LedgerError
from slaguard.providers.simulated import Fault, Latency, Window
from slaguard.records import NS
from slaguard.terms import Attribution, Outcome
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import DAY, HOUR, MINUTE, NOVEMBER, OCTOBER, FullAt, World, outage, script, world


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock(OCTOBER)


def test_equal_secrets_give_equal_slots_and_others_do_not(tmp_path: Path) -> None:
    def moments(folder: Path, secret: bytes) -> list[tuple[str, int, str]]:
        folder.mkdir()
        clock = JumpingClock(OCTOBER)

        async def live() -> list[tuple[str, int, str]]:
            async with world(folder, script(), clock=clock, settings={"every": "30m"}) as found:
                found.ledger.mkdir()
                path = found.ledger / "agent.secret"
                path.write_text(secret.hex())
                path.chmod(0o600)
                await found.live(OCTOBER + 6 * HOUR)
                return [(p.slot, p.scheduled_at, p.golden_item) for p in found.books().planned]

        return simulate(clock, live())

    first, again, other = (moments(tmp_path / name, s) for name, s in (("a", b"a" * 32), ("b", b"a" * 32), ("c", b"c" * 32)))
    assert first == again
    assert [at for _, at, _ in other] != [at for _, at, _ in first]
    assert not {slot for slot, *_ in other} & {slot for slot, *_ in first}, "side by side, both count"


# ── what is not asked ───────────────────────────────────────────────────────────────────────────────────────────────
def test_a_budget_that_is_gone_at_noon_is_there_again_the_next_day(tmp_path: Path, clock: JumpingClock) -> None:
    budget = ', price: {input: "2.50 EUR", output: "10.00 EUR"}, budget: {amount: "0.01 EUR", per: day}'

    async def live() -> World:
        async with world(
            tmp_path, script(), clock=clock, settings={"every": "20m", "evaluate_every": "13h", "probe": budget}
        ) as found:
            await found.live(OCTOBER + DAY + 4 * HOUR)
            return found

    lived = simulate(clock, live())
    books = lived.books()
    books.balance(OCTOBER + DAY + 4 * HOUR)
    assert books.reasons.keys() == {("shed", "budget")}
    day = range(OCTOBER + 2 * HOUR, OCTOBER + 2 * HOUR + DAY)  # UTC
    asked = [o for o in books.observations if o.scheduled_at in day]
    shed = [m.scheduled_at for m in books.missed if m.scheduled_at in day]
    assert min(o.scheduled_at or 0 for o in asked) < day.start + HOUR, "the day begins with money"
    assert max(o.scheduled_at or 0 for o in asked) < max(shed), "and ends without"
    assert sum(Decimal("2.5") * (o.input_tokens or 0) + 10 * (o.output_tokens or 0) for o in asked) <= 10_000
    assert any(day.stop <= (o.scheduled_at or 0) < day.stop + HOUR for o in books.observations)
    probe = lived.snapshots[-1].telemetry.probes[0]
    assert probe.shed == {"budget": sum(books.reasons.values())}
    assert probe.currency == "EUR"
    (spending,) = lived.snapshots[-1].telemetry.spending
    assert (spending.vendor, str(spending.limit)) == ("Acme AI", "0.01")
    assert spending.spent == probe.spent > 0


def test_what_the_day_has_cost_is_known_after_a_restart(tmp_path: Path, clock: JumpingClock) -> None:
    budget = ', price: {input: "2.50 EUR", output: "10.00 EUR"}'
    vendor = ', budget: {amount: "0.01 EUR", per: day}'

    async def live(stops: tuple[int, ...], folder: Path) -> int:
        async with world(folder, script(), clock=clock, settings={"every": "20m", "probe": budget, "vendor": vendor}) as found:
            for stop in stops:
                await found.live(stop)
            return len(found.books().observations)

    begin = OCTOBER + 2 * HOUR + DAY
    clock.now = begin
    (tmp_path / "whole").mkdir()
    whole = simulate(clock, live((begin + DAY - HOUR,), tmp_path / "whole"))
    clock = JumpingClock(begin)
    (tmp_path / "parts").mkdir()
    parts = simulate(clock, live((begin + 2 * HOUR, begin + DAY - HOUR), tmp_path / "parts"))
    assert 10 < whole < 65
    assert abs(whole - parts) <= 1


def test_the_slots_that_an_overlong_call_leaves_no_time_for_are_shed(tmp_path: Path, clock: JumpingClock) -> None:
    story = script(outage(OCTOBER + 5 * MINUTE, OCTOBER + 6 * MINUTE, Fault.SILENCE))

    async def live() -> World:
        async with world(tmp_path, story, clock=clock, settings={"every": "10s", "vendor": ", timeout: 5m"}) as found:
            await found.live(OCTOBER + 15 * MINUTE)
            return found

    lived = simulate(clock, live())
    books = lived.books()
    books.balance(OCTOBER + 15 * MINUTE)
    assert books.reasons.keys() == {("shed", "overload")}
    assert 27 <= books.reasons["shed", "overload"] <= 29
    (slow,) = [o for o in books.observations if o.outcome is Outcome.TIMEOUT]
    assert all(slow.sent_at < m.scheduled_at < slow.ended_at for m in books.missed)  # type: ignore[operator]


def test_a_vendor_that_limits_our_rate_is_left_alone_for_as_long_as_it_asks(tmp_path: Path, clock: JumpingClock) -> None:
    story = script(outage(OCTOBER + 5 * MINUTE, OCTOBER + 10 * MINUTE, Fault.RATE_LIMITED))

    async def live() -> World:
        async with world(tmp_path, story, clock=clock, settings={"every": "8s"}) as found:
            await found.live(OCTOBER + 15 * MINUTE)
            return found

    books = simulate(clock, live()).books()
    books.balance(OCTOBER + 15 * MINUTE)
    limited = [o for o in books.observations if o.outcome is Outcome.RATE_LIMITED]
    assert len(limited) >= 8, "the answer itself stays an observation"
    assert books.reasons.keys() == {("shed", "rate_limit")}
    for one in limited:
        held = [m for m in books.missed if one.ended_at <= m.scheduled_at < one.ended_at + 20 * NS]  # type: ignore[operator]
        asked = [o for o in books.observations if one.ended_at <= o.scheduled_at < one.ended_at + 20 * NS]  # type: ignore[operator]
        assert held
        assert not asked


# ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("mono", "reason"), [pytest.param(True, "own_down", id="asleep"), pytest.param(False, "clock_step", id="clock set")]
)
def test_slots_that_we_slept_through_or_that_the_clock_jumped_over_are_lost(
    tmp_path: Path, clock: JumpingClock, mono: bool, reason: str
) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock) as found, found.agent():
            await clock.sleep_until(OCTOBER + 90 * MINUTE)
            clock.pass_time(3 * HOUR, mono=mono)
            await clock.sleep_until(OCTOBER + 6 * HOUR)
            return found

    books = simulate(clock, live()).books()
    books.balance(OCTOBER + 6 * HOUR)
    assert books.reasons.keys() == {("lost", reason)}
    assert 33 <= books.reasons["lost", reason] <= 37
    assert all(OCTOBER + 80 * MINUTE < m.scheduled_at < OCTOBER + 90 * MINUTE + 3 * HOUR for m in books.missed)


# ── disks ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_full_disk_stops_the_probing_and_what_passed_is_lost(
    tmp_path: Path, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = (OCTOBER + 100 * MINUTE, OCTOBER + 200 * MINUTE)

    async def live() -> World:
        async with world(tmp_path, script(), clock=clock) as found, found.agent() as agent:
            monkeypatch.setattr(agent._rows, "append", FullAt(agent._rows, clock, full))
            await clock.sleep_until(OCTOBER + 5 * HOUR)
            return found

    lived = simulate(clock, live())
    books = lived.books()
    books.balance(OCTOBER + 5 * HOUR)
    assert books.reasons.keys() == {("lost", "disk_full")}
    assert 17 <= books.reasons["lost", "disk_full"] <= 20
    assert len(lived.events("disk_full")) == len(lived.events("disk_has_room")) == 1
    answered = [o.scheduled_at for o in books.observations]
    assert len([at for at in answered if full[0] <= at < full[1]]) <= 1, "only the answer that was under way"  # type: ignore[operator]


def test_a_disk_that_fails_ends_the_agent(tmp_path: Path, clock: JumpingClock, monkeypatch: pytest.MonkeyPatch) -> None:
    async def until_it_breaks(found: World) -> None:
        async with found.agent() as agent:
            broken = FullAt(agent._rows, clock, (OCTOBER + HOUR, OCTOBER + DAY), "E-LEDGER-WRITE")
            monkeypatch.setattr(agent._rows, "append", broken)
            await clock.sleep_until(OCTOBER + 5 * HOUR)

    async def live() -> World:
        async with world(tmp_path, script(), clock=clock) as found:
            with pytest.raises(LedgerError, match="E-LEDGER-WRITE"):
                await until_it_breaks(found)
            return found

    lived = simulate(clock, live())
    assert lived.events("failed")
    assert max(o.ended_at or 0 for o in lived.books().observations) < OCTOBER + 2 * HOUR


# ── ends and beginnings ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_stop_lets_the_call_under_way_finish_and_leaves_later_slots_to_the_next_start(
    tmp_path: Path, clock: JumpingClock
) -> None:
    slow = Latency(first_byte_ms=4000.0, generation_ms=0.0, sigma=0.0)

    async def live() -> tuple[World, int, int]:
        async with world(tmp_path, script(latency=slow), clock=clock) as found:
            async with found.agent():
                while not found.vendor.truth:
                    await clock.wait(1)
                asked = clock.now
            stopped = clock.now
            first = found.books()
            assert not first.missed
            assert len(first.observations) == 1
            assert max(p.scheduled_at for p in first.planned) > stopped
            await found.live(OCTOBER + 2 * HOUR)
            return found, asked, stopped

    lived, asked, stopped = simulate(clock, live())
    assert stopped - asked <= 4 * NS
    books = lived.books()
    books.balance(OCTOBER + 2 * HOUR)
    assert books.reasons == {}
    assert len(books.observations) == 24


def test_a_call_that_outlasts_the_grace_is_given_up(tmp_path: Path, clock: JumpingClock) -> None:
    story = script(outage(OCTOBER, OCTOBER + DAY, Fault.SILENCE))

    async def live() -> tuple[World, int]:
        async with world(tmp_path, story, clock=clock) as found:
            async with found.agent():
                while not found.vendor.truth:
                    await clock.wait(1)
                stopped = clock.now
            return found, clock.now - stopped

    lived, took = simulate(clock, live())
    books = lived.books()
    books.balance(clock.now)
    assert took == 10 * NS
    assert books.reasons == {("lost", "given_up"): 1}
    assert not books.observations


def test_a_probe_that_never_ran_has_no_past(tmp_path: Path, clock: JumpingClock) -> None:
    clock.now += 7 * DAY

    async def live() -> World:
        async with world(tmp_path, script(), clock=clock) as found:
            await found.live(OCTOBER + 7 * DAY + HOUR)
            return found

    books = simulate(clock, live()).books()
    assert books.missed == []
    assert min(p.scheduled_at for p in books.planned) > OCTOBER + 7 * DAY


def test_a_window_of_faults_is_not_lost_in_a_period_change(tmp_path: Path) -> None:
    clock = JumpingClock(NOVEMBER - 3 * HOUR)
    story = script(Window(start_ns=NOVEMBER - HOUR, end_ns=NOVEMBER + HOUR, fault=Fault.ERROR_500))

    async def live() -> World:
        async with world(tmp_path, story, clock=clock) as found:
            await found.live(NOVEMBER + 3 * HOUR)
            return found

    lived = simulate(clock, live())
    books = lived.books()
    books.balance(NOVEMBER + 3 * HOUR)
    slots = sorted(p.scheduled_at for p in books.planned if p.scheduled_at <= NOVEMBER + 3 * HOUR)
    assert len(slots) == 72
    assert [s.evaluation.period.label for s in lived.snapshots[-1].standings] == ["2026-11", "2026-10"]
    at_the_change = [s for s in lived.snapshots if s.taken_at == NOVEMBER]
    assert at_the_change, "the end of a period is judged when it comes, not an hour later"


def test_without_a_control_target_the_log_says_once_who_is_held_at_fault(tmp_path: Path, clock: JumpingClock) -> None:
    async def live() -> World:
        async with world(tmp_path, script(), clock=clock) as found:
            found.configure(base_url="http://127.0.0.1:1/v1")  # nobody listens there
            await found.live(OCTOBER + HOUR)
            return found

    lived = simulate(clock, live())
    assert len(lived.events("vendor_held_at_fault")) == 1
    assert len(lived.events("asked")) == 12, "every failure is said"
    assert {(o.outcome, o.attribution) for o in lived.books().observations} == {(Outcome.CONNECTION_ERROR, Attribution.VENDOR)}
