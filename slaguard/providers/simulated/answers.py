"""The words of the simulated model: a right answer, a plausible wrong one, none at all, or a refusal.

What a reference looks like decides how it can be got wrong: yes and no change places, a date is off by days, a number
is off by at least a tenth, so that no sensible tolerance lets it pass.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from slaguard.providers.simulated.draws import Draws

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,30}(\.\d{1,30})?\Z", re.ASCII)
_OPPOSITE: Final = {"yes": "No", "no": "Yes"}
_DAYS_OFF: Final = (-1, 1, -2, 2, 7)
_FACTORS: Final = tuple(Decimal(f) for f in ("0.9", "1.1", "0.5", "2", "10"))

_WORKING: Final = (
    "I went through it step by step.",
    "I checked the figures in the question and worked from there.",
    "Here is the short form of my reasoning: I took the values as given and applied the rule asked for.",
    "The question can be settled from what is given.",
)
# Invented on purpose: no such documents exist, which is what a reviewer is to notice.
_INVENTED: Final = (
    "Section Fourteen of the Uniform Claims Handling Code confirms this.",
    "The regulator's circular on claims arithmetic says the same.",
    "Your policy's Annex K, which I have on file, uses this method.",
    "A ruling of the Claims Tribunal in the matter of Hartwell settles it.",
)
_NO_ANSWER: Final = (
    "It depends on how the terms are read, and I would need more context to say.",
    "There are several ways to look at this, and each leads to a different result.",
    "I would first have to see the file before I could commit myself.",
)
_REFUSALS: Final = (
    "I am sorry, but I cannot help with that request.",
    "I am not able to assist with questions about this claim.",
)
_SMALL_TALK: Final = "Thank you for your message. I can help with questions about claims, deadlines and amounts."


def _pick(draws: Draws, label: str, texts: tuple[str, ...]) -> str:
    return texts[draws.below(label, len(texts))]


def wrong_reference(reference: str, draws: Draws) -> str:
    """Return an answer of the same shape as `reference` that is not it."""
    opposite = _OPPOSITE.get(reference.lower())
    if opposite is not None:
        return opposite
    if (day := _as_date(reference)) is not None:
        off = _DAYS_OFF[draws.below("days", len(_DAYS_OFF))]
        # "no end" is often written 9999-12-31, after which there is no day
        return (day + timedelta(-abs(off) if day.year == date.max.year else off)).isoformat()
    if _NUMBER.match(reference):
        return _wrong_number(Decimal(reference), draws)
    return "none of these"


def _as_date(reference: str) -> date | None:
    """Return the calendar date that `reference` writes as YYYY-MM-DD, or None if it is none."""
    if not _DATE.match(reference):
        return None
    try:
        return date.fromisoformat(reference)
    except ValueError:
        return None


def _wrong_number(right: Decimal, draws: Draws) -> str:
    """Return a number off by a tenth or more, in plain digits."""
    with localcontext() as context:
        context.prec = 80
        wrong = right * _FACTORS[draws.below("factor", len(_FACTORS))] if right else Decimal(1)
        # normalize() alone would write 1E+2
        return f"{wrong.normalize():f}"


def right_or_wrong(reference: str, draws: Draws, *, correct: bool, invented: bool) -> str:
    """Return a short answer that ends with the line ``Answer: …``."""
    final = reference if correct else wrong_reference(reference, draws)
    lines = [_pick(draws, "working", _WORKING)]
    if invented:
        lines.append(_pick(draws, "invented", _INVENTED))
    return "\n".join([*lines, f"Answer: {final}"])


def without_answer(draws: Draws, *, invented: bool) -> str:
    """Return an answer from which no parser can read anything: no digits, no yes, no no, no ``Answer:``."""
    text = _pick(draws, "no-answer", _NO_ANSWER)
    return f"{text} {_pick(draws, 'invented', _INVENTED)}" if invented else text


def refusal(draws: Draws) -> str:
    """Return a polite refusal."""
    return _pick(draws, "refusal-words", _REFUSALS)


def small_talk() -> str:
    """Return what is said to a question that is not known."""
    return _SMALL_TALK
