"""Which source a promise was decided by, and what became of the others: a line each, in figures that can be checked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from slaguard.evaluation.result import ObjectiveResult, SourcePart
from slaguard.reports.words import count, counted, percent
from slaguard.terms import Source, Verdict

NAMES: Final = {Source.TRAFFIC: "traffic", Source.PROBE: "probes", Source.INCIDENT: "stated outages"}
_DECIDED: Final = frozenset({Verdict.COMPLIANT, Verdict.BREACH})


def source_lines(result: ObjectiveResult) -> tuple[str, ...]:
    """Return ``decided by traffic: 12,431 calls, 99.8 % of the time watched``, ``probes, not used: 8,640 of 8,640 asked``.

    A source that was not used and comes to another verdict says so: ``probes, not used, would say BREACH: …``.

    The source that was used comes first; where no verdict was reached the figure is from it. None for a result that does
    not say.
    """
    return tuple(_lines(result))


def made_from(result: ObjectiveResult) -> str:
    """Return it as a sentence of a report; empty where the promise names one source alone."""
    used = [f"{NAMES[one.source]}, {_facts(result, one)}" for one in result.sources if one.used]
    others = [f"{NAMES[one.source]}, {_facts(result, one)}{_by_it(result, one)}" for one in result.sources if not one.used]
    if not used or not others:
        return ""
    return f"the figure is made from {used[0]}. Not used, and never mixed with it: {'; '.join(others)}."


def _lines(result: ObjectiveResult) -> Iterator[str]:
    for one in sorted(result.sources, key=lambda part: not part.used):
        name = NAMES[one.source]
        if not one.used:
            other = _other_verdict(result, one)
            yield f"{name}, not used{f', would say {other.value}' if other else ''}: {_facts(result, one)}"
        elif result.verdict in _DECIDED:
            yield f"decided by {name}: {_facts(result, one)}"
        else:
            yield f"figure from {name}: {_facts(result, one)}"


def _by_it(result: ObjectiveResult, one: SourcePart) -> str:
    other = _other_verdict(result, one)
    return f", by which the verdict would be {other.value}" if other else ""


def _other_verdict(result: ObjectiveResult, one: SourcePart) -> Verdict | None:
    """Return what a source says that was not used, where it says another thing than the one that was; else None.

    That it has too little to say anything is no other verdict.
    """
    used = next((part.verdict for part in result.sources if part.used), None)
    said = None if one.verdict in {used, Verdict.INSUFFICIENT} else one.verdict
    return None if one.used else said


def _facts(result: ObjectiveResult, one: SourcePart) -> str:
    """Return what a source saw, with what was agreed where that is more; of one that is not used what went wrong, too."""
    short = one.coverage < result.min_coverage
    if not one.calls and one.source is not Source.INCIDENT and (short or one.source is Source.PROBE):
        return "none asked" if one.source is Source.PROBE else "none seen"
    watched, agreed = percent(one.coverage, result.min_coverage), percent(result.min_coverage)
    if one.source is Source.INCIDENT:
        facts = [counted(one.calls, "stated outage"), f"{watched} of the time accounted for"]
    elif one.source is Source.TRAFFIC:
        facts = [counted(one.calls, "call"), f"{watched} of the time watched"]
    else:
        facts = [f"{one.calls - one.unmeasured:,} of {one.calls:,} asked", *([f"{watched} watched"] if short else [])]
    facts += [f"{agreed} agreed"] if short else []
    facts += [f"{count(one.bad)} of {counted(one.n, result.estimate.noun)} against the promise"] * (
        not one.used and one.bad > 0
    )
    return ", ".join(facts)
