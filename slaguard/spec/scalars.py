"""The scalar types of the notation, as pydantic fields: text in, exact value inside, text out.

Every scalar of a document arrives as text (the YAML reader types nothing), and the field it lands in says what it must
be. A model dumps as the notation's text; the exact values that get hashed are written by `slaguard.spec.canonical`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import cache
from importlib import resources
from typing import Annotated, Any, Final, Self

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from slaguard.terms import Money, format_duration, format_percent, parse_duration, parse_money, parse_percent

SLUG: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}\Z", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1990, 2199
_DECIMAL = re.compile(r"\d{1,9}[.,]\d{1,12}\Z", re.ASCII)
_MULTIPLE = re.compile(r"\d{1,6}(\.\d{1,6})?x\Z", re.ASCII)
_PLAIN_NUMBER = re.compile(r"\d{1,6}(\.\d{1,6})?\Z", re.ASCII)
_WHOLE = re.compile(r"(0|[1-9]\d{0,11})\Z", re.ASCII)


def refuse(code: str, mend: str) -> PydanticCustomError:
    """Return the error that a validator raises: the rule's code, and how to mend it as the message."""
    return PydanticCustomError(code, "{mend}", {"mend": mend})


def as_text(value: Any) -> str:
    """Return the scalar's text.

    Raises:
        PydanticCustomError: a map or a list stands where a single value belongs.

    """
    if isinstance(value, str):
        return value
    raise refuse("E-SPEC-SCHEMA", "write a single value here, not a map or a list")


def _parse(parser: Any, code: str) -> Any:
    def validate(value: Any) -> Any:
        if not isinstance(value, str | dict | list):
            return value
        try:
            return parser(as_text(value))
        except ValueError as error:
            raise refuse(code, str(error)) from None

    return validate


def _whole(text: str) -> int:
    if _WHOLE.match(text):
        return int(text)
    msg = "write a whole number without sign or leading zero: 5"
    raise ValueError(msg)


def _natural(text: str) -> int:
    if _WHOLE.match(text) and text != "0":
        return int(text)
    msg = "write a whole number of at least 1, without sign or leading zero: 5"
    raise ValueError(msg)


def _share(text: str) -> Fraction:
    share = parse_percent(text)
    if share > 1:
        msg = "a share is at most 100%"
        raise ValueError(msg)
    return share


def _times(text: str) -> Fraction:
    if _MULTIPLE.match(text):
        return Fraction(text[:-1])
    msg = "write a multiple as a number and an x: 3x, 1.5x"
    raise ValueError(msg)


def format_times(multiple: Fraction) -> str:
    """Write a multiple as the notation does: ``3x``."""
    return format_percent(multiple / 100).replace("%", "x")


def _weight(text: str) -> Fraction:
    if _PLAIN_NUMBER.match(text):
        return Fraction(text)
    msg = "write a weight as a number with at most 6 digits after the point: 0.5"
    raise ValueError(msg)


def format_weight(weight: Fraction) -> str:
    """Write a weight as the notation does: ``0.5``."""
    return format_percent(weight / 100).removesuffix("%")


def _flag(text: str) -> bool:
    if text in {"true", "false"}:
        return text == "true"
    msg = "write true or false"
    raise ValueError(msg)


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        msg = "write a day as year-month-day: 2026-08-01"
        raise ValueError(msg)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        msg = f"{text} is not a day of the calendar; write an existing day as 2026-08-01"
        raise ValueError(msg) from None
    if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        msg = f"write a day between {_FIRST_YEAR} and {_LAST_YEAR}"
        raise ValueError(msg)
    return day


@cache
def zones() -> frozenset[str]:
    """Return the time zones of the IANA list as the `tzdata` package ships it, the same on every machine."""
    return frozenset((resources.files("tzdata") / "zones").read_text("ascii").split())


def _zone(text: str) -> str:
    if text in zones():
        return text
    msg = f"{text[:60]!r} is no time zone of the IANA list; write one such as Europe/Berlin or UTC"
    raise ValueError(msg)


def _slug(text: str) -> str:
    if SLUG.match(text):
        return text
    msg = "write a name of lower-case letters, digits, '.', '_' and '-' (at most 63, a letter or digit first)"
    raise ValueError(msg)


def _words(text: str) -> str:
    if not text.strip():
        msg = "write some words here, or leave the key out"
        raise ValueError(msg)
    return text


TEXT: Final = ("string",)
WHOLE: Final = ("integer", "string")
FLAG: Final = ("boolean", "string")
ANY: Final = ("string", "number", "boolean")
"""What an editor, which types scalars by YAML's own rules, may take a value for."""


def _field(parse: Any, code: str, pattern: str | None, description: str, example: str, types: tuple[str, ...] = TEXT) -> Any:
    schema: dict[str, Any] = {"type": types[0] if len(types) == 1 else list(types), "description": description}
    schema["examples"] = [example]
    if pattern:
        schema["pattern"] = pattern
    return (BeforeValidator(_parse(parse, code)), WithJsonSchema(schema))


Percent = Annotated[
    Fraction,
    *_field(parse_percent, "E-SPEC-UNIT", r"^\d+(\.\d+)?%$", "A percentage with its sign.", "99.5%"),
    PlainSerializer(lambda v: format_percent(v), return_type=str, when_used="unless-none"),
]
Share = Annotated[
    Fraction,
    *_field(_share, "E-SPEC-UNIT", r"^\d+(\.\d+)?%$", "A percentage with its sign, at most 100%.", "95%"),
    PlainSerializer(lambda v: format_percent(v), return_type=str, when_used="unless-none"),
]
Duration = Annotated[
    int,
    *_field(parse_duration, "E-SPEC-UNIT", r"^\d+(ms|s|m|h|d|w)$", "A length of time: a whole number and a unit.", "5m"),
    PlainSerializer(format_duration, return_type=str, when_used="unless-none"),
]
Amount = Annotated[
    Money,
    *_field(parse_money, "E-SPEC-UNIT", r"^\d+(\.\d+)? [A-Z]{3}$", "An amount of money and its currency.", "12000.00 EUR"),
    PlainSerializer(str, return_type=str, when_used="unless-none"),
]
Times = Annotated[
    Fraction,
    *_field(_times, "E-SPEC-UNIT", r"^\d+(\.\d+)?x$", "A multiple: a number and an x.", "3x"),
    PlainSerializer(format_times, return_type=str, when_used="unless-none"),
]
Weight = Annotated[
    Fraction,
    *_field(_weight, "E-SPEC-UNIT", r"^\d{1,6}(\.\d{1,6})?$", "A plain number, such as 0.5.", "0.5", ("string", "number")),
    PlainSerializer(lambda v: format_weight(v), return_type=str, when_used="unless-none"),
]
Whole = Annotated[int, *_field(_whole, "E-SPEC-UNIT", r"^\d+$", "A whole number.", "5", WHOLE)]
Natural = Annotated[int, *_field(_natural, "E-SPEC-UNIT", r"^[1-9]\d*$", "A whole number of at least 1.", "5", WHOLE)]
Flag = Annotated[bool, *_field(_flag, "E-SPEC-SCHEMA", r"^(true|false)$", "true or false.", "true", FLAG)]
Day = Annotated[
    date,
    *_field(_day, "E-SPEC-DATES", r"^\d{4}-\d{2}-\d{2}$", "A calendar day.", "2026-08-01"),
    PlainSerializer(lambda v: v.isoformat(), return_type=str, when_used="unless-none"),
]
Zone = Annotated[str, *_field(_zone, "E-SPEC-PERIOD", None, "A time zone of the IANA list.", "Europe/Berlin")]
Slug = Annotated[str, *_field(_slug, "E-SPEC-NAME", "^" + SLUG.pattern.replace("\\Z", "$"), "A short name.", "acme-chat", ANY)]
Words = Annotated[str, *_field(_words, "E-SPEC-SCHEMA", None, "Words.", "Example Bank AG", ANY)]


def _as_percent(text: str) -> str:
    """Return the percentage that a bare number most likely means: ``0.995`` is 99.5%, ``99.5`` is 99.5%."""
    value = Fraction(text.replace(",", "."))
    return format_percent(value if value < 1 else value / 100)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A limit as written: a percentage, a duration or a whole number, with the exact value and its unit.

    `unit` is ``ratio`` (value is a share of one), ``ms`` or ``count``.
    """

    value: Fraction
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``99.5%``, ``2s`` or ``75``.

        Raises:
            ValueError: the text is none of the three.

        """
        if _WHOLE.match(text):
            return cls(Fraction(int(text)), "count")
        if text.endswith("%"):
            return cls(parse_percent(text), "ratio")
        if _DECIMAL.match(text):
            msg = f"a percentage needs its sign: {_as_percent(text)}"
            raise ValueError(msg)
        try:
            return cls(Fraction(parse_duration(text)), "ms")
        except ValueError:
            msg = "write a percentage (99.5%), a duration (2s) or a whole number (75)"
            raise ValueError(msg) from None

    def __str__(self) -> str:
        """Return the notation's text."""
        if self.unit == "ratio":
            return format_percent(self.value)
        return format_duration(int(self.value)) if self.unit == "ms" else str(int(self.value))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept text or a Quantity; dump as text."""
        del source, handler

        def validate(value: Any) -> Quantity:
            if isinstance(value, Quantity):
                return value
            try:
                return Quantity.parse(as_text(value))
            except ValueError as error:
                raise refuse("E-SPEC-UNIT", str(error)) from None

        return core_schema.no_info_plain_validator_function(
            validate, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the three written forms."""
        del schema, handler
        return {
            "type": ["string", "integer"],
            "pattern": r"^(\d+(\.\d+)?%|\d+(ms|s|m|h|d|w)|\d+)$",
            "description": "A percentage, a duration or a whole number.",
        }
