"""The scalar types that only a Mapping has: numbers, patterns, time formats, intervals and coverage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, Final

import re2
from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from slaguard.imports.times import EPOCHS, ISO
from slaguard.imports.values import number
from slaguard.ledger.table import format_time, parse_time
from slaguard.records import Span
from slaguard.spec.scalars import as_text, refuse

FIRST_LAST: Final = "first..last"
BATCHES: Final = "batches"
_LONGEST_PATTERN: Final = 500
_DIRECTIVES = re.compile(r"%[A-Za-z%]")
_DAY_DIRECTIVES: Final = ({"%Y", "%y"}, {"%m", "%b", "%B", "%j"}, {"%d", "%j"})


def _number(value: Any) -> Any:
    if isinstance(value, Decimal):
        return value
    try:
        return number(as_text(value))
    except ValueError:
        raise refuse("E-SPEC-UNIT", "write a plain number: 400") from None


def compiled(pattern: str) -> Any:
    """Compile a pattern for RE2, which takes time linear in the text whatever the pattern.

    Raises:
        ValueError: RE2 does not know the pattern (look-around and back-references do not exist there).

    """
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 1 << 20
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        said = error.args[0] if error.args else b""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        msg = f"no pattern that RE2 knows: {text}"
        raise ValueError(msg) from None


def _pattern(value: Any) -> Any:
    text = as_text(value)
    if len(text) > _LONGEST_PATTERN:
        raise refuse("E-SPEC-SCHEMA", f"keep a pattern under {_LONGEST_PATTERN} characters")
    try:
        groups = compiled(text).groups
    except ValueError as error:
        raise refuse("E-SPEC-SCHEMA", str(error)) from None
    if groups > 1:
        raise refuse("E-SPEC-SCHEMA", "use at most one group; write the others as (?:…)")
    return text


def _time_format(value: Any) -> Any:
    text = as_text(value)
    if text in {ISO, "date", *EPOCHS}:
        return text
    found = set(_DIRECTIVES.findall(text))
    if found & {"%c", "%x"} or all(found & group for group in _DAY_DIRECTIVES):
        return text
    mend = (
        "write iso8601, date, epoch_s, epoch_ms, epoch_us, epoch_ns, or a pattern with year, month and day: %d/%m/%Y %H:%M:%S"
    )
    raise refuse("E-SPEC-SCHEMA", mend)


def parse_interval(text: str) -> Span:
    """Read START/END as a half-open interval of UTC nanoseconds.

    Raises:
        ValueError: no such interval, or a time without its zone.

    """
    start, slash, end = text.partition("/")
    if not slash:
        msg = "write START/END, each a time with its zone: 2026-10-01T00:00:00Z/2026-11-01T00:00:00Z"
        raise ValueError(msg)
    span = parse_time(start.strip()), parse_time(end.strip())
    if span[0] >= span[1]:
        msg = "the end comes after the start"
        raise ValueError(msg)
    return span


def format_interval(span: Span) -> str:
    """Write an interval as START/END."""
    return f"{format_time(span[0])}/{format_time(span[1])}"


def _interval(value: Any) -> Any:
    if isinstance(value, tuple):
        return value
    try:
        return parse_interval(as_text(value))
    except ValueError as error:
        raise refuse("E-SPEC-DATES", str(error)) from None


@dataclass(frozen=True, slots=True)
class CoversTerm:
    """What a log covers: an interval, or a word that says where to take it from."""

    word: str
    span: Span | None = None

    def __str__(self) -> str:
        """Return the notation's text."""
        return format_interval(self.span) if self.span else self.word


def _covers(value: Any) -> Any:
    if isinstance(value, CoversTerm):
        return value
    text = as_text(value)
    if text in {FIRST_LAST, BATCHES}:
        return CoversTerm(text)
    try:
        return CoversTerm("span", parse_interval(text))
    except ValueError as error:
        mend = f"{error}; or write first..last (from the first record to the last)"
        raise refuse("E-SPEC-DATES", mend) from None


def _schema(description: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "description": description, "examples": [example]})


_NUMBER_SCHEMA = {"type": ["number", "string"], "description": "A plain number.", "examples": ["400"]}
_AS_TEXT = PlainSerializer(str, return_type=str, when_used="unless-none")
Number = Annotated[Decimal, BeforeValidator(_number), WithJsonSchema(_NUMBER_SCHEMA), _AS_TEXT]
Pattern = Annotated[str, BeforeValidator(_pattern), _schema("A regular expression (RE2).", "^Timeout")]
TimeFormat = Annotated[str, BeforeValidator(_time_format), _schema("How times are written.", "iso8601")]
Interval = Annotated[
    Span,
    BeforeValidator(_interval),
    PlainSerializer(format_interval, return_type=str, when_used="unless-none"),
    _schema("START/END in RFC 3339.", "2026-10-01T00:00:00Z/2026-11-01T00:00:00Z"),
]
Covers = Annotated[
    CoversTerm, BeforeValidator(_covers), _AS_TEXT, _schema("START/END, first..last or batches.", "first..last"),
]  # fmt: skip
