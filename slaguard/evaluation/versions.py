"""An Agreement under its readings: settled ones in force, open ones each as an Agreement of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Final

from slaguard.spec.in_force import in_force
from slaguard.spec.model import Agreement, Objective
from slaguard.spec.patch import patched
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.readings import Combination, agreed, lists, still_open
from slaguard.spec.readings_check import moves_the_agreement
from slaguard.spec.zones import local_day, zone

AS_WRITTEN: Final = Combination(())
"""What an Objective is judged under where no reading of it is open."""


@dataclass(frozen=True, slots=True)
class Version:
    """One Objective under one combination of its open readings: the Agreement that then holds, and the Objective in it."""

    combination: Combination
    agreement: Agreement
    objective: Objective

    @property
    def id(self) -> str:
        """Return the names of the open readings; empty where none is open."""
        return self.combination.id


def versions(agreement: Agreement, period: ResolvedPeriod) -> tuple[tuple[Version, ...], ...]:
    """Return every Objective, in the Agreement's order, under each combination of the readings open in a period."""
    settled = as_settled(agreement, period)
    return tuple(
        tuple(_version(settled, objective.name, one) for one in open_readings(objective, period) or (AS_WRITTEN,))
        for objective in settled.objectives
    )


def as_read(agreement: Agreement, objective: Objective, start: int, zone_name: str, reading: str | None) -> Objective:
    """Return an Objective under the readings that a result names (`ObjectiveResult.reading`).

    Args:
        agreement: the normal form.
        objective: one of its Objectives.
        start: of the period of the result, UTC nanoseconds.
        zone_name: of the period.
        reading: the names of the readings that are open, joined by a plus sign; None: none is.

    """
    day = local_day(start, zone(zone_name))
    chosen = (*agreed(objective, day).readings, *_named(objective, day, reading).readings)
    read = _read(agreement, objective.name, Combination(chosen))
    return next(o for o in read.objectives if o.name == objective.name)


def _named(objective: Objective, day: date, reading: str | None) -> Combination:
    return next((one for one in still_open(objective, day) if one.id == reading), AS_WRITTEN)


def as_settled(agreement: Agreement, period: ResolvedPeriod) -> Agreement:
    """Return the Agreement with the amendments in force and the readings settled for a period."""
    agreement = in_force(agreement, period)
    for objective in agreement.objectives:
        if objective.settled:
            agreement = _read(agreement, objective.name, agreed(objective, _day(period)))
    return agreement


def open_readings(objective: Objective, period: ResolvedPeriod) -> tuple[Combination, ...]:
    """Return the combinations of an Objective's readings that are open in a period; empty: none is."""
    return still_open(objective, _day(period)) if lists(objective) else ()


def worlds(agreement: Agreement, period: ResolvedPeriod) -> tuple[tuple[Agreement, dict[str, str]], ...]:
    """Return the Agreement under every combination of those open readings that change terms which all promises share.

    Returns:
        each with the readings it stands for, by Objective; one, as settled, where no reading changes such a term.

    """
    settled = as_settled(agreement, period)
    moving = [(o.name, open_readings(o, period)) for o in settled.objectives if moves_the_agreement(o)]
    moving = [(name, found) for name, found in moving if found]
    made: list[tuple[Agreement, dict[str, str]]] = []
    for chosen in product(*(found for _, found in moving)):
        world, named = settled, {}
        for (name, _), one in zip(moving, chosen, strict=True):
            world, named[name] = _read(world, name, one), one.id
        made.append((world, named))
    return tuple(made)


def _version(settled: Agreement, name: str, combination: Combination) -> Version:
    read = _read(settled, name, combination)
    return Version(combination, read, next(o for o in read.objectives if o.name == name))


def _read(agreement: Agreement, objective: str, combination: Combination) -> Agreement:
    """Return the Agreement so read; every combination was checked when it was loaded."""
    if not combination.set and not combination.unset:
        return agreement
    return patched(agreement, combination.set, objective, unset=combination.unset, checked=True)


def _day(period: ResolvedPeriod) -> date:
    return local_day(period.start, zone(period.zone))
