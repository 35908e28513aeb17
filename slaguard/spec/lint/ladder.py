"""Rules on the ladder of credits: it starts at the target, moves away from it, and pays no less for a worse figure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint.promise import is_floor, priced_word
from slaguard.spec.nodes import Map
from slaguard.terms import format_percent


def steps(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-TIER-*: each step reaches to the next, so a ladder has no gap; these are the ways it can still be wrong."""
    del draft
    ladder, word = view.objective.credits, priced_word(view.objective)
    if not ladder or word is None:
        return
    target, floor = view.objective.priced_from, word.is_floor
    if target.unit != view.objective.unit or floor != is_floor(view.objective):
        return  # told already: every step would be wrong with it
    yield from _sides(view, "below" if floor else "above")
    foreign = [i for i, step in enumerate(ladder) if step.edge.unit != target.unit]
    for i in foreign:
        mend = f"a step has the unit of the target, {target}"
        yield view.problem("E-SPEC-UNIT", str(ladder[i].edge), mend, "credits", i, at_key=True)
    if foreign:
        return
    if ladder[0].edge != target:
        mend = f"the first step starts at the target: {'below' if floor else 'above'} {target}"
        yield view.problem("E-SPEC-TIER-TARGET", str(ladder[0].edge), mend, "credits", 0, at_key=True)
    yield from _order(view, floor=floor)


def _sides(view: View, side: str) -> Iterator[Problem]:
    node = view.spot("credits").node
    for i, key in enumerate(node.entries if isinstance(node, Map) else ()):
        if not key.startswith(side):
            mend = f"a promise of this kind is broken {side} its target: write `{side} ...`"
            yield view.problem("E-SPEC-TIER-ORDER", key.partition(" ")[0], mend, "credits", i, at_key=True)


def _order(view: View, *, floor: bool) -> Iterator[Problem]:
    for i, (above, below) in enumerate(pairwise(view.objective.credits), start=1):
        if above.edge == below.edge:
            text, mend = f"a second step at {below.edge}", "keep one of the two"
            yield view.problem("E-SPEC-TIER-OVERLAP", text, mend, "credits", i, at_key=True)
        elif (below.edge.value > above.edge.value) == floor:
            text = f"{below.edge} after {above.edge}"
            mend = "write the steps in order, away from the target"
            yield view.problem("E-SPEC-TIER-ORDER", text, mend, "credits", i, at_key=True)
        elif below.credit < above.credit:
            text = f"{format_percent(below.credit)} after {format_percent(above.credit)}"
            yield view.problem("E-SPEC-TIER-ORDER", text, "a worse figure does not earn less", "credits", i)
