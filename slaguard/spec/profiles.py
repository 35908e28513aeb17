"""`use: name@version`: the profiles of one level, their parameters filled in, joined to one layer of terms.

Two profiles of one level that set the same leaf are an error that names both: there is no order among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from slaguard.errors import Place, Problem, SpecError
from slaguard.spec.library import Library, Reference
from slaguard.spec.merge import clashes, merged_maps
from slaguard.spec.nodes import Entry, Map, Node, Origin, Scalar, Sequence, nearest, problem_at, show, shown
from slaguard.spec.profile_file import Parameter, Profile, profile_file
from slaguard.spec.scalars import Amount, Day, Duration, Flag, Percent, Slug, Whole, Words
from slaguard.spec.translate import choice

TYPES: Final[Mapping[str, TypeAdapter[Any]]] = {
    "percent": TypeAdapter(Percent),
    "duration": TypeAdapter(Duration),
    "money": TypeAdapter(Amount),
    "whole": TypeAdapter(Whole),
    "day": TypeAdapter(Day),
    "flag": TypeAdapter(Flag),
    "name": TypeAdapter(Slug),
    "words": TypeAdapter(Words),
    "choice": TypeAdapter(Words),
}
MAX_USED: Final = 50
Lower = Callable[[Map], Map]
"""Writes the shorthands of one layer out, so that layers merge leaf by leaf."""


@dataclass(frozen=True, slots=True)
class Used:
    """One profile as used: where, and its head."""

    label: str
    place: Place
    path: str
    profile: Profile


@dataclass(frozen=True, slots=True)
class Layer:
    """The terms that the profiles of one level bring, joined; `complete` is False where one could not be used."""

    terms: Map
    used: tuple[Used, ...]
    problems: tuple[Problem, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of a `use` list: the reference as written, its arguments, and the node to point at."""

    text: str
    place: Place
    node: Node
    arguments: Node | None = None


def layer(use: Node | None, around: Map, library: Library, lower: Lower) -> Layer:
    """Return what the profiles of one `use` bring.

    Args:
        use: the value of the key `use`; None: there is none.
        around: the map the key stands in.
        library: where references lead.
        lower: writes shorthands out.

    """
    joined = Map({}, around.place, around.path)
    used: list[Used] = []
    problems: list[Problem] = []
    complete = True
    for number, entry in enumerate(_entries(use)):
        if number == MAX_USED:
            mend = "a level with so many profiles is a mistake; nothing beyond them was looked at"
            problems.append(Problem("E-SPEC-SCHEMA", entry.place, entry.node.path, f"more than {MAX_USED} profiles", mend))
            break
        found = _one(entry, library)
        problems += found.problems
        complete = complete and found.complete
        for one in found.used:
            terms = lower(found.terms)
            problems += _clash(joined, terms, one, tuple(used))
            joined = merged_maps(joined, terms)
            used.append(one)
    return Layer(joined, tuple(used), tuple(problems), complete)


def _entries(use: Node | None) -> Iterator[_Entry]:
    if isinstance(use, Scalar):
        yield _Entry(use.text, use.place, use)
    elif isinstance(use, Map):
        for entry in use.entries.values():
            yield _Entry(entry.key, entry.place, entry.value, entry.value)
    elif isinstance(use, Sequence):
        for item in use.items:
            yield from _entries(item)


def _clash(joined: Map, terms: Map, one: Used, before: tuple[Used, ...]) -> Iterator[Problem]:
    found = clashes(joined, terms)
    if not found:
        return
    rival, leaf = found[0]
    other = rival.origin.profile if rival.origin else ", ".join(u.label for u in before)
    what = leaf.path.removeprefix("terms.")
    text = f"{other} and {one.label} both set {what}" + (f" and {len(found) - 1} more" if len(found) > 1 else "")
    yield Problem("E-SPEC-DUP", one.place, one.path, text, "use one of the two; a profile of one level cannot override another")


# ── one profile ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _failed(around: Node, *problems: Problem) -> Layer:
    return Layer(Map({}, around.place, around.path), (), problems, complete=False)


def _one(entry: _Entry, library: Library) -> Layer:
    reference = Reference.parse(entry.text)
    if reference is None:
        mend = "write name@version, the version a whole number, whole numbers with dots, or a date: claim/written@1"
        return _failed(entry.node, Problem("E-SPEC-REF", entry.place, entry.node.path, shown(entry.text), mend))
    try:
        parsed = library.profile(reference)
    except SpecError as error:
        return _failed(entry.node, *error.problems)
    if parsed is None:
        text = f"no profile {reference}"
        return _failed(
            entry.node, Problem("E-SPEC-REF", entry.place, entry.node.path, text, _meant(reference, library.profiles()))
        )
    file = profile_file(parsed, reference)
    if file.head is None or file.terms is None:
        return _failed(entry.node, *file.problems)
    arguments, problems = _arguments(entry, file.head.parameters, parsed.root)
    origin = Origin(str(reference), entry.place, file.head.needs_confirmation)
    whole = filled(file.terms, arguments, origin)
    used = Used(str(reference), entry.place, entry.node.path, file.head)
    terms = whole if isinstance(whole, Map) else Map({}, entry.place, entry.node.path)
    return Layer(terms, (used,), (*file.problems, *problems), complete=not problems)


def _meant(reference: Reference, names: tuple[str, ...]) -> str:
    """Return how to mend a reference that leads nowhere: another version, or the nearest names."""
    versions = [n for n in names if n.rpartition("@")[0] == reference.name]
    if versions:
        return f"there is {', '.join(versions)}"
    meant = nearest(str(reference), names) or nearest(reference.name, {n.rpartition("@")[0]: n for n in names})
    full = next((n for n in names if n == meant or n.rpartition("@")[0] == meant), None)
    mend = f"did you mean {full}?" if full else "put the file beside the Agreement, or name one that ships;"
    return f"{mend} `slaguard explain --profiles` lists what ships"


# ── parameters ──────────────────────────────────────────────────────────────────────────────────────────────────────
Arguments = dict[str, Node | None]


def _arguments(entry: _Entry, parameters: Mapping[str, Parameter], root: Map | None) -> tuple[Arguments, list[Problem]]:
    """Return each parameter's value (None: its terms are left out), and what is wrong with those given."""
    if entry.arguments is not None and not isinstance(entry.arguments, Map):
        mend = "write the parameters as a map: {days: 30}"
        return {}, [problem_at(entry.node, "E-SPEC-SCHEMA", show(entry.node), mend)]
    given = entry.arguments.entries if entry.arguments else {}
    problems = [_unknown(argument, parameters) for name, argument in given.items() if name not in parameters]
    misspelt = {nearest(name, parameters) for name in given if name not in parameters}
    values: Arguments = {}
    for name, parameter in parameters.items():
        values[name] = given[name].value if name in given else _default(name, root)
        if name in given:
            problems += mistyped(given[name].value, parameter)
        elif parameter.required and name not in misspelt:
            text, mend = f"{shown(entry.text)} needs {name}", f"write {entry.text}: {{{name}: ...}} ({parameter.text})"
            problems.append(Problem("E-SPEC-SCHEMA", entry.place, entry.node.path, text, mend))
    return values, problems


def _unknown(argument: Entry, parameters: Mapping[str, Parameter]) -> Problem:
    mend = choice(argument.key, parameters) if parameters else "leave it out: this profile takes no parameters"
    return problem_at(argument.value, "E-SPEC-SCHEMA", "unknown parameter", mend, argument.place)


def _default(name: str, root: Map | None) -> Node | None:
    parameters = root.get("parameters") if root else None
    parameter = parameters.get(name) if isinstance(parameters, Map) else None
    return parameter.get("value") if isinstance(parameter, Map) else None


def mistyped(value: Node, parameter: Parameter) -> Iterator[Problem]:
    """Yield what is wrong with a parameter's value."""
    if not isinstance(value, Scalar):
        yield problem_at(value, "E-SPEC-SCHEMA", show(value), "write a single value here")
    elif parameter.type == "choice" and value.text not in parameter.choices:
        yield problem_at(value, "E-SPEC-SCHEMA", show(value), choice(value.text, parameter.choices))
    else:
        try:
            TYPES[parameter.type].validate_python(value.text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            yield problem_at(value, first["type"], show(value), first["msg"])


def filled(node: Node, arguments: Arguments, origin: Origin | None) -> Node | None:
    """Return terms with parameters filled in and the profile noted on every value; None: the value is left out."""
    if isinstance(node, Scalar):
        return replace(node, origin=origin)
    if isinstance(node, Sequence):
        items = [found for item in node.items if (found := filled(item, arguments, origin)) is not None]
        return replace(node, items=tuple(items), origin=origin)
    name = node.text("param")
    if name is not None and len(node.entries) == 1:
        value = arguments.get(name)
        return replace(value, origin=origin) if value is not None else None
    entries = {}
    for key, entry in node.entries.items():
        inside = filled(entry.value, arguments, origin)
        if inside is not None:
            entries[key] = Entry(key, entry.place, inside)
    return replace(node, entries=entries, origin=origin)
