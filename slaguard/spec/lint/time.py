"""Rules on time: windows that roll, edges that do not fit them, stated months, averages, and deadlines."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.calendar import PeriodUnit, SpelledPeriod, is_rolling, stated_days, unit_of
from slaguard.spec.draft import Draft, View
from slaguard.spec.model import BinRule, Deadline, DualThreshold
from slaguard.spec.nodes import Map, map_items, plain

_DAYS: Final[dict[PeriodUnit | None, int]] = {
    PeriodUnit.DAY: 1, PeriodUnit.WEEK: 7, PeriodUnit.MONTH: 31, PeriodUnit.QUARTER: 92, PeriodUnit.YEAR: 366,
}  # fmt: skip
_UNIT_DAYS: Final[dict[str, Fraction]] = {
    "hours": Fraction(1, 24), "days": Fraction(1), "business_days": Fraction(7, 5), "months": Fraction(31),
    "billing_cycles": Fraction(31),
}  # fmt: skip
_WHILE_IT_RUNS: Final = frozenset({"incident_start", "incident_end", "awareness", "eligibility"})
"""Anchors that can lie at the very beginning of a period, before anything is decided."""


def period(draft: Draft) -> Iterator[Problem]:
    """W-SPEC-ROLLING, E-SPEC-PERIOD: a window that rolls is tested every day, has no edges to merge and no stated month."""
    if "period" not in draft.has:
        return
    agreement = draft.agreement
    if is_rolling(agreement.period):
        mend = "is it meant that one bad day is judged in every window that holds it? for a sample agree on one risk for all"
        yield draft.problem(
            "W-SPEC-ROLLING", f"a {agreement.period.value} is tested again every day", mend, "period", "rolling"
        )
        for key in ("first_period", "last_period"):
            word = getattr(agreement, key) if key in draft.has else None
            if word is not None and word.startswith("merge"):
                yield draft.problem("E-SPEC-PERIOD", f"{word}, and windows that overlap", "write partial or skip", key)
        if "amendments" in draft.has and any(a.within_period == "split" for a in agreement.amendments):
            mend = "write within_period: next_period"
            yield draft.problem("E-SPEC-PERIOD", "a split, and windows that overlap", mend, "amendments", at_key=True)
        if any(v.objective.credits for v in draft.views if "credits" in v.has):
            mend = "judge what is priced by a calendar period, or write `remedy: {kind: none}`: a window has no fee"
            yield draft.problem("E-SPEC-FEE", "credits for windows that overlap", mend, "period", "rolling")
    yield from _month_length(draft)


def _month_length(draft: Draft) -> Iterator[Problem]:
    if "month_length" not in draft.has or stated_days(draft.agreement.month_length) is None:
        return
    unit = unit_of(draft.agreement.period)
    if unit not in {PeriodUnit.MONTH, PeriodUnit.QUARTER, PeriodUnit.YEAR}:
        text = f"a stated month, and a period of a {draft.agreement.period.value}"
        yield draft.problem("E-SPEC-PERIOD", text, "leave it out, or write actual", "month_length")
    elif not any(isinstance(v.objective.indicator, BinRule) for v in draft.views if "indicator" in v.has):
        mend = "leave it out: no promise is a share of the month's time"
        yield draft.problem("E-SPEC-PERIOD", f"{draft.agreement.month_length} changes no figure", mend, "month_length")


def averages(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-PERIOD: a mean of several periods' figures is a count, or the figure is the fact; two tests have no one figure."""
    objective = view.objective
    if objective.average_with_previous is None:
        return
    if isinstance(objective.indicator, DualThreshold):
        yield view.problem(
            "E-SPEC-PERIOD", "an average of two tests", "average promises of one figure", "average_with_previous"
        )
    elif objective.decision.rule == "lower_bound":
        mend = "write decision.rule: point, or judge each period by itself: a mean of several samples has no exact test here"
        yield view.problem("E-SPEC-PERIOD", "an average, and a test of one sample", mend, "average_with_previous")
    elif "period" in draft.has and is_rolling(draft.agreement.period):
        mend = "roll over more days instead"
        yield view.problem("E-SPEC-PERIOD", "an average of windows that overlap", mend, "average_with_previous")


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────────
def deadlines(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-ANCHOR, W-SPEC-DEADLINE-DELAY: a deadline has the calendar it needs, and leaves time to act."""
    if "claim" not in draft.has or draft.agreement.claim is None:
        return
    claim = draft.root.get("claim")
    nodes = map_items(claim.get("deadlines")) if isinstance(claim, Map) else ()
    for i, node in enumerate(nodes):
        term = Deadline.model_validate(plain(node))
        yield from _anchored(draft, term, i)
        yield from _in_time(draft, term, i)


def _anchored(draft: Draft, term: Deadline, i: int) -> Iterator[Problem]:
    where = ("claim", "deadlines", i)
    if term.calendar is None and (term.unit == "business_days" or term.roll in {"next_business_day", "previous"}):
        what = "business days" if term.unit == "business_days" else f"roll: {term.roll}"
        mend = "name whose holidays count: calendar: DE-HE"
        yield draft.problem("E-SPEC-ANCHOR", f"{what} without a holiday calendar", mend, *where, "unit")
    if term.start_day is None and (term.unit == "billing_cycles" or term.anchor == "billing_month_end"):
        mend = "say on which day of the month a bill begins: start_day: 1"
        yield draft.problem("E-SPEC-ANCHOR", "a billing cycle without its start day", mend, *where, "unit")
    if term.anchor == "nth_failed_period_end" and "chronic" in draft.has and not draft.agreement.chronic:
        mend = "say in `chronic` which period is the n-th: when: {objective: …, bad: 3, of: 12}"
        yield draft.problem("E-SPEC-ANCHOR", "a period that fails for the n-th time, and no n", mend, *where, "anchor")
    if term.unit == "hours" and term.roll in {"next_business_day", "previous"}:
        yield draft.problem("E-SPEC-ANCHOR", "hours that roll", "hours are exact: leave roll out", *where, "roll")


def _in_time(draft: Draft, term: Deadline, i: int) -> Iterator[Problem]:
    """Warn of a deadline that can pass before the period has closed, or before the day to act by."""
    period_ = draft.agreement.period if "period" in draft.has else None
    if period_ is None:
        return
    rolling = period_.rolling if isinstance(period_, SpelledPeriod) else None
    closes = (rolling or _DAYS[unit_of(period_)]) if term.anchor in _WHILE_IT_RUNS else 0
    margin = term.margin.n * _UNIT_DAYS[term.margin.unit]
    if term.n * _UNIT_DAYS[term.unit] <= closes + margin:
        late = f"the period closes up to {closes} days after it" if closes else "the margin takes all of it"
        text = f"{term.n} {term.unit.replace('_', ' ')} after {term.anchor.replace('_', ' ')}: {late}"
        mend = "be ready to act on what is known before the period closes, or agree on a longer deadline"
        yield draft.problem("W-SPEC-DEADLINE-DELAY", text, mend, "claim", "deadlines", i, "n")
