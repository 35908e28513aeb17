"""What does not count: exclusions by record and by announced window, with the state each stands in.

A window is accepted where it was announced in time, else contested (`contracts.md` §7); a recorded `exclusion_state` Fact
overrides both. Time past the cap of a calendar month counts normally, in time order.
"""

from __future__ import annotations

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

    `state` is that of a record exclusion; `accepted` and `contested` hold the windows of a time exclusion, capped,
    merged, as half-open UTC nanoseconds. `late` counts windows announced later than the notice asks for.
    """

    exclusion: Exclusion
    state: State
    accepted: tuple[Span, ...] = ()
    contested: tuple[Span, ...] = ()
    late: int = 0

    def windows(self, variant: Variant) -> tuple[Span, ...]:
        """Return the windows that apply in a variant."""
        if variant == "none":
            return ()
        return self.accepted if variant == "accepted" else merge_spans([*self.accepted, *self.contested])

    def covers_records(self, variant: Variant) -> bool:
        """Tell whether a record exclusion applies in a variant."""
        if variant == "none" or self.state == "rejected":
            return False
        return self.state == "accepted" or variant == "with_contested"

    @property
    def is_window(self) -> bool:
        """Tell whether it excludes time rather than records."""
        return self.exclusion.selector is None


def apply_exclusions(objective: Objective, period: ResolvedPeriod, facts: tuple[Fact, ...]) -> tuple[Applied, ...]:
    """Return every exclusion of an Objective as it stands in `period`, in the Agreement's order."""
    return tuple(_applied(e, period, facts) for e in objective.exclusions)


def _applied(exclusion: Exclusion, period: ResolvedPeriod, facts: tuple[Fact, ...]) -> Applied:
    if exclusion.selector is not None:
        return Applied(exclusion, _declared(facts, exclusion.id, None) or "accepted")
    states: dict[State, list[Span]] = {"accepted": [], "contested": [], "rejected": []}
    late = 0
    for fact in sorted(facts, key=lambda f: (f.start or 0, f.when, f.id)):
        if fact.type != "announcement" or fact.exclusion != exclusion.id or fact.start is None or fact.end is None:
            continue
        in_time = fact.when <= fact.start - (exclusion.notice or 0) * NS_PER_MS
        late += not in_time and fact.start < period.end and fact.end > period.start
        state = _declared(facts, exclusion.id, fact.start) or ("accepted" if in_time else "contested")
        states[state].append((fact.start, fact.end))
    accepted = _capped(exclusion, period, merge_spans(states["accepted"]), ())
    contested = _capped(exclusion, period, merge_spans(states["contested"]), accepted)
    return Applied(exclusion, "accepted", _clipped(accepted, period), _clipped(contested, period), late)


def _declared(facts: tuple[Fact, ...], exclusion: str, start: int | None) -> State | None:
    """Return the latest recorded state of an exclusion, or of its window that begins at `start`."""
    named = [f for f in facts if f.type == "exclusion_state" and f.exclusion == exclusion and f.start in {None, start}]
    if not named:
        return None
    state = max(named, key=lambda f: (f.start is not None, f.when, f.id)).state
    return "accepted" if state == "accepted" else "rejected" if state == "rejected" else "contested"


def _capped(exclusion: Exclusion, period: ResolvedPeriod, spans: tuple[Span, ...], used: tuple[Span, ...]) -> tuple[Span, ...]:
    """Cut `spans` to what the cap leaves in each calendar month, in time order; `used` has gone off the cap already."""
    if exclusion.cap is None:
        return spans
    kept: list[Span] = []
    for month_start, month_end in period.months:
        left = exclusion.cap.length * NS_PER_MS
        left -= sum(max(0, min(b, month_end) - max(a, month_start)) for a, b in used)
        for start, end in spans:
            begin, stop = max(start, month_start), min(end, month_end)
            stop = min(stop, begin + max(0, left))
            if stop > begin:
                kept.append((begin, stop))
                left -= stop - begin
    return merge_spans(kept)


def _clipped(spans: tuple[Span, ...], period: ResolvedPeriod) -> tuple[Span, ...]:
    return merge_spans([(max(a, period.start), min(b, period.end)) for a, b in spans])


def bins_touched(spans: tuple[Span, ...], start: int, bin_ns: int, count: int) -> list[int]:
    """Return the indices of the intervals that the windows touch: an interval touched at all is excluded whole."""
    touched: set[int] = set()
    for a, b in spans:
        first, last = max(0, (a - start) // bin_ns), min(count - 1, (b - 1 - start) // bin_ns)
        touched.update(range(first, last + 1))
    return sorted(touched)
