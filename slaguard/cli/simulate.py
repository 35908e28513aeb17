"""`slaguard simulate`: what each of several contracts would have made of the same records. Never a claim."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from slaguard.cli.clock import SystemClock
from slaguard.cli.contrast import Contrast, Simulated, as_json
from slaguard.cli.gather import RecordSource, open_records, parse_as_of
from slaguard.cli.options import AsOf, Covers, FactsFile, LedgerDir, MappingName, RecordFiles
from slaguard.errors import ConfigError
from slaguard.evaluation.demands import Condition, Counts, Demands
from slaguard.evaluation.sentences import number
from slaguard.imports.facts import read_facts
from slaguard.ledger.judge import judge
from slaguard.ledger.store import ColumnStore
from slaguard.records import Fact, Incident, Span, escape
from slaguard.spec.library import Reference, Shelves
from slaguard.spec.load import Loaded, load, loads
from slaguard.spec.resolve import resolve
from slaguard.terms import OF_CALLS, Outcome

HYPOTHETICAL: Final = "hypothetical: the same records under each contract; nothing here is a claim, or can become one"
_ANY_DAY: Final = date(1990, 1, 1)
_PRESET: Final = """\
apiVersion: slaguard/v1
kind: Agreement
name: {name}
version: 1
vendor: {vendor}
customer: whoever made the calls
contract: {{id: none, basis: hypothetical}}
effective: 1990-01-01
time_zone: {zone}
fee: {{amount: {fee}, per: month}}
use: {reference}
"""


def simulate(  # noqa: PLR0913, PLR0917 - the verb's options
    agreements: Annotated[list[str], typer.Argument(help="Agreements (files), or presets: vendors/aws-bedrock@2023-10-04.")],
    period: Annotated[str, typer.Option(help="The period, as each contract writes it: 2026-10.")],
    ledger: LedgerDir = None,
    records: RecordFiles = None,
    mapping: MappingName = None,
    covers: Covers = None,
    facts: FactsFile = None,
    as_of: AsOf = None,
    vendor: Annotated[str | None, typer.Option(help="Whose calls to take, where the records hold several vendors'.")] = None,
    fee: Annotated[str, typer.Option(help="The monthly fee for presets; an Agreement has its own.")] = "10000.00 USD",
    zone: Annotated[str, typer.Option(help="The clock for presets; an Agreement has its own.")] = "UTC",
    format: Annotated[Literal["text", "json"], typer.Option(help="text for people, json for machines.")] = "text",  # noqa: A002
) -> None:
    """Show what several contracts would have made of the same records.

    Example: slaguard simulate mine.yaml vendors/aws-bedrock@2023-10-04 --records calls.csv --period 2026-10
    """
    source = RecordSource(ledger, tuple(records or ()), mapping, covers, facts)
    moment = parse_as_of(as_of, SystemClock())
    entered = [] if facts is None else read_facts(facts)
    store, notes = open_records(source, vendor or "the vendor")
    with closing(store):
        whose = _vendor(store, vendor)
        loaded = [(text, _loaded(text, whose, fee, zone)) for text in agreements]
        done = [_simulated(text, one, store, whose, period, moment, entered) for text, one in loaded]
        seen = _outcomes(store, whose, _span(done), moment)
    if format == "json":
        typer.echo(json.dumps(as_json(done, seen, period), indent=2, ensure_ascii=False))
        return
    width = shutil.get_terminal_size((100, 24)).columns
    typer.echo("\n".join(_text(done, seen, period, [*notes], width)))


# ── which Agreements, which records ─────────────────────────────────────────────────────────────────────────────────
def _loaded(text: str, vendor: str, fee: str, zone: str) -> Loaded:
    """Return an Agreement of a file, or one that is nothing but a preset."""
    reference = Reference.parse(text)
    if reference is None or Path(text).exists():
        return load(Path(text))
    name = reference.name.rpartition("/")[2]
    document = _PRESET.format(name=name, vendor=json.dumps(vendor), zone=json.dumps(zone), fee=json.dumps(fee), reference=text)
    return loads(document, text, Shelves(Path()))


def _vendor(store: ColumnStore, named: str | None) -> str:
    """Return whose calls the records are; every contract is read as if it were with that vendor."""
    found = store.overview().vendors
    if named is not None:
        return named
    if len(found) > 1:
        names = ", ".join(repr(escape(one)) for one in sorted(found)[:5])
        raise ConfigError(f"the records hold calls to several vendors: {names}\n    say whose to take: --vendor NAME")
    return next(iter(found), "the vendor")


def _simulated(
    text: str, loaded: Loaded, store: ColumnStore, vendor: str, period: str, as_of: int, entered: Sequence[Fact | Incident]
) -> Simulated:
    """Evaluate one Agreement as if it were with this vendor, and in force whenever the records were made."""
    agreement = loaded.agreement.model_copy(update={"vendor": vendor, "effective": _ANY_DAY, "expires": None})
    documents = [*store.facts(as_of), *store.incidents(as_of), *entered]
    done = judge(store, agreement, resolve(agreement, period), as_of, spec_sha256=loaded.spec_sha256, documents=documents)
    return Simulated(_short(text), agreement, done.evaluation, loaded.unconfirmed)


def _short(text: str) -> str:
    return text.removeprefix("vendors/") if Reference.parse(text) else Path(text).stem


def _span(done: Sequence[Simulated]) -> Span:
    return min(one.evaluation.period.start for one in done), max(one.evaluation.period.end for one in done)


def _outcomes(store: ColumnStore, vendor: str, span: Span, as_of: int) -> dict[Outcome, int]:
    """Return how many calls of each outcome the records hold."""
    found = dict.fromkeys(Outcome, 0)
    for source in OF_CALLS:
        counts = Counts(source, span, as_of, (Condition("vendor", (vendor,)),), (), ("outcome",))
        table = store.answer(Demands((counts,), span, as_of, vendor)).tables[counts.sha256()]
        for code, n in zip(table.column("outcome").tolist(), table.n.tolist(), strict=True):
            found[tuple(Outcome)[code]] += n
    return found


# ── for people ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _text(done: Sequence[Simulated], seen: Mapping[Outcome, int], period: str, notes: Sequence[str], width: int) -> list[str]:
    calls = ", ".join(f"{number(n)} {outcome.value}" for outcome, n in seen.items() if n) or "none"
    lines = [HYPOTHETICAL, *_wrapped(f"{period}: {number(sum(seen.values()))} calls ({calls})", width, ""), ""]
    lines += _table([row for one in done for row in one.rows(seen)], done)
    lines += ["", "why they differ"]
    for one in done:
        for row in one.rows(seen):
            name = one.name if len(one.evaluation.objectives) == 1 else f"{one.name} {row.result.name}"
            shown = f" The figure is that of {row.result.reading}." if row.result.reading else ""
            lines += _wrapped(f"{name}: {row.rule}; {row.failures}. {row.result.sentence}.{shown}", width, "  ")
    missing = [(one.name, text) for one in done if one.evaluation.credits for text in one.evaluation.credits.missing]
    lines += [""] * bool(notes or missing)
    lines += [line for note in notes for line in _wrapped(f"note: {note}", width, "  ")]
    lines += [line for name, text in missing for line in _wrapped(f"note: {name}: {text}", width, "  ")]
    for one in done:
        for label in one.unconfirmed:
            text = f"{label} follows a text that nobody has compared with its source: confirm it before you rely on it"
            lines += _wrapped(f"note: {text}", width, "  ")
    return lines


def _wrapped(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(60, width), initial_indent=indent, subsequent_indent=indent + "    ")


def _table(rows: Sequence[Contrast], done: Sequence[Simulated]) -> list[str]:
    from slaguard.cli.text import measured_words, target_words

    currency = {one.name: one.evaluation.credits.currency for one in done if one.evaluation.credits is not None}
    body = [("contract", "promise", "target", "measured", "verdict", "credit")]
    for row in rows:
        result = row.result
        scope = "" if result.scope == "all" else f" {result.scope}"
        credit = "–" if row.credit is None else f"{row.credit:,.2f}"
        credit += f" to {row.at_most:,.2f}" if row.at_most != row.credit else ""
        credit += f" {currency[row.agreement]}" if row.credit is not None else ""
        body.append(
            (row.agreement, result.name + scope, target_words(result), measured_words(result), result.verdict.value, credit)
        )
    widths = [max(len(line[i]) for line in body) for i in range(len(body[0]))]
    return ["  " + "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in body]
