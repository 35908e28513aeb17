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
from slaguard.spec.resolve import resolve
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
    spans: dict[str, Any] = {name: START + int(fields.pop(name) * MINUTE) for name in ("start", "end") if name in fields}
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
    documents: list[Incident | Fact] = [outage(0, 1400), fact("awareness", 10), fact("ticket", 71), complete(1440)]
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


def test_an_outage_that_a_window_cuts_in_two_is_rounded_once() -> None:
    rule = {**OVER_FIVE, "outage_rounding": "up"}
    window = fact("announcement", -5000, exclusion="maintenance", start=12.5, end=13)
    result = judged(rule, outage(10, 20), window, complete(1440), exclusions=[MAINTENANCE])
    assert figure(result)[1] == 10  # 9.5 minutes; its two pieces, 2.5 and 7, would be 3 and 7 by themselves: 10 too
    other = fact("announcement", -5000, exclusion="maintenance", start=12.5, end=13.9)
    assert figure(judged(rule, outage(10, 20), other, complete(1440), exclusions=[MAINTENANCE]))[1] == 9


def test_rounding_takes_no_more_than_there_is() -> None:
    rule = {**OVER_FIVE, "min_length": "1s", "outage_rounding": "up"}
    outages = [outage(i / 2, i / 2 + 0.25, f"{i}") for i in range(20)]
    assert figure(judged(rule, *outages, complete(10), minutes=10)) == (10, 10, 0)


def test_an_outage_that_is_still_open_after_the_period_is_as_long_as_it_lasted() -> None:
    documents: list[Incident | Fact] = [outage(1438, None), complete(1500)]
    assert figure(judged(OVER_FIVE, *documents, as_of=1500))[1] == 2
    assert figure(judged(OVER_FIVE, *documents, as_of=1441))[1] == 0


def test_an_open_outage_that_began_before_the_list_lasts_as_far_as_the_list() -> None:
    assert figure(judged(OVER_FIVE, outage(-10, None), complete(30)))[1] == 30


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


# ── service hours, and a month of a stated length ───────────────────────────────────────────────────────────────────
HOURS = {"weekly": [{"days": ["mo", "tu", "we", "th", "fr"], "hours": "08:00-20:00"}]}
OCTOBER = "2026-10"
SERVICE_MINUTES = 22 * 12 * 60
"""October 2026 has 22 working days."""


def october(*outages: Incident, day: int = 31, **terms: Any) -> ObjectiveResult:
    one = agreement(objective({**OVER_FIVE}, source="incident", at_least="99%"), **terms)
    span = resolve(one, OCTOBER)
    facts = (complete(day * 1440),)
    now = START + day * 1440 * MINUTE
    return evaluate(one, span, Evidence({}, {}, facts, outages), now, spec_sha256="0" * 64).objectives[0]


def test_time_outside_the_service_hours_is_neither_downtime_nor_time() -> None:
    """Thursday 1 October: an outage from 07:00 to 09:00 takes one of the service hours, one at night takes none."""
    found = october(outage(7 * 60, 9 * 60), outage(22 * 60, 23 * 60, "N"), service_hours=HOURS).estimate
    assert (found.bad, found.n, found.population) == (60, SERVICE_MINUTES, SERVICE_MINUTES)
    assert found.value == 1 - Fraction(60, SERVICE_MINUTES)
    assert found.allowed == Fraction(SERVICE_MINUTES, 100)


def test_what_an_open_period_still_allows_is_a_share_of_its_service_time() -> None:
    """99 % of 15,840 minutes may lose 158.4: 160 are lost for good on the first day, though 446.4 of all would be allowed."""
    lost = outage(8 * 60, 8 * 60 + 160)
    found = october(lost, day=2, service_hours=HOURS)
    assert (found.verdict, found.provisional) == (Verdict.BREACH, False)
    assert october(lost, day=2).provisional


def test_a_stated_month_changes_the_time_that_stated_outages_are_a_share_of() -> None:
    found = october(outage(0, 432), month_length="30d").estimate
    assert (found.value, found.allowed, found.n) == (Fraction(99, 100), 432, 43_200)
    assert october(outage(0, 432)).estimate.value == 1 - Fraction(432, IBM_MONTH)
