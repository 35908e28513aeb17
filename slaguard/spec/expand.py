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
from slaguard.spec.nodes import Entry, Map, Node, Scalar, Sequence, problem_at, show
from slaguard.spec.profiles import Layer, Used, layer
from slaguard.spec.translate import INHERITED
from slaguard.terms import OUTCOME_GROUPS

MAX_OBJECTIVES: Final = 200
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
    if isinstance(remedy.value, Map) and remedy.value.text("kind") == "none" and len(remedy.value.entries) == 1:
        found.unpriced.add(objective.path)
        if "credits" in objective.entries:
            mend = "keep either the credits or `remedy: {kind: none}`"
            found.problems.append(problem_at(remedy.value, "E-SPEC-DUP", "pays nothing, and has credits", mend, remedy.place))
    else:
        mend = "write `remedy: {kind: none}` for a promise that pays nothing; what it pays stands in `credits`"
        found.problems.append(problem_at(remedy.value, "E-SPEC-SCHEMA", show(remedy.value), mend, remedy.place))
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
    if period:
        entries["per"] = Entry("per", fee.value.place, period.value)
    return agreement.having(replace(fee, value=Map(entries, fee.value.place, fee.value.path, fee.value.origin)))


def _with_zones(agreement: Map) -> Map:
    """Write out in which zone the day of a deadline ends: the contract's, where the deadline names no other."""
    zone, claim = agreement.entries.get("time_zone"), agreement.entries.get("claim")
    if zone is None or claim is None or not isinstance(claim.value, Map):
        return agreement
    deadlines = claim.value.entries.get("deadlines")
    if deadlines is None or not isinstance(deadlines.value, Sequence):
        return agreement
    items = tuple(
        item.having(zone) if isinstance(item, Map) and "time_zone" not in item.entries else item
        for item in deadlines.value.items
    )
    written = replace(deadlines, value=replace(deadlines.value, items=items))
    return agreement.having(replace(claim, value=claim.value.having(written)))
