"""What is wrong with amendments: each leaves a sound Agreement behind, changes no calendar, and has a day of its own."""

from __future__ import annotations

from collections.abc import Iterator

from slaguard.errors import Problem
from slaguard.spec.amendments import CALENDAR, Amendment
from slaguard.spec.in_force import amended
from slaguard.spec.model import Agreement
from slaguard.spec.nodes import Map, child_path, map_items, problem_at
from slaguard.spec.patch import CODE, Change, with_changes


def amendments_check(agreement: Agreement, tree: Map) -> Iterator[Problem]:
    """Yield what is wrong with the amendments of a sound Agreement; `tree` is its normal form as a document."""
    nodes = tuple(map_items(tree.get("amendments")))
    told = list(_form(agreement, nodes))
    yield from told
    if told:
        return
    before = amended(agreement, ())
    for one, node in sorted(zip(agreement.amendments, nodes, strict=True), key=lambda pair: pair[0].effective):
        after, problems = with_changes(before, _changes(node))
        yield from problems
        if after is None:
            return
        if after == before:
            mend = "leave out what it does not change"
            yield problem_at(node, CODE, f"{one.id} changes nothing", mend, node.place)
        before = after


def _form(agreement: Agreement, nodes: tuple[Map, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    days: dict[object, str] = {}
    for one, node in zip(agreement.amendments, nodes, strict=True):
        if one.id in seen:
            yield problem_at(node, "E-SPEC-DUP", one.id, "give every amendment an id of its own", node.place)
        seen.add(one.id)
        if one.effective in days:
            mend = f"put it together with {days[one.effective]}: of two changes on one day none comes first"
            yield problem_at(node, "E-SPEC-DATES", f"two amendments effective {one.effective}", mend, node.place)
        days[one.effective] = one.id
        yield from _in_time(agreement, one, node)
        yield from (_fixed(path, node) for path in one.set if path.split(".")[0] in CALENDAR)


def _in_time(agreement: Agreement, one: Amendment, node: Map) -> Iterator[Problem]:
    if one.effective <= agreement.effective:
        mend = f"the Agreement itself is in force from {agreement.effective}: change its own terms"
        yield problem_at(node, "E-SPEC-DATES", f"{one.id} is effective {one.effective}", mend, node.place)
    if agreement.expires is not None and one.effective > agreement.expires:
        mend = f"the Agreement ends with {agreement.expires}: it would never be in force"
        yield problem_at(node, "E-SPEC-DATES", f"{one.id} is effective {one.effective}", mend, node.place)


def _fixed(path: str, node: Map) -> Problem:
    mend = "a period has one calendar: write an Agreement of its own that begins on that day, and let this one end before"
    return problem_at(node, CODE, f"an amendment cannot change {path}", mend, node.place)


def _changes(node: Map) -> list[Change]:
    written = node.get("set")
    entries = written.entries if isinstance(written, Map) else {}
    return [Change(key, entry.value, entry.place, child_path(node.path, f"set.{key}")) for key, entry in entries.items()]
