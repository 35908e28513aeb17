"""The parts of the agent, one by one: secret, timeline, log, waits, overhead, counts."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.agent.log import EventLog
from slaguard.agent.overhead import Overhead, measure
from slaguard.agent.retry_after import held_until
from slaguard.agent.secret import agent_secret, period_seed
from slaguard.agent.settings import latency_limits
from slaguard.agent.telemetry import Distribution
from slaguard.agent.timeline import HOUR_NS, Timeline, own_periods
from slaguard.agent.verdicts import Verdicts
from slaguard.agent.waiting import until
from slaguard.errors import ConfigError
from slaguard.evaluation.snapshot import Standing, Which
from slaguard.ledger.judge import judge
from slaguard.ledger.store import ColumnStore
from slaguard.providers.addresses import AddressPolicy
from slaguard.providers.base import Exchange, Reply, Request
from slaguard.providers.transport import HttpTransport
from slaguard.records import NS, NS_PER_MS, Instant, RawFacts
from slaguard.spec.load import load
from slaguard.spec.model import Agreement, PeriodUnit
from slaguard.spec.resolve import resolve
from slaguard.terms import Verdict
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import DAY, HOUR, OCTOBER

NOVEMBER = OCTOBER + 745 * HOUR


@pytest.fixture(scope="session")
def agreement(repo: Path) -> Agreement:
    return load(repo / "sla_specs" / "examples" / "acme-chat.yaml").agreement


# ── secret ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return bytes(range(size))

    assert agent_secret(tmp_path, entropy) == agent_secret(tmp_path, entropy) == bytes(range(32))
    assert asked == [32]
    assert stat.S_IMODE((tmp_path / "agent.secret").stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["agent.secret"]


def test_a_start_that_was_killed_while_it_made_the_secret_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / ".agent.secret.part").write_text("half")
    assert agent_secret(tmp_path, bytes) == bytes(32)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        pytest.param("ab" * 32, 0o640, "chmod 600", id="readable by others"),
        pytest.param("ab" * 31, 0o600, "64 hexadecimal digits", id="short"),
        pytest.param("", 0o600, "64 hexadecimal digits", id="empty"),
        pytest.param("zz" * 32, 0o600, "64 hexadecimal digits", id="other letters"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(tmp_path: Path, content: str, mode: int, words: str) -> None:
    path = tmp_path / "agent.secret"
    path.write_text(content)
    path.chmod(mode)
    with pytest.raises(ConfigError, match=words) as refusal:
        agent_secret(tmp_path, bytes)
    assert not content or content not in str(refusal.value)


def test_each_probe_and_each_period_has_a_seed_of_its_own() -> None:
    seeds = {period_seed(bytes(32), a, m, p) for a in "ab" for m in "mn" for p in ("2026-10", "2026-11")}
    assert len(seeds) == 8


# ── timeline ────────────────────────────────────────────────────────────────────────────────────────────────────────
def timeline(agreement: Agreement, every_ms: int = 300_000) -> Timeline:
    return Timeline(agreement=agreement, model="m", every_ms=every_ms, items=("a", "b", "c"), secret=bytes(32))


def test_an_hour_never_holds_slots_of_two_periods_or_of_two_utc_days(agreement: Agreement) -> None:
    for zone in ("Europe/Berlin", "Asia/Kolkata", "UTC"):
        local = agreement.model_copy(update={"time_zone": zone, "period": PeriodUnit.DAY})
        seen = 0
        for hour in timeline(local, 60_000).hours(None, OCTOBER - 90 * 60 * NS):
            assert len({s.scheduled_at // HOUR_NS for s in hour.slots}) == 1
            assert hour.opens <= hour.slots[0].scheduled_at
            seen += len(hour.slots)
            if seen > 3000:
                break


def test_a_month_in_which_the_clock_goes_back_has_a_slot_for_every_stratum(agreement: Agreement) -> None:
    found = [s for p, s in _until(timeline(agreement), OCTOBER - 1, NOVEMBER) if p == "2026-10"]
    assert len(found) == 745 * 12
    assert len({s.id for s in found}) == len(found)


def _until(line: Timeline, since: int, end: int) -> list[tuple[str, Any]]:
    found = []
    for period, slot in line.slots(None, since):
        if slot.scheduled_at >= end:
            break
        found.append((period, slot))
    return found


def test_what_comes_after_a_slot_does_not_depend_on_where_one_begins_to_look(agreement: Agreement) -> None:
    line = timeline(agreement)
    whole = [s for _, s in _until(line, NOVEMBER - 5 * HOUR, NOVEMBER + 5 * HOUR)]
    for known in whole[:20:3]:
        again = next(line.slots(known.scheduled_at, known.scheduled_at))[1]
        assert again == whole[whole.index(known) + 1]
    assert line.strata(whole[0].scheduled_at, whole[-1].scheduled_at) == len(whole) - 1


def test_a_probe_asks_only_while_its_agreement_is_in_force(agreement: Agreement) -> None:
    short = agreement.model_copy(update={"expires": date(2026, 10, 2)})
    found = [s.scheduled_at for _, s in timeline(short).slots(None, OCTOBER - 1)]
    assert len(found) == 2 * 24 * 12
    early = next(timeline(agreement).slots(None, OCTOBER - 500 * DAY))[1].scheduled_at
    assert early > next(own_periods(agreement, 0)).start == OCTOBER - 61 * DAY


# ── log ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def said(*, form: Any = "logfmt", level: Any = "info") -> tuple[EventLog, list[str]]:
    lines: list[str] = []
    return EventLog(lines.append, JumpingClock(OCTOBER), form=form, level=level), lines


def test_a_line_is_logfmt_with_time_level_and_event_first() -> None:
    log, lines = said()
    log.info("asked", outcome="ok", status=200, grade=None, words='two "words"', empty="", flag=True)
    assert lines == [
        'ts=2026-09-30T22:00:00.000Z level=info event=asked outcome=ok status=200 words="two \\"words\\"" empty="" flag=true'
    ]


def test_json_lines_hold_the_same() -> None:
    log, lines = said(form="json")
    log.error("failed", problem="a\nb", n=3)
    expected = {"ts": "2026-09-30T22:00:00.000Z", "level": "error", "event": "failed", "problem": "a\nb", "n": 3}
    assert json.loads(lines[0]) == expected


def test_what_is_below_the_level_is_not_said() -> None:
    log, lines = said()
    log.debug("asked")
    assert lines == []
    log, lines = said(level="debug")
    log.debug("asked")
    assert len(lines) == 1


def test_what_is_said_once_is_said_once() -> None:
    log, lines = said()
    for _ in range(3):
        log.once("k", "vendor_held_at_fault")
    assert len(lines) == 1


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_no_secret_passes_whatever_field_it_stands_in(form: str) -> None:
    log, lines = said(form=form)
    log.hide(("hunter-secret-42",))
    log.warning("asked", code="hunter-secret-42", problem=ConfigError("mail bob@example.com"), path=Path("/x/hunter-secret-42"))
    assert "hunter-secret-42" not in lines[0]
    assert "bob@" not in lines[0]
    log.hide(("other-secret-43",))
    log.info("x", a="hunter-secret-42 other-secret-43")
    assert "secret-4" not in lines[1]


@given(st.text(max_size=300))
@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_vendor_text_never_makes_a_second_line_or_a_control_character(form: str, text: str) -> None:
    log, lines = said(form=form)
    log.info("asked", code=text)
    assert len(lines) == 1
    assert lines[0].isprintable()


# ── waits ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_wait_ends_at_its_moment_or_with_the_stop() -> None:
    clock = JumpingClock(OCTOBER)

    async def main() -> None:
        stop = asyncio.Event()
        assert await until(clock, OCTOBER + HOUR, stop)
        assert clock.now == OCTOBER + HOUR
        waiting = asyncio.create_task(until(clock, OCTOBER + 9 * HOUR, stop))
        await clock.sleep_until(OCTOBER + 2 * HOUR)
        stop.set()
        assert not await waiting
        assert clock.now == OCTOBER + 2 * HOUR
        assert not await until(clock, OCTOBER, stop)

    simulate(clock, main())


def reply(status: int | None, text: str | None) -> Reply:
    headers = {} if text is None else {"retry-after": text}
    exchange = Exchange(started=Instant(0, 0, "t"), ended_ns=1, status=status, headers=headers)
    return Reply(exchange=exchange, facts=RawFacts(status=status))


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "20", 20),
        (429, " 20 ", 20),
        (429, "999999999", 3600),
        (429, "9" * 5000, 3600),
        (429, "00000000000020", 20),
        (429, "Wed, 30 Sep 2026 22:01:30 GMT", 90),
        (429, "Wed, 30 Sep 2036 22:01:30 GMT", 3600),
        (503, "20", None),
        (429, None, None),
        (429, "-20", None),
        (429, "2.5", None),
        (429, "٣", None),
        (429, "soon\x00" * 1000, None),
    ],
)
def test_a_vendor_says_how_long_to_wait_within_an_hour(status: int, text: str | None, seconds: int | None) -> None:
    expected = 0 if seconds is None else OCTOBER + seconds * NS
    assert held_until(reply(status, text), OCTOBER) == expected


# ── overhead ────────────────────────────────────────────────────────────────────────────────────────────────────────
class RealClock:
    """Monotonic time, for what must really be measured."""

    def read(self) -> Instant:
        loop = asyncio.get_running_loop()
        return Instant(OCTOBER, round(loop.time() * NS), "t")

    async def sleep_until(self, wall_ns: int) -> None:
        await asyncio.sleep(0)


def test_our_own_part_is_measured_through_the_same_transport_and_no_key_is_sent() -> None:
    made: list[str] = []

    def way(address: str) -> HttpTransport:
        made.append(address)
        return HttpTransport(RealClock(), AddressPolicy.of(address), timeout_ms=1000)

    request = Request(url="https://api.acme.example/v1/chat", headers=(("Authorization", "Bearer k"),), body=b"x" * 2000)
    found = asyncio.run(measure(request, way, "/chat", calls=20))
    assert found is not None
    assert found.n == 20
    assert 0 < found.p50 <= found.p95 < NS
    assert made[0].startswith("http://127.0.0.1:")


def test_a_limit_of_which_two_percent_are_ours_is_too_small_to_measure() -> None:
    found = Overhead.of([10 * NS_PER_MS] * 19 + [50 * NS_PER_MS])
    assert (found.p50, found.p95) == (10 * NS_PER_MS, 10 * NS_PER_MS)
    assert not found.is_too_much(500)
    assert found.is_too_much(499)
    assert Overhead.of([7]).seconds() == {"p50": 7e-9, "p95": 7e-9}


def test_the_limits_of_an_agreement_are_those_of_its_latencies_steps_included(repo: Path) -> None:
    examples = repo / "sla_specs" / "examples"
    assert latency_limits(load(examples / "acme-assistant.yaml").agreement) == ()
    assert latency_limits(load(examples / "llmperf-70b.yaml").agreement)


# ── counts ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@given(st.lists(st.integers(0, 10**11), max_size=50))
def test_a_histogram_counts_every_time_where_it_belongs(times: list[int]) -> None:
    distribution = Distribution([2000, 100, 100, 500])
    for time in times:
        distribution.add(time)
    distribution.add(None)
    found = distribution.histogram()
    assert found.bounds == (0.1, 0.5, 2.0)
    edges = [0, 100 * NS_PER_MS, 500 * NS_PER_MS, 2000 * NS_PER_MS, 10**12]
    expected = [sum(low < t <= high or (low == 0 == t) for t in times) for low, high in pairwise(edges)]
    assert list(found.counts) == expected
    assert found.n == len(times)
    assert found.total == sum(times) / NS


def test_a_verdict_is_told_when_it_changes_and_a_failure_once(world_standing: Callable[[str], Any]) -> None:
    log, lines = said()
    verdicts = Verdicts(log)
    verdicts.tell([world_standing("COMPLIANT")], {})
    verdicts.tell([world_standing("COMPLIANT")], {})
    assert lines == []
    verdicts.tell([world_standing("BREACH")], {"other": "other: cannot"})
    verdicts.tell([world_standing("BREACH")], {"other": "other: cannot"})
    assert len(lines) == 2
    assert "verdict=BREACH was=COMPLIANT" in lines[0]
    assert "event=not_judged agreement=other" in lines[1]


@pytest.fixture
def world_standing(agreement: Agreement) -> Callable[[str], Any]:
    period = resolve(agreement, "2026-10")
    with ColumnStore() as store:
        evaluation = judge(store, agreement, period, NOVEMBER + DAY, spec_sha256="0" * 64).evaluation
    first = evaluation.objectives[0]

    def standing(verdict: str) -> Standing:
        changed = evaluation.model_copy(
            update={"objectives": (first.model_copy(update={"verdict": Verdict(verdict)}), *evaluation.objectives[1:])}
        )
        return replace(Standing(agreement, period, Which.CLOSED, evaluation), evaluation=changed)

    return standing
