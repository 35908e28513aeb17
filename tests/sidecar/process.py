"""`slaguard sidecar` as a process, as a user starts it, and a small vendor on loopback that answers it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TextIO
from urllib.parse import urlsplit

WAIT_S: Final = 30.0
ANSWER: Final = b'{"id":"chatcmpl-1","object":"chat.completion","model":"acme-large","usage":{"total_tokens":3}}\n'
CONFIG: Final = """\
ledger: {{path: {ledger}}}
sidecar:
  listen: 127.0.0.1:{listen}
  admin: 127.0.0.1:{admin}
  grace: {grace}
  bodies: 100%
  upstreams:
    - {{vendor: Acme AI, url: "{url}"}}
{more}"""


class Vendor:
    """Answers every request with its name and what it asked for; ``/slow`` streams ten events, one each tenth of a second."""

    def __init__(self, name: str = "acme") -> None:
        """Listen; nothing is answered yet."""
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                vendor.asked.append(self.path)
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                if "/slow" in self.path:
                    self._stream()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(ANSWER)))
                self.send_header("Vendor", name)
                self.end_headers()
                self.wfile.write(ANSWER)

            def do_GET(self) -> None:
                self.do_POST()

            def _stream(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for i in range(10):
                    event = b"data: %d\n\n" % i
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                    time.sleep(0.1)
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        vendor = self
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WAIT_S)


@contextmanager
def a_vendor(name: str = "acme") -> Iterator[Vendor]:
    """Run a vendor."""
    running = Vendor(name)
    try:
        yield running
    finally:
        running.close()


def configure(
    folder: Path, url: str, *, ledger: str = "ledger", listen: int = 0, admin: int = 0, grace: str = "10s", more: str = ""
) -> Path:
    """Write a configuration, and return its file."""
    path = folder / "slaguard.yaml"
    part = path.with_suffix(".part")
    part.write_text(CONFIG.format(url=url, ledger=ledger, listen=listen, admin=admin, grace=grace, more=more))
    part.replace(path)
    return path


class Process:
    """A running sidecar: where it is, and what it says."""

    def __init__(self, config: Path, *options: str, errors: TextIO | None = None, limit: int | None = None) -> None:
        """Start it, and wait until it says where; its log goes to a file of its own, or to `errors`.

        `limit`: of open files.
        """
        self.errors = errors or config.with_suffix(".log").open("a+", encoding="utf-8")
        command = [sys.executable, "-m", "slaguard", "sidecar", "--config", str(config), "--log-format", "json", *options]
        if limit is not None:
            command = ["sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh", *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.errors, text=True, env={**os.environ})
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(2)]
        assert all(lines), self.said()
        self.calls, self.admin = (urlsplit(line.split()[1]).netloc for line in lines)

    def said(self) -> str:
        """Return everything on standard error."""
        self.errors.flush()
        return Path(self.errors.name).read_text("utf-8")

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log's events of a name."""
        found = [json.loads(line) for line in self.said().splitlines() if line.startswith("{") and line.endswith("}")]
        return [event for event in found if event["event"] == name]

    def told(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so many events of a name are in the log, also after the end, and return them."""
        end = time.monotonic() + WAIT_S
        while len(found := self.events(name)) < count and time.monotonic() < end:
            time.sleep(0.02)
        assert len(found) == count, self.said()
        return found

    def call(self, path: str = "/v1/chat/completions", **options: Any) -> tuple[int, bytes, str]:
        """Call through it; returns status, body and the vendor's name."""
        status, body, headers = ask(self.calls, "POST", path, body=b'{"model":"acme-large"}', **options)
        return status, body, headers.get("vendor", "")

    @contextmanager
    def slow_call(self, vendor: Vendor) -> Iterator[list[bytes]]:
        """Have a stream of a second under way; yields what becomes of it: its body, or nothing where it breaks."""
        found: list[bytes] = []

        def read() -> None:
            with suppress(OSError, http.client.HTTPException):
                found.append(self.call("/slow")[1])

        reading = threading.Thread(target=read)
        reading.start()
        try:
            self.until(lambda: "/slow" in vendor.asked)
            yield found
        finally:
            reading.join(WAIT_S)

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        """Ask admin."""
        status, body, _ = ask(self.admin, method, path, headers=headers)
        return status, body.decode()

    def metric(self, name: str) -> float | None:
        """Return the value of a series, by its name and labels as they are written."""
        lines = self.get("/metrics")[1].splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"slaguard_{name} ")), None)

    def until(self, holds: Callable[[], Any]) -> Any:
        """Wait until something holds, and return it."""
        end = time.monotonic() + WAIT_S
        while not (found := holds()):
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < end, f"{self.said()}\n{self.get('/metrics')[1]}"
            time.sleep(0.05)
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end."""
        self.process.send_signal(number)
        return self.process.wait(WAIT_S)

    def close(self) -> None:
        """Clear away what is left of it."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.errors.close()


def ask(
    netloc: str, method: str, path: str, *, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes, dict[str, str]]:
    """Send one request; returns status, body and headers by lower-case name."""
    connection = http.client.HTTPConnection(netloc, timeout=WAIT_S)
    try:
        connection.request(method, path, body=body, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


@contextmanager
def running(config: Path, *options: str, errors: TextIO | None = None, limit: int | None = None) -> Iterator[Process]:
    """Run a sidecar, and see to it that nothing of it is left."""
    started = Process(config, *options, errors=errors, limit=limit)
    try:
        yield started
    finally:
        started.close()
