"""The column store's tables, one per record type that Demands count: made, filled, freed of repeats, read back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from slaguard.ledger.columns import MEASURED, NAMES, SEPARATOR, VALUES
from slaguard.ledger.layout import LAYOUTS, Field, Sort
from slaguard.records import NULL, Adjudication, Observation, ProbeMissed, ProbePlanned, Record, Score
from slaguard.terms import GRADE_CODE, Grade

_NULL: Final = f"CAST('{NULL}' AS BIGINT)"


@dataclass(frozen=True, slots=True)
class Stored:
    """One table: a column per field, `pos` (order of arrival) and `known_at` (from when on the record counts).

    `identity` are the expressions in which repeats are equal (`identity.identity`), `order` those it is read back in,
    `known` the fields that say when it was known, the first one that is there.
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
        return {"pos": "BIGINT", "known_at": "BIGINT", **own, **measured}

    def create(self) -> str:
        """Return the statement that makes the table."""
        columns = ", ".join(f'"{name}" {kind}' for name, kind in self.columns.items())
        return f"CREATE TABLE {self.name}({columns})"

    def insert(self) -> str:
        """Return the statement that takes over a batch of columns (`columns.Columns` with `pos`) named ``batch``."""
        values = {c: f'nullif("{c}", {_NULL})' if t == "BIGINT" else f'"{c}"' for c, t in self.columns.items()}
        values["known_at"] = f"coalesce({', '.join(values[field] for field in self.known)}, 0)"
        if "attributes" in values:
            split = f"string_split({NAMES}, '{SEPARATOR}'), string_split({VALUES}, '{SEPARATOR}')"
            values["attributes"] = f"CASE WHEN {NAMES} IS NOT NULL THEN map({split}) END"
        return f"INSERT INTO {self.name} SELECT {', '.join(values.values())} FROM batch"  # noqa: S608 - our own names

    def repeats(self) -> str:
        """Return the query for the number of identities that are there more than once."""
        by = ", ".join(self.identity)
        return f"SELECT count(*) FROM (SELECT 1 FROM {self.name} GROUP BY {by} HAVING count(*) > 1)"  # noqa: S608

    def conflicts(self) -> str:
        """Return the query for the number of identities whose records do not say the same."""
        by = ", ".join(self.identity)
        said = ", ".join(f'"{f.name}"' for f in LAYOUTS[self.record_type] if f.name != "recorded_at")
        return (
            f"SELECT count(*) FROM (SELECT min(body) AS low, max(body) AS high FROM"  # noqa: S608
            f" (SELECT *, hash({said}) AS body FROM {self.name}) GROUP BY {by}) WHERE low <> high"
        )

    def delete_repeats(self) -> str:
        """Return the statement that keeps the first record of each identity."""
        by = ", ".join(self.identity)
        return (
            f"DELETE FROM {self.name} WHERE pos IN (SELECT pos FROM (SELECT pos, row_number()"  # noqa: S608
            f" OVER (PARTITION BY {by} ORDER BY pos) AS nth FROM {self.name}) WHERE nth > 1)"
        )

    def read(self) -> str:
        """Return the query for all records' fields, in time order."""
        names = ", ".join(f'"{f.name}"' for f in LAYOUTS[self.record_type])
        return f"SELECT {names} FROM {self.name} ORDER BY {', '.join(self.order)}"  # noqa: S608


def _type(field: Field) -> str:
    match field.sort:
        case Sort.TEXT:
            return "VARCHAR"
        case Sort.MAP:
            return "MAP(VARCHAR, VARCHAR)"
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
    )
}
