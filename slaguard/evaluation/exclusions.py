"""What does not count: exclusions by record and by window of time, with the state each stands in.

A window is accepted where it was announced (or claimed) in time by whoever may, and where what the contract asks to be
shown is recorded: else it is contested, or only proposed (`contracts.md` §7); a recorded `exclusion_state` Fact overrides
all of it. Time past the cap of a calendar month, quarter or year counts normally, in time order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from slaguard.evaluation.proof import Shown, may_assert
from slaguard.evaluation.windows import Claimed, State, capped, scheduled
from slaguard.records import Fact, Span, merge_spans
from slaguard.spec.model import Exclusion, Objective
from slaguard.spec.period import ResolvedPeriod

__all__ = [
    "ALONE", "PROPOSED", "VARIANTS", "Applied", "Layer", "State", "Variant", "alone", "apply_exclusions", "bins_touched",
    "may_assert",
]  # fmt: skip

Variant = str
"""Which exclusions are applied: those accepted, those in dispute as well, those only proposed as well, none at all, or
(``alone:<id>``) those accepted and of those in dispute one."""
VARIANTS: Final[tuple[Variant, ...]] = ("accepted", "with_contested", "none")
ALONE: Final = "alone:"
PROPOSED: Final = "with_proposed"
Layer = Literal["accepted", "contested", "proposed"]
"""Up to which state an exclusion is applied: those accepted, those in dispute too, those only proposed too."""


@dataclass(frozen=True, slots=True)
class Applied:
    """One exclusion as it stands in one period.

    `state` is that of a record exclusion; the others hold the windows of a time exclusion, merged and capped, as
    half-open UTC nanoseconds: `accepted` those in force, `with_contested` those that would be if all in dispute were
    accepted too (the cap is used up in time order, so neither need contain the other), `with_proposed` with those as well
    of which nothing shows that they hold. They may begin or end outside the period, for rules that look across its edges.
    `late` counts windows of this period announced too late.
    """

    exclusion: Exclusion
    state: State
    accepted: tuple[Span, ...] = ()
    with_contested: tuple[Span, ...] = ()
    with_proposed: tuple[Span, ...] = ()
    late: int = 0
    always: bool = False
    """Whether it holds in every variant: time outside the service hours is nobody's to claim."""

    def windows(self, variant: Variant) -> tuple[Span, ...]:
        """Return the windows that apply in a variant."""
        match self.layer(variant):
            case None:
                return ()
            case "accepted":
                return self.accepted
            case "contested":
                return self.with_contested
            case "proposed":
                return self.with_proposed

    def layer(self, variant: Variant) -> Layer | None:
        """Return up to which state this exclusion applies in a variant; None: not at all."""
        if self.always:
            return "accepted"
        if variant == "none":
            return None
        if variant == PROPOSED and (not self.is_window or self.with_proposed != self.with_contested):
            return "proposed"
        return "contested" if variant in {"with_contested", PROPOSED, f"{ALONE}{self.exclusion.id}"} else "accepted"

    def windows_in(self, span: Span, variant: Variant) -> tuple[Span, ...]:
        """Return the parts of a variant's windows inside a span."""
        return merge_spans([(max(a, span[0]), min(b, span[1])) for a, b in self.windows(variant)])

    def contested_in(self, span: Span) -> tuple[Span, ...]:
        """Return the parts inside a span that are excluded only if what is in dispute is accepted."""
        return _without(self.windows_in(span, "with_contested"), self.accepted)

    def covers_records(self, variant: Variant) -> bool:
        """Tell whether a record exclusion applies in a variant."""
        layer = self.layer(variant)
        if layer is None or self.state == "rejected":
            return False
        return _REACH[self.state] <= _REACH[layer]

    def in_dispute(self, span: Span) -> bool:
        """Tell whether a dispute about it can change anything in a span."""
        if not self.is_window:
            return self.state == "contested"
        return self.windows_in(span, "accepted") != self.windows_in(span, "with_contested")

    def is_proposed(self, span: Span) -> bool:
        """Tell whether something of it in a span is only proposed: what must be shown is not recorded."""
        if not self.is_window:
            return self.state == "proposed"
        return self.windows_in(span, PROPOSED) != self.windows_in(span, "with_contested")

    def proposed_in(self, span: Span) -> tuple[Span, ...]:
        """Return the parts inside a span that are only proposed."""
        return _without(self.windows_in(span, PROPOSED), self.with_contested)

    @property
    def is_window(self) -> bool:
        """Tell whether it excludes time rather than records."""
        return self.exclusion.selector is None


def alone(applied: tuple[Applied, ...], span: Span) -> tuple[Variant, ...]:
    """Return a variant for each exclusion that is in dispute in a span; none where one is, as that is all in dispute."""
    found = tuple(f"{ALONE}{a.exclusion.id}" for a in applied if a.in_dispute(span))
    return found if len(found) > 1 else ()


def apply_exclusions(
    objective: Objective, period: ResolvedPeriod, facts: tuple[Fact, ...], parties: Mapping[str, str]
) -> tuple[Applied, ...]:
    """Return every exclusion of an Objective as it stands in `period`, in the Agreement's order.

    Args:
        objective: the promise.
        period: the resolved period.
        facts: those known at the time of knowledge.
        parties: the names of the ``vendor`` and the ``customer``.

    """
    return tuple(_applied(e, period, facts, parties) for e in objective.exclusions)


def _applied(exclusion: Exclusion, period: ResolvedPeriod, facts: tuple[Fact, ...], parties: Mapping[str, str]) -> Applied:
    shown = Shown(exclusion, facts, parties)
    if exclusion.selector is not None:
        return Applied(exclusion, shown.declared(None) or ("accepted" if shown.proven(None) else "proposed"))
    claims = [*shown.claims(), *scheduled(exclusion, period, shown)]
    late = sum(claim.late and claim.span[0] < period.end and claim.span[1] > period.start for claim in claims)
    accepted, contested, proposed = (capped(exclusion, period, _up_to(claims, reach)) for reach in range(3))
    return Applied(exclusion, "accepted", accepted, contested, proposed, late)


def _up_to(claims: list[Claimed], reach: int) -> tuple[Span, ...]:
    return merge_spans([c.span for c in claims if c.state != "rejected" and _REACH[c.state] <= reach])


_REACH: Final[dict[str, int]] = {"accepted": 0, "contested": 1, "proposed": 2}
"""How far each state lies from being in force."""


def _without(spans: tuple[Span, ...], taken: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return the parts of `spans` outside `taken`."""
    left = list(spans)
    for a, b in taken:
        left = [piece for start, end in left for piece in ((start, min(end, a)), (max(start, b), end)) if piece[1] > piece[0]]
    return merge_spans(left)


def bins_touched(spans: tuple[Span, ...], start: int, bin_ns: int, count: int, end: int | None = None) -> list[int]:
    """Return the indices of the intervals that the windows touch: an interval touched at all is excluded whole.

    The last interval ends at `end`, where the period cuts it.
    """
    touched: set[int] = set()
    last_end = start + count * bin_ns if end is None else end
    for a, b in ((a, min(b, last_end)) for a, b in spans if a < last_end):
        first, last = max(0, (a - start) // bin_ns), min(count - 1, (b - 1 - start) // bin_ns)
        touched.update(range(first, last + 1))
    return sorted(touched)
