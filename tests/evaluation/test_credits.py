"""What a broken promise is worth: the ladder and its edges, several promises, caps, the smallest payout, rounding."""

from collections.abc import Iterable
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.credits import CreditLine, PricedRow, Settlement, period_fee, price, settle
from slaguard.spec.model import Agreement, Combine, CreditCap, Fee, PeriodUnit, Step
from slaguard.spec.scalars import Quantity
from slaguard.terms import Bound, BoundWord, minor_digits, parse_money, parse_percent


def terms(
    fee: str | None = "12000.00 EUR",
    combine: str | None = "greater_of",
    caps: Iterable[dict[str, str]] = (),
    per: str = "month",
    period: str = "month",
    minimum: str | None = None,
) -> Agreement:
    """An Agreement of which only the money is read."""
    paid: dict[str, str] = {"per": per} | ({"amount": fee} if fee else {}) | ({"minimum_payout": minimum} if minimum else {})
    together = {"within_event": "highest_only", "across_objectives": combine}
    read: dict[str, Any] = {
        "fee": Fee.model_validate(paid) if fee else None,
        "period": PeriodUnit(period),
        "combine": Combine.model_validate(together) if combine else None,
        "caps": tuple(CreditCap.model_validate({"per": period, **cap}) for cap in caps),
    }
    return Agreement.model_construct(**read)


def ladder(name: str, bound: str, *steps: tuple[str, str], scope: str = "all", event: str | None = None) -> PricedRow:
    """A priced row: ``ladder("uptime", "at_least 99.5%", ("99.5%", "10%"), …)``."""
    word, limit = bound.split()
    rungs = tuple(Step(edge=Quantity.parse(edge), credit=parse_percent(share)) for edge, share in steps)
    return PricedRow(name, scope, Bound(BoundWord(word), Quantity.parse(limit).value), rungs, event)


UPTIME = ladder("uptime", "at_least 99.5%", ("99.5%", "10%"), ("99.0%", "25%"), ("95.0%", "50%"))
ACCURACY = ladder("accuracy", "at_least 92%", ("92%", "15%"))
ERRORS = ladder("errors", "at_most 1%", ("1%", "5%"), ("3%", "10%"))


def share(text: str) -> Fraction:
    return parse_percent(text)


def paid(agreement: Agreement, values: dict[PricedRow, Fraction | None]) -> str:
    return str(settle(agreement, values).total)


def line_of(found: Settlement, name: str) -> CreditLine:
    return next(line for line in found.lines if line.objective == name)


# The ladder


@pytest.mark.parametrize(
    ("row", "value", "amount"),
    [
        pytest.param(UPTIME, "99.6%", "0.00 EUR", id="kept"),
        pytest.param(UPTIME, "99.5%", "0.00 EUR", id="exactly at the target is kept"),
        pytest.param(UPTIME, "99.499999%", "1200.00 EUR", id="just below the target"),
        pytest.param(UPTIME, "99%", "1200.00 EUR", id="exactly at an edge is not below it"),
        pytest.param(UPTIME, "98.999999%", "3000.00 EUR", id="just below an edge"),
        pytest.param(UPTIME, "95%", "3000.00 EUR", id="exactly at the last edge"),
        pytest.param(UPTIME, "0%", "6000.00 EUR", id="nothing worked"),
        pytest.param(ERRORS, "1%", "0.00 EUR", id="exactly at a ceiling"),
        pytest.param(ERRORS, "3%", "600.00 EUR", id="exactly at the edge of a ceiling"),
        pytest.param(ERRORS, "3.0001%", "1200.00 EUR", id="just above the edge of a ceiling"),
    ],
)
def test_the_step_that_holds_the_value_pays(row: PricedRow, value: str, amount: str) -> None:
    assert paid(terms(), {row: share(value)}) == amount


@pytest.mark.parametrize(
    ("bound", "edges", "at_target", "at_edge"),
    [
        pytest.param("at_least 99%", ("99%", "95%"), "0%", "10%", id="at least"),
        pytest.param("more_than 99%", ("99%", "95%"), "10%", "10%", id="more than"),
        pytest.param("at_most 1%", ("1%", "5%"), "0%", "10%", id="at most"),
        pytest.param("less_than 1%", ("1%", "5%"), "10%", "10%", id="less than"),
    ],
)
def test_the_first_edge_is_as_strict_as_the_target_and_the_others_are_not(
    bound: str, edges: tuple[str, str], at_target: str, at_edge: str
) -> None:
    row = ladder("it", bound, (edges[0], "10%"), (edges[1], "20%"))
    for value, credit in ((edges[0], at_target), (edges[1], at_edge)):
        step = row.step_at(share(value))
        assert (step.credit if step else 0) == share(credit)


def test_without_a_priced_promise_nothing_is_owed() -> None:
    found = price(terms(caps=[{"value": "50%"}], minimum="1.00 EUR"), {}, {}, {})
    assert found is not None
    assert (str(found.claimable), found.lines, found.cap_applied) == ("0.00 EUR", (), False)


def test_a_ladder_of_times_is_looked_up_in_milliseconds() -> None:
    slow = ladder("p95", "at_most 2s", ("2s", "5%"), ("5s", "10%"))
    values = {2000: "0.00 EUR", 2001: "600.00 EUR", 5000: "600.00 EUR", 5001: "1200.00 EUR", 10**15: "1200.00 EUR"}
    for ms, amount in values.items():
        assert paid(terms(), {slow: Fraction(ms)}) == amount


def test_a_promise_without_a_ladder_or_without_a_figure_pays_nothing() -> None:
    target_only = ladder("answers", "at_most 4%")
    found = settle(terms(), {target_only: share("50%"), UPTIME: None})
    assert str(found.total) == "0.00 EUR"
    assert [(line.step, line.percent, line.counts) for line in found.lines] == [(None, None, False)] * 2
    assert found.lines[1].sentence == "no credit at this figure"


# Published figures


def test_ibm_pays_a_quarter_for_360_minutes_down_in_a_month_of_31_days() -> None:
    row = ladder("uptime", "at_least 99.95%", ("99.95%", "10%"), ("99.90%", "25%"))
    uptime = 1 - Fraction(360, 44_640)
    assert f"{100 * float(uptime):.2f}" == "99.19"
    found = settle(terms("1000.00 USD"), {row: uptime})
    assert (str(found.total), found.lines[0].percent) == ("250.00 USD", Fraction(1, 4))


def test_texas_pays_2000_of_100000_and_never_more_than_a_tenth() -> None:
    """At risk 10 %, of which the category holds 50 % and the objective 40 % of that."""
    at_risk = {"value": "10%"}
    one = ladder("answer time", "at_least 99%", ("99%", "2%"))
    many = [ladder(f"objective {i}", "at_least 99%", ("99%", "2%")) for i in range(8)]
    agreement = terms("100000.00 USD", "sum_to_cap", [at_risk])
    assert paid(agreement, {one: share("98%")}) == "2000.00 USD"
    found = settle(agreement, dict.fromkeys(many, share("98%")))
    assert str(found.total) == "10000.00 USD"
    assert found.cap_applied


@pytest.mark.parametrize(("fee", "amount"), [("10.00 USD", "0.00 USD"), ("10.01 USD", "1.00 USD"), ("10.10 USD", "1.01 USD")])
def test_aws_pays_only_what_is_more_than_one_dollar(fee: str, amount: str) -> None:
    row = ladder("uptime", "at_least 99.9%", ("99.9%", "10%"), ("99%", "25%"), ("95%", "100%"))
    found = settle(terms(fee, minimum="1.00 USD"), {row: share("99.5%")})
    assert str(found.total) == amount
    if amount == "0.00 USD":
        assert found.lines[0].sentence == "10% of 10.00 USD, a credit is paid only when it is more than 1.00 USD"
        assert not found.lines[0].counts


def test_uptime_and_speed_both_missed_pay_the_larger_and_not_the_sum() -> None:
    """OpenAI's Scale Tier."""
    assert paid(terms(), {UPTIME: share("99.2%"), ACCURACY: share("90%")}) == "1800.00 EUR"


# Several promises


def test_under_greater_of_the_others_say_why_they_do_not_count() -> None:
    found = settle(terms(), {UPTIME: share("98.93%"), ACCURACY: share("90%"), ERRORS: share("0%")})
    assert str(found.total) == "3000.00 EUR"
    uptime, accuracy, errors = found.lines
    assert (uptime.counts, uptime.step, uptime.percent, str(uptime.amount)) == (
        True,
        "below 99%",
        Fraction(1, 4),
        "3000.00 EUR",
    )
    assert uptime.sentence == "25% of 12,000.00 EUR"
    assert (accuracy.counts, str(accuracy.alone), str(accuracy.amount)) == (False, "1800.00 EUR", "0.00 EUR")
    assert accuracy.sentence == "15% of 12,000.00 EUR, only the largest credit is paid, that of uptime"
    assert (errors.counts, errors.sentence) == (False, "no credit at this figure")


def test_of_equal_credits_the_first_counts() -> None:
    twins = [ladder(name, "at_least 90%", ("90%", "10%")) for name in ("first", "second")]
    found = settle(terms(), dict.fromkeys(twins, share("80%")))
    assert [line.counts for line in found.lines] == [True, False]


def test_credits_add_up_where_the_contract_says_so() -> None:
    found = settle(terms(combine="sum_to_cap"), {UPTIME: share("99.2%"), ACCURACY: share("90%"), ERRORS: share("2%")})
    assert str(found.total) == "3600.00 EUR"
    assert not found.cap_applied
    assert all(line.counts for line in found.lines)


def test_one_event_pays_once_even_where_credits_add_up() -> None:
    same = [
        ladder("uptime", "at_least 99.5%", ("99.5%", "10%"), event="outage"),
        ladder("latency", "at_most 1%", ("1%", "20%"), event="outage"),
        ladder("accuracy", "at_least 92%", ("92%", "15%")),
    ]
    found = settle(terms(combine="sum_to_cap"), dict(zip(same, map(share, ("99%", "2%", "90%")), strict=True)))
    assert str(found.total) == "4200.00 EUR"
    assert line_of(found, "uptime").sentence.endswith("one event pays once, for latency")


def test_without_a_word_on_several_only_the_largest_is_asked_for() -> None:
    rows = [ladder("uptime", "at_least 99%", ("99%", "10%"), scope=scope) for scope in ("chat", "batch")]
    found = settle(terms(combine=None), dict.fromkeys(rows, share("98%")))
    assert str(found.total) == "1200.00 EUR"
    assert found.lines[1].sentence.endswith("only the largest credit is paid, that of uptime (chat)")


# Caps and rounding


def test_a_cap_cuts_the_lines_in_proportion() -> None:
    agreement = terms(combine="sum_to_cap", caps=[{"value": "50%"}, {"amount": "5000.00 EUR"}])
    found = settle(agreement, {UPTIME: share("0%"), ACCURACY: share("0%"), ERRORS: share("0.5%")})
    assert str(found.total) == "5000.00 EUR"
    assert found.cap_applied
    assert [str(line.amount) for line in found.lines] == ["3846.15 EUR", "1153.85 EUR", "0.00 EUR"]
    assert found.lines[0].sentence == "50% of 12,000.00 EUR, cut to 3,846.15 EUR by the cap"


def test_a_cap_is_not_passed_by_rounding() -> None:
    third = [ladder(f"part {i}", "at_least 99%", ("99%", "33.333%")) for i in range(3)]
    found = settle(terms("0.05 EUR", "sum_to_cap", [{"value": "99.999%"}]), dict.fromkeys(third, share("0%")))
    assert [str(line.amount) for line in found.lines] == ["0.02 EUR", "0.01 EUR", "0.01 EUR"]
    assert str(found.total) == "0.04 EUR"
    assert found.cap_applied


def test_a_cap_that_is_just_reached_cuts_nothing() -> None:
    found = settle(terms(caps=[{"value": "50%"}]), {UPTIME: share("0%")})
    assert (str(found.total), found.cap_applied) == ("6000.00 EUR", False)
    assert found.lines[0].sentence == "50% of 12,000.00 EUR"


@pytest.mark.parametrize(
    ("fee", "credit", "amount"),
    [
        pytest.param("0.25 EUR", "10%", "0.03 EUR", id="half a cent goes up"),
        pytest.param("0.24 EUR", "10%", "0.02 EUR", id="less goes down"),
        pytest.param("105 JPY", "10%", "11 JPY", id="yen have no cents"),
        pytest.param("104 JPY", "10%", "10 JPY", id="yen, down"),
        pytest.param("0.105 KWD", "10%", "0.011 KWD", id="dinars have three digits"),
        pytest.param("999999999999999.99 USD", "99.999999999999%", "999999999999989.99 USD", id="large and exact"),
    ],
)
def test_a_line_is_rounded_half_up_to_the_currencys_own_digits(fee: str, credit: str, amount: str) -> None:
    row = ladder("it", "at_least 99%", ("99%", credit))
    assert paid(terms(fee), {row: share("0%")}) == amount


def test_the_amount_does_not_depend_on_the_precision_somebody_set() -> None:
    row = ladder("it", "at_least 99%", ("99%", "99.999999999999%"))
    with localcontext() as context:
        context.prec = 4
        assert settle(terms("123456789012345.67 USD"), {row: share("0%")}).total.amount == Decimal("123456789012344.44")


# The fee of the period


@pytest.mark.parametrize(
    ("per", "period", "fee"),
    [
        ("month", "month", "100.00 EUR"),
        ("month", "quarter", "300.00 EUR"),
        ("month", "year", "1200.00 EUR"),
        ("quarter", "year", "400.00 EUR"),
    ],
)
def test_shorter_fees_make_up_the_fee_of_the_period(per: str, period: str, fee: str) -> None:
    agreement = terms("100.00 EUR", per=per, period=period)
    assert agreement.fee is not None
    assert str(period_fee(agreement.fee, agreement.period)) == fee
    assert paid(agreement, {UPTIME: share("0%")}) == f"{parse_money(fee).amount / 2:.2f} EUR"


def test_a_longer_fee_is_not_divided() -> None:
    with pytest.raises(ValueError, match="a fee per year does not say what a month costs"):
        settle(terms(per="year"), {UPTIME: share("0%")})


def test_currencies_are_never_mixed() -> None:
    for agreement in (terms(minimum="1.00 USD"), terms(caps=[{"amount": "1.00 USD"}])):
        with pytest.raises(ValueError, match="different currencies"):
            settle(agreement, {UPTIME: share("0%")})


def test_without_a_fee_there_is_no_amount() -> None:
    none: dict[PricedRow, Fraction | None] = {UPTIME: share("0%")}
    assert price(terms(fee=None), none, none, none) is None
    with pytest.raises(ValueError, match="none is stated"):
        settle(terms(fee=None), none)


# Three amounts


def test_a_sampled_promise_has_three_amounts_and_the_claim_asks_for_the_first() -> None:
    hallucination = ladder("hallucination", "at_most 2%", ("2%", "5%"), ("5%", "15%"))
    found = price(
        terms(),
        {hallucination: share("2.4%"), UPTIME: None},
        {hallucination: share("4.1%"), UPTIME: None},
        {hallucination: share("6.2%"), UPTIME: share("99.2%")},
    )
    assert found is not None
    assert (str(found.fee), found.currency) == ("12000.00 EUR", "EUR")
    assert tuple(map(str, (found.claimable, found.point, found.upper))) == ("600.00 EUR", "600.00 EUR", "1800.00 EUR")
    assert [line.counts for line in found.lines] == [True, False]


# Whatever the figures


CURRENCIES = st.sampled_from(["EUR", "USD", "JPY", "KWD"])


@st.composite
def contracts(draw: st.DrawFn) -> tuple[Agreement, list[PricedRow]]:
    currency = draw(CURRENCIES)
    unit = Decimal(1).scaleb(-minor_digits(currency))

    def amount(most: int) -> str:
        return f"{draw(st.integers(0, most)) * unit:f} {currency}"

    rows = []
    for i in range(draw(st.integers(1, 4))):
        edges = sorted(draw(st.sets(st.integers(1, 99), min_size=1, max_size=4)), reverse=True)
        credits_ = sorted(draw(st.integers(0, 10_000)) for _ in edges)
        steps = [(f"{e}%", f"{Decimal(c) / 100:f}%") for e, c in zip(edges, credits_, strict=True)]
        event = draw(st.sampled_from([None, "outage"]))
        rows.append(ladder(f"row-{i}", f"at_least {edges[0]}%", *steps, event=event))
    caps = draw(st.lists(st.one_of(st.just({"value": "37.5%"}), st.builds(lambda: {"amount": amount(10**6)})), max_size=2))
    minimum = draw(st.one_of(st.none(), st.just(amount(10**4))))
    combine = draw(st.sampled_from(["greater_of", "sum_to_cap"]))
    return terms(amount(10**7), combine, caps, minimum=minimum), rows


def figures(count: int) -> st.SearchStrategy[list[Fraction]]:
    return st.lists(st.integers(0, 1000).map(lambda i: Fraction(i, 1000)), min_size=count, max_size=count)


@given(contracts(), st.data())
def test_the_total_is_the_sum_of_rounded_lines_and_within_every_cap(
    case: tuple[Agreement, list[PricedRow]], data: st.DataObject
) -> None:
    agreement, rows = case
    found = settle(agreement, dict(zip(rows, data.draw(figures(len(rows))), strict=True)))
    assert agreement.fee is not None
    digits = minor_digits(agreement.fee.amount.currency)
    assert found.total.amount == sum(line.amount.amount for line in found.lines)
    for line in found.lines:
        assert line.amount.amount.as_tuple().exponent == -digits
        assert 0 <= line.amount.amount <= line.alone.amount
        assert line.counts or line.amount.amount == 0
    for cap in agreement.caps:
        most = cap.amount.amount if cap.amount else Fraction(agreement.fee.amount.amount) * (cap.value or 0)
        assert found.total.amount <= most
    smallest = agreement.fee.minimum_payout
    alone = [Fraction(line.alone.amount) for line in found.lines]
    if smallest is not None and sum(alone) + Fraction(len(alone), 10**digits) <= Fraction(smallest.amount):
        assert found.total.amount == 0


@given(contracts(), st.data())
def test_a_worse_figure_never_pays_less(case: tuple[Agreement, list[PricedRow]], data: st.DataObject) -> None:
    agreement, rows = case
    first, second = data.draw(figures(len(rows))), data.draw(figures(len(rows)))
    better = dict(zip(rows, map(max, first, second), strict=True))
    worse = dict(zip(rows, map(min, first, second), strict=True))
    assert settle(agreement, better).total.amount <= settle(agreement, worse).total.amount
    mixed = dict(zip(rows, first, strict=True))
    found = price(agreement, better, mixed, worse)
    assert found is not None
    assert found.claimable.amount <= found.point.amount <= found.upper.amount


@given(contracts(), st.data())
def test_nothing_shown_pays_nothing_and_a_kept_promise_never_pays(
    case: tuple[Agreement, list[PricedRow]], data: st.DataObject
) -> None:
    agreement, rows = case
    assert settle(agreement, dict.fromkeys(rows)).total.amount == 0
    kept = {row: row.bound.value + value for row, value in zip(rows, data.draw(figures(len(rows))), strict=True)}
    assert settle(agreement, kept).total.amount == 0


@given(st.lists(st.integers(0, 100), min_size=2, max_size=20, unique=True))
def test_a_ladder_has_no_gap(edges: list[int]) -> None:
    """Every value on the bad side stands on the step between its edges."""
    falling = sorted(edges, reverse=True)
    row = ladder("it", f"at_least {falling[0]}%", *((f"{e}%", f"{100 - e}%") for e in falling))
    for above, below in pairwise([*falling, -1]):
        for value in (Fraction(above, 100) - Fraction(1, 10**9), Fraction(max(below, 0), 100)):
            step = row.step_at(value)
            assert step is not None or value == row.bound.value
            if step is not None and value < Fraction(above, 100):
                assert step.edge.value == Fraction(above, 100)
