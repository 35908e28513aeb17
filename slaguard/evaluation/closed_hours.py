"""Time outside the service hours, as something that never counts: in every variant of the exclusions, and contested by nobody.

Records sent outside leave, and are told under the name `service_hours`. An interval counts only where it lies wholly
inside the service hours; one that begins or ends outside them leaves whole, as one that a window touches does.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from slaguard.evaluation.exclusions import Applied
from slaguard.records import Span, Table
from slaguard.spec.model import Effect, Exclusion
from slaguard.spec.period import ResolvedPeriod

NAME: Final = "service_hours"
_FIELDS: Final[dict[str, Any]] = {
    "id": NAME, "clause": "the service hours", "kind": NAME, "asserted_by": "either", "effect": Effect.DROP_RECORDS,
    "proof": (),
}  # fmt: skip
_TERM: Final = Exclusion.model_construct(**_FIELDS)
_AROUND: Final = 2 * 86_400 * 10**9
"""How far past the period's edges its service hours are told."""


def closed_hours(period: ResolvedPeriod) -> tuple[Applied, ...]:
    """Return the time outside the service hours as an exclusion in force; nothing where all time is service time."""
    if period.service is None:
        return ()
    outside = _between(period.service, (period.start - _AROUND, period.end + _AROUND))
    return (Applied(_TERM, "accepted", outside, outside, outside, always=True),) if outside else ()


def _between(spans: tuple[Span, ...], around: Span) -> tuple[Span, ...]:
    """Return the time of a wide span outside of sorted spans."""
    found: list[Span] = []
    at = around[0]
    for start, end in spans:
        if start > at:
            found.append((at, start))
        at = max(at, end)
    return (*found, (at, around[1])) if at < around[1] else tuple(found)


def in_service(table: Table, period: ResolvedPeriod) -> npt.NDArray[np.bool_]:
    """Mark the rows of a Table that were sent in service hours: the closed ones have the first mark of all (`requirements`)."""
    if not closed_hours(period):
        return np.ones(len(table.n), dtype=np.bool_)
    served: npt.NDArray[np.bool_] = (table.column("mask") & 1) == 0
    return served


def watched_share(period: ResolvedPeriod, as_of: int, coverage: tuple[Span, ...]) -> tuple[int, int]:
    """Return how much of the period's service time so far was watched, and how much there was, in nanoseconds."""
    so_far = [(a, min(b, as_of)) for a, b in period.service_in if a < as_of]
    seen = sum(max(0, min(b, d) - max(a, c)) for a, b in so_far for c, d in coverage if c < b and d > a)
    return seen, sum(b - a for a, b in so_far)
