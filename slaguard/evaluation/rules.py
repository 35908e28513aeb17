"""Which module measures which rule."""

from __future__ import annotations

from slaguard.evaluation.availability import measure_intervals
from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.latency import measure_latency
from slaguard.evaluation.measure import Measurement
from slaguard.evaluation.requirements import Question
from slaguard.evaluation.shares import measure_share
from slaguard.records import Evidence
from slaguard.spec.model import BinRule, Percentile, RequestAttainment
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Source


def measure(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return one row's Measurement from one source with one set of exclusions."""
    rule = question.objective.indicator
    if isinstance(rule, BinRule):
        return measure_intervals(question, source, evidence, period, as_of, variant)
    if isinstance(rule, Percentile | RequestAttainment):
        return measure_latency(question, source, evidence, period, as_of, variant)
    return measure_share(question, source, evidence, period, as_of, variant)
