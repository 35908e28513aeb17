"""Finding single values in bytes of JSON that may begin and end anywhere: a window, the start of an answer, half a stream.

A key inside a text has its quotation marks escaped, so ``"model"`` with bare ones is a key wherever it stands. Nothing
here raises, whatever the bytes, and the time is linear in them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, cast

from pydantic_core import from_json

from slaguard.providers.bodies import Body as Unpacked
from slaguard.providers.reading import NotJson, as_object, as_text, parse_json
from slaguard.sidecar.body import dechunk

MOST_NAME: Final = 512
"""Characters of a name that are read: the ledger keeps 256, and what is cut off here cannot hide half a key in them."""
MOST_UNPACKED: Final = 64 << 10
"""Bytes that a packed body may unpack to, where it lies whole in its windows."""
_MODEL: Final = re.compile(rb'"model"\s*:\s*"((?:[^"\\]|\\.){1,512}+)"', re.DOTALL)
_INPUT: Final = re.compile(rb'"(?:prompt|input)_tokens"\s*:\s*([0-9]{1,15})(?![0-9])')
_OUTPUT: Final = re.compile(rb'"(?:completion|output)_tokens"\s*:\s*([0-9]{1,15})(?![0-9])')
_FINGERPRINT: Final = re.compile(rb'"system_fingerprint"\s*:\s*"([^"\\]{1,512})"')
_CHUNK_ENDS: Final = re.compile(rb"\r\n[0-9A-Fa-f]{1,8}\r\n")
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
MOST_COUNT: Final = 10**15
"""No count of tokens is larger; a number that is, is none."""
PLAIN: Final = frozenset({b"", b"identity"})


class Seen:
    """What is there of a body, as it was meant: chunks and packing undone. `head` and `tail` are one where it is `whole`.

    `value` is the object that a whole body of JSON holds, else None.
    """

    __slots__ = ("head", "tail", "value", "whole")

    def __init__(self, head: bytes, tail: bytes, whole: bool) -> None:
        """Keep both, and read what is whole and looks like an object."""
        self.head = head
        self.tail = tail
        self.whole = whole
        self.value: dict[str, Any] | None = None
        if whole and head[:1] == b"{":
            try:
                self.value = from_json(head, cache_strings="keys")  # a third of what json.loads takes
            except ValueError:
                self.value = _leniently(head)


def _leniently(data: bytes) -> dict[str, Any] | None:
    """Read what the quick reader refuses: bytes that are no UTF-8, halves of surrogate pairs, deep nesting."""
    try:
        return as_object(parse_json(data))
    except NotJson:
        return None


def seen(size: int, first: bytes, last: bytes, chunked: bool, coding: bytes) -> Seen:
    """Return what the windows show of a body.

    Args:
        size: its bytes on the wire.
        first: its first ones.
        last: its last ones, empty where `first` is all of it.
        chunked: whether chunk framing stands in it.
        coding: the Content-Encoding, empty where it has none.

    """
    if size == len(first) and not chunked and coding in PLAIN:
        return Seen(first, first, True) if size else NOTHING
    surplus = len(first) + len(last) - size
    packed = coding not in PLAIN
    if surplus < 0:
        if packed:
            return UNREADABLE
        return Seen(dechunk(first)[0], _without_chunks(last), False) if chunked else Seen(first, last, False)
    raw = first + last[surplus:] if last else first
    if chunked:
        raw = _single_chunk(raw) or dechunk(raw)[0]
    if packed:
        return _unpacked(raw, coding)
    return Seen(raw, raw, True)


NOTHING: Final = Seen(b"", b"", True)
UNREADABLE: Final = Seen(b"", b"", False)


def _single_chunk(raw: bytes) -> bytes | None:
    """Return what is in a body of one chunk, as most servers send short answers."""
    end = raw.find(b"\r\n", 0, 16) + 2
    if end > 2 and raw.endswith(_LAST_CHUNK):
        held = raw[end : -len(_LAST_CHUNK)]
        if raw[: end - 2].lower().lstrip(b"0") == b"%x" % len(held):
            return held
    return None


def _without_chunks(tail: bytes) -> bytes:
    """Take chunk sizes out of a piece of a body; nobody knows where in it the first chunk begins."""
    return _CHUNK_ENDS.sub(b"", tail.removesuffix(_LAST_CHUNK))


def _unpacked(raw: bytes, coding: bytes) -> Seen:
    unpacked = Unpacked(coding.decode("latin-1"), MOST_UNPACKED)
    unpacked.take(raw)
    content = unpacked.content()
    return Seen(content, content, True) if unpacked.whole else UNREADABLE


def raw_end(raw: bytes, end: int) -> int | None:
    """Return where in a chunked body the first `end` bytes of what it holds have come; None where that is not shown."""
    at, left = 0, end
    while (line := raw.find(b"\r\n", at)) >= 0:
        try:
            size = int(raw[at:line].partition(b";")[0], 16)
        except ValueError:
            return None
        if left <= size:
            return line + 2 + left
        if size <= 0:
            return None
        left -= size
        at = line + 2 + size + 2
    return None


def quick(size: int, first: bytes, chunked: bool) -> dict[str, Any] | None:
    """Return the object in a body that lies whole in its first bytes, as most do; None: it takes `seen` to tell."""
    if size != len(first) or chunked or first[:1] != b"{":
        return None
    try:
        return cast("dict[str, Any]", from_json(first, cache_strings="keys"))
    except ValueError:
        return None


# ── single values ───────────────────────────────────────────────────────────────────────────────────────────────────
def model(body: Seen) -> str | None:
    """Return the value of a body's own ``"model"``; None where there is none, or several different ones in a part of it."""
    if body.value is not None:
        return text_in(body.value, "model")
    names = {found[1] for part in {body.head, body.tail} for found in _MODEL.finditer(part)}
    return name(names.pop()) if len(names) == 1 else None


def text_in(value: dict[str, Any], key: str) -> str | None:
    """Return the text that an object has under a key; None where there is none."""
    text = value.get(key)
    return text[:MOST_NAME] if text.__class__ is str and text else None


@lru_cache(maxsize=1024)
def name(raw: bytes) -> str | None:
    """Return the text that stands between two quotation marks, read as JSON where it has escapes."""
    if b"\\" not in raw:
        return raw[:MOST_NAME].decode("utf-8", "replace")
    try:
        text = as_text(parse_json(b'"' + raw + b'"'))
    except NotJson:
        return None
    return None if text is None else text[:MOST_NAME]


def tokens(body: Seen) -> tuple[int | None, int | None]:
    """Return the last counts of input and output tokens."""
    if body.value is None:
        return _last(_INPUT, body), _last(_OUTPUT, body)
    return counts_in(body.value)


def counts_in(value: dict[str, Any]) -> tuple[int | None, int | None]:
    """Return what an object says of tokens: input and output."""
    usage = value.get("usage")
    if usage.__class__ is not dict:
        return None, None
    first, second = ("prompt_tokens", "completion_tokens") if "prompt_tokens" in usage else ("input_tokens", "output_tokens")
    asked, said = usage.get(first), usage.get(second)
    return (
        asked if asked.__class__ is int and 0 <= asked < MOST_COUNT else None,
        said if said.__class__ is int and 0 <= said < MOST_COUNT else None,
    )


def _last(pattern: re.Pattern[bytes], body: Seen) -> int | None:
    for part in (body.tail,) if body.whole else (body.tail, body.head):
        found = None
        for found in pattern.finditer(part):  # noqa: B007 - the last one is wanted
            pass
        if found is not None:
            return int(found[1])
    return None


def fingerprint(body: Seen) -> str | None:
    """Return what the vendor says of the system behind the model."""
    if body.value is not None:
        return text_in(body.value, "system_fingerprint")
    found = _FINGERPRINT.search(body.head)
    return None if found is None else name(found[1])


def says_true(body: Seen, key: str) -> bool | None:
    """Tell whether a flag is set in a body; None where the body does not speak of it."""
    if body.value is not None:
        return body.value.get(key) is True if key in body.value else None
    found = re.search(rb'"%s"\s*:\s*(true|false)' % key.encode("ascii"), body.head + b" " + body.tail)
    return None if found is None else found[1] == b"true"
