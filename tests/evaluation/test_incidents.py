"""Uptime from stated outages: the minimum length, the report clock, lists that are complete, and windows."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.result import ObjectiveResult
from slaguard.records import Evidence, Fact, Incident
from slaguard.terms import Reason, Verdict
from tests.evaluation.world import MAINTENANCE, MINUTE, START, agreement, objective, period

OVER_FIVE = {"rule": "outages_min_length", "min_length": "5m"}
CLOCK = {"rule": "report_clock", "ticket_within": "24h", "late_ticket": "zero", "no_ticket": "zero"}
IBM_MONTH = 44_640


def outage(start: float, end: float | None, name: str = "I", **fields: Any) -> Incident:
    """Return an outage from minute to minute of the period."""
    stop = None if end is None else START + int(end * MINUTE)
    terms = {"severity": "major", "source": "status page", **fields}
    return Incident(id=name, start=START + int(start * MINUTE), end=stop, **terms)


def fact(kind: str, when: float, **fields: Any) -> Fact:
    """Return a Fact made at a minute of the period."""
    spans = {name: START + int(fields.pop(name) * MINUTE) for name in ("start", "end") if name in fields}
    return Fact(id=f"{kind}-{when}-{fields}", type=kind, when=START + int(when * MINUTE), **spans, **fields)


def complete(minutes: float, start: float = 0, **fields: Any) -> Fact:
    """Return the word that a list of outages is complete."""
    return fact("incident_log", minutes, start=start, end=minutes, **fields)


def judged(
    indicator: dict[str, Any], *documents: Incident | Fact, minutes: int = 1440, as_of: float | None = None, **terms: Any
) -> ObjectiveResult:
    """Return the result of one promise over a period of so many minutes."""
    bound = {} if "at_least" in terms else {"at_least": "99.9%"}
    one = agreement(objective(indicator, source="incident", **bound, **terms))
    incidents = tuple(d for d in documents if isinstance(d, Incident))
    facts = tuple(d for d in documents if isinstance(d, Fact))
    now = START + int((minutes if as_of is None else as_of) * MINUTE)
    return evaluate(one, period(minutes), Evidence({}, {}, facts, incidents), now, spec_sha256="0" * 64).objectives[0]


def figure(result: ObjectiveResult) -> tuple[int, Fraction, Fraction | None]:
    """Return (minutes that count, minutes lost, uptime)."""
    return result.estimate.n, result.estimate.bad, result.estimate.value


def test_44640_minutes_with_360_down_are_99_19_percent() -> None:
    result = judged(OVER_FIVE, outage(100, 460), complete(IBM_MONTH), minutes=IBM_MONTH)
    assert figure(result) == (IBM_MONTH, 360, 1 - Fraction(360, IBM_MONTH))
    assert f"{float(result.estimate.value or 0):.7f}" == "0.9919355"
    assert (result.verdict, result.source, result.sentence) == (
        Verdict.BREACH, "incident", "360 minutes lost, 44.6 allowed"
    )  # fmt: skip


@pytest.mark.parametrize(("minutes", "lost"), [(5, 5), (4.99, 0), (5.01, Fraction(501, 100))])
def test_an_outage_counts_from_exactly_the_minimum_length_on(minutes: float, lost: Fraction | int) -> None:
    assert figure(judged(OVER_FIVE, outage(10, 10 + minutes), complete(1440)))[1] == lost


def test_length_is_compared_before_the_period_cuts_it() -> None:
    assert figure(judged(OVER_FIVE, outage(-4, 2), complete(1440)))[1] == 2
    assert figure(judged(OVER_FIVE, outage(1438, 1500), complete(1440)))[1] == 2


def test_outages_that_overlap_or_touch_are_one_and_count_once() -> None:
    found = judged(OVER_FIVE, outage(10, 13, "a"), outage(13, 16, "b"), outage(12, 15, "c"), complete(1440))
    assert figure(found)[1] == 6


@pytest.mark.parametrize(("rounding", "lost"), [(None, Fraction(21, 2)), ("up", 11), ("down", 10)])
def test_each_outage_is_rounded_to_whole_minutes_where_the_clause_says_so(rounding: str | None, lost: Fraction | int) -> None:
    rule = OVER_FIVE if rounding is None else {**OVER_FIVE, "outage_rounding": rounding}
    assert figure(judged(rule, outage(10, 20.5), complete(1440)))[1] == lost


def test_only_the_named_severities_sources_and_services_count() -> None:
    rule = {**OVER_FIVE, "severities": ["critical"], "stated_by": ["status page"]}
    documents = [
        outage(10, 20, "a"), outage(30, 40, "b", severity="critical"), outage(50, 60, "c", severity="critical", source="us"),
        outage(70, 80, "d", severity="critical", vendor="Another"), outage(90, 100, "e", severity="critical", vendor="V"),
    ]  # fmt: skip
    assert figure(judged(rule, *documents, complete(1440)))[1] == 20


def test_without_a_word_that_the_list_is_complete_nothing_was_watched() -> None:
    result = judged(OVER_FIVE)
    assert (result.verdict, result.reason, result.estimate.value) == (Verdict.INSUFFICIENT, Reason.LOW_COVERAGE, None)


def test_stated_outages_break_a_promise_even_where_the_rest_was_not_watched() -> None:
    result = judged(OVER_FIVE, outage(10, 20), complete(30))
    assert (result.verdict, result.reason) == (Verdict.BREACH, Reason.COUNT_EXCEEDED)
    assert result.coverage == Fraction(30, 1440)


def test_no_outage_in_a_complete_list_is_full_uptime() -> None:
    result = judged(OVER_FIVE, complete(1440))
    assert (result.verdict, *figure(result)) == (Verdict.COMPLIANT, 1440, 0, 1)


def test_a_list_of_somebody_else_or_of_another_service_says_nothing() -> None:
    rule = {**OVER_FIVE, "stated_by": ["status page"]}
    assert judged(rule, complete(1440, by="us")).reason is Reason.LOW_COVERAGE
    assert judged(rule, complete(1440, by="status page", reference="search")).reason is Reason.LOW_COVERAGE
    assert judged(rule, complete(1440, by="status page")).verdict is Verdict.COMPLIANT


def test_an_outage_that_nobody_closed_lasts_as_far_as_its_list_is_complete() -> None:
    result = judged(OVER_FIVE, outage(700, None), complete(720))
    assert (figure(result)[1], result.coverage) == (20, Fraction(1, 2))


# ── the report clock ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("documents", "lost"),
    [
        ([], 0),
        ([fact("ticket", 130)], 30),
        ([fact("ticket", 90)], 0),
        ([fact("ticket", 90, reference="I")], 60),
        ([fact("ticket", 300, reference="I")], 0),
        ([fact("ticket", 130), fact("ticket", 120)], 40),
        ([fact("ticket", 130, reference="another")], 0),
        ([fact("ticket", 130, start=100, end=160)], 30),
    ],
    ids=["none", "during", "before", "before-named", "after-the-end", "earliest", "of-another", "by-its-span"],
)
def test_downtime_runs_from_the_ticket_to_the_restoration(documents: list[Fact], lost: int) -> None:
    assert figure(judged(CLOCK, outage(100, 160), *documents, complete(1440)))[1] == lost


def test_a_late_ticket_counts_nothing_or_from_itself_as_the_clause_says() -> None:
    documents = [outage(0, 1400), fact("awareness", 10), fact("ticket", 71), complete(1440)]
    hour = {**CLOCK, "ticket_within": "1h"}
    assert figure(judged(hour, *documents))[1] == 0
    assert figure(judged({**hour, "late_ticket": "from_ticket"}, *documents))[1] == 1329
    assert figure(judged(hour, outage(0, 1400), fact("awareness", 11), fact("ticket", 71), complete(1440)))[1] == 1329


def test_without_a_recorded_awareness_the_start_of_the_outage_is_taken() -> None:
    hour = {**CLOCK, "ticket_within": "1h"}
    assert figure(judged(hour, outage(0, 1400), fact("ticket", 60), complete(1440)))[1] == 1340
    assert figure(judged(hour, outage(0, 1400), fact("ticket", 61), complete(1440)))[1] == 0


def test_an_outage_without_a_ticket_counts_from_its_start_where_the_clause_says_so() -> None:
    assert figure(judged({**CLOCK, "no_ticket": "from_start"}, outage(100, 160), complete(1440)))[1] == 60


# ── windows ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("effect", "n", "lost"), [("count_as_up", 1440, 20), ("remove_minutes", 1410, 20)])
def test_an_announced_window_takes_exactly_its_own_time(effect: str, n: int, lost: int) -> None:
    window = fact("announcement", -5000, exclusion="maintenance", start=20, end=50)
    result = judged(OVER_FIVE, outage(10, 60), window, complete(1440), exclusions=[{**MAINTENANCE, "effect": effect}])
    assert figure(result)[:2] == (n, lost)
    assert [(e.n, e.minutes) for e in result.excluded] == [(1, 30)]
    assert result.without_exclusions is not None
    assert result.without_exclusions.bad == 50


def test_an_open_period_is_broken_once_no_good_time_can_save_it() -> None:
    result = judged(OVER_FIVE, outage(10, 20), complete(30), as_of=30)
    assert (result.verdict, result.reason, result.provisional) == (Verdict.BREACH, Reason.ERROR_BUDGET_EXHAUSTED, False)


# ── laws ────────────────────────────────────────────────────────────────────────────────────────────────────────────
SPANS = st.lists(st.tuples(st.integers(-30, 1460), st.integers(1, 90)), max_size=12)


@given(SPANS, st.randoms(use_true_random=False))
def test_the_figure_is_that_of_a_walk_through_every_minute_in_any_order(spans: list[tuple[int, int]], chance: Any) -> None:
    documents = [outage(a, a + n, f"{i}") for i, (a, n) in enumerate(spans)]
    down = {m for a, n in spans for m in range(a, a + n)}
    joined: list[list[int]] = []
    for minute in sorted(down):
        if joined and joined[-1][-1] == minute - 1:
            joined[-1].append(minute)
        else:
            joined.append([minute])
    lost = sum(0 <= m < 1440 for run in joined if len(run) >= 5 for m in run)
    expected = figure(judged(OVER_FIVE, *documents, complete(1440)))
    assert expected[:2] == (1440, lost)
    chance.shuffle(documents)
    assert figure(judged(OVER_FIVE, *documents, complete(1440))) == expected


@given(SPANS, st.tuples(st.integers(0, 1400), st.integers(1, 60)))
def test_one_more_outage_never_raises_uptime(spans: list[tuple[int, int]], more: tuple[int, int]) -> None:
    documents = [outage(a, a + n, f"{i}") for i, (a, n) in enumerate(spans)]
    before = judged(OVER_FIVE, *documents, complete(1440)).estimate.value or Fraction(0)
    after = judged(OVER_FIVE, *documents, outage(more[0], sum(more), "more"), complete(1440)).estimate.value or Fraction(0)
    assert after <= before
