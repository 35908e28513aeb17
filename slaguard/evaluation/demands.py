"""What an Objective needs counted: a Counts Demand is one GROUP BY over integers, the same on every engine.

Undecided things stay keys: the outcome is a key, and so is `mask` (bit i: the i-th mark matched), so that readings and
the result with and without an exclusion are sums over one answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import rfc8785

from slaguard.records import Span
from slaguard.terms import BoundWord, Source

KEYS: Final = (
    "bin", "clock", "outcome", "mask", "grade", "known", "time_to_first_token", "total_time", "group", "per", "like",
    "sent_at", "end_at", "input_tokens", "output_tokens", "cached_input_tokens", "request_ns", "generation_ns",
    "first_token_ns",
)  # fmt: skip
"""The keys a Demand may group by.

bin: (sent_at - span start) // bin_ns; clock: 1 where the record has a time of its own, else 0 (bin is then NULL);
outcome, grade: codes of `terms` (grade is NULL without a grade by the named grader); known: 1 where the record's
inclusion probability is 1 (a census), else 0; time_to_first_token, total_time: whole milliseconds rounded up, NULL where
not measured. Contract limits are whole milliseconds, so rounding up never moves a value over or under a limit.

group, per, like: the code (`group_code`) of the record's texts in the fields `by`, `per` or `like`;
sent_at: as recorded; end_at:
ended_at, else sent_at and the time it took, else sent_at; input_tokens, output_tokens: as recorded; cached_input_tokens:
``attributes.cached_input_tokens`` where it is a whole number of up to 18 digits; request_ns, first_token_ns: the time to
the end of the answer, and to its first byte; generation_ns: from the first byte to the end, by the two measured times, else
by the two instants. All in nanoseconds, NULL where not known.
"""
MOST_TOKENS: Final = 10**12
"""A record that says it has more tokens than this is taken at its word no further."""
HEX_DIGITS: Final = 15
"""So much of the MD5 of a text is its code: 60 bits, the same number on every engine."""
NOTHING: Final = "-"
SOMETHING: Final = "="
"""What stands before a text that is hashed: a missing field is a value of its own, unlike every text."""


def field_code(place: int, text: str | None) -> int:
    """Return the code of one field's text (escaped as in a header; None: the record has none), the `place`-th of its list."""
    content = f"{place}{NOTHING}" if text is None else f"{place}{SOMETHING}{text}"
    return int(hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()[:HEX_DIGITS], 16)


def group_code(texts: Sequence[str | None]) -> int:
    """Return the code of a group: its fields' codes, each with its place in it, joined bit by bit (exclusive or)."""
    code = 0
    for place, text in enumerate(texts):
        code ^= field_code(place, text)
    return code


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
class Over:
    """Only records of the windows in which the weighted tokens come to more than `limit`.

    Windows of `window_ns` follow each other from `start` on (UTC nanoseconds). A record weighs `plain` for each token of its
    question that was not cached, `cached` for each that was, `output` for each of its answer; what is not known weighs
    nothing. All are whole numbers: the contract's weights and its limit, times the same number.
    """

    start: int
    window_ns: int
    limit: int
    plain: int
    cached: int
    output: int


@dataclass(frozen=True, slots=True)
class Failures:
    """Only failures: records of one of `outcomes` (codes), or with one of the bits `marked` in their mask."""

    outcomes: tuple[int, ...]
    marked: int


@dataclass(frozen=True, slots=True)
class Near:
    """Beside the failures, records that come near one of their group (`per`).

    A record is sure to count where its outcome is one of `sure` and it has none of the bits `doubtful`. With each failure come
    the records of its group from then on, up to the first sure one that was sent more than `within_ns` after its `end_at`; and
    those from the group's first record up to its first sure one. Records without a time never come.
    """

    sure: tuple[int, ...]
    doubtful: int
    within_ns: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Count the records of one source in `span` that meet `where`, grouped by `keys`.

    A record is in the span where `sent_at` is in it; one without a clock where its whole batch is. `grader` names whose
    grade the key `grade` shows: ``human`` (the latest Adjudication), a scorer's ``id@version`` or ``*`` for any scorer (the
    latest Score; people may be grading the same answer for another promise, so an Adjudication is not one); None where no
    grade is asked for. Only records known by `as_of` count.

    `by`, `per` and `like` name the fields (texts) behind the keys `group`, `per` and `like`. With `each`, records
    are not counted but come
    one a row (`n` is 1), sorted by all keys, and `over`, `failed` and `near` leave out those that a rule over single records
    need not see.
    """

    source: Source
    span: Span
    as_of: int
    where: tuple[Condition, ...]
    marks: tuple[Mark, ...]
    keys: tuple[str, ...]
    bin_ns: int | None = None
    grader: str | None = None
    by: tuple[str, ...] = ()
    per: tuple[str, ...] = ()
    like: tuple[str, ...] = ()
    each: bool = False
    over: Over | None = None
    failed: Failures | None = None
    near: Near | None = None
    _sha256: str = field(init=False, repr=False, compare=False)
    """Computed once: one evaluation looks an answer up by it many times."""

    def __post_init__(self) -> None:
        """Compute the identity."""
        object.__setattr__(self, "_sha256", self._identity())

    def sha256(self) -> str:
        """Return the Demand's identity: the hash of what is asked. `as_of` is when it is asked, and no part of it."""
        return self._sha256

    def further(self) -> dict[str, Any]:
        """Return what only some Demands ask, as canonical data: a Demand that does not keeps its identity."""
        found: dict[str, Any] = {name: list(fields) for name in ("by", "per", "like") if (fields := getattr(self, name))}
        if self.each:
            found["each"] = True
        for name, part in (("over", self.over), ("failed", self.failed), ("near", self.near)):
            if part is not None:
                found[name] = {k: [str(i) for i in v] if isinstance(v, tuple) else str(v) for k, v in asdict(part).items()}
        return found

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
            **self.further(),
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
