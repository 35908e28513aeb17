"""Deadlines in words: what must be done, how long after what, on whose calendar, and how much earlier to act."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from slaguard.spec.calendar import PeriodUnit
from slaguard.spec.explain_words import MONTHS, WEEKDAYS, clock, counted, day
from slaguard.spec.labels import Label, shift_months
from slaguard.spec.model import Agreement, Deadline
from slaguard.spec.zones import DAY

DEADLINE_WORDS: Final = {
    "notify": "Tell the vendor",
    "claim": "Send the claim",
    "ticket": "Open a ticket",
    "dispute": "Dispute the vendor's answer",
    "terminate": "Give notice of termination",
}
ANCHOR_WORDS: Final = {
    "period_end": "the last day of the period",
    "invoice_date": "the date of the invoice, once you have recorded it",
    "awareness": "the moment you became aware of it, once you have recorded it",
    "notice_sent": "the day you sent notice, once you have recorded it",
    "vendor_report": "the date of the vendor's report, once you have recorded it",
    "incident_start": "an incident began (a recorded one, else the downtime that was found)",
    "incident_end": "an incident ended (a recorded one, else the downtime that was found)",
    "incident_month_end": "the last day of the month in which an incident began",
    "billing_month_end": "the last day of the billing cycle in which an incident began",
    "eligibility": "you became eligible, read both as the end of a downtime and as the end of the period",
    "nth_failed_period_end": "the last day of the period that failed for the n-th time",
}
_UNITS: Final = {
    "hours": "hour", "days": "day", "business_days": "business day", "months": "month", "billing_cycles": "billing cycle",
}  # fmt: skip
_ROLLS: Final = {
    "none": "A last day that is no business day stays the last day.",
    "next_business_day": "A last day that is no business day moves to the next business day.",
    "previous": "A last day that is no business day moves back to the business day before.",
}


def deadline_words(agreement: Agreement, term: Deadline) -> str:
    """Return a deadline as sentences, with the date for the first period where the calendar alone gives it."""
    end_of_period = term.unit == "hours" and term.anchor == "period_end"
    anchor = "the end of the period" if end_of_period else ANCHOR_WORDS[term.anchor]
    when = f"{counted(term.n, _UNITS[term.unit])} after {anchor}"
    until = (
        f"at the latest {when}, to the minute ({term.time_zone})"
        if term.unit == "hours"
        else f"at the latest on the day {when}; that day ends at 24:00 {clock(term.time_zone)} ({term.time_zone})"
    )
    if term.unit == "billing_cycles":
        until = until.replace("on the day", "on the last day of the billing cycle that is", 1)
    whose = "the business days above" if term.calendar else "Monday to Friday"
    kind = f" ({whose})" if term.margin.unit == "business_days" else ""
    act = f"slaguard asks you to act {counted(term.margin.n, _UNITS[term.margin.unit])}{kind} earlier."
    return " ".join([f"{DEADLINE_WORDS[term.type]} {until}.", *_calendar(term), *_example(agreement, term), act])


def _calendar(term: Deadline) -> list[str]:
    said = []
    if term.calendar is not None:
        said.append(f"Business days leave out weekends and the public holidays of {term.calendar}.")
    if term.start_day is not None:
        said.append(f"A billing cycle begins on day {term.start_day} of a month.")
    if term.roll is not None:
        said.append(_ROLLS[term.roll])
    return said


def _example(agreement: Agreement, term: Deadline) -> list[str]:
    """Return the date for the first period, where the calendar alone gives it."""
    plain = term.unit in {"days", "months"} and term.roll in {None, "none"}
    if term.anchor != "period_end" or not plain or term.time_zone != agreement.time_zone:
        return []
    label = Label.around(agreement.effective, agreement.period)
    try:
        last = min(label.after - DAY, agreement.expires or date.max)
        due = last + timedelta(days=term.n) if term.unit == "days" else shift_months(last, term.n)
    except (OverflowError, ValueError):  # beyond the last day of the calendar
        return []
    return [f"For the first period, {_label(label)}, that is {WEEKDAYS[due.weekday()]} {day(due)}."]


def _label(label: Label) -> str:
    return f"{MONTHS[label.first.month - 1]} {label.first.year}" if label.unit is PeriodUnit.MONTH else str(label)
