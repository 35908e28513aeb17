"""What a deadline counts from: recorded papers, recorded incidents, else the downtime that the evaluation itself found.

Several anchors, and the two readings of eligibility, are all kept: the deadline that falls first decides (`contracts.md`
section 6, rule 4). Nothing is guessed: an anchor that nobody recorded is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from slaguard.evaluation.due_dates import Anchor
from slaguard.records import Fact, Incident, Span
from slaguard.spec.labels import cycle_around, shift_months
from slaguard.spec.model import Deadline
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.zones import local_day, midnight

PAPERS: Final[Mapping[str, str]] = {
    "invoice_date": "invoice",
    "awareness": "awareness",
    "notice_sent": "notice",
    "vendor_report": "vendor_report",
}
"""The type of Fact behind each anchor that is a paper or a moment that somebody states."""
OF_INCIDENTS: Final = frozenset({"incident_start", "incident_end", "incident_month_end"})
"""Anchors that are not there without an incident."""
_COUNTED_FROM: Final = {
    "invoice_date": "the invoice",
    "awareness": "you became aware",
    "notice_sent": "the notice",
    "vendor_report": "the vendor's report",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What else is known of a period: recorded incidents of the vendor, downtime that was measured, failed periods.

    `downtimes` are half-open UTC nanoseconds; `failed_ends` the ends of periods that were the n-th failed one.
    """

    incidents: tuple[Incident, ...] = ()
    downtimes: tuple[Span, ...] = ()
    failed_ends: tuple[int, ...] = ()


NOTHING: Final = Found()


@dataclass(frozen=True, slots=True)
class _Outage:
    """One incident: when it began and ended (None: it lasts), and who says so."""

    start: int
    end: int | None
    words: str


def anchors_of(
    deadline: Deadline, period: ResolvedPeriod, known: tuple[Fact, ...], found: Found, where: ZoneInfo
) -> list[Anchor]:
    """Return everything a deadline can be counted from, in the order of time.

    Args:
        deadline: the term.
        period: the period that a claim would be about.
        known: the Facts known at the time of knowledge.
        found: incidents, downtimes and failed periods.
        where: the deadline's zone.

    """
    if deadline.anchor == "period_end":
        return [_period_end(period)]
    if deadline.anchor == "nth_failed_period_end":
        return [Anchor(ns, "the last day of the period that failed", is_end=True) for ns in sorted(found.failed_ends)]
    if deadline.anchor in PAPERS:
        return [Anchor(ns, _COUNTED_FROM[deadline.anchor]) for ns in sorted(_papers(deadline, period, known))]
    outages = _outages(period, found)
    made = _INCIDENT_ANCHORS[deadline.anchor](deadline, period, outages, where)
    return sorted(made, key=lambda anchor: anchor.ns)


def floor_of(deadline: Deadline, period: ResolvedPeriod, where: ZoneInfo) -> Anchor:
    """Return the earliest that an anchor nobody recorded can be.

    One can become aware of a fault while the period runs, and an incident begins in it at the earliest; an invoice or a
    notice that came before its end, and does not say what it is about, may be about the period before.
    """
    if deadline.anchor == "incident_month_end":
        return _month_end(period.start, "", where)
    early = deadline.anchor in OF_INCIDENTS or deadline.anchor == "awareness"
    return Anchor(period.start, "") if early else Anchor(period.end, "", is_end=deadline.anchor == "nth_failed_period_end")


def _period_end(period: ResolvedPeriod) -> Anchor:
    return Anchor(period.end, "the last day of the period", is_end=True)


# ── papers ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _papers(deadline: Deadline, period: ResolvedPeriod, known: tuple[Fact, ...]) -> list[int]:
    facts = [f for f in known if f.type == PAPERS[deadline.anchor]]
    about = [f.when for f in facts if is_about(f, period)]
    floor = period.start if deadline.anchor == "awareness" else period.end
    return about or [f.when for f in facts if is_loose(f) and f.when >= floor]


def is_about(fact: Fact, period: ResolvedPeriod) -> bool:
    """Tell whether a Fact names the period, or a span of time that touches it."""
    if fact.period is not None:
        whole = period.label.rsplit(".", 1)[0] if period.parts else period.label  # a paper on the month is one on its parts
        return fact.period in {period.label, whole}
    return fact.start is not None and fact.start < period.end and (fact.end is None or fact.end > period.start)


def is_loose(fact: Fact) -> bool:
    """Tell whether a Fact does not say which period it is about."""
    return fact.start is None and fact.period is None


# ── incidents ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _outages(period: ResolvedPeriod, found: Found) -> list[_Outage]:
    """Return the recorded incidents that touch a period; where none is recorded, the downtime that was found in it."""
    touching = [i for i in found.incidents if i.start < period.end and (i.end is None or i.end > period.start)]
    if touching:
        return [_Outage(i.start, i.end, f"the incident stated by {i.source}") for i in touching]
    return [_Outage(start, end, "the downtime found in our own figures") for start, end in found.downtimes]


def _starts(
    deadline: Deadline, period: ResolvedPeriod, outages: Iterable[_Outage], where: ZoneInfo
) -> list[Anchor]:  # fmt: skip
    del deadline, period, where
    return [Anchor(o.start, f"{o.words} began") for o in outages]


def _ends(deadline: Deadline, period: ResolvedPeriod, outages: Iterable[_Outage], where: ZoneInfo) -> list[Anchor]:
    del deadline, period, where
    return [Anchor(o.end, f"{o.words} ended") for o in outages if o.end is not None]


def _eligible(deadline: Deadline, period: ResolvedPeriod, outages: Iterable[_Outage], where: ZoneInfo) -> list[Anchor]:
    """Return both readings of the day on which one became eligible: the end of each downtime, and of the period."""
    return [*_ends(deadline, period, outages, where), _period_end(period)]


def _month_ends(deadline: Deadline, period: ResolvedPeriod, outages: Iterable[_Outage], where: ZoneInfo) -> list[Anchor]:
    del deadline, period
    return [_month_end(o.start, f"the last day of the month in which {o.words} began", where) for o in outages]


def _month_end(ns: int, words: str, where: ZoneInfo) -> Anchor:
    first = local_day(ns, where).replace(day=1)
    return _end_before(shift_months(first, 1), words, where)


def _cycle_ends(deadline: Deadline, period: ResolvedPeriod, outages: Iterable[_Outage], where: ZoneInfo) -> list[Anchor]:
    """Return the end of the billing cycle that holds each incident; without one, of that which holds the period's start."""
    held = [(o.start, f"the last day of the billing cycle in which {o.words} began") for o in outages]
    if not held:
        held = [
            (period.start, "the last day of the billing cycle that holds the first day of the period (no incident is known)")
        ]
    days = [(cycle_around(local_day(ns, where), deadline.start_day or 1)[1], words) for ns, words in held]
    return [_end_before(after, words, where) for after, words in days]


def _end_before(day: date, words: str, where: ZoneInfo) -> Anchor:
    return Anchor(midnight(day, where), words, is_end=True)


_Maker = Callable[[Deadline, ResolvedPeriod, Iterable[_Outage], ZoneInfo], list[Anchor]]
_INCIDENT_ANCHORS: Final[Mapping[str, _Maker]] = {
    "incident_start": _starts,
    "incident_end": _ends,
    "eligibility": _eligible,
    "incident_month_end": _month_ends,
    "billing_month_end": _cycle_ends,
}
