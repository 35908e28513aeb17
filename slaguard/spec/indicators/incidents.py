"""Rules over outages that somebody states: a status page, a ticket system (`contracts.md` archetypes U7 and U8)."""

from __future__ import annotations

from typing import Literal

from slaguard.spec.conditions import SetOf, Term
from slaguard.spec.scalars import Duration, Words


class OutageRule(Term):
    """What rules over stated outages share; uptime is time, and stated outages that overlap count once."""

    severities: SetOf[Words] | None = None
    """The severities, in the words of who states them, that are outages; absent: every stated incident is one."""
    stated_by: SetOf[Words] | None = None
    """Whose statements count (`source` of an Incident); absent: anyone's."""
    outage_rounding: Literal["up", "down"] | None = None
    """Each outage inside the period is rounded to whole minutes; absent: it is as long as it is."""


class OutagesMinLength(OutageRule):
    """Outages of at least a length are downtime, whole (U7)."""

    rule: Literal["outages_min_length"]
    """The rule's name."""
    min_length: Duration
    """An outage shorter than this is none; its whole length is compared, also what lies outside the period."""


class ReportClock(OutageRule):
    """Downtime runs from the customer's ticket to the restoration (U8)."""

    rule: Literal["report_clock"]
    """The rule's name."""
    ticket_within: Duration
    """A ticket is in time when opened at most this long after the customer became aware of the outage."""
    late_ticket: Literal["from_ticket", "zero"]
    """An outage whose ticket is late: counted from the ticket, or not at all."""
    no_ticket: Literal["zero", "from_start"]
    """An outage without a ticket: not counted at all, or counted from its start."""
