"""The evaluation once more, written from the contracts page alone: slow, plain, and sharing nothing with the product.

Lists of records, loops over intervals, fractions, and tails of distributions summed term by term. Where it and
`slaguard.evaluation` disagree, one of them has misread the contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb
from typing import Any

from slaguard.records import Adjudication, Coverage, Fact, Observation, Record, Score
from slaguard.spec.model import Agreement, Exclusion, Objective
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import ANSWERED, Count, Grade, Outcome, Reason, Source, Verdict

Span = tuple[int, int]
MS = 1_000_000
ONE, ZERO = Fraction(1), Fraction(0)


# ── what is compared ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Tally:
    """One measurement: decided events, the bad ones among them, and what is not known."""

    n: int = 0
    bad: Fraction = ZERO
    value: Fraction | None = None
    best: Fraction = ZERO  # the share of bad events if all that is not known was good
    worst: Fraction = ZERO  # and if it was bad
    unknown: int = 0
    unwatched: bool = False  # time without our eyes on it, as against answers without a grade
    no_clock: bool = False
    population: int | None = None
    dropped: int = 0
    unmeasured: int = 0
    taken: dict[str, int] = field(default_factory=dict)  # by exclusion: records or intervals
    still: int = 0  # intervals to come


@dataclass
class Ruling:
    """What one set of exclusions gives."""

    tally: Tally
    verdict: Verdict
    reason: Reason
    final: bool


@dataclass
class Finding:
    """One promise in one scope."""

    name: str
    scope: str
    source: Source
    coverage: Fraction
    ruling: Ruling
    verdict: Verdict
    reason: Reason
    provisional: bool
    contested: Ruling | None
    bare: Ruling | None


@dataclass(frozen=True)
class World:
    """All that one evaluation knows."""

    agreement: Agreement
    objective: Objective
    service: Any
    period: ResolvedPeriod
    records: Sequence[Record]
    facts: Sequence[Fact]
    as_of: int

    @property
    def rule(self) -> Any:
        return self.objective.indicator

    @property
    def by_interval(self) -> bool:
        return self.rule.rule in {"mean_of_intervals", "error_rate_runs"}

    @property
    def so_far(self) -> Span:
        return self.period.start, max(self.period.start, min(self.period.end, self.as_of))

    @property
    def width(self) -> int:
        return int(self.rule.bin) * MS


def evaluate(
    agreement: Agreement, period: ResolvedPeriod, records: Sequence[Record], facts: Sequence[Fact], as_of: int,
) -> list[Finding]:  # fmt: skip
    """Judge every promise in every scope."""
    services: dict[str, Any] = {s.id: s for s in agreement.services}
    return [
        judge(World(agreement, objective, services.get(scope), period, records, facts, as_of), scope)
        for objective in agreement.objectives
        for scope in (objective.service or ("all",))
    ]


def judge(world: World, scope: str) -> Finding:
    """Judge one promise with the accepted exclusions, with the contested ones too, and with none."""
    source, coverage = choose_source(world)
    states = exclusion_states(world)
    accepted, both, none = (rule_on(world, source, coverage, states, s) for s in ({"accepted"}, {"accepted", "contested"}, set()))
    verdict, reason = accepted.verdict, accepted.reason
    in_dispute = any(state == "contested" for state in states.values())
    if in_dispute and both.verdict != verdict:
        verdict, reason = Verdict.INCONCLUSIVE, Reason.CONTESTED_EXCLUSION
    is_open = world.as_of < world.period.end
    return Finding(
        world.objective.name, scope, source, coverage, accepted, verdict, reason, is_open and not accepted.final,
        both if in_dispute else None, none if sum(accepted.tally.taken.values()) else None,
    )  # fmt: skip


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def within(at: int, spans: Iterable[Span]) -> bool:
    return any(a <= at < b for a, b in spans)


def union(spans: Iterable[Span]) -> list[Span]:
    """Return disjoint spans that cover the same time."""
    edges = sorted({e for span in spans for e in span})
    given = [s for s in spans if s[0] < s[1]]
    out: list[Span] = []
    for a, b in zip(edges, edges[1:], strict=False):
        if any(x <= a and b <= y for x, y in given):
            if out and out[-1][1] == a:
                out[-1] = (out[-1][0], b)
            else:
                out.append((a, b))
    return out


def length(spans: Iterable[Span], inside: Span) -> int:
    return sum(max(0, min(b, inside[1]) - max(a, inside[0])) for a, b in union(list(spans)))


def intervals(world: World) -> list[Span]:
    """Return the intervals of the period, on the contract's clock."""
    start, end = world.period.span
    return [(a, a + world.width) for a in range(start, end, world.width)]


# ── which records count, and how ────────────────────────────────────────────────────────────────────────────────────
def field_of(o: Observation, name: str) -> Any:
    if name in {"time_to_first_token", "total_time"}:
        return milliseconds(o, name)
    return o.attributes.get(name.removeprefix("attributes.")) if name.startswith("attributes.") else getattr(o, name)


def milliseconds(o: Observation, name: str) -> int | None:
    ns = o.time_to_first_token_ns if name == "time_to_first_token" else o.total_time_ns
    return None if ns is None else (ns + MS - 1) // MS


def keeps(value: Fraction | int, bound: Any) -> bool:
    """Compare by cross-multiplied integers; the word is the strictness."""
    limit = Fraction(bound.value)
    left, right = value.numerator * limit.denominator, limit.numerator * value.denominator
    return bool({"at_least": left >= right, "at_most": left <= right, "more_than": left > right, "less_than": left < right}[bound.word])


def meets(o: Observation, conditions: Any) -> bool:
    for name, predicate in (conditions or {}).items():
        value = field_of(o, name)
        if value is None:
            return False
        if predicate.values is not None:
            text = str(value).lower() if isinstance(value, bool) else str(value)
            if text not in predicate.values:
                return False
        elif not keeps(int(value), predicate.limits.bound):
            return False
    return True


def known_at(o: Any) -> int:
    return next((t for t in (o.recorded_at, o.ended_at, o.sent_at, o.batch_end) if t is not None), 0)


def in_scope(world: World, source: Source, span: Span) -> Iterator[Observation]:
    """Yield the records a promise is about: vendor, service, eligible, of one source, known by now, of this time."""
    service = world.service
    for o in world.records:
        if not isinstance(o, Observation) or o.source is not source or o.vendor != world.agreement.vendor:
            continue
        if known_at(o) > world.as_of or not placed(o, span) or not meets(o, world.objective.eligible):
            continue
        if service is not None:
            if service.models is not None and o.model_requested not in service.models:
                continue
            if service.regions is not None and o.region not in service.regions:
                continue
            if not meets(o, service.where):
                continue
        yield o


def placed(o: Observation, span: Span) -> bool:
    if o.sent_at is not None:
        return span[0] <= o.sent_at < span[1]
    return o.batch_start is not None and o.batch_end is not None and span[0] <= o.batch_start and o.batch_end <= span[1]


def counted(world: World, o: Observation) -> Count | None:
    """Return how a record counts: bad, good, leaves; None where nothing was measured."""
    if o.outcome is Outcome.OK:
        return Count.OK
    if o.outcome is Outcome.UNMEASURED:
        return None
    codes = world.objective.outcomes.codes or {}
    if o.error_code in codes:
        return codes[o.error_code]
    found: Count = getattr(world.objective.outcomes, o.outcome.value)
    return found


# ── exclusions ──────────────────────────────────────────────────────────────────────────────────────────────────────
States = dict[tuple[str, Span | None], str]


def exclusion_states(world: World) -> States:
    """Return the state of every exclusion by record and of every announced window."""
    out: States = {}
    for exclusion in world.objective.exclusions:
        if exclusion.selector is not None:
            out[exclusion.id, None] = stated(world, exclusion, None) or "accepted"
            continue
        for fact in world.facts:
            if fact.type == "announcement" and fact.exclusion == exclusion.id and fact.start is not None and fact.end is not None:
                window = (fact.start, fact.end)
                in_time = fact.when <= fact.start - int(exclusion.notice or 0) * MS
                out[exclusion.id, window] = stated(world, exclusion, window) or ("accepted" if in_time else "contested")
    return out


def stated(world: World, exclusion: Exclusion, window: Span | None) -> str | None:
    """Return the latest state that somebody recorded for an exclusion or its window."""
    told = [f for f in world.facts if f.type == "exclusion_state" and f.exclusion == exclusion.id]
    told = [f for f in told if f.start is None or (window is not None and f.start == window[0])]
    return max(told, key=lambda f: f.when).state if told else None


def windows(world: World, states: States, applied: set[str], exclusion: Exclusion) -> list[tuple[Span, str]]:
    """Return the windows that apply, cut where a month's cap is used up, in time order."""
    mine = sorted((w, s) for (i, w), s in states.items() if i == exclusion.id and w is not None and s in applied)
    if exclusion.cap is None:
        return mine
    out: list[tuple[Span, str]] = []
    for first, last in world.period.months:
        left = int(exclusion.cap.length) * MS
        reached = first
        for (a, b), state in mine:
            a, b = max(a, reached), min(b, last)
            b = min(b, a + left)
            if a < b:
                out.append(((a, b), state))
                left -= b - a
                reached = b
    return out


def applied_selector(world: World, states: States, applied: set[str], o: Observation) -> str | None:
    """Return the first exclusion, in file order, that takes a record out."""
    for exclusion in world.objective.exclusions:
        if exclusion.selector is not None:
            if states[exclusion.id, None] in applied and meets(o, exclusion.selector):
                return exclusion.id
        elif exclusion.effect.value == "drop_records" and o.sent_at is not None:
            if within(o.sent_at, [w for w, _ in windows(world, states, applied, exclusion)]):
                return exclusion.id
    return None


# ── coverage ────────────────────────────────────────────────────────────────────────────────────────────────────────
def choose_source(world: World) -> tuple[Source, Fraction]:
    """Return the first source whose coverage reaches the minimum; failing that the one best covered."""
    shares = [(source, coverage_of(world, source)) for source in world.objective.source]
    enough = [pair for pair in shares if pair[1] >= world.objective.min_coverage]
    return enough[0] if enough else max(shares, key=lambda pair: pair[1])


def watched(world: World, source: Source) -> list[Span]:
    known = [r for r in world.records if isinstance(r, Coverage) and r.source is source and (r.recorded_at or 0) <= world.as_of]
    return union((c.start, c.end) for c in known)


def coverage_of(world: World, source: Source) -> Fraction:
    if source is Source.PROBE and world.by_interval:
        past = [i for i in intervals(world) if i[1] <= world.as_of]
        seen = [i for i in past if observed(world, source, i)]
        return Fraction(len(seen), len(past)) if past else ZERO
    span = world.so_far
    if span[0] == span[1]:
        return ZERO
    if source is Source.PROBE and not watched(world, source):
        return ONE if any(True for _ in in_scope(world, source, world.period.span)) else ZERO
    return Fraction(length(watched(world, source), span), span[1] - span[0])


def observed(world: World, source: Source, interval: Span) -> bool:
    """Tell whether an interval is over and was watched: a probe by an answered slot, traffic by being wholly covered."""
    if interval[1] > world.as_of:
        return False
    if source is Source.PROBE:
        return any(counted(world, o) in {Count.OK, Count.FAIL} for o in in_scope(world, source, interval))
    return length(watched(world, source), interval) == interval[1] - interval[0]


# ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────────────
def measure(world: World, source: Source, coverage: Fraction, states: States, applied: set[str]) -> Tally:
    tally = Tally()
    match world.rule.rule:
        case "mean_of_intervals":
            measure_mean(world, source, states, applied, tally)
        case "error_rate_runs":
            measure_runs(world, source, states, applied, tally)
        case "sample_proportion":
            measure_answers(world, source, states, applied, tally)
        case _:
            measure_share(world, source, coverage, states, applied, tally)
    return tally


def valid(world: World, source: Source, span: Span, states: States, applied: set[str], tally: Tally | None = None) -> list[tuple[Observation, Count]]:
    """Return the valid set: in scope, eligible, neither excluded nor dropped, with how each counts."""
    out = []
    for o in in_scope(world, source, span):
        how = counted(world, o)
        taken_by = applied_selector(world, states, applied, o) if how in {Count.OK, Count.FAIL} else None
        if tally is not None:
            tally.unmeasured += how is None
            tally.dropped += how is Count.DROP
            if taken_by is not None:
                tally.taken[taken_by] = tally.taken.get(taken_by, 0) + 1
        if taken_by is None and how in {Count.OK, Count.FAIL}:
            assert how is not None
            out.append((o, how))
    return out


@dataclass
class Interval:
    """One interval: its requests, whether it was watched, whether an announced window touches it."""

    span: Span
    n: int
    f: int
    watched: bool
    to_come: bool
    effect: str | None


def line(world: World, source: Source, states: States, applied: set[str], tally: Tally, around: int = 0) -> list[Interval]:
    """Return the intervals of the period and so many around it, and count what exclusions take."""
    records = valid(world, source, world.period.span, states, applied, tally)
    tally.no_clock = any(o.sent_at is None for o, _ in records)
    start, end = world.period.span
    out = []
    for a in range(start - around * world.width, end + around * world.width, world.width):
        span = (a, a + world.width)
        inside = start <= a < end
        counts = [how for o, how in valid(world, source, span, states, applied) if o.sent_at is not None]
        effect = None
        for exclusion in world.objective.exclusions:
            if exclusion.selector is None and exclusion.effect.value != "drop_records" and inside and span[1] <= world.as_of:
                if any(w[0] < span[1] and span[0] < w[1] for w, _ in windows(world, states, applied, exclusion)):
                    if effect is None:
                        effect = exclusion.effect.value
                        tally.taken[exclusion.id] = tally.taken.get(exclusion.id, 0) + 1
        out.append(Interval(span, len(counts), counts.count(Count.FAIL), observed(world, source, span), span[1] > world.as_of, effect))
    tally.still = sum(i.to_come and start <= i.span[0] < end for i in out)
    return out


def measure_mean(world: World, source: Source, states: States, applied: set[str], tally: Tally) -> None:
    scores: list[Fraction] = []
    for i in line(world, source, states, applied, tally):
        if i.effect == "remove_minutes" or i.to_come:
            continue
        if i.effect == "count_as_up":
            scores.append(ONE)
        elif not i.watched:
            tally.unknown += 1
        elif i.n == 0:
            scores += [ONE] if world.rule.empty_bin == "up" else []
        elif i.n < world.rule.min_requests:
            scores += [ONE] if world.rule.below_minimum == "up" else []
        else:
            scores.append(1 - Fraction(i.f, i.n))
    settle(tally, len(scores), len(scores) - sum(scores, ZERO))


def settle(tally: Tally, n: int, bad: Fraction, worst: Fraction | None = None, best: Fraction | None = None) -> None:
    """Fill in the figure over what was seen and its bounds."""
    tally.n, tally.bad = n, bad
    tally.value = None if n == 0 else 1 - bad / n
    total = n + tally.unknown
    tally.unwatched = tally.unknown > 0
    if total:
        tally.best = (bad if best is None else best) / total
        tally.worst = (bad + tally.unknown if worst is None else worst) / total


def measure_runs(world: World, source: Source, states: States, applied: set[str], tally: Tally) -> None:
    around = world.rule.run - 1 if world.rule.cross_period == "attribute_minutes" else 0
    timeline = line(world, source, states, applied, tally, around)
    inside = [world.period.start <= i.span[0] < world.period.end for i in timeline]
    down = {taken: runs(world, timeline, unknown_is_bad=taken) for taken in (False, True)}
    n, bad, best, worst = 0, 0, 0, 0
    for i, here, low, high in zip(timeline, inside, down[False], down[True], strict=True):
        if not here or i.to_come or i.effect == "remove_minutes" or left_out(world, i):
            continue
        up = i.effect == "count_as_up"
        best += low and not up
        worst += high and not up
        if i.watched or up:
            n += 1
            bad += low and not up
        else:
            tally.unknown += 1
    settle(tally, n, Fraction(bad), Fraction(worst), Fraction(best))


def left_out(world: World, i: Interval) -> bool:
    return bool(i.watched and not i.effect and 0 < i.n < world.rule.min_requests and world.rule.below_minimum == "leave_out")


def runs(world: World, timeline: list[Interval], *, unknown_is_bad: bool) -> list[bool]:
    """Return which intervals are in a run of enough bad ones."""
    out = [False] * len(timeline)
    current: list[int] = []
    for index, i in enumerate(timeline):
        if i.watched and i.n == 0 and world.rule.empty_bin == "continues_run":
            continue
        bad = unknown_is_bad if not i.watched else i.n >= max(1, world.rule.min_requests) and keeps(Fraction(i.f, i.n), world.rule.error_rate.bound)
        if not bad:
            current = []
            continue
        current.append(index)
        if len(current) >= world.rule.run:
            for one in current:
                out[one] = True
    return out


def measure_share(world: World, source: Source, coverage: Fraction, states: States, applied: set[str], tally: Tally) -> None:
    """Measure the share of requests that failed, or that were too slow."""
    span = world.so_far
    bad = good = 0
    times: list[int | None] = []  # None: no time at all, beyond every limit
    for o, how in after_windows(world, valid(world, source, span, states, applied, tally), states, applied, tally):
        if world.rule.rule == "ratio":
            is_bad = o.outcome is Outcome.REFUSED if world.rule.of == "refusals" else how is Count.FAIL
            bad, good = bad + is_bad, good + (not is_bad)
            continue
        if how is Count.FAIL:
            if world.rule.failed != "leave_out":
                bad += 1
                times.append(None)
            continue
        time = milliseconds(o, world.rule.field)
        if time is None:
            tally.unknown += 1
            continue
        fast = keeps(time, world.rule.within.bound if world.rule.rule == "request_attainment" else world.objective.bound)
        bad, good = bad + (not fast), good + fast
        times.append(time)
    tally.n, tally.bad = bad + good, Fraction(bad)
    total = tally.n + tally.unknown
    tally.unwatched = coverage < 1
    if total:
        tally.best = coverage * Fraction(bad, total)
        tally.worst = coverage * Fraction(bad + tally.unknown, total) + (1 - coverage)
    if tally.n:
        tally.value = shown(world, tally, times)


def shown(world: World, tally: Tally, times: list[int | None]) -> Fraction | None:
    """Return the figure in the unit of the promise."""
    if world.rule.rule == "percentile":
        ranked: list[int | None] = [*sorted(t for t in times if t is not None), *[t for t in times if t is None]]
        for place, time in enumerate(ranked, 1):
            # The last of equal times holds the share up to it; taking the first that reaches p is the same time.
            if Fraction(place, len(ranked)) >= world.rule.p:
                return None if time is None else Fraction(time)
    share = tally.bad / tally.n
    return 1 - share if world.objective.bound.word.is_floor else share


def after_windows(
    world: World, records: list[tuple[Observation, Count]], states: States, applied: set[str], tally: Tally,
) -> list[tuple[Observation, Count]]:  # fmt: skip
    """Apply announced windows to single requests: removed time takes them out, time that counts as up forgives failures."""
    out = []
    for o, how in records:
        fate: Count | None = how
        for exclusion in world.objective.exclusions:
            if exclusion.selector is not None or exclusion.effect.value == "drop_records" or o.sent_at is None:
                continue
            if not within(o.sent_at, [w for w, _ in windows(world, states, applied, exclusion)]):
                continue
            if exclusion.effect.value == "remove_minutes":
                fate = None
            elif how is Count.FAIL:
                fate = Count.OK
            else:
                continue
            tally.taken[exclusion.id] = tally.taken.get(exclusion.id, 0) + 1
            break
        if fate is not None:
            out.append((o, fate))
    return out


def measure_answers(world: World, source: Source, states: States, applied: set[str], tally: Tally) -> None:
    """Measure the share of graded answers that are good or bad."""
    good = bad = ungraded = 0
    known = True
    for o, how in after_windows(world, valid(world, source, world.so_far, states, applied, tally), states, applied, tally):
        if o.outcome not in ANSWERED or how is not Count.OK:
            continue
        grade = grade_of(world, o)
        counts = None if grade is None else world.rule.grades.of(grade)
        if counts is Count.DROP:
            continue
        known = known and o.inclusion_probability == "1"
        good += counts is Count.OK
        bad += counts is Count.FAIL
        if grade is None and world.rule.grading == "human":
            ungraded += 1
        elif counts is None:
            tally.unknown += 1
    tally.n, tally.bad = good + bad, Fraction(bad)
    total = tally.n + tally.unknown
    tally.population = total + ungraded if known else None
    if total:
        tally.best, tally.worst = Fraction(bad, total), Fraction(bad + tally.unknown, total)
    if tally.n:
        share = tally.bad / tally.n
        tally.value = 1 - share if world.rule.event == "correct" else share


def grade_of(world: World, o: Observation) -> Grade | None:
    people = [r.grade for r in world.records if isinstance(r, Adjudication) and r.observation == o.id]
    scorer = world.objective.scorer
    scored = [r.grade for r in world.records if isinstance(r, Score) and r.observation == o.id and scorer in {None, r.scorer}]
    if world.rule.grading == "human":
        scored = []
    if scorer is not None and world.rule.grading != "human":
        people = []
    return (people or scored or [None])[-1]


# ── deciding ────────────────────────────────────────────────────────────────────────────────────────────────────────
def allowed_share(objective: Objective) -> Fraction:
    """Return which share of the events may be bad."""
    rule: Any = objective.indicator
    if rule.rule == "percentile":
        return 1 - rule.p
    return 1 - objective.bound.value if objective.bound.word.is_floor else objective.bound.value


def is_over(objective: Objective, share: Fraction) -> bool:
    """Tell whether a share of bad events breaks the promise: equal to the limit breaks only a strict one."""
    strict = objective.bound.word in {"more_than", "less_than"} and getattr(objective.indicator, "rule", "") != "percentile"
    return share >= allowed_share(objective) if strict else share > allowed_share(objective)


def rule_on(world: World, source: Source, coverage: Fraction, states: States, applied: set[str]) -> Ruling:
    tally = measure(world, source, coverage, states, applied)
    verdict, reason, final = decide(world, tally, coverage)
    return Ruling(tally, verdict, reason, final)


def decide(world: World, t: Tally, coverage: Fraction) -> tuple[Verdict, Reason, bool]:
    objective = world.objective
    lacking = coverage < objective.min_coverage
    if t.no_clock:
        return Verdict.INSUFFICIENT, Reason.NO_CLOCK, False
    if t.n == 0 and t.unknown == 0:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE if lacking else Reason.NO_TRAFFIC, False
    if t.n == 0 and t.unwatched:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE if lacking else Reason.NO_TRAFFIC, False
    if t.n < max(objective.decision.min_n, 0 if world.by_interval else getattr(world.rule, "min_requests", 0)):
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN, False
    if world.rule.rule == "sample_proportion" and objective.decision.estimand == "realised" and t.population != t.n:
        return decide_sample(world, t, coverage)
    if world.as_of < world.period.end:
        return decide_open(world, t, coverage)
    return decide_count(world, t, coverage)


def decide_count(world: World, t: Tally, coverage: Fraction) -> tuple[Verdict, Reason, bool]:
    best, worst = is_over(world.objective, t.best), is_over(world.objective, t.worst)
    if best:
        return Verdict.BREACH, Reason.COUNT_EXCEEDED, True
    if not worst:
        return Verdict.COMPLIANT, Reason.COUNT_WITHIN, True
    if not t.unwatched:
        return Verdict.INSUFFICIENT, Reason.UNGRADED, True
    if coverage < world.objective.min_coverage:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE, True
    return Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE, True


def decide_open(world: World, t: Tally, coverage: Fraction) -> tuple[Verdict, Reason, bool]:
    if world.by_interval:
        total = t.n + t.unknown + t.still
        certain = t.best * (t.n + t.unknown)
        if is_over(world.objective, certain / total):
            return Verdict.BREACH, Reason.ERROR_BUDGET_EXHAUSTED, True
    verdict, reason, _ = decide_count(world, t, coverage)
    if verdict is Verdict.BREACH:
        return Verdict.INCONCLUSIVE, Reason.BREACHING_TO_DATE, False
    if verdict is Verdict.COMPLIANT:
        return Verdict.COMPLIANT, Reason.WITHIN_TO_DATE, False
    return verdict, reason, False


# ── samples ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def decide_sample(world: World, t: Tally, coverage: Fraction) -> tuple[Verdict, Reason, bool]:
    objective = world.objective
    n, bad, unknown = t.n, int(t.bad), t.unknown
    over = is_over(objective, Fraction(bad, n))
    if world.as_of < world.period.end:
        return Verdict.INCONCLUSIVE, Reason.AT_RISK if over else Reason.STRADDLES, False
    if objective.decision.rule == "point":
        return (Verdict.BREACH if over else Verdict.COMPLIANT), Reason.POINT_RULE, True
    if coverage < objective.min_coverage:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE, True
    alpha = objective.decision.alpha
    seen = n + unknown
    if chance_of_more(objective, bad, seen, t.population) <= alpha:
        return Verdict.BREACH, Reason.CLOSE_TEST, True
    if chance_of_fewer(objective, bad + unknown, seen, t.population) <= alpha:
        return Verdict.COMPLIANT, Reason.CLOSE_TEST_COMPLY, True
    if chance_of_fewer(objective, 0, n, t.population) > alpha:
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN, True
    return Verdict.INCONCLUSIVE, Reason.STRADDLES, True


def most_allowed(objective: Objective, population: int) -> int:
    """Return the largest number of bad answers among so many that keeps the promise."""
    return max((k for k in range(population + 1) if not is_over(objective, Fraction(k, population))), default=-1)


def chance_of_more(objective: Objective, bad: int, n: int, population: int | None) -> Fraction:
    """Return the chance of at least so many bad ones in a sample of a promise that is just kept."""
    if population is None:
        return sum((binomial(k, n, allowed_share(objective)) for k in range(bad, n + 1)), ZERO)
    kept = most_allowed(objective, population)
    return ZERO if kept < 0 else sum((hypergeometric(k, n, kept, population) for k in range(bad, n + 1)), ZERO)


def chance_of_fewer(objective: Objective, bad: int, n: int, population: int | None) -> Fraction:
    """Return the chance of at most so many bad ones in a sample of a promise that is just broken."""
    if population is None:
        return sum((binomial(k, n, allowed_share(objective)) for k in range(bad + 1)), ZERO)
    broken = most_allowed(objective, population) + 1
    return ZERO if broken > population else sum((hypergeometric(k, n, broken, population) for k in range(bad + 1)), ZERO)


def binomial(k: int, n: int, share: Fraction) -> Fraction:
    return comb(n, k) * share**k * (1 - share) ** (n - k)


def hypergeometric(k: int, n: int, bad: int, population: int) -> Fraction:
    if n - k > population - bad:
        return ZERO
    return Fraction(comb(bad, k) * comb(population - bad, n - k), comb(population, n))
