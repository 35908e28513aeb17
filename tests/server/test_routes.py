"""Every path and every status, asked of a real server on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import aiohttp
import pytest

from tests.server.world import CLAIM, FakeBoard, Server, talk

PATHS = {
    "/": "text/html",
    "/metrics": "text/plain",
    "/-/healthy": "application/json",
    "/-/ready": "application/json",
    "/api/v1/agreements": "application/json",
    "/api/v1/evaluations": "application/json",
    "/api/v1/evaluations?agreement=acme-assistant&period=2026-10": "application/json",
    "/api/v1/breaches": "application/json",
    "/api/v1/incidents": "application/json",
    "/api/v1/facts": "application/json",
    "/api/v1/openapi.json": "application/json",
    "/claims/acme-assistant/2026-10": "text/html",
}
ALWAYS = (
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cache-control",
    "cross-origin-resource-policy",
)


def error(body: bytes) -> tuple[str, str]:
    """Return an error's code and message, and that there is nothing else."""
    document = json.loads(body)
    assert set(document) == {"error"}
    assert set(document["error"]) == {"code", "message"}
    return document["error"]["code"], document["error"]["message"]


def spoken(server: Server, content: bytes) -> bytes:
    """Send bytes as they are, and return all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", int(server.address.rpartition(":")[2])), timeout=10) as wire:
        wire.sendall(content)
        answer = b""
        while part := wire.recv(65_536):
            answer += part
    return answer


def test_every_path_answers_with_its_type_and_the_headers_that_tell_browsers_what_not_to_do(server: Server) -> None:
    for (path, kind), (status, headers, body) in zip(PATHS.items(), server.ask(FakeBoard(), *PATHS), strict=True):
        assert status == 200, path
        assert headers["content-type"].startswith(kind), path
        assert all(name in headers for name in ALWAYS), path
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["content-security-policy"] or path.startswith("/claims/")
        assert not {"set-cookie", "server", "access-control-allow-origin"} & {name.lower() for name in headers}
        assert body


def test_head_has_the_status_and_headers_of_get_without_a_body(server: Server) -> None:
    got, headed = server.ask(FakeBoard(), *PATHS), server.ask(FakeBoard(), *PATHS, method="HEAD")
    for (status, headers, body), (head_status, head_headers, nothing) in zip(got, headed, strict=True):
        assert (status, headers["content-type"]) == (head_status, head_headers["content-type"])
        assert nothing == b""
        assert head_headers["content-length"] == str(len(body))


def test_metrics_are_the_boards_bytes_and_it_hears_what_the_scrape_accepts(server: Server) -> None:
    board = FakeBoard()
    headers = {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}
    [(_, answered, body)] = server.ask(board, "/metrics", headers=headers)
    assert body == b"slaguard_build_info 1\n"
    assert answered["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert board.scrapes == [("application/openmetrics-text", "gzip")]


def test_readiness_fails_with_its_reason_while_health_does_not(server: Server) -> None:
    board = FakeBoard(reason="the ledger is still being read")
    (health, _, _), (ready, _, body) = server.ask(board, "/-/healthy", "/-/ready")
    assert (health, ready) == (200, 503)
    assert error(body) == ("not_ready", "the ledger is still being read")


# ── reload ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_reload_says_what_was_wrong_and_only_post_does_it(server: Server) -> None:
    board = FakeBoard()
    assert server.ask(board, "/-/reload", method="POST")[0][0] == 200
    assert server.ask(board, "/-/reload")[0][0] == 405
    board.refused = "slaguard.yaml:3:1: E-CONFIG  no such key"
    status, _, body = server.ask(board, "/-/reload", method="POST")[0]
    assert status == 500
    assert error(body) == ("reload_failed", "slaguard.yaml:3:1: E-CONFIG no such key")
    assert board.reloads == 2


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_origin_cannot_reload(server: Server, headers: dict[str, str]) -> None:
    board = FakeBoard()
    status, _, body = server.ask(board, "/-/reload", method="POST", headers=headers)[0]
    assert (status, error(body)[0], board.reloads) == (403, "foreign_origin", 0)


def test_a_page_of_this_server_may_reload() -> None:
    board = FakeBoard()

    async def work(session: aiohttp.ClientSession, address: str) -> int:
        async with session.post(f"{address}/-/reload", headers={"Origin": address}) as answer:
            return answer.status

    assert talk(board, work) == 200
    assert board.reloads == 1


# ── names and methods ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1:7464", "[::1]:7464", "10.1.2.3", "sla.example.org", "a.localhost"]
)
def test_a_name_of_this_server_is_answered(server: Server, host: str) -> None:
    assert server.ask(FakeBoard(), "/-/healthy", headers={"Host": host})[0][0] == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:7464", "", "a b", "x@localhost"],
)
def test_another_name_is_refused_wherever_it_asks(server: Server, host: str) -> None:
    for status, headers, body in server.ask(FakeBoard(), "/", "/metrics", "/api/v1/facts", headers={"Host": host}):
        assert status == 421
        assert error(body)[0] == "foreign_host"
        assert "nosniff" in headers["x-content-type-options"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "POST"])
def test_another_method_is_refused_with_those_there_are(server: Server, method: str) -> None:
    for status, headers, body in server.ask(FakeBoard(), "/", "/api/v1/breaches", method=method):
        assert status == 405
        assert error(body)[0] == "method_not_allowed"
        assert headers["allow"] == "GET, HEAD"


def test_a_body_of_more_than_a_mebibyte_is_refused_before_it_is_read(server: Server) -> None:
    head = b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n"
    answer = spoken(server, head)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answer.lower()
    assert b'"code":"too_large"' in answer


def test_a_body_without_an_end_is_not_read(server: Server) -> None:
    server.app.state.board = FakeBoard()
    answer = spoken(server, b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer.lower()


# ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_an_unknown_path_is_json_for_programs_and_a_page_for_browsers(server: Server) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    status, _, body = server.ask(FakeBoard(), "/nothing/here")[0]
    assert (status, error(body)[0]) == (404, "not_found")
    status, headers, body = server.ask(FakeBoard(), "/nothing/here", headers=browser)[0]
    assert status == 404
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b'<a href="../">' in body
    status, _, body = server.ask(FakeBoard(), "/api/v1/nothing", headers=browser)[0]
    assert (status, error(body)[0]) == (404, "not_found")


def test_a_browser_that_asks_for_a_claim_of_nobody_gets_a_page(server: Server) -> None:
    status, _, body = server.ask(FakeBoard(), "/claims/nobody/2026-10", headers={"Accept": "text/html"})[0]
    assert status == 404
    assert b"there is no Agreement" in body
    assert b'<a href="../../">' in body


def test_a_claim_page_keeps_its_own_policy_inside_a_frame_that_allows_no_more(server: Server) -> None:
    status, headers, body = server.ask(FakeBoard(), "/claims/acme-assistant/2026-10")[0]
    assert (status, body.decode()) == (200, CLAIM)
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/claims/nobody/2026-10", 404, "unknown_agreement"),
        ("/claims/acme-assistant/yesterday", 400, "bad_parameter"),
        ("/claims/acme-assistant/1999-01", 400, "bad_parameter"),
        ("/api/v1/evaluations?agreement=nobody", 404, "unknown_agreement"),
        ("/api/v1/evaluations?agreement=nobody&period=2026-10", 404, "unknown_agreement"),
        ("/api/v1/evaluations?period=2026-10", 400, "bad_parameter"),
        ("/api/v1/evaluations?agreement=acme-assistant&period=October", 400, "bad_parameter"),
        ("/api/v1/evaluations?agreement=acme-assistant&as_of=2026-10-01T00:00:00Z", 400, "bad_parameter"),
        ("/api/v1/evaluations?agreement=acme-assistant&period=2026-10&as_of=noon", 400, "bad_parameter"),
        ("/api/v1/evaluations?agreement=acme-assistant&period=2026-10&as_of=2026-10-01T00:00:00", 400, "bad_parameter"),
        ("/api/v1/evaluations?agreement=acme-assistant&period=2026-01-01T00:00:00Z/2099-01-01T00:00:00Z", 400, "bad_parameter"),
        ("/api/v1/evaluations?agrement=acme-assistant", 400, "bad_parameter"),
        ("/api/v1/breaches?vendor=Nobody", 404, "unknown_vendor"),
        ("/api/v1/breaches?from=2026-13-01", 400, "bad_parameter"),
        ("/api/v1/breaches?from=20261001", 400, "bad_parameter"),
        ("/api/v1/breaches?from=2026-10-02&to=2026-10-01", 400, "bad_parameter"),
        ("/api/v1/breaches?from=1990-01-01&to=2100-01-01", 400, "bad_parameter"),
        ("/api/v1/breaches?format=xml", 400, "bad_parameter"),
        ("/api/v1/facts?since=2026", 400, "bad_parameter"),
        ("/api/v2/facts", 404, "not_found"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_in_words(server: Server, path: str, status: int, code: str) -> None:
    answered, _, body = server.ask(FakeBoard(), path)[0]
    assert (answered, error(body)[0]) == (status, code)
    assert len(error(body)[1]) > 15


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/evaluations?agreement=acme-assistant&period=2026-10", "/api/v1/breaches?from=2026-10-01",
        "/api/v1/facts", "/api/v1/incidents",
        "/claims/acme-assistant/2026-10",
    ],
)  # fmt: skip
def test_a_ledger_that_cannot_be_read_is_503_and_says_so(server: Server, path: str) -> None:
    board = FakeBoard(broken="ledger: E-LOG-MISSING  a segment is gone\n    bring it back")
    status, _, body = server.ask(board, path)[0]
    assert (status, error(body)[0]) == (503, "ledger_unreadable")
    assert "a segment is gone" in error(body)[1]
    assert server.ask(board, "/")[0][0] == 200, "what was judged is still shown"


def test_a_bug_of_ours_is_told_without_its_inside(caplog: pytest.LogCaptureFixture) -> None:
    async def work(session: aiohttp.ClientSession, address: str) -> Any:
        async with session.get(f"{address}/api/v1/evaluations") as answer:
            return answer.status, answer.headers, await answer.read()

    status, headers, body = talk(FakeBoard(bug=True), work)
    assert (status, error(body)[0]) == (500, "internal")
    assert b"inside" not in body
    assert "nosniff" in headers["x-content-type-options"]
    assert "the inside of a bug" in caplog.text, "the log has it once the server has ended"


def test_fifty_requests_at_once_are_all_answered() -> None:
    async def work(session: aiohttp.ClientSession, address: str) -> list[int]:
        async def one(path: str) -> int:
            async with session.get(address + path) as answer:
                await answer.read()
                return answer.status

        return await asyncio.gather(*(one(list(PATHS)[i % len(PATHS)]) for i in range(50)))

    assert talk(FakeBoard(), work) == [200] * 50


# ── framing ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /-/healthy HTTP/1.1\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET http://evil.example/-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 40_000 + b"\r\n\r\n",
        b"GET /" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
    ],
)
def test_a_request_that_could_be_read_in_two_ways_is_refused(server: Server, request_bytes: bytes) -> None:
    board = FakeBoard()
    server.app.state.board = board
    assert spoken(server, request_bytes).startswith(b"HTTP/1.1 400 ")
    assert board.reloads == 0
