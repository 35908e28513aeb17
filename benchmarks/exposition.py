"""The Prometheus exposition against prometheus_client's own rendering of the same families, which are the same bytes.

Each line is CPU time over that of ``generate_latest`` in the same turn; turns alternate, and the median of the ratios is
printed with the smallest and the largest. What is measured:

* a scrape of an unchanged exposition over HTTP on loopback, client and server together, plain and with gzip;
* the same without HTTP: negotiation and the bytes that are kept;
* a fresh rendering, where the labels were seen before and where they were not, in both forms;
* a whole new Snapshot's share of it: limits checked, rendered and zipped.

    .venv/bin/python benchmarks/exposition.py [--turns N]
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from time import process_time
from typing import Any

from prometheus_client import exposition
from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.openmetrics import exposition as openmetrics

from slaguard_exporters._bounds import Limits
from slaguard_exporters._catalogue import METRICS, WINDOW
from slaguard_exporters._render import ClientFamilies, Renderer
from slaguard_exporters._series import Family
from slaguard_exporters.prometheus import Exposed

OPEN = "application/openmetrics-text; version=1.0.0"
SIZES = (1_000, 10_000)
GOAL = 0.2
Work = Callable[[], object]


plain_text: Callable[[Any], bytes] = exposition.generate_latest
open_text: Callable[[Any], bytes] = openmetrics.generate_latest


class Ready:
    """Client families made beforehand: the peer is timed on rendering alone."""

    def __init__(self, families: tuple[Family, ...]) -> None:
        """Make them."""
        self._made = list(ClientFamilies(families).collect())

    def collect(self) -> list[ClientMetric]:
        """Return them."""
        return self._made


def make(series: int) -> tuple[Family, ...]:
    """Return so many series of one open period each: gauges of the catalogue with their six labels."""
    shown = [m for m in METRICS if m.labels == WINDOW][:10]
    rows = [
        (
            f"agreement-{i % 50:02}",
            ("uptime", "accuracy", "latency")[i % 3],
            f"scope-{i:04}",
            "Acme AI",
            "acme-large",
            "current",
        )
        for i in range(series // len(shown))
    ]
    return tuple(
        Family(metric, {labels: i / (len(rows) + n) * (1.0 if n % 3 else 2e6) for i, labels in enumerate(rows)})
        for n, metric in enumerate(shown)
    )


@contextmanager
def served(exposed: Exposed) -> Iterator[HTTPConnection]:
    """Serve an exposition on loopback; yields a connection that stays open, as Prometheus keeps its own."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer a scrape."""
            accept, encodings = self.headers.get("Accept", ""), self.headers.get("Accept-Encoding", "")
            body, content_type, encoding = exposed.answer(accept, encodings)
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
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    try:
        yield connection
    finally:
        connection.close()
        server.shutdown()
        server.server_close()
        thread.join()


def scrape(connection: HTTPConnection, encoding: str) -> bytes:
    """Fetch the exposition."""
    connection.request("GET", "/metrics", headers={"Accept-Encoding": encoding})
    return connection.getresponse().read()


def cpu(work: Work, times: int) -> float:
    """Return the processor seconds of one piece of work, all threads of this process together."""
    start = process_time()
    for _ in range(times):
        work()
    return (process_time() - start) / times


def in_turns(turns: int, peer: Work, works: dict[str, tuple[Work, int]]) -> dict[str, list[float]]:
    """Return each work's CPU time over the peer's, turn by turn."""
    found: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(turns):
        theirs = cpu(peer, 1)
        for name, (work, times) in works.items():
            found[name].append(cpu(work, times) / theirs)
    return found


def fresh(families: tuple[Family, ...]) -> object:
    """Do what a new Snapshot costs once its families are there and its labels known."""
    Limits(len(families[0].rows), 10**6).check(families)
    return Exposed(families, WARM).answer("", "gzip")


WARM = Renderer()


def measure(series: int, turns: int) -> tuple[int, float, dict[str, list[float]]]:
    """Return the size, the peer's median CPU seconds and the ratios."""
    families = make(series)
    ready: Any = Ready(families)
    plain, opened = plain_text(ready), open_text(ready)
    exposed = Exposed(families, WARM)
    same = exposed.answer("", "")[0] == plain and exposed.answer(OPEN, "")[0] == opened
    if not same:
        raise SystemExit("the bytes differ: nothing here means anything")
    with served(exposed) as connection:
        if scrape(connection, "identity") != plain:
            raise SystemExit("the scraped bytes differ: nothing here means anything")
        scrape(connection, "gzip")
        found = in_turns(
            turns,
            lambda: plain_text(ready),
            {
                "scrape of an unchanged exposition": (lambda: scrape(connection, "identity"), 5),
                "scrape of an unchanged exposition, gzip": (lambda: scrape(connection, "gzip"), 5),
                "kept bytes, without HTTP": (lambda: exposed.answer(OPEN, "gzip"), 100),
                "fresh rendering, labels known": (lambda: WARM.render(families, openmetrics=False), 1),
                "fresh rendering, labels new": (lambda: Renderer().render(families, openmetrics=False), 1),
                "fresh OpenMetrics, labels known": (lambda: WARM.render(families, openmetrics=True), 1),
                "generate_latest of OpenMetrics": (lambda: open_text(ready), 1),
                "a new Snapshot: limits, text, gzip": (lambda: fresh(families), 1),
            },
        )
    alone = statistics.median(cpu(lambda: plain_text(ready), 1) for _ in range(3))
    return len(plain), alone, found


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--turns", type=int, default=15)
    asked = options.parse_args()
    held = True
    for series in SIZES:
        size, alone, found = measure(series, asked.turns)
        print(f"{series:,} series, {size / 1e3:,.0f} kB; generate_latest takes {alone * 1e3:.1f} ms of CPU and stands for 1")
        for name, ratios in found.items():
            middle = statistics.median(ratios)
            print(f"  {name:42} {middle:8.4f}  1/{1 / middle:<7.1f} ({min(ratios):.4f} to {max(ratios):.4f})")
        held = held and statistics.median(found["scrape of an unchanged exposition"]) <= GOAL
    print(f"a scrape of unchanged series is to be at most 1/5: {'held' if held else 'NOT HELD'}")
    print(
        f"Python {platform.python_version()}, prometheus-client {version('prometheus-client')}, load {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
