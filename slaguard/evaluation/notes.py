"""What a reader should know before relying on a result: the warnings of an Evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slaguard.evaluation.exclusions import Applied, may_assert
from slaguard.evaluation.result import LEFT_OUT, WarningPart
from slaguard.evaluation.rows import Row
from slaguard.evaluation.sentences import left_words
from slaguard.records import Evidence
from slaguard.spec.model import Agreement, BinRule, Ratio
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Source


def warnings(agreement: Agreement, period: ResolvedPeriod, evidence: Evidence, rows: Sequence[Row]) -> tuple[WarningPart, ...]:
    """Return the warnings of an Evaluation, in order: records, period, Facts, then each row."""
    found = [WarningPart(code="W-RECORDS", path="", text=note) for note in evidence.notes]
    found += [WarningPart(code="W-PERIOD", path="period", text=note) for note in period.notes]
    found += [WarningPart(code="W-FACTS", path=f"facts {fact}", text=text) for fact, text in _facts(agreement, evidence)]
    for row in rows:
        path = f"{row.question.objective.name}/{row.question.scope}"
        found += [WarningPart(code=code, path=path, text=text) for code, text in _row_warnings(row)]
    clockless = sum(r.measured["accepted"].clockless for r in rows)
    if clockless and any(not isinstance(r.question.objective.indicator, BinRule) for r in rows):
        text = "records carry no time of their own; they count by the batch they were made in"
        found.append(WarningPart(code="W-RECORDS-CLOCK", path="", text=text))
    if agreement.fee is None and any(r.question.objective.credits for r in rows):
        found.append(WarningPart(code="W-SPEC-FEE", path="fee", text="no fee is stated, so no amount can be computed"))
    return tuple(found)


def _row_warnings(row: Row) -> Iterator[tuple[str, str]]:
    rule, m = row.question.objective.indicator, row.measured["accepted"]
    if isinstance(rule, BinRule) and m.source is Source.PROBE and m.n:
        yield "W-SPEC-PROBE", "measured by our own probes, while the clause counts the customer's requests"
    gone = left_words(row.question.objective, m)
    if gone:
        yield LEFT_OUT, gone
    yield from m.filter_notes
    late = sum(a.late for a in row.question.applied)
    if late:
        yield "W-LATE-NOTICE", f"{late} window(s) were announced later than the notice asks for, and are contested"
    unshown = [a.exclusion.id for a in row.question.applied if a.is_proposed(row.question.span)]
    if unshown:
        text = "what the contract asks to be shown is not recorded; it is not applied until it is (--facts)"
        yield "W-PROPOSED", f"{', '.join(unshown)}: only proposed: {text}"
    silent = [a.exclusion.id for a in row.question.applied if _is_silent(a)]
    if silent and m.bad > 0 and isinstance(rule, BinRule | Ratio):
        names = ", ".join(silent)
        yield "W-FACTS", f"no announcement is recorded for {names} in this period; if there was one, it counts (--facts)"


def _is_silent(one: Applied) -> bool:
    """Tell whether an exclusion waits for somebody to announce or claim something, and nobody did."""
    told = one.exclusion.notice is not None or one.exclusion.claimed_within is not None
    return told and one.is_window and not one.with_proposed


def _facts(agreement: Agreement, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Say which Facts name an exclusion that is not there, or come from someone who may not assert it."""
    parties = {"vendor": agreement.vendor, "customer": agreement.customer}
    known = {e.id: e for o in agreement.objectives for e in o.exclusions}
    for fact in evidence.facts:
        if fact.exclusion is None:
            continue
        exclusion = known.get(fact.exclusion)
        if exclusion is None:
            names = ", ".join(sorted(known)) or "none"
            yield fact.id, f"it names the exclusion {fact.exclusion!r}, which the Agreement does not have (it has {names})"
        elif fact.type == "announcement" and not may_assert(exclusion, fact.by, parties):
            who = f"the {exclusion.asserted_by} ({parties[exclusion.asserted_by]})"
            yield fact.id, f"it is by {fact.by!r}, while only {who} may claim {fact.exclusion}: contested"
