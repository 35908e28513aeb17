"""From an answered row to what the result says of it: verdict, figure, what was left out, and what else it would be."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from slaguard.evaluation.accounts import NO_BOOKS, Books
from slaguard.evaluation.decide import Decided
from slaguard.evaluation.exclusions import ALONE, PROPOSED, Variant
from slaguard.evaluation.latency import NEVER
from slaguard.evaluation.measure import Excluded, Measurement, Tested
from slaguard.evaluation.payment import credit_alone
from slaguard.evaluation.result import (
    AlonePart,
    Estimate,
    EventPart,
    ExcludedPart,
    FilteredPart,
    NextPart,
    ObjectiveResult,
    SourcePart,
    TargetPart,
    TestPart,
    VariantPart,
)  # fmt: skip
from slaguard.evaluation.rows import Row
from slaguard.evaluation.sentences import sentence
from slaguard.records import Span
from slaguard.spec.model import Agreement, Limits, Objective, SampleProportion, written_limit
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Reason, Verdict


def result_of(
    row: Row, agreement: Agreement, period: ResolvedPeriod, *, closed: bool, books: Books = NO_BOOKS
) -> ObjectiveResult:
    """Return what the result says of one row; a verdict that hangs on a dispute is INCONCLUSIVE, with both figures told."""
    m, decided, objective = row.measured["accepted"], row.decided["accepted"], row.question.objective
    reason, verdict, text = decided.reason, row.verdict, sentence(objective, row.analysis, m, decided)
    if row.disputed:
        reason = Reason.CONTESTED_EXCLUSION
        other = sentence(objective, row.analysis, row.measured["with_contested"], row.decided["with_contested"])
        text = f"{text}; with the contested exclusions {other}"
    rule = objective.indicator
    pays = {v: credit_alone(agreement, period, row, v, books) for v in row.measured if v != PROPOSED}
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
        tests=tuple(_test_part(t) for t in m.tests),
        unit=unit_shown(objective),
        estimate=estimate_of(m, decided),
        source=m.source,
        design="census" if m.census else "sample",
        grading=rule.grading if isinstance(rule, SampleProportion) else "none",
        coverage=m.coverage,
        min_coverage=objective.min_coverage,
        unknown=m.unknown,
        dropped=m.dropped,
        unmeasured=m.unmeasured,
        excluded=_excluded(row, period.span),
        filtered=tuple(FilteredPart.model_validate({"filter": name, "n": n}) for name, n in m.filtered),
        undefined=m.undefined,
        with_contested=_variant(row, "with_contested", pays) if _contested(row) else None,
        without_exclusions=_variant(row, "none", pays) if m.excluded or _contested(row) else None,
        contested=_alone(row, pays),
        events=tuple(EventPart(kind=e.kind, start=e.span[0], end=e.span[1], lost=e.lost) for e in m.events),
        next=NextPart(n_needed=decided.n_needed),
        sources=tuple(_source_part(one, said.verdict, used=one.source is m.source) for one, said in row.seen),
    )


def _test_part(tested: Tested) -> TestPart:
    ends = [end for end in (tested.worst, tested.best) if end is not None]
    return TestPart(
        error_rate=_limit_part(tested.test.error_rate),
        share=_limit_part(tested.test.share),
        value=tested.value,
        low=min(ends, default=None),
        high=max(ends, default=None),
        bad=tested.bad,
        allowed=tested.allowed,
    )


def _limit_part(limits: Limits) -> TargetPart:
    return TargetPart(word=limits.bound.word.value, limit=str(written_limit(limits)))


def unit_shown(objective: Objective) -> Literal["ratio", "ms", "tok/s"]:
    """Return the unit of the figure: a plain number is one of tokens a second."""
    if objective.unit == "count":
        return "tok/s"
    return "ms" if objective.unit == "ms" else "ratio"


def _source_part(m: Measurement, verdict: Verdict, *, used: bool) -> SourcePart:
    return SourcePart(
        source=m.source, used=used, coverage=m.coverage, n=m.n, bad=m.bad, calls=m.calls, unmeasured=m.unmeasured,
        verdict=verdict,
    )  # fmt: skip


def _finite(value: Fraction | None) -> Fraction | None:
    return None if value is None or value == NEVER else value


def estimate_of(m: Measurement, decided: Decided) -> Estimate:
    """Return a figure with its bounds."""
    return Estimate.model_validate({
        "value": _finite(m.value), "low": _finite(decided.low), "high": _finite(decided.high),
        "confidence": decided.confidence, "method": decided.method, "n": m.n, "bad": m.bad, "allowed": m.allowed,
        "population": m.population, "noun": m.noun,
    })  # fmt: skip


def _contested(row: Row) -> bool:
    """Tell whether a dispute can change the row, in the period or in the intervals around it that settle a run."""
    return any(a.in_dispute(row.question.span) for a in row.question.applied)


def _variant(row: Row, variant: Variant, pays: Mapping[Variant, Decimal | None]) -> VariantPart:
    m, decided = row.measured[variant], row.decided[variant]
    return VariantPart(
        verdict=decided.verdict, reason=decided.reason, value=_finite(m.value), n=m.n, bad=m.bad, credit=pays[variant]
    )


def _excluded(row: Row, span: Span) -> tuple[ExcludedPart, ...]:
    """Return what the exclusions took out: those accepted, and beside them what those in dispute or proposed would take."""
    disputed = (e for e in row.measured["with_contested"].excluded if e.applied.in_dispute(span))
    unshown = row.measured[PROPOSED].excluded if PROPOSED in row.measured else ()
    return (
        *(
            _excluded_part(e, "accepted", e.n, e.minutes, e.applied.windows_in(span, "accepted"))
            for e in row.measured["accepted"].excluded
        ),
        *(_beyond(row, e, "accepted", "contested", e.applied.contested_in(span)) for e in disputed),
        *(
            _beyond(row, e, "with_contested", "proposed", e.applied.proposed_in(span))
            for e in unshown
            if e.applied.is_proposed(span)
        ),
    )


def _beyond(row: Row, excluded: Excluded, less: Variant, state: str, windows: tuple[Span, ...]) -> ExcludedPart:
    """Return what an exclusion takes more than in a variant that applies less."""
    before = next((e for e in row.measured[less].excluded if e.applied is excluded.applied), None)
    n = excluded.n - (before.n if before else 0)
    minutes = excluded.minutes - (before.minutes if before else 0)
    return _excluded_part(excluded, state, max(0, n), max(Fraction(0), minutes), windows)


def _excluded_part(of: Excluded, state: str, n: int, minutes: Fraction, windows: tuple[Span, ...]) -> ExcludedPart:
    term = of.applied.exclusion
    return ExcludedPart.model_validate(
        {"id": term.id, "clause": term.clause, "state": state, "n": n, "minutes": minutes, "windows": windows, "also": of.also}
    )


def _alone(row: Row, pays: Mapping[Variant, Decimal | None]) -> tuple[AlonePart, ...]:
    """Return the result with each exclusion in dispute by itself; none where one is, as that is all in dispute."""
    found = [v for v in row.measured if v.startswith(ALONE)]
    return tuple(AlonePart(id=v.removeprefix(ALONE), result=_variant(row, v, pays)) for v in found)
