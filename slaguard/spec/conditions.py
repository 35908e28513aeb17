"""What every part of an Agreement is built on: immutable terms, lists, bounds, and conditions on one record."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from slaguard.spec.scalars import Quantity, Words, refuse
from slaguard.terms import Bound, BoundWord


class Term(BaseModel):
    """A part of an Agreement: immutable, and every key known."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


def _sorted_set(value: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(sorted(set(value)))


class _OneOrMore:
    """Tells editors that one entry may stand without brackets."""

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe both forms."""
        described = handler(schema)
        return {"anyOf": [described["items"], described]}


T = TypeVar("T")
Listed = Annotated[tuple[T, ...], BeforeValidator(_listed), _OneOrMore]
"""A list in the order written; one entry may stand without brackets."""
SetOf = Annotated[tuple[T, ...], BeforeValidator(_listed), AfterValidator(_sorted_set), _OneOrMore]
"""A list whose order means nothing: it is kept sorted, so that the same set is the same Agreement."""


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────
class Limits(Term):
    """A numeric condition; exactly one of the four words."""

    at_least: Quantity | None = None
    """The value may equal the limit or be above it."""
    at_most: Quantity | None = None
    """The value may equal the limit or be below it."""
    more_than: Quantity | None = None
    """The value must be above the limit."""
    less_than: Quantity | None = None
    """The value must be below the limit."""

    @model_validator(mode="after")
    def _one_word(self) -> Self:
        one_bound(self)
        return self

    @property
    def bound(self) -> Bound:
        """The limit with its strictness."""
        return one_bound(self)

    @property
    def unit(self) -> str:
        """``ratio``, ``ms`` or ``count``."""
        return written_limit(self).unit


def written_limit(term: Any) -> Quantity:
    """Return the one limit a term carries, as written."""
    quantity: Quantity = next(q for w in BoundWord if (q := getattr(term, w.value)) is not None)
    return quantity


def one_bound(term: Any) -> Bound:
    """Return the single bound of a term.

    Raises:
        PydanticCustomError: none or several of the four words are given (E-SPEC-STRICT).

    """
    given = [(w, q) for w in BoundWord if (q := getattr(term, w.value)) is not None]
    if len(given) != 1:
        raise refuse("E-SPEC-STRICT", "write exactly one of at_least, at_most, more_than, less_than")
    word, quantity = given[0]
    return Bound(word, quantity.value)


# ── conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────
FieldKind = Literal["word", "flag", "number", "time", "outcome", "attribution", "source"]
FIELDS: Final[dict[str, FieldKind]] = {
    "vendor": "word", "service": "word", "model_requested": "word", "model_returned": "word", "region": "word",
    "tier_served": "word", "status": "number", "error_code": "word", "stream": "flag", "stream_end": "word",
    "outcome": "outcome", "attribution": "attribution", "input_tokens": "number", "output_tokens": "number",
    "logical_request_id": "word", "attempt": "number", "source": "source", "via": "word", "client_id": "word",
    "grounded": "flag", "cluster": "word", "golden_item": "word", "request_id": "word", "fingerprint": "word",
    "time_to_first_token": "time", "total_time": "time",
}  # fmt: skip
"""The fields of an Observation that a condition may name, and what each holds; besides them `attributes.<name>`."""
ATTRIBUTES: Final = "attributes."
"""Prefix of the fields that a mapping fills from whatever else a log knows."""


def _predicate(value: Any) -> Any:
    if isinstance(value, Term):
        return value
    if isinstance(value, dict):
        return {"limits": value} if "limits" not in value and "values" not in value else value
    return {"values": value if isinstance(value, list | tuple) else [value]}


class PredicateForm(Term):
    """A condition on one field: one of the listed values, or a numeric limit."""

    values: Annotated[SetOf[Words], Field(min_length=1)] | None = None
    """The field is one of these."""
    limits: Limits | None = None
    """The field, as a number, keeps this bound."""

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if (self.values is None) == (self.limits is None):
            raise refuse("E-SPEC-SCHEMA", "write either values or a bound, not both")
        return self


Predicate = Annotated[PredicateForm, BeforeValidator(_predicate)]
"""Written as a value, a list of values, or a bound: ``true``, ``[priority]``, ``{more_than: 75}``."""


def _by_field(value: dict[str, Any]) -> dict[str, Any]:
    return dict(sorted(value.items()))


Conditions = Annotated[dict[str, Predicate], AfterValidator(_by_field)]
"""Conditions on the fields of one record; all of them hold."""
