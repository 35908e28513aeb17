r"""Question and answer as they are kept: unpacked, redacted text by text, in one canonical JSON. Pure.

Texts are redacted as they were meant, not as they lie in JSON: ``"\nsk-…"`` and ``"a\u0040b.example"`` hide a key and an
address from who looks at the bytes alone, and a stream hides them in pieces. So JSON is taken apart, a stream is put
together again, and what cannot be read is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from math import isfinite
from typing import Any, Final
from urllib.parse import parse_qsl

import rfc8785

from slaguard.providers.bodies import Body as Unpacked
from slaguard.providers.reading import NotJson, as_object, as_text, parse_json
from slaguard.providers.sse import events
from slaguard.redact import SECRET
from slaguard.sidecar.answer import Dialect, dialect_of, object_of, text_of
from slaguard.sidecar.body import dechunk
from slaguard.sidecar.wire import TOO_LARGE, Packed

UNREADABLE: Final = "unreadable"
"""A coding that is not known, no text, or a stream whose kind is not known."""
MOST_PARTS: Final = 100_000
"""Values, names and events of one call's bodies: more cannot be told from an attack, and takes its time."""
_LOOK_EVERY: Final = 32
_SHORT: Final = 64
_MOST_KNOWN: Final = 4096
_MOST_PAIRS: Final = 10_000
_DEEPEST: Final = 48
_MOST_LAYERS: Final = 4
_LONG: Final = 10**11
"""A number of fewer digits is neither a card nor an account."""
_ESCAPED: Final = re.compile(r'\\(?:u([0-9A-Fa-f]{4})|[nrtbf/"\\])')
_FORM: Final = b"application/x-www-form-urlencoded"
Redact = Callable[[str], str]


class NotKept(Exception):  # noqa: N818 - what happened is the name
    """A body cannot be kept; the text says why, in one word."""


def remembering(redact: Redact) -> Redact:
    """Return the redactor with a memory for short texts: names, roles and models come again in every body."""
    known = lru_cache(maxsize=_MOST_KNOWN)(redact)
    return lambda text: known(text) if len(text) <= _SHORT else redact(text)


class Bounded:
    """A redactor that can be asked only so often, and for so long."""

    __slots__ = ("_is_over", "_parts", "_redact")

    def __init__(self, redact: Redact, is_over: Callable[[], bool]) -> None:
        """Redact until `is_over` says that the time is."""
        self._redact = redact
        self._is_over = is_over
        self._parts = 0

    def __call__(self, text: str) -> str:
        """Return the text as it may be kept.

        Raises:
            NotKept: it was enough.

        """
        self.count()
        return self._redact(text)

    def count(self) -> None:
        """Count a part of a body.

        Raises:
            NotKept: it was enough.

        """
        self._parts += 1
        if self._parts > MOST_PARTS or (self._parts % _LOOK_EVERY == 0 and self._is_over()):
            raise NotKept(UNREADABLE)


def _never() -> bool:
    return False


def payload(
    packed: Packed, question: bytes, answer: bytes, *, limit: int, redact: Redact, is_over: Callable[[], bool] = _never
) -> bytes:
    """Return what is kept of a call: ``{"answer": …, "question": …}``, each JSON, a text, or null where there was none.

    Args:
        packed: the call, for its heads.
        question: the body of the request as it was on the wire.
        answer: the same of the answer.
        limit: bytes that each may have, unpacked.
        redact: takes out what may not be written.
        is_over: tells whether this call has had its time.

    Raises:
        NotKept: too large, not to be read, or not in its time.

    """
    asked = _Content(question, packed.question_chunked, packed.noted, limit)
    said = _Content(answer, packed.answer_chunked, packed.returned, limit)
    bounded = Bounded(redact, is_over)
    kept = {"question": _clean(asked.meant(bounded), bounded), "answer": _clean(said.meant(bounded), bounded)}
    return rfc8785.dumps(kept)


class _Content:
    """One body, unpacked, with its kind."""

    def __init__(self, raw: bytes, chunked: bool, head: dict[bytes, bytes], limit: int) -> None:
        if chunked:
            raw, _ = dechunk(raw)
        self.kind = head.get(b"content-type", b"").lower()
        unpacked = Unpacked(head.get(b"content-encoding", b"").decode("latin-1"), limit)
        unpacked.take(raw)
        if unpacked.over_limit:
            raise NotKept(TOO_LARGE)
        if unpacked.unreadable:
            raise NotKept(UNREADABLE)
        self.data = unpacked.content()

    def meant(self, bounded: Bounded) -> Any:
        """Return what the body says, as JSON values."""
        if not self.data:
            return None
        if self.kind.startswith(b"text/event-stream"):
            return _stream(self.data, bounded)
        if self.kind.startswith(_FORM):
            return _form(self.data)
        try:
            return parse_json(self.data)
        except NotJson as error:
            if b"json" in self.kind and not error.cut_off:
                raise NotKept(UNREADABLE) from None
        return _text(self.data)


def _form(data: bytes) -> list[list[str]]:
    try:
        pairs = parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_MOST_PAIRS)
    except ValueError:
        raise NotKept(UNREADABLE) from None
    return [list(pair) for pair in pairs]


def _text(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotKept(UNREADABLE) from None
    if "\0" in text:
        raise NotKept(UNREADABLE)
    return text


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _stream(data: bytes, bounded: Bounded) -> dict[str, Any]:
    """Return what a stream said, put together: its pieces alone would hide what must be taken out."""
    if dialect_of(data) is Dialect.OTHER and b'"candidates"' not in data:
        raise NotKept(UNREADABLE)
    said: list[str] = []
    refusal: list[str] = []
    named: dict[str, Any] = {}
    for value in _objects(data, bounded):
        text, refused = text_of(value)
        said += [text] if text else []
        refusal += [refused] if refused else []
        named |= {key: found for key in ("id", "model") if (found := as_text(_named(value).get(key))) and key not in named}
    return {**named, "text": "".join(said)} | ({"refusal": "".join(refusal)} if refusal else {})


def _objects(data: bytes, bounded: Bounded) -> Iterator[dict[str, Any]]:
    for event in events(data):
        bounded.count()
        yield object_of(event.data)


def _named(value: dict[str, Any]) -> dict[str, Any]:
    """Return the object that names answer and model: the event, or what it carries."""
    return as_object(value.get("message") or value.get("response")) or value


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _clean(value: Any, redact: Bounded, depth: int = 0) -> Any:
    """Return a JSON value with every text in it redacted, names and long numbers included."""
    redact.count()
    if depth > _DEEPEST:
        raise NotKept(UNREADABLE)
    if isinstance(value, str):
        return clean_text(value, redact)
    if isinstance(value, list):
        return [_clean(one, redact, depth + 1) for one in value]
    if isinstance(value, dict):
        return {clean_text(name, redact): _entry(name, one, redact, depth) for name, one in value.items()}
    if isinstance(value, bool) or value is None:
        return value
    return _number(value, redact)


def _number(value: float, redact: Redact) -> Any:
    if not isfinite(value):
        return None
    if abs(value) < _LONG:
        return value
    shown = str(value)
    return value if redact(shown) == shown else redact(shown)


def _entry(name: str, value: Any, redact: Bounded, depth: int) -> Any:
    """Return a value as it may stand under a name: ``password`` makes a secret of what would be a word elsewhere."""
    if not isinstance(value, str):
        return _clean(value, redact, depth + 1)
    before = f"{name}: "
    fit = redact(before + value)
    if fit == before + value:
        return clean_text(value, redact)
    return clean_text(fit.removeprefix(before), redact) if fit.startswith(before) else SECRET


def clean_text(text: str, redact: Redact) -> str:
    """Return a text as it may be kept; what it hides in escapes of its own (JSON in a text of JSON) is taken out too."""
    fit = redact(text)
    for _ in range(_MOST_LAYERS):
        if "\\" not in text:
            break
        text = _ESCAPED.sub(_unescaped, text)
        shown = redact(text)
        if shown != text:
            fit = shown
    return fit


def _unescaped(found: re.Match[str]) -> str:
    return " " if found[1] is None and found[0][1] != "\\" else "\\" if found[1] is None else chr(int(found[1], 16))
