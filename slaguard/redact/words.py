"""The words that stand in the place of what was taken out, and how a pattern of RE2 is made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

import re2

SECRET: Final = "[redacted secret]"  # noqa: S105 - the word that stands in its place
EMAIL: Final = "[redacted e-mail]"
IBAN: Final = "[redacted account]"
CARD: Final = "[redacted card]"
PHONE: Final = "[redacted phone]"
Span: TypeAlias = tuple[int, int]
_FILLER: Final = "["


def compiled(pattern: str) -> Any:
    """Return a pattern of RE2, whose time is linear in the text, whatever the text."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def blanked(text: str, spans: Iterable[Span], filler: str = _FILLER) -> str:
    """Return a text of the same length in which nothing is to be recognised any more at `spans` (sorted, disjoint)."""
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += [text[at:start], filler * (end - start)]
        at = end
    return "".join([*parts, text[at:]])
