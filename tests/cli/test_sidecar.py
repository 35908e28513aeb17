"""`slaguard sidecar`: what stops it from starting is one clear message and exit code 2; other verbs leave its section alone."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from slaguard.cli import run
from slaguard.cli.deployment import load_config
from tests.exporters.real_prometheus import free_port
from tests.sidecar.process import ANSWER, WAIT_S, a_vendor, ask, configure, running

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


def test_connections_follow_the_limit_of_open_files(tmp_path: Path) -> None:
    with a_vendor() as vendor:
        config = configure(tmp_path, vendor.url, grace="1s")
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with running(config, limit=140) as sidecar:
            held = [socket.create_connection(("127.0.0.1", int(sidecar.calls.rpartition(":")[2]))) for _ in range(6)]
            sidecar.until(lambda: sidecar.metric("sidecar_client_connections") == 6)
            assert sidecar.call()[0] == 503
            assert sidecar.get("/-/ready")[0] == 200
            for one in held:
                one.close()
            sidecar.until(lambda: sidecar.metric("sidecar_client_connections") == 0)
            assert sidecar.call()[0] == 200
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == before


def full_pipe() -> int:
    """Return the end of a pipe that is full, and that nobody reads."""
    _, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, b"x" * 4096):
            pass
    os.set_blocking(writing, True)
    return writing


def closed_pipe() -> int:
    """Return the end of a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize(
    ("shell", "opened"),
    [
        pytest.param("exec {} >&- 2>&- <&-", None, id="nothing is open"),
        pytest.param("exec {} > /dev/full 2> /dev/full", None, id="a disk that is full"),
        pytest.param("exec {}", full_pipe, id="a pipe that nobody reads"),
        pytest.param("exec {}", closed_pipe, id="a pipe whose reader has gone"),
    ],
)
def test_whatever_becomes_of_what_it_says_calls_pass(tmp_path: Path, shell: str, opened: Callable[[], int] | None) -> None:
    calls, admin = free_port(), free_port()
    with a_vendor() as vendor:
        config = configure(tmp_path, vendor.url, listen=calls, admin=admin, grace="1s")
        command = f"'{sys.executable}' -m slaguard sidecar --config '{config}'"
        output = subprocess.DEVNULL if opened is None else opened()
        with subprocess.Popen(["sh", "-c", shell.format(command)], stdout=output, stderr=output) as process:
            try:
                assert answered(calls) == ANSWER
                process.send_signal(signal.SIGTERM)
                assert process.wait(WAIT_S) == 0
            finally:
                process.kill()
    if opened is not None:
        os.close(output)


def answered(port: int) -> bytes:
    """Return the answer to a call, once there is one."""
    end = time.monotonic() + WAIT_S
    while True:
        try:
            return ask(f"127.0.0.1:{port}", "POST", "/v1/chat/completions", body=b"{}")[1]
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.1)


@pytest.mark.parametrize("moment", [0.15, 0.4, 0.8])
def test_a_signal_in_the_first_second_is_not_lost(tmp_path: Path, moment: float) -> None:
    with a_vendor() as vendor:
        command = [sys.executable, "-m", "slaguard", "sidecar", "--config", str(configure(tmp_path, vendor.url, grace="1s"))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                prepared(process.pid, moment)
                process.send_signal(signal.SIGHUP)
                process.send_signal(signal.SIGTERM)
                assert process.wait(WAIT_S) == 0
            finally:
                process.kill()


def prepared(pid: int, moment: float) -> None:
    """Return so long after a process began, but not before it handles SIGHUP, as far as this system tells."""
    status, end = Path(f"/proc/{pid}/status"), time.monotonic() + WAIT_S
    time.sleep(moment)
    while status.exists():
        [caught] = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("SigCgt")]
        if int(caught, 16) & 1 << (signal.SIGHUP - 1):
            return
        assert time.monotonic() < end
        time.sleep(0.01)


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
