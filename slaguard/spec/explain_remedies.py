"""What a promise is worth, in words: every remedy but the ladder, and what the whole Agreement says of money and rights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from slaguard.spec.explain_words import counted, duration, listing, money, name, percent, quantity
from slaguard.spec.model import Agreement, Fee, Objective
from slaguard.spec.remedies import (
    Elect,
    Extension,
    Flat,
    PerStep,
    Points,
    PoolAllocation,
    ProRata,
    RemedyTerm,
    StepTable,
    TableRow,
    UsageMultiple,
    option_name,
)
from slaguard.spec.rights import Chronic, CreditCap, EarnBack, PointsTable, When
from slaguard.spec.scalars import format_times
from slaguard.terms import BoundWord

Priced = Callable[[Any], str]
"""A share of the fee in words, with its amount where that is known."""
BASE_WORDS: Final = {
    "agreement": "credits are shares of the whole fee",
    "service": "credits are shares of the fee of the service that broke the promise",
    "region": "credits are shares of the fee of the regions that broke the promise",
    "unit_purchase": "credits are shares of the price of the units that were bought",
    "cash_paid": "credits are shares of what was paid in cash, once you have recorded the invoice with its value",
    "affected_users": "credits are shares of the fee of the affected users, once you have recorded what share of all they are",
}
ROUNDING_WORDS: Final = {
    "half_up": "A credit is rounded half up to the smallest unit of the currency.",
    "half_even": "A credit is rounded to the smallest unit of the currency, a half to the even one.",
    "up": "A credit is rounded up to the smallest unit of the currency.",
    "down": "A credit is rounded down to the smallest unit of the currency.",
}
_EDGES: Final = {
    "from_inclusive": "the lower figure included, the upper not",
    "from_exclusive": "the upper figure included, the lower not",
    "both_inclusive": "both figures included",
    "both_exclusive": "neither figure included",
}
_POLICY: Final = {
    "refuse": "there is none",
    "readings": "it can be read as one row or the other: the lower amount is certain, the higher is the most",
    "higher_row": "the row of higher figures counts",
    "lower_row": "the row of lower figures counts",
}
_ROUNDED: Final = {"half_up": "half up", "half_even": "a half to the even one", "up": "up", "down": "down"}
_PARTIAL: Final = {
    "floor": "a part of a step does not count",
    "ceil": "a part of a step counts as a whole one",
    "pro_rata": "a part of a step counts in proportion",
}


# ── one promise ─────────────────────────────────────────────────────────────────────────────────────────────────────
def remedy_lines(objective: Objective, priced: Priced) -> list[str]:
    """Return what a promise with a remedy other than a ladder is worth, a statement a line."""
    remedy = objective.remedy
    first, *rest = _lines(remedy, priced)
    called = f" (named {remedy.id})" if isinstance(remedy, RemedyTerm) and remedy.id else ""
    return [f"{objective.name}{called}: {first}", *rest]


def _lines(remedy: Any, priced: Priced) -> list[str]:
    match remedy:
        case StepTable():
            return list(_table(remedy, priced))
        case Flat():
            worth = money(remedy.amount) if remedy.amount is not None else priced(remedy.credit)
            return [f"{worth}, however badly it is broken."]
        case UsageMultiple():
            return list(_multiple(remedy))
        case PoolAllocation():
            return list(_pool(remedy, priced))
        case Points():
            return [f"{counted(remedy.points, 'point')}; see the table of points."]
        case ProRata():
            return [f"{format_times(remedy.times)} the fee of the time that was down."]
        case PerStep():
            return [_per_step(remedy, priced)]
        case Extension():
            return [_extension(remedy)]
        case Elect():
            return list(_elect(remedy, priced))
    raise TypeError("no remedy")


def _table(table: StepTable, priced: Priced) -> Iterator[str]:
    rows = [f"{_row(row)}: {priced(row.credit)}" for row in table.rows]
    yield f"the row that holds the figure, as printed: {'; '.join(rows)}."
    if table.edges is not None:
        yield f"In a row where nothing else is said: {_EDGES[table.edges]}."
    yield f"A figure that no row holds: {_POLICY[table.gap_policy]}."
    if table.overlap_policy is not None:
        yield f"A figure that several rows hold: {_POLICY[table.overlap_policy]}."
    if table.rounded is not None:
        places = counted(table.rounded.places, "place")
        yield f"Before it is looked up, the figure is rounded to {places} of a percent, {_ROUNDED[table.rounded.mode]}."


def _row(row: TableRow) -> str:
    span = f"{quantity(row.first)} and more" if row.to is None else f"{quantity(row.first)} to {quantity(row.to)}"
    return span if row.edges is None else f"{span} ({_EDGES[row.edges]})"


def _multiple(remedy: UsageMultiple) -> Iterator[str]:
    rows = [
        f"{'below' if row.below is not None else 'above'} {quantity(row.edge)}: {format_times(row.times)}"
        for row in remedy.rows
    ]
    days = {"all": "all its days", "with_use": "its days with any use, once you have recorded how many"}[remedy.days]
    window = {"period": "the broken period"}[remedy.window]
    yield f"so many times the usage of an average day: {'; '.join(rows)}."
    yield f"The average is over {window}: its usage, once you have recorded it, else the fee, divided by {days}."


def _pool(remedy: PoolAllocation, priced: Priced) -> Iterator[str]:
    share = remedy.at_risk * remedy.category.share * remedy.share
    yield (
        f"{priced(share)}: {percent(remedy.share)} of the {percent(remedy.category.share)} that {name(remedy.category.name)} "
        f"has of what is at risk."
    )
    yield f"At risk is {priced(remedy.at_risk)}; all promises that share it never cost more together."
    if remedy.over_allocation is not None:
        meant = "are meant" if remedy.over_allocation else "are not meant"
        yield f"Parts that add up to more than the whole {meant}."


def _per_step(remedy: PerStep, priced: Priced) -> str:
    each = money(remedy.amount) if remedy.amount is not None else priced(remedy.credit)
    what = {"downtime": "downtime", "shortfall": "what is missing to the target"}[remedy.of]
    return f"{each} for each {quantity(remedy.step)} of {what}; {_PARTIAL[remedy.partial]}."


def _extension(remedy: Extension) -> str:
    if remedy.by_downtime is None:
        rows = (
            f"{'below' if r.below is not None else 'above'} {quantity(r.edge)} {counted(r.days, 'day')}"
            for r in remedy.rows or ()
        )
        return f"no money: the term becomes longer, by the figure: {'; '.join(rows)}."
    most = "" if remedy.at_most is None else f", at most {counted(remedy.at_most, 'day')} for one period"
    per, each, how = remedy.by_downtime
    partial = {"floor": "a part of that does not count", "ceil": "a part of that counts as whole"}[how]
    return f"no money: the term becomes longer by {counted(each, 'day')} for each {duration(per)} of downtime{most}; {partial}."


def _elect(remedy: Elect, priced: Priced) -> Iterator[str]:
    yield "you choose one of several; until your choice is recorded, the lowest amount is what is certain."
    for option in remedy.options:
        yield f"Option {option_name(option)}: {' '.join(_lines(option, priced))}"


# ── the fee ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def fee_words(fee: Fee) -> str:
    """Return what credits are shares of; empty where nothing more than the fee is said."""
    parts = []
    if fee.base is not None:
        parts.append(BASE_WORDS[fee.base])
    if fee.amounts:
        parts.append(f"of it {listing(f'{name(n)} is {money(a)}' for n, a in fee.amounts.items())}")
    return "; ".join(parts)


def fee_rules(fee: Fee) -> Iterator[str]:
    """Yield how the fee is divided and how a credit is rounded, where the Agreement says it."""
    if fee.divided is not None:
        yield f"A fee for a longer time than the period is divided {fee.divided}: a year has twelve months, or four quarters."
    if fee.rounding is not None:
        yield ROUNDING_WORDS[fee.rounding]


# ── the whole Agreement ─────────────────────────────────────────────────────────────────────────────────────────────
def cap_words(cap: CreditCap, worth: str) -> str:
    """Return one cap as a sentence."""
    of = {None: "", "fee": " of that time", "annual_fee": " of a whole year"}[cap.of]
    event = "for one event (each outage where it is downtime that pays, else each broken promise)"
    span = {"event": event, "period": "in one period", "contract_year": "in one year of the contract"}
    scope = {
        None: "",
        "agreement": " for all promises together",
        "objective": " for one promise",
        "service": " for one service",
    }
    when = span.get(cap.per.value, f"in one {cap.per.value}")
    return f"Never more than {worth}{of} {when}{scope[cap.scope]}."


def points_words(table: PointsTable, priced: Priced) -> str:
    """Return what points are worth."""
    rows = "; ".join(f"from {counted(row.first, 'point')} on {priced(row.credit)}" for row in table.rows)
    n = table.average_with_previous
    mean = f", as the mean of the period and {counted(n, 'period')} before it" if n else ""
    return f"The points of all broken promises are added{mean}: {rows}."


def earn_back_words(term: EarnBack) -> str:
    """Return when the vendor takes credits back."""
    word, limit = term.level
    side = {"at_least": "at least", "above": "more than", "below": "less than"}[word]
    year = {"year": "a calendar year", "contract_year": "a year of the contract"}[term.over]
    how = {"recomputed": "all that was counted in it, as one figure", "of_periods": "the mean of its periods' figures"}
    return (
        f"The vendor takes back what it credited for {term.objective} in {year} in which the figure is {side} "
        f"{quantity(limit)} ({how[term.average]})."
    )


def chronic_words(term: Chronic) -> list[str]:
    """Return a right that arises from several periods: when, what, until when, and what is paid back."""
    right = {
        "terminate": "terminate the contract", "step_in": "step in and do it at the vendor's cost",
        "renegotiate": "have the terms renegotiated", "root_cause": "have the root cause analysed",
    }[term.right]  # fmt: skip
    lines = [f"{term.id} ({name(term.clause)}): you may {right} {_when(term.when)}."]
    undecided = {"breaks": "counts as not bad", "skip": "is passed over"}[term.undecided]
    lines.append(f"A period that is not decided {undecided}; results show both.")
    if term.notice is not None:
        unit = counted(term.notice.n, term.notice.unit.removesuffix("s"))
        end = {"nth_failed_period_end": "the last day of the bad period that completed the number"}[term.notice.anchor]
        lines.append(f"Use it at the latest {unit} after {end}; that day ends at 24:00.")
    if term.cure is not None:
        lines.append(f"After your notice the vendor has {duration(term.cure)} to mend it.")
    if term.refund is not None:
        paid = (
            "what you have recorded as paid in advance"
            if term.prepaid is None
            else f"the {money(term.prepaid)} paid in advance"
        )
        refund = {"prepaid_pro_rata": "in proportion to the days of the term that remain"}[term.refund]
        lines.append(f"You get back {paid}, {refund}.")
    elif term.prepaid is not None:
        lines.append(f"{money(term.prepaid)} is paid in advance; no refund is agreed.")
    return lines


def _when(when: When) -> str:
    names = listing(when.objective, "or")
    bad = f"{names} is broken"
    if when.bounds:
        word = when.bounds[0]
        words = {
            BoundWord.AT_LEAST: "at least", BoundWord.AT_MOST: "at most", BoundWord.MORE_THAN: "more than",
            BoundWord.LESS_THAN: "less than",
        }[BoundWord(word)]  # fmt: skip
        bad = f"the figure of {names} is {words} {quantity(getattr(when, word))}"
    if when.downtime is not None:
        return f"once {names} was down for {duration(when.downtime)} or more within {counted(when.of or 1, 'period')}"
    if when.consecutive is not None:
        return f"once {bad} in {counted(when.consecutive, 'period')} in a row"
    if when.bad is not None:
        return f"once {bad} in {when.bad:,} of the last {counted(when.of or 1, 'period')}"
    return f"once {bad} in one period"


def agreement_lines(agreement: Agreement, priced: Priced) -> Iterator[tuple[str, list[str]]]:
    """Yield what the Agreement says of points, earn-back and rights: a statement, and the points that belong to it."""
    if agreement.points_table is not None:
        yield points_words(agreement.points_table, priced), []
    for term in agreement.earn_back:
        yield earn_back_words(term), []
    for right in agreement.chronic:
        first, *rest = chronic_words(right)
        yield first, rest
