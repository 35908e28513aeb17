"""What does not count: exclusions by record and by announced window, with the state each stands in.

A window is accepted where it was announced in time, else contested (`contracts.md` §7); a recorded `exclusion_state` Fact
overrides both. Time past the cap of a calendar month counts normally, in time order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from slaguard.records import NS_PER_MS, Fact, Span, merge_spans
from slaguard.spec.model import Exclusion, Objective
from slaguard.spec.period import ResolvedPeriod

State = Literal["accepted", "contested", "rejected"]
Variant = Literal["accepted", "with_contested", "none"]
"""Which exclusions are applied: those accepted, those in dispute as well, or none at all."""
VARIANTS: tuple[Variant, ...] = ("accepted", "with_contested", "none")


@dataclass(frozen=True, slots=True)
class Applied:
    """One exclusion as it stands in one period.

    `state` is that of a record exclusion; the others hold the windows of a time exclusion, merged and capped, as
    half-open UTC nanoseconds: `accepted` those in force, `with_contested` those that would be if all in dispute were
    accepted too (the cap is used up in time order, so neither need contain the other). They may begin or end outside
    the period, for rules that look across its edges. `late` counts windows of this period announced too late.
    """

    exclusion: Exclusion
    state: State
    accepted: tuple[Span, ...] = ()
    with_contested: tuple[Span, ...] = ()
    late: int = 0

    def windows(self, variant: Variant) -> tuple[Span, ...]:
        """Return the windows that apply in a variant."""
        if variant == "none":
            return ()
        return self.accepted if variant == "accepted" else self.with_contested

    def windows_in(self, span: Span, variant: Variant) -> tuple[Span, ...]:
        """Return the parts of a variant's windows inside a span."""
        return merge_spans([(max(a, span[0]), min(b, span[1])) for a, b in self.windows(variant)])

    def contested_in(self, span: Span) -> tuple[Span, ...]:
        """Return the parts inside a span that are excluded only if what is in dispute is accepted."""
        return _without(self.windows_in(span, "with_contested"), self.accepted)

    def covers_records(self, variant: Variant) -> bool:
        """Tell whether a record exclusion applies in a variant."""
        if variant == "none" or self.state == "rejected":
            return False
        return self.state == "accepted" or variant == "with_contested"

    def in_dispute(self, span: Span) -> bool:
        """Tell whether a dispute about it can change anything in a span."""
        if not self.is_window:
            return self.state == "contested"
        return self.windows_in(span, "accepted") != self.windows_in(span, "with_contested")

    @property
    def is_window(self) -> bool:
        """Tell whether it excludes time rather than records."""
        return self.exclusion.selector is None


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


def may_assert(exclusion: Exclusion, by: str | None, parties: Mapping[str, str]) -> bool:
    """Tell whether a Fact's author may claim an exclusion; a Fact that names nobody is taken as the right party's."""
    return by is None or exclusion.asserted_by == "either" or by == parties[exclusion.asserted_by]


def _applied(exclusion: Exclusion, period: ResolvedPeriod, facts: tuple[Fact, ...], parties: Mapping[str, str]) -> Applied:
    if exclusion.selector is not None:
        return Applied(exclusion, _declared(facts, exclusion.id, None) or "accepted")
    states: dict[State, list[Span]] = {"accepted": [], "contested": [], "rejected": []}
    late = 0
    for fact in sorted(facts, key=lambda f: (f.start or 0, f.when, f.id)):
        if fact.type != "announcement" or fact.exclusion != exclusion.id or fact.start is None or fact.end is None:
            continue
        in_time = fact.when <= fact.start - (exclusion.notice or 0) * NS_PER_MS
        late += not in_time and fact.start < period.end and fact.end > period.start
        sound = in_time and may_assert(exclusion, fact.by, parties)
        state = _declared(facts, exclusion.id, fact.start) or ("accepted" if sound else "contested")
        states[state].append((fact.start, fact.end))
    accepted = _capped(exclusion, period, merge_spans(states["accepted"]))
    both = _capped(exclusion, period, merge_spans(states["accepted"] + states["contested"]))
    return Applied(exclusion, "accepted", accepted, both, late)


def _declared(facts: tuple[Fact, ...], exclusion: str, start: int | None) -> State | None:
    """Return the latest recorded state of an exclusion, or of its window that begins at `start`."""
    named = [f for f in facts if f.type == "exclusion_state" and f.exclusion == exclusion and f.start in {None, start}]
    if not named:
        return None
    state = max(named, key=lambda f: (f.start is not None, f.when, f.id)).state
    return "accepted" if state == "accepted" else "rejected" if state == "rejected" else "contested"


def _capped(exclusion: Exclusion, period: ResolvedPeriod, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Cut `spans` to what the cap allows in each calendar month, in time order."""
    if exclusion.cap is None:
        return spans
    kept: list[Span] = []
    for month_start, month_end in period.months:
        left = exclusion.cap.length * NS_PER_MS
        for start, end in spans:
            begin, stop = max(start, month_start), min(end, month_end)
            stop = min(stop, begin + left)
            if stop > begin:
                kept.append((begin, stop))
                left -= stop - begin
    return merge_spans(kept)


def _without(spans: tuple[Span, ...], taken: tuple[Span, ...]) -> tuple[Span, ...]:
    """Return the parts of `spans` outside `taken`."""
    left = list(spans)
    for a, b in taken:
        left = [piece for start, end in left for piece in ((start, min(end, a)), (max(start, b), end)) if piece[1] > piece[0]]
    return merge_spans(left)


def bins_touched(spans: tuple[Span, ...], start: int, bin_ns: int, count: int) -> list[int]:
    """Return the indices of the intervals that the windows touch: an interval touched at all is excluded whole."""
    touched: set[int] = set()
    for a, b in spans:
        first, last = max(0, (a - start) // bin_ns), min(count - 1, (b - 1 - start) // bin_ns)
        touched.update(range(first, last + 1))
    return sorted(touched)
