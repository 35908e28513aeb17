"""The most that is paid: by event, promise, service, and span of time, in which what earlier periods paid counts.

Every cap becomes a ceiling on some of the lines, in the contract's order (`contracts.md` §4): promise, service, then the
event, the period, the month, the quarter, the year. An earlier payment that nobody knows is not guessed: the ceiling stands
as far as payments are known, and the result says which are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final, Protocol

from slaguard.evaluation.fees import EVERYTHING, Account, annual_fee, base_of, exact_fee
from slaguard.evaluation.remedies import same_currency
from slaguard.evaluation.rounding import Ceiling
from slaguard.spec.calendar import AnyPeriod
from slaguard.spec.model import Agreement, CreditCap, Fee, PeriodUnit
from slaguard.spec.remedies import PoolAllocation, Priced
from slaguard.spec.rights import CapSpan

_SCOPES: Final = ("objective", "service", "agreement")
_SPANS: Final = tuple(CapSpan)
OWN: Final = frozenset({CapSpan.EVENT, CapSpan.PERIOD})
"""Spans that lie within one period."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier period paid: in all, and by (promise, scope) where that is known; and its points."""

    label: str
    start: int
    end: int
    total: Fraction
    lines: Mapping[tuple[str, str], Fraction] = field(default_factory=dict)
    points: int | None = None
    open_points: int = 0
    """Points that promises not decided yet may still earn."""
    stated: bool = False
    """Whether somebody recorded what was paid, so that it is known however the period was judged."""


@dataclass(frozen=True, slots=True)
class Past:
    """The earlier periods that are known, the last one last, and from when on each span counts (UTC nanoseconds).

    The span `period` is there only where an amendment splits the period: its earlier parts count.
    """

    earlier: tuple[Earlier, ...] = ()
    since: Mapping[CapSpan, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    """Payments that were recorded and cannot be counted, a sentence each."""

    def paid(self, span: CapSpan, objective: str | None, scope: str | None) -> Fraction:
        """Return what was paid in a span before this period: of a promise, of a service, or in all (both None)."""
        within = [e for e in self.earlier if span in self.since and e.start >= self.since[span]]
        if objective is None and scope is None:
            return sum((e.total for e in within), Fraction(0))
        parts = (
            amount
            for e in within
            for (name, where), amount in e.lines.items()
            if (objective is None or name == objective) and (scope is None or where == scope)
        )
        return sum(parts, Fraction(0))


class Line(Protocol):
    """A priced row, as far as caps look at it."""

    @property
    def objective(self) -> str:
        """The promise."""

    @property
    def scope(self) -> str:
        """Where it was measured."""

    @property
    def remedy(self) -> Priced | None:
        """What it is worth."""

    @property
    def outages(self) -> tuple[Fraction, ...]:
        """The part of each outage in its amount; none: what it pays is for one event."""


def ceilings(
    agreement: Agreement, lines: Sequence[Line], amounts: Sequence[Fraction], account: Account, past: Past
) -> list[Ceiling]:
    """Return every limit on the lines, whose exact amounts are given, in the order in which they act.

    Raises:
        ValueError: an amount is in another currency than the fee, or no fee is stated for a cap's span.

    """
    found = _pools(agreement, lines, account)
    for cap in sorted(agreement.caps, key=_order):
        for group, objective, scope in _groups(cap, lines):
            amount = _amount(agreement, cap, objective, scope, account)
            if (span := counted_over(agreement, cap, past)) is not None:
                amount = max(Fraction(0), amount - past.paid(span, objective, scope))
            if cap.per is CapSpan.EVENT:
                amount = sum((_of_events(lines[i], amounts[i], amount) for i in group), Fraction(0))
            found.append(Ceiling(group, amount))
    return found


def _of_events(line: Line, owed: Fraction, most: Fraction) -> Fraction:
    """Return the most that the events of one line pay: each outage its part of the amount, within the cap."""
    return sum((min(most, owed * part) for part in line.outages), Fraction(0)) if line.outages else most


def counted_over(agreement: Agreement, cap: CreditCap, past: Past) -> CapSpan | None:
    """Return over which span earlier payments count towards a cap; None: the period stands alone.

    A cap per period holds for the whole period where an amendment splits it. A share of what was paid in cash is one of
    each part's own cash, and so counts by itself.
    """
    if cap.per is CapSpan.EVENT:
        return None
    if cap.per is not CapSpan.PERIOD and not _is_period(agreement.period, cap.per):
        return cap.per
    by_itself = cap.value is not None and agreement.fee is not None and agreement.fee.base == "cash_paid"
    return CapSpan.PERIOD if CapSpan.PERIOD in past.since and not by_itself else None


def cut(amounts: Sequence[Fraction], limits: Sequence[Ceiling]) -> tuple[list[Fraction], frozenset[int]]:
    """Return the exact amounts within every ceiling, one after the other, in proportion; and which lines were cut."""
    kept, touched = list(amounts), set[int]()
    for one in limits:
        owed = sum((kept[i] for i in one.lines), Fraction(0))
        if owed > one.amount:
            for i in one.lines:
                kept[i] *= one.amount / owed
            touched |= one.lines
    return kept, frozenset(touched)


def _order(cap: CreditCap) -> tuple[int, int]:
    return _SCOPES.index(cap.scope or "agreement"), _SPANS.index(cap.per)


def _groups(cap: CreditCap, lines: Sequence[Line]) -> list[tuple[frozenset[int], str | None, str | None]]:
    """Return which lines a cap limits together, and of which promise or service they are."""
    if cap.per is CapSpan.EVENT:  # events of a line: see _of_events
        return [(frozenset({i}), line.objective, line.scope) for i, line in enumerate(lines)]
    if cap.scope == "objective":
        names = dict.fromkeys(line.objective for line in lines)
        return [(frozenset(i for i, line in enumerate(lines) if line.objective == n), n, None) for n in names]
    if cap.scope == "service":
        scopes = dict.fromkeys(line.scope for line in lines)
        return [(frozenset(i for i, line in enumerate(lines) if line.scope == s), None, s) for s in scopes]
    return [(frozenset(range(len(lines))), None, None)] if lines else []


def _amount(agreement: Agreement, cap: CreditCap, objective: str | None, scope: str | None, account: Account) -> Fraction:
    fee = agreement.fee
    if fee is None:
        raise ValueError("a cap is a share of a fee, and none is stated")
    if cap.per is not CapSpan.EVENT:  # the cap is the whole period's, also where this is a part of it
        account = replace(account, share=Fraction(1))
    base = base_of(agreement, EVERYTHING, EVERYTHING, account)
    if cap.amount is not None:
        return same_currency(cap.amount, base.shown)
    own = exact_fee(fee, agreement.period)
    here = own if fee.base == "affected_users" else base.exact
    if cap.scope == "service" or cap.per is CapSpan.EVENT:
        here = base_of(agreement, scope or EVERYTHING, objective or EVERYTHING, account).exact
    span = annual_fee(fee) if cap.of == "annual_fee" else _span_fee(fee, cap.per, agreement.period)
    return (cap.value or 0) * (here * span / own if own else Fraction(0))


def _span_fee(fee: Fee, span: CapSpan, period: AnyPeriod) -> Fraction:
    if span in OWN:
        return exact_fee(fee, period)
    return exact_fee(fee, PeriodUnit.YEAR if span is CapSpan.CONTRACT_YEAR else PeriodUnit(span.value))


def _is_period(period: AnyPeriod, span: CapSpan) -> bool:
    return isinstance(period, PeriodUnit) and period.value == span.value


def _pools(agreement: Agreement, lines: Sequence[Line], account: Account) -> list[Ceiling]:
    """Return the ceiling of what is at risk: promises that share it never cost more together."""
    shared = {i: r.at_risk for i, line in enumerate(lines) if isinstance(r := line.remedy, PoolAllocation)}
    if not shared:
        return []
    at_risk = max(shared.values())
    base = base_of(agreement, EVERYTHING, EVERYTHING, account)
    return [Ceiling(frozenset(shared), base.exact * at_risk)]
