"""A small mapping to build on, and a way to read texts through it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slaguard.imports.load import read
from slaguard.imports.mapping import Mapping
from slaguard.imports.reader import Options
from slaguard.imports.report import ImportReport
from slaguard.records import Adjudication, Coverage, Observation, Record, Score
from slaguard.terms import Source

BASE: dict[str, Any] = {
    "apiVersion": "slaguard/v1",
    "kind": "Mapping",
    "name": "calls",
    "version": "1",
    "text": "A log of calls.",
    "source": "traffic",
    "population": "complete",
    "covers": "first..last",
    "fields": {
        "vendor": {"constant": "Acme AI"},
        "sent_at": {"column": "at", "format": "iso8601"},
        "total_time": {"column": "ms", "unit": "ms"},
        "status": "status",
    },
}
HEAD = "at,status,ms\n"
LINE = "2026-10-01T00:00:00Z,200,812\n"


def document(fields: dict[str, Any] | None = None, **terms: Any) -> dict[str, Any]:
    """Build a document from the base: `fields` are merged, everything else replaces, None leaves out."""
    named = {k: v for k, v in {**BASE["fields"], **(fields or {})}.items() if v is not None}
    return {k: v for k, v in {**BASE, "fields": named, **terms}.items() if v is not None}


def mapping(fields: dict[str, Any] | None = None, **terms: Any) -> Mapping:
    """Build a Mapping from the base."""
    return Mapping.model_validate(document(fields, **terms))


@dataclass(frozen=True)
class Read:
    """What an import gave."""

    records: list[Record]
    report: ImportReport

    @property
    def observations(self) -> list[Observation]:
        return [r for r in self.records if isinstance(r, Observation)]

    @property
    def scores(self) -> list[Score]:
        return [r for r in self.records if isinstance(r, Score)]

    @property
    def adjudications(self) -> list[Adjudication]:
        return [r for r in self.records if isinstance(r, Adjudication)]

    @property
    def coverage(self) -> list[tuple[Source, int, int]]:
        return [(r.source, r.start, r.end) for r in self.records if isinstance(r, Coverage)]

    @property
    def one(self) -> Observation:
        (only,) = self.observations
        return only


def take(tmp: Path, how: Mapping | str, *texts: str | bytes, name: str = "log.csv", **options: Any) -> Read:
    """Write each text into a file of its own and read them all."""
    files = []
    for i, text in enumerate(texts):
        path = tmp / f"file{i}" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        files.append(str(path))
    records = read(files, how, Options(**options))
    return Read(list(records), records.report)
