"""From a period as people write it to UTC instants: everything that depends on a calendar or a zone happens here.

A calendar period is as long as it is: Berlin's October has 44,700 minutes and its March 44,580, and "a month" is never
30 days. Only the Agreement's own periods make a claim; any other span is a look.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from typing import Final
from zoneinfo import ZoneInfo

from slaguard.errors import ConfigError
from slaguard.spec.calendar import PeriodUnit, stated_days, unit_of
from slaguard.spec.in_force import amended, ids_in_force
from slaguard.spec.labels import FIRST_YEAR, LAST_YEAR, Label, Look, parse_period, refused
from slaguard.spec.model import Agreement
from slaguard.spec.period import Part, ResolvedPeriod, Span
from slaguard.spec.schedule import Piece, first_label, fitted, own_pieces, piece, pieces, pieces_before
from slaguard.spec.service import service_spans
from slaguard.spec.working_days import holidays_version
from slaguard.spec.zones import DAY, local_day, midnight, tzdata_version, zone

_FOREVER: Final = 1 << 63
_DAY_NS: Final = 86_400 * 10**9
_AROUND: Final = 2 * _DAY_NS
"""Service hours are told so far past both edges, for rules that look across them."""
_MONTHS_IN: Final = {PeriodUnit.MONTH: 1, PeriodUnit.QUARTER: 3, PeriodUnit.YEAR: 12}


def resolve(agreement: Agreement, period_text: str) -> ResolvedPeriod:
    """Return a period of an Agreement as UTC instants, half-open, cut to the time the Agreement is in force.

    Args:
        agreement: the normal form; its zone, its period and its days in force are read.
        period_text: ``2026-10-05``, ``2026-W41``, ``2026-10``, ``2026-Q4``, ``2026``, ``FQ2026-10``, ``FY2026-04``,
            ``BC2026-10-12``, ``30d-to-2026-10-31``, a part of one of them (``2026-10.2``), or ``START/END`` (RFC 3339).

    Raises:
        ConfigError: the text is no period, or lies outside the time the Agreement is in force, or is not judged alone.
        ValueError: the Agreement's zone is unknown.

    """
    where = zone(agreement.time_zone)
    asked = parse_period(period_text)
    if isinstance(asked, Label):
        asked = fitted(agreement, asked)
        if asked.unit == agreement.period:
            return _own(agreement, piece(agreement, asked), where)
        if asked.part:
            raise refused(period_text, "only a period of the Agreement's own has parts", f"ask for {asked.whole}")
    return _look(agreement, asked, period_text, where)


def last_closed(agreement: Agreement, now_ns: int) -> str:
    """Return the label of the Agreement's own period that closed last, at or before `now_ns`.

    Raises:
        ConfigError: none has closed yet.
        ValueError: the Agreement's zone is unknown.

    """
    where = zone(agreement.time_zone)
    force = _in_force(agreement, where)
    label = Label.around(local_day(min(now_ns, force[1] - 1), where) + DAY, agreement.period).next
    while label.after > agreement.effective:
        for one in reversed(pieces(agreement, label)):
            start, end = _span_of(one, where)
            if start < end <= now_ns:
                return str(one.label)
        label = label.before
    first = first_label(agreement)
    why = f"no period of {agreement.name} {agreement.version} has closed yet; the first is {first}"
    raise refused("the last closed period", why, f"name the period to look at it before it closes: {first}")


def own_periods(agreement: Agreement, since: date, until: date | None = None) -> Iterator[ResolvedPeriod]:
    """Yield the Agreement's own periods that touch the local days from `since` to `until` (None: without an end), in order.

    A day that the clock skipped is no period, and what is not judged alone (a cut first period that is left out) is none.
    """
    where = zone(agreement.time_zone)
    for one in own_pieces(agreement, since, until):
        start, end = _span_of(one, where)
        if start < end:
            yield _own(agreement, one, where)


def own_period(agreement: Agreement, day: date) -> ResolvedPeriod | None:
    """Return the Agreement's own period that a local day lies in (the window that ends with it); None where there is none."""
    return next(own_periods(agreement, day, day), None)


def periods_before(agreement: Agreement, label: str) -> Iterator[ResolvedPeriod]:
    """Yield the Agreement's own periods before one of them, the latest first."""
    where = zone(agreement.time_zone)
    asked = parse_period(label)
    if not isinstance(asked, Label):
        return
    here = fitted(agreement, asked)
    if here.part:
        earlier = [one for one in pieces(agreement, here.whole) if one.label.part < here.part]
        yield from (_own(agreement, one, where) for one in reversed(earlier))
    for one in pieces_before(agreement, Piece(here, here.first, here.after)):
        start, end = _span_of(one, where)
        if start < end:
            yield _own(agreement, one, where)


# ── an own period ───────────────────────────────────────────────────────────────────────────────────────────────────
def _own(agreement: Agreement, one: Piece, where: ZoneInfo, *, alone: bool = False) -> ResolvedPeriod:
    """Return an own period; `alone`: without those before it."""
    span = _span_of(one, where)
    if span[0] >= span[1]:
        raise refused(str(one.label), f"the clock of {agreement.time_zone} skipped this day", "choose another day")
    whole = pieces(agreement, one.label.whole)
    ids = ids_in_force(agreement, whole[0].first, one.first)
    terms = amended(agreement, ids)
    stated = _stated(terms, one)
    return ResolvedPeriod(
        label=str(one.label),
        start=span[0],
        end=span[1],
        zone=agreement.time_zone,
        own=True,
        months=_touched(span, PeriodUnit.MONTH, where),
        days=_touched(span, PeriodUnit.DAY, where),
        tzdata=tzdata_version(),
        notes=(*_edges(agreement, one), *_amended(agreement, ids), *_as_stated(terms, span, stated)),
        service=_service(terms, span, where),
        earlier=() if alone else _earlier(agreement, terms, one, where),
        fee_share=one.fee_share,
        parts=_parts(whole, where) if one.label.part else (),
        stated=stated,
        amendments=ids,
        holidays=_holidays(terms),
    )


def _span_of(one: Piece, where: ZoneInfo) -> Span:
    return midnight(max(one.first, date(FIRST_YEAR, 1, 1)), where), midnight(one.after, where)


def _parts(whole: tuple[Piece, ...], where: ZoneInfo) -> tuple[Part, ...]:
    return tuple((str(one.label), *_span_of(one, where)) for one in whole)


def _earlier(agreement: Agreement, terms: Agreement, one: Piece, where: ZoneInfo) -> tuple[ResolvedPeriod, ...]:
    """Return the periods before it that some figure is averaged with; fewer where the Agreement is younger."""
    most = max((o.average_with_previous or 0 for o in terms.objectives), default=0)
    if not most:
        return ()
    before = [p for p in pieces(agreement, one.label.whole) if p.label.part < one.label.part]
    found = [*reversed(before), *islice(pieces_before(agreement, one), most)]
    return tuple(_own(agreement, p, where, alone=True) for p in found[:most])


def _stated(agreement: Agreement, one: Piece) -> int | None:
    """Return how long the clause says that a period is; a cut or split one is as long as it is."""
    days, unit = stated_days(agreement.month_length), unit_of(agreement.period)
    if days is None or unit not in _MONTHS_IN or (one.first, one.after) != (one.label.first, one.label.after):
        return None
    length = days * _MONTHS_IN[unit] * _DAY_NS
    return int(length)


def _service(agreement: Agreement, span: Span, where: ZoneInfo) -> tuple[Span, ...] | None:
    if agreement.service_hours is None:
        return None
    return service_spans(agreement.service_hours, (span[0] - _AROUND, span[1] + _AROUND), where)


def _holidays(agreement: Agreement) -> str | None:
    deadlines = agreement.claim.deadlines if agreement.claim is not None else ()
    named = agreement.service_hours is not None and agreement.service_hours.holidays is not None
    return holidays_version() if named or any(d.calendar for d in deadlines) else None


def _edges(agreement: Agreement, one: Piece) -> Iterator[str]:
    label, word = one.label, agreement.period.value
    if label.part:
        days = f"{one.first} to {one.after - DAY}"
        yield f"an amendment splits {label.whole}: this is part {label.part}, {days}, with its days' share of the fee"
        return
    if one.first > label.first:
        yield f"the Agreement is in force from {agreement.effective}: the period is cut to begin there"
    elif one.first < label.first:
        yield f"the cut first {word}, from {agreement.effective}, is judged with this one"
    if one.after < label.after:
        yield f"the Agreement ends with {agreement.expires}: the period is cut to end there"
    elif one.after > label.after:
        yield f"the cut last {word}, to {agreement.expires}, is judged with this one"


def _amended(agreement: Agreement, ids: tuple[str, ...]) -> Iterator[str]:
    for one in agreement.amendments:
        if one.id in ids:
            yield f"the amendment {one.id} ({one.clause}), effective {one.effective}, is in force in this period"


def _as_stated(agreement: Agreement, span: Span, stated: int | None) -> Iterator[str]:
    if stated is not None:
        minutes, real = Fraction(stated, 60 * 10**9), Fraction(span[1] - span[0], 60 * 10**9)
        yield (
            f"by its clause a month counts as {str(agreement.month_length)[:-1]} days: "
            f"the period as {_number(minutes)} minutes, while it has {_number(real)}"
        )


def _number(value: Fraction) -> str:
    return f"{Decimal(value.numerator) / value.denominator:,}"


# ── a look ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _look(agreement: Agreement, asked: Label | Look, text: str, where: ZoneInfo) -> ResolvedPeriod:
    whole, force = _span(asked, where), _in_force(agreement, where)
    span = max(whole[0], force[0]), min(whole[1], force[1])
    if whole[0] >= whole[1]:
        raise refused(text, f"the clock of {agreement.time_zone} skipped this day", "choose another day")
    if span[0] >= span[1]:
        raise _outside(agreement, text)
    first = local_day(span[0], where)
    ids = ids_in_force(agreement, first, first)
    terms = amended(agreement, ids)
    return ResolvedPeriod(
        label=str(asked),
        start=span[0],
        end=span[1],
        zone=agreement.time_zone,
        own=False,
        months=_touched(span, PeriodUnit.MONTH, where),
        days=_touched(span, PeriodUnit.DAY, where),
        tzdata=tzdata_version(),
        notes=(*_notes(agreement, asked, whole, span), *_amended(agreement, ids)),
        service=_service(terms, span, where),
        amendments=ids,
        holidays=_holidays(terms),
    )


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
    why = f"{agreement.name} {agreement.version} is in force from {agreement.effective}{until}"
    return refused(text, why, f"choose a period in that time; the first is {first_label(agreement)}")


def _touched(span: Span, unit: PeriodUnit, where: ZoneInfo) -> tuple[Span, ...]:
    """Return the calendar months or days that touch a span, whole."""
    label = Label.around(local_day(span[0], where), unit).before
    found: list[Span] = []
    while (one := _span(label, where))[0] < span[1]:
        if one[1] > span[0] and one[0] < one[1]:
            found.append(one)
        label = label.next
    return tuple(found)


def _notes(agreement: Agreement, asked: Label | Look, whole: Span, span: Span) -> Iterator[str]:
    word = agreement.period.value
    if isinstance(asked, Look):
        yield f"{asked} is a look: only a {word} of the Agreement makes a claim"
    else:
        yield f"{asked} is a {asked.unit.value} and so a look: only a {word} of the Agreement makes a claim"
    if span[0] > whole[0]:
        yield f"the Agreement is in force from {agreement.effective}: the period is cut to begin there"
    if span[1] < whole[1]:
        yield f"the Agreement ends with {agreement.expires}: the period is cut to end there"
