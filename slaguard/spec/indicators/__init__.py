"""How the number is formed (the indicator): one tagged union, a file per kind of evidence, and how it is decided."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from slaguard.spec.indicators.decision import Decision
from slaguard.spec.indicators.graded import (
    Baseline,
    Compared,
    DefectsPerVolume,
    Grades,
    GroupGap,
    ReviewRule,
    SampleProportion,
    VersusBaseline,
    WeightedPenalty,
)
from slaguard.spec.indicators.incidents import OutageRule, OutagesMinLength, ReportClock
from slaguard.spec.indicators.intervals import BinRule, DualThreshold, ErrorRateRuns, MeanOfIntervals
from slaguard.spec.indicators.requests import (
    Filtered,
    IntervalP50,
    LatencyField,
    MeanOfMinutes,
    Percentile,
    Ratio,
    RequestAttainment,
    Speed,
    SpeedOf,
)

__all__ = [
    "Baseline",
    "BinRule",
    "Compared",
    "Decision",
    "DefectsPerVolume",
    "DualThreshold",
    "ErrorRateRuns",
    "Filtered",
    "Grades",
    "GroupGap",
    "Indicator",
    "IntervalP50",
    "LatencyField",
    "MeanOfIntervals",
    "MeanOfMinutes",
    "OutageRule",
    "OutagesMinLength",
    "Percentile",
    "Ratio",
    "ReportClock",
    "RequestAttainment",
    "ReviewRule",
    "SampleProportion",
    "Speed",
    "SpeedOf",
    "VersusBaseline",
    "WeightedPenalty",
    "unit_of",
]  # fmt: skip

Indicator = Annotated[
    MeanOfIntervals | ErrorRateRuns | DualThreshold
    | Ratio | Percentile | RequestAttainment | IntervalP50 | MeanOfMinutes
    | OutagesMinLength | ReportClock
    | SampleProportion | DefectsPerVolume | WeightedPenalty | VersusBaseline | GroupGap,
    Field(discriminator="rule"),
]  # fmt: skip


def unit_of(rule: object) -> str:
    """Return the unit of a rule's figure: ``ratio``, ``ms``, or ``count`` for tokens a second."""
    if isinstance(rule, MeanOfMinutes):
        return "count" if rule.of.speed is not None else "ms"
    return "ms" if isinstance(rule, Percentile) else "ratio"
