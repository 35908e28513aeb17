"""From verdicts to what is owed and by when: which figure of each row prices the claim.

Only a BREACH pays. The claim asks for the amount at the figure nearest to compliance among all that is not decided: what
was not watched, what a sample leaves open, what exclusions in dispute would change. Under the rule `point` the figure
itself is the fact (`statistics.md` §5).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final, Protocol

from slaguard.evaluation.accounts import NO_BOOKS, Books, unknown
from slaguard.evaluation.anchors import NOTHING, Found
from slaguard.evaluation.credits import Credits, PricedRow, price, settle
from slaguard.evaluation.deadlines import due
from slaguard.evaluation.decide import Analysis, Decided
from slaguard.evaluation.dual import priced_figure
from slaguard.evaluation.earnings import earned_back
from slaguard.evaluation.exclusions import PROPOSED, Variant
from slaguard.evaluation.fees import EVERYTHING, Account
from slaguard.evaluation.measure import Measurement
from slaguard.evaluation.owed import money_part
from slaguard.evaluation.remedies import Ground, price_of
from slaguard.evaluation.requirements import Question
from slaguard.evaluation.result import CreditsPart, DeadlinePart, InKindPart
from slaguard.records import NS_PER_MS, Fact
from slaguard.spec.explain_words import money
from slaguard.spec.model import Agreement, BinRule, MeanOfIntervals
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.remedies import Elect, Extension, NoRemedy, PerStep, ProRata
from slaguard.terms import Money, Reason, Verdict

NO_CURRENCY: Final = "XXX"
"""The code that ISO 4217 keeps for no currency."""


class Answered(Protocol):
    """One row of the evaluation, as far as money looks at it."""

    @property
    def question(self) -> Question:
        """The Objective and its scope."""

    @property
    def analysis(self) -> Analysis:
        """The frozen parameters."""

    @property
    def measured(self) -> dict[Variant, Measurement]:
        """The figure in each variant of the exclusions."""

    @property
    def decided(self) -> dict[Variant, Decided]:
        """The verdict in each variant."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of the row."""


Figures = tuple[Fraction | None, Fraction | None, Fraction | None]
"""The values at which a row is priced: claimable, point, upper; None: no credit."""


def credits_part(
    agreement: Agreement, period: ResolvedPeriod, rows: Sequence[Answered], *, closed: bool, books: Books = NO_BOOKS,
    is_priced: bool = False,
) -> CreditsPart | None:  # fmt: skip
    """Return what is owed; None where the Agreement prices nothing.

    A look at another span than the period owes nothing, and nothing is claimed of a period that is not over.

    Args:
        agreement: fee, combination and caps are read.
        period: the resolved period.
        rows: the answered rows, in the Agreement's order.
        closed: whether the period is over.
        books: Facts and earlier Evaluations.
        is_priced: whether another reading pays: then these rows owe nothing, which is an amount.

    """
    found = [r for r in rows if r.question.objective.is_priced]
    if agreement.fee is None or not (found or is_priced):
        return None
    events = events_of(agreement, found)
    priced = {_priced(r, period, events[i]): _figures(r) if period.own else (None, None, None) for i, r in enumerate(found)}
    account, past = books.account(agreement, period), books.past(agreement, period)
    owed = price(
        agreement,
        {row: figures[0] if closed else None for row, figures in priced.items()},
        {row: figures[1] for row, figures in priced.items()},
        {row: figures[2] for row, figures in priced.items()},
        account,
        past,
    )
    if owed is None:
        return None
    missing = (*unknown(agreement, period, account, past, books.history), *_unchosen(agreement, owed, account))
    missing = missing if period.own else ()
    return money_part(owed, missing, earned_back(agreement, period, found, past, books.history) if closed else ())


def _unchosen(agreement: Agreement, owed: Credits, account: Account) -> Iterator[str]:
    """Name the credits between which the customer has yet to choose."""
    paying = [line for line in owed.lines if line.alone.amount > 0]
    how = None if agreement.combine is None else agreement.combine.across_objectives
    names = {name for line in paying for name in (line.objective, f"{line.objective} ({line.scope})")}
    if how != "customer_elects" or len(paying) < 2 or account.elections.get(EVERYTHING) in names:
        return
    each = ", ".join(f"{line.objective} {money(line.alone)}" for line in paying)
    yield f"which one you choose is not recorded: {each} (record election with the promise as its value)"


def _priced(row: Answered, period: ResolvedPeriod, event: str | None = None) -> PricedRow:
    objective = row.question.objective
    remedy = None if isinstance(objective.remedy, NoRemedy) else objective.remedy
    return PricedRow(
        objective.name, row.question.scope, objective.priced, objective.credits, event, remedy, _length(row, period),
        _outages(row),
    )  # fmt: skip


def _outages(row: Answered) -> tuple[Fraction, ...]:
    """Return the part of each outage in all downtime, where it is downtime that pays; else nothing: a breach is one event."""
    remedy = row.question.objective.remedy
    if not (isinstance(remedy, ProRata) or (isinstance(remedy, PerStep) and remedy.of == "downtime")):
        return ()
    down = [event for event in row.measured["accepted"].events if event.kind == "down"]
    by_score = isinstance(row.question.objective.indicator, MeanOfIntervals)
    weights = [event.lost if by_score else Fraction(event.span[1] - event.span[0]) for event in down]
    return tuple(weight / sum(weights) for weight in weights) if any(weights) else ()


def _length(row: Answered, period: ResolvedPeriod) -> Fraction | None:
    """Return the time whose share the figure is, in milliseconds; None where it is no share of time.

    Where the clause states the length of the month, the figure is a share of that: minutes of downtime stay as counted.
    """
    m, rule = row.measured["accepted"], row.question.objective.indicator
    if row.question.objective.remedy is None or m.population is None:
        return None
    if m.noun == "minute":
        return Fraction(m.population * 60_000)
    if m.noun != "interval" or not isinstance(rule, BinRule):
        return None
    whole = rule.presence is None and m.allowed == m.allowed_in_all
    extra = period.stated - (period.end - period.start) if whole and period.stated is not None else 0
    return m.population * rule.bin + Fraction(extra, NS_PER_MS)


def events_of(agreement: Agreement, rows: Sequence[Answered]) -> list[str | None]:
    """Return which event each row belongs to: by the word of its promise, or by outages that overlap in time."""
    if agreement.combine is None or agreement.combine.events is None:
        return [row.question.objective.event for row in rows]
    spans = [[e.span for e in row.measured["accepted"].events if e.kind == "down"] for row in rows]
    group = list(range(len(rows)))
    for i, first in enumerate(spans):
        for j in range(i):
            if any(a[0] < b[1] and b[0] < a[1] for a in first for b in spans[j]):
                old, new = group[i], group[j]
                group = [new if g == old else g for g in group]
    return [f"outage {g}" if group.count(g) > 1 else None for g in group]


def in_kind_parts(
    agreement: Agreement, period: ResolvedPeriod, rows: Sequence[Answered], books: Books
) -> tuple[InKindPart, ...]:
    """Return what is owed that is not money: by how many days the term becomes longer."""
    if not period.own:
        return ()
    return tuple(part for row in rows for part in _in_kind(agreement, period, row, books))


def _in_kind(agreement: Agreement, period: ResolvedPeriod, row: Answered, books: Books) -> Iterator[InKindPart]:
    remedy, priced = row.question.objective.remedy, _priced(row, period)
    if not isinstance(remedy, Extension | Elect):
        return
    amount = Money(Decimal(0), NO_CURRENCY) if agreement.fee is None else agreement.fee.amount
    elected = books.account(agreement, period).elections.get(priced.objective)
    ground = Ground(priced.bound, Fraction(0), amount, priced.length_ms, elected=elected)
    near, _, far = _figures(row)
    worth, most = (None if value is None else price_of(remedy, value, ground) for value in (near, far))
    days, upper = (0 if one is None else one.days for one in (worth, most))
    if days or upper:
        words = "" if worth is None else worth.words
        yield InKindPart(objective=priced.objective, scope=priced.scope, days=days, at_most=upper, sentence=words)


def credit_alone(
    agreement: Agreement, period: ResolvedPeriod, row: Answered, variant: Variant, books: Books = NO_BOOKS
) -> Decimal | None:
    """Return what one row alone would pay with one set of exclusions, in the fee's currency; None where it is not priced."""
    if agreement.fee is None or not row.question.objective.is_priced or not period.own:
        return None
    priced = _priced(row, period)
    broken = row.decided[variant].verdict is Verdict.BREACH
    values = {priced: _near(row, variant) if broken else None}
    return settle(agreement, values, books.account(agreement, period)).lines[0].alone.amount


def _figures(row: Answered) -> Figures:
    if row.verdict is Verdict.BREACH:
        open_ = [v for v in row.measured if v not in {"none", PROPOSED}]  # whichever exclusions in dispute are accepted
        near = _nearest(row, [_near(row, v) for v in open_])
        points = [priced_figure(row.question.objective, row.measured[v]).value for v in open_]
        return near, _nearest(row, points), _far(row, "accepted")
    disputed = row.decided["accepted"].verdict is not row.decided["with_contested"].verdict
    if disputed or row.verdict is Verdict.INCONCLUSIVE:
        return None, None, _far(row, "accepted")
    return None, None, None


def _near(row: Answered, variant: Variant) -> Fraction | None:
    """Return the value nearest to compliance that the verdict allows."""
    m, decided = priced_figure(row.question.objective, row.measured[variant]), row.decided[variant]
    still_open = decided.reason is Reason.ERROR_BUDGET_EXHAUSTED  # the one BREACH that there is before the period's end
    if still_open and m.if_rest_is_good is not None and m.best is not None:
        return _nearest(row, [m.best, m.if_rest_is_good])
    if not m.census and row.analysis.rule == "point":
        return m.value
    return m.best if m.census else decided.high if row.analysis.bound.word.is_floor else decided.low


def _far(row: Answered, variant: Variant) -> Fraction | None:
    decided = row.decided[variant]
    if not row.measured[variant].census:
        return decided.low if row.analysis.bound.word.is_floor else decided.high
    return priced_figure(row.question.objective, row.measured[variant]).worst


def _nearest(row: Answered, values: Iterable[Fraction | None]) -> Fraction | None:
    known = [v for v in values if v is not None]
    if not known:
        return None
    return max(known) if row.analysis.bound.word.is_floor else min(known)


def deadline_parts(
    agreement: Agreement, period: ResolvedPeriod, facts: tuple[Fact, ...], as_of: int, known: Found = NOTHING
) -> tuple[DeadlinePart, ...]:
    """Return every deadline of the claim, the earliest first; those whose date is not known last."""
    if agreement.claim is None or not period.own:
        return ()
    found = [due(d, period, facts, as_of, known) for d in agreement.claim.deadlines]
    found.sort(key=lambda d: (d.due_ns is None, d.act_by_ns or 0, d.due_ns or 0))
    return tuple(
        DeadlinePart(
            type=d.type,
            due=d.due_ns,
            act_by=d.act_by_ns,
            local=d.local,
            act_by_local=d.act_by_local,
            earliest=d.earliest_ns,
            days_left=d.days_left,
            anchor=d.anchor,
            reason=d.reason,
        )
        for d in found
    )
