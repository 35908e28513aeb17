"""Rules on the terms of a rule over intervals: where intervals begin, the limits inside, resources, what has no effect."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint.promise import SECOND, inside, likely, words_given
from slaguard.spec.model import ATTRIBUTES, FIELDS, BinRule, DualThreshold, ErrorRateRuns, Limits, MeanOfIntervals
from slaguard.spec.nodes import scalars, shown
from slaguard.spec.translate import choice
from slaguard.terms import BoundWord, format_duration, format_percent

HALF_HOUR: Final = 1_800_000
DAY: Final = 86_400_000
MINUTE: Final = 60_000
_ATTRIBUTE = re.compile(r"attributes\.[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z", re.ASCII)
TOLD_APART: Final = tuple(name for name, kind in FIELDS.items() if kind == "word")
"""The fields that tell resources apart: those that hold words."""


def begin_and_length(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-BIN: intervals fit the clock of every time zone, or begin with the period and end with it."""
    del draft
    rule = view.objective.indicator
    if not isinstance(rule, BinRule):
        return
    where = ("indicator", "bin")
    if rule.align != "period_start":
        if rule.bin < SECOND or HALF_HOUR % rule.bin or rule.bin % SECOND:
            mend = "write a length of whole seconds that divides 30m, so that it fits the clock in every time zone: 1m, 5m"
            yield view.problem("E-SPEC-BIN", format_duration(rule.bin), mend, *where)
        return
    if rule.bin < SECOND or rule.bin % SECOND or rule.bin > DAY:
        mend = "write a length of whole seconds, of a day at most: 7m, 4h"
        yield view.problem("E-SPEC-BIN", format_duration(rule.bin), mend, *where)
    if isinstance(rule, ErrorRateRuns) and rule.cross_period != "split":
        mend = "intervals that begin with the period end with it: write cross_period: split, or align: clock"
        yield view.problem("E-SPEC-BIN", rule.cross_period, mend, "indicator", "cross_period")


def resolution(view: View, draft: Draft) -> Iterator[Problem]:
    """W-SPEC-BIN-RESOLUTION: one failure alone does not make an interval bad."""
    del draft
    rule = view.objective.indicator
    if isinstance(rule, ErrorRateRuns):
        bounds = [(rule.error_rate.bound.holds(Fraction(1, max(rule.least, 1))), rule.error_rate.bound.holds(Fraction(0)))]
    elif isinstance(rule, DualThreshold):
        limits = [test.error_rate.bound for test in rule.tests]
        bounds = [(not b.holds(Fraction(1, max(rule.least, 1))), not b.holds(Fraction(0))) for b in limits]
    else:
        return
    if any(one and not none for one, none in bounds):
        least = max(rule.least, 1)
        text = f"with {least} request{'s' if least > 1 else ''} one failure makes an interval bad"
        mend = "if the clause allows it, ask for more requests in an interval before it is judged"
        yield view.problem("W-SPEC-BIN-RESOLUTION", text, mend, "indicator", "min_requests")


def two_tests(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-STRICT, E-SPEC-UNIT: two tests carry the promise, each with its own limits and in one word."""
    del draft
    rule = view.objective.indicator
    if not isinstance(rule, DualThreshold):
        return
    for word in words_given(view.objective):
        mend = "leave it out: the two tests say what is promised"
        yield view.problem("E-SPEC-STRICT", "a bound beside the tests", mend, word.value, at_key=True)
    for i, test in enumerate(rule.tests):
        yield from inside(view, test.error_rate, ("tests", i, "error_rate"), "ratio", floor=False)
        yield from inside(view, test.share, ("tests", i, "share"), "ratio", floor=True)
        yield from _likely_share(view, test.share, i)
    first, second = rule.tests
    if first.share.bound.word is not second.share.bound.word:
        text, mend = second.share.bound.word.value, f"both shares are held in one word: {first.share.bound.word.value}"
        where = ("indicator", "tests", 1, "share", text)
        yield view.problem("E-SPEC-STRICT", text, mend, *where, at_key=True)
    if first.error_rate == second.error_rate:
        limit = format_percent(second.error_rate.bound.value)
        mend = "two tests have two error rates; one alone is error_rate_runs with run: 1"
        yield view.problem("E-SPEC-DUP", limit, mend, "indicator", "tests", 1, "error_rate", at_key=True)


def _likely_share(view: View, share: Limits, i: int) -> Iterator[Problem]:
    bound = share.bound
    where = ("indicator", "tests", i, "share", bound.word.value)
    meant = likely(bound.value, floor=True)
    if meant is not None and share.unit == "ratio":
        yield view.problem("W-SPEC-SCALE", format_percent(bound.value), f"did you mean {format_percent(meant)}?", *where)
    if bound.value == 1 and bound.word is BoundWord.MORE_THAN:
        mend = "nothing is more than 100%; write the share that can be kept"
        yield view.problem("E-SPEC-TARGET-100", "more_than 100%", mend, *where)
    elif bound.value == 1:
        mend = "a single bad interval is a breach; is that meant?"
        yield view.problem("W-SPEC-TARGET-100", f"{bound.word.value} 100%", mend, *where)


def slow_requests(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-UNIT, E-SPEC-STRICT, E-SPEC-UNMEASURABLE: slow is over a time, and has a limit to be held to."""
    del draft
    rule = view.objective.indicator
    if not isinstance(rule, BinRule) or rule.slow is None:
        return
    yield from inside(view, rule.slow, ("slow",), "ms", floor=True)
    if isinstance(rule, MeanOfIntervals) and rule.slow.counts == "on_its_own":
        mend = "a mean has no error rate that the share of slow requests could be held to: write as_failed"
        yield view.problem("E-SPEC-UNMEASURABLE", "on_its_own", mend, "indicator", "slow", "counts")


def resources(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-SCHEMA: resources are told apart by fields that records have, and that hold words."""
    del draft
    rule = view.objective.indicator
    if not isinstance(rule, MeanOfIntervals | ErrorRateRuns | DualThreshold) or not rule.pooled_by:
        return
    for item in scalars(view.spot("indicator", "resources", "by").node):
        if item.text not in TOLD_APART and not _ATTRIBUTE.match(item.text):
            mend = choice(item.text, (*TOLD_APART, f"{ATTRIBUTES}<name>"))
            text = f"{shown(item.text)} tells no resources apart"
            yield view.problem("E-SPEC-SCHEMA", text, mend, "indicator", "resources", "by")


def without_effect(view: View, draft: Draft) -> Iterator[Problem]:
    """W-SPEC-NO-EFFECT: rounding to whole minutes of what is whole minutes already."""
    del draft
    rule = view.objective.indicator
    if not isinstance(rule, ErrorRateRuns) or rule.outage_rounding is None:
        return
    if rule.bin % MINUTE == 0 and rule.align != "period_start":
        text = f"intervals of {format_duration(rule.bin)} are whole minutes already"
        mend = "leave outage_rounding out, or write the shorter intervals that the clause measures in"
        yield view.problem("W-SPEC-NO-EFFECT", text, mend, "indicator", "outage_rounding")
