"""A mapping on its way, and the columns it is made from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from slaguard.imports.guess_values import unit_of
from slaguard.imports.rows import Row

_SPLIT = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


@dataclass(slots=True)
class Draft:
    """A mapping on its way: the terms found so far, remarks by path, what was assumed, and what stays open."""

    fields: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    batch: dict[str, Any] | None = None
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    id: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    source: str = "traffic"
    population: str = "complete"
    zone_needed: bool = False
    remarks: dict[str, str] = field(default_factory=dict)
    assumed: list[str] = field(default_factory=list)
    open: dict[str, str] = field(default_factory=dict)
    """What only a person can know, by path: these stop `auto`."""
    unused: list[str] = field(default_factory=list)


def normal(name: str) -> str:
    """Return a column's name in snake case: ``Latency (ms)`` and ``latencyMs`` are ``latency_ms``."""
    return "_".join(part.lower() for part in _SPLIT.split(name) if part)


NO_NAME: Final = frozenset({"", "~", "null"})
"""What the notation reads as a key without a name."""


class Columns:
    """The columns of a file by their normalised names, each used once."""

    def __init__(self, names: Sequence[str], rows: Iterable[Row]) -> None:
        self._rows = list(rows)
        self.free = {name: normal(name) for name in names if name.isprintable() and name.strip().lower() not in NO_NAME}

    def cells(self, column: str) -> list[str]:
        """Return the sample's cells of a column."""
        return [row.cells.get(column, "") for row in self._rows]

    def take(self, words: Sequence[str], *, unit: bool = False) -> str | None:
        """Return the first column whose name (less its unit) is one of the words, or ends in one, and use it up."""
        for tail in (False, True):
            for word in words:
                for column, name in self.free.items():
                    stem = unit_of(name)[0] if unit else name
                    if stem == word or (tail and stem.endswith("_" + word)):
                        del self.free[column]
                        return column
        return None

    def named(self, words: Sequence[str]) -> list[str]:
        """Return the columns whose name (less its unit) is one of the words, then those that end in one."""
        stems = {column: unit_of(name)[0] for column, name in self.free.items()}
        exact = [c for word in words for c, stem in stems.items() if stem == word]
        return exact + [c for word in words for c, stem in stems.items() if stem.endswith("_" + word) and c not in exact]
