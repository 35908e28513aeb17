"""What one evaluation asks of the records: the Demands of every Objective, scope and source.

Facts are read first, because they hold the exclusion windows. Each Demand carries one mark per exclusion (accepted and
contested windows apart) and one per vendor error code that the contract counts in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from slaguard.errors import ConfigError
from slaguard.evaluation.closed_hours import closed_hours
from slaguard.evaluation.demands import Condition, Counts, Demands, Mark
from slaguard.evaluation.each import each_of
from slaguard.evaluation.exclusions import Applied, Layer, Variant, apply_exclusions
from slaguard.evaluation.versions import Version, versions
from slaguard.records import NS_PER_MS, Fact, Span
from slaguard.spec.indicators import Compared, IntervalP50, LatencyField, MeanOfMinutes, ReviewRule, Speed, SpeedOf
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
from slaguard.terms import OUTCOME_GROUPS, BoundWord, Count, Source, format_duration

INTERVALS: Final = (BinRule, IntervalP50, MeanOfMinutes)
"""Rules that count intervals of time."""
DAY_NS: Final = 86_400_000 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Bit:
    """What one bit of the mask means: an exclusion of records (or its windows in one state), or a vendor code."""

    mark: Mark
    applied: Applied | None = None
    layer: Layer = "accepted"
    """Of windows: in which state they are, of those marked; a record exclusion has one mark, whatever its state."""
    code: Count | None = None
    timeout: Count | None = None
    """How an answer counts that took longer than the contract waits."""
    slow: Literal["as_failed", "on_its_own"] | None = None
    """How a request counts that is slow for a rule over intervals."""

    def active(self, variant: Variant) -> bool:
        """Tell whether an exclusion's bit applies in a variant."""
        if self.applied is None or (variant == "none" and not self.applied.always):
            return False
        if self.applied.is_window:
            return self.layer == self.applied.layer(variant)
        return self.applied.covers_records(variant)


@dataclass(frozen=True, slots=True)
class Question:
    """One row of the result before it is answered: an Objective in one scope, with a Demand for each source."""

    objective: Objective
    scope: str
    applied: tuple[Applied, ...]
    bits: tuple[Bit, ...]
    counts: tuple[Counts, ...]
    """One for each of the Objective's sources of calls, in their order."""
    bins_before: int = 0
    """Intervals of the widened span that lie before the period (rules that look across its edges)."""
    vendor: str = ""
    """Whose outages count, for rules over Incidents."""
    each: tuple[Counts, ...] = ()
    """One for each of its sources of calls: the single records that its filters look at; empty: it has no filter."""
    span: Span = (0, 0)
    """The time that the row looks at: the period, widened where its rule looks across the edges."""
    earlier: tuple[tuple[ResolvedPeriod, Question], ...] = ()
    """The same promise in the periods that its figure is averaged with, the latest first."""

    @property
    def demands(self) -> tuple[Counts, ...]:
        """Everything that must be counted for it."""
        return (*self.counts, *self.each, *(c for _, q in self.earlier for c in q.demands))


Asked = tuple[tuple[Version, Question], ...]
"""One row of the result as it is asked: once for each combination of the readings that are open."""


def asked(agreement: Agreement, period: ResolvedPeriod, facts: tuple[Fact, ...], as_of: int) -> tuple[Asked, ...]:
    """Return every row that the Agreement asks for, in its order: scope lists expand to rows of their own."""
    # A Fact that was never recorded anywhere became known when it was made.
    known = tuple(f for f in facts if (f.when if f.recorded_at is None else f.recorded_at) <= as_of)
    rows: list[Asked] = []
    for read in versions(agreement, period):
        scopes = [tuple(_questions(version, period, known, as_of)) for version in read]
        rows += [tuple(zip(read, row, strict=True)) for row in zip(*scopes, strict=True)]
    return tuple(rows)


def _questions(version: Version, period: ResolvedPeriod, known: tuple[Fact, ...], as_of: int) -> Iterator[Question]:
    """Yield a promise in each of its scopes, with the periods that it is averaged with."""
    before = period.earlier[: version.objective.average_with_previous or 0]
    told = [tuple(_in_period(version, one, known, as_of)) for one in before]
    for i, question in enumerate(_in_period(version, period, known, as_of)):
        earlier = tuple((p, found[i]) for p, found in zip(before, told, strict=True))
        yield replace(question, earlier=earlier) if earlier else question


def _in_period(version: Version, period: ResolvedPeriod, known: tuple[Fact, ...], as_of: int) -> Iterator[Question]:
    agreement, objective = version.agreement, version.objective
    services = {s.id: s for s in agreement.services}
    parties = {"vendor": agreement.vendor, "customer": agreement.customer}
    applied = (*closed_hours(period), *apply_exclusions(objective, period, known, parties))
    for scope in objective.service or ("all",):
        yield _question(agreement, objective, services.get(scope), scope, applied, period, as_of)


def requirements(agreement: Agreement, period: ResolvedPeriod, facts: tuple[Fact, ...], as_of: int) -> Demands:
    """Return the Demands of one evaluation; equal ones are asked once.

    Args:
        agreement: the normal form.
        period: one period of it (`spec.resolve`).
        facts: Facts known so far; they hold announced windows.
        as_of: knowledge time, UTC nanoseconds: only records recorded by then count.

    """
    unique: dict[str, Counts] = {}
    for row in asked(agreement, period, facts, as_of):
        for counts in (c for _, question in row for c in question.demands):
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
    bin_ns = objective.indicator.bin * NS_PER_MS if isinstance(objective.indicator, INTERVALS) else None
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
            by=_by(objective),
        )
        for source in objective.source
        if source is not Source.INCIDENT
    )
    around, eligible = _around(agreement, service), conditions_of(objective.conditions)
    each = (each_of(c, objective, bits, around, eligible, period) for c in counts)
    singly = tuple(c for c in each if c is not None)
    return Question(objective, scope, applied, bits, counts, before, agreement.vendor, singly, span)


def _on_the_clock(objective: Objective, period: ResolvedPeriod) -> None:
    """Refuse a look whose ends lie inside an interval: intervals begin on the contract's clock.

    Raises:
        ConfigError: START or END is not where an interval begins.

    """
    rule = objective.indicator
    if not isinstance(rule, INTERVALS) or (isinstance(rule, BinRule) and rule.align == "period_start"):
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
        bits.append(Bit(Mark((), one.with_contested), applied=one, layer="contested"))
        if one.with_proposed != one.with_contested:
            bits.append(Bit(Mark((), one.with_proposed), applied=one, layer="proposed"))
    for code, count in sorted((objective.outcomes.codes or {}).items()):
        bits.append(Bit(Mark((Condition("error_code", (code,)),)), code=count))
    if (after := objective.outcomes.timeout_after) is not None:
        late = Condition("total_time", word=BoundWord.MORE_THAN, limit=after)
        bits.append(Bit(Mark((late,)), timeout=objective.outcomes.timeout))
    if isinstance(objective.indicator, BinRule) and (slow := objective.indicator.slow) is not None:
        late = Condition(slow.field.value, word=slow.bound.word, limit=int(slow.bound.value))
        bits.append(Bit(Mark((late,)), slow=slow.counts))
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
    return (*_around(agreement, service)[:1], *conditions_of(objective.conditions), *_around(agreement, service)[1:])


def _around(agreement: Agreement, service: Service | None) -> tuple[Condition, ...]:
    """Return the conditions that hold for all calls to a service of the vendor."""
    found = [Condition("vendor", (agreement.vendor,))]
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
        return ("bin", "clock", "outcome", "mask", *(("group",) if rule.pooled_by else ()))
    if isinstance(rule, IntervalP50 | MeanOfMinutes):
        return ("bin", "clock", "outcome", "mask", "known", *timed_by(rule))
    if isinstance(rule, Percentile | RequestAttainment):
        return ("clock", "outcome", "mask", "known", *timed_by(rule))
    if isinstance(rule, SampleProportion | Compared):
        return ("clock", "outcome", "mask", "known", "grade")
    if isinstance(rule, ReviewRule):
        return ("clock", "outcome", "mask", "known", *rule.keys)
    return ("clock", "outcome", "mask", "known")


def timed_by(rule: Percentile | RequestAttainment | IntervalP50 | MeanOfMinutes) -> tuple[str, ...]:
    """Return the keys that tell how long a request took, or how many tokens of its answer came in how long."""
    if isinstance(rule, MeanOfMinutes):
        speed: Speed | SpeedOf | None = rule.of.speed
        field = rule.of.field
        if field is not None:
            tokens = ("output_tokens",) if rule.weights == "tokens" else ()
            return (*tokens, "request_ns" if field is LatencyField.TOTAL_TIME else "first_token_ns")
    else:
        speed = None if isinstance(rule, Percentile) else rule.speed
        field = rule.field if isinstance(rule, Percentile | RequestAttainment) else None
    if speed is not None:
        return (speed.tokens, f"{speed.over}_ns")
    return (field.value,) if field is not None else ()


def _by(objective: Objective) -> tuple[str, ...]:
    """Return the fields that tell the resources apart that a rule is about."""
    return objective.indicator.pooled_by if isinstance(objective.indicator, BinRule) else ()


def _grader(objective: Objective) -> str | None:
    rule = objective.indicator
    if not isinstance(rule, SampleProportion | Compared):
        return None
    if rule.grading == "human":
        return "human"
    return objective.scorer or "*"
