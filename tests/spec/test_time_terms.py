"""Periods that no word names, edges, service hours, amendments: what is written, what is refused, and what it comes to."""

from fractions import Fraction
from typing import Any, get_args

import pytest
from hypothesis import given

from slaguard.errors import ConfigError, SpecError
from slaguard.spec.explain import sections
from slaguard.spec.in_force import in_force
from slaguard.spec.labels import Label, parse_period
from slaguard.spec.load import Loaded
from slaguard.spec.model import Agreement, Deadline
from slaguard.spec.resolve import last_closed, own_period, own_periods, periods_before, resolve
from tests.spec.documents import SHORT, load_text
from tests.spec.documents import found as problems_in
from tests.spec.test_resolve import DAYS, MINUTE, ns

CYCLE = "{billing_cycle: {start_day: 12}}"
BUSINESS = "service_hours: {weekly: [{days: [mo, tu, we, th, fr], hours: 08:00-20:00}], holidays: DE-HE}\n"


def amendment(effective: str, within: str, change: str) -> str:
    terms = f"id: a1, effective: {effective}, clause: A1, within_period: {within}, set: {{{change}}}"
    return f"amendments: [{{{terms}}}]\n"


def loaded(period: str = "month", more: str = "", effective: str = "2026-08-01") -> Loaded:
    text = SHORT.replace("period: month", f"period: {period}").replace("2026-08-01", effective)
    return load_text(text.replace("objectives:", f"{more}objectives:"))


def agreed(period: str = "month", more: str = "", effective: str = "2026-08-01") -> Agreement:
    return loaded(period, more, effective).agreement


def days_of(agreement: Agreement, label: str) -> tuple[str, str, int]:
    """Return the first instant, the end, and the length in minutes."""
    period = resolve(agreement, label)
    return period.label, str(len(period.days)), (period.end - period.start) // MINUTE


# ── labels ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("period", "label", "first", "end"),
    [
        pytest.param("week", "2026-W41", "2026-10-05T00:00+02:00", "2026-10-12T00:00+02:00", id="a week"),
        pytest.param("week", "2026-W43", "2026-10-19T00:00+02:00", "2026-10-26T00:00+01:00", id="a week of 169 hours"),
        pytest.param("week", "2026-W53", "2026-12-28T00:00+01:00", "2027-01-04T00:00+01:00", id="week 53"),
        pytest.param(CYCLE, "BC2026-10-12", "2026-10-12T00:00+02:00", "2026-11-12T00:00+01:00", id="a billing cycle"),
        pytest.param(
            "{billing_cycle: {start_day: 31}}",
            "BC2027-02-28",
            "2027-02-28T00:00+01:00",
            "2027-03-31T00:00+02:00",
            id="31 in February",
        ),
        pytest.param(
            "{billing_cycle: {start_day: 29}}",
            "BC2028-02-29",
            "2028-02-29T00:00+01:00",
            "2028-03-29T00:00+02:00",
            id="a leap day",
        ),
        pytest.param(
            "{fiscal_quarter: {year_starts: 2}}",
            "FQ2026-11",
            "2026-11-01T00:00+01:00",
            "2027-02-01T00:00+01:00",
            id="fiscal quarter",
        ),
        pytest.param(
            "{fiscal_year: {year_starts: 4}}", "FY2027-04", "2027-04-01T00:00+02:00", "2028-04-01T00:00+02:00", id="fiscal year"
        ),
        pytest.param(
            "{rolling: 30d, ends: day}",
            "30d-to-2026-10-31",
            "2026-10-02T00:00+02:00",
            "2026-11-01T00:00+01:00",
            id="a rolling window",
        ),
    ],
)
def test_every_period_has_a_label_that_names_it_alone(period: str, label: str, first: str, end: str) -> None:
    agreement = rolling() if "rolling" in period else agreed(period)
    found = resolve(agreement, label)
    assert (found.start, found.end, found.own, found.label) == (ns(first), ns(end), True, label)
    assert found.notes == ()


def rolling(more: str = "") -> Agreement:
    """An Agreement over 30 days, which pays nothing."""
    text = SHORT.replace("period: month", "period: {rolling: 30d, ends: day}").replace("fee: 12000.00 EUR\n", more)
    text = text[: text.index("    credits:")] + "    remedy: {kind: none}\n"
    return load_text(text).agreement


PERIODS = (
    "day",
    "week",
    "month",
    "quarter",
    "year",
    CYCLE,
    "{billing_cycle: {start_day: 31}}",
    "{fiscal_quarter: {year_starts: 3}}",
    "{fiscal_year: {year_starts: 10}}",
)


@pytest.mark.parametrize("period", PERIODS)
def test_periods_follow_each_other_without_a_gap_and_their_labels_lead_back(period: str) -> None:
    unit = agreed(period).period

    @given(DAYS)
    def check(day: Any) -> None:
        label = Label.around(day, unit)
        assert label.first <= day < label.after
        assert label.next.before == label
        assert label.next.first == label.after
        read = parse_period(str(label))
        assert isinstance(read, Label)
        assert (str(read), read.first) == (str(label), label.first)

    check()


def test_a_label_of_another_calendar_is_refused_with_the_one_there_is() -> None:
    with pytest.raises(ConfigError, match="judged by the billing cycle, and this is none of its own"):
        resolve(agreed(CYCLE), "BC2026-10-13")
    with pytest.raises(ConfigError, match="the one there is BC2026-10-12"):
        resolve(agreed(CYCLE), "BC2026-10-13")
    with pytest.raises(ConfigError, match="judged by the month"):
        resolve(agreed(), "FQ2026-10")


@pytest.mark.parametrize(
    "text", ["BC2026-02-30", "FQ2026-13", "BC2026-10", "FY2026-04-01", "2026-W54", "2026-W00", "0d-to-2026-10-01"]
)
def test_a_label_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="E-PERIOD"):
        parse_period(text)


def test_a_day_or_a_month_of_a_billing_cycle_is_a_look() -> None:
    found = resolve(agreed(CYCLE), "2026-10-12")
    assert not found.own
    assert found.notes == ("2026-10-12 is a day and so a look: only a billing cycle of the Agreement makes a claim",)


def test_the_last_closed_window_of_a_rolling_period_is_yesterdays() -> None:
    agreement = rolling()
    now = ns("2026-10-15T12:00:00+02:00")
    assert last_closed(agreement, now) == "30d-to-2026-10-14"
    before = periods_before(agreement, "30d-to-2026-10-14")
    assert [next(before).label, next(before).label] == ["30d-to-2026-10-13", "30d-to-2026-10-12"]


# ── the first and the last one ──────────────────────────────────────────────────────────────────────────────────────
def edges(first: str | None = None, last: str | None = None) -> Agreement:
    """In force from 15 August to 10 November."""
    more = "expires: 2026-11-10\n"
    more += f"first_period: {first}\n" if first else ""
    more += f"last_period: {last}\n" if last else ""
    return agreed("month", more, "2026-08-15")


def judged(agreement: Agreement) -> list[tuple[str, int]]:
    return [(p.label, len(p.days)) for p in own_periods(agreement, agreement.effective)]


def test_a_cut_first_and_last_period_are_judged_as_far_as_they_go_or_as_the_contract_says() -> None:
    whole = [("2026-09", 30), ("2026-10", 31)]
    assert judged(edges()) == [("2026-08", 17), *whole, ("2026-11", 10)]
    assert judged(edges("partial", "partial")) == judged(edges())
    assert judged(edges("skip", "skip")) == whole
    assert judged(edges("merge_with_next", "merge_with_previous")) == [("2026-09", 47), ("2026-10", 41)]


def test_a_period_that_is_not_judged_alone_is_refused_with_what_becomes_of_it() -> None:
    with pytest.raises(ConfigError, match="its cut first month is judged with the next"):
        resolve(edges("merge_with_next"), "2026-08")
    with pytest.raises(ConfigError, match="its cut last month is not judged"):
        resolve(edges(last="skip"), "2026-11")
    assert resolve(edges("merge_with_next"), "2026-09").notes == (
        "the cut first month, from 2026-08-15, is judged with this one",
    )


def test_a_lone_cut_period_is_judged_as_there_is_none_to_merge_it_with() -> None:
    lone = agreed(
        "month", "expires: 2026-08-20\nfirst_period: merge_with_next\nlast_period: merge_with_previous\n", "2026-08-15"
    )
    assert judged(lone) == [("2026-08", 6)]


def test_what_is_skipped_is_no_open_period_and_no_closed_one() -> None:
    agreement = edges("skip")
    assert own_period(agreement, agreement.effective) is None
    with pytest.raises(ConfigError, match="the first is 2026-09"):
        last_closed(agreement, ns("2026-09-10T00:00:00+02:00"))


# ── service hours ───────────────────────────────────────────────────────────────────────────────────────────────────
def hours(agreement: Agreement, label: str) -> Fraction:
    return Fraction(sum(b - a for a, b in resolve(agreement, label).service_in), 60 * MINUTE)


def test_service_hours_leave_out_weekends_and_holidays() -> None:
    # October 2026 has 22 weekdays; 3 October, a holiday, is a Saturday. December has 23, of which the 25th is a holiday.
    agreement = agreed(more=BUSINESS)
    assert hours(agreement, "2026-10") == 22 * 12
    assert hours(agreement, "2026-12") == 22 * 12
    assert resolve(agreement, "2026-10").holidays is not None


def test_service_hours_without_a_day_are_refused() -> None:
    (problem,) = problems_in(SHORT + "service_hours: {weekly: [{days: [], hours: 08:00-20:00}]}\n")
    assert (problem.code, problem.mend) == ("E-SPEC-SCHEMA", "write at least one entry")


def test_service_hours_over_a_change_of_the_clock_are_as_long_as_the_day_makes_them() -> None:
    always = agreed(more="service_hours: {weekly: [{days: [mo, tu, we, th, fr, sa, su], hours: 00:00-24:00}]}\n")
    assert hours(always, "2026-10") * 60 == 44_700
    assert hours(always, "2027-03") * 60 == 44_580
    assert hours(always, "2028-02") * 60 == 29 * 1440
    night = agreed(more="service_hours: {weekly: [{days: [sa], hours: 22:00-06:00}]}\n")
    assert hours(night, "2026-W43".replace("2026-W43", "2026-10-25")) == 7  # 00:00 to 06:00, with the hour that comes twice
    assert hours(night, "2027-03-28") == 5


# ── a stated month ──────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("length", "minutes"), [("30d", 43_200), ("30.41d", Fraction(437_904, 10))])
def test_a_stated_month_is_told_with_both_lengths(length: str, minutes: Fraction) -> None:
    found = resolve(agreed(more=f"month_length: {length}\n"), "2026-10")
    assert found.stated == minutes * MINUTE
    assert f"as {minutes + 0 if minutes == 43_200 else '43,790.4'}".replace("43200", "43,200") in found.notes[0]
    assert "while it has 44,700" in found.notes[0]


def test_an_actual_month_is_as_long_as_it_is() -> None:
    found = resolve(agreed(more="month_length: actual\n"), "2026-10")
    assert (found.stated, found.notes) == (None, ())


# ── amendments ──────────────────────────────────────────────────────────────────────────────────────────────────────
def amended(
    within: str, effective: str = "2026-10-12", path: str = "objectives.uptime.at_least", value: str = "99.9%"
) -> Agreement:
    change = f"{path}: {value}, objectives.uptime.credits: {{below 99.9%: 20%}}"
    return agreed(more=amendment(effective, within, change))


def target(agreement: Agreement, label: str) -> str:
    return str(in_force(agreement, resolve(agreement, label)).objectives[0].target)


def test_an_amendment_inside_a_period_waits_for_the_next_one() -> None:
    agreement = amended("next_period")
    assert [target(agreement, label) for label in ("2026-09", "2026-10", "2026-11")] == ["99.5%", "99.5%", "99.9%"]
    assert target(amended("next_period", "2026-10-01"), "2026-10") == "99.9%"


def test_an_amendment_that_splits_makes_two_parts_with_their_days_of_the_fee() -> None:
    agreement = amended("split")
    with pytest.raises(ConfigError, match=r"2026-10\.1 \(to 2026-10-11\), 2026-10\.2 \(to 2026-10-31\)"):
        resolve(agreement, "2026-10")
    first, second = (resolve(agreement, f"2026-10.{n}") for n in (1, 2))
    assert (first.end, first.fee_share, second.fee_share) == (second.start, Fraction(11, 31), Fraction(20, 31))
    assert [target(agreement, label) for label in ("2026-10.1", "2026-10.2", "2026-11")] == ["99.5%", "99.9%", "99.9%"]
    assert [p.label for p in own_periods(agreement, agreement.effective) if "2026-1" in p.label][:3] == [
        "2026-10.1",
        "2026-10.2",
        "2026-11",
    ]


def test_a_split_period_closes_part_by_part() -> None:
    agreement = amended("split")
    assert last_closed(agreement, ns("2026-10-20T00:00:00+02:00")) == "2026-10.1"
    assert [p.label for p in list(periods_before(agreement, "2026-10.2"))[:2]] == ["2026-10.1", "2026-09"]


def test_a_period_names_the_amendments_in_force() -> None:
    assert resolve(amended("next_period"), "2026-11").notes == (
        "the amendment a1 (A1), effective 2026-10-12, is in force in this period",
    )


def test_an_amended_agreement_has_no_amendments_left_and_stays_as_it_is() -> None:
    agreement = amended("next_period")
    once = in_force(agreement, resolve(agreement, "2026-11"))
    assert in_force(once, resolve(agreement, "2026-11")) == once


# ── what is refused, and what is said ───────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("period", "more", "code", "words"),
    [
        pytest.param("{rolling: 1 month, ends: day}", "", "E-SPEC-PERIOD", "a rolling month has no length", id="rolling month"),
        pytest.param("{rolling: 1M, ends: day}", "", "E-SPEC-PERIOD", "a rolling month has no length", id="1M"),
        pytest.param("{rolling: 30d}", "", "E-SPEC-PERIOD", "ends: day", id="rolling without its end"),
        pytest.param("{rolling: 30d, ends: day, fiscal_year: {year_starts: 4}}", "", "E-SPEC-PERIOD", "exactly one", id="two"),
        pytest.param("{billing_cycle: {start_day: 32}}", "", "E-SPEC-PERIOD", "from 1 to 31", id="day 32"),
        pytest.param("{fiscal_year: {year_starts: 13}}", "", "E-SPEC-PERIOD", "from 1 to 12", id="month 13"),
        pytest.param("{rolling: 30d, ends: day}", "", "E-SPEC-FEE", "a window has no fee", id="priced windows"),
        pytest.param("month", "month_length: 32d\n", "E-SPEC-PERIOD", "only where the clause says", id="32 days"),
        pytest.param("week", "month_length: 30d\n", "E-SPEC-PERIOD", "leave it out", id="a month of a week"),
        pytest.param(
            "month", "service_hours: {weekly: [{days: [mo], hours: 8-20}]}\n", "E-SPEC-PERIOD", "08:00-20:00", id="hours"
        ),
        pytest.param(
            "month",
            "service_hours: {weekly: [{days: [mo], hours: 08:00-20:00}], holidays: DE-XX}\n",
            "E-SPEC-ANCHOR",
            "no part",
            id="DE-XX",
        ),
        pytest.param(
            "month",
            amendment("2026-07-01", "split", "fee.amount: 1.00 EUR"),
            "E-SPEC-DATES",
            "in force from 2026-08-01",
            id="an amendment before the Agreement",
        ),
        pytest.param(
            "month",
            amendment("2026-10-01", "split", "period: quarter"),
            "E-SPEC-READING",
            "a period has one calendar",
            id="an amendment of the calendar",
        ),
        pytest.param(
            "month",
            amendment("2026-10-01", "split", "objectives.uptime.at_least: 99"),
            "E-SPEC-UNIT",
            "a percentage needs its sign",
            id="an amendment with a wrong value",
        ),
    ],
)
def test_a_wrong_term_of_time_is_refused_at_its_place(period: str, more: str, code: str, words: str) -> None:
    text = SHORT.replace("period: month", f"period: {period}").replace("objectives:", f"{more}objectives:")
    found = [p for p in problems_in(text) if p.is_error]
    assert any(p.code == code and words in p.mend + p.text for p in found), [(p.code, p.text, p.mend) for p in found]


@pytest.mark.parametrize(
    ("deadline", "code"),
    [
        ("{type: claim, n: 5, unit: business_days, anchor: period_end, margin: {n: 0, unit: days}}", "E-SPEC-ANCHOR"),
        ("{type: claim, n: 2, unit: billing_cycles, anchor: period_end, margin: {n: 0, unit: days}}", "E-SPEC-ANCHOR"),
        ("{type: claim, n: 30, unit: days, anchor: billing_month_end, margin: {n: 0, unit: days}}", "E-SPEC-ANCHOR"),
        ("{type: claim, n: 30, unit: days, anchor: whenever, margin: {n: 0, unit: days}}", "E-SPEC-ANCHOR"),
        ("{type: claim, n: 30, unit: days, anchor: period_end, roll: previous, margin: {n: 0, unit: days}}", "E-SPEC-ANCHOR"),
        ("{type: notify, n: 5, unit: days, anchor: incident_start, margin: {n: 0, unit: days}}", "W-SPEC-DEADLINE-DELAY"),
        ("{type: claim, n: 2, unit: days, anchor: period_end, margin: {n: 2, unit: business_days}}", "W-SPEC-DEADLINE-DELAY"),
    ],
)
def test_a_deadline_without_its_calendar_or_without_time_is_told(deadline: str, code: str) -> None:
    claim = f"claim: {{deadlines: [{deadline}], channel: letter, forfeits: true}}\n"
    text = SHORT.replace("  - claim/written@1: {days: 30}\n", "").replace("objectives:", f"{claim}objectives:")
    assert code in {p.code for p in problems_in(text)}


def test_a_rolling_window_is_warned_of() -> None:
    text = SHORT.replace("period: month", "period: {rolling: 30d, ends: day}")
    assert "W-SPEC-ROLLING" in {p.code for p in problems_in(text)}


def test_a_billing_cycle_gives_its_start_day_to_the_deadlines_that_need_one() -> None:
    deadline = "{type: claim, n: 2, unit: billing_cycles, anchor: period_end, margin: {n: 0, unit: days}}"
    claim = f"claim: {{deadlines: [{deadline}], channel: x, forfeits: true}}\n"
    text = SHORT.replace("  - claim/written@1: {days: 30}\n", "").replace("period: month", f"period: {CYCLE}")
    found = load_text(text.replace("objectives:", f"{claim}objectives:")).agreement
    assert found.claim is not None
    assert found.claim.deadlines[0].start_day == 12


@pytest.mark.parametrize(
    "more",
    [
        "first_period: skip\n",
        "first_period: partial\n",
        "last_period: merge_with_previous\n",
        "month_length: 30d\n",
        "month_length: actual\n",
        BUSINESS,
        BUSINESS.replace("20:00", "18:00"),
        BUSINESS.replace(", holidays: DE-HE", ""),
        BUSINESS.replace("fr]", "fr, sa]"),
        "average_with_previous: 1\n",
        "average_with_previous: 2\n",
        amendment("2026-10-01", "split", "fee.amount: 1.00 EUR"),
        amendment("2026-10-01", "next_period", "fee.amount: 1.00 EUR"),
        amendment("2026-10-01", "next_period", "fee.amount: 2.00 EUR"),
    ],
)
def test_every_term_of_time_is_said_in_words(more: str) -> None:
    said = [sections(agreed(more=m)) for m in ("", more)]
    assert said[0] != said[1]


def test_no_two_periods_share_their_words() -> None:
    others = ["{billing_cycle: {start_day: 13}}", "{fiscal_quarter: {year_starts: 4}}", "{fiscal_year: {year_starts: 11}}"]
    every = [*PERIODS, *others]
    assert len({str(sections(agreed(period))) for period in every}) == len(every)


DEADLINE = {
    "type": "claim", "n": "30", "unit": "days", "anchor": "period_end", "calendar": "DE-HE", "roll": "none", "start_day": "12",
    "margin": "{n: 2, unit: days}", "time_zone": "Europe/Berlin",
}  # fmt: skip
OTHER_TERMS = [
    *(("type", word) for word in ("notify", "ticket", "dispute", "terminate")),
    *(("unit", word) for word in ("hours", "business_days", "months", "billing_cycles")),
    *(("anchor", word) for word in get_args(Deadline.model_fields["anchor"].annotation) if word != "period_end"),
    *(("roll", word) for word in ("next_business_day", "previous", None)),
    *(("margin", text) for text in ("{n: 3, unit: days}", "{n: 2, unit: business_days}")),
    ("n", "31"), ("calendar", "US"), ("calendar", None), ("start_day", "13"), ("start_day", None), ("time_zone", "UTC"),
]  # fmt: skip


CHRONIC = "chronic: [{id: r, clause: B 4, when: {objective: uptime, consecutive: 2}, undecided: skip, right: terminate}]\n"


def with_deadline(*, chronic: str = CHRONIC, **changed: str | None) -> str:
    terms = {key: value for key, value in {**DEADLINE, **changed}.items() if value is not None}
    written = ", ".join(f"{key}: {value}" for key, value in terms.items())
    claim = f"claim: {{deadlines: [{{{written}}}], channel: x, forfeits: true}}\n"
    text = SHORT.replace("  - claim/written@1: {days: 30}\n", "").replace("objectives:", f"{claim}{chronic}objectives:")
    return str(sections(load_text(text).agreement))


def test_a_deadline_from_the_nth_failed_period_needs_a_right_that_says_which_it_is() -> None:
    with pytest.raises(SpecError, match="no n"):
        with_deadline(chronic="", anchor="nth_failed_period_end")


def test_every_term_of_a_deadline_is_said_and_no_two_share_their_words() -> None:
    spoken = [
        with_deadline(),
        *(with_deadline(**{key: value}) for key, value in OTHER_TERMS if (key, value) != ("calendar", None)),
    ]
    assert len(set(spoken)) == len(spoken)
