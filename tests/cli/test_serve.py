"""`slaguard serve` as a process: it shows a ledger that others write, and is told what to do by signals."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from slaguard.agent.keeper import closed_period
from slaguard.agent.log import EventLog
from slaguard.cli import run
from slaguard.cli.board import find_exporter
from slaguard.cli.clock import SystemClock
from slaguard.cli.serve import Watching, deployed, say_where
from slaguard.evaluation.parts import rfc3339
from slaguard.ledger.rowlog import RowLog
from slaguard.records import Fact, Record
from slaguard.spec.load import load
from slaguard.spec.period import ResolvedPeriod
from tests.cli.watched import HOUR, Now, calls, contract, write

WAIT_S = 30
CONFIG = "server: {{listen: '127.0.0.1:{port}'}}\nledger: {{path: ./ledger}}\nagreements: [{agreements}]\nevaluate_every: 1s\n"


class Seen:
    """Something that serves: its log, and requests to it."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def alive(self) -> bool:
        raise NotImplementedError

    def events(self, name: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [event for event in found if event["event"] == name]

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something holds, and return it."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if found := holds():
                return found
            if not self.alive():
                break
            time.sleep(0.02)
        raise AssertionError("".join(self.lines))

    def get(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        at_ = urlsplit(self.until(lambda: self.events("listening"))[0]["url"])
        connection = http.client.HTTPConnection(at_.netloc, timeout=WAIT_S)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        status, body = self.get(path)
        assert status == 200, body
        return json.loads(body)

    def ready(self) -> None:
        self.until(lambda: self.get("/-/ready")[0] == 200)

    def metric(self, name: str) -> float | None:
        lines = self.get("/metrics")[1].decode().splitlines()
        return next((float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))), None)

    def breached(self) -> bool:
        standings = self.json("/api/v1/evaluations")["standings"]
        return any(o["verdict"] == "BREACH" for s in standings for o in s["evaluation"]["objectives"])


class Process(Seen):
    """A process, as a user starts it."""

    def __init__(self, config: Path, *more: str) -> None:
        super().__init__()
        command = [sys.executable, "-m", "slaguard", "serve", "--config", str(config), "--log-format", "json", *more]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self.lines.extend(self.process.stderr)

    def alive(self) -> bool:
        return self.process.poll() is None

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        assert self.process.stderr is not None
        self.process.stderr.close()
        return code


class Beside(Seen):
    """The same parts in a thread of this process."""

    def __init__(self, config: Path, ledger: Path | None = None) -> None:
        super().__init__()
        self._config, self._ledger = config, ledger
        self._told: list[Callable[[], object]] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()

    async def _run(self) -> None:
        stop, loop, clock = asyncio.Event(), asyncio.get_running_loop(), SystemClock()
        self._told.append(lambda: loop.call_soon_threadsafe(stop.set))
        log = EventLog(self.lines.append, clock, form="json")
        found = deployed(self._config, self._ledger)
        await Watching(self._config, self._ledger, found, clock=clock, log=log, exporter=find_exporter()).run(stop)

    def alive(self) -> bool:
        return self._thread.is_alive()

    def reload(self) -> int:
        return self.get("/-/reload", "POST")[0]

    def end(self) -> None:
        for tell in self._told:
            tell()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()


def configured(folder: Path, *names: str, port: int = 0) -> Path:
    for name in names:
        contract(folder, name, effective="2020-01-01")
    path = folder / "slaguard.yaml"
    path.write_text(CONFIG.format(port=port, agreements=", ".join(f"{name}.yaml" for name in names)))
    return path


def last_month(config: Path) -> ResolvedPeriod:
    """Return the period that has closed by this machine's clock: the process has no other."""
    found = closed_period(load(config.parent / "acme.yaml").agreement, time.time_ns())
    assert found is not None
    return found


def broken(period: ResolvedPeriod) -> list[Record]:
    """Return the calls of a period, of which ten failed."""
    return calls(rfc3339(period.start), (period.end - period.start) // HOUR, range(10))


@pytest.fixture
def serve() -> Iterator[Callable[..., Beside]]:
    started: list[Beside] = []

    def start(config: Path, ledger: Path | None = None) -> Beside:
        started.append(Beside(config, ledger))
        return started[-1]

    yield start
    for one in started:
        one.end()


def everything(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


# ── as a process ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_process_shows_a_ledger_touches_nothing_in_it_and_obeys_signals(tmp_path: Path) -> None:
    config = configured(tmp_path, "acme")
    period = last_month(config)
    ledger = write(tmp_path / "ledger", broken(period))
    before = everything(ledger)
    served = Process(config)
    try:
        served.ready()
        assert served.get("/")[0] == 200
        found = served.json(f"/api/v1/breaches?vendor=Acme%20AI&from={period.label}-01&to={period.label}-28")
        assert period.label in json.dumps(found)
        assert served.metric("slaguard_build_info") == 1
        assert served.get(f"/claims/acme/{period.label}")[0] == 200
        served.process.send_signal(signal.SIGHUP)
        served.until(lambda: served.events("reloaded"))
        assert everything(ledger) == before
    finally:
        code = served.end()
    assert code == 0


def test_a_port_that_is_taken_is_one_clear_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert run(["serve", "--config", str(configured(tmp_path, "acme", port=taken.getsockname()[1]))]) == 2
    told = capfd.readouterr().err
    assert "another process listens there" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("text", ["", "ledger: {path: ./ledger}\n", "ledger: {path: ./ledger}\nagreements: [none.yaml]\n"])
def test_a_configuration_that_cannot_be_used_ends_it_before_it_listens(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], text: str
) -> None:
    path = tmp_path / "slaguard.yaml"
    path.write_text(text)
    assert run(["serve", "--config", str(path)]) == 2
    told = capfd.readouterr().err
    assert str(tmp_path) in told
    assert "listening" not in told


# ── as its parts ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_what_another_process_writes_is_shown_without_being_asked(tmp_path: Path, serve: Callable[..., Beside]) -> None:
    config = configured(tmp_path, "acme")
    served = serve(config)
    served.ready()
    assert not (tmp_path / "ledger").exists()
    assert not served.breached()
    with RowLog.open(tmp_path / "ledger", clock=Now()) as log:
        log.append(broken(last_month(config)))
        served.until(served.breached)


def test_another_ledger_can_be_named(tmp_path: Path, serve: Callable[..., Beside]) -> None:
    invoice = Fact(id="INV-7", type="invoice", when=1_700_000_000_000_000_000, recorded_at=1_700_000_000_000_000_000)
    served = serve(configured(tmp_path, "acme"), write(tmp_path / "elsewhere", [invoice]))
    served.ready()
    assert "INV-7" in served.get("/api/v1/facts")[1].decode()


def test_a_good_configuration_is_taken_and_a_bad_one_leaves_the_old_one_in_force(
    tmp_path: Path, serve: Callable[..., Beside]
) -> None:
    write(tmp_path / "ledger", calls("2026-10-01T00:00:00Z", 24))
    config = configured(tmp_path, "acme")
    served = serve(config)
    served.ready()
    configured(tmp_path, "acme", "second")
    assert served.reload() == 200
    assert "second" in served.get("/api/v1/agreements")[1].decode()
    served.until(lambda: b'sla="second"' in served.get("/metrics")[1])
    assert served.metric("slaguard_config_last_reload_successful") == 1
    config.write_text("ledger: {path: ./ledger}\nagreements: [acme.yaml]\nnonsense: 1\n")
    assert served.reload() >= 400
    assert "nonsense" in served.events("reload_refused")[0]["reason"]
    served.until(lambda: served.metric("slaguard_config_last_reload_successful") == 0)
    assert "second" in served.get("/api/v1/agreements")[1].decode()


def test_what_only_a_restart_can_change_is_refused(tmp_path: Path, serve: Callable[..., Beside]) -> None:
    config = configured(tmp_path, "acme")
    served = serve(config)
    served.ready()
    config.write_text(config.read_text().replace("./ledger", "./other"))
    assert served.reload() >= 400
    assert "needs a restart" in served.events("reload_refused")[0]["reason"]


def test_a_damaged_ledger_is_told_once_and_shown_as_not_ready_until_it_is_mended(
    tmp_path: Path, serve: Callable[..., Beside]
) -> None:
    rows = write(tmp_path / "ledger", calls("2026-10-01T00:00:00Z", 24)) / "rows.db"
    whole = rows.read_bytes()
    rows.write_bytes(b"x" * len(whole))
    served = serve(configured(tmp_path, "acme"))
    served.until(lambda: served.events("cannot_judge"))
    status, body = served.get("/-/ready")
    assert status == 503
    assert "E-LOG-CORRUPT" in json.loads(body)["error"]["message"]
    time.sleep(2.5)  # two more rounds
    assert len(served.events("cannot_judge")) == 1
    rows.write_bytes(whole)
    served.ready()
    served.until(lambda: served.events("judging_again"))


def test_a_ledger_that_breaks_later_shows_above_the_old_figures_and_in_readiness_and_in_the_metrics(
    tmp_path: Path, serve: Callable[..., Beside]
) -> None:
    rows = write(tmp_path / "ledger", calls("2026-10-01T00:00:00Z", 24)) / "rows.db"
    served = serve(configured(tmp_path, "acme"))
    served.ready()
    rows.write_bytes(b"x" * rows.stat().st_size)
    served.until(lambda: served.get("/-/ready")[0] == 503)
    page = served.get("/")[1].decode()
    assert "cannot be judged again" in page
    assert "E-LOG-CORRUPT" in page
    judged = served.metric("slaguard_last_evaluation_timestamp_seconds")
    time.sleep(1.5)  # another round
    assert served.metric("slaguard_last_evaluation_timestamp_seconds") == judged


def test_a_ledger_that_is_not_there_is_told_on_the_page_and_once_in_the_log(
    tmp_path: Path, serve: Callable[..., Beside]
) -> None:
    served = serve(configured(tmp_path, "acme"))
    served.ready()
    assert "There is no ledger at" in served.get("/")[1].decode()
    time.sleep(2.5)  # two more rounds
    assert len(served.events("cannot_judge")) == 1
    write(tmp_path / "ledger", calls("2026-10-01T00:00:00Z", 24))
    served.until(lambda: "There is no ledger at" not in served.get("/")[1].decode())


def test_other_names_to_be_asked_under_need_a_restart(tmp_path: Path, serve: Callable[..., Beside]) -> None:
    config = configured(tmp_path, "acme")
    served = serve(config)
    served.ready()
    config.write_text(config.read_text().replace("server: {", "server: {hosts: [sla.example.com], "))
    assert served.reload() >= 400
    assert "server.hosts: sla.example.com instead of none" in served.events("reload_refused")[0]["reason"]


def test_it_says_on_standard_output_where_the_page_and_the_metrics_are(capsys: pytest.CaptureFixture[str]) -> None:
    lines: list[str] = []
    say_where("http://127.0.0.1:7464", EventLog(lines.append, SystemClock(), form="json"))
    assert capsys.readouterr().out == "page     http://127.0.0.1:7464/\nmetrics  http://127.0.0.1:7464/metrics\n"
    assert json.loads(lines[0])["event"] == "listening"
