"""A text as it is looked at: one spelling for spaces, dashes and digits, percent-encoding and entities undone.

What is recognised is recognised there; what is cut is cut out of the text itself, so the rest of it stays as it was.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from slaguard.redact.words import compiled

_SPACES: Final = (
    "\u00a0\u0085\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
)
_DASHES: Final = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
_NOTHING: Final = "\u00ad\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_OTHER: Final = {**dict.fromkeys(_SPACES, " "), **dict.fromkeys(_DASHES, "-")}
_WIDE: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_WIDE_BYTES: Final = (b"\xef\xbc", b"\xef\xbd")
_MATTERS: Final = compiled(rf"""[0-9A-Za-z)\]:="'][{_SPACES}{_DASHES}]{{1,3}}[0-9A-Za-z(+]|[\x{{ff01}}-\x{{ff5e}}{_NOTHING}]""")
"""Where another spelling could hide something: spaces and dashes of running text stand between words."""
_HIDDEN: Final = re.compile(rf"(?:%(?:25){{0,4}}[0-9A-Fa-f]{{2}})++|&#(?:[0-9]{{1,7}}|[xX][0-9A-Fa-f]{{1,6}});|[{_NOTHING}]++")
_ESCAPE: Final = re.compile(r"%(?:25){0,4}([0-9A-Fa-f]{2})")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_LAST: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class Folded:
    """A text as it is looked at, and where each of its characters stands in the text itself."""

    text: str
    here: list[int]
    there: list[int]

    def start(self, at: int) -> int:
        """Return where in the text itself a character stands."""
        if not self.here:
            return at
        last = bisect_right(self.here, at) - 1
        return at if last < 0 else self.there[last] + at - self.here[last]


def fold(text: str) -> Folded:
    """Return a text as it is looked at. Most texts are plain, and then nothing is done to them."""
    hidden = ("%" in text and _PERCENT.search(text) is not None) or "&#" in text
    if not text.isascii() and _MATTERS.search(text) is not None:
        text = _one_spelling(text)
        hidden = hidden or any(letter in text for letter in _NOTHING)
    if "\t" in text:
        text = text.replace("\t", " ")
    return _opened(text) if hidden else Folded(text, [], [])


def _one_spelling(text: str) -> str:
    raw = text.encode("utf-8")
    for mark, letter, plain in _BY_BYTES:
        if mark in raw:
            text = text.replace(letter, plain)
    return text.translate(_WIDE) if any(mark in raw for mark in _WIDE_BYTES) else text


_BY_BYTES: Final = tuple((letter.encode("utf-8"), letter, plain) for letter, plain in _OTHER.items())


def _opened(text: str) -> Folded:
    parts: list[str] = []
    here, there = [0], [0]
    at = length = 0
    for found in _HIDDEN.finditer(text):
        start, end = found.span()
        parts.append(text[at:start])
        length += start - at
        for plain, size in _meant(found[0]):
            parts.append(plain)
            here.append(length)
            there.append(start)
            length += len(plain)
            start += size
        here.append(length)
        there.append(end)
        at = end
    return Folded("".join([*parts, text[at:]]), here, there)


def _meant(piece: str) -> list[tuple[str, int]]:
    """Return what a hidden piece says, character by character, and how many letters wrote each."""
    if piece[0] == "&":
        code = int(piece[3:-1], 16) if piece[2] in "xX" else int(piece[2:-1])
        fit = 0 < code <= _LAST and code not in _SURROGATES
        return [(_plain(chr(code)) if fit else " ", len(piece))]
    if piece[0] != "%":
        return []
    escapes = list(_ESCAPE.finditer(piece))
    data = bytes(int(one[1], 16) for one in escapes)
    meant: list[tuple[str, int]] = []
    at = 0
    for letter in data.decode("utf-8", "surrogateescape"):
        size = 1 if letter.isascii() or ord(letter) in _SURROGATES else len(letter.encode("utf-8"))
        wrote = sum(len(one[0]) for one in escapes[at : at + size])
        meant.append((" " if ord(letter) in _SURROGATES else _plain(letter), wrote))
        at += size
    return meant


def _plain(letter: str) -> str:
    if letter in _NOTHING:
        return ""
    if letter == "\t":
        return " "
    return _OTHER.get(letter) or letter.translate(_WIDE)
