"""A clause read in several ways: one verdict only where all readings agree, and the lowest amount is what is claimed."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.breach import record
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import Evaluation
from slaguard.records import Observation, Record
from slaguard.reports.readings import reading_lines
from slaguard.terms import Reason, Verdict
from tests.evaluation.world import RATIO, agreement, answer, call, judge, objective, period, watched

LADDER = [{"edge": "5%", "credit": "10%"}, {"edge": "10%", "credit": "25%"}]
A = {"id": "A", "set": {"outcomes.rate_limited": "fail"}, "basis": "errors are errors"}
B = {"id": "B", "set": {"outcomes.rate_limited": "drop"}}
SPAN = period(1000)


def promise(**terms: Any) -> dict[str, Any]:
    return objective(RATIO, at_most="5%", credits=LADDER, **terms)


def calls(ok: int, errors: int, limited: int) -> list[Observation]:
    outcomes = ["ok"] * ok + ["error_500"] * errors + ["rate_limited"] * limited
    return [call(i, o, n=i) for i, o in enumerate(outcomes)]


def judged(ok: int, errors: int, limited: int, *, terms: dict[str, Any] | None = None, **of: Any) -> Evaluation:
    return judge(agreement(promise(**of), **(terms or {})), SPAN, [watched(), *calls(ok, errors, limited)])


def same(first: Evaluation, second: Evaluation) -> bool:
    keep = {"objectives", "credits", "deadlines", "warnings"}
    return first.model_dump(include=keep) == second.model_dump(include=keep)


def test_a_breach_under_one_reading_is_no_breach_and_nothing_is_claimed() -> None:
    found = judged(94, 2, 4, readings=[A, B])
    result = found.objectives[0]
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, Reason.READING_DEPENDENT)
    assert result.sentence == "breach under A; not under B"
    assert [(r.id, r.verdict, r.credit) for r in result.readings] == [
        ("A", Verdict.BREACH, Decimal("100.00")),
        ("B", Verdict.COMPLIANT, Decimal("0.00")),
    ]
    assert found.credits is not None
    assert (found.credits.claimable, found.credits.upper) == (Decimal("0.00"), Decimal("100.00"))


def test_a_breach_under_every_reading_claims_the_lowest_amount_and_shows_that_reading() -> None:
    found = judged(88, 8, 4, readings=[A, B])
    result = found.objectives[0]
    assert (result.verdict, result.reading, result.estimate.n) == (Verdict.BREACH, "B", 96)
    assert result.sentence.endswith("the verdict is the same under A, B")
    assert found.credits is not None
    assert (found.credits.claimable, found.credits.upper) == (Decimal("100.00"), Decimal("250.00"))
    assert record(found, result).reading == "B"


def test_of_two_remedies_in_one_text_the_lower_is_claimable() -> None:
    found = judged(90, 10, 0, readings=[{"id": "s4"}, {"id": "annex", "set": {"credits": {"above 5%": "7%"}}}])
    assert found.objectives[0].verdict is Verdict.BREACH
    assert found.credits is not None
    assert (found.credits.claimable, found.credits.upper) == (Decimal("70.00"), Decimal("100.00"))


def test_a_reading_of_what_all_promises_share_is_settled_together() -> None:
    shared = [{"id": "sum", "set": {"combine": "sum_to_cap"}}, {"id": "greater", "set": {"combine": "greater_of"}}]
    first, second = promise(readings=shared), {**promise(), "name": "second"}
    found = judge(agreement(first, second, combine="greater_of"), SPAN, [watched(), *calls(90, 10, 0)])
    assert found.credits is not None
    assert (found.credits.claimable, found.credits.upper) == (Decimal("100.00"), Decimal("200.00"))


def test_readings_of_one_promise_leave_the_others_alone() -> None:
    alone = judge(agreement({**promise(), "name": "second"}), SPAN, [watched(), *calls(90, 10, 3)]).objectives[0]
    both = judge(
        agreement(promise(readings=[A, B]), {**promise(), "name": "second"}, combine="greater_of"),
        SPAN,
        [watched(), *calls(90, 10, 3)],
    )
    assert both.objectives[1] == alone


@given(st.integers(0, 60), st.integers(0, 12), st.integers(0, 12), st.sampled_from([A, B]))
def test_a_settled_reading_is_the_agreement_written_so(ok: int, errors: int, limited: int, right: dict[str, Any]) -> None:
    settled = {"reading": right["id"], "evidence": "letter"}
    how = right["set"]["outcomes.rate_limited"]
    plain = promise()
    written = {**plain, "outcomes": {**plain["outcomes"], "rate_limited": how}}
    records: list[Record] = [watched(), *calls(ok, errors, limited)]
    assert same(
        judge(agreement(promise(readings=[A, B], settled=settled)), SPAN, records), judge(agreement(written), SPAN, records)
    )


@given(st.integers(0, 60), st.integers(0, 12), st.integers(0, 12))
def test_the_verdict_is_that_of_all_readings_and_the_claim_the_least_of_them(ok: int, errors: int, limited: int) -> None:
    found = judged(ok, errors, limited, readings=[A, B])
    each = [judged(ok, errors, limited, readings=[A, B], settled={"reading": one}) for one in ("A", "B")]
    verdicts = {one.objectives[0].verdict for one in each}
    assert found.objectives[0].verdict is (verdicts.pop() if len(verdicts) == 1 else Verdict.INCONCLUSIVE)
    owed = [one.credits.claimable for one in each if one.credits is not None]
    assert found.credits is not None
    assert found.credits.claimable == min(owed)
    assert found.credits.upper >= max(owed)


def test_what_readings_need_counted_is_asked_once_and_together() -> None:
    contract = agreement(promise(readings=[A, B]))
    assert len(requirements(contract, SPAN, (), SPAN.end).counts) == 2  # one for each source: outcomes are keys
    slow = {"id": "C", "set": {"eligible": {"stream": "true"}}}
    assert len(requirements(agreement(promise(readings=[A, slow])), SPAN, (), SPAN.end).counts) == 4
    assert answer(requirements(contract, SPAN, (), SPAN.end), []).tables.keys()


def test_the_lines_say_what_each_reading_gives_and_which_is_shown() -> None:
    result = judged(94, 2, 4, readings=[A, B]).objectives[0]
    assert [line.replace("\u00a0", " ").replace("\u202f", " ") for line in reading_lines(result, "EUR")] == [
        "under A (errors are errors): 6 %, BREACH, would pay 100.00 EUR alone",
        "under B: 2.1 %, COMPLIANT, would pay nothing",
        "the figures here are those under B, which is nearest to a kept promise",
    ]


def test_a_result_without_readings_is_written_as_before() -> None:
    body = judged(94, 2, 4).model_dump(mode="json")["objectives"][0]
    assert body["readings"] == []
    assert not {"reading", "contested"} & body.keys()


@pytest.mark.parametrize("ok", [0, 94])
def test_a_result_with_readings_is_read_again_as_it_was_written(ok: int) -> None:
    found = judged(ok, 2, 4, readings=[A, B])
    assert Evaluation.from_json(found.to_json()).to_json() == found.to_json()
