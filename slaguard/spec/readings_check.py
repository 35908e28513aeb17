"""What is wrong with readings: each combination must be a sound Agreement, told apart from the others, and few enough."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.model import Agreement, Objective
from slaguard.spec.nodes import Map, Node, Sequence, Spot, child_path, locate, map_items, problem_at, shown
from slaguard.spec.patch import CODE, Change, with_changes
from slaguard.spec.readings import MOST, Combination, Reading, combinations, lists

FIXED: Final = frozenset(
    {
        "period", "time_zone", "effective", "expires", "first_period", "last_period", "service_hours", "month_length",
        "service", "status", "owner", "tags", "objectives", "clause",
    }
)  # fmt: skip
"""What all readings of a clause share: the period they are judged over, and what names their results."""
_PER_AGREEMENT: Final = frozenset(Agreement.model_fields) - frozenset(Objective.model_fields)


def readings_check(agreement: Agreement, tree: Map) -> Iterator[Problem]:
    """Yield what is wrong with the readings of a sound Agreement; `tree` is its normal form as a document."""
    together = 1
    for objective, node in zip(agreement.objectives, map_items(tree.get("objectives")), strict=True):
        if not objective.readings and not objective.settled:
            continue
        told = [*_form(objective, node), *_settled(objective, node)]
        yield from told
        if any(problem.is_error for problem in told):
            continue
        yield from _sound(agreement, objective, node)
        if moves_the_agreement(objective):
            together *= math.prod(len(one) for one in lists(objective))
            if together > MOST:
                mend = "settle one, or leave those out that change nothing"
                text = f"{together} combinations of readings that change shared terms, at most {MOST} are judged"
                yield _at(node, "E-SPEC-READINGS", text, mend, "readings")


def moves_the_agreement(objective: Objective) -> bool:
    """Tell whether a reading of an Objective changes terms that all promises share: the fee, caps, how they pay together."""
    return any(path.split(".")[0] in _PER_AGREEMENT for one in lists(objective) for r in one for path in (*r.set, *r.unset))


# ── form ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _form(objective: Objective, node: Map) -> Iterator[Problem]:
    found = lists(objective)
    size = math.prod(len(one) for one in found)
    if size > MOST:
        mend = "settle one of the lists, or leave readings out that change nothing"
        yield _at(node, "E-SPEC-READINGS", f"{size} combinations, at most {MOST} are judged", mend, "readings")
    seen: set[str] = set()
    for reading, item in zip((r for one in found for r in one), _items(node), strict=True):
        if reading.id in seen:
            yield _at(item, "E-SPEC-DUP", reading.id, "give every reading of an Objective an id of its own", "id")
        seen.add(reading.id)
        yield from _paths(reading, item)
    if any(len(one) == 1 for one in found):
        yield _at(node, "E-SPEC-READINGS", "one reading alone", "write the other one beside it, or the term itself", "readings")
    yield from _told_apart(found, node)


def _told_apart(found: tuple[tuple[Reading, ...], ...], node: Map) -> Iterator[Problem]:
    for i, one in enumerate(found):
        changes = [(reading.set, reading.unset) for reading in one]
        if any(change in changes[:k] for k, change in enumerate(changes)):
            yield _at(node, "E-SPEC-READINGS", "two readings that change the same", "say what tells them apart", "readings")
        others = {path for other in found[i + 1 :] for r in other for path in (*r.set, *r.unset)}
        twice = sorted(others & {path for r in one for path in (*r.set, *r.unset)})
        if twice:
            mend = "readings of one term stand in one list"
            yield _at(node, "E-SPEC-READINGS", f"{shown(twice[0])} is set by readings of two lists", mend, "readings")


def _paths(reading: Reading, item: Map) -> Iterator[Problem]:
    for path in (*reading.set, *reading.unset):
        if path.split(".")[0] in FIXED:
            mend = "all readings of a clause are judged over one period, in the same scopes; change another term"
            where = ("set", path) if path in reading.set else ("unset",)
            spot = locate(item, where)
            yield problem_at(spot.node, CODE, f"{shown(path)} cannot be read otherwise", mend, spot.key_place)


def _settled(objective: Objective, node: Map) -> Iterator[Problem]:
    of = {reading.id: i for i, one in enumerate(lists(objective)) for reading in one}
    taken: set[int] = set()
    for i, (settled, item) in enumerate(zip(objective.settled, _settlements(node), strict=True)):
        if settled.reading not in of:
            mend = f"write one of {', '.join(sorted(of))}" if of else "there are no readings to settle; leave it out"
            yield _at(item, "E-SPEC-REF", f"no reading {shown(settled.reading)}", mend, "reading")
        elif of[settled.reading] in taken:
            yield _at(item, "E-SPEC-DUP", settled.reading, "of each list one reading is right; settle it once", "reading")
        else:
            taken.add(of[settled.reading])
        if settled.evidence is None:
            mend = "name what shows it: `evidence: letter of 2026-09-01`"
            path = f"{node.path}.settled" if len(objective.settled) == 1 else f"{node.path}.settled[{i}]"
            yield Problem("W-SPEC-READINGS", item.place, path, "settled, and nothing shows it", mend)


# ── soundness ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _sound(agreement: Agreement, objective: Objective, node: Map) -> Iterator[Problem]:
    items = {item.text("id"): item for item in _items(node)}
    told: set[tuple[str, str]] = set()
    for combination in combinations(objective):
        _, problems = with_changes(agreement, _changes(combination, items), objective.name)
        for problem in problems:
            if (str(problem.place), problem.mend) not in told:
                told.add((str(problem.place), problem.mend))
                yield problem


def _changes(combination: Combination, items: dict[str | None, Map]) -> Iterator[Change]:
    for reading in combination.readings:
        item = items[reading.id]
        written, taken = item.get("set"), item.get("unset")
        if isinstance(written, Map):
            for path, entry in written.entries.items():
                yield Change(path, entry.value, entry.place, child_path(written.path, path))
        for path in reading.unset:
            yield Change(path, None, (taken or item).place, child_path(item.path, "unset"))


def _items(node: Map) -> list[Map]:
    """Return the readings of an Objective as they stand in the document, those of several lists after one another."""
    outer = node.get("readings")
    found: list[Map] = []
    single = list(map_items(outer))
    found += single
    for inner in outer.items if isinstance(outer, Sequence) else ():
        if isinstance(inner, Sequence):
            found += map_items(inner)
    return found


def _settlements(node: Map) -> list[Map]:
    written: Node | None = node.get("settled")
    return [written] if isinstance(written, Map) else list(map_items(written))


def _at(node: Map, code: str, text: str, mend: str, *location: str) -> Problem:
    spot: Spot = locate(node, location)
    place = spot.key_place if isinstance(spot.node, Map | Sequence) or spot.missing else spot.node.place
    return problem_at(spot.node, code, text, mend, place)
