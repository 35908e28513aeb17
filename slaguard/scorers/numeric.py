"""numeric@1: the stated number equals the reference within its tolerance, exactly computed."""

from __future__ import annotations

import re
from decimal import Context, Decimal
from typing import Final

from slaguard.scorers.base import ANSWER_MAX, Graded, Item, stated, trimmed, visible
from slaguard.terms import Grade

_MOST_DIGITS: Final = 100
_MOST_EXPONENT: Final = 100
_PRECISION: Final = 400
"""Enough for every sum and difference of numbers within the two limits above to be exact."""
_BEYOND: Final = Decimal("Infinity")
_LONGEST_BARE: Final = 8000
_MINUS: Final = str.maketrans("−–\u2010\u2011’", "----'")
_NUMBER: Final = re.compile(
    r"(?<![\w^])(?P<sign>[-+](?=[$€£¥]?[0-9]))?[$€£¥]?"
    r"(?P<digits>[0-9]+(?:[.,'_][0-9]+|[ ][0-9]{3}(?![0-9]))*)"
    r"(?:[eE](?P<exponent>[-+]?[0-9]+)(?![\w]))?"
)
_ENGLISH: Final = re.compile(r"(?:[0-9]+|[1-9][0-9]{0,2}(?:(?P<mark>[ ,'_])[0-9]{3})(?:(?P=mark)[0-9]{3})*)(?:\.[0-9]+)?\Z")
_CONTINENTAL: Final = re.compile(
    r"(?:[0-9]+,[0-9]+|[1-9][0-9]{0,2}(?:(?P<mark>[ .'])[0-9]{3})(?:(?P=mark)[0-9]{3})*(?:,[0-9]+)?)\Z"
)
_PERCENT: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)%\Z", re.ASCII)
_PLAIN: Final = re.compile(r"[0-9]{1,40}(?:\.[0-9]{1,40})?\Z", re.ASCII)


class Numeric:
    """Compares numbers.

    The text after the last ``Answer:`` is taken; without such a line the whole answer, if it is a number and nothing
    else. It must hold one number, with any unit or currency beside it; two numbers (``3 of 4``, ``1/3``) are
    `unparsed`. Thousands may be grouped (``1,234.5``, ``1 234.5``, ``1.234,5``); a comma that cannot group is a decimal
    comma. A golden item's `tolerance` is how far the number may be off (``0.01``, or ``1%`` of the reference). Without
    one, a reference with decimals is met by every number that rounds to it, and a whole one by itself alone.
    """

    id: str = "numeric@1"

    def score(self, item: Item, answer: str) -> Graded:
        """Return correct, wrong or unparsed; unscored if the golden item itself cannot be compared with."""
        reference, limit = number(item.reference), tolerance(item)
        if reference is None or limit is None:
            return Graded(Grade.UNSCORED, "the golden item has no number to compare with")
        given = stated(answer)
        if given is None:
            given = _bare(answer)
        if given is None:
            return Graded(Grade.UNPARSED, "no line that starts with Answer:")
        value = number(given)
        if value is None or (len(given) > ANSWER_MAX and value.is_finite()):
            return Graded(Grade.UNPARSED, "not one number after Answer:")
        if abs(_exactly().subtract(value, reference)) > limit:
            return Graded(Grade.WRONG, "off by more than the tolerance")
        return Graded(Grade.CORRECT)


def _exactly() -> Context:
    return Context(prec=_PRECISION)


def number(text: str) -> Decimal | None:
    """Return the one number that stands in a text; None if there is none, or more than one.

    A number of more than 100 digits, or with an exponent beyond 100, comes back as infinite: no reference equals it.
    """
    found = list(_NUMBER.finditer(visible(text).translate(_MINUS)))
    if len(found) != 1:
        return None
    digits = found[0]["digits"]
    exponent = found[0]["exponent"] or "0"
    if len(digits) > _MOST_DIGITS or len(exponent) > len(str(_MOST_EXPONENT)) + 1 or abs(int(exponent)) > _MOST_EXPONENT:
        return _BEYOND
    plain = _ungrouped(digits)
    return None if plain is None else Decimal(f"{found[0]['sign'] or ''}{plain}E{exponent}")


def _ungrouped(digits: str) -> str | None:
    """Return the digits with a decimal point and nothing else; None where groups and point contradict each other."""
    if found := _ENGLISH.match(digits):
        return digits.replace(found["mark"], "") if found["mark"] else digits
    if found := _CONTINENTAL.match(digits):
        whole = digits.replace(found["mark"], "") if found["mark"] else digits
        return whole.replace(",", ".")
    return None


def tolerance(item: Item) -> Decimal | None:
    """Return how far a number may be off; None if what the golden item says of it is no tolerance."""
    reference = number(item.reference)
    if reference is None or not reference.is_finite():
        return None
    if item.tolerance is None:
        exponent = reference.as_tuple().exponent
        places = -exponent if isinstance(exponent, int) and exponent < 0 else 0
        return Decimal(5).scaleb(-places - 1, _exactly()) if places else Decimal(0)
    if share := _PERCENT.match(item.tolerance):
        return abs(_exactly().multiply(reference, Decimal(share[1]).scaleb(-2, _exactly())))
    return Decimal(item.tolerance) if _PLAIN.match(item.tolerance) else None


def _bare(answer: str) -> str | None:
    """Return an answer that is a number and nothing else."""
    if len(answer) > _LONGEST_BARE:
        return None
    text = trimmed(answer).translate(_MINUS)
    return text if _NUMBER.fullmatch(text) else None
