"""What an evaluation knows beside the papers that a deadline may count from: recorded incidents, and downtime it found."""

from __future__ import annotations

from collections.abc import Sequence

from slaguard.evaluation.anchors import Found
from slaguard.evaluation.rows import Row
from slaguard.records import Evidence, merge_spans
from slaguard.spec.model import Agreement
from slaguard.terms import Verdict


def found_in(agreement: Agreement, evidence: Evidence, rows: Sequence[Row], failed_ends: tuple[int, ...] = ()) -> Found:
    """Return what is known of a period.

    Downtime is that of promises that are not kept; of all of them where each is kept.

    Args:
        agreement: its vendor is whose incidents count.
        evidence: the recorded incidents.
        rows: the answered rows.
        failed_ends: the ends of periods that were the n-th failed one.

    """
    incidents = tuple(i for i in evidence.incidents if i.vendor in {None, agreement.vendor})
    missed = [row for row in rows if row.verdict is not Verdict.COMPLIANT] or rows
    down = [e.span for row in missed for e in row.measured["accepted"].events if e.kind == "down"]
    return Found(incidents, merge_spans(down), failed_ends)
