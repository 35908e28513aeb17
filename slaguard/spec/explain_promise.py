"""Each promise in sentences: what is measured and promised, and the edges of its rule."""

from __future__ import annotations

from typing import Final

from slaguard.spec.explain_words import (
    BOUND_WORDS,
    GRADE_WORDS,
    clock,
    duration,
    each_period,
    limits,
    listing,
    percent,
    quantity,
    value,
)  # fmt: skip
from slaguard.spec.model import (
    Agreement,
    BinRule,
    ErrorRateRuns,
    LatencyField,
    MeanOfIntervals,
    Objective,
    Percentile,
    Ratio,
    RequestAttainment,
    SampleProportion,
)  # fmt: skip
from slaguard.terms import Count

LATENCY_WORDS: Final[dict[LatencyField, str]] = {
    LatencyField.TIME_TO_FIRST_TOKEN: "the time from sending the request to the first token",
    LatencyField.TOTAL_TIME: "the time from sending the request to the end of the answer",
}
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
    return [*_edges(objective), *_unused(objective)]


def _edges(objective: Objective) -> list[str]:
    rule = objective.indicator
    match rule:
        case MeanOfIntervals():
            empty = {"up": "counts as fully up", "leave_out": "leaves the mean"}[rule.empty_bin]
            return [f"A watched interval without a counted request {empty}.", *_small_bins(rule, "leaves the mean")]
        case ErrorRateRuns():
            return [*_run_edges(rule), *_small_bins(rule, "leaves the minutes that count")]
        case Ratio():
            return [_enough(rule.min_requests)]
        case Percentile():
            failed = {"exceed": "exceeds every limit", "leave_out": "leaves the count"}[rule.failed]
            return [f"A request that failed has no such time: it {failed}.", _enough(rule.min_requests)]
        case RequestAttainment():
            failed = {"miss": "counts as too slow", "leave_out": "leaves the count"}[rule.failed]
            return [f"A request that failed has no such time: it {failed}.", _enough(rule.min_requests)]
        case SampleProportion():
            return _grading(objective, rule)


def _promise(objective: Objective) -> str:
    rule = objective.indicator
    word = objective.bound.word
    bound = f"{BOUND_WORDS[word]} {quantity(objective.target)}"
    may = "must" if word.is_floor else "may"
    match rule:
        case MeanOfIntervals():
            mean = f"the mean score of all intervals of {duration(rule.bin)} must be {bound}"
            return f"{mean}; each interval scores its share of good answers"
        case ErrorRateRuns():
            return f"{bound} of the time {may} be up; {_down(rule)}"
        case Ratio():
            what = {"failures": "fail", "successes": "succeed", "refusals": "be refused an answer by the model"}
            return f"{bound} of the counted requests {may} {what[rule.of]}"
        case Percentile():
            return _percentile(rule, bound, is_floor=word.is_floor)
        case RequestAttainment():
            fast = f"{LATENCY_WORDS[rule.field]} is {limits(rule.within)}"
            return f"{bound} of the counted requests {may} be fast enough: {fast}"
        case SampleProportion():
            to = f" to the agreed questions {value(objective.golden_set.id)}" if objective.golden_set else ""
            return f"{bound} of the graded answers{to} {may} be {'good' if rule.event == 'correct' else 'unsupported'}"


def _down(rule: ErrorRateRuns) -> str:
    one = f"an interval of {duration(rule.bin)}"
    where = one if rule.run == 1 else f"{rule.run:,} or more intervals of {duration(rule.bin)} in a row"
    return f"time is down when, in {where}, {limits(rule.error_rate)} of the counted requests fail"


def _percentile(rule: Percentile, bound: str, *, is_floor: bool) -> str:
    if is_floor:
        smallest = f"at least {percent(rule.p)} of the counted requests do not exceed"
        return f"the smallest value that {smallest} must be {bound}, for {LATENCY_WORDS[rule.field]}"
    return f"for at least {percent(rule.p)} of the counted requests {LATENCY_WORDS[rule.field]} must be {bound}"


def _run_edges(rule: ErrorRateRuns) -> list[str]:
    empty = {
        "breaks_run": "ends a run of bad intervals",
        "continues_run": "lets a run of bad intervals go on, and adds neither to its length nor to the downtime",
    }[rule.empty_bin]
    across = {
        "attribute_minutes": "is judged whole, and each interval counts in its own period",
        "split": "is cut at the edge, and each part is judged alone",
    }[rule.cross_period]
    return [
        f"A watched interval without a counted request {empty}.",
        f"A run over the edge of the period {across}.",
    ]


def _small_bins(rule: BinRule, leaves: str) -> list[str]:
    fate = {"up": "counts as fully up", "leave_out": leaves}[rule.below_minimum]
    lines = ["Intervals follow the contract's clock; a request belongs to the interval in which it was sent."]
    if rule.min_requests == 1:
        enough = "One counted request is enough to judge an interval"
        return [*lines, f"{enough} (one with too few, if there could be any, {fate})."]
    return [*lines, f"An interval with counted requests, but fewer than {rule.min_requests:,}, {fate}."]


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
