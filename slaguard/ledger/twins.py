"""Records that stand in two writers: the one that was known first counts, the other gives way.

Only where there are several writers. The 64-bit keys find the few rows that may be the same; the exact identity decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import duckdb

from slaguard.ledger.attached import AT_ONCE, YIELDS, Attached, Part
from slaguard.ledger.stored import PER_WRITER, TABLES, Stored, known_first

_CREATE: Final = f"CREATE TABLE IF NOT EXISTS {YIELDS}(writer BIGINT, seq BIGINT)"


@dataclass(slots=True)
class Twins:
    """What was found: how many rows give way, and the keys of records that contradict each other."""

    repeated: int = 0
    contradicted: set[tuple[str, int]] = field(default_factory=set)


def settle(database: duckdb.DuckDBPyConnection, attached: Attached, writers: int) -> Twins:
    """Let every later known record of an identity give way: out of the store's tables, and into the table of sealed ones.

    Raises:
        LedgerError: a segment is not what was sealed.

    """
    database.execute(_CREATE)
    found = Twins()
    for table in TABLES.values():
        _settle(database, attached, table, writers, found)
    _mark(database, attached)
    return found


def _settle(database: duckdb.DuckDBPyConnection, attached: Attached, table: Stored, writers: int, found: Twins) -> None:
    sizes = _sizes(database, attached, table)
    if len(sizes) < 2:
        return
    attached.verify(attached.of_kind(table.name))
    _suspect(database, attached, table, max(sizes, key=lambda writer: sizes[writer]))
    if not _number(database, "SELECT count(*) FROM suspects"):
        return
    by = ", ".join(table.identity)
    rows = attached.relation(table, _holding(database, attached, table))
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE twins AS SELECT pos, key, row_number() OVER"  # noqa: S608
        f" (PARTITION BY {by} ORDER BY {known_first(writers)}) AS nth,"
        f" min(body) OVER (PARTITION BY {by}) <> max(body) OVER (PARTITION BY {by}) AS contradicted FROM"
        f" (SELECT *, {table.said} AS body FROM {rows} WHERE key IN (SELECT key FROM suspects))"
    )
    keys = database.execute("SELECT DISTINCT key FROM twins WHERE contradicted").fetchall()
    found.contradicted.update((table.name, key) for (key,) in keys)
    found.repeated += _number(database, "SELECT count(*) FROM twins WHERE nth > 1")
    database.execute(f"INSERT INTO {YIELDS} SELECT pos // {PER_WRITER}, pos % {PER_WRITER} FROM twins WHERE nth > 1")  # noqa: S608
    database.execute(f"DELETE FROM {table.name} WHERE pos IN (SELECT pos FROM twins WHERE nth > 1)")  # noqa: S608
    database.execute("DROP TABLE twins")


def _sizes(database: duckdb.DuckDBPyConnection, attached: Attached, table: Stored) -> dict[int, int]:
    """Return how many rows of a table each writer has, sealed or not."""
    sizes: dict[int, int] = dict(
        database.execute(f"SELECT pos // {PER_WRITER} AS writer, count(*) FROM {table.name} GROUP BY 1").fetchall()  # noqa: S608
    )
    for part in attached.of_kind(table.name):
        sizes[part.writer] = sizes.get(part.writer, 0) + part.manifest.kinds[table.name]
    return sizes


def _suspect(database: duckdb.DuckDBPyConnection, attached: Attached, table: Stored, largest: int) -> None:
    """Put the keys that stand in two writers into ``suspects``. All writers but the largest are held, and it passes by."""
    few = attached.relation(table, [p for p in attached.parts if p.writer != largest])
    many = attached.relation(table, [p for p in attached.parts if p.writer == largest])
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE few AS SELECT DISTINCT key, pos // {PER_WRITER} AS writer FROM {few}"  # noqa: S608
        f" WHERE pos // {PER_WRITER} <> {largest}"
    )
    database.execute(
        "CREATE OR REPLACE TEMP TABLE suspects AS SELECT key FROM few GROUP BY key HAVING count(*) > 1"  # noqa: S608
        f" UNION SELECT m.key FROM {many} AS m JOIN few USING (key) WHERE m.pos // {PER_WRITER} = {largest}"
    )
    database.execute("DROP TABLE few")


def _holding(database: duckdb.DuckDBPyConnection, attached: Attached, table: Stored) -> list[Part]:
    """Return the segments in which a suspect stands: the others need not be read."""
    return [
        some[place]
        for some in _batches(attached.of_kind(table.name))
        for (place,) in database.execute(
            f"SELECT DISTINCT part FROM {attached.numbered(table, some)} WHERE key IN (SELECT key FROM suspects)"  # noqa: S608
        ).fetchall()
    ]


def _batches(parts: Sequence[Part]) -> Iterator[Sequence[Part]]:
    return (parts[start : start + AT_ONCE] for start in range(0, len(parts), AT_ONCE))


def _mark(database: duckdb.DuckDBPyConnection, attached: Attached) -> None:
    """Note which segments hold rows that give way."""
    if not _number(database, f"SELECT count(*) FROM {YIELDS}"):  # noqa: S608 - our own name
        return
    for part in attached.parts:
        of, first, last = part.writer, part.manifest.first_seq, part.manifest.last_seq
        statement = f"SELECT count(*) FROM {YIELDS} WHERE writer = {of} AND seq BETWEEN {first} AND {last}"  # noqa: S608
        if part not in attached.yielding and _number(database, statement):
            attached.yielding.add(part)


def _number(database: duckdb.DuckDBPyConnection, statement: str) -> int:
    row = database.execute(statement).fetchone()
    return int(row[0]) if row else 0
