"""Rules on terms that can change nothing: a credit nobody earns or takes back, a row that is out of reach, an empty cap."""

from __future__ import annotations

from collections.abc import Iterator

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint.money import written_caps
from slaguard.spec.lint.tables import options
from slaguard.spec.remedies import Points, ProRata

CODE = "W-SPEC-NO-EFFECT"


def earn_back(draft: Draft) -> Iterator[Problem]:
    """W-SPEC-NO-EFFECT: nothing is credited for the promise, so nothing can be taken back."""
    views = {v.objective.name: v for v in draft.views if {"name", "credits", "remedy", "indicator"} <= v.has}
    for i, term in enumerate(draft.agreement.earn_back if "earn_back" in draft.has else ()):
        view = views.get(term.objective)
        if view is not None and not view.objective.is_priced:
            mend = "leave it out, or write what the promise pays"
            yield draft.problem(CODE, f"{term.objective} pays nothing that could be taken back", mend, "earn_back", i)


def unreached(draft: Draft) -> Iterator[Problem]:
    """W-SPEC-NO-EFFECT: all promises together earn fewer points than the first row of the table asks for."""
    table = draft.agreement.points_table if "points_table" in draft.has else None
    found = [v for v in draft.views if "remedy" in v.has and isinstance(v.objective.remedy, Points)]
    if table is None or not found or any("service" not in v.has for v in found):
        return
    most = 0
    for view in found:
        remedy = view.objective.remedy
        most += remedy.points * len(view.objective.service or ("all",)) if isinstance(remedy, Points) else 0
    if most < table.rows[0].first:
        text = f"all promises together earn {most} points, and the first row begins at {table.rows[0].first}"
        yield draft.problem(CODE, text, "lower the row, or raise the points", "points_table", "rows", 0)


def nothing(view: View, draft: Draft) -> Iterator[Problem]:
    """W-SPEC-NO-EFFECT: so many times the fee of the time that was down, and the number is nought."""
    del draft
    for one, where in options(view.objective.remedy) if view.objective.remedy is not None else ():
        if isinstance(one, ProRata) and not one.times:
            yield view.problem(CODE, "0x", "write how many times the fee is paid: 1x", *where, "times")


def caps(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-CAP: a cap by service has services, and only a share is a share of something."""
    for i, cap in enumerate(written_caps(draft)):
        if cap.amount is not None and cap.of is not None:
            mend = "leave `of` out: an amount is a share of nothing"
            yield draft.problem("E-SPEC-CAP", f"an amount of the {cap.of}", mend, "caps", i, "of")
        if cap.scope == "service" and "services" in draft.has and not draft.agreement.services:
            mend = "write the services, or let it limit all together"
            yield draft.problem("E-SPEC-CAP", "a cap by service, and there are none", mend, "caps", i, "scope")
