"""The product against a second, deliberately naive evaluation, on thousands of small random months."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import Evaluation, ObjectiveResult, VariantPart
from slaguard.ledger.store import ColumnStore
from slaguard.records import Adjudication, Coverage, Evidence, Record, Score
from slaguard.spec.model import Objective, Percentile
from slaguard.terms import Reason, Source, Verdict
from tests.evaluation import naive
from tests.evaluation.months import RULES, Month, month
from tests.evaluation.unsettled import POINTS
from tests.evaluation.world import answer, judge

MONTHS = 5_000
THROUGH_THE_STORE = 150
UNREACHED = {Reason.LABELS_PENDING}  # no rule waits for labels yet: an answer without a grade is a bound


# ── the two answers, in the same words ──────────────────────────────────────────────────────────────────────────────
def known(at: Month) -> list[Record]:
    """Return the records without grades and coverage that came later; of grades the latest stands last."""
    grades = sorted((r for r in at.records if isinstance(r, Score | Adjudication)), key=lambda r: r.recorded_at or 0)
    others = [r for r in at.records if not isinstance(r, Score | Adjudication | Coverage)]
    stated = [r for r in at.records if isinstance(r, Coverage)]
    return [*others, *(r for r in [*stated, *grades] if (r.recorded_at or 0) <= at.as_of)]


def by_the_product(at: Month) -> Evaluation:
    facts = [f for f in at.facts if f.recorded_at is None or f.recorded_at <= at.as_of]
    return judge(at.agreement, at.period, known(at), facts, at.as_of)


def by_hand(at: Month) -> list[naive.Finding]:
    return naive.evaluate(at.agreement, at.period, at.records, at.facts, at.as_of)


def of_result(result: ObjectiveResult, objective: Objective) -> dict[str, Any]:
    """Return what the product says; a variant that is not told apart is the result itself."""
    e = result.estimate
    own = (result.verdict, result.reason, e.value, e.n, e.bad)
    with_contested, without = (variant_of(v) or own for v in (result.with_contested, result.without_exclusions))
    counted = result.design == "census" and not isinstance(objective.indicator, Percentile)
    return {
        "name": result.name, "scope": result.scope, "source": result.source, "verdict": result.verdict, "reason": result.reason,
        "provisional": result.provisional, "value": e.value, "n": e.n, "bad": e.bad, "coverage": result.coverage,
        "unknown": result.unknown, "design": result.design, "population": e.population, "dropped": result.dropped,
        "unmeasured": result.unmeasured, "excluded": {(x.id, x.state): x.n for x in result.excluded if x.n > 0},
        "with": with_contested, "without": without, "ends": (e.low, e.high) if counted else None,
    }  # fmt: skip


def variant_of(part: VariantPart | None) -> tuple[Any, ...] | None:
    return None if part is None else (part.verdict, part.reason, part.value, part.n, part.bad)


def of_finding(finding: naive.Finding, objective: Objective) -> dict[str, Any]:
    t = finding.accepted.tally
    counted = t.census and not isinstance(objective.indicator, Percentile)
    contested = ruling_of(finding.contested) if finding.contested else ruling_of(finding.accepted)
    return {
        "name": finding.name, "scope": finding.scope, "source": finding.source, "verdict": finding.verdict, "reason": finding.reason,
        "provisional": finding.provisional, "value": t.value, "n": t.n, "bad": t.bad, "coverage": t.coverage,
        "unknown": t.unknown, "design": "census" if t.census else "sample", "population": t.population, "dropped": t.dropped,
        "unmeasured": t.unmeasured, "excluded": excluded(finding), "with": contested, "without": ruling_of(finding.bare),
        "ends": ends(t, floor=objective.bound.word.is_floor) if counted else None,
    }  # fmt: skip


def ruling_of(ruling: naive.Ruling) -> tuple[Any, ...]:
    t = ruling.tally
    return ruling.verdict, ruling.reason, t.value, t.n, t.bad


def ends(t: naive.Tally, *, floor: bool) -> tuple[Any, Any]:
    if t.total == 0:
        return None, None
    return (1 - t.worst, 1 - t.best) if floor else (t.best, t.worst)


def excluded(finding: naive.Finding) -> dict[tuple[str, str], int]:
    """Return what the accepted exclusions took, and beside it what those in dispute would take."""
    taken = finding.accepted.tally.taken
    more = finding.contested.tally.taken if finding.contested else {}
    disputed = {(e, "contested"): n - taken.get(e, 0) for e, n in more.items() if e in finding.disputed}
    return {(e, "accepted"): n for e, n in taken.items()} | {key: n for key, n in disputed.items() if n > 0}


def differences(at: Month, evaluation: Evaluation) -> list[str]:
    """Return where the two part, one line each, without what is known to be unsettled."""
    out = []
    for result, finding in zip(evaluation.objectives, by_hand(at), strict=True):
        objective = next(o for o in at.agreement.objectives if o.name == result.name)
        theirs, ours = of_result(result, objective), of_finding(finding, objective)
        apart = {key for key in ours if theirs[key] != ours[key]}
        for excuse, fields in POINTS.items():
            if apart and excuse(at, objective, finding, result):
                apart -= fields
        out += [f"{result.name}/{result.scope} {key}: the product {theirs[key]}, by hand {ours[key]}" for key in sorted(apart)]
    return out


# ── five thousand months ────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Tried:
    """What came of all months: where the two part, by seed, and how often each rule, verdict and reason was met."""

    apart: dict[int, list[str]] = field(default_factory=dict)
    met: Counter[Any] = field(default_factory=Counter)


@pytest.fixture(scope="module")
def tried() -> Tried:
    out = Tried()
    for seed in range(MONTHS):
        at = month(Random(seed))
        evaluation = by_the_product(at)
        if lines := differences(at, evaluation):
            out.apart[seed] = lines
        for result in evaluation.objectives:
            out.met.update([result.indicator, result.verdict, result.reason, result.source, result.estimate.method])
            out.met.update((result.indicator, result.verdict) for _ in "1")
    return out


def test_the_product_agrees_with_the_naive_evaluation_on_five_thousand_months(tried: Tried) -> None:
    assert tried.apart == {}


def test_every_rule_verdict_and_reason_was_met(tried: Tried) -> None:
    for rule in RULES:
        assert tried.met[rule] >= 500
        for verdict in Verdict:
            assert tried.met[rule, verdict] >= 10, (rule, verdict)
    for reason in set(Reason) - UNREACHED:
        assert tried.met[reason] >= 20, reason
    for other in (*Source, "count", "hypergeometric", "clopper-pearson"):
        assert tried.met[other] >= 50, other
