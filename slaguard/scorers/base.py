"""What a scorer is, and where in an answer the answer stands.

A scorer is deterministic, has a name with a version (`exact@1`) that changes with any change of what it would say, and
never raises: whatever a vendor sends gets a grade.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from slaguard.terms import Grade


class Item(Protocol):
    """What a scorer reads of a golden item."""

    @property
    def reference(self) -> str:
        """The right answer."""

    @property
    def tolerance(self) -> str | None:
        """How far a number may be off, as written in the golden set (``0.01``, ``1%``); None: the scorer's own rule."""


@dataclass(frozen=True, slots=True)
class Graded:
    """A grade and why, in a few words for a reader; the words hold nothing of the answer."""

    grade: Grade
    reason: str | None = None


class Scorer(Protocol):
    """Grades one answer."""

    @property
    def id(self) -> str:
        """Name and version, as golden sets and Agreements write it."""

    def score(self, item: Item, answer: str) -> Graded:
        """Return the grade of `answer`, any text at all."""


ANSWER_MAX: Final = 1000
"""An answer longer than this after its `Answer:` is none that a reference could equal."""
_MARKER: Final = re.compile(r"answer[*_`\"' ]{0,8}[:\uff1a]", re.IGNORECASE)
_LINES: Final = re.compile(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_AROUND: Final = "*_`#>~|\"'“”\u2018’«»()[]{}<.,;:!?。、"
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Unicode categories that a reader does not see: control, format (bidi marks, soft hyphens), surrogate, unassigned."""


def stated(answer: str) -> str | None:
    """Return what an answer gives after its last ``Answer:``, trimmed; None if it has no such line.

    Where nothing follows on the line, the next line that holds something counts. Upper and lower case, markdown around
    the word and a full-width colon make no difference.
    """
    at = None
    for found in _MARKER.finditer(answer):
        if found.start() == 0 or not answer[found.start() - 1].isalnum():
            at = found.end()
    if at is None:
        return None
    return next((text for line in _lines_from(answer, at) if (text := trimmed(line))), "")


def _lines_from(answer: str, at: int) -> Iterator[str]:
    """Yield the lines from a position on, each cut, so that no more is looked at than an answer can need."""
    while at < len(answer):
        end = _LINES.search(answer, at)
        stop = end.start() if end else len(answer)
        yield answer[at : min(stop, at + ANSWER_MAX + 1)]
        at = stop + 1


def visible(text: str) -> str:
    """Return the text as a reader sees it: compatibility forms unified (NFKC), invisible characters left out."""
    kept = "".join(c for c in text if c.isspace() or unicodedata.category(c) not in _INVISIBLE)
    return unicodedata.normalize("NFKC", kept)


def trimmed(text: str) -> str:
    """Return one line without the spaces, markdown, quotation marks and punctuation around it."""
    return visible(text).strip().strip(_AROUND + " \t\u00a0").strip()
