"""What a vendor of language models answers, in the forms of OpenAI and Anthropic; the `model` of a request chooses."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tests.sidecar.wire_vendor import Do, Request, Script, Step

Body = Mapping[str, Any]
TEXT: Final = "Grüße aus 東京 🙂: ‘quoted’ \u2028 and \\ escaped"
ARGUMENTS: Final = '{"city": "Zürich", "days": [1, 2, 3], "note": "a \\"b\\" \\u20ac"}'
UPLOADED: Final = "/v1/files/content"


# ── the ways to say it ──────────────────────────────────────────────────────────────────────────────────────────────
def answered(body: bytes | Body, *fields: str, status: str = "200 OK") -> bytes:
    """Return an answer with a length."""
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    lines = [
        f"HTTP/1.1 {status}",
        "Date: Tue, 03 Mar 2026 10:00:00 GMT",
        "Content-Type: application/json",
        "x-request-id: req_1",
        *fields,
    ]
    return "\r\n".join([*lines, f"Content-Length: {len(data)}", "", ""]).encode() + data


def chunk(data: bytes) -> bytes:
    """Return a chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def streamed(events: Sequence[bytes], *ending: Step, old: bool = False) -> Script:
    """Return an event stream, an event a chunk; `old`: for a client of HTTP/1.0, the end of the connection ends it."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nrequest-id: req_2\r\n"
    if old:
        return [f"{head}Connection: close\r\n\r\n".encode(), *events, Do.CLOSE]
    return [f"{head}Transfer-Encoding: chunked\r\n\r\n".encode(), *map(chunk, events), *(ending or (chunk(b""),))]


def event(data: Body | str, name: str | None = None, end: str = "\n") -> bytes:
    """Return an event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return "".join([f"event: {name}{end}" if name else "", f"data: {text}{end}", end]).encode()


# ── OpenAI ──────────────────────────────────────────────────────────────────────────────────────────────────────────
USAGE: Final = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
CALLED: Final = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}


def _completion(message: Body, reason: str) -> Body:
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1772532000,
        "model": "m",
        "choices": [choice],
        "usage": USAGE,
    }


def _delta(delta: Body, reason: str | None = None) -> Body:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "chatcmpl-2", "object": "chat.completion.chunk", "created": 1772532000, "model": "m", "choices": [choice]}


def _chat_events(*, tools: bool, end: str = "\n") -> list[bytes]:
    deltas: list[Body] = [{"role": "assistant", "content": "" if not tools else None}]
    if tools:
        deltas.append({"tool_calls": [{"index": 0, **CALLED, "function": {"name": "weather", "arguments": ""}}]})
        pieces = [ARGUMENTS[at : at + 5] for at in range(0, len(ARGUMENTS), 5)]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces]
    else:
        deltas += [{"content": TEXT[at : at + 3]} for at in range(0, len(TEXT), 3)]
    events = [event(_delta(delta), end=end) for delta in deltas]
    last = {**_delta({}), "choices": [], "usage": USAGE}
    return [*events, f": ping{end}{end}".encode(), event(_delta({}, "tool_calls" if tools else "stop"), end=end),
            event(last, end=end), event("[DONE]", end=end)]  # fmt: skip


def _chat(body: Body, *, old: bool) -> Script:
    model, tools = body["model"], bool(body.get("tools"))
    if not body.get("stream"):
        message = {"role": "assistant", "content": None if tools else TEXT, **({"tool_calls": [CALLED]} if tools else {})}
        return [
            answered(
                _completion(message, "tool_calls" if tools else "stop"),
                "openai-processing-ms: 42",
                "Set-Cookie: __cf=1; Path=/",
            )
        ]
    events = _chat_events(tools=tools, end="\r\n" if model == "crlf" else "\n")
    match model:
        case "cut":
            return streamed(events[:6], chunk(events[6])[:-9], Do.CLOSE)
        case "no-last-chunk":
            return streamed(events, Do.CLOSE)
        case "reset":
            return streamed(events[:6], Do.RESET)
        case "stall":
            return streamed(events[:3], Do.HANG)
        case "error-inside":
            return streamed([*events[:4], event({"error": {"message": "overloaded", "type": "server_error", "code": "x"}})])
        case "one-write":
            return [b"".join(step for step in streamed(events) if isinstance(step, bytes))]
        case "split":
            whole = b"".join(step for step in streamed(events) if isinstance(step, bytes))
            return [whole[at : at + 7] for at in range(0, len(whole), 7)]
        case _:
            return streamed(events, old=old)


def _response(body: Body) -> Script:
    part = {"type": "output_text", "text": TEXT, "annotations": []}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    whole = {
        "id": "resp_1", "object": "response", "created_at": 1772532000, "model": "m", "status": "completed", "output": [item],
        "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
    }  # fmt: skip
    if not body.get("stream"):
        return [answered(whole)]
    deltas = [{"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
               "sequence_number": n + 1, "delta": letter, "logprobs": []} for n, letter in enumerate(TEXT)]  # fmt: skip
    first = {"type": "response.created", "sequence_number": 0, "response": {**whole, "status": "in_progress", "output": []}}
    last = {"type": "response.completed", "sequence_number": len(TEXT) + 1, "response": whole}
    return streamed([event(data, str(data["type"])) for data in (first, *deltas, last)])


# ── Anthropic ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _message(content: Sequence[Body], reason: str | None) -> Body:
    usage = {"input_tokens": 9, "output_tokens": 12}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": reason,
            "stop_sequence": None, "usage": usage}  # fmt: skip


def _message_events(*, tools: bool) -> list[bytes]:
    block: Body = (
        {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}} if tools else {"type": "text", "text": ""}
    )
    said = ARGUMENTS if tools else TEXT
    kind, key = ("input_json_delta", "partial_json") if tools else ("text_delta", "text")
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": kind, key: said[at : at + 4]}}
        for at in range(0, len(said), 4)
    ]
    ended = {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use" if tools else "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 12},
    }
    found: list[Body] = [
        {"type": "message_start", "message": _message([], None)},
        {"type": "content_block_start", "index": 0, "content_block": block}, {"type": "ping"}, *deltas,
        {"type": "content_block_stop", "index": 0}, ended, {"type": "message_stop"},
    ]  # fmt: skip
    return [event(data, str(data["type"])) for data in found]


def _messages(body: Body) -> Script:
    tools = bool(body.get("tools"))
    if not body.get("stream"):
        used = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": json.loads(ARGUMENTS)}
        content = [{"type": "text", "text": TEXT}, *([used] if tools else [])]
        return [answered(_message(content, "tool_use" if tools else "end_turn"), "anthropic-ratelimit-requests-remaining: 3")]
    events = _message_events(tools=tools)
    match body["model"]:
        case "cut":
            return streamed(events[:5], Do.CLOSE)
        case "error-inside":
            return streamed(
                [*events[:5], event({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")]
            )
        case "stall":
            return streamed(events[:3], Do.HANG)
        case _:
            return streamed(events)


# ── what both have ──────────────────────────────────────────────────────────────────────────────────────────────────
def _error(code: int, reason: str, *fields: str) -> Script:
    error = {"message": f"{reason}: {TEXT}", "type": "t", "param": None, "code": "c"}
    return [answered({"type": "error", "error": error}, *fields, status=f"{code} {reason}")]


ERRORS: Final[Mapping[str, Script]] = {
    "bad": _error(400, "Bad Request"), "unauthorized": _error(401, "Unauthorized"), "forbidden": _error(403, "Forbidden"),
    "missing": _error(404, "Not Found"), "broken": _error(500, "Internal Server Error"),
    "limited": _error(429, "Too Many Requests", "retry-after: 20", "x-ratelimit-remaining-requests: 0"),
    "overloaded": _error(529, "Overloaded"), "away": _error(503, "Service Unavailable"),
    "page": [b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<h1>away</h1>\n"],
    "no-json": [answered(b'{"id": "chatcmpl')], "empty": [answered(b"")], "hang": [Do.HANG], "gone": [Do.CLOSE],
    "short": [answered({"id": "short"})[:-3], Do.CLOSE],
}  # fmt: skip


def _packed(request: Request) -> Script:
    """Answer packed where the client takes it."""
    plain = json.dumps(_completion({"role": "assistant", "content": TEXT * 40}, "stop")).encode()
    if not any(b"gzip" in value for value in request.head.values(b"accept-encoding")):
        return [answered(plain)]
    return [answered(gzip.compress(plain, mtime=0), "Content-Encoding: gzip", "Vary: Accept-Encoding")]


def _uploaded(request: Request) -> Script:
    """Say how much came; a client that waits to be told to go on is told."""
    waits = bool(request.head.values(b"expect"))
    go_on: list[Step] = [b"HTTP/1.1 100 Continue\r\n\r\n"] if waits else []
    return [*go_on, Do.WHOLE, answered({"method": request.method, "bytes": len(request.payload)})]


def _asked(request: Request) -> Script:
    body = json.loads(request.payload)
    model = str(body.get("model"))
    if model in ERRORS:
        return ERRORS[model]
    if model == "packed":
        return _packed(request)
    path = request.target.partition("?")[0]
    by_path: Mapping[str, Callable[[], Script]] = {
        "/v1/chat/completions": lambda: _chat(body, old=request.head.line.endswith(b"1.0")),
        "/v1/responses": lambda: _response(body),
        "/v1/messages": lambda: _messages(body),
        "/v1/messages/count_tokens": lambda: [answered({"input_tokens": 2095})],
        "/v1/embeddings": lambda: [answered({"object": "list", "model": "m", "usage": {"prompt_tokens": 2, "total_tokens": 2},
                                             "data": [{"object": "embedding", "index": 0, "embedding": [0.25, -1.5, 3.0]}]})],
    }  # fmt: skip
    return by_path[path]()


def answer(request: Request) -> Script:
    """Return what a request is answered with (a `wire_vendor.Book` for requests whose body has been read)."""
    if request.target == UPLOADED:
        return _uploaded(request)
    if request.method == "POST":
        return _asked(request)
    if request.method == "DELETE":
        return [b"HTTP/1.1 204 No Content\r\nx-request-id: req_3\r\n\r\n"]
    listed = answered({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "acme"}]})
    return [listed.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if request.method == "HEAD" else listed]
