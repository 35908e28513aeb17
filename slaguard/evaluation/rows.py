"""One row of the result answered: its figure from each source and with each set of exclusions, and the verdict on each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from slaguard.evaluation.decide import Analysis, Decided, decide
from slaguard.evaluation.exclusions import PROPOSED, VARIANTS, Variant, alone
from slaguard.evaluation.measure import Measurement
from slaguard.evaluation.requirements import Question
from slaguard.evaluation.rules import measure
from slaguard.records import Evidence
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Source, Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """One Objective in one scope, answered: its figure and verdict in each variant of the exclusions."""

    question: Question
    analysis: Analysis
    measured: dict[Variant, Measurement]
    decided: dict[Variant, Decided]
    seen: tuple[tuple[Measurement, Decided], ...] = ()
    """The figure from each source that the Objective names, in its order, with the accepted exclusions, and its verdict."""

    overall: Verdict | None = None
    """The verdict over all readings of the clause, where they do not agree."""

    @property
    def disputed(self) -> bool:
        """Tell whether an exclusion in dispute changes the verdict."""
        here = self.decided["accepted"].verdict
        return any(d.verdict is not here for v, d in self.decided.items() if v not in {"none", PROPOSED})

    @property
    def verdict(self) -> Verdict:
        """Return the verdict of the row."""
        if self.overall is not None:
            return self.overall
        return Verdict.INCONCLUSIVE if self.disputed else self.decided["accepted"].verdict


def answered(question: Question, evidence: Evidence, period: ResolvedPeriod, as_of: int) -> Row:
    """Return a question's row.

    Raises:
        KeyError: the evidence does not answer a Demand.

    """
    closed = as_of >= period.end
    analysis = Analysis.of(question.objective, question.scope)
    figures = _Figures(question, evidence, period, as_of, {})
    source = _source(figures, analysis)
    measured = {v: figures.of(source, v) for v in _variants(question)}
    decided = _decided(analysis, measured, closed=closed)
    others = ((s, figures.of(s, "accepted")) for s in question.objective.source)
    seen = ((m, decided["accepted"] if s is source else decide(analysis, m, closed=closed)) for s, m in others)
    return Row(question, analysis, measured, decided, tuple(seen))


def _variants(question: Question) -> tuple[Variant, ...]:
    """Return the sets of exclusions under which a row is measured."""
    proposed = (PROPOSED,) if any(a.is_proposed(question.span) for a in question.applied) else ()
    return (*VARIANTS, *alone(question.applied, question.span), *proposed)


@dataclass(frozen=True, slots=True)
class _Figures:
    """One row's Measurements, each made once: variants that apply the same exclusions have the same figure."""

    question: Question
    evidence: Evidence
    period: ResolvedPeriod
    as_of: int
    made: dict[tuple[Source, tuple[object, ...]], Measurement]

    def of(self, source: Source, variant: Variant) -> Measurement:
        """Return the Measurement from one source with one set of exclusions."""
        applied = [a for _, q in ((None, self.question), *self.question.earlier) for a in q.applied]
        key = source, tuple(a.windows(variant) if a.is_window else a.covers_records(variant) for a in applied)
        if key not in self.made:
            self.made[key] = measure(self.question, source, self.evidence, self.period, self.as_of, variant)
        return self.made[key]


def _decided(analysis: Analysis, measured: Mapping[Variant, Measurement], *, closed: bool) -> dict[Variant, Decided]:
    """Judge each variant; equal figures are judged once. What was left out, and when, is no part of a figure."""
    told: dict[Measurement, Decided] = {}
    decided: dict[Variant, Decided] = {}
    for variant, m in measured.items():
        figure = replace(m, excluded=(), events=(), filtered=(), filter_notes=())
        if figure not in told:
            told[figure] = decide(analysis, figure, closed=closed)
        decided[variant] = told[figure]
    return decided


def _source(figures: _Figures, analysis: Analysis) -> Source:
    """Return the first source whose coverage reaches the agreed minimum, else the best covered; they are never mixed.

    A source that has nothing to say is passed over: that a sidecar was there while no call went through it says nothing of
    the vendor, and must not hide what probes found.
    """
    best: tuple[tuple[bool, Fraction], Source] | None = None
    sources = figures.question.objective.source
    for source in sources:
        m = figures.of(source, "accepted")
        if m.coverage >= analysis.min_coverage and _says_something(m):
            return source
        if best is None or (_says_something(m), m.coverage) > best[0]:
            best = ((_says_something(m), m.coverage), source)
    return best[1] if best else sources[0]


def _says_something(m: Measurement) -> bool:
    """Tell whether a source has a call that counts; intervals without one count as well, so those are no measure of it."""
    return bool(m.n or m.unknown) if m.requests is None else m.requests > 0
