"""What broken promises are worth together: events, several promises, caps, the smallest payout, one rounding at the end.

Everything is exact until the last step: fractions inside, `Decimal` money outside, each credit line rounded once to the
currency's minor unit, by the rule of the contract (half up where it names none). The order is the contract's
(`contracts.md` section 4): the amount of each promise (`remedies`), within one event, across promises, caps on the
unrounded amounts (`caps`), the smallest payout, rounding (`rounding`); the total is the sum of the lines. A promise known
only between bounds has three amounts, of which the claim asks for the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from slaguard.evaluation.caps import Past, ceilings, cut
from slaguard.evaluation.fees import EVERYTHING, Account, Base, base_of, period_fee, usage_days_of, usage_of
from slaguard.evaluation.remedies import Choice, Ground, Price, Qualifier, price_of, same_currency
from slaguard.evaluation.rounding import Ceiling, as_money, rounded_within, whole_units
from slaguard.spec.explain_words import money
from slaguard.spec.model import Agreement, Step
from slaguard.spec.remedies import Points, Priced, UsageMultiple
from slaguard.terms import Bound, Money, format_percent

__all__ = ["CreditLine", "Credits", "PricedRow", "Settlement", "Values", "period_fee", "price", "settle"]

POINTS = "points"
"""The line of what the points of all promises are worth together."""
NOTHING, NO_PAST = Account(), Past()


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A promise that is worth something, in one scope: what a measured value is looked up in.

    Either `steps` (the ladder of credits, R1) or `remedy` says what it is worth. Rows with the same `event` pay once, the
    highest of them; a row without an event is an event of its own. `length_ms` is the time whose share the figure is.
    `outages` are the parts of its outages in all downtime, where it is downtime that pays.
    """

    objective: str
    scope: str
    bound: Bound
    steps: tuple[Step, ...]
    event: str | None = None
    remedy: Priced | None = None
    length_ms: Fraction | None = None
    outages: tuple[Fraction, ...] = ()

    def step_at(self, value: Fraction) -> Step | None:
        """Return the step of the ladder (R1) that holds a value; None where the promise is kept.

        The first edge is the target and as strict as it; a value exactly at a further edge is not past it.
        """
        if self.bound.holds(value) or not self.steps:
            return None
        higher = self.bound.word.is_floor
        past = [s for s in self.steps[1:] if (value < s.edge.value if higher else value > s.edge.value)]
        return past[-1] if past else self.steps[0]

    @property
    def title(self) -> str:
        """The promise's name, with its scope where it has one of its own."""
        return self.objective if self.scope == EVERYTHING else f"{self.objective} ({self.scope})"


Values = Mapping[PricedRow, Fraction | None]
"""The measured value of each priced row, in the Objective's unit; None: no credit at this figure."""


@dataclass(frozen=True, slots=True)
class CreditLine:
    """What one priced row pays at one figure, and why.

    `step` is the edge as the contract has it (``below 99%``) and `percent` its share of the fee; both None where there is
    no credit. `alone` is what the row would pay by itself, `amount` its part of the total; both are rounded. `counts` tells
    whether it is part of the total. `at_most` is what it might be worth alone where the contract leaves that open.
    """

    objective: str
    scope: str
    step: str | None
    percent: Fraction | None
    alone: Money
    amount: Money
    counts: bool
    sentence: str
    remedy: str | None = None
    """The kind of remedy; None: a ladder of credits."""
    at_most: Money | None = None
    qualifier: Qualifier | None = None
    points: int = 0
    days: int = 0
    """In kind: days by which the term becomes longer."""
    options: tuple[Choice, ...] = ()
    missing: str = ""
    """What must be recorded before the amount is known."""
    rule: str = "half_up"

    def exactly(self, amount: Fraction) -> Decimal:
        """Return an exact amount rounded as the line is."""
        return as_money(whole_units(amount, self.alone.currency, self.rule), self.alone.currency).amount


@dataclass(frozen=True, slots=True)
class Settlement:
    """The credit at one set of figures: the total is the sum of the lines' amounts."""

    total: Money
    cap_applied: bool
    lines: tuple[CreditLine, ...]


@dataclass(frozen=True, slots=True)
class Credits:
    """The credit of a period: at the figures nearest to compliance, as measured, and at the far ends.

    `fee` is the fee of the period, the base of every share. `lines` and `cap_applied` are those of `claimable`; `far` are
    the lines of `upper`.
    """

    currency: str
    fee: Money
    claimable: Money
    point: Money
    upper: Money
    cap_applied: bool
    lines: tuple[CreditLine, ...]
    far: tuple[CreditLine, ...] = ()


def price(
    agreement: Agreement, claimable: Values, point: Values, upper: Values, account: Account = NOTHING, past: Past = NO_PAST
) -> Credits | None:
    """Return what is owed for a period; None where the Agreement states no fee.

    Args:
        agreement: its fee, period, combination and caps are read.
        claimable: each priced row's value nearest to compliance.
        point: its measured value.
        upper: its value at the far bound.
        account: what is recorded of the period's money.
        past: what earlier periods paid.

    Raises:
        ValueError: the fee is not stated for the period, or amounts are in several currencies.

    """
    if agreement.fee is None:
        return None
    base = base_of(agreement, EVERYTHING, EVERYTHING, account).shown
    first, middle = (settle(agreement, values, account, past) for values in (claimable, point))
    last = settle(agreement, upper, account, past, high=True)
    return Credits(
        base.currency, base, first.total, middle.total, last.total, first.cap_applied, first.lines, last.lines
    )  # fmt: skip


def settle(
    agreement: Agreement, values: Values, account: Account = NOTHING, past: Past = NO_PAST, *, high: bool = False
) -> Settlement:
    """Return the credit at one set of figures.

    Args:
        agreement: its fee, period, combination and caps are read.
        values: the value of every priced row, in the Agreement's order.
        account: what is recorded of the period's money.
        past: what earlier periods paid.
        high: where the contract leaves an amount open, the most it may be; else what is certain.

    Raises:
        ValueError: there is no fee, it is not stated for the period, or amounts are in several currencies.

    """
    if agreement.fee is None:
        raise ValueError("credits are shares of a fee, and none is stated")
    shares = [_share(agreement, row, value, account, high=high) for row, value in values.items()]
    shares += _points_line(agreement, shares, account, past, high=high)
    shares = _within_events(shares)
    shares = _across(shares, agreement, account, high=high)
    amounts = [s.exact for s in shares]
    limits = ceilings(agreement, [s.row for s in shares], amounts, account, past)
    kept, touched = cut(amounts, limits)
    smallest, base = agreement.fee.minimum_payout, base_of(agreement, EVERYTHING, EVERYTHING, account)
    if smallest is not None and sum(kept, Fraction(0)) <= same_currency(smallest, base.shown):
        shares = [s.left_out(f"a credit is paid only when it is more than {money(smallest)}") for s in shares]
        kept, touched = [Fraction(0) for _ in kept], frozenset()
    return _rounded(shares, kept, limits, touched, agreement.fee.rounding or "half_up", base.currency)


# ── one row ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class _Share:
    """A row's exact amount on its way through the rules; `why_not` says which rule left it out."""

    row: PricedRow
    priced: Price | None
    exact: Fraction
    why_not: str | None
    base: Base

    def left_out(self, why: str) -> _Share:
        return self if self.why_not else replace(self, exact=Fraction(0), why_not=why)

    def line(self, units: int, rule: str, *, cut_to: bool) -> CreditLine:
        """Return the credit line, `units` of the currency's minor unit being paid."""
        currency, worth = self.base.currency, self.priced
        amount = as_money(units, currency)
        alone = as_money(whole_units(worth.low if worth else Fraction(0), currency, rule), currency)
        words = [worth.words] if worth is not None else []
        if self.why_not is not None:
            words.append(self.why_not)
        elif cut_to:
            words.append(f"cut to {money(amount)} by the cap")
        if self.base.missing:
            words.append(f"{self.base.missing} is not recorded")
        line = CreditLine(
            self.row.objective, self.row.scope, None, None, alone, amount, self.why_not is None, ", ".join(words)
        )  # fmt: skip
        return line if worth is None else self._with(line, worth, rule)

    def _with(self, line: CreditLine, worth: Price, rule: str) -> CreditLine:
        most = None
        if worth.high != worth.low:
            most = as_money(whole_units(worth.high, self.base.currency, rule), self.base.currency)
        return replace(
            line,
            step=worth.step,
            percent=worth.percent,
            remedy=None if self.row.remedy is None else self.row.remedy.kind,
            at_most=most,
            qualifier=worth.qualifier,
            points=worth.points,
            days=worth.days,
            options=worth.options,
            missing=self.base.missing,
            rule=rule,
        )


def _share(agreement: Agreement, row: PricedRow, value: Fraction | None, account: Account, *, high: bool) -> _Share:
    base = base_of(agreement, row.scope, row.objective, account)
    worth = None if value is None else _worth(agreement, row, value, account, base)
    if worth is None:
        return _Share(row, None, Fraction(0), "no credit at this figure", base)
    why = "counted with the other points" if worth.points else None
    return _Share(row, worth, worth.high if high else worth.low, why, base)


def _worth(agreement: Agreement, row: PricedRow, value: Fraction, account: Account, base: Base) -> Price | None:
    if row.remedy is None:
        step = row.step_at(value)
        return None if step is None else _ladder(row, step, base)
    days = account.days
    if isinstance(row.remedy, UsageMultiple) and row.remedy.days == "with_use":
        days = usage_days_of(row.scope, row.objective, account) or account.days
    ground = Ground(
        bound=row.bound,
        base=base.exact,
        shown=base.shown,
        length_ms=row.length_ms,
        usage=usage_of(agreement, row.scope, row.objective, account),
        usage_days=days,
        elected=account.elections.get(row.objective),
    )
    return price_of(row.remedy, value, ground)


def _ladder(row: PricedRow, step: Step, base: Base) -> Price:
    amount = base.exact * step.credit
    side = "below" if row.bound.word.is_floor else "above"
    words = f"{format_percent(step.credit)} of {money(base.shown)}"
    return Price(amount, amount, words, step=f"{side} {step.edge}", percent=step.credit)


# ── several rows ────────────────────────────────────────────────────────────────────────────────────────────────────
def _points_line(
    agreement: Agreement, shares: Sequence[_Share], account: Account, past: Past, *, high: bool
) -> list[_Share]:  # fmt: skip
    """Return the one line that the points of all broken promises make (R4); none where no promise pays points.

    The mean is over the periods there are: one whose points nobody knows is in no mean. Of a promise that is not decided
    the points count only in the most there can be (`high`).
    """
    table = agreement.points_table
    rows = [s for s in shares if isinstance(s.row.remedy, Points)]
    if table is None or not rows:
        return []
    before = table.average_with_previous
    last = [e for e in past.earlier[-before:] if e.points is not None] if before else []
    points = sum(s.priced.points for s in rows if s.priced is not None)
    earlier = sum((e.points or 0) + (e.open_points if high else 0) for e in last)
    mean = Fraction(points + earlier, len(last) + 1)
    row = PricedRow(POINTS, EVERYTHING, rows[0].row.bound, ())
    base = base_of(agreement, EVERYTHING, EVERYTHING, account)
    reached = [r for r in table.rows if r.first <= mean]
    if not reached:
        return [_Share(row, None, Fraction(0), "too few points for a credit", base)]
    share = reached[-1].credit
    words = f"{format_percent(share)} of {money(base.shown)} for {_points_text(points, mean, len(last))}"
    worth = Price(base.exact * share, base.exact * share, words, step=f"from {reached[-1].first} points", percent=share)
    return [_Share(row, worth, worth.low, None, base)]


def _points_text(points: int, mean: Fraction, before: int) -> str:
    if not before:
        return f"{points:,} points"
    whole = f"{int(mean):,}" if mean.denominator == 1 else f"{mean.numerator}/{mean.denominator}"
    return f"{whole} points on average with {before} earlier period{'s' if before > 1 else ''}"


def _within_events(shares: Sequence[_Share]) -> list[_Share]:
    """One event pays once: the highest of its rows, the first of equal ones."""
    best: dict[str, _Share] = {}
    for share in shares:
        event = share.row.event
        if event is not None and (event not in best or share.exact > best[event].exact):
            best[event] = share
    return [
        s
        if s.row.event is None or best[s.row.event] is s
        else s.left_out(f"one event pays once, for {best[s.row.event].row.title}")
        for s in shares
    ]


def _across(shares: Sequence[_Share], agreement: Agreement, account: Account, *, high: bool) -> list[_Share]:
    """Keep the largest alone, unless the contract says that credits add up or that the customer chooses."""
    how = None if agreement.combine is None else agreement.combine.across_objectives
    if how == "sum_to_cap" or not shares:
        return list(shares)
    if how == "customer_elects":
        return _elected(shares, account, high=high)
    largest = max(shares, key=lambda s: s.exact)  # the first of equal ones
    return [s if s is largest else s.left_out(f"only the largest credit is paid, that of {largest.row.title}") for s in shares]


def _elected(shares: Sequence[_Share], account: Account, *, high: bool) -> list[_Share]:
    """Keep the credit that the customer chose; until then the lowest is what is certain, and the highest what may be due."""
    options = [s for s in shares if s.exact > 0]
    chosen = account.elections.get(EVERYTHING)
    named = next((s for s in options if chosen in {s.row.objective, s.row.title}), None)
    if len(options) < 2 and named is None:
        return list(shares)
    kept = named or (max if high else min)(options, key=lambda s: s.exact)
    why = "the customer chose" if named is not None else "the customer chooses one credit; until then the lowest is certain,"
    return [s if s is kept else s.left_out(f"{why} that of {kept.row.title}") for s in shares]


# ── rounding ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _rounded(
    shares: Sequence[_Share], kept: Sequence[Fraction], limits: Sequence[Ceiling], touched: frozenset[int], rule: str,
    currency: str,
) -> Settlement:  # fmt: skip
    """Round each line once. Where a cap cuts, the lines share it in proportion, and together never exceed it."""
    units, over = rounded_within(kept, limits, touched, currency, rule)
    lines = tuple(
        share.line(paid, rule, cut_to=over and paid < whole_units(share.exact, currency, rule))
        for share, paid in zip(shares, units, strict=True)
    )
    return Settlement(as_money(sum(units), currency), over, lines)
