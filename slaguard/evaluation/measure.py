"""From a Table of counts to a Measurement: what counted, what was left out, and what is not known.

A Measurement never guesses: what was not watched or not graded stands as two bounds, `best` (all of it good for the
vendor) and `worst` (all of it bad). Everything here is integers and fractions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from slaguard.evaluation.exclusions import Applied, Variant
from slaguard.evaluation.requirements import Question
from slaguard.records import Column, Span, Table
from slaguard.spec.indicators.intervals import RateTest
from slaguard.spec.model import Effect, Ratio, SampleProportion
from slaguard.terms import ANSWERED, NEVER_MAPPED, Count, Outcome, Source

OUTCOMES = tuple(Outcome)
Noun = Literal["interval", "request", "answer", "minute", "unit"]


@dataclass(frozen=True, slots=True)
class Excluded:
    """What one exclusion took out: records, and time in minutes (exact)."""

    applied: Applied
    n: int
    minutes: Fraction
    also: int = 0
    """Records that it matches too, and that another exclusion took out."""


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch of time that a strip chart shows and a claim lists: down, excluded or not watched.

    `lost` is how many intervals' worth of good answers it cost (down only).
    """

    kind: Literal["down", "excluded", "unobserved"]
    span: Span
    lost: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What one of two tests over intervals found: the share of good intervals, as seen and at both ends, and its margin.

    `bad` intervals missed its error rate, of which `allowed` may, and `allowed_in_all` in the whole period.
    """

    test: RateTest
    value: Fraction | None
    best: Fraction | None
    worst: Fraction | None
    if_rest_is_good: Fraction | None
    bad: Fraction
    allowed: Fraction
    allowed_in_all: Fraction

    def margin(self, share: Fraction | None) -> Fraction | None:
        """Return how far a share is over its target; below zero the test is missed."""
        return None if share is None else share - self.test.share.bound.value

    def kept(self, margin: Fraction) -> bool:
        """Tell whether a margin keeps the test."""
        return self.test.share.bound.holds(margin + self.test.share.bound.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """An Objective's figure in one scope, from one source, with one set of exclusions.

    `value`, `best` and `worst` are in the Objective's unit (share of one, or milliseconds) and None where nothing
    counts. `bad` out of `n` is what the promise is decided on, and `allowed` is how many of `n` may be bad.
    `population` is how many there are in all where that is known; `census` is true where all of them are in `n`.
    """

    source: Source
    noun: Noun
    value: Fraction | None
    best: Fraction | None
    worst: Fraction | None
    n: int
    bad: Fraction
    allowed: Fraction
    coverage: Fraction
    census: bool
    unknown: int = 0
    population: int | None = None
    dropped: int = 0
    unmeasured: int = 0
    left: tuple[tuple[Outcome, int], ...] = ()
    """What those two are made of: how many calls of each outcome, the most first."""
    clockless: int = 0
    calls: int = 0
    """Records of the source in scope in the period, whatever became of them; probes: with the slots that were not asked."""
    requests: int | None = None
    """Interval rules: how many counted requests the intervals hold; none at all is no traffic, not uptime."""
    excluded: tuple[Excluded, ...] = ()
    events: tuple[Event, ...] = ()
    allowed_in_all: Fraction | None = None
    """Interval rules: how many may be lost in the whole period, with what is still to come."""
    sampled_low: Fraction | None = None
    sampled_high: Fraction | None = None
    """A percentile of a sample: its ends at the decision rule's risk, in milliseconds."""
    filtered: tuple[tuple[str, int], ...] = ()
    """What each filter took out of the period, in the order in which they act: its name, and how many records."""
    filter_notes: tuple[tuple[str, str], ...] = ()
    """What a reader must know of the filters: codes of warnings, and their words."""
    undefined: int = 0
    """Rules over speed: answers of which no speed can be told, as they took no time or their tokens are not known."""
    comparison: bool = False
    """One share is compared with another: counting alone does not decide it."""
    averaged: bool = False
    """Whether the figure is a mean or a median of what was seen, and no share whose sampling error is computed."""
    intervals: int | None = None
    """A mean over intervals: how many have one of their own."""
    if_rest_is_good: Fraction | None = None
    """Open period, interval rules: the figure if every interval still to come is good."""
    tests: tuple[Tested, ...] = ()
    """A rule of two tests: what each of them found; the figure is the smaller margin."""

    periods: tuple[tuple[str, Fraction | None], ...] = ()
    """A figure averaged with earlier periods: of each its label and its own figure, the judged one first."""

    @property
    def over_time(self) -> bool:
        """Tell whether time is what is counted, in intervals or minutes, rather than calls or answers."""
        return self.noun in {"interval", "minute"}


@dataclass(frozen=True, slots=True)
class Rows:
    """A Table's rows with what each of them counts as, in one variant; every column has one element per row."""

    table: Table
    ok: Column
    fail: Column
    dropped: Column
    unmeasured: Column
    taken: Column
    """Records that an exclusion took out or turned."""
    position: Column
    """Which exclusion it was, by its place in the Objective's list; -1: none."""
    also: tuple[tuple[int, Column], ...] = ()
    """For an exclusion, by its place, the records that it matches too and that another one took out."""

    def sum(self, column: Column) -> int:
        """Return the sum of a column as an exact integer."""
        return int(column.sum())

    def left(self, part: Column | None = None) -> tuple[tuple[Outcome, int], ...]:
        """Return how many records of `part` (None: of all) left the count by their outcome, the most first."""
        gone = self.dropped + self.unmeasured
        gone = gone if part is None else np.where(part, gone, 0)
        codes = self.table.column("outcome")
        sizes = ((OUTCOMES[code], self.sum(gone[codes == code])) for code in np.unique(codes[gone > 0]).tolist())
        return tuple(sorted(sizes, key=lambda one: (-one[1], one[0].value)))

    def excluded(self, question: Question, part: Column | None = None) -> tuple[Excluded, ...]:
        """Return what each record exclusion took out of `part` (a mask of rows; None: of all), in the Agreement's order."""
        taken = self.taken if part is None else np.where(part, self.taken, 0)
        more = {i: self.sum(column if part is None else np.where(part, column, 0)) for i, column in self.also}
        places = {i for i in np.unique(self.position[taken > 0]).tolist() if i >= 0} | {i for i, n in more.items() if n}
        return tuple(
            Excluded(question.applied[i], self.sum(taken[self.position == i]), Fraction(0), more.get(i, 0))
            for i in sorted(places)
        )


def counted_as(question: Question, outcome: Outcome, mask: int, variant: Variant) -> tuple[Count | None, int | None]:
    """Return how a record counts, and the position of the exclusion that took it out or turned it.

    None as the count means that it was not measured. The first exclusion in the Agreement's order is the primary one. A
    window that counts as up concerns failures only: in a share of requests a failure in it is good, anywhere else (a
    latency has no time to count for it) it leaves; what succeeded in it stays as it is.
    """
    count = _stated(question, outcome, mask)
    if count is None or count is Count.DROP:
        return count, None
    turned: int | None = None
    for i, bit in enumerate(question.bits):
        if bit.applied is None or not mask >> i & 1 or not bit.active(variant):
            continue
        position = question.applied.index(bit.applied)
        if _takes_out(question, bit.applied, count):
            return Count.DROP, position
        if count is Count.FAIL and isinstance(question.objective.indicator, Ratio) and turned is None:
            turned = position
    return (count, None) if turned is None else (Count.OK, turned)


def matched_too(question: Question, outcome: Outcome, mask: int, variant: Variant, position: int) -> tuple[int, ...]:
    """Return the places of the exclusions that match a record besides the one that took it out or turned it."""
    count = _stated(question, outcome, mask)
    found = set()
    for i, bit in enumerate(question.bits):
        if bit.applied is None or count is None or not mask >> i & 1 or not bit.active(variant):
            continue
        turns = count is Count.FAIL and isinstance(question.objective.indicator, Ratio)
        if turns or _takes_out(question, bit.applied, count):
            found.add(question.applied.index(bit.applied))
    return tuple(sorted(found - {position}))


def _takes_out(question: Question, applied: Applied, count: Count) -> bool:
    """Tell whether an exclusion takes a counted record out; a failed call is no answer, and leaves a graded share anyway."""
    if applied.exclusion.effect is not Effect.COUNT_AS_UP:
        return True
    return count is Count.FAIL and not isinstance(question.objective.indicator, Ratio | SampleProportion)


def _stated(question: Question, outcome: Outcome, mask: int) -> Count | None:
    """Return how the Agreement counts an outcome, before any exclusion: by vendor code, by lateness, else by itself."""
    count = question.objective.outcomes.of(outcome)
    for i, bit in enumerate(question.bits):
        if not mask >> i & 1:
            continue
        if bit.code is not None and outcome not in NEVER_MAPPED:
            count = bit.code
        if bit.timeout is not None and outcome in ANSWERED:
            count = bit.timeout
        if bit.slow == "as_failed" and count is Count.OK:
            count = Count.FAIL
    return count


def rows_of(question: Question, table: Table, variant: Variant) -> Rows:
    """Return the rows of a Table with their counts in one variant."""
    n = table.n
    columns = {count: np.zeros_like(n) for count in Count}
    unmeasured, taken, where_from = np.zeros_like(n), np.zeros_like(n), np.full_like(n, -1)
    also: dict[int, Column] = {}
    kinds, where = distinct_pairs(table.column("outcome"), table.column("mask"))
    for index, (code, bits) in enumerate(kinds):
        chosen = where == index
        count, position = counted_as(question, OUTCOMES[code], bits, variant)
        if position is not None:
            taken[chosen], where_from[chosen] = n[chosen], position
            for other in matched_too(question, OUTCOMES[code], bits, variant, position):
                also.setdefault(other, np.zeros_like(n))[chosen] = n[chosen]
        if count is None:
            unmeasured[chosen] = n[chosen]
        elif position is None or count is not Count.DROP:
            columns[count][chosen] = n[chosen]
    as_well = tuple(sorted(also.items()))
    return Rows(
        table, columns[Count.OK], columns[Count.FAIL], columns[Count.DROP], unmeasured, taken, where_from, as_well
    )  # fmt: skip


def distinct_pairs(first: Column, second: Column) -> tuple[list[tuple[int, int]], Column]:
    """Return the distinct pairs of two columns, in order, and for every row the place of its pair among them.

    Each column is ranked by itself: sorting whole numbers is many times faster than sorting rows of two.
    """
    firsts, rank = np.unique(first, return_inverse=True)
    seconds, other = np.unique(second, return_inverse=True)
    size = max(1, len(seconds))
    found, where = np.unique(rank.reshape(-1) * size + other.reshape(-1), return_inverse=True)
    pairs = [(int(firsts[i // size]), int(seconds[i % size])) for i in found.tolist()]
    return pairs, where.reshape(-1)
