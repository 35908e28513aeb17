"""Two readings of one request: whatever a client writes about where its body ends, the vendor sees what a strict reader sees.

Every case carries a second request that is none by a strict reading. It must never arrive as one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from slaguard.sidecar.pump import Limits
from tests.sidecar.hostile_rig import SMUGGLED, Reading, Rig, answer_to, get, one, post, rig, strict

REFUSALS = {400, 404, 408, 411, 413, 414, 431, 501, 505}
ZERO = b"0\r\n\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
TE = b"Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def pump() -> Iterator[Rig]:
    with rig(Limits()) as made:
        yield made


def is_refused(pump: Rig, *pieces: bytes, pause: float = 0.0) -> None:
    """Assert that what is honest before it is served, it is refused, and nobody is harmed."""
    got = pump.exchange(*pieces, pause=pause)
    honest = strict(b"".join(pieces)).requests
    assert not got.hung, "neither an answer nor a closed connection"
    assert got.closed
    assert got.statuses[: len(honest)] == [200] * len(honest)
    assert set(got.statuses[len(honest) :]) <= REFUSALS
    assert len(got.answers) <= len(honest) + 1
    nothing_is_smuggled(pump, pieces)


def is_served(pump: Rig, *pieces: bytes, pause: float = 0.0) -> None:
    """Assert that each of these requests is answered, in order, with its own answer."""
    honest = strict(b"".join(pieces)).requests
    assert honest, "the case is wrong"
    got = pump.exchange(*pieces, expected=len(honest), pause=pause)
    assert got.answers == [(200, answer_to(request)) for request in honest]
    assert len(pump.vendor.seen) == len(honest)
    nothing_is_smuggled(pump, pieces)


def is_either(pump: Rig, *pieces: bytes) -> None:
    """Assert that it is refused or served: two right answers."""
    honest = strict(b"".join(pieces)).requests
    got = pump.exchange(*pieces, expected=max(1, len(honest)))
    assert not got.hung
    assert set(got.statuses) <= REFUSALS | {200}
    nothing_is_smuggled(pump, pieces)


def nothing_is_smuggled(pump: Rig, pieces: tuple[bytes, ...]) -> None:
    """Assert that the vendor saw nothing but what stands there by a strict reading, and that the next call is served."""
    pump.settle()
    honest = [request.said for request in strict(b"".join(pieces)).requests]
    seen = [request.said for request in pump.vendor.seen]
    assert pump.vendor.faults == []
    assert seen == honest[: len(seen)]
    assert all(b"/smuggled" not in target for _, target, _ in seen)
    for number in range(2):  # the second one goes on the connection that the first one used
        request = get(b"/v1/honest/%d" % number)
        parsed, _ = one(request)
        assert parsed is not None
        assert pump.ask(request) == (200, answer_to(parsed))
    assert [r.target for r in pump.vendor.seen[len(seen) :]] == [b"/v1/honest/0", b"/v1/honest/1"]
    assert pump.vendor.faults == []


@pytest.fixture(autouse=True)
def _fresh(pump: Rig) -> None:
    pump.settle()
    pump.vendor.clear()


# ── Transfer-Encoding ───────────────────────────────────────────────────────────────────────────────────────────────
HONEST_TE = {
    "plain": TE,
    "in other letters": b"tRANSFER-eNCODING: chunked",
    "without a space": b"Transfer-Encoding:chunked",
    "with spaces": b"Transfer-Encoding:    chunked   ",
}
DOUBTFUL_TE = {
    "chunked in other letters": b"Transfer-Encoding: cHuNkEd",
    "with a tab": b"Transfer-Encoding:\tchunked",
    "with a tab behind": b"Transfer-Encoding: chunked\t",
}
"""The grammar allows them, and not every reader knows the grammar: to refuse them is as right."""
HOSTILE_TE = {
    "chunked, identity": b"Transfer-Encoding: chunked, identity",
    "identity, chunked": b"Transfer-Encoding: identity, chunked",
    "gzip, chunked": b"Transfer-Encoding: gzip, chunked",
    "gzip": b"Transfer-Encoding: gzip",
    "identity": b"Transfer-Encoding: identity",
    "xchunked": b"Transfer-Encoding: xchunked",
    "chunkedx": b"Transfer-Encoding: chunkedx",
    "chunk": b"Transfer-Encoding: chunk",
    "quoted": b'Transfer-Encoding: "chunked"',
    "quoted with apostrophes": b"Transfer-Encoding: 'chunked'",
    "empty": b"Transfer-Encoding:",
    "a comma before": b"Transfer-Encoding: , chunked",
    "a comma behind": b"Transfer-Encoding: chunked,",
    "twice in one line": b"Transfer-Encoding: chunked, chunked",
    "with a parameter": b"Transfer-Encoding: chunked;q=1",
    "twice": TE + b"\r\n" + TE,
    "twice, then identity": TE + b"\r\nTransfer-Encoding: identity",
    "twice, first identity": b"Transfer-Encoding: identity\r\n" + TE,
    "twice, once empty": b"Transfer-Encoding:\r\n" + TE,
    "folded": b"Transfer-Encoding:\r\n chunked",
    "folded with a tab": b"Transfer-Encoding:\r\n\tchunked",
    "with a fold behind": TE + b"\r\n x",
    "a space before the colon": b"Transfer-Encoding : chunked",
    "a tab before the colon": b"Transfer-Encoding\t: chunked",
    "a space before the name": b" " + TE,
    "a tab before the name": b"\t" + TE,
    "a space in the name": b"Transfer Encoding: chunked",
    "no colon": b"Transfer-Encoding chunked",
    "two colons": b"Transfer-Encoding:: chunked",
    "a NUL behind": TE + b"\x00",
    "a NUL in the name": b"Transfer-Encoding\x00: chunked",
    "a CR behind": TE + b"\r",
    "a CR and a field": TE + b"\rX: y",
    "a CR in the name": b"Transfer-\rEncoding: chunked",
    "0x0b before": b"Transfer-Encoding: \x0bchunked",
    "0x0b behind": TE + b"\x0b",
    "0x0c before": b"Transfer-Encoding: \x0cchunked",
    "0x85 before": b"Transfer-Encoding: \x85chunked",
    "0x85 behind": TE + b"\x85",
    "0xa0 before": b"Transfer-Encoding: \xa0chunked",
    "0xa0 in the name": b"Transfer-Encoding\xa0: chunked",
    "0xff in the word": b"Transfer-Encoding: chun\xffked",
    "a letter that looks like one": "Transfer-Encoding: \u0441hunked".encode(),
    "behind a bare LF": b"X: y\n" + TE,
    "behind a bare CR": b"X: y\r" + TE,
    "with a bare LF before it": b"\n" + TE,
    "with 0x1f before the name": b"\x1f" + TE,
}

EVERY_TE = HONEST_TE | DOUBTFUL_TE | HOSTILE_TE


@pytest.mark.parametrize("name", HONEST_TE)
def test_chunks_pass_however_their_field_is_written_honestly(pump: Rig, name: str) -> None:
    is_served(pump, post(HONEST_TE[name], body=HELLO))


@pytest.mark.parametrize("name", EVERY_TE)
def test_a_length_beside_a_transfer_coding_is_refused_in_every_spelling(pump: Rig, name: str) -> None:
    body = ZERO + SMUGGLED
    is_refused(pump, post(b"Content-Length: %d" % len(body), EVERY_TE[name], body=body))


@pytest.mark.parametrize("name", EVERY_TE)
def test_a_length_behind_a_transfer_coding_and_shorter_than_it_is_refused(pump: Rig, name: str) -> None:
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    is_refused(pump, post(EVERY_TE[name], b"Content-Length: 4", body=body))


@pytest.mark.parametrize("name", HOSTILE_TE)
def test_a_transfer_coding_that_is_not_plainly_chunked_is_refused(pump: Rig, name: str) -> None:
    is_refused(pump, post(HOSTILE_TE[name], body=HELLO + SMUGGLED))


def test_chunks_in_http_1_0_are_refused(pump: Rig) -> None:
    is_refused(pump, post(TE, body=ZERO + SMUGGLED, version=b"1.0"))


@pytest.mark.parametrize("name", DOUBTFUL_TE)
def test_a_coding_that_readers_may_doubt_is_chunked_or_nothing(pump: Rig, name: str) -> None:
    is_either(pump, post(DOUBTFUL_TE[name], body=HELLO))


@pytest.mark.parametrize("name", [b"Transfer_Encoding", b"X-Transfer-Encoding", b"TransferEncoding"])
def test_a_field_that_only_resembles_one_does_not_move_the_end_of_a_body(pump: Rig, name: bytes) -> None:
    body = ZERO + SMUGGLED
    is_either(pump, post(b"Content-Length: %d" % len(body), name + b": chunked", body=body))


@pytest.mark.parametrize("named", [b"Content-Length", b"Transfer-Encoding", b"transfer-encoding, close", b"host", b"x, Host"])
def test_connection_does_not_take_away_what_frames_a_request(pump: Rig, named: bytes) -> None:
    field = b"Content-Length: 5" if named == b"Content-Length" else TE
    is_either(pump, post(b"Connection: " + named, field, body=b"hello" if field != TE else HELLO))


@pytest.mark.parametrize("named", [b"keep-alive", b"x-a, X-B", b"close, x-a", b",,x-a,"])
def test_fields_that_connection_names_go_and_the_body_stays(pump: Rig, named: bytes) -> None:
    is_served(pump, post(b"X-A: 1", b"Connection: " + named, b"X-B: 2", b"Content-Length: 5", body=b"hello"))


# ── Content-Length ──────────────────────────────────────────────────────────────────────────────────────────────────
HOSTILE_CL = {
    "with a plus": b"Content-Length: +5",
    "negative": b"Content-Length: -1",
    "minus nothing": b"Content-Length: -0",
    "hexadecimal": b"Content-Length: 0x10",
    "5,5": b"Content-Length: 5,5",
    "5, 6": b"Content-Length: 5, 6",
    "twice the same": b"Content-Length: 5\r\nContent-Length: 5",
    "twice, differing": b"Content-Length: 5\r\nContent-Length: 60",
    "twice, once empty": b"Content-Length: 5\r\nContent-Length:",
    "empty": b"Content-Length:",
    "blank": b"Content-Length:   ",
    "2^64": b"Content-Length: 18446744073709551616",
    "2^64 + 5": b"Content-Length: 18446744073709551621",
    "2^63": b"Content-Length: 9223372036854775808",
    "a thousand digits": b"Content-Length: " + b"1" * 1000,
    "with a space inside": b"Content-Length: 5 0",
    "with an underscore": b"Content-Length: 5_0",
    "a fraction": b"Content-Length: 5.0",
    "with an exponent": b"Content-Length: 1e1",
    "words": b"Content-Length: five",
    "with a semicolon": b"Content-Length: 5;",
    "quoted": b'Content-Length: "5"',
    "folded": b"Content-Length:\r\n 5",
    "with a fold behind": b"Content-Length: 5\r\n 0",
    "a space before the colon": b"Content-Length : 5",
    "a space before the name": b" Content-Length: 5",
    "a NUL behind": b"Content-Length: 5\x00",
    "0x0b before": b"Content-Length: \x0b5",
    "0x85 behind": b"Content-Length: 5\x85",
    "0xa0 before": b"Content-Length: \xa05",
    "other digits": "Content-Length: \u0665".encode(),
    "wide digits": "Content-Length: \uff15".encode(),
    "a superscript": b"Content-Length: \xb2",
    "a CR behind": b"Content-Length: 5\r",
    "behind a bare LF": b"X: y\nContent-Length: 5",
}


@pytest.mark.parametrize("name", HOSTILE_CL)
def test_a_length_that_is_not_plainly_a_number_is_refused(pump: Rig, name: str) -> None:
    is_refused(pump, post(HOSTILE_CL[name], body=b"hello" + SMUGGLED))


@pytest.mark.parametrize(
    "field", [b"Content-Length: 5", b"content-length:5", b"CONTENT-LENGTH:   5  ", b"Content-Length: 5\r\nX-Content-Length: 9"]
)
def test_a_length_passes_however_it_is_written_honestly(pump: Rig, field: bytes) -> None:
    is_served(pump, post(field, body=b"hello"))


@pytest.mark.parametrize(
    "field", [b"Content-Length: 005", b"Content-Length:\t5\t", b"Content-Length: 000000000000000005", b"Content_Length: 5"]
)
def test_a_length_that_readers_agree_about_moves_nothing(pump: Rig, field: bytes) -> None:
    is_either(pump, post(field, body=b"hello" if b"_" not in field else b""))


def test_a_body_may_hold_another_request(pump: Rig) -> None:
    is_served(pump, post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED))


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS"])
def test_a_body_where_none_is_usual_ends_where_its_length_says(pump: Rig, method: bytes) -> None:
    request = post(b"Content-Length: %d" % len(SMUGGLED), body=SMUGGLED).replace(b"POST", method, 1)
    is_either(pump, request) if method == b"HEAD" else is_served(pump, request)


def test_a_get_may_have_a_chunked_body_with_another_request_in_it(pump: Rig) -> None:
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    is_served(pump, post(TE, body=body).replace(b"POST", b"GET", 1))


# ── line ends ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _lf_everywhere(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n")


PLAIN = post(b"X-A: 1", b"Content-Length: 5", body=b"hello")
HOSTILE_LINES = {
    "LF for every CRLF": _lf_everywhere(PLAIN),
    "LF behind the request line": PLAIN.replace(b"\r\n", b"\n", 1),
    "LF behind a field": PLAIN.replace(b"X-A: 1\r\n", b"X-A: 1\n"),
    "LF before the empty line": PLAIN.replace(b": 5\r\n", b": 5\n"),
    "LF for the empty line": PLAIN.replace(b"\r\n\r\n", b"\r\n\n"),
    "LF LF": PLAIN.replace(b"\r\n\r\n", b"\n\n"),
    "CR for every CRLF": PLAIN.replace(b"\r\n", b"\r"),
    "CR behind a field": PLAIN.replace(b"X-A: 1\r\n", b"X-A: 1\r"),
    "CR CR LF": PLAIN.replace(b"X-A: 1\r\n", b"X-A: 1\r\r\n"),
    "LF CR": PLAIN.replace(b"X-A: 1\r\n", b"X-A: 1\n\r"),
    "a CR inside a value": PLAIN.replace(b"X-A: 1", b"X-A: 1\r2"),
    "an LF inside a name": PLAIN.replace(b"X-A: 1", b"X\n-A: 1"),
    "a fold": PLAIN.replace(b"X-A: 1", b"X-A: 1\r\n 2"),
    "a fold with a tab": PLAIN.replace(b"X-A: 1", b"X-A: 1\r\n\t2"),
    "a line of spaces": PLAIN.replace(b"X-A: 1", b"X-A: 1\r\n   "),
    "a space before the first field": PLAIN.replace(b"Host:", b" Host:"),
    "a line without a colon": PLAIN.replace(b"X-A: 1", b"X-A"),
    "a field without a name": PLAIN.replace(b"X-A: 1", b": 1"),
    "a NUL in a value": PLAIN.replace(b"X-A: 1", b"X-A: \x00"),
    "a BEL in a value": PLAIN.replace(b"X-A: 1", b"X-A: \x07"),
    "0x7f in a value": PLAIN.replace(b"X-A: 1", b"X-A: \x7f"),
    "a name that is not ASCII": PLAIN.replace(b"X-A: 1", "X-\u00e4: 1".encode()),
    "a name with a bracket": PLAIN.replace(b"X-A: 1", b"X-(A): 1"),
}


@pytest.mark.parametrize("name", HOSTILE_LINES)
def test_lines_that_are_not_plainly_lines_are_refused(pump: Rig, name: str) -> None:
    is_refused(pump, HOSTILE_LINES[name] + SMUGGLED, SMUGGLED)


def test_values_that_are_not_ascii_move_nothing(pump: Rig) -> None:
    is_either(pump, post(b"X-A: \x85\xa0\xff", "X-B: \u0441".encode(), b"Content-Length: 5", body=b"hello"))


# ── chunks ──────────────────────────────────────────────────────────────────────────────────────────────────────────
HOSTILE_CHUNKS = {
    "an extension": b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "an extension behind the last": b"5\r\nhello\r\n0;a=b\r\n\r\n",
    "a quoted extension": b'5;a="b;\r\n"\r\nhello\r\n0\r\n\r\n',
    "an extension with an LF": b"5;a\nhello\r\n0\r\n\r\n",
    "an extension with a CR": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "a huge extension": b"5;a=" + b"b" * 70_000 + b"\r\nhello\r\n0\r\n\r\n",
    "a bare semicolon": b"5;\r\nhello\r\n0\r\n\r\n",
    "no size": b"\r\nhello\r\n0\r\n\r\n",
    "a size in C": b"0x5\r\nhello\r\n0\r\n\r\n",
    "a size with a plus": b"+5\r\nhello\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a space before the size": b" 5\r\nhello\r\n0\r\n\r\n",
    "a space behind the size": b"5 \r\nhello\r\n0\r\n\r\n",
    "a tab behind the size": b"5\t\r\nhello\r\n0\r\n\r\n",
    "seventeen digits": b"00000000000000005\r\nhello\r\n0\r\n\r\n",
    "2^64 + 5": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "sixty thousand noughts": b"0" * 60_000 + b"5\r\nhello\r\n0\r\n\r\n",
    "no hexadecimal digit": b"5g\r\nhello\r\n0\r\n\r\n",
    "an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "other digits": "\u0665\r\nhello\r\n0\r\n\r\n".encode(),
    "LF behind the size": b"5\nhello\r\n0\r\n\r\n",
    "CR behind the size": b"5\rhello\r\n0\r\n\r\n",
    "CR CR LF behind the size": b"5\r\r\nhello\r\n0\r\n\r\n",
    "nothing behind the data": b"5\r\nhello0\r\n\r\n",
    "LF behind the data": b"5\r\nhello\n0\r\n\r\n",
    "CR behind the data": b"5\r\nhello\r0\r\n\r\n",
    "two bytes behind the data": b"5\r\nhelloXX0\r\n\r\n",
    "more data than said": b"5\r\nhello more\r\n0\r\n\r\n",
    "LF for the last empty line": b"5\r\nhello\r\n0\r\n\n",
    "LF behind the last size": b"5\r\nhello\r\n0\n\r\n",
    "CR LF behind a space": b"5\r\nhello\r\n0\r\n \r\n",
    "0x0b behind the size": b"5\x0b\r\nhello\r\n0\r\n\r\n",
    "a NUL behind the size": b"5\x00\r\nhello\r\n0\r\n\r\n",
    "a trailer Content-Length": b"5\r\nhello\r\n0\r\nContent-Length: 60\r\n\r\n",
    "a trailer Transfer-Encoding": b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a trailer Host": b"5\r\nhello\r\n0\r\nHost: other.test\r\n\r\n",
    "a trailer Authorization": b"5\r\nhello\r\n0\r\nAuthorization: Bearer x\r\n\r\n",
    "a trailer with LF": b"5\r\nhello\r\n0\r\nX-A: 1\n\r\n",
    "a trailer that is folded": b"5\r\nhello\r\n0\r\nX-A: 1\r\n 2\r\n\r\n",
    "a trailer without a colon": b"5\r\nhello\r\n0\r\nX-A\r\n\r\n",
    "a request for a trailer": b"5\r\nhello\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "trailers without end": b"5\r\nhello\r\n0\r\n" + b"X-A: 1234567890\r\n" * 60_000,
    "one trailer without end": b"5\r\nhello\r\n0\r\nX-A: " + b"x" * 1_000_000,
}
HOSTILE_BEGINNINGS = {
    "a size that ends in CR": b"0\r\r" + SMUGGLED.replace(b"\r\n", b"\r"),
    "an extension that does not end": b"5;" + b"x" * 100,
    "letters": b"GET /smuggled HTTP/1.1\r",
    "a trailer that ends in CR": b"0\r\n\r\r" + SMUGGLED.replace(b"\r\n", b"\r"),
    "a trailer that is a request": b"0\r\nGET /smuggled HTTP/1.1\r\r",
    "CRs": b"\r\r",
    "data without its end": b"5\r\nhello\r\r",
}
HONEST_CHUNKS = {
    "digits in small letters": b"a\r\n0123456789\r\n0\r\n\r\n",
    "digits in capitals": b"A\r\n0123456789\r\n0\r\n\r\n",
    "noughts before": b"00a\r\n0123456789\r\n000\r\n\r\n",
    "many chunks": b"1\r\nx\r\n" * 500 + ZERO,
    "chunks that hold a request": b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
    "chunks that hold chunks": b"%x\r\n%s\r\n0\r\n\r\n" % (len(HELLO), HELLO),
    "nothing": ZERO,
}


@pytest.mark.parametrize("name", HOSTILE_CHUNKS)
def test_chunks_that_are_not_plainly_chunks_end_the_call(pump: Rig, name: str) -> None:
    is_refused(pump, post(TE, body=HOSTILE_CHUNKS[name] + SMUGGLED), SMUGGLED)


@pytest.mark.parametrize("name", HOSTILE_CHUNKS)
def test_chunks_that_are_none_are_none_too_when_they_come_after_the_head(pump: Rig, name: str) -> None:
    body = HOSTILE_CHUNKS[name]
    is_refused(pump, post(TE), body[:7], body[7:] + SMUGGLED, pause=0.02)


@pytest.mark.parametrize("name", HOSTILE_BEGINNINGS)
def test_what_is_not_recognised_yet_is_not_passed_on(name: str) -> None:
    """A vendor that takes a CR for the end of a line must not get one that we have not judged."""
    with rig(Limits()) as pump, pump.connect() as client:
        client.sendall(post(TE))
        for byte in HOSTILE_BEGINNINGS[name]:
            try:
                client.sendall(bytes([byte]))
                time.sleep(0.002)
            except (BrokenPipeError, ConnectionResetError):
                break
        client.close()
        pump.settle()
        assert pump.vendor.faults == []
        assert pump.vendor.seen == []


@pytest.mark.parametrize("name", HONEST_CHUNKS)
def test_honest_chunks_pass_whole_and_in_two_pieces(pump: Rig, name: str) -> None:
    raw = post(TE, body=HONEST_CHUNKS[name])
    is_served(pump, raw)
    pump.vendor.clear()
    is_served(pump, raw[:-9], raw[-9:], pause=0.02)


def test_an_honest_request_with_chunks_passes_byte_by_byte(pump: Rig) -> None:
    raw = post(TE, body=b"5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n")
    is_served(pump, *(raw[i : i + 1] for i in range(len(raw))), pause=0.001)


def test_trailers_of_a_request_move_nothing(pump: Rig) -> None:
    is_either(pump, post(TE, b"Trailer: X-Sum", body=b"5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"))


# ── the second opinion ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "raw",
    [
        *(post(b"Content-Length: 5", field, body=ZERO + SMUGGLED) for field in EVERY_TE.values()),
        *(post(field, body=HELLO) for field in HOSTILE_TE.values()),
        *(post(field, body=b"hello" + SMUGGLED) for field in HOSTILE_CL.values()),
        *(raw + SMUGGLED for raw in HOSTILE_LINES.values()),
        *(post(TE, body=body + SMUGGLED) for body in HOSTILE_CHUNKS.values()),
    ],
    ids=lambda _: "",
)
def test_the_strict_reader_that_judges_the_pump_refuses_these_itself(raw: bytes) -> None:
    reading = strict(raw)
    assert reading.requests == ()
    assert reading.fault is not None


@pytest.mark.parametrize("raw", [post(field, body=HELLO) for field in HONEST_TE.values()] + [PLAIN], ids=lambda _: "")
def test_the_strict_reader_reads_what_is_honest_in_any_pieces(raw: bytes) -> None:
    reading = strict(raw + raw)
    assert [r.body for r in reading.requests] == [b"hello", b"hello"]
    assert reading.rest == b""
    assert all(strict(raw[:i]) == Reading((), raw[:i], None) for i in range(len(raw)))
