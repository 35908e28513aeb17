"""What an Upptime status page saw, as stated outages: its check events are read, and the time between them is what counts.

Upptime looks about every five minutes and writes an event when a site's state changes, and about once a day besides. So
the share of rows says nothing: an outage is the time from a `down` to the next `up` of the same site, and a site is
accounted for from its first event to its last.
Source: the Upptime project's own description of its history (github.com/upptime/upptime).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Final

from slaguard.imports.cells import RowError
from slaguard.imports.convert import Context
from slaguard.imports.rows import Row
from slaguard.imports.scalars import CoversTerm
from slaguard.imports.times import ISO, Zoned
from slaguard.imports.values import shown
from slaguard.records import Fact, Incident, Record
from slaguard.terms import Source

NAME: Final = "upptime"
COLUMNS: Final = frozenset({"committed_at", "site", "state", "http_code", "response_ms"})
STATED_BY: Final = "status page"
SEVERITY: Final = "down"
_NO_SLUG = re.compile(r"[^a-z0-9]+")


def slug(site: str) -> str:
    """Return a site's name as an Agreement's service id: ``OpenAI API`` is ``openai-api``."""
    return _NO_SLUG.sub("-", site.lower()).strip("-")


class Upptime:
    """A Converter of Upptime's check events; the Incidents come when all rows are read, since rows may be in any order."""

    name = NAME

    def __init__(self, context: Context) -> None:
        """Take nothing but the rows: a status page does not say whose vendor a site is."""
        del context
        self._read = Zoned(ISO, None)
        self._events: dict[str, dict[int, bool]] = {}

    @classmethod
    def recognises(cls, columns: Collection[str]) -> bool:
        """Tell whether a header is that of Upptime's events."""
        return set(columns) >= COLUMNS

    @property
    def covers(self) -> tuple[Source, CoversTerm] | None:
        """Return None: what is accounted for stands in the events, site by site."""
        return None

    def convert(self, row: Row, file: int) -> list[Record]:
        """Take note of an event; nothing can be said of it alone.

        Raises:
            RowError: no time, no site, or a state that is neither up nor down.

        """
        del file
        site, state = slug(row.cells.get("site", "")), row.cells.get("state", "").strip().lower()
        if not site:
            raise RowError("site", "the site has no name")
        if state not in {"up", "down", "degraded"}:
            raise RowError("state", f"{shown(state)} is none of up, down, degraded")
        try:
            moment = self._read(row.cells.get("committed_at", ""))
        except ValueError as error:
            raise RowError("committed_at", str(error)) from None
        at = self._events.setdefault(site, {})
        at[moment] = at.get(moment, False) or state == "down"
        return []

    def keep(self, record: Record, row: Row) -> None:
        """Nothing is expected of a status page."""

    def closing(self) -> Iterator[Record]:
        """Yield the outages of each site, and from when to when its list is complete."""
        for site, events in sorted(self._events.items()):
            moments = sorted(events)
            began: int | None = None
            for moment in moments:
                if events[moment] and began is None:
                    began = moment
                elif not events[moment] and began is not None:
                    yield _incident(site, began, moment)
                    began = None
            if began is not None:
                yield _incident(site, began, None)
            if len(moments) > 1:
                yield _log(site, moments[0], moments[-1])

    def gaps(self) -> tuple[str, ...]:
        """Return how far apart the events are: between two of them a change was looked for, not proved absent."""
        apart = [b - a for events in self._events.values() for a, b in pairwise(sorted(events))]
        if not apart:
            return ()
        return (
            f"between two events of a site the state is taken to last; the longest gap is {max(apart) // 3600 / 10**9:.0f} h",
        )


def _incident(site: str, start: int, end: int | None) -> Incident:
    return Incident(id=f"{NAME}/{site}/{start}", start=start, end=end, severity=SEVERITY, source=STATED_BY, service=site)


def _log(site: str, start: int, end: int) -> Fact:
    return Fact(
        id=f"{NAME}/{site}/{start}-{end}", type="incident_log", when=end, by=STATED_BY, reference=site, start=start, end=end
    )
