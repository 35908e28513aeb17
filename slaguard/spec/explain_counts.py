"""What counts and what does not, on which evidence, and how it is decided."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from slaguard.spec.explain_requests import filters
from slaguard.spec.explain_words import OUTCOME_WORDS, conditions, counted, duration, listing, percent, value
from slaguard.spec.indicators import Compared, OutageRule, ReviewRule
from slaguard.spec.model import (
    BinRule,
    Decision,
    Objective,
    Outcomes,
    Ratio,
    SampleProportion,
    Service,
)  # fmt: skip
from slaguard.terms import ANSWERED, Count, Outcome, Source

SOURCE_WORDS: Final[dict[Source, str]] = {
    Source.TRAFFIC: "your own calls",
    Source.PROBE: "test calls made by slaguard (probes)",
    Source.INCIDENT: "outages that somebody states (incidents)",
}
_COUNT_WORDS: Final = {
    Count.FAIL: "As failures",
    Count.OK: "As good, beside every normal answer",
    Count.DROP: "Left out, neither good nor bad",
}


def service(term: Service) -> str:
    """Return which part of the traffic a service is."""
    models = listing((value(m) for m in term.models), "or") if term.models is not None else "any"
    regions = listing((value(r) for r in term.regions), "or") if term.regions is not None else "any"
    where = f"; only where {conditions(term.where)}" if term.where else ""
    return f"{term.id}: model {models or 'none'}; region {regions or 'none'}{where}."


def scope(objective: Objective) -> list[str]:
    """Return which of the traffic a promise is about."""
    lines = []
    if objective.service is not None:
        several = len(objective.service) > 1
        own = " Each has a result of its own." if several else ""
        lines.append(f"It is about the service{'s' if several else ''} {listing(objective.service) or 'none'}.{own}")
    if objective.conditions:
        lines.append(f"Only requests count for which {conditions(objective.conditions)}.")
    return [*lines, *filters(objective)]


def outcomes(objective: Objective) -> list[str]:
    """Return how each way a call can end counts, grouped, each named in plain words."""
    terms = objective.outcomes
    match objective.indicator:
        case OutageRule():
            lines = ["No call counts: this promise is about outages that somebody states.", _for_others(terms)]
        case SampleProportion() | Compared() | ReviewRule():
            lines = [_graded_outcomes(terms), _for_others(terms)]
        case _:
            lines = _counted_outcomes(terms)
    for count, opening in _COUNT_WORDS.items():
        codes = sorted(code for code, how in (terms.codes or {}).items() if how is count)
        if codes:
            lines.append(f"{opening}, whatever the status says: calls that failed with {listing(map(value, codes), 'or')}.")
    if terms.timeout_after is not None:
        lines.append(f"An answer that took longer than {duration(terms.timeout_after)} counts as timed out.")
    lines.append("A call that could not be measured is no evidence, neither good nor bad.")
    return lines


def _counted_outcomes(terms: Outcomes) -> list[str]:
    return [f"{opening}: {_endings(terms, count)}." for count, opening in _COUNT_WORDS.items()]


def _graded_outcomes(terms: Outcomes) -> str:
    """Return which calls bring an answer that is graded: a call that brought none is another promise's matter."""
    graded = "; ".join(OUTCOME_WORDS[o] for o in OUTCOME_WORDS if o in ANSWERED and terms.of(o) is Count.OK)
    also = f", and calls that ended so: {graded}" if graded else ""
    return f"Graded are normal answers{also}. All other calls leave this promise."


def _for_others(terms: Outcomes) -> str:
    said = [f"{count} ({', '.join(o for o in OUTCOME_WORDS if terms.of(o) is count) or 'none'})" for count in Count]
    return f"As written, for other promises to use: {listing(said)}."


def _endings(terms: Outcomes, count: Count) -> str:
    return "; ".join(text for outcome, text in OUTCOME_WORDS.items() if terms.of(outcome) is count) or "nothing"


def unseen_outages(objectives: Sequence[Objective]) -> dict[str, list[str]]:
    """Return of promises on availability and errors which outages they do not see, each with the promises' names.

    A call that brought no answer and leaves the count takes the outage out of the figure.
    """
    found: dict[str, list[str]] = {}
    for one in objectives:
        if isinstance(one.indicator, BinRule) or (isinstance(one.indicator, Ratio) and one.indicator.of != "refusals"):
            for text in _unseen(one.outcomes, floor=one.bound.word.is_floor):
                found.setdefault(text, []).append(one.name)
    return found


def _unseen(terms: Outcomes, *, floor: bool) -> list[str]:
    """Return which outages a figure does not see, by the outcomes that leave its count."""
    does = "lower" if floor else "raise"
    if terms.of(Outcome.CONNECTION_ERROR) is Count.DROP:
        return [f"a vendor that cannot be reached is not counted: its outage does not {does} this figure"]
    if terms.of(Outcome.TIMEOUT) is Count.DROP:
        return [f"a vendor that does not answer in time is not counted: such an outage does not {does} this figure"]
    return []


def evidence(objective: Objective) -> list[str]:
    """Return whose calls are the evidence, and how much of the period must have been watched."""
    least = percent(objective.min_coverage)
    first, *rest = [SOURCE_WORDS[s] for s in objective.source] or ["nothing"]
    others = "".join(f"; where they cover less than {least} of the period, {other} instead" for other in rest)
    return [f"Evidence: {first}{others}{', never a mixture' if rest else ''}.", _unwatched(objective, least)]


def _unwatched(objective: Objective, least: str) -> str:
    if objective.decision.estimand == "defined_measure" and objective.min_coverage == 0:
        return "It does not matter how much of the period was watched: the answers there are decide."
    if objective.decision.estimand == "defined_measure":
        return f"At least {least} of it should come about; what was not asked is not guessed at, the answers there are decide."
    sampled = " (a sample is not judged at all then)" if objective.decision.rule == "lower_bound" else ""
    return (
        "Time that was not watched is taken as good and as bad. Where that makes a difference there is no verdict: too "
        f"little evidence if less than {least} of the period was watched{sampled}, undecided otherwise."
    )


def decision(objective: Objective) -> list[str]:
    """Return the decision rule in plain words: what is estimated, how, with which risk, from how many events."""
    rule, event = objective.decision, _event(objective)
    match rule.min_n:
        case 0:
            enough = "No smallest number is asked for."
        case 1:
            enough = f"One {event} is enough to decide."
        case _:
            enough = f"With fewer than {counted(rule.min_n, event)} nothing is decided."
    return [_estimand(rule), _rule(objective), enough]


def _estimand(rule: Decision) -> str:
    if rule.estimand == "realised":
        return "What is judged: what really happened in this period, not the vendor's general ability."
    return "What is judged: the score on the agreed measure. It is the fact itself, not an estimate of something behind it."


def _rule(objective: Objective) -> str:
    rule = objective.decision
    risk = percent(rule.alpha)
    if rule.rule == "point":
        return f"The measured figure decides, without a margin for chance (the risk of {risk} is not used)."
    if rule.estimand == "defined_measure" and isinstance(objective.indicator, SampleProportion):
        return f"So the measured figure decides; that a sample should show it at a risk of {risk} changes nothing here."
    return (
        "If every event was counted, the count decides. If only a sample was, the promise is called broken, or kept, only "
        f"where the sample shows it with a risk of error of at most {risk} each way; otherwise it stays open."
    )


def _event(objective: Objective) -> str:
    match objective.indicator:
        case BinRule():
            return "watched interval"
        case OutageRule():
            return "watched minute"
        case SampleProportion():
            return "graded answer"
        case Ratio():
            return "counted request"
        case _:
            return "timed request"
