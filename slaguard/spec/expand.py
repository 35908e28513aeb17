"""From the document as written to the tree of its normal form: profiles merged, inheritance and shorthands written out.

Levels, nearest first: an Objective, its profiles, the Agreement, its profiles. What the Agreement states once for all
its Objectives (`translate.INHERITED`) is moved into each of them, so that the normal form has it only there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.library import Library
from slaguard.spec.merge import merged_maps
from slaguard.spec.nodes import Entry, Map, Node, Scalar, Sequence, problem_at
from slaguard.spec.profiles import Layer, Used, layer
from slaguard.spec.translate import INHERITED
from slaguard.terms import OUTCOME_GROUPS

MAX_OBJECTIVES: Final = 200
_FEE_UNITS: Final = {"billing_cycle": "month", "fiscal_quarter": "quarter", "fiscal_year": "year"}
_TIMEOUT_KEYS: Final = frozenset({"after", "as"})


@dataclass(frozen=True, slots=True)
class Expanded:
    """The tree of the normal form, and what was found on the way.

    `holes` are the paths of maps whose `use` failed; `unpriced` the paths of Objectives that say they pay nothing.
    """

    tree: Map
    problems: tuple[Problem, ...]
    used: tuple[Used, ...]
    holes: frozenset[str]
    unpriced: frozenset[str]


def expand_tree(root: Map, library: Library) -> Expanded:
    """Return the tree of the normal form of an Agreement."""
    found = _Found()
    agreement = _with_zones(_with_fee(found.level(root, library)))
    inherited = agreement.only(INHERITED)
    objectives = agreement.get("objectives")
    if isinstance(objectives, Sequence):
        if len(objectives.items) > MAX_OBJECTIVES:
            beyond = objectives.items[MAX_OBJECTIVES]
            mend = "split the Agreement; none comes near this, and nothing beyond it was looked at"
            found.problems.append(problem_at(beyond, "E-SPEC-SCHEMA", f"more than {MAX_OBJECTIVES} objectives", mend))
        items = tuple(_objective(item, inherited, found, library) for item in objectives.items[:MAX_OBJECTIVES])
        place = agreement.place_of("objectives")
        agreement = agreement.having(Entry("objectives", place, replace(objectives, items=items)))
    return Expanded(
        agreement.without(*INHERITED),
        tuple(found.problems),
        tuple(found.used),
        frozenset(found.holes),
        frozenset(found.unpriced),
    )


class _Found:
    """What expansion finds besides the tree."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.used: list[Used] = []
        self.holes: set[str] = set()
        self.unpriced: set[str] = set()

    def level(self, terms: Map, library: Library) -> Map:
        """Return the terms of one level laid over those of its profiles."""
        brought: Layer = layer(terms.get("use"), terms, library, lowered)
        self.problems += brought.problems
        self.used += brought.used
        if not brought.complete:
            self.holes.add(terms.path)
        return merged_maps(lowered(terms.without("use")), brought.terms)


def _objective(item: Node, inherited: Map, found: _Found, library: Library) -> Node:
    if not isinstance(item, Map):
        return item
    objective = merged_maps(found.level(item, library), inherited)
    remedy = objective.entries.get("remedy")
    if remedy is None:
        return objective
    nothing = isinstance(remedy.value, Map) and remedy.value.text("kind") == "none" and len(remedy.value.entries) == 1
    if "credits" in objective.entries:
        text, kept = (
            ("pays nothing, and has credits", "`remedy: {kind: none}`") if nothing else ("a second remedy", "the remedy")
        )
        mend = f"keep either the credits or {kept}; where the text says both, write two readings"
        found.problems.append(problem_at(remedy.value, "E-SPEC-DUP", text, mend, remedy.place))
    if not nothing:
        return objective
    found.unpriced.add(objective.path)
    return objective.without("remedy")


# ── shorthands ──────────────────────────────────────────────────────────────────────────────────────────────────────
def lowered(terms: Map) -> Map:
    """Write the shorthands out that must merge leaf by leaf: the group words of `outcomes`, and its time-out."""
    outcomes = terms.entries.get("outcomes")
    if outcomes is None or not isinstance(outcomes.value, Map):
        return terms
    written = _without_groups(outcomes.value)
    timeout = written.entries.get("timeout")
    if timeout and isinstance(timeout.value, Map) and set(timeout.value.entries) == _TIMEOUT_KEYS:
        after, counted = timeout.value.entries["after"], timeout.value.entries["as"]
        written = written.having(replace(counted, key="timeout"), replace(after, key="timeout_after"))
    return terms.having(replace(outcomes, value=written))


def _without_groups(outcomes: Map) -> Map:
    for word, members in OUTCOME_GROUPS.items():
        group = outcomes.entries.get(word)
        if group:
            absent = [member.value for member in members if member.value not in outcomes.entries]
            outcomes = outcomes.without(word).having(*(replace(group, key=name) for name in absent))
    return outcomes


def _with_fee(agreement: Map) -> Map:
    """Write `fee: 12000.00 EUR` out: it is the fee of one period of the Agreement."""
    fee, period = agreement.entries.get("fee"), agreement.entries.get("period")
    if fee is None or not isinstance(fee.value, Scalar):
        return agreement
    entries = {"amount": Entry("amount", fee.value.place, fee.value)}
    per = None if period is None else _fee_unit(period.value)
    if per is not None:
        entries["per"] = Entry("per", fee.value.place, per)
    return agreement.having(replace(fee, value=Map(entries, fee.value.place, fee.value.path, fee.value.origin)))


def _fee_unit(period: Node) -> Node | None:
    """Return the calendar unit that a fee of one period is paid by; None for a rolling window, which has no fee of its own."""
    if not isinstance(period, Map):
        return period
    for key, word in _FEE_UNITS.items():
        if key in period.entries:
            return Scalar(word, period.place, period.path, origin=period.origin)
    return None


def _start_day(agreement: Map) -> Entry | None:
    """Return the day on which the Agreement's own billing cycles begin."""
    period = agreement.get("period")
    cycle = period.get("billing_cycle") if isinstance(period, Map) else None
    return cycle.entries.get("start_day") if isinstance(cycle, Map) else None


def _needs_cycle(deadline: Map) -> bool:
    return deadline.text("unit") == "billing_cycles" or deadline.text("anchor") == "billing_month_end"


def _with_zones(agreement: Map) -> Map:
    """Write out what a deadline takes from the contract: the zone its day ends in, and when a billing cycle begins."""
    zone, claim, cycle = agreement.entries.get("time_zone"), agreement.entries.get("claim"), _start_day(agreement)
    if claim is None or not isinstance(claim.value, Map):
        return agreement
    deadlines = claim.value.entries.get("deadlines")
    if deadlines is None or not isinstance(deadlines.value, Sequence):
        return agreement
    items = tuple(_dated(item, zone, cycle) if isinstance(item, Map) else item for item in deadlines.value.items)
    written = replace(deadlines, value=replace(deadlines.value, items=items))
    return agreement.having(replace(claim, value=claim.value.having(written)))


def _dated(deadline: Map, zone: Entry | None, cycle: Entry | None) -> Map:
    if zone is not None and "time_zone" not in deadline.entries:
        deadline = deadline.having(zone)
    if cycle is not None and _needs_cycle(deadline) and "start_day" not in deadline.entries:
        deadline = deadline.having(cycle)
    return deadline
