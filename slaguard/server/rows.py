"""One Agreement in one period as the page shows it: a row a promise, the broken ones first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from urllib.parse import quote, urlencode

from markupsafe import Markup

from slaguard.evaluation.result import LEFT_OUT, Evaluation, ObjectiveResult
from slaguard.evaluation.snapshot import Standing, Which
from slaguard.reports.readings import reading_lines
from slaguard.reports.sources import source_lines
from slaguard.reports.words import clean, counted, figure, money, shares, spaced, target, title
from slaguard.server.bullet import bullet, how_sure
from slaguard.server.worth import deadline_of, is_late
from slaguard.spec.model import Objective, SampleProportion
from slaguard.spec.scalars import Quantity
from slaguard.terms import BoundWord, Verdict

OPEN_QUESTIONS = frozenset({Verdict.INSUFFICIENT, Verdict.INCONCLUSIVE})


@dataclass(frozen=True, slots=True)
class Row:
    """One promise in one scope."""

    name: str
    scope: str
    promised: str
    measured: str
    bullet: Markup
    sure: str
    verdict: str
    state: str
    credit: str
    credit_note: str
    why: str
    more: str
    """What would decide an open question; empty where nothing is known to."""
    sources: tuple[str, ...]
    """Which source decided, what became of the others, and how many calls left the count where they are many, a line each."""


@dataclass(frozen=True, slots=True)
class Group:
    """One Agreement in one period."""

    vendor: str
    agreement: str
    period: str
    note: str
    """By when a claim must be made; empty where there is none."""
    claim: str
    """The way to its claim page."""
    claim_word: str
    evaluation: str
    """The way to its result as JSON."""
    broken: bool
    rows: tuple[Row, ...]


def group(standing: Standing, period: str, now: int, ident: str) -> Group:
    """Return one Agreement in one period.

    Args:
        standing: what was judged.
        period: the period's name where the heading does not say it, else empty.
        now: UTC nanoseconds.
        ident: tells its pictures from others on the page.

    """
    evaluation = standing.evaluation
    name, label = evaluation.agreement.name, evaluation.period.label
    results = sorted(evaluation.objectives, key=lambda result: result.verdict is not Verdict.BREACH)
    broken = bool(evaluation.breached)
    return Group(
        vendor=clean(evaluation.agreement.vendor, 120),
        agreement=clean(name, 80),
        period=period,
        note=_note(standing, now),
        claim=f"claims/{quote(name, safe='')}/{quote(label, safe='')}",
        claim_word="claim page" if broken and standing.which is not Which.CURRENT else "report",
        evaluation=f"api/v1/evaluations?{urlencode({'agreement': name, 'period': label})}",
        broken=broken,
        rows=tuple(_row(standing, result, now, f"{ident}-{i}") for i, result in enumerate(results)),
    )


def _note(standing: Standing, now: int) -> str:
    found = deadline_of(standing, now)
    if found is None:
        return ""
    if is_late(standing, now):
        return f"the time to claim passed on {found.day}"
    return f"claim by {found.day}" if found.day else f"claim: {found.reason}"


# ── a row ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _row(standing: Standing, result: ObjectiveResult, now: int, ident: str) -> Row:
    terms = _terms(standing, result)
    near = _nearest(result, terms)
    credit, credit_note = _credit(standing, result, now, priced=terms is not None and terms.is_priced)
    return Row(
        name=title(result.name),
        scope="" if result.scope == "all" else clean(result.scope, 80),
        promised=_promised(result),
        measured=_measured(result, near),
        bullet=bullet(ident, result, near),
        sure=how_sure(result, near),
        verdict=result.verdict.value,
        state="may change" if result.provisional else "final",
        credit=credit,
        credit_note=credit_note,
        why=spaced(clean(result.sentence, 400)),
        more=_more(result, terms),
        sources=(*_under_readings(standing, result), *source_lines(result), *_left_out(standing.evaluation, result)),
    )


def _promised(result: ObjectiveResult) -> str:
    parts = [test.share for test in result.tests] or [result.target]
    return " and ".join(f"{BoundWord(part.word).symbol} {target(part)}".replace(" ", "\u00a0") for part in parts)


def _left_out(evaluation: Evaluation, result: ObjectiveResult) -> Iterator[str]:
    path = f"{result.name}/{result.scope}"
    return (clean(spaced(w.text), 400) for w in evaluation.warnings if w.code == LEFT_OUT and w.path == path)


def _under_readings(standing: Standing, result: ObjectiveResult) -> Iterator[str]:
    """Yield what each open reading of the clause gives, a line each; nothing where there is one reading."""
    owed = standing.evaluation.credits
    return (spaced(line) for line in reading_lines(result, None if owed is None else owed.currency))


def _most(result: ObjectiveResult) -> Decimal:
    """Return what a promise would pay under the reading that pays most; nothing where there is one reading."""
    return max((part.credit for part in result.readings if part.credit is not None), default=Decimal(0))


def _terms(standing: Standing, result: ObjectiveResult) -> Objective | None:
    return next((o for o in standing.agreement.objectives if o.name == result.name), None)


def _nearest(result: ObjectiveResult, terms: Objective | None) -> Fraction:
    """Return the target or the step of the ladder that the figure is nearest to, and must not be mistaken for."""
    limit, value = Quantity.parse(result.target.limit).value, result.estimate.value
    edges = [limit, *(step.edge.value for step in (terms.credits if terms else ()))]
    return limit if value is None else min(edges, key=lambda edge: abs(edge - value))


def _measured(result: ObjectiveResult, near: Fraction) -> str:
    estimate = result.estimate
    if estimate.value is None and estimate.n and result.unit == "ms":
        return "no answer"  # the percentile lies among requests that had none
    return shares(result) or figure(estimate.value, result.unit, near)


def _more(result: ObjectiveResult, terms: Objective | None) -> str:
    needed = result.next.n_needed
    if needed is None or result.verdict not in OPEN_QUESTIONS:
        return ""
    graded = "graded " if terms is not None and isinstance(terms.indicator, SampleProportion) else ""
    return f"{counted(needed, f'more {graded}{result.estimate.noun}')} would decide"


def _credit(standing: Standing, result: ObjectiveResult, now: int, *, priced: bool) -> tuple[str, str]:
    """Return what a promise is worth, and a word on it: claimable, at stake, or why nothing."""
    evaluation = standing.evaluation
    if evaluation.credits is None or not priced:
        return "–", ""
    currency = evaluation.credits.currency
    for line in evaluation.credits.lines:
        if (line.objective, line.scope) == (result.name, result.scope) and (line.step or line.remedy):
            if line.counts and line.amount:
                widest = _most(result)
                more = f", up to {money(widest, currency)}" if widest > line.amount else ""
                return money(line.amount, currency), "came too late" if is_late(standing, now) else f"claimable{more}"
            return "–", spaced(clean(line.sentence, 160))
    unsettled = list(_unsettled(standing))
    if (result.name, result.scope) not in unsettled or evaluation.credits.upper <= evaluation.credits.claimable:
        return "–", ""
    most = money(evaluation.credits.upper, currency)
    word = "at stake" if standing.which is Which.CURRENT else "not decided"
    return (f"up to {most}", word) if len(unsettled) == 1 else ("–", f"part of the {most} that are {word}")


def _unsettled(standing: Standing) -> Iterator[tuple[str, str]]:
    """Yield the priced promises that may yet pay: not decided, or broken in a period that is still open."""
    evaluation: Evaluation = standing.evaluation
    priced = {o.name for o in standing.agreement.objectives if o.is_priced}
    for result in evaluation.objectives:
        if result.name in priced and result.verdict in {Verdict.INCONCLUSIVE, Verdict.BREACH}:
            yield result.name, result.scope
