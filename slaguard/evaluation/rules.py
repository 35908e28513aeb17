"""Which module measures which rule."""

from __future__ import annotations

from dataclasses import replace

from slaguard.evaluation.availability import measure_intervals
from slaguard.evaluation.averaging import mean_of
from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.incidents import measure_outages
from slaguard.evaluation.latency import measure_latency
from slaguard.evaluation.measure import Measurement
from slaguard.evaluation.requirements import Question
from slaguard.evaluation.reviews import measure_review
from slaguard.evaluation.shares import measure_share
from slaguard.evaluation.sift import sifted
from slaguard.evaluation.speed import measure_speed
from slaguard.records import Evidence
from slaguard.spec.indicators import IntervalP50, MeanOfMinutes, OutageRule, ReviewRule
from slaguard.spec.model import BinRule, Percentile, RequestAttainment
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Source


def measure(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return one row's Measurement from one source with one set of exclusions.

    What the filters of the promise take out is gone before its rule looks, and told beside the figure. A promise that is
    averaged with earlier periods has the mean of their figures.
    """
    own = _alone(question, source, evidence, period, as_of, variant)
    if not question.earlier:
        return own
    before = [_alone(q, source, evidence, p, as_of, variant) for p, q in question.earlier]
    return mean_of([period.label, *(p.label for p, _ in question.earlier)], [own, *before])


def _alone(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return the figure of one period by itself."""
    seen = sifted(question, source, evidence, period, variant)
    figure = _measured(question, source, seen.evidence, period, as_of, variant)
    return replace(figure, filtered=seen.removed, filter_notes=seen.notes) if question.each else figure


def _measured(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    rule = question.objective.indicator
    if isinstance(rule, BinRule):
        return measure_intervals(question, source, evidence, period, as_of, variant)
    if isinstance(rule, OutageRule):
        return measure_outages(question, evidence, period, as_of, variant)
    if isinstance(rule, ReviewRule):
        return measure_review(question, source, evidence, period, as_of, variant)
    if isinstance(rule, IntervalP50 | MeanOfMinutes) or (isinstance(rule, RequestAttainment) and rule.speed is not None):
        return measure_speed(question, source, evidence, period, as_of, variant)
    if isinstance(rule, Percentile | RequestAttainment):
        return measure_latency(question, source, evidence, period, as_of, variant)
    return measure_share(question, source, evidence, period, as_of, variant)
