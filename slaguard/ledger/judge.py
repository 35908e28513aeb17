"""From a store of records to an Evaluation: the one way that the command line, the agent and the server take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from slaguard.evaluation.demands import Demands
from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.lookback import looked_at, looks_back
from slaguard.evaluation.parts import rfc3339
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import Evaluation, WarningPart
from slaguard.ledger.fingerprint import fingerprint
from slaguard.ledger.read import open_store
from slaguard.ledger.store import ColumnStore
from slaguard.records import Evidence, Fact, Incident, escape
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod
from slaguard.spec.resolve import periods_before

MEMORY: Final = "512MB"
"""What DuckDB may use for one store before it writes to disk."""
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Judged:
    """An Evaluation with what it was made from."""

    demands: Demands
    evidence: Evidence
    evaluation: Evaluation


@contextmanager
def opened(directory: Path, *, partials: bool = True) -> Iterator[ColumnStore]:
    """Open a ledger to read, and close it; where there is none yet, an empty store.

    Args:
        directory: the ledger's folder.
        partials: whether answers on single segments are kept beside them; without, nothing at all is written.

    Raises:
        LedgerError: a ledger is there and cannot be read.

    """
    if fingerprint(directory) is None:
        with ColumnStore(memory_limit=MEMORY) as nothing:
            yield nothing
        return
    with open_store(directory, memory_limit=MEMORY, partials=partials) as store:
        yield store


def judge(  # noqa: PLR0913 - what one evaluation is made of
    store: ColumnStore,
    agreement: Agreement,
    period: ResolvedPeriod,
    as_of: int,
    *,
    spec_sha256: str,
    documents: Sequence[Fact | Incident] | None = None,
    notes: Sequence[str] = (),
    history: Sequence[Evaluation] | None = None,
    unconfirmed: Sequence[str] = (),
) -> Judged:
    """Ask a store for what an Agreement needs counted in a period, and judge it.

    Args:
        store: the records.
        agreement: the normal form.
        period: what `spec.resolve` made of the period.
        as_of: the time of knowledge, UTC nanoseconds.
        spec_sha256: the hash of the normal form.
        documents: Facts and Incidents; None: those in the store. None that was recorded after `as_of` counts.
        notes: what a reader must know of how the records came into the store.
        unconfirmed: profiles of the Agreement that follow a text which nobody has compared with its source.
        history: the Evaluations of earlier periods; None: they are judged too, where money or rights hang on them.

    Raises:
        ConfigError: the period is a look whose ends lie inside an interval that is counted.
        LedgerError: the records cannot be read.

    """
    if documents is None:
        documents = [*store.facts(as_of), *store.incidents(as_of)]
    known = [d for d in documents if d.recorded_at is None or d.recorded_at <= as_of]
    facts = tuple(d for d in known if isinstance(d, Fact))
    demands = requirements(agreement, period, facts, as_of)
    answered = store.answer(demands)
    evidence = replace(
        answered,
        facts=facts,
        incidents=tuple(d for d in known if isinstance(d, Incident)),
        notes=(*notes, *answered.notes, *_why_none(answered, store, agreement, period)),
    )
    before = earlier(store, agreement, period, as_of, spec_sha256, documents) if history is None else history
    found = evaluate(agreement, period, evidence, as_of, spec_sha256=spec_sha256, history=before)
    return Judged(demands, evidence, found.model_copy(update={"warnings": (*_presets(unconfirmed), *found.warnings)}))


def _presets(unconfirmed: Sequence[str]) -> Iterator[WarningPart]:
    """Yield a warning for each profile that must be compared with its source before anybody relies on the result."""
    for label in unconfirmed:
        text = f"{label} follows a text that nobody has compared with its source; compare it before you rely on this"
        yield WarningPart(code="W-SPEC-PRESET", path="use", text=text)


def earlier(
    store: ColumnStore,
    agreement: Agreement,
    period: ResolvedPeriod,
    as_of: int,
    spec_sha256: str,
    documents: Sequence[Fact | Incident] | None = None,
) -> tuple[Evaluation, ...]:
    """Return the Evaluations of the earlier periods that an Agreement's money and rights look back at, in order of time.

    Each is judged with those before it: what a year's cap leaves in March depends on what January and February paid.
    """
    if not period.own or not looks_back(agreement):
        return ()
    wanted = looked_at(agreement, period, periods_before(agreement, period.label))
    history: list[Evaluation] = []
    for one in sorted(wanted, key=lambda p: p.start):
        done = judge(store, agreement, one, as_of, spec_sha256=spec_sha256, documents=documents, history=tuple(history))
        history.append(done.evaluation)
    return tuple(history)


def _why_none(answered: Evidence, store: ColumnStore, agreement: Agreement, period: ResolvedPeriod) -> list[str]:
    """Say why none of the records counts, where none does: another vendor's, or of another time."""
    if not answered.tables or any(len(table.n) for table in answered.tables.values()):
        return []
    seen, vendor = store.overview(), agreement.vendor
    if not seen.vendors or seen.first is None or seen.last is None:
        return ["there is no record at all"]
    if vendor not in seen.vendors:
        names = ", ".join(repr(escape(name)) for name in list(seen.vendors)[:_NAMED])
        return [
            f"no record is of the vendor {vendor!r}; they are of {names} (--vendor when importing, or the mapping's vendor)"
        ]
    if seen.last < period.start or seen.first >= period.end:
        return [f"no record is of this period; they run from {rfc3339(seen.first)} to {rfc3339(seen.last)} (--period)"]
    return ["records of this vendor and period are there, but none is in scope (services, eligible) or known by then (--as-of)"]
