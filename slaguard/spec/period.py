"""The seam between the calendar and the evaluation: everything that depends on a zone, as UTC instants."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

Span = tuple[int, int]
Part = tuple[str, int, int]
"""A part of a split period: its label, and its start and end."""


@dataclass(frozen=True, slots=True)
class ResolvedPeriod:
    """One period of one Agreement in UTC nanoseconds, half-open, and what of the calendar the evaluation needs.

    `own` is true for the Agreement's own periods (only those make a claim), false for an explicit START/END look.
    `months` are the calendar months that touch the period, for caps per month. `days` are its local days.
    """

    label: str
    start: int
    end: int
    zone: str
    own: bool
    months: tuple[Span, ...]
    days: tuple[Span, ...]
    tzdata: str
    notes: tuple[str, ...] = ()
    service: tuple[Span, ...] | None = None
    """The service hours of a wide span around the period, merged; None: all time is service time."""
    earlier: tuple[ResolvedPeriod, ...] = ()
    """The periods before it that a figure is averaged with, the latest first."""
    fee_share: Fraction = Fraction(1)
    """The share of the period's fee that is this part's: its days, where an amendment splits the period."""
    parts: tuple[Part, ...] = ()
    """The parts that an amendment splits the whole period into, in order; empty where the period is not split."""
    stated: int | None = None
    """How long the clause says that the period is, in nanoseconds; None: as long as it is."""
    amendments: tuple[str, ...] = ()
    """The ids of the amendments in force, in order."""
    holidays: str | None = None
    """The version of the holiday calendars in use; None: none is used."""

    @property
    def span(self) -> Span:
        """The half-open interval."""
        return (self.start, self.end)

    @property
    def service_in(self) -> tuple[Span, ...]:
        """The service time inside the period."""
        if self.service is None:
            return (self.span,)
        cut = ((max(a, self.start), min(b, self.end)) for a, b in self.service)
        return tuple(one for one in cut if one[1] > one[0])
