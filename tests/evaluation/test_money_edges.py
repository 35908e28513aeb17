"""Money at its edges: stated months, parts of a fee, unpriced readings, outages under a cap, rounding, odd Facts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any

import pytest

from slaguard.evaluation.credits import PricedRow, settle
from slaguard.evaluation.result import CreditsPart
from slaguard.imports.facts import parse_fact
from slaguard.records import Fact, Record
from slaguard.spec.model import Agreement
from slaguard.spec.remedies import StepTable
from slaguard.spec.resolve import resolve
from slaguard.terms import Bound, BoundWord
from tests.evaluation.past import contract
from tests.evaluation.test_money import CALLS, HOUR, fact, money, priced
from tests.evaluation.world import RATIO, RUNS, agreement, judge, minute, objective, watched

HOURLY = {"kind": "per_step", "step": "1h", "of": "downtime", "amount": "50.00 EUR", "partial": "floor"}


def october(terms: Agreement, down: Iterable[int]) -> CreditsPart:
    """Return October's credit, these minutes being down."""
    records: list[Record] = [watched(), *(o for i in down for o in minute(i, 0, 1))]
    found = judge(terms, resolve(terms, "2026-10"), records).credits
    assert found is not None
    return found


def hourly(remedy: dict[str, Any], **terms: Any) -> Agreement:
    return agreement(objective(RUNS, name="uptime", at_least="99.9%", remedy=remedy), **terms)


def test_downtime_is_the_minutes_counted_also_where_the_month_is_stated_shorter() -> None:
    short = hourly(HOURLY, month_length="30d")
    under = october(short, range(59))
    assert (str(under.claimable), "59 minutes down" in under.lines[0].sentence) == ("0.00", True)
    assert str(october(short, range(60)).claimable) == "50.00"
    shared = october(hourly({"kind": "pro_rata", "times": "10x"}, month_length="30d"), range(59))
    assert (str(shared.claimable), "59 minutes down" in shared.lines[0].sentence) == ("13.66", True)


def test_a_scope_without_a_part_of_the_fee_never_has_the_whole_fee() -> None:
    promise = objective(RATIO, name="errors", at_most="1%", credits=[{"edge": "1%", "credit": "10%"}], service=["batch"])
    fee = {"amount": "1000.00 EUR", "per": "month", "base": "service", "amounts": {"chat": "600.00 EUR"}}
    found = money(agreement(promise, services=[{"id": "chat"}, {"id": "batch"}], fee=fee), records=[HOUR[0], *CALLS])
    assert str(found.upper) == "0.00"
    assert "the part of the fee for batch is not stated" in found.missing[0]


@pytest.mark.parametrize("order", [("A", "B"), ("B", "A")])
def test_a_reading_that_pays_nothing_leaves_what_another_may_pay(order: Sequence[str]) -> None:
    remedies = {"A": {"kind": "flat", "amount": "100.00 EUR"}, "B": {"kind": "none"}}
    readings = [{"id": name, "set": {"remedy": remedies[name]}, "basis": "x"} for name in order]
    found = money(priced().model_copy(update={"objectives": read(readings)}))
    assert (str(found.claimable), str(found.upper)) == ("0.00", "100.00")


def read(readings: list[dict[str, Any]]) -> Any:
    """Return a promise of errors that is read in these ways."""
    return agreement(objective(RATIO, name="errors", at_most="1%", remedy={"kind": "none"}, readings=[readings])).objectives


def test_a_cap_per_event_limits_each_outage_and_a_share_of_the_fee_is_one_event() -> None:
    cap = [{"value": "5%", "per": "event"}]
    days = [day * 1440 + i for day in (3, 10, 20) for i in range(60)]
    assert str(october(hourly(HOURLY, caps=cap), days).claimable) == "150.00"
    assert str(october(hourly(HOURLY, caps=cap), range(180)).claimable) == "50.00"
    flat = hourly({"kind": "flat", "credit": "10%"}, caps=cap)
    assert str(october(flat, days).claimable) == "50.00"


def test_usage_that_the_fee_stands_for_is_named_for_each_promise() -> None:
    remedy = {"kind": "usage_multiple", "rows": [{"below": "99.5%", "times": "1x"}], "window": "period", "days": "all"}
    terms = contract(promise={"remedy": remedy})
    assert "usage" in money(terms).missing[0]
    assert "usage" in money(terms, [fact("usage", "310.00 EUR", subject="another")]).missing[0]
    assert money(terms, [fact("usage", "310.00 EUR", subject="uptime")]).missing == ()


def test_a_breach_that_rounding_carries_to_the_target_has_a_range_of_amounts() -> None:
    table = StepTable.model_validate({
        "kind": "step_table", "edges": "from_inclusive", "gap_policy": "refuse", "rounded": {"places": 2, "mode": "half_up"},
        "rows": [{"from": "99%", "to": "99.9%", "credit": "10%"}, {"from": "0%", "to": "99%", "credit": "25%"}],
    })  # fmt: skip
    row = PricedRow("uptime", "all", Bound(BoundWord.AT_LEAST, Fraction(999, 1000)), (), None, table)
    low, high = (settle(priced(), {row: Fraction(99899, 100000)}, high=far) for far in (False, True))
    assert (str(low.total), str(high.total), low.lines[0].qualifier) == ("0.00 EUR", "100.00 EUR", "TIER_GAP")


def test_facts_of_money_that_cannot_be_counted_are_named() -> None:
    def missing(one: Fact) -> str:
        return " | ".join(money(priced(), [one]).missing)

    assert "names no option" in missing(fact("election", "cash", subject="uptime"))
    assert "credit_paid 10.00 USD for 2026-09 is not counted" in missing(fact("credit_paid", "10.00 USD", period="2026-09"))
    assert "for last autumn is not counted" in missing(fact("credit_paid", "10.00 EUR", period="last autumn"))


def test_more_affected_users_than_there_are_is_refused() -> None:
    line = (
        '{"kind": "fact", "id": "1", "type": "affected_users", "when": "2026-11-03T09:00:00Z", '
        '"period": "2026-10", "value": "%s"}'
    )
    with pytest.raises(ValueError, match="at most 100%"):
        parse_fact(line % "120%")
    terms = priced(fee={"amount": "1000.00 EUR", "per": "month", "base": "affected_users"})
    assert str(money(terms, [fact("affected_users", "120%")]).upper) == "0.00"
