"""From a name or a path to a Mapping: the user's own file, or one that ships (`sla_specs/mappings/<name>@<version>.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from slaguard.errors import Problem, RecordsError, SpecError
from slaguard.imports.mapping import Mapping
from slaguard.spec.codes import ordered
from slaguard.spec.library import SHIPPED, shipped_file, shipped_names
from slaguard.spec.nodes import Map, nearest, plain, problem_at, scalars
from slaguard.spec.notation import parse
from slaguard.spec.reading import read_text
from slaguard.spec.translate import Known, problems_of

FOLDER: Final = "mappings"
FILL_IN: Final = "FILL_IN"
"""What `import --suggest` writes where only a person knows."""
_HINTS: Final[dict[str, str]] = {
    "source": "traffic: these are your own calls; probe: they were made in order to measure",
    "population": "complete: every call there was is in the file; unknown: it is a part of them",
    "covers": "START/END for which the log is whole, such as 2026-10-01T00:00:00Z/2026-11-01T00:00:00Z, or first..last",
    "zone": "the time zone of the times in the file, such as Europe/Berlin or UTC",
    "time.batch.span": "START/END in which the calls were made, such as 2026-10-01T00:00:00Z/2026-11-01T00:00:00Z",
}


def parse_mapping(text: str, source: str) -> Mapping:
    """Return the Mapping of a document.

    Raises:
        SpecError: carries everything that is wrong with it.

    """
    parsed = parse(text, source)
    problems = list(parsed.problems)
    if parsed.root is None:
        raise SpecError(ordered(problems))
    blanks = list(_blanks(parsed.root))
    try:
        mapping = Mapping.model_validate(plain(parsed.root))
    except ValidationError as error:
        mapping = None
        blank_paths = {b.path for b in blanks}
        problems += [p for p in _found(error, parsed.root, parsed.broken | blank_paths) if p.path not in blank_paths]
    problems += blanks
    if problems or mapping is None:
        raise SpecError(ordered(problems))
    return mapping


def _found(error: ValidationError, root: Map, broken: frozenset[str]) -> list[Problem]:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["loc"]:
        return problems_of(error, Mapping, root, Known(broken=broken))
    # How terms fit together is looked at only when each is right, so this finding stands alone.
    key = _WHERE.get(first["type"], "fields")
    return [Problem(first["type"], root.place_of(key), key, "does not go together", first["msg"])]


_WHERE: Final[dict[str, str]] = {"E-SPEC-OUTCOME": "outcomes", "E-SPEC-DUP": "scores", "E-SPEC-REF": "scores"}
"""The key to point at for a finding about how terms fit together, by its code."""


def _blanks(root: Map) -> Iterator[Problem]:
    for scalar in scalars(root):
        if scalar.text == FILL_IN:
            hint = _HINTS.get(scalar.path, "write what the comment beside it asks for")
            yield problem_at(scalar, "E-SPEC-SCHEMA", f"{FILL_IN}: only you know this", hint)


def shipped_mappings() -> tuple[str, ...]:
    """Return the mappings that ship, as `name@version`."""
    return shipped_names(FOLDER)


def load_mapping(name: str) -> Mapping:
    """Return a Mapping by the path of a file, or by the name (`name` or `name@version`) of one that ships.

    Raises:
        SpecError: the document is refused.
        RecordsError: there is no such file and no such name.

    """
    found = _shipped(name)
    if found is not None:
        return found
    if "/" in name or name.endswith((".yaml", ".yml")) or Path(name).is_file():
        return parse_mapping(read_text(Path(name)), name)
    known = dict.fromkeys(n.partition("@")[0] for n in shipped_mappings())
    meant = nearest(name, known)
    hint = f"did you mean {meant}? there are" if meant else "there are auto,"
    raise RecordsError(
        f"--mapping {ascii(name)[:80]}: no mapping of this name ships and there is no such file; {hint} {', '.join(known)}\n"
        "    or write your own: slaguard import --suggest FILE > mapping.yaml"
    )


def _shipped(name: str) -> Mapping | None:
    wanted, _, version = name.partition("@")
    found = [n for n in shipped_mappings() if n.partition("@")[0] == wanted and version in {"", n.partition("@")[2]}]
    return _shipped_mapping(max(found, key=_version)) if found else None


def _version(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", name.partition("@")[2]))


@cache
def _shipped_mapping(name: str) -> Mapping:
    path = f"{FOLDER}/{name}.yaml"
    return parse_mapping(shipped_file(path).read_text("utf-8"), f"{SHIPPED}/{path}")


def recognisable() -> Iterator[Mapping]:
    """Yield the newest version of every shipped mapping that says what it is recognised by."""
    for name in dict.fromkeys(n.partition("@")[0] for n in shipped_mappings()):
        mapping = _shipped(name)
        if mapping is not None and mapping.recognised_by:
            yield mapping
