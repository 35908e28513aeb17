"""How terms of several levels become one: maps merge by key, scalars and lists replace, the nearest wins.

Four refinements, each because its parts only mean something together:

* a list whose items all carry `id` merges by that `id` (an empty list replaces, and so clears);
* a bound is one leaf: writing `at_most` nearby replaces a far `at_least`;
* a condition on a field, and the ladder of credits, replace as a whole;
* an `indicator` of another `rule` replaces as a whole.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from slaguard.spec.nodes import Entry, Map, Node, Scalar, Sequence
from slaguard.terms import BoundWord

BOUND_WORDS: Final = frozenset(word.value for word in BoundWord)
_WHOLE: Final = frozenset({"credits", "remedy"})
CONDITIONS: Final = frozenset({"eligible", "selector", "where"})
"""Keys of conditions on the fields of a record."""


def merged(near: Node, far: Node, key: str = "") -> Node:
    """Return `far` overlaid with `near`; `key` is the key both stand under."""
    if isinstance(near, Map) and isinstance(far, Map) and not _is_leaf(near, far, key):
        return _merged_maps(near, far, key)
    ours, theirs = _by_id(near), _by_id(far)
    if isinstance(near, Sequence) and ours and theirs:
        items = [merged(item, theirs[name]) if name in theirs else item for name, item in ours.items()]
        items += [item for name, item in theirs.items() if name not in ours]
        return replace(near, items=tuple(items))
    return near


def merged_maps(near: Map, far: Map) -> Map:
    """Return one level of terms overlaid with a nearer one."""
    return _merged_maps(near, far, "")


def clashes(first: Map, second: Map) -> list[tuple[Node, Node]]:
    """Return the leaves that both of two levels set."""
    found: list[tuple[Node, Node]] = []
    for name, entry in second.entries.items():
        rival = _rival(first, name)
        if rival is not None:
            found += _clashes(rival, entry.value, name)
    return found


def _clashes(first: Node, second: Node, key: str) -> list[tuple[Node, Node]]:
    if isinstance(first, Map) and isinstance(second, Map) and not _is_leaf(first, second, key):
        return clashes(first, second)
    ours, theirs = _by_id(first), _by_id(second)
    if ours and theirs:
        common = [name for name in ours if name in theirs]
        return [pair for name in common for pair in clashes(ours[name].without("id"), theirs[name].without("id"))]
    return [(first, second)]


def _merged_maps(near: Map, far: Map, key: str) -> Map:
    if key in CONDITIONS:
        return near.having(*(e for e in far.entries.values() if e.key not in near.entries))
    entries: dict[str, Entry] = {}
    for name, entry in near.entries.items():
        other = far.entries.get(name)
        entries[name] = replace(entry, value=merged(entry.value, other.value, name)) if other else entry
    bounded = not BOUND_WORDS.isdisjoint(near.entries)
    for name, entry in far.entries.items():
        if name not in entries and not (bounded and name in BOUND_WORDS):
            entries[name] = entry
    return replace(near, entries=entries)


def _rival(terms: Map, name: str) -> Node | None:
    """Return what `terms` sets of what `name` sets: the same key, or any word of a bound."""
    if name in BOUND_WORDS:
        return next((e.value for word, e in terms.entries.items() if word in BOUND_WORDS), None)
    return terms.get(name)


def _is_leaf(near: Map, far: Map, key: str) -> bool:
    if key in _WHOLE or (near.entries and BOUND_WORDS.issuperset(near.entries)):
        return True
    return key == "indicator" and "rule" in near.entries and near.text("rule") != far.text("rule")


def _by_id(node: Node) -> dict[str, Map]:
    """Return the items of a list by their `id`; empty unless every item has one of its own."""
    if not isinstance(node, Sequence):
        return {}
    found = {i.text("id"): i for i in node.items if isinstance(i, Map) and isinstance(i.get("id"), Scalar)}
    return {str(k): v for k, v in found.items()} if len(found) == len(node.items) else {}
