"""What another process writes of traffic: judged at the next look, counted in the metrics, missed when it stops."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from slaguard.agent.keeper import Keeper
from slaguard.cli.board import find_exporter
from slaguard.evaluation.result import ObjectiveResult
from slaguard.evaluation.snapshot import Snapshot, Telemetry, TrafficTelemetry, Which
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.records import MINUTE
from slaguard.server.condition import status, troubles
from slaguard.terms import Reason, Source, Verdict
from tests.agent.simulation import JumpingClock, simulate
from tests.agent.world import OCTOBER, World, script, world
from tests.cli.watched import Now
from tests.e2e.traffic import DAY, contract, probes, sidecar, write

REPO = Path(__file__).resolve().parent.parent.parent


class Beside:
    """A recorder in a process of its own."""

    def __init__(self, folder: Path, instance: str = "sidecar", start: int = DAY) -> None:
        command = [sys.executable, "-m", "tests.agent.beside", str(folder), instance, str(start)]
        self._process = subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._expect("ready")

    def _expect(self, word: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == word

    def write(self, first: int, last: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{first} {last}\n")
        self._process.stdin.flush()
        self._expect("done")

    def end(self, *, kill: bool = False) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if kill:
            self._process.kill()
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


@contextmanager
def beside(folder: Path, **options: Any) -> Iterator[Beside]:
    one = Beside(folder, **options)
    try:
        yield one
    finally:
        one.end()


def row(keeper: Keeper, minute: int) -> ObjectiveResult:
    """Return the open day's error rate, judged so many minutes after it began and a little."""
    standings = keeper.judge(DAY + minute * MINUTE + 5 * 10**9)
    (standing,) = [s for s in standings if s.which is Which.CURRENT]
    return next(o for o in standing.evaluation.objectives if o.name == "errors")


# ── a live writer of another process ────────────────────────────────────────────────────────────────────────────────
def test_what_a_sidecar_in_another_process_writes_is_judged_at_the_next_look(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with RowLog.open(ledger, clock=Now()), beside(ledger / "sidecar") as recorder:
        keeper = Keeper([contract(tmp_path)], ledger)
        assert row(keeper, 0).estimate.n == 0
        recorder.write(0, 60)
        first = row(keeper, 60)
        assert (first.source, first.estimate.n, first.reason) == (Source.TRAFFIC, 240, Reason.WITHIN_TO_DATE)
        recorder.write(60, 61)
        assert row(keeper, 61).estimate.n == 244
        assert keeper.traffic.seen == (TrafficTelemetry(vendor="Acme AI", last_at=DAY + 61 * MINUTE),)


def test_a_sidecar_that_is_killed_is_missed_and_one_in_its_place_is_taken_up(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    keeper = Keeper([contract(tmp_path)], ledger)
    with RowLog.open(ledger, clock=Now()):
        recorder = Beside(ledger / "sidecar")
        recorder.write(0, 60)
        recorder.end(kill=True)
        left = row(keeper, 80)
        assert left.coverage < Fraction(3, 4) + Fraction(1, 100)
        assert (left.verdict, left.reason) == (Verdict.INSUFFICIENT, Reason.LOW_COVERAGE)
        shown = Snapshot(DAY, (), Telemetry(traffic=keeper.traffic.seen))
        [told] = troubles(shown, None, DAY + 80 * MINUTE)
        assert told.startswith("Traffic of Acme AI was last seen at 23:00 UTC")
        assert status(shown, 1, DAY + 80 * MINUTE).endswith("traffic seen until 23:00 UTC")
        with beside(ledger / "sidecar", instance="again") as another:
            another.write(80, 100)
            again = row(keeper, 100)
            assert again.estimate.n == 320
            assert Fraction(79, 100) < again.coverage < Fraction(4, 5)
            assert keeper.traffic.seen[0].last_at == DAY + 100 * MINUTE


@pytest.mark.parametrize("order", ["agent first", "sidecar first"])
@pytest.mark.parametrize("last", ["agent last", "sidecar last"])
def test_agent_and_sidecar_come_and_go_in_any_order_on_one_ledger(tmp_path: Path, order: str, last: str) -> None:
    ledger = tmp_path / "ledger"
    keeper = Keeper([contract(tmp_path)], ledger)
    agent = RowLog.open(ledger, clock=Now()) if order == "agent first" else None
    recorder = Beside(ledger / "sidecar")
    recorder.write(0, 30)
    assert row(keeper, 30).estimate.n == 120
    agent = agent or RowLog.open(ledger, clock=Now())
    agent.append(list(probes()))
    recorder.write(30, 60)
    seal_all(agent)
    assert row(keeper, 60).estimate.n == 240
    for end in (agent.close, recorder.end) if last == "sidecar last" else (recorder.end, agent.close):
        end()
        assert row(keeper, 61).estimate.n == 240
    with RowLog.open(ledger, clock=Now()), beside(ledger / "sidecar", instance="again") as another:
        another.write(60, 90)
        assert row(keeper, 90).estimate.n == 360


def test_a_sidecar_alone_is_judged_without_any_agent(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    with beside(ledger / "sidecar") as recorder:
        recorder.write(0, 60)
        assert row(Keeper([contract(tmp_path)], ledger, partials=False), 60).estimate.n == 240


def test_segments_that_come_from_another_host_are_taken_up_as_they_come(tmp_path: Path) -> None:
    ledger, there = tmp_path / "ledger", tmp_path / "there"
    keeper = Keeper([contract(tmp_path)], ledger)
    write(ledger, [])
    (ledger / "host-b" / "segments").mkdir(parents=True)
    with RowLog.open(there, clock=Now()) as log:
        for first, last in ((0, 30), (30, 60)):
            log.append(list(sidecar(range(first, last), instance=f"host-b-{first}")))
            seal_all(log)
            for kind in (".parquet", ".json"):  # manifests last
                for path in (there / "segments").glob(f"*{kind}"):
                    (ledger / "host-b" / "segments" / path.name).write_bytes(path.read_bytes())
            assert row(keeper, last).estimate.n == 4 * last
            assert keeper.traffic.seen[0].copied


# ── metrics ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_calls_are_counted_from_the_first_look_on_by_configured_model_and_never_fall(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    keeper = Keeper([contract(tmp_path)], ledger)
    write(ledger / "sidecar", sidecar(range(30)))
    row(keeper, 30)
    assert keeper.traffic.calls == {}, "calls from before the process are no part of its counters"
    write(ledger / "sidecar", sidecar(range(31, 41), instance="later", down=lambda minute: minute == 40))
    key = ("Acme AI", "other", "traffic", "ok")
    row(keeper, 41)
    assert keeper.traffic.calls == {key: 36, (*key[:3], "error_5xx"): 4}
    row(keeper, 35)
    assert keeper.traffic.calls[key] == 36


def test_a_vendor_whose_traffic_no_agreement_names_is_not_looked_at(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    keeper = Keeper([contract(tmp_path, "[probe]")], ledger)
    write(ledger / "sidecar", sidecar(range(30)))
    row(keeper, 30)
    assert keeper.traffic.seen == ()


def test_traffic_that_ended_a_week_ago_is_no_longer_missed(tmp_path: Path) -> None:
    keeper = Keeper([contract(tmp_path)], write(tmp_path / "sidecar", sidecar(range(30))))
    row(keeper, 31)
    assert len(keeper.traffic.seen) == 1
    row(keeper, 8 * 1440)
    assert keeper.traffic.seen == ()


def test_the_agent_shows_traffic_beside_its_own_probes(tmp_path: Path) -> None:
    clock = JumpingClock(OCTOBER)

    async def live() -> World:
        settings = {"every": "5m", "evaluate_every": "5m"}
        async with world(tmp_path, script(), clock=clock, settings=settings) as found, found.agent():
            await clock.sleep_until(OCTOBER + 30 * MINUTE)
            write(found.ledger / "sidecar", sidecar(range(1, 31), start=OCTOBER))
            await clock.sleep_until(OCTOBER + 36 * MINUTE)
            return found

    shown = simulate(clock, live()).snapshots[-1]
    assert {(k[2], k[3]) for k in shown.telemetry.observations} == {("probe", "ok"), ("traffic", "ok")}
    assert sum(n for k, n in shown.telemetry.observations.items() if k[2] == "traffic") == 120
    page = find_exporter().export(shown).answer("", "")[0].decode()
    line = next(line for line in page.splitlines() if line.startswith("slaguard_observations_total") and "traffic" in line)
    assert line == 'slaguard_observations_total{model="acme-large",outcome="ok",source="traffic",vendor="Acme AI"} 120.0'
    assert [one.last_at for one in shown.telemetry.traffic] == [OCTOBER + 31 * MINUTE]
    uptime = next(o for s in shown.of(Which.CURRENT) for o in s.evaluation.objectives if o.name == "uptime")
    assert [(s.source, s.used) for s in uptime.sources] == [(Source.TRAFFIC, False), (Source.PROBE, True)]
