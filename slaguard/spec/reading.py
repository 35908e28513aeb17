"""Reading a document's bytes from disk: only a regular file of bounded size, and only after looking at what it is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from slaguard.errors import Place, Problem, SpecError
from slaguard.files import FileRefused, read_regular
from slaguard.spec.notation import MAX_BYTES

MAX_GOLDEN_BYTES: Final = 64 * 1024 * 1024
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


def read_text(path: Path, source: str | None = None) -> str:
    """Return the text of one document.

    Args:
        path: the file; a link to a regular file is followed.
        source: its name in messages; the path itself unless given.

    Raises:
        SpecError: it is missing, no regular file, larger than 256 KiB, or not UTF-8.

    """
    place = Place(source or str(path))
    return decode(read_bytes(path, MAX_BYTES, place), place)


def decode(content: bytes, place: Place) -> str:
    """Return the bytes as text.

    Raises:
        SpecError: they are not UTF-8.

    """
    if content.startswith(_UTF16):
        raise _refusal("E-SPEC-SYNTAX", place, "the text is UTF-16", "save the file as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
        where = Place(place.file, before.count(b"\n") + 1, column)
        raise _refusal("E-SPEC-SYNTAX", where, "the text is not UTF-8", "save the file as UTF-8") from None


def read_bytes(path: Path, limit: int, place: Place) -> bytes:
    """Return the bytes of a regular file that is not larger than `limit`.

    Raises:
        SpecError: E-SPEC-FILE.

    """
    try:
        return read_regular(path, limit=limit, follow=True)
    except FileRefused as error:
        raise _refusal("E-SPEC-FILE", place, error.text, error.mend) from None


def sha256_of(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _refusal(code: str, place: Place, text: str, mend: str) -> SpecError:
    return SpecError((Problem(code, place, "", text, mend),))
