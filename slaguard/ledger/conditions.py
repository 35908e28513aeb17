"""The fields of a record and the conditions on them, as SQL: names are looked up in closed lists, values always bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from slaguard.evaluation.demands import Condition, Mark
from slaguard.ledger.columns import MEASURED, NAMES, SEPARATOR, VALUES
from slaguard.ledger.headers import text
from slaguard.ledger.layout import LAYOUTS, Field, Sort
from slaguard.records import NULL, Observation, merge_spans
from slaguard.terms import OUTCOME_CODE, Attribution, BoundWord, Outcome, Source

ATTRIBUTE_PREFIX: Final = "attributes."
MAX_MARKS: Final = 62
_COMPARE: Final = {
    BoundWord.AT_LEAST: ">=",
    BoundWord.AT_MOST: "<=",
    BoundWord.MORE_THAN: ">",
    BoundWord.LESS_THAN: "<",
}
_FIELDS: Final[dict[str, Field]] = {
    **{f.name: f for f in LAYOUTS[Observation] if f.sort is not Sort.MAP},
    **{name: Field(name, Sort.NUMBER) for name in MEASURED},
}
"""The closed list of names a Condition may use, beside ``attributes.<name>``."""


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of a statement with the values of its question marks."""

    text: str
    values: tuple[int | str, ...] = ()

    @classmethod
    def join(cls, between: str, pieces: Iterable[Sql], empty: str = "") -> Self:
        """Put pieces together, each one's values in its place; `empty` stands where there is none."""
        listed = list(pieces)
        joined = between.join(p.text for p in listed)
        return cls(joined or empty, tuple(v for p in listed for v in p.values))

    def within(self, before: str, after: str = "") -> Sql:
        """Return this piece with fixed text around it."""
        return Sql(f"{before}{self.text}{after}", self.values)


# ── what is read as an observation ──────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Relation:
    """A table read as observations: which of its expressions stands for which field.

    `lenient`: a field it cannot know meets every condition of `where` (a planned call that was never made belongs to
    whatever scope is asked for), though it never sets a mark.
    """

    alias: str
    fields: dict[str, str]
    lenient: bool = False

    def field(self, name: str) -> tuple[Field, Sql]:
        """Return what a field is and the expression for it.

        Raises:
            ValueError: no such field.

        """
        if name.startswith(ATTRIBUTE_PREFIX):
            column = self.fields.get("attributes")
            if column is None:
                return Field(name, Sort.TEXT), Sql("CAST(NULL AS VARCHAR)")
            key = text(name.removeprefix(ATTRIBUTE_PREFIX))
            names, values = (f"string_split({column}.{part}, '{SEPARATOR}')" for part in (NAMES, VALUES))
            return Field(name, Sort.TEXT), Sql(f"list_extract({values}, list_position({names}, ?))", (key,))
        known = _FIELDS.get(name)
        if known is None:
            raise ValueError(f"an observation has no field {name!r}")
        unknown = f"CAST(NULL AS {'VARCHAR' if known.sort is Sort.TEXT else 'BIGINT'})"
        return known, Sql(self.fields.get(name, unknown))


CALLS: Final = Relation("o", {f: f'o."{f}"' for f in (*_FIELDS, "attributes")})
SLOTS: Final = Relation(
    "s",
    {
        "id": "s.slot",
        "logical_request_id": "s.slot",
        "golden_item": "s.golden_item",
        "sent_at": "s.scheduled_at",
        "scheduled_at": "s.scheduled_at",
        "recorded_at": "s.recorded_at",
        "vendor": "s.vendor",
        "model_requested": "s.model_requested",
        "outcome": f"CAST({OUTCOME_CODE[Outcome.UNMEASURED]} AS BIGINT)",
        "attribution": f"CAST({list(Attribution).index(Attribution.OWN_PROBE)} AS BIGINT)",
        "source": f"CAST({list(Source).index(Source.PROBE)} AS BIGINT)",
    },
    lenient=True,
)
"""Planned calls without a result: unmeasured, by our own doing, at the time they were due.

A record that does not say whom it would have asked belongs to every vendor.
"""


# ── conditions ──────────────────────────────────────────────────────────────────────────────────────────────────────
def condition(asked: Condition, relation: Relation) -> Sql:
    """Return a Condition as SQL that is true where the record meets it (false or NULL where not).

    Raises:
        ValueError: an unknown field, neither or both of values and a limit, or a limit on a field that is no number.

    """
    if (asked.values is None) == (asked.word is None or asked.limit is None):
        raise ValueError(f"a condition on {asked.field} needs values or a limit, not both")
    known, expression = relation.field(asked.field)
    if asked.values is not None:
        return _among(known, expression, asked.values)
    return _beyond(known, expression, asked)


def _among(known: Field, expression: Sql, values: tuple[str, ...]) -> Sql:
    """Compare as text; values that no record can hold are left out, and none left means never."""
    held = [held for value in values if (held := _held(known, value)) is not None]
    if not held:
        return Sql("FALSE")
    return Sql(f"{expression.text} IN ({', '.join('?' * len(held))})", (*expression.values, *held))


def _held(known: Field, value: str) -> int | str | None:
    """Return what a column holds where the record's field reads `value`, None where no record can read so."""
    match known.sort:
        case Sort.CODE:
            return known.codes.get(value)
        case Sort.FLAG:
            return {"true": 1, "false": 0}.get(value)
        case Sort.NUMBER | Sort.TIME:
            return _decimal(value)
        case _:
            return text(value)


def _decimal(value: str) -> int | None:
    digits = value.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
        return None
    number = int(value)
    return number if str(number) == value and NULL < number < -NULL else None


def _beyond(known: Field, expression: Sql, asked: Condition) -> Sql:
    """Compare as whole numbers; text that is not a whole number of up to 18 digits meets no limit."""
    assert asked.word is not None and asked.limit is not None  # noqa: S101, PT018 - checked by the caller
    compare = _COMPARE[asked.word]
    if known.sort in {Sort.CODE, Sort.FLAG}:
        raise ValueError(f"{asked.field} has no size, so it has no limit")
    if known.sort is not Sort.TEXT:
        return Sql(f"{expression.text} {compare} CAST(? AS BIGINT)", (*expression.values, asked.limit))
    number = f"CASE WHEN regexp_full_match({expression.text}, '-?[0-9]{{1,18}}') THEN TRY_CAST({expression.text} AS BIGINT) END"
    return Sql(f"{number} {compare} CAST(? AS BIGINT)", (*expression.values, *expression.values, asked.limit))


def where(asked: Condition, relation: Relation) -> Sql:
    """Return a Condition of `where`: as `condition`, but a lenient relation's unknown field meets it."""
    met = condition(asked, relation)
    if not relation.lenient:
        return met
    expression = relation.field(asked.field)[1]
    return Sql(f"({expression.text} IS NULL OR {met.text})", (*expression.values, *met.values))


def mask(marks: tuple[Mark, ...], relation: Relation) -> Sql:
    """Return the bits of all marks: bit i is set where mark i matches. Equal marks are looked at once.

    Raises:
        ValueError: more marks than a column has bits, or a bad condition.

    """
    if len(marks) > MAX_MARKS:
        raise ValueError(f"{len(marks)} marks do not fit into one mask of {MAX_MARKS}")
    bits_of: dict[Mark, int] = {}
    for i, mark in enumerate(marks):
        bits_of[mark] = bits_of.get(mark, 0) | 1 << i
    bits = (
        mark_met(mark, relation).within("CASE WHEN ", f" THEN CAST({found} AS BIGINT) ELSE CAST(0 AS BIGINT) END")
        for mark, found in bits_of.items()
    )
    return Sql.join(" + ", bits, empty="CAST(0 AS BIGINT)")


def mark_met(mark: Mark, relation: Relation) -> Sql:
    """Return a Mark as SQL that is true where it matches."""
    pieces = [condition(c, relation) for c in mark.conditions]
    if mark.windows is not None:
        sent = relation.field("sent_at")[1].text
        inside = (Sql(f"({sent} >= ? AND {sent} < ?)", window) for window in merge_spans(list(mark.windows)))
        pieces.append(Sql.join(" OR ", inside, empty="FALSE").within("(", ")"))
    return Sql.join(" AND ", pieces, empty="TRUE")
