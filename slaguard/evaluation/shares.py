"""Shares of requests and of answers: the plain ratio (U5) and the graded proportion (Q1).

Both end as bad events out of n. A ceiling counts its event as bad; a floor counts what is not its event. Time that was
not watched holds requests nobody counted: the rate then lies between B/N and (B + uN)/N, where u is the unwatched share
(`statistics.md` §4). An answer that could not be graded is a bound on both sides; one that nobody was asked to grade is
simply not in the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from slaguard.evaluation.closed_hours import in_service, watched_share
from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.measure import Measurement, Rows, rows_of
from slaguard.evaluation.requirements import Question
from slaguard.records import NULL, Column, Evidence
from slaguard.spec.indicators import Compared
from slaguard.spec.model import Ratio, SampleProportion
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import ANSWERED, GRADE_CODE, OUTCOME_CODE, Count, Grade, Outcome, Source

GRADES = tuple(Grade)


@dataclass(frozen=True, slots=True)
class Tally:
    """Events of one share: bad ones, all that are decided, those that could not be decided, and how many there are in all."""

    bad: int
    n: int
    unknown: int
    population: int | None
    census: bool


def measure_share(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return the figure of a `Ratio` or a `SampleProportion` from one source."""
    counts = next(c for c in question.counts if c.source is source)
    rows = rows_of(question, evidence.tables[counts.sha256()], variant)
    coverage = coverage_of(rows, source, evidence, period, as_of)
    rule = question.objective.indicator
    if isinstance(rule, Ratio):
        tally = _ratio(question, rule, rows, source)
        return measured(question, source, rows, tally, coverage, "request")
    if isinstance(rule, Compared):
        tally = _graded(question, rule, rows)
        found = measured(question, source, rows, tally, coverage, "answer")
        return replace(found, value=None, best=None, worst=None, bad=Fraction(0), allowed=Fraction(0), comparison=True)
    if isinstance(rule, SampleProportion):
        tally = _graded(question, rule, rows)
        return measured(question, source, rows, tally, coverage, "answer")
    msg = "not a share"
    raise TypeError(msg)


def coverage_of(rows: Rows, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int) -> Fraction:
    """Return the share of the period so far that was watched.

    Probes: the share of slots with a measured result. Traffic: the share of time inside the coverage. Outside the service
    hours nothing need be watched.
    """
    if source is Source.PROBE:
        counted = in_service(rows.table, period)
        planned = rows.sum(rows.table.n[counted])
        return Fraction(planned - rows.sum(rows.unmeasured[counted]), planned) if planned else Fraction(0)
    seen, there_was = watched_share(period, as_of, evidence.coverage.get(source, ()))
    return Fraction(seen, there_was) if there_was else Fraction(0)


def _ratio(question: Question, rule: Ratio, rows: Rows, source: Source) -> Tally:
    outcome = rows.table.column("outcome")
    if rule.of == "refusals":
        events = rows.sum((rows.ok + rows.fail)[outcome == OUTCOME_CODE[Outcome.REFUSED]])
    else:
        events = rows.sum(rows.fail if rule.of == "failures" else rows.ok)
    n = rows.sum(rows.ok + rows.fail)
    bad = n - events if question.objective.bound.word.is_floor else events
    known = is_census(rows, rows.ok + rows.fail, source)
    return Tally(bad, n, 0, n if known else None, known)


def is_census(rows: Rows, counted: Column, source: Source) -> bool:
    """Tell whether all requests there were are counted: every record kept for certain, or probes (all slots are ours)."""
    return source is Source.PROBE or not bool(counted[rows.table.column("known") == 0].any())


def _graded(question: Question, rule: SampleProportion | Compared, rows: Rows) -> Tally:
    """Count grades over the answers: calls that brought none leave this promise."""
    outcome, grade = rows.table.column("outcome"), rows.table.column("grade")
    answers = rows.ok.copy()
    for code in OUTCOME_CODE:
        if code not in ANSWERED:
            answers[outcome == OUTCOME_CODE[code]] = 0
    by_count = {Count.OK: 0, Count.FAIL: 0, Count.DROP: 0}
    ungraded = rows.sum(answers[grade == NULL])
    unknown = 0 if rule.grading == "human" else ungraded
    for word in GRADES:
        size = rows.sum(answers[grade == GRADE_CODE[word]])
        counted = rule.grades.of(word)
        if counted is None:
            unknown += size
        else:
            by_count[counted] += size
    n = by_count[Count.OK] + by_count[Count.FAIL]
    total = rows.sum(answers) - by_count[Count.DROP]
    defined = question.objective.decision.estimand == "defined_measure"
    known = not bool(answers[rows.table.column("known") == 0].any())
    census = defined or (known and n + unknown == total)
    return Tally(by_count[Count.FAIL], n, unknown, total if known or defined else None, census)


def measured(
    question: Question, source: Source, rows: Rows, tally: Tally, coverage: Fraction, noun: str, *, undefined: int = 0
) -> Measurement:
    """Return the Measurement of a tally: the figure, and its bounds from what is unknown or unwatched."""
    floor = question.objective.bound.word.is_floor
    target = question.objective.target.value
    unwatched = 1 - coverage if question.objective.decision.estimand == "realised" else Fraction(0)
    size = tally.n + tally.unknown
    best = worst = value = None
    if tally.n:
        value = Fraction(tally.bad, tally.n)
    if size:
        best = Fraction(tally.bad, size) * (1 - unwatched)
        worst = Fraction(tally.bad + tally.unknown, size) * (1 - unwatched) + unwatched
    turn = _good if floor else _as_is
    return Measurement(
        source=source,
        noun="answer" if noun == "answer" else "request",
        value=turn(value),
        best=turn(best),
        worst=turn(worst),
        n=tally.n,
        bad=Fraction(tally.bad),
        allowed=(1 - target if floor else target) * tally.n,
        coverage=coverage,
        census=tally.census,
        unknown=tally.unknown,
        population=tally.population,
        dropped=rows.sum(rows.dropped),
        unmeasured=rows.sum(rows.unmeasured),
        left=rows.left(),
        calls=rows.sum(rows.table.n),
        clockless=rows.sum(rows.table.n[rows.table.column("clock") == 0]),
        excluded=rows.excluded(question),
        undefined=undefined,
    )


def _good(share: Fraction | None) -> Fraction | None:
    return None if share is None else 1 - share


def _as_is(share: Fraction | None) -> Fraction | None:
    return share
