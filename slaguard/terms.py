"""The closed lists and scalars that every floor speaks.

Parsing here raises `ValueError` with a sentence that says how to write the value; the notation turns it into a Problem
with a place. Percentages are `Fraction`, money is `Decimal`, durations are whole milliseconds: no float decides anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final


class Outcome(StrEnum):
    """What became of one attempt at one call, decided at the end of the stream. `ecosystem` word lists map to it."""

    OK = "ok"
    EMPTY = "empty"
    ERROR_BODY = "error_body"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    CONTENT_FILTERED = "content_filtered"
    REDIRECT = "redirect"
    CLIENT_ERROR = "client_error"
    AUTH_ERROR = "auth_error"
    REQUEST_TIMEOUT = "request_timeout"
    RATE_LIMITED = "rate_limited"
    ERROR_500 = "error_500"
    ERROR_5XX = "error_5xx"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    CLIENT_DEADLINE = "client_deadline"
    CONNECTION_ERROR = "connection_error"
    CLIENT_ABORT = "client_abort"
    UNMEASURED = "unmeasured"


OUTCOME_GROUPS: Final[dict[str, tuple[Outcome, ...]]] = {
    "server_error": (Outcome.ERROR_500, Outcome.ERROR_5XX),
}
ANSWERED: Final[frozenset[Outcome]] = frozenset({Outcome.OK, Outcome.REFUSED, Outcome.CONTENT_FILTERED})
"""Outcomes in which the vendor gave an answer that can be graded or is itself the answer."""
NEVER_MAPPED: Final[frozenset[Outcome]] = frozenset({Outcome.OK, Outcome.UNMEASURED})
"""`ok` always counts as good and `unmeasured` is never evidence: an Agreement may not say otherwise."""
MAPPED: Final[tuple[Outcome, ...]] = tuple(o for o in Outcome if o not in NEVER_MAPPED)
OUTCOME_CODE: Final[dict[Outcome, int]] = {o: i for i, o in enumerate(Outcome)}
"""Stable small integers for columns and Evidence bytes: append to `Outcome`, never reorder it."""


class Count(StrEnum):
    """How an outcome or a grade counts: bad, good, or leaves the denominator."""

    FAIL = "fail"
    OK = "ok"
    DROP = "drop"


class Grade(StrEnum):
    """What a Score or an Adjudication says of one answer."""

    CORRECT = "correct"
    WRONG = "wrong"
    UNPARSED = "unparsed"
    UNSUPPORTED = "unsupported"
    SCHEMA_ERROR = "schema_error"
    UNSCORED = "unscored"


GRADE_CODE: Final[dict[Grade, int]] = {g: i for i, g in enumerate(Grade)}


class Attribution(StrEnum):
    """At whose door a failure lies."""

    VENDOR = "vendor"
    CLIENT = "client"
    CLIENT_QUOTA = "client_quota"
    OWN_PROBE = "own_probe"
    OWN_NETWORK = "own_network"
    HARNESS = "harness"
    NONE = "none"


class Source(StrEnum):
    """What a figure is made of: our questions, the customer's own calls, or outages that somebody states."""

    PROBE = "probe"
    TRAFFIC = "traffic"
    INCIDENT = "incident"
    """No record of a call is of this source: it is for rules over Incidents."""


OF_CALLS: Final = (Source.PROBE, Source.TRAFFIC)
"""The sources of which a record of a call can be."""


class Verdict(StrEnum):
    """The four words. "Not shown to breach" is never COMPLIANT."""

    COMPLIANT = "COMPLIANT"
    BREACH = "BREACH"
    INCONCLUSIVE = "INCONCLUSIVE"
    INSUFFICIENT = "INSUFFICIENT"


class Reason(StrEnum):
    """Why a verdict is what it is; the one list. The sentence with numbers stands in the Evaluation."""

    COUNT_EXCEEDED = "COUNT_EXCEEDED"
    COUNT_WITHIN = "COUNT_WITHIN"
    CLOSE_TEST = "CLOSE_TEST"
    CLOSE_TEST_COMPLY = "CLOSE_TEST_COMPLY"
    POINT_RULE = "POINT_RULE"
    ERROR_BUDGET_EXHAUSTED = "ERROR_BUDGET_EXHAUSTED"
    STRADDLES = "STRADDLES"
    N_BELOW_MIN = "N_BELOW_MIN"
    LOW_COVERAGE = "LOW_COVERAGE"
    NO_TRAFFIC = "NO_TRAFFIC"
    NO_CLOCK = "NO_CLOCK"
    LABELS_PENDING = "LABELS_PENDING"
    UNGRADED = "UNGRADED"
    NEEDS_STATISTICS = "NEEDS_STATISTICS"
    NOT_OBSERVABLE = "NOT_OBSERVABLE"
    CONTESTED_EXCLUSION = "CONTESTED_EXCLUSION"
    READING_DEPENDENT = "READING_DEPENDENT"
    BREACHING_TO_DATE = "BREACHING_TO_DATE"
    AT_RISK = "AT_RISK"
    WITHIN_TO_DATE = "WITHIN_TO_DATE"


REASONS: Final[dict[Reason, str]] = {
    Reason.COUNT_EXCEEDED: "every event was counted and more failed than the promise allows",
    Reason.COUNT_WITHIN: "every event was counted and no more failed than the promise allows",
    Reason.CLOSE_TEST: "at the close the exact test shows the promise broken at the stated error rate",
    Reason.CLOSE_TEST_COMPLY: "at the close the exact test shows the promise kept at the stated error rate",
    Reason.POINT_RULE: "the contract lets the measured figure decide without a margin",
    Reason.ERROR_BUDGET_EXHAUSTED: "more has failed than the whole period allows, whatever still comes",
    Reason.STRADDLES: "the sample fits a kept promise as well as a broken one",
    Reason.N_BELOW_MIN: "fewer events than the contract asks for",
    Reason.LOW_COVERAGE: "too little of the period was watched",
    Reason.NO_TRAFFIC: "nothing that counts was seen in the period",
    Reason.NO_CLOCK: "the records carry no time of their own, and this rule needs one",
    Reason.LABELS_PENDING: "answers still wait for a grade",
    Reason.UNGRADED: "answers were not graded, and how they would be graded decides",
    Reason.NEEDS_STATISTICS: "a comparison of two shares, which this version counts and does not decide",
    Reason.NOT_OBSERVABLE: "the time not watched decides",
    Reason.CONTESTED_EXCLUSION: "an exclusion that is in dispute decides",
    Reason.READING_DEPENDENT: "the clause can be read in several ways, and the verdict is not the same under all of them",
    Reason.BREACHING_TO_DATE: "over the limit so far; later traffic can still dilute it",
    Reason.AT_RISK: "the figure so far is over the limit, not certified",
    Reason.WITHIN_TO_DATE: "within the limit so far",
}

# ── scalars ─────────────────────────────────────────────────────────────────────────────────────────────────────────
_PERCENT = re.compile(r"\d{1,9}(\.\d{1,12})?%\Z", re.ASCII)
_BARE = re.compile(r"-?\d+([.,]\d+)?\Z", re.ASCII)
_DURATION = re.compile(r"(\d{1,12})(ms|s|m|h|d|w)\Z", re.ASCII)
_MONEY = re.compile(r"(\d{1,15}(?:\.\d{1,4})?) ([A-Z]{3})\Z", re.ASCII)
_UNIT_MS: Final[dict[str, int]] = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_LONGEST_MS: Final = 36_525 * _UNIT_MS["d"]
MINOR_DIGITS: Final[dict[str, int]] = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0,
    "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
}  # fmt: skip
"""Digits after the point by currency where it is not 2 (ISO 4217)."""


def parse_percent(text: str) -> Fraction:
    """Read ``99.5%`` exactly as a share of one.

    Raises:
        ValueError: the text is not a percentage with its sign.

    """
    if _PERCENT.match(text):
        return Fraction(text[:-1]) / 100
    if _BARE.match(text):
        msg = f"a percentage needs its sign: {text.replace(',', '.')}%"
        raise ValueError(msg)
    msg = "write a percentage as digits and a percent sign: 99.5%"
    raise ValueError(msg)


def format_percent(share: Fraction) -> str:
    """Write a share as a percentage, exactly (``99.5%``); a share with no finite decimal form is written as a fraction."""
    hundredth = share * 100
    denominator = hundredth.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    if denominator != 1:
        return f"{hundredth.numerator}/{hundredth.denominator}%"
    value = Decimal(hundredth.numerator) / Decimal(hundredth.denominator)
    return f"{value.normalize():f}%"


def parse_duration(text: str) -> int:
    """Read ``5m`` as whole milliseconds (``ms s m h d w``; a day is 24 hours).

    Raises:
        ValueError: the text has no unit, another unit, or is not a whole number.

    """
    found = _DURATION.match(text)
    if found and (ms := int(found[1]) * _UNIT_MS[found[2]]) <= _LONGEST_MS:
        return ms
    if found:
        msg = "a duration of more than 100 years is a slip of the pen; check the number and the unit"
        raise ValueError(msg)
    msg = "write a duration as a whole number and a unit (ms, s, m, h, d, w): 5m"
    raise ValueError(msg)


def format_duration(ms: int) -> str:
    """Write milliseconds in the largest unit (up to days) that stays whole."""
    for unit in ("d", "h", "m", "s"):
        if ms and ms % _UNIT_MS[unit] == 0:
            return f"{ms // _UNIT_MS[unit]}{unit}"
    return f"{ms}ms"


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """An amount in one currency; amounts of different currencies are never added or compared."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        """Return the contract's own form, ``12000.00 EUR``."""
        return f"{self.amount:.{minor_digits(self.currency)}f} {self.currency}"


def parse_money(text: str) -> Money:
    """Read ``12000.00 EUR``.

    Raises:
        ValueError: no currency, a sign or thousands separator, or more digits than the currency has.

    """
    found = _MONEY.match(text)
    if not found:
        msg = "write money as digits, a point and a three-letter currency: 12000.00 EUR"
        raise ValueError(msg)
    amount, currency = Decimal(found[1]), found[2]
    exponent = amount.as_tuple().exponent
    digits = minor_digits(currency)
    if isinstance(exponent, int) and -exponent > digits:
        msg = f"{currency} has {digits} digits after the point"
        raise ValueError(msg)
    return Money(amount, currency)


def minor_digits(currency: str) -> int:
    """Return the digits after the point of a currency's minor unit (ISO 4217; 2 unless listed)."""
    return MINOR_DIGITS.get(currency, 2)


class BoundWord(StrEnum):
    """The four words of a bound; the word is the strictness."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    MORE_THAN = "more_than"
    LESS_THAN = "less_than"

    @property
    def is_floor(self) -> bool:
        """Tell whether higher is better."""
        return self in {BoundWord.AT_LEAST, BoundWord.MORE_THAN}

    @property
    def symbol(self) -> str:
        """Return the sign a table shows."""
        return {"at_least": "≥", "at_most": "≤", "more_than": ">", "less_than": "<"}[self.value]


@dataclass(frozen=True, slots=True)
class Bound:
    """A limit and its strictness. `value` is a share of one, a whole number, or milliseconds: see the indicator's unit."""

    word: BoundWord
    value: Fraction

    def holds(self, measured: Fraction) -> bool:
        """Tell whether `measured` keeps the bound, exactly."""
        match self.word:
            case BoundWord.AT_LEAST:
                return measured >= self.value
            case BoundWord.AT_MOST:
                return measured <= self.value
            case BoundWord.MORE_THAN:
                return measured > self.value
            case BoundWord.LESS_THAN:
                return measured < self.value
