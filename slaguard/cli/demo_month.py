"""The demo's month: who the vendor is, what goes wrong when, and who labels the answers.

The vendor's story is the published one of GPT-4 between March and June 2023 (arXiv 2307.09009): another model under the
same name. Around it: an outage that the promise survives, an announced maintenance, one hour in which our own network
failed, and people (simulated, and called so) who label a few answers for invented statements.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from slaguard.agent.log import EventLog
from slaguard.agent.timeline import Timeline
from slaguard.agent.watch import Resume, Watch
from slaguard.files import atomic_write
from slaguard.imports.load import read
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.ledger.table import COLUMNS, to_row
from slaguard.probes.golden import load_golden
from slaguard.probes.observe import Subject
from slaguard.probes.run import Prober
from slaguard.providers.addresses import AddressPolicy
from slaguard.providers.base import Endpoint
from slaguard.providers.openai import OpenAIChat
from slaguard.providers.simulated import Fault, Question, Questions, SimulatedVendor, Truth, Window, published_story
from slaguard.providers.transport import HttpTransport
from slaguard.records import Adjudication, Fact, Instant, Observation, ProbePlanned, Record, Score
from slaguard.redact import Redactor
from slaguard.scorers.find import find_scorers
from slaguard.spec.load import load
from slaguard.spec.resolve import resolve
from slaguard.terms import Grade, Outcome

ZONE: Final = ZoneInfo("Europe/Berlin")
NS: Final = 1_000_000_000
LABELS: Final = 120
MODEL: Final = "acme-large"
EVERY_MS: Final = 300_000
AT_ONCE: Final = 500


def at(day: int, hour: int = 0, minute: int = 0, month: int = 10) -> int:
    """Return a moment of 2026, Berlin time, as UTC nanoseconds."""
    return int(datetime(2026, month, day, hour, minute, tzinfo=ZONE).timestamp()) * NS


SWAP: Final = at(13, 14, 2)
OUTAGE: Final = (at(8, 10, 12), at(8, 10, 53))
MAINTENANCE: Final = (at(6, 2), at(6, 3))
OWN_OUTAGE: Final = (at(22, 15), at(22, 16))
ANNOUNCED: Final = at(1, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """What the demo is asked to do."""

    agreement: Path
    ledger: Path
    labels: Path
    seed: int
    probes: int | None = None


@dataclass(frozen=True, slots=True)
class Lived:
    """What became of it."""

    slots: int
    remark: str


class SimulatedClock:
    """A clock that moves when somebody waits: to the next slot, or while the vendor thinks (a `records.Clock`)."""

    def __init__(self, start: int) -> None:
        """Start at `start`, UTC nanoseconds."""
        self.now = start

    def read(self) -> Instant:
        """Return the simulated now."""
        return Instant(self.now, self.now, "simulated")

    async def sleep_until(self, wall_ns: int) -> None:
        """Be there at once."""
        self.now = max(self.now, wall_ns)

    async def wait(self, seconds: float) -> None:
        """Let so much simulated time pass."""
        self.now += round(seconds * NS)


async def live_through(month: Month, on_progress: Callable[[int, int], None]) -> Lived:
    """Ask the vendor every five minutes for a month, record the announcement, and import the labels."""
    agreement = load(month.agreement).agreement
    period = resolve(agreement, "2026-10")
    golden = load_golden("claims-qa@4")
    clock = SimulatedClock(period.start)
    timeline = Timeline(
        agreement=agreement,
        model=MODEL,
        every_ms=EVERY_MS,
        items=tuple(golden.items),
        secret=hashlib.sha256(f"slaguard demo {month.seed}".encode()).digest(),
    )
    slots = min(timeline.strata(period.start - 1, period.end - 1), month.probes or sys.maxsize)
    with RowLog.open(month.ledger, clock=clock, entropy=_seeded(month.seed)) as log:
        log.append([_announcement()])
        subject = Subject(agreement=agreement.name, vendor=agreement.vendor, model=MODEL, golden=golden)
        truth, observed = await _ask(subject, timeline, slots, log, clock, month.seed, on_progress)
        _write_labels(month.labels, _labels(truth, observed, month.seed))
        for batch in _batches(read([str(month.labels)], "auto")):
            log.append(batch)
        seal_all(log)
    return Lived(slots, _remark(observed))


def _seeded(seed: int) -> Callable[[int], bytes]:
    """Return keys drawn from the seed: nothing here is secret, and an equal seed gives equal files."""
    drawn = itertools.count()
    return lambda size: hashlib.shake_256(f"slaguard demo keys {seed} {next(drawn)}".encode()).digest(size)


def _announcement() -> Fact:
    start, end = MAINTENANCE
    return Fact(
        id="announcement-2026-10-06", type="announcement", when=ANNOUNCED, by="Acme AI", exclusion="maintenance",
        reference="status page notice 118 (simulated)", start=start, end=end, recorded_at=ANNOUNCED,
    )  # fmt: skip


async def _ask(
    subject: Subject,
    timeline: Timeline,
    slots: int,
    log: RowLog,
    clock: SimulatedClock,
    seed: int,
    on_progress: Callable[[int, int], None],
) -> tuple[dict[str, Truth], list[Observation]]:
    script = published_story(
        at(1),
        SWAP,
        model=MODEL,
        windows=(
            Window(start_ns=OUTAGE[0], end_ns=OUTAGE[1], fault=Fault.ERROR_503),
            Window(start_ns=MAINTENANCE[0], end_ns=MAINTENANCE[1], fault=Fault.ERROR_503),
            Window(start_ns=OWN_OUTAGE[0], end_ns=OWN_OUTAGE[1], fault=Fault.RESET),
        ),
    )
    questions = Questions(tuple(Question(i.id, i.input, i.reference, i.kind or "") for i in subject.golden.items.values()))
    observed: list[Observation] = []

    waiting = _Waiting(log)

    def append(records: Sequence[Record], payloads: Sequence[bytes | None]) -> None:
        waiting.add(_dated(records), payloads)
        observed.extend(r for r in records if isinstance(r, Observation))
        on_progress(len(observed), slots)

    async def control() -> bool:
        return not OWN_OUTAGE[0] <= clock.now < OWN_OUTAGE[1]

    async with SimulatedVendor(script, seed, questions, now_ns=lambda: clock.now, delay=clock.wait) as vendor:
        policy = AddressPolicy.of(vendor.base_url)
        async with HttpTransport(clock, policy, timeout_ms=60_000) as transport:
            prober = Prober(
                subject=subject,
                scorers=find_scorers(subject.golden.scorers.values()),
                provider=OpenAIChat(Endpoint(base_url=vendor.base_url, send_request_id=True), transport),
                append=append,
                clock=clock,
                redact=Redactor(),
                control=control,
                concurrency=1,  # one simulated clock, one call at a time: the same month for the same seed
            )
            watch = Watch(prober, timeline, clock=clock, log=EventLog(_silent, clock), on_result=lambda _: stop_after(slots))

            def stop_after(wanted: int) -> None:
                if len(observed) >= wanted:
                    watch.stop()

            await watch.run(Resume(after=None, since=clock.now - 1))
        waiting.write()
        return {t.request_id: t for t in vendor.truth}, observed


class _Waiting:
    """Records on their way to the log, hundreds in one commit: a commit for each would take most of the demo's time."""

    def __init__(self, log: RowLog) -> None:
        self._log = log
        self._pairs: list[tuple[Record, bytes | None]] = []

    def add(self, records: Sequence[Record], payloads: Sequence[bytes | None]) -> None:
        self._pairs += zip(records, payloads, strict=True)
        if len(self._pairs) >= AT_ONCE:
            self.write()

    def write(self) -> None:
        self._log.append([record for record, _ in self._pairs], [payload for _, payload in self._pairs])
        self._pairs.clear()


def _silent(_: str) -> None:
    """Take what the agent would log: the demo says what it does in its own words."""


def _dated(records: Sequence[Record]) -> list[Record]:
    """Give every record the moment it could first be known, so that equal seeds give equal records."""
    ended = {r.id: r.ended_at for r in records if isinstance(r, Observation)}
    dated: list[Record] = []
    for record in records:
        if isinstance(record, Observation):
            dated.append(replace(record, recorded_at=record.ended_at))
        elif isinstance(record, Score):
            dated.append(replace(record, recorded_at=ended.get(record.observation)))
        elif isinstance(record, ProbePlanned):
            dated.append(replace(record, recorded_at=min(record.scheduled_at, at(1))))
        else:
            dated.append(record)
    return dated


# ── the people who label ────────────────────────────────────────────────────────────────────────────────────────────
def _labels(truth: dict[str, Truth], observed: Sequence[Observation], seed: int) -> list[Adjudication]:
    """Return what simulated people say of a random sample of the answers, drawn by a keyed hash of their ids."""
    answers = [o for o in observed if o.outcome is Outcome.OK and o.request_id in truth]
    answers.sort(key=lambda o: hashlib.sha256(f"labels {seed} {o.id}".encode()).digest())
    return [
        Adjudication(
            observation=o.id,
            grade=Grade.UNSUPPORTED if truth[o.request_id or ""].hallucinated else Grade.CORRECT,
            by="simulated panel",
            recorded_at=at(31, 18),
        )
        for o in answers[:LABELS]
    ]


def _write_labels(path: Path, labels: Sequence[Adjudication]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(to_row(label) for label in labels)
    atomic_write(path, text.getvalue().encode())


def _batches(records: Iterable[Record], size: int = 1000) -> list[list[Record]]:
    found = list(records)
    return [found[i : i + size] for i in range(0, len(found), size)]


def _remark(observed: Sequence[Observation]) -> str:
    """Return when the answers' fingerprint changed under one model name, if it did."""
    seen = [o for o in observed if o.fingerprint]
    for before, after in itertools.pairwise(seen):
        if before.fingerprint != after.fingerprint and after.sent_at is not None:
            when = datetime.fromtimestamp(after.sent_at // NS, ZONE)
            return f"the model changed on {when.day} {when:%b}"
    return ""
