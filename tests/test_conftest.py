"""The guards of conftest.py hold."""

import asyncio
import os
import socket
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
import uvloop

# An address reserved for documentation: nobody is there, and the guard answers before the kernel could.
ELSEWHERE = "192.0.2.1"


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(RuntimeError, match=r"(loopback|localhost) only"):
        call()


def test_a_test_cannot_leave_the_machine() -> None:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        refused(lambda: tcp.connect((ELSEWHERE, 80)))
        refused(lambda: tcp.connect_ex((ELSEWHERE, 80)))
        refused(lambda: udp.sendto(b"hello", (ELSEWHERE, 53)))
    refused(lambda: socket.getaddrinfo("vendor.com", 443))


def test_a_test_cannot_leave_the_machine_by_aiohttp_on_uvloop() -> None:
    async def ask() -> None:
        async with aiohttp.ClientSession() as session, session.get(f"http://{ELSEWHERE}/"):
            pass

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        refused(lambda: runner.run(ask()))


def test_reserved_names_fail_as_they_do_anywhere() -> None:
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("api.vendor.invalid", 443)


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "localhost"), (socket.AF_INET6, "::1")]
)
def test_loopback_is_open(family: socket.AddressFamily, host: str) -> None:
    with socket.socket(family) as server:
        try:
            server.bind((host, 0))
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        server.listen()
        answer = threading.Thread(target=lambda: server.accept()[0].close())
        answer.start()
        with socket.create_connection((host, server.getsockname()[1]), timeout=5):
            answer.join()


def test_the_environment_holds_no_keys_proxies_or_home_of_the_person_who_runs_the_tests() -> None:
    leaked = [name for name in os.environ if name.endswith(("_KEY", "_TOKEN", "_PROXY", "_proxy"))]
    assert leaked == []
    assert Path.home().name.startswith("home")  # a folder of this run; a browser may have written into it
    assert Path.home().is_relative_to(Path(tempfile.gettempdir()))


def test_golden_files_are_compared_to_the_byte(
    golden: Callable[[Path, str], None], tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    if pytestconfig.getoption("--rewrite-golden"):
        pytest.skip("the golden files are being rewritten")
    path = tmp_path / "out.txt"
    path.write_text("99.50 %\n", encoding="utf-8")
    golden(path, "99.50 %\n")
    with pytest.raises(AssertionError):
        golden(path, "99.5 %\n")
    with pytest.raises(AssertionError, match="make golden writes it"):
        golden(tmp_path / "missing.txt", "")
