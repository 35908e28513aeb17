"""Whatever is asked, the answer is one of those that are documented: never a failure of ours, never a traceback."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.world import FakeBoard, Server

TEXT = st.text(max_size=30) | st.sampled_from([
    "2026-10", "2026-Q3", "2026-10-01/2026-10-02", "9999-12", "0000-00", "2026-10-01T00:00:00Z/2026-10-02T00:00:00Z",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "2026-10-01T00:00:00.1234567890Z", "acme-assistant", "Acme AI", "csv",
    "2026-10-01", "-1", "1e999", "%00", "../..", "٢٠٢٦-١٠", "2026-02-30", "=1+1", "\u202e", "x" * 5000,
])  # fmt: skip
NAMES = st.sampled_from(["agreement", "period", "as_of", "vendor", "from", "to", "format", "x", "agreement"])
PATHS = st.sampled_from(["/api/v1/evaluations", "/api/v1/breaches", "/api/v1/facts", "/api/v1/agreements", "/", "/metrics"])
HEADERS = st.sampled_from(["*/*", "text/csv", "text/html", "application/json;q=x", 'a/b;c="d', ""])
DOCUMENTED = {200, 400, 404, 405, 413, 421}


def check(answer: Any) -> None:
    """Look at one answer."""
    status, headers, body = answer
    assert status in DOCUMENTED
    assert b"Traceback" not in body
    assert "nosniff" in headers["x-content-type-options"]
    if status >= 400 and body and headers["content-type"] == "application/json":
        assert set(json.loads(body)["error"]) == {"code", "message"}


@settings(max_examples=150)
@given(PATHS, st.lists(st.tuples(NAMES, TEXT), max_size=4), HEADERS)
def test_any_parameters_are_answered(server: Server, path: str, parameters: list[tuple[str, str]], accept: str) -> None:
    query = urlencode(parameters, errors="surrogatepass")
    check(server.ask(FakeBoard(), f"{path}?{query}", headers={"Accept": accept})[0])


@settings(max_examples=80)
@given(TEXT, TEXT, st.sampled_from(["GET", "HEAD", "POST", "DELETE"]), HEADERS)
def test_any_path_is_answered(server: Server, agreement: str, period: str, method: str, accept: str) -> None:
    where = "/".join(quote(part, safe="", errors="surrogatepass") for part in (agreement, period))
    answer = server.ask(FakeBoard(), f"/claims/{where}", method=method, headers={"Accept": accept})[0]
    check(answer)
