"""R6, chronic breach: rights that arise from the history of a promise, over the Evaluations of several closed periods.

A pure function of results: no record is looked at. A period that is not decided counts as the contract says, as not bad or as
not there; both are shown. The right counts from the end of the bad period that completed the number, and its notice window
from the same day. Source: `contracts.md` §4, R6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from slaguard.evaluation.result import Evaluation, ObjectiveResult, RightPart
from slaguard.evaluation.rounding import as_money, whole_units
from slaguard.records import Fact
from slaguard.spec.explain_words import counted, duration, money
from slaguard.spec.labels import shift_months
from slaguard.spec.model import Agreement, BinRule
from slaguard.spec.rights import Chronic, When
from slaguard.spec.zones import DAY, local_day, midnight, zone
from slaguard.terms import Bound, BoundWord, Money, Verdict, parse_money

State = Literal["bad", "good", "undecided"]
_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MINUTE_MS: Final = 60_000
RIGHT_WORDS: Final = {
    "terminate": "terminate the contract",
    "step_in": "step in",
    "renegotiate": "renegotiate the terms",
    "root_cause": "demand a root cause analysis",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One closed period, as a right looks at it."""

    label: str
    end: int
    state: State
    down_ms: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class Arisen:
    """A right that arose: with which period, and which bad periods made it up."""

    at: Judged
    periods: tuple[Judged, ...]


def rights(agreement: Agreement, evaluations: Sequence[Evaluation], facts: Sequence[Fact], as_of: int) -> tuple[RightPart, ...]:
    """Return how every right of an Agreement stands after the last of several periods.

    Args:
        agreement: its `chronic` is read.
        evaluations: of the Agreement's own, closed periods, in order of time, each once.
        facts: what was recorded; a prepayment among them is refunded.
        as_of: the time of knowledge, UTC nanoseconds.

    """
    own = [one for one in evaluations if one.period.own and one.period.closed]
    return tuple(_right(agreement, term, own, facts, as_of) for term in agreement.chronic)


def failed_ends(agreement: Agreement, evaluations: Sequence[Evaluation]) -> tuple[int, ...]:
    """Return the ends of the periods that failed for the n-th time: those with which the rights of an Agreement arose.

    Args:
        agreement: its `chronic` says what failing is, and which time is the n-th.
        evaluations: as for `rights`.

    """
    own = [one for one in evaluations if one.period.own and one.period.closed]
    found = (arisen(term.when, history(agreement, term.when, own), term.undecided) for term in agreement.chronic)
    return tuple(sorted({one.at.end for one in found if one is not None}))


# ── how each period counts ──────────────────────────────────────────────────────────────────────────────────────────
def history(agreement: Agreement, when: When, evaluations: Sequence[Evaluation]) -> list[Judged]:
    """Return how each period counts towards a right; a period in which none of the promises was judged is undecided."""
    return [Judged(one.period.label, one.period.end, _state(when, one), _downtime(agreement, when, one)) for one in evaluations]


def _state(when: When, one: Evaluation) -> State:
    states = [_result_state(when, result) for result in one.objectives if result.name in when.objective]
    if "bad" in states:
        return "bad"
    return "undecided" if not states or "undecided" in states else "good"


def _result_state(when: When, result: ObjectiveResult) -> State:
    if not when.bounds:
        return {Verdict.BREACH: "bad", Verdict.COMPLIANT: "good"}.get(result.verdict, "undecided")  # type: ignore[return-value]
    word = when.bounds[0]
    bound = Bound(BoundWord(word), getattr(when, word).value)
    estimate = result.estimate
    known = [v for v in (estimate.value, estimate.low, estimate.high) if v is not None]
    if estimate.value is None or result.verdict is Verdict.INSUFFICIENT:
        return "undecided"
    held = {bound.holds(value) for value in known}
    return "undecided" if len(held) > 1 else "bad" if held.pop() else "good"


def _downtime(agreement: Agreement, when: When, one: Evaluation) -> Fraction:
    return sum((_down(agreement, result) for result in one.objectives if result.name in when.objective), Fraction(0))


def _down(agreement: Agreement, result: ObjectiveResult) -> Fraction:
    """Return the downtime of a result in milliseconds: the intervals it lost, or its minutes of outage."""
    rule = next((o.indicator for o in agreement.objectives if o.name == result.name), None)
    if result.estimate.noun == "minute":
        return result.estimate.bad * _MINUTE_MS
    return result.estimate.bad * rule.bin if isinstance(rule, BinRule) and result.estimate.noun == "interval" else Fraction(0)


# ── when a right arises ─────────────────────────────────────────────────────────────────────────────────────────────
def arisen(when: When, periods: Sequence[Judged], undecided: str) -> Arisen | None:
    """Return the last period with which a right arose, within the periods it looks at; None where it has not.

    Args:
        when: the term.
        periods: in order of time.
        undecided: ``skip`` passes undecided periods over, ``breaks`` counts them as not bad.

    """
    counted_ = [p for p in periods if undecided != "skip" or p.state != "undecided"]
    for last in range(len(counted_), max(0, len(counted_) - when.window), -1):
        made = _made(when, counted_[:last])
        if made is not None:
            return Arisen(counted_[last - 1], made)
    return None


def _made(when: When, periods: Sequence[Judged]) -> tuple[Judged, ...] | None:
    """Return the periods that make a right up, where it arises with the last of them."""
    window = list(periods[-when.window :])
    if when.downtime is not None:
        before = sum((p.down_ms for p in window[:-1]), Fraction(0))
        reached = before + window[-1].down_ms >= when.downtime
        return tuple(p for p in window if p.down_ms) if reached and window[-1].down_ms else None
    if window[-1].state != "bad":
        return None
    bad = [p for p in window if p.state == "bad"]
    needed = when.bad or when.consecutive or 1
    return tuple(bad) if len(bad) >= needed else None


def progress(when: When, periods: Sequence[Judged], undecided: str) -> tuple[int, int]:
    """Return how many bad periods count now, and how many give the right."""
    counted_ = [p for p in periods if undecided != "skip" or p.state != "undecided"][-when.window :]
    if when.downtime is not None:
        return sum(1 for p in counted_ if p.down_ms), 1
    if when.consecutive is not None:
        run = 0
        for one in reversed(counted_):
            if one.state != "bad":
                break
            run += 1
        return run, when.consecutive
    return sum(1 for p in counted_ if p.state == "bad"), when.bad or 1


# ── the result ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _right(
    agreement: Agreement, term: Chronic, evaluations: Sequence[Evaluation], facts: Sequence[Fact], as_of: int
) -> RightPart:
    periods = history(agreement, term.when, evaluations)
    both = {policy: arisen(term.when, periods, policy) for policy in ("breaks", "skip")}
    found = both[term.undecided]
    due = None if found is None else _due(agreement, term, found)
    state = _standing(found, both, due, as_of)
    bad, needed = progress(term.when, periods, term.undecided)
    counting = found.periods if found is not None else tuple(p for p in periods[-term.when.window :] if p.state == "bad")
    refund, why = (None, None) if found is None else _refund(agreement, term, found, facts)
    return RightPart(
        id=term.id,
        clause=term.clause,
        right=term.right,
        state=state,
        sentence=_sentence(term, found, state, (bad, needed), len(periods)),
        bad=bad,
        needed=needed,
        if_undecided_break=both["breaks"] is not None,
        if_undecided_are_skipped=both["skip"] is not None,
        periods=tuple(p.label for p in counting),
        due=due,
        local=None if due is None else _local(agreement, due),
        refund=None if refund is None else refund.amount,
        refund_sentence=why,
        cure=None if term.cure is None else duration(term.cure),
    )


def _standing(
    found: Arisen | None, both: dict[str, Arisen | None], due: int | None, as_of: int
) -> Literal["arisen", "lapsed", "not_arisen", "open"]:
    if found is not None:
        return "lapsed" if due is not None and as_of >= due else "arisen"
    return "open" if any(both.values()) else "not_arisen"


def _due(agreement: Agreement, term: Chronic, found: Arisen) -> int | None:
    """Return the instant before which notice must be given: 24:00 of the last day, in the Agreement's zone."""
    if term.notice is None:
        return None
    where = zone(agreement.time_zone)
    day = local_day(found.at.end - 1, where)
    last = day + term.notice.n * DAY if term.notice.unit == "days" else shift_months(day, term.notice.n)
    return midnight(last + DAY, where)


def _local(agreement: Agreement, due: int) -> str:
    day = local_day(due - 1, zone(agreement.time_zone))
    return f"{_WEEKDAYS[day.weekday()]} {day.isoformat()}, 24:00 {agreement.time_zone}"


def _sentence(term: Chronic, found: Arisen | None, state: str, count: tuple[int, int], seen: int) -> str:
    what = RIGHT_WORDS[term.right]
    if found is not None:
        names = ", ".join(p.label for p in found.periods)
        over = "; its time has passed" if state == "lapsed" else ""
        return f"the right to {what} arose with {found.at.label} ({names}){over}"
    if state == "open":
        return f"whether the right to {what} has arisen hangs on periods that are not decided"
    looked = f"of {counted(min(seen, term.when.window), 'period')} looked at"
    if term.when.downtime is not None:
        return f"no right to {what}: less than {duration(term.when.downtime)} of downtime, {looked}"
    return f"no right to {what} yet: {count[0]} bad of the {count[1]} it takes, {looked}"


# ── refund ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def _refund(agreement: Agreement, term: Chronic, found: Arisen, facts: Sequence[Fact]) -> tuple[Money | None, str | None]:
    """Return what was paid in advance × remaining days / days of the term, and how it comes about or why it is not known."""
    if term.refund is None:
        return None, None
    where = zone(agreement.time_zone)
    if agreement.expires is None:
        return None, "the Agreement has no last day, so the days that remain are not known"
    paid = term.prepaid or _prepaid(facts)
    if paid is None:
        return None, "what was paid in advance is not recorded (record prepayment with its value)"
    days = (agreement.expires - agreement.effective).days + 1
    left = max(0, (agreement.expires - local_day(found.at.end - 1, where)).days)
    rule = "half_up" if agreement.fee is None else agreement.fee.rounding or "half_up"
    amount = as_money(whole_units(Fraction(paid.amount) * left / days, paid.currency, rule), paid.currency)
    return (
        amount,
        f"{money(paid)} × {left:,} remaining days / {counted(days, 'day')} of the term, from the end of {found.at.label}",
    )


def _prepaid(facts: Sequence[Fact]) -> Money | None:
    return next(
        iter(_read(sorted((f for f in facts if f.type == "prepayment"), key=lambda f: (f.when, f.id), reverse=True))), None
    )


def _read(facts: Sequence[Fact]) -> Iterator[Money]:
    for fact in facts:
        try:
            yield parse_money(fact.value or "")
        except ValueError:
            continue
