"""Canaries: secrets and people's data put wherever a call has room for them are found nowhere afterwards."""

from __future__ import annotations

import base64
import gzip
import json
import logging
import zlib
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from slaguard.redact import Redactor
from slaguard.sidecar.call import Ended
from slaguard.sidecar.kept import NotKept, clean_text, payload
from slaguard.sidecar.wire import Packed
from tests.sidecar.recorders import (
    ANSWER,
    JSON,
    QUESTION,
    SSE,
    HandClock,
    begin,
    bytes_in,
    finish,
    linked,
    looped,
    observations,
    pass_call,
    payloads,
    row_of,
    spec_of,
    until,
)

CANARIES = (
    "sk-proj-Canary0123456789abcdefghijklmnop",
    "sk-ant-api03-Canary9876543210zyxwvutsrqpon-AA",
    "ghp_Canary0123456789abcdefghijklmnopqrst",
    "AKIACANARY0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlY2FuYXJ5",
    "canary.bird@aviary.example",
    "+49 151 23456789",
    "DE89 3704 0044 0532 0130 00",
    "4111 1111 1111 1111",
    "378282246310005",
)
HIDDEN = (
    "5500\u00a00055\u202f5555\u20115559",
    "visa_6011111111111117",
    "GB82\u00a0WEST\u00a01234\u00a05698\u00a07654\u00a032",
    "NO9386011117947NOK",
    "hidden.bird%40aviary.example",
    "other.bird%2540aviary.example",
    "third.bird\uff20aviary.example",
    "+33\u00a06\u00a012\u00a034\u00a056\u00a079",
    "06 12 34 56 80",
    "(415)\u00a0555-0132",
    "redis://:canary5passw0rd@cache:6379/0",
    "my_sk-proj-Hidden0123456789abcdef",
    "pplx-Canary0123456789abcdef0123456789",
    "c2stcHJvai1DYW5hcnkwMTIzNDU2Nzg5YWJjZGVm",
)
"""The same in the spellings of other pens: no space as it was, coded once more, behind a word."""
REMAINS = (
    "5555", "6011111111111117", "5698", "9386011117947", "hidden.bird", "other.bird", "third.bird", "56\u00a079", "56 80",
    "555-0132", "canary5passw0rd", "Hidden0123", "pplx-Canary", "c2stcHJvai1D",
)  # fmt: skip
WORDS = tuple(c.encode() for c in CANARIES)
BEARER = "Bearer canary0token1in2a3header4value5"
ALL = " and ".join(CANARIES) + " or " + BEARER


def spellings() -> list[bytes]:
    """Every canary as it could stand somewhere: as it is, in a URL, in base64, in pieces between which is nothing."""
    found = [*WORDS, b"canary0token1in2a3header4value5", b"4111111111111111", b"DE89370400440532013000"]
    found += [quote(c).encode() for c in CANARIES if quote(c) != c]
    found += [base64.b64encode(c.encode()).rstrip(b"=") for c in CANARIES if len(c) > 20]
    return found


def stream(text: str) -> list[bytes]:
    """A stream that says a text in pieces of three characters."""
    chunks = [
        {
            "id": "c",
            "object": "chat.completion.chunk",
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": text[i : i + 3]}}],
        }
        for i in range(0, len(text), 3)
    ]
    return [b"data: " + json.dumps(c).encode() + b"\n\n" for c in chunks] + [b"data: [DONE]\n\n"]


def question(text: str, model: str = "m-1") -> bytes:
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]}).encode()


def answer(text: str) -> bytes:
    return json.dumps({"model": text, "choices": [{"message": {"content": text}}], "system_fingerprint": text}).encode()


ESCAPED = '{"messages":[{"content":"' + "".join(f"\\u{ord(c):04x}" for c in ALL) + '"}],"model":"m"}'
LINES = question("\n".join(CANARIES) + "\t" + "\n" + BEARER)
NESTED = question(json.dumps({"arguments": json.dumps({"note": "\n".join(CANARIES), "password": "canary-pass-word-1"})}))
NUMBERS = b'{"model":"m","card":4111111111111111,"amex":378282246310005,"amount":1.5,"ids":[4111111111111111.0]}'
FORM = ("model=m&note=" + quote(ALL)).encode()
PLAIN = {b"content-type": b"text/plain"}
BODIES: list[dict[str, Any]] = [
    {"question": question(ALL), "answer": answer(ALL)},
    {"question": ESCAPED.encode(), "answer": ESCAPED.encode()},
    {"question": LINES, "answer": answer("\n".join(CANARIES))},
    {"question": NESTED, "answer": NESTED},
    {"question": NUMBERS, "answer": NUMBERS},
    {"question": FORM, "noted": {b"content-type": b"application/x-www-form-urlencoded"}},
    {"question": ALL.encode(), "noted": PLAIN, "answer": ALL.encode(), "returned": PLAIN},
    {"question": json.dumps({c: [{c: c}] for c in CANARIES}).encode()},
    {"answer": stream(ALL), "returned": SSE},
    {"answer": b"".join(stream(ALL))[:4000], "returned": SSE, "ended": Ended.CUT},
    {"answer": [b'data: {"delta":"%s"}\n\n' % ALL.encode()[i : i + 3] for i in range(0, len(ALL), 3)], "returned": SSE},
    {"answer": gzip.compress(answer(ALL)), "returned": {**JSON, b"content-encoding": b"gzip"}},
    {"answer": zlib.compress(answer(ALL)), "returned": {**JSON, b"content-encoding": b"deflate"}},
    {"answer": answer(ALL), "returned": {**JSON, b"content-encoding": b"br"}},
    {"answer": json.dumps({"error": {"message": ALL, "code": ALL, "type": ALL}}).encode(), "status": 400},
    *({"answer": json.dumps({"error": {"code": c}}).encode(), "status": 500} for c in CANARIES),
    *({"question": question("hello", model=c), "answer": answer(c)} for c in CANARIES),
    *({"target": f"/v1/users/{quote(c)}/chat?key={quote(c)}&token={c.replace(' ', '+')}"} for c in CANARIES),
    *({"noted": {**JSON, b"idempotency-key": c}} for c in WORDS),
    *({"noted": {**JSON, b"x-request-id": b"id " + c, b"traceparent": c}} for c in WORDS),
    *({"returned": {**JSON, b"x-request-id": c, b"retry-after": c, b"openai-model": c}} for c in WORDS),
    {"returned": {**JSON, b"request-id": BEARER.encode(), b"content-type": ALL.encode()}},
    {"target": f"/openai/deployments/{quote(CANARIES[5])}/chat"},
    {"question": b"\x00\x01" + ALL.encode(), "noted": {b"content-type": b"multipart/form-data"}},
    {"ended": Ended.UNREACHED, "detail": "dns", "status": None},
]  # fmt: skip


@looped
async def test_no_canary_is_in_any_file_line_or_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    folder = tmp_path / "s"
    async with linked(folder, bodies=Fraction(1), spec=spec_of(folder, seal_every_ms=300, publish=tmp_path / "there")) as link:
        for about in BODIES:
            pass_call(link, **about)
        await until(lambda: link.state().recorded == len(BODIES))
        inside = bytes_in(tmp_path)
        await until(lambda: list(folder.glob("segments/*.json")))
        assert await link.stop(20)
        state = link.state()
    assert b"rows" in inside
    assert state.bodies > 20
    out = capfd.readouterr()
    everything = {
        "files while it ran": inside,
        "files": bytes_in(tmp_path),
        "output": (out.out + out.err + caplog.text).encode(),
        "state": repr(state).encode(),
    }
    for place, content in everything.items():
        for canary in spellings():
            assert canary not in content, f"{canary!r} in {place}"


@looped
async def test_no_other_spelling_of_a_canary_reaches_what_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    whole = ", ".join(HIDDEN)
    async with linked(folder, bodies=Fraction(1)) as link:
        for text in (whole, *HIDDEN):
            pass_call(link, question=question(text), answer=answer(text))
            pass_call(link, answer=stream(text), returned=SSE)
            pass_call(link, question=json.dumps({"model": "m", "note": text}, ensure_ascii=False).encode())
        assert await link.stop(20)
        assert link.state().bodies == 3 * (len(HIDDEN) + 1)
    inside = bytes_in(tmp_path)
    kept = json.dumps(payloads(folder), ensure_ascii=False)
    for rest, text in zip(REMAINS, HIDDEN, strict=True):
        assert rest not in kept
        assert text.encode() not in inside, text


@looped
async def test_what_is_kept_is_still_what_was_said(tmp_path: Path) -> None:
    async with linked(tmp_path / "s", bodies=Fraction(1)) as link:
        pass_call(
            link,
            question=question("Write to canary.bird@aviary.example."),
            answer=stream("Done: I wrote to them."),
            returned=SSE,
        )
        assert await link.stop(20)
    (kept,) = payloads(tmp_path / "s")
    assert kept["question"]["messages"][0]["content"] == "Write to [redacted e-mail]."
    assert kept["answer"] == {"id": "c", "model": "m", "text": "Done: I wrote to them."}


@looped
async def test_a_trouble_is_one_line_without_a_canary(tmp_path: Path) -> None:
    folder = tmp_path / "canary.bird@aviary.example"
    folder.write_text("a file")
    async with linked(folder / "s") as link:
        pass_call(link)
        await until(lambda: link.state().trouble is not None)
        text = link.state().trouble or ""
        assert "\n" not in text
        assert "canary.bird" not in text
        assert "E-LEDGER-WRITE" in text
        folder.unlink()
        assert await link.stop(20)


# ── one by one ──────────────────────────────────────────────────────────────────────────────────────────────────────
def keep(question: bytes, answer: bytes, *, limit: int = 1 << 20, **about: Any) -> Any:
    from slaguard.sidecar.packing import pack  # noqa: PLC0415

    call = finish(begin(HandClock()), question=question, answer=answer, **about)
    packed = Packed(*pack(call, "s", None, None))
    return json.loads(payload(packed, question, answer, limit=limit, redact=Redactor()))


def test_a_password_is_one_by_the_name_it_stands_under() -> None:
    kept = keep(b'{"password":"hunter2hunter2","word":"hunter2hunter2"}', ANSWER)
    assert kept["question"] == {"password": "[redacted secret]", "word": "hunter2hunter2"}


def test_small_numbers_stay_numbers() -> None:
    values = {"a": 1.25, "b": -7, "c": True, "d": None, "e": 0.41111111111111111, "f": 12345678901}
    assert keep(json.dumps(values).encode(), ANSWER)["question"] == values


def test_chunks_and_packing_are_undone_first() -> None:
    packed = gzip.compress(ANSWER)
    raw = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    kept = keep(QUESTION, raw, chunked=True, returned={**JSON, b"content-encoding": b"gzip"})
    assert kept["answer"]["choices"][0]["message"]["content"] == "4"


@pytest.mark.parametrize(
    ("body", "about", "why"),
    [
        (gzip.compress(b"x" * 100_000), {"returned": {b"content-encoding": b"gzip"}}, "too_large"),
        (ANSWER, {"returned": {b"content-encoding": b"br"}}, "unreadable"),
        (b"\xff\xfe\x00", {"returned": {b"content-type": b"image/png"}}, "unreadable"),
        (b"[" * 60 + b"]" * 60, {}, "unreadable"),
        (b"no json", {}, "unreadable"),
        (b"data: what\n\n", {"returned": SSE}, "unreadable"),
    ],
)
def test_what_cannot_be_read_is_not_kept(body: bytes, about: dict[str, Any], why: str) -> None:
    with pytest.raises(NotKept, match=why):
        keep(QUESTION, body, limit=50_000, **about)


def test_texts_are_looked_at_through_their_own_escapes() -> None:
    redact = Redactor()
    for text in ("a\\nsk-0123456789abcdefghij", "canary\\u0040aviary.example", "x\\\\\\\\nsk-0123456789abcdefghij"):
        assert "sk-0123" not in clean_text(text, redact)
        assert "aviary" not in clean_text(text, redact)
    assert clean_text("C:\\new\\table", redact) == "C:\\new\\table"


def test_requests_whose_ids_are_taken_out_are_still_two_and_their_attempts_still_one() -> None:
    names = []
    for number, bird in enumerate(("canary", "wren", "canary"), 1):
        call = finish(begin(HandClock()))
        call.name, call.logical_id = number, f"{bird}.bird@aviary.example"
        names.append(row_of(call)["logical_request_id"])
    assert names[0] == names[2] != names[1]
    assert "aviary" not in "".join(names)


@looped
async def test_ids_beside_a_canary_stay_what_they_are(tmp_path: Path) -> None:
    async with linked(tmp_path / "s") as link:
        for number in range(40):
            named = WORDS[5] if number == 17 else b"req_%d" % number
            pass_call(link, returned={**JSON, b"x-request-id": named})
        assert await link.stop(20)
    expected = ["[redacted e-mail]" if number == 17 else f"req_{number}" for number in range(40)]
    assert [o.request_id for o in observations(tmp_path / "s")] == expected
