"""The OpenAI-compatible adapter: the request it builds, and what it reads in what comes back, sound or hostile."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.cli.clock import SystemClock
from slaguard.config import Secret
from slaguard.providers.addresses import AddressPolicy
from slaguard.providers.base import Endpoint, Exchange, Prompt, Reply
from slaguard.providers.openai import OpenAIChat, read
from slaguard.providers.transport import HttpTransport
from slaguard.records import Instant, classify
from slaguard.terms import Attribution, Outcome

Start = Callable[..., Any]
JSON = b"Content-Type: application/json"
SSE = b"Content-Type: text/event-stream"
PROMPT = Prompt(model="acme-large", messages=(("system", "Be brief."), ("user", "Is 7 prime?")), parameters={"temperature": 0})
STREAMED = Prompt(model="acme-large", messages=(("user", "?"),), parameters={"stream": True})


def completion(content: object = "Answer: Yes", **more: object) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"} | more
    usage = {"prompt_tokens": 12, "completion_tokens": 3}
    head = {"id": "chatcmpl-1", "model": "acme-large-0926", "system_fingerprint": "fp_1"}
    return {**head, "choices": [choice], "usage": usage}


def chunk(delta: dict[str, object], finish: str | None = None, **more: object) -> bytes:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps({"id": "chatcmpl-1", "model": "acme-large-0926", "choices": choices, **more}).encode()


EVENTS = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Größe: "}),
    chunk({"content": "Answer: Yes"}),
    chunk({}, "stop"),
    b'data: {"choices": [], "usage": {"prompt_tokens": 12, "completion_tokens": 3}}',
    b"data: [DONE]",
]


def stream(events: list[bytes], newline: bytes = b"\n") -> bytes:
    return b"".join(event + newline * 2 for event in events)


def http(body: bytes, *headers: bytes, status: int = 200) -> bytes:
    head = [b"HTTP/1.1 %d X" % status, b"Content-Length: %d" % len(body), b"x-request-id: req_1", *headers]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def asked(start: Start, answer: object, prompt: Prompt = PROMPT, **limits: Any) -> Reply:
    async def run() -> Reply:
        async with start(answer) as vendor:
            policy = AddressPolicy(loopback=True)
            async with HttpTransport(SystemClock(), policy, **({"timeout_ms": 5000} | limits)) as transport:
                return await OpenAIChat(Endpoint(base_url=vendor.base_url), transport).complete(prompt)

    return asyncio.run(run())


def outcome(reply: Reply) -> Outcome:
    return classify(reply.facts)[0]


# ── the request ─────────────────────────────────────────────────────────────────────────────────────────────────────
class Nowhere:
    """A transport that is never used."""

    async def send(self, request: object) -> Exchange:
        raise AssertionError(request)


def test_the_request_holds_the_prompt_its_parameters_and_nothing_that_marks_a_probe() -> None:
    chat = OpenAIChat(Endpoint(base_url="https://api.acme.example/v1", key=Secret("sk-canary")), Nowhere())
    request = chat.request(Prompt(model=PROMPT.model, messages=PROMPT.messages, parameters=PROMPT.parameters, request_id="r1"))
    assert request.url == "https://api.acme.example/v1/chat/completions"
    assert json.loads(request.body) == {
        "model": "acme-large",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is 7 prime?"}],
        "temperature": 0,
    }
    assert [name for name, _ in request.headers] == ["Content-Type", "Accept-Encoding", "Authorization"]
    assert "canary" not in repr(request) + repr(chat._endpoint)
    assert dict(request.headers)["Authorization"].reveal() == "Bearer sk-canary"  # type: ignore[union-attr]


def test_a_stream_asks_for_the_count_of_tokens_and_our_id_goes_along_where_wanted() -> None:
    chat = OpenAIChat(Endpoint(base_url="http://127.0.0.1/v1", send_request_id=True), Nowhere())
    request = chat.request(Prompt(model="m", messages=(), parameters={"stream": True}, request_id="r1"))
    assert json.loads(request.body)["stream_options"] == {"include_usage": True}
    assert dict(request.headers)["X-Client-Request-Id"] == "r1"


# ── sound answers ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_whole_answer_is_read_with_all_its_handles(raw_vendor: Start) -> None:
    got = asked(raw_vendor, http(json.dumps(completion()).encode(), JSON))
    assert outcome(got) is Outcome.OK
    assert (got.text, got.finish_reason, got.stream_end) == ("Answer: Yes", "stop", None)
    assert (got.model_returned, got.fingerprint, got.answer_id) == ("acme-large-0926", "fp_1", "chatcmpl-1")
    assert (got.request_id, got.input_tokens, got.output_tokens) == ("req_1", 12, 3)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_a_streamed_answer_is_read_whatever_its_line_ends_and_wherever_it_is_split(
    raw_vendor: Start, newline: bytes, piece: int
) -> None:
    body = stream(EVENTS, newline)

    async def in_pieces(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + SSE + b"\r\n\r\n")
        for i in range(0, len(body), piece):
            part = body[i : i + piece]
            writer.write(b"%x\r\n%s\r\n" % (len(part), part))
        writer.write(b"0\r\n\r\n")

    got = asked(raw_vendor, in_pieces, STREAMED)
    assert outcome(got) is Outcome.OK
    assert (got.text, got.stream_end, got.stream) == ("Größe: Answer: Yes", "done", True)
    assert (got.input_tokens, got.output_tokens, got.finish_reason) == (12, 3, "stop")


def test_the_time_to_the_first_token_is_that_of_the_first_text_not_of_the_first_event(raw_vendor: Start) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n" + SSE + b"\r\n\r\n" + stream(EVENTS[:1]))
        await writer.drain()
        await asyncio.sleep(0.15)
        writer.write(stream(EVENTS[1:2]))
        await writer.drain()
        await asyncio.sleep(0.15)
        writer.write(stream(EVENTS[2:]))
        await writer.drain()
        writer.close()

    got = asked(raw_vendor, slowly, STREAMED)
    first_byte, ended = got.exchange.first_byte_ns, got.exchange.ended_ns
    assert outcome(got) is Outcome.OK
    assert first_byte is not None
    assert got.first_token_ns is not None
    assert first_byte + 100_000_000 < got.first_token_ns < ended - 100_000_000


def test_one_event_may_stand_on_several_data_lines(raw_vendor: Start) -> None:
    pretty = json.dumps(json.loads(EVENTS[2].removeprefix(b"data: ")), indent=1).encode()
    event = b"\n".join(b"data: " + line for line in pretty.split(b"\n"))
    body = stream([b": a comment", b"event: message\nid: 4\n" + event, *EVENTS[3:]])
    assert asked(raw_vendor, http(body, SSE), STREAMED).text == "Answer: Yes"


def test_content_in_parts_is_joined(raw_vendor: Start) -> None:
    parts = [{"type": "text", "text": "Answer: "}, {"type": "image"}, {"type": "text", "text": "Yes"}]
    assert asked(raw_vendor, http(json.dumps(completion(parts)).encode())).text == "Answer: Yes"


def test_an_answer_that_met_our_own_limit_of_tokens_is_an_answer(raw_vendor: Start) -> None:
    got = asked(raw_vendor, http(json.dumps(completion("Let me", finish_reason="length")).encode()))
    assert (outcome(got), got.finish_reason) == (Outcome.OK, "length")


# ── answers that are none ───────────────────────────────────────────────────────────────────────────────────────────
REFUSAL = completion(None, message={"content": None, "refusal": "I cannot help with that."})
FILTERED = completion("", finish_reason="content_filter")
ERROR = {"error": {"message": "The model produced no output.", "type": "server_error", "code": None}}
HTML = b"<!DOCTYPE html><html><body>Answer: Yes</body></html>"
WHOLE = json.dumps(completion()).encode()


@pytest.mark.parametrize(
    ("body", "expected", "code"),
    [
        pytest.param(b"", Outcome.EMPTY, None, id="nothing"),
        pytest.param(b" \n ", Outcome.EMPTY, None, id="white space"),
        pytest.param(json.dumps(completion("")).encode(), Outcome.EMPTY, None, id="empty text"),
        pytest.param(json.dumps(completion(None)).encode(), Outcome.EMPTY, None, id="null text"),
        pytest.param(HTML, Outcome.ERROR_BODY, "not_json", id="HTML page"),
        pytest.param(json.dumps(ERROR).encode(), Outcome.ERROR_BODY, "server_error", id="error object"),
        pytest.param(b'{"error": "down"}', Outcome.ERROR_BODY, "error", id="error text"),
        pytest.param(b'{"error": {"code": 503}}', Outcome.ERROR_BODY, "503", id="error number"),
        pytest.param(b"{}", Outcome.ERROR_BODY, "no_choices", id="no choices"),
        pytest.param(b"[]", Outcome.ERROR_BODY, "no_choices", id="a list"),
        pytest.param(b"null", Outcome.ERROR_BODY, "no_choices", id="null"),
        pytest.param(b'{"choices": {"0": 1}}', Outcome.ERROR_BODY, "no_choices", id="choices that are no list"),
        pytest.param(b'{"choices": [null, 3]}', Outcome.EMPTY, None, id="choices that are no objects"),
        pytest.param(b"[" * 100_000, Outcome.ERROR_BODY, "not_json", id="deeply nested"),
        pytest.param(WHOLE[: len(WHOLE) // 2], Outcome.TRUNCATED, None, id="half an answer"),
        pytest.param(WHOLE[:-1], Outcome.TRUNCATED, None, id="all but the last byte"),
        pytest.param(json.dumps(REFUSAL).encode(), Outcome.REFUSED, None, id="refusal"),
        pytest.param(json.dumps(FILTERED).encode(), Outcome.CONTENT_FILTERED, None, id="content filter"),
    ],
)
def test_a_200_is_judged_by_what_it_carries(raw_vendor: Start, body: bytes, expected: Outcome, code: str | None) -> None:
    got = asked(raw_vendor, http(body, JSON))
    assert (outcome(got), got.facts.error_code, got.facts.status) == (expected, code, 200)


@pytest.mark.parametrize(
    ("body", "expected", "end"),
    [
        pytest.param(stream(EVENTS[:-1]), Outcome.TRUNCATED, "finish", id="no DONE"),
        pytest.param(stream(EVENTS[:3]), Outcome.TRUNCATED, "none", id="no finish reason"),
        pytest.param(stream(EVENTS[:3]) + EVENTS[3][:20], Outcome.TRUNCATED, "none", id="half an event"),
        pytest.param(stream([EVENTS[0], b"data: {broken", *EVENTS[2:]]), Outcome.TRUNCATED, "done", id="a broken event"),
        pytest.param(
            stream([EVENTS[0], b"data: " + json.dumps(ERROR).encode()]), Outcome.ERROR_BODY, "none", id="an error event"
        ),
        pytest.param(stream([EVENTS[0], EVENTS[3], EVENTS[5]]), Outcome.EMPTY, "done", id="no text"),
        pytest.param(stream([chunk({"refusal": "I cannot."}), EVENTS[5]]), Outcome.REFUSED, "done", id="refusal"),
        pytest.param(stream([chunk({}, "content_filter"), EVENTS[5]]), Outcome.CONTENT_FILTERED, "done", id="content filter"),
        pytest.param(HTML, Outcome.ERROR_BODY, "none", id="HTML page"),
        pytest.param(b"", Outcome.EMPTY, "none", id="nothing"),
    ],
)
def test_a_stream_is_judged_by_its_end_and_its_events(raw_vendor: Start, body: bytes, expected: Outcome, end: str) -> None:
    got = asked(raw_vendor, http(body, SSE), STREAMED)
    assert (outcome(got), got.stream_end) == (expected, end)


def test_a_stream_that_was_asked_for_and_came_whole_is_read_as_what_it_is(raw_vendor: Start) -> None:
    got = asked(raw_vendor, http(WHOLE, JSON), STREAMED)
    assert (outcome(got), got.text, got.stream, got.stream_end) == (Outcome.OK, "Answer: Yes", True, None)


@pytest.mark.parametrize(
    ("status", "body", "expected", "door"),
    [
        (400, b'{"error": {"code": "invalid_request"}}', Outcome.CLIENT_ERROR, Attribution.CLIENT),
        (400, b'{"error": {"code": "content_filter"}}', Outcome.CONTENT_FILTERED, Attribution.NONE),
        (401, b"", Outcome.AUTH_ERROR, Attribution.CLIENT),
        (403, b"<html>", Outcome.AUTH_ERROR, Attribution.CLIENT),
        (408, b"", Outcome.REQUEST_TIMEOUT, Attribution.VENDOR),
        (429, b'{"error": {"code": "rate_limit_exceeded"}}', Outcome.RATE_LIMITED, Attribution.CLIENT_QUOTA),
        (500, b"\xff\xfe", Outcome.ERROR_500, Attribution.VENDOR),
        (502, b"", Outcome.ERROR_5XX, Attribution.VENDOR),
        (503, b'{"error": {"type": "overloaded_error"}}', Outcome.OVERLOADED, Attribution.VENDOR),
        (529, b"{}", Outcome.OVERLOADED, Attribution.VENDOR),
        (307, b"", Outcome.REDIRECT, Attribution.VENDOR),
    ],
)
def test_a_status_other_than_200_is_an_outcome_asked_for_once(
    raw_vendor: Start, status: int, body: bytes, expected: Outcome, door: Attribution
) -> None:
    async def run() -> tuple[Reply, int]:
        async with raw_vendor(http(body, b"Retry-After: 1", status=status)) as vendor:
            async with HttpTransport(SystemClock(), AddressPolicy(loopback=True), timeout_ms=5000) as transport:
                reply = await OpenAIChat(Endpoint(base_url=vendor.base_url), transport).complete(PROMPT)
            return reply, len(vendor.requests)

    got, requests = asyncio.run(run())
    assert (classify(got.facts), got.facts.status, got.request_id, requests) == ((expected, door), status, "req_1", 1)


# ── hostile answers ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_hostile_text_is_text(raw_vendor: Start) -> None:
    body = json.dumps(completion('\x1b[2J\u202e\x00<script>\n=HYPERLINK("x")\ud800\nAnswer: Yes')).encode()
    got = asked(raw_vendor, http(body, JSON))
    assert outcome(got) is Outcome.OK
    assert got.text.endswith("Answer: Yes")


def test_a_number_of_5000_digits_costs_its_own_value_alone(raw_vendor: Start) -> None:
    body = WHOLE.replace(b'"prompt_tokens": 12', b'"prompt_tokens": ' + b"9" * 5000)
    got = asked(raw_vendor, http(body, JSON))
    assert (outcome(got), got.text, got.input_tokens, got.output_tokens) == (Outcome.OK, "Answer: Yes", None, 3)


def test_a_token_of_10_mb_is_an_answer(raw_vendor: Start) -> None:
    got = asked(raw_vendor, http(json.dumps(completion("x" * 10_000_000)).encode(), JSON))
    assert (outcome(got), len(got.text)) == (Outcome.OK, 10_000_000)


@pytest.mark.parametrize("body", [WHOLE, b"{" + b" " * (64 << 20)], ids=["small", "bomb"])
def test_a_packed_answer_is_unpacked_as_far_as_an_answer_can_be_long(raw_vendor: Start, body: bytes) -> None:
    got = asked(raw_vendor, http(gzip.compress(body), JSON, b"Content-Encoding: gzip"))
    small = body is WHOLE
    assert outcome(got) is (Outcome.OK if small else Outcome.ERROR_BODY)
    assert got.facts.error_code == (None if small else "body_over_limit")


def test_a_coding_nobody_asked_for_is_no_answer(raw_vendor: Start) -> None:
    got = asked(raw_vendor, http(zlib.compress(WHOLE), JSON, b"Content-Encoding: br"))
    assert (outcome(got), got.facts.error_code) == (Outcome.ERROR_BODY, "content_encoding")


@pytest.mark.parametrize("is_stream", [False, True])
def test_an_answer_that_is_cut_is_truncated_and_one_that_never_began_is_no_connection(
    raw_vendor: Start, is_stream: bool
) -> None:
    begun = stream(EVENTS[:2]) if is_stream else WHOLE[:30]

    def cut_after(content: bytes) -> Callable[[asyncio.StreamWriter], Any]:
        async def write(writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n" + (SSE if is_stream else JSON) + b"\r\n\r\n" + content)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()

        return write

    prompt = STREAMED if is_stream else PROMPT
    got = asked(raw_vendor, cut_after(begun), prompt)
    assert (outcome(got), got.stream_end) == (Outcome.TRUNCATED, "cut" if is_stream else None)
    assert outcome(asked(raw_vendor, cut_after(b""), prompt)) is Outcome.CONNECTION_ERROR


def test_a_stall_after_the_first_byte_is_a_time_out(raw_vendor: Start) -> None:
    async def stall(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n" + SSE + b"\r\n\r\n" + stream(EVENTS[:2]))
        await writer.drain()
        await asyncio.sleep(5)

    got = asked(raw_vendor, stall, STREAMED, timeout_ms=200)
    assert (outcome(got), got.facts.status, got.text) == (Outcome.TIMEOUT, 200, "")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["choices", "message", "delta", "content", "refusal", "usage", "error", "code", "index", "model", "id"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(value=JSON_VALUES, is_stream=st.booleans())
def test_any_json_at_all_is_read_without_an_error(value: object, is_stream: bool) -> None:
    body = json.dumps(value).encode()
    if is_stream:
        body = stream([b"data: " + body, b"data: [DONE]"])
    headers = {"content-type": "text/event-stream" if is_stream else "application/json"}
    exchange = Exchange(started=Instant(0, 0, "t"), ended_ns=1, status=200, headers=headers, body=body, complete=True)
    got = read(exchange, stream=is_stream)
    assert outcome(got) in Outcome
    assert isinstance(got.text, str)


@given(body=st.binary(max_size=300), is_stream=st.booleans())
def test_any_bytes_at_all_are_read_without_an_error(body: bytes, is_stream: bool) -> None:
    headers = {"content-type": "text/event-stream"} if is_stream else {}
    exchange = Exchange(started=Instant(0, 0, "t"), ended_ns=1, status=200, headers=headers, body=body, complete=True)
    assert outcome(read(exchange, stream=is_stream)) in {Outcome.EMPTY, Outcome.ERROR_BODY, Outcome.TRUNCATED}
