"""Windows of time that an exclusion covers: those the contract names, and what a cap leaves of any."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from zoneinfo import ZoneInfo

from slaguard.evaluation.proof import Claimed, Shown, State
from slaguard.records import NS_PER_MS, Span, merge_spans
from slaguard.spec.model import Exclusion
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.recurrence import occurrences
from slaguard.spec.zones import instant, local_day, midnight, zone

__all__ = ["Claimed", "State", "capped", "scheduled"]
_AROUND = 2 * 86_400 * 10**9
"""Windows are told so far past both edges of a period, for rules that look across them."""
_MONTHS = {"quarter": 3, "year": 12}


def scheduled(exclusion: Exclusion, period: ResolvedPeriod, shown: Shown) -> Iterator[Claimed]:
    """Yield the windows that the contract names, with how each stands.

    Where a notice is asked for too, only what was announced of a window is excluded; the rest of it is proposed.
    """
    for span in _named(exclusion, period):
        if exclusion.notice is None:
            stands: State = "accepted" if shown.proven(span) else "proposed"
            yield Claimed(span, shown.declared(span[0]) or stands)
            continue
        yield Claimed(span, shown.declared(span[0]) or "proposed")
        for fact in shown.announced():
            inside = max(span[0], fact.start or 0), min(span[1], fact.end or 0)
            if inside[1] > inside[0]:
                yield shown.judged(fact, inside, span[0])


def _named(exclusion: Exclusion, period: ResolvedPeriod) -> tuple[Span, ...]:
    where = zone(period.zone)
    first = min([period.start - _AROUND, *(a for a, _ in cap_spans(exclusion, period))])
    within = first, period.end + _AROUND
    found = [(instant(w.start, where), instant(w.end, where)) for w in exclusion.windows]
    if (again := exclusion.recurring) is not None:
        found += occurrences(again.rrule, again.start, again.length, within, where)
    return tuple(sorted({(a, b) for a, b in found if a < within[1] and b > within[0] and b > a}))


# ── caps ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def capped(exclusion: Exclusion, period: ResolvedPeriod, spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Cut `spans` to what the cap allows in each month, quarter or year, in time order.

    What a cap of a quarter or a year has left is told by all windows since that began, those before the period as well.
    """
    if exclusion.cap is None:
        return spans
    kept: list[Span] = []
    for first, last in cap_spans(exclusion, period):
        left = exclusion.cap.length * NS_PER_MS
        for start, end in spans:
            begin, stop = max(start, first), min(end, last)
            stop = min(stop, begin + left)
            if stop > begin:
                kept.append((begin, stop))
                left -= stop - begin
    return merge_spans(kept)


def cap_spans(exclusion: Exclusion, period: ResolvedPeriod) -> tuple[Span, ...]:
    """Return the months, quarters or years that touch the period, whole, each of which has the cap anew; none without a cap."""
    if exclusion.cap is None:
        return ()
    if exclusion.cap.per == "month":
        return period.months
    where, length = zone(period.zone), _MONTHS[exclusion.cap.per]
    spans: list[Span] = []
    start = _begun(local_day(period.start, where), length)
    while (span := _span(start, length, where))[0] < period.end:
        spans.append(span)
        start = _later(start, length)
    return tuple(spans)


def _begun(day: date, months: int) -> date:
    """Return the first day of the calendar quarter or year that holds a day."""
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _later(day: date, months: int) -> date:
    count = day.year * 12 + day.month - 1 + months
    return date(count // 12, count % 12 + 1, 1)


def _span(start: date, months: int, where: ZoneInfo) -> Span:
    return midnight(start, where), midnight(_later(start, months), where)
