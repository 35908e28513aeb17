"""records.csv and facts.jsonl: everything an evaluation needs, as `--mapping auto` and `--facts` read it back.

Each record is a row as `slaguard.ledger.table` writes it, safe in a spreadsheet and without loss; after its own columns
come the `counts.*` columns that say how it counts for each promise, which a reader skips.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, Final

import pandas as pd

from slaguard.ledger.table import ATTRIBUTE, COLUMNS, IGNORED, format_time, to_row
from slaguard.records import Fact, Incident, Observation
from slaguard.reports.inputs import ClaimInputs
from slaguard.terms import Attribution, Outcome, Source

_FIELDS: Final = tuple(f.name for f in fields(Observation) if f.name != "attributes")
_WHOLE: Final = frozenset(
    {"sent_at", "batch_start", "batch_end", "scheduled_at", "first_byte_at", "ended_at", "recorded_at"}
    | {"status", "input_tokens", "output_tokens", "attempt", "time_to_first_token_ns", "total_time_ns"}
)
_FLAGS: Final = frozenset({"stream", "grounded"})
_ENUMS: Final[Mapping[str, Any]] = {"outcome": Outcome, "attribution": Attribution, "source": Source}
_FACT_TIMES: Final = frozenset({"when", "start", "end", "recorded_at"})
CHUNK: Final = 50_000


# ── observations ────────────────────────────────────────────────────────────────────────────────────────────────────
def observations(records: pd.DataFrame) -> Iterator[Observation]:
    """Yield the Observation of every row, in order; columns that are no field of one are passed over."""
    names = [name for name in _FIELDS if name in records]
    mapped = [name for name in records.columns if str(name).startswith(ATTRIBUTE)]
    for first in range(0, len(records), CHUNK):
        part = records.iloc[first : first + CHUNK]
        columns = [_values(part[name], name) for name in names]
        attributes = _attributes(part, mapped)
        for values, found in zip(zip(*columns, strict=True), attributes, strict=True):
            given = {name: value for name, value in zip(names, values, strict=True) if value is not None}
            yield Observation(**given, attributes=found)


def _values(column: pd.Series[Any], name: str) -> list[Any]:
    """Return a column's values as the field holds them; what is missing is None."""
    convert = int if name in _WHOLE else bool if name in _FLAGS else _ENUMS.get(name, str)
    missing = column.isna().tolist()
    return [None if gone else convert(value) for value, gone in zip(column.tolist(), missing, strict=True)]


def _attributes(part: pd.DataFrame, mapped: list[str]) -> list[dict[str, str]]:
    """Return each row's attributes: from a column of maps, or from a column for each."""
    found: list[dict[str, str]] = [{} for _ in range(len(part))]
    if "attributes" in part:
        found = [dict(value) if isinstance(value, Mapping) else {} for value in part["attributes"].tolist()]
    for name in mapped:
        for row, value in zip(found, _values(part[name], name), strict=True):
            if value is not None:
                row[name.removeprefix(ATTRIBUTE)] = value
    return found


# ── the table ───────────────────────────────────────────────────────────────────────────────────────────────────────
def records_csv(inputs: ClaimInputs) -> bytes:
    """Return the table of all records: Observations first, then grades, coverage, tallies and the probe plan.

    UTF-8, commas, quotes where needed, line ends as RFC 4180 has them; a column that nothing fills is left out.
    """
    marks = [str(name) for name in inputs.records.columns if str(name).startswith(IGNORED)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, [*_header(inputs), *marks], restval="", lineterminator="\r\n")
    writer.writeheader()
    counted = zip(*(inputs.records[name].astype(str) for name in marks), strict=True) if marks else itertools.repeat(())
    for record, how in zip(observations(inputs.records), counted, strict=bool(marks)):
        writer.writerow({**to_row(record), **dict(zip(marks, how, strict=True))})
    writer.writerows(map(to_row, inputs.companions))
    return text.getvalue().encode()


def _header(inputs: ClaimInputs) -> list[str]:
    """Return the columns that some record fills, in the table's own order, attributes after them."""
    records = inputs.records
    present = {"kind", "id"} | {name for name in _FIELDS if name in records and bool(records[name].notna().any())}
    present.update(name for companion in inputs.companions for name in to_row(companion))
    return [*(name for name in COLUMNS if name in present), *_attribute_columns(records)]


def _attribute_columns(records: pd.DataFrame) -> list[str]:
    """Return the columns of all attributes, named as the table writes them."""
    names = {name.removeprefix(ATTRIBUTE) for name in map(str, records.columns) if name.startswith(ATTRIBUTE)}
    if "attributes" in records:
        names.update(name for found in records["attributes"] if isinstance(found, Mapping) for name in found)
    specimen = Observation(
        id="", outcome=Outcome.OK, attribution=Attribution.NONE, source=Source.PROBE, via="", vendor="",
        attributes=dict.fromkeys(sorted(names), ""),
    )  # fmt: skip
    return [column for column in to_row(specimen) if column.startswith(ATTRIBUTE)]


# ── facts ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def facts_jsonl(facts: Iterable[Fact | Incident]) -> bytes:
    """Return Facts and Incidents, one a line, as `--facts` reads them; none make an empty file."""
    lines = [json.dumps(_fact(fact), ensure_ascii=True) + "\n" for fact in facts]
    return "".join(lines).encode()


def _fact(fact: Fact | Incident) -> dict[str, str | None]:
    body: dict[str, str | None] = {"kind": fact.kind}
    for item in fields(fact):
        value = getattr(fact, item.name)
        if value not in {None, ""}:
            body[item.name] = format_time(value) if item.name in _FACT_TIMES else str(value)
    if isinstance(fact, Incident) and fact.end is None:
        body["end"] = None
    return body
