"""The models by themselves: how they read, and that what is already a value stays one."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from slaguard.spec.model import Grades, Limits, Outcomes, Predicate, PredicateForm, Step, written_limit
from slaguard.spec.scalars import Amount, Day, Duration, Flag, Percent, Quantity, Slug, Whole, Words, Zone, zones
from slaguard.terms import MAPPED, Bound, BoundWord, Count, Grade, Money, Outcome


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Percent, "99.5%", Fraction(199, 200)),
        (Duration, "5m", 300_000),
        (Amount, "12000 EUR", Money(Decimal(12000), "EUR")),
        (Whole, "0", 0),
        (Flag, "true", True),
        (Zone, "Europe/Berlin", "Europe/Berlin"),
        (Slug, "acme-chat.v1", "acme-chat.v1"),
        (Quantity, "75", Quantity(Fraction(75), "count")),
        (Quantity, "2s", Quantity(Fraction(2000), "ms")),
    ],
)
def test_a_scalar_is_read_exactly_and_a_value_stays_itself(kind: Any, text: str, value: object) -> None:
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    assert adapter.validate_python(text) == value
    assert adapter.validate_python(value) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Percent, "99.5"), (Percent, "-1%"), (Percent, "1e2%"), (Percent, "\uff19%"), (Percent, "%"), (Percent, " 5%"),
        (Duration, "5"), (Duration, "1.5h"), (Duration, "5 m"), (Duration, "5M"),
        (Amount, "12,000.00 EUR"), (Amount, "12000.001 EUR"), (Amount, "-5.00 EUR"), (Amount, "5 eur"), (Amount, "1.5 JPY"),
        (Whole, "012"), (Whole, "+5"), (Whole, "5.0"), (Whole, "\u0665"), (Flag, "yes"), (Flag, "True"),
        (Day, "2026-02-30"), (Day, "2026-8-1"), (Day, "20260801"), (Day, "1889-01-01"), (Day, "2200-01-01"),
        (Zone, "europe/berlin"), (Zone, "CEST"), (Zone, "../Berlin"), (Zone, "localtime"),
        (Slug, "-x"), (Slug, "X"), (Slug, "a/b"), (Slug, "a\n"), (Slug, "x" * 64), (Slug, ""),
        (Words, "  "), (Quantity, ".inf"), (Quantity, "99,5"), (Quantity, "NaN"), (Quantity, "5 s"), (Quantity, ["5s"]),
    ],
)  # fmt: skip
def test_what_is_not_written_as_the_notation_says_is_refused(kind: Any, text: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(text)


@pytest.mark.parametrize(("written", "meant"), [("99.5", "99.5%"), ("0.995", "99.5%"), ("99,9", "99.9%")])
def test_a_bare_number_is_answered_with_the_percentage_it_means(written: str, meant: str) -> None:
    with pytest.raises(ValidationError, match=f"a percentage needs its sign: {meant}"):
        TypeAdapter(Quantity).validate_python(written)


def test_zones_are_those_of_the_data_that_ships_with_python_packages() -> None:
    assert {"UTC", "Europe/Berlin", "Asia/Kathmandu"} <= zones()
    assert "localtime" not in zones()


def test_a_limit_knows_its_bound_and_unit() -> None:
    limits = Limits.model_validate({"more_than": "75"})
    assert limits.bound == Bound(BoundWord.MORE_THAN, Fraction(75))
    assert limits.unit == "count"
    assert str(written_limit(limits)) == "75"


@pytest.mark.parametrize(
    ("written", "values", "bound"),
    [("true", ("true",), None), (["b", "a", "b"], ("a", "b"), None), ({"at_most": "5"}, None, BoundWord.AT_MOST)],
)
def test_a_condition_is_a_value_a_list_or_a_bound(written: object, values: object, bound: object) -> None:
    form = TypeAdapter(Predicate).validate_python(written)
    assert isinstance(form, PredicateForm)
    assert form.values == values
    assert (form.limits.bound.word if form.limits else None) is bound
    assert TypeAdapter(Predicate).validate_python(form) is form


@pytest.mark.parametrize("written", [[], {}, {"values": ["a"], "limits": {"at_most": "5"}}, {"at_most": "5", "at_least": "1"}])
def test_a_condition_is_never_both_or_nothing(written: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Predicate).validate_python(written)


def test_an_answer_is_always_good_and_what_was_not_measured_is_no_evidence() -> None:
    outcomes = Outcomes.model_validate({outcome.value: "drop" for outcome in MAPPED})
    assert outcomes.of(Outcome.OK) is Count.OK
    assert outcomes.of(Outcome.UNMEASURED) is None
    assert {outcomes.of(outcome) for outcome in MAPPED} == {Count.DROP}


def test_a_grade_that_is_not_named_is_unscored() -> None:
    grades = Grades.model_validate({"correct": "ok", "wrong": "fail"})
    assert [grades.of(g) for g in (Grade.CORRECT, Grade.WRONG, Grade.UNPARSED, Grade.UNSCORED)] == [
        Count.OK,
        Count.FAIL,
        None,
        None,
    ]


def test_a_step_of_the_ladder_is_read_from_its_words_or_its_parts() -> None:
    parts = Step.model_validate({"edge": "99.5%", "credit": "10%"})
    assert Step.model_validate({"step": "below 99.5%", "credit": "10%"}) == parts
    assert Step.model_validate({"step": "above 99.5%", "credit": "10%"}) == parts
