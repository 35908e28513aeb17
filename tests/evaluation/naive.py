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
from slaguard.terms import Count, Grade, Outcome, Reason, Source, Verdict

Span = tuple[int, int]
MS = 1_000_000
DAY = 86_400_000 * MS
ONE, ZERO = Fraction(1), Fraction(0)


# ── what is compared ────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Tally:
    """One measurement: decided events, the bad ones among them, and what is not known."""

    coverage: Fraction = ZERO
    n: int = 0
    bad: Fraction = ZERO
    value: Fraction | None = None
    total: int = 0  # decided events and those not known
    best: Fraction = ZERO  # the share of bad events if all that is not known was good
    worst: Fraction = ZERO  # and if it was bad
    unknown: int = 0
    census: bool = True
    population: int | None = None
    clockless: bool = False
    dropped: int = 0
    unmeasured: int = 0
    taken: dict[str, int] = field(default_factory=dict)  # by exclusion: records or intervals
    still: int = 0  # intervals that can still come to count

    def take(self, exclusion: str) -> None:
        self.taken[exclusion] = self.taken.get(exclusion, 0) + 1


@dataclass
class Ruling:
    """What one set of exclusions gives; `final` while the period is open: nothing that comes can change it."""

    tally: Tally
    verdict: Verdict
    reason: Reason
    final: bool


@dataclass
class Finding:
    """One promise in one scope: with the accepted exclusions, with those in dispute too, with none."""

    name: str
    scope: str
    source: Source
    verdict: Verdict
    reason: Reason
    provisional: bool
    accepted: Ruling
    contested: Ruling | None
    bare: Ruling
    disputed: set[str]  # the exclusions in dispute


def evaluate(
    agreement: Agreement, period: ResolvedPeriod, records: Sequence[Record], facts: Sequence[Fact], as_of: int,
) -> list[Finding]:  # fmt: skip
    """Judge every promise in every scope."""
    services: dict[str, Any] = {s.id: s for s in agreement.services}
    return [
        Case(agreement, objective, services.get(scope), period, records, facts, as_of).judge(scope)
        for objective in agreement.objectives
        for scope in (objective.service or ("all",))
    ]


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def inside(at: int, spans: Iterable[Span]) -> bool:
    return any(a <= at < b for a, b in spans)


def touches(one: Span, spans: Iterable[Span]) -> bool:
    return any(a < one[1] and one[0] < b for a, b in spans)


def union(spans: Iterable[Span]) -> list[Span]:
    """Return disjoint spans that cover the same time: piece by piece between all edges."""
    given = [s for s in spans if s[0] < s[1]]
    edges = sorted({e for s in given for e in s})
    out: list[Span] = []
    for a, b in zip(edges, edges[1:], strict=False):
        if not any(x <= a and b <= y for x, y in given):
            continue
        out = [*out[:-1], (out[-1][0], b)] if out and out[-1][1] == a else [*out, (a, b)]
    return out


def length_within(spans: Iterable[Span], whole: Span) -> int:
    return sum(max(0, min(b, whole[1]) - max(a, whole[0])) for a, b in union(spans))


# ── one record ──────────────────────────────────────────────────────────────────────────────────────────────────────
def known_at(record: Any) -> int:
    fields = ("recorded_at", "ended_at", "sent_at", "batch_end") if isinstance(record, Observation) else ("recorded_at",)
    return next((t for f in fields if (t := getattr(record, f)) is not None), 0)


def placed(o: Observation, span: Span) -> bool:
    """Tell whether a record belongs to a span: by when it was sent, or by its whole batch where it has no clock."""
    if o.sent_at is not None:
        return span[0] <= o.sent_at < span[1]
    return o.batch_start is not None and o.batch_end is not None and span[0] <= o.batch_start and o.batch_end <= span[1]


def milliseconds(o: Observation, name: str) -> int | None:
    ns = o.time_to_first_token_ns if name == "time_to_first_token" else o.total_time_ns
    return None if ns is None else (ns + MS - 1) // MS


def keeps(value: Fraction | int, bound: Any) -> bool:
    """Compare by cross-multiplied integers; the word is the strictness."""
    left, right = value.numerator * bound.value.denominator, bound.value.numerator * value.denominator
    how = {"at_least": left >= right, "at_most": left <= right, "more_than": left > right, "less_than": left < right}
    return how[bound.word.value]


def meets(o: Observation, conditions: Any) -> bool:
    """Tell whether a record meets all conditions; a missing field meets none."""
    return all(meets_one(o, name, predicate) for name, predicate in (conditions or {}).items())


def meets_one(o: Observation, name: str, predicate: Any) -> bool:
    value: Any
    if name in {"time_to_first_token", "total_time"}:
        value = milliseconds(o, name)
    elif name.startswith("attributes."):
        value = o.attributes.get(name.removeprefix("attributes."))
    else:
        value = getattr(o, name)
    if value is None:
        return False
    if predicate.values is not None:
        return (str(value).lower() if isinstance(value, bool) else str(value)) in predicate.values
    return keeps(int(value), predicate.limits.bound)


# ── one promise in one scope ────────────────────────────────────────────────────────────────────────────────────────
@dataclass
class Interval:
    """One interval: its valid requests and failures, whether it was watched and is over, which windows touch it."""

    span: Span
    n: int
    f: int
    seen: bool
    over: bool
    own: bool
    up: bool
    removed: bool


@dataclass
class Case:
    """One promise in one scope, and all that is known."""

    agreement: Agreement
    objective: Objective
    service: Any
    period: ResolvedPeriod
    records: Sequence[Record]
    facts: Sequence[Fact]
    as_of: int

    def __post_init__(self) -> None:
        self.rule: Any = self.objective.indicator
        self.by_interval = self.rule.rule in {"mean_of_intervals", "error_rate_runs"}
        self.records = [r for r in self.records if known_at(r) <= self.as_of]
        self.facts = [f for f in self.facts if f.recorded_at is None or f.recorded_at <= self.as_of]
        self.open = self.as_of < self.period.end
        self.scoped = {s: [o for o in self.records if isinstance(o, Observation) and self.in_scope(o, s)] for s in Source}
        self.seen = {s: union((c.start, c.end) for c in self.records if isinstance(c, Coverage) and c.source is s) for s in Source}
        self.states = {e.id: self.states_of(e) for e in self.objective.exclusions}

    def judge(self, scope: str) -> Finding:
        source = self.choose()
        accepted, both, bare = (self.rule_on(source, s) for s in ({"accepted"}, {"accepted", "contested"}, set[str]()))
        disputed = {e for e, pairs in self.states.items() if any(state == "contested" for _, state in pairs)}
        verdict, reason, final = accepted.verdict, accepted.reason, accepted.final
        if both.verdict is not accepted.verdict:
            verdict, reason, final = Verdict.INCONCLUSIVE, Reason.CONTESTED_EXCLUSION, accepted.final and both.final
        provisional = self.open and not final
        name = self.objective.name
        return Finding(name, scope, source, verdict, reason, provisional, accepted, both if disputed else None, bare, disputed)

    def rule_on(self, source: Source, applied: set[str]) -> Ruling:
        tally = self.measure(source, applied)
        verdict, reason, final = decide(self, tally)
        return Ruling(tally, verdict, reason, final)

    def choose(self) -> Source:
        """Return the first source whose coverage reaches the minimum; where none does, the best covered."""
        shares = [(self.measure(s, {"accepted"}).coverage, s) for s in self.objective.source]
        enough = [s for share, s in shares if share >= self.objective.min_coverage]
        return enough[0] if enough else max(shares, key=lambda pair: pair[0])[1]

    # ── which records ───────────────────────────────────────────────────────────────────────────────────────────────
    def in_scope(self, o: Observation, source: Source) -> bool:
        """Tell whether a promise is about a record: vendor, service, conditions."""
        if o.source is not source or o.vendor != self.agreement.vendor or not meets(o, self.objective.eligible):
            return False
        if self.service is None:
            return True
        models, regions = self.service.models, self.service.regions
        named = (models is None or o.model_requested in models) and (regions is None or o.region in regions)
        return named and meets(o, self.service.where)

    def counts_as(self, o: Observation) -> Count | None:
        """Return how a record counts: bad, good, leaves; None where nothing was measured."""
        if o.outcome in {Outcome.OK, Outcome.UNMEASURED}:
            return Count.OK if o.outcome is Outcome.OK else None
        mapped: Count = getattr(self.objective.outcomes, o.outcome.value)
        return (self.objective.outcomes.codes or {}).get(o.error_code or "", mapped)

    def counted(self, source: Source, applied: set[str], tally: Tally) -> Iterator[tuple[Observation, Count]]:
        """Yield the valid records with how each counts; what leaves is counted if it is of the period."""
        for o in self.scoped[source]:
            of_period = placed(o, self.period.span)
            tally.clockless |= of_period and o.sent_at is None
            how = self.counts_as(o)
            if how is None or how is Count.DROP:
                tally.unmeasured += of_period and how is None
                tally.dropped += of_period and how is Count.DROP
                continue
            fate, by = self.excluded(o, how, applied)
            if by is not None and of_period:
                tally.take(by)
            if fate is not None:
                yield o, fate

    def excluded(self, o: Observation, how: Count, applied: set[str]) -> tuple[Count | None, str | None]:
        """Return what exclusions leave of a record, and the first in file order that acts on it."""
        leaves = [e.id for e in self.objective.exclusions if self.leaves_by(e, o, how, applied)]
        if leaves:
            return None, leaves[0]
        for e in self.objective.exclusions:
            forgives = e.effect.value == "count_as_up" and how is Count.FAIL and self.rule.rule == "ratio"
            if forgives and self.in_window(e, o, applied):
                return Count.OK, e.id
        return how, None

    def leaves_by(self, e: Exclusion, o: Observation, how: Count, applied: set[str]) -> bool:
        """Tell whether an exclusion takes a record out of the valid set."""
        if e.selector is not None:
            return self.states[e.id][0][1] in applied and meets(o, e.selector)
        if e.effect.value != "drop_records" and self.by_interval:
            return False
        if e.effect.value == "count_as_up" and (self.rule.rule in {"ratio", "sample_proportion"} or how is not Count.FAIL):
            return False  # it concerns failures alone: in a ratio they count as good, and in a graded share they are no answers
        return self.in_window(e, o, applied)

    # ── exclusions ──────────────────────────────────────────────────────────────────────────────────────────────────
    def states_of(self, e: Exclusion) -> list[tuple[Span, str]]:
        """Return each announced window of an exclusion with its state; of one by record, its state alone."""
        if e.selector is not None:
            return [((0, 0), self.told(e.id, None) or "accepted")]
        out = []
        for f in self.facts:
            if f.type == "announcement" and f.exclusion == e.id and f.start is not None and f.end is not None:
                in_time = f.when <= f.start - int(e.notice or 0) * MS
                out.append(((f.start, f.end), self.told(e.id, f.start) or ("accepted" if in_time else "contested")))
        return sorted(out)

    def told(self, exclusion: str, start: int | None) -> str | None:
        """Return the latest recorded state: of the window itself, else of the exclusion."""
        said = [f for f in self.facts if f.type == "exclusion_state" and f.exclusion == exclusion]
        for wanted in (start, None):
            mine = [f for f in said if f.start == wanted]
            if mine:
                return max(mine, key=lambda f: (f.when, f.id)).state
        return None

    def windows(self, e: Exclusion, applied: set[str]) -> list[Span]:
        """Return the time an exclusion covers; past the month's cap it counts normally, in time order."""
        spans = union(w for w, state in self.states[e.id] if state in applied)
        if e.cap is None:
            return spans
        out: list[Span] = []
        for first, last in self.period.months:
            left = int(e.cap.length) * MS
            for a, b in spans:
                start = max(a, first)
                end = min(b, last, start + left)
                if start < end:
                    out.append((start, end))
                    left -= end - start
        return out

    def in_window(self, e: Exclusion, o: Observation, applied: set[str]) -> bool:
        return e.selector is None and o.sent_at is not None and inside(o.sent_at, self.windows(e, applied))

    # ── measuring ───────────────────────────────────────────────────────────────────────────────────────────────────
    def measure(self, source: Source, applied: set[str]) -> Tally:
        tally = Tally()
        records = list(self.counted(source, applied, tally))
        match self.rule.rule:
            case "mean_of_intervals":
                self.mean(tally, self.line(source, applied, records, tally))
            case "error_rate_runs":
                self.runs(tally, self.line(source, applied, records, tally))
            case _:
                self.share(tally, source, [(o, how) for o, how in records if placed(o, self.period.span)])
        return tally

    def line(self, source: Source, applied: set[str], records: list[tuple[Observation, Count]], tally: Tally) -> list[Interval]:
        """Return the intervals of the period, and those around it that the rule looks at."""
        width = int(self.rule.bin) * MS
        start, end = self.period.span
        marks = [(e, self.windows(e, applied)) for e in self.objective.exclusions if e.selector is None]
        marks = [(e, w) for e, w in marks if e.effect.value != "drop_records"]
        around = self.around(width)
        out = []
        for a in range(start - around * width, end + around * width, width):
            b = a + width
            counts = [how for o, how in records if o.sent_at is not None and a <= o.sent_at < b]
            lost = any(o.outcome is Outcome.UNMEASURED and o.sent_at is not None and a <= o.sent_at < b for o in self.scoped[source])
            own, over = start <= a < end, b <= self.as_of
            seen = any(x <= a and b <= y for x, y in self.seen[source]) if source is Source.TRAFFIC else bool(counts)
            touched = {e.effect.value for e, w in marks if own and touches((a, b), w)}
            for e, w in marks:
                if own and over and touches((a, b), w):
                    tally.take(e.id)
            seen = seen and over and not (lost and not counts)
            removed = "remove_minutes" in touched
            up = "count_as_up" in touched and not removed
            out.append(Interval((a, b), len(counts), counts.count(Count.FAIL), seen, over, own, up, removed))
        return out

    def around(self, width: int) -> int:
        """Return how many intervals past both ends settle a run: k - 1, and what empty ones may carry it across."""
        if self.rule.rule != "error_rate_runs" or self.rule.cross_period == "split":
            return 0
        beyond = self.rule.run - 1
        if self.rule.empty_bin == "breaks_run":
            return int(beyond)
        start, end = self.period.span
        times = [o.sent_at for found in self.scoped.values() for o in found if o.sent_at is not None]
        times += [t for spans in self.seen.values() for span in spans for t in span if start - DAY < t < end + DAY]
        furthest = max([0, *(start - t for t in times), *(t - end for t in times)])
        return int(beyond + furthest // width + 1)

    def small(self, i: Interval) -> bool:
        return 0 < i.n < self.rule.min_requests

    def leaves(self, i: Interval) -> bool:
        """Tell whether a watched interval leaves the figure: too few requests, or none, where the clause says so."""
        if i.up or not i.seen:
            return False
        empty = i.n == 0 and self.rule.empty_bin == "leave_out"
        return empty or (self.small(i) and self.rule.below_minimum == "leave_out")

    def mean(self, tally: Tally, line: list[Interval]) -> None:
        lost = [Fraction(0) if i.up or not i.n or self.small(i) else Fraction(i.f, i.n) for i in line]
        self.settle(tally, line, lost, lost)

    def runs(self, tally: Tally, line: list[Interval]) -> None:
        low, high = ([ONE if d and not i.up else ZERO for i, d in zip(line, self.down(line, bad), strict=True)] for bad in (False, True))
        self.settle(tally, line, low, high)

    def down(self, line: list[Interval], unseen_is_bad: bool) -> list[bool]:  # noqa: FBT001
        """Return which intervals are in a run of enough bad ones."""
        out = [False] * len(line)
        current: list[int] = []
        for index, i in enumerate(line):
            nothing = i.n == 0 or (self.small(i) and self.rule.below_minimum == "leave_out")
            if i.seen and nothing and self.rule.empty_bin == "continues_run":
                continue
            bad = not nothing and not self.small(i) and keeps(Fraction(i.f, i.n), self.rule.error_rate.bound)
            if not i.seen:
                bad = unseen_is_bad and (i.over or not i.own)
            current = [*current, index] if bad else []
            if len(current) >= self.rule.run:
                for one in current:
                    out[one] = True
        return out

    def settle(self, tally: Tally, line: list[Interval], low: list[Fraction], high: list[Fraction]) -> None:
        """Add up the period's intervals: the figure over what was seen, and both bounds."""
        own = [(i, a, b) for i, a, b in zip(line, low, high, strict=True) if i.own and not i.removed]
        part = [(i, a, b) for i, a, b in own if i.over and not self.leaves(i)]
        known = [(i, a, b) for i, a, b in part if i.seen or i.up]
        tally.unknown = len(part) - len(known)
        tally.n, tally.bad = len(known), sum((a for _, a, _ in known), ZERO)
        tally.total = tally.population = len(part)
        tally.still = sum(not i.over for i, _, _ in own)
        watchable = sum(i.over for i, _, _ in own)
        tally.coverage = Fraction(watchable - tally.unknown, watchable) if watchable else Fraction(any(i.over and i.own for i in line))
        if tally.n:
            tally.value = 1 - tally.bad / tally.n
        if part:
            tally.best = tally.bad / len(part)
            worst = [ONE if not (i.seen or i.up) and self.rule.rule == "mean_of_intervals" else b for i, _, b in part]
            tally.worst = sum(worst, ZERO) / len(part)

    def share(self, tally: Tally, source: Source, records: list[tuple[Observation, Count]]) -> None:
        """Measure a share of single requests or answers."""
        all_of = [o for o in self.scoped[source] if placed(o, self.period.span)]
        if source is Source.PROBE:
            measured = [o for o in all_of if o.outcome is not Outcome.UNMEASURED]
            tally.coverage = Fraction(len(measured), len(all_of)) if all_of else ZERO
        else:
            span = (self.period.start, max(self.period.start, min(self.period.end, self.as_of)))
            tally.coverage = Fraction(length_within(self.seen[source], span), span[1] - span[0]) if span[1] > span[0] else ZERO
        graded = self.rule.rule == "sample_proportion"
        fates = [(o, self.grade_fate(o, how) if graded else self.fate(o, how)) for o, how in records]
        fates = [(o, fate) for o, fate in fates if fate != "leaves"]
        words = [fate for _, fate in fates if fate != "drop"]
        tally.bad, tally.n, tally.unknown = Fraction(words.count("bad")), words.count("bad") + words.count("good"), words.count("open")
        tally.total = tally.n + tally.unknown
        everyone = all(o.inclusion_probability == "1" for o, _ in fates)
        defined = self.objective.decision.estimand == "defined_measure"
        known = everyone or (defined if graded else source is Source.PROBE)
        tally.population = len(words) if known else None
        tally.census = (known and "not asked" not in words) or (graded and defined)
        unwatched = 1 - tally.coverage if tally.census and not defined else ZERO
        if tally.total:
            tally.best = tally.bad / tally.total * (1 - unwatched)
            tally.worst = (tally.bad + tally.unknown) / tally.total * (1 - unwatched) + unwatched
        if tally.n:
            tally.value = self.shown(tally, records)

    def fate(self, o: Observation, how: Count) -> str:
        """Return what a request is in a rule over single requests."""
        if self.rule.rule == "ratio":
            event = {"failures": how is Count.FAIL, "successes": how is not Count.OK, "refusals": o.outcome is Outcome.REFUSED}
            return "bad" if event[self.rule.of] else "good"
        if how is Count.FAIL:
            return "leaves" if self.rule.failed == "leave_out" else "bad"
        time = milliseconds(o, self.rule.field)
        if time is None:
            return "open"
        limit = self.rule.within.bound if self.rule.rule == "request_attainment" else self.objective.bound
        return "good" if keeps(time, limit) else "bad"

    def grade_fate(self, o: Observation, how: Count) -> str:
        """Return what an answer is in a graded share; a call that brought none leaves it."""
        if how is not Count.OK or o.outcome.value not in {"ok", "refused", "content_filtered"}:
            return "leaves"
        grade = self.grade(o)
        if grade is None:
            return "not asked" if self.rule.grading == "human" else "open"
        return {Count.OK: "good", Count.FAIL: "bad", Count.DROP: "drop", None: "open"}[self.rule.grades.of(grade)]

    def grade(self, o: Observation) -> Grade | None:
        """Return the latest grade by whoever grades: people, the named scorer, or any scorer."""
        kind = Adjudication if self.rule.grading == "human" else Score
        mine: list[Any] = [r for r in self.records if isinstance(r, kind) and r.observation == o.id]
        if kind is Score:
            mine = [r for r in mine if self.objective.scorer in {None, r.scorer}]
        latest: Grade | None = None
        moment = 0
        for r in mine:
            if known_at(r) >= moment:
                latest, moment = r.grade, known_at(r)
        return latest

    def shown(self, tally: Tally, records: list[tuple[Observation, Count]]) -> Fraction | None:
        """Return the figure in the unit of the promise; a percentile among those that never answered has none."""
        if self.rule.rule != "percentile":
            share = tally.bad / tally.n
            return 1 - share if self.objective.bound.word.is_floor else share
        times = [milliseconds(o, self.rule.field) for o, how in records if how is not Count.FAIL]
        measured = sorted(t for t in times if t is not None)
        for time in measured:
            if Fraction(sum(t <= time for t in measured), tally.n) >= self.rule.p:
                return Fraction(time)
        return None


# ── deciding ────────────────────────────────────────────────────────────────────────────────────────────────────────
Decided = tuple[Verdict, Reason, bool]


def allowed(objective: Objective) -> Fraction:
    """Return which share of the events may be bad."""
    rule: Any = objective.indicator
    if rule.rule == "percentile":
        return Fraction(1 - rule.p)
    return 1 - objective.bound.value if objective.bound.word.is_floor else objective.bound.value


def broken(objective: Objective, share: Fraction) -> bool:
    """Tell whether a share of bad events breaks the promise; one at the limit breaks only a strict one."""
    strict = objective.bound.word.value in {"more_than", "less_than"} and objective.indicator.rule != "percentile"
    return share > allowed(objective) or (strict and share == allowed(objective))


def decide(case: Case, t: Tally) -> Decided:
    """Return the verdict: first match wins."""
    lacking = t.coverage < case.objective.min_coverage
    if case.by_interval and t.clockless:
        return Verdict.INSUFFICIENT, Reason.NO_CLOCK, False
    if t.n == 0 and (lacking or t.unknown == 0):
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE if lacking else Reason.NO_TRAFFIC, False
    if t.n == 0:
        return (Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE, False) if case.by_interval else (Verdict.INSUFFICIENT, Reason.UNGRADED, False)
    if t.n < max(case.objective.decision.min_n, getattr(case.rule, "min_requests", 0) if not case.by_interval else 0):
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN, False
    if not t.census:
        return decide_open_sample(case, t, lacking=lacking) if case.open else decide_sample(case, t, lacking=lacking)
    if case.open and case.by_interval and broken(case.objective, t.best * t.total / (t.total + t.still)):
        return Verdict.BREACH, Reason.ERROR_BUDGET_EXHAUSTED, True
    return decide_count(case, t, lacking=lacking)


def decide_count(case: Case, t: Tally, *, lacking: bool) -> Decided:
    """Compare both bounds: only where they agree is there a verdict."""
    if broken(case.objective, t.best):
        if case.open:
            return Verdict.INCONCLUSIVE, Reason.BREACHING_TO_DATE, False
        return Verdict.BREACH, Reason.COUNT_EXCEEDED, True
    if not broken(case.objective, t.worst):
        return Verdict.COMPLIANT, Reason.WITHIN_TO_DATE if case.open else Reason.COUNT_WITHIN, not case.open
    if lacking:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE, False
    if t.unknown and not case.by_interval:
        return Verdict.INSUFFICIENT, Reason.UNGRADED, False
    return Verdict.INCONCLUSIVE, Reason.NOT_OBSERVABLE, False


def decide_sample(case: Case, t: Tally, *, lacking: bool) -> Decided:
    objective, bad, unknown = case.objective, int(t.bad), t.unknown
    seen, alpha = t.n + t.unknown, case.objective.decision.alpha
    if lacking:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE, True
    if objective.decision.rule == "point":
        ends = {broken(objective, Fraction(bad + more, seen)) for more in (0, unknown)}
        if len(ends) == 2:
            return Verdict.INSUFFICIENT, Reason.UNGRADED, True
        return (Verdict.BREACH if ends == {True} else Verdict.COMPLIANT), Reason.POINT_RULE, True
    if fits_kept(objective, bad, seen, t.population) <= alpha:
        return Verdict.BREACH, Reason.CLOSE_TEST, True
    if fits_broken(objective, bad + unknown, seen, t.population) <= alpha:
        return Verdict.COMPLIANT, Reason.CLOSE_TEST_COMPLY, True
    if fits_broken(objective, 0, t.n, t.population) > alpha:
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN, True
    if unknown and min(fits_kept(objective, bad, t.n, None), fits_broken(objective, bad, t.n, None)) <= alpha:
        return Verdict.INSUFFICIENT, Reason.UNGRADED, True
    return Verdict.INCONCLUSIVE, Reason.STRADDLES, True


def decide_open_sample(case: Case, t: Tally, *, lacking: bool) -> Decided:
    """Judge a sample of a period that is not over: never certified, at most at risk."""
    objective = case.objective
    if broken(objective, t.bad / t.n):
        return Verdict.INCONCLUSIVE, Reason.AT_RISK, False
    if lacking:
        return Verdict.INSUFFICIENT, Reason.LOW_COVERAGE, False
    if objective.decision.rule == "lower_bound" and fits_broken(objective, 0, t.n, t.population) > objective.decision.alpha:
        return Verdict.INSUFFICIENT, Reason.N_BELOW_MIN, False
    return Verdict.INCONCLUSIVE, Reason.STRADDLES, False


# ── tails, term by term ─────────────────────────────────────────────────────────────────────────────────────────────
def fits_kept(objective: Objective, bad: int, n: int, population: int | None) -> Fraction:
    """Return the chance of so many bad ones or more while the promise is just kept."""
    if allowed(objective) == 0:
        return ZERO if bad or broken(objective, ZERO) else ONE
    if population is None:
        return sum((binomial(k, n, allowed(objective)) for k in range(bad, n + 1)), ZERO)
    most = most_kept(objective, population)
    return sum((hypergeometric(k, n, most, population) for k in range(bad, n + 1)), ZERO)


def fits_broken(objective: Objective, bad: int, n: int, population: int | None) -> Fraction:
    """Return the chance of so many bad ones or fewer while the promise is just broken."""
    if allowed(objective) == 0:  # only all of them, all good, show that none is bad
        return ZERO if bad == 0 and n == population and not broken(objective, ZERO) else ONE
    if population is None:
        return sum((binomial(k, n, allowed(objective)) for k in range(bad + 1)), ZERO)
    fewest = min(most_kept(objective, population) + 1, population)
    return sum((hypergeometric(k, n, fewest, population) for k in range(bad + 1)), ZERO)


def most_kept(objective: Objective, population: int) -> int:
    """Return the largest number of bad ones that keeps the promise, by trying them all."""
    return max((k for k in range(population + 1) if not broken(objective, Fraction(k, population))), default=0)


def binomial(k: int, n: int, share: Fraction) -> Fraction:
    return comb(n, k) * share**k * (1 - share) ** (n - k)


def hypergeometric(k: int, n: int, bad: int, population: int) -> Fraction:
    return Fraction(comb(bad, k) * comb(population - bad, n - k), comb(population, n))
