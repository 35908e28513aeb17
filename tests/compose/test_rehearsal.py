"""What the containers run, run as plain processes: the same vendor, the same configuration, the same Agreement, a breach."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compose.files import AGENT, services

BREACH = re.compile(r'slaguard_objective_verdict\{[^}]*objective="uptime"[^}]*period="current"[^}]*verdict="breach"\} 1\.0')


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def rehearsed(folder: Path, vendor: str, port: int) -> Path:
    """Write the containers' configuration for this machine: other addresses, a quicker clock, a stricter promise."""
    text = (AGENT / "slaguard.yaml").read_text()
    for old, new in (
        ("0.0.0.0:7464", f"127.0.0.1:{port}"),
        ("/data/ledger", str(folder / "ledger")),
        ("http://127.0.0.1:8080/v1", vendor),
        ("every: 5s", "every: 1s"),
        ("control: prometheus:9090", f"control: {vendor.split('/')[2]}\nevaluate_every: 1s"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "acme-live.yaml").write_text((AGENT / "acme-live.yaml").read_text().replace("99.99%", "99.999%"))
    (folder / "slaguard.yaml").write_text(text)
    return folder / "slaguard.yaml"


def metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())
    except urllib.error.URLError:
        return ""


@pytest.mark.slow
def test_the_vendor_fails_and_the_agent_shows_a_breach_within_minutes(tmp_path: Path) -> None:
    command = [w if w != "127.0.0.1:8080" else "127.0.0.1:0" for w in services()["vendor"]["command"]]
    story = ("--outage-after", "5s", "--outage-lasts", "10m")
    with process("slaguard.providers.simulated", *command, *story) as vendor:
        assert vendor.stdout is not None
        found = re.search(r"http://\S+/v1", vendor.stdout.readline())
        assert found
        port = free_port()
        config = rehearsed(tmp_path, found[0], port)
        with process("slaguard", "run", "--config", str(config)) as agent:
            deadline = time.monotonic() + 330  # an interval of five minutes counts when it is over
            shown = ""
            while not BREACH.search(shown) and time.monotonic() < deadline and agent.poll() is None:
                time.sleep(2)
                shown = metrics(port)
            agent.send_signal(signal.SIGTERM)
            said, _ = agent.communicate(timeout=40)
        assert BREACH.search(shown), said + shown
        assert agent.returncode == 0, said
    assert re.search(r"slaguard_probe_failures_total\{[^}]*\} [1-9]", shown)
