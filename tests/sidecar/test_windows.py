"""What is looked at quickly in a window is what would be found by looking at all of it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from slaguard.providers.sse import events
from slaguard.redact import Redactor
from slaguard.sidecar.answer import MATTERS, last_events
from slaguard.sidecar.body import dechunk
from slaguard.sidecar.kept import remembering
from slaguard.sidecar.scan import unchunked
from tests.sidecar.spoken import chunks

PIECES = st.sampled_from(
    [
        b"data: x", b"\n", b"\n\n", b"\n\n\n", b"\r\n", b"\r", b"data: [DONE]\n\n", b"event: error\n", b"data: ", b"error",
        b'{"choices":[{"finish_reason":null}]}', b'"finish_reason" : null', b'{"finish_reason":\ndata: "stop"}',
        b"\xef\xbb\xbf",
        b'{"finish_reason": "stop"}', b'{"type":"response.completed"}', b'{"type":"message_stop"}', b'"stop_reason":"refusal"',
        b'"error":{', b": a comment\n", b"0\r\n\r\n", b"5\r\nhello\r\n", b"A\r\n", b"0a\r\n", b"3;x=y\r\nabc\r\n",
    ]
)  # fmt: skip
any_bytes = st.lists(st.one_of(PIECES, st.binary(max_size=8)), max_size=14).map(b"".join)


@given(held=st.lists(st.one_of(any_bytes, st.binary(min_size=1, max_size=40)), max_size=6), cut=st.integers(0, 400))
@example(held=[b"one", b"two"], cut=0)
def test_chunks_are_undone_quickly_as_they_are_by_their_grammar(held: list[bytes], cut: int) -> None:
    raw = b"".join(chunks(*(one for one in held if one)))
    for part in (raw, raw[:cut], raw + raw[:cut]):
        assert unchunked(part) == dechunk(part)[0]


@given(raw=any_bytes)
@example(raw=b"0\r\n\r\n5\r\nhello")
@example(raw=b"5\r\nhello\r")
@example(raw=b"5\r\nhello!")
@example(raw=b" 5\r\nhel")
@example(raw=b"0\r\n\r\n0\r\n\r\n")
def test_what_are_no_chunks_is_broken_off_where_their_grammar_is(raw: bytes) -> None:
    assert unchunked(raw) == dechunk(raw)[0]


@given(tail=any_bytes)
@example(tail=b'data: {"finish_reason":\ndata: "stop"}\n\n')
@example(tail=b"data: 1\n\n\n\n\nevent: error\ndata: {}\n\n")
def test_no_event_that_matters_is_left_out_of_the_last_ones(tail: bytes) -> None:
    everything = [(e.data, e.name, e.end) for e in events(tail)]
    found = [(e.data, e.name, e.end) for e in last_events(tail)]
    left_out = everything[: len(everything) - len(found)]
    assert everything == left_out + found
    assert not [e for e in left_out if e[1] == b"error" or MATTERS.search(e[0]) or e[0].strip() == b"[DONE]"]


@given(
    texts=st.lists(st.sampled_from(["role", "", "sk-" + "a1" * 12, "a@b.example", "x" * 64, "x" * 65, "call +49 30 1234567"]))
)
def test_a_redactor_with_a_memory_says_what_it_says_without(texts: list[str]) -> None:
    quick, plain = remembering(Redactor()), Redactor()
    assert [quick(text) for text in texts] == [plain(text) for text in texts]
