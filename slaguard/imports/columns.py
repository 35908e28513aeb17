"""Does a mapping fit a file: which columns it names, and which of them the header lacks."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from slaguard.errors import RecordsError
from slaguard.imports.mapping import DurationField, FieldForm, Mapping, TestForm, TimeField
from slaguard.imports.values import shown

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """A place in a mapping that names columns, one of which is enough."""

    place: str
    columns: tuple[str, ...]
    optional: bool = False
    condition: bool = False


def wanted_columns(mapping: Mapping) -> Iterator[Wanted]:
    """Yield every place of a mapping that names columns."""
    for name in type(mapping.fields).model_fields:
        yield from _of_form(f"fields.{name}", getattr(mapping.fields, name))
    for name, attribute in mapping.attributes.items():
        yield from _of_form(f"attributes.{name}", attribute)
    if mapping.time is not None:
        yield from _of_form("time.batch.day", mapping.time.batch.day)
        yield from _of_form("time.batch.ends", mapping.time.batch.ends)
    for place, when in _conditions(mapping):
        yield from (Wanted(place, (column,), condition=True) for column in when or ())
    for score in mapping.scores:
        if score.parser is not None:
            yield from (Wanted("scores", (c,)) for c in (score.parser.answer, score.parser.reference))
        yield from _of_form("scores.by", score.by)
    yield from (Wanted("id", (column,)) for column in mapping.id or ())
    yield from (Wanted("expected.per", (column,)) for column in (mapping.expected.per if mapping.expected else ()))


def _of_form(place: str, form: FieldForm | TimeField | DurationField | None) -> Iterator[Wanted]:
    if form is not None and form.column:
        yield Wanted(place, form.column, bool(form.optional))


def _conditions(mapping: Mapping) -> Iterator[tuple[str, dict[str, TestForm] | None]]:
    yield from (("outcomes", rule.when) for rule in mapping.outcomes or ())
    yield from (("scores", rule.when) for score in mapping.scores for rule in score.grades or ())


def absent_columns(mapping: Mapping, columns: Collection[str]) -> dict[str, str]:
    """Return the columns that a mapping needs and a header lacks, each with its place in the mapping.

    A condition may be about a column that a field can do without: an optional one, or one of several.
    """
    wanted = list(wanted_columns(mapping))
    spare = {c for want in wanted if want.optional or len(want.columns) > 1 for c in want.columns}
    absent: dict[str, str] = {}
    for want in wanted:
        there = set(columns) | (spare if want.condition else set())
        if not want.optional and there.isdisjoint(want.columns):
            absent.setdefault(want.columns[0], want.place)
    return absent


def check_columns(mapping: Mapping, file: str, columns: Collection[str]) -> None:
    """Refuse a file whose header lacks columns that the mapping names.

    Raises:
        RecordsError: names every such column, and the one in the header it may be.

    """
    absent = absent_columns(mapping, columns)
    if absent:
        told = [f"{shown(name)} ({place}){_near(name, columns)}" for name, place in absent.items()]
        raise RecordsError(
            f"{file}:row 1: mapping {mapping.name} names columns that are not in the header: {'; '.join(told)}\n"
            f"    the header has {some(columns)}"
        )


def _near(name: str, columns: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(columns), n=1, cutoff=0.6)
    return f", did you mean {shown(close[0])}?" if close else ""


def some(columns: Collection[str]) -> str:
    """Return column names as a message may show them."""
    names = [shown(c) for c in list(columns)[:_SHOWN]]
    return ", ".join(names) + (f" and {len(columns) - _SHOWN} more" if len(columns) > _SHOWN else "")
