"""`import --suggest FILE`: a mapping for a file nobody has described yet, with comments where only a person knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final

from slaguard.imports.find import FILL_IN
from slaguard.imports.guess import SAMPLE, draft
from slaguard.imports.guess_draft import Draft, normal
from slaguard.imports.opening import STDIN, open_rows
from slaguard.spec.scalars import SLUG

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./ -]*(?<! )\Z", re.ASCII)
_NOT_PLAIN: Final = frozenset({"null", "Null", "NULL", "true", "false", "yes", "no", "on", "off"})
_WIDTH: Final = 58


def _no_progress(_advance: int) -> None:
    """Show nothing: only the first rows are read."""


def suggest(file: str, stdin: BinaryIO | None = None) -> str:
    """Return the text of a mapping for a file, from its header and first rows.

    What cannot be known from the file reads ``FILL_IN``; the mapping is refused, naming each, until they are written.

    Raises:
        RecordsError: the file cannot be read.

    """
    with open_rows(file, stdin, _no_progress) as rows:
        return text_of(draft(rows.columns, rows.sample(SAMPLE)), file)


def name_for(file: str) -> str:
    """Return a mapping's name from a file's."""
    stem = "" if file == STDIN else Path(file).name.partition(".")[0]
    name = normal(stem).replace("_", "-")[:63]
    return name if SLUG.match(name) else "my-log"


def text_of(found: Draft, file: str) -> str:
    """Return the YAML text of a draft."""
    lines = [*_head(found, file), *_fields(found), *_rules(found)]
    if found.unused:
        lines += ["# Columns that are not used; what an Agreement should tell apart goes under attributes:"]
        lines += [f"#   {_quote(column)}" for column in found.unused[:40]]
    return "\n".join(lines) + "\n"


def _head(found: Draft, file: str) -> Iterator[str]:
    yield "# A mapping: what the columns of your log mean. Check each line; write what reads FILL_IN, then"
    yield "#   slaguard validate mapping.yaml"
    yield "#   slaguard import YOUR_FILE --mapping mapping.yaml --ledger ledger"
    yield from ("apiVersion: slaguard/v1", "kind: Mapping", f"name: {name_for(file)}", "version: 1")
    yield "text: What this log is, and how it was made."
    yield _line(f"source: {found.source}", "traffic: your own calls; probe: made in order to measure. Check it")
    yield _line(f"population: {found.population}", "complete: every call is in the file; unknown: a part of them. Check it")
    yield _line("covers: first..last", "or START/END for which the log is whole: time outside counts as not watched")
    if found.zone_needed:
        yield _line(f"zone: {FILL_IN}", "the times name no zone: Europe/Berlin, UTC …")
    if found.missing:
        yield _line(f"missing: {_flow(found.missing)}", "texts that stand for no value")


def _fields(found: Draft) -> Iterator[str]:
    if found.batch is not None:
        remark = found.open.get("time.batch") or found.open.get("time.batch.day", "")
        yield _line(f"time: {{batch: {_flow(found.batch)}}}", remark)
    yield "fields:"
    if "vendor" not in found.fields:
        yield _line(f"  vendor: {{constant: {FILL_IN}}}", "the vendor, as your Agreement names it")
    for name, value in found.fields.items():
        path = f"fields.{name}"
        yield _line(f"  {name}: {_flow(value)}", found.open.get(path) or found.remarks.get(path, ""))
    if found.attributes:
        yield _line("attributes:", "whatever else you may want to tell apart; take out what you do not need")
        yield from (f"  {name}: {_flow(column)}" for name, column in found.attributes.items())
    if found.id:
        yield _line(f"id: {_flow(found.id)}", "what identifies a call: imported twice, it counts once")


def _rules(found: Draft) -> Iterator[str]:
    if found.outcomes:
        yield _line("outcomes:", found.open.get("outcomes") or found.remarks.get("outcomes", "the first rule that fits"))
        yield from (f"  - {_flow(rule)}" for rule in found.outcomes)
    if found.scores:
        yield "scores:"
    for score in found.scores:
        rest = {key: value for key, value in score.items() if key != "grades"}
        yield "  - grades:"
        yield from (f"      - {_flow(rule)}" for rule in score["grades"])
        yield from (f"    {key}: {_flow(value)}" for key, value in rest.items())


def _line(text: str, comment: str) -> str:
    return f"{text:<{_WIDTH}} # {comment}" if comment else text


def _flow(value: Any) -> str:
    """Return a value in YAML's one-line form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quote(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in value) + "]"
    return value if value in {"true", "false"} else _quote(value)


def _quote(text: str) -> str:
    return text if _PLAIN.match(text) and text not in _NOT_PLAIN else json.dumps(text, ensure_ascii=False)
