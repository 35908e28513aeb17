"""From single records to the Table that a rule is measured from, less what its filters take out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from slaguard.evaluation.demands import Counts, group_code
from slaguard.evaluation.each import filters_of, over_of
from slaguard.evaluation.exclusions import Variant
from slaguard.evaluation.filters import (
    Calls,
    Mask,
    Name,
    past_entitlement,
    repeated,
    too_early,
    unsettled_chains,
    waits_of,
    without,
)  # fmt: skip
from slaguard.evaluation.measure import rows_of
from slaguard.evaluation.requirements import Question
from slaguard.records import NULL, Column, Evidence, Span, Table, merge_spans
from slaguard.spec.filters import Backoff, Repeats
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Source

EDGE: Final = "W-FILTER-EDGE"
NAMELESS: Final = "W-FILTER-KEY"


@dataclass(frozen=True, slots=True)
class Sifted:
    """Evidence as a rule sees it, and what its filters took out of the period.

    `removed` counts records by filter, in the order in which they act. `notes` are warnings, each with its code: what hangs
    on calls before the time that was watched, and errors of which nothing says whose they are.
    """

    evidence: Evidence
    removed: tuple[tuple[Name, int], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


def sifted(question: Question, source: Source, evidence: Evidence, period: ResolvedPeriod, variant: Variant) -> Sifted:
    """Return the Evidence of one row with the filtered answer in place of its Demand's; as it is where it has no filter."""
    each = next((c for c in question.each if c.source is source), None)
    if each is None:
        return Sifted(evidence)
    counts = next(c for c in question.counts if c.source is source)
    work = _Work.of(question, evidence.tables[each.sha256()], variant)
    gone = _taken(question, work, period)
    own = (work.sent >= period.start) & (work.sent < period.end)
    everything = np.zeros(len(work.sent), dtype=np.bool_)
    for taken in gone.values():
        everything |= taken
    table = without(evidence.tables[counts.sha256()], counts, work.rows(everything))
    return Sifted(
        replace(evidence, tables={**evidence.tables, counts.sha256(): table}),
        tuple((name, int((taken & own).sum())) for name, taken in gone.items()),
        tuple(dict.fromkeys(_notes(question, work, gone, period, _watched(evidence, source, each.span)))),
    )


def taken_out(question: Question, each: Counts, rows: Mapping[str, Column], period: ResolvedPeriod) -> dict[int, Name]:
    """Return which of a Demand's records, by their place, which filter takes out with the accepted exclusions.

    Args:
        question: the row of the result.
        each: its Demand for single records.
        rows: the records, a column for each of its keys, in any order.
        period: the resolved period.

    """
    columns = [rows[key] for key in each.keys]
    order = np.lexsort(tuple(reversed(columns)))
    table = Table(each.keys, tuple(c[order] for c in columns), np.ones(len(order), dtype=np.int64))
    gone = _taken(question, _Work.of(question, table, "accepted"), period)
    return {place: name for name, taken in gone.items() for place in order[taken].tolist()}


def _taken(question: Question, work: _Work, period: ResolvedPeriod) -> dict[Name, Mask]:
    """Return what each filter takes out, in the order in which they act."""
    gone: dict[Name, Mask] = {}
    left = np.ones(len(work.sent), dtype=np.bool_)
    entitlement, backoff, repeats = filters_of(question.objective)
    if entitlement is not None:
        gone["entitlement"] = past_entitlement(work.sent, work.tokens(), over_of(entitlement, period)) & work.eligible
        left = left & ~gone["entitlement"]
    if backoff is not None:
        gone["backoff"] = too_early(work.calls("per", left), backoff)
        left = left & ~gone["backoff"]
    if repeats is not None:
        gone["repeats"] = repeated(work.calls("like", left), repeats)
    return gone


def _notes(
    question: Question, work: _Work, gone: Mapping[Name, Mask], period: ResolvedPeriod, watched: tuple[Span, ...]
) -> Iterator[tuple[str, str]]:
    """Yield what a reader must know of the filters."""
    own = (work.sent >= period.start) & (work.sent < period.end)
    left = np.ones(len(work.sent), dtype=np.bool_)
    _, backoff, repeats = filters_of(question.objective)
    if "entitlement" in gone:
        left = left & ~gone["entitlement"]
    if backoff is not None:
        calls = work.calls("per", left)
        yield from _nameless(calls, backoff.per, own)
        yield from _open_waits(calls, backoff, gone["backoff"], own)
        left = left & ~gone["backoff"]
    if repeats is not None:
        calls = work.calls("like", left)
        yield from _nameless(calls, repeats.by, own)
        yield from _open_chains(calls, repeats, period, watched)


@dataclass(frozen=True, slots=True)
class _Work:
    """The single records of a row: their table, and how each of them counts in one variant."""

    table: Table
    sent: Column
    ok: Mask
    fail: Mask
    eligible: Mask

    @classmethod
    def of(cls, question: Question, table: Table, variant: Variant) -> _Work:
        rows = rows_of(question, table, variant)
        entitlement = question.objective.entitlement
        eligible = np.ones(len(table.n), dtype=np.bool_)
        mask = table.column("mask")
        if entitlement is not None and entitlement.of == "service":
            bit = 1 << len(question.bits)
            eligible = (mask & bit) != 0
            columns = list(table.columns)
            columns[table.keys.index("mask")] = mask & ~bit
            table = replace(table, columns=tuple(columns))
        return cls(table, table.column("sent_at"), (rows.ok > 0) & eligible, (rows.fail > 0) & eligible, eligible)

    def tokens(self) -> tuple[Column, Column, Column]:
        """Return the tokens of the question, of its cached part and of the answer; none where not known."""
        names = ("input_tokens", "cached_input_tokens", "output_tokens")
        plain, cached, answer = (np.where(c == NULL, 0, c) for c in map(self.table.column, names))
        return plain, cached, answer

    def calls(self, key: str, left: Mask) -> Calls:
        """Return what a filter sees of the records that are left."""
        end = self.table.column("end_at") if "end_at" in self.table.keys else self.sent
        return Calls(self.sent, end, self.table.column(key), self.fail & left, self.ok & left)

    def rows(self, chosen: Mask) -> Table:
        """Return some of the records."""
        return Table(self.table.keys, tuple(c[chosen] for c in self.table.columns), self.table.n[chosen])


def _watched(evidence: Evidence, source: Source, span: Span) -> tuple[Span, ...]:
    """Return what was watched of a span; of probes, which are our own, all of it was."""
    if source is Source.PROBE:
        return (span,)
    return merge_spans([(max(a, span[0]), min(b, span[1])) for a, b in evidence.coverage.get(source, ())])


def _open_chains(calls: Calls, rule: Repeats, period: ResolvedPeriod, watched: tuple[Span, ...]) -> list[tuple[str, str]]:
    def was_watched(span: Span) -> bool:
        return any(a <= span[0] and span[1] <= b for a, b in watched)

    n = unsettled_chains(calls, rule, period.start, was_watched)
    if not n:
        return []
    which = "1 chain of errors begins" if n == 1 else f"{n:,} chains of errors begin"
    return [
        (EDGE, f"{which} where nobody watched the time before; the first error counts, though it may repeat an earlier one")
    ]


def _open_waits(calls: Calls, rule: Backoff, early: Mask, own: Mask) -> list[tuple[str, str]]:
    """Say how many requests would be valid, or not, if every client had failed often before its first record."""
    other = too_early(calls, rule, errors_before=len(waits_of(rule)))
    n = int(((early != other) & own).sum())
    if not n:
        return []
    which = "1 request depends" if n == 1 else f"{n:,} requests depend"
    return [(EDGE, f"{which} on errors before the first call that was looked at; it is taken that there were none")]


def _nameless(calls: Calls, fields: tuple[str, ...], own: Mask) -> list[tuple[str, str]]:
    """Say how many errors have none of the fields that would tell them apart."""
    n = int((calls.fail & own & (calls.group == group_code([None] * len(fields)))).sum())
    if not n:
        return []
    which = "1 error has" if n == 1 else f"{n:,} errors have"
    return [(NAMELESS, f"{which} no {' and no '.join(fields)}: taken as of one and the same")]
