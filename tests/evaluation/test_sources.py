"""Which of the sources that a promise names decides, and what the result says of each of them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from slaguard.evaluation.result import Evaluation, ObjectiveResult
from slaguard.records import Record
from slaguard.terms import Reason, Source, Verdict
from tests.evaluation.world import MEAN, MINUTE, RATIO, agreement, judge, minute, objective, period, watched

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
