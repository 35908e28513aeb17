"""Something to show: two Agreements of two vendors in two currencies, judged for real, and telemetry that grows.

The evaluations are of the autumn of 2026; their instants are moved to now, because boards and rules ask for `time()`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import cache

from slaguard.evaluation.result import DeadlinePart
from slaguard.evaluation.snapshot import Histogram, ProbeTelemetry, Snapshot, Spending, Standing, Telemetry, Which
from slaguard.records import Record
from slaguard.spec.library import Shelves
from slaguard.spec.load import loads
from slaguard.spec.model import Agreement
from slaguard_exporters.prometheus import PrometheusExporter
from tests.evaluation.world import DAY, watched
from tests.exporters.snapshots import EXAMPLE, NOVEMBER, NOW, OCTOBER, acme, answers, standing, traffic

SECOND = 1_000_000_000
BOREALIS = """\
apiVersion: slaguard/v1
kind: Agreement
name: borealis
version: 3
vendor: Borealis & Sons
customer: Example Bank AG
contract: B-77
effective: 2026-08-01
time_zone: UTC
period: month
fee: 8000.00 USD
combine: greater_of
use:
  - outcomes/server-faults@1
  - claim/written@1: {days: 20}
objectives:
  - name: latency
    clause: Schedule 3
    use:
      - latency/percentile@1: {field: total_time}
    at_most: 1s
    credits:
      above 1s: 10%
  - name: uptime
    clause: Schedule 2
    use: uptime/mean-of-5-minutes@1
    at_least: 99%
    credits:
      below 99%: 20%
  - name: accuracy
    clause: Schedule 4
    use: accuracy/agreed-questions@1
    golden_set: claims-qa@4
    at_least: 90%
    credits:
      below 90%: 5%
"""


def borealis() -> Agreement:
    """Return the Agreement of the second vendor: a time, a share of time, a share of answers."""
    return loads(BOREALIS, "borealis.yaml", Shelves(EXAMPLE.parent)).agreement


@cache
def judged() -> tuple[Standing, ...]:
    """Return four Standings: Acme's closed period is broken and its open one holds, Borealis's are both over the limit."""
    first, second = acme(), borealis()
    return (
        standing(first, Which.CURRENT, [*traffic(NOVEMBER, first.vendor), *answers(NOVEMBER, 190, 10)]),
        standing(first, Which.CLOSED, [*traffic(OCTOBER, first.vendor, outage_minutes=600), *answers(OCTOBER, 480, 20)]),
        standing(second, Which.CURRENT, _slow(NOVEMBER, second.vendor, 190)),
        standing(second, Which.CLOSED, _slow(OCTOBER, second.vendor, 470)),
    )


def _slow(month: int, vendor: str, correct: int) -> list[Record]:
    """Return calls that take longer than was promised, with forty bad minutes, and answers of which thirty are wrong."""
    return [watched(0, NOVEMBER + 15 * DAY), *traffic(month, vendor, outage_minutes=40), *answers(month, correct, 30, vendor)]


def moved(one: Standing, by: int) -> Standing:
    """Return the same Standing so many nanoseconds later."""
    deadlines = tuple(_later(deadline, by) for deadline in one.evaluation.deadlines)
    evaluation = one.evaluation.model_copy(update={"deadlines": deadlines, "as_of": one.evaluation.as_of + by})
    period = replace(one.period, start=one.period.start + by, end=one.period.end + by)
    return replace(one, period=period, evaluation=evaluation)


def _later(deadline: DeadlinePart, by: int) -> DeadlinePart:
    return deadline.model_copy(update={"due": None if deadline.due is None else deadline.due + by})


def telemetry(now: int, turn: int) -> Telemetry:
    """Return what was done by the turn-th scrape: every counter has grown since the one before it."""
    agreements = (acme(), borealis())
    return Telemetry(
        probes=tuple(_probe(a, now, turn, stale=a.name == "borealis") for a in agreements),
        observations={
            **{(a.vendor, f"{a.name}-large", "probe", "ok"): 40 * turn for a in agreements},
            **{(a.vendor, f"{a.name}-large", "probe", "error_5xx"): 3 * turn for a in agreements},
            **{(a.vendor, "other", "traffic", "timeout"): turn for a in agreements},
        },
        indicator_events={
            (s.agreement.name, result.name, result.scope): (50 * turn, 2 * turn)
            for s in judged()
            for result in s.evaluation.objectives
        },
        spending=tuple(Spending(a.vendor, "probe", currency(a), Decimal(turn) / 100, Decimal(5)) for a in agreements),
        last_append_at=now - 20 * SECOND,
        reload_success_at=now - 3600 * SECOND,
        evaluated_at=now - 30 * SECOND,
    )


def currency(about: Agreement) -> str:
    """Return the currency of an Agreement's fee."""
    assert about.fee is not None
    return about.fee.amount.currency


def _probe(about: Agreement, now: int, turn: int, *, stale: bool) -> ProbeTelemetry:
    model = f"{about.name}-large"
    return ProbeTelemetry(
        name=f"{about.name}/{model}",
        agreement=about.name,
        vendor=about.vendor,
        model=model,
        every_ms=300_000,
        requests=43 * turn,
        failures=3 * turn,
        shed={"budget": 2 * turn, "overload": turn},
        lost={"own_down": turn, "crash": 0},
        last_at=now - (3600 if stale else 60) * SECOND,
        duration=Histogram((0.5, 1.0, 2.0), (5 * turn, 30 * turn, 4 * turn, turn), 35.5 * turn),
        time_to_first_token=Histogram((0.1, 0.5, 1.0), (30 * turn, 9 * turn, turn, 0), 6.25 * turn),
        lag=Histogram((0.001, 0.01), (38 * turn, 2 * turn, 0), 0.05 * turn),
        overhead={"p50": 0.0003, "p95": 0.0012},
        spent=Decimal(turn) / 100,
        currency=currency(about),
    )


class Scraped:
    """Answers each scrape with a Snapshot of the moment, made by the exporter as the agent makes it."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._exporter = PrometheusExporter()
        self._turn = 0
        self._lock = threading.Lock()

    def answer(self, accept: str, accept_encoding: str) -> tuple[bytes, str, str | None]:
        """Return an exposition in which every counter has grown."""
        with self._lock:
            self._turn += 1
            return self._exporter.export(self.snapshot(self._turn)).answer(accept, accept_encoding)

    def snapshot(self, turn: int) -> Snapshot:
        """Return what there is to show at the turn-th scrape."""
        now = self._clock()
        return Snapshot(now, tuple(moved(s, now - NOW) for s in judged()), telemetry(now, turn))
