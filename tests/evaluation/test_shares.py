"""Shares of requests and answers, latency, and how a count or a sample is decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slaguard.evaluation.latency import NEVER, quantile
from slaguard.evaluation.result import ObjectiveResult
from slaguard.records import Adjudication, Observation, Record, Score
from slaguard.terms import Attribution, Grade, Outcome, Reason, Source, Verdict
from tests.evaluation.world import (
    ACCURACY,
    HALLUCINATION,
    MINUTE,
    OUTCOMES,
    RATIO,
    START,
    agreement,
    call,
    judge,
    objective,
    period,
    watched,
)  # fmt: skip


def calls(**outcomes: int) -> list[Observation]:
    """Return so many calls of each outcome, a second apart."""
    words = [word for word, n in outcomes.items() for _ in range(n)]
    return [call(i * MINUTE // 60, word, n=i) for i, word in enumerate(words)]


def share(rule: dict[str, Any], records: list[Observation], limit: dict[str, str], **terms: Any) -> ObjectiveResult:
    """Return the result of a share over fully watched traffic."""
    contract = agreement(objective(rule, **limit, **terms))
    return judge(contract, period(1000), [watched(), *records]).objectives[0]


def test_failures_over_a_ceiling_are_a_breach_counted_exactly() -> None:
    result = share(RATIO, calls(ok=990, error_500=10), {"at_most": "1%"})
    assert (result.verdict, result.reason, result.estimate.value) == (Verdict.COMPLIANT, Reason.COUNT_WITHIN, Fraction(1, 100))
    assert share(RATIO, calls(ok=989, error_500=11), {"at_most": "1%"}).verdict is Verdict.BREACH


def test_less_than_is_broken_by_the_limit_itself_and_the_sentence_says_so() -> None:
    result = share(RATIO, calls(ok=990, error_500=10), {"less_than": "1%"})
    assert (result.verdict, result.sentence) == (Verdict.BREACH, "10 of 1,000 requests failed, 9 allowed")


def test_successes_have_a_floor() -> None:
    result = share({**RATIO, "of": "successes"}, calls(ok=99, error_500=1), {"at_least": "99%"})
    assert (result.verdict, result.estimate.bad) == (Verdict.COMPLIANT, 1)


def test_refusals_are_their_own_share() -> None:
    result = share({**RATIO, "of": "refusals"}, calls(ok=95, refused=5, error_500=3), {"at_most": "4%"})
    assert (result.verdict, result.estimate.value) == (Verdict.BREACH, Fraction(5, 103))


def test_an_outcome_counts_as_the_contract_says_and_not_otherwise() -> None:
    limited = calls(ok=90, rate_limited=10)
    for word, value, n in (("ok", 0, 100), ("fail", Fraction(1, 10), 100), ("drop", 0, 90)):
        result = share(RATIO, limited, {"at_most": "1%"}, outcomes={**OUTCOMES, "rate_limited": word})
        assert (result.estimate.value, result.estimate.n) == (value, n)


def test_a_vendor_code_overrides_its_outcome_but_never_a_good_answer() -> None:
    records = [call(0, "client_error", error_code="overloaded_error"), call(1, "ok", error_code="overloaded_error", n=1)]
    result = share(RATIO, records, {"at_most": "1%"}, outcomes={**OUTCOMES, "codes": {"overloaded_error": "fail"}})
    assert (result.estimate.bad, result.estimate.n) == (1, 2)


def test_a_record_that_was_not_measured_counts_neither_way() -> None:
    result = share(RATIO, calls(ok=10, unmeasured=90), {"at_most": "1%"})
    assert (result.estimate.n, result.unmeasured, result.verdict) == (10, 90, Verdict.COMPLIANT)


def test_requests_nobody_watched_may_be_good_or_bad() -> None:
    contract = agreement(objective(RATIO, at_most="4%", min_coverage="90%", source="traffic"))
    result = judge(contract, period(1000), [watched(b=950 * MINUTE), *calls(ok=99, error_500=1)]).objectives[0]
    assert (result.verdict, result.reason) == (Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE)
    assert (result.estimate.low, result.estimate.high) == (Fraction(95, 10_000), Fraction(95, 10_000) + Fraction(5, 100))


def test_fewer_requests_than_the_minimum_decide_nothing_whatever_the_count() -> None:
    result = share({**RATIO, "min_requests": "100"}, calls(error_500=50), {"at_most": "1%"})
    assert (result.verdict, result.reason, result.next.n_needed) == (Verdict.INSUFFICIENT, Reason.N_BELOW_MIN, 50)


def test_no_traffic_is_no_compliance() -> None:
    result = share(RATIO, [], {"at_most": "1%"})
    assert (result.verdict, result.reason) == (Verdict.INSUFFICIENT, Reason.NO_TRAFFIC)


def test_another_vendors_records_do_not_count() -> None:
    records = [*calls(ok=100), *[call(i, "error_500", vendor="W", n=f"w{i}") for i in range(100)]]
    assert share(RATIO, records, {"at_most": "1%"}).estimate.n == 100


def test_scopes_are_rows_of_their_own() -> None:
    services = [{"id": "a", "models": "model-a"}, {"id": "b", "where": {"attributes.team": "red"}}]
    contract = agreement(objective(RATIO, at_most="1%", service=["a", "b"]), services=services)
    records = [call(0, model_requested="model-a"), call(1, "error_500", attributes={"team": "red"}, n=1)]
    rows = judge(contract, period(1000), [watched(), *records]).objectives
    assert [(r.scope, r.verdict) for r in rows] == [("a", Verdict.COMPLIANT), ("b", Verdict.BREACH)]


def test_only_records_known_by_then_count() -> None:
    records = [call(0, recorded_at=START + MINUTE), call(1, "error_500", recorded_at=START + 2000 * MINUTE, n=1)]
    contract = agreement(objective(RATIO, at_most="1%"))
    span = period(1000)
    early = judge(contract, span, [watched(), *records], as_of=START + 1500 * MINUTE).objectives[0]
    late = judge(contract, span, [watched(), *records], as_of=START + 2500 * MINUTE).objectives[0]
    assert (early.verdict, late.verdict) == (Verdict.COMPLIANT, Verdict.BREACH)


def test_an_answer_later_than_the_contract_waits_is_a_timeout() -> None:
    records = [call(i, total_time_ns=t * 10**9, n=i) for i, t in enumerate([59, 60, 61])]
    waits = {**OUTCOMES, "timeout_after": "60s"}
    result = share(RATIO, records, {"at_most": "1%"}, outcomes=waits)
    assert (result.estimate.bad, result.estimate.n) == (1, 3)
    assert share(RATIO, records, {"at_most": "1%"}, outcomes={**waits, "timeout": "ok"}).estimate.bad == 0


# ── latency ─────────────────────────────────────────────────────────────────────────────────────────────────────────
P95 = {"rule": "percentile", "field": "time_to_first_token", "p": "95%", "failed": "exceed", "min_requests": "1"}


def timed(times_ms: Sequence[float], failed: int = 0) -> list[Observation]:
    """Return calls with these times to the first token, and some that failed."""
    good = [call(i, time_to_first_token_ns=round(t * 1e6), n=i) for i, t in enumerate(times_ms)]
    return [*good, *[call(10_000 + i, "timeout", n=f"f{i}") for i in range(failed)]]


def test_a_percentile_is_decided_by_counting_what_exceeds_the_limit() -> None:
    at_limit = share(P95, timed([100] * 95 + [3000] * 5), {"at_most": "2s"})
    over = share(P95, timed([100] * 94 + [3000] * 6), {"at_most": "2s"})
    assert (at_limit.verdict, at_limit.estimate.value) == (Verdict.COMPLIANT, 100)
    assert (over.verdict, over.estimate.value, over.estimate.bad) == (Verdict.BREACH, 3000, 6)


def test_a_time_a_nanosecond_over_the_limit_is_over_it() -> None:
    assert share(P95, timed([2000.000001] * 100), {"at_most": "2s"}).verdict is Verdict.BREACH
    assert share(P95, timed([2000.0] * 100), {"at_most": "2s"}).verdict is Verdict.COMPLIANT
    assert share(P95, timed([2000.0] * 100), {"less_than": "2s"}).verdict is Verdict.BREACH


def test_a_failed_call_exceeds_every_limit_or_leaves_as_the_clause_says() -> None:
    records = timed([100] * 94, failed=6)
    assert share(P95, records, {"at_most": "2s"}).verdict is Verdict.BREACH
    assert share(P95, records, {"at_most": "2s"}).estimate.value is None
    assert share({**P95, "failed": "leave_out"}, records, {"at_most": "2s"}).verdict is Verdict.COMPLIANT


def test_a_sampled_percentile_has_its_ends_in_milliseconds_and_is_priced_at_them() -> None:
    records = [replace(c, inclusion_probability=None) for c in timed([500] * 50 + [9000] * 50)]
    decision = {"estimand": "realised", "rule": "lower_bound", "alpha": "5%", "min_n": "1"}
    steps = [{"edge": "1s", "credit": "10%"}, {"edge": "5s", "credit": "50%"}]
    evaluation = judge(
        agreement(objective(P95, at_most="1s", decision=decision, credits=steps)), period(1000), [watched(), *records]
    )
    result = evaluation.objectives[0]
    assert (result.design, result.estimate.low, result.estimate.high) == ("sample", 9000, 9000)
    assert evaluation.credits is not None
    assert (evaluation.credits.claimable, evaluation.credits.upper) == (500, 500)


def test_a_good_call_without_a_time_is_not_decided() -> None:
    untimed = [call(50_000 + i, n=f"u{i}") for i in range(10)]
    result = share(P95, [*timed([100] * 90), *untimed], {"at_most": "2s"})
    assert (result.verdict, result.reason, result.unknown) == (Verdict.INSUFFICIENT, Reason.UNGRADED, 10)


def test_the_share_within_a_limit_has_a_floor() -> None:
    rule = {
        "rule": "request_attainment",
        "field": "total_time",
        "within": {"at_most": "2s"},
        "failed": "miss",
        "min_requests": "1",
    }
    records = [call(i, total_time_ns=t * 1_000_000, n=i) for i, t in enumerate([2000] * 99 + [2001])]
    assert share(rule, records, {"at_least": "99%"}).verdict is Verdict.COMPLIANT
    assert share(rule, records, {"more_than": "99%"}).verdict is Verdict.BREACH


@given(
    times=st.lists(st.integers(0, 50), min_size=1, max_size=40),
    never=st.integers(0, 10),
    p=st.fractions(Fraction(1, 100), Fraction(99, 100)),
)
@settings(max_examples=200, deadline=None)
def test_the_quantile_is_the_smallest_time_that_the_share_does_not_exceed(times: list[int], never: int, p: Fraction) -> None:
    values, counts = np.unique(np.array(times, dtype=np.int64), return_counts=True)
    found = quantile(values, counts.astype(np.int64), never, p, Fraction(0))
    ranked = [Fraction(t) for t in sorted(times)] + [NEVER] * never
    expected = next(t for t in ranked if Fraction(sum(r <= t for r in ranked), len(ranked)) >= p)
    assert found == expected


# ── graded answers ──────────────────────────────────────────────────────────────────────────────────────────────────
DEFINED = {"estimand": "defined_measure", "rule": "point", "alpha": "5%", "min_n": "10"}
BOUND = {"estimand": "realised", "rule": "lower_bound", "alpha": "5%", "min_n": "10"}


def graded(counts: dict[str, int], ungraded: int = 0, people: bool = False, **fields: Any) -> list[Record]:
    """Return answers with so many of each grade."""
    out: list[Record] = []
    for i, word in enumerate([w for w, n in counts.items() for _ in range(n)] + ["none"] * ungraded):
        answer = call(i * 1000, n=i, **fields)
        out.append(answer)
        if word != "none":
            grade = Grade(word)
            out.append(
                Adjudication(observation=answer.id, grade=grade, by="panel")
                if people
                else Score(observation=answer.id, scorer="exact@1", grade=grade)
            )
    return out


def proportion(rule: dict[str, Any], records: list[Record], limit: dict[str, str], **terms: Any) -> ObjectiveResult:
    """Return the result of a graded proportion over fully watched traffic."""
    return judge(agreement(objective(rule, **limit, **terms)), period(1000), [watched(), *records]).objectives[0]


def test_the_score_on_the_agreed_questions_decides_without_statistics() -> None:
    result = proportion(ACCURACY, graded({"correct": 91, "wrong": 9}), {"at_least": "92%"}, decision=DEFINED)
    assert (result.verdict, result.reason, result.design) == (Verdict.BREACH, Reason.COUNT_EXCEEDED, "census")
    assert result.sentence == "91 of 100 answers correct, 92 needed"
    assert (
        proportion(ACCURACY, graded({"correct": 92, "wrong": 8}), {"at_least": "92%"}, decision=DEFINED).verdict
        is Verdict.COMPLIANT
    )


def test_a_call_without_an_answer_leaves_the_score() -> None:
    records = [*graded({"correct": 92, "wrong": 8}), *calls(error_500=50, rate_limited=50)]
    assert proportion(ACCURACY, records, {"at_least": "92%"}, decision=DEFINED).estimate.n == 100


def test_an_answer_without_a_grade_is_a_bound_on_both_sides() -> None:
    decides = proportion(ACCURACY, graded({"correct": 90, "wrong": 5}, ungraded=5), {"at_least": "92%"}, decision=DEFINED)
    assert (decides.verdict, decides.reason) == (Verdict.INSUFFICIENT, Reason.UNGRADED)
    assert (decides.estimate.low, decides.estimate.high) == (Fraction(90, 100), Fraction(95, 100))
    broken = proportion(ACCURACY, graded({"correct": 80, "wrong": 15}, ungraded=5), {"at_least": "92%"}, decision=DEFINED)
    assert broken.verdict is Verdict.BREACH


def test_a_labelled_sample_is_not_called_compliant_before_it_shows_it() -> None:
    few = proportion(
        HALLUCINATION,
        graded({"correct": 119, "unsupported": 1}, people=True, inclusion_probability=None),
        {"at_most": "2%"},
        decision=BOUND,
    )
    assert (few.verdict, few.reason) == (Verdict.INSUFFICIENT, Reason.N_BELOW_MIN)
    assert (few.next.n_needed or 0) > 29
    many = proportion(
        HALLUCINATION,
        graded({"correct": 400, "unsupported": 1}, people=True, inclusion_probability=None),
        {"at_most": "2%"},
        decision=BOUND,
    )
    assert (many.verdict, many.reason) == (Verdict.COMPLIANT, Reason.CLOSE_TEST_COMPLY)


def test_a_labelled_sample_over_the_limit_is_a_breach_only_when_shown() -> None:
    near = proportion(
        HALLUCINATION,
        graded({"correct": 193, "unsupported": 7}, people=True, inclusion_probability=None),
        {"at_most": "2%"},
        decision=BOUND,
    )
    assert (near.verdict, near.reason) == (Verdict.INCONCLUSIVE, Reason.STRADDLES)
    shown = proportion(
        HALLUCINATION,
        graded({"correct": 186, "unsupported": 14}, people=True, inclusion_probability=None),
        {"at_most": "2%"},
        decision=BOUND,
    )
    assert (shown.verdict, shown.reason, shown.estimate.method) == (Verdict.BREACH, Reason.CLOSE_TEST, "clopper-pearson")
    assert (shown.estimate.low or 0) > Fraction(2, 100)


def test_a_known_population_is_judged_by_the_hypergeometric_test() -> None:
    records = graded({"correct": 386, "unsupported": 14}, ungraded=1600, people=True)
    result = proportion(HALLUCINATION, records, {"at_most": "2%"}, decision=BOUND)
    assert (result.estimate.method, result.estimate.population, result.verdict) == ("hypergeometric", 2000, Verdict.BREACH)
    assert (result.estimate.low, result.estimate.high) == (Fraction(45, 2000), Fraction(104, 2000))


def test_all_answers_labelled_is_a_count() -> None:
    result = proportion(
        HALLUCINATION, graded({"correct": 97, "unsupported": 3}, people=True), {"at_most": "2%"}, decision=BOUND
    )
    assert (result.verdict, result.reason, result.design) == (Verdict.BREACH, Reason.COUNT_EXCEEDED, "census")


def test_an_open_sampled_period_straddles_or_is_at_risk() -> None:
    contract = agreement(objective(HALLUCINATION, at_most="2%", decision=BOUND))
    for bad, reason in ((14, Reason.AT_RISK), (1, Reason.STRADDLES)):
        records = graded({"correct": 186, "unsupported": bad}, people=True, inclusion_probability=None)
        result = judge(contract, period(1000), [watched(), *records], as_of=START + 500 * MINUTE).objectives[0]
        assert (result.verdict, result.reason, result.provisional) == (Verdict.INCONCLUSIVE, reason, True)


def test_the_named_scorer_decides_and_no_other() -> None:
    answer = call(0)
    records: list[Record] = [
        answer,
        Score(observation=answer.id, scorer="strict@1", grade=Grade.WRONG),
        Score(observation=answer.id, scorer="lenient@1", grade=Grade.CORRECT),
    ]
    decision = {**DEFINED, "min_n": "1"}
    for scorer, verdict in (("strict@1", Verdict.BREACH), ("lenient@1", Verdict.COMPLIANT)):
        assert proportion(ACCURACY, records, {"at_least": "92%"}, decision=decision, scorer=scorer).verdict is verdict


def test_the_first_source_with_enough_coverage_is_used_and_sources_are_never_mixed() -> None:
    probes = [call(i, source=Source.PROBE, n=f"p{i}") for i in range(10)]
    contract = agreement(objective(RATIO, at_most="1%", source=["traffic", "probe"]))
    traffic = calls(ok=50, error_500=50)
    both = judge(contract, period(1000), [watched(), *traffic, *probes]).objectives[0]
    assert (both.source, both.estimate.n) == (Source.TRAFFIC, 100)
    unwatched = judge(contract, period(1000), [watched(b=100 * MINUTE), *traffic, *probes]).objectives[0]
    assert (unwatched.source, unwatched.estimate.n) == (Source.PROBE, 10)


@pytest.mark.parametrize("selector", [{"attribution": {"values": ["harness"]}}, {"attributes.own": {"values": ["yes"]}}])
def test_records_are_excluded_by_a_field(selector: dict[str, Any]) -> None:
    exclusion = {"id": "harness", "clause": "B 4", "kind": "harness", "asserted_by": "either", "effect": "drop_records",
                 "proof": "request_field", "selector": selector}  # fmt: skip
    ours = [
        call(10**9 + i, "truncated", attribution=Attribution.HARNESS, attributes={"own": "yes"}, n=f"h{i}") for i in range(49)
    ]
    result = share(RATIO, [*calls(ok=101), *ours], {"at_most": "1%"}, exclusions=[exclusion])
    assert (result.verdict, result.estimate.n, result.excluded[0].n) == (Verdict.COMPLIANT, 101, 49)
    assert result.without_exclusions is not None
    assert result.without_exclusions.value == Fraction(49, 150)


def test_every_outcome_is_mapped_in_these_tests() -> None:
    assert set(OUTCOMES) == {o.value for o in Outcome} - {"ok", "unmeasured"}
