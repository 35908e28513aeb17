"""What an import did, in numbers and sentences: nothing is dropped without standing here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from slaguard.errors import RecordsError
from slaguard.imports.scalars import format_interval
from slaguard.records import Adjudication, Observation, Score, Span

KEPT: Final = 20
"""Refused rows that are told one by one; the others are counted."""
EARLY: Final = 200
"""Rows after which an import gives up if more than half were refused: the mapping does not fit the file."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One row that became no record."""

    file: str
    row: int
    column: str
    text: str

    def __str__(self) -> str:
        """Return ``FILE:row N: column: what, how``."""
        return f"{self.file}:row {self.row}: " + (f"{self.column}: {self.text}" if self.column else self.text)


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What became of the rows of one import.

    Every row is counted once: it gave records (`rows` less the others), repeated records that were there already
    (`repeated`), was refused (`refused_rows`, the first of them in `refused`), or was no call (`skipped`, by reason).
    `missing` counts, by column, the rows without a value that a field wanted. `unlogged` are calls that were made but
    stand in no row: they are observations too, of the outcome `unmeasured`.
    """

    files: tuple[str, ...]
    mapping: str
    rows: int
    observations: int
    scores: int
    adjudications: int
    others: int
    refused_rows: int
    refused: tuple[Refusal, ...]
    repeated: int
    skipped: dict[str, int]
    unlogged: dict[str, int]
    missing: dict[str, int]
    covers: tuple[Span, ...]
    remarks: tuple[str, ...]
    """What was assumed, and what is odd about the rows."""
    gaps: tuple[str, ...]
    """What rules may ask for and this log does not hold."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return everything a reader must know besides the refused rows."""
        return (*self.remarks, *self.gaps)

    def summary(self) -> str:
        """Return the one line that a terminal shows first."""
        parts = [f"{self.rows:,} rows", f"{self.observations:,} observations"]
        parts += [f"{n:,} {word}" for n, word in ((self.scores, "scores"), (self.adjudications, "grades by people")) if n]
        parts += [f"{self.others:,} other records"] if self.others else []
        parts += [f"{n:,} {word}" for n, word in ((self.repeated, "repeated"), (self.refused_rows, "refused")) if n]
        parts += [f"{sum(self.skipped.values()):,} no calls"] if self.skipped else []
        return f"{self.mapping}: " + ", ".join(parts)

    def lines(self) -> tuple[str, ...]:
        """Return the summary and every sentence a reader must know, one a line."""
        refused = [str(r) for r in self.refused]
        more = self.refused_rows - len(refused)
        return (self.summary(), *refused, *([f"and {more:,} more rows refused"] if more > 0 else []), *self.warnings)

    def notes(self) -> tuple[str, ...]:
        """Return what must be known of the evidence: refused and repeated rows, assumptions, oddities."""
        notes = []
        if self.refused_rows:
            notes.append(f"{self.refused_rows:,} of {self.rows:,} rows could not be read and were left out")
        if self.repeated:
            notes.append(f"{self.repeated:,} rows were there already and count once")
        return (*notes, *self.remarks)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON-ready values, `schema: slaguard/import/v1`."""
        return {
            "schema": "slaguard/import/v1",
            "files": list(self.files),
            "mapping": self.mapping,
            "rows": self.rows,
            "observations": self.observations,
            "scores": self.scores,
            "adjudications": self.adjudications,
            "others": self.others,
            "refused": {
                "rows": self.refused_rows,
                "first": [{"file": r.file, "row": r.row, "column": r.column, "text": r.text} for r in self.refused],
            },
            "repeated": self.repeated,
            "skipped": dict(sorted(self.skipped.items())),
            "unlogged": dict(sorted(self.unlogged.items())),
            "missing": dict(sorted(self.missing.items())),
            "covers": [format_interval(span) for span in self.covers],
            "warnings": list(self.warnings),
        }


@dataclass(slots=True)
class Tally:
    """The report while it grows."""

    rows: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    refused_rows: int = 0
    refused: list[Refusal] = field(default_factory=list)
    repeated: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    unlogged: Counter[str] = field(default_factory=Counter)
    unexpected: Counter[str] = field(default_factory=Counter)
    missing: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    row_missing: Counter[tuple[str, str]] = field(default_factory=Counter)
    row_notes: Counter[str] = field(default_factory=Counter)
    """What the row at hand lacks and is remarkable for: it counts if the row does."""
    assumed: dict[str, None] = field(default_factory=dict)
    covers: tuple[Span, ...] = ()

    def refuse(self, refusal: Refusal) -> None:
        """Count a row that could not become a record.

        Raises:
            RecordsError: so many of the first rows were refused that the mapping cannot be the right one.

        """
        self.refused_rows += 1
        if len(self.refused) < KEPT:
            self.refused.append(refusal)
        if self.rows == EARLY:
            self.check()

    def settle(self, *, kept: bool) -> None:
        """Count what was remarked of the row at hand if it gave new records, and begin the next row."""
        for row, total in ((self.row_missing, self.missing), (self.row_notes, self.notes)):
            if kept and row:
                total.update(row)  # type: ignore[arg-type] # each pair has one type of key
            if row:
                row.clear()

    def check(self) -> None:
        """Refuse an import most of whose rows were refused.

        Raises:
            RecordsError: more than half were; the message shows the first.

        """
        if self.refused_rows * 2 > self.rows:
            first = "\n    ".join(str(r) for r in self.refused[:3])
            raise RecordsError(
                f"{self.refused_rows:,} of {self.rows:,} rows could not be read: the mapping does not fit\n    {first}\n"
                "    mend the mapping; slaguard import --suggest FILE writes one that fits the file's header"
            )

    def finish(self, files: tuple[str, ...], mapping: str, gaps: tuple[str, ...]) -> ImportReport:
        """Return the report."""
        told = [f"{n:,} × {text}" for text, n in sorted(self.notes.items())]
        seen = self.rows - self.refused_rows - sum(self.skipped.values())
        wanting = [(pair, n) for pair, n in sorted(self.missing.items()) if pair[0] not in _OFTEN_EMPTY]
        told += [f"{name}: {_share(n, seen)} without a value in {column!r}" for (name, column), n in wanting]
        told += [f"{n:,} rows are no calls: {reason}" for reason, n in sorted(self.skipped.items())]
        told += _by_group(self.unlogged, "calls were made and never logged; they count as not measured")
        told += _by_group(self.unexpected, "calls more than the mapping expects")
        known = {Observation.kind, Score.kind, Adjudication.kind}
        return ImportReport(
            files=files,
            mapping=mapping,
            rows=self.rows,
            observations=self.kinds[Observation.kind],
            scores=self.kinds[Score.kind],
            adjudications=self.kinds[Adjudication.kind],
            others=sum(n for kind, n in self.kinds.items() if kind not in known),
            refused_rows=self.refused_rows,
            refused=tuple(self.refused),
            repeated=self.repeated,
            skipped=dict(self.skipped),
            unlogged=dict(self.unlogged),
            missing=self._by_column(),
            covers=self.covers,
            remarks=(*self.assumed, *told),
            gaps=gaps,
        )

    def _by_column(self) -> dict[str, int]:
        columns: dict[str, int] = {}
        for (_, column), n in self.missing.items():
            columns[column] = max(n, columns.get(column, 0))
        return columns


_OFTEN_EMPTY: Final = frozenset({"status", "error_code"})
"""Fields whose emptiness says something: it is no gap to warn of."""


def _by_group(counts: Counter[str], text: str) -> list[str]:
    told = [f"{group}: {n:,} {text}" for group, n in list(counts.items())[:KEPT]]
    more = len(counts) - KEPT
    return told if more <= 0 else [*told, f"{sum(list(counts.values())[KEPT:]):,} in {more:,} more groups: {text}"]


def _share(n: int, rows: int) -> str:
    return "all rows" if n >= rows else f"{n:,} of {rows:,} rows"
