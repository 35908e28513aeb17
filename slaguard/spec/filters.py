"""Filters over single records, applied before anything is counted: repeats (U4), back-off (B) and entitlements.

In this order: what is past an entitlement is not eligible, and neither of the other two sees it; a request that came too
early after an error is not valid, and repeats do not see it; repeats come last. None of them sees a record that an outcome
or an exclusion drops: it is neither an error nor an answer.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from slaguard.spec.conditions import Predicate, SetOf, Term
from slaguard.spec.scalars import Duration, Natural, Weight, Words, refuse


class Repeats(Term):
    """An error that repeats a counted one is taken out of both counts; a success never is (U4)."""

    within: Duration
    """How long after a counted error others of the same key are its repeats."""
    window: Literal["fixed", "sliding"]
    """fixed: the time runs from the counted error; sliding: from the error before, counted or not."""
    by: Annotated[SetOf[Words], Field(min_length=1)]
    """The fields of a record that make the key: errors alike in all of them repeat each other."""
    end: Literal["inclusive", "exclusive"]
    """An error exactly so long after is a repeat, or is counted."""
    success_resets: Literal["yes", "no"]
    """Whether a success of the same key ends the time, so that the next error is counted."""


class Backoff(Term):
    """After errors in a row a client must wait before it asks again; a request that comes too early is not valid (B)."""

    first: Duration
    """How long it waits after the first error."""
    factor: Natural
    """So many times longer after each further error in a row."""
    max: Duration
    """The longest it must wait."""
    per: Annotated[SetOf[Words], Field(min_length=1)]
    """The fields of a record that make one client: each waits by itself."""
    gap_from: Literal["error_end", "error_start"]
    """The wait is counted from when the error arrived, or from when its request was sent."""

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.first < 1 or self.max < self.first:
            raise refuse("E-SPEC-SCHEMA", "the longest wait is at least the first one, and that is more than nothing")
        return self

    def wait(self, errors: int) -> int:
        """Return how long a client must wait after so many errors in a row (at least one), in milliseconds."""
        waited = self.first
        for _ in range(errors - 1):
            if waited >= self.max or self.factor == 1:
                break
            waited *= self.factor
        return min(waited, self.max)


class Weights(Term):
    """What a token of each kind uses of an entitlement."""

    input: Weight
    """A token of the question."""
    output: Weight
    """A token of the answer."""
    cached_input: Weight
    """A token of the question that was read from the vendor's cache; it is one of the question's tokens."""


class Entitlement(Term):
    """So many tokens in each window of the clock; the request that goes past it, and those after it, are not eligible."""

    window: Duration
    """The length of a window; windows follow the contract's clock."""
    tokens: Natural
    """How many weighted tokens a window holds."""
    weights: Weights
    """What each kind of token uses of them."""
    of: Literal["eligible", "service"]
    """Whose tokens add up: those of requests that meet the other conditions, or of all requests to the service."""

    def scaled(self) -> tuple[int, int, int, int]:
        """Return (tokens, input, cached_input, output) as whole numbers: all times the same number."""
        weights: tuple[Fraction, ...] = (self.weights.input, self.weights.cached_input, self.weights.output)
        scale = lcm(*(weight.denominator for weight in weights))
        plain, cached, output = (int(weight * scale) for weight in weights)
        return self.tokens * scale, plain, cached, output


# ── beside the conditions on a record ───────────────────────────────────────────────────────────────────────────────
ENTITLEMENT: Final = "entitlement"
"""The key among the conditions of `eligible` that is none on a single record."""


class _Written(dict[str, Any]):
    """What is written under `entitlement`: told from a condition by its key, whatever stands in it."""


def _by_key(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: _Written(v) if k == ENTITLEMENT and isinstance(v, dict) else v for k, v in value.items()}


def _kind(value: Any) -> str:
    return ENTITLEMENT if isinstance(value, _Written | Entitlement) else "condition"


def _sorted(value: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(value.items()))


EligibleTerm = Annotated[
    Annotated[Predicate, Tag("condition")] | Annotated[Entitlement, Tag(ENTITLEMENT)], Discriminator(_kind)
]
Eligible = Annotated[dict[str, EligibleTerm], BeforeValidator(_by_key), AfterValidator(_sorted)]
"""Conditions a record must meet to count; all of them hold. `entitlement` is one on all records of a window together."""
