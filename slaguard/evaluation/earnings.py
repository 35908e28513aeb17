"""R9, earn-back: where the year turns out well enough, the vendor takes back what it credited for a promise.

It is told beside the credit and never taken off it: who owes what to whom is the parties' to settle. The year is judged when
its last period is over, and only where every period of it is known and decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Protocol

from slaguard.evaluation.accounts import holes
from slaguard.evaluation.caps import Past
from slaguard.evaluation.measure import Measurement
from slaguard.evaluation.requirements import Question
from slaguard.evaluation.result import EarnBackPart, Evaluation
from slaguard.evaluation.rounding import as_money, whole_units
from slaguard.spec.explain_words import money
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.rights import CapSpan, EarnBack
from slaguard.spec.zones import DAY, local_day, zone
from slaguard.terms import Verdict, format_duration, format_percent

_UNDECIDED = frozenset({Verdict.INCONCLUSIVE, Verdict.INSUFFICIENT})
_EXACT = Fraction(1, 10**6)


class Measured(Protocol):
    """An answered row, as far as earn-back looks at it."""

    @property
    def question(self) -> Question:
        """The Objective and its scope."""

    @property
    def measured(self) -> Mapping[str, Measurement]:
        """The figure in each variant of the exclusions."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of the row."""


def earned_back(
    agreement: Agreement, period: ResolvedPeriod, rows: Sequence[Measured], past: Past, history: Sequence[Evaluation]
) -> tuple[EarnBackPart, ...]:
    """Return what the vendor may take back at the end of a year; nothing in any other period.

    Args:
        agreement: its `earn_back` is read.
        period: a closed period of the Agreement's own.
        rows: the priced rows of the period.
        past: what earlier periods paid.
        history: the Evaluations of earlier periods.

    """
    return tuple(
        part
        for term in agreement.earn_back
        if ends_year(agreement, period, term)
        for part in _for(agreement, period, term, rows, past, history)
    )


def ends_year(agreement: Agreement, period: ResolvedPeriod, term: EarnBack) -> bool:
    """Tell whether a year of the term ends with this period."""
    where = zone(agreement.time_zone)
    last = local_day(period.end - 1, where)
    after = last + DAY
    if term.over == "year":
        return after.year > last.year
    first = agreement.effective
    return (after.month, after.day) == (first.month, first.day) or last == agreement.expires


def _for(
    agreement: Agreement,
    period: ResolvedPeriod,
    term: EarnBack,
    rows: Sequence[Measured],
    past: Past,
    history: Sequence[Evaluation],
) -> Iterator[EarnBackPart]:
    span = CapSpan.YEAR if term.over == "year" else CapSpan.CONTRACT_YEAR
    start = past.since.get(span, period.start)
    paid = past.paid(span, term.objective, None)
    within = [(one.period.start, one.period.end) for one in history]
    if not paid or agreement.fee is None or any(holes(agreement, period, start, within)):
        return
    year = [one for one in history if start <= one.period.start < period.start]
    verdicts = [result.verdict for one in year for result in one.objectives if result.name == term.objective]
    verdicts += [row.verdict for row in rows if row.question.objective.name == term.objective]
    if not _UNDECIDED.isdisjoint(verdicts):
        return
    figures = [f for one in year for f in _figures(one, term.objective)]
    m = [r.measured["accepted"] for r in rows if r.question.objective.name == term.objective]
    figures += [(one.value, one.n, one.bad) for one in m]
    average = _average(term, figures)
    word, limit = term.level
    if average is not None and _earned(word, average, limit.value):
        currency = agreement.fee.amount.currency
        back = as_money(whole_units(paid, currency, agreement.fee.rounding or "half_up"), currency)
        side = {"at_least": "at least", "above": "more than", "below": "less than"}[word]
        text = (
            f"over the year {term.objective} is {_shown(average, limit.unit)}, {side} {limit}: "
            f"the vendor may take back the {money(back)} credited for it"
        )
        yield EarnBackPart(objective=term.objective, amount=back.amount, sentence=text)


def _earned(word: str, average: Fraction, limit: Fraction) -> bool:
    """Tell whether a year turned out well enough; `at_least` includes the level itself."""
    if word == "at_least":
        return average >= limit
    return average > limit if word == "above" else average < limit


def _figures(one: Evaluation, objective: str) -> Iterator[tuple[Fraction | None, int, Fraction]]:
    for result in one.objectives:
        if result.name == objective:
            yield result.estimate.value, result.estimate.n, result.estimate.bad


def _average(term: EarnBack, figures: Sequence[tuple[Fraction | None, int, Fraction]]) -> Fraction | None:
    """Return the mean of the periods' figures, or the figure of all that was counted; None where a period has none."""
    known = [(value, n, bad) for value, n, bad in figures if value is not None]
    if not known or len(known) < len(figures):
        return None
    if term.average == "of_periods":
        return sum((value for value, _, _ in known), Fraction(0)) / len(known)
    n = sum(n for _, n, _ in known)
    share = sum((bad for _, _, bad in known), Fraction(0)) / n if n else Fraction(0)
    return share if term.below is not None else 1 - share


def _shown(value: Fraction, unit: str) -> str:
    if unit == "ms":
        return format_duration(round(value))
    rounded = Fraction(round(value / _EXACT)) * _EXACT
    return format_percent(value) if rounded == value else f"about {format_percent(rounded)}"
