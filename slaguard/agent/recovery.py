"""What happened while nothing ran: written down at the start, and nothing is invented.

A question that was planned, fell due and has no result is lost: `crash` if the process was killed, `own_down` if it
was told to end. A question of the plan
that fell due since the last thing known of its probe and was never planned is lost too (nothing ran, `own_down`). Of a probe
that never ran before nothing is said. Doing it twice says nothing new: what is written has its slot's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from slaguard.agent.log import EventLog, timestamp
from slaguard.agent.timeline import Timeline, end_of_hour
from slaguard.agent.watch import Resume
from slaguard.evaluation.demands import Counts
from slaguard.ledger.store import ColumnStore
from slaguard.probes.plan import Slot
from slaguard.records import NS, NULL, ProbeMissed, ProbePlanned
from slaguard.terms import Source

MOST: Final = 50_000
"""Slots of one probe that are written down as `own_down`; what is beyond them is unobserved without it."""
_EVER: Final = (1 << 63) - 1
_LOOK_BACK: Final = 35 * 86_400 * NS
"""How far back the last call of a probe is looked for; an older one is shown by nothing."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a ledger knows of probes: planned questions without a result, and by ``agreement/model`` the last one.

    `last` is when the last question known was due, `ended` when the last call ended; UTC nanoseconds.
    """

    open: tuple[ProbePlanned, ...] = ()
    last: Mapping[str, int] = field(default_factory=dict)
    ended: Mapping[str, int] = field(default_factory=dict)
    beyond: Mapping[str, int] = field(default_factory=dict)
    """Probes that know of questions after this hour, and when the last of them is due: a clock was wrong."""

    def resume(self, name: str, now: int, last: int | None) -> Resume:
        """Return where a probe goes on whose last question known is `last`.

        What a clock that was ahead has planned or given up keeps its names; the time is gone through again, with others.
        """
        ahead = self.ahead(name, now)
        if name in self.beyond:
            return Resume(None, now, ahead, again=f"{now // NS:x}")
        return Resume(max((at for at in (last, *(s.scheduled_at for s in ahead)) if at is not None), default=None), now, ahead)

    def ahead(self, name: str, now: int) -> tuple[Slot, ...]:
        """Return the slots of a probe that are planned and due after `now`."""
        found = (p for p in self.open if p.scheduled_at > now and probe_of(p.slot) == name)
        return tuple(Slot(p.slot, p.scheduled_at, p.golden_item) for p in found)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What is to be written, and where each probe goes on."""

    missed: tuple[ProbeMissed, ...]
    resume: Mapping[str, Resume]


def probe_of(slot: str) -> str | None:
    """Return the ``agreement/model`` of a slot of a plan; None for one of `slaguard probe --once`."""
    name, _, stratum = slot.rpartition("/")
    return None if stratum.isdigit() else name


def known_of(store: ColumnStore, now: int) -> Known:
    """Return what a ledger knows at `now`, UTC nanoseconds."""
    last: dict[str, int] = {}
    beyond: dict[str, int] = {}
    end = end_of_hour(now)  # nothing is planned for later than that
    due: list[tuple[str, int | None]] = [(one.slot, one.scheduled_at) for one in store.planned()]
    due += [(one.slot, one.scheduled_at) for one in store.missed()]
    for slot, at in due:
        if at is not None:
            _later(last if at < end else beyond, probe_of(slot), at)
    ended: dict[str, int] = {}
    found = store.rows(Counts(Source.PROBE, (now - _LOOK_BACK, now + 1), now, (), (), ()), ("logical_request_id", "ended_at"))
    for slot, ended_at in zip(found["logical_request_id"], found["ended_at"], strict=True):
        if slot is not None and ended_at != NULL:
            _later(ended, probe_of(slot), int(ended_at))
    return Known(tuple(store.open_slots(_EVER)), last, ended, beyond)


def _later(found: dict[str, int], name: str | None, at: int) -> None:
    if name is not None:
        found[name] = max(at, found.get(name, at))


def recover(known: Known, timelines: Sequence[Timeline], now: int, log: EventLog, *, killed: bool = True) -> Recovered:
    """Return what was lost, and where the probes of `timelines` go on.

    Args:
        known: what the ledger holds.
        timelines: the configured probes.
        now: this start, UTC nanoseconds.
        log: is told of what is left unrecorded, and of a clock that was wrong.
        killed: whether the process before this one was killed; else it ended in order.

    """
    why = "crash" if killed else "own_down"
    missed = [_missed(p.slot, p.scheduled_at, why, p.vendor, p.model_requested) for p in known.open if p.scheduled_at <= now]
    resume = {}
    for timeline in timelines:
        down = tuple(_down(known, timeline, now, log))
        missed += down
        last = [known.last.get(timeline.name), *(m.scheduled_at for m in down)]
        resume[timeline.name] = known.resume(timeline.name, now, max((at for at in last if at is not None), default=None))
        if timeline.name in known.beyond:
            log.error(
                "clock_was_ahead",
                probe=timeline.name,
                known_until=timestamp(known.beyond[timeline.name]),
                now_is=timestamp(now),
            )
    return Recovered(tuple(missed), resume)


def _down(known: Known, timeline: Timeline, now: int, log: EventLog) -> Iterable[ProbeMissed]:
    """Yield the slots that passed while nothing ran."""
    last = known.last.get(timeline.name)
    if last is None or last >= now or timeline.name in known.beyond:
        return
    passed = (slot for _, slot in timeline.slots(last, last))
    for n, slot in enumerate(islice(passed, MOST + 1)):
        if slot.scheduled_at > now:
            return
        if n == MOST:
            left = timeline.strata(slot.scheduled_at, now) + 1
            log.warning("slots_unrecorded", probe=timeline.name, slots=left, why="the process was down for too long")
            return
        yield _missed(slot.id, slot.scheduled_at, "own_down", timeline.agreement.vendor, timeline.model)


def _missed(slot: str, scheduled_at: int, reason: str, vendor: str | None, model: str | None) -> ProbeMissed:
    return ProbeMissed(slot=slot, how="lost", reason=reason, scheduled_at=scheduled_at, vendor=vendor, model_requested=model)
