"""Where a body ends is found without changing it, however its bytes are split."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.sidecar.body import BadFraming, Chunked, Framing, Length, UntilClose, dechunk


def _fed(framing: Framing, pieces: list[bytes]) -> list[bytes]:
    """Feed pieces until the end; return what may be passed on of each."""
    taken = []
    for piece in pieces:
        if framing.done:
            break
        taken.append(framing.take(piece, 0))
    return taken


def _split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({c % (len(data) + 1) for c in cuts}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if b > a]


CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)
CUTS = st.lists(st.integers(0, 400), max_size=8)


def _encoded(chunks: list[bytes], tail: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + tail


@given(CHUNKS, CUTS, st.binary(max_size=20))
def test_chunks_end_at_the_same_byte_however_they_are_split(chunks: list[bytes], cuts: list[int], surplus: bytes) -> None:
    raw = _encoded(chunks)
    framing = Chunked(extensions=False)
    framing.payload = []
    taken = _fed(framing, _split(raw + surplus, cuts))
    assert framing.done
    assert b"".join(taken) == raw
    assert b"".join(framing.payload) == b"".join(chunks)
    for extensions in (False, True):
        passing = Chunked(extensions=extensions)
        assert b"".join(_fed(passing, _split(raw + surplus, cuts))) == raw
        assert passing.done


@given(st.integers(1, 300), CUTS, st.binary(max_size=20))
def test_a_length_ends_after_so_many_bytes(length: int, cuts: list[int], surplus: bytes) -> None:
    framing = Length(length)
    assert b"".join(_fed(framing, _split(b"x" * length + surplus, cuts))) == b"x" * length
    assert framing.done


def test_a_body_that_ends_with_the_connection_takes_everything() -> None:
    framing = UntilClose()
    assert framing.take(b"abc", 1) == b"bc"
    assert not framing.done


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n", b"g\r\n", b"0x5\r\nhello\r\n", b"+5\r\nhello\r\n", b" 5\r\nhello\r\n", b"5 \r\nhello\r\n", b"-1\r\n",
        b"5\nhello\n", b"5\r\nhello\n", b"5\r\nhelloX\r\n", b"5\r\nhello\r\r\n", b"1" * 16 + b"\r\n", b"5;a=b\r\nhello\r\n",
        b"5\r\nhello0\r\n\r\n", b"0\r\nHost: x\r\n\r\n", b"0\r\nContent-Length: 3\r\n\r\n", b"0\r\n folded\r\n\r\n",
        b"0\r\nno colon\r\n\r\n", b"0\r\nA: " + b"x" * 5000 + b"\n", b"0\r\n" + b"A: 0123456789\r\n" * 4000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("step", [1, 3, 10_000])
def test_a_request_whose_chunks_are_not_exactly_the_grammar_is_broken(raw: bytes, step: int) -> None:
    pieces = [raw[at : at + step] for at in range(0, len(raw), step)]
    with pytest.raises(BadFraming):
        _fed(Chunked(extensions=False), pieces)


def test_a_size_line_that_never_ends_is_broken_and_not_kept() -> None:
    with pytest.raises(BadFraming):
        _fed(Chunked(extensions=True), [b"1;" + b"x" * 100] * 100)


def test_trailers_are_part_of_the_body_and_answers_may_have_extensions() -> None:
    raw = b'5;name="v"\r\nhello\r\n0\r\nX-Checksum: 1\r\nEmpty:\r\n\r\n'
    framing = Chunked(extensions=True)
    assert framing.take(raw + b"next", 0) == raw
    assert framing.done
    assert framing.end == len(raw)


def test_what_was_good_before_the_break_is_told() -> None:
    raw = b"5\r\nhello\r\nzz\r\n"
    with pytest.raises(BadFraming) as broken:
        Chunked(extensions=True).take(raw, 0)
    assert broken.value.good == b"5\r\nhello\r\n"


def test_a_line_that_is_not_whole_is_passed_on_as_far_as_it_can_be_one() -> None:
    pieces = [b"5", b"\r", b"\nhel", b"lo\r", b"\n0\r\n", b"X", b": 1", b"\r\n", b"\r", b"\n"]
    assert _fed(Chunked(extensions=False), pieces) == pieces


@pytest.mark.parametrize("raw", [b"\r", b"5 ", b"0P", b"5\r\r", b"5\r\nhello0", b"0\r\nA B", b"0\r\n\r\r", b"0\r\nHost:"])
def test_a_line_that_cannot_become_one_is_broken_before_its_end(raw: bytes) -> None:
    with pytest.raises(BadFraming):
        _fed(Chunked(extensions=False), [bytes([byte]) for byte in raw])


@given(CHUNKS)
def test_unpacking_gives_what_was_packed(chunks: list[bytes]) -> None:
    assert dechunk(_encoded(chunks)) == (b"".join(chunks), True)
    assert dechunk(_encoded(chunks, b"")) == (b"".join(chunks), False)
    assert dechunk(_encoded(chunks, b"zz\r\n")) == (b"".join(chunks), False)
