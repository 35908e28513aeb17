"""What the standings are worth, and by when it must be asked for: sums of what was judged, nothing priced anew."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from slaguard.evaluation.breach import FORFEITING
from slaguard.evaluation.snapshot import Standing, Which
from slaguard.reports.moments import Calendar
from slaguard.reports.words import clean

Sums = dict[str, Decimal]
"""Amounts by currency, never added across currencies; no zero amounts."""


def claimable(standings: Iterable[Standing], now: int) -> Sums:
    """Return what can be claimed now: of closed periods, less what came too late under a contract that forfeits it."""
    return _sums((s, s.evaluation.credits.claimable) for s in standings if s.evaluation.credits and _asks(s, now))


def at_stake(standings: Iterable[Standing]) -> Sums:
    """Return the most that open periods may come to pay: the credit with all that is undecided at its worst."""
    return _sums((s, s.evaluation.credits.upper) for s in standings if s.evaluation.credits and s.which is Which.CURRENT)


def _sums(amounts: Iterable[tuple[Standing, Decimal]]) -> Sums:
    found: Sums = {}
    for standing, amount in amounts:
        if standing.evaluation.credits is not None and amount:
            currency = standing.evaluation.credits.currency
            found[currency] = found.get(currency, Decimal(0)) + amount
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _asks(standing: Standing, now: int) -> bool:
    return standing.evaluation.period.closed and standing.evaluation.period.own and not is_late(standing, now)


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Due:
    """Until when a claim must be made: `day` and `days` are the last day and how far it is, None where it is not known."""

    due: int | None
    day: str
    days: int | None
    reason: str


def deadline_of(standing: Standing, now: int) -> Due | None:
    """Return the deadline of a claim that can be made, or could have been; None where there is nothing to claim or no limit.

    Of several deadlines the first; one without a known date only where none has one.
    """
    evaluation = standing.evaluation
    owed = evaluation.credits is not None and evaluation.credits.claimable > 0
    terms = [d for d in evaluation.deadlines if d.type in FORFEITING]
    if not (owed and evaluation.period.closed and evaluation.period.own and terms):
        return None
    known = [d for d in terms if d.due is not None]
    if not known:
        first = terms[0]
        return Due(None, "", None, clean(first.reason or f"it depends on the {first.anchor}", 160))
    first = min(known, key=lambda d: (d.due or 0, d.type))
    local, due = _calendar(standing, first.type), first.due or 0
    return Due(due, local.deadline_day(due), local.days_left(due, now), "")


def is_late(standing: Standing, now: int) -> bool:
    """Tell whether the time to claim has passed under a contract in which a late claim is lost."""
    claim, found = standing.agreement.claim, deadline_of(standing, now)
    return claim is not None and claim.forfeits and found is not None and found.due is not None and now >= found.due


def _calendar(standing: Standing, kind: str) -> Calendar:
    """Return the calendar of the zone in which deadlines of a kind end."""
    terms = standing.agreement.claim.deadlines if standing.agreement.claim else ()
    zones = {term.time_zone for term in terms if term.type == kind}
    return Calendar.of(zones.pop() if len(zones) == 1 else standing.evaluation.period.time_zone)
