"""The column store's tables, one per record type that Demands count: made, filled, freed of repeats, read back.

The same columns are read from segments, so that a table and the segments beside it are one relation (`Stored.whole`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from slaguard.ledger.columns import MEASURED, NAMES, VALUES
from slaguard.ledger.layout import LAYOUTS, Field, Sort
from slaguard.records import NULL, Adjudication, Observation, ProbeMissed, ProbePlanned, Record, Score, TrafficTally
from slaguard.terms import GRADE_CODE, Grade

_NULL: Final = f"CAST('{NULL}' AS BIGINT)"
PER_WRITER: Final = 2**40
"""`pos` is a writer's place times this, and the row's number in its log."""
_ATTRIBUTES: Final = f"struct_pack({NAMES} := {NAMES}, {VALUES} := {VALUES})"
"""As they are kept: two texts. One value is found in them many times faster than a map of them is made."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One table: a column per field, and three more.

    `pos` is the order of arrival, `known_at` from when on the record counts, `key` the first 8 bytes of the record's
    idempotency key where it came from a row log. `identity` are the expressions in which repeats are equal
    (`identity.identity`), `order` those it is read back in, `known` the fields that say when it was known, the first one
    that is there.
    """

    record_type: type[Record]
    identity: tuple[str, ...]
    order: tuple[str, ...]
    known: tuple[str, ...] = ("recorded_at",)

    @property
    def name(self) -> str:
        """Return the table's name."""
        return self.record_type.kind

    @property
    def columns(self) -> dict[str, str]:
        """Return all columns with their types."""
        own = {f.name: _type(f) for f in LAYOUTS[self.record_type]}
        measured = {m: "BIGINT" for m, source in MEASURED.items() if source in own}
        return {"pos": "BIGINT", "known_at": "BIGINT", "key": "BIGINT", **own, **measured}

    def create(self) -> str:
        """Return the statement that makes the table."""
        columns = ", ".join(f'"{name}" {kind}' for name, kind in self.columns.items())
        return f"CREATE TABLE {self.name}({columns})"

    def insert(self) -> str:
        """Return the statement that takes over a batch of columns (`columns.Columns` with `pos`) named ``batch``."""
        values = {c: f'nullif("{c}", {_NULL})' if t == "BIGINT" else f'"{c}"' for c, t in self.columns.items()}
        values["known_at"] = f"coalesce({', '.join(values[field] for field in self.known)}, 0)"
        if "attributes" in values:
            values["attributes"] = _ATTRIBUTES
        return f"INSERT INTO {self.name} SELECT {', '.join(values.values())} FROM batch"  # noqa: S608 - our own names

    def repeats(self) -> str:
        """Return the query for the number of identities that are there more than once."""
        by = ", ".join(self.identity)
        return f"SELECT count(*) FROM (SELECT 1 FROM {self.name} GROUP BY {by} HAVING count(*) > 1)"  # noqa: S608

    @property
    def said(self) -> str:
        """Return the expression of what a record says: equal where two records of one identity do not contradict."""
        fields = (f'"{f.name}"' for f in LAYOUTS[self.record_type] if f.name != "recorded_at")
        return f"hash({', '.join(fields)})"

    def conflicts(self) -> str:
        """Return the query for the number of identities whose records do not say the same."""
        by = ", ".join(self.identity)
        return (
            f"SELECT count(*) FROM (SELECT min(body) AS low, max(body) AS high FROM"  # noqa: S608
            f" (SELECT *, {self.said} AS body FROM {self.name}) GROUP BY {by}) WHERE low <> high"
        )

    def delete_repeats(self, writers: int = 0) -> str:
        """Return the statement that keeps one record of each identity: of each writer's first ones the one known first.

        Those that are of no writer, with a `pos` beyond `writers`, come last, in order of arrival.
        """
        by = ", ".join(self.identity)
        within = f"row_number() OVER (PARTITION BY {by}, pos // {PER_WRITER} ORDER BY pos)"
        return (
            f"DELETE FROM {self.name} WHERE pos IN (SELECT pos FROM (SELECT pos, row_number() OVER"  # noqa: S608
            f" (PARTITION BY {by} ORDER BY within > 1, {known_first(writers)}) AS nth"
            f" FROM (SELECT *, {within} AS within FROM {self.name})) WHERE nth > 1)"
        )

    def read(self, source: str | None = None) -> str:
        """Return the query for all records' fields, in time order."""
        names = ", ".join(f'"{f.name}"' for f in LAYOUTS[self.record_type])
        return f"SELECT {names} FROM {source or self.name} ORDER BY {', '.join(self.order)}"  # noqa: S608

    # ── segments ────────────────────────────────────────────────────────────────────────────────────────────────────
    def sealed(
        self,
        files: Sequence[str],
        writer: int,
        *,
        less: str | None = None,
        also: Iterable[str] = (),
        only: Collection[str] | None = None,
    ) -> str:
        """Return the query for this table's columns from segments of one writer: what counts, read when it is asked for.

        Args:
            files: their Parquet files.
            writer: the writer's place among all.
            less: a table of (writer, seq) of rows that give way to an earlier writer's.
            also: further expressions, before the columns.
            only: the columns that are read; None: all. Each of them costs time to plan, for every file.

        """
        values = {name: f'"{name}"' for name in self.columns if only is None or name in only}
        made = {"pos": f"seq + {writer * PER_WRITER}", "key": "identity", "attributes": _ATTRIBUTES}
        values |= {name: value for name, value in made.items() if name in values}
        columns = ", ".join([*also, *(f'{value} AS "{name}"' for name, value in values.items())])
        kept = f" AND seq NOT IN (SELECT seq FROM {less} WHERE writer = {writer})" if less else ""  # noqa: S608
        return f"SELECT {columns} FROM {parquet(files)} WHERE kind = '{self.name}' AND again = 0{kept}"  # noqa: S608

    def whole(self, sealed: Iterable[str], *, here: bool = True) -> str:
        """Return the relation of this table's rows (unless not `here`) and those of these queries."""
        columns = ", ".join(f'"{name}"' for name in self.columns)
        own = [f"SELECT {columns} FROM {self.name}{'' if here else ' WHERE FALSE'}"]  # noqa: S608
        queries = list(sealed)
        return f"({' UNION ALL '.join([*(own if here or not queries else ()), *queries])})"


def known_first(writers: int) -> str:
    """Return the order in which the first of equal records of several writers counts: by when they were known.

    A writer's name decides only between records known at the same moment.
    """
    own = writers * PER_WRITER
    return f"pos >= {own}, CASE WHEN pos < {own} THEN known_at END, pos"


def parquet(files: Sequence[str]) -> str:
    """Return the table function that reads these Parquet files, all of the same columns."""
    quoted = (file.replace("'", "''") for file in files)
    listed = ", ".join(f"'{file}'" for file in quoted)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def _type(field: Field) -> str:
    match field.sort:
        case Sort.TEXT:
            return "VARCHAR"
        case Sort.MAP:
            return f"STRUCT({NAMES} VARCHAR, {VALUES} VARCHAR)"
        case _:
            return "BIGINT"


_SENT = "coalesce(sent_at, batch_start) NULLS LAST"
_RECORDED = "recorded_at NULLS FIRST"
TABLES: Final[dict[type[Any], Stored]] = {
    t.record_type: t
    for t in (
        Stored(Observation, ("id",), (_SENT, "id"), ("recorded_at", "ended_at", "sent_at", "batch_end")),
        Stored(
            Score,
            ("observation", "scorer", f"grade = {GRADE_CODE[Grade.UNSCORED]}"),
            (_RECORDED, "observation", "scorer", "pos"),
        ),
        Stored(
            Adjudication,
            ("observation", '"by"', "grade", "recorded_at"),
            (_RECORDED, "observation", '"by"', "pos"),
        ),
        Stored(ProbePlanned, ("slot",), ("scheduled_at", "slot")),
        Stored(ProbeMissed, ("slot",), ("scheduled_at", "slot")),
        Stored(TrafficTally, ("vendor", "via", "writer", '"start"'), ('"start"', "vendor", "via", "writer")),
    )
}
