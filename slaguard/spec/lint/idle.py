"""A term that the Agreement states once for all and that no promise takes: each of them, or its profile, states its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from slaguard.errors import Place, Problem
from slaguard.spec.nodes import Entry, Map, Node, Scalar, Sequence, child_path, problem_at
from slaguard.spec.translate import INHERITED

_MEND: Final = "write it in the objectives that it is for, or leave it out"


def idle(root: Map, tree: Map) -> Iterator[Problem]:
    """W-SPEC-IDLE: what stands at the top of the document is in force somewhere.

    Args:
        root: the document as written.
        tree: its normal form, in which every value still knows where it was written.

    """
    objectives = tree.get("objectives")
    promises = [o for o in objectives.items if isinstance(o, Map)] if isinstance(objectives, Sequence) else []
    for key in INHERITED if promises else ():
        entry = root.entries.get(key)
        if entry is not None:
            taken = {place for one in promises for place, _ in _leaves(one.get(key), key)}
            yield from _idle(entry, taken, promises)


def _idle(entry: Entry, taken: set[Place], promises: list[Map]) -> Iterator[Problem]:
    leaves = list(_leaves(entry.value, entry.key))
    unused = [(place, path) for place, path in leaves if place not in taken]
    if leaves and len(unused) == len(leaves):
        unused = [(entry.place, entry.key)]
    for place, path in unused:
        text = f"stated for all and in force nowhere: {'; '.join(_own(one, entry.key) for one in promises)}"
        yield replace(problem_at(entry.value, "W-SPEC-IDLE", text, _MEND, place), path=path)


def _own(promise: Map, key: str) -> str:
    """Say by what a promise has a term of its own: ``uptime has its own from uptime/mean-of-5-minutes@1``."""
    name = promise.text("name") or promise.path
    profiles = dict.fromkeys(_profiles(promise.get(key)))
    return f"{name} has its own{f' from {profile}' if (profile := ', '.join(profiles)) else ''}"


def _profiles(node: Node | None) -> Iterator[str]:
    if node is None:
        return
    if node.origin is not None:
        yield node.origin.profile
    if isinstance(node, Map):
        for entry in node.entries.values():
            yield from _profiles(entry.value)
    elif isinstance(node, Sequence):
        for item in node.items:
            yield from _profiles(item)


def _leaves(node: Node | None, path: str) -> Iterator[tuple[Place, str]]:
    """Yield where each value that a document itself writes stands; a list merges as a whole unless its items have ids."""
    if isinstance(node, Map):
        for entry in node.entries.values():
            yield from _leaves(entry.value, child_path(path, entry.key))
    elif (
        isinstance(node, Sequence)
        and node.items
        and all(isinstance(i, Map) and isinstance(i.get("id"), Scalar) for i in node.items)
    ):
        for item in node.items:
            yield from _leaves(item, path)
    elif node is not None and node.origin is None:
        yield node.place, path
