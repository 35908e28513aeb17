"""Promises about outages that somebody states, in sentences."""

from __future__ import annotations

from slaguard.spec.explain_words import duration, listing, value
from slaguard.spec.indicators import OutageRule, OutagesMinLength, ReportClock

_ROUNDING = {
    None: "Each outage is as long as it is.",
    "up": "Each outage is rounded up to whole minutes.",
    "down": "Each outage is rounded down to whole minutes.",
}


def down(rule: OutageRule) -> str:
    """Return which time is down, as the second half of the promise's sentence."""
    match rule:
        case OutagesMinLength():
            return f"time is down in every stated outage of at least {duration(rule.min_length)}, counted whole"
        case ReportClock():
            return "an outage is down from your ticket, or its start where that is later, until it is restored"
        case _:
            return "time is down in every stated outage"


def edges(rule: OutageRule) -> list[str]:
    """Return which statements count, and how long an outage is."""
    severities = f" of the severity {listing(map(value, rule.severities), 'or')}" if rule.severities is not None else ""
    whose = (
        f" as stated by {listing(map(value, rule.stated_by), 'or')}" if rule.stated_by is not None else ", whoever states them"
    )
    lines = [f"Outages are the incidents{severities} that were recorded{whose}; where they overlap they count once."]
    if isinstance(rule, OutagesMinLength):
        lines.append("Its whole length is compared, also what lies outside the period; inside it counts.")
    if isinstance(rule, ReportClock):
        lines += _ticket(rule)
    log = "Time for which nobody said that the list of incidents is complete (an incident_log) was not watched."
    return [*lines, _ROUNDING[rule.outage_rounding], log]


def _ticket(rule: ReportClock) -> list[str]:
    late = {"from_ticket": "it counts from the ticket all the same", "zero": "it does not count"}[rule.late_ticket]
    none = {"zero": "does not count", "from_start": "counts from its start"}[rule.no_ticket]
    within = duration(rule.ticket_within)
    return [
        f"The ticket is in time at most {within} after you became aware of the outage; where it came later, {late}.",
        f"An outage without a ticket {none}. Without a record of when you became aware, its start is taken.",
    ]
