"""numeric@1: which number an answer gives, and how far it may be off."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slaguard.scorers.base import Scorer
from slaguard.scorers.numeric import Numeric, number
from slaguard.terms import Grade


@dataclass(frozen=True)
class Item:
    reference: str
    tolerance: str | None = None


def grade(reference: str, answer: str, tolerance: str | None = None) -> Grade:
    scorer: Scorer = Numeric()
    return scorer.score(Item(reference, tolerance), answer).grade


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("486", "486"),
        ("486.", "486"),
        ("486 minutes", "486"),
        ("about 486 minutes", "486"),
        ("-3.3 °C", "-3.3"),
        ("\u22123.3", "-3.3"),
        ("\u20133.3", "-3.3"),
        ("+5", "5"),
        ("$1,234.50", "1234.50"),
        ("-$5", "-5"),
        ("1 234 567,5 EUR", "1234567.5"),
        ("1\u202f234.5", "1234.5"),
        ("1'234.5", "1234.5"),
        ("1\u2019234", "1234"),
        ("1.234,5", "1234.5"),
        ("1.234.567", "1234567"),
        ("1.234", "1.234"),
        ("1,234", "1234"),
        ("0,123", "0.123"),
        ("246,47 m²", "246.47"),
        ("246.47 m^2", "246.47"),
        ("1.5e3", "1500"),
        ("12%", "12"),
        ("\uff11\uff12", "12"),
        ("007", "7"),
    ],
)
def test_a_number_is_read_as_people_write_it(text: str, value: str) -> None:
    assert number(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "none",
        "NaN",
        "Infinity",
        "-",
        "1/3",
        "3 of 4",
        "2026-03-04",
        "12:30",
        "1,23,456.7.8",
        "1.2.3",
        "four",
        "x5",
        "\u0663",
    ],
)
def test_what_is_not_one_number_is_none(text: str) -> None:
    assert number(text) is None


@pytest.mark.parametrize("text", ["9" * 5000, "-" + "9" * 5000, "1e999999999", "1e-999999999", "9" * 101, "1e101"])
def test_a_number_beyond_any_reference_is_infinite(text: str) -> None:
    found = number(text)
    assert found is not None
    assert not found.is_finite()


@pytest.mark.parametrize(
    ("reference", "answer", "tolerance", "expected"),
    [
        pytest.param("486", "Answer: 486", None, Grade.CORRECT, id="equal"),
        pytest.param("486", "Answer: 486.00", None, Grade.CORRECT, id="equal with decimals"),
        pytest.param("486", "Answer: 486.4", None, Grade.WRONG, id="whole numbers have no margin"),
        pytest.param("246.47", "Answer: 246.4749", None, Grade.CORRECT, id="rounds to the reference"),
        pytest.param("246.47", "Answer: 246.475", None, Grade.CORRECT, id="exactly half a unit"),
        pytest.param("246.47", "Answer: 246.4751", None, Grade.WRONG, id="just beyond half a unit"),
        pytest.param("246.50", "Answer: 246.51", None, Grade.WRONG, id="a zero at the end is a decimal too"),
        pytest.param("100", "Answer: 101", "1%", Grade.CORRECT, id="exactly one per cent"),
        pytest.param("-100", "Answer: -101.01", "1%", Grade.WRONG, id="beyond one per cent"),
        pytest.param("100", "Answer: 100.3", "0.3", Grade.CORRECT, id="exactly the tolerance"),
        pytest.param("100", "Answer: 100.31", "0.3", Grade.WRONG, id="beyond the tolerance"),
        pytest.param("-3.3", "Answer: 3.3", None, Grade.WRONG, id="the sign counts"),
        pytest.param("486", "486", None, Grade.CORRECT, id="a bare number"),
        pytest.param("486", "**486.**", None, Grade.CORRECT, id="a bare number with decoration"),
        pytest.param("486", "It is 486", None, Grade.UNPARSED, id="a sentence"),
        pytest.param("486", "Answer: 486 or 487", None, Grade.UNPARSED, id="two numbers"),
        pytest.param("486", "Answer: " + "very " * 300 + "486", None, Grade.UNPARSED, id="too long"),
        pytest.param("486", "Answer: " + "9" * 5000, None, Grade.WRONG, id="5,000 digits"),
        pytest.param("486", "9" * 5000, None, Grade.WRONG, id="5,000 bare digits"),
        pytest.param("486", "Answer: NaN", None, Grade.UNPARSED, id="NaN"),
        pytest.param("none", "Answer: 5", None, Grade.UNSCORED, id="the reference is no number"),
        pytest.param("5", "Answer: 5", "a bit", Grade.UNSCORED, id="the tolerance is none"),
    ],
)
def test_an_answer_is_graded_by_its_distance_from_the_reference(
    reference: str, answer: str, tolerance: str | None, expected: Grade
) -> None:
    assert grade(reference, answer, tolerance) is expected


@given(st.text(alphabet=st.characters(), max_size=200))
@example("Answer: " + "1," * 5000)
@example("Answer: \ud800\u202e" + "9" * 4400)
@example("1 " * 5000)
@example("Answer: 1e" + "9" * 5000)
def test_no_text_raises(answer: str) -> None:
    assert Numeric().score(Item("246.47"), answer).grade in {Grade.CORRECT, Grade.WRONG, Grade.UNPARSED}


@given(st.decimals(min_value=-(10**12), max_value=10**12, places=3))
def test_every_number_that_is_written_plainly_or_grouped_is_read_back(value: Decimal) -> None:
    for text in (f"{value:f}", f"{value:,f}", f"{value:,f}".replace(",", "\u202f")):
        assert number(text) == value


@given(st.decimals(min_value=-1000, max_value=1000, places=2), st.decimals(min_value=0, max_value=5, places=2))
def test_the_tolerance_is_exact_on_both_sides(reference: Decimal, tolerance: Decimal) -> None:
    hair = Decimal("0.0001")
    for sign in (1, -1):
        at = reference + sign * tolerance
        assert grade(f"{reference:f}", f"Answer: {at:f}", f"{tolerance:f}") is Grade.CORRECT
        assert grade(f"{reference:f}", f"Answer: {at + sign * hair:f}", f"{tolerance:f}") is Grade.WRONG
