"""Finding single values in bytes of JSON that may begin and end anywhere: a window, the start of an answer, half a stream.

A key inside a text has its quotation marks escaped, so ``"model"`` with bare ones is a key wherever it stands. Nothing
here raises, whatever the bytes, and the time is linear in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final, cast

from pydantic_core import from_json

from slaguard.providers.bodies import Body as Unpacked
from slaguard.providers.reading import NotJson, as_object, as_text, parse_json
from slaguard.sidecar.body import dechunk

MOST_NAME: Final = 512
"""Characters of a name that are read: the ledger keeps 256, and what is cut off here cannot hide half a key in them."""
MOST_UNPACKED: Final = 64 << 10
"""Bytes that a packed body may unpack to, where it lies whole in its windows."""
MOST_SHOWN: Final = 2 << 10
"""Bytes of the start and of the end of an unpacked stream that are looked at: what is seen of one that is not packed."""
_MODEL: Final = re.compile(rb'"model"\s*:\s*"((?:[^"\\]|\\.){1,512}+)"', re.DOTALL)
_STRING: Final = re.compile(rb'\\.|"(?:[^"\\]|\\.)*+"', re.DOTALL)
"""A text; what is escaped outside of one (where it does not end) is no beginning of another, so the time is linear."""
_MOST_KEYS: Final = 16
"""Places of one key that are looked at in a window."""
_INPUT: Final = re.compile(rb'"(?:prompt|input)_tokens"\s*:\s*([0-9]{1,15})(?![0-9])')
_OUTPUT: Final = re.compile(rb'"(?:completion|output)_tokens"\s*:\s*([0-9]{1,15})(?![0-9])')
_FINGERPRINT: Final = re.compile(rb'"system_fingerprint"\s*:\s*"([^"\\]{1,512})"')
_CHUNK_ENDS: Final = re.compile(rb"\r\n[0-9A-Fa-f]{1,8}\r\n")
_HALF_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{0,8}\r?\n(?=data:|event:)")
"""The rest of a chunk's size, with which a piece of a body can begin."""
_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}")
_LAST_CHUNK: Final = b"\r\n0\r\n\r\n"
MOST_COUNT: Final = 10**15
"""No count of tokens is larger; a number that is, is none."""
PLAIN: Final = frozenset({b"", b"identity"})
UNPACKED: Final = frozenset({b"gzip", b"x-gzip", b"deflate"})
"""Codings that can be undone here."""
CUT: Final = "cut"
BROKEN: Final = "unreadable"


class Seen:
    """What is there of a body, as it was meant: chunks and packing undone. `head` and `tail` are one where it is `whole`.

    `value` is the object that a whole body of JSON holds, else None. `broken` says what is wrong with the packing of a body
    of which all is seen: ``cut`` or ``unreadable``.
    """

    __slots__ = ("broken", "head", "tail", "value", "whole")

    def __init__(self, head: bytes, tail: bytes, whole: bool, broken: str | None = None) -> None:
        """Keep both, and read what is whole and looks like an object."""
        self.head = head
        self.tail = tail
        self.whole = whole
        self.broken = broken
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
        return Seen(unchunked(first), _without_chunks(last), False) if chunked else Seen(first, last, False)
    raw = first + last[surplus:] if last else first
    if chunked:
        raw = unchunked(raw)
    if packed:
        return _unpacked(raw, coding)
    return Seen(raw, raw, True)


NOTHING: Final = Seen(b"", b"", True)
UNREADABLE: Final = Seen(b"", b"", False)


def unchunked(raw: bytes) -> bytes:
    """Return what the chunks of the beginning of a body hold, quickly where no chunk holds a CRLF, as `dechunk` has it.

    Then sizes and contents take turns between all CRLF; of the last of them a part may be missing.
    """
    parts = raw.split(b"\r\n")
    sizes, held = parts[0::2], parts[1::2]
    cut = held.pop() if len(sizes) == len(held) else b""
    is_plain = [b"%x" % len(one) for one in held] == sizes[: len(held)] and all(held if cut else held[:-1])
    if not is_plain or (cut and not (_SIZE.fullmatch(sizes[-1]) and int(sizes[-1], 16) >= len(cut))):
        return dechunk(raw)[0]
    return b"".join([*held, cut])


def _without_chunks(tail: bytes) -> bytes:
    """Take chunk sizes out of a piece of a body; nobody knows where in it the first chunk begins."""
    held = _CHUNK_ENDS.sub(b"", tail.removesuffix(_LAST_CHUNK))
    half = _HALF_SIZE.match(held)
    return held if half is None else held[half.end() :]


def _unpacked(raw: bytes, coding: bytes) -> Seen:
    unpacked = Unpacked(coding.decode("latin-1"), MOST_UNPACKED)
    unpacked.take(raw)
    content = unpacked.content()
    if unpacked.whole:
        # Of a stream that unpacks to much the ends must do.
        if content.lstrip()[:1] not in {b"{", b"["} and len(content) > 2 * MOST_SHOWN:
            return Seen(content[:MOST_SHOWN], content[-MOST_SHOWN:], False)
        return Seen(content, content, True)
    if unpacked.over_limit or coding.strip().lower() not in UNPACKED:
        return UNREADABLE
    shown = content[:MOST_SHOWN]
    return Seen(shown, content[-MOST_SHOWN:], False, BROKEN if unpacked.unreadable else CUT)


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
    """Return the value of a body's own ``"model"``; None where none is seen, or two different ones.

    Its own is one that stands in no other object or list: what a tool, an example or a message calls so is none.
    """
    if body.value is not None:
        return text_in(body.value, "model")
    names = {found[1] for found in own(_MODEL, body)}
    return name(names.pop()) if len(names) == 1 else None


def own(pattern: re.Pattern[bytes], body: Seen) -> Iterator[re.Match[bytes]]:
    """Yield what a pattern of a key and its value finds among the keys of the object itself.

    Before a key in the head, and behind one in a tail that ends as an object does, everything is seen: how many objects and
    lists are open there is counted.
    """
    if body.head.lstrip()[:1] != b"{":
        return
    for found in islice(pattern.finditer(body.head), _MOST_KEYS):
        if _open(body.head[: found.start()]) == 1:
            yield found
    if body.tail is not body.head and body.tail.rstrip()[-1:] == b"}":
        for found in islice(pattern.finditer(body.tail), _MOST_KEYS):
            if _open(body.tail[body.tail.index(b":", found.start()) :]) == -1:
                yield found


def _open(part: bytes) -> int | None:
    """Return how many more objects and lists are opened than closed; None where the part ends inside a text."""
    outside = _STRING.sub(b"", part)
    if b'"' in outside:
        return None
    return outside.count(b"{") + outside.count(b"[") - outside.count(b"}") - outside.count(b"]")


def streamed_model(body: Seen) -> str | None:
    """Return the model that a stream names first, which its events repeat."""
    found = _MODEL.search(body.head) or _MODEL.search(body.tail)
    return None if found is None else name(found[1])


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
        for found in pattern.finditer(part, max(0, part.rfind(b'"usage"'))):  # noqa: B007 - the last one is wanted
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
