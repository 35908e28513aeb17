"""Evidence: what an evaluation gets to see of the records, as columns of integers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import rfc8785

from slaguard.records.documents import Fact, Incident
from slaguard.records.headers import header
from slaguard.terms import Source

NULL: Final = -(2**63)
"""A missing value in an Evidence column."""
Column = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Table:
    """The answer of one Counts Demand: integer key columns, sorted by all keys, and `n` (never zero) per row."""

    keys: tuple[str, ...]
    columns: tuple[Column, ...]
    n: Column

    @classmethod
    def of(cls, keys: tuple[str, ...], columns: tuple[Column, ...], n: Column) -> Self:
        """Sort the rows by all keys and leave out those that count nothing."""
        kept = n > 0
        columns = tuple(c[kept] for c in columns)
        n = n[kept]
        order = _in_order(columns) if columns else np.arange(len(n))
        return cls(keys, tuple(np.ascontiguousarray(c[order]) for c in columns), np.ascontiguousarray(n[order]))

    def column(self, key: str) -> Column:
        """Return one key column."""
        return self.columns[self.keys.index(key)]

    def content(self) -> bytes:
        """Return the bytes that are hashed: a canonical header line, then each column little-endian."""
        head = rfc8785.dumps({"keys": list(self.keys), "rows": len(self.n)})
        return b"\n".join([head, b"".join(c.astype("<i8").tobytes() for c in (*self.columns, self.n))])


def _in_order(columns: tuple[Column, ...]) -> npt.NDArray[np.intp]:
    """Return the order by all columns. One sort is enough where the first column tells nearly all rows apart, as times do."""
    first = columns[0]
    if len(columns) == 1 or len(first) < 2:
        return np.argsort(first, kind="stable")
    order = np.arange(len(first)) if bool((first[1:] >= first[:-1]).all()) else np.argsort(first, kind="stable")
    same = np.flatnonzero(first[order[1:]] == first[order[:-1]])
    if len(same) > len(first) // 4:
        return np.lexsort(tuple(reversed(columns)))
    tied = np.union1d(same, same + 1)
    places = order[tied]
    order[tied] = places[np.lexsort(tuple(c[places] for c in reversed(columns)))]
    return order


Span = tuple[int, int]
"""A half-open interval of UTC nanoseconds."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was asked for, and what the records say: one Table per Demand (by its hash), what we watched, and the Facts."""

    tables: Mapping[str, Table]
    coverage: Mapping[Source, tuple[Span, ...]]
    facts: tuple[Fact, ...] = ()
    incidents: tuple[Incident, ...] = ()
    notes: tuple[str, ...] = ()
    """What a reader must know of the records: rows refused, repeats counted once."""

    def sha256(self) -> str:
        """Return the hash over tables, coverage, facts and incidents.

        When a document reached us is no part of it, nor are `notes`, which are words about a file.
        """
        digest = hashlib.sha256()
        for name in sorted(self.tables):
            digest.update(name.encode() + b"\n" + self.tables[name].content() + b"\n")
        spans = {str(s): [[str(a), str(b)] for a, b in self.coverage[s]] for s in sorted(self.coverage)}
        digest.update(rfc8785.dumps(spans))
        documents: list[Fact | Incident] = [*self.facts, *self.incidents]
        for document in sorted(documents, key=lambda d: (d.kind, d.id)):
            digest.update(b"\n" + header(replace(document, recorded_at=None)))
        return digest.hexdigest()


def merge_spans(spans: list[Span]) -> tuple[Span, ...]:
    """Return the union of half-open intervals, sorted, touching ones joined."""
    merged: list[Span] = []
    for start, end in sorted(s for s in spans if s[1] > s[0]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)
