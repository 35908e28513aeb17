"""deadlines.ics: the last day to act, and the day to act by with time in hand, for any calendar.

A deadline at midnight is an event of the whole local day that ends there, so that every calendar shows the right day; any
other is an instant. Identities depend on the contract and the period alone: a later report moves an event, it adds none.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from icalendar import Alarm, Event
from icalendar import Calendar as Document

from slaguard.evaluation.result import DeadlinePart, Evaluation
from slaguard.records import NS
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.moments import Calendar, period_name
from slaguard.reports.payout import DEADLINE_WORDS
from slaguard.reports.standing import Standing, claimable, deadline_calendar, standing_of
from slaguard.reports.words import clean, money, title
from slaguard.terms import Verdict

WARNING: Final = timedelta(days=7)
"""How long before an event the calendar reminds."""


def deadlines_ics(inputs: ClaimInputs) -> bytes | None:
    """Return the calendar file; None where no date is known, or nothing can come of the period.

    A period in which every promise was kept, a broken promise without a credit, and a look need no calendar.
    """
    evaluation, standing = inputs.evaluation, standing_of(inputs)
    known = [deadline for deadline in evaluation.deadlines if deadline.due is not None]
    if not known or standing in {Standing.LOOK, Standing.NOTHING, Standing.UNPRICED}:
        return None
    document = Document()
    document.add("prodid", f"-//slaguard//slaguard {clean(inputs.version, 40)}//EN")
    document.add("version", "2.0")
    document.add("method", "PUBLISH")
    calendar = Calendar.of(evaluation.period.time_zone)
    for deadline in known:
        local = deadline_calendar(inputs, deadline, calendar)
        for event in _events(inputs, deadline, local):
            document.add_component(event)
    return bytes(document.to_ical())


def _events(inputs: ClaimInputs, deadline: DeadlinePart, local: Calendar) -> list[Event]:
    evaluation = inputs.evaluation
    word = DEADLINE_WORDS.get(deadline.type, title(deadline.type)).lower()
    vendor = clean(evaluation.agreement.vendor, 80)
    found = []
    if deadline.act_by is not None and deadline.due is not None and deadline.act_by < deadline.due:
        summary = f"Act by: {word}, {vendor}, {period_name(evaluation.period.label)}{_amount(evaluation)}"
        found.append(_event(inputs, deadline, local, (deadline.act_by, "act", summary)))
    if deadline.due is not None:
        summary = f"Last day: {word}, {vendor}, {period_name(evaluation.period.label)}{_amount(evaluation)}"
        found.append(_event(inputs, deadline, local, (deadline.due, "due", summary)))
    return found


def _event(inputs: ClaimInputs, deadline: DeadlinePart, local: Calendar, what: tuple[int, str, str]) -> Event:
    at, kind, summary = what
    event = Event()
    event.add("uid", _identity(inputs.evaluation, deadline, kind))
    event.add("dtstamp", instant(inputs.evaluation.as_of))
    event.add("summary", summary)
    event.add("description", _description(inputs, deadline, local))
    if local.is_midnight(at):
        day = local.last_day(at)
        event.add("dtstart", day)
        event.add("dtend", day + timedelta(days=1))
    else:
        event.add("dtstart", instant(at))
    event.add("transp", "TRANSPARENT")
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", summary)
    alarm.add("trigger", -WARNING)
    event.add_component(alarm)
    return event


def instant(ns: int) -> datetime:
    """Return an instant to the second, in UTC."""
    return datetime.fromtimestamp(ns // NS, UTC)


def _identity(evaluation: Evaluation, deadline: DeadlinePart, kind: str) -> str:
    agreement, period = evaluation.agreement, evaluation.period.label
    parties = (agreement.vendor, agreement.customer, agreement.contract, agreement.name)
    names = (*parties, period, deadline.type, deadline.anchor, kind)
    return f"{hashlib.sha256(chr(0).join(names).encode()).hexdigest()[:32]}@slaguard"


def _amount(evaluation: Evaluation) -> str:
    part = evaluation.credits
    if part is None or not claimable(evaluation) or not evaluation.period.closed:
        return ""
    return f": {money(part.claimable, part.currency)}".replace("\u00a0", " ")


def _description(inputs: ClaimInputs, deadline: DeadlinePart, local: Calendar) -> str:
    evaluation = inputs.evaluation
    lines = [f"Contract {clean(evaluation.agreement.contract, 120)}, {clean(evaluation.agreement.customer, 120)}."]
    if deadline.due is not None:
        lines.append(f"Due {local.deadline_day(deadline.due)}, {local.end_time(deadline.due)} {local.clock}.")
    if deadline.reason:
        lines.append(f"{clean(deadline.reason)}.")
    if inputs.agreement.claim is not None:
        lines.append(f"How: {clean(inputs.agreement.claim.channel, 200)}.")
    broken = [clean(result.name, 60) for result in evaluation.objectives if result.verdict is Verdict.BREACH]
    lines.append(f"Broken: {', '.join(broken)}." if broken else "Nothing is shown to be broken so far.")
    return " ".join(lines)
