"""Where `name@version` leads: first the folder of the Agreement, then what ships; found in both is an error.

A reference names one file, `<name>@<version>.yaml`. Names hold no dots, so none leads out of its folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Protocol, Self

from slaguard.errors import Place, Problem, SpecError
from slaguard.spec.notation import Parsed, parse
from slaguard.spec.reading import MAX_GOLDEN_BYTES, read_bytes, read_text, sha256_of

_REFERENCE = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9-]*(?:/[a-z0-9][a-z0-9-]*){0,3})@(?P<version>\d{4}-\d{2}-\d{2}|\d{1,6}(?:\.\d{1,6}){0,3})\Z",
    re.ASCII,
)
SHIPPED: Final = "sla_specs"


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """`name@version`: the version is a whole number, whole numbers with dots, or an ISO date."""

    name: str
    version: str

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the reference, or None if the text is none."""
        found = _REFERENCE.match(text) if len(text) <= 120 else None
        return cls(found["name"], found["version"]) if found else None

    def __str__(self) -> str:
        """Return `name@version`."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Golden:
    """A golden set as found: its card, and the SHA-256 of its questions (None where the questions are missing)."""

    card: Parsed
    sha256: str | None


class Library(Protocol):
    """Where references lead."""

    def profile(self, reference: Reference) -> Parsed | None:
        """Return a Profile's document, or None."""

    def golden(self, reference: Reference) -> Golden | None:
        """Return a golden set's card and the hash of its questions, or None."""

    def profiles(self) -> tuple[str, ...]:
        """Return all Profiles there are, as `name@version`."""

    def goldens(self) -> tuple[str, ...]:
        """Return all golden sets there are, as `name@version`."""


@dataclass(frozen=True, slots=True)
class Shelves:
    """The folder of the Agreement (None: there is none), then what ships."""

    beside: Path | None = None

    def profile(self, reference: Reference) -> Parsed | None:
        """Return a Profile's document, or None.

        Raises:
            SpecError: it stands beside the Agreement and also ships, or its file cannot be read.

        """
        shipped = _shipped_path("profiles", reference)
        own = self._own(reference, shipped)
        if own:
            return parse(read_text(own), str(own))
        return _shipped_document(shipped) if shipped else None

    def golden(self, reference: Reference) -> Golden | None:
        """Return a golden set's card and the hash of its questions, or None.

        Raises:
            SpecError: it stands beside the Agreement and also ships, or its card cannot be read.

        """
        shipped = _shipped_path("golden", reference)
        own = self._own(reference, shipped)
        if own:
            questions = own.with_suffix(".jsonl")
            return Golden(parse(read_text(own), str(own)), sha256_file(questions) if questions.exists() else None)
        return _shipped_golden(shipped) if shipped else None

    def profiles(self) -> tuple[str, ...]:
        """Return all Profiles there are, as `name@version`."""
        own = self.beside.glob("*/*@*.yaml") if self.beside else ()
        names = [p.relative_to(self.beside).as_posix().removesuffix(".yaml") for p in own if self.beside]
        return tuple(sorted({*names, *shipped_names("profiles"), *(f"vendors/{n}" for n in shipped_names("vendors"))}))

    def goldens(self) -> tuple[str, ...]:
        """Return all golden sets there are, as `name@version`."""
        own = [p.name.removesuffix(".jsonl") for p in self.beside.glob("*@*.jsonl")] if self.beside else []
        return tuple(sorted({*own, *shipped_names("golden")}))

    def _own(self, reference: Reference, shipped: str | None) -> Path | None:
        if self.beside is None:
            return None
        path = self.beside / f"{reference}.yaml"
        if not _is_there(path):
            return None
        if shipped is None:
            return path
        if _same(path, shipped):
            return None
        mend = f"rename your {reference}.yaml, so that everybody knows which one is meant"
        text = f"{reference} stands beside the Agreement and also ships with slaguard"
        raise SpecError((Problem("E-SPEC-DUP", Place(str(path)), "", text, mend),))


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a golden set's questions, in hexadecimal.

    Raises:
        SpecError: the file cannot be read or is larger than 64 MiB.

    """
    return sha256_of(read_bytes(path, MAX_GOLDEN_BYTES, Place(str(path))))


# ── what ships ──────────────────────────────────────────────────────────────────────────────────────────────────────
def shipped_file(path: str) -> Traversable:
    """Return a file that ships, by its path below `sla_specs/`."""
    return resources.files(SHIPPED).joinpath(path)


@cache
def shipped_names(folder: str) -> tuple[str, ...]:
    """Return the names (`name@version`) of the YAML files of a folder that ships, with the folders below it."""
    root = shipped_file(folder)
    return tuple(sorted(_names(root, ""))) if root.is_dir() else ()


def _names(folder: Traversable, prefix: str) -> Iterator[str]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _names(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".yaml") and "@" in item.name:
            yield f"{prefix}{item.name.removesuffix('.yaml')}"


def _shipped_path(folder: str, reference: Reference) -> str | None:
    """Return the path below `sla_specs/`: presets in `vendors/`, all other profiles in `profiles/`, sets in `golden/`."""
    if reference.name.startswith("vendors/"):
        folder, name = "vendors", str(reference).removeprefix("vendors/")
    else:
        name = str(reference)
    return f"{folder}/{name}.yaml" if name in shipped_names(folder) else None


@cache
def _shipped_document(path: str) -> Parsed:
    return parse(shipped_file(path).read_text("utf-8"), f"{SHIPPED}/{path}")


@cache
def _shipped_golden(path: str) -> Golden:
    questions = shipped_file(path.removesuffix(".yaml") + ".jsonl")
    return Golden(_shipped_document(path), sha256_of(questions.read_bytes()) if questions.is_file() else None)


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:  # reading it says so
        return True


def _same(path: Path, shipped: str) -> bool:
    """Tell whether a file beside the Agreement is the very one that ships (an Agreement inside `sla_specs/`)."""
    return path.resolve() == Path(str(shipped_file(shipped))).resolve()
