"""What every part of a result is built on: exact numbers, amounts and times in their one written form."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

DIGITS: Final = 12


def decimal_text(value: Fraction, rounding: str = ROUND_HALF_EVEN) -> str:
    """Return a fraction as decimal text: exact where it is finite within 12 digits, else rounded to 12."""
    context = Context(prec=DIGITS, rounding=rounding)
    number = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return f"{number.normalize():f}" if number else "0"


def rfc3339(ns: int) -> str:
    """Return UTC nanoseconds as RFC 3339 text, with as many fraction digits as it has."""
    seconds, rest = divmod(ns, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0").rstrip(".") + "Z" if rest else f"{text}Z"


def parse_rfc3339(text: str) -> int:
    """Undo `rfc3339` (offsets are accepted; at most nine fraction digits).

    Raises:
        ValueError: not RFC 3339, or without an offset.

    """
    whole, dot, tail = text.partition(".")
    digits = ""
    if dot:
        digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
        whole += tail[len(digits) :]
    moment = datetime.fromisoformat(whole)
    if moment.tzinfo is None or len(digits) > 9:
        msg = f"{text!r} has no offset from UTC"
        raise ValueError(msg)
    return int(moment.timestamp()) * 1_000_000_000 + int(digits.ljust(9, "0") or 0)


def _fraction(value: Any) -> Any:
    return Fraction(value) if isinstance(value, str | int) else value


def _schema(text: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": text})


Exact = Annotated[
    Fraction,
    BeforeValidator(_fraction),
    PlainSerializer(lambda v: decimal_text(v), return_type=str),
    _schema("A decimal number; exact where it is finite, else 12 significant digits."),
]
Low = Annotated[
    Fraction,
    BeforeValidator(_fraction),
    PlainSerializer(lambda v: decimal_text(v, ROUND_FLOOR), return_type=str),
    _schema("A lower bound, rounded down."),
]
High = Annotated[
    Fraction,
    BeforeValidator(_fraction),
    PlainSerializer(lambda v: decimal_text(v, ROUND_CEILING), return_type=str),
    _schema("An upper bound, rounded up."),
]
Time = Annotated[
    int,
    BeforeValidator(lambda v: parse_rfc3339(v) if isinstance(v, str) else v),
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "An instant, RFC 3339 in UTC."}),
]
Amount = Annotated[
    Decimal,
    PlainSerializer(lambda v: f"{v:f}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$", "description": "An amount in `currency`."}),
]


class Part(BaseModel):
    """A part of the result: immutable, every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)
