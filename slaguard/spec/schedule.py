"""Which own periods an Agreement has: the first and the last one, and those that an amendment splits, in local days.

The calendar gives labels; an Agreement that begins or ends inside one says what becomes of the rest: it is judged alone
(`partial`), not at all (`skip`), or with the whole period beside it (`merge_with_next`, `merge_with_previous`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction
from itertools import pairwise

from slaguard.spec.amendments import Amendment
from slaguard.spec.calendar import SpelledPeriod, is_rolling
from slaguard.spec.labels import FIRST_YEAR, LAST_YEAR, Label, refused
from slaguard.spec.model import Agreement
from slaguard.spec.zones import DAY


@dataclass(frozen=True, slots=True)
class Piece:
    """One own period, or a part of one, as local days: from the start of `first` to the start of `after`."""

    label: Label
    first: date
    after: date
    fee_share: Fraction = Fraction(1)
    """Its share of the fee: all of it, unless an amendment splits the period."""


def pieces(agreement: Agreement, label: Label) -> tuple[Piece, ...]:
    """Return what is judged under a label of the Agreement's calendar: nothing, one period, or the parts it is split into."""
    days = _days(agreement, label)
    if isinstance(days, str):
        return ()
    first, after = days
    cuts = [first, *(a.effective for a in split_by(agreement, first, after)), after]
    if len(cuts) == 2:
        return (Piece(label, first, after),)
    whole = (after - first).days
    return tuple(
        Piece(replace(label, part=i), a, b, Fraction((b - a).days, whole)) for i, (a, b) in enumerate(pairwise(cuts), 1)
    )


def split_by(agreement: Agreement, first: date, after: date) -> list[Amendment]:
    """Return the amendments that split the days from `first` to before `after`."""
    found = {a.effective: a for a in agreement.amendments if a.within_period == "split" and first < a.effective < after}
    return [found[day] for day in sorted(found)]


def piece(agreement: Agreement, label: Label) -> Piece:
    """Return the period that a label of the Agreement's calendar names.

    Raises:
        ConfigError: it is not judged, or is split and none of its parts is named, or has no such part.

    """
    days = _days(agreement, label.whole)
    if isinstance(days, str):
        raise refused(str(label), days, _mend(agreement))
    found = pieces(agreement, label.whole)
    for one in found:
        if one.label == label:
            return one
    if label.part:
        parts = f"it has {len(found)}" if len(found) > 1 else "it is not split"
        raise refused(str(label), f"{label.whole} has no part {label.part}: {parts}", f"choose {found[-1].label}")
    ids = ", ".join(a.id for a in split_by(agreement, *days))
    listed = ", ".join(f"{one.label} (to {one.after - DAY})" for one in found)
    raise refused(str(label), f"the amendment {ids} splits it, and each part is judged alone", f"choose one of {listed}")


def own_pieces(agreement: Agreement, since: date, until: date | None = None) -> Iterator[Piece]:
    """Yield the own periods that touch the days from `since` to `until` (None: to the end of the calendar), in order."""
    first = max(since, agreement.effective, date(FIRST_YEAR, 1, 1))
    last = min(until or date(LAST_YEAR, 12, 31), agreement.expires or date(LAST_YEAR, 12, 31), date(LAST_YEAR, 12, 31))
    label = Label.around(first, agreement.period)
    while (label.after - DAY if is_rolling(agreement.period) else label.first) <= last:
        yield from (one for one in pieces(agreement, label) if one.after > first and one.first <= last)
        label = label.next


def pieces_before(agreement: Agreement, one: Piece) -> Iterator[Piece]:
    """Yield the own periods before a period, or before the one that it is a part of, the latest first."""
    label = one.label.whole
    while label.after > agreement.effective:
        label = label.before
        if label.after <= date(FIRST_YEAR, 1, 1):
            return
        yield from reversed(pieces(agreement, label))


# ── the first and the last one ──────────────────────────────────────────────────────────────────────────────────────
def _days(agreement: Agreement, label: Label) -> tuple[date, date] | str:
    """Return the days that are judged under a label, from the first to the one after, or why there are none."""
    begins, ends = agreement.effective, _ends(agreement)
    first, after = label.first, label.after
    if after <= begins or (ends is not None and first >= ends):
        return _outside(agreement)
    if is_rolling(agreement.period):
        return _window(agreement, label)
    if first < begins:
        found = _first(agreement, label)
        if found is not None:
            return found
        first = begins
    elif agreement.first_period == "merge_with_next" and label.before.first < begins:
        first = begins
    if ends is None:
        return first, after
    if after > ends:
        found = _last(agreement, label)
        return found if found is not None else (first, ends)
    if agreement.last_period == "merge_with_previous" and after < ends < label.next.after:
        after = ends
    return first, after


def _ends(agreement: Agreement) -> date | None:
    """Return the first day that is no longer in the Agreement's time; a last day beyond all labels stands for none."""
    expires = agreement.expires
    return None if expires is None or expires.year > LAST_YEAR else expires + DAY


def _first(agreement: Agreement, label: Label) -> str | None:
    """Return why the first, cut period is not judged; None where it is."""
    if agreement.first_period == "skip":
        return f"{_begins(agreement)} is not judged"
    alone = agreement.expires is not None and agreement.expires < label.after
    if agreement.first_period == "merge_with_next" and not alone:
        return f"{_begins(agreement)} is judged with the next"
    return None


def _begins(agreement: Agreement) -> str:
    return f"the Agreement is in force from {agreement.effective}, and its cut first {agreement.period.value}"


def _last(agreement: Agreement, label: Label) -> str | None:
    """Return why the last, cut period is not judged; None where it is."""
    if agreement.last_period == "skip":
        return f"{_stops(agreement)} is not judged"
    alone = agreement.effective >= label.first
    if agreement.last_period == "merge_with_previous" and not alone:
        return f"{_stops(agreement)} is judged with the one before"
    return None


def _stops(agreement: Agreement) -> str:
    return f"the Agreement ends with {agreement.expires}, and its cut last {agreement.period.value}"


def _window(agreement: Agreement, label: Label) -> tuple[date, date] | str:
    """Return the days of a rolling window, which ends inside the Agreement's time; the first ones may be cut."""
    ends = _ends(agreement)
    if ends is not None and label.after > ends:
        return _outside(agreement)
    if label.first < agreement.effective and agreement.first_period == "skip":
        return f"the Agreement is in force from {agreement.effective}, and a cut window is not judged"
    return max(label.first, agreement.effective), label.after


def _outside(agreement: Agreement) -> str:
    until = f" to {agreement.expires}" if agreement.expires else ""
    return f"{agreement.name} {agreement.version} is in force from {agreement.effective}{until}"


def first_label(agreement: Agreement) -> Label:
    """Return the label of the first period that is judged; of the first one at all where none is."""
    label = Label.around(agreement.effective, agreement.period)
    for candidate in (label, label.next):
        if found := pieces(agreement, candidate):
            return found[0].label
    return next((one.label for one in own_pieces(agreement, agreement.effective, agreement.effective + 4000 * DAY)), label)


def _mend(agreement: Agreement) -> str:
    return f"choose a period in that time; the first is {first_label(agreement)}"


def fitted(agreement: Agreement, label: Label) -> Label:
    """Return a label under the Agreement's own calendar, where that is what it names; other words of the calendar as they are.

    Raises:
        ConfigError: it names a billing cycle, a fiscal period or a rolling window that the Agreement does not have.

    """
    own = agreement.period
    if not isinstance(label.unit, SpelledPeriod):
        return label
    day = label.after - DAY if is_rolling(label.unit) else label.first
    here = replace(Label.around(day, own), part=label.part)
    if str(here) == str(label):
        return here
    kind = f"{agreement.name} is judged by the {own.value}"
    raise refused(str(label), f"{kind}, and this is none of its own", f"the one there is {here.whole}")
