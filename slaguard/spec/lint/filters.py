"""Rules on filters and on speed: fields that tell records apart, windows that fit, limits with their unit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.indicators import Filtered, IntervalP50, MeanOfMinutes, RequestAttainment
from slaguard.spec.model import ATTRIBUTES, FIELDS, written_limit
from slaguard.spec.nodes import nearest, problem_at, scalars, shown
from slaguard.terms import format_duration

_ATTRIBUTE = re.compile(r"attributes\.[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z", re.ASCII)
TEXTS: Final = tuple(name for name, kind in FIELDS.items() if kind == "word")
"""The fields of a record that hold text."""
HOUR: Final = 3_600_000
SECOND: Final = 1000


def told_apart(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-SCHEMA: what tells clients and repeats apart are fields of a record that hold text."""
    del draft
    rule = view.objective.indicator
    if not isinstance(rule, Filtered):
        return
    for term, key in (("backoff", "per"), ("repeats", "by")):
        if getattr(rule, term) is None:
            continue
        for item in scalars(view.spot("indicator", term, key).node):
            if item.text in TEXTS or _ATTRIBUTE.match(item.text):
                continue
            meant = nearest(item.text, (*TEXTS, f"{ATTRIBUTES}{item.text}"))
            mend = f"did you mean {meant}?" if meant else f"write some of {', '.join(TEXTS)}, or {ATTRIBUTES}<name>"
            text = "this field holds no text" if item.text in FIELDS else "records have no such field"
            yield problem_at(item, "E-SPEC-SCHEMA", f"{shown(item.text)}: {text}", mend)


def entitlement(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-BIN: the windows of an entitlement fit the clock."""
    del draft
    term = view.objective.entitlement
    if term is not None and (term.window < SECOND or HOUR % term.window or term.window % SECOND):
        mend = "write a length of whole seconds that divides 1h, so that it fits the clock: 1m, 15m, 1h"
        yield view.problem("E-SPEC-BIN", format_duration(term.window), mend, "eligible", "entitlement", "window")


def speed(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-UNIT, E-SPEC-STRICT: the limit of a speed is a plain number that answers are not slower than."""
    del draft
    rule = view.objective.indicator
    term = rule.speed if isinstance(rule, IntervalP50 | RequestAttainment) else None
    if term is None:
        return
    word, limit = term.bound.word, written_limit(term)
    where = ("indicator", "speed", word.value)
    if limit.unit != "count" or limit.value == 0:
        yield view.problem("E-SPEC-UNIT", str(limit), "write tokens a second as a whole number of at least 1: 50", *where)
    if not word.is_floor:
        mend = "an answer must be at least so fast: at_least or more_than"
        yield view.problem("E-SPEC-STRICT", f"{word.value} {limit}", mend, *where, at_key=True)


def by_its_figure(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-QUALITY: a median or a mean has no sampling error that is computed here, so its figure decides."""
    del draft
    if isinstance(view.objective.indicator, IntervalP50 | MeanOfMinutes) and view.objective.decision.rule != "point":
        mend = "medians and means are decided by their figure: write `rule: point`"
        yield view.problem("E-SPEC-QUALITY", view.objective.decision.rule, mend, "decision", "rule")
