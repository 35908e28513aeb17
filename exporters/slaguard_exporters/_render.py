"""Families as text: the bytes that prometheus_client would write, without building its objects.

The text of a series' name and labels is made once and kept from one exposition to the next; what is left is a look-up
and a number. `ClientFamilies` gives the same families to prometheus_client itself: for a registry, for the one rarely asked
escaping that renames metrics, and for the tests, which hold the two to the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, cast

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as ClientMetric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from slaguard.evaluation.snapshot import Histogram
from slaguard_exporters._catalogue import Kind, Metric
from slaguard_exporters._series import Family, Labels

_go: Callable[[float], str] = floatToGoString
PLAIN: Final = 1_000_000.0
"""Below it Python writes a float as Prometheus does; from here on Prometheus takes an exponent."""


class ClientFamilies(Collector):
    """The same families for prometheus_client, without ``_created`` series and without timestamps."""

    def __init__(self, families: Sequence[Family]) -> None:
        """Take the families."""
        self._families = families

    def collect(self) -> Iterator[ClientMetric]:
        """Yield them in order."""
        for family in self._families:
            yield _client_family(family)


def _client_family(family: Family) -> ClientMetric:
    metric = family.metric
    if metric.kind is Kind.HISTOGRAM:
        distribution = HistogramMetricFamily(metric.family, metric.help, labels=metric.labels, unit=metric.unit)
        for labels, value in family.rows.items():
            if isinstance(value, Histogram):
                distribution.add_metric(labels, list(_buckets(value)), value.total)
        return distribution
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    plain = kind(metric.family, metric.help, labels=metric.labels, unit=metric.unit)
    for labels, value in family.rows.items():
        if not isinstance(value, Histogram):
            plain.add_metric(labels, value)
    return plain


def _buckets(value: Histogram) -> Iterator[tuple[str, float]]:
    """Yield (upper bound, how many are not above it)."""
    names = (*(_go(bound) for bound in value.bounds), "+Inf")
    yield from zip(names, map(float, accumulate(value.counts)), strict=True)


class Renderer:
    """Writes families as text 0.0.4 or OpenMetrics 1.0; safe to use from several threads."""

    def __init__(self) -> None:
        """Know no labels yet."""
        self._known: dict[str, dict[Hashable, str]] = {}

    def render(self, families: Sequence[Family], *, openmetrics: bool) -> bytes:
        """Return the exposition, UTF-8."""
        parts: list[str] = []
        for family in families:
            parts.extend(_head(family.metric, openmetrics=openmetrics))
            if family.metric.kind is Kind.HISTOGRAM:
                distributions = dict(_histogram_rows(cast("Mapping[Labels, Histogram]", family.rows)))
                parts += _lines(self._names(family.metric, distributions, _histogram_name), distributions.values())
            else:
                names = self._names(family.metric, family.rows, _plain_name)
                parts += _lines(names, cast("Iterable[float]", family.rows.values()))
        if openmetrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()

    def _names(self, metric: Metric, rows: Collection[Hashable], make: Callable[[Metric, Any], str]) -> list[str]:
        """Return the text before each number; what was made for labels that are gone is forgotten."""
        known = self._known.get(metric.name, {})
        found = list(map(known.get, rows))
        names = [one if one is not None else make(metric, row) for one, row in zip(found, rows, strict=True)]
        if len(known) != len(rows) or None in found:
            self._known[metric.name] = dict(zip(rows, names, strict=True))
        return names


def _lines(names: Iterable[str], values: Iterable[float]) -> list[str]:
    return [
        f"{name}{value!r}\n" if -PLAIN < value < PLAIN else f"{name}{_go(value)}\n"
        for name, value in zip(names, values, strict=True)
    ]


def _histogram_rows(rows: Mapping[Labels, Histogram]) -> Iterator[tuple[tuple[Labels, str, str], float]]:
    """Yield ((labels, suffix, upper bound), value) for every series of a histogram."""
    for labels, value in rows.items():
        yield from (((labels, "_bucket", bound), count) for bound, count in _buckets(value))
        yield (labels, "_count", ""), float(value.n)
        yield (labels, "_sum", ""), value.total


def _histogram_name(metric: Metric, row: tuple[Labels, str, str]) -> str:
    labels, suffix, bound = row
    braces = _braces((*metric.labels, "le"), (*labels, bound)) if bound else _braces(metric.labels, labels)
    return f"{metric.name}{suffix}{braces} "


def _plain_name(metric: Metric, labels: Labels) -> str:
    return f"{metric.name}{_braces(metric.labels, labels)} "


def _head(metric: Metric, *, openmetrics: bool) -> Iterator[str]:
    name = metric.family if openmetrics else metric.name
    text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} " + (text.replace('"', r"\"") if openmetrics else text) + "\n"
    yield f"# TYPE {name} {metric.kind.value}\n"
    if openmetrics and metric.unit:
        yield f"# UNIT {name} {metric.unit}\n"


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    """Return ``{a="x",b="y"}``, sorted by name; nothing where there is no label."""
    pairs = sorted(zip(names, values, strict=True))
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs) + "}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
