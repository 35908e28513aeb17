"""What a filter asks: the records of a Demand one by one, and of them only those that it has to see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from slaguard.evaluation.demands import Condition, Counts, Failures, Mark, Near, Over
from slaguard.records import NS_PER_MS
from slaguard.spec.filters import Backoff, Entitlement, Repeats
from slaguard.spec.indicators import Filtered
from slaguard.spec.model import Objective
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import MAPPED, OUTCOME_CODE, Count, Outcome

DAY_NS: Final = 86_400_000 * NS_PER_MS
_LONGER: Final = 4
"""So many times what a filter looks back is looked at before the period, and a day at least."""


class _Bit(Protocol):
    """As `requirements.Bit`: an exclusion is applied, or not, by the variant; all else makes an outcome count otherwise."""

    @property
    def applied(self) -> object | None: ...


def filters_of(objective: Objective) -> tuple[Entitlement | None, Backoff | None, Repeats | None]:
    """Return the filters of a promise, in the order in which they act."""
    rule = objective.indicator
    if not isinstance(rule, Filtered):
        return objective.entitlement, None, None
    return objective.entitlement, rule.backoff, rule.repeats


def each_of(
    counts: Counts,
    objective: Objective,
    bits: Sequence[_Bit],
    service: tuple[Condition, ...],
    eligible: tuple[Condition, ...],
    period: ResolvedPeriod,
) -> Counts | None:
    """Return the Demand for the single records that the filters of a promise look at; None where it has none.

    Args:
        counts: the Demand of its rule.
        objective: the promise.
        bits: what the bits of the mask mean.
        service: the conditions of `counts` less those of `eligible`.
        eligible: those of `eligible`.
        period: the resolved period.

    """
    entitlement, backoff, repeats = filters_of(objective)
    if entitlement is None and backoff is None and repeats is None:
        return None
    keys = ["sent_at"]
    if backoff is not None or (repeats is not None and repeats.success_resets == "yes"):
        keys += ["end_at", "per"]
    if repeats is not None:
        keys.append("like")
    if entitlement is not None:
        keys += ["input_tokens", "cached_input_tokens", "output_tokens"]
    asked = replace(
        counts,
        span=(_before(period, counts.span[0], entitlement, backoff, repeats), counts.span[1]),
        keys=(*keys, *(k for k in counts.keys if k not in {"bin", *keys})),
        bin_ns=None,
        per=tuple(backoff.per if backoff is not None else repeats.by if repeats is not None else ()),
        like=tuple(repeats.by) if repeats is not None else (),
        each=True,
    )
    if entitlement is not None:
        return _entitled(asked, entitlement, service, eligible, period, alone=backoff is None and repeats is None)
    return _narrowed(asked, objective, bits, backoff, repeats)


def _before(
    period: ResolvedPeriod, start: int, entitlement: Entitlement | None, backoff: Backoff | None, repeats: Repeats | None
) -> int:
    """Return from when on records are looked at: some time before the period, or from where a window begins."""
    looked = [DAY_NS, *(_LONGER * r * NS_PER_MS for r in (backoff and backoff.max, repeats and repeats.within) if r)]
    before = start - max(looked) if backoff is not None or repeats is not None else start
    if entitlement is None:
        return before
    window = entitlement.window * NS_PER_MS
    return before - (before - period.days[0][0]) % window


def over_of(entitlement: Entitlement, period: ResolvedPeriod) -> Over:
    """Return an entitlement in whole numbers; its windows follow the contract's clock."""
    limit, plain, cached, output = entitlement.scaled()
    return Over(period.days[0][0], entitlement.window * NS_PER_MS, limit, plain, cached, output)


def _entitled(
    asked: Counts, entitlement: Entitlement, service: tuple[Condition, ...], eligible: tuple[Condition, ...],
    period: ResolvedPeriod, *, alone: bool,
) -> Counts:  # fmt: skip
    """Return the Demand with the windows that are full; where all requests use tokens, a mark tells the eligible ones."""
    over = over_of(entitlement, period) if alone else None
    if entitlement.of == "eligible":
        return replace(asked, over=over)
    return replace(asked, over=over, where=service, marks=(*asked.marks, Mark(eligible)))


def _narrowed(
    asked: Counts, objective: Objective, bits: Sequence[_Bit], backoff: Backoff | None, repeats: Repeats | None
) -> Counts:
    """Return the Demand for errors alone, or for what comes near them."""
    failing = tuple(o for o in MAPPED if objective.outcomes.of(o) is Count.FAIL)
    changed = sum(1 << i for i, bit in enumerate(bits) if bit.applied is None)
    resets = repeats is not None and repeats.success_resets == "yes"
    failed = Failures(tuple(sorted(OUTCOME_CODE[o] for o in failing)), changed)
    if backoff is None and not resets:
        return replace(asked, failed=failed)
    if backoff is not None and resets and repeats is not None and tuple(repeats.by) != tuple(backoff.per):
        return asked  # what comes near for the one is not near for the other
    if "per" not in asked.keys:
        asked = replace(asked, keys=("sent_at", "end_at", "per", *(k for k in asked.keys if k != "sent_at")))
    sure = (Outcome.OK, *(o for o in MAPPED if objective.outcomes.of(o) is not Count.DROP))
    longest = max(backoff.max if backoff is not None else 0, repeats.within if repeats is not None and resets else 0)
    near = Near(
        sure=tuple(sorted(OUTCOME_CODE[o] for o in sure)),
        doubtful=(1 << len(bits)) - 1,
        within_ns=longest * NS_PER_MS,
    )
    return replace(asked, failed=failed, near=near)
