"""How a figure becomes a verdict, fixed before measuring (ILAC-G8:09/2019)."""

from __future__ import annotations

from typing import Literal

from slaguard.spec.conditions import Term
from slaguard.spec.scalars import Share, Whole


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
