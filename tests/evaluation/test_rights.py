"""Rights that arise from several periods: what counts, how undecided periods count, until when, and what is paid back."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.parts import rfc3339
from slaguard.evaluation.result import RightPart
from slaguard.evaluation.rights import Judged, arisen, rights
from slaguard.records import Fact
from slaguard.spec.rights import When
from tests.evaluation.past import contract, last_end, month, months
from tests.evaluation.world import DAY

TWO = {"objective": "uptime", "consecutive": "2"}
LOW_TWICE = {"objective": "uptime", "less_than": "98.5%", "bad": "2", "of": "3"}
THREE = {"objective": "uptime", "bad": "3", "of": "12"}
NOTICE = {"n": "30", "unit": "days", "anchor": "nth_failed_period_end"}


def right(
    states: str, when: dict[str, Any] = THREE, *, after: int = 1, facts: tuple[Fact, ...] = (), **terms: Any
) -> RightPart:
    """Return how a right stands so many days after the last of these months."""
    term = {"id": "r", "clause": "B 4", "when": when, "undecided": "breaks", "right": "terminate", **terms}
    past = months(states)
    return rights(contract(chronic=[term]), past, facts, last_end(past) + after * DAY)[0]


@pytest.mark.parametrize(
    ("states", "when", "state", "periods"),
    [
        pytest.param("bgbgb", THREE, "arisen", "2026-01 2026-03 2026-05", id="three of twelve"),
        pytest.param("bgbg", THREE, "not_arisen", "2026-01 2026-03", id="two are not three"),
        pytest.param("bb", TWO, "arisen", "2026-01 2026-02", id="two in a row"),
        pytest.param("bgb", TWO, "not_arisen", "2026-02 2026-03", id="a good one between"),
        pytest.param("b", {"objective": "uptime", "less_than": "98.5%"}, "arisen", "2026-01", id="below a floor of its own"),
        pytest.param("b", {"objective": "uptime", "less_than": "98%"}, "not_arisen", "", id="exactly at that floor"),
        pytest.param("bb", LOW_TWICE, "arisen", "2026-01 2026-02", id="both"),
    ],
)  # fmt: skip
def test_a_right_arises_with_the_bad_period_that_completes_the_number(
    states: str, when: dict[str, Any], state: str, periods: str
) -> None:
    found = right(states, when)
    assert found.state == state
    if state == "arisen":
        assert " ".join(found.periods) == periods


def test_downtime_adds_up_over_its_window() -> None:
    """2 % of January's 44,640 minutes and of February's 40,320 is 892.8 and 806.4: 1,699.2 minutes, or 28.32 hours."""
    assert right("bb", {"objective": "uptime", "downtime": "28h", "of": "2"}).state == "arisen"
    assert right("bb", {"objective": "uptime", "downtime": "29h", "of": "2"}).state == "not_arisen"
    assert right("bgb", {"objective": "uptime", "downtime": "28h", "of": "2"}).state == "not_arisen"


def test_a_period_that_is_not_decided_counts_both_ways_and_the_contract_says_which() -> None:
    when = {"objective": "uptime", "consecutive": "2"}
    broken, skipped = right("bub", when), right("bub", when, undecided="skip")
    assert (broken.state, skipped.state) == ("open", "arisen")
    assert {(r.if_undecided_break, r.if_undecided_are_skipped) for r in (broken, skipped)} == {(False, True)}
    assert "not decided" in broken.sentence


def test_the_notice_window_runs_from_the_end_of_the_period_that_completed_the_number() -> None:
    """May ends with the 31st; 30 days later is 30 June, which ends at midnight."""
    found = right("bgbgb", notice=NOTICE, after=5)
    assert found.due is not None
    assert (rfc3339(found.due), found.local) == ("2026-07-01T00:00:00Z", "Tue 2026-06-30, 24:00 UTC")
    assert right("bgbgb", notice=NOTICE, after=29).state == "arisen"
    assert right("bgbgb", notice=NOTICE, after=30).state == "lapsed"
    assert right("bgbgbg", notice=NOTICE, after=5).state == "lapsed"


def test_a_window_of_months_keeps_the_month_end() -> None:
    found = right("bb", {"objective": "uptime", "consecutive": "2"}, notice={**NOTICE, "n": "1", "unit": "months"})
    assert found.local == "Tue 2026-03-31, 24:00 UTC"


def test_what_was_paid_in_advance_comes_back_for_the_days_that_remain() -> None:
    """After 31 May 214 of the 365 days of 2026 remain: 3,650 x 214 / 365 = 2,140."""
    found = right("bgbgb", refund="prepaid_pro_rata", prepaid="3650.00 EUR")
    assert (str(found.refund), "214 remaining days / 365 days" in str(found.refund_sentence)) == ("2140.00", True)


def test_a_prepayment_that_nobody_recorded_is_asked_for_and_not_guessed() -> None:
    found = right("bgbgb", refund="prepaid_pro_rata")
    assert (found.refund, "record prepayment" in str(found.refund_sentence)) == (None, True)
    paid = Fact(id="P", type="prepayment", when=1, value="3650.00 EUR")
    assert str(right("bgbgb", refund="prepaid_pro_rata", facts=(paid,)).refund) == "2140.00"


def test_a_figure_that_is_not_settled_is_undecided_against_a_threshold() -> None:
    when = {"objective": "uptime", "less_than": "98%"}
    one = month(1, "b")
    estimate = one.objectives[0].estimate.model_copy(update={"low": Fraction(97, 100)})
    unsure = one.model_copy(update={"objectives": (one.objectives[0].model_copy(update={"estimate": estimate}),)})
    term = {"id": "r", "clause": "B 4", "when": when, "undecided": "breaks", "right": "terminate"}
    found = rights(contract(chronic=[term]), [unsure], (), unsure.period.end)[0]
    assert (found.state, found.if_undecided_break) == ("not_arisen", False)


STATES = st.lists(st.sampled_from(["bad", "good", "undecided"]), min_size=1, max_size=14)


def judged(states: list[Any]) -> list[Judged]:
    return [Judged(str(i), i + 1, state) for i, state in enumerate(states)]


@given(STATES, st.integers(1, 4), st.integers(0, 8), st.sampled_from(["breaks", "skip"]))
def test_a_right_is_there_exactly_where_a_window_that_ends_with_a_bad_period_holds_enough(
    states: list[Any], bad: int, more: int, policy: str
) -> None:
    when = When.model_validate({"objective": "uptime", "bad": str(bad), "of": str(bad + more)})
    found = arisen(when, judged(states), policy)
    seen = [s for s in states if policy == "breaks" or s != "undecided"]
    size = bad + more
    ends = [
        i
        for i in range(max(0, len(seen) - size), len(seen))
        if seen[i] == "bad" and seen[max(0, i + 1 - size) : i + 1].count("bad") >= bad
    ]
    assert (found is not None) == bool(ends)


@given(STATES, st.integers(1, 3), st.integers(0, 13))
def test_one_more_bad_period_never_takes_a_right_away(states: list[Any], n: int, at: int) -> None:
    when = When.model_validate({"objective": "uptime", "consecutive": str(n)})
    worse = [*states]
    worse[at % len(states)] = "bad"
    if arisen(when, judged(states), "breaks") is not None:
        assert arisen(when, judged(worse), "breaks") is not None
