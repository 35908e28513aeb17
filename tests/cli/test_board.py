"""The live board: the current results at once, any other period when asked, one heavy thing at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from slaguard.agent.keeper import Keeper
from slaguard.cli import archive, run
from slaguard.cli.archive import Held
from slaguard.cli.board import LiveBoard, deploy, find_exporter
from slaguard.errors import ConfigError, LedgerError, SpecError
from slaguard.evaluation.snapshot import Snapshot
from slaguard.records import Incident
from slaguard.server.board import Board
from slaguard.terms import Verdict
from tests.cli.watched import Now, at, calls, contract, maintenance, october, write


class Exposed:
    """Metrics of one Snapshot, told by how many Standings it has."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.body = f"standings {len(snapshot.standings)}\n".encode()

    def answer(self, accept: str, accept_encoding: str) -> tuple[bytes, str, str | None]:
        return self.body, f"text/plain; asked={accept}", accept_encoding or None


class Exporter:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.times = 0

    def export(self, snapshot: Snapshot) -> Exposed:
        self.times += 1
        return Exposed(snapshot)


class World:
    """A board over a ledger, with its clock and its exporter."""

    def __init__(self, folder: Path, agreements: Sequence[Held]) -> None:
        self.ledger, self.clock, self.exporter = folder / "ledger", Now(), Exporter()
        self.keeper = Keeper(agreements, self.ledger)
        self.board = LiveBoard(
            agreements=agreements, ledger=self.ledger, exporter=self.exporter, clock=self.clock, reload=self.reload
        )

    async def reload(self) -> str | None:
        return "no reason"

    def publish(self) -> None:
        now = self.clock.wall_ns
        self.board.publish(Snapshot(now, self.keeper.judge(now)))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path, [contract(tmp_path), contract(tmp_path, "other", vendor="Other AI")])
    write(found.ledger, [*october(), *october((), vendor="Other AI"), *calls("2026-10-31T23:00:00Z", 100)])
    yield found
    found.board.close()


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The periods that the archive judged, one by one."""
    seen: list[str] = []
    judge = archive.judge  # type: ignore[attr-defined]

    def counting(store: Any, agreement: Any, period: Any, as_of: int, **rest: Any) -> Any:
        seen.append(f"{agreement.name} {period.label}")
        return judge(store, agreement, period, as_of, **rest)

    monkeypatch.setattr(archive, "judge", counting)
    return seen


# ── what was published ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_live_board_is_a_board(world: World) -> None:
    board: Board = world.board
    assert [loaded.agreement.name for loaded in board.agreements()] == ["acme", "other"]


def test_before_the_first_results_a_board_says_that_it_is_not_ready_and_why(world: World) -> None:
    assert world.board.not_ready() == "nothing has been judged yet"
    assert world.board.snapshot().standings == ()
    world.board.cannot("the ledger cannot be read")
    assert world.board.not_ready() == "the ledger cannot be read"
    world.publish()
    assert world.board.not_ready() is None
    world.board.cannot("the ledger cannot be read")
    assert world.board.not_ready() == "the ledger cannot be read"
    assert len(world.board.snapshot().standings) == 4, "what was judged before is still there to see"
    world.publish()
    assert world.board.not_ready() is None


def test_a_snapshot_that_could_not_be_judged_anew_is_shown_and_is_not_ready(world: World) -> None:
    now = world.clock.wall_ns
    world.board.publish(Snapshot(now, world.keeper.judge(now), trouble="E-DISK-FULL"))
    assert world.board.not_ready() == "E-DISK-FULL"
    assert len(world.board.snapshot().standings) == 4


def test_metrics_are_rendered_once_for_each_publication_and_answered_in_the_form_asked_for(world: World) -> None:
    assert world.board.metrics("a", "").body == b"standings 0\n"
    world.publish()
    rendered = world.exporter.times
    found = [world.board.metrics("application/openmetrics-text", "gzip") for _ in range(5)][-1]
    assert (found.body, found.content_type, found.content_encoding) == (
        b"standings 4\n", "text/plain; asked=application/openmetrics-text", "gzip",
    )  # fmt: skip
    assert world.exporter.times == rendered


def test_the_installed_prometheus_exporter_is_found_by_its_name() -> None:
    assert callable(find_exporter().export)
    with pytest.raises(ConfigError, match="no 'carrier-pigeon' is installed"):
        find_exporter("carrier-pigeon")


async def reloaded(world: World) -> str | None:
    return await world.board.reload()


def test_reloading_is_handed_on(world: World) -> None:
    assert asyncio.run(reloaded(world)) == "no reason"


# ── one period ──────────────────────────────────────────────────────────────────────────────────────────────────────
def evaluated(world: World, agreement: str = "acme", period: str | None = None, as_of: str | None = None) -> Any:
    return asyncio.run(world.board.evaluation(agreement, period, None if as_of is None else at(as_of)))


def test_without_a_period_it_is_the_last_closed_one(world: World) -> None:
    found = evaluated(world)
    assert (found.period.label, found.period.closed) == ("2026-10", True)
    assert evaluated(world, as_of="2026-10-05T00:00:00Z").period.label == "2026-09"


def test_an_evaluation_is_what_slaguard_evaluate_prints(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(world, period="2026-10", as_of="2026-11-05T12:00:00Z")
    arguments = ["--ledger", str(world.ledger), "--period", "2026-10", "--as-of", "2026-11-05T12:00:00Z", "--format", "json"]
    assert run(["evaluate", str(world.ledger.parent / "acme.yaml"), *arguments]) == 0
    assert capsys.readouterr().out == found.to_json()


def test_what_was_known_earlier_is_another_result(world: World) -> None:
    assert evaluated(world, period="2026-10").period.closed
    early = evaluated(world, period="2026-10", as_of="2026-10-02T00:00:00Z")
    assert not early.period.closed
    assert early.objectives[1].estimate.n < 40


@pytest.mark.parametrize(
    ("agreement", "period", "told"),
    [
        ("nobody", "2026-10", "there is no 'nobody'\n    there is acme, other"),
        ("acme", "October", "E-PERIOD"),
        ("acme", "2026-07", "in force from 2026-08-01"),
        ("\x1b[31m", None, r"'\x1b[31m'"),
    ],
)
def test_an_agreement_or_a_period_that_is_not_there_is_refused(world: World, agreement: str, period: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        evaluated(world, agreement, period)
    assert told in str(error.value)


def test_a_closed_period_is_judged_once_until_the_ledger_changes_or_a_day_passes(world: World, judged: list[str]) -> None:
    for _ in range(3):
        evaluated(world, period="2026-10")
    assert judged == ["acme 2026-10"]
    world.clock.set("2026-11-06T12:00:00Z")
    assert evaluated(world, period="2026-10").deadlines[0].days_left == 24
    write(world.ledger, [maintenance("2026-09-30T22:00:00Z", "2026-10-01T02:00:00Z", recorded="2026-11-06T11:00:00Z")])
    assert evaluated(world, period="2026-10").objectives[1].verdict is Verdict.COMPLIANT
    assert len(judged) == 3


def test_an_open_period_is_judged_again_when_a_minute_has_passed(world: World, judged: list[str]) -> None:
    evaluated(world, period="2026-11")
    evaluated(world, period="2026-11")
    world.clock.set("2026-11-05T12:01:00Z")
    evaluated(world, period="2026-11")
    assert len(judged) == 2


def test_what_is_remembered_is_bounded() -> None:
    kept: archive._Remembered[int] = archive._Remembered(3)
    for i in range(5):
        kept.put((i,), i)
        kept.get((2,))
    assert [kept.get((i,)) for i in range(5)] == [None, None, 2, 3, 4]


def test_a_damaged_ledger_is_told_and_the_board_goes_on(world: World) -> None:
    world.publish()
    rows = world.ledger / "rows.db"
    whole = rows.read_bytes()
    rows.write_bytes(b"x" * 100_000)
    with pytest.raises(LedgerError):
        evaluated(world)
    assert len(world.board.snapshot().standings) == 4
    rows.write_bytes(whole)
    assert evaluated(world).period.label == "2026-10"


# ── breaches ────────────────────────────────────────────────────────────────────────────────────────────────────────
def breaches(world: World, vendor: str | None = None, start: str = "2026-10-01", end: str = "2026-10-31") -> list[str]:
    found = asyncio.run(world.board.breaches(vendor, start, end))
    return [f"{r.agreement} {r.objective} {r.period}" for r in found]


def test_breaches_are_those_of_every_own_period_that_touches_the_days(world: World) -> None:
    assert breaches(world) == ["acme errors 2026-10"]
    assert breaches(world, "Acme AI", "2026-10-31", "2026-10-31") == ["acme errors 2026-10"]
    assert breaches(world, "Other AI") == []
    assert breaches(world, None, "2026-11-01", "2027-11-30") == []
    assert breaches(world, None, "1999-01-01", "2199-12-31") == ["acme errors 2026-10"]


def test_a_vendor_that_is_not_there_is_refused_with_those_that_are(world: World) -> None:
    with pytest.raises(ConfigError, match=r"there is no 'Nobody'\n.*'Acme AI', 'Other AI'"):
        breaches(world, "Nobody")


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("2026-10", "2026-10-31", "from: 2026-10: this is no day"),
        ("2026-10-01", "2026-02-30", "to: 2026-02-30: this is no day"),
        ("20261001", "2026-10-31", "from: 20261001"),
        ("2026-10-02", "2026-10-01", "it comes before 2026-10-02"),
    ],
)
def test_days_that_are_none_are_refused(world: World, start: str, end: str, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        breaches(world, None, start, end)
    assert told in str(error.value)


def test_more_than_36_periods_are_refused_and_36_are_not(tmp_path: Path) -> None:
    daily = World(tmp_path, [contract(tmp_path, period="day", terms="", priced="")])
    write(daily.ledger, calls("2026-09-30T22:00:00Z", 24, range(5)))
    assert breaches(daily, None, "2026-10-01", "2026-11-05") == ["acme uptime 2026-10-01", "acme errors 2026-10-01"]
    with pytest.raises(ConfigError, match="more than 36 periods"):
        breaches(daily, None, "2026-09-30", "2026-11-05")
    daily.board.close()


# ── documents, claims ───────────────────────────────────────────────────────────────────────────────────────────────
def test_documents_are_those_known_now(world: World) -> None:
    known = maintenance("2026-10-06T00:00:00Z", "2026-10-06T02:00:00Z", recorded="2026-10-01T00:00:00Z")
    later = maintenance("2026-10-07T00:00:00Z", "2026-10-07T02:00:00Z", recorded="2027-01-01T00:00:00Z", name="later")
    incident = Incident(id="i", start=at("2026-10-01T00:00:00Z"), severity="high", source="us", recorded_at=1)
    write(world.ledger, [known, later, incident])
    facts, incidents = asyncio.run(world.board.documents())
    assert ([f.id for f in facts], [i.id for i in incidents]) == (["m"], ["i"])


def test_documents_of_no_ledger_are_none(tmp_path: Path) -> None:
    world = World(tmp_path, [contract(tmp_path)])
    assert asyncio.run(world.board.documents()) == ((), ())
    world.board.close()


def claimed(world: World, period: str = "2026-10", agreement: str = "acme") -> str:
    return asyncio.run(world.board.claim_page(agreement, period))


def test_the_claim_page_is_the_one_that_slaguard_report_writes(world: World, tmp_path: Path) -> None:
    page = claimed(world)
    arguments = ["--ledger", str(world.ledger), "--period", "2026-10", "--as-of", "2026-11-05T12:00:00Z"]
    assert run(["report", str(tmp_path / "acme.yaml"), *arguments, "--out", str(tmp_path / "claim")]) == 0
    assert page == (tmp_path / "claim" / "claim.html").read_text(encoding="utf-8")
    assert claimed(world) is page


@pytest.mark.parametrize(
    ("period", "told"),
    [
        ("2026-10-05", "only a month of the Agreement makes a claim"),
        ("2026-12", "this period has not begun"),
        ("2026", "only a month"),
    ],
)
def test_a_claim_is_for_an_own_period_that_has_begun(world: World, period: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        claimed(world, period)


@pytest.mark.parametrize("edit", ["at_most: 2%", "at_most: lots"])
def test_an_agreement_whose_file_was_changed_makes_no_claim_until_it_is_loaded_again(
    world: World, tmp_path: Path, edit: str
) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(path.read_text().replace("at_most: 1%", edit))
    with pytest.raises(ConfigError, match="the file has changed since it was loaded"):
        claimed(world)


def test_other_agreements_come_into_force_at_once(world: World, tmp_path: Path) -> None:
    world.board.replace([contract(tmp_path, "third", vendor="Third AI")])
    assert [loaded.agreement.name for loaded in world.board.agreements()] == ["third"]
    with pytest.raises(ConfigError, match="there is third"):
        evaluated(world)


# ── one at a time ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_heavy_requests_run_one_after_the_other_and_hold_up_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, under_way, most = threading.Event(), [0], [0]
    judge = archive.judge  # type: ignore[attr-defined]

    def slow(*arguments: Any, **named: Any) -> Any:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        assert gate.wait(10)
        under_way[0] -= 1
        return judge(*arguments, **named)

    monkeypatch.setattr(archive, "judge", slow)

    async def many() -> int:
        tasks = [asyncio.create_task(world.board.evaluation(name, "2026-10", None)) for name in ("acme", "other", "acme")]
        await asyncio.sleep(0.05)
        tasks[1].cancel()  # who gives up takes nothing of the others' turn
        at_once = len(world.board.metrics("", "").body)
        gate.set()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
        return at_once

    assert asyncio.run(many()) > 0
    assert most == [1]


# ── what is deployed ────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_configuration_is_loaded_with_all_of_its_agreements(tmp_path: Path) -> None:
    contract(tmp_path)
    contract(tmp_path, "other")
    config = tmp_path / "slaguard.yaml"
    config.write_text("ledger: {path: ./ledger}\nagreements: [acme.yaml, other.yaml]\n")
    found = deploy(config)
    assert [loaded.agreement.name for _, loaded in found.agreements] == ["acme", "other"]
    assert found.ledger == tmp_path / "ledger"


def test_two_agreements_of_one_name_are_refused(tmp_path: Path) -> None:
    path, _ = contract(tmp_path)
    (tmp_path / "copy.yaml").write_text(path.read_text())
    config = tmp_path / "slaguard.yaml"
    config.write_text("ledger: {path: ./ledger}\nagreements: [acme.yaml, copy.yaml]\n")
    with pytest.raises(ConfigError, match="are both called acme"):
        deploy(config)


@pytest.mark.parametrize("agreements", ["", "agreements: [missing.yaml]\n"])
def test_a_configuration_without_agreements_that_can_be_judged_is_refused(tmp_path: Path, agreements: str) -> None:
    config = tmp_path / "slaguard.yaml"
    config.write_text(f"ledger: {{path: ./ledger}}\n{agreements}")
    with pytest.raises((ConfigError, SpecError)):
        deploy(config)
