"""What the containers run, run as plain processes: the same vendor, client, configuration and Agreement, a breach.

The evidence is the client's own calls, as the sidecar saw them.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compose.files import AGENT, found, services

BREACH = re.compile(r'slaguard_objective_verdict\{[^}]*objective="uptime"[^}]*period="current"[^}]*verdict="breach"\} 1\.0')


TRAFFIC = re.compile(r'slaguard_observations_total\{[^}]*outcome="(\w+)"[^}]*source="traffic"[^}]*\} ([1-9]\d*)')


@contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-u", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def rehearsed(folder: Path, vendor: str, port: int, calls: int, admin: int) -> Path:
    """Write the containers' configuration for this machine: other addresses, a quicker clock, a stricter promise."""
    text = (AGENT / "slaguard.yaml").read_text()
    for old, new in (
        ("0.0.0.0:7464", f"127.0.0.1:{port}"),
        ("/data/ledger", str(folder / "ledger")),
        ("http://127.0.0.1:8080/v1", vendor),
        ("http://127.0.0.1:8080", vendor.removesuffix("/v1")),
        ("127.0.0.1:7465", f"127.0.0.1:{calls}"),
        ("0.0.0.0:7466", f"127.0.0.1:{admin}"),
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
    except OSError:  # not there yet, or busy
        return ""


def client(calls: int) -> list[str]:
    """Return the client's command line, quicker and at this machine's sidecar."""
    one = services()["client"]
    swapped = {"http://127.0.0.1:7465/v1": f"http://127.0.0.1:{calls}/v1", "2": "0.5"}
    return [str(found("client", one["entrypoint"][1])), *(swapped.get(word, word) for word in one["command"])]


@pytest.mark.slow
def test_the_vendor_fails_the_clients_calls_show_it_and_the_agent_shows_a_breach_within_minutes(tmp_path: Path) -> None:
    command = [w if w != "127.0.0.1:8080" else "127.0.0.1:0" for w in services()["vendor"]["command"]]
    story = ("--outage-after", "15s", "--outage-lasts", "10m")
    with process("-m", "slaguard.providers.simulated", *command, *story) as vendor:
        assert vendor.stdout is not None
        url = re.search(r"http://\S+/v1", vendor.stdout.readline())
        assert url
        port, calls, admin = free_port(), free_port(), free_port()
        config = rehearsed(tmp_path, url[0], port, calls, admin)
        with (
            process("-m", "slaguard", "sidecar", "--config", str(config)) as sidecar,
            process("-m", "slaguard", "run", "--config", str(config)) as agent,
            process(*client(calls)),
        ):
            deadline = time.monotonic() + 330  # an interval of five minutes counts when it is over
            shown = ""
            while not BREACH.search(shown) and time.monotonic() < deadline and agent.poll() is None:
                time.sleep(2)
                shown = metrics(port)
            agent.send_signal(signal.SIGTERM)
            said, _ = agent.communicate(timeout=40)
            sidecar.send_signal(signal.SIGTERM)
            observed, _ = sidecar.communicate(timeout=45)
        assert BREACH.search(shown), said + shown
        assert agent.returncode == 0, said
        assert sidecar.returncode == 0, observed
        assert "all_written=true" in observed
    seen = {outcome: int(n) for outcome, n in TRAFFIC.findall(shown)}
    assert {"ok"} < set(seen), f"good calls and failed ones, as the sidecar saw them: {seen}"
    assert re.search(r"slaguard_probe_failures_total\{[^}]*\} [1-9]", shown)
