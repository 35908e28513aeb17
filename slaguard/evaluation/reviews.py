"""Reviewed texts: defects per volume (Q2) and weighted penalties (Q3), from figures that reviewers wrote into attributes.

A text that was not reviewed is no part of the sample. Everything is whole numbers and fractions.
Source: `contracts.md` §3, Q2 (translation) and Q3 (localisation).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.measure import Measurement, Rows, rows_of
from slaguard.evaluation.requirements import Question
from slaguard.evaluation.shares import Tally, coverage_of, measured
from slaguard.records import NULL, Evidence
from slaguard.spec.indicators import DefectsPerVolume, ReviewRule, WeightedPenalty
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import ANSWERED, OUTCOME_CODE, Source


@dataclass(frozen=True, slots=True)
class Text:
    """So many texts of one volume with the same defects, by the rule's severities."""

    n: int
    volume: int
    defects: tuple[int, ...]


def measure_review(
    question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, as_of: int, variant: Variant
) -> Measurement:
    """Return the figure of a `DefectsPerVolume` or a `WeightedPenalty` from one source."""
    counts = next(c for c in question.counts if c.source is source)
    rows = rows_of(question, evidence.tables[counts.sha256()], variant)
    coverage = coverage_of(rows, source, evidence, period, as_of)
    rule = question.objective.indicator
    if isinstance(rule, DefectsPerVolume):
        texts, unreviewed = _texts(rule, rows)
        bad = sum(t.n for t in texts if not passes(rule, t))
        n = sum(t.n for t in texts)
        tally = Tally(bad, n, 0, n + unreviewed, _census(question, unreviewed))
        return measured(question, source, rows, tally, coverage, "answer")
    if isinstance(rule, WeightedPenalty):
        return _penalty(question, rule, source, rows, coverage)
    msg = "not a rule over reviewed texts"
    raise TypeError(msg)


def passes(rule: DefectsPerVolume, text: Text) -> bool:
    """Tell whether a text has no more defects of any severity than its volume allows."""
    return all(found <= allowed(rule, name, text.volume) for name, found in zip(rule.severities, text.defects, strict=True))


def allowed(rule: DefectsPerVolume, severity: str, volume: int) -> Fraction:
    """Return how many defects of a severity a text of a volume may have."""
    if volume <= rule.per and rule.short_text is not None and severity in rule.short_text:
        return Fraction(rule.short_text[severity])
    blocks = {
        "floor": Fraction(volume // rule.per),
        "pro_rata": Fraction(volume, rule.per),
        "ceil": Fraction(-(-volume // rule.per)),
    }
    return rule.most[severity] * blocks[rule.last_block]


def score(rule: WeightedPenalty, texts: list[Text]) -> tuple[int, Fraction]:
    """Return (reviewed volume, penalty)."""
    weights = tuple(rule.weights.values())
    each = (w * d * t.n for t in texts for w, d in zip(weights, t.defects, strict=True))
    return sum(t.n * t.volume for t in texts), sum(each, Fraction(0))


def _penalty(question: Question, rule: WeightedPenalty, source: Source, rows: Rows, coverage: Fraction) -> Measurement:
    texts, unreviewed = _texts(rule, rows)
    volume, penalty = score(rule, texts)
    bad = min(penalty, Fraction(volume)) if rule.floor == "zero" else penalty
    value = 1 - bad / volume if volume else None
    return Measurement(
        source=source,
        noun="unit",
        value=value,
        best=value,
        worst=value,
        n=volume,
        bad=bad,
        allowed=(1 - question.objective.target.value) * volume,
        coverage=coverage,
        census=_census(question, unreviewed),
        population=volume if not unreviewed else None,
        dropped=rows.sum(rows.dropped),
        unmeasured=rows.sum(rows.unmeasured),
        left=rows.left(),
        calls=rows.sum(rows.table.n),
        clockless=rows.sum(rows.table.n[rows.table.column("clock") == 0]),
        excluded=rows.excluded(question),
    )


def _census(question: Question, unreviewed: int) -> bool:
    """Tell whether what was reviewed is all there is to review; a defined measure is the fact itself."""
    return not unreviewed or question.objective.decision.estimand == "defined_measure"


def _texts(rule: ReviewRule, rows: Rows) -> tuple[list[Text], int]:
    """Return the reviewed answers, and how many were not reviewed; calls that brought no answer have no text."""
    found: list[Text] = []
    unreviewed = 0
    for n, volume, defects in _answers(rule, rows):
        if volume in {NULL, 0} or NULL in defects:
            unreviewed += n
        else:
            found.append(Text(n, volume, defects))
    return found, unreviewed


def _answers(rule: ReviewRule, rows: Rows) -> Iterator[tuple[int, int, tuple[int, ...]]]:
    answered = {OUTCOME_CODE[outcome] for outcome in ANSWERED}
    outcome = rows.table.column("outcome").tolist()
    volume, *severities = (rows.table.column(key).tolist() for key in rule.keys)
    for i, n in enumerate(rows.ok.tolist()):
        if n and outcome[i] in answered:
            yield n, volume[i], tuple(column[i] for column in severities)
