"""Plain words for the closed lists and the numbers of an Agreement: what `explain` builds its sentences from.

Nothing is rounded and no two values share a text, so that a changed term always changes what `explain` says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Final

from slaguard.spec.model import LatencyField, Limits, PredicateForm
from slaguard.spec.scalars import Quantity
from slaguard.terms import BoundWord, Grade, Money, Outcome, format_percent, minor_digits

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OUTCOME_WORDS: Final[dict[Outcome, str]] = {
    Outcome.EMPTY: "an answer without content",
    Outcome.ERROR_BODY: "an error message sent as a success (200)",
    Outcome.TRUNCATED: "an answer that broke off",
    Outcome.REFUSED: "the model declined to answer",
    Outcome.CONTENT_FILTERED: "a filter withheld the answer",
    Outcome.REDIRECT: "a redirect (3xx)",
    Outcome.CLIENT_ERROR: "the request was at fault (4xx other than those named)",
    Outcome.AUTH_ERROR: "not allowed in (401, 403)",
    Outcome.REQUEST_TIMEOUT: "the vendor gave up waiting for the request (408)",
    Outcome.RATE_LIMITED: "too many requests (429)",
    Outcome.ERROR_500: "an internal error (500)",
    Outcome.ERROR_5XX: "another server error (5xx)",
    Outcome.OVERLOADED: "overloaded (529, or the vendor's word for it)",
    Outcome.TIMEOUT: "no complete answer within the time-out",
    Outcome.CLIENT_DEADLINE: "the caller's own, shorter deadline ended the call",
    Outcome.CONNECTION_ERROR: "the connection failed or was cut",
    Outcome.CLIENT_ABORT: "the caller left",
}
GRADE_WORDS: Final[dict[Grade, str]] = {
    Grade.CORRECT: "correct answers",
    Grade.WRONG: "wrong answers",
    Grade.UNPARSED: "answers from which nothing could be read",
    Grade.UNSUPPORTED: "answers not supported by what was supplied or known",
    Grade.SCHEMA_ERROR: "answers not in the agreed form",
}
LATENCY_WORDS: Final[dict[LatencyField, str]] = {
    LatencyField.TIME_TO_FIRST_TOKEN: "the time from sending the request to the first token",
    LatencyField.TOTAL_TIME: "the time from sending the request to the end of the answer",
}
BOUND_WORDS: Final[dict[BoundWord, str]] = {
    BoundWord.AT_LEAST: "at least",
    BoundWord.AT_MOST: "at most",
    BoundWord.MORE_THAN: "more than",
    BoundWord.LESS_THAN: "less than",
}
MISSED_WORDS: Final[dict[BoundWord, str]] = {
    BoundWord.AT_LEAST: "below",
    BoundWord.AT_MOST: "above",
    BoundWord.MORE_THAN: "at or below",
    BoundWord.LESS_THAN: "at or above",
}
"""On which side of the target, and how strictly, a promise is broken."""
_UNITS: Final = ((3_600_000, "hour"), (60_000, "minute"), (1000, "second"), (1, "millisecond"))
_DAY_MS: Final = 86_400_000
_SIMPLE = re.compile(r"[\w./@:+-]+\Z")


def plain(text: str) -> str:
    """Return the text on one line, with what a terminal would obey (control and direction characters) made visible."""
    return _visible(" ".join(text.split()))


def name(text: str) -> str:
    """Return a name as it stands; in quotes where printing it would change it."""
    return text if text == plain(text) and not text.startswith('"') else _quoted(text)


def value(text: str) -> str:
    """Return a value as itself where it is one simple word, else in quotes."""
    return text if _SIMPLE.match(text) and text.isprintable() else _quoted(text)


def _quoted(text: str) -> str:
    return _visible(json.dumps(text, ensure_ascii=False))


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def listing(items: Iterable[str], last: str = "and") -> str:
    """Join words as a sentence does: ``a, b and c``."""
    words = list(items)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def counted(n: int, unit: str) -> str:
    """Return a number with its unit in the right form: ``1 day``, ``30 days``."""
    return f"{n:,} {unit}" if n == 1 else f"{n:,} {unit}s"


def duration(ms: int) -> str:
    """Write milliseconds in the largest unit that stays whole; hours up to four days, as notices are written."""
    if ms and ms % _DAY_MS == 0 and ms > 4 * _DAY_MS:
        return counted(ms // _DAY_MS, "day")
    size, unit = next((s, u) for s, u in _UNITS if ms % s == 0 and (ms or s == 1))
    return counted(ms // size, unit)


def quantity(limit: Quantity) -> str:
    """Write a limit in words: ``99.5%``, ``2 seconds``, ``75``."""
    return duration(int(limit.value)) if limit.unit == "ms" else str(limit)


def money(amount: Money) -> str:
    """Write an amount with thousands separated: ``12,000.00 EUR``."""
    return f"{amount.amount:,.{minor_digits(amount.currency)}f} {amount.currency}"


def share_of(fee: Money, share: Fraction) -> Money:
    """Return a share of an amount, rounded half up to the currency's minor unit, as a credit line is."""
    unit = Decimal(1).scaleb(-minor_digits(fee.currency))
    exact = Fraction(fee.amount) * share / Fraction(unit)
    whole = (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
    return Money((Decimal(whole) * unit).quantize(unit, ROUND_HALF_UP), fee.currency)


def percent(share: Fraction) -> str:
    """Write a share as a percentage, exactly."""
    return format_percent(share)


def day(when: date) -> str:
    """Write a day as people do: ``1 August 2026``."""
    return f"{when.day} {MONTHS[when.month - 1]} {when.year}"


def clock(zone: str) -> str:
    """Return a zone as people say it: ``Berlin time``."""
    return zone if "/" not in zone else f"{zone.rsplit('/', 1)[1].replace('_', ' ')} time"


def limits(term: Limits) -> str:
    """Write a numeric condition: ``at most 2 seconds``."""
    word = term.bound.word
    written: Quantity = getattr(term, word.value)
    return f"{BOUND_WORDS[word]} {quantity(written)}"


def conditions(terms: Mapping[str, PredicateForm]) -> str:
    """Write conditions that must all hold: ``stream is true and output_tokens is more than 75``."""
    return listing(f"{plain(field)} is {_predicate(term)}" for field, term in terms.items())


def _predicate(term: PredicateForm) -> str:
    parts = []
    if term.values is not None:
        parts.append(listing((value(v) for v in term.values), "or") or "nothing")
    if term.limits is not None:
        parts.append(limits(term.limits))
    return " and ".join(parts)
