"""What a broken promise is worth, as terms: one remedy a promise, of a kind that its `kind` names (`contracts.md` §4).

A remedy turns a figure into an amount, or into something in kind; it knows nothing of records. Tables are kept as they
are printed: a gap or an overlap is the linter's to tell and the contract's to settle, never mended here. The ladder
`credits` is the short form of a table that can have neither.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from slaguard.spec.conditions import Term
from slaguard.spec.scalars import Amount, Duration, Flag, Natural, Quantity, Share, Slug, Times, Whole, Words, refuse

Edges = Literal["from_inclusive", "from_exclusive", "both_inclusive", "both_exclusive"]
"""Which of its two edges a row holds: `from_inclusive` is from ≤ u < to, `from_exclusive` is from < u ≤ to."""
Policy = Literal["refuse", "readings", "higher_row", "lower_row"]
"""What decides where no row, or two rows, hold a figure: nothing (the table is refused), both rows as readings, or one."""
Partial = Literal["floor", "ceil", "pro_rata"]


class RemedyTerm(Term):
    """What every remedy may say."""

    id: Slug | None = None
    """Its name, where the customer chooses between several; absent: its kind."""


# ── tables ──────────────────────────────────────────────────────────────────────────────────────────────────────────
class TableRow(Term):
    """A row of a table as printed."""

    # `from` is a word of Python's own, so it cannot be written as an annotation; it is read through `first`.
    __annotations__["from"] = Annotated[Quantity, Field(description="Where the row begins: its lowest figure.")]
    to: Quantity | None = None
    """Where the row ends: its highest figure; absent: it is open at that end."""
    credit: Share
    """The share of the fee."""
    edges: Edges | None = None
    """Which edges this row holds; absent: as the table says."""

    @property
    def first(self) -> Quantity:
        """Where the row begins."""
        found: Quantity = getattr(self, "from")
        return found


class Rounded(Term):
    """How a figure is rounded before it is looked up, where the clause says so; the verdict is on the exact figure."""

    places: Whole
    """Digits after the point of the percentage."""
    mode: Literal["half_up", "half_even", "up", "down"]
    """How: half_up, half_even, up (to the next higher figure) or down."""


class StepTable(RemedyTerm):
    """R1: a share of the fee, by the row that holds the figure."""

    kind: Literal["step_table"]
    """A table as printed."""
    rows: Annotated[tuple[TableRow, ...], Field(min_length=1)]
    """The rows in the order printed."""
    edges: Edges | None = None
    """Which edges the rows hold; absent: each row says it."""
    gap_policy: Policy
    """A figure that no row holds: the table is refused, either neighbour may be meant, or the higher or lower row is."""
    overlap_policy: Policy | None = None
    """A figure that several rows hold, in the same words; absent: the table is refused."""
    rounded: Rounded | None = None
    """How the figure is rounded before it is looked up; absent: not at all."""

    @model_validator(mode="after")
    def _edges_said(self) -> Self:
        if self.edges is None and any(row.edges is None for row in self.rows):
            mend = "say which edges the rows hold: `edges: from_inclusive` (from ≤ u < to), or row by row"
            raise refuse("E-SPEC-STRICT", mend)
        return self


class Flat(RemedyTerm):
    """R1 with one row: the same credit however badly the promise is broken."""

    kind: Literal["flat"]
    """One credit."""
    credit: Share | None = None
    """As a share of the fee."""
    amount: Amount | None = None
    """As an amount."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        _one_of_two(self)
        return self


def _one_of_two(term: Any) -> None:
    if (term.credit is None) == (term.amount is None):
        raise refuse("E-SPEC-FEE", "write exactly one of credit (a share of the fee) and amount")


# ── by quantity ─────────────────────────────────────────────────────────────────────────────────────────────────────
class EdgeRow(Term):
    """A row that reaches from its edge to the next row's, away from the target."""

    below: Quantity | None = None
    """Of a floor: from this figure downwards."""
    above: Quantity | None = None
    """Of a ceiling: from this figure upwards."""

    @model_validator(mode="after")
    def _one_edge(self) -> Self:
        if (self.below is None) == (self.above is None):
            raise refuse("E-SPEC-TIER-ORDER", "write exactly one of below (a floor) and above (a ceiling)")
        return self

    @property
    def edge(self) -> Quantity:
        """The figure at which the row begins."""
        found = self.below if self.below is not None else self.above
        assert found is not None  # noqa: S101 - one of the two is written
        return found


class MultipleRow(EdgeRow):
    """A row of daily multiples; it reaches to the next row's edge."""

    times: Times
    """How many times the average daily consumption is credited."""


class UsageMultiple(RemedyTerm):
    """R2: so many times the average daily consumption. The usage is the recorded one (a Fact), else the fee."""

    kind: Literal["usage_multiple"]
    """Multiples of a day's usage."""
    rows: Annotated[tuple[MultipleRow, ...], Field(min_length=1)]
    """The rows, away from the target."""
    window: Literal["period"]
    """The days whose usage is averaged: those of the broken period."""
    days: Literal["all", "with_use"]
    """What the usage is divided by: all days of the window, or those with any usage (a Fact)."""


class Category(Term):
    """A group of promises that share a part of what is at risk."""

    name: Words
    """Its name in the contract."""
    share: Share
    """Its part of what is at risk."""


class PoolAllocation(RemedyTerm):
    """R3: the fee × what is at risk × the category's part × this promise's part of it."""

    kind: Literal["pool_allocation"]
    """A part of what is at risk."""
    at_risk: Share
    """The share of the fee that all such promises together can cost."""
    category: Category
    """The category this promise belongs to."""
    share: Share
    """This promise's part of its category."""
    over_allocation: Flag | None = None
    """true: parts of more than 100% are meant, as what is at risk limits them; absent: they are warned of."""


class Points(RemedyTerm):
    """R4: points, which `points_table` turns into a share of the fee once those of all broken promises are added."""

    kind: Literal["points"]
    """Points."""
    points: Natural
    """How many."""


class ProRata(RemedyTerm):
    """R5: the fee of the time that was down."""

    kind: Literal["pro_rata"]
    """In proportion to downtime."""
    times: Times
    """How many times that fee: 1x, 10x."""


class PerStep(RemedyTerm):
    """R10: an amount for each step of downtime or of shortfall."""

    kind: Literal["per_step"]
    """An amount a step."""
    of: Literal["downtime", "shortfall"]
    """What is cut into steps: the time that was down, or how far the figure is from the target."""
    step: Quantity
    """The length of a step: 1h of downtime, 0.1% (or 100ms) of shortfall."""
    amount: Amount | None = None
    """What a step pays."""
    credit: Share | None = None
    """What a step pays, as a share of the fee."""
    partial: Partial
    """A step that is not whole: not counted (floor), counted whole (ceil), or in proportion (pro_rata)."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        _one_of_two(self)
        return self


# ── not money ───────────────────────────────────────────────────────────────────────────────────────────────────────
class DaysRow(EdgeRow):
    """A row of days; it reaches to the next row's edge."""

    days: Natural
    """By so many days the term becomes longer."""


class Extension(RemedyTerm):
    """In kind: the term of the contract becomes longer, by downtime (`per`, `days`, `partial`) or by the figure (`rows`)."""

    kind: Literal["extension"]
    """A longer term."""
    rows: Annotated[tuple[DaysRow, ...] | None, Field(min_length=1)] = None
    """By the figure: the days of the row that holds it, away from the target; absent: the days are given for downtime."""
    per: Duration | None = None
    """By downtime: for so much of it; absent: `rows` say how many days."""
    days: Natural | None = None
    """By downtime: so many days."""
    partial: Literal["floor", "ceil"] | None = None
    """By downtime: a part that is not whole is not counted (floor), or counted whole (ceil)."""
    at_most: Natural | None = None
    """By downtime: the most days for one period; absent: no limit."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        said = [v is not None for v in (self.per, self.days, self.partial)]
        if not all(said) if self.rows is None else any(said) or self.at_most is not None:
            mend = "write either per, days and partial (by downtime), or rows alone: [{below: 99.9%, days: 3}, ...]"
            raise refuse("E-SPEC-SCHEMA", mend)
        return self

    @property
    def by_downtime(self) -> tuple[int, int, Literal["floor", "ceil"]] | None:
        """Return (downtime in milliseconds, days for it, what a part is); None where the figure says how many days."""
        if self.per is None or self.days is None or self.partial is None:
            return None
        return self.per, self.days, self.partial


class NoRemedy(Term):
    """R8: nothing is owed; figure and verdict are reported."""

    kind: Literal["none"]
    """A target only."""


Option = Annotated[
    StepTable | Flat | UsageMultiple | PoolAllocation | ProRata | PerStep | Extension, Field(discriminator="kind")
]


class Elect(RemedyTerm):
    """The customer chooses. The result lists what each option gives, and chooses none; a recorded election (Fact) decides."""

    kind: Literal["elect"]
    """The customer's choice."""
    options: Annotated[tuple[Option, ...], Field(min_length=2)]
    """What can be chosen."""


Remedy = Annotated[
    StepTable | Flat | UsageMultiple | PoolAllocation | Points | ProRata | PerStep | Extension | Elect | NoRemedy,
    Field(discriminator="kind"),
]
Priced = StepTable | Flat | UsageMultiple | PoolAllocation | Points | ProRata | PerStep | Extension | Elect


def option_name(remedy: Any) -> str:
    """Return what an election calls an option: its id, else its kind."""
    return str(remedy.id or remedy.kind)
