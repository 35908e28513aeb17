"""Rules on names and references: fields of a record, services, exclusions, and dates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.model import ATTRIBUTES, FIELDS, Exclusion, PredicateForm, Service, written_limit
from slaguard.spec.nodes import Map, Node, Spot, locate, map_items, nearest, plain, problem_at, scalars, shown
from slaguard.spec.translate import choice
from slaguard.terms import OF_CALLS, Attribution, Outcome

_ATTRIBUTE = re.compile(r"attributes\.[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z", re.ASCII)
_WHOLE = re.compile(r"(0|[1-9]\d{0,11})\Z", re.ASCII)
CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "flag": ("true", "false"),
    "outcome": tuple(o.value for o in Outcome),
    "attribution": tuple(a.value for a in Attribution),
    "source": tuple(s.value for s in OF_CALLS),
}
_UNITS: Final = {"number": "count", "time": "ms", "attribute": "count"}


# ── conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────
def eligible(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-SCHEMA, E-SPEC-UNIT: conditions name fields that a record has, and values those fields can hold."""
    del draft
    yield from conditions(view.node.get("eligible"), view.objective.conditions)


def conditions(node: Node | None, predicates: Mapping[str, PredicateForm]) -> Iterator[Problem]:
    """Yield what is wrong with conditions on one record's fields."""
    if not isinstance(node, Map):
        return
    for field, predicate in predicates.items():
        spot = locate(node, (field,))
        kind = "attribute" if _ATTRIBUTE.match(field) else FIELDS.get(field)
        if kind is None:
            meant = nearest(field, (*FIELDS, f"{ATTRIBUTES}{field}"))
            mend = f"did you mean {meant}?" if meant else f"write one of {', '.join(FIELDS)}, or {ATTRIBUTES}<name>"
            yield problem_at(spot.node, "E-SPEC-SCHEMA", "records have no such field", mend, spot.key_place)
        elif predicate.limits is not None:
            yield from _limits(spot, kind, predicate)
        else:
            yield from _values(spot, kind)


def _limits(spot: Spot, kind: str, predicate: PredicateForm) -> Iterator[Problem]:
    limit = written_limit(predicate.limits)
    unit = _UNITS.get(kind)
    if unit is None:
        yield problem_at(spot.node, "E-SPEC-UNIT", str(limit), "this field is no number: list its values", spot.key_place)
    elif limit.unit != unit:
        mend = "write a duration: 2s" if unit == "ms" else "write a whole number: 75"
        yield problem_at(spot.node, "E-SPEC-UNIT", str(limit), mend, spot.key_place)


def _values(spot: Spot, kind: str) -> Iterator[Problem]:
    if kind == "time":
        yield problem_at(
            spot.node, "E-SPEC-UNIT", "a time is never one of a list", "write a bound: {at_most: 2s}", spot.key_place
        )
        return
    for item in scalars(spot.node):
        mend = _mend_value(kind, item.text)
        if mend:
            yield problem_at(item, "E-SPEC-SCHEMA", shown(item.text), mend)


def _mend_value(kind: str, text: str) -> str | None:
    if kind in CLOSED and text not in CLOSED[kind]:
        return choice(text, CLOSED[kind])
    if kind == "number" and not _WHOLE.match(text):
        return "write a whole number: 200"
    return None


# ── exclusions and services ─────────────────────────────────────────────────────────────────────────────────────────
def exclusions(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-DUP, W-SPEC-EXCL-SWALLOW, and the conditions of selectors."""
    del draft
    seen: set[str] = set()
    for i, (exclusion, node) in enumerate(zip(view.objective.exclusions, map_items(view.node.get("exclusions")), strict=True)):
        if exclusion.id in seen:
            mend = "give every exclusion an id of its own"
            yield view.problem("E-SPEC-DUP", exclusion.id, mend, "exclusions", i, "id")
        seen.add(exclusion.id)
        yield from conditions(node.get("selector"), exclusion.selector or {})
        yield from _swallows(view, exclusion, i)


_LONGEST: Final = {"month": 28 * 86_400_000, "quarter": 90 * 86_400_000, "year": 365 * 86_400_000}


def _swallows(view: View, exclusion: Exclusion, i: int) -> Iterator[Problem]:
    """Tell of times that only the vendor names, as many as it likes."""
    if exclusion.selector is not None or exclusion.scheduled or exclusion.asserted_by == "customer":
        return
    mend = "agree on a cap: `cap: 4h`; without one the vendor can announce the promise away"
    if exclusion.cap is None:
        yield view.problem("W-SPEC-EXCL-SWALLOW", f"{exclusion.id} has no cap", mend, "exclusions", i, "id")
    elif exclusion.cap.length >= _LONGEST[exclusion.cap.per]:
        text = f"{exclusion.id} has a cap of a whole {exclusion.cap.per}"
        yield view.problem("W-SPEC-EXCL-SWALLOW", text, mend, "exclusions", i, "id")


def services_named(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-REF: an Objective names services that are defined."""
    if "services" not in draft.has or view.objective.service is None:
        return
    defined = [service.id for service in draft.agreement.services]
    for item in scalars(view.spot("service").node):
        if item.text not in defined:
            mend = choice(item.text, defined) if defined else "define it under `services`, or leave it out: all traffic"
            yield problem_at(item, "E-SPEC-REF", f"no service {shown(item.text)}", mend)


def unique_services(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-DUP: services have ids of their own; their conditions name fields that records have."""
    if "services" not in draft.has:
        return
    seen: set[str] = set()
    for i, node in enumerate(map_items(draft.root.get("services"))):
        service = Service.model_validate(plain(node))
        if service.id in seen:
            yield draft.problem("E-SPEC-DUP", service.id, "give every service an id of its own", "services", i, "id")
        seen.add(service.id)
        yield from conditions(node.get("where"), service.where or {})


def unique_objectives(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-DUP: Objectives have names of their own."""
    seen: set[str] = set()
    for view in draft.views:
        if "name" not in view.has:
            continue
        if view.objective.name in seen:
            yield view.problem("E-SPEC-DUP", view.objective.name, "give every Objective a name of its own", "name")
        seen.add(view.objective.name)


def dates(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-DATES: an Agreement does not end before it begins."""
    if not {"effective", "expires"} <= draft.has or draft.agreement.expires is None:
        return
    if draft.agreement.expires < draft.agreement.effective:
        mend = f"it begins on {draft.agreement.effective}; write a later last day, or leave it out: open-ended"
        yield draft.problem("E-SPEC-DATES", str(draft.agreement.expires), mend, "expires")
