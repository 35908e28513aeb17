"""Money from records to the result: bases, Facts, events, caps over several periods, earn-back, remedies in kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.accounts import since
from slaguard.evaluation.caps import Earlier, Past
from slaguard.evaluation.credits import PricedRow, settle
from slaguard.evaluation.earnings import earned_back
from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.fees import Account
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import CreditsPart, Evaluation
from slaguard.records import Fact, Observation, Record
from slaguard.spec.model import Agreement
from slaguard.spec.remedies import Flat
from slaguard.spec.resolve import resolve
from slaguard.spec.rights import CapSpan
from slaguard.terms import Bound, BoundWord
from tests.evaluation.past import contract, month
from tests.evaluation.world import DAY, MEAN, RATIO, agreement, answer, call, judge, minute, objective, period, watched

FLAT = {"kind": "flat", "credit": "10%"}
CALLS: list[Observation] = [o for i in range(60) for o in minute(i, 1, 1 if i < 10 else 0)]
HOUR: list[Record] = [watched(), *CALLS]
"""Sixty minutes of which the first ten fail half of their requests: each of two intervals of five minutes loses a half."""


def fact(kind: str, value: str, **fields: Any) -> Fact:
    told: dict[str, Any] = {"id": f"{kind}-{value}", "type": kind, "when": 1, "value": value, "period": "2026-10"}
    return Fact(**told | fields)


def money(
    terms: Agreement, facts: Sequence[Fact] = (), history: Sequence[Evaluation] = (), records: Sequence[Record] = HOUR
) -> CreditsPart:
    """Evaluate an hour of October, closed, and return its credit."""
    found = evaluated(terms, facts, history, records).credits
    assert found is not None
    return found


def evaluated(terms: Agreement, facts: Sequence[Fact], history: Sequence[Evaluation], records: Sequence[Record]) -> Evaluation:
    span, when = period(60), period(60).end + DAY
    demands = requirements(terms, span, tuple(facts), when)
    return evaluate(terms, span, answer(demands, records, tuple(facts)), when, spec_sha256="0" * 64, history=history)


def priced(**terms: Any) -> Agreement:
    return contract(promise={"remedy": FLAT}, **terms)


# ── what a share is a share of ──────────────────────────────────────────────────────────────────────────────────────
def test_each_service_is_priced_on_its_own_fee_and_a_cap_by_service_on_the_same() -> None:
    promise = objective(RATIO, name="errors", at_most="1%", remedy={"kind": "flat", "credit": "50%"}, service=["chat", "batch"])
    fee = {"amount": "1000.00 EUR", "per": "month", "base": "service", "amounts": {"chat": "600.00 EUR", "batch": "400.00 EUR"}}
    both = [replace(o, model_requested=m, id=f"{o.id}{m}") for m in ("a", "b") for o in CALLS]
    services = [{"id": "chat", "models": ["a"]}, {"id": "batch", "models": ["b"]}]
    terms = {"services": services, "fee": fee, "combine": "sum_to_cap"}
    found = money(agreement(promise, **terms), records=[HOUR[0], *both])
    assert {(line.scope, str(line.amount)) for line in found.lines} == {("batch", "200.00"), ("chat", "300.00")}
    capped = money(
        agreement(promise, **terms, caps=[{"value": "25%", "per": "period", "scope": "service"}]), records=[HOUR[0], *both]
    )
    assert {(line.scope, str(line.amount)) for line in capped.lines} == {("batch", "100.00"), ("chat", "150.00")}


def test_what_was_paid_in_cash_is_a_fact_and_never_guessed() -> None:
    terms = priced(fee={"amount": "1000.00 EUR", "per": "month", "base": "cash_paid"})
    without = money(terms)
    assert (str(without.claimable), str(without.upper)) == ("0.00", "0.00")
    assert "what was paid for this period is not recorded" in without.missing[0]
    assert "is not recorded" in without.lines[0].sentence
    paid = money(terms, [fact("invoice", "640.00 EUR"), fact("invoice", "990.00 EUR", period="2026-09")])
    assert (str(paid.claimable), paid.missing) == ("64.00", ())
    assert str(money(terms, [fact("invoice", "640.00 USD")]).claimable) == "0.00"


def test_the_share_of_affected_users_is_a_fact_too() -> None:
    terms = priced(fee={"amount": "1000.00 EUR", "per": "month", "base": "affected_users"})
    assert str(money(terms, [fact("affected_users", "25%")]).claimable) == "25.00"
    assert money(terms).missing != ()


# ── several promises ────────────────────────────────────────────────────────────────────────────────────────────────
def two(**terms: Any) -> Agreement:
    first = objective(MEAN, name="uptime", at_least="99.5%", remedy=FLAT, event="outage")
    second = objective(RATIO, name="errors", at_most="1%", remedy={"kind": "flat", "credit": "4%"}, event="outage")
    return agreement(first, second, **({"combine": "sum_to_cap"} | terms))


def test_promises_with_one_kind_of_event_pay_once() -> None:
    found = money(two())
    assert [(str(line.amount), line.counts) for line in found.lines] == [("100.00", True), ("0.00", False)]
    assert "one event pays once, for uptime" in found.lines[1].sentence


def test_outages_that_overlap_are_one_event() -> None:
    def overlapping(bin_: str) -> Agreement:
        same = objective(
            MEAN, name="again", at_least="99.9%", remedy={"kind": "flat", "credit": "3%"}, eligible={"model_requested": [bin_]}
        )
        first = objective(MEAN, name="uptime", at_least="99.5%", remedy=FLAT)
        across = {"within_event": "highest_only", "across_objectives": "sum_to_cap", "events": "overlap"}
        return agreement(first, same, combine=across)

    late = [replace(o, model_requested="m", id=f"{o.id}-late") for i in (30, 31) for o in minute(i, 0, 1)]
    assert str(money(overlapping("m"), records=[*HOUR, *late]).claimable) == "100.00"
    early = [replace(o, model_requested="n", id=f"{o.id}-n") for o in minute(50, 0, 2)]
    apart = agreement(
        objective(MEAN, name="uptime", at_least="99.5%", remedy=FLAT, eligible={"model_requested": ["m"]}),
        objective(
            MEAN, name="again", at_least="99.9%", remedy={"kind": "flat", "credit": "3%"}, eligible={"model_requested": ["n"]}
        ),
        combine={"within_event": "highest_only", "across_objectives": "sum_to_cap", "events": "overlap"},
    )
    assert str(money(apart, records=[HOUR[0], *late, *early]).claimable) == "130.00"


def test_between_promises_the_customer_chooses_and_until_then_the_lowest_is_certain() -> None:
    free = agreement(
        objective(MEAN, name="uptime", at_least="99.5%", remedy=FLAT),
        objective(RATIO, name="errors", at_most="1%", remedy={"kind": "flat", "credit": "4%"}),
        combine="customer_elects",
    )
    open_ = money(free)
    assert (str(open_.claimable), str(open_.upper)) == ("40.00", "100.00")
    chosen = money(free, [fact("election", "uptime")])
    assert (str(chosen.claimable), str(chosen.upper)) == ("100.00", "100.00")


def test_a_choice_between_remedies_is_recorded_for_its_promise() -> None:
    remedy = {"kind": "elect", "options": [FLAT, {"kind": "pro_rata", "times": "1x"}]}
    terms = contract(promise={"remedy": remedy})
    # two of twelve intervals lose a half: 1/12 down of 1000
    assert [str(o.amount) for o in money(terms).lines[0].options] == ["100.00", "83.33"]
    assert (str(money(terms).claimable), str(money(terms).upper)) == ("83.33", "100.00")
    assert str(money(terms, [fact("election", "flat", subject="uptime")]).claimable) == "100.00"


def test_a_remedy_in_kind_is_told_beside_the_money_and_without_a_fee() -> None:
    remedy = {"kind": "extension", "per": "1m", "days": "1", "partial": "floor"}
    found = evaluated(contract(promise={"remedy": remedy}, fee=None), (), (), HOUR)
    assert found.credits is None
    assert [(k.objective, k.days, k.at_most) for k in found.in_kind] == [("uptime", 5, 5)]


# ── caps that look back ─────────────────────────────────────────────────────────────────────────────────────────────
YEAR = [{"amount": "250.00 EUR", "per": "year"}]


def test_a_cap_of_a_year_leaves_what_earlier_months_did_not_take() -> None:
    history = [month(i, paid="0.00") for i in range(1, 8)] + [month(8, paid="120.00"), month(9, paid="80.00")]
    found = money(priced(caps=YEAR), history=history)
    assert (str(found.claimable), found.cap_applied, found.missing) == ("50.00", True, ())


def test_what_another_year_paid_is_not_counted() -> None:
    history = [month(12, paid="250.00", year=2025), *(month(i, paid="0.00") for i in range(1, 10))]
    assert str(money(priced(caps=YEAR, effective="2025-06-01"), history=history).claimable) == "100.00"


def test_a_year_of_the_contract_begins_with_its_own_day() -> None:
    terms = priced(caps=[{"amount": "250.00 EUR", "per": "contract_year"}], effective="2025-09-15")
    starts = since(terms, resolve(terms, "2026-10"))
    assert starts[CapSpan.CONTRACT_YEAR] == resolve(terms, "2026-09").start + 14 * DAY
    history = [month(8, paid="250.00"), month(9, paid="0.00")]
    assert str(money(terms, history=history).claimable) == "100.00"


def test_earlier_payments_that_nobody_knows_are_said_and_not_guessed() -> None:
    found = money(priced(caps=YEAR), history=[month(9, paid="100.00")])
    assert str(found.claimable) == "100.00"
    assert "from 2026-01-01 to 2026-08-31 is not known" in found.missing[0]


def test_a_stated_payment_stands_before_what_was_computed() -> None:
    history = [month(i, paid="0.00") for i in range(1, 9)] + [month(9, paid="100.00")]
    stated = Fact(id="P", type="credit_paid", when=1, value="210.00 EUR", period="2026-09")
    found = money(priced(caps=YEAR), [stated], history)
    assert (str(found.claimable), found.missing) == ("40.00", ())


def test_a_share_of_the_annual_fee_is_a_share_of_twelve_monthly_ones() -> None:
    terms = priced(caps=[{"value": "2%", "of": "annual_fee", "per": "year"}])
    history = [month(i, paid="0.00") for i in range(1, 9)] + [month(9, paid="190.00")]
    assert str(money(terms, history=history).claimable) == "50.00"


# ── points ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_mean_of_points_is_over_the_periods_there_are_and_what_is_undecided_widens_it() -> None:
    table = {"rows": [{"from": "3", "credit": "5%"}, {"from": "5", "credit": "10%"}], "average_with_previous": "1"}
    terms = contract(promise={"remedy": {"kind": "points", "points": "5"}}, points_table=table)
    alone, undecided = money(terms), money(terms, history=[month(9, "i", paid="0.00")])
    assert (str(alone.claimable), str(alone.upper)) == ("100.00", "100.00")  # 5 points of the one month there is
    assert "for 5 points" in alone.lines[-1].sentence
    assert any("the points of 1 of the 1 earlier periods" in one for one in alone.missing)
    assert (str(undecided.claimable), str(undecided.upper)) == ("0.00", "100.00")  # (5 + 0) / 2, and (5 + 5) / 2
    assert any("2026-09 is not decided" in one for one in undecided.missing)


# ── earn-back ───────────────────────────────────────────────────────────────────────────────────────────────────────
def december(above: str, average: str, history: Sequence[Evaluation]) -> CreditsPart:
    term = {"objective": "uptime", "above": above, "over": "year", "average": average}
    terms = priced(earn_back=[term])
    span = replace(period(60), label="2026-12", start=month(12).period.start, end=month(12).period.end)
    demands = requirements(terms, span, (), span.end)
    evidence = answer(demands, [watched(b=100 * DAY), call(61 * DAY)], ())
    found = evaluate(terms, span, evidence, span.end, spec_sha256="0" * 64, history=history).credits
    assert found is not None
    return found


def test_the_vendor_takes_back_what_it_credited_where_the_year_turns_out_well() -> None:
    history = [month(i, "g", paid="0.00") for i in range(1, 11)] + [month(11, "b", Fraction(99, 100), paid="100.00")]
    # eleven whole months and one of 99 %: (11 + 0.99) / 12 = 99.91666...
    (back,) = december("99.9%", "of_periods", history).earned_back
    assert (str(back.amount), "about 99.9167%, more than 99.9%" in back.sentence) == ("100.00", True)
    assert december("99.95%", "of_periods", history).earned_back == ()
    assert str(december("99.9%", "of_periods", history).claimable) == "0.00"


def test_an_average_at_the_limit_is_not_above_it() -> None:
    history = [month(i, "g") for i in range(1, 12)] + [month(12, "b", Fraction(88, 100))]
    rows: list[Any] = []
    last = resolve(priced(), "2026-12")
    paid = Past(
        (
            Earlier(
                "2026-11", history[10].period.start, history[10].period.end, Fraction(100), {("uptime", "all"): Fraction(100)}
            ),
        )
    )
    for above, back in (("98.9%", 1), ("100%", 0)):
        terms = priced(earn_back=[{"objective": "uptime", "above": above, "over": "year", "average": "of_periods"}])
        past = replace(paid, since=since(terms, last))
        assert len(earned_back(terms, last, rows, past, history[:11])) == back


def test_a_year_is_earned_back_only_when_every_month_is_decided_and_at_least_includes_the_level() -> None:
    last = resolve(priced(), "2026-12")
    lines = {("uptime", "all"): Fraction(100)}
    for verdict, word, level, back in (
        ("b", "at_least", "99%", 1), ("b", "above", "99%", 0), ("i", "at_least", "99%", 0), ("u", "at_least", "99%", 0),
    ):  # fmt: skip
        history = [month(i, "g") for i in range(1, 11)] + [month(11, verdict, Fraction(89, 100))]
        terms = priced(earn_back=[{"objective": "uptime", word: level, "over": "year", "average": "of_periods"}])
        past = Past((Earlier("2026-11", history[10].period.start, last.start, Fraction(100), lines),), since(terms, last))
        assert len(earned_back(terms, last, [], past, history)) == back


def test_a_year_with_a_hole_is_not_earned_back() -> None:
    history = [month(i, "g") for i in range(2, 12)]
    terms = priced(earn_back=[{"objective": "uptime", "above": "90%", "over": "year", "average": "recomputed"}])
    last = resolve(terms, "2026-12")
    paid = Past((Earlier("2026-11", 0, 1, Fraction(100), {("uptime", "all"): Fraction(100)}),), since(terms, last))
    assert earned_back(terms, last, [], paid, history) == ()


# ── whatever the terms ──────────────────────────────────────────────────────────────────────────────────────────────
SHARES = st.lists(st.sampled_from(["3%", "10%", "33.33%", "0.01%", "99.99%"]), min_size=2, max_size=4)


@given(SHARES, st.sampled_from(["greater_of", "sum_to_cap"]), st.sampled_from([None, "20%", "12.34%"]), st.data())
def test_the_order_of_promises_changes_no_total_and_no_amount_but_by_its_place(
    shares: list[str], across: str, cap: str | None, data: st.DataObject
) -> None:
    promises = [
        objective(RATIO, name=f"p{i}", at_most="1%", remedy={"kind": "flat", "credit": s}) for i, s in enumerate(shares)
    ]
    caps = [] if cap is None else [{"value": cap, "per": "month"}]
    order = data.draw(st.sampled_from(list(permutations(promises))))
    first = money(agreement(*promises, combine=across, caps=caps))
    other = money(agreement(*order, combine=across, caps=caps))
    assert (first.claimable, first.point, first.upper) == (other.claimable, other.point, other.upper)
    assert sorted(line.amount for line in first.lines) == sorted(line.amount for line in other.lines)
    assert sum((line.amount for line in other.lines), Decimal(0)) == other.claimable
    if cap is not None:
        assert other.claimable <= Decimal(cap.removesuffix("%")) * 10


@pytest.mark.parametrize("minutes", [0, 5, 30])
def test_less_that_was_watched_never_makes_the_certain_amount_higher(minutes: int) -> None:
    seen = [watched(0, (60 - minutes) * 60 * 10**9), *HOUR[1:]]
    terms = contract(promise={"remedy": {"kind": "pro_rata", "times": "1x"}})
    whole, part = money(terms), judge(terms, period(60), seen).credits
    assert part is not None
    assert part.claimable <= whole.claimable
    assert part.claimable <= part.point <= part.upper or minutes == 0


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y"]), st.integers(1, 9999)), min_size=1, max_size=6),
    st.lists(
        st.tuples(
            st.sampled_from(["event", "period", "month", "year"]),
            st.sampled_from([None, "objective", "agreement"]),
            st.integers(1, 9999),
        ),
        max_size=3,
    ),
    st.sampled_from(["half_up", "half_even", "up", "down"]),
    st.integers(0, 5000),
)
def test_no_cap_is_ever_passed_and_the_total_is_the_sum_of_the_lines(
    rows: list[tuple[str, str, int]], limits: list[tuple[str, Any, int]], rounding: str, before: int
) -> None:
    fee = {"amount": "100.00 EUR", "per": "month", "rounding": rounding}
    caps = [{"amount": f"{Decimal(most) / 100:.2f} EUR", "per": per} | ({"scope": s} if s else {}) for per, s, most in limits]
    terms = agreement(objective(RATIO, at_most="1%"), fee=fee, caps=caps, combine="sum_to_cap")
    bound = Bound(BoundWord.AT_MOST, Fraction(1, 100))
    lines = {
        PricedRow(name, f"{scope}{i}", bound, (), None, flat(share)): Fraction(1) for i, (name, scope, share) in enumerate(rows)
    }
    paid = {("a", "x"): Fraction(before, 100)}
    past = Past((Earlier("2026-09", 5, 6, Fraction(before, 100), paid),), {CapSpan.YEAR: 0})
    found = settle(terms, lines, Account(), past)
    assert found.total.amount == sum((line.amount.amount for line in found.lines), Decimal(0))
    for per, scope, most in limits:
        left = Fraction(most, 100)
        groups = [[line] for line in found.lines] if per == "event" else [list(found.lines)]
        if scope == "objective" and per != "event":
            groups = [[line for line in found.lines if line.objective == name] for name in ("a", "b")]
        for group in groups:
            owed = sum((line.amount.amount for line in group), Decimal(0))
            spent = Fraction(0)
            if per == "year":
                spent = Fraction(before, 100) if scope != "objective" or (group and group[0].objective == "a") else Fraction(0)
            assert owed <= max(Fraction(0), left - spent)


def flat(share: int) -> Flat:
    return Flat.model_validate({"kind": "flat", "credit": f"{Decimal(share) / 100:.2f}%"})
