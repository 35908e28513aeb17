"""`--mapping auto`: our own table, the forms that ship, or a header that speaks for itself; every assumption is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from slaguard.errors import RecordsError
from slaguard.imports.columns import absent_columns, some
from slaguard.imports.convert import Context, Converter, MappingConverter
from slaguard.imports.find import FILL_IN, recognisable
from slaguard.imports.guess import SAMPLE, draft
from slaguard.imports.guess_draft import Draft
from slaguard.imports.mapping import Mapping
from slaguard.imports.own import OwnRecords, is_own
from slaguard.imports.rows import Rows

NAME: Final = "auto"


class Auto:
    """Chooses a converter by looking at each file (a `reader.Choose`); files of one form share it."""

    delimiter: str | None = None

    def __init__(self) -> None:
        self._own: OwnRecords | None = None
        self._made: list[tuple[Mapping, MappingConverter]] = []

    def __call__(self, rows: Rows, context: Context) -> Converter:
        """Return the converter for a file.

        Raises:
            RecordsError: the header leaves open what only a person can know; the message shows how to say it.

        """
        if is_own(rows.columns):
            self._own = self._own or OwnRecords()
            return self._own
        mapping = recognised(rows)
        if mapping is not None:
            context.tally.assumed[f"{rows.file}: read as {mapping.name}@{mapping.version}"] = None
        else:
            found = draft(rows.columns, rows.sample(SAMPLE))
            mapping = _completed(rows, found)
            for sentence in _assumptions(found):
                context.tally.assumed[sentence] = None
        known = next((converter for one, converter in self._made if one == mapping), None)
        if known is None:
            known = MappingConverter(mapping, context)
            self._made.append((mapping, known))
        return known


def recognised(rows: Rows) -> Mapping | None:
    """Return the shipped mapping that a header names all columns of; of several, the one that asks for most."""
    header = set(rows.columns)
    named = [m for m in recognisable() if set(m.recognised_by or ()) <= header]
    fitting = [m for m in named if not rows.has_header or not absent_columns(m, header)]
    return max(fitting, key=lambda m: len(m.recognised_by or ()), default=None)


def _completed(rows: Rows, found: Draft) -> Mapping:
    if found.open:
        told = "\n".join(f"    {path}: {what}" for path, what in found.open.items())
        raise RecordsError(
            f"{rows.file}: --mapping auto cannot know, from the columns {some(rows.columns)}:\n{told}\n"
            f"    slaguard import --suggest {rows.file} > mapping.yaml\n"
            "    writes what can be known; complete it, then use --mapping mapping.yaml"
        )
    return Mapping.model_validate(document(found))


def document(found: Draft) -> dict[str, Any]:
    """Return the document of a draft in which nothing is open."""
    body: dict[str, Any] = {
        "apiVersion": "slaguard/v1",
        "kind": "Mapping",
        "name": NAME,
        "version": "1",
        "text": "Proposed from the header and the first rows.",
        "source": found.source,
        "population": found.population,
        "covers": "first..last",
        "missing": found.missing,
        "fields": {name: value for name, value in found.fields.items() if value != FILL_IN},
        "attributes": found.attributes,
        "scores": found.scores,
    }
    if found.zone_needed:
        body["zone"] = "UTC"
    if found.batch is not None:
        body["time"] = {"batch": found.batch}
    if found.outcomes:
        body["outcomes"] = found.outcomes
    if found.id:
        body["id"] = found.id
    return body


def _assumptions(found: Draft) -> Iterator[str]:
    what = "your own calls" if found.source == "traffic" else "questions asked in order to measure"
    part = "every call there was is in the file" if found.population == "complete" else "the file holds a part of all calls"
    yield f"auto: source {found.source} ({what}), population {found.population} ({part})"
    if found.zone_needed:
        yield "auto: the times name no zone: read as UTC"
    read = {name: value["column"] if isinstance(value, dict) else value for name, value in found.fields.items()}
    yield "auto: read " + ", ".join(f"{column!r} as {name}" for name, column in read.items())
    yield from (f"auto: {sentence}" for sentence in found.assumed)
