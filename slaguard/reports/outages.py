"""The stretches of downtime of a promise over intervals, as a table whose lines add up."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from slaguard.evaluation.result import EventPart
from slaguard.reports.moments import Calendar, length
from slaguard.reports.subjects import Subject
from slaguard.reports.tally import must_add_up
from slaguard.reports.words import count

MOST_LINES: Final = 12


@dataclass(frozen=True, slots=True)
class OutageLine:
    """One stretch, or all the smaller ones together."""

    when: str
    long: str
    lost: str


@dataclass(frozen=True, slots=True)
class OutageTable:
    """The worst stretches in time order, the rest in one line, and the sum."""

    lines: tuple[OutageLine, ...]
    total: str
    lost: str
    """What was lost: intervals or minutes."""


def outage_table(subject: Subject, calendar: Calendar, most: int = MOST_LINES) -> OutageTable | None:
    """Return the table; None where nothing was lost.

    Raises:
        ReportRefused: the lines do not add up to what the Evaluation lost.

    """
    down = subject.events("down")
    if not down:
        return None
    worst = sorted(down, key=lambda event: (-subject.lost(event), event.start))[:most]
    kept = sorted(worst, key=lambda event: event.start)
    rest = [event for event in down if event not in worst]
    lines = [_line(subject, event, calendar) for event in kept]
    losses = [subject.lost(event) for event in kept]
    if rest:
        losses.append(sum((subject.lost(event) for event in rest), Fraction(0)))
        together = length(sum(event.end - event.start for event in rest))
        lines.append(OutageLine(f"{len(rest):,} more", together, count(losses[-1])))
    must_add_up(f"{subject.result.name}, losses", losses, subject.result.estimate.bad)
    return OutageTable(tuple(lines), count(subject.result.estimate.bad), f"{subject.result.estimate.noun}s lost")


def _line(subject: Subject, event: EventPart, calendar: Calendar) -> OutageLine:
    return OutageLine(calendar.span(event.start, event.end), length(event.end - event.start), count(subject.lost(event)))
