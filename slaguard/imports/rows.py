"""Rows of text cells, and the lines they come from: one pass, no more than one row in memory.

Everything in a file is hostile text. A row that cannot be read is handed on as a `BadRow`, with its number and how to
mend it; where the rest of the file could not be trusted any more (a quote that never closes, damaged gzip data, another
encoding) reading stops with a `RecordsError`. Row numbers are those a spreadsheet (CSV) or an editor (JSON lines) shows.
"""

from __future__ import annotations

import io
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from slaguard.errors import RecordsError

LONGEST: Final = 16 * 1024 * 1024
"""Bytes of one line, and characters of one cell."""
Buffered: TypeAlias = "io.BufferedReader[Any]"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number and its cells by column name; an empty cell is the empty text."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read: its number, what is wrong, how to mend it."""

    number: int
    what: str
    mend: str


class Rows:
    """The rows of one open file. `columns` is the header of a CSV; of JSON lines, what the first rows hold."""

    def __init__(self, file: str, columns: tuple[str, ...], rows: Iterator[Row | BadRow], *, has_header: bool) -> None:
        """Keep what `open_rows` found."""
        self.file = file
        self.columns = columns
        self.has_header = has_header
        self._rows = rows

    def __iter__(self) -> Iterator[Row | BadRow]:
        """Yield every row once, in order."""
        return self._rows

    def sample(self, n: int) -> list[Row]:
        """Return the first good rows among the next `n` without taking them away."""
        first = list(itertools.islice(self._rows, n))
        self._rows = itertools.chain(first, self._rows)
        return [row for row in first if isinstance(row, Row)]


def read_lines(file: str, data: Buffered) -> Iterator[bytes]:
    """Yield lines with their ends; one longer than the limit is cut (its rest is read and thrown away)."""
    number = 0
    while True:
        number += 1
        try:
            line = data.readline(LONGEST + 1)
            rest = line
            while len(rest) > LONGEST and not rest.endswith(b"\n"):
                rest = data.readline(LONGEST + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise RecordsError(f"{file}:line {number}: the data breaks off or is damaged: {error}") from None
        if not line:
            return
        yield line
