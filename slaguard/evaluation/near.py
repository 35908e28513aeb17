"""Which records come near a failure of their group: all that a rule about waiting after errors has to see.

Pure: whoever answers a Demand with `near` has the same rows, whatever it reads them from.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from slaguard.evaluation.demands import Failures, Near
from slaguard.records import NULL, Column, Table

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]
_LATEST: Final = 2**62
"""A record that says it ended later than this is taken at its word no further: sums stay within 64 bits."""
_MOST_GROUPS: Final = 2**20
"""Groups numbered below this are counted as they are; others are numbered first."""


def near_failures(table: Table, failures: Failures, near: Near) -> Table:
    """Return the rows of an answer that `Near` asks for, in their order.

    Args:
        table: one row a record, with the keys sent_at, end_at, per, outcome and mask.
        failures: what is a failure.
        near: what comes near one.

    """
    outcome, mask = table.column("outcome"), table.column("mask")
    failed = np.isin(outcome, np.array(failures.outcomes, dtype=np.int64)) | ((mask & failures.marked) != 0)
    sure = np.isin(outcome, np.array(near.sure, dtype=np.int64)) & ((mask & near.doubtful) == 0)
    kept = near_rows(table.column("sent_at"), table.column("end_at"), table.column("per"), failed, sure, near.within_ns)
    return Table(table.keys, tuple(c[kept] for c in table.columns), table.n[kept])


def near_rows(sent: Column, end: Column, group: Column, failed: Mask, sure: Mask, within_ns: int) -> Places:
    """Return the places of the rows that `Near` asks for, in their order.

    Args:
        sent: when each record was sent; `NULL`: it is left out.
        end: when it ended.
        group: its group.
        failed: which records are failures.
        sure: which ones are sure to count.
        within_ns: how long a record is near.

    """
    if bool((sent[1:] < sent[:-1]).any()):
        by_time = np.argsort(sent, kind="stable")
        sent, end, group, failed, sure = sent[by_time], end[by_time], group[by_time], failed[by_time], sure[by_time]
        return np.sort(by_time[near_rows(sent, end, group, failed, sure, within_ns)])
    timed = sent != NULL
    order, starts = _by_group(group, np.flatnonzero(np.isin(group, np.unique(group[failed & timed])) & timed))
    stops = np.append(starts[1:], len(order))
    at = np.flatnonzero(failed[order])
    stop = stops[np.searchsorted(starts, at, side="right") - 1]
    until = _first_after(sent[order], np.minimum(end[order[at]], _LATEST) + within_ns, at + 1, stop)
    # From each failure, and from each group's first record, to the last one that is wanted: steps up and down.
    firm = np.flatnonzero(np.append(sure[order], True))  # where nothing else closes, the end does
    last = firm[np.searchsorted(firm, np.append(until, starts))]
    steps = np.zeros(len(order) + 1, dtype=np.int32)
    np.add.at(steps, np.append(at, starts), 1)
    np.add.at(steps, np.minimum(last + 1, np.append(stop, stops)), -1)
    return np.sort(order[np.cumsum(steps[:-1], dtype=np.int32) > 0])


def _by_group(group: Column, places: Places) -> tuple[Places, Places]:
    """Return places, which ascend, in the order of group and place, and where in it each group begins.

    Both are sorted as one number, which takes a fraction of the time that an order by two columns does.
    """
    groups = group[places]
    if len(groups) and not 0 <= int(groups.min()) <= int(groups.max()) < _MOST_GROUPS:
        groups = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(groups)
    bits = len(group).bit_length()
    order = np.left_shift(groups, bits, dtype=np.int64)
    order |= places
    order.sort()
    order &= (1 << bits) - 1
    sizes = sizes[sizes > 0]
    return order, np.cumsum(sizes) - sizes


def _first_after(values: Column, limit: Column, low: Places, high: Places) -> Places:
    """Return the first place from `low` on, before `high`, whose value is beyond the limit; `high` where there is none."""
    while bool((searching := low < high).any()):
        middle = (low + high) // 2
        beyond = values[np.minimum(middle, len(values) - 1)] > limit
        low, high = np.where(searching & ~beyond, middle + 1, low), np.where(searching & beyond, middle, high)
    return low


def runs(group: Column) -> list[tuple[int, int]]:
    """Return where each group begins and ends in a column that is sorted."""
    edges = np.flatnonzero(np.diff(group)) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(group)], strict=True)) if len(group) else []
