"""When one probe asks what: the plans of an Agreement's periods, one after the other, hour by hour.

Nothing is built ahead: the slots of an hour are drawn when they are asked for, so that a question a second for a year
costs no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from slaguard.agent.secret import period_seed, slot_tag
from slaguard.probes.plan import ProbePlan, Slot
from slaguard.records import NS, NS_PER_MS
from slaguard.spec.calendar import PeriodUnit, is_rolling
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.resolve import own_periods as resolved_periods
from slaguard.spec.zones import local_day, zone

HOUR_NS: Final = 3600 * NS


def end_of_hour(now: int) -> int:
    """Return the end of the UTC hour that `now` lies in, UTC nanoseconds: nothing later is planned."""
    return (now // HOUR_NS + 1) * HOUR_NS


def own_periods(agreement: Agreement, since: int) -> Iterator[ResolvedPeriod]:
    """Yield the Agreement's own periods from the one that `since` lies in (UTC nanoseconds), or its first one.

    Rolling windows overlap, and a question is asked once: their plan goes by the day.
    """
    day = local_day(since, zone(agreement.time_zone))
    if is_rolling(agreement.period):
        agreement = agreement.model_copy(update={"period": PeriodUnit.DAY, "first_period": None, "last_period": None})
    yield from resolved_periods(agreement, day)


@dataclass(frozen=True, slots=True)
class Hour:
    """The slots of one UTC hour, never of two periods: what is planned in one commit."""

    period: str
    slots: tuple[Slot, ...]

    @property
    def opens(self) -> int:
        """When the hour begins, UTC nanoseconds."""
        return self.slots[0].scheduled_at // HOUR_NS * HOUR_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Every slot of one probe, for as long as its Agreement is in force; drawn from `secret`, which is never shown."""

    agreement: Agreement
    model: str
    every_ms: int
    items: tuple[str, ...]
    secret: bytes

    @property
    def name(self) -> str:
        """``agreement/model``."""
        return f"{self.agreement.name}/{self.model}"

    def plan(self, period: ResolvedPeriod, again: str = "") -> ProbePlan:
        """Return the plan of one period; `again` names its slots anew, in a time that a wrong clock has been in."""
        return ProbePlan(
            agreement=self.agreement.name,
            model=self.model,
            start=period.start,
            end=period.end,
            every_ms=self.every_ms,
            seed=period_seed(self.secret, self.agreement.name, self.model, period.label),
            items=self.items,
            tag=slot_tag(self.secret) + (f".{again}" if again else ""),
        )

    def slots(self, after: int | None, since: int, again: str = "") -> Iterator[tuple[str, Slot]]:
        """Yield (period, slot) of every slot due after `since` whose stratum starts after `after` (None: any).

        What is known of a probe ends at its last slot: `after` is when that was due. A slot of the same stratum cannot
        come after it, whatever the spacing is now, so no slot's name is used twice.
        """
        before = since - self.every_ms * NS_PER_MS  # a stratum that starts here or earlier has no slot after `since`
        after = before if after is None else max(after, before)
        for period in own_periods(self.agreement, since):
            for slot in self.plan(period, again).iterate(after):
                if slot.scheduled_at > since:
                    yield period.label, slot

    def hours(self, after: int | None, since: int, again: str = "") -> Iterator[Hour]:
        """Yield the same slots, those of an hour together."""
        by_hour = groupby(self.slots(after, since, again), lambda found: (found[0], found[1].scheduled_at // HOUR_NS))
        for (period, _), found in by_hour:
            yield Hour(period, tuple(slot for _, slot in found))

    def strata(self, after: int, until: int) -> int:
        """Return how many slots lie between two moments, without drawing them."""
        total = 0
        for period in own_periods(self.agreement, after):
            if period.start > until:
                break
            total += self.plan(period).strata(after, until)
        return total
