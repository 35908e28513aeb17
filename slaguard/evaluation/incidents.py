"""Uptime from outages that somebody states: those of a minimum length (U7), and the report clock (U8).

Uptime is time, never the share of rows or checks: stated outages are joined where they overlap, judged whole, then cut to
the period. Nobody's list of outages is complete by itself: a Fact of type `incident_log` says from when to when it is, and
the rest of the period was not watched.
Source: `contracts.md` §3, U7 (status page of a model vendor) and U8 (ticket clock of cloud terms).
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.measure import Event, Excluded, Measurement
from slaguard.evaluation.requirements import Question
from slaguard.records import MINUTE, NS_PER_MS, Evidence, Fact, Incident, Span, merge_spans
from slaguard.spec.indicators.incidents import OutageRule, OutagesMinLength, ReportClock
from slaguard.spec.model import Effect
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Source

INCIDENT_LOG = "incident_log"
"""The Fact that says from when to when a list of outages is complete."""


def measure_outages(
    question: Question, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return the uptime that stated outages leave; `n`, `bad` and `allowed` are minutes.

    Args:
        question: the row; its indicator is an `OutagesMinLength` or a `ReportClock`.
        evidence: its Incidents and Facts, those known at `as_of`.
        period: the resolved period.
        as_of: UTC nanoseconds; an outage without an end lasts as far as the list of outages is said to be complete.
        variant: which exclusions apply.

    """
    rule = question.objective.indicator
    now = max(period.start, min(period.end, as_of))
    so_far = (period.start, now)
    stated = [i for i in evidence.incidents if _concerns(question, i)]
    logs = _logs(question, evidence.facts)
    ended = [_ended(i, logs, as_of) for i in stated]
    down = _down(rule, ended, evidence.facts)
    up, windows = _windows(question, so_far, variant)
    closed = subtract((period.span,), period.service_in)  # outside the service hours nothing counts
    removed = merge_spans([*windows, *_within(closed, so_far)])
    outages = [subtract((one,), (*up, *removed)) for one in _within(down, so_far)]
    counted = tuple(piece for pieces in outages for piece in pieces)
    real = length(subtract((so_far,), removed))
    extra = 0 if period.stated is None else period.stated - (period.end - period.start)
    total = real + (extra if now == period.end else 0)
    gone = subtract((so_far,), (*_within(logs, so_far), *up, *removed))
    unwatched = length(subtract(gone, counted))
    # An outage that a window cuts in two is one, and is rounded once; rounding never takes more than there is.
    lost = min(sum((_rounded(length(pieces), rule) for pieces in outages), 0), total - unwatched)
    watched, whole = (total - unwatched) // MINUTE, real + length(subtract(((now, period.end),), closed)) + extra
    allowed = 1 - question.objective.target.value
    return Measurement(
        source=Source.INCIDENT,
        noun="minute",
        value=_kept(lost, total - unwatched),
        best=_kept(lost, total),
        worst=1 - Fraction(min(lost + unwatched, total), total) if total else None,
        n=watched,
        bad=minutes(lost),
        allowed=allowed * minutes(total),
        coverage=Fraction(real - unwatched, real) if real else Fraction(int(now > period.start)),
        census=True,
        unknown=total // MINUTE - watched,
        population=total // MINUTE,
        calls=len(stated),
        excluded=_excluded(question, down, so_far, variant),
        events=_events(rule, counted, (*up, *windows), subtract(gone, counted)) if variant == "accepted" else (),
        allowed_in_all=allowed * minutes(whole),
        if_rest_is_good=_kept(lost, whole),
    )


def _kept(lost: int, total: int) -> Fraction | None:
    """Return what is left of a total; rounded outages, or those of a shorter stated month, never take more than there is."""
    return max(Fraction(0), 1 - Fraction(lost, total)) if total > 0 else None


# ── which outages ───────────────────────────────────────────────────────────────────────────────────────────────────
def _concerns(question: Question, incident: Incident) -> bool:
    """Tell whether a stated outage is about this promise: its vendor, its service, its severity, and who states it."""
    rule = question.objective.indicator
    if not isinstance(rule, OutageRule):
        msg = "not a rule over stated outages"
        raise TypeError(msg)
    return (
        incident.vendor in {None, question.vendor}
        and (question.scope == "all" or incident.service in {None, question.scope})
        and (rule.severities is None or incident.severity in rule.severities)
        and (rule.stated_by is None or incident.source in rule.stated_by)
    )


Outage = tuple[str, int, int]
"""A stated outage: its id, start and end."""


def _ended(incident: Incident, logs: tuple[Span, ...], as_of: int) -> Outage:
    """Return an outage with its end; one that has none lasts as far as the list that holds it is complete.

    What lies beyond was not watched: an outage that somebody forgot to close must not grow a claim. The period does not
    cut it: its whole length is compared, also what lies after the period.
    """
    if incident.end is not None:
        return incident.id, incident.start, incident.end
    return incident.id, incident.start, min(as_of, next((b for _, b in logs if incident.start < b), incident.start))


def _down(rule: object, stated: Iterable[Outage], facts: tuple[Fact, ...]) -> tuple[Span, ...]:
    """Return the downtime of stated outages on the whole timeline."""
    if isinstance(rule, OutagesMinLength):
        joined = merge_spans([(start, end) for _, start, end in stated])
        return tuple((a, b) for a, b in joined if b - a >= rule.min_length * NS_PER_MS)
    if isinstance(rule, ReportClock):
        return merge_spans([(begin, one[2]) for one in stated if (begin := _clock(rule, one, facts)) is not None])
    msg = "not a rule over stated outages"
    raise TypeError(msg)


def _clock(rule: ReportClock, outage: Outage, facts: tuple[Fact, ...]) -> int | None:
    """Return from when an outage counts; None: not at all.

    An outage of which nobody wrote down when the customer became aware is taken to have been noticed as it began: a claim
    must not rest on a later moment that nobody recorded.
    """
    _, start, _ = outage
    ticket = min((f.when for f in facts if f.type == "ticket" and _is_about(f, outage)), default=None)
    if ticket is None:
        return None if rule.no_ticket == "zero" else start
    aware = min((f.when for f in facts if f.type == "awareness" and _is_about(f, outage)), default=start)
    if ticket > aware + rule.ticket_within * NS_PER_MS and rule.late_ticket == "zero":
        return None
    return max(start, ticket)


def _is_about(fact: Fact, outage: Outage) -> bool:
    """Tell whether a ticket or an awareness is about an outage: by its reference, by its span, else by its own moment."""
    name, start, end = outage
    if fact.reference == name:
        return True
    if fact.start is not None:
        return fact.start < end and (fact.end is None or fact.end > start)
    return fact.reference is None and start <= fact.when < end


def _logs(question: Question, facts: tuple[Fact, ...]) -> tuple[Span, ...]:
    """Return where the list of outages is said to be complete; one without an end is so up to the moment it was said.

    Where the rule names whose statements count, a list of somebody else says nothing; one that names nobody is theirs. A
    list of one service (its `reference`) says nothing of another.
    """
    rule = question.objective.indicator
    whose = rule.stated_by if isinstance(rule, OutageRule) else None
    logs = [
        f
        for f in facts
        if f.type == INCIDENT_LOG and (whose is None or f.by in {None, *whose}) and f.reference in {None, question.scope}
    ]
    return merge_spans([(f.start, f.when if f.end is None else f.end) for f in logs if f.start is not None])


# ── what leaves ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _windows(question: Question, span: Span, variant: Variant) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """Return the time that counts as up, and the time that leaves the period."""
    found: dict[bool, list[Span]] = {True: [], False: []}
    for applied in question.applied:
        if applied.is_window:
            found[applied.exclusion.effect is Effect.COUNT_AS_UP] += applied.windows_in(span, variant)
    return merge_spans(found[True]), merge_spans(found[False])


def _excluded(question: Question, down: tuple[Span, ...], span: Span, variant: Variant) -> tuple[Excluded, ...]:
    """Return what each exclusion took: how many outages it touched, and how long it is."""
    found: list[Excluded] = []
    for applied in question.applied:
        windows = applied.windows_in(span, variant) if applied.is_window else ()
        if windows:
            touched = sum(any(a < d and c < b for a, b in windows) for c, d in _within(down, span))
            found.append(Excluded(applied, touched, minutes(length(windows))))
    return tuple(found)


def _events(rule: object, down: tuple[Span, ...], excluded: tuple[Span, ...], unwatched: tuple[Span, ...]) -> tuple[Event, ...]:
    events = [Event("down", span, minutes(_rounded(span[1] - span[0], rule))) for span in down]
    events += [Event("excluded", span) for span in merge_spans(list(excluded))]
    events += [Event("unobserved", span) for span in unwatched]
    return tuple(sorted(events, key=lambda e: (e.span, e.kind)))


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _rounded(ns: int, rule: object) -> int:
    if not isinstance(rule, OutageRule) or rule.outage_rounding is None:
        return ns
    return -(-ns // MINUTE) * MINUTE if rule.outage_rounding == "up" else ns // MINUTE * MINUTE


def _within(spans: Iterable[Span], span: Span) -> tuple[Span, ...]:
    return merge_spans([(max(a, span[0]), min(b, span[1])) for a, b in spans])


def subtract(spans: Iterable[Span], taken: Iterable[Span]) -> tuple[Span, ...]:
    """Return the parts of `spans` that lie in none of `taken`."""
    left = list(spans)
    for a, b in taken:
        left = [piece for start, end in left for piece in ((start, min(end, a)), (max(start, b), end)) if piece[1] > piece[0]]
    return merge_spans(left)


def length(spans: Iterable[Span]) -> int:
    """Return how long disjoint spans are together, in nanoseconds."""
    return sum(b - a for a, b in spans)


def minutes(ns: int) -> Fraction:
    """Return nanoseconds as minutes, exactly."""
    return Fraction(ns, MINUTE)
