"""The count behind a figure, as a table whose lines add up: everything recorded, what left, what counted, what it makes."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import pandas as pd

from slaguard.evaluation.result import TestPart
from slaguard.reports.subjects import Subject
from slaguard.reports.tally import counts_of, must_add_up, words
from slaguard.reports.words import NARROW, clean, count, figure, listing, percent, promise, target
from slaguard.spec.explain_words import GRADE_WORDS, duration
from slaguard.spec.indicators import IntervalP50, MeanOfMinutes, OutageRule
from slaguard.spec.model import BinRule, ErrorRateRuns, Percentile, RequestAttainment, SampleProportion
from slaguard.spec.scalars import Quantity
from slaguard.terms import Grade

OUTCOMES: Final = {
    "empty": "empty answer",
    "error_body": "error sent as a success (200)",
    "truncated": "broken-off answer",
    "refused": "refusal",
    "content_filtered": "filtered answer",
    "redirect": "redirect (3xx)",
    "client_error": "error of the request (4xx)",
    "auth_error": "key not accepted (401, 403)",
    "request_timeout": "request time-out (408)",
    "rate_limited": "rate limit (429)",
    "error_500": "internal error (500)",
    "error_5xx": "server error (5xx)",
    "overloaded": "overloaded (529)",
    "timeout": "time-out",
    "client_deadline": "the caller's own deadline",
    "connection_error": "failed connection",
    "client_abort": "left by the caller",
}
OUT_OF_SCOPE: Final = "not in scope"
EXCLUDED: Final = "excluded:"


@dataclass(frozen=True, slots=True)
class CountLine:
    """One line: what, and how many. `kind` is ``""``, ``less`` (taken off), ``total`` or ``result``."""

    what: str
    number: str
    kind: str = ""


def count_table(subject: Subject, records: pd.DataFrame) -> tuple[CountLine, ...]:
    """Return the count of one promise.

    Raises:
        ReportRefused: the parts do not add up.

    """
    lines = _interval_lines(subject) if subject.by_intervals else _record_lines(subject, records)
    return (*lines, *_result_lines(subject))


# ── intervals ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _interval_lines(subject: Subject) -> tuple[CountLine, ...]:
    result, rule = subject.result, subject.objective.indicator
    population = result.estimate.population
    noun = f"{result.estimate.noun}s"
    size = f" of {duration(rule.bin)}" if isinstance(rule, BinRule) else ""
    lost = "lost: each interval counts the share of its answers that failed"
    if isinstance(rule, ErrorRateRuns):
        lost = "down: in runs of bad intervals"
    elif isinstance(rule, IntervalP50):
        lost = "slower than agreed, by the median of their answers"
    elif result.tests:
        lost = "bad, by the test with the smaller margin"
    elif isinstance(rule, OutageRule):
        lost = "down: in the outages that were stated"
    head: tuple[CountLine, ...] = ()
    if population is not None:
        must_add_up(f"{result.name}, intervals", [result.estimate.n, result.unknown], population)
        head = (CountLine(f"{noun}{size} that count", count(population)),)
        head += (CountLine("not watched: neither up nor down", f"− {count(result.unknown)}", "less"),) if result.unknown else ()
    watched = CountLine(f"{noun} watched", count(result.estimate.n), "total")
    return (*head, watched, CountLine(lost, count(result.estimate.bad)))


# ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _record_lines(subject: Subject, records: pd.DataFrame) -> tuple[CountLine, ...]:
    result, counts = subject.result, counts_of(records, subject.result)
    sizes = {str(key): int(size) for key, size in counts.value_counts().items() if key != OUT_OF_SCOPE}
    counted_in = sizes.pop("ok", 0) + sizes.pop("fail", 0)
    asked = "questions asked" if subject.objective.golden_set else "calls recorded"
    first = CountLine(f"{asked} in the period", count(counted_in + sum(sizes.values())))
    less = {_left_words(subject, key, records, counts): size for key, size in sorted(sizes.items())}
    lines = [CountLine(what, f"− {count(size)}", "less") for what, size in less.items()]
    must_add_up(f"{result.name}, records", [counted_in], result.estimate.n)
    total = CountLine(f"{result.estimate.noun}s that count", count(result.estimate.n), "total")
    return (first, *lines, total, *_split(subject)) if lines else (total, *_split(subject))


def _left_words(subject: Subject, key: str, records: pd.DataFrame, counts: pd.Series[str]) -> str:
    if key.startswith(EXCLUDED):
        name = key.removeprefix(EXCLUDED)
        clause = next((e.clause for e in subject.result.excluded if e.id == name), "")
        return f"excluded: {clean(name, 60)}" + (f" ({clean(clause, 80)})" if clause else "")
    return {
        "drop": f"left the count: {dropped_words(records, counts)}",
        "unmeasured": "not measured, through our own fault",
        "unscored": "without a grade or a time",
        "not sampled": "not chosen to be graded",
        "TPS_UNDEFINED": "answers that took no time, and have no speed",
        "filtered:entitlement": "past the entitlement: not eligible",
        "filtered:backoff": "asked again too early after an error: not valid",
        "filtered:repeats": "errors that repeat a counted one",
    }.get(key, clean(key, 60))


def dropped_words(records: pd.DataFrame, counts: pd.Series[str]) -> str:
    """Return what became of the calls that leave a count: ``21 × server error (5xx) and 9 × time-out``."""
    gone = records[(counts == "drop").to_numpy(dtype=bool)]
    outcome, grade = words(gone, "outcome"), words(gone, "grade")
    reasons = outcome.where((outcome != "ok") | (grade == ""), grade)
    sizes = sorted(reasons.value_counts().items(), key=lambda item: (-int(item[1]), str(item[0])))
    named = [f"{count(int(size))} × {_reason(str(name))}" for name, size in sizes[:5]]
    more = sum(int(size) for _, size in sizes[5:])
    return listing([*named, *([f"{count(more)} × others"] if more else [])])


def _reason(name: str) -> str:
    return OUTCOMES.get(name, clean(name, 40).replace("_", " "))


def _split(subject: Subject) -> tuple[CountLine, ...]:
    result, rule = subject.result, subject.objective.indicator
    bad, n = result.estimate.bad, result.estimate.n
    if isinstance(rule, MeanOfMinutes):
        return ()  # its figure is a mean: no request is for or against it
    good = n - bad
    if isinstance(rule, RequestAttainment) and rule.speed is not None:
        limit = f"{count(int(rule.speed.bound.value))}{NARROW}tok/s"
        return (CountLine(f"as fast as {limit}", count(good)), CountLine("slower, or without an answer", count(bad)))
    if isinstance(rule, Percentile | RequestAttainment):
        within = rule.within if isinstance(rule, RequestAttainment) else None
        limit = target(result.target) if within is None else duration(int(within.bound.value))
        return (CountLine(f"within {limit}", count(good)), CountLine("slower, or without an answer", count(bad)))
    if isinstance(rule, SampleProportion) and subject.floor:
        return (CountLine("answered correctly", count(good)), CountLine(_wrong_words(rule), count(bad)))
    if isinstance(rule, SampleProportion):
        return (CountLine("supported", count(good)), CountLine("not supported", count(bad)))
    return (CountLine("good", count(good)), CountLine("against the promise", count(bad)))


def _wrong_words(rule: SampleProportion) -> str:
    bad = [grade for grade in Grade if grade is not Grade.UNSCORED and rule.grades.of(grade) == "fail"]
    words_of = {Grade.WRONG: "wrong", Grade.UNPARSED: "unreadable", Grade.SCHEMA_ERROR: "not in the agreed form"}
    named = [words_of.get(grade, GRADE_WORDS[grade]) for grade in bad]
    return listing(named, "or") or "against the promise"


# ── the figure ──────────────────────────────────────────────────────────────────────────────────────────────────────
def _result_lines(subject: Subject) -> tuple[CountLine, ...]:
    estimate = subject.result.estimate
    if subject.result.tests:
        return tuple(line for test in subject.result.tests for line in _test_lines(subject, test))
    if isinstance(subject.objective.indicator, MeanOfMinutes):
        shown = figure(estimate.value, subject.result.unit, subject.nearest(estimate.value))
        return (
            CountLine(f"{subject.name}: the mean of the means of all intervals", shown, "result"),
            CountLine("promised", promise(subject.result.target)),
        )
    allowed = CountLine(f"{_allowed_words(subject)} would have been allowed", count(_whole(subject, estimate.allowed)))
    return (
        CountLine(_formula(subject), figure(estimate.value, subject.result.unit, subject.nearest(estimate.value)), "result"),
        CountLine("promised", promise(subject.result.target)),
        allowed,
    )


def _test_lines(subject: Subject, test: TestPart) -> tuple[CountLine, ...]:
    """Return the lines of one of two tests."""
    name = f"{subject.name}, {promise(test.error_rate)} failures: 1 − {count(test.bad)} / {count(subject.result.estimate.n)}"
    return (
        CountLine(name, figure(test.value, "ratio", Quantity.parse(test.share.limit).value), "result"),
        CountLine("promised", promise(test.share)),
        CountLine("intervals without it that would have been allowed", count(test.allowed)),
    )


def _formula(subject: Subject) -> str:
    estimate, rule = subject.result.estimate, subject.objective.indicator
    name = subject.name
    if isinstance(rule, Percentile):
        return f"{name}: {percent(rule.p)} of the requests took at most"
    if subject.by_intervals:
        return f"{name}: 1 − {count(estimate.bad)} / {count(estimate.n)}"
    top = estimate.n - estimate.bad if subject.floor else estimate.bad
    return f"{name}: {count(top)} / {count(estimate.n)}"


def _allowed_words(subject: Subject) -> str:
    noun = subject.result.estimate.noun
    if subject.by_intervals:
        return f"{noun}s lost that"
    return f"wrong {noun}s that" if subject.good_word == "correct" and subject.floor else f"{noun}s against the promise that"


def _whole(subject: Subject, allowed: Fraction) -> Fraction:
    """Return how many may go against the promise: whole events, or exact shares of intervals."""
    if subject.by_intervals:
        return allowed
    floor = allowed.numerator // allowed.denominator
    return Fraction(floor - 1 if subject.strict and floor == allowed else floor)
