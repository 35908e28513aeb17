"""Until when something must be done: the contract's deadline, and the earlier day to act by.

A day ends at 24:00 local time, and acting at that instant is late. The anchor's day is day 0. A date that depends on a
document nobody has recorded is not guessed: the result says what to record, and before which date it cannot fall.
Source: `contracts.md` section 6, rules 1 to 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from zoneinfo import ZoneInfo

from slaguard.evaluation.anchors import NOTHING, OF_INCIDENTS, PAPERS, Found, anchors_of, floor_of, is_loose
from slaguard.evaluation.due_dates import Anchor, Moment, computed
from slaguard.records import Fact
from slaguard.spec.model import Deadline
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.zones import local_day, zone

Trouble = Literal["UNKNOWN_ANCHOR", "BEYOND_CALENDAR"]
_TO_RECORD: Final = {
    "invoice_date": "the invoice of this period",
    "awareness": "when you became aware",
    "notice_sent": "the notice you sent",
    "vendor_report": "the vendor's report of this period",
}


@dataclass(frozen=True, slots=True)
class Due:
    """One deadline as it stands at the time of knowledge; instants are UTC nanoseconds.

    `due_ns` is exclusive: acting at it is late. It is None where `trouble` says why, and then `earliest_ns`, where it can
    be told, is the earliest that the deadline can fall on. `local` and `act_by_local` are the instants as a calendar has
    them: ``Mon 2026-11-30, 24:00 Europe/Berlin``. `reason` is a sentence: what the date rests on, or what is missing.
    """

    type: str
    anchor: str
    due_ns: int | None
    act_by_ns: int | None
    local: str | None
    act_by_local: str | None
    days_left: int | None
    """Midnights between the local day of `as_of` and the last day to act; negative once it is past."""
    anchor_ns: int | None
    earliest_ns: int | None
    reason: str
    trouble: Trouble | None = None


def due(deadline: Deadline, period: ResolvedPeriod, facts: Iterable[Fact], as_of: int, found: Found = NOTHING) -> Due:
    """Return when a deadline falls, as far as it is known at `as_of`.

    Args:
        deadline: the contract's term.
        period: the period that a claim would be about.
        facts: the recorded Facts; those that were recorded, or happened, after `as_of` are not known yet.
        as_of: the time of knowledge, UTC nanoseconds.
        found: incidents of the vendor, downtime that was measured, and periods that failed.

    Raises:
        ValueError: the deadline's zone is unknown.

    """
    where = zone(deadline.time_zone)
    known = tuple(f for f in facts if (f.when if f.recorded_at is None else f.recorded_at) <= as_of)
    anchors = anchors_of(deadline, period, known, found, where)
    if not anchors:
        return _unknown(deadline, period, known, where)
    dated = [(moments, anchor) for anchor in anchors if (moments := computed(deadline, anchor, where)) is not None]
    if not dated:
        return _without(deadline, anchors[0].ns, None, "no calendar reaches that far", "BEYOND_CALENDAR")
    (moment, act_by), anchor = min(dated, key=lambda one: (one[0][0].ns, one[0][1].ns, one[1].ns))
    return Due(
        type=deadline.type,
        anchor=deadline.anchor,
        due_ns=moment.ns,
        act_by_ns=act_by.ns,
        local=str(moment),
        act_by_local=str(act_by),
        days_left=(moment.day - local_day(as_of, where)).days,
        anchor_ns=anchor.ns,
        earliest_ns=None,
        reason=_counted_from(deadline, anchor, len(anchors), where),
    )


def _unknown(deadline: Deadline, period: ResolvedPeriod, known: tuple[Fact, ...], where: ZoneInfo) -> Due:
    """Return a deadline whose anchor nobody has recorded (rule 5)."""
    floor = floor_of(deadline, period, where)
    reason = f"needs your input: {_to_record(deadline)}"
    kind = PAPERS.get(deadline.anchor)
    loose = [f.when for f in known if f.type == kind and is_loose(f) and period.start <= f.when < floor.ns]
    if loose:
        reason += f"; the one of {local_day(min(loose), where)} does not say what it is about: give its start and end"
    earliest: tuple[Moment, Moment] | None = computed(deadline, floor, where)
    if earliest is None:
        return _without(deadline, None, None, reason, "UNKNOWN_ANCHOR")
    reason += f"; one of {floor.day(where)} would make it {earliest[0]}, a later one later"
    return _without(deadline, None, earliest[0].ns, reason, "UNKNOWN_ANCHOR")


def _to_record(deadline: Deadline) -> str:
    if deadline.anchor in PAPERS:
        return f"record {_TO_RECORD[deadline.anchor]} (a fact of type {PAPERS[deadline.anchor]})"
    if deadline.anchor in OF_INCIDENTS:
        ended = " that has ended" if deadline.anchor == "incident_end" else ""
        return f"no incident{ended} is recorded and no downtime was found in this period: record the incident"
    return "it counts from the period that fails for the n-th time, and none has so far"


def _without(deadline: Deadline, anchor: int | None, earliest: int | None, reason: str, trouble: Trouble) -> Due:
    return Due(deadline.type, deadline.anchor, None, None, None, None, None, anchor, earliest, reason, trouble)


def _counted_from(deadline: Deadline, anchor: Anchor, choices: int, where: ZoneInfo) -> str:
    """Return the sentence behind a date: ``30 days after the last day of the period, 2026-10-31``."""
    unit = (deadline.unit if deadline.n != 1 else deadline.unit.removesuffix("s")).replace("_", " ")
    words = anchor.words
    if deadline.unit == "hours":
        words = words.replace("the last day of", "the end of")
    if deadline.calendar is not None and deadline.unit == "business_days":
        unit += f" ({deadline.calendar})"
    text = f"{deadline.n} {unit} after {words}, {anchor.day(where)}"
    if deadline.anchor == "eligibility":
        return f"{text}; eligible is read as the end of a downtime and as the end of the period, and the earlier one decides"
    papers = deadline.anchor in PAPERS
    among = (f", the earliest of {choices} recorded" if papers else f", the earliest of {choices}") if choices > 1 else ""
    return f"{text}{among}"
