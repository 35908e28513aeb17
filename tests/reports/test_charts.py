"""The pictures: what they show adds up, everybody can read them, and they need no colour."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.reports import ClaimInputs, ReportRefused
from slaguard.reports.changes import changes
from slaguard.reports.charts import Chart, class_chart, day_chart, latency_chart, strip_chart
from slaguard.reports.charts.canvas import every, ticks
from slaguard.reports.charts.classes import before_after
from slaguard.reports.charts.days import Days
from slaguard.reports.charts.latency import times_of
from slaguard.reports.claim import render_claim
from slaguard.reports.moments import Calendar
from slaguard.reports.subjects import Subject, subjects
from slaguard.reports.svg import Drawing, write
from slaguard.stats import fixed_ci
from tests.reports.conftest import NAMES
from tests.reports.parts import BERLIN, SWAP

CALENDAR = Calendar.of(BERLIN)
Claims = Callable[[str], ClaimInputs]
SVG = "{http://www.w3.org/2000/svg}"


def strip(claim: ClaimInputs) -> Chart:
    found = subjects(claim, CALENDAR)
    drawn = strip_chart(found, changes(claim.records), claim.evaluation.period, claim.evaluation.as_of, CALENDAR)
    assert drawn is not None
    return drawn


def every_chart(claim: ClaimInputs) -> list[Chart]:
    seen, charts = changes(claim.records), [strip(claim)]
    for i, subject in enumerate(subjects(claim, CALENDAR)):
        if not subject.by_intervals and (days := day_chart(f"d{i}", subject, seen)) is not None:
            charts.append(days)
        if (times := times_of(subject, claim.records)) is not None:
            charts.append(latency_chart(f"t{i}", subject, times))
        if subject.result.name == "accuracy" and (
            effect := before_after(subject, claim.records, seen, dict(claim.golden_classes))
        ):
            charts.append(class_chart(f"c{i}", effect, CALENDAR, "correct answer"))
    return charts


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_has_a_role_a_title_and_a_description(claims: Claims, name: str) -> None:
    for chart in every_chart(claims(name)):
        for form in (chart.wide, chart.narrow):
            root = ET.fromstring(form)
            assert root.get("role") == "img"
            labels = (root.get("aria-labelledby") or "").split()
            texts = {child.get("id"): child.text for child in root if child.tag in {"title", "desc"}}
            assert set(labels) == set(texts)
            assert all(text and len(text) > 10 for text in texts.values())


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_has_a_style_attribute_a_link_or_a_broken_number(claims: Claims, name: str) -> None:
    for chart in every_chart(claims(name)):
        for form in (chart.wide, chart.narrow, *(mark.sample for mark in chart.marks)):
            assert " style=" not in form
            assert "href" not in form
            assert not re.search(r'="(nan|inf|-inf)"|NaN', form)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_drawn_outside_the_picture(claims: Claims, name: str) -> None:
    for chart in every_chart(claims(name)):
        for form in (chart.wide, chart.narrow):
            root = ET.fromstring(form)
            width, height = map(float, (root.get("viewBox") or "").split()[2:])
            for rect in (one for one in root if one.tag == "rect"):
                x, y, w, h = (float(rect.get(key) or 0) for key in ("x", "y", "width", "height"))
                assert x >= -0.1
                assert x + w <= width + 0.6
                assert y >= -0.1
                assert y + h <= height + 0.1


def test_without_a_time_on_any_record_there_is_no_strip(claims: Claims) -> None:
    claim = claims("scopes")
    timeless = replace(claim, records=claim.records.assign(sent_at=pd.Series(pd.NA, claim.records.index, dtype="Int64")))
    found = subjects(timeless, CALENDAR)
    assert strip_chart(found, (), claim.evaluation.period, claim.evaluation.as_of, CALENDAR) is None
    assert day_chart("d", found[0], ()) is None
    assert "so nothing can be shown by day" in render_claim(timeless, {})


def test_labels_have_the_room_they_need(claims: Claims) -> None:
    assert 'text-anchor="end">errors (eu)</text>' in strip(claims("scopes")).wide


def test_a_mark_that_means_something_can_be_told_without_colour(claims: Claims) -> None:
    chart = strip(claims("mock_month"))
    assert "url(#stripw-excluded)" in chart.wide
    assert "url(#stripw-unwatched)" in chart.wide
    assert 'id="stripn-excluded"' in chart.narrow
    assert [mark.words for mark in chart.marks] == [
        "down: the taller, the more was lost", "a day that missed the promise", "excluded by the contract", "not watched",
        "kept", "a sample too small to tell by day", "the model changed",
    ]  # fmt: skip


def test_the_strip_says_in_words_what_it_shows(claims: Claims) -> None:
    text = strip(claims("mock_month")).wide
    assert "Accuracy: 19 of 31 days missed the promise." in text
    assert "the worst 8 Oct, 14:20–15:05; excluded 6 Oct, 02:00–03:00." in text
    assert "Our own watching had 1 gap; the longest was 1 hour 30 minutes, 22 Oct, 03:00–04:30." in text
    assert "13 Oct 14:05: the fingerprint of the answers changed under the same model name." in text


def test_what_is_still_to_come_is_drawn_as_to_come(claims: Claims) -> None:
    assert any(mark.words == "still to come" for mark in strip(claims("open_month")).marks)
    assert all(mark.words != "still to come" for mark in strip(claims("mock_month")).marks)


def accuracy(claims: Claims) -> tuple[ClaimInputs, Subject]:
    claim = claims("mock_month")
    return claim, subjects(claim, CALENDAR)[0]


def test_each_day_has_its_exact_interval(claims: Claims) -> None:
    _, subject = accuracy(claims)
    days = Days.of(subject)
    for i in (0, 12, 30):
        n, bad = int(subject.tally.n[i]), int(subject.tally.bad[i])
        low, high = fixed_ci(bad, n, 0.025)
        assert days.low[i] == pytest.approx(1 - high)
        assert days.high[i] == pytest.approx(1 - low)
        assert days.share[i] == pytest.approx(1 - bad / n)


def test_days_without_events_break_the_line_and_one_day_is_no_picture(claims: Claims) -> None:
    claim = claims("mock_month")
    subject = subjects(claim, CALENDAR)[0]
    n, bad = subject.tally.n.copy(), subject.tally.bad.copy()
    n[5], bad[5] = 0, 0
    broken = replace(subject, tally=replace(subject.tally, n=n, bad=bad))
    assert [len(run) for run in Days.of(broken).stretches()] == [5, 25]
    n[1:], bad[1:] = 0, 0
    assert day_chart("d", replace(subject, tally=replace(subject.tally, n=n, bad=bad)), ()) is None


def test_before_and_after_adds_up_to_what_was_counted(claims: Claims) -> None:
    claim, subject = accuracy(claims)
    effect = before_after(subject, claim.records, changes(claim.records), dict(claim.golden_classes))
    assert effect is not None
    assert SWAP <= effect.change.at < SWAP + 10 * 60 * 10**9
    assert effect.whole.before.n + effect.whole.after.n == subject.result.estimate.n
    assert effect.whole.before.bad + effect.whole.after.bad == subject.result.estimate.bad
    assert sum(one.before.n + one.after.n for one in effect.classes) == subject.result.estimate.n
    assert effect.classes[0].name == "prime"
    assert all(a.fall >= b.fall for a, b in pairwise(effect.classes))


def test_without_a_change_nothing_is_compared(claims: Claims) -> None:
    claim, subject = accuracy(claims)
    assert before_after(subject, claim.records, (), dict(claim.golden_classes)) is None


def test_questions_without_a_class_are_compared_together(claims: Claims) -> None:
    claim, subject = accuracy(claims)
    effect = before_after(subject, claim.records, changes(claim.records), {})
    assert effect is not None
    assert effect.classes == ()
    assert "all" in class_chart("c", effect, CALENDAR, "correct answer").wide


def test_the_distribution_of_times_adds_up_to_what_was_counted(claims: Claims) -> None:
    claim = claims("latency_breach")
    (subject,) = subjects(claim, CALENDAR)
    times = times_of(subject, claim.records)
    assert times is not None
    assert sum(times.bars) + times.slower + times.unanswered == subject.result.estimate.n
    within = sum(size for i, size in enumerate(times.bars) if (i + 1) * times.step <= times.limit)
    assert within == subject.result.estimate.n - subject.result.estimate.bad
    assert times.limit % times.step == 0


def test_times_of_other_requests_than_those_evaluated_are_refused(claims: Claims) -> None:
    claim = claims("latency_breach")
    (subject,) = subjects(claim, CALENDAR)
    other = claim.records.copy()
    slow = other.index[other["counts.first-token"] == "fail"][0]
    other.loc[slow, "time_to_first_token_ns"] = 10**6
    other.loc[slow, "outcome"] = "ok"
    with pytest.raises(ReportRefused, match="over the limit"):
        times_of(subject, other)


@given(st.floats(0, 1), st.floats(0.001, 1))
def test_ticks_are_few_round_and_cover_what_is_shown(low: float, span: float) -> None:
    found = ticks(low, low + span, 4)
    assert float(found[0]) <= low + 1e-6
    assert float(found[-1]) >= low + span - 1e-6
    steps = {b - a for a, b in pairwise(found)}
    assert len(steps) == 1
    assert 2 <= len(found) <= 7
    (step,) = steps
    assert step.numerator % 3 != 0
    assert Fraction(step).limit_denominator(10**9) == step


@given(st.integers(1, 400), st.integers(3, 9))
def test_labels_of_an_axis_hold_its_ends_and_are_not_too_many(count: int, most: int) -> None:
    found = every(count, most)
    assert found[0] == 0
    assert found[-1] == count - 1
    assert list(found) == sorted(set(found))
    assert len(found) <= most + 2


def test_coordinates_are_short_and_the_same_on_every_machine() -> None:
    assert [write(v) for v in (1.0, 1.04, 1.06, -0.01, 3, "4 2")] == ["1", "1", "1.1", "0", "3", "4 2"]


def test_words_in_a_picture_are_text_whatever_they_are() -> None:
    drawing = Drawing("x", 100, 20)
    drawing.text(0, 10, "<script>alert(1)</script>\u202e&")
    drawing.rect(0, 0, 0, 5, "red")
    form = drawing.render('a "title" <b>', "d")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;" in form
    assert "<script" not in form
    assert "rect" not in form
    assert ET.fromstring(form)[0].text == 'a "title" <b>'
