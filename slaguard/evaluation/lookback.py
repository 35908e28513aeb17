"""Which earlier periods an Agreement's money and rights look back at: no more of them are judged than those."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from slaguard.evaluation.accounts import since
from slaguard.evaluation.caps import OWN
from slaguard.spec.calendar import is_rolling
from slaguard.spec.in_force import in_force
from slaguard.spec.model import Agreement, PeriodUnit
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.rights import CapSpan

MOST: Final = 400
"""Of more earlier periods than this nothing is looked at: a year of days and some more."""


def looks_back(agreement: Agreement) -> bool:
    """Tell whether anything but the period itself decides on money or rights."""
    split = any(one.within_period == "split" for one in agreement.amendments)
    return bool(agreement.chronic or _spans(agreement) or _points(agreement) or split) and not is_rolling(agreement.period)


def looked_at(agreement: Agreement, period: ResolvedPeriod, before: Iterable[ResolvedPeriod]) -> tuple[ResolvedPeriod, ...]:
    """Return the earlier periods that count for one, of those before it, the latest first.

    A right looks back over twice its window: it may have arisen with an earlier period, and its notice still run. Of a
    period that an amendment splits the earlier parts count, for a cap that holds for the whole of it.
    """
    agreement = in_force(agreement, period)
    fewest = max([_points(agreement), *(2 * term.when.window for term in agreement.chronic)])
    starts = since(agreement, period)
    capped = {CapSpan.PERIOD} if agreement.caps else set[CapSpan]()
    first = min((starts[span] for span in _spans(agreement) | capped if span in starts), default=period.start)
    return tuple(_until(before, fewest, first))


def _until(before: Iterable[ResolvedPeriod], fewest: int, first: int) -> Iterator[ResolvedPeriod]:
    for i, one in enumerate(before):
        if i >= MOST or (i >= fewest and one.start < first):
            return
        yield one


def _spans(agreement: Agreement) -> set[CapSpan]:
    """Return the spans longer than a period over which caps and earn-back count."""
    own = agreement.period.value if isinstance(agreement.period, PeriodUnit) else ""
    spans = {cap.per for cap in agreement.caps if cap.per not in OWN and cap.per.value != own}
    return spans | {CapSpan(term.over) for term in agreement.earn_back}


def _points(agreement: Agreement) -> int:
    return 0 if agreement.points_table is None else agreement.points_table.average_with_previous
