"""The link: what it keeps, what it sheds, and that the pump never feels it. The recorders are real processes."""

from __future__ import annotations

import asyncio
import signal
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from slaguard.records import NS, TrafficTally
from slaguard.sidecar import link as link_module
from slaguard.sidecar.call import Call, Ended
from slaguard.sidecar.link import Link
from tests.sidecar.recorders import (
    JSON,
    T0,
    VENDOR,
    HandClock,
    begin,
    finish,
    linked,
    looped,
    make_link,
    observations,
    pass_call,
    payloads,
    signal_recorder,
    spec_of,
    tallies,
    until,
)


class Told:
    """A log that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def info(self, event: str, **fields: object) -> None:
        self.lines.append(f"{event} {fields}")

    warning = error = info


def add_up(told: list[TrafficTally]) -> dict[str, int]:
    names = ("seen", "recorded", "shed", "client_abort", "bodies", "bodies_shed")
    return {name: sum(getattr(t, name) for t in told) for name in names}


async def load(link: Link, calls: int, **about: Any) -> None:
    for number in range(calls):
        pass_call(link, **about)
        if number % 25 == 0:
            await asyncio.sleep(0.002)


@looped
async def test_calls_are_on_disk_once_they_are_acknowledged(tmp_path: Path) -> None:
    async with linked(tmp_path / "s") as link:
        await load(link, 300)
        pass_call(link, ended=Ended.CLIENT_LEFT)
        await until(lambda: link.state().recorded == 301)
        assert len(observations(tmp_path / "s")) == 301
        state = link.state()
        assert (state.seen, state.client_abort, state.queued_bytes, state.trouble) == (301, 1, 0, None)
        assert state.last_ack_ns is not None
        assert await link.stop(20)
    told = tallies(tmp_path / "s")
    assert add_up(told) == {"seen": 301, "recorded": 301, "shed": 0, "client_abort": 1, "bodies": 0, "bodies_shed": 0}
    assert {(t.vendor, t.via, t.writer.partition(".")[0]) for t in told} == {(VENDOR, "sidecar", "sidecar")}
    assert {o.id.partition("/")[0] for o in observations(tmp_path / "s")} == {t.writer for t in told}


@looped
async def test_what_is_still_open_when_it_stops_leaves_its_minute_without_a_tally(tmp_path: Path) -> None:
    async with linked(tmp_path / "s") as link:
        link.began(begin())
        pass_call(link)
        assert await link.stop(20)
    assert len(observations(tmp_path / "s")) == 1
    assert tallies(tmp_path / "s") == []


@looped
async def test_nothing_seen_is_told_minute_by_minute(tmp_path: Path) -> None:
    clock = HandClock(T0 + 50 * NS)
    async with linked(tmp_path / "s", clock, vendors=("Acme AI", "Other AI")) as link:
        for _ in range(80):
            clock.go(1)
            link._minutes.look(clock.read())
        await until(lambda: link.state().last_ack_ns is not None)
        assert await link.stop(20)
    told = sorted(tallies(tmp_path / "s"), key=lambda t: (t.vendor, t.start))
    expected = [(T0 + 50 * NS, T0 + 60 * NS), (T0 + 60 * NS, T0 + 120 * NS), (T0 + 120 * NS, T0 + 130 * NS)]
    assert [(t.start, t.end) for t in told] == expected * 2
    assert add_up(told)["seen"] == 0


@looped
async def test_no_two_runs_give_two_calls_one_id(tmp_path: Path) -> None:
    for _ in range(2):
        async with linked(tmp_path / "s") as link:
            pass_call(link)
            assert await link.stop(20)
    assert len({o.id for o in observations(tmp_path / "s")}) == 2
    assert len({t.writer for t in tallies(tmp_path / "s")}) == 2


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@looped
async def test_the_drawn_share_is_kept_and_says_how_likely_it_was(tmp_path: Path) -> None:
    async with linked(tmp_path / "s", bodies=Fraction(1, 10)) as link:
        await load(link, 400)
        assert await link.stop(20)
        kept = link.state().bodies
    assert 15 < kept < 80
    found = observations(tmp_path / "s")
    assert {o.inclusion_probability for o in found} == {"1"}
    assert {o.attributes.get("body_share") for o in found if o.payload_commit} == {"0.1"}
    assert {o.attributes.get("body_share") for o in found if not o.payload_commit} == {None}
    assert len(payloads(tmp_path / "s")) == kept == add_up(tallies(tmp_path / "s"))["bodies"]


@looped
async def test_all_attempts_of_one_request_are_kept_or_none(tmp_path: Path) -> None:
    async with linked(tmp_path / "s", bodies=Fraction(1, 2)) as link:
        for number in range(120):
            pass_call(link, noted={**JSON, b"idempotency-key": b"r%d" % (number // 3)})
        assert await link.stop(20)
    by_request: dict[str | None, set[bool]] = {}
    for o in observations(tmp_path / "s"):
        by_request.setdefault(o.logical_request_id, set()).add(o.payload_commit is not None)
    assert len(by_request) == 40
    assert {frozenset(kept) for kept in by_request.values()} == {frozenset({True}), frozenset({False})}


@looped
async def test_a_body_that_is_too_large_is_not_kept_and_says_so(tmp_path: Path) -> None:
    spec = spec_of(tmp_path / "s", largest_body=1000)
    async with linked(tmp_path / "s", bodies=Fraction(1), spec=spec) as link:
        pass_call(link, answer=b"x" * 2000)
        pass_call(link)
        assert await link.stop(20)
    large, small = observations(tmp_path / "s")
    assert (large.attributes["body"], large.payload_commit, large.attributes["body_share"]) == ("too_large", None, "1")
    assert small.payload_commit is not None
    assert add_up(tallies(tmp_path / "s")) | {"seen": 2} == {
        "seen": 2, "recorded": 2, "shed": 0, "client_abort": 0, "bodies": 1, "bodies_shed": 0,
    }  # fmt: skip


@looped
async def test_bodies_of_calls_under_way_are_bounded_too(tmp_path: Path) -> None:
    async with linked(tmp_path / "s", bodies=Fraction(1), most_bytes=1 << 20) as link:
        calls = [begin() for _ in range(30)]
        for call in calls:
            link.began(call)
            call.answer.take(b"a" * 60_000)
        await asyncio.sleep(0.3)
        held = sum(call.answer.size for call in calls if call.answer.pieces is not None)
        assert 0 < held < 1 << 20
        for call in calls:
            link.ended(finish(call, answer=b"", returned={b"content-type": b"text/plain"}))
        assert await link.stop(20)
        state = link.state()
    assert (state.recorded, state.shed) == (30, {"queue": 0, "error": 0, "stop": 0})
    assert state.bodies + state.bodies_shed == 30
    assert state.bodies_shed > 0
    assert {o.attributes.get("body") for o in observations(tmp_path / "s")} == {None, "queue"}


@looped
async def test_another_share_holds_from_then_on(tmp_path: Path) -> None:
    async with linked(tmp_path / "s") as link:
        pass_call(link)
        link.replace(bodies=Fraction(1), vendors=(VENDOR, "Other AI"))
        pass_call(link)
        assert await link.stop(20)
    found = observations(tmp_path / "s")
    assert [o.attributes.get("body_share") for o in found] == [None, "1"]
    assert {o.inclusion_probability for o in found} == {"1"}
    assert {t.vendor for t in tallies(tmp_path / "s")} == {VENDOR, "Other AI"}


@looped
async def test_the_share_that_is_recorded_is_the_one_of_the_draw(tmp_path: Path) -> None:
    async with linked(tmp_path / "s", bodies=Fraction(1)) as link:
        call = begin()
        link.began(call)
        link.replace(bodies=Fraction(0))
        link.ended(finish(call))
        assert await link.stop(20)
    (found,) = observations(tmp_path / "s")
    assert (found.attributes["body_share"], found.payload_commit is None) == ("1", False)


# ── too much ────────────────────────────────────────────────────────────────────────────────────────────────────────
@looped
async def test_beyond_the_bound_first_bodies_are_shed_then_calls_and_all_is_counted(tmp_path: Path) -> None:
    most = 200_000
    async with linked(tmp_path / "s", bodies=Fraction(1), most_bytes=most) as link:
        await until(lambda: link.state().recorder_up)
        pid = signal_recorder(link, signal.SIGSTOP)
        for _ in range(400):
            pass_call(link, answer=b'{"choices":[{"message":{"content":"' + b"x" * 3000 + b'"}}]}')
            assert link.state().queued_bytes <= most
        shed = link.state().shed["queue"]
        assert 0 < shed < 400
        signal_recorder(link, signal.SIGCONT)
        assert pid == link.recorder_pid
        assert await link.stop(20)
        state = link.state()
    assert (state.seen, state.recorded) == (400, 400 - shed)
    assert state.bodies_shed > 0
    told = add_up(tallies(tmp_path / "s"))
    assert (told["seen"], told["recorded"], told["shed"]) == (400, 400 - shed, shed)
    assert (told["bodies"], told["bodies_shed"]) == (state.bodies, state.bodies_shed)
    assert len(observations(tmp_path / "s")) == state.recorded


@looped
async def test_an_error_of_ours_costs_the_record_of_one_call_and_is_said_once(tmp_path: Path) -> None:
    log = Told()
    async with linked(tmp_path / "s", log=log) as link:
        for _ in range(3):
            call = begin()
            link.began(call)
            del call.question
            call.ended = Ended.COMPLETE
            link.ended(call)
        pass_call(link)
        assert await link.stop(20)
        assert link.state().shed["error"] == 3
    assert log.lines == ["call_not_observed {'error': 'AttributeError'}"]
    assert add_up(tallies(tmp_path / "s"))["shed"] == 3
    assert len(observations(tmp_path / "s")) == 1


@looped
async def test_a_call_that_cannot_even_be_counted_voids_its_minute(tmp_path: Path) -> None:
    async with linked(tmp_path / "s") as link:
        call = begin()
        del call.upstream
        link.began(call)
        link.ended(finish(call))
        pass_call(link)
        assert await link.stop(20)
        state = link.state()
    assert (state.seen, state.recorded, state.shed["error"]) == (2, 1, 1)
    assert tallies(tmp_path / "s") == []


@looped
async def test_values_that_cannot_be_sent_cost_their_batch_and_nothing_that_follows(tmp_path: Path) -> None:
    async with linked(tmp_path / "s") as link:
        call = begin()
        link.began(call)
        finish(call).detail = object()  # type: ignore[assignment]
        link.ended(call)
        await until(lambda: link.state().shed["error"] == 1)
        pass_call(link)
        assert await link.stop(20)
    assert len(observations(tmp_path / "s")) == 1
    assert add_up(tallies(tmp_path / "s"))["shed"] == 1


@looped
async def test_an_end_without_a_beginning_is_nothing(tmp_path: Path) -> None:
    link = make_link(tmp_path / "s")
    link.ended(finish(begin()))
    assert link.state().seen == 0


# ── recorders that end ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.faults
@looped
async def test_killed_recorders_lose_nothing_and_write_nothing_twice(tmp_path: Path) -> None:
    async with linked(tmp_path / "s", bodies=Fraction(1, 20)) as link:
        killed: set[int] = set()
        for _ in range(4):
            await until(lambda: link._is_ready and link.recorder_pid not in killed)
            before = link.state().recorded
            await load(link, 500)
            await until(lambda: link.state().recorded > before)  # noqa: B023 - awaited at once
            acknowledged = link.state().recorded
            killed.add(signal_recorder(link, signal.SIGKILL))
            assert len(observations(tmp_path / "s")) >= acknowledged
        await load(link, 200)
        assert await link.stop(30)
        state = link.state()
    assert (state.seen, state.recorded, sum(state.shed.values())) == (2200, 2200, 0)
    found = observations(tmp_path / "s")
    assert len(found) == len({o.id for o in found}) == 2200
    told = add_up(tallies(tmp_path / "s"))
    assert (told["seen"], told["recorded"], told["shed"]) == (2200, 2200, 0)
    assert told["bodies"] == state.bodies == len(payloads(tmp_path / "s"))


@pytest.mark.faults
@looped
async def test_a_recorder_that_hangs_is_ended_and_another_one_goes_on(tmp_path: Path) -> None:
    async with linked(tmp_path / "s", spec=spec_of(tmp_path / "s", patience_s=1.0)) as link:
        await until(lambda: link._is_ready)
        hung = signal_recorder(link, signal.SIGSTOP)
        await load(link, 50)
        await until(lambda: link.state().recorded == 50)
        assert link.recorder_pid != hung
        assert (link.state().restarts, link.state().trouble) == (1, None)
        assert await link.stop(20)
    assert add_up(tallies(tmp_path / "s"))["recorded"] == 50


@pytest.mark.faults
@looped
async def test_calls_over_which_recorders_end_are_dropped_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_module, "MOST_TRIES", 2)
    async with linked(tmp_path / "s") as link:
        await until(lambda: link._is_ready)
        bad = begin()
        link.began(bad)
        finish(bad)
        bad.marks = [("no", "number")]  # type: ignore[list-item]
        bad.answer.chunked = "poison"  # type: ignore[assignment]
        bad.http_status = "x"  # type: ignore[assignment]
        link.ended(bad)
        await until(lambda: link.state().shed["error"] == 1)
        assert link.state().trouble is not None
        pass_call(link)
        assert await link.stop(20)
    assert len(observations(tmp_path / "s")) == 1
    told = add_up(tallies(tmp_path / "s"))
    assert (told["seen"], told["recorded"], told["shed"]) == (2, 1, 1)


@looped
async def test_a_recorder_that_cannot_start_is_trouble_and_no_reason_to_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("slaguard.sidecar.child.COMMAND", ("/no/such/program",))
    link = make_link(tmp_path / "s")
    await link.start()
    pass_call(link)
    await until(lambda: link.state().trouble is not None)
    assert not link.state().recorder_up
    began = time.monotonic()
    assert not await link.stop(0.5)
    assert time.monotonic() - began < 5
    assert link.state().shed["stop"] == 1


@looped
async def test_a_stop_that_has_no_time_loses_what_is_not_on_disk_and_says_so(tmp_path: Path) -> None:
    link = make_link(tmp_path / "s")
    await link.start()
    await until(lambda: link._is_ready)
    signal_recorder(link, signal.SIGSTOP)
    await load(link, 20)
    assert not await link.stop(0.3)
    assert link.state().shed["stop"] == 20
    assert link.recorder_pid is None


# ── what it costs ───────────────────────────────────────────────────────────────────────────────────────────────────
@looped
async def test_watching_a_call_costs_microseconds(tmp_path: Path) -> None:
    link = make_link(tmp_path / "s", bodies=Fraction(1, 100), most_bytes=1 << 30)

    def cost() -> float:
        calls: list[Call] = [begin() for _ in range(500)]
        start = time.process_time()
        for call in calls:
            link.began(call)
        middle = time.process_time()
        for call in calls:
            finish(call)
        again = time.process_time()
        for call in calls:
            link.ended(call)
        while link._outbox.frames:
            link._outbox.drop()
        return (time.process_time() - again + middle - start) / len(calls)

    assert min(cost() for _ in range(10)) < 20e-6  # about 4 where nothing else runs
