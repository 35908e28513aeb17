"""What pydantic found wrong, as Problems: the rule's code, the place in the document, and how to mend it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from slaguard.errors import Place, Problem
from slaguard.spec.nodes import Map, Scalar, Spot, locate, nearest, problem_at, show, shown

Location = tuple[str | int, ...]
VAGUE: Final = re.compile(
    r"\b(reasonable|material|industry[ -]standard|state[ -]of[ -]the[ -]art|best effort|timely|appropriate)", re.IGNORECASE
)
_QUOTED = re.compile(r"'([^']*)'")
_MISSING: Final[dict[str, str]] = {
    "outcomes": "E-SPEC-OUTCOME",
    "empty_bin": "E-SPEC-EMPTY",
    "below_minimum": "E-SPEC-EMPTY",
    "period": "E-SPEC-PERIOD",
    "time_zone": "E-SPEC-PERIOD",
    "indicator": "E-SPEC-UNMEASURABLE",
    "rule": "E-SPEC-UNMEASURABLE",
    "source": "E-SPEC-UNMEASURABLE",
    "decision": "E-SPEC-QUALITY",
    "estimand": "E-SPEC-QUALITY",
    "alpha": "E-SPEC-QUALITY",
    "min_n": "E-SPEC-QUALITY",
    "grading": "E-SPEC-QUALITY",
    "grades": "E-SPEC-QUALITY",
    "anchor": "E-SPEC-ANCHOR",
    "within_event": "E-SPEC-COMBINE",
    "across_objectives": "E-SPEC-COMBINE",
}
_WRONG: Final[dict[str, str]] = {"period": "E-SPEC-PERIOD", "anchor": "E-SPEC-ANCHOR", "empty_bin": "E-SPEC-EMPTY"}
"""Codes by the key that is missing, and by the key whose value is none of its closed list; else E-SPEC-SCHEMA."""
_SUPPLIED: Final = frozenset({"source", "min_coverage", "decision"})
"""What every rule profile brings along: an Objective without an indicator is told once, not four times."""
INHERITED: Final = (
    "outcomes", "decision", "exclusions", "eligible", "source", "min_coverage", "service", "average_with_previous",
)  # fmt: skip
"""Terms of an Objective that the Agreement may state once for all."""
_OWN: Final = frozenset(
    {
        "apiVersion",
        "kind",
        "name",
        "version",
        "vendor",
        "customer",
        "contract",
        "effective",
        "time_zone",
        "period",
        "objectives",
    }
)
"""What no profile can be expected to say."""


@dataclass(frozen=True, slots=True)
class Known:
    """What has been told already (keys without a value, maps whose `use` failed), and what helps to mend.

    `use` is where the document names its profiles; `partial`: it is a part of one, and nothing is missing in it.
    """

    broken: frozenset[str] = frozenset()
    holes: frozenset[str] = frozenset()
    outcome_profiles: Callable[[], str] = str
    use: Place | None = None
    partial: bool = False


def problems_of(error: ValidationError, model: type[BaseModel], root: Map, known: Known) -> list[Problem]:
    """Return what pydantic found wrong with the document `root` as a `model`.

    A missing key is not told where a misspelt one near it is, or where `known` says why it is missing.
    """
    findings = error.errors(include_url=False, include_input=False)[:MAX_FINDINGS]
    details = [d for d in findings if not _is_echo(d, findings)]
    present = [d for d in details if d["type"] != "missing" and not (known.partial and d["type"] == "union_tag_not_found")]
    found = [_translated(d, model, root) for d in present]
    if known.partial:
        return found
    excused = _excused(present, model, root) | known.broken
    holes = known.holes | {path.removesuffix("use").removesuffix(".") for path in excused if _USE.search(path)}
    missing = [d["loc"] for d in details if d["type"] == "missing"]
    missing = [loc for loc in _told_once(missing) if not _is_excused(loc, locate(root, loc), excused, holes)]
    unmapped: dict[Location, list[str]] = {}
    everywhere = Counter(loc[2] for loc in missing if _is_inherited(loc))
    for location in missing:
        if location[-2:-1] == ("outcomes",):
            unmapped.setdefault(location[:-1], []).append(str(location[-1]))
        elif not (_is_inherited(location) and everywhere[location[2]] == 0):
            found.append(_missing(location, model, root, known, everywhere[location[2]] if _is_inherited(location) else 1))
            everywhere[location[-1]] = 0
    found += [_unmapped(locate(root, location), keys, known) for location, keys in unmapped.items()]
    if found or holes or excused:
        return found
    return [_translated(d, model, root) for d in findings[:1]]  # what is refused is never refused without a word


MAX_FINDINGS: Final = 300
"""Of more findings than this in one document nobody reads the rest, and telling them would take long."""
_USE: Final = re.compile(r"(^|\.)use$")


def _is_echo(detail: ErrorDetails, findings: Iterable[ErrorDetails]) -> bool:
    """Tell whether a list is called too short only because not all in it is sound, which is told of its entries."""
    at = detail["loc"]
    return detail["type"] == "too_short" and any(len(d["loc"]) > len(at) and d["loc"][: len(at)] == at for d in findings)


def _excused(details: Iterable[ErrorDetails], model: type[BaseModel], root: Map) -> set[str]:
    """Return the paths of keys that are there after all, misspelt."""
    found = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            meant = nearest(str(detail["loc"][-1]), known_keys(model, detail["loc"][:-1]))
            if meant:
                found.add(Spot(locate(root, detail["loc"][:-1]).node, root.place, (meant,)).path)
    return found


def _is_inherited(location: Location) -> bool:
    """Tell whether an Objective lacks what the Agreement could have said for all: it is told once."""
    return len(location) == 3 and location[0] == "objectives" and location[2] in INHERITED


def _is_excused(location: Location, spot: Spot, excused: set[str], holes: frozenset[str]) -> bool:
    """Tell whether it has been told why a key is missing: written without a value, misspelt, or lost with a profile."""
    if spot.path in excused or (_is_inherited(location) and location[2] in excused):
        return True
    if any(hole and spot.path.startswith(f"{hole}.") for hole in holes):
        return True
    if "" not in holes:
        return False
    return location[2] in INHERITED if location[0] == "objectives" and len(location) > 2 else location[0] not in _OWN


def _told_once(missing: list[Location]) -> Iterator[Location]:
    unmeasured = {loc[:-1] for loc in missing if loc[-1] == "indicator"}
    for location in missing:
        if not (location[-1] in _SUPPLIED and location[:-1] in unmeasured):
            yield location


def _unmapped(spot: Spot, keys: list[str], known: Known) -> Problem:
    mend = f"say how each counts (fail, ok or drop), or use one of\n{known.outcome_profiles()}"
    return problem_at(spot.node, "E-SPEC-OUTCOME", f"not mapped: {', '.join(keys)}", mend, spot.key_place)


def _missing(location: Location, model: type[BaseModel], root: Map, known: Known, times: int) -> Problem:
    key, spot = str(location[-1]), locate(root, location[:-1])
    if key == "outcomes":
        mend = f"say how each outcome counts; use one of\n{known.outcome_profiles()}"
        return Problem("E-SPEC-OUTCOME", known.use or root.place, "outcomes", "missing", mend)
    code = _MISSING.get(key, "E-SPEC-SCHEMA")
    if "exclusions" in location:
        code = "E-SPEC-EXCL"
    elif location == ("fee", "per"):
        code = "E-SPEC-FEE"
    about = description(model, location)
    mend = f"write `{key}: ...` here" + (f" ({about[0].lower()}{about[1:].rstrip('.')})" if about else "")
    text = f"missing, here and in {times - 1} more" if times > 1 else "missing"
    return Problem(code, spot.key_place, Spot(spot.node, spot.key_place, (key,)).path, text, mend)


def _translated(detail: ErrorDetails, model: type[BaseModel], root: Map) -> Problem:
    location, kind = detail["loc"], detail["type"]
    tag = "kind" if _is_remedy(location) else "rule"
    spot = locate(root, (*location, tag) if kind == "union_tag_invalid" else location)
    if kind == "extra_forbidden":
        return _unknown(location, spot, model)
    if kind.startswith("E-SPEC"):
        return _refused(detail, spot)
    astray = _astray(kind, location, spot)
    if astray is not None:
        return astray
    told = _TOLD.get(kind)
    mend = told(detail, spot) if told else shown(detail["msg"])
    if kind == "union_tag_not_found" and tag == "kind":
        mend = "write `kind: ...`: flat, step_table, usage_multiple, pool_allocation, points, pro_rata, per_step, ..."
        return problem_at(spot.node, "E-SPEC-SCHEMA", show(spot.node), mend, _value_place(spot))
    code = _WRONG.get(spot.node.path.rpartition(".")[2], "E-SPEC-SCHEMA")
    if kind == "union_tag_not_found":
        code = "E-SPEC-UNMEASURABLE"
    elif "outcomes" in location:
        code = "E-SPEC-OUTCOME"
    return problem_at(spot.node, code, show(spot.node), mend, _value_place(spot))


def _is_remedy(location: Location) -> bool:
    """Tell whether a location is that of a remedy, or of an option of one: its members are told apart by their `kind`."""
    return location[-1:] == ("remedy",) or location[-2:-1] == ("options",)


def _astray(kind: str, location: Location, spot: Spot) -> Problem | None:
    """Return the misspelt key of a map that is told by its keys: the `rule` of an indicator, `timeout: {after, as}`."""
    expected: tuple[str, ...] = ()
    if kind == "union_tag_not_found":
        expected = ("kind",) if _is_remedy(location) else ("rule",)
    elif location[-1] == "timeout":
        expected = ("after", "as")
    if not isinstance(spot.node, Map):
        return None
    for key, entry in spot.node.entries.items():
        meant = nearest(key, expected)
        if meant and meant != key:
            return problem_at(entry.value, "E-SPEC-SCHEMA", "unknown key", f"did you mean {meant}?", entry.place)
    return None


def _refused(detail: ErrorDetails, spot: Spot) -> Problem:
    """Return the problem a validator of ours raised, under its own code."""
    code, mend, location = detail["type"], detail["msg"], detail["loc"]
    if location[-2:-1] == ("credits",) or (location[-1] == "edge" and spot.missing):  # a ladder step's key is wrong
        return problem_at(spot.node, code, "no step of a ladder", mend, spot.key_place)
    if isinstance(spot.node, Scalar) and VAGUE.search(spot.node.text) and code == "E-SPEC-UNIT":
        return problem_at(spot.node, "E-SPEC-UNMEASURABLE", show(spot.node), "agree on a figure: 99.5%, 2s")
    return problem_at(spot.node, code, show(spot.node), mend, _value_place(spot))


def _value_place(spot: Spot) -> Place:
    """Return where to point: at a single value; at the key of a map or list."""
    return spot.node.place if isinstance(spot.node, Scalar) else spot.key_place


def _unknown(location: Location, spot: Spot, model: type[BaseModel]) -> Problem:
    key, around = str(location[-1]), location[:-1]
    known = known_keys(model, around)
    meant = nearest(key, known)
    code = "E-SPEC-SCHEMA"
    if "outcomes" in around and key in {"ok", "unmeasured"}:
        code, mend = "E-SPEC-OUTCOME", "leave it out: an answer is always good, and what was not measured is no evidence"
    elif not around and key in known_keys(model, ("objectives",)):
        mend = "this belongs into an Objective: move it below `objectives`"
    elif around[:1] == ("objectives",) and len(around) == 2 and key in known_keys(model, ()):
        mend = "this belongs to the whole Agreement: move it to the top level"
    elif meant:
        mend = f"did you mean {meant}?"
    else:
        mend = f"there is no such key here; there are {', '.join(known[:24])}"
    return problem_at(spot.node, code, "unknown key", mend, spot.key_place)


# ── the words for pydantic's own findings ───────────────────────────────────────────────────────────────────────────
def choice(given: str, allowed: Iterable[str]) -> str:
    """Return how to mend a value that is none of a closed list."""
    words = tuple(allowed)
    meant = nearest(given, words)
    said = f"write one of {', '.join(words)}" if len(words) > 1 else f"write {', '.join(words)}"
    return f"did you mean {meant}? {said}" if meant and len(words) > 1 else said


def _expected(detail: ErrorDetails, spot: Spot) -> str:
    context = detail.get("ctx", {})
    words = _QUOTED.findall(str(context.get("expected") or context.get("expected_tags") or ""))
    return choice(spot.node.text if isinstance(spot.node, Scalar) else "", words)


def _say(mend: str) -> Callable[[ErrorDetails, Spot], str]:
    return lambda _detail, _spot: mend


def _at_least(detail: ErrorDetails, spot: Spot) -> str:
    del spot
    fewest = int(detail.get("ctx", {}).get("min_length", 1))
    return "write at least one entry" if fewest == 1 else f"write at least {fewest} entries"


_TOLD: Final[dict[str, Callable[[ErrorDetails, Spot], str]]] = {
    "literal_error": _expected,
    "enum": _expected,
    "union_tag_invalid": _expected,
    "union_tag_not_found": _say("write `rule: ...`, or use a profile that says how it is measured"),
    "model_type": _say("write a map of keys and values here"),
    "model_attributes_type": _say("write a map of keys and values here"),
    "dict_type": _say("write a map of keys and values here"),
    "tuple_type": _say("write a list here"),
    "too_short": _at_least,
}


# ── the model at a location ─────────────────────────────────────────────────────────────────────────────────────────
def known_keys(model: type[BaseModel], location: Location) -> tuple[str, ...]:
    """Return the keys that a document may have at a location of the model."""
    return tuple(dict.fromkeys(key for found in _models_at(model, location) for key in keys_of(found)))


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """Return the keys a map of this model may have in a document: its fields, and the shorthands written for some."""
    return (*model.model_fields, *_SHORTHANDS.get(model.__name__, ()))


_SHORTHANDS: Final[dict[str, tuple[str, ...]]] = {
    "Outcomes": ("server_error",),
    "Objective": ("use", "remedy"),
    "Agreement": ("use", *INHERITED),
}


def description(model: type[BaseModel], location: Location) -> str:
    """Return what the model says about the field at a location; empty if it says nothing."""
    for found in _models_at(model, location[:-1]):
        field = found.model_fields.get(str(location[-1]))
        if field and field.description:
            return field.description
    return ""


def _models_at(model: type[BaseModel], location: Location) -> list[type[BaseModel]]:
    models = [model]
    for part in location:
        inside = [_models_in(m.model_fields[part].annotation) for m in models if part in m.model_fields]
        if inside:
            models = [m for found in inside for m in found]
        elif isinstance(part, str):  # the tag of a union picks one of its members
            models = [m for m in models if _tag(m) == part] or models
    return models


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) is Literal or (isinstance(annotation, type) and issubclass(annotation, Enum)):
        return []
    return [m for part in get_args(annotation) for m in _models_in(part)]


def _tag(model: type[BaseModel]) -> str | None:
    field = model.model_fields.get("rule") or model.model_fields.get("kind")
    words = get_args(field.annotation) if field else ()
    return str(words[0]) if words else None
