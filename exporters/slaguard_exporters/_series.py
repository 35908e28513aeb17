"""Series as plain values: a family of the catalogue, what is gathered into it, and the error that refuses it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Protocol

from slaguard.errors import SlaguardError
from slaguard.evaluation.snapshot import Histogram
from slaguard_exporters._catalogue import METRICS, Metric

Labels = tuple[str, ...]
"""Label values, in the order of the family's label names."""
Value = float | Histogram
NS: Final = 1_000_000_000


class Answers(Protocol):
    """Something that answers a scrape."""

    def answer(self, accept: str, accept_encoding: str) -> tuple[bytes, str, str | None]:
        """Return body, content type and content encoding."""


class ExportError(SlaguardError):
    """A Snapshot cannot be exposed as it is; `instead` is what to show until one can be, with `slaguard_export_failed` 1."""

    instead: Answers | None = None

    def __init__(self, where: str, what: str, mend: str) -> None:
        """Say which family, what is wrong with it, and how to mend it."""
        super().__init__(f"{where}: E-EXPORT  {what}\n    {mend}")


@dataclass(frozen=True, slots=True)
class Family:
    """One family with its values; a counter's or a gauge's is a float, a histogram's a `Histogram` in seconds."""

    metric: Metric
    rows: Mapping[Labels, Value]

    @property
    def series(self) -> int:
        """Return how many series Prometheus makes of it."""
        return sum(len(v.counts) + 2 if isinstance(v, Histogram) else 1 for v in self.rows.values())


class Gathered:
    """Values as they are found, by family and labels."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._rows: dict[str, dict[Labels, Value]] = {metric.name: {} for metric in METRICS}

    def put(self, name: str, labels: Labels, value: float | Fraction | Decimal | Histogram | None) -> None:
        """Keep a value under a name of the catalogue without its prefix; None and what is no number are no value.

        Raises:
            ExportError: there is a value with these labels already.

        """
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return
        rows, clean = self._rows[f"slaguard_{name}"], tuple(map(utf8, labels))
        if clean in rows:
            what = f"two series have the same labels {', '.join(clean) or '(none)'}"
            raise ExportError(f"slaguard_{name}", what, "give Agreements and probes names of their own")
        rows[clean] = value if isinstance(value, Histogram) else float(value)

    def families(self) -> tuple[Family, ...]:
        """Return the families that have values, in the order of the catalogue."""
        return tuple(Family(metric, rows) for metric in METRICS if (rows := self._rows[metric.name]))


def utf8(text: str) -> str:
    """Return a text that UTF-8 can carry: what it cannot becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def seconds(ns: int | None) -> Fraction | None:
    """Return nanoseconds as seconds."""
    return None if ns is None else Fraction(ns, NS)
