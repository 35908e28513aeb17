"""The one list of metrics and what is exposed are the same, and both follow Prometheus's conventions."""

from __future__ import annotations

import re

import pytest

from slaguard_exporters._catalogue import BY_NAME, METRICS, SIDECAR, Kind, Metric
from slaguard_exporters._families import families
from slaguard_exporters._render import ClientFamilies
from tests.exporters.snapshots import snapshot

TARGET_LABELS = {
    "region", "zone", "cluster", "owner", "stage", "service", "env", "environment", "type", "job", "instance", "le", "quantile",
}  # fmt: skip
"""Names that scrape configurations give to targets; `customer`, one of them too, is a party's name on the info metric alone."""
NOT_BASE_UNITS = re.compile(r"_(ms|milliseconds|minutes|hours|days|percent|pct|kb|mb|ns|age|count|sum|bucket)(_|\Z)")


def exposed() -> dict[str, tuple[str, set[tuple[str, ...]]]]:
    """Return name → (type, sets of label names) of a Snapshot that has everything; a histogram's are without ``le``."""
    found = {}
    for family in ClientFamilies(families(snapshot())).collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = {tuple(sorted(set(sample.labels) - {"le"})) for sample in family.samples}
        found[name] = (family.type, labels)
    return found


def test_everything_in_the_catalogue_is_exposed_and_nothing_else() -> None:
    assert list(exposed()) == [metric.name for metric in METRICS]


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_a_family_is_exposed_with_its_type_and_labels(metric: Metric) -> None:
    assert exposed()[metric.name] == (metric.kind.value, {tuple(sorted(metric.labels))})


@pytest.mark.parametrize("metric", [*METRICS, *SIDECAR], ids=lambda metric: metric.name)
def test_a_name_follows_the_conventions(metric: Metric) -> None:
    assert re.fullmatch(r"slaguard_[a-z][a-z0-9_]*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind is Kind.COUNTER)
    assert not NOT_BASE_UNITS.search(metric.family)
    assert metric.help.endswith(".")
    assert metric.help.strip() == metric.help
    assert not set(metric.labels) & TARGET_LABELS
    assert len(set(metric.labels)) == len(metric.labels)


def test_a_customer_is_named_on_the_info_metric_alone() -> None:
    assert [m.name for m in METRICS if "customer" in m.labels] == ["slaguard_sla_info"]


def test_no_name_stands_twice_also_not_with_the_suffixes_of_a_histogram() -> None:
    names = [m.name for m in (*METRICS, *SIDECAR)]
    for metric in METRICS:
        if metric.kind is Kind.HISTOGRAM:
            names += [metric.name + suffix for suffix in ("_bucket", "_count", "_sum")]
    assert len(set(names)) == len(names)
    assert len(BY_NAME) == len(METRICS) + len(SIDECAR)


def test_a_sidecar_never_looks_like_an_agent() -> None:
    assert all(m.name.startswith(("slaguard_sidecar_", "slaguard_capture_")) for m in SIDECAR)


def test_money_always_carries_its_currency() -> None:
    money = [m for m in METRICS if m.name.endswith("_amount") or "spend" in m.name]
    assert len(money) == 3
    assert all("currency" in m.labels for m in money)
