"""From a period as people write it to UTC instants: everything that depends on a calendar or a zone happens here.

A calendar period is as long as it is: Berlin's October has 44,700 minutes and its March 44,580, and "a month" is never
30 days. Only the Agreement's own periods make a claim; any other span is a look.
"""

from __future__ import annotations

from datetime import date
from typing import Final
from zoneinfo import ZoneInfo

from slaguard.errors import ConfigError
from slaguard.spec.labels import FIRST_YEAR, LAST_YEAR, Label, Look, parse_period, refused
from slaguard.spec.model import Agreement, PeriodUnit
from slaguard.spec.period import ResolvedPeriod, Span
from slaguard.spec.zones import DAY, local_day, midnight, tzdata_version, zone

_FOREVER: Final = 1 << 63


def resolve(agreement: Agreement, period_text: str) -> ResolvedPeriod:
    """Return a period of an Agreement as UTC instants, half-open, cut to the time the Agreement is in force.

    Args:
        agreement: the normal form; its zone, its period and its days in force are read.
        period_text: ``2026-10-05``, ``2026-10``, ``2026-Q4``, ``2026``, or ``START/END`` (RFC 3339 with offsets).

    Raises:
        ConfigError: the text is no period, or lies outside the time the Agreement is in force.
        ValueError: the Agreement's zone is unknown.

    """
    where = zone(agreement.time_zone)
    asked = parse_period(period_text)
    whole, force = _span(asked, where), _in_force(agreement, where)
    span = max(whole[0], force[0]), min(whole[1], force[1])
    if whole[0] >= whole[1]:
        raise refused(period_text, f"the clock of {agreement.time_zone} skipped this day", "choose another day")
    if span[0] >= span[1]:
        raise _outside(agreement, period_text)
    return ResolvedPeriod(
        label=str(asked),
        start=span[0],
        end=span[1],
        zone=agreement.time_zone,
        own=isinstance(asked, Label) and asked.unit is agreement.period,
        months=_touched(span, PeriodUnit.MONTH, where),
        days=_touched(span, PeriodUnit.DAY, where),
        tzdata=tzdata_version(),
        notes=_notes(agreement, asked, whole, span),
    )


def last_closed(agreement: Agreement, now_ns: int) -> str:
    """Return the label of the Agreement's own period that closed last, at or before `now_ns`.

    Raises:
        ConfigError: none has closed yet.
        ValueError: the Agreement's zone is unknown.

    """
    where = zone(agreement.time_zone)
    force = _in_force(agreement, where)
    label = Label.around(local_day(min(now_ns, force[1] - 1), where) + DAY, agreement.period)
    while label.after > agreement.effective:
        start, end = _span(label, where)
        if max(start, force[0]) < min(end, force[1]) <= now_ns:
            return str(label)
        label = label.before
    first = Label.around(agreement.effective, agreement.period)
    why = f"no period of {agreement.name} {agreement.version} has closed yet; the first is {first}"
    raise refused("the last closed period", why, f"name the period to look at it before it closes: {first}")


def _span(asked: Label | Look, where: ZoneInfo) -> Span:
    if isinstance(asked, Look):
        return asked.start, asked.end
    return midnight(asked.first, where), midnight(asked.after, where)


def _in_force(agreement: Agreement, where: ZoneInfo) -> Span:
    """Return the time an Agreement is in force; days beyond the years that periods can have stand for "always"."""
    start = midnight(max(agreement.effective, date(FIRST_YEAR, 1, 1)), where)
    expires = agreement.expires
    return start, _FOREVER if expires is None or expires.year > LAST_YEAR else midnight(expires + DAY, where)


def _outside(agreement: Agreement, text: str) -> ConfigError:
    until = f" to {agreement.expires}" if agreement.expires else ""
    first = Label.around(agreement.effective, agreement.period)
    why = f"{agreement.name} {agreement.version} is in force from {agreement.effective}{until}"
    return refused(text, why, f"choose a period in that time; the first is {first}")


def _touched(span: Span, unit: PeriodUnit, where: ZoneInfo) -> tuple[Span, ...]:
    """Return the calendar months or days that touch a span, whole."""
    label = Label.around(local_day(span[0], where), unit).before
    found: list[Span] = []
    while (one := _span(label, where))[0] < span[1]:
        if one[1] > span[0] and one[0] < one[1]:
            found.append(one)
        label = label.next
    return tuple(found)


def _notes(agreement: Agreement, asked: Label | Look, whole: Span, span: Span) -> tuple[str, ...]:
    notes = []
    if isinstance(asked, Look):
        notes.append(f"{asked} is a look: only a {agreement.period.value} of the Agreement makes a claim")
    elif asked.unit is not agreement.period:
        unit = asked.unit.value
        notes.append(f"{asked} is a {unit} and so a look: only a {agreement.period.value} of the Agreement makes a claim")
    if span[0] > whole[0]:
        notes.append(f"the Agreement is in force from {agreement.effective}: the period is cut to begin there")
    if span[1] < whole[1]:
        notes.append(f"the Agreement ends with {agreement.expires}: the period is cut to end there")
    return tuple(notes)
