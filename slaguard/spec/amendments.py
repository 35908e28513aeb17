"""The terms of an amendment: what a later paper changes, from when, and whether a change inside a period splits it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from slaguard.spec.conditions import Term
from slaguard.spec.readings import Written
from slaguard.spec.scalars import Day, Slug, Words

CALENDAR: Final = frozenset({"period", "time_zone", "effective", "expires", "first_period", "last_period"})
"""What says which periods there are: no amendment changes it, as a period would then have no one version."""


class Amendment(Term):
    """A change of terms from a day on."""

    id: Slug
    """Its name in results."""
    effective: Day
    """The first day on which it is in force."""
    clause: Words
    """Where it stands."""
    within_period: Literal["next_period", "split"]
    """Effective inside a period: next_period, it begins with the next one; split, the period is judged in two parts, each
    under its own terms and with its days' share of the fee, because the clause says so."""
    set: Annotated[dict[str, Written], Field(min_length=1)]
    """What it changes: by path the new value, as the term itself is written."""
