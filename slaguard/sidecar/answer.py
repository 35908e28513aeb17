"""What an answer says of itself: an error inside a 200, a refusal, a filter, nothing at all; whole answers and streams.

An answer is looked at for signs first, because nearly all have none; only one that has is parsed. Streams are read with
the readers of the probes (`providers`), as far as the windows show them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Any, Final

from pydantic_core import from_json

from slaguard.providers.chat import error_code
from slaguard.providers.reading import NotJson, as_object, as_text, parse_json
from slaguard.providers.sse import Event, events
from slaguard.sidecar.scan import CUT, Seen, own

_ERROR: Final = re.compile(rb'"error"\s*:\s*(?:\{\s*+[^}]|"[^"])')
_IS_ERROR: Final = re.compile(rb'"(?:object|type)"\s*:\s*"error"')
_CODE: Final = re.compile(rb'"(?:code|type)"\s*:\s*"([^"\\]{1,128})"')
_FILTERED: Final = re.compile(rb'"(?:finish_reason|reason)"\s*:\s*"content_filter"')
_OTHER_CONTENT: Final = ("tool_calls", "function_call", "audio", "reasoning_content", "reasoning", "images")
"""What a message can hold beside text."""
NOT_JSON: Final = "not_json"
_MOST_CHOICES: Final = 32
_MOST_EVENTS: Final = 100
"""Events of a window that are looked at; usual ones have two hundred bytes, and a window has room for twenty."""


@dataclass(slots=True)
class Said:
    """What was found. `error` is the code of an error; `first_end` where in the answer its first text was whole.

    `done`: whether a stream said its own last word; None where its kind has none, or where that cannot be told.
    """

    error: str | None = None
    empty: bool = False
    refused: bool = False
    filtered: bool = False
    cut_off: bool = False
    done: bool | None = None
    stream_end: str | None = None
    first_end: int | None = None


# ── whole answers ───────────────────────────────────────────────────────────────────────────────────────────────────
def read_whole(body: Seen) -> Said | None:
    """Return what a JSON answer with a status of success says; None: nothing but its text."""
    value = body.value
    if body.broken is not None:
        return Said(cut_off=True) if body.broken == CUT else Said(error=body.broken)
    if value is None:
        return _read_broken(body.head) if body.whole else _read_parts(body)
    if (code := _error_in(value)) is not None:
        return Said(error=code)
    choices = value.get("choices")
    if isinstance(choices, list):
        return _read_choices([as_object(choice) for choice in choices[:_MOST_CHOICES]])
    if value.get("type") == "message":
        refused = value.get("stop_reason") == "refusal"
        return Said(refused=refused, empty=not refused and not value.get("content"))
    if value.get("object") == "response":
        filtered = as_object(value.get("incomplete_details")).get("reason") == "content_filter"
        return Said(filtered=filtered, refused=_refuses(value.get("output")))
    return None


def is_plain(value: dict[str, Any]) -> bool:
    """Tell whether an answer is what nearly all are: text, whatever it says. False: `read_whole` tells what it is."""
    choices = value.get("choices")
    if value.get("error") or value.get("object") == "error" or choices.__class__ is not list or not choices:
        return False
    choice = choices[0]
    message = choice.get("message") if choice.__class__ is dict else None
    text = message.get("content") if message.__class__ is dict else None
    return text.__class__ is str and bool(text) and not text.isspace() and choice.get("finish_reason") != "content_filter"


def _read_broken(head: bytes) -> Said | None:
    """Return what is wrong with an answer that should be JSON; a list or a single value is fine."""
    try:
        parse_json(head)
    except NotJson as error:
        return Said(cut_off=True) if error.cut_off else Said(error=NOT_JSON)
    return None


def _read_choices(choices: list[dict[str, Any]]) -> Said | None:
    """Return what several answers to one question say: one that holds something is enough, and the first may be filtered."""
    found = [_read_choice(choice) for choice in choices] or [Said(empty=True)]
    first = found[0]
    if first is None or first.filtered or None in found:
        return first if first is not None and first.filtered else None
    return next((said for said in found if said is not None and not said.empty), first)


def _read_choice(choice: dict[str, Any]) -> Said | None:
    message = choice.get("message")
    text = message.get("content") if isinstance(message, dict) else choice.get("text")
    has_text = bool(text.strip()) if isinstance(text, str) else bool(text)
    filtered = choice.get("finish_reason") == "content_filter"
    if has_text and not filtered:
        return None
    message = as_object(message)
    refused = not has_text and as_text(message.get("refusal")) is not None
    others = any(message.get(name) for name in _OTHER_CONTENT)
    return Said(filtered=filtered, refused=refused, empty=not (has_text or refused or others))


def _refuses(output: Any) -> bool:
    """Tell whether every part of a response is a refusal."""
    items = [as_object(item) for item in output] if isinstance(output, list) else []
    parts = [as_object(part) for item in items if isinstance(item.get("content"), list) for part in item["content"]]
    return bool(parts) and all(part.get("type") == "refusal" for part in parts)


def _read_parts(body: Seen) -> Said:
    code = _error_shown(body)
    if code is not None:
        return Said(error=code)
    ends = body.tail.rstrip().endswith((b"}", b"]"))
    is_json = body.head.lstrip()[:1] in {b"{", b"["}
    return Said(cut_off=is_json and bool(body.tail) and not ends, filtered=_FILTERED.search(body.tail) is not None)


def _error_shown(body: Seen) -> str | None:
    """Return the code of an error that a large object holds as its own; None where none is seen."""
    found = next(own(_ERROR, body), None)
    if found is None and next(own(_IS_ERROR, body), None) is None:
        return None
    at = 0 if found is None else found.start()
    code = _CODE.search(body.head if found is None else found.string, at)
    return "error" if code is None or code[1] == b"error" else code[1].decode("utf-8", "replace")


def error_of(body: Seen) -> str | None:
    """Return the vendor's word for an error that came with its own status."""
    return error_code(body.value) if body.value is not None else _error_shown(body)


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class Dialect(Enum):
    """Whose streams these are: what their last word is hangs on it."""

    CHAT = "chat"
    MESSAGES = "messages"
    RESPONSES = "responses"
    OTHER = "other"


_LAST_WORDS: Final = {
    Dialect.MESSAGES: frozenset({"message_stop"}),
    Dialect.RESPONSES: frozenset({"response.completed", "response.failed", "response.incomplete", "response.cancelled"}),
}
_DONE: Final = re.compile(rb"(?:\A|[\r\n])data:[ \t]*\[DONE\][ \t\r\n]*\Z")
_DATA: Final = re.compile(rb"(?:\A|[\r\n])data")
_COMMENTS: Final = re.compile(rb"[^\r\n]*+(?:[\r\n]++:[^\r\n]*+)++[\r\n]*+")
"""The end of what was keep-alive comments, of which the first line may be half."""


def dialect_of(head: bytes) -> Dialect:
    """Return whose stream begins like this."""
    if b'"chat.completion.chunk"' in head or b'"text_completion"' in head or (b'"choices"' in head and b'"delta"' in head):
        return Dialect.CHAT
    if b'"message_start"' in head:
        return Dialect.MESSAGES
    return Dialect.RESPONSES if b'"response.created"' in head or b'"response.queued"' in head else Dialect.OTHER


def _dialect(body: Seen) -> Dialect:
    """Return whose stream it is; comments can fill all of its first bytes, so that the last ones must tell."""
    kind = dialect_of(body.head)
    if kind is not Dialect.OTHER or _DATA.search(body.head):
        return kind
    if b'"content_block_' in body.tail or b'"message_delta"' in body.tail or b'"message_stop"' in body.tail:
        return Dialect.MESSAGES
    return Dialect.RESPONSES if b'"type":"response.' in body.tail else dialect_of(body.tail)


def read_stream(body: Seen, *, asked: bool = True) -> Said:
    """Return what a stream says of itself.

    Args:
        body: what is seen of it.
        asked: whether a model was asked, so that nothing at all is no answer.

    """
    if body.broken is not None and body.broken != CUT:
        return Said(error=body.broken)
    if not (_has_event(body.head) or (not body.whole and _has_event(body.tail))):
        return _read_nothing(body, asked=asked)
    kind = _dialect(body)
    said = Said(cut_off=body.broken is not None)
    is_refusal, has_other = _find_first(body.head, said)
    last = last_events(body.tail)
    finish = _take_last(said, last)
    if kind is Dialect.CHAT:
        said.done = _says_done(body.tail, last)
        said.stream_end = "done" if said.done else "finish" if finish is not None else "none"
    elif kind is not Dialect.OTHER:
        said.done = finish in _LAST_WORDS[kind]
        said.stream_end = "done" if said.done else "none"
    if said.done is False and not _shows_its_end(body, kind):
        said.done = said.stream_end = None
    said.refused = said.refused or (is_refusal and b'"content":"' not in body.tail.replace(b'"content":""', b""))
    said.empty = kind is Dialect.CHAT and body.whole and said.first_end is None and not has_other
    return said


def _has_event(part: bytes) -> bool:
    return next(events(part), None) is not None


def last_events(tail: bytes) -> list[Event]:
    """Return the last events, without those before the first one that may matter: most are a piece of text and no more."""
    found = [at for sign in _SIGNS if (at := tail.find(sign)) >= 0]
    if (finish := _FINISH.search(tail)) is not None:
        found.append(finish.start())
    if not found:
        return []
    before = -1 if b"\r" in tail else tail.rfind(b"\n\n", 0, min(found))
    return list(events(tail, before + 2 if before >= 0 else 0))[-_MOST_EVENTS:]


def _read_nothing(body: Seen, *, asked: bool) -> Said:
    """Return what a stream without an event in sight is: an object that has the wrong name, nothing, or half of something."""
    if body.value is not None:
        return read_whole(body) or Said()
    if body.whole:
        begun = _DATA.search(body.head) is not None
        return Said(cut_off=begun, empty=asked and not begun)
    comments = _DATA.search(body.head) is None and _COMMENTS.fullmatch(body.tail) is not None
    return Said(cut_off=body.broken is not None or (asked and comments))


def _shows_its_end(body: Seen, kind: Dialect) -> bool:
    """Tell whether the last bytes show which event was the last: one of a response can be larger than a window."""
    if body.whole:
        return True
    if kind is Dialect.RESPONSES:
        return b'"type":"response.' in body.tail or b"event: response." in body.tail
    return b"data:" in body.tail


def _says_done(tail: bytes, last: list[Event]) -> bool:
    if _DONE.search(tail, max(0, tail.rfind(b"data:") - 1)) is not None:
        return True
    return any(event.data.strip() == b"[DONE]" for event in last[-_LAST_EVENTS:])


def _find_first(head: bytes, said: Said) -> tuple[bool, bool]:
    """Find the first event that brought text, and an error; return whether it refused, and whether anything else came."""
    has_other = is_refusal = False
    for event in islice(events(head), _MOST_EVENTS):
        data = event.data
        if said.first_end is not None:
            if event.name == b"error" or (b'"error"' in data and MATTERS.search(data)):
                said.error = said.error or _error_of(event, _object(data))
            continue
        value = _object(data)
        if not value and event.name != b"error":
            continue
        said.error = said.error or _error_of(event, value)
        text, refusal = text_of(value)
        if not (text or refusal):
            has_other = has_other or _brings_other(value)
            continue
        said.first_end = event.end
        is_refusal = not text
        if b"error" not in head[event.end :]:
            break  # nothing else is looked for behind the first text
    return is_refusal, has_other


def _brings_other(value: dict[str, Any]) -> bool:
    """Tell whether a chunk brings something beside text: a call of a tool, a thought, a picture."""
    choices = value.get("choices")
    deltas = [as_object(as_object(choice).get("delta")) for choice in choices] if isinstance(choices, list) else []
    return any(delta.get(name) for delta in deltas for name in _OTHER_CONTENT)


def text_of(value: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return the text and the refusal that an event brings."""
    choices = value.get("choices")
    if isinstance(choices, list):
        choice = as_object(next(iter(choices), None))
        delta = as_object(choice.get("delta"))
        return as_text(delta.get("content")) or as_text(choice.get("text")), as_text(delta.get("refusal"))
    match value.get("type"):
        case "content_block_delta":
            return as_text(as_object(value.get("delta")).get("text")), None
        case "response.output_text.delta":
            return as_text(value.get("delta")), None
        case "response.refusal.delta":
            return None, as_text(value.get("delta"))
    return _candidate(value), None


def _candidate(value: dict[str, Any]) -> str | None:
    candidates = value.get("candidates")
    content = as_object(as_object(next(iter(candidates), None)).get("content")) if isinstance(candidates, list) else {}
    parts = content.get("parts")
    return as_text(as_object(next(iter(parts), None)).get("text")) if isinstance(parts, list) else None


MATTERS: Final = re.compile(
    rb'"finish_reason"\s*:\s*"|"stop_reason"\s*:\s*"|"error"\s*:\s*[^\sn]|"(?:object|type)"\s*:\s*"(?:error|response\.|message_)'
)
_SIGNS: Final = (b"[DONE]", b"error", b'"response.', b'"message_', b'"stop_reason"')
_FINISH: Final = re.compile(rb'"finish_reason"(?!\s*:\s*null)')
"""One of these, or of `_SIGNS`, stands in every event that `MATTERS`, or that is named an error, or is the end mark."""
_LAST_EVENTS: Final = 16


def _take_last(said: Said, last: list[Event]) -> str | None:
    """Take what the last events say: an error, a filter, a refusal. Return the last finish reason or kind of event."""
    finish: str | None = None
    for event in last:
        if event.name != b"error" and MATTERS.search(event.data) is None:
            continue  # nearly all: a piece of text, whose finish reason is null
        value = _object(event.data)
        said.error = said.error or _error_of(event, value)
        choices = value.get("choices")
        if isinstance(choices, list):
            finish = as_text(as_object(next(iter(choices), None)).get("finish_reason")) or finish
            said.filtered = said.filtered or finish == "content_filter"
        else:
            finish = as_text(value.get("type")) or finish
            said.refused = said.refused or as_object(value.get("delta")).get("stop_reason") == "refusal"
            said.filtered = said.filtered or _reason(value) == "content_filter"
    return finish


def _reason(value: dict[str, Any]) -> Any:
    return as_object(as_object(value.get("response")).get("incomplete_details")).get("reason")


def _error_of(event: Event, value: dict[str, Any]) -> str | None:
    """Return the code of the error that an event is: by what it holds, or by its name."""
    code = _error_in(value) or _error_in(as_object(value.get("response")))
    if code is None and event.name == b"error":
        return error_code({"error": value})
    return code


def _error_in(value: dict[str, Any]) -> str | None:
    """Return the code of the error that an object is; an empty ``error`` beside an answer is none."""
    error = value.get("error")
    if error:
        return error_code(value)
    if value.get("object") == "error" or (value.get("type") == "error" and error is None):
        code = error_code({"error": {**value, "type": None if value.get("type") == "error" else value.get("type")}})
        return code or "error"
    is_empty = error is not None and error is not False and not _ANSWERS.intersection(value)
    return "error" if is_empty else None


_ANSWERS: Final = frozenset({"choices", "content", "output", "data", "candidates", "object", "message", "text", "result"})
"""Keys one of which an answer has."""


def _object(data: bytes) -> dict[str, Any]:
    return object_of(data) if data[:1] in {b"{", b" "} else {}


def object_of(data: bytes) -> dict[str, Any]:
    """Return the object that the data of an event are, an empty one where they are none."""
    try:
        return as_object(from_json(data, cache_strings="keys"))
    except ValueError:
        pass
    try:
        return as_object(parse_json(data))
    except NotJson:
        return {}
