"""`slaguard run` as a process: it starts or says why not, answers, takes signals, and ends with nothing lost."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from slaguard.cli import run as slaguard
from slaguard.ledger.rowlog import RowLog
from slaguard.providers.simulated import Latency, Script, Segment, SimulatedVendor, read_questions
from tests.agent.simulation import JumpingClock
from tests.agent.world import Books

KEY = "canary-0123456789abcdef"
CONFIG = """\
server: {{listen: 127.0.0.1:{port}}}
ledger: {{path: ledger}}
agreements: [acme.yaml]
evaluate_every: 1s
vendors:
  Acme AI: {{adapter: openai, base_url: "{base_url}", key: env:ACME_API_KEY}}
probes:
  - {{agreement: acme-chat, model: acme-large, every: {every}}}
"""
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def vendor() -> Iterator[SimulatedVendor]:
    """A vendor in real time, in a thread of its own."""
    fast = Latency(first_byte_ms=20.0, generation_ms=30.0)
    segment = Segment(start_ns=0, revision="r1", fingerprint="fp_1", other_accuracy=1.0, latency=fast)
    questions = read_questions((files("sla_specs") / "golden" / "claims-qa@4.jsonl").read_text("utf-8").splitlines())
    simulated = SimulatedVendor(
        Script(segments=(segment,)), 7, questions, now_ns=time.time_ns, delay=asyncio.sleep, api_key=KEY
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(simulated.__aenter__(), loop).result(10)
        yield simulated
        asyncio.run_coroutine_threadsafe(simulated.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


class Process:
    """A running `slaguard run`, and what it says."""

    def __init__(self, folder: Path, *options: str) -> None:
        command = [sys.executable, "-m", "slaguard", "run", "--config", "slaguard.yaml", *options]
        environment = {**os.environ, "ACME_API_KEY": KEY, "PYTHONUNBUFFERED": "1"}
        self.errors = (folder / "stderr.txt").open("a+", encoding="utf-8")
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        assert self.process.stdout is not None
        page = self.process.stdout.readline()
        self.url = page.split()[1].rstrip("/") if page else ""

    def said(self) -> str:
        self.errors.flush()
        return Path(self.errors.name).read_text("utf-8")

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        request = urllib.request.Request(self.url + path, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def until(self, what: Any, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, self.said()
            time.sleep(0.05)

    def metric(self, name: str) -> float:
        lines = [line for line in self.get("/metrics")[1].splitlines() if line.startswith(name)]
        return float(lines[0].rpartition(" ")[2]) if lines else -1.0

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Process]:
    started = Process(folder, *options)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.wait()
        assert started.process.stdout is not None
        started.process.stdout.close()
        started.errors.close()


@pytest.fixture
def folder(tmp_path: Path, repo: Path) -> Path:
    (tmp_path / "acme.yaml").write_text((repo / "sla_specs" / "examples" / "acme-chat.yaml").read_text())
    return tmp_path


def configure(folder: Path, vendor: SimulatedVendor, *, port: int | None = None, every: str = "1s", more: str = "") -> None:
    text = CONFIG.format(port=port or free_port(), base_url=vendor.base_url, every=every)
    (folder / "slaguard.yaml").write_text(text + more)


# ── a life ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_it_probes_answers_survives_a_bad_reload_and_ends_with_nothing_lost(folder: Path, vendor: SimulatedVendor) -> None:
    configure(folder, vendor)
    good = (folder / "slaguard.yaml").read_text()
    with running(folder) as agent:
        agent.until(lambda: agent.metric("slaguard_probe_requests_total") >= 3)
        assert agent.get("/-/healthy")[0] == agent.get("/-/ready")[0] == agent.get("/")[0] == 200
        assert agent.metric("slaguard_config_last_reload_successful") == 1
        assert agent.metric('slaguard_probe_overhead_seconds{probe="acme-chat/acme-large",stat="p95"}') > 0

        (folder / "slaguard.yaml").write_text(good + "nonsense: 1\n")
        agent.process.send_signal(signal.SIGHUP)
        agent.until(lambda: agent.metric("slaguard_config_last_reload_successful") == 0)
        status, said = agent.get("/-/reload", "POST")
        assert status >= 400
        assert "nonsense" in said
        before = agent.metric("slaguard_probe_requests_total")
        agent.until(lambda: agent.metric("slaguard_probe_requests_total") > before)

        (folder / "slaguard.yaml").write_text(good)
        assert agent.get("/-/reload", "POST")[0] == 200
        assert agent.metric("slaguard_config_last_reload_successful") == 1

        began = time.monotonic()
        assert agent.end() == 0
        assert time.monotonic() - began < 10
        said = agent.said()
    assert "event=start" in said
    assert "event=reload_refused" in said
    assert said.rstrip().splitlines()[-1].endswith("event=stop")
    assert KEY not in said
    assert all(KEY.encode() not in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    books = Books.of(folder / "ledger")
    books.balance(max(o.scheduled_at or 0 for o in books.observations))
    assert {o.outcome.value for o in books.observations} == {"ok"}
    assert books.missed == [] or {m.reason for m in books.missed} <= {"own_down", "overload"}
    assert list((folder / "ledger" / "segments").glob("*.parquet")), "it was sealed"
    with RowLog.open(folder / "ledger", clock=JumpingClock(time.time_ns())):
        pass  # whole, and nobody's


@pytest.mark.faults
def test_killed_and_started_again_it_goes_on_where_it_was(folder: Path, vendor: SimulatedVendor) -> None:
    configure(folder, vendor)
    for _ in range(3):
        with running(folder) as agent:
            agent.until(lambda: agent.metric("slaguard_probe_requests_total") >= 3)
            agent.process.kill()
            agent.process.wait()
    with running(folder) as agent:
        agent.until(lambda: agent.metric("slaguard_probe_requests_total") >= 2)
        assert agent.end() == 0
    books = Books.of(folder / "ledger")
    books.balance(max(o.scheduled_at or 0 for o in books.observations))
    assert ("lost", "crash") in books.reasons
    assert len(books.observations) >= 11
    assert (folder / "ledger" / "agent.secret").stat().st_mode & 0o777 == 0o600


def test_a_second_signal_ends_at_once(folder: Path, vendor: SimulatedVendor) -> None:
    silent = socket.create_server(("127.0.0.1", 0))  # takes a call and never answers
    with silent:
        configure(folder, vendor)
        text = (folder / "slaguard.yaml").read_text()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        (folder / "slaguard.yaml").write_text(text.replace(vendor.base_url, address))
        with running(folder, "--log-format", "json") as agent:
            silent.settimeout(30)
            call, _ = silent.accept()
            with call:
                agent.process.send_signal(signal.SIGTERM)
                time.sleep(0.5)
                assert agent.process.poll() is None, "it waits for the call"
                began = time.monotonic()
                assert agent.end() == 130
                assert time.monotonic() - began < 2
            lines = [json.loads(line) for line in agent.said().splitlines()]
    assert [line["event"] for line in lines if line["level"] == "warning"][-1] == "ended_at_once"
    assert all({"ts", "level", "event"} <= line.keys() for line in lines)


# ── it does not start ───────────────────────────────────────────────────────────────────────────────────────────────
def refused(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *, key: str | None = KEY) -> str:
    monkeypatch.chdir(folder)
    if key is None:
        monkeypatch.delenv("ACME_API_KEY", raising=False)
    else:
        monkeypatch.setenv("ACME_API_KEY", key)
    assert slaguard(["run", "--config", "slaguard.yaml"]) == 2
    told = capsys.readouterr()
    assert not told.out
    assert "Traceback" not in told.err
    assert not (folder / "ledger" / "segments").exists()
    return told.err


def test_a_port_that_is_taken_is_one_clear_error(
    folder: Path, vendor: SimulatedVendor, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        configure(folder, vendor, port=taken.getsockname()[1])
        assert "another process listens there" in refused(folder, monkeypatch, capsys)
    assert Books.of(folder / "ledger").planned == []


def test_a_ledger_that_is_locked_names_who_holds_it(
    folder: Path, vendor: SimulatedVendor, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    configure(folder, vendor)
    with RowLog.open(folder / "ledger", clock=JumpingClock(1)):
        said = refused(folder, monkeypatch, capsys)
    assert f"process {os.getpid()}" in said


def test_a_missing_key_is_named_and_nothing_is_made(
    folder: Path, vendor: SimulatedVendor, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    configure(folder, vendor)
    assert "ACME_API_KEY is not set" in refused(folder, monkeypatch, capsys, key=None)
    assert not (folder / "ledger").exists()


def test_a_vendor_that_no_agreement_names_is_refused(
    folder: Path, vendor: SimulatedVendor, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    configure(folder, vendor)
    text = (folder / "slaguard.yaml").read_text()
    (folder / "slaguard.yaml").write_text(text.replace("Acme AI:", "Acme:"))
    assert "the Agreement's vendor is 'Acme AI', and there is 'Acme'" in refused(folder, monkeypatch, capsys)


def test_a_probe_without_its_agreement_is_refused(
    folder: Path, vendor: SimulatedVendor, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    configure(folder, vendor, more="  - {agreement: acme-chatt, model: m, every: 5m}\n")
    said = refused(folder, monkeypatch, capsys)
    assert "acme-chatt (m) is for no Agreement of `agreements`; there is acme-chat" in said
    assert not (folder / "ledger").exists()


def test_a_secret_that_others_may_read_is_refused(
    folder: Path, vendor: SimulatedVendor, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    configure(folder, vendor)
    (folder / "ledger").mkdir()
    (folder / "ledger" / "agent.secret").write_text("ab" * 32)
    (folder / "ledger" / "agent.secret").chmod(0o644)
    assert "chmod 600" in refused(folder, monkeypatch, capsys)
