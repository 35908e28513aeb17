"""Rules on remedies other than the ladder: tables as printed, multiples, and what each remedy needs to be computed.

A table is never mended here: a gap, an overlap, a row that pays less for a worse figure are told where they stand. Where the
clause says what decides in a gap or an overlap, it is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint.promise import is_floor, priced_word
from slaguard.spec.model import Objective
from slaguard.spec.remedies import EdgeRow, Elect, Extension, PerStep, Points, ProRata, StepTable, UsageMultiple, option_name
from slaguard.spec.tables import BEYOND, Cut, breach_region, cuts, gaps, row_text
from slaguard.terms import format_duration, format_percent

OF_TIME: Final = frozenset({"mean_of_intervals", "error_rate_runs", "outages_min_length", "report_clock"})
"""Rules whose figure is a share of time, so that it says how long it was down."""
Location = tuple[str | int, ...]


def remedies(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-TIER-*, E-SPEC-UNIT, E-SPEC-UNMEASURABLE, E-SPEC-DUP: every remedy, and every option of a choice."""
    del draft
    remedy = view.objective.remedy
    if remedy is None or not _is_sound(view):
        return
    for one, where in options(remedy):
        yield from _checked(view, one, where)
    if isinstance(remedy, Elect):
        yield from _names(view, remedy)


def options(remedy: Any) -> list[tuple[Any, Location]]:
    """Return a remedy, or every option of a choice, with where it stands in its Objective."""
    if isinstance(remedy, Elect):
        return [(one, ("remedy", "options", i)) for i, one in enumerate(remedy.options)]
    return [(remedy, ("remedy",))]


def _is_sound(view: View) -> bool:
    """Tell whether the target is one that tables can be held against; if not, that has been told already."""
    objective, word = view.objective, priced_word(view.objective)
    return word is not None and objective.priced_from.unit == objective.unit and word.is_floor == is_floor(objective)


def _names(view: View, remedy: Elect) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, one in enumerate(remedy.options):
        name = option_name(one)
        if name in seen:
            mend = "give each option an `id` of its own, so that a choice can name it"
            yield view.problem("E-SPEC-DUP", f"a second option named {name}", mend, "remedy", "options", i, at_key=True)
        seen.add(name)


def _checked(view: View, remedy: Any, where: Location) -> Iterator[Problem]:
    if isinstance(remedy, StepTable):
        yield from _table(view, remedy, where)
    elif isinstance(remedy, UsageMultiple):
        yield from _edges(view, remedy.rows, "times", where)
    elif isinstance(remedy, Extension) and remedy.rows:
        yield from _edges(view, remedy.rows, "days", where)
    elif isinstance(remedy, ProRata | Extension) or (isinstance(remedy, PerStep) and remedy.of == "downtime"):
        yield from _of_time(view, remedy, where)
    if isinstance(remedy, PerStep):
        yield from _step(view, remedy, where)
    if isinstance(remedy, Extension) and remedy.per == 0:
        yield view.problem("E-SPEC-UNIT", format_duration(0), "write the downtime that gives the days: 1h", *where, "per")


def _of_time(view: View, remedy: Any, where: Location) -> Iterator[Problem]:
    if view.objective.indicator.rule not in OF_TIME:
        mend = f"{remedy.kind} needs downtime, and this promise is no share of time: measure it in intervals or outages"
        yield view.problem("E-SPEC-UNMEASURABLE", f"{remedy.kind} of {view.objective.indicator.rule}", mend, *where, "kind")


def _step(view: View, remedy: PerStep, where: Location) -> Iterator[Problem]:
    unit = "ms" if remedy.of == "downtime" else view.objective.unit
    if remedy.step.unit != unit or not remedy.step.value:
        mend = "write the length of a step: 1h" if unit == "ms" else "write the size of a step: 0.1%"
        yield view.problem("E-SPEC-UNIT", str(remedy.step), mend, *where, "step")


def _edges(view: View, rows: Sequence[EdgeRow], worth: str, where: Location) -> Iterator[Problem]:
    """E-SPEC-TIER-*: a column of multiples, or of days, has the edges of a ladder, and the same ways to be wrong."""
    floor, target = is_floor(view.objective), view.objective.priced_from
    for i, row in enumerate(rows):
        key = "below" if row.below is not None else "above"
        if (key == "below") != floor:
            mend = f"a promise of this kind is broken {'below' if floor else 'above'} its target"
            yield view.problem("E-SPEC-TIER-ORDER", key, mend, *where, "rows", i, key, at_key=True)
            return
        if row.edge.unit != target.unit:
            yield view.problem(
                "E-SPEC-UNIT", str(row.edge), f"a row has the unit of the target, {target}", *where, "rows", i, key
            )
            return
    if rows[0].edge != target:
        key = "below" if floor else "above"
        mend = f"the first row starts at the target: {key} {target}"
        yield view.problem("E-SPEC-TIER-TARGET", str(rows[0].edge), mend, *where, "rows", 0, key)
    for i, (first, second) in enumerate(pairwise(rows), start=1):
        if (second.edge.value >= first.edge.value) if floor else (second.edge.value <= first.edge.value):
            mend = "write the rows in order, away from the target, each edge once"
            yield view.problem("E-SPEC-TIER-ORDER", f"{second.edge} after {first.edge}", mend, *where, "rows", i)
        elif getattr(second, worth) < getattr(first, worth):
            yield view.problem(
                "E-SPEC-TIER-ORDER", f"fewer {worth}", "a worse figure does not earn less", *where, "rows", i, worth
            )


# ── tables as printed ───────────────────────────────────────────────────────────────────────────────────────────────
def _table(view: View, table: StepTable, where: Location) -> Iterator[Problem]:
    foreign = [
        i for i, row in enumerate(table.rows) for q in (row.first, row.to) if q is not None and q.unit != view.objective.unit
    ]
    if foreign:
        mend = f"a row has the unit of the target, {view.objective.priced_from}"
        yield view.problem("E-SPEC-UNIT", row_text(table.rows[foreign[0]]), mend, *where, "rows", foreign[0])
        return
    empty = [i for i, row in enumerate(table.rows) if cuts(table, row)[0] >= cuts(table, row)[1]]
    for i in empty:
        mend = "write the lower figure first: {from: 95%, to: 99%}"
        yield view.problem("E-SPEC-TIER-ORDER", f"{row_text(table.rows[i])} holds no figure", mend, *where, "rows", i)
    if not empty:
        yield from _coverage(view, table, where)
        yield from _overlaps(view, table, where)
        yield from _order(view, table, where)


def _coverage(view: View, table: StepTable, where: Location) -> Iterator[Problem]:
    objective = view.objective
    region = breach_region(objective.priced, is_share=objective.unit == "ratio")
    found = gaps(table, region)
    severity = "E" if table.gap_policy == "refuse" else "W"
    for gap in found:
        at_target = gap[1] == region[1] if objective.priced.word.is_floor else gap[0] == region[0]
        code = f"{severity}-SPEC-TIER-{'TARGET' if at_target else 'GAP'}"
        yield view.problem(code, f"no row holds {_between(gap, objective)}", _gap_mend(table), *where, "rows")
    edge, other = (region[1], 1) if objective.priced.word.is_floor else (region[0], 0)
    ends = [cuts(table, row)[other] for row in table.rows]
    nearest = max(ends) if objective.priced.word.is_floor else min(ends)
    beyond = nearest > edge if objective.priced.word.is_floor else nearest < edge
    if beyond:
        i = ends.index(nearest)
        text = f"{row_text(table.rows[i])} reaches into what keeps the promise"
        mend = f"let it end at the target, {objective.priced_from}, as strict as that; as printed it pays only for a breach"
        yield view.problem(f"{severity}-SPEC-TIER-TARGET", text, mend, *where, "rows", i)


def _gap_mend(table: StepTable) -> str:
    if table.gap_policy == "refuse":
        return (
            "if it is printed so, say what decides there: `gap_policy: readings` (either neighbour), `higher_row` or "
            "`lower_row`; if figures are rounded first, say how: `rounded: {places: 2, mode: half_up}`"
        )
    return f"a figure there is a breach all the same, and `gap_policy: {table.gap_policy}` prices it"


def _overlaps(view: View, table: StepTable, where: Location) -> Iterator[Problem]:
    refused = table.overlap_policy in {None, "refuse"}
    for i, row in enumerate(table.rows):
        first, last = cuts(table, row)
        rivals = [j for j in range(i) if cuts(table, table.rows[j])[0] < last and first < cuts(table, table.rows[j])[1]]
        if rivals:
            text = f"{row_text(row)} and {row_text(table.rows[rivals[0]])} hold the same figures"
            mend = "if it is printed so, say what decides: `overlap_policy: readings`, `higher_row` or `lower_row`"
            mend = mend if refused else f"`overlap_policy: {table.overlap_policy}` prices them"
            yield view.problem(f"{'E' if refused else 'W'}-SPEC-TIER-OVERLAP", text, mend, *where, "rows", i)


def _order(view: View, table: StepTable, where: Location) -> Iterator[Problem]:
    floor = is_floor(view.objective)
    by_badness = sorted(range(len(table.rows)), key=lambda i: cuts(table, table.rows[i]), reverse=floor)
    for better, worse in pairwise(by_badness):
        if table.rows[worse].credit < table.rows[better].credit:
            text = f"{format_percent(table.rows[worse].credit)} for {row_text(table.rows[worse])}"
            earned = format_percent(table.rows[better].credit)
            mend = f"a worse figure does not earn less; {row_text(table.rows[better])} earns {earned}"
            yield view.problem("E-SPEC-TIER-ORDER", text, mend, *where, "rows", worse, "credit")


def _between(gap: tuple[Cut, Cut], objective: Objective) -> str:
    first, last = gap
    low = f"{'from' if first[2] == 0 else 'above'} {_figure(first[1], objective)}"
    if last == BEYOND:
        return low
    if (first[1], first[2], last[2]) == (last[1], 0, 1):
        return f"exactly {_figure(first[1], objective)}"
    return f"{low} to {'below ' if last[2] == 0 else ''}{_figure(last[1], objective)}"


def _figure(value: Fraction, objective: Objective) -> str:
    return format_duration(int(value)) if objective.unit == "ms" else format_percent(value)


def points(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-FEE: points need a table that says what they are worth."""
    if isinstance(view.objective.remedy, Points) and "points_table" in draft.has and draft.agreement.points_table is None:
        mend = "write `points_table: {rows: [{from: 5, credit: 5%}, ...], average_with_previous: 0}` at the top level"
        yield view.problem("E-SPEC-FEE", "points that nothing is worth", mend, "remedy", "points")
