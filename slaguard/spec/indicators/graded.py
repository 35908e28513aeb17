"""Rules over graded answers (`contracts.md` archetypes Q1 to Q5)."""

from __future__ import annotations

from typing import Literal

from slaguard.spec.conditions import Term
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
