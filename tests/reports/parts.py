"""Believable claims made by hand: records from a seed, and an Evaluation counted from them by plain loops.

Nothing here uses the product's own evaluation: a report that agrees with these counts agrees with somebody else's.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pandas as pd

from slaguard.evaluation.result import (
    AgreementPart,
    CreditLinePart,
    CreditsPart,
    DeadlinePart,
    Estimate,
    Evaluation,
    EventPart,
    ExcludedPart,
    Inputs,
    NextPart,
    ObjectiveResult,
    PeriodPart,
    TargetPart,
    VariantPart,
)  # fmt: skip
from slaguard.records import NS, Adjudication, Coverage, Fact, Score
from slaguard.reports import ClaimInputs, Note
from slaguard.reports.inputs import Companion
from slaguard.spec.canonical import expand
from slaguard.spec.model import Agreement
from slaguard.stats import fixed_ci, n_needed
from slaguard.terms import Grade, Reason, Source, Verdict

MINUTE = 60 * NS
FIVE = 5 * MINUTE
BERLIN = "Europe/Berlin"
OUTCOMES = {
    "empty": "fail", "error_body": "fail", "truncated": "fail", "refused": "ok", "content_filtered": "ok", "redirect": "drop",
    "client_error": "drop", "auth_error": "drop", "request_timeout": "fail", "rate_limited": "ok", "error_500": "fail",
    "error_5xx": "fail", "overloaded": "fail", "timeout": "fail", "client_deadline": "drop", "connection_error": "fail",
    "client_abort": "drop",
}  # fmt: skip
MAINTENANCE = {
    "id": "maintenance", "clause": "Exhibit B 2.4", "kind": "maintenance", "asserted_by": "vendor", "effect": "count_as_up",
    "notice": "72h", "cap": "4h", "proof": "announcement",
}  # fmt: skip
UPTIME = {"rule": "mean_of_intervals", "bin": "5m", "min_requests": "1", "below_minimum": "up", "empty_bin": "up"}
ACCURACY = {
    "rule": "sample_proportion", "event": "correct", "grading": "rule",
    "grades": {"correct": "ok", "wrong": "fail", "unparsed": "fail", "schema_error": "fail"},
}  # fmt: skip
HALLUCINATION = {
    "rule": "sample_proportion", "event": "unsupported", "grading": "human", "grades": {"correct": "ok", "unsupported": "fail"},
}  # fmt: skip
LATENCY = {"rule": "percentile", "field": "time_to_first_token", "p": "95%", "failed": "exceed", "min_requests": "100"}
QUOTED = "Provider shall answer correctly at least ninety-two percent (92%) of the questions of the agreed set in each month."


def ns(text: str) -> int:
    """Return an instant given in RFC 3339."""
    return int(datetime.fromisoformat(text).astimezone(UTC).timestamp()) * NS


OCTOBER = (ns("2026-10-01T00:00:00+02:00"), ns("2026-11-01T00:00:00+01:00"))
SWAP = ns("2026-10-13T14:02:00+02:00")
OUTAGE = (ns("2026-10-08T14:20:00+02:00"), ns("2026-10-08T15:05:00+02:00"))
WINDOW = (ns("2026-10-06T02:00:00+02:00"), ns("2026-10-06T03:00:00+02:00"))
GAP = (ns("2026-10-22T03:00:00+02:00"), ns("2026-10-22T04:30:00+02:00"))
AS_OF = ns("2026-11-02T10:00:00+01:00")


# ── agreements ──────────────────────────────────────────────────────────────────────────────────────────────────────
def objective(name: str, indicator: dict[str, Any], **terms: Any) -> dict[str, Any]:
    """Return one promise's terms."""
    return {
        "name": name, "clause": "Exhibit B 2.1", "outcomes": OUTCOMES, "source": ["probe"], "min_coverage": "95%",
        "decision": {"estimand": "realised", "rule": "point", "alpha": "5%", "min_n": "0"}, "indicator": indicator, **terms,
    }  # fmt: skip


def agreement(*objectives: dict[str, Any], **terms: Any) -> Agreement:
    """Return an Agreement of these promises."""
    return Agreement.model_validate({
        "apiVersion": "slaguard/v1", "kind": "Agreement", "name": "acme-chat", "version": "1", "status": "signed",
        "vendor": "Acme AI", "customer": "Example Bank AG", "contract": "C-2031", "effective": "2026-08-01",
        "time_zone": BERLIN, "period": "month", "fee": {"amount": "12000.00 EUR", "per": "month"},
        "combine": {"within_event": "highest_only", "across_objectives": "greater_of"},
        "claim": {
            "deadlines": [{
                "type": "notify", "n": "30", "unit": "days", "anchor": "period_end", "time_zone": BERLIN,
                "margin": {"n": "2", "unit": "business_days"},
            }],
            "channel": "in writing", "forfeits": "true",
        },
        "objectives": list(objectives), **terms,
    })  # fmt: skip


def chat_objectives() -> list[dict[str, Any]]:
    """Return the three promises of the month in the mock."""
    return [
        objective("accuracy", ACCURACY, clause={"where": "Exhibit C, section 1, page 21", "words": QUOTED},
                  golden_set="claims-qa@4", at_least="92%", credits={"below 92%": "15%"}),
        objective("uptime", UPTIME, exclusions=[MAINTENANCE], at_least="99.5%",
                  credits={"below 99.5%": "10%", "below 99%": "25%"}),
        objective("hallucination", HALLUCINATION, clause="Exhibit C 2", at_most="2%",
                  decision={"estimand": "realised", "rule": "lower_bound", "alpha": "5%", "min_n": "300"}),
    ]  # fmt: skip


# ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class World:
    """A vendor's month: when it fails, when it changes, and what we could not see."""

    seed: int = 4
    accuracy: tuple[float, float] = (0.97, 0.83)
    prime: tuple[float, float] = (0.97, 0.51)
    error_rate: float = 0.0016
    outages: tuple[tuple[int, int], ...] = (OUTAGE,)
    gaps: tuple[tuple[int, int], ...] = (GAP,)
    swap: int | None = SWAP
    until: int = OCTOBER[1]
    every: int = FIVE
    graded: int = 190
    unsupported: int = 3


def within(at: int, spans: Iterable[tuple[int, int]]) -> bool:
    return any(a <= at < b for a, b in spans)


def month(world: World) -> pd.DataFrame:
    """Return a month of probes, one in each interval, graded by rule; some graded by people as well."""
    draw = random.Random(world.seed)
    rows = [_probe(world, draw, i, at) for i, at in enumerate(range(OCTOBER[0], world.until, world.every))]
    frame = pd.DataFrame(rows)
    return frame.astype({"sent_at": "Int64", "ended_at": "Int64", "status": "Int64", "time_to_first_token_ns": "Int64"})


def _probe(world: World, draw: random.Random, number: int, start: int) -> dict[str, Any]:
    at = start + 20 * NS + draw.randrange(NS)
    later = world.swap is not None and at >= world.swap
    kind = ("prime", "composite", "date", "unit")[number % 4]
    share = (world.prime if kind == "prime" else world.accuracy)[later]
    right, failing = draw.random() < share, draw.random() < world.error_rate
    outcome = "error_5xx" if within(at, world.outages) or within(at, (WINDOW,)) else "error_500" if failing else "ok"
    if within(at, world.gaps):
        outcome = "unmeasured"
    took = int(draw.lognormvariate(6.0 if later else 6.2, 0.4) * 1e6)
    return {
        "id": f"p-{number:05d}", "outcome": outcome, "source": "probe", "via": "agent", "vendor": "Acme AI", "service": "chat",
        "attribution": {"ok": "none", "unmeasured": "own_network"}.get(outcome, "vendor"),
        "sent_at": at, "ended_at": at + 3 * NS, "model_requested": "acme-large",
        "model_returned": "acme-large" if outcome == "ok" else None,
        "fingerprint": ("fp_9b21e7706c" if later else "fp_5f8c03a1d2") if outcome == "ok" else None,
        "status": {"ok": 200, "error_500": 500, "error_5xx": 503}.get(outcome), "golden_item": f"{kind}-{number % 60:03d}",
        "time_to_first_token_ns": took if outcome == "ok" else None, "inclusion_probability": "1",
        "request_id": f"req-{number:05d}",
        "grade": ("correct" if right else "wrong") if outcome == "ok" else None,
        "scorer": "exact@1" if outcome == "ok" else None,
    }  # fmt: skip


def classes(frame: pd.DataFrame) -> dict[str, str]:
    """Return the class of every question asked."""
    return {item: item.split("-")[0] for item in sorted(set(frame["golden_item"]))}


# ── counting by hand ────────────────────────────────────────────────────────────────────────────────────────────────
def count_accuracy(frame: pd.DataFrame, column: str = "counts.accuracy") -> tuple[int, int]:
    """Write how each record counts for accuracy; return (n, wrong)."""
    frame[column] = [
        "unmeasured" if o == "unmeasured" else "drop" if o != "ok" else "ok" if g == "correct" else "fail"
        for o, g in zip(frame["outcome"], frame["grade"], strict=True)
    ]
    return int(frame[column].isin(["ok", "fail"]).sum()), int((frame[column] == "fail").sum())


def count_people(frame: pd.DataFrame, world: World) -> tuple[int, int, int]:
    """Let people grade some of the answers; return (n, unsupported, answers in all)."""
    answers = [i for i, outcome in enumerate(frame["outcome"]) if outcome == "ok"]
    chosen = sorted(random.Random(world.seed + 1).sample(answers, world.graded))
    column = ["unscored" if o == "ok" else "unmeasured" if o == "unmeasured" else "drop" for o in frame["outcome"]]
    for k, i in enumerate(chosen):
        column[i] = "fail" if k % (world.graded // world.unsupported) == 7 and k < world.graded - 10 else "ok"
    frame["counts.hallucination"] = column
    return world.graded, column.count("fail"), len(answers)


@dataclass(frozen=True)
class Intervals:
    """What a month of intervals amounts to, by hand."""

    population: int
    unknown: int
    lost: Fraction
    events: tuple[EventPart, ...]

    @property
    def n(self) -> int:
        return self.population - self.unknown


def count_intervals(frame: pd.DataFrame, *, excluded: bool = True, column: str = "counts.uptime") -> Intervals:
    """Write how each record counts for uptime; return the intervals, one probe in each."""
    kinds, counts = [], []
    for at, outcome in zip(frame["sent_at"], frame["outcome"], strict=True):
        start = int(at) - int(at) % FIVE
        shut = excluded and within(start, (WINDOW,))
        kind = "excluded" if shut else "unobserved" if outcome == "unmeasured" else "down" if outcome != "ok" else "up"
        kinds.append((start, kind))
        counts.append({"excluded": "excluded:maintenance", "unobserved": "unmeasured", "down": "fail", "up": "ok"}[kind])
    frame[column] = counts
    events: list[EventPart] = []
    for start, kind in kinds:
        lost = Fraction(kind == "down")
        if kind == "up":
            continue
        if events and events[-1].kind == kind and events[-1].end == start:
            events[-1] = events[-1].model_copy(update={"end": start + FIVE, "lost": events[-1].lost + lost})
        else:
            events.append(EventPart(kind=kind, start=start, end=start + FIVE, lost=lost))  # type: ignore[arg-type]
    words = [kind for _, kind in kinds]
    return Intervals(len(words), words.count("unobserved"), Fraction(words.count("down")), tuple(events))


# ── parts of an Evaluation ──────────────────────────────────────────────────────────────────────────────────────────
def result(
    name: str, indicator: str, verdict: Verdict, reason: Reason, text: str, estimate: Estimate, **more: Any
) -> ObjectiveResult:
    """Return one promise's result; what is not named is plain."""
    plain: dict[str, Any] = {
        "name": name, "scope": "all", "indicator": indicator, "clause": "Exhibit B 2.1", "clause_words": None,
        "verdict": verdict, "provisional": False, "reason": reason, "sentence": text, "unit": "ratio", "estimate": estimate,
        "source": Source.PROBE, "design": "census", "grading": "none", "coverage": Fraction(1),
        "min_coverage": Fraction(95, 100), "unknown": 0, "dropped": 0, "unmeasured": 0,
        "excluded": (), "with_contested": None, "without_exclusions": None,
        "events": (), "next": NextPart(n_needed=None),
    }  # fmt: skip
    return ObjectiveResult.model_validate({**plain, **more})


def share_estimate(n: int, bad: int, allowed: Fraction, *, floor: bool, noun: str, **more: Any) -> Estimate:
    """Return a counted share."""
    value = Fraction(bad, n)
    value = 1 - value if floor else value
    plain = {"value": value, "low": value, "high": value, "confidence": None, "method": "count", "n": n, "bad": Fraction(bad),
             "allowed": allowed, "population": n, "noun": noun}  # fmt: skip
    return Estimate.model_validate({**plain, **more})


def accuracy_result(n: int, wrong: int, frame: pd.DataFrame, **more: Any) -> ObjectiveResult:
    """Return the result of the agreed questions."""
    broken = Fraction(n - wrong, n) < Fraction(92, 100)
    plain = result(
        "accuracy",
        "sample_proportion",
        Verdict.BREACH if broken else Verdict.COMPLIANT,
        Reason.COUNT_EXCEEDED if broken else Reason.COUNT_WITHIN,
        f"{n - wrong:,} of {n:,} answers correct, {-(-n * 92 // 100):,} needed",
        share_estimate(n, wrong, Fraction(8, 100) * n, floor=True, noun="answer"),
        target=TargetPart(word="at_least", limit="92%"),
        grading="rule",
        clause="Exhibit C, section 1, page 21",
        clause_words=QUOTED,
        coverage=Fraction(int((frame["outcome"] != "unmeasured").sum()), len(frame)),
        dropped=int(frame["outcome"].isin(["error_5xx", "error_500"]).sum()),
        unmeasured=int((frame["outcome"] == "unmeasured").sum()),
    )
    return plain.model_copy(update=more)


def uptime_result(found: Intervals, bare: Intervals | None, **more: Any) -> ObjectiveResult:
    """Return the result of the mean of intervals; `bare` is what it would be with nothing excluded."""
    worst, limit = 1 - (found.lost + found.unknown) / found.population, Fraction(995, 1000)
    verdict = Verdict.COMPLIANT if worst >= limit else Verdict.BREACH
    excluded = any(event.kind == "excluded" for event in found.events)
    allowed = Fraction(5, 1000) * found.population
    estimate = Estimate(
        value=1 - found.lost / found.n, low=worst, high=1 - found.lost / found.population, confidence=None, method="count",
        n=found.n, bad=found.lost, allowed=allowed, population=found.population, noun="interval",
    )  # fmt: skip
    plain = result(
        "uptime",
        "mean_of_intervals",
        verdict,
        Reason.COUNT_WITHIN if verdict is Verdict.COMPLIANT else Reason.COUNT_EXCEEDED,
        f"{int(found.lost)} intervals lost, {float(allowed):.1f} allowed",
        estimate,
        target=TargetPart(word="at_least", limit="99.5%"),
        unknown=found.unknown,
        unmeasured=found.unknown,
        coverage=Fraction(found.n, found.population),
        events=found.events,
        excluded=(taken_out("accepted"),) if excluded else (),
        without_exclusions=variant(bare, limit) if excluded and bare is not None else None,
    )
    return plain.model_copy(update=more)


def taken_out(state: str) -> ExcludedPart:
    """Return the maintenance window as an exclusion of uptime."""
    return ExcludedPart.model_validate({
        "id": "maintenance", "clause": "Exhibit B 2.4", "state": state, "n": 12, "minutes": Fraction(60), "windows": (WINDOW,),
    })  # fmt: skip


def variant(found: Intervals, limit: Fraction) -> VariantPart:
    """Return what uptime would be with other exclusions."""
    value = 1 - found.lost / found.n
    kept = value >= limit
    return VariantPart(
        verdict=Verdict.COMPLIANT if kept else Verdict.BREACH,
        reason=Reason.COUNT_WITHIN if kept else Reason.COUNT_EXCEEDED,
        value=value,
        n=found.n,
        bad=found.lost,
    )


def hallucination_result(n: int, bad: int, population: int, **more: Any) -> ObjectiveResult:
    """Return the result of a sample graded by people: too few to say."""
    low, high = fixed_ci(bad, n, 0.05, population)
    estimate = share_estimate(
        n, bad, Fraction(2, 100) * n, floor=False, noun="answer", low=Fraction(low), high=Fraction(high),
        confidence=Fraction(95, 100), method="hypergeometric", population=population,
    )  # fmt: skip
    plain = result(
        "hallucination",
        "sample_proportion",
        Verdict.INSUFFICIENT,
        Reason.N_BELOW_MIN,
        f"{n} answers, 300 needed",
        estimate,
        target=TargetPart(word="at_most", limit="2%"),
        grading="human",
        design="sample",
        clause="Exhibit C 2",
        next=NextPart(n_needed=max(300 - n, n_needed(bad, n, Fraction(2, 100), 0.05, population) or 0)),
    )
    return plain.model_copy(update=more)


def deadline(due: int = ns("2026-12-01T00:00:00+01:00"), act_by: int = ns("2026-11-27T00:00:00+01:00")) -> DeadlinePart:
    """Return the deadline of a month's claim."""
    return DeadlinePart(type="notify", due=due, act_by=act_by, local="Mon 2026-11-30, 24:00 Europe/Berlin",
                        anchor="period_end", reason="30 days after the last day of the period, 2026-10-31")  # fmt: skip


def credit(*lines: CreditLinePart, claimable: str, point: str | None = None, upper: str | None = None) -> CreditsPart:
    """Return what is owed of a fee of 12,000.00 EUR."""
    return CreditsPart(currency="EUR", fee=Decimal("12000.00"), claimable=Decimal(claimable), point=Decimal(point or claimable),
                       upper=Decimal(upper or claimable), cap_applied=False, lines=lines)  # fmt: skip


def credit_line(
    name: str, step: str | None, percent: str | None, amount: str, text: str, *, counts: bool = True
) -> CreditLinePart:
    """Return one line of the credit."""
    share = None if percent is None else Fraction(percent)
    return CreditLinePart(
        objective=name, scope="all", step=step, percent=share, amount=Decimal(amount), counts=counts, sentence=text
    )


def evaluation(terms: Agreement, objectives: Sequence[ObjectiveResult], **more: Any) -> Evaluation:
    """Return the Evaluation of October 2026."""
    plain: dict[str, Any] = {
        "agreement": AgreementPart(name=terms.name, version=terms.version, sha256="5f0c" + "a7" * 28 + "91ab",
                                   vendor=terms.vendor, customer=terms.customer, contract=terms.contract.id),
        "period": PeriodPart(label="2026-10", start=OCTOBER[0], end=OCTOBER[1], time_zone=BERLIN, closed=True, own=True),
        "as_of": AS_OF,
        "inputs": Inputs(spec_sha256="5f0c" + "a7" * 28 + "91ab", evidence_sha256="b27e" + "1c" * 28 + "04d3",
                         analysis_sha256="77d0" + "3e" * 28 + "5be2", tzdata="2026f", method_version=1),
        "objectives": tuple(objectives), "credits": None, "deadlines": (deadline(),), "warnings": (),
    }  # fmt: skip
    return Evaluation.model_validate({**plain, **more})


def inputs(terms: Agreement, found: Evaluation, frame: pd.DataFrame, **more: Any) -> ClaimInputs:
    """Return what a report is made from."""
    plain: dict[str, Any] = {
        "evaluation": found, "agreement": terms, "agreement_text": expand(terms), "records": frame,
        "companions": companions(frame), "golden_classes": classes(frame) if "golden_item" in frame else {},
        "golden_set": "claims-qa@4", "version": "0.1.0",
    }  # fmt: skip
    return ClaimInputs(**{**plain, **more})


def companions(frame: pd.DataFrame) -> tuple[Companion, ...]:
    """Return the grades and the coverage that stand beside the records."""
    found: list[Companion] = [Coverage(source=Source.PROBE, start=OCTOBER[0], end=OCTOBER[1], via="agent")]
    for row in frame.to_dict("records"):
        if isinstance(row.get("grade"), str):
            found.append(
                Score(observation=row["id"], scorer=row["scorer"], grade=Grade(row["grade"]), recorded_at=int(row["ended_at"]))
            )
        if row.get("counts.hallucination") in {"ok", "fail"}:
            grade = Grade.CORRECT if row["counts.hallucination"] == "ok" else Grade.UNSUPPORTED
            found.append(
                Adjudication(observation=row["id"], grade=grade, by="simulated person", recorded_at=int(row["ended_at"]) + NS)
            )
    return tuple(found)


ANNOUNCEMENT = Fact(
    id="mail-1", type="announcement", when=ns("2026-09-29T10:00:00+02:00"), by="Acme AI", reference="Notice 2026-41",
    exclusion="maintenance", start=WINDOW[0], end=WINDOW[1], recorded_at=ns("2026-09-29T10:05:00+02:00"),
)  # fmt: skip
SIMULATED = Note("The human labels in this demonstration are simulated.", "hallucination")
