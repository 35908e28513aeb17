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
    timed = sent != NULL
    places = np.flatnonzero(np.isin(group, np.unique(group[failed & timed])) & timed)
    order = places[np.lexsort((places, sent[places], group[places]))]
    sent, end, group, failed, sure = sent[order], np.minimum(end[order], _LATEST), group[order], failed[order], sure[order]
    # From each failure, and from each group's first record, to the last one that is wanted: steps up and down.
    steps = np.zeros(len(order) + 1, dtype=np.int64)
    for start, stop in runs(group):
        firm = np.flatnonzero(sure[start:stop])
        at = np.flatnonzero(failed[start:stop])
        until = np.maximum(np.searchsorted(sent[start:stop], end[start:stop][at] + within_ns, side="right"), at + 1)
        after = np.append(firm, stop - start)[np.searchsorted(firm, np.append(until, 0))]
        np.add.at(steps, start + np.append(at, 0), 1)
        np.add.at(steps, start + np.minimum(after + 1, stop - start), -1)
    return np.sort(order[np.cumsum(steps[:-1]) > 0])


def runs(group: Column) -> list[tuple[int, int]]:
    """Return where each group begins and ends in a column that is sorted."""
    edges = np.flatnonzero(np.diff(group)) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(group)], strict=True)) if len(group) else []
