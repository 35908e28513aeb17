"""The last part of an explanation: every expanded term, and where it was written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slaguard.spec.explain_words import plain
from slaguard.spec.load import Traced
from slaguard.spec.model import Agreement
from slaguard.spec.nodes import child_path

_STEP = re.compile(r"(objectives\[\d+\]\.credits)\[(\d+)\]")
_SORTED = re.compile(r"(services|caps|claim\.deadlines)\[")
"""Lists whose order means nothing: the normal form sorts them, so an item does not stand where the document has it."""
_SHORT = re.compile(r"(\.(eligible|selector|where)\.[^.]+|\.(models|regions|service|source|proof|values)|^tags)\Z")
"""Parts whose values the normal form writes in another shape than the document: conditions, and lists of words."""


@dataclass(frozen=True, slots=True)
class TermRow:
    """One expanded term: where it stands in the normal form, its value, and where it was written."""

    path: str
    value: str
    source: str


def term_rows(agreement: Agreement, provenance: Mapping[str, Traced]) -> tuple[TermRow, ...]:
    """Return every expanded term, in the order of the normal form.

    Args:
        agreement: the normal form.
        provenance: where the values of the document were written, by their path in it.

    """
    return tuple(TermRow(path, value, _source(path, provenance)) for path, value in _leaves(agreement.model_dump(), ""))


def render_terms(rows: Sequence[TermRow]) -> list[str]:
    """Return the rows as aligned columns; terms that all promises share stand there once."""
    shown = _shared(rows)
    path = max((len(r.path) for r in shown), default=0)
    value = max((len(r.value) for r in shown if len(r.value) <= 40), default=0)
    return [f"  {r.path:<{path}}  {r.value:<{value}}  {r.source}".rstrip() for r in shown]


def _leaves(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from _leaves(child, child_path(path, str(key)))
    elif isinstance(node, list | tuple):
        if not node or isinstance(node[0], Mapping | list | tuple):
            for i, child in enumerate(node):
                yield from _leaves(child, f"{path}[{i}]")
        else:
            yield path, plain(f"[{', '.join(str(item) for item in node)}]")
    elif node is not None:
        yield path, plain(str(node).lower() if isinstance(node, bool) else str(node))


def _source(path: str, provenance: Mapping[str, Traced]) -> str:
    """Return the profile that brought a term in, or the line it stands in; nothing where that is not known.

    A term that the document writes in short form (a clause, a step of the ladder) has the origin of the short form.
    """
    if not provenance:
        return ""
    if (among := _SORTED.match(path)) is not None:
        items = {written: where for written, where in provenance.items() if written.startswith(f"{among[1]}[")}
        tail = path.partition("]")[2]
        same = [where for written, where in items.items() if f"{written.partition(']')[2]}[".startswith(f"{tail}[")]
        return _together(same or list(items.values()))
    found = provenance.get(path) or _step(path, provenance) or _within(path, provenance)
    around = path
    while found is None and around:
        around = around[: max(around.rfind("."), around.rfind("["), 0)]
        found = provenance.get(around) or _within(around, provenance)
    return "not written" if found is None else _together([found])


def _together(origins: Sequence[Traced]) -> str:
    """Return the one profile, or the lines, that values come from."""
    profiles = {where.profile for where in origins}
    if profiles != {None}:
        return ", ".join(sorted(profile or "this file" for profile in profiles)) or "not written"
    lines = [where.place.line for where in origins]
    return f"line {lines[0]}" if min(lines) == max(lines) else f"lines {min(lines)}-{max(lines)}"


def _step(path: str, provenance: Mapping[str, Traced]) -> Traced | None:
    """Return the origin of a step of a ladder, which the document writes as `below 99.5%: 10%`, in the same order."""
    parts = _STEP.match(path)
    if parts is None:
        return None
    steps = [where for written, where in provenance.items() if written.startswith(f"{parts[1]}[")]
    return steps[int(parts[2])] if int(parts[2]) < len(steps) else None


def _within(path: str, provenance: Mapping[str, Traced]) -> Traced | None:
    """Return the origin of the first value that stands inside a part of the document."""
    inside = (where for written, where in provenance.items() if written.startswith((f"{path}.", f"{path}[")))
    return next(inside, None) if _SHORT.search(path) else None


def _shared(rows: Sequence[TermRow]) -> list[TermRow]:
    """Say once, as ``objectives[*]``, what stands the same in every promise."""
    promises = {r.path.split("]")[0] for r in rows if r.path.startswith("objectives[")}
    alike: dict[tuple[str, str, str], int] = {}
    for row in rows:
        if row.path.startswith("objectives["):
            key = (row.path.partition("]")[2], row.value, row.source)
            alike[key] = alike.get(key, 0) + 1
    found: dict[TermRow, None] = {}
    for row in rows:
        rest = row.path.partition("]")[2]
        everywhere = len(promises) > 1 and alike.get((rest, row.value, row.source)) == len(promises)
        found[TermRow(f"objectives[*]{rest}", row.value, row.source) if everywhere else row] = None
    return list(found)
