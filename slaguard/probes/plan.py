"""Which question is asked when: slots in a period, drawn from a seed, the same on every machine.

A period is cut into strata of equal length; each gets one slot at a drawn moment, so that no one can tell a probe by
the clock, and every interval as long as a stratum has its probe. Questions come in a drawn order, pass after pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from slaguard.errors import ProbeError
from slaguard.probes.draws import Draws
from slaguard.records import NS, NS_PER_MS


@dataclass(frozen=True, slots=True)
class Slot:
    """One question at one moment. `id` names it for ever; `item` is the golden item's id."""

    id: str
    scheduled_at: int
    item: str

    @property
    def request_id(self) -> str:
        """The id a request of this slot may carry: it says nothing to who does not know the plan."""
        return hashlib.sha256(b"slaguard/request/v1\0" + self.id.encode("utf-8")).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbePlan:
    """What is asked of one model for one Agreement, over a span of UTC nanoseconds, once every `every_ms`."""

    agreement: str
    model: str
    start: int
    end: int
    every_ms: int
    seed: bytes
    items: tuple[str, ...]
    tag: str = ""
    """What tells the slots of this plan from those of another host's, who asks the same of the same model."""

    def slots(self) -> tuple[Slot, ...]:
        """Return every slot of the span, in time order.

        A slot's id holds the start of its stratum, so it stays the same when a run starts again.

        Raises:
            ProbeError: no questions, an empty span, or a spacing below a millisecond.

        """
        return tuple(self.iterate())

    def iterate(self, after: int | None = None) -> Iterator[Slot]:
        """Yield the slots one by one; with `after`, those whose stratum starts after that instant (UTC nanoseconds).

        What lies before is passed over at a quarter of a microsecond a draw, because each draw depends on those before it.

        Raises:
            ProbeError: as `slots`.

        """
        if not self.items or self.end <= self.start or self.every_ms < 1:
            msg = "a plan needs questions, a span, and a spacing\n    check golden set, period and every"
            raise ProbeError(msg)
        step = self.every_ms * NS_PER_MS
        left = range(self.start, self.end, step)[0 if after is None else self.strata(self.start - 1, after) :]
        if not left:
            return
        passed = (left.start - self.start) // step
        times, order = Draws(self.seed, "times"), passes(self.seed, self.items, passed)
        times.skip(passed, step)
        end = f"-{self.tag}" if self.tag else ""
        for at in left:
            moment = at + times.uniform(min(step, self.end - at))
            yield Slot(f"{self.agreement}/{self.model}/{_instant(at)}{end}", moment, next(order))

    def strata(self, after: int, until: int) -> int:
        """Return how many strata start after `after` and not after `until`, without drawing anything."""
        step = self.every_ms * NS_PER_MS

        def begun(at: int) -> int:
            return max(0, (min(at, self.end - 1) - self.start) // step + 1)

        return max(0, begun(until) - begun(after))


def passes(seed: bytes, items: Sequence[str], passed: int = 0) -> Iterator[str]:
    """Yield the items in a drawn order, all of them before any comes again; without end, and after the first `passed`."""
    draws = Draws(seed, "items")
    whole, begun = divmod(passed, len(items))
    draws.skip_permutations(whole, len(items))
    yield from (items[i] for i in draws.permutation(len(items))[begun:])
    while True:
        yield from (items[i] for i in draws.permutation(len(items)))


def once(
    agreement: str, model: str, items: Sequence[str], *, now_ns: int, seed: bytes, count: int | None = None
) -> tuple[Slot, ...]:
    """Return slots that are due now: one pass over the items, or `count` of them (which may be several passes).

    Raises:
        ProbeError: no questions, or a count below 1.

    """
    wanted = len(items) if count is None else count
    if not items or wanted < 1:
        msg = "there is nothing to ask\n    name a golden set with questions and at least one slot"
        raise ProbeError(msg)
    order = passes(seed, items)
    tag = hashlib.sha256(b"slaguard/once/v1\0" + seed).hexdigest()[:8]  # two hosts may ask in the same second
    start = f"{_instant(now_ns)}-{tag}"
    return tuple(Slot(f"{agreement}/{model}/once/{start}/{k}", now_ns, next(order)) for k in range(wanted))


def _instant(ns: int) -> str:
    """Return UTC as ``2026-10-05T00:05:00Z``, with nine decimals where it is no whole second."""
    seconds, rest = divmod(ns, NS)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}Z" if rest else f"{text}Z"
