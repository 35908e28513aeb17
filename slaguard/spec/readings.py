"""Readings: the ways a clause can be read, as data (`contracts.md` §7).

A reading is a patch over the normal form (`spec/patch.py`). An Objective has one list of readings, or several lists; of
each list one reading is right, so the Objective is judged under every combination. A settled reading leaves one of a list.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import product
from typing import Annotated, Any, Final, Protocol

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, WithJsonSchema

from slaguard.spec.conditions import Listed, SetOf, Term
from slaguard.spec.scalars import Day, Words, refuse

MOST: Final = 16
"""So many combinations of readings are judged at most."""
_DEEPEST: Final = 12
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z", re.ASCII)


def _id(text: str) -> str:
    if _ID.match(text):
        return text
    raise refuse("E-SPEC-NAME", "write a name of letters, digits, '.', '_' and '-' (at most 63, a letter or digit first)")


ReadingId = Annotated[Words, AfterValidator(_id)]
"""The name of a reading, which a text may call A and B."""


def _as_written(value: Any, depth: int = 0) -> Any:
    """Keep a value as a document writes it: text, lists and maps of text, none of which can be changed by accident."""
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {str(key): _as_written(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple) and depth < _DEEPEST:
        return tuple(_as_written(inner, depth + 1) for inner in value)
    if isinstance(value, str):
        return value
    raise refuse("E-SPEC-SCHEMA", "write a value as the term itself is written: text, a list or a map")


Written = Annotated[Any, BeforeValidator(_as_written), WithJsonSchema({"description": "The value, as the term writes it."})]
"""A value as a document writes it, whatever term it is for."""


class Reading(Term):
    """One way to read the clause; what it does not change stays as written."""

    id: ReadingId
    """Its name in results."""
    set: dict[str, Written] = Field(default_factory=dict)
    """Terms that are otherwise under this reading, by path: of the Objective first, then of the Agreement."""
    unset: SetOf[Words] = ()
    """Paths of terms that are not there under this reading."""
    basis: Words | None = None
    """The words, or the reason, that allow this reading."""


class Settled(Term):
    """That one reading of a list is agreed to be right."""

    reading: ReadingId
    """The reading."""
    evidence: Words | None = None
    """What shows it: a letter, a judgement, the vendor's own bill."""
    since: Day | None = None
    """Periods that begin on this day or later are read so; absent: all."""


def _form(value: Any) -> str:
    return "several" if isinstance(value, list | tuple) else "one"


def _flat(items: tuple[Any, ...]) -> tuple[Any, ...]:
    """Write one list without brackets around it."""
    return items[0] if len(items) == 1 and isinstance(items[0], tuple) else items


_One = Annotated[Reading, Tag("one")]
_Several = Annotated[tuple[Reading, ...], Field(min_length=1), Tag("several")]
Readings = Annotated[
    tuple[Annotated[_One | _Several, Discriminator(_form)], ...],
    AfterValidator(_flat),
]
"""One list of readings, or a list of such lists: one reading of each is right."""


class Read(Protocol):
    """What has readings."""

    @property
    def readings(self) -> tuple[Reading | tuple[Reading, ...], ...]:
        """The readings as written."""

    @property
    def settled(self) -> Listed[Settled]:
        """What is agreed of them."""


def lists(term: Read) -> tuple[tuple[Reading, ...], ...]:
    """Return the lists of readings of an Objective: of each of them one is right."""
    single = tuple(item for item in term.readings if isinstance(item, Reading))
    several = tuple(item for item in term.readings if isinstance(item, tuple))
    return ((single, *several) if single else several) if term.readings else ()


@dataclass(frozen=True, slots=True)
class Combination:
    """One reading of each list, and what they change together."""

    readings: tuple[Reading, ...]

    @property
    def id(self) -> str:
        """Return the names of the readings that are open, joined by a plus sign."""
        return "+".join(reading.id for reading in self.readings)

    @property
    def set(self) -> dict[str, Any]:
        """Return what all of them set, by path."""
        return {path: value for reading in self.readings for path, value in reading.set.items()}

    @property
    def unset(self) -> tuple[str, ...]:
        """Return the paths that they take out."""
        return tuple(path for reading in self.readings for path in reading.unset)


def combinations(term: Read) -> Iterator[Combination]:
    """Yield every combination of the readings, settled or not, in the order written."""
    yield from (Combination(chosen) for chosen in product(*lists(term)) if chosen)


def agreed(term: Read, day: date) -> Combination:
    """Return the readings that are settled for periods that begin on a day."""
    named = {s.reading for s in term.settled if s.since is None or s.since <= day}
    chosen = (next((r for r in one if r.id in named), None) for one in lists(term))
    return Combination(tuple(reading for reading in chosen if reading is not None))


def still_open(term: Read, day: date) -> tuple[Combination, ...]:
    """Return the combinations of the lists of which none is settled for periods that begin on a day; empty: none is open."""
    named = {s.reading for s in term.settled if s.since is None or s.since <= day}
    undecided = [one for one in lists(term) if not any(r.id in named for r in one)]
    return tuple(Combination(chosen) for chosen in product(*undecided)) if undecided else ()
