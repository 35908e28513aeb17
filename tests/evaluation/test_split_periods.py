"""What looks beyond the period that is judged: caps of a month that an amendment splits, and the n-th failed period."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.lookback import looked_at, looks_back
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import CreditsPart, DeadlinePart, Evaluation
from slaguard.records import Fact, Observation
from slaguard.spec.model import Agreement
from slaguard.spec.resolve import periods_before, resolve
from tests.evaluation.past import contract, months
from tests.evaluation.world import DAY, RATIO, agreement, answer, call, objective, watched

FIRST, SECOND = "2026-10.1", "2026-10.2"
BAD = [call(day * DAY, "error_500" if n == 0 else "ok", n=n) for day in (4, 19) for n in range(2)]
"""Half of the calls failed, on a day of each part."""


def split(caps: list[dict[str, Any]], **terms: Any) -> Agreement:
    """Return an Agreement whose October is split after 10 of 31 days; each part pays half of its share of 3,100 EUR."""
    promise = objective(RATIO, at_most="1%", credits={"above 1%": "50%"})
    change = {
        "id": "a1",
        "effective": "2026-10-11",
        "clause": "A 1",
        "within_period": "split",
        "set": {"objectives.promise.min_coverage": "90%"},
    }
    fee = {"amount": "3100.00 EUR", "per": "month"}
    return agreement(promise, caps=caps, amendments=[change | terms.pop("change", {})], **({"fee": fee} | terms))


def part(terms: Agreement, label: str, history: Sequence[Evaluation] = (), facts: tuple[Fact, ...] = ()) -> Evaluation:
    span = resolve(terms, label)
    demands = requirements(terms, span, facts, span.end + DAY)
    evidence = answer(demands, [watched(), *BAD], facts)
    return evaluate(terms, span, evidence, span.end + DAY, spec_sha256="0" * 64, history=history)


def money(found: Evaluation) -> CreditsPart:
    assert found.credits is not None
    return found.credits


def both(caps: list[dict[str, Any]], **terms: Any) -> tuple[str, str]:
    """Return what the first part claims, and what the second does that knows the first."""
    made = split(caps, **terms)
    first = part(made, FIRST)
    second = money(part(made, SECOND, [first]))
    assert second.missing == ()
    return str(money(first).claimable), str(second.claimable)


@pytest.mark.parametrize(
    ("cap", "paid"),
    [
        pytest.param({"amount": "600.00 EUR", "per": "month"}, ("500.00", "100.00"), id="an amount"),
        pytest.param({"amount": "600.00 EUR", "per": "period"}, ("500.00", "100.00"), id="per period, which is the month"),
        pytest.param({"value": "20%", "per": "month"}, ("500.00", "120.00"), id="a share of the month's fee"),
        pytest.param({"value": "20%", "per": "month", "scope": "objective"}, ("500.00", "120.00"), id="by promise"),
        pytest.param({"value": "10%", "per": "month"}, ("310.00", "0.00"), id="used up by the first part"),
        pytest.param({"value": "50%", "per": "month"}, ("500.00", "1050.00"), id="never reached"),
    ],
)
def test_a_cap_of_a_month_that_an_amendment_splits_holds_for_the_month(cap: dict[str, Any], paid: tuple[str, str]) -> None:
    """The parts pay 500 and 1,050 EUR by themselves: half of 10 and of 21 days' fee."""
    assert both([cap]) == paid


def test_a_cap_of_a_year_is_a_share_of_the_whole_year_in_a_part_too() -> None:
    """4 % of 37,200 EUR is 1,488 EUR, of which the first part took 500."""
    cap = {"value": "4%", "of": "annual_fee", "per": "year"}
    assert both([cap], effective="2026-10-01") == ("500.00", "988.00")


def test_what_the_first_part_paid_is_said_to_be_unknown_and_not_guessed() -> None:
    found = money(part(split([{"amount": "600.00 EUR", "per": "month"}]), SECOND))
    assert str(found.claimable) == "600.00"
    assert len(found.missing) == 1
    assert "credited from 2026-10-01 to 2026-10-10 is not known, and the cap per period" in found.missing[0]


def test_what_was_stated_of_the_first_part_counts() -> None:
    fact = Fact(id="P", type="credit_paid", when=1, value="450.00 EUR", period=FIRST)
    found = money(part(split([{"amount": "600.00 EUR", "per": "month"}]), SECOND, facts=(fact,)))
    assert (str(found.claimable), found.missing) == ("150.00", ())


def test_what_was_stated_of_a_whole_month_stands_for_its_parts() -> None:
    made = split([{"amount": "2000.00 EUR", "per": "year"}], effective="2026-10-01")
    first = part(made, FIRST)
    history = [first, part(made, SECOND, [first])]
    fact = Fact(id="P", type="credit_paid", when=1, value="1900.00 EUR", period="2026-10")
    november = [call(35 * DAY, "error_500", n=n) for n in range(2)]
    assert str(money(_november(made, november, history, ())).claimable) == "450.00"
    assert str(money(_november(made, november, history, (fact,))).claimable) == "100.00"


def _november(made: Agreement, calls: list[Observation], history: list[Evaluation], facts: tuple[Fact, ...]) -> Evaluation:
    span = resolve(made, "2026-11")
    demands = requirements(made, span, facts, span.end + DAY)
    evidence = answer(demands, [watched(b=70 * DAY), *calls], facts)
    return evaluate(made, span, evidence, span.end + DAY, spec_sha256="0" * 64, history=history)


def test_the_second_part_looks_at_the_first_and_a_whole_month_at_nothing() -> None:
    made = split([{"amount": "600.00 EUR", "per": "month"}])
    assert looks_back(made)
    for label, seen in ((SECOND, [FIRST]), (FIRST, []), ("2026-11", [])):
        looked = looked_at(made, resolve(made, label), periods_before(made, label))
        assert [one.label for one in looked] == seen


# ── the n-th failed period ──────────────────────────────────────────────────────────────────────────────────────────
NTH = {
    "type": "notify", "n": "30", "unit": "days", "anchor": "nth_failed_period_end", "time_zone": "UTC",
    "margin": {"n": "2", "unit": "days"},
}  # fmt: skip
NOTICE = {"n": "30", "unit": "days", "anchor": "nth_failed_period_end"}


def failing(states: str, **right: Any) -> Evaluation:
    """Return how October stands after these months, where it is bad itself."""
    when = {"objective": "uptime", "bad": "3", "of": "12"}
    term = {"id": "r", "clause": "B 4", "when": when, "undecided": "breaks", "right": "terminate", **right}
    terms = contract(chronic=[term], claim={"deadlines": [NTH], "channel": "letter", "forfeits": "true"})
    span = resolve(terms, "2026-10")
    demands = requirements(terms, span, (), span.end + DAY)
    failed = [call(0, "error_500", n=n) for n in range(200)]
    every = [call(i * 300 * 10**9, "error_500" if i < 200 else "ok") for i in range(8928)]
    evidence = answer(demands, [watched(), *failed, *every])
    history = months(states, first=10 - len(states))
    return evaluate(terms, span, evidence, span.end + DAY, spec_sha256="0" * 64, history=history)


def nth(found: Evaluation) -> DeadlinePart:
    assert found.objectives[0].verdict == "BREACH"
    return found.deadlines[0]


def test_a_deadline_counts_from_the_end_of_the_period_that_failed_for_the_nth_time() -> None:
    """October is the third bad month; 30 days after the 31st is 30 November."""
    found = failing("bgb", notice=NOTICE)
    one = nth(found)
    assert (one.local, one.act_by_local) == ("Mon 2026-11-30, 24:00 UTC", "Sat 2026-11-28, 24:00 UTC")
    assert one.reason == "30 days after the last day of the period that failed, 2026-10-31"
    assert (found.rights[0].due, found.rights[0].local) == (one.due, one.local)


def test_two_failed_periods_are_not_three() -> None:
    one = nth(failing("gb"))
    assert (one.due, "none has so far" in str(one.reason)) == (None, True)


def test_what_is_undecided_counts_towards_the_nth_time_as_the_contract_says() -> None:
    assert nth(failing("bub")).due is not None
    assert nth(failing("ub", when={"objective": "uptime", "consecutive": "3"})).due is None
    skipped = failing("bub", when={"objective": "uptime", "consecutive": "3"}, undecided="skip")
    assert nth(skipped).local == "Mon 2026-11-30, 24:00 UTC"
