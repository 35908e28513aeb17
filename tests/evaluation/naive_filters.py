"""Filters over single records by hand: a walk through the records in order of time, one filter after the other."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from slaguard.records import Observation
from slaguard.terms import Count
from tests.evaluation.naive_parts import MS

Counted = list[tuple[Observation, Count]]
Names = set[str]


def key_of(o: Observation, fields: tuple[str, ...]) -> tuple[str | None, ...]:
    """Return what a record has in these fields; nothing is a value of its own."""
    prefix = "attributes."
    return tuple(o.attributes.get(f.removeprefix(prefix)) if f.startswith(prefix) else getattr(o, f) for f in fields)


def in_time(records: Counted) -> Counted:
    return sorted((one for one in records if one[0].sent_at is not None), key=lambda one: one[0].sent_at or 0)


def past_entitlement(records: list[Observation], term: Any) -> Names:
    """Return the requests past their window's tokens, whatever came of them: the one that crosses it, and those after."""
    used: dict[int, Fraction] = {}
    out = set()
    for o in sorted((o for o in records if o.sent_at is not None), key=lambda o: o.sent_at or 0):
        window = (o.sent_at or 0) // (int(term.window) * MS)
        cached = int(o.attributes.get("cached_input_tokens", "0"))
        plain = (o.input_tokens or 0) - cached
        weights = term.weights
        tokens = plain * weights.input + cached * weights.cached_input + (o.output_tokens or 0) * weights.output
        used[window] = used.get(window, Fraction(0)) + tokens
        if used[window] > term.tokens:
            out.add(o.id)
    return out


def too_early(records: Counted, term: Any) -> Names:
    """Return the requests of a client that did not wait long enough after its errors in a row."""
    heard: dict[Any, list[tuple[int, bool]]] = {}  # what a client has been told by when: an error, or a success
    out = set()
    for o, how in in_time(records):
        client = key_of(o, term.per)
        sent = o.sent_at or 0
        errors, since = 0, 0
        for moment, error in sorted(heard.get(client, []), key=lambda one: one[0]):
            if moment <= sent:
                errors, since = (errors + 1, moment) if error else (0, since)
        if errors and sent - since < min(int(term.first) * int(term.factor) ** (errors - 1), int(term.max)) * MS:
            out.add(o.id)
            continue
        told = ended(o) if how is Count.FAIL and term.gap_from == "error_end" else sent
        heard.setdefault(client, []).append((told, how is Count.FAIL))
    return out


def ended(o: Observation) -> int:
    return o.ended_at if o.ended_at is not None else (o.sent_at or 0) + (o.total_time_ns or 0)


def repeated(records: Counted, term: Any) -> Names:
    """Return the errors that repeat a counted one of the same key."""
    last: dict[Any, int | None] = {}
    out = set()
    for o, how in in_time(records):
        key = key_of(o, term.by)
        sent = o.sent_at or 0
        if how is not Count.FAIL:
            if term.success_resets == "yes":
                last[key] = None
            continue
        before = last.get(key)
        gap = None if before is None else sent - before
        within = int(term.within) * MS
        repeats = gap is not None and (gap <= within if term.end == "inclusive" else gap < within)
        if repeats:
            out.add(o.id)
        if not repeats or term.window == "sliding":
            last[key] = sent
    return out
