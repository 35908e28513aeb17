"""The exporter: each form rendered once, negotiated as prometheus_client does, and a failure that everybody can see."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

import pytest
from prometheus_client import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from slaguard.errors import SlaguardError
from slaguard.evaluation.snapshot import Snapshot, Spending
from slaguard_exporters._families import families
from slaguard_exporters._render import ClientFamilies, Renderer
from slaguard_exporters._series import ExportError, Family
from slaguard_exporters.prometheus import Exposed, PrometheusExporter, accepts_gzip
from tests.exporters.snapshots import TELEMETRY, snapshot

parse: Callable[[str], Iterable[Any]] = text_string_to_metric_families
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text"
PROMETHEUS_2 = f"{OPENMETRICS};version=1.0.0,{OPENMETRICS};version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
PROMETHEUS_3 = (
    f"{OPENMETRICS};version=1.0.0;escaping=allow-utf-8;q=0.5,{OPENMETRICS};version=0.0.1;q=0.4,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
ACCEPTS = [
    "", "*/*", "text/html", "text/plain", "text/plain;version=0.0.4", OPENMETRICS, f"{OPENMETRICS}; version=1.0.0",
    f"{OPENMETRICS}; version=0.0.1", f"{OPENMETRICS}; version=2.0.0", PROMETHEUS_2, PROMETHEUS_3,
    "text/plain; version=1.0.0; escaping=underscores", "text/plain; version=1.0.0; escaping=allow-utf-8",
    "text/plain; version=1.0.0; escaping=values", "text/plain; version=1.0.0; escaping=dots",
    f"{OPENMETRICS}; version=1.0.0; escaping=dots", f"{OPENMETRICS}; version=1.0.0; escaping=nonsense",
]  # fmt: skip


@pytest.fixture(scope="module")
def exposed() -> Exposed:
    return PrometheusExporter().export(snapshot())


@pytest.mark.parametrize("accept", ACCEPTS)
def test_body_and_content_type_are_those_of_the_client(exposed: Exposed, accept: str) -> None:
    encoder, content_type = exposition.choose_encoder(accept)
    body = encoder(ClientFamilies(families(snapshot())))
    assert exposed.answer(accept, "") == (body, content_type, None)


@pytest.mark.parametrize("accept", [f"{OPENMETRICS}; version=abc", "text/plain; version=1.x", ";;;,,,=", "text/plain;version="])
def test_an_accept_header_that_makes_no_sense_gets_plain_text(exposed: Exposed, accept: str) -> None:
    body, content_type, _ = exposed.answer(accept, "")
    assert content_type == PLAIN
    assert body == exposed.answer("", "")[0]


@pytest.mark.parametrize("accept", ["", PROMETHEUS_3])
def test_gzip_holds_the_same_bytes(exposed: Exposed, accept: str) -> None:
    zipped, content_type, encoding = exposed.answer(accept, "deflate, gzip;q=0.8")
    plain, same_type, none = exposed.answer(accept, "identity")
    assert (gzip.decompress(zipped), content_type, encoding, none) == (plain, same_type, "gzip", None)
    assert len(zipped) < len(plain) / 4


@pytest.mark.parametrize(
    ("accept_encoding", "accepted"),
    [
        ("gzip", True), ("GZIP", True), ("br, gzip;q=0.1", True), ("gzip; q=1", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip; q=0.000", False), ("gzipped", False),
    ],
)  # fmt: skip
def test_gzip_is_sent_to_those_who_accept_it(accept_encoding: str, accepted: bool) -> None:
    assert accepts_gzip(accept_encoding) is accepted


def test_openmetrics_is_read_by_the_clients_strict_parser(exposed: Exposed) -> None:
    text = exposed.answer(PROMETHEUS_2, "")[0].decode()
    parsed = list(parse(text))
    assert [m.name for m in parsed] == [f.metric.family for f in families(snapshot())]
    assert {m.unit for m in parsed} == {"", "seconds", "ratio"}
    samples = [s for m in parsed for s in m.samples]
    assert all(s.timestamp is None for s in samples)
    assert not any(s.name.endswith("_created") for s in samples)
    assert not any(s.value != s.value for s in samples)


# ── once ────────────────────────────────────────────────────────────────────────────────────────────────────────────
class Counting(Renderer):
    """A renderer that counts its work."""

    def __init__(self) -> None:
        super().__init__()
        self.rendered: list[bool] = []

    def render(self, families: Sequence[Family], *, openmetrics: bool) -> bytes:
        self.rendered.append(openmetrics)
        return super().render(families, openmetrics=openmetrics)


def test_nothing_is_rendered_before_it_is_asked_for_and_each_form_once_by_any_number_of_threads() -> None:
    renderer = Counting()
    shown = Exposed(families(snapshot()), renderer)
    assert renderer.rendered == []
    start = threading.Barrier(16)

    def scrape(i: int) -> list[bytes]:
        start.wait(10)
        return [shown.answer(accept, zipped)[0] for accept in ("", PROMETHEUS_2) for zipped in ("", "gzip")]

    with ThreadPoolExecutor(16) as pool:
        bodies = list(pool.map(scrape, range(16)))
    assert sorted(renderer.rendered) == [False, True]
    assert all(one is other for body in bodies for one, other in zip(body, bodies[0], strict=True))


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def vendors(count: int) -> Snapshot:
    """Return a Snapshot with money spent at so many vendors."""
    rows = tuple(Spending(f"vendor {i}", "probe", "EUR", TELEMETRY.spending[0].spent, None) for i in range(count))
    return snapshot(replace(TELEMETRY, spending=rows))


def test_one_hundred_values_of_a_label_pass_and_one_more_is_refused_by_name() -> None:
    PrometheusExporter().export(vendors(100))
    with pytest.raises(SlaguardError) as refused:
        PrometheusExporter().export(vendors(101))
    assert str(refused.value) == (
        "slaguard_spend_total: E-EXPORT  the label vendor has 101 values, 100 are allowed\n"
        "    watch fewer of them with one slaguard, or give PrometheusExporter a higher max_values"
    )


def test_too_many_series_are_refused_with_their_number_and_the_widest_family() -> None:
    series = sum(f.series for f in families(snapshot()))
    PrometheusExporter(max_series=series).export(snapshot())
    with pytest.raises(ExportError) as refused:
        PrometheusExporter(max_series=series - 1).export(snapshot())
    assert str(refused.value).startswith(
        f"slaguard_objective_verdict: E-EXPORT  there are {series} series, {series - 1} are allowed;"
        " this family has the most of them, 56\n"
    )


def test_series_are_counted_as_prometheus_counts_them() -> None:
    text = PrometheusExporter().export(snapshot()).answer("", "")[0].decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert sum(f.series for f in families(snapshot())) == len(lines)


def test_a_failed_export_is_seen_on_the_exposition_that_is_still_served() -> None:
    exporter = PrometheusExporter()
    before = exporter.export(snapshot())
    assert b"slaguard_export_failed 0.0\n" in before.answer("", "")[0]
    with pytest.raises(ExportError) as refused:
        exporter.export(vendors(101))
    assert refused.value.instead is not None
    for accept in ("", PROMETHEUS_2):
        body = before.answer(accept, "")[0].decode()
        assert body == refused.value.instead.answer(accept, "")[0].decode()
        assert "slaguard_export_failed 1.0\n" in body
        assert "slaguard_build_info" in body
        assert "slaguard_config_last_reload_successful 1.0\n" in body
        assert "slaguard_objective" not in body


def test_the_first_export_that_fails_has_something_to_show_too() -> None:
    with pytest.raises(ExportError) as refused:
        PrometheusExporter(max_series=3).export(snapshot())
    assert refused.value.instead is not None
    zipped, _, encoding = refused.value.instead.answer("", "gzip, br")
    assert encoding == "gzip"
    assert b"slaguard_export_failed 1.0\n" in gzip.decompress(zipped)


def test_after_a_failure_the_next_good_snapshot_is_shown_again() -> None:
    exporter = PrometheusExporter()
    exporter.export(snapshot())
    with pytest.raises(ExportError):
        exporter.export(vendors(101))
    body = exporter.export(snapshot()).answer("", "")[0]
    assert b"slaguard_export_failed 0.0\n" in body
    assert b"slaguard_objective_verdict" in body


def test_the_exporter_is_found_by_its_entry_point_and_needs_no_arguments() -> None:
    [found] = [e for e in entry_points(group="slaguard.exporters") if e.name == "prometheus"]
    body, content_type, encoding = found.load()().export(snapshot()).answer("", "")
    assert (body[:7], content_type, encoding) == (b"# HELP ", PLAIN, None)
