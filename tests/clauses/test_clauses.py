"""Twenty clauses of real contracts as Agreements, each on a case that was counted by hand (`docs/design/twenty-clauses.md`).

October 2026 has 44,640 minutes, and 44,700 where the clocks go back in it. Every figure below is what the comment computes.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from slaguard import explain
from slaguard.evaluation.result import Evaluation
from slaguard.records import Record
from slaguard.terms import Reason, Verdict
from tests.clauses.world import DAY, FOLDER, MINUTE, SECOND, World

OCTOBER = 44_640
BERLIN_OCTOBER = 44_700
BREACH, KEPT = Verdict.BREACH, Verdict.COMPLIANT


def figures(found: Evaluation) -> list[tuple[Verdict, Fraction | None]]:
    """Return each promise's verdict and figure."""
    return [(o.verdict, o.estimate.value) for o in found.objectives]


def paid(found: Evaluation) -> tuple[str, str]:
    """Return what is certain to be owed, and the most that may be."""
    assert found.credits is not None
    return f"{found.credits.claimable:.2f}", f"{found.credits.upper:.2f}"


def due(found: Evaluation) -> dict[str, str | None]:
    """Return the last day of each deadline."""
    return {d.type: d.local for d in found.deadlines}


def test_01_a_region_s_month_is_the_mean_of_its_five_minutes() -> None:
    """8,928 intervals. Oregon loses 8 + 2 halves = 9: 99.899%, 10% of 4,000. Virginia loses 100: 98.88%, 25% of 1,000.

    503 is no error. Two billing cycles after that of 10 October end with December.
    """
    w = World.of(1)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-01", "2026-11-02"),
        w.minutes("2026-10-10T10:00", 8, step=5 * MINUTE, region="us-west-2"),
        w.minutes("2026-10-10T12:00", 2, "ok error_500", step=5 * MINUTE, region="us-west-2"),
        w.minutes("2026-10-11T10:00", 40, "error_5xx", step=5 * MINUTE, region="us-west-2"),
        w.minutes("2026-10-12T10:00", 100, step=5 * MINUTE, region="us-east-1"),
    )
    assert figures(found) == [(BREACH, 1 - Fraction(9, 8928)), (BREACH, 1 - Fraction(100, 8928))]
    assert paid(found) == ("650.00", "650.00")
    assert due(found) == {"claim": "Thu 2026-12-31, 24:00 America/Los_Angeles"}


def test_02_answers_429_can_be_read_in_two_ways() -> None:
    """100 minutes fail. In 150 more, 1 of 20 fails, which is not more than 5%, or 1 of 10 without the 10 limits.

    99.776% keeps 99.5%; 99.44% (250 minutes) does not, and would pay 10% of 12,000.
    """
    w = World.of(2)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-30", "2026-11-02"),
        w.minutes("2026-10-06T09:00", 100, "error_5xx"),
        w.minutes("2026-10-20T09:00", 150, "error_500 ok*9 rate_limited*10"),
    )
    one = found.objectives[0]
    assert (one.verdict, one.reason) == (Verdict.INCONCLUSIVE, Reason.READING_DEPENDENT)
    assert [(r.id, r.verdict, r.estimate.value, r.credit) for r in one.readings] == [
        ("limits-are-good", KEPT, 1 - Fraction(100, OCTOBER), 0),
        ("limits-leave", BREACH, 1 - Fraction(250, OCTOBER), 1200),
    ]
    assert paid(found) == ("0.00", "1200.00")
    assert due(found) == {"notify": "Thu 2026-11-05, 24:00 America/Los_Angeles"}


def test_03_repeated_errors_leave_both_counts_under_every_reading() -> None:
    """Six successes; errors at 0 s (a), 120 s (b), 300 s (a), 301 s (b).

    By subscription: 0 counts, 120 and 300 repeat it; 301 counts (fixed, 6/8) or repeats 300 (sliding, 6/7). By client: 300
    repeats 0 and 301 repeats 120: 6/8. All are below 99%: 25% of 2,000. The month after October ends on 30 November.
    """
    w = World.of(3)
    start = w.at("2026-10-12T08:00")
    errors = [(0, "a"), (120, "b"), (300, "a"), (301, "b")]
    found = w.judged(
        "2026-10",
        w.watched("2026-09-30", "2026-11-02"),
        w.minutes("2026-10-13T08:00", 6, "ok", service="speech", client_id="a"),
        *(w.call(start + s * SECOND, "error_5xx", service="speech", client_id=c) for s, c in errors),
        w.outage("2026-10-12T08:00", "2026-10-12T08:06"),
    )
    values = {r.id: r.estimate.value for r in found.objectives[0].readings}
    assert values == {
        "fixed+by-subscription": Fraction(6, 8), "sliding+by-subscription": Fraction(6, 7),
        "fixed+by-client": Fraction(6, 8), "sliding+by-client": Fraction(6, 8),
    }  # fmt: skip
    assert found.objectives[0].verdict is BREACH
    assert paid(found) == ("500.00", "500.00")
    assert due(found) == {"claim": "Mon 2026-11-30, 24:00 UTC"}


def test_04_downtime_runs_from_the_ticket_and_a_tenth_is_the_most() -> None:
    """From the ticket at 10:20 to 16:20: 360 minutes, 99.19%. 25% of 12,000 / 12 is 250, cut to 10%.

    The third business day after 31 October, a Saturday, is 4 November.
    """
    w = World.of(4)
    found = w.judged(
        "2026-10",
        w.outage("2026-10-10T10:00", "2026-10-10T16:20"),
        w.fact("ticket", "2026-10-10T10:20", reference="INC-1"),
        w.complete("2026-10-01", "2026-11-01"),
    )
    assert figures(found) == [(BREACH, 1 - Fraction(360, OCTOBER))]
    assert paid(found) == ("100.00", "100.00")
    assert due(found) == {"claim": "Wed 2026-11-04, 24:00 America/New_York"}


def test_05_the_stricter_of_two_tests_pays_a_day_s_usage() -> None:
    """50 minutes at 2%: the first share is 99.888%, 1/1000 - 50/44,640 below its target. One day of 9,300 / 31: 300."""
    w = World.of(5)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-30", "2026-11-02"),
        w.minutes("2026-10-14T09:00", 50, "error_500 ok*49"),
        w.fact("usage", "2026-11-02T09:00", period="2026-10", value="9300.00 USD"),
    )
    assert figures(found) == [(BREACH, Fraction(1, 1000) - Fraction(50, OCTOBER))]
    assert [t.value for t in found.objectives[0].tests] == [1 - Fraction(50, OCTOBER), 1]
    assert paid(found) == ("300.00", "300.00")
    assert due(found) == {"claim": "Sat 2026-11-21, 24:00 America/Los_Angeles"}


def test_06_a_figure_between_two_printed_rows_is_worth_either() -> None:
    """895 minutes: 97.995% is neither up to 97.99% nor from 98%. 10% to 20% of 10,000. 12 October + 30: 11 November."""
    w = World.of(6)
    found = w.judged("2026-10", w.watched("2026-09-30", "2026-11-02"), w.minutes("2026-10-12T00:00", 895))
    assert figures(found) == [(BREACH, 1 - Fraction(895, OCTOBER))]
    assert paid(found) == ("1000.00", "2000.00")
    assert found.credits is not None
    assert found.credits.lines[0].qualifier == "TIER_GAP"
    assert due(found) == {"notify": "Wed 2026-11-11, 24:00 America/Toronto"}


def test_07_outages_of_the_status_page_count_from_five_minutes_on() -> None:
    """4 minutes do not count, 260 do: 99.418% of 44,700. The table begins at 99.4%: nothing to 2% of 5,000."""
    w = World.of(7)
    found = w.judged(
        "2026-10",
        w.outage("2026-10-05T10:00", "2026-10-05T10:04", "a", by="status page"),
        w.outage("2026-10-06T10:00", "2026-10-06T14:20", "b", by="status page"),
        w.outage("2026-10-07T10:00", "2026-10-07T14:20", "c", by="our own probes"),
        w.complete("2026-10-01", "2026-11-01"),
    )
    assert figures(found) == [(BREACH, 1 - Fraction(260, BERLIN_OCTOBER))]
    assert paid(found) == ("0.00", "100.00")


def answers(w: World, text: str, n: int, speed: int, tokens: int = 200, **fields: Any) -> list[Record]:
    """Return answers of a paid tier, one in each five minutes, at so many tokens a second."""
    told = {"tier_served": "scale", "input_tokens": 100, "output_tokens": tokens, **fields}
    begins = [w.at(text) + 5 * MINUTE * i for i in range(n)]
    taken = SECOND // 2 + tokens * SECOND // speed
    return [w.call(t, first_byte_at=t + SECOND // 2, ended_at=t + taken, **told) for t in begins]


def test_08_the_median_speed_of_eligible_answers_in_five_minutes() -> None:
    """150 intervals: 146 + 1 above 80 tokens a second, 3 at exactly 80: 98%. 100,000 + 4 × 87,500 is just the entitlement.

    Slow answers past it, of another tier and of a longer context are not eligible. 10 calls fail: 1 - 10/8,928, 5%; the
    larger of both is 10% of 4,526.
    """
    w = World.of(8)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-30", "2026-11-02"),
        *answers(w, "2026-10-05T08:00", 146, 100),
        *answers(w, "2026-10-06T08:00", 3, 80),
        *answers(w, "2026-10-07T08:00", 1, 100, 87_500, input_tokens=100_000),
        *answers(w, "2026-10-07T08:05", 2, 10),
        *answers(w, "2026-10-08T08:00", 4, 10, tier_served="default"),
        *answers(w, "2026-10-08T09:00", 4, 10, input_tokens=128_001),
        w.minutes("2026-10-20T08:00", 10, step=5 * MINUTE, tier_served="scale"),
    )
    assert figures(found) == [(BREACH, Fraction(147, 150)), (BREACH, 1 - Fraction(10, 8928))]
    assert [(f.filter, f.n) for f in found.objectives[0].filtered] == [("entitlement", 2)]
    assert paid(found) == ("452.60", "452.60")


def half_hourly(w: World, text: str, n: int, first: list[str]) -> list[Record]:
    """Return a test question each half hour; the first ones come back as said, the rest answered."""
    outcomes = first + ["ok"] * (n - len(first))
    return [w.call(w.at(text) + 30 * MINUTE * i, outcome, source="probe") for i, outcome in enumerate(outcomes)]


def test_09_two_failed_months_in_a_row_end_the_contract() -> None:
    """Tests each half hour: 4 of 1,440 fail in September (99.72%), 3 of 1,488 in October (99.798%), both below 99.8%.

    24,000 × 61 remaining days / 365 = 4,010.96. 31 October + 30 days: 30 November. A refusal is an answer.
    """
    w = World.of(9)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-01", "2026-11-02", "probe"),
        *half_hourly(w, "2026-09-01T00:00", 1440, ["empty"] * 4),
        *half_hourly(w, "2026-10-01T00:00", 1488, ["truncated"] * 3 + ["refused"] * 9),
        as_of="2026-11-10T12:00",
    )
    right = found.rights[0]
    assert figures(found) == [(BREACH, 1 - Fraction(3, 1488))]
    assert (right.state, right.periods, str(right.refund)) == ("arisen", ("2026-09", "2026-10"), "4010.96")
    assert right.local == "Mon 2026-11-30, 24:00 UTC"


def test_10_downtime_pays_by_the_share_of_users_it_met() -> None:
    """372 of 44,640 minutes are 1/120; a quarter of the users: 20,000 / 4 / 120 = 41.67.

    14 October + 5 business days: the 21st. Its billing cycle ends on 11 November, the next on 11 December.
    """
    w = World.of(10)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-30", "2026-11-02"),
        w.minutes("2026-10-14T10:00", 372),
        w.fact("affected_users", "2026-10-15T09:00", period="2026-10", value="25%"),
    )
    assert figures(found) == [(BREACH, Fraction(119, 120))]
    assert paid(found) == ("41.67", "41.67")
    assert due(found) == {"notify": "Wed 2026-10-21, 24:00 UTC", "claim": "Fri 2026-12-11, 24:00 UTC"}


def test_11_two_percent_for_each_percent_below_and_the_sundays_leave() -> None:
    """44,700 - 4 Sundays × 240 = 43,740 minutes, of which 1,100 are down: 97.485%, 2.015 points below 99.5%.

    Two whole points pay 4% of 10,000, three begun ones 6%. Business days: 21 in November, the 30th is 11 December.
    """
    w = World.of(11)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-30", "2026-11-02"),
        w.minutes("2026-10-13T00:00", 1100),
        w.minutes("2026-10-04T02:30", 30),
    )
    assert figures(found) == [(BREACH, 1 - Fraction(1100, 43_740))]
    assert {r.id: r.credit for r in found.objectives[0].readings} == {"whole": 400, "begun": 600}
    assert paid(found) == ("400.00", "600.00")
    assert due(found) == {"claim": "Fri 2026-12-11, 24:00 Europe/Berlin"}


def test_12_a_year_s_credits_end_at_a_fifth_of_the_year_s_fee() -> None:
    """90 of 8,928 intervals: 98.99%, 25% of 1,000 is 250. 20% of 12,000 is 2,400, of which 2,300 are paid: 100.

    20 further intervals failed by a dependency and leave. A call a day was answered until September.
    """
    w = World.of(12)
    found = w.judged(
        "2026-10",
        w.watched("2026-01-01", "2026-11-02"),
        w.minutes("2026-01-01T09:00", 273, "ok", step=DAY),
        w.minutes("2026-10-14T09:00", 90, "error_500", step=5 * MINUTE),
        w.minutes("2026-10-16T09:00", 20, "error_5xx", step=5 * MINUTE, error_code="upstream_unavailable"),
        w.fact("credit_paid", "2026-04-20T09:00", period="2026-03", value="1200.00 USD"),
        w.fact("credit_paid", "2026-07-20T09:00", period="2026-06", value="1100.00 USD"),
    )
    assert figures(found) == [(BREACH, 1 - Fraction(90, 8928))]
    assert [(e.id, e.n) for e in found.objectives[0].excluded] == [("dependency", 20)]
    assert paid(found) == ("100.00", "100.00")
    assert found.credits is not None
    assert not found.credits.missing


def test_13_parts_of_what_is_at_risk_add_up() -> None:
    """300 minutes each: 99.33%. 100,000 × 10% × 50% × 40% = 2,000, and × 60% = 3,000."""
    w = World.of(13)
    found = w.judged(
        "2026-10",
        w.outage("2026-10-05T10:00", "2026-10-05T15:00", "a", service="portal"),
        w.outage("2026-10-06T10:00", "2026-10-06T15:00", "b", service="database"),
        w.complete("2026-10-01", "2026-11-01"),
    )
    assert figures(found) == [(BREACH, 1 - Fraction(300, OCTOBER))] * 2
    assert paid(found) == ("5000.00", "5000.00")


def test_14_months_and_points_are_averaged_with_the_month_before() -> None:
    """September: access 99% with a full August is 99.5%, kept; core loses 60 of 43,200 (99.86%): 3 points.

    October: access loses 45: (99% + 99.899%) / 2 = 99.45%, 5 points; core is kept. (5 + 3) / 2 = 4: 5% of 20,000.
    """
    w = World.of(14)
    found = w.judged(
        "2026-10",
        w.outage("2026-09-10T00:00", "2026-09-10T07:12", "a", service="access"),
        w.outage("2026-09-11T10:00", "2026-09-11T11:00", "b", service="core"),
        w.outage("2026-10-10T10:00", "2026-10-10T10:45", "c", service="access"),
        w.complete("2026-08-01", "2026-11-01"),
    )
    mean = (Fraction(99, 100) + 1 - Fraction(45, OCTOBER)) / 2
    assert figures(found) == [(BREACH, mean), (KEPT, 1)]
    assert paid(found) == ("1000.00", "1000.00")


def test_15_a_good_year_takes_a_month_s_credit_back() -> None:
    """240 of March's 44,580 minutes: 99.46%, 5% of 10,000. 240 of the year's 525,600: 99.954% is more than 99.9%: 500 back."""
    w = World.of(15)
    told = w.outage("2026-03-10T09:00", "2026-03-10T13:00"), w.complete("2026-01-01", "2027-01-01")
    march, december = w.judged("2026-03", *told), w.judged("2026-12", *told)
    assert figures(march) == [(BREACH, 1 - Fraction(240, 44_580))]
    assert paid(march) == ("500.00", "500.00")
    assert figures(december) == [(KEPT, 1)]
    assert december.credits is not None
    assert [(e.objective, str(e.amount)) for e in december.credits.earned_back] == [("availability", "500.00")]


def test_16_each_whole_hour_of_all_outages_pays_a_day() -> None:
    """From the tickets: 350 + 30 = 380 minutes, 6 whole hours: 6 × 100. 20 October + 30 days: 19 November."""
    w = World.of(16)
    found = w.judged(
        "2026-10",
        w.outage("2026-10-20T09:00", "2026-10-20T15:00", "a"),
        w.fact("ticket", "2026-10-20T09:10", reference="a"),
        w.outage("2026-10-22T09:00", "2026-10-22T10:00", "b"),
        w.fact("ticket", "2026-10-22T09:30", reference="b"),
        w.complete("2026-10-01", "2026-11-01"),
    )
    assert figures(found) == [(BREACH, 1 - Fraction(380, OCTOBER))]
    assert paid(found) == ("600.00", "600.00")
    assert due(found) == {"claim": "Thu 2026-11-19, 24:00 America/New_York"}


def test_17_ten_times_the_fee_of_the_time_that_was_down_in_service_hours() -> None:
    """22 weekdays × 720 = 15,840 minutes, 66 down: 1/240, ten times: 6,000 / 24 = 250. Nights do not count.

    The invoice of 3 November + a month: 3 December.
    """
    w = World.of(17)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-30", "2026-11-02"),
        w.minutes("2026-10-06T09:00", 66),
        w.minutes("2026-10-07T21:00", 200),
        w.fact("invoice", "2026-11-03T09:00", period="2026-10", value="6000.00 EUR"),
    )
    assert figures(found) == [(BREACH, Fraction(239, 240))]
    assert paid(found) == ("250.00", "250.00")
    assert due(found) == {"claim": "Thu 2026-12-03, 24:00 Europe/Berlin"}


def test_18_an_uptime_below_the_target_makes_the_term_longer() -> None:
    """100 minutes at 10%: 99.776%, from 99.0% on: 3 days. 50 minutes at 5% are not more than 5%."""
    w = World.of(18)
    found = w.judged(
        "2026-10",
        w.watched("2026-09-30", "2026-11-02"),
        w.minutes("2026-10-06T09:00", 100, "error_500 ok*9"),
        w.minutes("2026-10-08T09:00", 50, "error_500 ok*19"),
    )
    assert figures(found) == [(BREACH, 1 - Fraction(100, OCTOBER))]
    assert [(k.objective, k.days, k.at_most, k.sentence) for k in found.in_kind] == [("uptime", 3, 3, "the row below 99.9%")]
    assert due(found) == {"notify": "Thu 2026-11-05, 24:00 America/Los_Angeles"}


def text_of(w: World, i: int, words: int, minor: int, substantial: int = 0) -> Record:
    """Return one delivered text with the defects that a reviewer found."""
    attributes = {"words": str(words), "minor": str(minor), "substantial": str(substantial)}
    return w.call(w.at("2026-10-05T08:00") + i * MINUTE, attributes=attributes)


def test_19_two_minor_defects_in_a_thousand_words_and_one_in_a_short_text() -> None:
    """Of 10 texts, 800 words with 2 minor ones and 2,500 with 5 (4 allowed) are bad: 80%, 5% of 8,000."""
    w = World.of(19)
    good = [(800, 1), (1000, 1), (2500, 4), (3000, 6), *[(1500, 2)] * 4]
    texts = [text_of(w, i, words, minor) for i, (words, minor) in enumerate([*good, (800, 2), (2500, 5)])]
    found = w.judged("2026-10", w.watched("2026-09-30", "2026-11-02"), *texts)
    assert figures(found) == [(BREACH, Fraction(8, 10))]
    assert paid(found) == ("400.00", "400.00")


@pytest.mark.parametrize(("chosen", "pays"), [(None, ("600.00", "1000.00")), ("catastrophic-outage", ("1000.00", "1000.00"))])
def test_20_one_outage_breaks_two_promises_and_the_customer_elects(chosen: str | None, pays: tuple[str, str]) -> None:
    """120 minutes: 99.73%. 15% of 4,000 for availability, or 25% for an outage of 30 minutes or more."""
    w = World.of(20)
    election = [] if chosen is None else [w.fact("election", "2026-11-05T09:00", period="2026-10", value=chosen)]
    found = w.judged(
        "2026-10",
        w.outage("2026-10-15T09:00", "2026-10-15T11:00"),
        w.complete("2026-10-01", "2026-11-01"),
        *election,
    )
    assert figures(found) == [(BREACH, 1 - Fraction(120, OCTOBER))] * 2
    assert paid(found) == pays
    assert found.credits is not None
    open_ = "which one you choose is not recorded: availability 600.00 USD, catastrophic-outage 1,000.00 USD"
    assert [one.startswith(open_) for one in found.credits.missing] == ([True] if chosen is None else [])


def test_every_clause_can_be_read_aloud_and_has_a_case() -> None:
    numbers = sorted(int(path.name[:2]) for path in FOLDER.glob("*.yaml"))
    assert numbers == list(range(1, 21))
    for number in numbers:
        world = World.of(number)
        assert world.loaded.agreement.vendor in explain(world.loaded.agreement, world.loaded.provenance)
        assert any(name.startswith(f"test_{number:02d}_") for name in globals())
