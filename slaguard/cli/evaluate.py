"""`slaguard evaluate`: was the promise kept, what is owed, and by when must it be asked for."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from slaguard.cli.clock import SystemClock
from slaguard.cli.gather import Gathered, RecordSource, gather, parse_as_of, warn_of_future
from slaguard.cli.options import AsOf, Covers, FactsFile, LedgerDir, MappingName, PeriodText, RecordFiles
from slaguard.errors import ConfigError
from slaguard.terms import Verdict


def evaluate(  # noqa: PLR0913, PLR0917 - the verb's options
    agreement: Annotated[Path | None, typer.Argument(help="The Agreement, a YAML file.")] = None,
    ledger: LedgerDir = None,
    records: RecordFiles = None,
    mapping: MappingName = None,
    covers: Covers = None,
    facts: FactsFile = None,
    period: PeriodText = None,
    as_of: AsOf = None,
    config: Annotated[Path | None, typer.Option(help="Evaluate every Agreement of this slaguard.yaml.")] = None,
    format: Annotated[Literal["text", "json"], typer.Option(help="text for people, json for machines.")] = "text",  # noqa: A002
    fail_on: Annotated[Literal["breach"] | None, typer.Option(help="breach: exit 1 if a promise is broken.")] = None,
) -> None:
    """Judge every promise of an Agreement in one period.

    Example: slaguard evaluate acme.yaml --records calls.csv --mapping auto --period 2026-10
    """
    source = RecordSource(ledger, tuple(records or ()), mapping, covers, facts)
    moment = parse_as_of(as_of, SystemClock())
    warn_of_future(moment, SystemClock())
    done: list[Gathered] = []
    for path, where in _wanted(agreement, config, source):
        gathered = gather(path, where, period, moment)
        gathered.store.close()
        done.append(gathered)
        if format == "json":
            continue
        if period is None:
            typer.echo(f"no --period: the last closed one, {gathered.period.label}", err=True)
        typer.echo(_text(gathered, path, where, len(done) > 1), nl=False)
    if format == "json":
        typer.echo(_json(done, several=config is not None), nl=False)
    if fail_on and any(o.verdict is Verdict.BREACH for g in done for o in g.evaluation.objectives):
        raise typer.Exit(1)


def _wanted(agreement: Path | None, config: Path | None, source: RecordSource) -> list[tuple[Path, RecordSource]]:
    if (agreement is None) == (config is None):
        msg = "name one Agreement, or --config slaguard.yaml to evaluate all of its Agreements"
        raise ConfigError(msg)
    if agreement is not None:
        return [(agreement, source)]
    assert config is not None  # noqa: S101 - for the type checker: exactly one of the two is given
    from slaguard.cli.deployment import load_config

    settings = load_config(config)
    where = source if source.ledger or source.records else RecordSource(ledger=settings.ledger.path, facts=source.facts)
    return [(path, where) for path in settings.agreements]


def _json(done: list[Gathered], *, several: bool) -> str:
    """Return one object for one Agreement, an array of them for a configuration, however many it names."""
    texts = [g.evaluation.to_json() for g in done]
    return json.dumps([json.loads(t) for t in texts], indent=2, ensure_ascii=False) + "\n" if several else texts[0]


def _text(gathered: Gathered, path: Path, source: RecordSource, more: bool) -> str:
    from slaguard.cli.text import render  # for people alone: it stands on the reports, and they on pandas

    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = shutil.get_terminal_size((100, 24)).columns
    text = render(gathered.evaluation, next_step=_next(gathered, path, source), colour=colour, width=width)
    return f"\n{text}" if more else text


def _next(gathered: Gathered, path: Path, source: RecordSource) -> str | None:
    if not gathered.evaluation.breached or not gathered.period.own or not gathered.evaluation.period.closed:
        return None
    parts = [f"slaguard report {path}"]
    if source.ledger is not None:
        parts.append(f"--ledger {source.ledger}")
    parts += [f"--records {r}" for r in source.records]
    parts += [f"--mapping {source.mapping}"] if source.mapping else []
    parts += [f"--covers {source.covers}"] if source.covers else []
    parts += [f"--facts {source.facts}"] if source.facts else []
    return " ".join([*parts, f"--period {gathered.period.label}", "--out claim"])
