"""Rules over graded answers (`contracts.md` archetypes Q1 to Q5)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from slaguard.spec.conditions import Term
from slaguard.spec.scalars import Day, Natural, Share, Weight, Whole, Words
from slaguard.terms import Count, Grade


class Grades(Term):
    """How each grade counts in a graded proportion; a grade that is absent here counts as unscored."""

    correct: Count | None = None
    """The answer is right."""
    wrong: Count | None = None
    """The answer is wrong."""
    unparsed: Count | None = None
    """No answer could be read from the text."""
    unsupported: Count | None = None
    """The answer is not supported by what was supplied or known (a hallucination)."""
    schema_error: Count | None = None
    """The answer does not have the agreed form."""

    def of(self, grade: Grade) -> Count | None:
        """Return how a grade counts; None means unscored."""
        counted: Count | None = None if grade is Grade.UNSCORED else getattr(self, grade.value)
        return counted


class SampleProportion(Term):
    """The share of graded answers that are good (event `correct`) or bad (event `unsupported`) (Q1)."""

    rule: Literal["sample_proportion"]
    """The rule's name."""
    event: Literal["correct", "unsupported"]
    """correct: the share of good answers; unsupported: the share of bad ones."""
    grades: Grades
    """Which grades are good, bad or left out."""
    grading: Literal["rule", "human", "judge"]
    """Who grades: a deterministic scorer, people, or a model."""


def _sorted(value: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(value.items()))


class ReviewRule(Term):
    """What rules over reviewed texts share: a record counts where its volume and each severity were written down."""

    volume: Words
    """The attribute that says how large a text is, without `attributes.`: words, strings."""

    @property
    def severities(self) -> tuple[str, ...]:
        """The attributes that say how many defects of each severity were found, sorted."""
        return ()

    @property
    def keys(self) -> tuple[str, ...]:
        """The fields of a record that the rule reads: the volume, then each severity."""
        return tuple(f"attributes.{name}" for name in (self.volume, *self.severities))


class DefectsPerVolume(ReviewRule):
    """The share of texts with no more defects of any severity than their volume allows (Q2)."""

    rule: Literal["defects_per_volume"]
    """The rule's name."""
    per: Natural
    """The volume of a block, such as 1000 words."""
    most: Annotated[dict[str, Whole], Field(min_length=1), AfterValidator(_sorted)]
    """By severity (an attribute), how many defects a block may have."""
    short_text: Annotated[dict[str, Whole], AfterValidator(_sorted)] | None = None
    """By severity, how many a text of at most one block may have; absent: as `most` and `last_block` say."""
    last_block: Literal["floor", "pro_rata", "ceil"]
    """A block that is not full: it allows nothing, its share, or as much as a full one."""

    @property
    def severities(self) -> tuple[str, ...]:
        """The attributes that say how many defects of each severity were found, sorted."""
        return tuple(self.most)


class WeightedPenalty(ReviewRule):
    """One less the weighted defects by reviewed volume (Q3)."""

    rule: Literal["weighted_penalty"]
    """The rule's name."""
    weights: Annotated[dict[str, Weight], Field(min_length=1), AfterValidator(_sorted)]
    """By severity (an attribute), the penalty of one defect."""
    floor: Literal["none", "zero"]
    """Whether a figure may fall below zero."""

    @property
    def severities(self) -> tuple[str, ...]:
        """The attributes that say how many defects of each severity were found, sorted."""
        return tuple(self.weights)


class Baseline(Term):
    """The figure that was agreed as the start."""

    value: Share
    """The share then."""
    frozen: Day
    """The day it was measured."""
    model: Words
    """The model and version it was measured on."""


class Compared(Term):
    """What rules share that compare one graded share with another; they need the statistics to be decided."""

    event: Literal["correct", "unsupported"]
    """correct: the share of good answers; unsupported: the share of bad ones."""
    grades: Grades
    """Which grades are good, bad or left out."""
    grading: Literal["rule", "human", "judge"]
    """Who grades: a deterministic scorer, people, or a model."""


class VersusBaseline(Compared):
    """How far the share has fallen from a frozen baseline (Q4); the bound is the largest fall."""

    rule: Literal["versus_baseline"]
    """The rule's name."""
    baseline: Baseline
    """The figure that later ones are compared with, and what it was measured on."""
    drop: Literal["absolute_points", "relative"]
    """The fall in percentage points, or as a share of the baseline."""


class GroupGap(Compared):
    """The largest difference between a group's share and the reference group's (Q5); the bound is the largest gap."""

    rule: Literal["group_gap"]
    """The rule's name."""
    by: Words
    """The field that tells the groups apart: attributes.language."""
    reference: Words
    """The group that the others are compared with."""
    min_n: Natural
    """A group with fewer answers is not decided; it is never left out."""
