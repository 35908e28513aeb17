"""What you get, at most, and what you must do for it, by when."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from slaguard.spec.explain_deadlines import deadline_words
from slaguard.spec.explain_remedies import agreement_lines, cap_words, fee_rules, fee_words, remedy_lines
from slaguard.spec.explain_words import (
    MISSED_WORDS,
    money,
    name,
    percent,
    quantity,
    share_of,
)  # fmt: skip
from slaguard.spec.lint.money import times_of_fee
from slaguard.spec.model import Agreement, Claim, Combine, CreditCap, Objective
from slaguard.spec.readings import lists
from slaguard.terms import BoundWord, Money


def fee_line(agreement: Agreement) -> str:
    """Return what credits are shares of."""
    fee, base = agreement.fee, fee_of_period(agreement)
    if fee is None:
        return "No fee is stated, so no promise has a price."
    longer = f", {money(base)} a {agreement.period.value}" if base is not None and base != fee.amount else ""
    of = fee_words(fee) or "credits are shares of it"
    return f"The fee is {money(fee.amount)} a {fee.per.value}{longer}; {of}."


def fee_of_period(agreement: Agreement) -> Money | None:
    """Return the fee of one period: three monthly fees make a quarter's; None where that is not known."""
    fee = agreement.fee
    times = times_of_fee(fee, agreement.period) if fee is not None else None
    return share_of(fee.amount, times) if fee is not None and times is not None else None


def ladder(agreement: Agreement, objective: Objective) -> list[str]:
    """Return the credits of one promise, in money where the fee is known, a line for each step."""
    event = [] if objective.event is None else [f"What breaks it is of the kind of event {objective.event}."]
    if objective.remedy is not None:
        return [*remedy_lines(objective, lambda share: _price(agreement, share or Fraction(0))), *event]
    if not objective.credits:
        return [f"{objective.name}: nothing. It is a target only.", *event]
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
    return [*lines, *event]


def together(agreement: Agreement) -> list[str]:
    """Return how several credits pay together, the caps, the smallest that is paid, and the most there can be."""
    lines = _combine(agreement.combine)
    lines.extend(cap_words(cap, _cap(agreement, cap)) for cap in agreement.caps)
    if agreement.fee is not None and agreement.fee.minimum_payout is not None:
        lines.append(f"A credit is paid only when it is more than {money(agreement.fee.minimum_payout)}.")
    rules = [] if agreement.fee is None else list(fee_rules(agreement.fee))
    return [*lines, *rules, *_at_most(agreement)]


def beyond(agreement: Agreement) -> list[tuple[str, list[str]]]:
    """Return what the Agreement says of points, earn-back and rights, each with the points that belong to it."""
    return list(agreement_lines(agreement, lambda share: _price(agreement, share or Fraction(0))))


def deadlines(agreement: Agreement, claim: Claim) -> list[str]:
    """Return what must be done, by when, through which channel, and what lateness costs."""
    late = "A claim that comes late is lost." if claim.forfeits else "A claim that comes late is not lost for that."
    several = ["Where several dates fall apart, the earliest decides."] if len(claim.deadlines) > 1 else []
    dates = [deadline_words(agreement, term) for term in claim.deadlines]
    return [*dates, *several, f"How: {name(claim.channel)}.", late]


def _price(agreement: Agreement, share: Fraction) -> str:
    amount = _in_money(agreement, share)
    return f"{percent(share)} of the fee{f', {amount}' if amount else ''}"


def _in_money(agreement: Agreement, share: Fraction) -> str:
    base = fee_of_period(agreement)
    return "" if base is None or not _is_whole(agreement) else money(share_of(base, share))


def _is_whole(agreement: Agreement) -> bool:
    """Tell whether a credit is a share of the whole fee, so that its amount is known beforehand."""
    return (
        agreement.fee is not None and agreement.fee.base in {None, "agreement", "unit_purchase"} and not agreement.fee.amounts
    )


def _combine(combine: Combine | None) -> list[str]:
    if combine is None:
        return []
    across = {
        "greater_of": "If several promises are broken in one period, only the largest credit is paid.",
        "sum_to_cap": "If several promises are broken in one period, their credits add up, as far as the caps allow.",
        "customer_elects": "If several promises are broken in one period, you choose one credit; "
        "until your choice is recorded, the lowest is what is certain.",
    }[combine.across_objectives]
    within = {"highest_only": "One event pays once: the highest credit."}[combine.within_event]
    overlap = {None: "", "overlap": " Outages that overlap in time are one event, whichever promises they break."}[
        combine.events
    ]
    return [across, within + overlap]


def _cap(agreement: Agreement, cap: CreditCap) -> str:
    if cap.amount is not None:
        return money(cap.amount)
    if cap.of is None and cap.per.value == agreement.period.value:
        return _price(agreement, cap.value or Fraction(0))
    return f"{percent(cap.value or Fraction(0))} of the fee"


def _at_most(agreement: Agreement) -> list[str]:
    """Return the most that one period can pay, where its fee is known."""
    base = fee_of_period(agreement)
    plain = _is_whole(agreement) and all(o.remedy is None and o.event is None for o in agreement.objectives)
    own = all(c.of is None and c.scope is None and c.per.value == agreement.period.value for c in agreement.caps)
    if base is None or not (plain and own) or not any(o.credits for o in agreement.objectives):
        return []
    add_up = agreement.combine is not None and agreement.combine.across_objectives == "sum_to_cap"
    each = [max((step.credit for step in o.credits), default=Fraction(0)) for o in agreement.objectives]
    tops = [top * (_rows(o) if add_up else 1) for top, o in zip(each, agreement.objectives, strict=True)]
    most = Fraction(base.amount) * (sum(tops, Fraction(0)) if add_up else max(tops))
    most = min([most, *(_cap_amount(base, cap) for cap in agreement.caps)])
    amount = share_of(Money(Decimal(1), base.currency), most)
    other = " as written; another reading, or an amendment, may pay more" if _changes_money(agreement) else ""
    return [f"So one {agreement.period.value} can pay at most {money(amount)}{other}."]


_OF_MONEY: Final = frozenset({"fee", "caps", "combine", "credits", "remedy", "event", "service", "services", "period"})
"""Terms that the most there can be depends on."""


def _changes_money(agreement: Agreement) -> bool:
    """Tell whether a reading or an amendment changes what a period can pay, so that the most as written is not the most."""
    read = [(*r.set, *r.unset) for o in agreement.objectives for one in lists(o) for r in one]
    paths = [path for found in (*read, *(one.set for one in agreement.amendments)) for path in found]
    return any(path == "objectives" or not _OF_MONEY.isdisjoint(path.split(".")) for path in paths)


def _rows(objective: Objective) -> int:
    """Return how many results of its own a promise has: with several services each is priced alone."""
    return 1 if objective.service is None else len(objective.service)


def _cap_amount(base: Money, cap: CreditCap) -> Fraction:
    if cap.amount is not None:
        return Fraction(cap.amount.amount)
    return Fraction(base.amount) * (cap.value or 0)
