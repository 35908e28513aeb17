"""What you get, at most, and what you must do for it, by when."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from slaguard.spec.explain_words import (
    MISSED_WORDS,
    MONTHS,
    WEEKDAYS,
    clock,
    counted,
    day,
    money,
    name,
    percent,
    quantity,
    share_of,
)  # fmt: skip
from slaguard.spec.labels import Label, shift_months
from slaguard.spec.lint.money import periods_of_fee
from slaguard.spec.model import Agreement, Claim, Combine, CreditCap, Deadline, Objective, PeriodUnit
from slaguard.spec.zones import DAY
from slaguard.terms import BoundWord, Money

DEADLINE_WORDS: Final = {
    "notify": "Tell the vendor",
    "claim": "Send the claim",
    "ticket": "Open a ticket",
    "dispute": "Dispute the vendor's answer",
}
ANCHOR_WORDS: Final = {
    "period_end": "the last day of the period",
    "invoice_date": "the date of the invoice, once you have recorded it",
    "awareness": "the moment you became aware of it, once you have recorded it",
    "notice_sent": "the day you sent notice, once you have recorded it",
}


def fee_line(agreement: Agreement) -> str:
    """Return what credits are shares of."""
    fee, base = agreement.fee, fee_of_period(agreement)
    if fee is None:
        return "No fee is stated, so no promise has a price."
    longer = f", {money(base)} a {agreement.period.value}" if base is not None and base != fee.amount else ""
    return f"The fee is {money(fee.amount)} a {fee.per.value}{longer}; credits are shares of it."


def fee_of_period(agreement: Agreement) -> Money | None:
    """Return the fee of one period: three monthly fees make a quarter's; None where that is not known."""
    fee = agreement.fee
    times = periods_of_fee(fee.per, agreement.period) if fee is not None else None
    return Money(fee.amount.amount * times, fee.amount.currency) if fee is not None and times is not None else None


def ladder(agreement: Agreement, objective: Objective) -> list[str]:
    """Return the credits of one promise, in money where the fee is known, a line for each step."""
    if not objective.credits:
        return [f"{objective.name}: nothing. It is a target only."]
    # The first edge is the target and as strict as it; a value exactly at a further edge is not past it.
    first = MISSED_WORDS[objective.bound.word]
    further = MISSED_WORDS[BoundWord.AT_LEAST if objective.bound.word.is_floor else BoundWord.AT_MOST]
    steps = [
        f"{further if i else first} {quantity(step.edge)}: {_price(agreement, step.credit)}"
        for i, step in enumerate(objective.credits)
    ]
    lines = [f"{objective.name}: {'; '.join(steps)}."]
    if len(steps) > 1:
        lines.append("Each step reaches to the next; only one of them is paid.")
    if objective.decision.rule == "lower_bound":
        lines.append("Where only a sample was checked, you can claim the step that the sample shows at the stated risk.")
    return lines


def together(agreement: Agreement) -> list[str]:
    """Return how several credits pay together, the caps, the smallest that is paid, and the most there can be."""
    lines = _combine(agreement.combine)
    lines.extend(f"Never more than {_cap(agreement, cap)} in one {cap.per.value}." for cap in agreement.caps)
    if agreement.fee is not None and agreement.fee.minimum_payout is not None:
        lines.append(f"A credit is paid only when it is more than {money(agreement.fee.minimum_payout)}.")
    return [*lines, *_at_most(agreement)]


def deadlines(agreement: Agreement, claim: Claim) -> list[str]:
    """Return what must be done, by when, through which channel, and what lateness costs."""
    late = "A claim that comes late is lost." if claim.forfeits else "A claim that comes late is not lost for that."
    several = ["Where several dates fall apart, the earliest decides."] if len(claim.deadlines) > 1 else []
    dates = [_deadline(agreement, term) for term in claim.deadlines]
    return [*dates, *several, f"How: {name(claim.channel)}.", late]


def _price(agreement: Agreement, share: Fraction) -> str:
    amount = _in_money(agreement, share)
    return f"{percent(share)} of the fee{f', {amount}' if amount else ''}"


def _in_money(agreement: Agreement, share: Fraction) -> str:
    base = fee_of_period(agreement)
    return "" if base is None else money(share_of(base, share))


def _combine(combine: Combine | None) -> list[str]:
    if combine is None:
        return []
    across = {
        "greater_of": "If several promises are broken in one period, only the largest credit is paid.",
        "sum_to_cap": "If several promises are broken in one period, their credits add up, as far as the caps allow.",
    }[combine.across_objectives]
    within = {"highest_only": "One event pays once: the highest credit."}[combine.within_event]
    return [across, within]


def _cap(agreement: Agreement, cap: CreditCap) -> str:
    return money(cap.amount) if cap.amount is not None else _price(agreement, cap.value or Fraction(0))


def _at_most(agreement: Agreement) -> list[str]:
    """Return the most that one period can pay, where its fee is known."""
    base = fee_of_period(agreement)
    if base is None or not any(o.credits for o in agreement.objectives):
        return []
    add_up = agreement.combine is not None and agreement.combine.across_objectives == "sum_to_cap"
    each = [max((step.credit for step in o.credits), default=Fraction(0)) for o in agreement.objectives]
    tops = [top * (_rows(o) if add_up else 1) for top, o in zip(each, agreement.objectives, strict=True)]
    most = Fraction(base.amount) * (sum(tops, Fraction(0)) if add_up else max(tops))
    most = min([most, *(_cap_amount(base, cap) for cap in agreement.caps)])
    amount = share_of(Money(Decimal(1), base.currency), most)
    return [f"So one {agreement.period.value} can pay at most {money(amount)}."]


def _rows(objective: Objective) -> int:
    """Return how many results of its own a promise has: with several services each is priced alone."""
    return 1 if objective.service is None else len(objective.service)


def _cap_amount(base: Money, cap: CreditCap) -> Fraction:
    if cap.amount is not None:
        return Fraction(cap.amount.amount)
    return Fraction(base.amount) * (cap.value or 0)


def _deadline(agreement: Agreement, term: Deadline) -> str:
    end_of_period = term.unit == "hours" and term.anchor == "period_end"
    anchor = "the end of the period" if end_of_period else ANCHOR_WORDS[term.anchor]
    when = f"{counted(term.n, term.unit.removesuffix('s'))} after {anchor}"
    until = (
        f"at the latest {when}, to the minute ({term.time_zone})"
        if term.unit == "hours"
        else f"at the latest on the day {when}; that day ends at 24:00 {clock(term.time_zone)} ({term.time_zone})"
    )
    kind = " (Monday to Friday)" if term.margin.unit == "business_days" else ""
    unit = {"days": "day", "business_days": "business day"}[term.margin.unit]
    act = f"slaguard asks you to act {counted(term.margin.n, unit)}{kind} earlier."
    return f"{DEADLINE_WORDS[term.type]} {until}.{_for_example(agreement, term)} {act}"


def _for_example(agreement: Agreement, term: Deadline) -> str:
    """Return the date for the first period, where the calendar alone gives it."""
    if term.anchor != "period_end" or term.unit == "hours" or term.time_zone != agreement.time_zone:
        return ""
    label = Label.around(agreement.effective, agreement.period)
    try:
        last = min(label.after - DAY, agreement.expires or date.max)
        due = last + timedelta(days=term.n) if term.unit == "days" else shift_months(last, term.n)
    except (OverflowError, ValueError):  # beyond the last day of the calendar
        return ""
    return f" For the first period, {_label(label)}, that is {WEEKDAYS[due.weekday()]} {day(due)}."


def _label(label: Label) -> str:
    return f"{MONTHS[label.first.month - 1]} {label.first.year}" if label.unit is PeriodUnit.MONTH else str(label)
