"""A Profile on its own: its head, its parameters, and its terms, as far as they can be judged without an Agreement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import BaseModel, ValidationError

from slaguard.errors import Problem
from slaguard.spec.expand import lowered
from slaguard.spec.model import Agreement, Objective
from slaguard.spec.nodes import Map, Node, Scalar, plain
from slaguard.spec.notation import Parsed
from slaguard.spec.profile_file import Parameter, ProfileFile, parameter_uses, profile_file
from slaguard.spec.profiles import filled, mistyped
from slaguard.spec.translate import Known, problems_of

_EXAMPLES: Final[Mapping[str, str]] = {
    "percent": "5%", "duration": "5m", "money": "1.00 EUR", "whole": "5", "day": "2026-08-01", "flag": "true",
    "name": "example", "words": "example",
}  # fmt: skip
"""A value of each type that stands in where whoever uses the profile must give one."""


def check_profile(parsed: Parsed) -> tuple[ProfileFile, tuple[Problem, ...]]:
    """Return a Profile and everything that is wrong with it."""
    file = profile_file(parsed)
    problems = list(file.problems)
    if file.head is not None and file.terms is not None and parsed.root is not None:
        problems += _parameters(file.head.parameters, parsed.root, file.terms)
        problems += _terms(file.terms, file.head.parameters, parsed.root)
    return file, tuple(problems)


def _written(root: Map, name: str) -> Map | None:
    parameters = root.get("parameters")
    parameter = parameters.get(name) if isinstance(parameters, Map) else None
    return parameter if isinstance(parameter, Map) else None


def _parameters(parameters: Mapping[str, Parameter], root: Map, terms: Map) -> Iterator[Problem]:
    used = {name.text for name in parameter_uses(terms)}
    for name, parameter in parameters.items():
        written = _written(root, name)
        value = written.get("value") if written else None
        if value is not None:
            yield from mistyped(value, parameter)
        if name not in used and written is not None:
            mend = f"write {{param: {name}}} where it belongs in the terms, or leave it out"
            yield Problem("E-SPEC-REF", written.place, written.path, f"no term uses {name}", mend)


def _terms(terms: Map, parameters: Mapping[str, Parameter], root: Map) -> Iterator[Problem]:
    arguments: dict[str, Node | None] = {}
    for name, parameter in parameters.items():
        written = _written(root, name)
        text = parameter.value or _EXAMPLES.get(parameter.type) or min(parameter.choices)
        value = written.get("value") if written else None
        arguments[name] = value or Scalar(text, written.place if written else root.place, f"parameters.{name}")
    whole = filled(terms, arguments, None)
    if not isinstance(whole, Map):
        return
    tree = lowered(whole)
    of_objective = [key for key in tree.entries if key in Objective.model_fields]
    yield from _typed(Objective, tree.only(of_objective))
    yield from _typed(Agreement, tree.without(*of_objective))


def _typed(model: type[BaseModel], part: Map) -> Iterator[Problem]:
    try:
        model.model_validate(plain(part))
    except ValidationError as error:
        yield from problems_of(error, model, part, Known(partial=True))
