"""Find scorers by name: those that are installed, ours and other people's, through the entry points."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Final

from slaguard.errors import ProbeError
from slaguard.scorers.base import Scorer

GROUP: Final = "slaguard.scorers"


def find_scorers(ids: Iterable[str]) -> dict[str, Scorer]:
    """Return a scorer for each `name@version`.

    Raises:
        ProbeError: none of this name is installed, or the installed one is of another version.

    """
    return {wanted: _find(wanted) for wanted in sorted(set(ids))}


def _find(wanted: str) -> Scorer:
    name = wanted.partition("@")[0]
    doors = entry_points(group=GROUP)
    if name not in doors.names:
        there = ", ".join(sorted(doors.names)) or "none"
        msg = f"no scorer {wanted} is installed; there is {there}\n    install the package that brings it, or name another"
        raise ProbeError(msg)
    scorer: Scorer = doors[name].load()()
    if scorer.id != wanted:
        msg = f"the scorer {wanted} is not installed; there is {scorer.id}\n    grades of another version are not comparable"
        raise ProbeError(msg)
    return scorer
