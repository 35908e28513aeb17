"""`slaguard demo --serve`: the month stays there to look at, as of the demo's own moment, until it is told to end."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from slaguard.cli import run
from slaguard.cli.demo import SIMULATED
from slaguard.cli.demo_serve import probe_telemetry
from slaguard.records import NS, Observation, ProbeMissed
from slaguard.spec.load import load
from slaguard.terms import Attribution, Outcome, Source

PROBES = 600


@dataclass
class Served:
    """A demo that is being served, and what its process has printed so far."""

    process: subprocess.Popen[str]
    url: str
    printed: str

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return str(answer.read().decode())

    def sums(self) -> dict[str, float]:
        """Return the sum of each family's samples, by sample name."""
        found: dict[str, float] = {}
        for family in text_string_to_metric_families(self.get("/metrics")):
            for sample in family.samples:
                found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    out = tmp_path_factory.mktemp("demo") / "out"
    command = [sys.executable, "-u", "-m", "slaguard", "demo", "--out", str(out), "--probes", str(PROBES)]
    with subprocess.Popen(
        [*command, "--serve", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            lines: list[str] = []
            while not (lines and "Ctrl-C ends it" in lines[-1]):
                line = process.stdout.readline()
                assert line, "".join(lines)
                lines.append(line)
            printed = "".join(lines)
            found = re.search(r"the page +(http://127\.0\.0\.1:\d+)/", printed)
            assert found, printed
            yield Served(process, found[1], printed)
        finally:
            process.kill()


def test_it_prints_where_the_page_and_the_metrics_are_and_as_of_when(served: Served) -> None:
    assert f"{served.url}/metrics" in served.printed
    assert "as of          2026-11-02T09:00:00Z" in served.printed
    assert served.printed.index("read it") < served.printed.index("the page")


def test_the_page_shows_the_demos_promises(served: Served) -> None:
    page = served.get("/").casefold()
    for promise in ("acme-assistant", "uptime", "accuracy", "hallucination"):
        assert promise in page


def test_the_metrics_hold_the_verdicts_and_what_the_probes_did(served: Served) -> None:
    sums = served.sums()
    assert sums["slaguard_objective_verdict"] == 6.0  # three promises, in the open period and in the closed one
    assert sums["slaguard_probe_requests_total"] == sums["slaguard_observations_total"] == PROBES
    answered = sums["slaguard_probe_duration_seconds_count"]
    assert answered + sums["slaguard_probe_failures_total"] == PROBES


def test_the_claim_page_of_the_demos_month_is_there(served: Served) -> None:
    assert "C-2031" in served.get("/claims/acme-assistant/2026-10")


def test_the_page_and_the_claim_page_say_that_the_vendor_is_simulated(served: Served) -> None:
    assert SIMULATED in served.get("/")
    assert "simulated" in served.get("/claims/acme-assistant/2026-10")


def test_a_month_that_is_over_has_no_probe_that_is_late_and_no_rows_of_the_month_nobody_watched(served: Served) -> None:
    page = served.get("/")
    assert "brought no result" not in page
    assert "none is asked any more" in page
    assert "November 2026: nothing that counts is recorded, and no probe asks." in page
    assert "slaguard_probe_interval_seconds{" not in served.get("/metrics")


def test_told_to_end_it_ends_with_0(served: Served) -> None:
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(20) == 0


def test_an_address_that_is_none_is_refused_before_the_month_begins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--out", str(tmp_path / "out"), "--serve", "--listen", "somewhere"]) == 2
    assert "--listen somewhere: write an address, a colon and a port" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_port_that_is_taken_is_one_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = [sys.executable, "-m", "slaguard", "demo", "--out", str(tmp_path / "out"), "--probes", "20"]
        done = subprocess.run(
            [*command, "--serve", "--listen", address], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 2
    assert f"--listen {address}: another process listens there" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_probe_did_is_counted_from_what_it_wrote_down(repo: Path) -> None:
    loaded = load(repo / "sla_specs" / "examples" / "acme-assistant.yaml")

    def call(number: int, outcome: Outcome, seconds: int | None) -> Observation:
        at = number * 300 * NS
        return Observation(
            id=str(number), outcome=outcome, attribution=Attribution.NONE, source=Source.PROBE, via="agent", vendor="Acme AI",
            scheduled_at=at, sent_at=at + NS // 100, ended_at=at + 2 * NS,
            total_time_ns=None if seconds is None else seconds * NS,
        )  # fmt: skip

    calls = [call(1, Outcome.OK, 1), call(2, Outcome.ERROR_5XX, None)]
    missed = [
        ProbeMissed(slot="3", how="shed", reason="budget", scheduled_at=0),
        ProbeMissed(slot="4", how="lost", reason="crash", scheduled_at=0),
    ]
    told = probe_telemetry(loaded, calls, missed)
    assert (told.requests, told.failures, dict(told.shed), dict(told.lost)) == (2, 1, {"budget": 1}, {"crash": 1})
    assert told.duration is not None
    assert (told.duration.n, told.duration.total) == (1, 1.0)
    assert told.lag is not None
    assert (told.lag.n, told.lag.total) == (2, 0.02)
    assert told.last_at == 602 * NS
