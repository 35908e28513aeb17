"""`set: {path: value}` over the normal form: the one mechanism behind readings and amendments.

The patched Agreement is an Agreement like any other: it passes the same models and the same lint, so that an impossible
path or value is refused, at the place where it was written. A path is relative to an Objective (where one is named),
then to the Agreement; members of a list are named by their `id`, `name` or `type` (``exclusions.maint.cap.length``,
``objectives.uptime.at_least``). What an Agreement states once for all promises (``outcomes.rate_limited``) is changed in
each of them. A value replaces what stood there whole; of the four words of a bound one replaces the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from slaguard.errors import Place, Problem, SpecError
from slaguard.spec.canonical import written
from slaguard.spec.codes import hidden
from slaguard.spec.draft import typed
from slaguard.spec.expand import expand_tree
from slaguard.spec.library import Shelves
from slaguard.spec.lint import lint
from slaguard.spec.merge import BOUND_WORDS, CONDITIONS
from slaguard.spec.model import Agreement, Objective
from slaguard.spec.nodes import Entry, Map, Node, Scalar, Sequence, child_path, shown
from slaguard.spec.translate import INHERITED, Known, choice, keys_of
from slaguard.terms import OUTCOME_GROUPS

CODE: Final = "E-SPEC-READING"
IDENTITY: Final = frozenset(
    {"apiVersion", "kind", "name", "version", "vendor", "customer", "contract", "readings", "settled", "amendments", "use"}
)
"""Terms that say which Agreement or promise it is, or that patch it themselves: no patch changes them."""
NAMED_BY: Final = ("id", "name", "type")
"""The keys by which a path names the members of a list."""
FORM: Final = "normal form"
"""Stands for the file of what a patch does not change."""
_RIVALS: Final = {"credits": "remedy", "remedy": "credits"}
"""Terms that say one thing in two ways: writing one takes the other out, as of the four words of a bound."""
_MOST: Final = 12
"""A path of more parts than this leads nowhere."""


@dataclass(frozen=True, slots=True)
class Change:
    """One path and what is put there; `value` is None where the term is taken out. `place` is where the path is written."""

    path: str
    value: Node | None
    place: Place
    at: str
    """The path of the change in its own document, for messages."""


def patched(
    agreement: Agreement, set_: Mapping[str, Any], objective: str | None = None, *, unset: Iterable[str] = (),
    checked: bool = False,
) -> Agreement:  # fmt: skip
    """Return an Agreement with other terms.

    Args:
        agreement: the normal form.
        set_: by path the value as a document writes it: text, or lists and maps of text.
        objective: the name of the Objective that paths are relative to first; None: they are relative to the Agreement.
        unset: paths of terms that are taken out.
        checked: these changes passed the lint before, when the Agreement was loaded; the models are asked all the same.

    Raises:
        SpecError: a path leads nowhere, or what comes out is no sound Agreement.

    """
    place = Place("set")
    changes = [Change(path, node_of(value, place, path), place, path) for path, value in set_.items()]
    changes += [Change(path, None, place, path) for path in unset]
    found, problems = with_changes(agreement, changes, objective, checked=checked)
    if found is None:
        raise SpecError(problems)
    return found


def with_changes(
    agreement: Agreement, changes: Iterable[Change], objective: str | None = None, *, checked: bool = False
) -> tuple[Agreement | None, tuple[Problem, ...]]:
    """Return the Agreement with changes made in order (None where it is refused) and what is wrong with it.

    A Problem of a value stands at that value; any other one that the changes bring about stands at the first of them.
    """
    made = tuple(changes)
    if not made:
        return agreement, ()
    tree = node_of(written(agreement), Place(FORM), "")
    for change in made:
        try:
            tree = _changed(tree, change, objective)
        except _NoWayError as error:
            return None, hidden([Problem(CODE, change.place, change.at, error.text, error.mend)])
    expanded = expand_tree(_map(tree), Shelves())
    result = typed(expanded, expanded.tree, Known())
    found = [p for p in (*expanded.problems, *result.problems, *(() if checked else lint(result.draft))) if p.is_error]
    if not found and result.agreement is not None:
        return result.agreement, ()
    return None, hidden(_where_it_was_written(problem, made[0]) for problem in found)


def _where_it_was_written(problem: Problem, change: Change) -> Problem:
    if problem.place.file != FORM:
        return problem
    text = f"with it {problem.path or 'the Agreement'}: {problem.code}, {problem.text}"
    return Problem(CODE, change.place, change.at, text, problem.mend)


def node_of(value: Any, place: Place, path: str) -> Node:
    """Return text, lists and maps as a tree in which everything stands at one place."""
    if isinstance(value, Mapping):
        entries = {str(k): Entry(str(k), place, node_of(v, place, child_path(path, str(k)))) for k, v in value.items()}
        return Map(entries, place, path)
    if isinstance(value, list | tuple):
        return Sequence(tuple(node_of(v, place, f"{path}[{i}]") for i, v in enumerate(value)), place, path)
    return Scalar(str(value), place, path)


# ── where a path leads ──────────────────────────────────────────────────────────────────────────────────────────────
class _NoWayError(Exception):
    def __init__(self, text: str, mend: str) -> None:
        self.text, self.mend = text, mend
        super().__init__(text)


def _map(node: Node) -> Map:
    if not isinstance(node, Map):
        raise TypeError("an Agreement is a map")
    return node


def _changed(tree: Node, change: Change, objective: str | None) -> Node:
    parts = tuple(change.path.split("."))
    if "" in parts or len(parts) > _MOST:
        raise _NoWayError(f"{shown(change.path)} is no path", "write keys with dots between them: indicator.run")
    of_objective, of_agreement = keys_of(Objective), keys_of(Agreement)
    head = parts[0]
    if objective is not None and head in of_objective:
        return _put(tree, ("objectives", objective, *_allowed(parts)), change)
    if head in INHERITED:
        return _everywhere(tree, parts, change)
    if head in of_agreement:
        return _put(tree, _allowed(parts), change)
    known = (*(of_objective if objective is not None else ()), *of_agreement)
    raise _NoWayError(f"there is no {shown(head)}", choice(head, sorted({k for k in known if k not in IDENTITY})))


def _allowed(parts: tuple[str, ...]) -> tuple[str, ...]:
    inside = parts[2] if parts[0] == "objectives" and len(parts) > 2 else parts[0]
    if inside in IDENTITY or (parts[0] == "objectives" and len(parts) < 3):
        which = shown(".".join(parts))
        mend = "it says which promise or which contract this is; change terms below it, or write an Agreement of its own"
        raise _NoWayError(f"{which} cannot be changed so", mend)
    return parts


def _everywhere(tree: Node, parts: tuple[str, ...], change: Change) -> Node:
    """Make a change in every Objective that has the place for it: the Agreement stated it once for all."""
    objectives = _map(tree).get("objectives")
    items: list[Node] = list(objectives.items) if isinstance(objectives, Sequence) else []
    nowhere: list[_NoWayError] = []
    for i, item in enumerate(items):
        try:
            items[i] = _put(item, parts, change)
        except _NoWayError as error:
            nowhere.append(error)
    if nowhere and len(nowhere) == len(items):
        raise nowhere[0]
    entry = _map(tree).entries["objectives"]
    return _map(tree).having(replace(entry, value=replace(_sequence(entry.value), items=tuple(items))))


def _sequence(node: Node) -> Sequence:
    if not isinstance(node, Sequence):
        raise TypeError("objectives are a list")
    return node


def _put(node: Node, parts: tuple[str, ...], change: Change, *, conditions: bool = False) -> Node:
    if isinstance(node, Map):
        return _put_in_map(node, parts, change, conditions=conditions)
    if isinstance(node, Sequence):
        return _put_in_list(node, parts, change)
    mend = f"`{shown(node.text)}` stands there and holds nothing; set the term it belongs to as a whole"
    raise _NoWayError(f"there is no {shown('.'.join(parts))} in {node.path or 'it'}", mend)


def _put_in_map(node: Map, parts: tuple[str, ...], change: Change, *, conditions: bool) -> Map:
    key, rest = _key(node, parts, conditions=conditions)
    if rest:
        inside = node.get(key)
        if inside is None and change.value is None:
            raise _nothing_there(change)
        below = Map({}, change.place, child_path(node.path, key)) if inside is None else inside
        return node.having(Entry(key, change.place, _put(below, rest, change, conditions=key in CONDITIONS)))
    if change.value is None:
        if key not in node.entries:
            raise _nothing_there(change)
        return node.without(key)
    node = node.without(*_rivals(key))
    return node.having(Entry(key, change.place, change.value))


def _rivals(key: str) -> tuple[str, ...]:
    """Return the keys beside one that say the same in another way."""
    if key in BOUND_WORDS:
        return tuple(BOUND_WORDS - {key})
    return tuple(o.value for o in OUTCOME_GROUPS.get(key, ())) + ((_RIVALS[key],) if key in _RIVALS else ())


def _nothing_there(change: Change) -> _NoWayError:
    return _NoWayError(f"there is no {shown(change.path)} to take out", "name a term that the Agreement has")


def _key(node: Map, parts: tuple[str, ...], *, conditions: bool) -> tuple[str, tuple[str, ...]]:
    """Return the key that a path names next, which may have dots in it, and the rest of the path: the longest one wins."""
    for size in range(len(parts), 0, -1):
        if ".".join(parts[:size]) in node.entries:
            return ".".join(parts[:size]), parts[size:]
    if conditions and parts[0] == "attributes":
        return ".".join(parts), ()
    return parts[0], parts[1:]


def _put_in_list(node: Sequence, parts: tuple[str, ...], change: Change) -> Sequence:
    found = [i for i, item in enumerate(node.items) if parts[0] in _names(item)]
    if len(found) > 1:
        mend = "set the whole list instead"
        raise _NoWayError(f"{len(found)} members of {node.path} are named {shown(parts[0])}", mend)
    if not found:
        return _with_new(node, parts, change)
    items = list(node.items)
    here = found[0]
    if len(parts) > 1:
        items[here] = _put(items[here], parts[1:], change)
    elif change.value is None:
        del items[here]
    else:
        items[here] = _named(change.value, parts[0])
    return replace(node, items=tuple(items))


def _with_new(node: Sequence, parts: tuple[str, ...], change: Change) -> Sequence:
    if len(parts) == 1 and isinstance(change.value, Map):
        return replace(node, items=(*node.items, _named(change.value, parts[0])))
    names = sorted({name for item in node.items for name in _names(item)})
    mend = choice(parts[0], names) if names else "its members have no names; set the whole list"
    raise _NoWayError(f"{node.path or 'the list'} has no {shown(parts[0])}", mend)


def _named(value: Node, name: str) -> Node:
    """Return a member of a list with the `id` that the path gave it."""
    if not isinstance(value, Map) or any(key in value.entries for key in NAMED_BY):
        return value
    first = Entry("id", value.place, Scalar(name, value.place, child_path(value.path, "id")))
    return replace(value, entries={"id": first, **value.entries})


def _names(item: Node) -> tuple[str, ...]:
    """Return what a path may call a member of a list: the first of the naming keys that it has."""
    if not isinstance(item, Map):
        return ()
    texts = [text for key in NAMED_BY if (text := item.text(key)) is not None]
    return tuple(texts[:1])
