"""Remedies, fees, caps and rights in words: whatever of them changes, the sentences change."""

from __future__ import annotations

from typing import Any

import pytest

from slaguard.spec.explain import explain, sections
from slaguard.spec.model import Agreement
from tests.spec.promises import agreement, objective, text, text_of
from tests.spec.test_explain import at, is_settled, leaves, others

TABLE = {
    "kind": "step_table", "edges": "from_inclusive", "gap_policy": "readings", "overlap_policy": "lower_row",
    "rounded": {"places": "2", "mode": "half_up"},
    "rows": [
        {"from": "98%", "to": "99.5%", "credit": "10%"},
        {"from": "95%", "to": "97.99%", "credit": "20%", "edges": "both_inclusive"},
        {"from": "0%", "to": "94.99%", "credit": "30%"},
    ],
}  # fmt: skip
MULTIPLE = {
    "kind": "usage_multiple", "window": "period", "days": "all",
    "rows": [{"below": "99.5%", "times": "1x"}, {"below": "99%", "times": "3x"}],
}  # fmt: skip
POOL = {
    "kind": "pool_allocation", "at_risk": "10%", "category": {"name": "availability", "share": "50%"}, "share": "40%",
    "over_allocation": "true",
}  # fmt: skip
STEPS = {"kind": "per_step", "of": "downtime", "step": "1h", "amount": "100.00 EUR", "partial": "floor"}
DAYS = {"kind": "extension", "rows": [{"below": "99.5%", "days": "3"}, {"below": "99%", "days": "7"}]}
LONGER = {"kind": "extension", "per": "1h", "days": "1", "partial": "ceil", "at_most": "5"}
REMEDIES: dict[str, dict[str, Any]] = {
    "step_table": TABLE,
    "flat": {"kind": "flat", "credit": "10%"},
    "amount": {"kind": "flat", "amount": "100.00 EUR"},
    "usage_multiple": MULTIPLE,
    "pool_allocation": POOL,
    "points": {"kind": "points", "points": "5"},
    "pro_rata": {"kind": "pro_rata", "times": "10x"},
    "per_step": STEPS,
    "shortfall": {"kind": "per_step", "of": "shortfall", "step": "0.1%", "credit": "1%", "partial": "pro_rata"},
    "extension": LONGER,
    "days": DAYS,
    "elect": {"kind": "elect", "options": [{"kind": "flat", "credit": "10%"}, {**LONGER, "id": "longer"}]},
}
RIGHTS = [
    {
        "id": "often", "clause": "B 4", "undecided": "skip", "right": "terminate", "cure": "10d", "refund": "prepaid_pro_rata",
        "prepaid": "100.00 EUR", "when": {"objective": ["our-mean_of_intervals"], "bad": "3", "of": "12"},
        "notice": {"n": "30", "unit": "days", "anchor": "nth_failed_period_end"},
    },
    {
        "id": "floor", "clause": "B 5", "undecided": "breaks", "right": "step_in",
        "when": {"objective": ["our-mean_of_intervals"], "less_than": "95%"},
    },
    {
        "id": "long", "clause": "B 6", "undecided": "breaks", "right": "root_cause",
        "when": {"objective": ["our-mean_of_intervals"], "downtime": "24h", "of": "12"},
    },
    {
        "id": "row", "clause": "B 7", "undecided": "breaks", "right": "renegotiate",
        "when": {"objective": ["our-mean_of_intervals"], "consecutive": "2"},
    },
]  # fmt: skip


def with_remedy(remedy: dict[str, Any], **terms: Any) -> Agreement:
    promise = {**objective("mean_of_intervals"), "credits": (), "remedy": remedy, "event": "outage", "exclusions": ()}
    return agreement("mean_of_intervals", objectives=[text_of(promise)], **terms)


OURS = frozenset({"remedy", "event", "fee", "caps", "points_table", "earn_back", "chronic", "combine"})


def assert_every_change_is_heard(before: Agreement) -> None:
    """Change every leaf of money in every way the model accepts: the sentences are never the same again."""
    document = text_of(before.model_dump())
    spoken = sections(before)
    untried = []
    for path in leaves(document):
        if OURS.isdisjoint(path):
            continue
        tried = [sections(other) for other in others(before, path)]
        assert spoken not in tried, path
        if not tried and at(document, path) is not None and not is_settled(document, path):
            untried.append(path)
    assert untried == []


@pytest.mark.parametrize("kind", REMEDIES)
def test_changing_any_term_of_a_remedy_changes_the_sentences(kind: str) -> None:
    assert_every_change_is_heard(with_remedy(REMEDIES[kind]))


def test_changing_any_term_of_money_and_rights_changes_the_sentences() -> None:
    fee = {
        "amount": "12000.00 EUR", "per": "month", "minimum_payout": "10.00 EUR", "base": "service", "divided": "equally",
        "rounding": "half_even", "amounts": {"chat": "100.00 EUR", "search": "50.00 EUR"},
    }  # fmt: skip
    caps = [
        {"value": "40%", "per": "event", "scope": "objective", "of": "annual_fee"},
        {"amount": "5000.00 EUR", "per": "contract_year"},
    ]
    table = {"average_with_previous": "2", "rows": [{"from": "5", "credit": "5%"}, {"from": "9", "credit": "10%"}]}
    back = [{"objective": "our-mean_of_intervals", "above": "99.9%", "over": "year", "average": "recomputed"}]
    together = {"within_event": "highest_only", "across_objectives": "customer_elects", "events": "overlap"}
    terms = {"fee": fee, "caps": caps, "points_table": table, "earn_back": back, "chronic": RIGHTS, "combine": together}
    assert_every_change_is_heard(with_remedy(REMEDIES["flat"], **terms))


def test_a_remedy_is_read_back_as_a_person_would_say_it() -> None:
    said = text(explain(with_remedy(STEPS)))
    assert "100.00 EUR for each 1 hour of downtime; a part of a step does not count." in said
    said = text(explain(with_remedy(LONGER)))
    assert "no money: the term becomes longer by 1 day for each 1 hour of downtime, at most 5 days for one period" in said
    said = text(explain(with_remedy(DAYS)))
    assert "no money: the term becomes longer, by the figure: below 99.5% 3 days; below 99% 7 days." in said
    said = text(explain(with_remedy(POOL)))
    assert "2% of the fee, 240.00 EUR: 40% of the 50% that availability has of what is at risk." in said
    said = text(explain(with_remedy(STEPS, chronic=RIGHTS)))
    assert "you may terminate the contract once our-mean_of_intervals is broken in 3 of the last 12 periods." in said
