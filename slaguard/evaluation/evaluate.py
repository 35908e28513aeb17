"""`evaluate`: one Agreement, one period, the Evidence, a time of knowledge; out comes the whole result, and nothing else.

Pure: the same input gives the same bytes, forever. Every row is measured with the accepted exclusions, with those in
dispute as well, and with none, under every reading of its clause that is open; a verdict that hangs on a dispute or on
a reading is INCONCLUSIVE.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from slaguard.evaluation.accounts import Books
from slaguard.evaluation.found import found_in
from slaguard.evaluation.notes import warnings
from slaguard.evaluation.payment import in_kind_parts
from slaguard.evaluation.readings import answer, read_credits, read_deadlines, read_result
from slaguard.evaluation.requirements import asked
from slaguard.evaluation.result import METHOD_VERSION, AgreementPart, Evaluation, Inputs, PeriodPart
from slaguard.evaluation.rights import failed_ends, rights
from slaguard.evaluation.rows import Row
from slaguard.records import Evidence
from slaguard.spec.in_force import in_force
from slaguard.spec.model import Agreement
from slaguard.spec.period import ResolvedPeriod


def evaluate(
    agreement: Agreement,
    period: ResolvedPeriod,
    evidence: Evidence,
    as_of: int,
    *,
    spec_sha256: str,
    history: Sequence[Evaluation] = (),
) -> Evaluation:
    """Judge every promise of an Agreement in one period.

    Args:
        agreement: the normal form.
        period: what `spec.resolve` made of the period.
        evidence: the answers to `requirements(agreement, period, evidence.facts, as_of)`.
        as_of: the time of knowledge, UTC nanoseconds; it also says whether the period is over.
        spec_sha256: the hash of the normal form, printed with the result.
        history: the Evaluations of earlier periods, in order of time, where caps, points, earn-back or rights look back.

    Raises:
        KeyError: the evidence does not answer a Demand.

    """
    agreement = in_force(agreement, period)
    closed = as_of >= period.end
    books = Books(evidence.facts, tuple(history))
    answers = tuple(answer(row, evidence, period, as_of, books) for row in asked(agreement, period, evidence.facts, as_of))
    analyses = "\n".join(row.analysis.sha256() for one in answers for row in one.rows)
    shown = tuple(one.shown for one in answers)
    found = Evaluation(
        agreement=AgreementPart(
            name=agreement.name,
            version=agreement.version,
            sha256=spec_sha256,
            vendor=agreement.vendor,
            customer=agreement.customer,
            contract=agreement.contract.id,
        ),
        period=PeriodPart(
            label=period.label, start=period.start, end=period.end, time_zone=period.zone, closed=closed, own=period.own
        ),
        as_of=as_of,
        inputs=Inputs(
            spec_sha256=spec_sha256,
            evidence_sha256=evidence.sha256(),
            analysis_sha256=hashlib.sha256(analyses.encode()).hexdigest(),
            tzdata=period.tzdata,
            method_version=METHOD_VERSION,
            history_sha256=_history_sha256(books.history),
            holidays=period.holidays,
        ),
        objectives=tuple(read_result(one, period, closed=closed, books=books) for one in answers),
        credits=read_credits(agreement, period, answers, closed=closed, books=books),
        deadlines=(),
        warnings=warnings(agreement, period, evidence, shown),
        in_kind=in_kind_parts(agreement, period, shown, books),
    )
    return found.model_copy(update=_from_results(agreement, period, evidence, as_of, shown, (*books.history, found)))


def _from_results(
    agreement: Agreement, period: ResolvedPeriod, evidence: Evidence, as_of: int, shown: tuple[Row, ...],
    judged: tuple[Evaluation, ...],
) -> dict[str, object]:  # fmt: skip
    """Return what rests on the results themselves: deadlines, which may count from a failed period's end, and rights."""
    known = found_in(agreement, evidence, shown, failed_ends(agreement, judged) if period.own else ())
    later: dict[str, object] = {"deadlines": read_deadlines(agreement, period, evidence.facts, as_of, known)}
    if agreement.chronic and period.own:
        later["rights"] = rights(agreement, judged, evidence.facts, as_of)
    return later


def _history_sha256(history: Sequence[Evaluation]) -> str | None:
    """Return the hash of what earlier results were made from; None where none was looked at."""
    if not history:
        return None
    made_from = (f"{one.period.label} {one.inputs.evidence_sha256} {one.inputs.spec_sha256}" for one in history)
    return hashlib.sha256("\n".join(made_from).encode()).hexdigest()
