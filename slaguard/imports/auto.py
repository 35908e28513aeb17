"""`--mapping auto`: our own table, the forms that ship, or a header that speaks for itself; every assumption is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import entry_points
from typing import Any, Final

from slaguard.errors import RecordsError
from slaguard.imports.columns import absent_columns, some
from slaguard.imports.convert import Context, Converter, Importer, MappingConverter
from slaguard.imports.find import FILL_IN, recognisable
from slaguard.imports.guess import SAMPLE, draft
from slaguard.imports.guess_draft import Draft
from slaguard.imports.guess_values import filled
from slaguard.imports.mapping import Mapping
from slaguard.imports.own import OwnRecords
from slaguard.imports.rows import Row, Rows
from slaguard.imports.upptime import Upptime

NAME: Final = "auto"
GROUP: Final = "slaguard.imports"


class Auto:
    """Chooses a converter by looking at each file (a `reader.Choose`); files of one form share it."""

    delimiter: str | None = None

    def __init__(self) -> None:
        self._coded: dict[Importer, Converter] = {}
        self._made: list[tuple[Mapping, MappingConverter]] = []

    def __call__(self, rows: Rows, context: Context) -> Converter:
        """Return the converter for a file.

        Raises:
            RecordsError: the header leaves open what only a person can know; the message shows how to say it.

        """
        importer = next((i for i in importers() if i.recognises(rows.columns)), None)
        if importer is not None:
            return self._coded.setdefault(importer, importer(context))
        mapping = recognised(rows)
        if mapping is not None:
            context.tally.assumed[f"{rows.file}: read as {mapping.name}@{mapping.version}"] = None
        else:
            sample = rows.sample(SAMPLE)
            found = draft(rows.columns, sample)
            _name_vendor(found, sample, context.vendor)
            mapping = _completed(rows, found)
            for sentence in _assumptions(found):
                context.tally.assumed[sentence] = None
        known = next((converter for one, converter in self._made if one == mapping), None)
        if known is None:
            known = MappingConverter(mapping, context)
            self._made.append((mapping, known))
        return known


def importers() -> tuple[Importer, ...]:
    """Return the forms of log that have code of their own: our table, and those of installed packages."""
    doors = entry_points(group=GROUP)
    return tuple(dict.fromkeys((OwnRecords, Upptime, *(door.load() for door in doors))))


def recognised(rows: Rows) -> Mapping | None:
    """Return the shipped mapping that a header names all columns of; of several, the one that asks for most."""
    header = set(rows.columns)
    named = [m for m in recognisable() if set(m.recognised_by or ()) <= header]
    fitting = [m for m in named if not rows.has_header or not absent_columns(m, header)]
    return max(fitting, key=lambda m: len(m.recognised_by or ()), default=None)


def _name_vendor(found: Draft, sample: Iterable[Row], vendor: str | None) -> None:
    """Take the one name that a log gives its vendor for the vendor's name in the Agreement."""
    column = found.fields.get("vendor")
    if column is None or vendor is None:
        return
    named = set(filled([row.cells.get(column, "") for row in sample]))
    if len(named) == 1 and (name := named.pop()).casefold() != vendor.casefold():
        found.fields["vendor"] = {"column": column, "values": {name: vendor}}
        found.assumed.append(f"column {column!r} says {name[:40]!r} throughout: taken for the vendor {vendor}")


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
