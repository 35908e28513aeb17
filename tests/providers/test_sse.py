"""Events of a stream: the quick way reads what the slow one does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slaguard.providers.sse import Event, events

LINES = [b"data: a", b"data:b", b"data", b"event: error", b": comment", b"id: 1", b"x", b"data: ", b"\n", b"\n\n"]
PIECES = st.sampled_from(LINES)


@given(st.lists(PIECES, max_size=20).map(b"".join))
def test_lines_that_end_with_lf_say_the_same_as_lines_that_end_with_crlf(stream: bytes) -> None:
    assert [e.data for e in events(stream + b"\n\n")] == [e.data for e in events((stream + b"\n\n").replace(b"\n", b"\r\n"))]


def test_an_event_has_its_name_and_where_it_ended() -> None:
    stream = b"\xef\xbb\xbfdata: one\n\nevent: error\ndata: two\ndata: three\n\ndata: cut"
    assert list(events(stream)) == [Event(b"one", 14), Event(b"two\nthree", 50, b"error")]
