"""What goes between pump and recorder, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.sidecar import wire
from slaguard.sidecar.call import WINDOW, Ended
from slaguard.sidecar.packing import kept_of, pack
from tests.sidecar.recorders import ANSWER, QUESTION, HandClock, begin, finish


@pytest.mark.parametrize("ended", list(Ended))
def test_a_call_comes_out_as_it_went_in(ended: Ended) -> None:
    call = finish(begin(HandClock()), ended=ended, detail="closed")
    call.name, call.logical_id = 7, "r"
    sent = wire.framed((3, [pack(call, "sidecar.1", "0.01", (QUESTION, ANSWER))], []))
    assert int.from_bytes(sent[:4], "big") == len(sent) - 4
    frame = wire.Frame(*wire.unframed(sent[4:]))
    packed = wire.Packed(*frame.calls[0])
    assert (frame.number, packed.name, packed.ended, packed.logical_id) == (3, 7, str(ended), "r")
    assert (packed.question_first, packed.answer_first, packed.answer_last) == (QUESTION, ANSWER, b"")
    assert (packed.marks, packed.kept) == (call.marks, (QUESTION, ANSWER))
    assert packed.wall_ns == call.began.wall_ns


def test_of_large_bodies_only_the_ends_are_sent() -> None:
    call = finish(begin(HandClock()), question=b"q" * 100_000, answer=[b"a" * 50_000, b"b" * 50_000])
    packed = wire.Packed(*pack(call, "s", None, None))
    assert (packed.question_size, packed.answer_size) == (100_000, 100_000)
    assert (packed.question_first, packed.answer_first) == (b"q" * WINDOW, b"a" * WINDOW)
    assert packed.answer_last == b"b" * WINDOW
    assert len(wire.framed((1, [tuple(packed)], []))) < 5 * WINDOW


def test_what_is_kept_of_a_body_is_all_of_it() -> None:
    call = begin(HandClock())
    call.answer.pieces = []
    finish(call, answer=[b"a" * 5000, b"b" * 5000])
    assert kept_of(call.answer) == b"a" * 5000 + b"b" * 5000
    assert kept_of(call.question) is None


@given(st.lists(st.dictionaries(st.text(max_size=4), st.text(max_size=8), max_size=3), max_size=6), st.integers(1, 7))
def test_messages_come_whole_however_they_are_cut(said: list[dict[str, str]], step: int) -> None:
    stream = b"".join(wire.word(**{f"k{k}": v for k, v in one.items()}) for one in said)
    words = wire.Words()
    heard = [m for at in range(0, len(stream), step) for m in words.take(stream[at : at + step])]
    assert heard == [{f"k{k}": v for k, v in one.items()} for one in said]


@pytest.mark.parametrize("noise", [b"Traceback\n", b"[1]\n", b"\xff\n", b"x" * (wire.MOST_WORD + 1)])
def test_whoever_says_something_else_is_no_recorder(noise: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        wire.Words().take(noise)
