"""Each remedy at one figure: pairs computed by hand, and what holds whatever the figure."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from slaguard.evaluation.caps import Earlier, Past
from slaguard.evaluation.credits import CreditLine, PricedRow, Settlement, settle
from slaguard.evaluation.fees import Account
from slaguard.spec.model import Agreement, Combine, Fee, PeriodUnit
from slaguard.spec.remedies import Remedy, StepTable
from slaguard.spec.rights import PointsTable
from slaguard.spec.scalars import Quantity
from slaguard.spec.tables import breach_region, gaps, look_up
from slaguard.terms import Bound, BoundWord, minor_digits, parse_money, parse_percent

FOLDER = Path(__file__).parent / "golden" / "money"
REMEDY: TypeAdapter[Any] = TypeAdapter(Remedy)
Case = dict[str, Any]


def cases() -> list[Any]:
    read: list[Case] = yaml.load((FOLDER / "remedies.yaml").read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return [pytest.param(case, id=case["name"]) for case in read]


def contract(case: Case) -> Agreement:
    fee = {"amount": case.get("fee", "12000.00 EUR"), "per": case.get("per", "month")}
    fee |= {key: case[key] for key in ("rounding", "divided") if key in case}
    table = case.get("points_table")
    read: dict[str, Any] = {
        "fee": Fee.model_validate(fee),
        "period": PeriodUnit.MONTH,
        "combine": None,
        "caps": (),
        "services": (),
        "points_table": None if table is None else PointsTable.model_validate(table),
    }
    return Agreement.model_construct(**read)


def row_of(case: Case) -> PricedRow:
    word, limit = case["promise"].split()
    length = Fraction(case["down"]) * 60_000 if "down" in case else None
    bound = Bound(BoundWord(word), Quantity.parse(limit).value)
    return PricedRow("promise", "all", bound, (), None, REMEDY.validate_python(case["remedy"]), length)


def figure(text: str) -> Fraction:
    return parse_percent(text) if text.endswith("%") else Fraction(text)


def account_of(case: Case) -> Account:
    return Account(
        usage={"all": Fraction(parse_money(case["usage"]).amount)} if "usage" in case else {},
        usage_days={"all": int(case["usage_days"])} if "usage_days" in case else {},
        elections={"promise": case["elected"]} if "elected" in case else {},
        days=int(case.get("days", "31")),
    )


def settled(case: Case, *, high: bool = False) -> Settlement:
    before = (Earlier("2026-09", 0, 1, Fraction(0), {}, int(case["points_before"])),) if "points_before" in case else ()
    values = {row_of(case): figure(case["value"])}
    return settle(contract(case), values, account_of(case), Past(before), high=high)


@pytest.mark.parametrize("case", cases())
def test_a_remedy_gives_what_was_computed_by_hand(case: Case) -> None:
    found = settled(case)
    line = found.lines[0]
    assert str(found.total) == case["pays"]
    assert str(settled(case, high=True).total) == case.get("at_most", case["pays"])
    assert line.qualifier == case.get("qualifier")
    assert (line.points, line.days) == (int(case.get("points", 0)), int(case.get("in_days", 0)))
    assert options(line) == case.get("options", {})


def options(line: CreditLine) -> dict[str, str]:
    currency = line.alone.currency
    return {o.name: "none" if o.amount is None else f"{line.exactly(o.amount)} {currency}" for o in line.options}


def test_what_at_risk_is_shared_by_never_costs_more_than_all_of_it() -> None:
    """Texas: 100,000 at 10 % at risk; eight objectives of 2,000 each pay 10,000."""
    case = next(c.values[0] for c in cases() if c.values[0]["name"] == "R3, the Texas example")
    rows = {replace(row_of(case), objective=f"objective {i}"): figure("98%") for i in range(8)}
    add_up = Combine.model_validate({"within_event": "highest_only", "across_objectives": "sum_to_cap"})
    found = settle(contract(case).model_copy(update={"combine": add_up}), rows)
    assert (str(found.total), found.cap_applied) == ("10000.00 USD", True)
    assert {str(line.amount) for line in found.lines} == {"1250.00 USD"}


# ── whatever the figure ─────────────────────────────────────────────────────────────────────────────────────────────
IN_ORDER = [c for c in cases() if "points_before" not in c.values[0] and "value" in c.values[0]]


@given(st.sampled_from(IN_ORDER), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_worse_figure_is_never_worth_less_and_amounts_are_whole_cents(param: Any, a: int, b: int) -> None:
    case: Case = param.values[0]
    scale = Fraction(1, 100) if case["promise"].endswith("s") else Fraction(1, 10**6)
    better, worse = (max(a, b), min(a, b)) if case["promise"].startswith("at_least") else (min(a, b), max(a, b))
    totals = []
    for value in (better, worse):
        for high in (False, True):
            found = settle(contract(case), {row_of(case): value * scale}, account_of(case), high=high)
            assert found.total.amount.as_tuple().exponent == -minor_digits(found.total.currency)
            totals.append(found.total.amount)
    low, high_, worse_low, worse_high = totals
    assert low <= worse_low
    assert high_ <= worse_high
    assert low <= high_


@given(
    st.lists(
        st.tuples(st.integers(0, 20), st.integers(0, 20), st.sampled_from(["from_inclusive", "both_inclusive"])),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 200),
)
def test_a_figure_is_in_a_gap_exactly_where_the_table_says_there_is_one(rows: list[tuple[int, int, str]], at: int) -> None:
    printed = [{"from": f"{min(a, b)}%", "to": f"{max(a, b) + 1}%", "credit": "10%", "edges": edges} for a, b, edges in rows]
    remedy = {"kind": "step_table", "gap_policy": "readings", "overlap_policy": "readings", "rows": printed}
    table = REMEDY.validate_python(remedy)
    assert isinstance(table, StepTable)
    bound, value = Bound(BoundWord.AT_LEAST, Fraction(20, 100)), Fraction(at, 1000)
    found = look_up(table, value, bound)
    inside = any(first <= (0, value, 0) < last for first, last in gaps(table, breach_region(bound, is_share=True)))
    assert (found.qualifier == "TIER_GAP") is (inside and not bound.holds(value))
