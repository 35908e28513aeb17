"""What `explain` says of money and dates, held against what the evaluation pays and computes."""

from datetime import date
from fractions import Fraction

import pytest

from slaguard.evaluation.credits import PricedRow, settle
from slaguard.evaluation.deadlines import due
from slaguard.spec import model
from slaguard.spec.explain import explain
from slaguard.spec.explain_words import WEEKDAYS, money
from slaguard.spec.explain_words import day as spoken_day
from slaguard.spec.labels import Label
from slaguard.spec.model import PeriodUnit
from slaguard.spec.resolve import resolve
from slaguard.terms import BoundWord, format_percent
from tests.spec.documents import SHORT, load_text
from tests.spec.promises import Document, agreement, objective, text


def test_credits_are_told_in_money_and_the_most_there_can_be() -> None:
    said = text(explain(agreement("mean_of_intervals", "ratio", caps=())))
    assert "below 99.5%: 10% of the fee, 1,200.00 EUR; below 99%: 25% of the fee, 3,000.00 EUR" in said
    assert "So one month can pay at most 6,000.00 EUR." in said


def test_the_most_there_can_be_counts_every_service_and_stops_at_the_cap() -> None:
    added = {"within_event": "highest_only", "across_objectives": "sum_to_cap"}
    uncapped = text(explain(agreement("mean_of_intervals", "ratio", caps=(), combine=added)))
    capped = text(explain(agreement("mean_of_intervals", "ratio", combine=added)))
    assert "So one month can pay at most 8,400.00 EUR." in uncapped  # 50 % once, and 10 % for each of two services
    assert "So one month can pay at most 4,800.00 EUR." in capped


def test_a_credit_is_rounded_once_half_up_to_the_currency() -> None:
    yen = {"amount": "12345 JPY", "per": "month"}
    assert "10% of the fee, 1,235 JPY" in text(explain(agreement("error_rate_runs", fee=yen, caps=())))


def test_no_money_is_computed_where_the_fee_is_paid_for_another_period() -> None:
    said = text(explain(agreement("mean_of_intervals", fee={"amount": "12000.00 EUR", "per": "year"}, caps=())))
    assert "below 99.5%: 10% of the fee;" in said
    assert "The fee is paid by the year, the promises are judged by the month." in said


def test_three_monthly_fees_make_the_fee_of_a_quarter() -> None:
    said = text(explain(agreement("mean_of_intervals", period="quarter", caps=())))
    assert "The fee is 12,000.00 EUR a month, 36,000.00 EUR a quarter; credits are shares of it." in said
    assert "below 99.5%: 10% of the fee, 3,600.00 EUR;" in said


def test_only_the_first_step_is_as_strict_as_the_target() -> None:
    steps = ({"edge": "99.5%", "credit": "10%"}, {"edge": "99%", "credit": "25%"})
    strict = agreement("error_rate_runs")
    ladder = tuple(model.Step.model_validate(step) for step in steps)
    strict = strict.model_copy(update={"objectives": (strict.objectives[0].model_copy(update={"credits": ladder}),)})
    assert "at or below 99.5%: 10% of the fee, 1,200.00 EUR; below 99%: 25%" in text(explain(strict))


def test_the_first_date_is_named_where_the_calendar_alone_gives_it() -> None:
    said = text(explain(agreement("mean_of_intervals")))
    assert "For the first period, August 2026, that is Wednesday 30 September 2026." in said
    assert said.count("For the first period") == 1  # awareness is nobody's calendar


def test_a_period_cut_short_by_the_last_day_is_counted_from_that_day() -> None:
    said = text(explain(agreement("mean_of_intervals", expires="2026-08-15")))
    assert "that is Monday 14 September 2026" in said


@pytest.mark.parametrize("unit", ["days", "months"])
def test_no_date_is_named_beyond_the_last_day_of_the_calendar(unit: str) -> None:
    deadline = {
        "type": "claim", "n": "999999999999", "unit": unit, "anchor": "period_end", "time_zone": "Europe/Berlin",
        "margin": {"n": "2", "unit": "days"},
    }  # fmt: skip
    claim = {"deadlines": [deadline], "channel": "in writing", "forfeits": "true"}
    said = text(explain(agreement("mean_of_intervals", claim=claim)))
    assert f"999,999,999,999 {unit} after the last day of the period" in said
    assert "For the first period" not in said


@pytest.mark.parametrize("word", BoundWord)
def test_each_step_is_told_with_the_amount_that_the_evaluation_pays_there(word: BoundWord) -> None:
    edges = ("99.5%", "99%", "95%") if word.is_floor else ("1%", "3%", "10%")
    steps = tuple({"edge": edge, "credit": credit} for edge, credit in zip(edges, ("10%", "25%", "33.3%"), strict=True))
    plain = {**objective("ratio"), "at_most": None, word.value: edges[0], "credits": steps, "service": None}
    promised = agreement("ratio", objectives=(plain,), caps=())
    row = PricedRow("our-ratio", "all", promised.objectives[0].bound, promised.objectives[0].credits)
    said = text(explain(promised))
    for i, step in enumerate(row.steps):
        exactly, past = step.edge.value, step.edge.value + Fraction(-1 if word.is_floor else 1, 10**6)
        paid = settle(promised, {row: past}).total
        assert f"{step.edge}: {format_percent(step.credit)} of the fee, {money(paid)}" in said
        includes = settle(promised, {row: exactly}).total == paid
        side = ("at or " if includes else "") + ("below" if word.is_floor else "above")
        assert f"{side} {step.edge}: {format_percent(step.credit)}" in said, i
        assert (f"at or below {step.edge}" in said or f"at or above {step.edge}" in said) is includes


@pytest.mark.parametrize("across", ["greater_of", "sum_to_cap"])
@pytest.mark.parametrize("capped", [True, False])
def test_the_most_there_can_be_is_what_the_evaluation_pays_at_worst(across: str, capped: bool) -> None:
    combine = {"within_event": "highest_only", "across_objectives": across}
    caps: Document = {} if capped else {"caps": ()}
    promised = agreement("mean_of_intervals", "ratio", "percentile", combine=combine, **caps)
    worst = {
        PricedRow(o.name, scope, o.bound, o.credits): Fraction(0) if o.bound.word.is_floor else Fraction(10**9)
        for o in promised.objectives
        for scope in o.service or ("all",)
    }
    most = settle(promised, worst).total
    assert f"So one month can pay at most {money(most)}." in text(explain(promised))


@pytest.mark.parametrize("unit", ["days", "months"])
@pytest.mark.parametrize("effective", ["2026-02-01", "2026-03-15", "2028-02-29", "2026-10-01"])
@pytest.mark.parametrize("period", list(PeriodUnit))
def test_the_first_date_is_the_one_the_evaluation_computes(unit: str, effective: str, period: str) -> None:
    deadline = {
        "type": "notify", "n": "3", "unit": unit, "anchor": "period_end", "time_zone": "Europe/Berlin",
        "margin": {"n": "0", "unit": "days"},
    }  # fmt: skip
    claim = {"deadlines": [deadline], "channel": "in writing", "forfeits": "true"}
    fee = {"amount": "1.00 EUR", "per": period}
    promised = agreement("error_rate_runs", effective=effective, expires=None, period=period, claim=claim, fee=fee, caps=())
    first = resolve(promised, str(Label.around(promised.effective, promised.period)))
    assert promised.claim is not None
    found = due(promised.claim.deadlines[0], first, (), first.end)
    assert found.local is not None
    day = date.fromisoformat(found.local.split()[1].rstrip(","))
    assert f"that is {WEEKDAYS[day.weekday()]} {spoken_day(day)}." in text(explain(promised))


def test_the_most_there_can_be_is_that_as_written_where_a_reading_changes_the_credits() -> None:
    read = (
        SHORT + "    readings:\n      - {id: low, basis: B}\n      - {id: high, set: {credits: {below 99.5%: 90%}}, basis: B}\n"
    )
    said = text(explain(load_text(read).agreement))
    assert "can pay at most 3,000.00 EUR as written; another reading, or an amendment, may pay more." in said
    kept = read.replace("set: {credits: {below 99.5%: 90%}}", "set: {outcomes.rate_limited: fail}")
    assert "can pay at most 3,000.00 EUR." in text(explain(load_text(kept).agreement))
