"""Money: what a call can cost, and that a budget is never overdrawn."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.config import Probe
from slaguard.errors import ProbeError
from slaguard.probes.golden import load_golden
from slaguard.probes.observe import Subject
from slaguard.probes.spending import Allowance, Cost, Purse, budget_span, spent_on
from slaguard.providers.base import Exchange, Prompt, Reply, Request
from slaguard.records import Instant, Observation, RawFacts
from slaguard.terms import Attribution, Outcome, Source

REQUEST = Request(url="https://api.acme.example/v1", headers=(), body=b"x" * 1000)
PROMPT = Prompt(model="m", messages=(), parameters={"max_tokens": 400})
PRICE = {"input": "2.50 EUR", "output": "10.00 EUR"}
MOST = Decimal("0.0065")  # 1,000 tokens at 2.50 and 400 at 10.00 a million


def probe(**more: Any) -> Probe:
    return Probe.model_validate({"agreement": "acme-chat", "model": "m", "every": "5m", **more})


def reply(asked: int | None, answered: int | None) -> Reply:
    exchange = Exchange(started=Instant(0, 0, "t"), ended_ns=1)
    return Reply(exchange=exchange, facts=RawFacts(status=200), input_tokens=asked, output_tokens=answered)


def test_a_call_costs_at_most_a_token_a_byte_and_all_the_tokens_it_allows() -> None:
    assert Cost.of(probe(price=PRICE)).most(REQUEST, PROMPT) == MOST


def test_without_a_limit_of_tokens_or_a_price_the_cost_is_unknown_unless_a_ceiling_is_given() -> None:
    endless = Prompt(model="m", messages=(), parameters={})
    assert Cost.of(probe(price=PRICE)).most(REQUEST, endless) is None
    assert Cost.of(probe()).most(REQUEST, PROMPT) is None
    ceiling = probe(budget={"amount": "5.00 EUR", "per": "day", "call": "0.02 EUR"})
    assert Cost.of(ceiling).most(REQUEST, endless) == Decimal("0.02")


def test_a_budget_that_cannot_be_kept_is_refused() -> None:
    with pytest.raises(ProbeError, match=r"5\.00 EUR a day cannot be kept"):
        Purse.of(probe(budget={"amount": "5.00 EUR", "per": "day"}), PROMPT, REQUEST)


def test_a_probe_without_a_budget_has_no_limit() -> None:
    purse = Purse.of(probe(), PROMPT, REQUEST)
    assert all(purse.set_aside(REQUEST, PROMPT) == 0 for _ in range(1000))


def test_what_a_call_did_not_cost_is_given_back() -> None:
    purse = Purse.of(probe(budget={"amount": "0.01 EUR", "per": "day"}, price=PRICE), PROMPT, REQUEST)
    first = purse.set_aside(REQUEST, PROMPT)
    assert first == MOST
    assert purse.set_aside(REQUEST, PROMPT) is None
    purse.settle(first, reply(100, 10))
    assert purse.spent == Decimal("0.00035")
    assert purse.set_aside(REQUEST, PROMPT) == MOST


def test_a_call_whose_cost_nobody_told_keeps_what_was_set_aside() -> None:
    purse = Purse.of(probe(budget={"amount": "0.01 EUR", "per": "day"}, price=PRICE), PROMPT, REQUEST)
    first = purse.set_aside(REQUEST, PROMPT)
    assert first is not None
    purse.settle(first, reply(None, None))
    assert purse.spent == MOST


@given(
    st.decimals(min_value=0, max_value=2, places=2),
    st.lists(st.tuples(st.booleans(), st.integers(0, 1000), st.integers(0, 400)), max_size=40),
)
def test_a_budget_is_never_overdrawn_whatever_is_settled_when(limit: Decimal, steps: list[tuple[bool, int, int]]) -> None:
    settings = {
        "budget": {"amount": f"{limit:.2f} EUR", "per": "day"},
        "price": {"input": "250.00 EUR", "output": "250.00 EUR"},
    }
    purse = Purse.of(probe(**settings), PROMPT, REQUEST)
    under_way: list[Decimal] = []
    for take, asked, answered in steps:
        if take and (aside := purse.set_aside(REQUEST, PROMPT)) is not None:
            under_way.append(aside)
        elif under_way:
            purse.settle(under_way.pop(), reply(asked, answered))
        assert 0 <= purse.spent <= limit


def test_the_day_and_the_month_of_a_budget_are_utc() -> None:
    noon = 1_793_534_400 * 10**9  # 2026-11-01T12:00:00Z
    day = probe(budget={"amount": "5.00 EUR", "per": "day"}).budget
    month = probe(budget={"amount": "5.00 EUR", "per": "month"}).budget
    assert day is not None
    assert month is not None
    assert [ns // 10**9 - 1_793_491_200 for ns in budget_span(day, noon)] == [0, 86_400]
    assert [ns // 10**9 - 1_793_491_200 for ns in budget_span(month, noon)] == [0, 30 * 86_400]


def test_what_was_spent_before_is_counted_from_the_ledger_for_this_probe_alone() -> None:
    subject = Subject(agreement="acme-chat", vendor="Acme AI", model="m", golden=load_golden("claims-qa@4"))

    def observation(n: int, **more: Any) -> Observation:
        settings: dict[str, Any] = {
            "outcome": Outcome.OK,
            "attribution": Attribution.NONE,
            "source": Source.PROBE,
            "via": "agent",
            "vendor": "Acme AI",
            "sent_at": 50,
            "model_requested": "m",
            "input_tokens": 1000,
            "output_tokens": 100,
            "attributes": {"agreement": "acme-chat"},
        }
        return Observation(id=f"o{n}", **(settings | more))

    counted = [observation(1), observation(2, output_tokens=None)]
    others = [
        observation(3, vendor="Other"),
        observation(4, model_requested="n"),
        observation(5, sent_at=100),
        observation(6, sent_at=None, batch_start=0, batch_end=50),
        observation(7, source=Source.TRAFFIC),
        observation(8, attributes={}),
    ]
    spent = spent_on([*counted, *others], subject, probe(price=PRICE), (0, 100), Decimal(1))
    assert spent == Decimal("0.0035") + 1


# ── several budgets over days ───────────────────────────────────────────────────────────────────────────────────────
def test_every_budget_must_allow_a_call_and_each_is_charged() -> None:
    own, shared = Allowance(2 * MOST), Allowance(3 * MOST)
    first = Purse(Cost.of(probe(price=PRICE)), own, shared)
    second = Purse(Cost.of(probe(price=PRICE)), Allowance(None), shared)
    assert first.set_aside(REQUEST, PROMPT) == first.set_aside(REQUEST, PROMPT) == MOST
    assert first.set_aside(REQUEST, PROMPT) is None, "its own is gone"
    assert second.set_aside(REQUEST, PROMPT) == MOST
    assert second.set_aside(REQUEST, PROMPT) is None, "what both share is gone"
    second.settle(MOST, reply(100, 10))
    assert second.set_aside(REQUEST, PROMPT) is None
    assert (first.spent, second.spent) == (2 * MOST, Decimal("0.00035"))


def test_a_budget_is_whole_again_when_its_day_is_another_one_and_takes_nothing_back_from_the_day_before() -> None:
    day = [(0, 100)]
    allowance = Allowance(MOST, span=lambda: day[0])
    purse = Purse(Cost.of(probe(price=PRICE)), allowance)
    assert purse.set_aside(REQUEST, PROMPT) == MOST
    assert purse.set_aside(REQUEST, PROMPT) is None
    day[0] = (100, 200)
    assert purse.set_aside(REQUEST, PROMPT) == MOST
    purse.settle(MOST, reply(100, 10))  # the call of the day before
    assert purse.set_aside(REQUEST, PROMPT) is None


def test_what_is_spent_already_counts_and_a_vendor_s_ceiling_stands_in_for_a_price() -> None:
    assert not Allowance(MOST, spent=Decimal("0.0001")).allows(MOST)
    assert not Allowance(MOST).allows(None)
    ceiling = probe(budget={"amount": "5.00 EUR", "per": "day", "call": "0.02 EUR"}).budget
    assert Cost.of(probe(), ceiling).most(REQUEST, PROMPT) == Decimal("0.02")
    assert Cost.of(probe(price=PRICE), ceiling).most(REQUEST, PROMPT) == MOST
