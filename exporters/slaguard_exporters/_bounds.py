"""How much may be exposed.

A label is bounded by the configuration, so passing a limit means that something is configured or counted in a way that
Prometheus would pay for in every scrape. Nothing is cut off quietly: the whole export fails, and says why.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from slaguard_exporters._series import ExportError, Family


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one exposition holds."""

    values: int
    """Different values of one label of one family."""
    series: int
    """Series in all; a histogram has one for each bucket, and two more."""

    def check(self, families: Iterable[Family]) -> None:
        """Refuse an exposition that is too large.

        Raises:
            ExportError: it says which family, which label and how many.

        """
        sizes = {}
        for family in families:
            self._check_labels(family)
            sizes[family.metric.name] = family.series
        total = sum(sizes.values())
        if total > self.series:
            widest = max(sizes, key=lambda name: sizes[name])
            raise ExportError(
                widest,
                f"there are {total} series, {self.series} are allowed; this family has the most of them, {sizes[widest]}",
                "watch fewer Agreements, scopes or probes with one slaguard, or give PrometheusExporter a higher max_series",
            )

    def _check_labels(self, family: Family) -> None:
        for at, label in enumerate(family.metric.labels):
            found = len({labels[at] for labels in family.rows})
            if found > self.values:
                raise ExportError(
                    family.metric.name,
                    f"the label {label} has {found} values, {self.values} are allowed",
                    "watch fewer of them with one slaguard, or give PrometheusExporter a higher max_values",
                )
