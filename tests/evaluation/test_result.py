"""The result's JSON: one schema, exact decimals, bounds rounded outward, the same bytes after a round trip."""

from __future__ import annotations

import json
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from fractions import Fraction
from pathlib import Path

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.parts import decimal_text, parse_rfc3339, rfc3339
from slaguard.evaluation.result import Evaluation, json_schema
from slaguard.records import Record
from tests.evaluation.world import MEAN, RATIO, agreement, judge, minute, objective, period, watched


def example() -> Evaluation:
    """Return a result with a breach, a kept promise and a credit."""
    steps = [{"edge": "99.5%", "credit": "10%"}]
    contract = agreement(
        objective(MEAN, name="uptime", at_least="99.5%", credits=steps), objective(RATIO, name="errors", at_most="50%")
    )
    calls: list[Record] = [c for i in range(100) for c in minute(i, 2, int(i < 10))]
    return judge(contract, period(100), [watched(), *calls])


def test_the_json_keeps_its_schema() -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(example().to_json()))


def test_the_committed_schema_is_the_generated_one(repo: Path) -> None:
    committed = json.loads((repo / "sla_specs" / "evaluation.schema.json").read_text())
    assert committed == json_schema(), "write it again: make schemas"


def test_a_result_read_back_writes_the_same_bytes() -> None:
    text = example().to_json()
    assert Evaluation.from_json(text).to_json() == text


def test_money_is_written_with_the_currencys_digits() -> None:
    owed = json.loads(example().to_json())["credits"]
    assert (owed["claimable"], owed["fee"]) == ("100.00", "1000.00")


@given(st.fractions(min_value=0, max_value=1))
def test_a_bound_is_never_rounded_inward(value: Fraction) -> None:
    assert Fraction(Decimal(decimal_text(value, ROUND_FLOOR))) <= value <= Fraction(Decimal(decimal_text(value, ROUND_CEILING)))


@given(st.integers(0, 10**11), st.integers(0, 3))
def test_a_finite_figure_is_written_exactly(numerator: int, places: int) -> None:
    value = Fraction(numerator, 10**places)
    assert Fraction(decimal_text(value)) == value


@given(st.integers(0, 4 * 10**18))
def test_an_instant_survives_its_text(ns: int) -> None:
    assert parse_rfc3339(rfc3339(ns)) == ns
