"""Streams as vendors speak them: the pieces of each as they stand on the wire."""

from __future__ import annotations

import json
from typing import Any


def chunks(*pieces: bytes) -> list[bytes]:
    return [b"%x\r\n%s\r\n" % (len(p), p) for p in pieces] + [b"0\r\n\r\n"]


def event(value: Any, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(value).encode() + b"\n\n"


def chat_chunk(delta: dict[str, Any], finish: str | None = None, **other: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return event({"id": "c", "object": "chat.completion.chunk", "model": "m-1-2026", "choices": [choice], **other})


DONE = b"data: [DONE]\n\n"
CHAT = [
    chat_chunk({"role": "assistant", "content": ""}),
    chat_chunk({"content": "Four"}),
    *(chat_chunk({"content": f" and {n}"}) for n in range(40)),
    chat_chunk({}, "stop"),
    event({"object": "chat.completion.chunk", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 41}}),
    DONE,
]
MESSAGES = [
    event(
        {"type": "message_start", "message": {"model": "c-1", "usage": {"input_tokens": 25, "output_tokens": 1}}},
        "message_start",
    ),
    event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, "content_block_start"),
    event({"type": "ping"}, "ping"),
    event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}, "content_block_delta"),
    *(
        event({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "!"}}, "content_block_delta")
        for _ in range(30)
    ),
    event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 15}}, "message_delta"),
    event({"type": "message_stop"}, "message_stop"),
]
RESPONSES = [
    event({"type": "response.created", "response": {"id": "r", "model": "g-1", "error": None}}, "response.created"),
    event({"type": "response.output_text.delta", "delta": "Four"}, "response.output_text.delta"),
    event(
        {"type": "response.completed", "response": {"status": "completed", "error": None, "x": "y" * 5000}},
        "response.completed",
    ),
]
