"""No byte is changed: every exchange of the corpus arrives as it was sent, on both sides, chunk ends and cuts included."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from slaguard.sidecar.call import Ended
from tests.providers.test_tls import NOW, Authority
from tests.sidecar.clients import Sending, Wait, Wire, ask, get
from tests.sidecar.corpus import KINDS, MIB, Case, Draft, Rng, cases, finished, json_length, target_of, upload_of
from tests.sidecar.framing import Answer, End, Head, read
from tests.sidecar.playing import Stage, answer_differences, request_differences
from tests.sidecar.running import Sidecar, sidecar_to, upstream
from tests.sidecar.tls_front import tls_before
from tests.sidecar.wire_vendor import Do, Part, Request, Script, WireVendor, by_book, running

SEED = 20_260_303
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
TOO_LARGE = b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno\n"


# ── the corpus ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_rig_itself_sees_no_difference_where_nothing_stands_between() -> None:
    stage = Stage()
    with running(stage.vendor):
        asyncio.run(stage.play(cases(400, SEED), stage.vendor.port))
    assert len(stage.played) == 400
    assert stage.troubles == []


@pytest.mark.parametrize(
    ("count", "seed"),
    [pytest.param(1_500, SEED, id="1500"), pytest.param(10_000, SEED + 1, id="10000", marks=pytest.mark.slow)],
)
def test_no_byte_of_any_exchange_is_changed_and_every_call_says_what_it_was(count: int, seed: int) -> None:
    stage = Stage()
    with running(stage.vendor), sidecar_to(upstream(stage.vendor.port)) as sidecar:

        async def play() -> None:
            await stage.play(cases(count, seed), sidecar.port)
            await sidecar.watcher.settled()

        asyncio.run(play())
        stage.compare_calls(sidecar.watcher.over)
        assert sidecar.state.open_calls == 0
        assert sidecar.state.refused == {}
    assert not stage.troubles, "\n".join(stage.troubles)
    assert (len(stage.played), len(sidecar.watcher.over)) == (count, count)
    assert {case.kind for case in stage.played.values()} == {kind.__name__ for kind in KINDS}
    assert stage.connections < count / 3  # most are used again


def test_no_byte_is_changed_on_the_way_to_a_vendor_that_speaks_tls(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed, so no certificates can be made")
    authority = Authority(tmp_path)
    stage = Stage()
    whole = [case for case in cases(600, SEED) if Do.RESET not in case.script]  # TLS has no reset of its own
    with running(stage.vendor), tls_before(stage.vendor, authority.certificate("vendor", "IP:127.0.0.1", *NOW)) as port:
        authority_of_vendor = f"127.0.0.1:{stage.vendor.port}"
        with sidecar_to(upstream(port, tls=True, authority=authority_of_vendor), trust=authority.trust()) as sidecar:

            async def play() -> None:
                await stage.play(whole, sidecar.port)
                await sidecar.watcher.settled()

            asyncio.run(play())
            stage.compare_calls(sidecar.watcher.over)
    assert stage.troubles == []
    assert len(stage.played) == len(whole)


def test_the_corpus_has_what_it_promises() -> None:
    every = list(cases(1_500, SEED))
    said = b"".join(case.sent + b"".join(step for step in case.script if isinstance(step, bytes)) for case in every)
    promised = (
        b"data: [DONE]\r\n\r\n", b"data: [DONE]\n\n", b": keep-alive\n", b"\x1f\x8b\x08", b"Set-Cookie", b"set-cookie: c",
        b"\xff", b"103 Early", b"100-continue", b"0\r\nX-Checksum: 1f\r\n", b";seq=1\r\n", b"X-Empty:\r\n", b"HTTP/1.0 200",
    )  # fmt: skip
    for words in promised:
        assert words in said, words
    assert {case.answer.end for case in every} == {End.COMPLETE, End.CLOSED, End.CUT, End.RESET}
    assert {204, 304, 400, 429, 500, 503, 529} <= {case.answer.status for case in every}
    assert max(len(case.sent) for case in every) > MIB


# ── the comparison sees what a sidecar might do ─────────────────────────────────────────────────────────────────────
SENT = (
    b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
)  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        (b"200 OK", b"200 Okay", "status line"),
        (b"Set-Cookie: a=1\r\nset-cookie: b=2", b"set-cookie: b=2\r\nSet-Cookie: a=1", "fields"),
        (b"set-cookie", b"Set-Cookie", "fields"),
        (b"set-cookie: b=2\r\n", b"", "fields"),
        (b"b=2", b"b=2\r\nVia: sidecar", "fields"),
        (b"3\r\nabc\r\n2\r\nde", b"5\r\nabcde", "chunk ends"),
        (b"3\r\nabc", b"03\r\nabc", "body"),
        (b"abc", b"abx", "body"),
        (b"0\r\n\r\n", b"", "ended"),
        (b"HTTP/1.1 200", b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200", "interim"),
    ],
)
def test_a_change_of_an_answer_would_be_seen(old: bytes, new: bytes, word: str) -> None:
    assert old in SENT
    assert any(difference.startswith(word) for difference in answer_differences(read(SENT), read(SENT.replace(old, new))))
    assert list(answer_differences(read(SENT), read(SENT))) == []


def test_a_cut_answer_that_was_completed_on_the_way_would_be_seen() -> None:
    assert list(answer_differences(read(SENT[:-5]), read(SENT)))
    plain = b"HTTP/1.1 200 OK\r\n\r\nuntil the end"
    assert list(answer_differences(read(plain, reset=True), read(plain)))
    assert list(answer_differences(read(plain, reset=True), read(plain, reset=True))) == []


def test_a_change_of_a_request_would_be_seen() -> None:
    case = next(case for case in cases(200, SEED) if case.kind == "upload" and len(case.sent) > 1_000)
    raw, end, body = case.sent.partition(b"\r\n\r\n")
    head = Head.of(raw + end)
    good = Request(replace(head, fields=tuple((n, b"acme" if n == b"Host" else v) for n, v in head.forwarded)), body)
    assert list(request_differences(case, good, b"acme")) == []
    assert list(request_differences(case, Request(good.head, body[:-1]), b"acme"))
    assert list(request_differences(case, Request(replace(good.head, fields=good.head.fields[::-1]), body), b"acme"))
    assert list(request_differences(case, Request(replace(good.head, line=b"GET / HTTP/1.1"), body), b"acme"))
    assert list(request_differences(case, None, b"acme"))


# ── one at a time ───────────────────────────────────────────────────────────────────────────────────────────────────
class Between:
    """A vendor whose script a test sets, and a sidecar before it."""

    def __init__(self, vendor: WireVendor, scripts: dict[str, Script], sidecar: Sidecar) -> None:
        self.vendor = vendor
        self.scripts = scripts
        self.sidecar = sidecar

    def ask(self, sending: bytes | Sending, script: Script, method: str = "GET") -> Answer:
        """Have one request answered by a script, on a connection of its own."""
        self.scripts["now"] = script
        return asyncio.run(ask(self.sidecar.port, sending, method))


@pytest.fixture(scope="module")
def between() -> Iterator[Between]:
    scripts: dict[str, Script] = {}
    with running(WireVendor(by_book(lambda request: scripts["now"]))) as vendor:
        other = upstream(vendor.port, prefix="/other", base="/base")
        with sidecar_to(upstream(vendor.port), other) as sidecar:
            yield Between(vendor, scripts, sidecar)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, MIB, 5 * MIB])
def test_uploads_of_every_size_arrive_unchanged(size: int, *, chunked: bool) -> None:
    def drafted(token: int) -> Case:
        draft = Draft(Rng(size + token), token)
        upload_of(draft, size, chunked=chunked)
        json_length(draft)
        return finished(draft, "upload")

    stage = Stage()
    with running(stage.vendor), sidecar_to(upstream(stage.vendor.port)) as sidecar:
        asyncio.run(stage.play((drafted(token) for token in range(3)), sidecar.port))
    assert stage.troubles == []
    assert len(stage.played) == 3


def test_a_prefix_is_taken_off_and_a_base_put_before_and_all_else_stays(between: Between) -> None:
    asked = b"GET /other/v1/x?a=%2F&b=/other HTTP/1.1\r\nx-B: 1\r\nHOST: sidecar.test\r\nX-a: 2\r\nx-B: 0\r\n\r\n"
    assert between.ask(asked, [OK]).payload == b"ok"
    sent = between.vendor.requests[-1].head.raw
    host = b"Host: 127.0.0.1:%d" % between.vendor.port
    assert sent == b"GET /base/v1/x?a=%2F&b=/other HTTP/1.1\r\nx-B: 1\r\n" + host + b"\r\nX-a: 2\r\nx-B: 0\r\n\r\n"


def test_a_client_of_http_1_0_gets_what_chunks_hold_and_the_end_of_the_connection(between: Between) -> None:
    body = b"5;x=1\r\nfirst\r\n1\r\n,\r\n6\r\nsecond\r\n0\r\nX-Sum: 1\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nA: 1\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\na: 2\r\n\r\n"
    got = between.ask(
        b"GET /old HTTP/1.0\r\nHost: sidecar.test\r\n\r\n", [head, *(body[at : at + 1] for at in range(len(body)))]
    )
    assert got.head is not None
    assert got.head.fields == ((b"A", b"1"), (b"a", b"2"), (b"Connection", b"close"))
    assert (got.body, got.end) == (b"first,second", End.CLOSED)


def test_a_client_of_http_1_0_can_tell_that_chunks_were_cut(between: Between) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    got = between.ask(b"GET /old HTTP/1.0\r\nHost: sidecar.test\r\n\r\n", [head, b"5\r\nfirst\r\n", Do.CLOSE])
    assert (got.body, got.end) == (b"first", End.RESET)


def test_a_client_of_http_1_0_gets_no_interim_answer(between: Between) -> None:
    asked = b"GET /old HTTP/1.0\r\nHost: sidecar.test\r\nConnection: keep-alive\r\n\r\n"
    got = between.ask(asked, [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", OK])
    assert (got.interim, got.payload) == ((), b"ok")


def test_a_request_to_go_on_is_answered_by_the_vendor_alone(between: Between) -> None:
    asked: Sending = [get("/v1/x", "Expect: 100-continue", "Content-Length: 4", method="PUT"), Wait.CONTINUE, b"body"]
    got = between.ask(asked, [b"HTTP/1.1 100 Go On\r\nx-Why: asked\r\n\r\n", Do.WHOLE, OK])
    assert got.interim == (b"HTTP/1.1 100 Go On\r\nx-Why: asked\r\n\r\n",)
    assert between.vendor.requests[-1].body == b"body"


def test_requests_that_follow_at_once_are_answered_in_their_order(between: Between) -> None:
    async def pipelined() -> list[bytes]:
        async with await Wire.open(between.sidecar.port) as wire:
            await wire.send(b"".join(get(target_of(n), method="POST", body=b"%d" % n * n) for n in range(9)))
            return [(await wire.finish(wire.reading())).payload for _ in range(9)]

    between.scripts["now"] = [OK]
    before = len(between.vendor.requests)
    assert asyncio.run(pipelined()) == [b"ok"] * 9
    assert [request.body for request in between.vendor.requests[before:]] == [b"%d" % n * n for n in range(9)]


# ── answers before the request is whole ─────────────────────────────────────────────────────────────────────────────
HALF = 50_000


def test_after_an_early_answer_the_client_knows_whether_another_request_may_follow(between: Between) -> None:
    """It is told that the connection closes, or the connection serves its next request."""

    async def early() -> tuple[Answer, bytes]:
        head = get("/v1/early", f"Content-Length: {2 * HALF}", method="PUT")
        async with await Wire.open(between.sidecar.port) as wire:
            first = await wire.ask([head + bytes(HALF), Wait.HEAD, bytes(HALF)], "PUT")
            if not wire.is_usable:
                return first, b"it was told"
            between.scripts["now"] = [OK]
            return first, (await wire.ask(get("/v1/next"))).payload

    between.scripts["now"] = [Part(HALF), TOO_LARGE, Do.WHOLE]
    first, then = asyncio.run(early())
    assert (first.status, first.payload) == (413, b"no\n")
    assert then in {b"it was told", b"ok"}


def test_an_early_answer_reaches_a_client_that_reads_only_after_it_has_sent_everything(between: Between) -> None:
    asked = get("/v1/early", f"Content-Length: {8 * MIB}", method="PUT") + bytes(8 * MIB)
    answer = TOO_LARGE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    got = between.ask(asked, [Part(HALF), answer, Do.CLOSE], "PUT")
    assert (got.status, got.payload, got.end) == (413, b"no\n", End.COMPLETE)


def test_an_early_answer_is_a_complete_call(between: Between) -> None:
    between.ask([get("/v1/early-call", "Content-Length: 9", method="PUT"), Wait.HEAD], [Part(0), TOO_LARGE, Do.HANG], "PUT")
    (call,) = between.sidecar.watcher.of("/v1/early-call")
    assert (call.ended, call.http_status, call.question.size) == (Ended.COMPLETE, 413, 0)
