"""How the number is formed (the indicator): one tagged union, a file per kind of evidence, and how it is decided."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from slaguard.spec.indicators.decision import Decision
from slaguard.spec.indicators.graded import Grades, SampleProportion
from slaguard.spec.indicators.intervals import BinRule, ErrorRateRuns, MeanOfIntervals
from slaguard.spec.indicators.requests import LatencyField, Percentile, Ratio, RequestAttainment

__all__ = [
    "BinRule", "Decision", "ErrorRateRuns", "Grades", "Indicator", "LatencyField", "MeanOfIntervals", "Percentile", "Ratio",
    "RequestAttainment", "SampleProportion",
]  # fmt: skip

Indicator = Annotated[
    MeanOfIntervals | ErrorRateRuns | Ratio | Percentile | RequestAttainment | SampleProportion, Field(discriminator="rule"),
]  # fmt: skip
