"""`slaguard sidecar`: what stops it from starting is one clear message and exit code 2; other verbs leave its section alone."""

from __future__ import annotations

import http.client
import os
import resource
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from slaguard.cli import run
from slaguard.cli.deployment import load_config
from tests.sidecar.process import WAIT_S, a_vendor, configure, running

Capture = pytest.CaptureFixture[str]
URL = "https://api.acme.example"


def refused(capfd: Capture, *arguments: str) -> str:
    """Run the verb in this process, which must not start; returns what it says."""
    assert run(["sidecar", *arguments]) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert "Traceback" not in told.err
    return told.err


@pytest.mark.parametrize("key", ["listen", "admin"])
def test_a_port_that_is_taken_is_one_message(tmp_path: Path, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = configure(tmp_path, URL, grace="1s", **{key: port})
        command = [sys.executable, "-m", "slaguard", "sidecar", "--config", str(config)]
        found = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert (
        f"sidecar: {key}: 127.0.0.1:{port}: another process listens there\n    end it, or write another port\n" in found.stderr
    )
    assert "Traceback" not in found.stderr


def test_an_address_that_is_not_of_this_machine_is_one_message(tmp_path: Path) -> None:
    config = configure(tmp_path, URL, grace="1s")
    config.write_text(config.read_text().replace("listen: 127.0.0.1:0", "listen: 192.0.2.1:7465"))
    command = [sys.executable, "-m", "slaguard", "sidecar", "--config", str(config)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (found.returncode, found.stdout) == (2, "")
    assert "sidecar: listen: 192.0.2.1:7465: this machine has no such address" in found.stderr


def test_a_configuration_without_a_sidecar_is_told_what_to_write(tmp_path: Path, capfd: Capture) -> None:
    config = tmp_path / "slaguard.yaml"
    config.write_text("ledger: {path: ledger}\n")
    assert "sidecar: missing\n    write at least: sidecar:" in refused(capfd, "--config", str(config))


def test_a_configuration_that_is_refused_is_told_with_its_place(tmp_path: Path, capfd: Capture) -> None:
    config = configure(tmp_path, "http://api.acme.example")
    assert f"{config}:8:30: E-CONFIG" in refused(capfd, "--config", str(config))


@pytest.mark.parametrize("name", ["../elsewhere", "segments", "a b", ""])
def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path, capfd: Capture, name: str) -> None:
    assert "--name: " in refused(capfd, "--config", str(configure(tmp_path, URL)), "--name", name)


def test_other_verbs_leave_the_section_alone(tmp_path: Path) -> None:
    assert load_config(configure(tmp_path, URL)).sidecar is not None
    command = [sys.executable, "-m", "slaguard", "serve", "--config", str(tmp_path / "slaguard.yaml")]
    found = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert "agreements" in found.stderr, "it misses what it needs itself, and nothing of the sidecar's"
    assert "sidecar" not in found.stderr.replace(str(tmp_path), "")


def test_it_allows_itself_as_many_connections_as_this_user_may_have(tmp_path: Path) -> None:
    limits = Path("/proc/self/limits")
    if not limits.exists():
        pytest.skip("this system does not tell what another process may have")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with a_vendor() as vendor, running(configure(tmp_path, vendor.url, grace="1s")) as sidecar:
        lines = Path(f"/proc/{sidecar.process.pid}/limits").read_text().splitlines()
        [soft] = [line.split()[3] for line in lines if line.startswith("Max open files")]
        assert int(soft) == (65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536))


def test_a_listener_that_is_open_to_others_is_told(tmp_path: Path) -> None:
    with a_vendor() as vendor:
        config = configure(tmp_path, vendor.url, grace="1s")
        config.write_text(config.read_text().replace("listen: 127.0.0.1:0", "listen: 0.0.0.0:0"))
        with running(config) as sidecar:
            [told] = sidecar.told("open_to_others")
            assert told["listen"] == sidecar.calls
            connection = http.client.HTTPConnection("127.0.0.1", int(sidecar.calls.rpartition(":")[2]), timeout=WAIT_S)
            connection.request("GET", "/v1/models")
            assert connection.getresponse().status == 200
            connection.close()


def test_a_log_that_nobody_reads_stops_no_call(tmp_path: Path) -> None:
    with a_vendor() as vendor:
        config = configure(tmp_path, vendor.url, grace="1s")
        reading, writing = os.pipe()
        with os.fdopen(writing, "w") as errors, running(config, errors=errors) as sidecar:
            config.write_text("".join(f"unknown{i}_{'x' * 150}: 1\n" for i in range(20)))
            for _ in range(60):  # of 2,000 characters each: more than a pipe holds
                assert sidecar.get("/-/reload", "POST")[0] == 500
            assert sidecar.call()[0] == 200
            assert sidecar.end() == 0
        os.close(reading)
