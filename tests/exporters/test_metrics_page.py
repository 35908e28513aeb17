"""docs/metrics.md lists the catalogue as it is; ``make golden`` writes the tables anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from slaguard_exporters._catalogue import METRICS, OBJECTIVE, PROBE, SIDECAR, Metric

TABLES = {
    f"<!-- the catalogue{of} -->\n": metrics for of, metrics in (("", METRICS), (" of the sidecar", SIDECAR))
}  # fmt: skip
END = "<!-- its end -->"


def row(metric: Metric) -> str:
    return f"| `{metric.name}` | {metric.kind.value} | {labels(metric)} | {metric.help} |"


def labels(metric: Metric) -> str:
    """Return the label names; **L** and **P** stand for the sets that the page explains."""
    for sign, known in (("**L**", OBJECTIVE), ("**P**", PROBE)):
        if metric.labels[: len(known)] == known:
            return ", ".join([sign, *(f"`{name}`" for name in metric.labels[len(known) :])])
    return ", ".join(f"`{name}`" for name in metric.labels) or "none"


def test_the_page_on_metrics_lists_the_catalogue(golden: Callable[[Path, str], None], repo: Path) -> None:
    page = repo / "docs" / "metrics.md"
    text = page.read_text(encoding="utf-8")
    for start, metrics in TABLES.items():
        before, after = text.split(start)
        table = "\n".join(["| metric | type | labels | meaning |", "|---|---|---|---|", *map(row, metrics)]) + "\n"
        text = before + start + table + after[after.index(END) :]
    golden(page, text)


def test_the_page_names_the_labels_of_its_signs(repo: Path) -> None:
    text = (repo / "docs" / "metrics.md").read_text(encoding="utf-8")
    for sign, known in (("**L**", OBJECTIVE), ("**P**", PROBE)):
        assert f"{sign} is " + ", ".join(f"`{name}`" for name in known) in text
