"""One Berlin day of one vendor, seen by a sidecar and asked by probes: what each of them writes into a ledger."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from slaguard.ledger.rowlog import RowLog
from slaguard.records import MINUTE, NS, Observation, ProbePlanned, Record, TrafficTally
from slaguard.spec.load import Loaded, load
from slaguard.terms import Attribution, Outcome, Source
from tests.cli.watched import Now, at

DAY = at("2026-10-13T22:00:00Z")
"""Midnight in Berlin: 14 October 2026 begins."""
MINUTES = 1440
LATER = DAY + MINUTES * MINUTE + 12 * 60 * MINUTE
TEXT = """\
apiVersion: slaguard/v1
kind: Agreement
name: acme-chat
version: 1
vendor: Acme AI
customer: Example Bank AG
contract: C-2031
effective: 2026-08-01
time_zone: Europe/Berlin
period: day
fee: 1000.00 EUR
use:
  - outcomes/server-faults@1
  - claim/written@1: {{days: 30}}
objectives:
  - name: uptime
    clause: Exhibit B 2.1
    use: uptime/mean-of-5-minutes@1
    source: {source}
    at_least: 99.5%
    credits:
      below 99.5%: 10%
  - name: errors
    clause: Exhibit B 2.2
    use: [errors/share-failed@1: {{min_requests: 10}}]
    source: {source}
    at_most: 1%
"""
Down = Callable[[int], bool]
"""Whether the vendor fails in a minute of the day."""


def never(minute: int) -> bool:
    del minute
    return False


def contract(folder: Path, source: str = "[traffic, probe]", name: str = "acme.yaml") -> tuple[Path, Loaded]:
    """Write the Agreement and load it."""
    path = folder / name
    path.write_text(TEXT.format(source=source), encoding="utf-8")
    return path, load(path)


def sidecar(
    minutes: Collection[int], *, down: Down = never, shed: Collection[int] = (), instance: str = "sidecar-1",
    vendor: str = "Acme AI", a_minute: int = 4, start: int = DAY,
) -> Iterator[Record]:  # fmt: skip
    """Yield what a sidecar writes: a minute's calls and its tally; of a minute in `shed` half the calls are lost."""
    draw, number = random.Random(instance), 0
    for minute in sorted(minutes):
        began = start + minute * MINUTE
        recorded = a_minute // 2 if minute in shed else a_minute
        for i in range(recorded):
            sent, bad = began + i * MINUTE // a_minute, down(minute)
            number += 1
            took = int(draw.uniform(0.2, 1.2) * NS)
            yield Observation(
                id=f"{instance}/{number}", outcome=Outcome.ERROR_5XX if bad else Outcome.OK,
                attribution=Attribution.VENDOR if bad else Attribution.NONE, source=Source.TRAFFIC, via="sidecar",
                vendor=vendor, sent_at=sent, first_byte_at=sent + took // 2, ended_at=sent + took, recorded_at=sent + 2 * NS,
                model_requested="acme-large", status=503 if bad else 200, inclusion_probability="1",
                attributes={"endpoint": "POST /v1/chat/completions"}, total_time_ns=took, time_to_first_token_ns=took // 2,
            )  # fmt: skip
        yield TrafficTally(
            vendor=vendor, via="sidecar", writer=instance, start=began, end=began + MINUTE, seen=a_minute, recorded=recorded,
            sampled_out=0, shed=a_minute - recorded, client_abort=0, bodies=0, bodies_shed=0,
            recorded_at=began + MINUTE + 2 * NS,
        )  # fmt: skip


def probes(*, down: Down = never, skipped: Collection[int] = (), every: int = 5) -> Iterator[Record]:
    """Yield what the agent writes: a question every five minutes, planned before it is asked."""
    for i, minute in enumerate(range(0, MINUTES, every)):
        due = DAY + minute * MINUTE + 7 * NS
        slot = f"acme-chat/acme-large/{i}"
        yield ProbePlanned(
            slot=slot, agreement="acme-chat", golden_item="q", scheduled_at=due, vendor="Acme AI", model_requested="acme-large",
            recorded_at=due - MINUTE,
        )  # fmt: skip
        if minute in skipped:
            continue
        bad = down(minute)
        yield Observation(
            id=f"probe-{i}", outcome=Outcome.ERROR_5XX if bad else Outcome.OK, source=Source.PROBE, via="probe",
            attribution=Attribution.VENDOR if bad else Attribution.NONE, vendor="Acme AI", model_requested="acme-large",
            scheduled_at=due, sent_at=due, ended_at=due + NS, recorded_at=due + NS, logical_request_id=slot,
            inclusion_probability="1", total_time_ns=NS,
        )  # fmt: skip


def write(folder: Path, records: Iterator[Record] | Sequence[Record]) -> Path:
    """Append to a writer's folder as a process that opens and closes it."""
    with RowLog.open(folder, clock=Now()) as log:
        log.append(list(records))
    return folder
