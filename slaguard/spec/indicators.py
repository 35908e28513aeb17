"""How the number is formed (the indicator) and how it is decided.

Sources: `contracts.md` archetypes U2, U3, U5, L2, L4 and Q1; ILAC-G8:09/2019 for the decision rule.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from slaguard.spec.conditions import Limits, Term
from slaguard.spec.scalars import Duration, Natural, Share, Whole
from slaguard.terms import Count, Grade


class BinRule(Term):
    """What rules over intervals of time share."""

    bin: Duration
    """Length of an interval, aligned to the contract's clock."""
    min_requests: Whole
    """An interval with fewer counted requests is handled by `below_minimum`."""
    below_minimum: Literal["up", "leave_out"]
    """An interval with some requests but fewer than `min_requests`: up, or left out of the mean and of the minutes."""


class MeanOfIntervals(BinRule):
    """Each interval scores its share of good answers; the period is the mean over all intervals (U3)."""

    rule: Literal["mean_of_intervals"]
    """The rule's name."""
    empty_bin: Literal["up", "leave_out"]
    """A watched interval without a counted request."""


class ErrorRateRuns(BinRule):
    """An interval over the error rate is bad; runs of enough bad intervals are downtime (U2)."""

    rule: Literal["error_rate_runs"]
    """The rule's name."""
    error_rate: Limits
    """The share of failures at which an interval is bad; the word is the strictness."""
    run: Natural
    """How many bad intervals in a row make downtime."""
    empty_bin: Literal["breaks_run", "continues_run"]
    """An interval without a counted request ends the run, or lets it go on without adding to it."""
    cross_period: Literal["attribute_minutes", "split"]
    """A run over the period's edge: whole run judged and each interval counted in its own period, or cut at the edge."""


class Ratio(Term):
    """The share of counted requests that failed, succeeded or were refused (U5)."""

    rule: Literal["ratio"]
    """The rule's name."""
    of: Literal["failures", "successes", "refusals"]
    """What is counted in the numerator."""
    min_requests: Whole
    """With fewer counted requests in the period there is not enough evidence."""


class LatencyField(StrEnum):
    """Which time is measured, from the moment the request was sent."""

    TIME_TO_FIRST_TOKEN = "time_to_first_token"  # noqa: S105 - a token of text
    TOTAL_TIME = "total_time"


class Percentile(Term):
    """The smallest time that at least the share `p` of requests does not exceed (L4)."""

    rule: Literal["percentile"]
    """The rule's name."""
    field: LatencyField
    """Which time."""
    p: Share
    """The percentile, such as 95%."""
    failed: Literal["exceed", "leave_out"]
    """Failed requests have no latency: they exceed every limit, or leave the count."""
    min_requests: Whole
    """With fewer counted requests in the period there is not enough evidence."""


class RequestAttainment(Term):
    """The share of requests that were fast enough (L2)."""

    rule: Literal["request_attainment"]
    """The rule's name."""
    field: LatencyField
    """Which time."""
    within: Limits
    """The limit a request must keep, a duration."""
    failed: Literal["miss", "leave_out"]
    """Failed requests have no latency: they miss the limit, or leave the count."""
    min_requests: Whole
    """With fewer counted requests in the period there is not enough evidence."""


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


Indicator = Annotated[
    MeanOfIntervals | ErrorRateRuns | Ratio | Percentile | RequestAttainment | SampleProportion, Field(discriminator="rule"),
]  # fmt: skip


class Decision(Term):
    """The decision rule, fixed before measuring (ILAC-G8:09/2019)."""

    estimand: Literal["realised", "defined_measure"]
    """realised: the period's own events; defined_measure: the score on the agreed measure is the fact itself."""
    rule: Literal["point", "lower_bound"]
    """point: the measured figure decides; lower_bound: on a sample, only what is shown at `alpha`."""
    alpha: Share
    """The risk of calling a kept promise broken, and of calling a broken one kept."""
    min_n: Whole
    """With fewer events there is not enough evidence, whatever the count."""
