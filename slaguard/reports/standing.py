"""What a report may say at its head: a claim, nothing to claim, not decided, so far, or only a look."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from slaguard.evaluation.result import CreditsPart, DeadlinePart, Evaluation
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.moments import Calendar, left, unit_of
from slaguard.reports.subjects import Subject
from slaguard.reports.words import clean, counted, listing, money, percent, spaced, title
from slaguard.spec.explain_words import clock
from slaguard.terms import Source, Verdict

NAME = 120
"""As much of a party's name as a heading shows."""


class Standing(Enum):
    """Which sort of report this is; only the first two name an amount."""

    CLAIM = "claim"
    LATE = "late"
    """A claim whose last day has passed, under a contract in which a late claim is lost."""
    UNPRICED = "unpriced"
    """A promise was broken, and no credit is due for it."""
    NOTHING = "nothing"
    UNDECIDED = "undecided"
    OPEN = "open"
    LOOK = "look"

    @property
    def asks(self) -> bool:
        """Tell whether the report asks for money."""
        return self is Standing.CLAIM


def standing_of(inputs: ClaimInputs) -> Standing:
    """Return which sort of report the Evaluation allows."""
    evaluation = inputs.evaluation
    if not evaluation.period.own:
        return Standing.LOOK
    if not evaluation.period.closed:
        return Standing.OPEN
    if evaluation.breached and claimable(evaluation):
        forfeits = inputs.agreement.claim is not None and inputs.agreement.claim.forfeits
        deadline = next_deadline(evaluation)
        passed = deadline is not None and deadline.due is not None and evaluation.as_of >= deadline.due
        return Standing.LATE if forfeits and passed else Standing.CLAIM
    if evaluation.breached:
        return Standing.UNPRICED
    undecided = any(result.verdict is not Verdict.COMPLIANT for result in evaluation.objectives)
    return Standing.UNDECIDED if undecided else Standing.NOTHING


def claimable(evaluation: Evaluation) -> bool:
    """Tell whether the Evaluation finds money to claim."""
    return evaluation.credits is not None and evaluation.credits.claimable > 0


def next_deadline(evaluation: Evaluation) -> DeadlinePart | None:
    """Return the deadline that comes first; one without a known date only where none has one."""
    known = [d for d in evaluation.deadlines if d.due is not None]
    if known:
        return min(known, key=lambda d: (d.due or 0, d.type))
    return evaluation.deadlines[0] if evaluation.deadlines else None


def deadline_calendar(inputs: ClaimInputs, deadline: DeadlinePart, calendar: Calendar) -> Calendar:
    """Return the calendar of the zone in which a deadline ends."""
    terms = inputs.agreement.claim.deadlines if inputs.agreement.claim else ()
    zones = [term.time_zone for term in terms if term.type == deadline.type]
    return Calendar.of(zones[0]) if len(set(zones)) == 1 else calendar


def time_left(deadline: DeadlinePart, local: Calendar, as_of: int) -> str:
    """Return how much time is left until a deadline whose date is known."""
    if deadline.due is None or as_of >= deadline.due:
        return "past"
    days = deadline.days_left if deadline.days_left is not None else local.days_left(deadline.due, as_of)
    return left(days)


# ── the head ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Box:
    """One of the three figures at the head: a label, the figure, and a line below it."""

    label: str
    figure: str
    below: str


@dataclass(frozen=True, slots=True)
class Head:
    """The first thing read: who owes what, under which contract, and by when it must be asked for."""

    title: str
    kicker: str
    boxes: tuple[Box, ...]


def head(inputs: ClaimInputs, standing: Standing, found: tuple[Subject, ...], calendar: Calendar) -> Head:
    """Return the head of the report."""
    evaluation = inputs.evaluation
    zone = evaluation.period.time_zone
    contract = clean(evaluation.agreement.contract, NAME)
    kinds = {
        Standing.CLAIM: "Credit claim",
        Standing.LATE: "Report",
        Standing.OPEN: "Provisional report",
        Standing.LOOK: "A look at the figures",
    }
    name = calendar.period(evaluation.period.label, evaluation.period.start, evaluation.period.end)
    kicker = f"{kinds.get(standing, 'Report')} under contract {contract} for {name} ({zone})"
    boxes = (_first_box(inputs, standing), _second_box(inputs, standing, calendar), _watched_box(evaluation, found))
    return Head(_title(inputs, standing, name), kicker, boxes)


def _title(inputs: ClaimInputs, standing: Standing, period: str) -> str:
    evaluation = inputs.evaluation
    vendor = clean(evaluation.agreement.vendor, NAME)
    customer = clean(evaluation.agreement.customer, NAME)
    broken = counted(len({result.name for result in evaluation.breached}), "promise")
    match standing:
        case Standing.CLAIM:
            return f"{vendor} owes {customer} {_amount(evaluation.credits)}"
        case Standing.LATE:
            return f"{vendor} broke {broken}; the time to claim {_amount(evaluation.credits)} has passed"
        case Standing.UNPRICED:
            return f"{vendor} broke {broken} in {period}; no credit is due"
        case Standing.NOTHING:
            return f"Nothing to claim from {vendor} for {period}"
        case Standing.UNDECIDED:
            return f"Nothing to claim from {vendor} for {period} on this evidence"
        case Standing.OPEN:
            if evaluation.breached:
                return f"{vendor} broke {broken} in {period} already; the period is not over"
            return f"{vendor} in {period}: so far, and not decided yet"
        case Standing.LOOK:
            return f"{vendor}, {period}: a look, not a claim"


def _amount(credit: CreditsPart | None) -> str:
    return "nothing" if credit is None else money(credit.claimable, credit.currency)


def _first_box(inputs: ClaimInputs, standing: Standing) -> Box:
    evaluation = inputs.evaluation
    match standing:
        case Standing.CLAIM | Standing.LATE if evaluation.credits is not None:
            label = "we claim" if standing is Standing.CLAIM else "was claimable"
            return Box(label, _amount(evaluation.credits), _how_much(evaluation.credits))
        case Standing.OPEN:
            within = sum(r.verdict is Verdict.COMPLIANT for r in evaluation.objectives)
            return Box("so far", f"{within} of {len(evaluation.objectives)}", "promises within their limits")
        case Standing.LOOK:
            return Box("we claim", "nothing", "only the contract's own periods make a claim")
        case Standing.UNPRICED:
            return Box("we claim", "nothing", _why_nothing(evaluation.credits))
        case _:
            return Box("we claim", "nothing", "no promise was shown to be broken")


def _why_nothing(credit: CreditsPart | None) -> str:
    """Say why a broken promise pays nothing: no ladder, or a rule that left its credit out."""
    explained = [line.sentence for line in credit.lines if line.step is not None or line.remedy is not None] if credit else []
    return spaced(clean(explained[0], 160)) if explained else "the contract pays no credit for this"


def _how_much(credit: CreditsPart) -> str:
    lines = [line for line in credit.lines if line.counts and line.amount]
    fee = money(credit.fee, credit.currency)
    if credit.cap_applied:
        return f"{counted(len(lines), 'credit')}, as far as the cap allows"
    if len(lines) == 1 and lines[0].percent is not None:
        return f"{percent(lines[0].percent)} of {fee}"
    return f"{counted(len(lines), 'credit')} on a fee of {fee}"


def _second_box(inputs: ClaimInputs, standing: Standing, calendar: Calendar) -> Box:
    evaluation = inputs.evaluation
    if standing in {Standing.CLAIM, Standing.LATE}:
        return _deadline_box(inputs, standing, calendar)
    if standing is Standing.OPEN:
        days = calendar.days_left(evaluation.period.end, evaluation.as_of)
        when = f"{calendar.end_time(evaluation.period.end)} {calendar.clock} · {left(days)}"
        return Box(f"the {unit_of(evaluation.period.label)} ends", calendar.deadline_day(evaluation.period.end), when)
    kept = sum(r.verdict is Verdict.COMPLIANT for r in evaluation.objectives)
    total = len(evaluation.objectives)
    rest = [title(r.name) for r in evaluation.objectives if r.verdict is not Verdict.COMPLIANT]
    names = list(dict.fromkeys(rest))
    below = f"not kept or not decided: {listing(names[:4])}" if rest else "all of them"
    return Box("promises kept", f"{kept} of {total}", below)


def _deadline_box(inputs: ClaimInputs, standing: Standing, calendar: Calendar) -> Box:
    evaluation = inputs.evaluation
    label = "claim by" if standing is Standing.CLAIM else "had to be claimed by"
    deadline = next_deadline(evaluation)
    if deadline is None:
        return Box(label, "no date", "the agreement names no time limit")
    if deadline.due is None:
        return Box(label, "not known yet", clean(deadline.reason or f"it depends on the {deadline.anchor}", 160))
    local = deadline_calendar(inputs, deadline, calendar)
    channel = f", {clean(inputs.agreement.claim.channel, 60)}" if inputs.agreement.claim else ""
    days = time_left(deadline, local, evaluation.as_of)
    when = f"{local.end_time(deadline.due)} {clock(local.name)}{channel} · {days}"
    return Box(label, local.deadline_day(deadline.due), when)


def _watched_box(evaluation: Evaluation, found: tuple[Subject, ...]) -> Box:
    least = min(found, key=lambda subject: (subject.result.coverage, not subject.by_intervals))
    result, unit = least.result, unit_of(evaluation.period.label)
    words = f"of the {unit}" + ("" if evaluation.period.closed else " so far")
    if least.by_intervals and result.unknown and result.estimate.population:
        words += f"; {result.unknown:,} of {result.estimate.population:,} {result.estimate.noun}s not watched"
    elif result.source is Source.PROBE and result.unmeasured:
        words = f"of what we asked; {result.unmeasured:,} brought no result through our own fault"
    if len({subject.result.coverage for subject in found}) > 1:
        words += f" (least for {least.label})"
    return Box("we watched", percent(result.coverage), words)
