"""The questions whose answers the simulated vendor knows: a golden set, read for its truth alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from slaguard.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class Question:
    """One item of a golden set: `kind` is its class."""

    item: str
    input: str
    reference: str
    kind: str


@dataclass(slots=True)
class Questions:
    """Finds the known question inside a prompt, whatever template stands around it."""

    known: tuple[Question, ...]
    _found: dict[str, Question | None] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Put longer questions first, so that one which contains another wins."""
        self.known = tuple(sorted(self.known, key=lambda q: (-len(q.input), q.item)))

    def find(self, prompt: str) -> Question | None:
        """Return the longest known question that stands in `prompt`, or None."""
        if prompt not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[prompt] = next((q for q in self.known if q.input in prompt), None)
        return self._found[prompt]


def read_questions(lines: Iterable[str]) -> Questions:
    """Return the questions of a golden set's JSONL lines (`id`, `input`, `reference`, `class`).

    Raises:
        ConfigError: naming the line that is no item.
    """
    known: list[Question] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            known.append(Question(row["id"], row["input"], row["reference"], row["class"]))
        except (ValueError, KeyError, TypeError) as error:
            msg = f"golden set line {number}: no item; write one JSON object with id, input, reference and class"
            raise ConfigError(msg) from error
    return Questions(tuple(known))
