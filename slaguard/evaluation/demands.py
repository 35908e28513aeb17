"""What an Objective needs counted: a Counts Demand is one GROUP BY over integers, the same on every engine.

Undecided things stay keys: the outcome is a key, and so is `mask` (bit i: the i-th mark matched), so that readings and
the result with and without an exclusion are sums over one answer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import rfc8785

from slaguard.records import Span
from slaguard.terms import BoundWord, Source

KEYS: Final = ("bin", "clock", "outcome", "mask", "grade", "known", "time_to_first_token", "total_time")
"""The keys a Demand may group by.

bin: (sent_at - span start) // bin_ns; clock: 1 where the record has a time of its own, else 0 (bin is then NULL);
outcome, grade: codes of `terms` (grade is NULL without a grade by the named grader); known: 1 where the record's
inclusion probability is 1 (a census), else 0; time_to_first_token, total_time: whole milliseconds rounded up, NULL where
not measured. Contract limits are whole milliseconds, so rounding up never moves a value over or under a limit.
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition on a record's field: among `values`, or on the right side of `limit`.

    `field` is a canonical Observation field, ``attributes.<name>``, ``time_to_first_token`` or ``total_time``. A missing
    field meets no condition. `limit` for the two times is in milliseconds and compares the time rounded up.
    """

    field: str
    values: tuple[str, ...] | None = None
    word: BoundWord | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """One bit of `mask`: set where all `conditions` hold and `sent_at` lies in one of `windows` (None: any time)."""

    conditions: tuple[Condition, ...]
    windows: tuple[Span, ...] | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Count the records of one source in `span` that meet `where`, grouped by `keys`.

    A record is in the span where `sent_at` is in it; one without a clock where its whole batch is. `grader` names whose
    grade the key `grade` shows: ``human`` (the latest Adjudication), a scorer's ``id@version`` or ``*`` for any scorer (the
    latest Score; people may be grading the same answer for another promise, so an Adjudication is not one); None where no
    grade is asked for. Only records known by `as_of` count.
    """

    source: Source
    span: Span
    as_of: int
    where: tuple[Condition, ...]
    marks: tuple[Mark, ...]
    keys: tuple[str, ...]
    bin_ns: int | None = None
    grader: str | None = None
    _sha256: str = field(init=False, repr=False, compare=False)
    """Computed once: one evaluation looks an answer up by it many times."""

    def __post_init__(self) -> None:
        """Compute the identity."""
        object.__setattr__(self, "_sha256", self._identity())

    def sha256(self) -> str:
        """Return the Demand's identity: the hash of what is asked. `as_of` is when it is asked, and no part of it."""
        return self._sha256

    def _identity(self) -> str:
        body: dict[str, Any] = {
            "source": self.source.value,
            "span": [str(i) for i in self.span],
            "where": [_condition(c) for c in self.where],
            "marks": [
                {
                    "conditions": [_condition(c) for c in m.conditions],
                    "windows": None if m.windows is None else [[str(a), str(b)] for a, b in m.windows],
                }
                for m in self.marks
            ],
            "keys": list(self.keys),
            "bin_ns": None if self.bin_ns is None else str(self.bin_ns),
            "grader": self.grader,
        }
        return hashlib.sha256(rfc8785.dumps(body)).hexdigest()


def _condition(condition: Condition) -> dict[str, object]:
    return {
        "field": condition.field,
        "values": None if condition.values is None else list(condition.values),
        "word": condition.word.value if condition.word else None,
        "limit": condition.limit,
    }


@dataclass(frozen=True, slots=True)
class Demands:
    """All that one evaluation asks for: equal Demands stand here once."""

    counts: tuple[Counts, ...]
    span: Span
    """The time in which coverage matters."""
    as_of: int
    vendor: str | None = None
    """Whose tallies of traffic say what was watched; None: nobody's, Coverage documents alone do."""
