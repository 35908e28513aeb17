"""Snapshots of real evaluations: an Agreement that ships as an example, one on latencies by model, and full telemetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path

from slaguard.evaluation.snapshot import (
    Histogram,
    ProbeTelemetry,
    Snapshot,
    Spending,
    Standing,
    Telemetry,
    TrafficTelemetry,
    Which,
)
from slaguard.records import Observation, Record, Score
from slaguard.spec.load import load
from slaguard.spec.model import Agreement
from slaguard.spec.resolve import resolve
from slaguard.terms import Grade, Source
from tests.evaluation.world import (
    ACCURACY,
    DAY,
    MEAN,
    MINUTE,
    START,
    agreement,
    call,
    judge,
    minute,
    objective,
    watched,
)

EXAMPLE = Path(__file__).resolve().parents[2] / "sla_specs" / "examples" / "acme-chat.yaml"
HOUR = 60 * MINUTE
OCTOBER, NOVEMBER = 0, 31 * DAY
"""Where the months begin, from the start of the world."""
NOW = START + NOVEMBER + 14 * DAY
PERCENTILE = {"rule": "percentile", "p": "95%", "field": "total_time", "failed": "exceed", "min_requests": "1"}
SPEED = {
    "rule": "mean_of_minutes", "bin": "1m", "of": {"speed": {"tokens": "output_tokens", "over": "request"}},
    "weights": "requests", "min_requests": "1",
}  # fmt: skip
POINT = {"estimand": "realised", "rule": "point", "alpha": "5%", "min_n": "0"}
PROBE = ProbeTelemetry(
    name="acme-chat/acme-large",
    agreement="acme-chat",
    vendor="Acme AI",
    model="acme-large",
    every_ms=300_000,
    requests=4_031,
    failures=7,
    shed={"budget": 3, "overload": 0},
    lost={"own_down": 12, "crash": 1},
    last_at=NOW - 7 * MINUTE + 250_000_000,
    duration=Histogram((0.1, 0.5, 1.0, 2.0, 2.5), (0, 12, 3_400, 600, 10, 2), 3_512.25),
    time_to_first_token=Histogram((0.1, 0.5, 1.0), (3_000, 1_000, 24, 0), 512.125),
    lag=Histogram((0.001, 0.01), (4_000, 30, 1), 1.5),
    overhead={"p50": 0.000_31, "p95": 0.001_2},
    spent=Decimal("1.234567"),
    currency="EUR",
)
TELEMETRY = Telemetry(
    probes=(PROBE, replace(PROBE, name="acme-chat/acme-small", model="acme-small", last_at=None, duration=None)),
    observations={
        ("Acme AI", "acme-large", "probe", "ok"): 4_024,
        ("Acme AI", "acme-large", "probe", "error_500"): 7,
        ("Acme AI", "other", "traffic", "ok"): 1_234_567,
    },
    indicator_events={("acme-chat", "uptime", "all"): (12_345, 67), ("test", "latency", "chat"): (1_000_000, 0)},
    spending=(
        Spending("Acme AI", "probe", "EUR", Decimal("1.234567"), Decimal("5.00")),
        Spending("Acme AI", "judge", "EUR", Decimal(0), None),
    ),
    traffic=(TrafficTelemetry(vendor="Acme AI", last_at=NOW - 2 * MINUTE, lost_ns=3 * MINUTE, lost_at=NOW - 20 * MINUTE),),
    last_append_at=NOW - MINUTE,
    reload_successful=True,
    reload_success_at=NOW - DAY,
    evaluated_at=NOW - 30_000_000_000,
)


def acme() -> Agreement:
    """Return the example Agreement."""
    return load(EXAMPLE).agreement


def latencies(name: str = "test") -> Agreement:
    """Return an Agreement on latency and uptime of two services, one of one model and one of any."""
    return agreement(
        objective(PERCENTILE, name="latency", at_most="2s", service=["chat", "any"]),
        objective(MEAN, name="uptime", at_least="99%", service=["chat"]),
        objective(ACCURACY, name="accuracy", at_least="90%", source=["probe"], decision={**POINT, "min_n": "300"}),
        objective(SPEED, name="speed", at_least="50", service=["chat"]),
        name=name,
        services=[{"id": "chat", "models": ["chat-1"]}, {"id": "any"}],
    )


def traffic(month: int, vendor: str, *, outage_minutes: int = 0) -> list[Record]:
    """Return fourteen days of calls from a month's start, three in each hour, and an outage with a failing call a minute."""
    records: list[Record] = [watched()]
    for hour in range(14 * 24):
        records += _minute(month + hour * HOUR, 3, 0, vendor)
    for at in range(outage_minutes):
        records += _minute(month + 3 * DAY + 30 * MINUTE + at * MINUTE, 0, 1, vendor)
    return records


def _minute(at: int, good: int, bad: int, vendor: str) -> list[Observation]:
    took = 1_234_500_000 + at % 977_000
    return minute(
        at // MINUTE, good, bad, vendor=vendor, model_requested="chat-1", total_time_ns=took, output_tokens=80
    )  # fmt: skip


def answers(month: int, correct: int, wrong: int, vendor: str = "Acme AI") -> list[Record]:
    """Return graded answers to the agreed questions."""
    records: list[Record] = [watched(source=Source.PROBE)]
    for i in range(correct + wrong):
        question = call(month + i * MINUTE, n=f"q{i}", vendor=vendor, source=Source.PROBE)
        grade = Grade.CORRECT if i < correct else Grade.WRONG
        records += [question, Score(observation=question.id, scorer="exact@1", grade=grade)]
    return records


@cache
def standings() -> tuple[Standing, ...]:
    """Return both Agreements in both periods: October is broken and closed, November is open and kept so far."""
    return (
        standing(acme(), Which.CURRENT, [*traffic(NOVEMBER, "Acme AI"), *answers(NOVEMBER, 480, 20)]),
        standing(acme(), Which.CLOSED, [*traffic(OCTOBER, "Acme AI", outage_minutes=600), *answers(OCTOBER, 480, 20)]),
        standing(latencies(), Which.CURRENT, traffic(NOVEMBER, "V", outage_minutes=2_400)),
        standing(latencies(), Which.CLOSED, [*traffic(OCTOBER, "V"), *answers(OCTOBER, 9, 1, "V")]),
    )


def standing(contract: Agreement, which: Which, records: Sequence[Record]) -> Standing:
    """Judge one Agreement in one of the two months."""
    span = resolve(contract, "2026-11" if which is Which.CURRENT else "2026-10")
    return Standing(contract, span, which, judge(contract, span, records, as_of=NOW))


def snapshot(telemetry: Telemetry = TELEMETRY) -> Snapshot:
    """Return everything that can be shown."""
    return Snapshot(NOW, standings(), telemetry)
