"""The exporter that exporters/README.md writes in 20 lines does what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from slaguard.evaluation.snapshot import Snapshot, Which
from tests.exporters.snapshots import NOW, snapshot, standings


def code(repo: Path) -> list[str]:
    page = (repo / "exporters" / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(compile(text, "README.md", "exec"), names)
    return names


def test_the_exporter_of_the_readme_writes_the_breaches_of_closed_periods(repo: Path, tmp_path: Path) -> None:
    text = code(repo)[0]
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("from ", "import "))]
    assert len(lines) <= 20
    exporter = run(text)["BreachFile"](tmp_path / "breaches.jsonl")
    exporter.export(snapshot())
    [breach] = [json.loads(line) for line in (tmp_path / "breaches.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (breach["agreement"], breach["objective"], breach["period"], breach["verdict"]) == (
        "acme-chat", "uptime", "2026-10", "BREACH",
    )  # fmt: skip
    assert (breach["credit"], breach["currency"]) == ("3000.00", "EUR")
    exporter.export(Snapshot(NOW, tuple(s for s in standings() if s.which is Which.CURRENT)))
    assert (tmp_path / "breaches.jsonl").read_text(encoding="utf-8") == ""


def test_the_wiring_of_the_readme_answers_a_scrape(repo: Path) -> None:
    metrics = run(code(repo)[1])["Metrics"]()
    metrics.update(snapshot())
    headers, body = metrics.scrape("", "gzip")
    assert (headers["Content-Encoding"], body[:2]) == ("gzip", b"\x1f\x8b")
    assert metrics.scrape("", "gzip")[1] is body
