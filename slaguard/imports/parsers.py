"""Named parsers: they read an answer out of a text and compare it with the reference.

A strict and a lenient parser of the same answers give different accuracies, and an answer that cannot be read is a fact
of its own; import both and let the Objective's `scorer` choose.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from slaguard.terms import Grade

_BRACKETED = re.compile(r"\[\s*(yes|no)\s*\]", re.IGNORECASE | re.ASCII)
_WORD = re.compile(r"\b(yes|no)\b", re.IGNORECASE | re.ASCII)

Reader = Callable[[str], str | None]
"""Takes the text of an answer, returns the answer in lower case, or None where there is none."""


def bracketed_yes_no(text: str) -> str | None:
    """Return the bracketed answer, ``[Yes]`` or ``[No]``; of several, the last; nothing else counts."""
    return _last(_BRACKETED, text)


def last_yes_no(text: str) -> str | None:
    """Return the last word ``yes`` or ``no``, in brackets or not."""
    return _last(_WORD, text)


def _last(pattern: re.Pattern[str], text: str) -> str | None:
    found = None
    for match in pattern.finditer(text):
        found = match[1]
    return found.lower() if found else None


PARSERS: Final[dict[str, Reader]] = {"bracketed_yes_no@1": bracketed_yes_no, "last_yes_no@1": last_yes_no}
"""Every parser by its name and version; a change of behaviour is a new version."""


def grade(reader: Reader, answer: str, reference: str) -> Grade:
    """Grade an answer by what the parser reads in it.

    Raises:
        ValueError: the reference itself is no answer of the kind the parser reads.

    """
    right = reader(reference) or reader(f"[{reference.strip()}]")
    if right is None:
        msg = "the reference is neither yes nor no"
        raise ValueError(msg)
    given = reader(answer)
    if given is None:
        return Grade.UNPARSED
    return Grade.CORRECT if given == right else Grade.WRONG
