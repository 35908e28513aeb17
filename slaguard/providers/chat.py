"""The chat dialect's answers, whole or streamed, as facts: what was said, and whether it came to its end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from slaguard.providers.reading import NotJson, as_count, as_object, as_text, parse_json
from slaguard.providers.sse import events

DONE: Final = b"[DONE]"


@dataclass(slots=True)
class Answer:
    """What was read of one answer.

    `error` is the code of an error that came with status 200, `malformed` what makes it no answer at all; `cut_off`
    means that it stops before its end. `said` and `refusal` hold the pieces of the text; `first_piece_end` is the
    offset in a stream at which the first piece was whole. `stream_end` is ``done``, ``finish`` (a finish reason and no
    ``[DONE]``) or ``none``.
    """

    said: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    model: str | None = None
    fingerprint: str | None = None
    id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None
    malformed: str | None = None
    cut_off: bool = False
    stream_end: str | None = None
    first_piece_end: int | None = None

    @property
    def text(self) -> str:
        """What the model said; its refusal where it said nothing else."""
        return "".join(self.said) or "".join(self.refusal)

    @property
    def refused(self) -> bool:
        """Whether it refused and said nothing else."""
        return not "".join(self.said).strip() and bool("".join(self.refusal).strip())

    def take_head(self, body: dict[str, Any]) -> None:
        """Take the handles and counts that stand beside the choices; the first name counts, the last count."""
        self.id = self.id or as_text(body.get("id"))
        self.model = self.model or as_text(body.get("model"))
        self.fingerprint = self.fingerprint or as_text(body.get("system_fingerprint"))
        usage = as_object(body.get("usage"))
        self.input_tokens = _latest(usage, "prompt_tokens", self.input_tokens)
        self.output_tokens = _latest(usage, "completion_tokens", self.output_tokens)

    def take_message(self, choice: dict[str, Any], message: dict[str, Any]) -> bool:
        """Take the text of a message or a delta; return whether there was some."""
        self.finish_reason = as_text(choice.get("finish_reason")) or self.finish_reason
        content, refusal = _content(message.get("content")), as_text(message.get("refusal"))
        if content:
            self.said.append(content)
        if refusal:
            self.refusal.append(refusal)
        return bool(content or refusal)


def _latest(usage: dict[str, Any], key: str, before: int | None) -> int | None:
    count = as_count(usage.get(key))
    return before if count is None else count


def _content(content: Any) -> str | None:
    if isinstance(content, list):
        parts = (as_text(as_object(part).get("text")) for part in content)
        return "".join(part for part in parts if part) or None
    return as_text(content)


def error_code(body: Any) -> str | None:
    """Return the vendor's word for an error; None where the value holds no error.

    Seen in the wild: ``{"error": {"code": …, "type": …}}`` with either null, the code a number, `error` a plain text,
    or everything one floor higher.
    """
    outer = as_object(body)
    error = outer.get("error")
    if error is None or error is False:
        return None
    inner = as_object(error)
    for value in (inner.get("code"), inner.get("type"), outer.get("code"), outer.get("type")):
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if as_text(value):
            return str(value)
    return "error"


def _choice(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the first choice; a question asks for one."""
    choices = body.get("choices")
    found = [as_object(c) for c in choices] if isinstance(choices, list) else []
    return next((c for c in found if as_count(c.get("index", 0)) == 0), None)


def read_whole(body: bytes) -> Answer:
    """Return what a ``chat.completion`` says."""
    answer = Answer()
    try:
        value = parse_json(body)
    except NotJson as error:
        answer.cut_off = error.cut_off
        answer.malformed = None if error.cut_off else "not_json"
        return answer
    answer.error = error_code(value)
    completion = as_object(value)
    answer.take_head(completion)
    choice = _choice(completion)
    if choice is not None:
        answer.take_message(choice, as_object(choice.get("message")))
    else:
        answer.malformed = "no_choices"
    return answer


def read_stream(body: bytes) -> Answer:
    """Return what a stream of ``chat.completion.chunk`` events says."""
    answer = Answer(stream_end="none")
    any_event = False
    for event in events(body):
        any_event = True
        if event.data.strip() == DONE:
            answer.stream_end = "done"
            break
        if _take_event(answer, event.data) and answer.first_piece_end is None:
            answer.first_piece_end = event.end
        if answer.error is not None:
            break
    if answer.stream_end == "none" and answer.finish_reason is not None:
        answer.stream_end = "finish"
    answer.cut_off = answer.cut_off or answer.stream_end != "done"
    if not any_event and not body.lstrip().startswith((b"data", b":", b"event", b"id", b"retry")):
        answer.malformed = "no_events"
    return answer


def _take_event(answer: Answer, data: bytes) -> bool:
    """Take one event; return whether it brought text."""
    try:
        chunk = as_object(parse_json(data))
    except NotJson:
        answer.cut_off = True  # a piece of the answer cannot be read, so the answer is not whole
        return False
    answer.error = error_code(chunk)
    answer.take_head(chunk)
    choice = _choice(chunk)
    return choice is not None and answer.take_message(choice, as_object(choice.get("delta")))


def piece_arrival(marks: Iterable[tuple[int, int]], end: int | None) -> int | None:
    """Return when the bytes up to `end` had come, by the marks of an Exchange."""
    if end is None:
        return None
    return next((at for size, at in marks if size >= end), None)
