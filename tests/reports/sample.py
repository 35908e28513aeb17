"""Whole claims for the tests of reports: each a month of one sort, with records and the Evaluation counted from them."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from slaguard.evaluation.result import CreditLinePart, Estimate, ObjectiveResult, PeriodPart, TargetPart, WarningPart
from slaguard.records import NS
from slaguard.reports import ClaimInputs
from slaguard.spec.model import Agreement
from slaguard.terms import Reason, Source, Verdict
from tests.reports.parts import (
    ANNOUNCEMENT,
    BERLIN,
    LATENCY,
    OCTOBER,
    SIMULATED,
    World,
    accuracy_result,
    agreement,
    chat_objectives,
    count_accuracy,
    count_intervals,
    count_people,
    credit,
    credit_line,
    evaluation,
    hallucination_result,
    inputs,
    month,
    ns,
    objective,
    result,
    share_estimate,
    taken_out,
    uptime_result,
    variant,
)  # fmt: skip

MOCK = World()


def mock_month(world: World = MOCK, *, terms: Agreement | None = None, **more: Any) -> ClaimInputs:
    """A broken accuracy, an uptime kept in spite of an outage, a window and a gap, and too few graded answers."""
    terms = terms or agreement(*chat_objectives())
    frame = month(world)
    n, wrong = count_accuracy(frame)
    bare, found = count_intervals(frame, excluded=False), count_intervals(frame)
    graded, bad, answers = count_people(frame, world)
    broken = Fraction(n - wrong, n) < Fraction(92, 100)
    line = credit_line("accuracy", "below 92%", "0.15", "1800.00", "15% of 12,000.00 EUR")
    results = (
        accuracy_result(n, wrong, frame), uptime_result(found, bare), hallucination_result(graded, bad, answers),
    )  # fmt: skip
    owed = credit(line, claimable="1800.00") if broken else credit(claimable="0.00")
    told = "measured by our own probes, while the clause counts the customer's requests"
    warning = WarningPart(code="W-SPEC-PROBE", path="uptime/all", text=told)
    found_evaluation = evaluation(terms, results, credits=owed, warnings=(warning,), **more)
    return inputs(terms, found_evaluation, frame, facts=(ANNOUNCEMENT,), notes=(SIMULATED,))


def nothing_month() -> ClaimInputs:
    """A month in which everything was kept and seen."""
    world = World(seed=9, accuracy=(0.97, 0.97), prime=(0.97, 0.97), error_rate=0.0004, outages=(), gaps=(), swap=None)
    terms = agreement(*chat_objectives()[:2])
    frame = month(world)
    for column, value in (
        ("status", 200),
        ("grade", "correct"),
        ("scorer", "exact@1"),
        ("attribution", "none"),
        ("outcome", "ok"),
    ):
        frame[column] = frame[column].mask(frame["outcome"] == "error_5xx", value)
    n, wrong = count_accuracy(frame)
    found = count_intervals(frame, excluded=False)
    results = (accuracy_result(n, wrong, frame), uptime_result(found, None))
    return inputs(terms, evaluation(terms, results, credits=credit(claimable="0.00")), frame)


def latency_breach() -> ClaimInputs:
    """A month of traffic whose first token came too late too often; some requests never had an answer."""
    terms = agreement(objective("first-token", LATENCY, clause="Exhibit B 4", source=["traffic"], at_most="2s",
                                credits={"above 2s": "5%"}))  # fmt: skip
    draw, rows = random.Random(3), []
    for i in range(6000):
        failed = draw.random() < 0.004
        took = None if failed else int(draw.lognormvariate(6.9, 0.5) * 1e6)
        at = OCTOBER[0] + draw.randrange(OCTOBER[1] - OCTOBER[0])
        slow = failed or -(-(took or 0) // 10**6) > 2000
        rows.append({
            "id": f"t-{i:05d}", "outcome": "timeout" if failed else "ok", "source": "traffic", "via": "import:own",
            "vendor": "Acme AI", "attribution": "vendor" if failed else "none", "sent_at": at,
            "ended_at": at + (took or 60 * NS), "model_requested": "acme-large",
            "time_to_first_token_ns": took, "inclusion_probability": "1",
            "counts.first-token": "fail" if slow else "ok",
        })  # fmt: skip
    frame = pd.DataFrame(rows).astype({"sent_at": "Int64", "ended_at": "Int64", "time_to_first_token_ns": "Int64"})
    bad, n = int((frame["counts.first-token"] == "fail").sum()), len(frame)
    times = sorted(-(-int(t) // 10**6) for t in frame["time_to_first_token_ns"].dropna())
    value = Fraction(times[-(-n * 95 // 100) - 1])
    estimate = Estimate(value=value, low=value, high=value, confidence=None, method="count", n=n, bad=Fraction(bad),
                        allowed=Fraction(5, 100) * n, population=n, noun="request")  # fmt: skip
    one = result(
        "first-token", "percentile", Verdict.BREACH, Reason.COUNT_EXCEEDED,
        f"{bad} of {n:,} requests slower than 2s or without an answer, {n * 5 // 100} allowed", estimate, unit="ms",
        target=TargetPart(word="at_most", limit="2s"), source=Source.TRAFFIC, clause="Exhibit B 4",
    )  # fmt: skip
    owed = credit(credit_line("first-token", "above 2s", "0.05", "600.00", "5% of 12,000.00 EUR"), claimable="600.00")
    return inputs(terms, evaluation(terms, (one,), credits=owed), frame, companions=(), golden_classes={}, golden_set=None)


def open_month() -> ClaimInputs:
    """The same month on the morning of 20 October: nothing is decided, and nothing may be asked for."""
    now = ns("2026-10-20T08:00:00+02:00")
    whole = mock_month(World(until=now, gaps=()))
    frame, terms = whole.records, whole.agreement
    n, wrong = count_accuracy(frame)
    graded, bad, answers = count_people(frame, World())
    early: dict[str, Any] = {"provisional": True}
    results = (
        accuracy_result(n, wrong, frame, verdict=Verdict.INCONCLUSIVE, reason=Reason.BREACHING_TO_DATE, **early),
        uptime_result(count_intervals(frame), None, reason=Reason.WITHIN_TO_DATE, **early),
        hallucination_result(graded, bad, answers, verdict=Verdict.INCONCLUSIVE, reason=Reason.STRADDLES, **early),
    )
    period = PeriodPart(label="2026-10", start=OCTOBER[0], end=OCTOBER[1], time_zone=BERLIN, closed=False, own=True)
    owed = credit(credit_line("accuracy", "below 92%", "0.15", "1800.00", "15% of 12,000.00 EUR"), claimable="1800.00")
    return replace(whole, evaluation=evaluation(terms, results, period=period, as_of=now, credits=owed))


def look() -> ClaimInputs:
    """The same figures, asked for a span that is no period of the contract."""
    whole = mock_month()
    period = whole.evaluation.period.model_copy(
        update={"own": False, "label": "2026-10-01T00:00:00+02:00/2026-11-01T00:00:00+01:00"}
    )
    return replace(whole, evaluation=whole.evaluation.model_copy(update={"period": period}))


def contested() -> ClaimInputs:
    """An uptime that is broken, or not, by a window announced too late."""
    terms = agreement(chat_objectives()[1])
    longer = (ns("2026-10-08T13:00:00+02:00"), ns("2026-10-08T15:05:00+02:00"))
    frame = month(World(outages=(longer,), gaps=()))
    bare = count_intervals(frame, excluded=False)
    applied, limit = replace(bare, lost=bare.lost - 12), Fraction(995, 1000)
    allowed = f"{float(bare.population * (1 - limit)):.1f} allowed"
    told = " intervals lost, ".join(
        [f"{int(bare.lost)}", f"{allowed}; with the contested exclusions {int(applied.lost)}", allowed]
    )
    one = uptime_result(
        bare,
        None,
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.CONTESTED_EXCLUSION,
        sentence=told,
        excluded=(taken_out("contested"),),
        with_contested=variant(applied, limit),
        without_exclusions=variant(bare, limit),
    )
    return inputs(terms, evaluation(terms, (one,), credits=credit(claimable="0.00")), frame, facts=(ANNOUNCEMENT,))


def scopes(size: int = 8000) -> ClaimInputs:
    """One promise in two regions, one of them broken; the credits add up."""
    terms = agreement(
        objective("errors", {"rule": "ratio", "of": "failures", "min_requests": "100"}, clause="Exhibit B 3", at_most="1%",
                  service=["eu", "us"], credits={"above 1%": "10%"}),
        services=[{"id": "eu", "regions": ["eu"]}, {"id": "us", "regions": ["us"]}],
    )  # fmt: skip
    draw, rows = random.Random(7), []
    for i in range(size):
        region = "eu" if i % 2 else "us"
        failed = draw.random() < (0.018 if region == "eu" else 0.004)
        at = OCTOBER[0] + draw.randrange(OCTOBER[1] - OCTOBER[0])
        mark = "fail" if failed else "ok"
        rows.append({
            "id": f"t-{i:05d}", "outcome": "overloaded" if failed else "ok", "source": "traffic", "via": "import:own",
            "vendor": "Acme AI", "attribution": "vendor" if failed else "none", "sent_at": at, "region": region,
            "model_requested": f"acme-{region}", "inclusion_probability": "1",
            **{f"counts.errors.{one}": mark if one == region else "not in scope" for one in ("eu", "us")},
        })  # fmt: skip
    frame = pd.DataFrame(rows).astype({"sent_at": "Int64"})
    results = [_scope(frame, scope) for scope in ("eu", "us")]
    line = CreditLinePart(objective="errors", scope="eu", step="above 1%", percent=Fraction(1, 10), amount=Decimal("1200.00"),
                          counts=True, sentence="10% of 12,000.00 EUR")  # fmt: skip
    owed = credit(line, claimable="1200.00")
    return inputs(terms, evaluation(terms, results, credits=owed), frame, companions=(), golden_classes={}, golden_set=None)


def small() -> ClaimInputs:
    """A claim on few records, where only the files matter."""
    return scopes(800)


def _scope(frame: pd.DataFrame, scope: str) -> ObjectiveResult:
    column = frame[f"counts.errors.{scope}"]
    n, bad = int(column.isin(["ok", "fail"]).sum()), int((column == "fail").sum())
    broken = bad * 100 > n
    return result(
        "errors", "ratio", Verdict.BREACH if broken else Verdict.COMPLIANT,
        Reason.COUNT_EXCEEDED if broken else Reason.COUNT_WITHIN, f"{bad} of {n:,} requests failed, {n // 100} allowed",
        share_estimate(n, bad, Fraction(n, 100), floor=False, noun="request"), scope=scope, source=Source.TRAFFIC,
        target=TargetPart(word="at_most", limit="1%"), clause="Exhibit B 3",
    )  # fmt: skip
