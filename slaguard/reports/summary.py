"""The line of each promise in the table at the head of the page: what was promised, what was measured, and how sure it is."""

from __future__ import annotations

from dataclasses import dataclass

from slaguard.evaluation.result import Estimate
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.standing import Standing
from slaguard.reports.subjects import Subject
from slaguard.reports.words import clean, counted, figure, figure_range, money, percent, promised, shares
from slaguard.spec.model import SampleProportion
from slaguard.terms import Verdict


@dataclass(frozen=True, slots=True)
class SummaryRow:
    """One promise at the head of the page."""

    name: str
    clause: str
    promised: str
    measured: str
    sure: str
    sure_more: str
    verdict: str
    so_far: bool
    credit: str
    remark: str
    notes: tuple[str, ...]


def summary_row(inputs: ClaimInputs, standing: Standing, subject: Subject) -> SummaryRow:
    """Return the line of one promise."""
    result = subject.result
    sure, more = how_sure(subject)
    credit = _credit(inputs, standing, subject)
    return SummaryRow(
        name=subject.name,
        clause=clean(result.clause, 160),
        promised=promised(result),
        measured=measured(subject),
        sure=sure,
        sure_more=more,
        verdict=result.verdict.value,
        so_far=result.provisional,
        credit=credit,
        remark="" if credit else next_words(subject),
        notes=tuple(clean(note) for note in inputs.notes_on(result.name)),
    )


def measured(subject: Subject) -> str:
    """Return the measured figure; a percentile that lies among requests without an answer has none."""
    estimate = subject.result.estimate
    if estimate.value is None and estimate.n and subject.result.unit == "ms":
        return "no answer"
    return shares(subject.result) or figure(estimate.value, subject.result.unit, subject.nearest(estimate.value))


def how_sure(subject: Subject) -> tuple[str, str]:
    """Return what the figure stands on, and what is not known of it."""
    estimate, unit = subject.result.estimate, subject.result.unit
    if estimate.low is None:
        return "no figure", ""
    ends = figure_range(estimate.low, estimate.high, unit, subject.limit)
    if estimate.confidence is not None:
        return f"{ends} ({percent(estimate.confidence)})", _sample_words(estimate)
    all_of_them = "counted, " if subject.by_intervals else "all " if not subject.result.unknown else ""
    basis = f"{all_of_them}{counted(estimate.n, estimate.noun)}"
    return basis, "" if estimate.low == estimate.high else f"{ends} with what was not seen"


def _sample_words(estimate: Estimate) -> str:
    of = f" of {estimate.population:,}" if estimate.population is not None else ""
    return f"exact, on each side · {estimate.n:,}{of} {estimate.noun}s"


def _credit(inputs: ClaimInputs, standing: Standing, subject: Subject) -> str:
    part = inputs.evaluation.credits
    if part is None or standing not in {Standing.CLAIM, Standing.LATE}:
        return ""
    key = (subject.result.name, subject.result.scope)
    amounts = [line.amount for line in part.lines if (line.objective, line.scope) == key and line.counts and line.amount]
    return money(sum(amounts[1:], amounts[0]), part.currency) if amounts else ""


def next_words(subject: Subject) -> str:
    """Return what would decide an open question, in numbers; empty where no number is known."""
    needed = subject.result.next.n_needed
    if needed is None or subject.result.verdict not in {Verdict.INSUFFICIENT, Verdict.INCONCLUSIVE}:
        return ""
    graded = "graded " if isinstance(subject.objective.indicator, SampleProportion) else ""
    return f"{counted(needed, f'more {graded}{subject.result.estimate.noun}')} would decide"
