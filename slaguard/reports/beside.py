"""What else a reader needs to evaluate again: the profiles and questions that an Agreement names, where they do not ship."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from slaguard.errors import Place
from slaguard.spec.library import shipped_file
from slaguard.spec.load import Loaded
from slaguard.spec.notation import MAX_BYTES
from slaguard.spec.reading import MAX_GOLDEN_BYTES, read_bytes

SHELF: Final = "golden"
"""The folder of questions that ship: they are there to be read; slaguard reads its own copy, which has the same hash."""


def files_beside(agreement: Path, loaded: Loaded) -> dict[str, bytes]:
    """Return the files a claim pack needs besides the Agreement's own, by their path beside it.

    Profiles and questions that stand beside the Agreement are taken as they are; questions that ship go into a folder.

    Raises:
        SpecError: a file that was there when the Agreement was loaded cannot be read.

    """
    found: dict[str, bytes] = {}
    for label in loaded.profiles:
        if (agreement.parent / f"{label}.yaml").is_file():
            found[f"{label}.yaml"] = _read(agreement.parent / f"{label}.yaml", MAX_BYTES)
    for objective in loaded.agreement.objectives:
        if objective.golden_set is not None:
            found |= _questions(agreement.parent, objective.golden_set.id)
    return found


def _questions(folder: Path, name: str) -> dict[str, bytes]:
    if (folder / f"{name}.yaml").is_file():
        return {f"{name}{end}": _read(folder / f"{name}{end}", MAX_GOLDEN_BYTES) for end in (".yaml", ".jsonl")}
    return {f"{SHELF}/{name}{end}": shipped_file(f"golden/{name}{end}").read_bytes() for end in (".yaml", ".jsonl")}


def _read(path: Path, limit: int) -> bytes:
    return read_bytes(path, limit, Place(str(path)))
