"""Rules on promises about what people state or review: outages, reviewed texts, comparisons, and the pair of a ceiling."""

from __future__ import annotations

from collections.abc import Iterator

from slaguard.errors import Problem
from slaguard.spec.draft import Draft, View
from slaguard.spec.indicators import OutageRule, Ratio, SampleProportion, WeightedPenalty
from slaguard.spec.model import Effect, Objective
from slaguard.terms import Source


def outages(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-UNMEASURABLE: a rule over stated outages is measured by them, and no other rule is."""
    del draft
    objective = view.objective
    stated = isinstance(objective.indicator, OutageRule)
    if stated and objective.source != (Source.INCIDENT,):
        mend = "this rule counts outages that somebody states: write source: incident"
        yield view.problem("E-SPEC-UNMEASURABLE", ", ".join(objective.source), mend, "source", at_key=True)
    elif not stated and Source.INCIDENT in objective.source:
        mend = "this rule counts calls: write traffic, probe, or both; for stated outages use outages_min_length"
        yield view.problem("E-SPEC-UNMEASURABLE", Source.INCIDENT.value, mend, "source", at_key=True)


def windows(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-EXCL: what leaves a promise about stated outages is time, not records."""
    del draft
    if not isinstance(view.objective.indicator, OutageRule):
        return
    for i, one in enumerate(view.objective.exclusions):
        if one.effect is Effect.DROP_RECORDS:
            mend = "no record counts here: write count_as_up or remove_minutes, and windows of time"
            yield view.problem("E-SPEC-EXCL", Effect.DROP_RECORDS.value, mend, "exclusions", i, "effect")


def penalties(view: View, draft: Draft) -> Iterator[Problem]:
    """E-SPEC-QUALITY: a weighted score is no share of events, so no sample of it is judged by a share's test."""
    del draft
    objective = view.objective
    if isinstance(objective.indicator, WeightedPenalty) and objective.decision.rule != "point":
        mend = "a weighted score is decided by the measured figure: write rule: point"
        yield view.problem("E-SPEC-QUALITY", objective.decision.rule, mend, "decision", "rule")


def _on_refusals(objective: Objective) -> bool:
    return isinstance(objective.indicator, Ratio) and objective.indicator.of == "refusals"


def pairs(draft: Draft) -> Iterator[Problem]:
    """E-SPEC-REF, W-SPEC-PAIR: a ceiling on unsupported answers stands beside a promise on answers that were refused.

    A model that answers less hallucinates less; the pair closes that way out.
    """
    views = [view for view in draft.views if {"indicator", "name"} <= view.has]
    silent = {v.objective.name for v in views if _on_refusals(v.objective)}
    for view in views:
        rule, named = view.objective.indicator, view.objective.pairs_with if "pairs_with" in view.has else None
        if named is not None and named not in silent:
            known = f"one of {', '.join(sorted(silent))}" if silent else "a promise on refusals (errors/share-refused)"
            yield view.problem("E-SPEC-REF", named, f"name {known}", "pairs_with")
        if isinstance(rule, SampleProportion) and rule.event == "unsupported" and not silent:
            mend = "add a promise on refusals (errors/share-refused), or the vendor can keep this one by refusing to answer"
            yield view.problem("W-SPEC-PAIR", "no promise on refusals beside it", mend, "name")
