"""Rules on what makes a promise decidable: questions, decision rule, sample, evidence."""

from __future__ import annotations

import math
from collections.abc import Iterator

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.lint.promise import words_given
from slaguard.spec.model import SampleProportion
from slaguard.terms import Count, Source, format_percent


def questions(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-QUALITY: a promise on the score of agreed questions names them, and only such a promise does."""
    del draft
    objective = view.objective
    graded = isinstance(objective.indicator, SampleProportion)
    if graded and objective.decision.estimand == "defined_measure" and objective.golden_set is None:
        mend = "name the agreed questions: `golden_set: claims-qa@4`; without any, the estimand is realised"
        yield view.problem("E-SPEC-QUALITY", "no golden set", mend, "name", at_key=True)
    if not graded and objective.golden_set is not None:
        mend = "leave it out: only a promise on graded answers (sample_proportion) asks questions"
        yield view.problem("E-SPEC-QUALITY", "a golden set without grades", mend, "golden_set", at_key=True)


def decidable(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-QUALITY: the error rate is one, the rule fits what is estimated, and grades count on both sides."""
    del draft
    objective = view.objective
    decision = objective.decision
    if not 0 < 2 * decision.alpha < 1:
        mend = "write an error rate above 0% and below 50%: 5%"
        yield view.problem("E-SPEC-QUALITY", format_percent(decision.alpha), mend, "decision", "alpha")
    if decision.estimand == "defined_measure" and decision.rule == "lower_bound":
        mend = "the score on the agreed questions is the fact itself: write `rule: point`, or `estimand: realised`"
        yield view.problem("E-SPEC-QUALITY", "defined_measure with lower_bound", mend, "decision", "rule")
    if not isinstance(objective.indicator, SampleProportion):
        return
    if decision.min_n == 0:
        mend = "write the fewest graded answers that decide: 300"
        yield view.problem("E-SPEC-QUALITY", "0", mend, "decision", "min_n")
    counted = {getattr(objective.indicator.grades, name) for name in type(objective.indicator.grades).model_fields}
    if not {Count.OK, Count.FAIL} <= counted:
        mend = "say of at least one grade that it is ok and of one that it is fail: {correct: ok, wrong: fail}"
        yield view.problem("E-SPEC-QUALITY", "the grades cannot tell good from bad", mend, "indicator", "grades")


def smallest_sample(view: View, draft: Draft) -> Iterator[Problem]:
    """W-SPEC-NMIN: not one bad answer in `min_n` would still not show the promise kept (`statistics.md` §4, n_min)."""
    del draft
    objective = view.objective
    decision = objective.decision
    if decision.rule != "lower_bound" or len(words_given(objective)) != 1 or objective.unit != objective.target.unit:
        return
    tolerated = 1 - objective.target.value if objective.bound.word.is_floor else objective.target.value
    if not (0 < tolerated < 1 and 0 < decision.alpha < 1):
        return
    needed = math.ceil(math.log(decision.alpha) / math.log1p(-float(tolerated)))
    if decision.min_n < needed:
        text = f"{decision.min_n} clean answers show less than {format_percent(1 - tolerated)}"
        yield view.problem(
            "W-SPEC-NMIN", text, f"at least {needed:,} are needed before the promise can be shown kept", "decision", "min_n"
        )


def probes_alone(view: View, draft: Draft) -> Iterator[Problem]:
    """W-SPEC-PROBE: the rule counts requests of the customer, and only our own questions are counted."""
    del draft
    objective = view.objective
    if objective.source == (Source.PROBE,) and not isinstance(objective.indicator, SampleProportion):
        mend = "add traffic if you can record it; the vendor may say that probes are not customer requests"
        yield view.problem("W-SPEC-PROBE", "probe", mend, "source")
