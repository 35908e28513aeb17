"""Readings: from what passed to the fields of an Observation."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.records import NS, Observation, header
from slaguard.sidecar.call import WINDOW, Ended
from slaguard.terms import Attribution, Outcome
from tests.sidecar.recorders import ANSWER, JSON, SSE, T0, HandClock, begin, finish, observed, row_of
from tests.sidecar.spoken import CHAT, DONE, MESSAGES, RESPONSES, chat_chunk, chunks, event


# ── how it ended ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("ended", "detail", "status", "outcome", "attribution", "code"),
    [
        (Ended.COMPLETE, None, 200, Outcome.OK, Attribution.NONE, None),
        (Ended.CUT, "reset", 200, Outcome.TRUNCATED, Attribution.VENDOR, None),
        (Ended.CUT, "reset", 500, Outcome.ERROR_500, Attribution.VENDOR, None),
        (Ended.MALFORMED, "head", None, Outcome.CONNECTION_ERROR, Attribution.VENDOR, "protocol"),
        (Ended.NO_ANSWER, "closed", None, Outcome.CONNECTION_ERROR, Attribution.VENDOR, "no_answer"),
        (Ended.RACED, "closed", None, Outcome.UNMEASURED, Attribution.OWN_NETWORK, "reused_connection_closed"),
        (Ended.UNREACHED, "dns", None, Outcome.CONNECTION_ERROR, Attribution.VENDOR, "dns"),
        (Ended.UNREACHED, "refused", None, Outcome.CONNECTION_ERROR, Attribution.VENDOR, "connection_refused"),
        (Ended.UNREACHED, "tls", None, Outcome.CONNECTION_ERROR, Attribution.VENDOR, "tls"),
        (Ended.UNREACHED, "connection", None, Outcome.CONNECTION_ERROR, Attribution.VENDOR, "connection"),
        (Ended.UNREACHED, "connect_timeout", None, Outcome.TIMEOUT, Attribution.VENDOR, "connect_timeout"),
        (Ended.UNREACHED, "denied", None, Outcome.UNMEASURED, Attribution.OWN_PROBE, "address_denied"),
        (Ended.UNREACHED, "own_limit", None, Outcome.UNMEASURED, Attribution.OWN_PROBE, "own_limit"),
        (Ended.UNREACHED, "no_way_out", None, Outcome.UNMEASURED, Attribution.OWN_NETWORK, "no_way_out"),
        (Ended.SILENT, None, None, Outcome.TIMEOUT, Attribution.VENDOR, "silence"),
        (Ended.SILENT, None, 200, Outcome.TIMEOUT, Attribution.VENDOR, "silence"),
        (Ended.CLIENT_LEFT, "closed", None, Outcome.CLIENT_ABORT, Attribution.CLIENT, None),
        (Ended.CLIENT_LEFT, "closed", 200, Outcome.CLIENT_ABORT, Attribution.CLIENT, None),
        (Ended.CLIENT_LEFT, "closed", 503, Outcome.ERROR_5XX, Attribution.VENDOR, None),
        (Ended.CLIENT_BROKE, "chunk", None, Outcome.CLIENT_ABORT, Attribution.CLIENT, "request_broken"),
        (Ended.CLIENT_BROKE, "stalled", 200, Outcome.CLIENT_ABORT, Attribution.CLIENT, "request_broken"),
        (Ended.STOPPED, None, None, Outcome.UNMEASURED, Attribution.OWN_PROBE, "stopped"),
        (Ended.STOPPED, None, 200, Outcome.UNMEASURED, Attribution.OWN_PROBE, "stopped"),
    ],
)
def test_each_way_a_call_can_end_has_its_outcome(
    ended: Ended, detail: str | None, status: int | None, outcome: Outcome, attribution: Attribution, code: str | None
) -> None:
    row = observed(ended=ended, detail=detail, status=status, answer=ANSWER if status == 200 else b"")
    assert (row["outcome"], row["attribution"], row["error_code"]) == (outcome, attribution, code)
    assert row["status"] == status


@pytest.mark.parametrize("ended", list(Ended))
@pytest.mark.parametrize("status", [None, 200, 204, 302, 404, 429, 500, 529, 999])
def test_whatever_came_before_every_end_gives_a_record(ended: Ended, status: int | None) -> None:
    Observation(**observed(ended=ended, status=status, answer=b""))


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (401, {"error": {"type": "invalid_request_error", "code": "invalid_api_key"}}, Outcome.AUTH_ERROR, "invalid_api_key"),
        (429, {"error": {"type": "insufficient_quota", "code": None}}, Outcome.RATE_LIMITED, "insufficient_quota"),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, Outcome.OVERLOADED, "overloaded_error"),
        (500, {"type": "error", "error": {"type": "api_error"}}, Outcome.ERROR_500, "api_error"),
        (400, {"error": {"code": "content_filter", "type": None}}, Outcome.CONTENT_FILTERED, "content_filter"),
        (400, {"error": "a plain text"}, Outcome.CLIENT_ERROR, "error"),
        (503, None, Outcome.ERROR_5XX, None),
    ],
)
def test_an_error_has_the_vendors_own_word(status: int, body: Any, outcome: Outcome, code: str | None) -> None:
    row = observed(status=status, answer=b"<html>" if body is None else json.dumps(body).encode())
    assert (row["outcome"], row["error_code"]) == (outcome, code)
    assert (row["total_time_ns"] is None) == (outcome is not Outcome.CONTENT_FILTERED)


@pytest.mark.parametrize(
    ("body", "outcome", "code"),
    [
        ({"error": {"message": "no", "type": "server_error"}}, Outcome.ERROR_BODY, "server_error"),
        ({"error": None, "object": "response", "output": []}, Outcome.OK, None),
        ({"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}, Outcome.EMPTY, None),
        ({"choices": [{"message": {"content": None, "tool_calls": [{}]}}]}, Outcome.OK, None),
        ({"choices": [{"message": {"content": None, "refusal": "no"}}]}, Outcome.REFUSED, None),
        ({"choices": [{"message": {"content": "half"}, "finish_reason": "content_filter"}]}, Outcome.CONTENT_FILTERED, None),
        ({"choices": []}, Outcome.EMPTY, None),
        ({"choices": [{"text": "legacy"}]}, Outcome.OK, None),
        ({"type": "message", "content": [{"type": "text", "text": "x"}]}, Outcome.OK, None),
        ({"type": "message", "content": [], "stop_reason": "refusal"}, Outcome.REFUSED, None),
        ({"object": "response", "output": [{"content": [{"type": "refusal"}]}]}, Outcome.REFUSED, None),
        ({"object": "list", "data": [{"embedding": [0.1]}]}, Outcome.OK, None),
    ],
)
def test_a_200_is_judged_by_what_it_says(body: Any, outcome: Outcome, code: str | None) -> None:
    row = observed(answer=json.dumps(body).encode())
    assert (row["outcome"], row["error_code"]) == (outcome, code)


def test_an_answer_that_stops_in_the_middle_of_its_json_is_truncated_though_its_length_was_right() -> None:
    assert observed(answer=ANSWER[:-20])["outcome"] is Outcome.TRUNCATED
    long = b'{"choices":[{"message":{"content":"' + b"x" * 9000
    assert observed(answer=long)["outcome"] is Outcome.TRUNCATED
    assert observed(answer=long + b'"}}]}')["outcome"] is Outcome.OK


def test_a_page_of_html_is_no_answer_of_a_model() -> None:
    html = {b"content-type": b"text/html"}
    assert observed(answer=b"<html>maintenance</html>", returned=html)["error_code"] == "not_json"
    assert observed(answer=b"<html>", returned=html, question=b"", method="GET", target="/")["outcome"] is Outcome.OK


def test_no_answer_at_all_is_empty_where_a_model_was_asked() -> None:
    assert observed(answer=b"")["outcome"] is Outcome.EMPTY
    assert observed(answer=b"", question=b"", method="DELETE", target="/v1/files/f")["outcome"] is Outcome.OK


def answered(*content: str, **more: Any) -> dict[str, Any]:
    return {"object": "chat.completion", "choices": [{"message": {"content": text}} for text in content], **more}


@pytest.mark.parametrize(
    ("body", "kind", "outcome", "code"),
    [
        ({"object": "error", "message": "boom", "type": "InternalServerError", "code": 500}, "json", Outcome.ERROR_BODY, "500"),
        ({"error": {"code": "server_error"}}, "JSON", Outcome.ERROR_BODY, "server_error"),
        ({"id": "x" * 5000, "error": {"code": "late"}}, "json", Outcome.ERROR_BODY, "late"),
        ({"id": "1", "error": {"code": "early", "message": "x" * 5000}}, "json", Outcome.ERROR_BODY, "early"),
        ({"id": "1", "choices": [{"error": {"code": "x"}, "y": "x" * 5000}]}, "json", Outcome.OK, None),
        (answered("hi", error={}), "json", Outcome.OK, None),
        (answered("hi", error=""), "json", Outcome.OK, None),
        (answered("x" * 9000, error={}), "json", Outcome.OK, None),
        ({"error": {}}, "json", Outcome.ERROR_BODY, "error"),
        (answered("", "hi"), "json", Outcome.OK, None),
        (answered("", " "), "json", Outcome.EMPTY, None),
    ],
)
def test_an_error_is_found_wherever_an_answer_holds_one_and_nowhere_else(
    body: Any, kind: str, outcome: Outcome, code: str | None
) -> None:
    row = observed(answer=json.dumps(body).encode(), returned={b"content-type": b"Application/" + kind.encode()})
    assert (row["outcome"], row["error_code"]) == (outcome, code)


@pytest.mark.parametrize("returned", [JSON, SSE])
def test_packing_that_ends_early_is_truncated_and_what_is_no_packing_is_an_error(returned: dict[bytes, bytes]) -> None:
    packed = gzip.compress(ANSWER if returned is JSON else b"".join(CHAT))
    head = {**returned, b"content-encoding": b"gzip"}
    assert observed(answer=packed[: len(packed) // 2], returned=head)["outcome"] is Outcome.TRUNCATED
    assert observed(answer=packed, returned=head)["outcome"] is Outcome.OK
    none = observed(answer=b"no gzip at all", returned=head)
    assert (none["outcome"], none["error_code"]) == (Outcome.ERROR_BODY, "unreadable")


def test_a_304_is_what_the_client_asked_for() -> None:
    row = observed(status=304, answer=b"")
    assert (row["outcome"], row["attribution"], row["status"]) == (Outcome.OK, Attribution.NONE, 304)


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_times_are_those_of_the_clock_on_the_wall_and_lengths_those_of_the_other() -> None:
    row = observed()
    assert row["scheduled_at"] == T0
    assert row["sent_at"] == T0 + NS // 1000
    assert row["first_byte_at"] == T0 + NS // 100
    assert row["ended_at"] == T0 + NS
    assert row["total_time_ns"] == NS - NS // 1000


def test_a_slow_upload_and_a_client_that_does_not_read_are_not_the_vendors_time() -> None:
    call = begin(HandClock())
    finish(call, answer=CHAT, returned=SSE)
    call.asked_ns, call.held_ns = call.began.mono_ns + NS // 50, NS // 4
    row = row_of(call)
    assert row["sent_at"] == T0 + NS // 1000
    assert row["total_time_ns"] == NS - NS // 50 - NS // 4
    assert row["time_to_first_token_ns"] == 3 * NS // 100 - NS // 50


def test_a_call_that_was_never_sent_counts_from_its_beginning() -> None:
    row = observed(ended=Ended.UNREACHED, detail="dns", status=None)
    assert (row["sent_at"], row["total_time_ns"]) == (T0, None)


@pytest.mark.parametrize(("stream", "place"), [(CHAT, 1), (MESSAGES, 3), (RESPONSES, 1)])
@pytest.mark.parametrize("chunked", [False, True])
def test_the_first_token_came_with_the_piece_in_which_it_was_whole(stream: list[bytes], place: int, chunked: bool) -> None:
    row = observed(answer=chunks(*stream) if chunked else stream, returned=SSE, chunked=chunked)
    assert row["time_to_first_token_ns"] == (2 + place) * NS // 100 - NS // 1000
    assert row["outcome"] is Outcome.OK


def test_a_first_token_that_is_cut_counts_when_the_rest_of_its_event_has_come() -> None:
    whole = b"".join(CHAT)
    middle = len(CHAT[0]) + len(CHAT[1]) - 1
    row = observed(answer=[whole[:middle], whole[middle:]], returned=SSE)
    assert row["time_to_first_token_ns"] == 3 * NS // 100 - NS // 1000


def test_a_first_token_that_is_not_seen_has_no_time() -> None:
    far = [event({"type": "response.created", "response": {"instructions": "i" * 3000}}), *RESPONSES[1:]]
    assert observed(answer=far, returned=SSE)["time_to_first_token_ns"] is None
    assert observed()["time_to_first_token_ns"] is None
    packed = {**SSE, b"content-encoding": b"gzip"}
    assert observed(answer=gzip.compress(b"".join(CHAT)), returned=packed)["time_to_first_token_ns"] is None


# ── streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("stream", [CHAT, MESSAGES, RESPONSES])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("line", [b"\n", b"\r\n"])
def test_a_stream_without_its_last_word_is_truncated_though_its_framing_was_whole(
    stream: list[bytes], chunked: bool, line: bytes
) -> None:
    pieces = [p.replace(b"\n", line) for p in stream]
    whole = observed(answer=chunks(*pieces) if chunked else pieces, returned=SSE, chunked=chunked)
    assert (whole["outcome"], whole["stream"], whole["stream_end"]) in {
        (Outcome.OK, True, "done"),
        (Outcome.OK, True, None),  # the last event of a response is larger than what is looked at
    }
    short = observed(answer=chunks(*pieces[:-1]) if chunked else pieces[:-1], returned=SSE, chunked=chunked)
    assert short["outcome"] is Outcome.TRUNCATED
    assert short["stream_end"] in {"none", "finish"}


def test_a_stream_that_is_cut_is_truncated() -> None:
    row = observed(answer=CHAT[:9], returned=SSE, ended=Ended.CUT, detail="reset")
    assert (row["outcome"], row["stream_end"], row["time_to_first_token_ns"]) == (Outcome.TRUNCATED, "cut", None)


def test_a_stream_of_an_unknown_kind_ends_as_its_framing_does() -> None:
    row = observed(answer=[event({"candidates": [{"content": {"parts": [{"text": "x"}]}}]})], returned=SSE)
    assert (row["outcome"], row["stream_end"]) == (Outcome.OK, None)
    assert row["time_to_first_token_ns"] is not None


def test_a_client_that_leaves_after_the_last_word_has_had_everything() -> None:
    assert observed(answer=CHAT, returned=SSE, ended=Ended.CLIENT_LEFT)["outcome"] is Outcome.OK
    assert observed(answer=CHAT[:-1], returned=SSE, ended=Ended.CLIENT_LEFT)["outcome"] is Outcome.CLIENT_ABORT


def test_a_stream_whose_last_word_lies_beyond_what_is_kept_is_not_called_truncated() -> None:
    tiny = [*CHAT[:-1], DONE, *[b"\n"] * 12]
    assert observed(answer=tiny, returned=SSE)["outcome"] is Outcome.OK


@pytest.mark.parametrize(
    ("last", "outcome", "code"),
    [
        (event({"error": {"message": "x", "type": "server_error", "code": None}}), Outcome.ERROR_BODY, "server_error"),
        (event({"type": "error", "error": {"type": "overloaded_error"}}, "error"), Outcome.ERROR_BODY, "overloaded_error"),
        (event({"type": "error", "code": "rate_limit", "message": "x"}, "error"), Outcome.ERROR_BODY, "rate_limit"),
        (chat_chunk({}, "content_filter") + DONE, Outcome.CONTENT_FILTERED, None),
    ],
)
def test_what_a_stream_says_at_its_end_counts(last: bytes, outcome: Outcome, code: str | None) -> None:
    row = observed(answer=[*CHAT[:20], last], returned=SSE)
    assert (row["outcome"], row["error_code"]) == (outcome, code)


COMMENT = b": OPENROUTER PROCESSING\n\n"
BROKEN = event({"error": {"message": "x", "code": "server_error"}})


@pytest.mark.parametrize(
    ("stream", "outcome", "code"),
    [
        ([COMMENT], Outcome.EMPTY, None),
        ([b"hello"], Outcome.EMPTY, None),
        ([COMMENT] * 400, Outcome.TRUNCATED, None),
        ([COMMENT] * 120 + CHAT[:8], Outcome.TRUNCATED, None),
        ([COMMENT] * 200 + MESSAGES[:9], Outcome.TRUNCATED, None),
        ([COMMENT] * 200 + MESSAGES, Outcome.OK, None),
        ([BROKEN, *CHAT], Outcome.ERROR_BODY, "server_error"),
        ([*CHAT[:3], event({"code": 500, "message": "boom"}, "error"), DONE], Outcome.ERROR_BODY, "500"),
        ([*CHAT[:3], event({"object": "error", "type": "Internal", "code": None}), DONE], Outcome.ERROR_BODY, "Internal"),
        ([json.dumps({"error": {"code": "overloaded"}}).encode()], Outcome.ERROR_BODY, "overloaded"),
        ([*CHAT[:3], b'data: {"choices":[{"delta":{"content":"[DONE]'], Outcome.TRUNCATED, None),
        ([chat_chunk({"function_call": {"name": "f"}}), chat_chunk({}, "stop"), DONE], Outcome.OK, None),
        ([chat_chunk({"reasoning_content": "hm"}), chat_chunk({}, "stop"), DONE], Outcome.OK, None),
        ([chat_chunk({"content": "x"}, error={}), chat_chunk({}, "stop"), DONE], Outcome.OK, None),
    ],
)
def test_a_stream_is_what_its_events_say_and_no_more(stream: list[bytes], outcome: Outcome, code: str | None) -> None:
    row = observed(answer=stream, returned=SSE)
    assert (row["outcome"], row["error_code"]) == (outcome, code)


def test_an_error_in_a_stream_stands_though_the_client_leaves_because_of_it() -> None:
    row = observed(answer=[*CHAT[:3], BROKEN], returned=SSE, ended=Ended.CLIENT_LEFT)
    assert (row["outcome"], row["attribution"], row["error_code"]) == (Outcome.ERROR_BODY, Attribution.VENDOR, "server_error")


def test_a_stream_that_only_refuses_is_refused_and_one_of_tools_is_not_empty() -> None:
    refusal = [chat_chunk({"refusal": "no"}), chat_chunk({}, "stop"), DONE]
    assert observed(answer=refusal, returned=SSE)["outcome"] is Outcome.REFUSED
    tools = [chat_chunk({"tool_calls": [{"index": 0}]}), chat_chunk({}, "tool_calls"), DONE]
    assert observed(answer=tools, returned=SSE)["outcome"] is Outcome.OK
    assert observed(answer=[chat_chunk({}), chat_chunk({}, "stop"), DONE], returned=SSE)["outcome"] is Outcome.EMPTY


# ── hostile bytes ───────────────────────────────────────────────────────────────────────────────────────────────────
SHARDS = st.sampled_from(
    [
        b'"model":"', b'{"error":', b'{"choices":[', b'"usage":{"prompt_tokens":', b"9" * 30, b"data: ", b"data: [DONE]\n\n",
        b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"\xff\xfe", b'\\ud800"', b"[" * 700, b"}" * 5, b"null", b'"content":""',
        b"event: error\n", b'"chat.completion.chunk"', b'"message_start"', b'"response.created"', b"\x1f\x8b\x08", b"-5",
        b"1e999", b'"stream":true',
    ]
)  # fmt: skip
BODIES = st.lists(st.one_of(st.binary(max_size=40), SHARDS), max_size=12).map(b"".join)
HEADS = st.dictionaries(
    st.sampled_from([b"content-type", b"content-encoding", b"x-request-id", b"retry-after", b"x-stainless-retry-count"]),
    st.one_of(
        st.sampled_from([b"application/json", b"text/event-stream", b"gzip", b"deflate", b"br", b"text/html", b"2"]),
        st.binary(max_size=30),
    ),
)


PATHS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)


@given(
    BODIES, st.lists(BODIES, max_size=6), st.sampled_from(Ended), st.sampled_from([None, 200, 404, 500]), HEADS, HEADS,
    st.booleans(), PATHS,
)  # fmt: skip
def test_no_bytes_keep_a_call_from_being_recorded(
    question: bytes, answer: list[bytes], ended: Ended, status: int | None, noted: dict[bytes, bytes],
    returned: dict[bytes, bytes], chunked: bool, path: str,
) -> None:  # fmt: skip
    call = begin(HandClock(), target="/" + path)
    call.question.chunked = chunked
    finish(
        call,
        question=question,
        answer=answer,
        status=status,
        noted=noted,
        returned=returned,
        ended=ended,
        chunked=chunked,
        detail="x",
    )
    row = row_of(call)
    observation = Observation(**row)
    assert header(observation)
    assert row_of(call) == row


@pytest.mark.parametrize(
    ("answer", "returned"),
    [
        (gzip.compress(b"data:1\n\n" * 8000), {**SSE, b"content-encoding": b"gzip"}),
        (gzip.compress(b'data:{"type":"error"}\n\n' * 2700), {**SSE, b"content-encoding": b"gzip"}),
        (gzip.compress(b'{"' * 32000), {**JSON, b"content-encoding": b"gzip"}),
        (b'{"a":"' + b'\\"' * 4000, JSON),
        (b"data:1\n\n" * 2000, SSE),
    ],
)
def test_no_answer_takes_long_to_read(answer: bytes, returned: dict[bytes, bytes]) -> None:
    def cost() -> float:
        start = time.process_time()
        observed(answer=answer, returned=returned)
        return time.process_time() - start

    assert min(cost() for _ in range(5)) < 0.02  # about 0.001, and six for the third, where nothing else runs


def test_numbers_and_names_beyond_all_bounds_are_left_out() -> None:
    answer = ANSWER.replace(b'"prompt_tokens":12', b'"prompt_tokens":%d' % 10**30).replace(b"m-1-2026", b"m" * 600)
    row = observed(answer=answer)
    assert row["input_tokens"] is None
    assert len(row["model_returned"]) <= 512
    assert WINDOW == 2048
