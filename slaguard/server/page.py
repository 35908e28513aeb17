"""The overview at `/` as data: every text and picture of it, in reading order. The template only lays it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slaguard import __version__
from slaguard.evaluation.snapshot import Snapshot, Standing, Which
from slaguard.reports.words import clean
from slaguard.server.condition import is_blank, status, troubles
from slaguard.server.html import render
from slaguard.server.lead import Figure, common_period, lead, period_word
from slaguard.server.rows import Group, group
from slaguard.spec.load import Loaded


@dataclass(frozen=True, slots=True)
class Section:
    """One table: the periods that have closed, or the open ones."""

    title: str
    remark: str
    groups: tuple[Group, ...]
    blank: tuple[str, ...] = ()
    """Open periods in which nothing was recorded, a line each instead of rows that say so one by one."""


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    status: str
    troubles: tuple[str, ...]
    lead: tuple[Figure, ...]
    sections: tuple[Section, ...]
    waiting: tuple[str, ...]
    """Agreements of which nothing has been judged yet."""
    agreements: int
    broken: int
    judged: str
    version: str


def render_board(snapshot: Snapshot, agreements: Sequence[Loaded], not_ready: str | None, now: int) -> str:
    """Return the page as HTML.

    Args:
        snapshot: what was judged, and how slaguard is.
        agreements: those in force.
        not_ready: why nothing can be shown yet.
        now: UTC nanoseconds.

    """
    return render("board.html.j2", page=page(snapshot, agreements, not_ready, now))


def page(snapshot: Snapshot, agreements: Sequence[Loaded], not_ready: str | None, now: int) -> Page:
    """Return the page's content; see `render_board`."""
    names = {one.agreement.name for one in agreements} | {s.evaluation.agreement.name for s in snapshot.standings}
    vendors = {one.agreement.vendor for one in agreements} | {s.evaluation.agreement.vendor for s in snapshot.standings}
    judged = {s.evaluation.agreement.name for s in snapshot.standings}
    found = _section(snapshot, Which.CLOSED, now), _section(snapshot, Which.CURRENT, now)
    return Page(
        status=status(snapshot, len(vendors), now),
        troubles=troubles(snapshot, not_ready, now),
        lead=lead(snapshot, now) if snapshot.standings else (),
        sections=tuple(section for section in found if section is not None),
        waiting=tuple(clean(name, 80) for name in sorted(names - judged - set(snapshot.failures))),
        agreements=len(names),
        broken=sum(len(s.evaluation.breached) for s in snapshot.standings),
        judged=_judged(snapshot) if snapshot.standings else "",
        version=__version__,
    )


def _section(snapshot: Snapshot, which: Which, now: int) -> Section | None:
    """Return a table; what is earlier stands with what has closed last."""
    closed = which is Which.CLOSED
    everything = snapshot.of(which, Which.EARLIER) if closed else snapshot.of(which)
    if not everything:
        return None
    name = common_period(everything)
    standings = [s for s in everything if not is_blank(s, snapshot)]
    heading = f"{name[:1].upper()}{name[1:]}" if name else "Periods that have closed" if closed else "Open periods"
    groups = [group(s, "" if name else period_word(s), now, f"{which.value}-{i}") for i, s in enumerate(standings)]
    return Section(
        title=f"{heading}, so far" if name and not closed else heading,
        remark="closed: this is what a claim rests on" if closed else "open: a verdict is final only where the row says so",
        groups=tuple(sorted(groups, key=lambda one: not one.broken)),
        blank=tuple(_blank(s) for s in everything if is_blank(s, snapshot)),
    )


def _blank(standing: Standing) -> str:
    who = standing.evaluation.agreement
    name = f"{clean(who.vendor, 120)} ({clean(who.name, 80)}), {period_word(standing)}"
    return f"{name}: nothing that counts is recorded, and no probe asks."


def _judged(snapshot: Snapshot) -> str:
    at = snapshot.telemetry.evaluated_at or snapshot.taken_at
    return f"{datetime.fromtimestamp(at // 1_000_000_000, UTC):%Y-%m-%d %H:%M} UTC"
