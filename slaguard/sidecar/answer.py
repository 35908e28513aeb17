"""What an answer says of itself: an error inside a 200, a refusal, a filter, nothing at all; whole answers and streams.

An answer is looked at for signs first, because nearly all have none; only one that has is parsed. Streams are read with
the readers of the probes (`providers`), as far as the windows show them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from slaguard.providers.chat import error_code
from slaguard.providers.reading import NotJson, as_object, as_text, parse_json
from slaguard.providers.sse import events
from slaguard.sidecar.scan import Seen

_ERROR_FIRST: Final = re.compile(rb'\s*\{\s*(?:"type"\s*:\s*"error"\s*,\s*)?"error"\s*:\s*[{"]')
_CODE: Final = re.compile(rb'"(?:code|type)"\s*:\s*"([^"\\]{1,128})"')
_FILTERED: Final = re.compile(rb'"(?:finish_reason|reason)"\s*:\s*"content_filter"')
_OTHER_CONTENT: Final = ("tool_calls", "function_call", "audio", "reasoning_content", "reasoning", "images")
"""What a message can hold beside text."""
NOT_JSON: Final = "not_json"


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
    if value is None:
        return _read_broken(body.head) if body.whole else _read_parts(body)
    if value.get("error") is not None:
        code = error_code(value)
        return None if code is None else Said(error=code)
    choices = value.get("choices")
    if isinstance(choices, list):
        return _read_choice(as_object(choices[0]) if choices else {})
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
    if value.get("error") is not None or choices.__class__ is not list or not choices:
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
    error = _ERROR_FIRST.match(body.head)
    if error is not None:
        return Said(error=_code_in(body.head))
    ends = body.tail.rstrip().endswith((b"}", b"]"))
    is_json = body.head.lstrip()[:1] in {b"{", b"["}
    return Said(cut_off=is_json and bool(body.tail) and not ends, filtered=_FILTERED.search(body.tail) is not None)


def _code_in(head: bytes) -> str:
    found = _CODE.search(head, head.find(b'"error"'))
    return "error" if found is None else found[1].decode("utf-8", "replace")


def error_of(body: Seen) -> str | None:
    """Return the vendor's word for an error that came with its own status."""
    if body.value is not None:
        return error_code(body.value)
    return _code_in(body.head) if _ERROR_FIRST.match(body.head) else None


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
_DONE: Final = b"[DONE]"


def dialect_of(head: bytes) -> Dialect:
    """Return whose stream begins like this."""
    if b'"chat.completion.chunk"' in head or b'"text_completion"' in head or (b'"choices"' in head and b'"delta"' in head):
        return Dialect.CHAT
    if b'"message_start"' in head:
        return Dialect.MESSAGES
    return Dialect.RESPONSES if b'"response.created"' in head or b'"response.queued"' in head else Dialect.OTHER


def read_stream(body: Seen) -> Said:
    """Return what a stream says of itself."""
    kind = dialect_of(body.head)
    said = Said()
    is_refusal = _find_first(body.head, said)
    last = [event.data for event in events(body.tail)]
    finish = _take_last(said, last)
    if kind is Dialect.CHAT:
        said.done = _DONE in {data.strip() for data in last} or body.tail.rstrip().endswith(_DONE)
        said.stream_end = "done" if said.done else "finish" if finish is not None else "none"
    elif kind is not Dialect.OTHER:
        said.done = finish in _LAST_WORDS[kind]
        said.stream_end = "done" if said.done else "none"
    if said.done is False and not _shows_its_end(body, kind):
        said.done = said.stream_end = None
    said.refused = said.refused or (is_refusal and b'"content":"' not in body.tail.replace(b'"content":""', b""))
    said.empty = kind is Dialect.CHAT and body.whole and said.first_end is None and b'"tool_calls"' not in body.head
    return said


def _shows_its_end(body: Seen, kind: Dialect) -> bool:
    """Tell whether the last bytes show which event was the last: one of a response can be larger than a window."""
    if body.whole:
        return True
    if kind is Dialect.RESPONSES:
        return b'"type":"response.' in body.tail or b"event: response." in body.tail
    return b"data:" in body.tail


def _find_first(head: bytes, said: Said) -> bool:
    """Find the first event that brought text; return whether it was a refusal."""
    for event in events(head):
        value = _object(event.data)
        text, refusal = text_of(value)
        if text or refusal:
            said.first_end = event.end
            return not text
    return False


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


def _take_last(said: Said, last: list[bytes]) -> str | None:
    """Take what the last events say: an error, a filter, a refusal. Return the last finish reason or kind of event."""
    finish: str | None = None
    for data in last:
        if not (b'"error"' in data or b"finish_reason" in data or b'"type"' in data):
            continue
        value = _object(data)
        said.error = said.error or _error_in(value)
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


def _error_in(value: dict[str, Any]) -> str | None:
    if value.get("type") == "error" and value.get("error") is None:
        return as_text(value.get("code")) or "error"
    return error_code(value) or error_code(value.get("response"))


def _object(data: bytes) -> dict[str, Any]:
    try:
        return as_object(parse_json(data))
    except NotJson:
        return {}
