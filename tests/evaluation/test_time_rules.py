"""Time in the evaluation: service hours, averages with earlier periods, stated months, amendments, and dates from downtime."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.averaging import mean_of
from slaguard.evaluation.measure import Measurement
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import ObjectiveResult
from slaguard.records import Coverage, Observation, Record
from slaguard.spec.model import Agreement
from slaguard.spec.resolve import resolve
from slaguard.terms import Source, Verdict
from tests.evaluation.world import DAY, MEAN, MINUTE, RATIO, RUNS, START, agreement, call, judge, objective, watched

HOURS = {"weekly": [{"days": ["mo", "tu", "we", "th", "fr"], "hours": "08:00-20:00"}]}
"""720 minutes on each of the 22 weekdays of October 2026, which begins on a Thursday."""
ALWAYS = watched(-100 * DAY)


def at(text: str, outcome: str = "ok", n: int = 0) -> Observation:
    """One call at a time of UTC: ``10-05 19:57``."""
    moment = datetime.strptime(f"2026-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return call(int(moment.timestamp()) * 10**9 - START + n, outcome, n=n)


def bad_minutes(first: str, count: int) -> list[Observation]:
    """One failed call in each of so many minutes."""
    begin = at(first)
    assert begin.sent_at is not None
    return [call(begin.sent_at - START + i * MINUTE, "error_500", n=i) for i in range(count)]


def judged(contract: Agreement, records: Iterable[Record], label: str = "2026-10") -> ObjectiveResult:
    return judge(contract, resolve(contract, label), [ALWAYS, *records]).objectives[0]


def served(rule: dict[str, Any], hours: dict[str, Any] = HOURS, **terms: Any) -> Agreement:
    return agreement(objective(rule, **(terms or {"at_least": "99.5%"})), service_hours=hours)


# ── service hours ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_records_sent_outside_service_hours_leave_and_are_told_under_that_name() -> None:
    inside = [*(at("10-05 12:00", n=i) for i in range(9)), at("10-05 12:00", "error_500", n=9)]
    outside = [at("10-05 07:59", "error_500"), at("10-05 20:00", "error_500"), at("10-10 12:00", "error_500")]
    found = judged(served(RATIO, at_most="10%"), [*inside, *outside])
    assert (found.estimate.value, found.estimate.n, found.verdict) == (Fraction(1, 10), 10, Verdict.COMPLIANT)
    assert [(x.id, x.state, x.n) for x in found.excluded] == [("service_hours", "accepted", 3)]
    assert found.without_exclusions is None or found.without_exclusions.n == 10


def test_the_time_of_the_period_is_its_service_time() -> None:
    found = judged(served(RUNS), [])
    assert (found.estimate.n, found.estimate.allowed) == (22 * 720, Fraction(22 * 720, 200))


def test_a_run_ends_where_the_service_hours_end() -> None:
    assert judged(served(RUNS), bad_minutes("10-05 19:57", 8)).estimate.bad == 0
    assert judged(served(RUNS), bad_minutes("10-05 19:55", 10)).estimate.bad == 5


def test_an_interval_that_lies_partly_outside_leaves_whole() -> None:
    late = {"weekly": [{"days": ["mo", "tu", "we", "th", "fr"], "hours": "08:02-20:00"}]}
    found = judged(served(MEAN, late), [at("10-05 08:03", "error_500"), at("10-05 12:00")])
    assert (found.estimate.n, found.estimate.bad) == (22 * 143, 0)


def test_what_was_watched_is_a_share_of_the_service_hours() -> None:
    contract = served(RATIO, at_most="10%")
    night = Coverage(source=Source.TRAFFIC, start=START, end=START + 31 * DAY, via="test")
    only_days = [
        Coverage(source=Source.TRAFFIC, start=a, end=b, via="test") for a, b in resolve(contract, "2026-10").service or ()
    ]
    call_ = at("10-05 12:00")
    both = [
        judge(contract, resolve(contract, "2026-10"), [*spans, call_]).objectives[0].coverage for spans in ([night], only_days)
    ]
    assert both == [1, 1]


@given(st.lists(st.tuples(st.integers(0, 31 * 1440 - 1), st.booleans()), max_size=40))
def test_what_lies_outside_service_hours_never_changes_a_figure(calls: list[tuple[int, bool]]) -> None:
    contract = served(RATIO, at_most="10%")
    spans = resolve(contract, "2026-10").service_in
    made = [call(minute * MINUTE, "ok" if good else "error_500", n=i) for i, (minute, good) in enumerate(calls)]
    inside = [o for o in made if any(a <= (o.sent_at or 0) < b for a, b in spans)]
    every, some = judged(contract, made), judged(contract, inside)
    assert every.estimate == some.estimate
    assert sum(x.n for x in every.excluded) == len(made) - len(inside)


# ── averages ────────────────────────────────────────────────────────────────────────────────────────────────────────
def averaged(n: int, **terms: Any) -> Agreement:
    return agreement(objective(RATIO, at_most="1%", average_with_previous=str(n), **terms), effective="2026-08-01")


def month(number: int, good: int, bad: int) -> list[Observation]:
    outcomes = ["ok"] * good + ["error_500"] * bad
    return [at(f"{number:02d}-10 12:00", o, n=i) for i, o in enumerate(outcomes)]


def test_an_averaged_figure_is_the_mean_of_the_figures_and_not_of_the_calls() -> None:
    # (1/200 + 2/100) / 2 = 1/80 = 1.25 %, while 3 of 300 calls are 1 % and October alone is 0.5 %
    found = judged(averaged(1), [*month(9, 98, 2), *month(10, 199, 1)])
    assert (found.estimate.value, found.verdict) == (Fraction(1, 80), Verdict.BREACH)
    assert found.sentence == "the mean of 2 periods is 1.25 % (2026-10: 0.5 %, 2026-09: 2 %), at most 1% agreed"


def test_a_younger_agreement_is_averaged_over_the_periods_there_are() -> None:
    assert judged(averaged(3), month(8, 98, 2), "2026-08").estimate.value == Fraction(1, 50)
    three = judged(averaged(3), [*month(8, 98, 2), *month(9, 99, 1), *month(10, 100, 0)])
    assert three.estimate.value == Fraction(1, 100)
    assert three.verdict is Verdict.COMPLIANT


def test_an_earlier_period_without_a_call_leaves_the_mean() -> None:
    assert judged(averaged(1), month(10, 199, 1)).estimate.value == Fraction(1, 200)


def test_what_was_not_watched_in_an_earlier_period_stays_open_at_both_ends() -> None:
    # of September 24 of 30 days were watched: 2 of 100 is then between 2/100 * 4/5 and that plus 1/5
    contract = averaged(1, min_coverage="50%")
    span = resolve(contract, "2026-10")
    coverage = watched(-24 * DAY)
    calls = [*(o for o in month(9, 98, 2)), *month(10, 199, 1)]
    found = judge(contract, span, [coverage, *calls]).objectives[0]
    low, high = (Fraction(1, 200) + Fraction(2, 125)) / 2, (Fraction(1, 200) + Fraction(2, 125) + Fraction(1, 5)) / 2
    assert (found.estimate.low, found.estimate.high) == (low, high)
    assert found.coverage == Fraction(4, 5)


def test_the_demands_hold_the_earlier_periods() -> None:
    contract = averaged(2)
    demands = requirements(contract, resolve(contract, "2026-10"), (), START + 60 * DAY)
    assert demands.span == (resolve(contract, "2026-08").start, resolve(contract, "2026-10").end)
    assert len(demands.counts) == 6


FIGURES = st.tuples(st.fractions(0, 1), st.integers(0, 50), st.fractions(0, 1))


@given(st.lists(FIGURES, min_size=1, max_size=5))
def test_the_mean_lies_between_its_figures_and_its_bounds_around_it(figures: list[tuple[Fraction, int, Fraction]]) -> None:
    made = [
        Measurement(
            source=Source.TRAFFIC, noun="request", value=v, best=v * gap, worst=v + (1 - v) * gap, n=n, bad=Fraction(0),
            allowed=Fraction(0), coverage=Fraction(1), census=True,
        )
        for v, n, gap in figures
    ]  # fmt: skip
    mean = mean_of([str(i) for i in range(len(made))], made)
    assert mean.value is not None
    assert mean.best is not None
    assert mean.worst is not None
    assert min(f[0] for f in figures) <= mean.value <= max(f[0] for f in figures)
    assert mean.best <= mean.value <= mean.worst


# ── a stated month ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("length", "minutes"), [(None, 44_640), ("actual", 44_640), ("30d", 43_200), ("30.41d", Fraction(437_904, 10))]
)
def test_a_stated_month_changes_the_time_that_shares_are_taken_of(length: str | None, minutes: Fraction) -> None:
    terms = {} if length is None else {"month_length": length}
    contract = agreement(objective(RUNS, at_least="99.5%"), **terms)
    found = judged(contract, bad_minutes("10-05 12:00", 10))
    assert (found.estimate.value, found.estimate.allowed) == (1 - Fraction(10) / minutes, Fraction(minutes) / 200)


def test_a_stated_month_is_printed_with_the_result() -> None:
    contract = agreement(objective(RUNS, at_least="99.5%"), month_length="30d")
    found = judge(contract, resolve(contract, "2026-10"), [ALWAYS])
    assert [w.text for w in found.warnings if w.code == "W-PERIOD"] == [
        "by its clause a month counts as 30 days: the period as 43,200 minutes, while it has 44,640"
    ]


# ── amendments ──────────────────────────────────────────────────────────────────────────────────────────────────────
def amended(within: str) -> Agreement:
    change = {"objectives.promise.at_most": "1%", "objectives.promise.credits": {"above 1%": "31%"}}
    one = {"id": "a1", "effective": "2026-10-12", "clause": "A 1", "within_period": within, "set": change}
    terms = objective(RATIO, at_most="5%", credits={"above 5%": "10%"})
    return agreement(terms, amendments=[one])


CALLS = [*(at("10-20 12:00", n=i) for i in range(97)), *(at("10-20 12:00", "error_500", n=100 + i) for i in range(3))]
"""3 % failed, all after the amendment."""


def test_a_period_is_judged_under_the_version_valid_in_it() -> None:
    assert judged(amended("next_period"), CALLS).verdict is Verdict.COMPLIANT
    assert judged(amended("split"), CALLS, "2026-10.2").verdict is Verdict.BREACH
    assert judged(amended("split"), CALLS, "2026-10.1").estimate.n == 0


def test_a_part_of_a_period_pays_its_days_share_of_the_fee() -> None:
    # 31 % of 1000 EUR for 20 of 31 days: 200 EUR
    contract = amended("split")
    found = judge(contract, resolve(contract, "2026-10.2"), [ALWAYS, *CALLS]).credits
    assert found is not None
    assert str(found.claimable) == "200.00"


# ── dates from downtime ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_deadline_counts_from_the_downtime_that_the_evaluation_found() -> None:
    deadline = {
        "type": "notify", "n": "5", "unit": "days", "anchor": "incident_end", "time_zone": "UTC",
        "margin": {"n": "0", "unit": "days"},
    }  # fmt: skip
    contract = agreement(
        objective(RUNS, at_least="99.99%"), claim={"deadlines": [deadline], "channel": "letter", "forfeits": "true"}
    )
    found = judge(contract, resolve(contract, "2026-10"), [ALWAYS, *bad_minutes("10-05 12:00", 10)])
    assert found.deadlines[0].local == "Sat 2026-10-10, 24:00 UTC"
    assert found.deadlines[0].reason == "5 days after the downtime found in our own figures ended, 2026-10-05"


def test_a_test_call_that_was_not_made_outside_service_hours_is_nobodys_loss() -> None:
    contract = served(RATIO, at_most="10%", source=["probe"])
    made = [at("10-05 12:00", n=i) for i in range(4)]
    missed = [at("10-05 23:00", "unmeasured", n=i) for i in range(4)]
    probes = [replace(o, source=Source.PROBE) for o in (*made, *missed)]
    assert judged(contract, probes).coverage == 1
    assert judged(contract, [*probes, replace(at("10-05 13:00", "unmeasured"), source=Source.PROBE)]).coverage == Fraction(4, 5)
