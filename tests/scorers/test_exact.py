"""exact@1: which text of an answer is the answer, and when it is the right one."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slaguard.scorers.base import Scorer
from slaguard.scorers.exact import Exact
from slaguard.terms import Grade


@dataclass(frozen=True)
class Item:
    reference: str
    tolerance: str | None = None


def grade(reference: str, answer: str) -> Grade:
    scorer: Scorer = Exact()
    return scorer.score(Item(reference), answer).grade


@pytest.mark.parametrize(
    "answer",
    [
        "Answer: Yes",
        "I divided by 2, 3, 5 and 7.\n\nAnswer: yes",
        "**Answer:** Yes.",
        "**Answer**: **Yes**",
        "### ANSWER : `YES`",
        "Answer:\n\nYes\n",
        "Answer: No, wait.\nAnswer: Yes",
        "Answer\uff1a Yes",
        "Answer: “Yes”",
        "\r\nAnswer: Yes\r\n",
        "Answer: \uff39\uff45\uff53",
        "Answer: Y\u200be\u202es",
        "yes",
        " **Yes.** ",
    ],
)
def test_the_right_answer_is_recognised_whatever_stands_around_it(answer: str) -> None:
    assert grade("Yes", answer) is Grade.CORRECT


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("Answer: No", Grade.WRONG, id="another word"),
        pytest.param("Answer: Yes and no", Grade.WRONG, id="more than the word"),
        pytest.param("Answer: Yes\nAnswer: No", Grade.WRONG, id="the last one counts"),
        pytest.param("no", Grade.WRONG, id="a single word"),
        pytest.param("Answer: " + "Yes " * 1000, Grade.WRONG, id="longer than any reference"),
        pytest.param("Yes, it is prime.", Grade.UNPARSED, id="a sentence"),
        pytest.param("Yes\nNo", Grade.UNPARSED, id="two words on two lines"),
        pytest.param("Answer:", Grade.UNPARSED, id="nothing after it"),
        pytest.param("Answer: **.**", Grade.UNPARSED, id="only decoration after it"),
        pytest.param("No answer was found: Yes", Grade.UNPARSED, id="another use of the word"),
        pytest.param("myanswer: Yes", Grade.UNPARSED, id="a part of a word"),
        pytest.param("", Grade.UNPARSED, id="nothing at all"),
    ],
)
def test_what_is_not_clearly_right_is_wrong_or_unparsed(answer: str, expected: Grade) -> None:
    assert grade("Yes", answer) is expected


def test_several_words_and_dates_are_compared_with_their_spaces_evened_out() -> None:
    assert grade("New York", "Answer:  new   york") is Grade.CORRECT
    assert grade("2026-03-04", "Answer: 2026-03-04.") is Grade.CORRECT
    assert grade("2026-03-04", "Answer: 4 March 2026") is Grade.WRONG


@given(st.text(alphabet=st.characters(), max_size=200))
@example("\ud800\x00\x1b[2J\u202eAnswer:\ud800")
@example("Answer:" * 2000)
@example("answer" + "*" * 10_000 + ":")
def test_no_text_raises_and_the_reason_repeats_nothing_of_it(answer: str) -> None:
    graded = Exact().score(Item("Yes"), answer)
    assert graded.grade in {Grade.CORRECT, Grade.WRONG, Grade.UNPARSED}
    assert graded.reason in {None, "not the reference", "nothing after Answer:", "no line that starts with Answer:"}


def test_an_answer_of_10_mb_is_graded_in_a_moment() -> None:
    assert grade("Yes", "Answer: " * 1_250_000 + "\nAnswer: Yes") is Grade.CORRECT
    assert grade("Yes", "x" * 10_000_000) is Grade.UNPARSED
