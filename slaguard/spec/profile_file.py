"""The Profile file: versioned reusable terms with a head that says whose words they follow.

`terms` are a part of an Agreement or of an Objective. `{param: days}` stands for a parameter's value and is the only
substitution; an optional parameter that is not given leaves its key out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from slaguard.errors import Problem
from slaguard.spec.conditions import SetOf, Term
from slaguard.spec.library import Reference
from slaguard.spec.nodes import Map, Node, Scalar, Sequence, plain, problem_at, show
from slaguard.spec.notation import Parsed
from slaguard.spec.scalars import Day, Flag, Words, refuse
from slaguard.spec.translate import Known, choice, problems_of

ParameterType = Literal["percent", "duration", "money", "whole", "day", "flag", "name", "words", "choice"]


class Parameter(Term):
    """A value that whoever uses the profile gives, or may give."""

    type: ParameterType
    """What the value must be."""
    text: Words
    """What it means."""
    required: Flag | None = None
    """true: it must be given; false: its terms are left out where it is not."""
    value: Words | None = None
    """The value where none is given."""
    choices: SetOf[Words] = ()
    """For a choice: the words allowed."""

    @model_validator(mode="after")
    def _required_or_valued(self) -> Self:
        if (self.required is None) == (self.value is None):
            raise refuse("E-SPEC-SCHEMA", "write either required or value")
        if (self.type == "choice") != bool(self.choices):
            raise refuse("E-SPEC-SCHEMA", "a parameter of type choice lists its choices; no other does")
        return self


def _reference_name(value: Any) -> Any:
    if isinstance(value, str) and Reference.parse(f"{value}@1") is None:
        raise refuse("E-SPEC-NAME", "write words of lower-case letters, digits and '-', parted by '/'")
    return value


def _reference_version(value: Any) -> Any:
    if isinstance(value, str) and Reference.parse(f"x@{value}") is None:
        raise refuse("E-SPEC-NAME", "write a whole number, whole numbers with dots, or an ISO date")
    return value


class Profile(Term):
    """Versioned reusable terms."""

    apiVersion: Literal["slaguard/v1"]  # noqa: N815 - the one key of the notation that is not snake_case
    """The notation's version."""
    kind: Literal["Profile"]
    """Always Profile."""
    name: Annotated[Words, BeforeValidator(_reference_name)]
    """The first part of its reference, and the path of its file."""
    version: Annotated[Words, BeforeValidator(_reference_version)]
    """The second part of its reference; a released version never changes."""
    text: Words
    """What it says, in a sentence or two."""
    source: Words
    """Whose words or whose usage the terms follow."""
    source_url: Words | None = None
    """Where the followed text stands."""
    source_date: Day | None = None
    """The date of the followed text."""
    verified_on: Day | None = None
    """When a person compared the terms with the live text."""
    needs_confirmation: Flag
    """true: the terms follow a text that nobody has compared with its source yet."""
    supersedes: Words | None = None
    """The version it takes the place of."""
    tags: SetOf[Words] = ()
    """Labels for reports, never thresholds."""
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    """What whoever uses it gives, or may give."""
    terms: Annotated[dict[str, Any], Field(min_length=1)]
    """A part of an Agreement or of an Objective; `{param: name}` stands for a parameter's value."""


@dataclass(frozen=True, slots=True)
class ProfileFile:
    """A Profile as read: its head (None if it is not acceptable), its terms as written, and what is wrong with it."""

    head: Profile | None
    terms: Map | None
    problems: tuple[Problem, ...]


def profile_file(parsed: Parsed, reference: Reference | None = None) -> ProfileFile:
    """Return the Profile of a document; with a reference, it must also be the one that was meant."""
    if parsed.root is None:
        return ProfileFile(None, None, parsed.problems)
    problems = list(parsed.problems)
    head: Profile | None = None
    try:
        head = Profile.model_validate(plain(parsed.root))
    except ValidationError as error:
        problems += problems_of(error, Profile, parsed.root, Known(parsed.broken))
    if head and reference and (head.name, head.version) != (reference.name, reference.version):
        text = f"{head.name}@{head.version}"
        problems.append(
            problem_at(parsed.root, "E-SPEC-REF", text, f"the file is {reference}.yaml; its name and version say so too")
        )
        head = None
    terms = parsed.root.get("terms")
    if not isinstance(terms, Map):
        return ProfileFile(head, None, tuple(problems))
    problems += _inside(terms, frozenset(head.parameters) if head else None)
    return ProfileFile(None if any(p.is_error for p in problems) else head, terms, tuple(problems))


def _inside(terms: Map, parameters: frozenset[str] | None) -> Iterator[Problem]:
    """Yield what is wrong with how terms refer to other things: parameters there are not, profiles inside a profile."""
    if set(terms.entries) == {"param"}:
        yield problem_at(
            terms, "E-SPEC-SCHEMA", "a parameter in place of the terms", "write the terms out; values in them are parameters"
        )
    for use in (e for e in terms.entries.values() if e.key == "use"):
        mend = "write its terms out; a profile uses no other, so that nobody has to follow a chain"
        yield problem_at(use.value, "E-SPEC-SCHEMA", "a profile inside a profile", mend, use.place)
    for name in parameter_uses(terms):
        if parameters is not None and name.text not in parameters:
            yield problem_at(name, "E-SPEC-REF", show(name), choice(name.text, sorted(parameters) or ("a value",)))


def parameter_uses(node: Node) -> Iterator[Scalar]:
    """Yield the name in every `{param: name}`."""
    if isinstance(node, Sequence):
        for item in node.items:
            yield from parameter_uses(item)
    elif isinstance(node, Map):
        name = node.get("param")
        if len(node.entries) == 1 and isinstance(name, Scalar):
            yield name
            return
        for entry in node.entries.values():
            yield from parameter_uses(entry.value)
