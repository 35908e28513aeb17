"""Heads are recognised strictly and forwarded as they came, less what is documented."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.sidecar.body import Chunked, Length, UntilClose
from slaguard.sidecar.head import HOP_BY_HOP, Refused, own_answer, read_answer, read_request

TOKEN = st.text(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~", min_size=1, max_size=20)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f\x80\x85\xa0"), max_size=40)
SPECIAL = {b"host", b"content-length", b"transfer-encoding", *HOP_BY_HOP}
FIELDS = st.lists(st.tuples(TOKEN, VALUE), max_size=12).map(
    lambda pairs: [p for p in pairs if p[0].lower().encode() not in SPECIAL]
)


def _lines(fields: list[tuple[str, str]]) -> list[bytes]:
    return [f"{name}:{value}".encode("latin-1") for name, value in fields]


@given(FIELDS, FIELDS)
def test_every_other_field_is_forwarded_in_its_place_and_spelling(
    before: list[tuple[str, str]], after: list[tuple[str, str]]
) -> None:
    first, last = _lines(before), _lines(after)
    head = b"\r\n".join([b"POST /acme/v1?x=%20 HTTP/1.1", *first, b"hOST: localhost:7465", *last, b"", b""])
    request = read_request(head)
    assert request.host == "localhost"
    expected = b"\r\n".join([b"POST /v1?x=%20 HTTP/1.1", *first, b"Host: api.acme.example", *last, b"", b""])
    assert request.forwarded(b"/v1?x=%20", b"api.acme.example") == expected


@given(FIELDS)
def test_an_answer_is_forwarded_in_its_spelling(fields: list[tuple[str, str]]) -> None:
    head = b"\r\n".join([b"HTTP/1.1 200 Very OK", *_lines(fields), b"Content-Length: 3", b"", b""])
    answer = read_answer(head, b"GET")
    assert answer.forwarded(closing=False) == head
    assert answer.forwarded(closing=True) == head[:-2] + b"Connection: close\r\n\r\n"


def test_hop_by_hop_fields_and_those_connection_names_are_left_out() -> None:
    head = (
        b"GET / HTTP/1.1\r\nX-Hop: 1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
        b"Proxy-Connection: x\r\nProxy-Authorization: y\r\nX-End: 2\r\n\r\n"
    )
    assert read_request(head).forwarded(b"/", b"b") == b"GET / HTTP/1.1\r\nHost: b\r\nX-End: 2\r\n\r\n"


@given(st.binary(max_size=300))
def test_no_bytes_are_a_traceback(data: bytes) -> None:
    for read in (lambda: read_request(data), lambda: read_answer(data, b"GET")):
        try:
            read()
        except Refused as refused:
            assert refused.status in {400, 501, 502, 505}  # noqa: PT017 - either end is fine


REQUEST = b"POST / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding:\tchunked",
        b"Transfer-Encoding: chunked\t",
        b"Content-Length:\t5",
        b"Content-Length: 05",
        b"Content_Length: 5",
        b"Transfer_Encoding: chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Content-Length: 5\r\nContent-Length: 5",
        b"Content-Length: 0x5",
        b"Content-Length:",
        b"Content-Length: 1111111111111111",
        b"Host: b",
        b" folded: yes",
        b"\tfolded",
        b"No colon",
        b"A: \x00",
        b"A: b\rC: d",
        b"A: b\nC: d",
        b"Upgrade: websocket",
        b"Connection: Content-Length\r\nContent-Length: 5",
        b"Connection: host",
        b": empty",
        b"A B: c",
        "Ä: c".encode("latin-1"),
        b'Transfer-Encoding: "chunked"',
        b"Transfer-Encoding: Chunked",
        b"A: \x7f",
    ],
)
def test_a_request_that_two_readers_could_read_differently_is_refused(line: bytes) -> None:
    with pytest.raises(Refused):
        read_request(REQUEST % line)


@pytest.mark.parametrize(
    ("start", "status"),
    [
        (b"GET http://a/ HTTP/1.1", 400),
        (b"CONNECT a:443 HTTP/1.1", 501),
        (b"OPTIONS * HTTP/1.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET /\xc3\xa4 HTTP/1.1", 400),
        (b"GET /#x HTTP/1.1", 400),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GE(T / HTTP/1.1", 400),
        (b"GET / http/1.1", 400),
        (b"PRI * HTTP/2.0", 505),
    ],
)
def test_a_request_line_that_is_not_the_grammars_is_refused(start: bytes, status: int) -> None:
    with pytest.raises(Refused) as refused:
        read_request(start + b"\r\nHost: a\r\n\r\n")
    assert refused.value.status == status


@pytest.mark.parametrize("host", [b"", b"a b", b"a,b", b"u@a", b"a:b", b"a/b", b"[::1", b"a:123456"])
def test_a_host_is_a_name_or_an_address(host: bytes) -> None:
    with pytest.raises(Refused):
        read_request(b"GET / HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert read_request(b"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n").host == "[::1]"


def test_without_a_host_there_is_no_request() -> None:
    with pytest.raises(Refused):
        read_request(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("fields", "status", "method", "expected"),
    [
        (b"Content-Length: 3\r\n", 200, b"GET", Length),
        (b"Transfer-Encoding: Chunked\r\n", 200, b"GET", Chunked),
        (b"", 200, b"GET", UntilClose),
        (b"Content-Length: 3\r\n", 200, b"HEAD", None),
        (b"Content-Length: 3\r\n", 304, b"GET", None),
        (b"Transfer-Encoding: chunked\r\n", 204, b"GET", None),
        (b"Content-Length: 0\r\n", 200, b"GET", None),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 200, b"GET", Chunked),
        (b"Content-Length: 3\r\nContent-Length: 3\r\n", 200, b"GET", Length),
    ],
)
def test_an_answers_end_follows_rfc_9112(fields: bytes, status: int, method: bytes, expected: type | None) -> None:
    answer = read_answer(b"HTTP/1.1 %d OK\r\n%s\r\n" % (status, fields), method)
    assert (type(answer.framing) if answer.framing else None) is expected


def test_a_length_beside_chunks_is_not_forwarded_and_ends_the_vendors_connection() -> None:
    answer = read_answer(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"GET")
    assert answer.forwarded(closing=False) == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert not answer.keep_alive


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 3\n\n\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
    ],
)
def test_an_answer_that_cannot_be_read_in_one_way_is_refused(head: bytes) -> None:
    with pytest.raises(Refused):
        read_answer(head, b"GET")


def test_noted_fields_hold_no_credential() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer sk-1\r\nX-Api-Key: k\r\nCookie: c\r\nX-Request-Id:  7 \r\n\r\n"
    assert read_request(head).noted == {b"x-request-id": b"7"}


def test_our_own_answer_is_one_and_says_whose_it_is() -> None:
    head, _, body = own_answer(400, "why").partition(b"\r\n\r\n")
    answer = read_answer(head + b"\r\n\r\n", b"GET")
    assert isinstance(answer.framing, Length)
    assert answer.framing.take(body, 0) == body
    assert answer.framing.done
    assert b"Slaguard-Sidecar: refused" in head
    assert own_answer(400, "why", to_head=True) == head + b"\r\n\r\n"
