"""Any document by its `kind`: what `slaguard validate` looks at, one file at a time.

A kind that another part of slaguard owns (`Mapping`) is checked by what the caller passes in, so that this floor needs
no higher one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from slaguard.errors import Problem, SpecError
from slaguard.spec.canonical import expand
from slaguard.spec.codes import ordered
from slaguard.spec.golden import golden_set
from slaguard.spec.library import Golden, Shelves, sha256_file
from slaguard.spec.load import examine
from slaguard.spec.nodes import Map, Scalar, problem_at, show
from slaguard.spec.notation import Parsed, parse
from slaguard.spec.profile_check import check_profile
from slaguard.spec.reading import read_text
from slaguard.spec.translate import choice

UNREADABLE: Final = "E-SPEC-FILE"
_OURS = re.compile(r"^(apiVersion: *['\"]?slaguard/|kind: *['\"]?(Agreement|Profile|GoldenSet|Mapping)\b)", re.MULTILINE)
"""A folder may hold other YAML too: this tells ours, also where it cannot be parsed."""


@dataclass(frozen=True, slots=True)
class Checked:
    """One document after checking: its kind, what it holds in a few words, everything found, and its normal form.

    `kind` is None where the file could not be read or is of no kind of ours; `ours` tells whether it means to be one.
    """

    file: str
    kind: str | None = None
    holds: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    expanded: str | None = None
    sha256: str | None = None
    ours: bool = True

    @property
    def ok(self) -> bool:
        """Whether the document is accepted; warnings do not count."""
        return not any(p.is_error for p in self.problems)


Check = Callable[[str, str], tuple[Problem, ...]]
"""Checks a document of another kind: its text and its file's name to everything found."""


def check_file(path: Path, checks: Mapping[str, Check]) -> Checked:
    """Return what is to be said of one file.

    Args:
        path: the file.
        checks: how documents of further kinds are checked, and what else is checked of our own.

    """
    file = str(path)
    try:
        text = read_text(path)
    except SpecError as error:
        return Checked(file, problems=error.problems)
    parsed = parse(text, file)
    ours = bool(_OURS.search(text))
    if parsed.root is None:
        return Checked(file, problems=ordered(parsed.problems), ours=ours)
    kind = parsed.root.text("kind") or ""
    check = _OWN.get(kind)
    found = check(path, parsed) if check else Checked(file, kind)
    if kind in checks:
        return replace(found, problems=ordered((*found.problems, *checks[kind](text, file)))) if found.ok else found
    if check is not None:
        return found
    kinds = tuple(dict.fromkeys((*_OWN, *checks)))
    return Checked(file, problems=ordered((*parsed.problems, _unknown(parsed.root, kinds))), ours=ours)


def documents(folder: Path) -> Iterator[Path]:
    """Yield the YAML files below a folder, in order; folders whose names begin with a dot are passed over."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:  # it may not be listed: reading it says so
        yield folder
        return
    for path in entries:
        if path.is_dir() and not path.is_symlink():
            if not path.name.startswith("."):
                yield from documents(path)
        elif path.suffix in {".yaml", ".yml"}:
            yield path


def _unknown(root: Map, kinds: tuple[str, ...]) -> Problem:
    kind = root.get("kind")
    if kind is None:
        mend = f"say what it is: `kind: {kinds[0]}` (or {', '.join(kinds[1:])})"
        return Problem("E-SPEC-SCHEMA", root.place, "kind", "missing", mend)
    return problem_at(kind, "E-SPEC-SCHEMA", show(kind), choice(kind.text if isinstance(kind, Scalar) else "", kinds))


def counted(n: int, word: str) -> str:
    """Return a number with its noun: ``1 objective``, ``2 objectives``."""
    return f"{n} {word}{'' if n == 1 else 's'}"


# ── our own kinds ───────────────────────────────────────────────────────────────────────────────────────────────────
def _agreement(path: Path, parsed: Parsed) -> Checked:
    loaded, problems = examine(parsed, Shelves(path.parent))
    if loaded is None:
        return Checked(str(path), "Agreement", problems=problems)
    holds = (counted(len(loaded.agreement.objectives), "objective"), counted(len(loaded.profiles), "profile"))
    return Checked(str(path), "Agreement", holds, problems, expand(loaded.agreement), loaded.spec_sha256)


def _profile(path: Path, parsed: Parsed) -> Checked:
    file, problems = check_profile(parsed)
    holds = ("profile", counted(len(file.head.parameters), "parameter")) if file.head else ()
    named = f"{file.head.name}@{file.head.version}" if file.head else None
    return Checked(str(path), "Profile", holds, ordered((*problems, *_misplaced(path, parsed, named))))


def _golden(path: Path, parsed: Parsed) -> Checked:
    questions = path.with_suffix(".jsonl")
    try:
        sha256 = sha256_file(questions) if questions.exists() else None
    except SpecError as error:
        return Checked(str(path), "GoldenSet", problems=error.problems)
    card, problems = golden_set(Golden(parsed, sha256))
    holds = ("golden set", counted(card.items, "question")) if card else ()
    named = f"{card.name}@{card.version}" if card else None
    return Checked(str(path), "GoldenSet", holds, ordered((*problems, *_misplaced(path, parsed, named))))


def _misplaced(path: Path, parsed: Parsed, named: str | None) -> Iterator[Problem]:
    """Yield E-SPEC-REF where a file's name is not its reference: nobody would find it."""
    tail = named.removeprefix("vendors/") if named else ""
    if named and not f"/{path.absolute().as_posix()}".endswith(f"/{tail}.yaml") and parsed.root is not None:
        name = parsed.root.get("name") or parsed.root
        yield problem_at(name, "E-SPEC-REF", named, f"name the file {named}.yaml, or change its name and version")


_OWN: Final[Mapping[str, Callable[[Path, Parsed], Checked]]] = {
    "Agreement": _agreement,
    "Profile": _profile,
    "GoldenSet": _golden,
}
