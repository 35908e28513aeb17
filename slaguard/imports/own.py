"""Our own table of records, read back: the same records, ids and coverage, not new ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from slaguard.imports.cells import RowError
from slaguard.imports.convert import Context
from slaguard.imports.rows import Row
from slaguard.imports.scalars import CoversTerm
from slaguard.ledger.table import from_row, is_column
from slaguard.records import Record
from slaguard.terms import Source

NAME = "slaguard-records"


class OwnRecords:
    """A Converter of the CSV that reports write (`slaguard.ledger.table`)."""

    name = NAME

    def __init__(self, context: Context | None = None) -> None:
        """Need nothing: the table says everything itself."""

    @classmethod
    def recognises(cls, columns: Collection[str]) -> bool:
        """Tell whether a header is that of our own table."""
        return "kind" in columns and bool({"id", "observation"} & set(columns)) and all(is_column(c) for c in columns)

    @property
    def covers(self) -> tuple[Source, CoversTerm] | None:
        """Return None: the table holds its own coverage rows."""
        return None

    def convert(self, row: Row, file: int) -> list[Record]:
        """Return the record of a row.

        Raises:
            RowError: a cell is not what its column holds.

        """
        del file
        try:
            return [from_row(row.cells)]
        except ValueError as error:
            raise RowError("", str(error)) from None

    def keep(self, record: Record, row: Row) -> None:
        """Nothing is expected of a table that says everything itself."""

    def closing(self) -> Iterator[Record]:
        """Yield nothing: the table is whole."""
        return iter(())

    def gaps(self) -> tuple[str, ...]:
        """Return nothing: a missing figure was missing when the record was made."""
        return ()
