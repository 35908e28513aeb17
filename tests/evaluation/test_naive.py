"""The product against a second, deliberately naive evaluation, on ten thousand small random months."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
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
from slaguard.records import Adjudication, Coverage, Evidence, Fact, Incident, Record, Score
from slaguard.spec.model import Objective, Percentile
from slaguard.terms import Reason, Source, Verdict
from tests.evaluation import naive
from tests.evaluation.months import RULES, Month, month
from tests.evaluation.naive_verdict import Tally
from tests.evaluation.term_months import FILTERS, TERM_RULES, term_month
from tests.evaluation.unsettled import POINTS
from tests.evaluation.world import answer, judge

MONTHS = 4_000
TERM_MONTHS = 6_000
THROUGH_THE_STORE = 150
TERMS = ("resources", "presence", "slow", "run_over", "outage_rounding", "align", "backoff", "repeats")
UNREACHED = {Reason.LABELS_PENDING, Reason.READING_DEPENDENT, Reason.NEEDS_STATISTICS}
"""No rule waits for labels yet (an answer without a grade is a bound); no month has readings, or compares two shares."""


# ── the two answers, in the same words ──────────────────────────────────────────────────────────────────────────────
def known(at: Month) -> list[Record]:
    """Return the records without grades, coverage and incidents that came later; of grades the latest stands last."""
    grades = sorted((r for r in at.records if isinstance(r, Score | Adjudication)), key=lambda r: r.recorded_at or 0)
    others = [r for r in at.records if not isinstance(r, Score | Adjudication | Coverage | Incident)]
    stated = [r for r in at.records if isinstance(r, Coverage | Incident)]
    return [*others, *(r for r in [*stated, *grades] if (r.recorded_at or 0) <= at.as_of)]


def by_the_product(at: Month) -> Evaluation:
    return judge(at.agreement, at.period, known(at), known_facts(at), at.as_of)


def known_facts(at: Month) -> tuple[Fact, ...]:
    return tuple(f for f in at.facts if f.recorded_at is None or f.recorded_at <= at.as_of)


def by_hand(at: Month) -> list[naive.Finding]:
    return naive.evaluate(at.agreement, at.period, at.records, at.facts, at.as_of)


def of_result(result: ObjectiveResult) -> dict[str, Any]:
    """Return what the product says; a variant that is not told apart is the result itself."""
    e = result.estimate
    own = (result.verdict, result.reason, e.value, e.n, e.bad)
    with_contested, without = (variant_of(v) or own for v in (result.with_contested, result.without_exclusions))
    counted = result.design == "census" and e.n > 0
    return {
        "name": result.name, "scope": result.scope, "source": result.source, "verdict": result.verdict, "reason": result.reason,
        "provisional": result.provisional, "value": e.value, "n": e.n, "bad": e.bad, "coverage": result.coverage,
        "unknown": result.unknown, "design": result.design, "population": e.population, "dropped": result.dropped,
        "unmeasured": result.unmeasured, "filtered": {f.filter: f.n for f in result.filtered},
        "excluded": {(x.id, x.state): x.n for x in result.excluded if x.n > 0},
        "with": with_contested, "without": without, "ends": (e.low, e.high) if counted else None,
    }  # fmt: skip


def variant_of(part: VariantPart | None) -> tuple[Any, ...] | None:
    return None if part is None else (part.verdict, part.reason, part.value, part.n, part.bad)


def of_finding(finding: naive.Finding, objective: Objective) -> dict[str, Any]:
    t = finding.accepted.tally
    contested = ruling_of(finding.contested) if finding.contested else ruling_of(finding.accepted)
    return {
        "name": finding.name, "scope": finding.scope, "source": finding.source, "verdict": finding.verdict,
        "reason": finding.reason, "provisional": finding.provisional, "value": t.value, "n": t.n, "bad": t.bad,
        "coverage": t.coverage, "unknown": t.unknown, "design": "census" if t.census else "sample",
        "population": t.population, "dropped": t.dropped, "unmeasured": t.unmeasured, "filtered": t.filtered,
        "excluded": excluded(finding),
        "with": contested, "without": ruling_of(finding.bare), "ends": ends(t, objective) if t.census and t.n else None,
    }  # fmt: skip


def ruling_of(ruling: naive.Ruling) -> tuple[Any, ...]:
    t = ruling.tally
    return ruling.verdict, ruling.reason, t.value, t.n, t.bad


def ends(t: Tally, objective: Objective) -> tuple[Any, Any]:
    if isinstance(objective.indicator, Percentile):
        return t.times
    if t.mean is not None:
        return t.mean
    if t.tests:
        return tuple(min(1 - getattr(one, end) - one.limit.value for one in t.tests) for end in ("worst", "best"))
    return (1 - t.worst, 1 - t.best) if objective.bound.word.is_floor else (t.best, t.worst)


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
        theirs, ours = of_result(result), of_finding(finding, objective)
        apart = {key for key in ours if theirs[key] != ours[key]}
        for excuse, fields in POINTS.items():
            if apart and excuse(at, objective, finding, result):
                apart -= fields
        out += [f"{result.name}/{result.scope} {key}: the product {theirs[key]}, by hand {ours[key]}" for key in sorted(apart)]
    return out


# ── ten thousand months ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Tried:
    """What came of all months: where the two part, by seed, and how often each rule, verdict, reason and term was met."""

    apart: dict[int, list[str]] = field(default_factory=dict)
    met: Counter[Any] = field(default_factory=Counter)

    def look(self, seed: int, at: Month) -> None:
        evaluation = by_the_product(at)
        if lines := differences(at, evaluation):
            self.apart[seed] = lines
        for result in evaluation.objectives:
            met = (result.indicator, result.verdict, result.reason, result.source, result.estimate.method)
            self.met.update([*met, (result.indicator, result.verdict)])
            self.met.update(f.filter for f in result.filtered if f.n)
        self.met.update(term for o in at.agreement.objectives for term in TERMS if getattr(o.indicator, term, None) is not None)


@pytest.fixture(scope="module")
def tried() -> Tried:
    out = Tried()
    for seed in range(MONTHS):
        out.look(seed, month(Random(seed)))
    return out


@pytest.fixture(scope="module")
def tried_terms() -> Tried:
    out = Tried()
    for seed in range(TERM_MONTHS):
        out.look(seed, term_month(Random(seed)))
    return out


def test_the_product_agrees_with_the_naive_evaluation_on_four_thousand_months(tried: Tried) -> None:
    assert tried.apart == {}


def test_the_product_agrees_with_the_naive_evaluation_on_six_thousand_months_of_other_terms(tried_terms: Tried) -> None:
    assert tried_terms.apart == {}


def test_every_rule_verdict_and_reason_was_met(tried: Tried, record_property: Callable[[str, object], None]) -> None:
    for what, times in sorted(tried.met.items(), key=str):
        record_property(str(what), times)
    for rule in RULES:
        assert tried.met[rule] >= 700, rule
        assert all(tried.met[rule, verdict] >= 40 for verdict in Verdict), rule
    for reason in set(Reason) - UNREACHED:
        assert tried.met[reason] >= 20, reason
    for other in (Source.TRAFFIC, Source.PROBE, "count", "hypergeometric", "clopper-pearson"):
        assert tried.met[other] >= 20, other


def test_every_rule_term_and_filter_was_met(tried_terms: Tried, record_property: Callable[[str, object], None]) -> None:
    for what, times in sorted(tried_terms.met.items(), key=str):
        record_property(str(what), times)
    for rule in TERM_RULES:
        assert tried_terms.met[rule] >= 500, rule
        assert all(tried_terms.met[rule, verdict] >= 20 for verdict in (Verdict.BREACH, Verdict.COMPLIANT)), rule
    for term in (*TERMS, *FILTERS):
        assert tried_terms.met[term] >= 60, term
    assert tried_terms.met[Source.INCIDENT] >= 1000


@given(rng=st.randoms(use_true_random=False))
@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_the_product_agrees_with_the_naive_evaluation_on_a_month_that_can_be_made_smaller(rng: Random) -> None:
    at = rng.choice((month, term_month))(rng)
    assert differences(at, by_the_product(at)) == []


# ── the same through the store ──────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("hundred", range(THROUGH_THE_STORE // 50))
@pytest.mark.parametrize("drawn", [month, term_month])
def test_the_store_gives_the_same_evidence_and_the_same_verdicts(hundred: int, drawn: Callable[[Random], Month]) -> None:
    for seed in range(hundred * 50, hundred * 50 + 50):
        at = drawn(Random(seed))
        facts = known_facts(at)
        demands = requirements(at.agreement, at.period, facts, at.as_of)
        with ColumnStore(memory_limit="200MB", threads=1) as store:
            store.add(at.records)
            store.add(at.facts)
            stored = store.answer(demands)
        if not any(counts.each for counts in demands.counts):
            assert stored.sha256() == in_full(answer(demands, known(at), facts)).sha256(), seed
        evaluation = evaluate(at.agreement, at.period, stored, at.as_of, spec_sha256="0" * 64)
        assert differences(at, evaluation) == [], seed


def in_full(evidence: Evidence) -> Evidence:
    """Return evidence that names every source that is watched, also one that nothing was watched of, and no other."""
    return replace(evidence, coverage={s: evidence.coverage.get(s, ()) for s in Source if s is not Source.INCIDENT})
