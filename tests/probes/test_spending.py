"""Money: what a call can cost, and that a budget is never overdrawn."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.agent.purses import calls_in
from slaguard.config import Budget, Probe
from slaguard.errors import ProbeError
from slaguard.ledger.store import ColumnStore
from slaguard.probes.spending import Account, Allowance, Aside, Cost, Purse, budget_span, require_cost
from slaguard.providers.base import Exchange, Prompt, Reply, Request
from slaguard.records import Instant, Observation, ProbeMissed, ProbePlanned, RawFacts
from slaguard.terms import Attribution, Outcome, Source

REQUEST = Request(url="https://api.acme.example/v1", headers=(), body=b"x" * 1000)
PROMPT = Prompt(model="m", messages=(), parameters={"max_tokens": 400})
PRICE = {"input": "2.50 EUR", "output": "10.00 EUR"}
MOST = Decimal("0.0065")  # 1,000 tokens at 2.50 and 400 at 10.00 a million


def probe(**more: Any) -> Probe:
    return Probe.model_validate({"agreement": "acme-chat", "model": "m", "every": "5m", **more})


def purse_of(one: Probe) -> Purse:
    """The purse of a probe that pays from its own budget alone."""
    return Purse(Cost.of(one), allowance(one.budget.amount.amount if one.budget is not None else None))


def allowance(limit: Decimal | None) -> Allowance:
    """An allowance in one day without end."""
    return Allowance(limit, Account(lambda: 0))


def reply(asked: int | None, answered: int | None, *, sent: int | None = 0, status: int | None = 200) -> Reply:
    exchange = Exchange(started=Instant(0, 0, "t"), sent_ns=sent, ended_ns=1, status=status)
    return Reply(exchange=exchange, facts=RawFacts(status=status), input_tokens=asked, output_tokens=answered)


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
        require_cost(None, Budget.model_validate({"amount": "5.00 EUR", "per": "day"}), "m")


def test_a_probe_without_a_budget_has_no_limit() -> None:
    purse = purse_of(probe())
    assert all(purse.set_aside(REQUEST, PROMPT) == 0 for _ in range(1000))


def test_what_a_call_did_not_cost_is_given_back() -> None:
    purse = purse_of(probe(budget={"amount": "0.01 EUR", "per": "day"}, price=PRICE))
    first = purse.set_aside(REQUEST, PROMPT)
    assert first == MOST
    assert purse.set_aside(REQUEST, PROMPT) is None
    purse.settle(first, reply(100, 10))
    assert purse.spent == Decimal("0.00035")
    assert purse.set_aside(REQUEST, PROMPT) == MOST


def test_a_call_whose_cost_nobody_told_keeps_what_was_set_aside() -> None:
    purse = purse_of(probe(budget={"amount": "0.01 EUR", "per": "day"}, price=PRICE))
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
    purse = purse_of(probe(**settings))
    under_way: list[Aside] = []
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


@pytest.mark.parametrize(
    ("back", "cost"),
    [
        pytest.param(reply(None, None, sent=None, status=None), Decimal(0), id="never on a connection"),
        pytest.param(reply(None, None, status=503), Decimal(0), id="turned away"),
        pytest.param(reply(None, None, status=429), Decimal(0), id="over the rate limit"),
        pytest.param(reply(None, None, status=None), MOST, id="sent, and nothing came back"),
        pytest.param(reply(None, None), MOST, id="an answer without a count"),
    ],
)
def test_an_outage_does_not_use_up_the_budget_with_which_it_is_watched(back: Reply, cost: Decimal) -> None:
    purse = purse_of(probe(budget={"amount": "0.01 EUR", "per": "day"}, price=PRICE))
    aside = purse.set_aside(REQUEST, PROMPT)
    assert aside is not None
    purse.settle(aside, back)
    assert purse.spent == cost


def test_what_was_spent_before_is_read_from_the_ledger_and_counts_only_calls_that_were_billed() -> None:
    call = Observation(
        id="o1", outcome=Outcome.OK, attribution=Attribution.NONE, source=Source.PROBE, via="agent", vendor="Acme AI",
        sent_at=50, model_requested="m", status=200, input_tokens=1000, output_tokens=100,
        attributes={"agreement": "acme-chat", "connect_ms": "3"},
    )  # fmt: skip
    with ColumnStore() as store:
        store.add([
            call,
            replace(call, id="o2", input_tokens=None, output_tokens=None),
            replace(call, id="o3", status=503, input_tokens=None, output_tokens=None),
            replace(call, id="o4", attributes={"agreement": "acme-chat"}, input_tokens=None, output_tokens=None),
            replace(call, id="o5", vendor="Other"),
            replace(call, id="o6", sent_at=100),
            replace(call, id="o7", source=Source.TRAFFIC),
            ProbePlanned(
                slot="acme-chat/m/s",
                agreement="acme-chat",
                golden_item="g",
                scheduled_at=60,
                vendor="Acme AI",
                model_requested="m",
            ),
            *(
                ProbeMissed(
                    slot=f"acme-chat/m/{why}", how="lost", reason=why, scheduled_at=60, vendor="Acme AI", model_requested="m"
                )
                for why in ("given_up", "crash", "own_down", "clock_step")
            ),
        ])  # fmt: skip
        calls = calls_in(store, "Acme AI", (0, 100), 1000)
        killed = calls_in(store, "Acme AI", (0, 100), 1000, killed=True)
    cost = Cost.of(probe(price=PRICE))
    costs = [cost.of_call(c.asked, c.answered, sent=True, status=c.status) for c in calls]
    assert sorted(costs, key=str) == [Decimal(0), Decimal("0.0035"), None, None, None], "a call given up may have been billed"
    assert len(killed) == len(calls) + 1, "and so may the one that was under way when the process was killed"
    assert {(c.agreement, c.model) for c in killed} == {("acme-chat", "m")}


# ── several budgets over days ───────────────────────────────────────────────────────────────────────────────────────
def test_every_budget_must_allow_a_call_and_each_is_charged() -> None:
    own, shared = allowance(2 * MOST), allowance(3 * MOST)
    first = Purse(Cost.of(probe(price=PRICE)), own, shared)
    second = Purse(Cost.of(probe(price=PRICE)), allowance(None), shared)
    assert first.set_aside(REQUEST, PROMPT) == first.set_aside(REQUEST, PROMPT) == MOST
    assert first.set_aside(REQUEST, PROMPT) is None, "its own is gone"
    aside = second.set_aside(REQUEST, PROMPT)
    assert aside == MOST
    assert second.set_aside(REQUEST, PROMPT) is None, "what both share is gone"
    second.settle(aside, reply(100, 10))
    assert second.set_aside(REQUEST, PROMPT) is None
    assert (first.spent, second.spent) == (2 * MOST, Decimal("0.00035"))


DAY = 86_400 * 10**9


def by_day(limit: Decimal, now: list[int]) -> Allowance:
    """An allowance for each UTC day, on a clock that the test sets."""
    budget = Budget.model_validate({"amount": "1.00 EUR", "per": "day"})
    return Allowance(limit, Account(lambda: now[0]), partial(budget_span, budget))


def test_a_budget_is_whole_again_when_its_day_is_another_one_and_takes_nothing_back_from_the_day_before() -> None:
    now = [DAY - 1]
    purse = Purse(Cost.of(probe(price=PRICE)), by_day(MOST, now))
    first = purse.set_aside(REQUEST, PROMPT)
    assert first == MOST
    assert purse.set_aside(REQUEST, PROMPT) is None
    now[0] = DAY + 1
    assert purse.set_aside(REQUEST, PROMPT) == MOST
    purse.settle(first, reply(100, 10))  # set aside the day before, and under way since midnight
    assert purse.set_aside(REQUEST, PROMPT) is None


def test_a_clock_that_is_set_back_over_midnight_gives_no_budget_out_twice() -> None:
    now = [2 * DAY - 1]
    one, taken = by_day(Decimal(10), now), 0

    def drain() -> int:
        asked = 0
        while one.allows(Decimal(1)):
            one.take(Decimal(1))
            asked += 1
        return asked

    assert drain() == 10
    for at in (2 * DAY + 1, 2 * DAY - 1, 2 * DAY + 2):  # midnight, corrected, midnight again
        now[0] = at
        taken += drain()
    assert taken == 10, "the second day's, once"
    now[0] = 40 * DAY
    assert drain() == 10
    now[0] = 2 * DAY + 3
    assert drain() == 0, "a clock that was wrong by more than a day is followed back, to days that are spent"


def test_what_a_purse_took_is_known_whatever_limit_there_was_meanwhile() -> None:
    account = Account(lambda: 0)
    for limit in (Decimal(10), None, Decimal(20)):
        one = Allowance(limit, account)
        assert one.allows(Decimal(5))
        one.take(Decimal(5))
    assert not Allowance(Decimal(10), account).allows(Decimal(1))


def test_what_is_spent_already_counts_and_a_vendor_s_ceiling_stands_in_for_a_price() -> None:
    account = Account(lambda: 0)
    account.before[0, DAY] = Decimal("0.0001")
    assert not Allowance(MOST, account).allows(MOST)
    assert not allowance(MOST).allows(None)
    ceiling = probe(budget={"amount": "5.00 EUR", "per": "day", "call": "0.02 EUR"}).budget
    assert Cost.of(probe(), ceiling).most(REQUEST, PROMPT) == Decimal("0.02")
    assert Cost.of(probe(price=PRICE), ceiling).most(REQUEST, PROMPT) == MOST
