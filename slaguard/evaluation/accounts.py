"""What Facts and earlier Evaluations say of a period's money: what was paid, used and chosen; what was credited before.

Of several Facts on one thing the last one counts. A Fact whose value cannot be read is as good as none, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Final

from slaguard.errors import ConfigError
from slaguard.evaluation.caps import Earlier, Past, counted_over
from slaguard.evaluation.fees import EVERYTHING, Account, fee_parts, has_usage
from slaguard.evaluation.result import Evaluation
from slaguard.records import Fact, escape
from slaguard.spec.calendar import PeriodUnit, SpelledPeriod
from slaguard.spec.labels import Label, parse_period, shift_months
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod, Span
from slaguard.spec.remedies import Elect, Points, UsageMultiple, option_name
from slaguard.spec.rights import CapSpan
from slaguard.spec.zones import local_day, midnight, zone
from slaguard.terms import Verdict, parse_money, parse_percent

_UNDECIDED: Final = frozenset({Verdict.INCONCLUSIVE, Verdict.INSUFFICIENT})


@dataclass(frozen=True, slots=True)
class Books:
    """What money depends on besides the figures: Facts, and the Evaluations of earlier periods, the last one last."""

    facts: tuple[Fact, ...] = ()
    history: tuple[Evaluation, ...] = ()

    def account(self, agreement: Agreement, period: ResolvedPeriod) -> Account:
        """Return what is recorded of a period's money."""
        return account_of(agreement, period, self.facts)

    def past(self, agreement: Agreement, period: ResolvedPeriod) -> Past:
        """Return what earlier periods paid."""
        return past_of(agreement, period, self.facts, self.history)


NO_BOOKS: Final = Books()


def is_about(fact: Fact, period: ResolvedPeriod) -> bool:
    """Tell whether a Fact names a period, or a span that touches it."""
    if fact.period is not None:
        return fact.period == period.label
    return fact.start is not None and fact.start < period.end and (fact.end is None or fact.end > period.start)


def account_of(agreement: Agreement, period: ResolvedPeriod, facts: Iterable[Fact]) -> Account:
    """Return what is recorded of a period's money; amounts in another currency than the fee's are as good as none."""
    about = sorted((f for f in facts if is_about(f, period) and f.value is not None), key=lambda f: (f.when, f.id))
    currency = "" if agreement.fee is None else agreement.fee.amount.currency

    def of(kind: str, read: Callable[[str], Any]) -> dict[str, Any]:
        found = ((f.subject or EVERYTHING, _read(f.value or "", read)) for f in about if f.type == kind)
        return {name: value for name, value in found if value is not None}

    def amount(text: str) -> Fraction | None:
        read = parse_money(text)
        return Fraction(read.amount) if read.currency == currency else None

    return Account(
        cash=of("invoice", amount),
        usage=of("usage", amount),
        usage_days=of("usage_days", _count),
        affected=of("affected_users", _share),
        elections=of("election", str),
        days=max(1, len(period.days)),
        share=period.fee_share,
    )


def _read(text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ValueError:
        return None


def _share(text: str) -> Fraction:
    read = parse_percent(text)
    if read > 1:
        raise ValueError("more users than there are")
    return read


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 10**6:
        return int(text)
    raise ValueError("a number of days")


# ── what earlier periods paid ───────────────────────────────────────────────────────────────────────────────────────
def past_of(agreement: Agreement, period: ResolvedPeriod, facts: Iterable[Fact], history: Sequence[Evaluation]) -> Past:
    """Return what earlier periods paid: what was stated (`credit_paid`), else what their Evaluations claim."""
    found: dict[str, Earlier] = {}
    unread: list[str] = []
    for one in history:
        if one.period.own and one.period.closed and one.period.end <= period.start:
            found[one.period.label] = _earlier(agreement, one)
    for fact in sorted((f for f in facts if f.type == "credit_paid"), key=lambda f: (f.when, f.id)):
        stated = _stated(agreement, period, fact, found)
        if stated is None:
            unread.append(_uncounted(agreement, fact))
        if stated is not None and stated.end <= period.start:
            parts = [label for label in found if label.startswith(f"{stated.label}.")]
            for label in parts:  # stated of the whole period, and so of its parts
                del found[label]
            found[stated.label] = stated
    return Past(tuple(sorted(found.values(), key=lambda e: e.start)), since(agreement, period), tuple(unread))


def _uncounted(agreement: Agreement, fact: Fact) -> str:
    fee = "" if agreement.fee is None else f" in {agreement.fee.amount.currency}"
    what = f"credit_paid {escape(fact.value or '')} for {escape(fact.period or 'no period')}"
    return f"{what} is not counted: state an amount{fee} and a period"


def _earlier(agreement: Agreement, one: Evaluation) -> Earlier:
    part = one.credits
    lines = {} if part is None else {(line.objective, line.scope): Fraction(line.amount) for line in part.lines}
    points = None if part is None else sum(line.points or 0 for line in part.lines)
    total = Fraction(0) if part is None else Fraction(part.claimable)
    return Earlier(
        one.period.label, one.period.start, one.period.end, total, lines, points, open_points=_open_points(agreement, one)
    )


def _open_points(agreement: Agreement, one: Evaluation) -> int:
    """Return the points that promises which are not decided may still earn in an earlier period."""
    worth = {o.name: o.remedy.points for o in agreement.objectives if isinstance(o.remedy, Points)}
    return sum(worth.get(result.name, 0) for result in one.objectives if result.verdict in _UNDECIDED)


def _stated(agreement: Agreement, period: ResolvedPeriod, fact: Fact, known: Mapping[str, Earlier]) -> Earlier | None:
    span = next(((a, b) for label, a, b in period.parts if label == fact.period), None) or _span(agreement, fact)
    amount = _read(fact.value or "", parse_money)
    if span is None or amount is None or agreement.fee is None or amount.currency != agreement.fee.amount.currency:
        return None
    label = fact.period or f"{fact.start}"
    before = known.get(label)
    paid = Fraction(amount.amount)
    points = None if before is None else before.points
    if fact.subject is None:
        same = before is not None and before.total == paid
        parts = before.lines if before is not None and same else {}
        return Earlier(label, span[0], span[1], paid, parts, points, stated=True)
    lines = {} if before is None else {k: v for k, v in before.lines.items() if k[0] != fact.subject}
    lines[fact.subject, EVERYTHING] = paid
    return Earlier(label, span[0], span[1], sum(lines.values(), Fraction(0)), lines, points, stated=True)


def _span(agreement: Agreement, fact: Fact) -> Span | None:
    if fact.period is None:
        return None if fact.start is None or fact.end is None else (fact.start, fact.end)
    try:
        asked = parse_period(fact.period)
    except ConfigError:
        return None
    where = zone(agreement.time_zone)
    return (
        (midnight(asked.first, where), midnight(asked.after, where)) if isinstance(asked, Label) else (asked.start, asked.end)
    )


def since(agreement: Agreement, period: ResolvedPeriod) -> dict[CapSpan, int]:
    """Return from when on each span counts that the period lies in, UTC nanoseconds."""
    where = zone(agreement.time_zone)
    day = local_day(period.start, where)
    firsts = {span: Label.around(day, PeriodUnit(span.value)).first for span in (CapSpan.MONTH, CapSpan.QUARTER, CapSpan.YEAR)}
    own = agreement.period
    if isinstance(own, SpelledPeriod) and own.year_starts != 1:
        firsts[CapSpan.YEAR] = day.replace(day=1, month=own.year_starts, year=day.year - (day.month < own.year_starts))
    firsts[CapSpan.CONTRACT_YEAR] = contract_year(agreement.effective, day)
    found = {span: midnight(first, where) for span, first in firsts.items()}
    return found | {CapSpan.PERIOD: period.parts[0][1]} if period.parts else found


def contract_year(effective: date, day: date) -> date:
    """Return the last anniversary of the Agreement's first day, at or before a day."""
    years = day.year - effective.year
    found = shift_months(effective, 12 * years)
    return found if found <= day else shift_months(effective, 12 * (years - 1))


# ── what is not known ───────────────────────────────────────────────────────────────────────────────────────────────
def unknown(
    agreement: Agreement, period: ResolvedPeriod, account: Account, past: Past, history: Sequence[Evaluation]
) -> tuple[str, ...]:
    """Return what the credit depends on and is not known, a sentence each."""
    return (
        *_unstated(agreement, account),
        *past.unread,
        *_unnamed(agreement, account),
        *_holes(agreement, period, past),
        *_unknown_points(agreement, period, past),
        *_open(agreement, past, history),
    )


def _unstated(agreement: Agreement, account: Account) -> Iterator[str]:
    fee = agreement.fee
    if fee is not None and fee.base == "cash_paid" and not account.cash:
        yield "what was paid for this period is not recorded, so no amount is known (record the invoice with its value)"
    if fee is not None and fee.base == "affected_users" and not account.affected:
        yield "the share of users that were affected is not recorded, so no amount is known (record affected_users)"
    rows = [(o, scope) for o in agreement.objectives if o.is_priced for scope in o.service or ()]
    if fee is not None and fee.base in {"service", "region"}:
        for name in dict.fromkeys(n for _, scope in rows for n in fee_parts(agreement, scope)[1]):
            yield f"the part of the fee for {name} is not stated, so no amount is known (write it in fee.amounts)"
    multiples = [
        (o.name, scope)
        for o in agreement.objectives
        for r in _remedies(o.remedy)
        if isinstance(r, UsageMultiple)
        for scope in o.service or (EVERYTHING,)
    ]
    if not all(has_usage(scope, name, account) for name, scope in multiples):
        yield "the usage of this period is not recorded; the fee stands for it (record usage with its value)"
    daily = [
        o for o in agreement.objectives for r in _remedies(o.remedy) if isinstance(r, UsageMultiple) and r.days == "with_use"
    ]
    if daily and not account.usage_days:
        yield "on how many days there was use is not recorded; all days stand for them, the least there can be"


def _unnamed(agreement: Agreement, account: Account) -> Iterator[str]:
    """Name choices that are no option of the promise they are about."""
    for one in agreement.objectives:
        chosen = account.elections.get(one.name)
        names = [option_name(option) for option in one.remedy.options] if isinstance(one.remedy, Elect) else []
        if chosen is not None and chosen not in names:
            known = f"its options are {', '.join(names)}" if names else "it has no options"
            yield f"the election {escape(chosen)} for {one.name} names no option and is not counted: {known}"
    known_names = {EVERYTHING, *(one.name for one in agreement.objectives)}
    for name in account.elections:
        if name not in known_names:
            yield f"an election for {escape(name)} is not counted: no promise has that name"


def _remedies(remedy: Any) -> tuple[Any, ...]:
    return remedy.options if isinstance(remedy, Elect) else (remedy,)


def _holes(agreement: Agreement, period: ResolvedPeriod, past: Past) -> Iterator[str]:
    """Name the time, since a cap's span began, of which no payment is known."""
    where, seen = zone(agreement.time_zone), set[CapSpan]()
    for cap in agreement.caps:
        span = counted_over(agreement, cap, past)
        if span is None or span in seen or span not in past.since:
            continue
        seen.add(span)
        spans = [(one.start, one.end) for one in past.earlier]
        for start, end in holes(agreement, period, past.since[span], spans):
            yield _hole(span, local_day(start, where), local_day(end - 1, where))


def _unknown_points(agreement: Agreement, period: ResolvedPeriod, past: Past) -> Iterator[str]:
    """Name the last earlier period, where the mean of points looks back at it and its points are not known."""
    before = 0 if agreement.points_table is None else agreement.points_table.average_with_previous
    known = [e for e in past.earlier[-before:] if e.points is not None] if before else []
    starts = midnight(agreement.effective, zone(agreement.time_zone)) < period.start
    if starts and len(known) < before and any(holes(agreement, period, 0, [(e.start, e.end) for e in known])):
        yield (
            f"the points of {before - len(known)} of the {before} earlier periods in the mean are not known, and the mean is "
            "over the others (keep those periods in the same ledger)"
        )


def holes(agreement: Agreement, period: ResolvedPeriod, start: int, known: Iterable[Span]) -> Iterator[Span]:
    """Yield the stretches from an instant (or the Agreement's first day) to the period that no known span covers."""
    here = max(start, midnight(agreement.effective, zone(agreement.time_zone)))
    for first, last in sorted(known):
        if here < first < period.start:
            yield here, first
        here = max(here, last)
    if here < period.start:
        yield here, period.start


def _hole(span: CapSpan, first: date, last: date) -> str:
    name = span.value.replace("_", " ")
    return (
        f"what was credited from {first} to {last} is not known, and the cap per {name} may leave less "
        "(record credit_paid, or keep those periods in the same ledger)"
    )


def _open(agreement: Agreement, past: Past, history: Sequence[Evaluation]) -> Iterator[str]:
    """Name earlier periods that are not decided, where a cap or an average looks back at them."""
    looks = any(counted_over(agreement, cap, past) for cap in agreement.caps) or agreement.points_table is not None
    priced = {o.name for o in agreement.objectives if o.is_priced}
    known = {e.label for e in past.earlier if not e.stated}
    for one in history if looks else ():
        names = dict.fromkeys(o.name for o in one.objectives if o.name in priced and o.verdict in _UNDECIDED)
        if names and one.period.label in known:
            said = "only what is certain of it counts here (record credit_paid)"
            yield f"{one.period.label} is not decided for {', '.join(names)}; {said}"
