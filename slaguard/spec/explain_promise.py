"""Each promise in sentences: what is measured and promised, and the edges of its rule."""

from __future__ import annotations

from typing import Final

from slaguard.spec import explain_graded as graded
from slaguard.spec import explain_outages as outages
from slaguard.spec import explain_requests as requests
from slaguard.spec.explain_intervals import interval_edges, interval_promise
from slaguard.spec.explain_requests import LATENCY_WORDS
from slaguard.spec.explain_time import averaged, each_period
from slaguard.spec.explain_words import (
    BOUND_WORDS,
    GRADE_WORDS,
    clock,
    listing,
    percent,
    quantity,
    value,
)  # fmt: skip
from slaguard.spec.indicators import Compared, IntervalP50, MeanOfMinutes, OutageRule, ReviewRule
from slaguard.spec.model import (
    Agreement,
    BinRule,
    Objective,
    Percentile,
    Ratio,
    RequestAttainment,
    SampleProportion,
)  # fmt: skip
from slaguard.terms import Count

GRADER_WORDS: Final = {
    "rule": "a fixed rule grades the answers",
    "human": "people grade the answers",
    "judge": "a model grades the answers",
}


def promise(agreement: Agreement, objective: Objective) -> str:
    """Return the promise in one sentence, ready to be read aloud."""
    opening = f"{each_period(agreement.period)}, {clock(agreement.time_zone)}, "
    return f"{opening}{_promise(objective)}."


def edges(objective: Objective) -> list[str]:
    """Return the sentences that settle the edges of the rule: empty intervals, failed requests, who grades."""
    return [*averaged(objective), *_edges(objective), *_pair(objective), *_unused(objective)]


def _pair(objective: Objective) -> list[str]:
    if objective.pairs_with is None:
        return []
    return [f"It goes with {objective.pairs_with}: a model that answers less is wrong less often."]


def _edges(objective: Objective) -> list[str]:
    rule = objective.indicator
    match rule:
        case BinRule():
            return interval_edges(rule)
        case Ratio():
            return [_enough(rule.min_requests)]
        case Percentile():
            failed = {"exceed": "exceeds every limit", "leave_out": "leaves the count"}[rule.failed]
            return [f"A request that failed has no such time: it {failed}.", _enough(rule.min_requests)]
        case RequestAttainment():
            failed = {"miss": "counts as too slow", "leave_out": "leaves the count"}[rule.failed]
            what = "such time" if rule.speed is None else "speed"
            return [f"A request that failed has no {what}: it {failed}.", _enough(rule.min_requests)]
        case IntervalP50():
            return requests.median_edges(rule)
        case MeanOfMinutes():
            return requests.mean_edges(rule, _enough(rule.min_requests))
        case SampleProportion():
            return _grading(objective, rule)
        case OutageRule():
            return outages.edges(rule)
        case ReviewRule() | Compared():
            return graded.edges(rule)


def _promise(objective: Objective) -> str:
    rule = objective.indicator
    word = objective.bound.word
    bound = f"{BOUND_WORDS[word]} {quantity(objective.target)}"
    may = "must" if word.is_floor else "may"
    match rule:
        case BinRule():
            return interval_promise(objective, rule)
        case ReviewRule() | Compared():
            return graded.promised(rule, bound, may)
        case OutageRule():
            return f"{bound} of the time {may} be up; {outages.down(rule)}"
        case Ratio():
            what = {"failures": "fail", "successes": "succeed", "refusals": "be refused an answer by the model"}
            return f"{bound} of the counted requests {may} {what[rule.of]}"
        case Percentile():
            return _percentile(rule, bound, is_floor=word.is_floor)
        case RequestAttainment():
            fast = requests.fast_enough(rule)
            return f"{bound} of the counted requests {may} be fast enough: {fast}"
        case IntervalP50():
            return requests.median_promise(rule, bound, may)
        case MeanOfMinutes():
            return requests.mean_promise(rule, word, quantity(objective.target))
        case SampleProportion():
            to = f" to the agreed questions {value(objective.golden_set.id)}" if objective.golden_set else ""
            return f"{bound} of the graded answers{to} {may} be {'good' if rule.event == 'correct' else 'unsupported'}"


def _percentile(rule: Percentile, bound: str, *, is_floor: bool) -> str:
    if is_floor:
        smallest = f"at least {percent(rule.p)} of the counted requests do not exceed"
        return f"the smallest value that {smallest} must be {bound}, for {LATENCY_WORDS[rule.field]}"
    return f"for at least {percent(rule.p)} of the counted requests {LATENCY_WORDS[rule.field]} must be {bound}"


def _enough(min_requests: int) -> str:
    if min_requests == 0:
        return "No smallest number of requests is asked for."
    return f"With fewer than {min_requests:,} counted requests in the period there is not enough evidence."


def _grading(objective: Objective, rule: SampleProportion) -> list[str]:
    counted = []
    good, bad = ("Good", "Bad") if rule.event == "correct" else ("Supported", "Unsupported")
    for count, word in ((Count.OK, good), (Count.FAIL, bad), (Count.DROP, "Left out"), (None, "Open")):
        grades = [words for grade, words in GRADE_WORDS.items() if rule.grades.of(grade) is count]
        grades += _open_answers(rule) if count is None else []
        counted.append(f"{word}: {listing(grades) or 'none'}.")
    fate = "What is open is never dropped: it is taken both ways, and must not change the verdict."
    return [" ".join(counted), fate, _grader(objective, rule), *_content(objective)]


def _open_answers(rule: SampleProportion) -> list[str]:
    if rule.grading == "human":
        return ["answers that a person saw and could not grade (one that nobody was asked to grade is not in the sample)"]
    return ["answers without a grade"]


def _grader(objective: Objective, rule: SampleProportion) -> str:
    who = GRADER_WORDS[rule.grading]
    if objective.scorer is not None:
        return f"Who grades: {who}; only grades of the scorer {value(objective.scorer)} count."
    own = "the scorer that the agreed questions name" if objective.golden_set else "any scorer of that kind"
    return f"Who grades: {who}; the grades of {own} count."


def _content(objective: Objective) -> list[str]:
    questions = objective.golden_set
    if questions is None or questions.sha256 is None:
        return []
    return [f"The questions are those with the SHA-256 {value(questions.sha256)}."]


def _unused(objective: Objective) -> list[str]:
    """Name what only a graded promise uses, where it is written beside another rule."""
    if isinstance(objective.indicator, SampleProportion):
        return []
    found = [f"the scorer {value(objective.scorer)}"] if objective.scorer is not None else []
    if objective.golden_set is not None:
        pin = objective.golden_set.sha256
        found.append(f"the questions {value(objective.golden_set.id)}{f' (SHA-256 {value(pin)})' if pin else ''}")
    return [f"Written too, but not used by this rule: {listing(found)}."] if found else []
