"""Which of the sources that a promise names decides, and what the result says of each of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from slaguard.evaluation.result import Evaluation, ObjectiveResult
from slaguard.records import Observation, Record
from slaguard.reports.sources import made_from, source_lines
from slaguard.reports.words import figure_range
from slaguard.server.bullet import bullet
from slaguard.terms import Reason, Source, Verdict
from tests.evaluation.world import MEAN, MINUTE, OUTCOMES, RATIO, agreement, call, judge, minute, objective, period, watched

HOUR = period(60)


def promise(records: list[Record], rule: dict[str, Any] = MEAN, **limit: str) -> ObjectiveResult:
    """Return the result of a promise on traffic, and on probes where traffic was not watched enough."""
    return judge(agreement(objective(rule, **(limit or {"at_least": "99%"}))), HOUR, records).objectives[0]


def probes(bad: int = 0, of: int = 60) -> list[Record]:
    """Return one probe a minute, of which the first ones failed."""
    return [r for i in range(of) for r in minute(i, int(i >= bad), int(i < bad), source=Source.PROBE)]


def traffic(of: int = 60, bad: int = 0) -> list[Record]:
    """Return ten calls a minute."""
    return [r for i in range(of) for r in minute(i, 10 - (i < bad), int(i < bad))]


def test_every_source_the_promise_names_is_told_with_what_it_saw_and_one_of_them_is_used() -> None:
    result = promise([*traffic(bad=3), watched(), *probes(bad=2)], RATIO, at_most="1%")
    first, second = result.sources
    assert (first.source, first.used, first.coverage, first.n, first.bad, first.calls) == (Source.TRAFFIC, True, 1, 600, 3, 600)
    assert (second.source, second.used, second.coverage, second.n, second.bad, second.calls) == (
        Source.PROBE, False, 1, 60, 2, 60,
    )  # fmt: skip
    assert (result.source, result.estimate.n, result.estimate.bad) == (Source.TRAFFIC, 600, 3)


def test_intervals_are_told_for_each_source_as_well() -> None:
    result = promise([*traffic(48), watched(0, 48 * MINUTE), *probes(bad=1)])
    first, second = result.sources
    assert (first.used, first.n, first.calls) == (False, 9, 480)
    assert first.coverage == Fraction(9, 12), "of ten intervals the tenth was not wholly watched"
    assert (second.used, second.n, second.bad, second.calls) == (True, 12, Fraction(1, 5), 60)
    assert result.source is Source.PROBE


def test_a_promise_on_one_source_has_one() -> None:
    only = agreement(objective(MEAN, at_least="99%", source=["probe"]))
    (part,) = judge(only, HOUR, [*probes(), *traffic(), watched()]).objectives[0].sources
    assert (part.source, part.used) == (Source.PROBE, True)


def test_a_source_that_was_watched_while_no_call_came_is_passed_over_for_one_that_has_some() -> None:
    result = promise([watched(), *probes(bad=5)])
    assert (result.source, result.verdict) == (Source.PROBE, Verdict.BREACH)
    few = promise([watched(), *probes(bad=20, of=50)])
    assert (few.source, few.verdict) == (Source.PROBE, Verdict.BREACH), "what probes show is not hidden by a quiet sidecar"
    assert [p.coverage for p in few.sources] == [1, Fraction(10, 12)]


def test_where_no_call_came_at_all_nothing_is_said_to_be_kept() -> None:
    result = promise([watched()])
    assert (result.source, result.verdict, result.reason) == (Source.TRAFFIC, Verdict.INSUFFICIENT, Reason.NO_TRAFFIC)


def test_a_result_that_was_written_before_sources_were_told_is_still_read() -> None:
    told = judge(agreement(objective(MEAN, at_least="99%")), HOUR, [*traffic(), watched()])
    old = told.model_copy(update={"objectives": tuple(o.model_copy(update={"sources": ()}) for o in told.objectives)})
    text = old.to_json().replace(',\n      "sources": []', "")
    assert "sources" not in text
    assert Evaluation.from_json(text) == old


# ── what the others would say ───────────────────────────────────────────────────────────────────────────────────────
def test_a_source_that_was_not_used_and_comes_to_another_verdict_says_so() -> None:
    result = promise([call(0), watched(), *probes(bad=20)])
    assert (result.source, result.verdict, result.estimate.value) == (Source.TRAFFIC, Verdict.COMPLIANT, 1)
    assert [p.verdict for p in result.sources] == [Verdict.COMPLIANT, Verdict.BREACH]
    assert source_lines(result)[1].startswith("probes, not used, would say BREACH: 60")
    assert "by which the verdict would be BREACH" in made_from(result)


def test_a_source_that_agrees_or_has_too_little_to_say_is_told_without_a_verdict() -> None:
    alike = promise([*traffic(), watched(), *probes()])
    little = promise([*traffic(), watched()])
    assert [p.verdict for p in little.sources] == [Verdict.COMPLIANT, Verdict.INSUFFICIENT]
    for result in (alike, little):
        assert "would" not in " ".join([*source_lines(result), made_from(result)])


# ── what left the count ─────────────────────────────────────────────────────────────────────────────────────────────
GONE = {**OUTCOMES, "connection_error": "drop", "timeout": "drop"}


def silent(n: int, **terms: object) -> list[str]:
    """Return what is said of calls that left the count, of 200, where so many of them found nobody."""
    calls = [call(i * MINUTE // 10, "connection_error" if i < n else "ok", n=i) for i in range(200)]
    only = agreement(objective(MEAN, at_least="99%", outcomes=GONE, **terms))
    found = judge(only, HOUR, [*calls, call(59 * MINUTE, "timeout"), watched()])
    assert (found.objectives[0].verdict, found.objectives[0].estimate.value) == (Verdict.COMPLIANT, 1)
    return [w.text for w in found.warnings if w.code == "W-LEFT-OUT"]


def test_a_vendor_that_is_gone_and_does_not_count_as_down_is_told_with_its_calls() -> None:
    (said,) = silent(180)
    assert said.startswith("181 of 201 calls (90.05 %) left the count: 180 connection_error, 1 timeout;")


def test_a_hundredth_of_the_calls_may_leave_without_a_word() -> None:
    assert silent(1) == []
    assert len(silent(2)) == 1


# ── times without an end ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_percentile_whose_upper_end_lies_among_unanswered_requests_is_at_least_something() -> None:
    rule = {"rule": "percentile", "p": "50%", "field": "total_time", "failed": "exceed", "min_requests": "1"}
    calls = [timed(i, 4078 + i, inclusion_probability="0.5") for i in range(20)]
    calls += [call(i * MINUTE // 10, "timeout", inclusion_probability="0.5") for i in range(20, 38)]
    one = objective(rule, at_most="3s", decision={"estimand": "realised", "rule": "lower_bound", "alpha": "5%", "min_n": "0"})
    found = judge(agreement(one), HOUR, [*calls, watched()], as_of=HOUR.end - MINUTE)
    result = found.objectives[0]
    assert result.estimate.low is not None
    assert (result.estimate.high, result.verdict) == (None, Verdict.INCONCLUSIVE)
    assert result.sentence.endswith(" allowed; at least 4.091 s at 95 % on each side")
    assert figure_range(result.estimate.low, None, "ms").replace("\u202f", " ") == "at least 4.09 s"
    assert 'class="span"' in bullet("i", result, Fraction(3000))
    assert figure_range(Fraction(0), None, "ms") == "open at both ends"


def test_the_interval_of_a_sampled_percentile_is_told_in_seconds() -> None:
    rule = {"rule": "percentile", "p": "50%", "field": "total_time", "failed": "exceed", "min_requests": "1"}
    calls = [timed(i, 890 + 10 * i, inclusion_probability="0.5") for i in range(40)]
    result = judge(agreement(objective(rule, at_most="1s")), HOUR, [*calls, watched()], as_of=HOUR.end - MINUTE).objectives[0]
    assert result.sentence.endswith("; 1.03 s to 1.14 s at 95 % on each side")


def timed(i: int, ms: int, **fields: Any) -> Observation:
    """Return a call that took so long."""
    return call(i * MINUTE // 10, total_time_ns=ms * 1_000_000, **fields)


# ── bodies are a sample, calls are not ──────────────────────────────────────────────────────────────────────────────
def test_calls_of_which_half_kept_their_bodies_are_counted_one_by_one() -> None:
    bodies = ({"body_share": "0.5", "body": "kept"}, {"body_share": "0.5"})
    calls = [call(i * MINUTE // 10, "error_500" if i < 4 else "ok", n=i, attributes=bodies[i % 2]) for i in range(400)]
    result = promise([*calls, watched()], RATIO, at_most="2%")
    assert (result.design, result.estimate.population, result.estimate.n) == ("census", 400, 400)
    assert (result.estimate.confidence, result.estimate.low, result.estimate.high) == (None, Fraction(1, 100), Fraction(1, 100))
    assert (result.estimate.method, result.verdict) == ("count", Verdict.COMPLIANT)
