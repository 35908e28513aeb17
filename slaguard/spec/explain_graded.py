"""Promises on reviewed texts and on comparisons of graded shares, in sentences."""

from __future__ import annotations

from collections.abc import Mapping

from slaguard.spec.explain_words import GRADE_WORDS, listing, percent, value
from slaguard.spec.indicators import Compared, DefectsPerVolume, GroupGap, ReviewRule, VersusBaseline, WeightedPenalty
from slaguard.spec.scalars import format_weight
from slaguard.terms import Count, Grade

_BLOCKS = {
    "floor": "A block that is not full allows no defect.",
    "pro_rata": "A block that is not full allows its share of the defects.",
    "ceil": "A block that is not full allows as many defects as a full one.",
}
_FLOORS = {"none": "The figure may fall below zero.", "zero": "The figure does not fall below zero."}
_GRADERS = {
    "rule": "a fixed rule grades the answers",
    "human": "people grade the answers",
    "judge": "a model grades the answers",
}


def promised(rule: ReviewRule | Compared, bound: str, may: str) -> str:
    """Return the promise as the second half of a sentence."""
    return review_promise(rule, bound, may) if isinstance(rule, ReviewRule) else compared_promise(rule, bound)


def edges(rule: ReviewRule | Compared) -> list[str]:
    """Return the sentences that settle the edges of the rule."""
    return review_edges(rule) if isinstance(rule, ReviewRule) else compared_edges(rule)


def review_promise(rule: ReviewRule, bound: str, may: str) -> str:
    """Return the promise on reviewed texts as the second half of a sentence."""
    match rule:
        case DefectsPerVolume():
            most = _each(rule.most)
            return f"{bound} of the reviewed texts {may} have no more than {most} in every {rule.per:,} {value(rule.volume)}"
        case WeightedPenalty():
            return f"the score, one less the weighted defects for each of the reviewed {value(rule.volume)}, must be {bound}"
        case _:
            return f"the reviewed texts must be {bound}"


def review_edges(rule: ReviewRule) -> list[str]:
    """Return what a review counts and what a text may have."""
    unread = "A text whose volume or defects nobody wrote down was not reviewed, and is no part of the sample."
    match rule:
        case DefectsPerVolume():
            short = [f"A text of at most one block may have {_each(rule.short_text)}."] if rule.short_text else []
            return [_BLOCKS[rule.last_block], *short, unread]
        case WeightedPenalty():
            weights = listing(f"{value(name)} {format_weight(weight)}" for name, weight in rule.weights.items())
            return [f"What a defect weighs: {weights}.", _FLOORS[rule.floor], unread]
        case _:
            return [unread]


def compared_promise(rule: Compared, bound: str) -> str:
    """Return the promise on a comparison as the second half of a sentence."""
    of = "good" if rule.event == "correct" else "unsupported"
    match rule:
        case VersusBaseline():
            kind = "percentage points" if rule.drop == "absolute_points" else "a share of the baseline"
            start = rule.baseline
            was = f"{percent(start.value)}, measured on {value(start.model)} on {start.frozen.isoformat()}"
            return f"the share of {of} answers may have moved by {bound}, as {kind}, to the worse from the baseline of {was}"
        case GroupGap():
            groups = f"any group ({value(rule.by)}) and the group {value(rule.reference)}"
            return f"the difference in the share of {of} answers between {groups} may be {bound}"
        case _:
            return f"the difference in the share of {of} answers may be {bound}"


def compared_edges(rule: Compared) -> list[str]:
    """Return who grades, how grades count, and that counting does not decide it."""
    said = [
        f"{count.value} ({listing(GRADE_WORDS[g] for g in Grade if rule.grades.of(g) is count) or 'none'})" for count in Count
    ]
    least = [f"A group with fewer than {rule.min_n:,} answers is not decided."] if isinstance(rule, GroupGap) else []
    undecided = "This version counts such answers and does not decide the comparison: the verdict is INSUFFICIENT."
    return [f"Here {_GRADERS[rule.grading]}; grades count as {listing(said)}.", *least, undecided]


def _each(most: Mapping[str, int]) -> str:
    return listing(f"{n:,} {value(name)}" for name, n in most.items())
