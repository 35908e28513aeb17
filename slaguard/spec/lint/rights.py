"""Rules on what looks beyond one period: earn-back, points, chronic breach."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from slaguard.errors import Problem
from slaguard.spec.calendar import is_rolling
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint.promise import is_floor
from slaguard.spec.lint.tables import OF_TIME
from slaguard.spec.nodes import Map, shown
from slaguard.spec.remedies import Points
from slaguard.spec.rights import Chronic
from slaguard.terms import BoundWord, format_percent


def _named(draft: Draft) -> dict[str, View]:
    return {view.objective.name: view for view in draft.views if "name" in view.has}


def earn_back(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-REF, E-SPEC-UNIT, E-SPEC-STRICT: what is earned back is a promise's, on the good side of its figures."""
    named = _named(draft)
    for i, term in enumerate(draft.agreement.earn_back if "earn_back" in draft.has else ()):
        where: tuple[str | int, ...] = ("earn_back", i)
        if isinstance(draft.root.get("earn_back"), Map):  # one term stands without brackets
            where = ("earn_back",)
        view = named.get(term.objective)
        if view is None:
            yield draft.problem("E-SPEC-REF", shown(term.objective), _choose(named), *where, "objective")
        elif "indicator" in view.has:
            key, limit = term.level
            if (key != "below") != is_floor(view.objective):
                mend = "a floor is earned back above a figure, a ceiling below one"
                yield draft.problem("E-SPEC-STRICT", key, mend, *where, key, at_key=True)
            elif limit.unit != view.objective.unit:
                yield draft.problem("E-SPEC-UNIT", str(limit), "it has the unit of the promise", *where, key)
            elif view.objective.unit == "ms" and term.average == "recomputed":
                mend = "a time has no sum over a year: write `average: of_periods`"
                yield draft.problem("E-SPEC-UNMEASURABLE", "recomputed", mend, *where, "average")


def _choose(named: dict[str, View]) -> str:
    return f"write the name of a promise: {', '.join(sorted(named))}"


def chronic(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-REF, E-SPEC-UNIT, E-SPEC-STRICT, E-SPEC-CHRONIC: a right names promises and what makes a period of theirs bad."""
    seen: set[str] = set()
    for i, term in enumerate(draft.agreement.chronic if "chronic" in draft.has else ()):
        if term.id in seen:
            yield draft.problem("E-SPEC-DUP", term.id, "give each right a name of its own", "chronic", i, "id")
        seen.add(term.id)
        if "period" in draft.has and is_rolling(draft.agreement.period):
            mend = "windows that overlap hold one outage many times: judge by a calendar period"
            yield draft.problem("E-SPEC-CHRONIC", "bad periods of a rolling window", mend, "chronic", i, "when")
        if term.refund is not None and {"expires", "effective"} <= draft.has and draft.agreement.expires is None:
            mend = "write the last day of the term (`expires`): without it no day remains"
            yield draft.problem("E-SPEC-CHRONIC", "a refund of an open-ended term", mend, "chronic", i, "refund")
        yield from _when(draft, term, i)


def _when(draft: Draft, term: Chronic, i: int) -> Iterator[Problem]:
    named, where = _named(draft), ("chronic", i, "when")
    for name in term.when.objective:
        view = named.get(name)
        if view is None:
            yield draft.problem("E-SPEC-REF", shown(name), _choose(named), *where, "objective")
        elif "indicator" in view.has:
            yield from _fits(draft, term, view, i)


def _fits(draft: Draft, term: Chronic, view: View, i: int) -> Iterator[Problem]:
    where = ("chronic", i, "when")
    for word in term.when.bounds:
        limit = getattr(term.when, word)
        if limit.unit != view.objective.unit:
            yield draft.problem("E-SPEC-UNIT", str(limit), f"it has the unit of {view.objective.name}", *where, word)
        elif BoundWord(word).is_floor == is_floor(view.objective):
            mend = "say which figures are too bad: `less_than: 95%` of a floor, `more_than: 5%` of a ceiling"
            yield draft.problem("E-SPEC-STRICT", f"{word} {limit}", mend, *where, word, at_key=True)
    if term.when.downtime is not None and view.objective.indicator.rule not in OF_TIME:
        mend = f"{view.objective.name} is no share of time, so it has no downtime: count bad periods"
        yield draft.problem("E-SPEC-UNMEASURABLE", "downtime", mend, *where, "downtime", at_key=True)


def points_table(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-TIER-ORDER, W-SPEC-IDLE: thresholds ascend, more points earn no less, and some promise pays points."""
    if "points_table" not in draft.has or draft.agreement.points_table is None:
        return
    table = draft.agreement.points_table
    for i, (first, second) in enumerate(pairwise(table.rows), start=1):
        if second.first <= first.first:
            mend = "write the thresholds in order, each once"
            yield draft.problem("E-SPEC-TIER-ORDER", f"{second.first} after {first.first}", mend, "points_table", "rows", i)
        elif second.credit < first.credit:
            text = f"{format_percent(second.credit)} after {format_percent(first.credit)}"
            yield draft.problem("E-SPEC-TIER-ORDER", text, "more points do not earn less", "points_table", "rows", i)
    if not any(isinstance(view.objective.remedy, Points) for view in draft.views if "remedy" in view.has):
        mend = "write `remedy: {kind: points, points: 5}` in a promise, or leave the table out"
        yield draft.problem("W-SPEC-IDLE", "a table of points that no promise pays", mend, "points_table", at_key=True)
