"""The fast renderer writes the bytes of prometheus_client; a new version of the client that writes others shows here."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.utils import floatToGoString

from slaguard.evaluation.snapshot import Histogram
from slaguard_exporters._catalogue import BY_NAME, Kind, Metric
from slaguard_exporters._families import families
from slaguard_exporters._render import ClientFamilies, Renderer
from slaguard_exporters._series import Family, Labels, Value
from tests.exporters.snapshots import snapshot

plain_text: Callable[[ClientFamilies], bytes] = exposition.generate_latest
open_text: Callable[[ClientFamilies], bytes] = openmetrics.generate_latest
go: Callable[[float], str] = floatToGoString
parse: Callable[[str], Iterable[Any]] = text_string_to_metric_families
NAMES = st.text(string.ascii_lowercase + "_", min_size=1, max_size=8).map("a".__add__)
SUFFIXES = st.sampled_from(["", "_seconds", "_ratio", "_bytes", "_amount", "_info"])
WORDS = st.one_of(st.text(max_size=12), st.sampled_from(["", '"', "\\", "\n", '\\"', "\\n", "é\u2028\r", 'a"b\\c\nd', "\x00"]))
HELP = WORDS.map("Help".__add__)
FLOATS = st.one_of(
    st.floats(), st.integers(-(10**18), 10**18).map(float),
    st.sampled_from([0.0, -0.0, 1e6, 999_999.9999, 1e6 - 1, 1e15, 1e16, 1e21, 1e22, 5e-324, 1e-5, -1e9, math.inf, -math.inf]),
)  # fmt: skip


@st.composite
def metrics(draw: st.DrawFn) -> Metric:
    kind = draw(st.sampled_from(list(Kind)))
    name = draw(NAMES) + draw(SUFFIXES) + ("_total" if kind is Kind.COUNTER else "")
    return Metric(name, kind, draw(HELP), tuple(draw(st.lists(NAMES, unique=True, max_size=4))))


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    bounds = tuple(sorted(draw(st.sets(st.floats(0.0, 1e9), min_size=1, max_size=5))))
    counts = st.integers(0, 10**9)
    return Histogram(bounds, tuple(draw(counts) for _ in range(len(bounds) + 1)), draw(st.floats(0.0, 1e12)))


@st.composite
def one_family(draw: st.DrawFn) -> Family:
    metric = draw(metrics())
    values: st.SearchStrategy[Value] = histograms() if metric.kind is Kind.HISTOGRAM else FLOATS
    labels = st.tuples(*[WORDS for _ in metric.labels])
    rows: Mapping[Labels, Value] = draw(st.dictionaries(labels, values, min_size=1, max_size=4))
    return Family(metric, rows)


FAMILIES = st.lists(one_family(), max_size=4, unique_by=lambda f: f.metric.name)


@given(FAMILIES)
def test_text_has_the_bytes_of_the_client(given_families: list[Family]) -> None:
    assert Renderer().render(given_families, openmetrics=False) == plain_text(ClientFamilies(given_families))


@given(FAMILIES)
def test_openmetrics_has_the_bytes_of_the_client(given_families: list[Family]) -> None:
    expected = open_text(ClientFamilies(given_families))
    assert Renderer().render(given_families, openmetrics=True) == expected


@given(FAMILIES, FAMILIES)
def test_what_is_remembered_of_one_exposition_does_not_show_in_the_next(first: list[Family], second: list[Family]) -> None:
    renderer = Renderer()
    for shown in (first, second, first):
        for is_openmetrics in (True, False):
            fresh = Renderer().render(shown, openmetrics=is_openmetrics)
            assert renderer.render(shown, openmetrics=is_openmetrics) == fresh


@given(st.lists(FLOATS, min_size=1, max_size=20))
def test_a_number_is_written_as_the_client_writes_it(values: list[float]) -> None:
    family = Family(BY_NAME["slaguard_build_info"], {(str(i),): value for i, value in enumerate(values)})
    lines = Renderer().render([family], openmetrics=False).decode().splitlines()
    assert [line.split()[-1] for line in lines[2:]] == [go(value) for value in values]


def test_real_results_have_the_bytes_of_the_client_in_both_forms() -> None:
    found = families(snapshot())
    renderer = Renderer()
    for _ in range(2):
        assert renderer.render(found, openmetrics=False) == plain_text(ClientFamilies(found))
        assert renderer.render(found, openmetrics=True) == open_text(ClientFamilies(found))


def test_labels_of_yesterday_are_forgotten() -> None:
    renderer = Renderer()
    metric = BY_NAME["slaguard_build_info"]
    for version in range(1000):
        renderer.render([Family(metric, {(str(version),): 1.0})], openmetrics=False)
    assert len(renderer._known[metric.name]) == 1


@given(st.lists(WORDS, min_size=1, max_size=6, unique=True))
def test_hostile_label_values_come_back_as_they_were(values: list[str]) -> None:
    family = Family(BY_NAME["slaguard_build_info"], {(v,): 1.0 for v in values})
    text = Renderer().render([family], openmetrics=True).decode()
    [parsed] = parse(text)
    assert [s.labels["version"] for s in parsed.samples] == values


def test_a_histogram_adds_up_to_its_count_and_has_no_created_series() -> None:
    metric = BY_NAME["slaguard_probe_lag_seconds"]
    text = Renderer().render([Family(metric, {("p",): Histogram((0.5, 1.0), (3, 0, 2), 4.25)})], openmetrics=False).decode()
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        'slaguard_probe_lag_seconds_bucket{le="0.5",probe="p"} 3.0',
        'slaguard_probe_lag_seconds_bucket{le="1.0",probe="p"} 3.0',
        'slaguard_probe_lag_seconds_bucket{le="+Inf",probe="p"} 5.0',
        'slaguard_probe_lag_seconds_count{probe="p"} 5.0',
        'slaguard_probe_lag_seconds_sum{probe="p"} 4.25',
    ]
