"""The admin listener: small, bounded, shut to pages of somebody else, and deaf to vendor and recorder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from slaguard.cli.clock import SystemClock
from slaguard.cli.event_loop import new_event_loop
from slaguard.config import Listen
from slaguard.sidecar import admin as module
from slaguard.sidecar.admin import MAX_CONNECTIONS, Admin, is_known
from slaguard.sidecar.series import Family, Page

GET = b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


class Served:
    """An Admin on loopback, and what it was asked to do."""

    def __init__(self) -> None:
        self.ready = True
        self.wrong: str | None = None
        self.reloads = 0
        self.looks = 0
        self.admin = Admin(Page(self._look, SystemClock()), is_ready=lambda: self.ready, reload=self._reload)
        self.at = Listen("127.0.0.1", 0)

    def _look(self) -> list[Family]:
        self.looks += 1
        return [Family("sidecar_open_calls", "Calls under way.", {"": "7"})]

    async def _reload(self) -> str | None:
        self.reloads += 1
        return self.wrong

    async def send(self, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
        """Send bytes and read the answer to its end."""
        reader, writer = await asyncio.open_connection(self.at.host, self.at.port)
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        return int(status.split()[1]), {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines)}, body

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        given = {"Host": "127.0.0.1", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        return await self.send(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())


@asynccontextmanager
async def served() -> AsyncIterator[Served]:
    found = Served()
    found.at = await found.admin.listen(found.at)
    try:
        yield found
    finally:
        found.admin.close()
        await asyncio.sleep(0)


def run(work: Callable[[Served], Coroutine[Any, Any, None]]) -> None:
    async def within() -> None:
        async with served() as found:
            await work(found)

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(within())


def test_health_readiness_and_metrics_are_answered() -> None:
    async def work(to: Served) -> None:
        assert await body(to, "/-/healthy") == (200, {"status": "healthy"})
        assert await body(to, "/-/ready") == (200, {"status": "ready"})
        status, headers, text = await to.ask("/metrics")
        assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
        assert text.endswith(b"slaguard_sidecar_open_calls 7\n")
        assert int(headers["content-length"]) == len(text)

    run(work)


async def body(to: Served, path: str, method: str = "GET", **headers: str) -> tuple[int, Any]:
    status, _, text = await to.ask(path, method, **headers)
    return status, json.loads(text)


def test_it_is_not_ready_where_calls_are_not_taken_and_still_healthy() -> None:
    async def work(to: Served) -> None:
        to.ready = False
        status, told = await body(to, "/-/ready")
        assert (status, told["error"]["code"]) == (503, "not_ready")
        assert (await body(to, "/-/healthy"))[0] == 200

    run(work)


def test_a_reload_says_what_is_wrong() -> None:
    async def work(to: Served) -> None:
        assert await body(to, "/-/reload", "POST") == (200, {"status": "reloaded"})
        to.wrong = "slaguard.yaml: E-CONFIG"
        assert await body(to, "/-/reload", "POST") == (
            500,
            {"error": {"code": "reload_failed", "message": "slaguard.yaml: E-CONFIG"}},
        )
        assert to.reloads == 2

    run(work)


@pytest.mark.parametrize(
    ("path", "method", "headers", "status", "code"),
    [
        ("/", "GET", {}, 404, "not_found"),
        ("/metrics/", "GET", {}, 404, "not_found"),
        ("/-/reload", "GET", {}, 405, "method_not_allowed"),
        ("/metrics", "POST", {}, 405, "method_not_allowed"),
        ("/metrics", "GET", {"Host": "evil.example"}, 421, "foreign_host"),
        ("/-/reload", "POST", {"Host": "evil.example:7466"}, 421, "foreign_host"),
        ("/-/reload", "POST", {"Origin": "http://evil.example"}, 403, "foreign_origin"),
        ("/-/reload", "POST", {"Origin": "null"}, 403, "foreign_origin"),
        ("/-/reload", "POST", {"Sec-Fetch-Site": "same-site"}, 403, "foreign_origin"),
        ("/-/reload", "POST", {"Content-Length": "5"}, 413, "too_large"),
        ("/-/reload", "POST", {"Transfer-Encoding": "chunked"}, 413, "too_large"),
        ("/metrics", "GET", {"Upgrade": "h2c"}, 501, "bad_request"),
    ],
)
def test_what_is_not_answered_is_refused_in_words(
    path: str, method: str, headers: dict[str, str], status: int, code: str
) -> None:
    async def work(to: Served) -> None:
        found, told = await body(to, path, method, **headers)
        assert (found, told["error"]["code"]) == (status, code)
        assert to.reloads == 0

    run(work)


@pytest.mark.parametrize("host", ["10.0.0.7:7466", "[::1]:7466", "localhost", "sidecar:7466", "x.localhost", "127.0.0.1"])
def test_an_address_and_a_name_without_a_point_are_known(host: str) -> None:
    async def work(to: Served) -> None:
        assert (await to.ask("/metrics", Host=host))[0] == 200

    run(work)


def test_a_probe_of_health_may_call_it_anything() -> None:
    async def work(to: Served) -> None:
        for path in ("/-/healthy", "/-/ready"):
            assert (await to.ask(path, Host="sidecar.shop.example"))[0] == 200

    run(work)


@pytest.mark.parametrize(
    ("host", "known"), [("a.svc", True), ("a.svc.", True), ("b.svc", False), ("", False), ("1.2.3", False)]
)
def test_the_name_it_listens_at_is_known(host: str, known: bool) -> None:
    assert is_known(host, frozenset({"a.svc"})) is known


def test_head_is_answered_without_the_body() -> None:
    async def work(to: Served) -> None:
        status, headers, text = await to.ask("/metrics", "HEAD")
        assert (status, text, int(headers["content-length"]) > 20) == (200, b"", True)

    run(work)


def test_openmetrics_is_answered_where_it_is_asked_for() -> None:
    async def work(to: Served) -> None:
        _, headers, text = await to.ask("/metrics", Accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
        assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
        assert text.endswith(b"# EOF\n")

    run(work)


def test_every_answer_closes_and_tells_browsers_to_keep_out() -> None:
    async def work(to: Served) -> None:
        for path in ("/metrics", "/-/ready", "/nothing"):
            _, headers, _ = await to.ask(path)
            assert headers["connection"] == "close"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["cache-control"] == "no-store"

    run(work)


def test_a_second_request_on_the_connection_is_not_answered() -> None:
    async def work(to: Served) -> None:
        _, _, text = await to.send(GET % b"/-/ready" + GET % b"/-/healthy")
        assert text == b'{"status": "ready"}\n'

    run(work)


def test_a_request_may_come_byte_by_byte() -> None:
    async def work(to: Served) -> None:
        request = GET % b"/-/ready"
        assert (await to.send(*(request[i : i + 1] for i in range(len(request)))))[0] == 200

    run(work)


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000, b"x" * 20_000])
def test_a_head_that_is_too_large_is_refused(sent: bytes) -> None:
    async def work(to: Served) -> None:
        assert (await to.send(sent))[0] == 431

    run(work)


@pytest.mark.parametrize(
    "sent", [b"\r\n\r\n", b"GET /-/ready HTTP/1.1\nHost: a\n\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"]
)
def test_what_is_no_request_is_refused(sent: bytes) -> None:
    async def work(to: Served) -> None:
        assert (await to.send(sent))[0] == 400
        assert (await to.ask("/-/ready"))[0] == 200

    run(work)


def test_a_request_that_does_not_come_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_S", 0.05)

    async def work(to: Served) -> None:
        assert (await to.send(b"GET /-/ready"))[0] == 408

    run(work)


def test_many_idle_connections_do_not_keep_a_probe_out() -> None:
    async def work(to: Served) -> None:
        idle = [await asyncio.open_connection(to.at.host, to.at.port) for _ in range(2 * MAX_CONNECTIONS)]
        assert (await to.ask("/-/ready"))[0] == 200
        assert len(to.admin._open) <= MAX_CONNECTIONS
        for _, writer in idle:
            writer.close()

    run(work)


def test_many_scrapes_cost_one_look() -> None:
    async def work(to: Served) -> None:
        for _ in range(20):
            assert (await to.ask("/metrics"))[0] == 200
        assert to.looks <= 2

    run(work)
