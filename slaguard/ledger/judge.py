"""From a store of records to an Evaluation: the one way that the command line, the agent and the server take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from slaguard.evaluation.demands import Demands
from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import Evaluation
from slaguard.ledger.store import ColumnStore
from slaguard.records import Evidence, Fact, Incident
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod


@dataclass(frozen=True, slots=True)
class Judged:
    """An Evaluation with what it was made from."""

    demands: Demands
    evidence: Evidence
    evaluation: Evaluation


def judge(
    store: ColumnStore,
    agreement: Agreement,
    period: ResolvedPeriod,
    as_of: int,
    *,
    spec_sha256: str,
    documents: Sequence[Fact | Incident] | None = None,
) -> Judged:
    """Ask a store for what an Agreement needs counted in a period, and judge it.

    Args:
        store: the records.
        agreement: the normal form.
        period: what `spec.resolve` made of the period.
        as_of: the time of knowledge, UTC nanoseconds.
        spec_sha256: the hash of the normal form.
        documents: Facts and Incidents; None: those in the store. None that was recorded after `as_of` counts.

    """
    if documents is None:
        documents = [*store.facts(as_of), *store.incidents(as_of)]
    known = [d for d in documents if d.recorded_at is None or d.recorded_at <= as_of]
    facts = tuple(d for d in known if isinstance(d, Fact))
    demands = requirements(agreement, period, facts, as_of)
    answered = store.answer(demands)
    evidence = replace(answered, facts=facts, incidents=tuple(d for d in known if isinstance(d, Incident)))
    return Judged(demands, evidence, evaluate(agreement, period, evidence, as_of, spec_sha256=spec_sha256))
