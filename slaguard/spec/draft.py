"""An Agreement as far as it could be typed: lint looks at every part that is sound, whatever is wrong elsewhere.

So a document with a percentage without its sign in one Objective and a ladder out of order in another (or in the same)
is told both at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from slaguard.errors import Place, Problem
from slaguard.spec.expand import Expanded
from slaguard.spec.model import Agreement, Objective
from slaguard.spec.nodes import Map, Node, Scalar, Sequence, Spot, locate, plain, problem_at
from slaguard.spec.translate import Known, problems_of

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class View:
    """One promise as far as it is sound: `has` names the fields that may be looked at."""

    node: Map
    objective: Objective
    has: frozenset[str]

    def spot(self, *location: str | int) -> Spot:
        """Return what stands at a location of the Objective."""
        return locate(self.node, location)

    def problem(self, code: str, text: str, mend: str, *location: str | int, at_key: bool = False) -> Problem:
        """Return a Problem at a location of the Objective: at the value, or at the key of a map, a list or on request."""
        return _problem(self.spot(*location), code, text, mend, at_key=at_key)


@dataclass(frozen=True, slots=True)
class Draft:
    """An Agreement as far as it is sound."""

    root: Map
    agreement: Agreement
    has: frozenset[str]
    views: tuple[View, ...]
    unpriced: frozenset[str]
    """Paths of the Objectives that say that they pay nothing."""

    def spot(self, *location: str | int) -> Spot:
        """Return what stands at a location of the Agreement."""
        return locate(self.root, location)

    def problem(self, code: str, text: str, mend: str, *location: str | int, at_key: bool = False) -> Problem:
        """Return a Problem at a location of the Agreement."""
        return _problem(self.spot(*location), code, text, mend, at_key=at_key)


@dataclass(frozen=True, slots=True)
class Typed:
    """The Agreement (None if something is wrong with its form), the sound parts, and what is wrong."""

    agreement: Agreement | None
    draft: Draft
    problems: tuple[Problem, ...]


def typed(expanded: Expanded, tree: Map, known: Known) -> Typed:
    """Return the Agreement that a tree of the normal form says, or as much of it as is sound."""
    content = plain(tree)
    try:
        agreement = Agreement.model_validate(content)
    except ValidationError as error:
        problems = tuple(problems_of(error, Agreement, tree, known))
        broken = [d["loc"] for d in error.errors(include_url=False, include_context=False, include_input=False)]
        return Typed(None, _partial_draft(expanded, tree, content, broken), problems)
    everything = frozenset(Objective.model_fields)
    nodes = [item for item in _items(tree) if isinstance(item, Map)]
    views = tuple(View(n, o, everything) for n, o in zip(nodes, agreement.objectives, strict=True))
    return Typed(agreement, Draft(tree, agreement, frozenset(Agreement.model_fields), views, expanded.unpriced), ())


def _items(tree: Map) -> tuple[Node, ...]:
    objectives = tree.get("objectives")
    return objectives.items if isinstance(objectives, Sequence) else ()


def _partial_draft(expanded: Expanded, tree: Map, content: dict[str, Any], broken: list[tuple[int | str, ...]]) -> Draft:
    head, has = _sound(Agreement, content, {str(location[0]) for location in broken if location})
    below: dict[int | str, set[str]] = {}
    for location in broken:
        if location[:1] == ("objectives",) and len(location) > 2:
            below.setdefault(location[1], set()).add(str(location[2]))
    views = []
    for index, node in enumerate(_items(tree)):
        if isinstance(node, Map):
            objective, fields = _sound(Objective, content["objectives"][index], below.get(index, set()))
            views.append(View(node, objective, fields))
    return Draft(tree, head, has, tuple(views), expanded.unpriced)


def _sound(model: type[_M], content: dict[str, Any], broken: Iterable[str]) -> tuple[_M, frozenset[str]]:
    """Return an unvalidated model that holds the sound fields, and their names."""
    values: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        if name in broken:
            continue
        if name not in content:
            if not info.is_required():
                values[name] = info.get_default(call_default_factory=True)
            continue
        values[name] = _adapter(model, name).validate_python(content[name])
    return model.model_construct(None, **values), frozenset(values)


@cache
def _adapter(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    info = model.model_fields[name]
    field: Any = Annotated[info.annotation, info]
    return TypeAdapter(field)


def _problem(spot: Spot, code: str, text: str, mend: str, *, at_key: bool) -> Problem:
    """Return a Problem at a spot; a key that is missing is told at the map that lacks it."""
    place: Place = spot.node.place
    if at_key or spot.missing or not isinstance(spot.node, Scalar):
        place = spot.key_place
    found = problem_at(spot.node, code, text, mend, place)
    return replace(found, path=spot.path) if spot.missing else found
