"""CSV with a header, strict about quotes: after a broken one the inside of an answer could pass for rows."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from slaguard.errors import RecordsError
from slaguard.imports.rows import LONGEST, BadRow, Buffered, Row, Rows, read_lines
from slaguard.imports.values import shown


class _Decoder:
    """Decodes the lines that csv.reader pulls, and remembers the bytes that are not UTF-8 until they are asked for."""

    def __init__(self, file: str, lines: Iterable[bytes]) -> None:
        self._file = file
        self._lines = iter(lines)
        self.bad: int | None = None

    def __iter__(self) -> Iterator[str]:
        for number, line in enumerate(self._lines, start=1):
            if len(line) > LONGEST:
                # It was cut, perhaps inside a quoted answer: nothing after this point can be trusted.
                raise RecordsError(
                    f"{self._file}:line {number}: the line is longer than {LONGEST >> 20} MiB; leave the answers' text out"
                )
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                self.bad = line[error.start]
                # Quotes and separators are ASCII and survive, so the rows after this one stay whole.
                yield line.decode("utf-8", "replace")

    def taken_bad(self) -> int | None:
        bad, self.bad = self.bad, None
        return bad


def open_csv(file: str, data: Buffered, delimiter: str | None) -> Rows:
    """Return the rows of a CSV with a header.

    Raises:
        RecordsError: the header cannot be read, or names a column twice.

    """
    lines = read_lines(file, data)
    first = next(lines, b"").removeprefix(b"\xef\xbb\xbf")
    if first.lower().startswith(b"sep=") and len(first.strip()) == 5:
        delimiter = delimiter or chr(first[4])
        first = next(lines, b"")
    # The limit belongs to the csv module as a whole; its own, 128 KiB, is shorter than a long answer.
    csv.field_size_limit(LONGEST)
    decoder = _Decoder(file, itertools.chain([first] if first else [], lines))
    reader = csv.reader(decoder, delimiter=delimiter or _separator(first), strict=True)
    header = _header(file, decoder, reader)
    return Rows(file, header, _csv_rows(file, header, decoder, reader), has_header=True)


def _separator(first: bytes) -> str:
    counts = {mark: first.count(mark.encode()) for mark in (",", ";", "\t")}
    return max(counts, key=lambda mark: counts[mark])


def _header(file: str, decoder: _Decoder, reader: Iterator[list[str]]) -> tuple[str, ...]:
    try:
        cells = next((row for row in reader if row), [])
    except csv.Error as error:
        raise RecordsError(f"{file}:row 1: the header cannot be read: {_in_words(error)}") from None
    if decoder.taken_bad() is not None:
        raise RecordsError(f"{file}:row 1: the header is not UTF-8: save the file as UTF-8")
    header = tuple(name.strip() or f"column {i}" for i, name in enumerate(cells, start=1))
    if not header:
        raise RecordsError(f"{file}: there is no row in it")
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    if twice:
        raise RecordsError(f"{file}:row 1: the column {shown(twice[0])} stands twice in the header: rename one")
    return header


def _csv_rows(file: str, header: tuple[str, ...], decoder: _Decoder, reader: Iterator[list[str]]) -> Iterator[Row | BadRow]:
    number = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            # What follows may be the inside of a quoted answer: nothing after this point can be trusted.
            raise RecordsError(f"{file}:row {number + 1}: the CSV is broken here: {_in_words(error)}") from None
        if cells is None:
            return
        bad = decoder.taken_bad()
        number += 1  # a blank line is a row of a spreadsheet too
        if not cells:
            continue
        if len(cells) != len(header):
            what = f"it has {len(cells)} cells, the header has {len(header)}"
            yield BadRow(number, what, "quote cells that hold the separator or a line end")
        elif bad is not None:
            yield BadRow(number, f"byte 0x{bad:02X} is not UTF-8", "save the file as UTF-8")
        else:
            yield Row(number, dict(zip(header, cells, strict=True)))


def _in_words(error: csv.Error) -> str:
    if "new-line character" in str(error):
        return "a line ends in a carriage return alone; save the file with LF or CRLF line ends"
    return f"{error}; {_MEND_CSV}"


_MEND_CSV: Final = "quote cells that hold quotes, the separator or a line end, and double the quotes in them"
