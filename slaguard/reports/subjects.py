"""One promise with everything a report shows of it: its result, its terms, and its records by day."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from slaguard.evaluation.result import EventPart, ObjectiveResult
from slaguard.evaluation.versions import as_read
from slaguard.records import NS_PER_MS, Span, merge_spans
from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.moments import Calendar
from slaguard.reports.tally import ReportRefused, Steps, Tally, must_equal, steps_of, tally
from slaguard.reports.words import clean, title
from slaguard.spec.model import BinRule, DualThreshold, ErrorRateRuns, Objective, Percentile, SampleProportion
from slaguard.spec.scalars import Quantity
from slaguard.stats import fixed_ci
from slaguard.terms import Verdict

EACH_SIDE: Final = 0.025
"""The risk on each side of a two-sided 95 % interval, as pictures show it."""


@dataclass(frozen=True, slots=True)
class Subject:
    """One promise in one scope."""

    result: ObjectiveResult
    objective: Objective
    tally: Tally

    @property
    def name(self) -> str:
        """Return the promise's name as a heading; its scope as the agreement writes it."""
        scope = "" if self.result.scope == "all" else f" ({clean(self.result.scope, 80)})"
        return f"{title(self.result.name)}{scope}"

    @property
    def label(self) -> str:
        """Return the promise's name as a label in a picture."""
        return self.name[:1].lower() + self.name[1:]

    @property
    def by_intervals(self) -> bool:
        """Tell whether the promise is judged over time, in intervals or minutes, rather than over calls or answers."""
        return self.result.estimate.noun in {"interval", "minute"}

    @property
    def dated(self) -> bool:
        """Tell whether anything of it can be shown over time."""
        return self.by_intervals or bool(self.tally.n.any() or self.tally.unmeasured.any())

    @property
    def breached(self) -> bool:
        """Tell whether the promise is broken."""
        return self.result.verdict is Verdict.BREACH

    @property
    def limit(self) -> Fraction:
        """Return the target in the result's unit."""
        return Quantity.parse(self.result.target.limit).value

    def nearest(self, value: Fraction | None) -> Fraction:
        """Return the target or the step of the ladder that a figure is nearest to, and must not be mistaken for."""
        edges = [self.limit, *(step.edge.value for step in self.objective.credits)]
        return self.limit if value is None else min(edges, key=lambda edge: abs(edge - value))

    @property
    def floor(self) -> bool:
        """Tell whether the measured figure is a share of good events: then 1 less the bad share is shown."""
        return self.result.unit == "ratio" and self.result.target.word in {"at_least", "more_than"}

    @property
    def bin_ns(self) -> int:
        """Return the length of an interval in nanoseconds; 0 where the promise has none."""
        rule = self.objective.indicator
        return rule.bin * NS_PER_MS if isinstance(rule, BinRule) else 0

    @property
    def share(self) -> Fraction:
        """Return the share of events that may go against the promise."""
        rule = self.objective.indicator
        if isinstance(rule, Percentile):
            return 1 - rule.p
        if self.result.tests:
            told = self.result.estimate
            share = next(t.share for t in self.result.tests if (t.bad, t.allowed) == (told.bad, told.allowed))
            return 1 - Quantity.parse(share.limit).value
        return 1 - self.limit if self.floor else self.limit

    def keeps(self, bad: int, n: int) -> bool:
        """Tell whether a part of the period, taken alone, would keep the promise."""
        return bad < self.share * n if self.strict else bad <= self.share * n

    @property
    def strict(self) -> bool:
        """Tell whether reaching the limit breaks the promise; of a percentile the limit is one of time, not of the share."""
        return self.result.target.word in {"more_than", "less_than"} and self.result.unit == "ratio"

    def lost(self, event: EventPart) -> Fraction:
        """Return how many intervals a stretch of downtime cost: their lost shares, or (runs) the intervals themselves."""
        if isinstance(self.objective.indicator, ErrorRateRuns | DualThreshold):
            return Fraction(-(-(event.end - event.start) // self.bin_ns))
        return event.lost

    def tells(self, bad: int, n: int) -> bool | None:
        """Tell what a part of the period shows, taken alone: kept, missed, or (of a sample) too little to say."""
        if self.result.design == "census":
            return self.keeps(bad, n)
        low, high = fixed_ci(bad, n, EACH_SIDE)
        return True if high <= self.share else False if low > self.share else None

    def events(self, kind: str) -> tuple[EventPart, ...]:
        """Return the stretches of one kind, in time order."""
        return tuple(event for event in self.result.events if event.kind == kind)

    @property
    def good_word(self) -> str:
        """Return what events that keep the promise are called."""
        return "correct" if isinstance(self.objective.indicator, SampleProportion) else "good"


def subjects(inputs: ClaimInputs, calendar: Calendar) -> tuple[Subject, ...]:
    """Return every promise of the Evaluation with its terms and records.

    Raises:
        ReportRefused: the Agreement is another one, or records or events do not add up to the Evaluation's counts.

    """
    terms = {objective.name: objective for objective in inputs.agreement.objectives}
    steps = steps_of(inputs.evaluation.period, calendar)
    found = []
    for result in inputs.evaluation.objectives:
        if result.name not in terms:
            text = f"report: E-REPORT-AGREEMENT  the agreement has no promise named {result.name}"
            raise ReportRefused(f"{text}\n    make the report with the agreement that was evaluated")
        span = inputs.evaluation.period
        read = as_read(inputs.agreement, terms[result.name], span.start, span.time_zone, result.reading)
        found.append(_subject(inputs, result, read, steps))
    return tuple(found)


def _subject(inputs: ClaimInputs, result: ObjectiveResult, objective: Objective, steps: Steps) -> Subject:
    subject = Subject(result, objective, tally(inputs.records, result, steps))
    if subject.by_intervals:
        total = sum((subject.lost(event) for event in subject.events("down")), Fraction(0))
        must_equal(result, "lost", total, result.estimate.bad)
    return subject


def gaps(found: tuple[Subject, ...]) -> tuple[Span, ...]:
    """Return the stretches that nobody watched, as the promises over intervals show them."""
    return merge_spans([(e.start, e.end) for subject in found for e in subject.events("unobserved")])
