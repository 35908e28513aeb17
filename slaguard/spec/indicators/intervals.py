"""Rules over intervals of time (`contracts.md` archetypes U1, U2, U3, U6 and U9)."""

from __future__ import annotations

from typing import Literal

from slaguard.spec.conditions import Limits, Term
from slaguard.spec.scalars import Duration, Natural, Whole


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
