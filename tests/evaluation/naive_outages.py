"""Stated outages by hand: which incidents count, from when, and how much of the period they take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slaguard.records import Fact, Incident
from tests.evaluation.naive_parts import MS, Span, length_within, touches, union

MINUTE = 60_000 * MS


def chosen(incidents: Sequence[Incident], rule: Any, vendor: str, scope: str | None) -> list[Incident]:
    return [
        i
        for i in incidents
        if (rule.severities is None or i.severity in rule.severities)
        and (rule.stated_by is None or i.source in rule.stated_by)
        and i.vendor in {None, vendor}
        and (scope is None or i.service in {None, scope})
    ]


def complete(facts: Sequence[Fact], rule: Any, scope: str | None) -> list[Span]:
    """Return the time of which somebody whose word counts said that the list is complete."""
    return union(
        (f.start, f.end)
        for f in facts
        if f.type == "incident_log"
        and f.start is not None
        and f.end is not None
        and (rule.stated_by is None or f.by is None or f.by in rule.stated_by)
        and (f.reference is None or f.reference == scope)
    )


def downtime(incidents: Sequence[Incident], facts: Sequence[Fact], rule: Any, now: int, seen: list[Span]) -> list[Span]:
    """Return the outages, as one line of time, before the period cuts them."""
    spans = []
    for i in incidents:
        end = i.end if i.end is not None else min(now, max((b for _, b in seen if i.start < b), default=i.start))
        start = i.start if rule.rule == "outages_min_length" else reported(i, (i.start, end), facts, rule)
        if start is not None and start < end:
            spans.append((start, end))
    joined = union(spans)
    if rule.rule == "outages_min_length":
        joined = [(a, b) for a, b in joined if b - a >= int(rule.min_length) * MS]
    return joined


def reported(i: Incident, span: Span, facts: Sequence[Fact], rule: Any) -> int | None:
    """Return from when an outage counts; None: not at all."""
    tickets = [f.when for f in facts if f.type == "ticket" and concerns(f, i, span)]
    if not tickets:
        return i.start if rule.no_ticket == "from_start" else None
    aware = min([f.when for f in facts if f.type == "awareness" and concerns(f, i, span)], default=i.start)
    ticket = min(tickets)
    late = ticket > aware + int(rule.ticket_within) * MS
    return None if late and rule.late_ticket == "zero" else max(i.start, ticket)


def concerns(f: Fact, i: Incident, span: Span) -> bool:
    """Tell whether a Fact is about an outage: by its name, by the time it states, or by when it was made."""
    if f.reference is not None:
        return f.reference == i.id
    if f.start is not None and f.end is not None:
        return touches((f.start, f.end), [span])
    return span[0] <= f.when < span[1]


def within(spans: Sequence[Span], whole: Span, without: Sequence[Span], rounding: str | None) -> int:
    """Return the nanoseconds of outages inside a span; each, less what windows take, is rounded to whole minutes."""
    total = 0
    for a, b in spans:
        one = (max(a, whole[0]), min(b, whole[1]))
        if one[0] >= one[1]:
            continue
        length = one[1] - one[0] - length_within(without, one)
        total += {"up": -(-length // MINUTE) * MINUTE, "down": length // MINUTE * MINUTE, None: length}[rounding]
    return total
