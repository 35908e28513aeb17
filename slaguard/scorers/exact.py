"""exact@1: the stated answer equals the reference, upper and lower case and decoration apart."""

from __future__ import annotations

from typing import Final

from slaguard.scorers.base import ANSWER_MAX, Graded, Item, stated, trimmed
from slaguard.terms import Grade

_LONGEST_WORD: Final = 64


class Exact:
    """Compares text.

    The text after the last ``Answer:`` is taken. An answer without such a line counts only if it is a single word
    (``Yes.``); anything longer is `unparsed`, because which of its words is the answer would be a guess.
    """

    id: str = "exact@1"

    def score(self, item: Item, answer: str) -> Graded:
        """Return correct, wrong or unparsed."""
        given = stated(answer)
        if given is None:
            given = _single_word(answer)
            if given is None:
                return Graded(Grade.UNPARSED, "no line that starts with Answer:")
        if not given:
            return Graded(Grade.UNPARSED, "nothing after Answer:")
        if len(given) > ANSWER_MAX or _folded(given) != _folded(trimmed(item.reference)):
            return Graded(Grade.WRONG, "not the reference")
        return Graded(Grade.CORRECT)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _single_word(answer: str) -> str | None:
    text = answer.strip()
    if len(text) > _LONGEST_WORD:
        return None
    word = trimmed(text)
    return word if word and len(word.split()) == 1 else None
