"""What one evaluation asks of the records: the Demands of every Objective, scope and source.

Facts are read first, because they hold the exclusion windows. Each Demand carries one mark per exclusion (accepted and
contested windows apart) and one per vendor error code that the contract counts in its own way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from slaguard.errors import ConfigError
from slaguard.evaluation.demands import Condition, Counts, Demands, Mark
from slaguard.evaluation.exclusions import Applied, Variant, apply_exclusions
from slaguard.records import NS_PER_MS, Fact, Span
from slaguard.spec.model import (
    Agreement,
    BinRule,
    Effect,
    ErrorRateRuns,
    Objective,
    Percentile,
    PredicateForm,
    RequestAttainment,
    SampleProportion,
    Service,
)  # fmt: skip
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import OUTCOME_GROUPS, BoundWord, Count, format_duration

DAY_NS: Final = 86_400_000 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Bit:
    """What one bit of the mask means: an exclusion of records (or its windows in one state), or a vendor code."""

    mark: Mark
    applied: Applied | None = None
    contested: bool = False
    code: Count | None = None
    timeout: Count | None = None
    """How an answer counts that took longer than the contract waits."""

    def active(self, variant: Variant) -> bool:
        """Tell whether an exclusion's bit applies in a variant."""
        if self.applied is None or variant == "none":
            return False
        if self.applied.is_window:
            return self.contested == (variant == "with_contested")
        return self.applied.covers_records(variant)


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the result before it is answered: an Objective in one scope, with a Demand for each source."""

    objective: Objective
    scope: str
    applied: tuple[Applied, ...]
    bits: tuple[Bit, ...]
    counts: tuple[Counts, ...]
    """One for each of the Objective's sources, in their order."""
    bins_before: int = 0
    """Intervals of the widened span that lie before the period (rules that look across its edges)."""


def questions(agreement: Agreement, period: ResolvedPeriod, facts: tuple[Fact, ...], as_of: int) -> tuple[Question, ...]:
    """Return every row that the Agreement asks for, in its order: scope lists expand to rows of their own."""
    services = {s.id: s for s in agreement.services}
    # A Fact that was never recorded anywhere became known when it was made.
    known = tuple(f for f in facts if (f.when if f.recorded_at is None else f.recorded_at) <= as_of)
    parties = {"vendor": agreement.vendor, "customer": agreement.customer}
    rows: list[Question] = []
    for objective in agreement.objectives:
        applied = apply_exclusions(objective, period, known, parties)
        rows += [
            _question(agreement, objective, services.get(scope), scope, applied, period, as_of)
            for scope in objective.service or ("all",)
        ]
    return tuple(rows)


def requirements(agreement: Agreement, period: ResolvedPeriod, facts: tuple[Fact, ...], as_of: int) -> Demands:
    """Return the Demands of one evaluation; equal ones are asked once.

    Args:
        agreement: the normal form.
        period: one period of it (`spec.resolve`).
        facts: Facts known so far; they hold announced windows.
        as_of: knowledge time, UTC nanoseconds: only records recorded by then count.

    """
    unique: dict[str, Counts] = {}
    for question in questions(agreement, period, facts, as_of):
        for counts in question.counts:
            unique.setdefault(counts.sha256(), counts)
    return Demands(tuple(unique.values()), _widest(tuple(unique.values()), period.span), as_of, agreement.vendor)


def _widest(counts: tuple[Counts, ...], span: Span) -> Span:
    return min([span[0], *(c.span[0] for c in counts)]), max([span[1], *(c.span[1] for c in counts)])


def _question(
    agreement: Agreement, objective: Objective, service: Service | None, scope: str,
    applied: tuple[Applied, ...], period: ResolvedPeriod, as_of: int,
) -> Question:  # fmt: skip
    _on_the_clock(objective, period)
    bits = _bits(objective, applied)
    bin_ns = objective.indicator.bin * NS_PER_MS if isinstance(objective.indicator, BinRule) else None
    before = _bins_beyond(objective)
    span = period.span if bin_ns is None else (period.start - before * bin_ns, period.end + before * bin_ns)
    where = _where(agreement, objective, service)
    counts = tuple(
        Counts(
            source=source,
            span=span,
            as_of=as_of,
            where=where,
            marks=tuple(b.mark for b in bits),
            keys=_keys(objective),
            bin_ns=bin_ns,
            grader=_grader(objective),
        )
        for source in objective.source
    )
    return Question(objective, scope, applied, bits, counts, before)


def _on_the_clock(objective: Objective, period: ResolvedPeriod) -> None:
    """Refuse a look whose ends lie inside an interval: intervals begin on the contract's clock.

    Raises:
        ConfigError: START or END is not where an interval begins.

    """
    rule = objective.indicator
    if not isinstance(rule, BinRule):
        return
    bin_ns = rule.bin * NS_PER_MS
    if (period.start - period.days[0][0]) % bin_ns or (period.end - period.start) % bin_ns:
        length = format_duration(rule.bin)
        raise ConfigError(
            f"--period {period.label}: E-PERIOD  {objective.name} counts intervals of {length}, which begin on the clock\n"
            f"    begin and end the look on a multiple of {length}"
        )


def _bins_beyond(objective: Objective) -> int:
    """Return how many intervals past both edges settle a run that crosses one.

    A run of k that breaks at empty intervals is settled k - 1 intervals out (`contracts.md` U2). Where runs continue
    across empty intervals no fixed length settles it; a day is looked at, and what lies beyond is unobserved.
    """
    rule = objective.indicator
    if not isinstance(rule, ErrorRateRuns) or rule.cross_period == "split":
        return 0
    if rule.empty_bin == "breaks_run":
        return rule.run - 1
    return max(rule.run - 1, DAY_NS // (rule.bin * NS_PER_MS))


def _bits(objective: Objective, applied: tuple[Applied, ...]) -> tuple[Bit, ...]:
    bits: list[Bit] = []
    for one in applied:
        if not one.is_window:
            conditions = conditions_of(one.exclusion.selector or {})
            bits.append(Bit(Mark(conditions), applied=one))
            continue
        if isinstance(objective.indicator, BinRule) and one.exclusion.effect is not Effect.DROP_RECORDS:
            continue  # windows that act on intervals are applied in `availability`, after runs are found
        bits.append(Bit(Mark((), one.accepted), applied=one))
        bits.append(Bit(Mark((), one.with_contested), applied=one, contested=True))
    for code, count in sorted((objective.outcomes.codes or {}).items()):
        bits.append(Bit(Mark((Condition("error_code", (code,)),)), code=count))
    if (after := objective.outcomes.timeout_after) is not None:
        late = Condition("total_time", word=BoundWord.MORE_THAN, limit=after)
        bits.append(Bit(Mark((late,)), timeout=objective.outcomes.timeout))
    return tuple(bits)


def conditions_of(predicates: dict[str, PredicateForm]) -> tuple[Condition, ...]:
    """Return the conditions of `eligible`, a selector or a service, sorted by field."""
    found: list[Condition] = []
    for field, predicate in sorted(predicates.items()):
        if predicate.values is not None:
            words = [w for v in predicate.values for w in _members(field, v)]
            found.append(Condition(field, tuple(sorted(words))))
        elif predicate.limits is not None:
            bound = predicate.limits.bound
            found.append(Condition(field, word=bound.word, limit=int(bound.value)))
    return tuple(found)


def _members(field: str, value: str) -> tuple[str, ...]:
    """Return a value, or the outcomes that a group word stands for."""
    return OUTCOME_GROUPS.get(value, (value,)) if field == "outcome" else (value,)


def _where(agreement: Agreement, objective: Objective, service: Service | None) -> tuple[Condition, ...]:
    found = [Condition("vendor", (agreement.vendor,)), *conditions_of(objective.eligible or {})]
    if service is not None:
        if service.models is not None:
            found.append(Condition("model_requested", tuple(sorted(service.models))))
        if service.regions is not None:
            found.append(Condition("region", tuple(sorted(service.regions))))
        found.extend(conditions_of(service.where or {}))
    return tuple(found)


def _keys(objective: Objective) -> tuple[str, ...]:
    rule = objective.indicator
    if isinstance(rule, BinRule):
        return ("bin", "clock", "outcome", "mask")
    if isinstance(rule, Percentile | RequestAttainment):
        return ("clock", "outcome", "mask", "known", rule.field.value)
    if isinstance(rule, SampleProportion):
        return ("clock", "outcome", "mask", "known", "grade")
    return ("clock", "outcome", "mask", "known")


def _grader(objective: Objective) -> str | None:
    rule = objective.indicator
    if not isinstance(rule, SampleProportion):
        return None
    if rule.grading == "human":
        return "human"
    return objective.scorer or "*"
