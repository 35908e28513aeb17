"""From what the user typed to an Evaluation: the spine, once, for every verb that needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from slaguard.errors import ConfigError, RecordsError
from slaguard.evaluation.demands import Demands
from slaguard.evaluation.parts import parse_rfc3339
from slaguard.evaluation.result import Evaluation
from slaguard.imports.facts import read_facts
from slaguard.ledger.judge import MEMORY, judge
from slaguard.ledger.read import open_store
from slaguard.ledger.store import ColumnStore
from slaguard.records import Clock, Evidence, Fact, Incident
from slaguard.spec.load import Loaded, load
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.resolve import last_closed, resolve
from slaguard.terms import Source

FIRST_NS: Final = 631_152_000 * 10**9
LAST_NS: Final = 7_258_118_400 * 10**9


@dataclass(frozen=True, slots=True)
class RecordSource:
    """Where the records come from: a ledger, or files with a mapping; exactly one of the two."""

    ledger: Path | None = None
    records: tuple[str, ...] = ()
    mapping: str | None = None
    covers: str | None = None
    facts: Path | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """One evaluation and all that it was made from; `store` still holds the records and must be closed."""

    loaded: Loaded
    period: ResolvedPeriod
    demands: Demands
    evidence: Evidence
    evaluation: Evaluation
    facts: tuple[Fact, ...]
    incidents: tuple[Incident, ...]
    store: ColumnStore


def parse_as_of(text: str | None, clock: Clock) -> int:
    """Return the time of knowledge: as typed (RFC 3339), else now.

    Raises:
        ConfigError: not RFC 3339.

    """
    if text is None:
        return clock.read().wall_ns
    try:
        moment = parse_rfc3339(text)
        if FIRST_NS <= moment < LAST_NS:
            return moment
        msg = f"--as-of {text}: write a time between 1990 and 2200"
    except (ValueError, OverflowError):
        msg = f"--as-of {text}: write a time with its offset from UTC: 2026-11-02T09:00:00Z"
    raise ConfigError(msg)


def warn_of_future(as_of: int, clock: Clock) -> None:
    """Say on the error stream that a time of knowledge has not come yet: what still happens until then is not known."""
    if as_of > clock.read().wall_ns:
        typer.echo(
            "warning: --as-of is in the future by this machine's clock; records that are still to come are missing", err=True
        )


def gather(agreement: Path, source: RecordSource, period_text: str | None, as_of: int) -> Gathered:
    """Load, resolve, read and evaluate.

    Args:
        agreement: the Agreement's file.
        source: where the records come from.
        period_text: as typed; None: the last closed period.
        as_of: the time of knowledge, UTC nanoseconds.

    Raises:
        SpecError: the Agreement is refused.
        ConfigError: no period, or both or neither of ledger and records.
        RecordsError, LedgerError: the records cannot be read.

    """
    loaded = load(agreement)
    period = resolve(loaded.agreement, last_closed(loaded.agreement, as_of) if period_text is None else period_text)
    store, notes = _store(source, loaded)
    with ExitStack() as undo:
        undo.enter_context(store)
        entered = [] if source.facts is None else read_facts(source.facts)
        done = gathered(store, loaded, period, as_of, entered=entered, notes=notes)
        undo.pop_all()
    return done


def gathered(
    store: ColumnStore,
    loaded: Loaded,
    period: ResolvedPeriod,
    as_of: int,
    *,
    entered: Sequence[Fact | Incident] = (),
    notes: Sequence[str] = (),
) -> Gathered:
    """Evaluate on a store and keep what a report needs besides.

    Args:
        store: the records; it is kept, and its user closes it.
        loaded: the Agreement.
        period: the resolved period.
        as_of: the time of knowledge, UTC nanoseconds.
        entered: Facts and Incidents besides those in the store.
        notes: what a reader must know of how the records came into the store.

    Raises:
        ConfigError, LedgerError: as `ledger.judge.judge`.

    """
    documents = [*store.facts(as_of), *store.incidents(as_of), *entered]
    done = judge(
        store, loaded.agreement, period, as_of, spec_sha256=loaded.spec_sha256, documents=documents, notes=notes,
        unconfirmed=loaded.unconfirmed,
    )  # fmt: skip
    evidence = done.evidence
    return Gathered(loaded, period, done.demands, evidence, done.evaluation, evidence.facts, evidence.incidents, store)


def _stated_alone(loaded: Loaded) -> bool:
    """Tell whether every promise is about outages that somebody states, so that no record of a call is needed."""
    return all(one.source == (Source.INCIDENT,) for one in loaded.agreement.objectives)


def _store(source: RecordSource, loaded: Loaded) -> tuple[ColumnStore, Sequence[str]]:
    if source.ledger is None and not source.records and source.facts is not None and _stated_alone(loaded):
        return ColumnStore(memory_limit=MEMORY), ()
    return open_records(source, loaded.agreement.vendor)


def open_records(source: RecordSource, vendor: str) -> tuple[ColumnStore, Sequence[str]]:
    """Return the records and what a reader must know of how they were read.

    Args:
        source: where the records come from; its facts are not read.
        vendor: who was called, where the records do not say.

    Raises:
        ConfigError: both or neither of ledger and records.
        RecordsError, LedgerError: the records cannot be read.

    """
    if (source.ledger is None) == (not source.records):
        msg = "name where the records are: --ledger DIR, or --records FILE"
        raise ConfigError(msg)
    if source.ledger is not None:
        return open_store(source.ledger), ()
    from slaguard.imports.load import AUTO, load_records  # a ledger needs none of the importers
    from slaguard.imports.reader import Options

    store = ColumnStore(memory_limit=MEMORY)
    options = Options(stdin=sys.stdin.buffer)
    report = load_records(
        source.records,
        source.mapping or AUTO,
        store,
        covers=source.covers,
        vendor=vendor,
        options=options,
    )
    if not report.observations and not report.rows:
        msg = f"{source.records[0]}: the file holds no records"
        raise RecordsError(msg)
    return store, report.notes()
