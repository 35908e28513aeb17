"""Opening a file of records: CSV or JSON lines, gzipped or not, a path or the standard input; all else is told apart."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from slaguard.errors import RecordsError
from slaguard.imports.csv_rows import open_csv
from slaguard.imports.json_rows import open_json
from slaguard.imports.rows import Buffered, Rows

STDIN: Final = "-"
_JSON_SUFFIXES: Final = frozenset({".jsonl", ".ndjson", ".json"})
_CSV_SUFFIXES: Final = frozenset({".csv", ".tsv", ".tab"})
_MAGIC: Final[dict[bytes, str]] = {
    b"PK\x03\x04": "a workbook or zip archive: save the sheet as CSV",
    b"PAR1": "a Parquet file: write it out as CSV or JSON lines",
    b"SQLite": "a SQLite database: write the table out as CSV",
    b"\xff\xfe": "UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "UTF-16: save it as UTF-8 (iconv -f UTF-16 -t UTF-8)",
    b"BZh": "bzip2 data: unpack it first, or use gzip",
    b"\x28\xb5\x2f\xfd": "zstd data: unpack it first, or use gzip",
}


class Advance(Protocol):
    """Told how many bytes of the files were read, for a progress bar."""

    def __call__(self, advance: int, /) -> None:
        """Add to the bytes read so far."""


class _Counted(io.RawIOBase):
    """A binary file that tells how much of it was read."""

    def __init__(self, inner: BinaryIO, advance: Advance) -> None:
        self._inner = inner
        self._advance = advance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._inner.read(len(buffer))
        buffer[: len(data)] = data
        self._advance(len(data))
        return len(data)


@contextmanager
def open_rows(file: str, stdin: BinaryIO | None, advance: Advance, delimiter: str | None = None) -> Iterator[Rows]:
    """Open a file (``-``: the standard input) and read its header; the context closes it.

    Raises:
        RecordsError: the file cannot be opened, is empty, or is of another kind or encoding.

    """
    with _opened(file, stdin) as raw:
        data = _unpacked(file, raw, advance)
        yield open_json(file, data) if _is_json(file, data) else open_csv(file, data, delimiter)


def _opened(file: str, stdin: BinaryIO | None) -> AbstractContextManager[BinaryIO]:
    if file == STDIN:
        if stdin is None:
            raise RecordsError("-: there is no standard input to read")
        return nullcontext(stdin)
    path = Path(file)
    if path.is_dir():
        raise RecordsError(f"{file}: this is a directory; name the files in it")
    try:
        return path.open("rb")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no file can have this name"
        raise RecordsError(f"{file}: cannot be read: {reason}") from None


def _unpacked(file: str, raw: BinaryIO, advance: Advance) -> Buffered:
    data: Buffered = io.BufferedReader(_Counted(raw, advance), buffer_size=1 << 18)
    if _peek(file, data, 2) == b"\x1f\x8b":
        data = io.BufferedReader(gzip.GzipFile(fileobj=data), buffer_size=1 << 18)
    start = _peek(file, data, 6)
    for magic, advice in _MAGIC.items():
        if start.startswith(magic):
            raise RecordsError(f"{file}: this is {advice}")
    return data


def _peek(file: str, data: Buffered, n: int) -> bytes:
    try:
        return data.peek(n)[:n]
    except (OSError, EOFError, zlib.error) as error:
        raise RecordsError(f"{file}: cannot be read: {error}") from None


def _is_json(file: str, data: Buffered) -> bool:
    suffix = Path(file.removesuffix(".gz")).suffix.lower()
    if suffix in _JSON_SUFFIXES | _CSV_SUFFIXES:
        return suffix in _JSON_SUFFIXES
    return data.peek(256).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}
