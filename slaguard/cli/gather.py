"""From what the user typed to an Evaluation: the spine, once, for every verb that needs it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from slaguard.errors import ConfigError, RecordsError
from slaguard.evaluation.demands import Demands
from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import Evaluation, parse_rfc3339, rfc3339
from slaguard.imports.facts import read_facts
from slaguard.imports.load import AUTO, load_records
from slaguard.imports.reader import Options
from slaguard.ledger.read import open_store
from slaguard.ledger.store import ColumnStore
from slaguard.records import Clock, Evidence, Fact, Incident, escape
from slaguard.spec.load import Loaded, load
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.resolve import last_closed, resolve

MEMORY: Final = "512MB"
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
    facts, incidents = _facts(source, store, as_of)
    demands = requirements(loaded.agreement, period, facts, as_of)
    answered = store.answer(demands)
    evidence = Evidence(
        tables=answered.tables,
        coverage=answered.coverage,
        facts=facts,
        incidents=incidents,
        notes=(*notes, *answered.notes, *_why_none(answered, store, loaded, period)),
    )
    evaluation = evaluate(loaded.agreement, period, evidence, as_of, spec_sha256=loaded.spec_sha256)
    return Gathered(loaded, period, demands, evidence, evaluation, facts, incidents, store)


def _store(source: RecordSource, loaded: Loaded) -> tuple[ColumnStore, Sequence[str]]:
    if (source.ledger is None) == (not source.records):
        msg = "name where the records are: --ledger DIR, or --records FILE"
        raise ConfigError(msg)
    if source.ledger is not None:
        return open_store(source.ledger), ()
    store = ColumnStore(memory_limit=MEMORY)
    options = Options(stdin=sys.stdin.buffer)
    report = load_records(
        source.records,
        source.mapping or AUTO,
        store,
        covers=source.covers,
        vendor=loaded.agreement.vendor,
        options=options,
    )
    if not report.observations and not report.rows:
        msg = f"{source.records[0]}: the file holds no records"
        raise RecordsError(msg)
    return store, report.notes()


def _why_none(answered: Evidence, store: ColumnStore, loaded: Loaded, period: ResolvedPeriod) -> list[str]:
    """Say why none of the records counts, where none does: another vendor's, or of another time."""
    if any(len(table.n) for table in answered.tables.values()):
        return []
    seen, vendor = store.overview(), loaded.agreement.vendor
    if not seen.vendors or seen.first is None or seen.last is None:
        return ["there is no record at all"]
    if vendor not in seen.vendors:
        names = ", ".join(repr(escape(name)) for name in list(seen.vendors)[:5])
        return [
            f"no record is of the vendor {vendor!r}; they are of {names} (--vendor when importing, or the mapping's vendor)"
        ]
    if seen.last < period.start or seen.first >= period.end:
        return [f"no record is of this period; they run from {rfc3339(seen.first)} to {rfc3339(seen.last)} (--period)"]
    return ["records of this vendor and period are there, but none is in scope (services, eligible) or known by then (--as-of)"]


def _facts(source: RecordSource, store: ColumnStore, as_of: int) -> tuple[tuple[Fact, ...], tuple[Incident, ...]]:
    found: list[Fact | Incident] = [*store.facts(as_of), *store.incidents(as_of)]
    if source.facts is not None:
        found += list(read_facts(source.facts))
    facts = tuple(f for f in found if isinstance(f, Fact) and (f.recorded_at is None or f.recorded_at <= as_of))
    incidents = tuple(f for f in found if isinstance(f, Incident) and (f.recorded_at is None or f.recorded_at <= as_of))
    return facts, incidents
