"""The seam between the calendar and the evaluation: everything that depends on a zone, as UTC instants."""

from __future__ import annotations

from dataclasses import dataclass

Span = tuple[int, int]


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

    @property
    def span(self) -> Span:
        """The half-open interval."""
        return (self.start, self.end)
