"""A live scrape: promtool finds nothing to say, and a real Prometheus holds the figures of the Evaluation."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from slaguard.evaluation.snapshot import Snapshot
from slaguard.spec.model import Agreement
from slaguard_exporters._families import families
from slaguard_exporters.prometheus import Exposed, PrometheusExporter
from tests.conftest import absent
from tests.exporters.real_prometheus import Point, RealPrometheus, real_prometheus, serving
from tests.exporters.snapshots import NOW, PROBE, TELEMETRY, snapshot, standings
from tests.grafana.world import moved

HOSTILE = 'quote " backslash \\ newline \n return \r tab \t brace { nul \x00 line \u2028 flag \U0001f3f4 text'
Ask = Callable[[str], list[Point]]
Series = dict[tuple[tuple[str, str], ...], float]


def odd() -> Snapshot:
    """Return a Snapshot whose names are as odd as a document lets them be."""
    renamed = [
        replace(s, agreement=Agreement.model_construct(**{**dict(s.agreement), "vendor": HOSTILE, "customer": ""}))
        for s in standings()
        if s.agreement.name == "test"
    ]
    return Snapshot(NOW, tuple(renamed), replace(TELEMETRY, probes=(replace(PROBE, name="probe \udcff é", model=HOSTILE),)))


@pytest.fixture(scope="module")
def shown() -> Snapshot:
    """What is exposed, by the clock of this machine, which Prometheus goes by; its probes last asked an hour ago."""
    now = time.time_ns()
    hour_ago = now - 3600 * 10**9
    probes = tuple(replace(p, last_at=hour_ago if p.last_at else None) for p in TELEMETRY.probes)
    whole = snapshot(replace(TELEMETRY, probes=probes))
    return replace(whole, taken_at=now, standings=tuple(moved(s, now - NOW) for s in whole.standings))


@pytest.fixture(scope="module")
def exposed(shown: Snapshot) -> Exposed:
    return PrometheusExporter().export(shown)


@pytest.fixture(scope="module")
def prometheus(exposed: Exposed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealPrometheus]:
    hostile = PrometheusExporter().export(odd())
    folder = tmp_path_factory.mktemp("scraped")
    with (
        serving(exposed.answer) as one,
        serving(hostile.answer) as other,
        real_prometheus(folder, {"slaguard": one, "hostile": other}) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def ask(prometheus: RealPrometheus) -> Ask:
    """Asks about a moment at which both were scraped."""
    scraped = prometheus.moment("count(up == 1) == 2 and count(slaguard_build_info) == 2")
    return lambda promql: prometheus.query(promql, scraped)


def scrape(answer: Exposed, accept: str = "") -> bytes:
    """Fetch an exposition over HTTP, as anyone would."""
    with serving(answer.answer) as address:
        connection = HTTPConnection(address, timeout=10)
        connection.request("GET", "/metrics", headers={"Accept": accept} if accept else {})
        body = connection.getresponse().read()
        connection.close()
        return body


def of_text(body: bytes) -> Series:
    """Return series → value of a text exposition, with the name as a label and without empty labels."""
    samples = [s for m in text_string_to_metric_families(body.decode()) for s in m.samples]
    return {key({"__name__": s.name, **s.labels}): s.value for s in samples}


def key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((k, float(v).hex() if k == "le" else v) for k, v in labels.items() if v))


@pytest.fixture(scope="module")
def promtool() -> str:
    """The path of promtool, which comes with Prometheus."""
    found = shutil.which("promtool")
    if found is None:
        absent("promtool is not installed: make test-system says how")
    return found or ""


# ── promtool ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("make", [snapshot, odd], ids=["plain", "hostile"])
def test_promtool_finds_nothing_in_a_live_scrape(make: Callable[[], Snapshot], promtool: str) -> None:
    body = scrape(PrometheusExporter().export(make()))
    found = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


def test_promtool_finds_nothing_in_what_is_shown_when_an_export_fails(promtool: str) -> None:
    exporter = PrometheusExporter(max_values=1)
    with pytest.raises(Exception, match="E-EXPORT") as refused:
        exporter.export(snapshot())
    body = scrape(refused.value.instead)  # type: ignore[attr-defined]
    found = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, check=False, timeout=60)
    assert (found.returncode, found.stdout, found.stderr) == (0, b"", b"")


# ── Prometheus ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_prometheus_takes_every_series(ask: Ask, shown: Snapshot) -> None:
    for job, given in (("slaguard", shown), ("hostile", odd())):
        series = sum(f.series for f in families(given))
        assert [p.value for p in ask(f'up{{job="{job}"}}')] == [1]
        assert [p.value for p in ask(f'count({{job="{job}",__name__=~"slaguard_.+"}})')] == [series]
        assert [p.value for p in ask(f'scrape_samples_scraped{{job="{job}"}}')] == [series]


def test_prometheus_holds_the_numbers_that_were_exposed(ask: Ask, exposed: Exposed) -> None:
    found = ask('{job="slaguard",__name__=~"slaguard_.+"}')
    stored = {key({k: v for k, v in p.labels.items() if k not in {"job", "instance"}}): p.value for p in found}
    assert stored == of_text(scrape(exposed))


def test_prometheus_holds_the_numbers_of_the_evaluation(ask: Ask) -> None:
    for standing in standings():
        for result in standing.evaluation.objectives:
            where = (
                f'{{job="slaguard",sla="{standing.agreement.name}",objective="{result.name}",scope="{result.scope}",'
                f'period="{standing.which.value}"}}'
            )
            [verdict] = ask(f"slaguard_objective_verdict{where} == 1")
            assert verdict.labels["verdict"] == result.verdict.value.lower()
            [events] = ask(f"slaguard_objective_events{where}")
            assert events.value == result.estimate.n
            if result.estimate.value is not None and result.unit == "ratio":
                [measured] = ask(f"slaguard_objective_measurement_ratio{where}")
                assert measured.value == float(result.estimate.value)


def test_hostile_text_arrives_as_it_was_written(ask: Ask) -> None:
    found = ask('slaguard_sla_info{job="hostile"}')
    assert {p.labels["vendor"] for p in found} == {HOSTILE}
    assert all("customer" not in p.labels for p in found)
    assert {p.labels["probe"] for p in ask('slaguard_probe_interval_seconds{job="hostile"}')} == {"probe ? é"}


def test_the_type_and_help_of_every_family_arrive(prometheus: RealPrometheus) -> None:
    metadata = prometheus.get("/api/v1/metadata")
    for family in families(snapshot()):
        told = metadata.get(family.metric.name) or metadata[family.metric.family]
        assert (told[0]["type"], told[0]["help"]) == (family.metric.kind.value, family.metric.help)


def queries(page: Path) -> list[str]:
    return re.findall(r"```promql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_every_query_of_the_page_on_metrics_answers(prometheus: RealPrometheus, repo: Path) -> None:
    twice = prometheus.moment('count_over_time(slaguard_build_info{job="slaguard"}[1m]) >= 2')  # increase() needs two
    found = queries(repo / "docs" / "metrics.md")
    assert len(found) >= 8
    assert [query for query in found if not prometheus.query(query, twice)] == []
