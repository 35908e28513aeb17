"""The OpenAI-compatible chat dialect as values and bytes: completions, stream events, errors."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

_WORDS: Final = re.compile(r"\S+\s*|\s+")
_PIECES: Final = 4
_TOKENS: Final = '"prompt_tokens": '


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One answer before it is put on the wire."""

    id: str
    created: int  # seconds UTC
    model: str
    fingerprint: str
    text: str
    prompt_tokens: int
    refused: bool = False
    finish: str = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """How an answer is written; the defaults are what vendors do. All but `digits` and `ascii` touch streams alone."""

    newline: str = "\n"
    multiline: bool = False
    ascii: bool = True
    piece: int | None = None  # write the stream in pieces of so many bytes
    digits: int = 0  # digits put before the count of prompt tokens


def estimate_tokens(text: str) -> int:
    """Return a token count good enough for a usage block: four bytes a token, at least one."""
    return max(1, len(text) // 4)


def usage(message: Message) -> dict[str, int]:
    """Return the usage block."""
    completion = estimate_tokens(message.text)
    return {
        "prompt_tokens": message.prompt_tokens,
        "completion_tokens": completion,
        "total_tokens": message.prompt_tokens + completion,
    }


def completion(message: Message) -> dict[str, object]:
    """Return the body of a ``chat.completion``; a refusal stands in its own field, as in the real dialect."""
    content, refusal = (None, message.text) if message.refused else (message.text, None)
    return {
        "id": message.id,
        "object": "chat.completion",
        "created": message.created,
        "model": message.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
                "logprobs": None,
                "finish_reason": message.finish,
            }
        ],
        "usage": usage(message),
        "system_fingerprint": message.fingerprint,
    }


def _chunk(message: Message, choices: list[object], **more: object) -> dict[str, object]:
    return {
        "id": message.id,
        "object": "chat.completion.chunk",
        "created": message.created,
        "model": message.model,
        "system_fingerprint": message.fingerprint,
        "choices": choices,
        **more,
    }


def _choice(delta: dict[str, object], finish: str | None = None) -> list[object]:
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


def pieces(text: str) -> list[str]:
    """Split `text` between words into at most four pieces that join to it again."""
    words = _WORDS.findall(text)
    step = max(1, -(-len(words) // _PIECES))
    return ["".join(words[i : i + step]) for i in range(0, len(words), step)]


def chunks(message: Message, *, with_usage: bool) -> list[dict[str, object]]:
    """Return the events of a stream as values, without the final ``[DONE]``."""
    key = "refusal" if message.refused else "content"
    events = [_chunk(message, _choice({"role": "assistant", key: ""}))]
    events += [_chunk(message, _choice({key: piece})) for piece in pieces(message.text)]
    events.append(_chunk(message, _choice({}, message.finish)))
    if with_usage:
        events.append(_chunk(message, [], usage=usage(message)))
    return events


def encode(value: dict[str, object], framing: Framing) -> str:
    """Return `value` as JSON text. The digits are spliced in as text: Python itself refuses to print such a number."""
    text = json.dumps(value, ensure_ascii=framing.ascii, indent=1 if framing.multiline else None)
    return text.replace(_TOKENS, _TOKENS + "9" * framing.digits) if framing.digits else text


def event(value: dict[str, object], framing: Framing) -> bytes:
    """Return one server-sent event."""
    lines = [f"data: {line}{framing.newline}" for line in encode(value, framing).split("\n")]
    return ("".join(lines) + framing.newline).encode()


def done(framing: Framing) -> bytes:
    """Return the event that ends a stream."""
    return f"data: [DONE]{framing.newline * 2}".encode()


def error(message: str, kind: str, code: str | None = None) -> dict[str, object]:
    """Return the body of an error."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}
