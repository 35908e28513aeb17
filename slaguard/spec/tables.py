"""Looking a figure up in a table as printed, gaps and overlaps included (`contracts.md` §4, R1; §8, E-SPEC-TIER-*).

A row holds an interval of figures whose two edges are in or out, so that `95 to 97.99` and `98 to below 99.5` are what they
say. A *cut* is a place between figures: just before one or just after it. In cuts every row is half-open, and a gap, an
overlap and a row's strictness are plain comparisons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final, Literal

from slaguard.spec.remedies import StepTable, TableRow
from slaguard.terms import Bound, BoundWord

Cut = tuple[int, Fraction, int]
"""(0, figure, 0) is just before the figure, (0, figure, 1) just after it; (1, 0, 0) is beyond every figure."""
BEYOND: Final[Cut] = (1, Fraction(0), 0)
BEFORE_ALL: Final[Cut] = (0, Fraction(0), 0)


@dataclass(frozen=True, slots=True)
class Found:
    """What a table says of a figure: the shares that are certain and possible (None: no credit at all), and why."""

    low: Fraction | None
    high: Fraction
    step: str | None = None
    words: str = ""
    qualifier: Literal["TIER_GAP", "TIER_OVERLAP"] | None = None


# ── rows as intervals ───────────────────────────────────────────────────────────────────────────────────────────────
def cuts(table: StepTable, row: TableRow) -> tuple[Cut, Cut]:
    """Return where a row begins and ends, as cuts."""
    edges = row.edges or table.edges
    first: Cut = (0, row.first.value, 0 if edges in {"from_inclusive", "both_inclusive"} else 1)
    if row.to is None:
        return first, BEYOND
    return first, (0, row.to.value, 1 if edges in {"from_exclusive", "both_inclusive"} else 0)


def breach_region(bound: Bound, *, is_share: bool) -> tuple[Cut, Cut]:
    """Return the figures at which a promise is broken: from nothing to the target, or from the target to the end."""
    target = bound.value
    match bound.word:
        case BoundWord.AT_LEAST:
            return BEFORE_ALL, (0, target, 0)
        case BoundWord.MORE_THAN:
            return BEFORE_ALL, (0, target, 1)
        case BoundWord.AT_MOST:
            return (0, target, 1), (0, Fraction(1), 1) if is_share else BEYOND
        case BoundWord.LESS_THAN:
            return (0, target, 0), (0, Fraction(1), 1) if is_share else BEYOND


def gaps(table: StepTable, region: tuple[Cut, Cut]) -> list[tuple[Cut, Cut]]:
    """Return what of a region no row holds, once figures are rounded as the table says."""
    found, here = [], region[0]
    for first, last in sorted(cuts(table, row) for row in table.rows):
        if first > here:
            found.append((here, min(first, region[1])))
        here = max(here, last)
        if here >= region[1]:
            break
    if here < region[1]:
        found.append((here, region[1]))
    return [gap for gap in found if gap[0] < gap[1] and _can_hold(table, gap)]


def _can_hold(table: StepTable, gap: tuple[Cut, Cut]) -> bool:
    """Tell whether a figure can lie in a gap: rounded to two places, none lies between 97.99% and 98%."""
    if table.rounded is None:
        return True
    unit = Fraction(1, 100 * 10**table.rounded.places)
    steps = gap[0][1] / unit
    first = Fraction(ceil(steps)) if gap[0][2] == 0 else Fraction(floor(steps) + 1)
    return (0, first * unit, 0) < gap[1]


# ── looking up ──────────────────────────────────────────────────────────────────────────────────────────────────────
def look_up(table: StepTable, value: Fraction, bound: Bound) -> Found:
    """Return what the table says of a figure on the bad side of the bound."""
    figure = rounded(table, value)
    if bound.holds(figure):
        return _rounded_away(table, bound)
    here: Cut = (0, figure, 0)
    held = [row for row in table.rows if cuts(table, row)[0] <= here < cuts(table, row)[1]]
    if len(held) == 1:
        return Found(held[0].credit, held[0].credit, row_text(held[0]))
    return _several(table, held) if held else _none(table, here, bound)


def _rounded_away(table: StepTable, bound: Bound) -> Found:
    """Price a breach that rounding carries to the target: nothing, or the row next to the target; the clause does not say."""
    by_place = sorted(table.rows, key=lambda row: cuts(table, row))
    row = by_place[-1 if bound.word.is_floor else 0]
    return Found(Fraction(0), row.credit, None, "rounded, this figure meets the target", "TIER_GAP")


def rounded(table: StepTable, value: Fraction) -> Fraction:
    """Return the figure as the clause rounds it before it is looked up."""
    if table.rounded is None:
        return value
    unit = Fraction(1, 100 * 10**table.rounded.places)
    steps = value / unit
    match table.rounded.mode:
        case "half_up":
            return Fraction(floor(steps + Fraction(1, 2))) * unit
        case "half_even":
            return Fraction(round(steps)) * unit
        case "up":
            return Fraction(ceil(steps)) * unit
        case "down":
            return Fraction(floor(steps)) * unit


def row_text(row: TableRow) -> str:
    """Return a row's edges as printed."""
    return f"{row.first} and more" if row.to is None else f"{row.first} to {row.to}"


def _several(table: StepTable, held: Sequence[TableRow]) -> Found:
    policy = table.overlap_policy
    by_place = sorted(held, key=lambda row: cuts(table, row))
    if policy in {"higher_row", "lower_row"}:
        row = by_place[-1 if policy == "higher_row" else 0]
        return Found(row.credit, row.credit, row_text(row), f"the {policy.split('_')[0]} of {len(held)} rows", "TIER_OVERLAP")
    shares = [row.credit for row in held]
    return Found(min(shares), max(shares), None, f"{len(held)} rows of the table hold this figure", "TIER_OVERLAP")


def _none(table: StepTable, here: Cut, bound: Bound) -> Found:
    """Price a figure in a gap: between the rows on its two sides; beyond the worst row that row's credit stays."""
    higher = min((row for row in table.rows if cuts(table, row)[0] > here), key=lambda row: cuts(table, row)[0], default=None)
    lower = max((row for row in table.rows if cuts(table, row)[1] <= here), key=lambda row: cuts(table, row)[1], default=None)
    better, worse = (higher, lower) if bound.word.is_floor else (lower, higher)
    kept = Fraction(0) if better is None else better.credit
    shares = {"higher_row": higher, "lower_row": lower}
    worst = kept if worse is None else worse.credit
    if table.gap_policy in shares:
        row = shares[table.gap_policy]
        share = row.credit if row is not None else worst if row is worse else kept
        words = f"the row {table.gap_policy.split('_')[0]} than the gap it lies in"
        return Found(share, share, None if row is None else row_text(row), words, "TIER_GAP")
    words = "no row of the table holds this figure"
    return Found(min(kept, worst), max(kept, worst), None, words, "TIER_GAP")
