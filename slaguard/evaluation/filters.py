"""Filters over single records, before anything is counted: entitlements, back-off (B) and repeats (U4), in this order.

Each takes records out of the Table that a rule is measured from, so every rule works with every filter and none knows of
them. A record past an entitlement is not eligible, and the other two do not see it; a request that came too early after
an error is not valid, and repeats do not see it. A record that an outcome or an exclusion drops in the variant at hand,
or that was not measured, is neither an error nor a success: no filter sees it, except that its tokens use up an
entitlement. Records without a time of their own stay. Sources: `contracts.md` §3, archetypes U4 and B.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from slaguard.evaluation.demands import MOST_TOKENS, Counts, Over
from slaguard.evaluation.near import near_rows, runs
from slaguard.records import NS_PER_MS, NULL, Column, Span, Table
from slaguard.spec.filters import Backoff, Repeats

Mask = npt.NDArray[np.bool_]
Name = Literal["entitlement", "backoff", "repeats"]
_ROOM: Final = 2**62
_SIDES: Final[dict[str, Literal["left", "right"]]] = {"inclusive": "right", "exclusive": "left"}


@dataclass(frozen=True, slots=True)
class Calls:
    """Records one a row in order of time: when, how they count, and what tells them apart.

    `fail` and `ok` mark what counts so in the variant at hand; rows of neither are not seen. `group` is the key of the
    filter at hand (a client, or errors that repeat each other).
    """

    sent: Column
    end: Column
    group: Column
    fail: Mask
    ok: Mask


# ── entitlements ────────────────────────────────────────────────────────────────────────────────────────────────────
def past_entitlement(sent: Column, tokens: tuple[Column, Column, Column], over: Over) -> Mask:
    """Mark the records that go past an entitlement, and those after them in the same window.

    Args:
        sent: when each was sent, in order, UTC nanoseconds; `NULL` is in no window.
        tokens: of the question, of its part that was cached (no more than the question), of the answer.
        over: the windows, the limit and the weights.

    """
    plain, cached, answer = (np.clip(t, 0, MOST_TOKENS) for t in tokens)
    cached = np.minimum(cached, plain)
    parts = ((over.plain, plain - cached), (over.cached, cached), (over.output, answer))
    fits = sum(weight * int(part.max(initial=0)) for weight, part in parts) * max(len(sent), 1) < _ROOM
    used = sum(
        (part.astype(np.int64 if fits else object) * weight for weight, part in parts), start=np.zeros(len(sent), np.int64)
    )
    window = (sent - over.start) // over.window_ns
    total = np.cumsum(used)
    first = np.flatnonzero(np.concatenate([[True], window[1:] != window[:-1]])) if len(sent) else np.zeros(0, dtype=np.intp)
    before = np.repeat(total[first] - used[first], np.diff(np.append(first, len(sent))))
    past: Mask = np.asarray(total - before > over.limit, dtype=np.bool_) & (sent != NULL)
    return past


# ── back-off ────────────────────────────────────────────────────────────────────────────────────────────────────────
def too_early(calls: Calls, rule: Backoff, *, errors_before: int = 0) -> Mask:
    """Mark the requests that came too early after an error of their client.

    An error is known to its client when it ended (or, by the clause, when its request was sent); a request sent before
    that is not after it. A success resets for all that is sent after it. A request that is not valid changes nothing.

    Args:
        calls: the records; `group` is the client.
        rule: the clause.
        errors_before: how many errors in a row each client is taken to have had before its first record.

    """
    early = np.zeros(len(calls.sent), dtype=np.bool_)
    known = calls.end if rule.gap_from == "error_end" else calls.sent
    seen = np.flatnonzero((calls.fail | calls.ok) & (calls.sent != NULL))
    every = np.ones(len(seen), dtype=np.bool_)
    near = near_rows(calls.sent[seen], known[seen], calls.group[seen], calls.fail[seen], every, rule.max * NS_PER_MS)
    places = seen[near]
    places = places[np.argsort(calls.group[places], kind="stable")]
    waits = waits_of(rule)
    for start, stop in runs(calls.group[places]):
        own = places[start:stop]
        found = _one_client(calls.sent[own].tolist(), known[own].tolist(), calls.fail[own].tolist(), waits, errors_before)
        early[own[found]] = True
    return early


def waits_of(rule: Backoff) -> list[int]:
    """Return how long to wait after one error, two, … in nanoseconds; the last one holds for all further errors."""
    waits = [rule.wait(1)]
    while waits[-1] < rule.max and rule.factor > 1:
        waits.append(rule.wait(len(waits) + 1))
    return [wait * NS_PER_MS for wait in waits]


def _one_client(sent: list[int], known: list[int], failed: list[bool], waits: list[int], before: int) -> list[int]:
    """Return the places of one client's requests that came too early."""
    early: list[int] = []
    coming: list[int] = []  # when errors that are under way will be known
    errors, last, longest = before, NULL, len(waits) - 1
    for place, at in enumerate(sent):
        while coming and coming[0] <= at:
            errors, last = errors + 1, heappop(coming)
        if errors and at - last < waits[min(errors - 1, longest)]:
            early.append(place)
        elif failed[place]:
            heappush(coming, max(known[place], at))
        else:
            errors = 0
    return early


# ── repeats ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def repeated(calls: Calls, rule: Repeats) -> Mask:
    """Mark the errors that repeat a counted one of the same key (fixed), or any earlier one (sliding)."""
    gone = np.zeros(len(calls.sent), dtype=np.bool_)
    wanted = calls.fail | calls.ok if rule.success_resets == "yes" else calls.fail
    places = np.flatnonzero(wanted & (calls.sent != NULL))
    if not len(places):
        return gone
    places = places[np.lexsort((places, calls.sent[places], calls.group[places]))]
    sent, group, failed = calls.sent[places], calls.group[places], calls.fail[places]
    # An error goes on a chain where the row before it is an error of its key within reach: a success between them cuts it.
    goes_on = np.zeros(len(places), dtype=np.bool_)
    goes_on[1:] = failed[1:] & failed[:-1] & (group[1:] == group[:-1]) & within_reach(sent[1:] - sent[:-1], rule)
    if rule.window == "sliding":
        gone[places[goes_on]] = True
        return gone
    gone[places[goes_on]] = True
    heads = np.flatnonzero(~goes_on)
    ends = np.append(heads[1:], len(places))
    long = ends - heads > 1
    for head, end in zip(heads[long].tolist(), ends[long].tolist(), strict=True):
        gone[places[_counted(sent, head, end, rule)]] = False
    return gone


def _counted(sent: Column, head: int, end: int, rule: Repeats) -> list[int]:
    """Return which errors of one chain, from `head` to before `end`, are counted: the first, and each that opens anew."""
    reach, side = rule.within * NS_PER_MS, _SIDES[rule.end]
    counted = []
    while head < end:
        counted.append(head)
        head += int(np.searchsorted(sent[head:end], sent[head] + reach, side=side))
    return counted


def within_reach(gaps: Column, rule: Repeats) -> Mask:
    """Mark the gaps, in nanoseconds, within which an error is a repeat."""
    reach = rule.within * NS_PER_MS
    found: Mask = gaps <= reach if rule.end == "inclusive" else gaps < reach
    return found


def unsettled_chains(calls: Calls, rule: Repeats, start: int, watched: Callable[[Span], bool]) -> int:
    """Return how many chains of errors reach into a period from a time that nobody watched.

    Args:
        calls: the records from some time before the period on; `group` is the key.
        rule: the clause.
        start: the period's first nanosecond.
        watched: tells whether all of a span was watched.

    """
    places = np.flatnonzero(calls.fail & (calls.sent != NULL))
    places = places[np.lexsort((calls.sent[places], calls.group[places]))]
    sent, group = calls.sent[places], calls.group[places]
    if not len(sent):
        return 0
    cut = np.concatenate([[True], (group[1:] != group[:-1]) | ~within_reach(sent[1:] - sent[:-1], rule)])
    heads = np.flatnonzero(cut)
    lasts = np.append(heads[1:], len(sent)) - 1
    reach = rule.within * NS_PER_MS
    return sum(not watched((int(sent[h]) - reach, int(sent[h]))) for h in heads[sent[lasts] >= start].tolist())


# ── out of the table ────────────────────────────────────────────────────────────────────────────────────────────────
def without(table: Table, counts: Counts, taken: Table) -> Table:
    """Return an answer less the records of `taken` (one a row, with its keys but for `bin`) that lie in its span."""
    sent = taken.column("sent_at")
    inside = (sent != NULL) & (sent >= counts.span[0]) & (sent < counts.span[1])
    columns = [(sent - counts.span[0]) // (counts.bin_ns or 1) if key == "bin" else taken.column(key) for key in table.keys]
    fewer = np.full(int(inside.sum()), -1, dtype=np.int64)
    return _added(
        table.keys,
        [np.concatenate([c, more[inside]]) for c, more in zip(table.columns, columns, strict=True)],
        np.concatenate([table.n, fewer]),
    )


def _added(keys: tuple[str, ...], columns: list[Column], n: Column) -> Table:
    """Return rows with equal keys as one, with the sum of their counts."""
    if not len(n):
        return Table.of(keys, tuple(columns), n)
    order = np.lexsort(tuple(reversed(columns)))
    columns, n = [c[order] for c in columns], n[order]
    new = np.zeros(len(n), dtype=np.bool_)
    new[0] = True
    for column in columns:
        new[1:] |= column[1:] != column[:-1]
    first = np.flatnonzero(new)
    return Table.of(keys, tuple(c[first] for c in columns), np.add.reduceat(n, first))
