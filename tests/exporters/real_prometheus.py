"""A real Prometheus on loopback for tests: it scrapes what you serve and answers PromQL.

    with serving(exposed.answer) as address, real_prometheus(tmp_path, {"slaguard": address}) as prometheus:
        prometheus.wait_for('up{job="slaguard"} == 1')
        prometheus.query("slaguard_objective_verdict == 1")

Everything it writes stands in the folder you give; it ends with the block, by its own process id.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import yaml

from tests.conftest import absent

T = TypeVar("T")
Answer = Callable[[str, str], tuple[bytes, str, str | None]]
"""(Accept, Accept-Encoding) → (body, content type, content encoding): the shape of `Exposed.answer`."""


@dataclass(frozen=True)
class Point:
    """One series of an instant query."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Line:
    """One series of a range query: (Unix seconds, value) in order."""

    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]


class QueryError(AssertionError):
    """Prometheus refused a query, or did not answer in time."""


@dataclass(frozen=True)
class RealPrometheus:
    """A running Prometheus."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def query(self, promql: str, at: float | None = None) -> list[Point]:
        """Answer an instant query, now or at Unix seconds; a scalar is one Point without labels."""
        data = self.get("/api/v1/query", query=promql, **({} if at is None else {"time": at}))
        if data["resultType"] == "scalar":
            return [Point({}, float(data["result"][1]))]
        return [Point(r["metric"], float(r["value"][1])) for r in data["result"]]

    def query_range(self, promql: str, start: float, end: float, step: float) -> list[Line]:
        """Answer a range query; times are Unix seconds, `step` is seconds."""
        data = self.get("/api/v1/query_range", query=promql, start=start, end=end, step=step)
        return [Line(r["metric"], tuple((float(t), float(v)) for t, v in r["values"])) for r in data["result"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts that are pending or firing, as the API has them."""
        alerts: list[dict[str, Any]] = self.get("/api/v1/alerts")["alerts"]
        return alerts

    def wait_for(self, promql: str, seconds: float = 20.0) -> list[Point]:
        """Return what a query answers as soon as it answers anything."""
        return wait_until(lambda: self.query(promql), seconds, f"nothing for {promql}")

    def moment(self, promql: str, seconds: float = 20.0) -> float:
        """Return a moment (Unix seconds) at which a query answered something.

        What is asked of that moment stays as it is, whatever becomes of later scrapes on a busy machine.
        """
        return wait_until(lambda: now if self.query(promql, now := time.time()) else 0.0, seconds, f"nothing for {promql}")

    def reload(self) -> None:
        """Make it read its configuration and rules again."""
        self._request("POST", "/-/reload")

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the ``data`` of an API answer."""
        status, body = self._request("GET", f"{path}?{urlencode(parameters)}")
        answer = json.loads(body)
        if status != 200 or answer["status"] != "success":
            raise QueryError(f"{path} {parameters}: {status} {answer.get('error', '')}")
        return answer["data"]

    def ready(self) -> bool:
        """Tell whether it answers."""
        try:
            return self._request("GET", "/-/ready")[0] == 200
        except (OSError, HTTPException):
            return False

    def _request(self, method: str, path: str) -> tuple[int, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


def wait_until(look: Callable[[], T], seconds: float, otherwise: str) -> T:
    """Look again and again until there is something to see."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise QueryError(f"after {seconds:g} s: {otherwise}")
        time.sleep(0.1)


@contextmanager
def real_prometheus(
    folder: Path, jobs: Mapping[str, str], rules: Sequence[Path] = (), interval: str = "1s"
) -> Iterator[RealPrometheus]:
    """Start Prometheus, wait until it is ready, end it with the block.

    Args:
        folder: an empty folder of the test's own.
        jobs: job name → ``host:port`` to scrape at ``/metrics``.
        rules: rule files to load.
        interval: how often to scrape and to evaluate.

    """
    program = shutil.which("prometheus")
    if program is None:
        absent("Prometheus is not installed: make test-system says how")
        raise AssertionError
    home = folder / "prometheus"
    home.mkdir(parents=True)
    config = home / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(jobs, rules, interval)), encoding="utf-8")
    log = home / "log.txt"
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                program, f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}", "--log.level=warn",
                f"--web.listen-address=127.0.0.1:{port}", "--web.enable-lifecycle",
            ],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, cwd=home,
        )  # fmt: skip
    try:
        running = RealPrometheus(port, home)
        wait_until(lambda: running.ready() or process.poll() is not None, 30, "Prometheus is not ready")
        assert process.poll() is None, f"Prometheus ended at once:\n{log.read_text(encoding='utf-8')}"
        yield running
    finally:
        end(process)


def configuration(jobs: Mapping[str, str], rules: Sequence[Path], interval: str) -> dict[str, Any]:
    """Return a Prometheus configuration."""
    return {
        "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
        "rule_files": [str(rule) for rule in rules],
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [target]}]} for job, target in jobs.items()],
    }


def end(process: subprocess.Popen[bytes]) -> None:
    """End one process: asked first, then not."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


# ── something to scrape ─────────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve what `answer` returns at ``/metrics`` on loopback; yields ``host:port``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, content_type, encoding = answer(self.headers.get("Accept", ""), self.headers.get("Accept-Encoding", ""))
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            if encoding is not None:
                self.send_header("Content-Encoding", encoding)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
