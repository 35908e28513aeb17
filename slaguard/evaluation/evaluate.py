"""`evaluate`: one Agreement, one period, the Evidence, a time of knowledge; out comes the whole result, and nothing else.

Pure: the same input gives the same bytes, forever. Every row is measured three times, with the accepted exclusions, with
those in dispute as well, and with none; a verdict that hangs on a dispute is INCONCLUSIVE.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from slaguard.evaluation.decide import Analysis, Decided, decide
from slaguard.evaluation.exclusions import VARIANTS, Applied, Variant, may_assert
from slaguard.evaluation.latency import NEVER
from slaguard.evaluation.measure import Measurement
from slaguard.evaluation.payment import credit_alone, credits_part, deadline_parts
from slaguard.evaluation.requirements import Question, questions
from slaguard.evaluation.result import (
    LEFT_OUT,
    METHOD_VERSION,
    AgreementPart,
    Estimate,
    Evaluation,
    EventPart,
    ExcludedPart,
    Inputs,
    NextPart,
    ObjectiveResult,
    PeriodPart,
    SourcePart,
    TargetPart,
    VariantPart,
    WarningPart,
)  # fmt: skip
from slaguard.evaluation.rules import measure
from slaguard.evaluation.sentences import left_words, sentence
from slaguard.records import Evidence, Span
from slaguard.spec.model import Agreement, BinRule, Percentile, Ratio, SampleProportion
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Reason, Source, Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """One Objective in one scope, answered: its figure and verdict in each variant of the exclusions."""

    question: Question
    analysis: Analysis
    measured: dict[Variant, Measurement]
    decided: dict[Variant, Decided]
    seen: tuple[tuple[Measurement, Decided], ...] = ()
    """The figure from each source that the Objective names, in its order, with the accepted exclusions, and its verdict."""

    @property
    def disputed(self) -> bool:
        """Tell whether an exclusion in dispute changes the verdict."""
        return self.decided["accepted"].verdict is not self.decided["with_contested"].verdict

    @property
    def verdict(self) -> Verdict:
        """Return the verdict of the row."""
        return Verdict.INCONCLUSIVE if self.disputed else self.decided["accepted"].verdict


def evaluate(agreement: Agreement, period: ResolvedPeriod, evidence: Evidence, as_of: int, *, spec_sha256: str) -> Evaluation:
    """Judge every promise of an Agreement in one period.

    Args:
        agreement: the normal form.
        period: what `spec.resolve` made of the period.
        evidence: the answers to `requirements(agreement, period, evidence.facts, as_of)`.
        as_of: the time of knowledge, UTC nanoseconds; it also says whether the period is over.
        spec_sha256: the hash of the normal form, printed with the result.

    Raises:
        KeyError: the evidence does not answer a Demand.

    """
    closed = as_of >= period.end
    rows = tuple(_row(q, evidence, period, as_of, closed) for q in questions(agreement, period, evidence.facts, as_of))
    analysis_sha256 = hashlib.sha256("\n".join(r.analysis.sha256() for r in rows).encode()).hexdigest()
    return Evaluation(
        agreement=AgreementPart(
            name=agreement.name,
            version=agreement.version,
            sha256=spec_sha256,
            vendor=agreement.vendor,
            customer=agreement.customer,
            contract=agreement.contract.id,
        ),
        period=PeriodPart(
            label=period.label, start=period.start, end=period.end, time_zone=period.zone, closed=closed, own=period.own
        ),
        as_of=as_of,
        inputs=Inputs(
            spec_sha256=spec_sha256,
            evidence_sha256=evidence.sha256(),
            analysis_sha256=analysis_sha256,
            tzdata=period.tzdata,
            method_version=METHOD_VERSION,
        ),
        objectives=tuple(_result(r, agreement, period, closed=closed) for r in rows),
        credits=credits_part(agreement, period, rows, closed=closed),
        deadlines=deadline_parts(agreement, period, evidence.facts, as_of),
        warnings=_warnings(agreement, period, evidence, rows),
    )


# ── one row ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _row(question: Question, evidence: Evidence, period: ResolvedPeriod, as_of: int, closed: bool) -> Row:
    analysis = Analysis.of(question.objective, question.scope)
    figures = _Figures(question, evidence, period, as_of, {})
    source = _source(figures, analysis)
    measured = {v: figures.of(source, v) for v in VARIANTS}
    decided = _decided(analysis, measured, closed=closed)
    others = ((s, figures.of(s, "accepted")) for s in question.objective.source)
    seen = ((m, decided["accepted"] if s is source else decide(analysis, m, closed=closed)) for s, m in others)
    return Row(question, analysis, measured, decided, tuple(seen))


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
        applied = self.question.applied
        key = source, tuple(a.windows(variant) if a.is_window else a.covers_records(variant) for a in applied)
        if key not in self.made:
            self.made[key] = measure(self.question, source, self.evidence, self.period, self.as_of, variant)
        return self.made[key]


def _decided(analysis: Analysis, measured: Mapping[Variant, Measurement], *, closed: bool) -> dict[Variant, Decided]:
    """Judge each variant; equal figures are judged once. What was left out, and when, is no part of a figure."""
    told: dict[Measurement, Decided] = {}
    decided: dict[Variant, Decided] = {}
    for variant, m in measured.items():
        figure = replace(m, excluded=(), events=())
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


def _result(row: Row, agreement: Agreement, period: ResolvedPeriod, *, closed: bool) -> ObjectiveResult:
    m, decided, objective = row.measured["accepted"], row.decided["accepted"], row.question.objective
    reason, verdict, text = decided.reason, row.verdict, sentence(objective, row.analysis, m, decided)
    if row.disputed:
        reason = Reason.CONTESTED_EXCLUSION
        other = sentence(objective, row.analysis, row.measured["with_contested"], row.decided["with_contested"])
        text = f"{text}; with the contested exclusions {other}"
    rule = objective.indicator
    pays = {v: credit_alone(agreement, period, row, v) for v in VARIANTS}
    return ObjectiveResult(
        name=objective.name,
        scope=row.question.scope,
        indicator=rule.rule,
        clause=objective.clause.where,
        clause_words=objective.clause.words,
        verdict=verdict,
        provisional=decided.provisional or (row.disputed and not closed),
        reason=reason,
        sentence=text,
        target=TargetPart(word=objective.bound.word.value, limit=str(objective.target)),
        unit="ms" if isinstance(rule, Percentile) else "ratio",
        estimate=_estimate(m, decided),
        source=m.source,
        design="census" if m.census else "sample",
        grading=rule.grading if isinstance(rule, SampleProportion) else "none",
        coverage=m.coverage,
        min_coverage=objective.min_coverage,
        unknown=m.unknown,
        dropped=m.dropped,
        unmeasured=m.unmeasured,
        excluded=_excluded(row, period.span),
        with_contested=_variant(row, "with_contested", pays) if _contested(row) else None,
        without_exclusions=_variant(row, "none", pays) if m.excluded or _contested(row) else None,
        events=tuple(EventPart(kind=e.kind, start=e.span[0], end=e.span[1], lost=e.lost) for e in m.events),
        next=NextPart(n_needed=decided.n_needed),
        sources=tuple(_source_part(one, said.verdict, used=one.source is m.source) for one, said in row.seen),
    )


def _source_part(m: Measurement, verdict: Verdict, *, used: bool) -> SourcePart:
    return SourcePart(
        source=m.source, used=used, coverage=m.coverage, n=m.n, bad=m.bad, calls=m.calls, unmeasured=m.unmeasured,
        verdict=verdict,
    )  # fmt: skip


def _finite(value: Fraction | None) -> Fraction | None:
    return None if value is None or value == NEVER else value


def _estimate(m: Measurement, decided: Decided) -> Estimate:
    return Estimate.model_validate({
        "value": _finite(m.value), "low": _finite(decided.low), "high": _finite(decided.high),
        "confidence": decided.confidence, "method": decided.method, "n": m.n, "bad": m.bad, "allowed": m.allowed,
        "population": m.population, "noun": m.noun,
    })  # fmt: skip


def _contested(row: Row) -> bool:
    """Tell whether a dispute can change the row, in the period or in the intervals around it that settle a run."""
    return any(a.in_dispute(row.question.counts[0].span) for a in row.question.applied)


def _variant(row: Row, variant: Variant, pays: Mapping[Variant, Decimal | None]) -> VariantPart:
    m, decided = row.measured[variant], row.decided[variant]
    return VariantPart(
        verdict=decided.verdict, reason=decided.reason, value=_finite(m.value), n=m.n, bad=m.bad, credit=pays[variant]
    )


def _excluded(row: Row, span: Span) -> tuple[ExcludedPart, ...]:
    """Return what the exclusions took out: those accepted, and beside them what those in dispute would take."""
    parts: list[ExcludedPart] = []
    for excluded in row.measured["accepted"].excluded:
        windows = excluded.applied.windows_in(span, "accepted")
        parts.append(_excluded_part(excluded.applied, "accepted", excluded.n, excluded.minutes, windows))
    for excluded in row.measured["with_contested"].excluded:
        one = excluded.applied
        if not one.in_dispute(span):
            continue
        before = next((e for e in row.measured["accepted"].excluded if e.applied is one), None)
        n = excluded.n - (before.n if before else 0)
        minutes = excluded.minutes - (before.minutes if before else 0)
        parts.append(_excluded_part(one, "contested", max(0, n), max(Fraction(0), minutes), one.contested_in(span)))
    return tuple(parts)


def _excluded_part(one: Applied, state: str, n: int, minutes: Fraction, windows: tuple[tuple[int, int], ...]) -> ExcludedPart:
    return ExcludedPart.model_validate(
        {"id": one.exclusion.id, "clause": one.exclusion.clause, "state": state, "n": n, "minutes": minutes, "windows": windows}
    )


# ── what a reader should know ───────────────────────────────────────────────────────────────────────────────────────
def _warnings(
    agreement: Agreement, period: ResolvedPeriod, evidence: Evidence, rows: tuple[Row, ...]
) -> tuple[WarningPart, ...]:
    found = [WarningPart(code="W-RECORDS", path="", text=note) for note in evidence.notes]
    found += [WarningPart(code="W-PERIOD", path="period", text=note) for note in period.notes]
    found += [WarningPart(code="W-FACTS", path=f"facts {fact}", text=text) for fact, text in _facts(agreement, evidence)]
    for row in rows:
        path = f"{row.question.objective.name}/{row.question.scope}"
        found += [WarningPart(code=code, path=path, text=text) for code, text in _row_warnings(row)]
    clockless = sum(r.measured["accepted"].clockless for r in rows)
    if clockless and any(not isinstance(r.question.objective.indicator, BinRule) for r in rows):
        text = "records carry no time of their own; they count by the batch they were made in"
        found.append(WarningPart(code="W-RECORDS-CLOCK", path="", text=text))
    if agreement.fee is None and any(r.question.objective.credits for r in rows):
        found.append(WarningPart(code="W-SPEC-FEE", path="fee", text="no fee is stated, so no amount can be computed"))
    return tuple(found)


def _row_warnings(row: Row) -> Iterator[tuple[str, str]]:
    rule, m = row.question.objective.indicator, row.measured["accepted"]
    if isinstance(rule, BinRule) and m.source is Source.PROBE and m.n:
        yield "W-SPEC-PROBE", "measured by our own probes, while the clause counts the customer's requests"
    gone = left_words(row.question.objective, m)
    if gone:
        yield LEFT_OUT, gone
    late = sum(a.late for a in row.question.applied)
    if late:
        yield "W-LATE-NOTICE", f"{late} window(s) were announced later than the notice asks for, and are contested"
    silent = [a.exclusion.id for a in row.question.applied if a.is_window and not a.with_contested and not a.accepted]
    if silent and m.bad > 0 and isinstance(rule, BinRule | Ratio):
        names = ", ".join(silent)
        yield "W-FACTS", f"no announcement is recorded for {names} in this period; if there was one, it counts (--facts)"


def _facts(agreement: Agreement, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Say which Facts name an exclusion that is not there, or come from someone who may not assert it."""
    parties = {"vendor": agreement.vendor, "customer": agreement.customer}
    known = {e.id: e for o in agreement.objectives for e in o.exclusions}
    for fact in evidence.facts:
        if fact.exclusion is None:
            continue
        exclusion = known.get(fact.exclusion)
        if exclusion is None:
            names = ", ".join(sorted(known)) or "none"
            yield fact.id, f"it names the exclusion {fact.exclusion!r}, which the Agreement does not have (it has {names})"
        elif fact.type == "announcement" and not may_assert(exclusion, fact.by, parties):
            who = f"the {exclusion.asserted_by} ({parties[exclusion.asserted_by]})"
            yield fact.id, f"it is by {fact.by!r}, while only {who} may claim {fact.exclusion}: contested"
