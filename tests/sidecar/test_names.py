"""What a call is called: its model, its tokens, its ids, whether it was a stream."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import pytest

from slaguard.terms import Outcome
from tests.sidecar.recorders import ANSWER, JSON, QUESTION, SSE, observed
from tests.sidecar.spoken import CHAT, DONE, MESSAGES, chunks


# ── models, tokens, names ───────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("question", "target", "model"),
    [
        (QUESTION, "/v1/chat/completions", "m-1"),
        (b'{"messages":[{"content":"say \\"model\\": \\"x\\""}],"model":"m-2"}', "/v1/chat/completions", "m-2"),
        (b'{"tools":[{"model":"inner"}],"model":"outer"}', "/v1/x", "outer"),
        (b'{"tools":[{"model":"inner"}]}', "/v1/x", None),
        (b'{"model":"caf\\u00e9"}', "/v1/x", "café"),
        (b'{"model":7}', "/v1/x", None),
        (b'{"model":"m","messages":"' + b"x" * 9000 + b'"}', "/v1/x", "m"),
        (b'{"messages":"' + b"x" * 9000 + b'","model":"m"}', "/v1/x", "m"),
        (b'{"model":"a","messages":"' + b"x" * 9000 + b'","model":"b"}', "/v1/x", None),
        (b"--boundary\r\nmodel", "/v1/audio/transcriptions", None),
        (QUESTION, "/openai/deployments/my%20gpt/chat/completions?api-version=1", "my gpt"),
        (b"{}", "/model/anthropic.claude-v2%3A1/invoke", "anthropic.claude-v2:1"),
        (b"{}", "/v1/projects/p/locations/l/publishers/google/models/gemini-2:generateContent", "gemini-2"),
        (b"", "/v1/models/", None),
        (b"", "/v1/models/ft:gpt-4o:acme", None),
        (b'{"model":"m","tools":[' + b'{"x":"y"},' * 500 + b'{"input_examples":[{"model":"Corolla"}]}]}', "/v1/x", "m"),
        (b'{"a":"' + b"x" * 3000 + b'","model":"m","b":"' + b"y" * 3000 + b'","c":[{"model":"Corolla"}]}', "/v1/x", None),
        (b'{"messages":[{"model":"inner"}],"a":"' + b"x" * 5000 + b'","model":"m","c":{"d":[]}}', "/v1/x", "m"),
    ],
)
def test_the_model_is_found_where_vendors_put_it(question: bytes, target: str, model: str | None) -> None:
    assert observed(question=question, target=target)["model_requested"] == model


@pytest.mark.parametrize("stream", [(CHAT, "m-1-2026", 9, 41), (MESSAGES, "c-1", 25, 15)])
def test_tokens_and_model_of_a_stream_are_read_at_its_ends(stream: tuple[list[bytes], str, int, int]) -> None:
    pieces, model, asked, said = stream
    row = observed(answer=chunks(*pieces), returned=SSE, chunked=True)
    assert (row["model_returned"], row["input_tokens"], row["output_tokens"]) == (model, asked, said)


def reversed_bytes(data: bytes) -> bytes:
    """A coding that nobody here can read."""
    return data[::-1]


PACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": lambda data: gzip.compress(data),
    b"deflate": lambda data: zlib.compress(data),
}


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br", b"zstd"])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_packed_answer_is_read_where_all_of_it_is_seen_and_it_can_be(coding: bytes, chunked: bool) -> None:
    packed = PACKERS.get(coding, reversed_bytes)(ANSWER)
    returned = {**JSON, b"content-encoding": coding}
    row = observed(answer=chunks(packed[:40], packed[40:]) if chunked else packed, returned=returned, chunked=chunked)
    assert row["outcome"] is Outcome.OK
    assert row["output_tokens"] == (3 if coding in {b"gzip", b"deflate"} else None)


def test_a_large_answer_gives_model_and_tokens_from_its_ends() -> None:
    answer = ANSWER.replace(b'"4"', b'"' + b"four " * 4000 + b'"')
    row = observed(answer=[answer[at : at + 1000] for at in range(0, len(answer), 1000)])
    assert (row["model_returned"], row["input_tokens"], row["output_tokens"], row["outcome"]) == ("m-1-2026", 12, 3, Outcome.OK)


@pytest.mark.parametrize(
    "answer",
    [
        ANSWER,
        ANSWER.replace(b'"4"', b'"  "'),
        ANSWER.replace(b'"4"', b"null"),
        ANSWER.replace(b'"stop"', b'"content_filter"'),
        ANSWER.replace(b'{"id"', b'{"error":{"code":"x"},"id"'),
        ANSWER.replace(b'"usage":{', b'"usage":{"input_tokens":1,'),
        ANSWER.replace(b'"prompt_tokens":12', b'"prompt_tokens":-1'),
        ANSWER.replace(b'"choices":[', b'"choices":[7,'),
        ANSWER.replace(b'"4"', b'"\xff"'),
        ANSWER.replace(b'"4"', b'"\\ud800"'),
        ANSWER[:-1],
        b"{}",
        b"[]",
    ],
)
def test_what_is_read_quickly_is_read_the_same_as_at_length(answer: bytes) -> None:
    long = {"answer": chunks(answer[:9], answer[9:]), "chunked": True}
    assert observed(answer=answer) == observed(**long)


def test_what_the_client_and_the_vendor_call_it() -> None:
    noted = {**JSON, b"x-stainless-retry-count": b"2"}
    returned = {**JSON, b"request-id": b"req_1", b"retry-after": b"7"}
    row = observed(noted=noted, returned=returned, logical_id="mine", target="/v1/messages?key=abc")
    assert (row["logical_request_id"], row["attempt"], row["request_id"]) == ("mine", 3, "req_1")
    assert row["attributes"] == {"endpoint": "POST /v1/messages", "retry_after": "7"}
    assert row["inclusion_probability"] == "1"
    assert observed()["logical_request_id"] == observed()["id"] == "sidecar.test/1"


def test_an_id_that_may_not_be_written_is_one_id_for_all_attempts() -> None:
    ids = ["a" * 232 + " jane.doe@acme.example", "jane.doe%40acme.example", "jane.roe%2540acme.example", "x" * 300]
    names = [observed(logical_id=one)["logical_request_id"] for one in (*ids, ids[0])]
    assert all(name.startswith("hashed-") and name[7:].isalpha() for name in names)
    assert len(set(names)) == 4
    assert names[0] == names[-1]
    assert observed(target="/u/jane.doe%2540acme.example")["attributes"]["endpoint"] == "POST /u/[redacted e-mail]"


@pytest.mark.parametrize(
    ("question", "returned", "stream"),
    [
        (QUESTION, JSON, False),
        (QUESTION[:-1] + b',"stream": true}', SSE, True),
        (QUESTION, SSE, True),
        (b"", JSON, None),
    ],
)
def test_a_stream_is_known_by_what_came(question: bytes, returned: dict[bytes, bytes], stream: bool | None) -> None:
    assert observed(question=question, returned=returned, answer=DONE)["stream"] is stream


def test_a_stream_that_was_asked_for_and_refused_was_still_asked_for() -> None:
    question = QUESTION[:-1] + b',"stream": true}'
    assert observed(question=question, status=429, answer=b"{}")["stream"] is True
