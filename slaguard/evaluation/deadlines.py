"""Until when something must be done: the contract's deadline, and the earlier day to act by.

A day ends at 24:00 local time, and acting at that instant is late. The anchor's day is day 0. A date that depends on a
document nobody has recorded is not guessed: the result says what to record, and before which date it cannot fall.
Source: `contracts.md` section 6, rules 1 to 5.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from slaguard.records import NS, Fact
from slaguard.spec.labels import shift_months
from slaguard.spec.model import Deadline, Margin
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.zones import DAY, instant, local_day, local_time, midnight, zone

Trouble = Literal["UNKNOWN_ANCHOR", "BEYOND_CALENDAR"]
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SATURDAY: Final = 5
_HOUR: Final = 3600 * NS
_FACTS: Final = {"invoice_date": "invoice", "awareness": "awareness", "notice_sent": "notice"}
_TO_RECORD: Final = {
    "invoice_date": "the invoice of this period",
    "awareness": "when you became aware",
    "notice_sent": "the notice you sent",
}
_COUNTED_FROM: Final = {
    "invoice_date": "the invoice",
    "awareness": "you became aware",
    "notice_sent": "the notice",
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


def due(deadline: Deadline, period: ResolvedPeriod, facts: Iterable[Fact], as_of: int) -> Due:
    """Return when a deadline falls, as far as it is known at `as_of`.

    Args:
        deadline: the contract's term.
        period: the period that a claim would be about.
        facts: the recorded Facts; those that were recorded, or happened, after `as_of` are not known yet.
        as_of: the time of knowledge, UTC nanoseconds.

    Raises:
        ValueError: the deadline's zone is unknown.

    """
    where = zone(deadline.time_zone)
    known = tuple(f for f in facts if (f.when if f.recorded_at is None else f.recorded_at) <= as_of)
    anchors = _anchors(deadline, period, known)
    if not anchors:
        return _unknown(deadline, period, known, where)
    anchor = min(anchors)
    found = _computed(deadline, anchor, where)
    if found is None:
        return _without(deadline, anchor, None, "no calendar reaches that far", "BEYOND_CALENDAR")
    moment, act_by = found
    return Due(
        type=deadline.type,
        anchor=deadline.anchor,
        due_ns=moment.ns,
        act_by_ns=act_by.ns,
        local=str(moment),
        act_by_local=str(act_by),
        days_left=(moment.day - local_day(as_of, where)).days,
        anchor_ns=anchor,
        earliest_ns=None,
        reason=_counted_from(deadline, anchor, len(anchors), where),
    )


# ── the anchor ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _anchors(deadline: Deadline, period: ResolvedPeriod, known: tuple[Fact, ...]) -> list[int]:
    """Return every instant the deadline can be counted from; the earliest one decides (rule 4)."""
    if deadline.anchor == "period_end":
        return [period.end]
    facts = [f for f in known if f.type == _FACTS[deadline.anchor]]
    about = [f.when for f in facts if _is_about(f, period)]
    return about or [f.when for f in facts if f.start is None and f.when >= _floor(deadline, period)]


def _is_about(fact: Fact, period: ResolvedPeriod) -> bool:
    """Tell whether a Fact names a span of time that touches the period."""
    return fact.start is not None and fact.start < period.end and (fact.end is None or fact.end > period.start)


def _floor(deadline: Deadline, period: ResolvedPeriod) -> int:
    """Return from when on a Fact that names no span is taken to be about the period.

    One can become aware of a fault while the period runs; an invoice or a notice that came before its end, and does not
    say what it is about, may be about the period before.
    """
    return period.start if deadline.anchor == "awareness" else period.end


def _unknown(deadline: Deadline, period: ResolvedPeriod, known: tuple[Fact, ...], where: ZoneInfo) -> Due:
    """Return a deadline whose anchor nobody has recorded (rule 5)."""
    kind, floor = _FACTS[deadline.anchor], _floor(deadline, period)
    reason = f"needs your input: record {_TO_RECORD[deadline.anchor]} (a fact of type {kind})"
    loose = [f.when for f in known if f.type == kind and f.start is None and period.start <= f.when < floor]
    if loose:
        reason += f"; the one of {local_day(min(loose), where)} does not say what it is about: give its start and end"
    earliest = _computed(deadline, floor, where)
    if earliest is None:
        return _without(deadline, None, None, reason, "UNKNOWN_ANCHOR")
    reason += f"; one of {local_day(floor, where)} would make it {earliest[0]}, a later one later"
    return _without(deadline, None, earliest[0].ns, reason, "UNKNOWN_ANCHOR")


def _without(deadline: Deadline, anchor: int | None, earliest: int | None, reason: str, trouble: Trouble) -> Due:
    return Due(deadline.type, deadline.anchor, None, None, None, None, None, anchor, earliest, reason, trouble)


def _counted_from(deadline: Deadline, anchor: int, choices: int, where: ZoneInfo) -> str:
    """Return the sentence behind a date: ``30 days after the last day of the period, 2026-10-31``."""
    unit = deadline.unit if deadline.n != 1 else deadline.unit.removesuffix("s")
    if deadline.anchor == "period_end":
        words = "the end of the period" if deadline.unit == "hours" else "the last day of the period"
        return f"{deadline.n} {unit} after {words}, {local_day(anchor - 1, where)}"
    among = f", the earliest of {choices} recorded" if choices > 1 else ""
    return f"{deadline.n} {unit} after {_COUNTED_FROM[deadline.anchor]}, {local_day(anchor, where)}{among}"


# ── the date ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Moment:
    """The end of a local day, or an exact instant on one."""

    day: date
    ns: int
    where: ZoneInfo
    is_day_end: bool

    @classmethod
    def end_of(cls, day: date, where: ZoneInfo) -> _Moment:
        return cls(day, midnight(day + DAY, where), where, is_day_end=True)

    @classmethod
    def exactly(cls, ns: int, where: ZoneInfo) -> _Moment:
        """Return an instant; a local midnight is 24:00 of the day before."""
        day = local_day(ns, where)
        if midnight(day, where) == ns:
            return cls.end_of(day - DAY, where)
        return cls(day, ns, where, is_day_end=False)

    def earlier(self, margin: Margin) -> _Moment:
        """Return the same time of day, so many days or business days before."""
        day = _business_days_before(self.day, margin.n) if margin.unit == "business_days" else self.day - margin.n * DAY
        if self.is_day_end:
            return _Moment.end_of(day, self.where)
        clock = local_time(self.ns, self.where).time().replace(microsecond=0)
        return _Moment.exactly(instant(datetime.combine(day, clock), self.where) + self.ns % NS, self.where)

    def __str__(self) -> str:
        """Return ``Mon 2026-11-30, 24:00 Europe/Berlin``; the offset is added where the clock shows the time twice."""
        head = f"{_WEEKDAYS[self.day.weekday()]} {self.day.isoformat()}, "
        if self.is_day_end:
            return f"{head}24:00 {self.where.key}"
        shown = local_time(self.ns, self.where)
        text = f"{shown:%H:%M:%S}" if shown.second else f"{shown:%H:%M}"
        twice = shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()
        offset = f" ({shown:%z})" if twice else ""
        return f"{head}{text} {self.where.key}{offset}"


def _computed(deadline: Deadline, anchor: int, where: ZoneInfo) -> tuple[_Moment, _Moment] | None:
    """Return the deadline and when to act by, never before the anchor; None where no calendar reaches that far."""
    try:
        moment = _moment(deadline, anchor, where)
        act_by = moment.earlier(deadline.margin)
        return moment, act_by if act_by.ns >= anchor else _Moment.exactly(anchor, where)
    except (OverflowError, ValueError):  # what `datetime` says beyond the year 9999
        return None


def _moment(deadline: Deadline, anchor: int, where: ZoneInfo) -> _Moment:
    if deadline.unit == "hours":
        return _Moment.exactly(anchor + deadline.n * _HOUR, where)
    # The period's end is the first instant that is no longer in it: the anchor is the day before (rule 1).
    day = local_day(anchor - 1 if deadline.anchor == "period_end" else anchor, where)
    last = shift_months(day, deadline.n) if deadline.unit == "months" else day + timedelta(days=deadline.n)
    return _Moment.end_of(last, where)


def _business_days_before(day: date, n: int) -> date:
    """Return the n-th day before `day` that is no Saturday or Sunday; `day` itself for none."""
    if n == 0:
        return day
    if day.weekday() >= _SATURDAY:
        day += (7 - day.weekday()) * DAY  # the same business days lie before the Monday that follows
    day -= n // 5 * 7 * DAY
    for _ in range(n % 5):
        day -= DAY if day.weekday() else 3 * DAY
    return day
