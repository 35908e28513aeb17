"""The evaluation once more, written from the contracts page alone: slow, plain, and sharing nothing with the product.

Lists of records, loops, and fractions. Where it and `slaguard.evaluation` disagree, one has misread the contract.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from slaguard.records import Adjudication, Coverage, Fact, Incident, Observation, Record, Score
from slaguard.spec.model import Agreement, Exclusion, Objective
from slaguard.spec.period import ResolvedPeriod
from slaguard.terms import Count, Grade, Outcome, Reason, Source, Verdict
from tests.evaluation import naive_outages, naive_speed
from tests.evaluation.naive_filters import Counted, past_entitlement, repeated, too_early
from tests.evaluation.naive_intervals import MINUTE, POOL, Bins, Interval, Key, is_slow, resource
from tests.evaluation.naive_parts import (
    MS,
    Span,
    inside,
    keeps,
    known_at,
    length_within,
    meets,
    milliseconds,
    percentile,
    placed,
    touches,
    union,
)
from tests.evaluation.naive_verdict import ONE, ZERO, Tally, decide

DAY = 86_400_000 * MS
ANSWERED = {"ok", "refused", "content_filtered"}


# ── what is compared ────────────────────────────────────────────────────────────────────────────────────────────────
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
    agreement: Agreement, period: ResolvedPeriod, records: Sequence[Record], facts: Sequence[Fact], as_of: int
) -> list[Finding]:
    """Judge every promise in every scope."""
    services: dict[str, Any] = {s.id: s for s in agreement.services}
    return [
        Case(agreement, objective, services.get(scope), period, records, facts, as_of).judge(scope)
        for objective in agreement.objectives
        for scope in (objective.service or ("all",))
    ]


# ── one promise in one scope ────────────────────────────────────────────────────────────────────────────────────────
BY_INTERVAL = {"mean_of_intervals", "error_rate_runs", "dual_threshold"}


def takes(e: Exclusion, state: str, applied: set[str]) -> bool:
    """Tell whether an exclusion in a state is applied: all in that state, or this one alone."""
    return state in applied or f"{state} {e.id}" in applied


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
        self.by_interval = self.rule.rule in BY_INTERVAL
        self.records = [r for r in self.records if known_at(r) <= self.as_of]
        self.facts = [f for f in self.facts if (f.when if f.recorded_at is None else f.recorded_at) <= self.as_of]
        self.open = self.as_of < self.period.end
        calls = [r for r in self.records if isinstance(r, Observation)]
        stated = [r for r in self.records if isinstance(r, Coverage)]
        self.incidents = [r for r in self.records if isinstance(r, Incident)]
        self.served = {s: [o for o in calls if self.in_scope(o, s)] for s in Source}
        self.scoped: dict[Source, list[Observation]] = {}
        self.past: dict[Source, list[Observation]] = {}
        for source in Source:
            self.entitled(source)
        self.seen = {s: union((c.start, c.end) for c in stated if c.source is s) for s in Source}
        self.states = {e.id: self.states_of(e) for e in self.objective.exclusions}

    def judge(self, scope: str) -> Finding:
        source = self.choose()
        accepted, bare = self.rule_on(source, {"accepted"}), self.rule_on(source, set())
        both = self.rule_on(source, {"accepted", "contested"})
        disputed = {e for e, pairs in self.states.items() if any(state == "contested" for _, state in pairs)}
        verdict, reason, final = accepted.verdict, accepted.reason, accepted.final
        alone = [self.rule_on(source, {"accepted", f"contested {e}"}) for e in disputed]
        if any(other.verdict is not accepted.verdict for other in (both, *alone)):
            verdict, reason, final = Verdict.INCONCLUSIVE, Reason.CONTESTED_EXCLUSION, accepted.final and both.final
        provisional = self.open and not final
        return Finding(
            name=self.objective.name,
            scope=scope,
            source=source,
            verdict=verdict,
            reason=reason,
            provisional=provisional,
            accepted=accepted,
            contested=both if disputed else None,
            bare=bare,
            disputed=disputed,
        )

    def rule_on(self, source: Source, applied: set[str]) -> Ruling:
        tally = self.measure(source, applied)
        verdict, reason, final = decide(self.objective, tally, is_open=self.open)
        return Ruling(tally, verdict, reason, final)

    def choose(self) -> Source:
        """Return the first source whose coverage reaches the minimum; where none does, the best covered."""
        shares = [(self.measure(s, {"accepted"}).coverage, s) for s in self.objective.source]
        enough = [s for share, s in shares if share >= self.objective.min_coverage]
        return enough[0] if enough else max(shares, key=lambda pair: pair[0])[1]

    # ── which records ───────────────────────────────────────────────────────────────────────────────────────────────
    def in_scope(self, o: Observation, source: Source) -> bool:
        """Tell whether a record is of the promise's vendor and service."""
        if o.source is not source or o.vendor != self.agreement.vendor:
            return False
        if self.service is None:
            return True
        models, regions = self.service.models, self.service.regions
        named = (models is None or o.model_requested in models) and (regions is None or o.region in regions)
        return named and meets(o, self.service.where)

    def counts_as(self, o: Observation) -> Count | None:
        """Return how a record counts: bad, good, leaves; None where nothing was measured."""
        if self.too_late(o):
            return self.objective.outcomes.timeout
        if o.outcome in {Outcome.OK, Outcome.UNMEASURED}:
            return Count.OK if o.outcome is Outcome.OK else None
        mapped: Count = getattr(self.objective.outcomes, o.outcome.value)
        return (self.objective.outcomes.codes or {}).get(o.error_code or "", mapped)

    def too_late(self, o: Observation) -> bool:
        """Tell whether an answer took so long that it counts as timed out."""
        after, took = self.objective.outcomes.timeout_after, milliseconds(o, "total_time")
        return o.outcome.value in ANSWERED and after is not None and took is not None and took > after

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
            return takes(e, self.states[e.id][0][1], applied) and meets(o, e.selector)
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
        spans = union(w for w, state in self.states[e.id] if takes(e, state, applied))
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
        tally = Tally(by_interval=self.by_interval or self.rule.rule in {"interval_p50", "outages_min_length", "report_clock"})
        if source is Source.INCIDENT:
            self.outages(tally, applied)
            return tally
        records: Counted = list(self.filtered(source, applied, tally))
        if self.by_interval:
            bins = Bins(self.rule, self.line(source, applied, records, tally))
            measure = {"mean_of_intervals": bins.mean, "error_rate_runs": bins.runs, "dual_threshold": bins.dual}
            measure[self.rule.rule](tally)
        elif self.rule.rule == "interval_p50":
            self.medians(tally, source, self.line(source, applied, records, tally))
        else:
            own = [(o, how) for o, how in records if placed(o, self.period.span)]
            (self.means if self.rule.rule == "mean_of_minutes" else self.share)(tally, source, own)
        return tally

    def filtered(self, source: Source, applied: set[str], tally: Tally) -> Counted:
        """Return the valid records that the filters leave: after the entitlement back-off, then repeats."""
        slow = getattr(self.rule, "slow", None)
        records = list(self.counted(source, applied, tally))
        if slow is not None and slow.counts == "as_failed":
            records = [(o, Count.FAIL if is_slow(o, slow) else how) for o, how in records]
        if self.objective.entitlement is not None:
            tally.filtered["entitlement"] = sum(placed(o, self.period.span) for o in self.past[source])
        for name, taken_by in (("backoff", too_early), ("repeats", repeated)):
            term = getattr(self.rule, name, None)
            if term is None:
                continue
            out = taken_by(records, term)
            tally.filtered[name] = sum(o.id in out and placed(o, self.period.span) for o, _ in records)
            records = [(o, how) for o, how in records if o.id not in out]
        return records

    def entitled(self, source: Source) -> None:
        """Part the eligible calls: those within the entitlement, and those past it."""
        term = self.objective.entitlement
        mine = [o for o in self.served[source] if self.is_eligible(o)]
        out = past_entitlement(self.served[source] if term and term.of == "service" else mine, term) if term else set()
        self.scoped[source] = [o for o in mine if o.id not in out]
        self.past[source] = [o for o in mine if o.id in out]

    def is_eligible(self, o: Observation) -> bool:
        return meets(o, {k: v for k, v in (self.objective.eligible or {}).items() if k != "entitlement"})

    def line(self, source: Source, applied: set[str], records: Counted, tally: Tally) -> list[Interval]:
        """Return the intervals of the period, and those around it that the rule looks at."""
        width = int(self.rule.bin) * MS
        start, end = self.period.span
        around = self.around(width) * width
        marks = [(e, self.windows(e, applied)) for e in self.objective.exclusions if e.selector is None]
        marks = [(e, w) for e, w in marks if e.effect.value != "drop_records" and self.by_interval]
        keys = {resource(o, self.rule) for o, _ in records if placed(o, self.period.span)} | {POOL}
        out = []
        for a in range(start - around, end + around, width):
            span = (a, min(a + width, end) if a < end else a + width)
            own, over = start <= a < end, span[1] <= self.as_of
            touched = [e for e, w in marks if (own or self.before_runs()) and touches(span, w)]
            for e in touched if over and own else []:
                tally.take(e.id)
            calls: dict[Key, Counted] = {}
            for o, how in records:
                if self.lies(o, span):
                    calls.setdefault(resource(o, self.rule), []).append((o, how))
            removed = any(e.effect.value == "remove_minutes" for e in touched)
            seen = {key: over and self.watched(source, span, key, len(calls.get(key, []))) for key in keys}
            up = bool(touched) and not removed
            out.append(Interval(span, own, over, up, removed, seen, calls))
        return out

    def before_runs(self) -> bool:
        return getattr(self.rule, "run_over", None) == "counted_minutes"

    def lies(self, o: Observation, span: Span) -> bool:
        return o.sent_at is not None and span[0] <= o.sent_at < span[1]

    def watched(self, source: Source, span: Span, key: Key, n: int) -> bool:
        """Tell whether an interval was watched: wholly covered, or a probe answered; our own failures alone are no watching."""
        own = [o for o in self.scoped[source] if self.lies(o, span) and resource(o, self.rule) == key]
        if n == 0 and any(o.outcome is Outcome.UNMEASURED for o in own):
            return False
        return n > 0 if source is Source.PROBE else any(a <= span[0] and span[1] <= b for a, b in self.seen[source])

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

    def share(self, tally: Tally, source: Source, records: Counted) -> None:
        """Measure a share of single requests or answers."""
        tally.coverage = self.coverage(source)
        graded, defined = self.rule.rule == "sample_proportion", self.objective.decision.estimand == "defined_measure"
        fates = [(o, self.grade_fate(o, how) if graded else self.fate(o, how)) for o, how in records]
        counted = [(o, fate) for o, fate in fates if fate != "leaves"]
        words = [fate for _, fate in counted if fate != "drop"]
        tally.bad, tally.unknown = Fraction(words.count("bad")), words.count("open")
        tally.n = words.count("bad") + words.count("good")
        tally.total = tally.n + tally.unknown
        known = all(o.inclusion_probability == "1" for o, _ in counted) or (defined if graded else source is Source.PROBE)
        tally.population = len(words) if known else None
        tally.census = (known and "not asked" not in words) or (graded and defined)
        unwatched = ZERO if defined else 1 - tally.coverage
        if tally.total:
            tally.best = tally.bad / tally.total * (1 - unwatched)
            tally.worst = (tally.bad + tally.unknown) / tally.total * (1 - unwatched) + unwatched
        if tally.n:
            tally.value = self.shown(tally, records)

    def coverage(self, source: Source) -> Fraction:
        """Return the share watched: of the time so far, or of the probes those that measured something."""
        if source is Source.PROBE:
            slots = [o.outcome is not Outcome.UNMEASURED for o in self.scoped[source] if placed(o, self.period.span)]
            return Fraction(sum(slots), len(slots)) if slots else ZERO
        start, end = self.period.start, min(self.period.end, self.as_of)
        return Fraction(length_within(self.seen[source], (start, end)), end - start) if end > start else ZERO

    def fate(self, o: Observation, how: Count) -> str:
        """Return what a request is in a rule over single requests."""
        if self.rule.rule == "ratio":
            event = {"failures": how is Count.FAIL, "successes": how is not Count.OK, "refusals": o.outcome is Outcome.REFUSED}
            return "bad" if event[self.rule.of] else "good"
        if how is Count.FAIL:
            return "leaves" if self.rule.failed == "leave_out" else "bad"
        if getattr(self.rule, "speed", None) is not None:
            fast = naive_speed.speed(o, self.rule.speed)
            return fast if isinstance(fast, str) else "good" if keeps(fast, self.rule.speed.bound) else "bad"
        time = milliseconds(o, self.rule.field)
        if time is None:
            return "open"
        limit = self.rule.within.bound if self.rule.rule == "request_attainment" else self.objective.bound
        return "good" if keeps(time, limit) else "bad"

    def grade_fate(self, o: Observation, how: Count) -> str:
        """Return what an answer is in a graded share; a call that brought none leaves it."""
        if how is not Count.OK or o.outcome.value not in ANSWERED:
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

    def shown(self, tally: Tally, records: Counted) -> Fraction | None:
        """Return the figure in the unit of the promise; a percentile among those that never answered has none."""
        if self.rule.rule != "percentile":
            share = tally.bad / tally.n
            return 1 - share if self.objective.bound.word.is_floor else share
        times = [t for o, how in records if how is not Count.FAIL and (t := milliseconds(o, self.rule.field)) is not None]
        defined = self.objective.decision.estimand == "defined_measure"
        if tally.coverage == 0 and not defined:  # nothing of the period was seen: all of it at once, or never
            tally.times = (ZERO, None)
            return percentile(times, self.rule.p, Fraction(tally.n))
        unseen = ZERO if defined else tally.total * (1 / tally.coverage - 1)
        whole = tally.total + unseen
        best = percentile(times, self.rule.p, whole, at_once=tally.unknown + unseen)
        tally.times = (best, percentile(times, self.rule.p, whole))
        return percentile(times, self.rule.p, Fraction(tally.n))

    # ── speed by intervals ──────────────────────────────────────────────────────────────────────────────────────────
    def medians(self, tally: Tally, source: Source, line: list[Interval]) -> None:
        """Measure the share of intervals whose median speed keeps the limit."""
        own = [i for i in line if i.own]
        over = [i for i in own if i.over]
        good = bad = 0
        for i in over:
            found = naive_speed.answered(i.calls.get(POOL, []), self.rule)
            values = [value for _, value in found if not isinstance(value, str)]
            tally.requests += len(found)
            unknown = not i.seen[POOL] or len(values) < len(found)
            word = "open" if unknown else naive_speed.interval(values, self.rule)
            good, bad, tally.unknown = good + (word == "good"), bad + (word == "bad"), tally.unknown + (word == "open")
        tally.n, tally.bad = good + bad, Fraction(bad)
        tally.total = tally.n + tally.unknown
        tally.mass, tally.still = Fraction(tally.total), Fraction(len(own) - len(over))
        tally.coverage = self.coverage(source)
        if tally.n:
            tally.value = 1 - tally.bad / tally.n
        if tally.total:
            tally.best, tally.worst = Fraction(bad, tally.total), Fraction(bad + tally.unknown, tally.total)

    def means(self, tally: Tally, source: Source, records: Counted) -> None:
        """Measure the mean of the intervals' means."""
        tally.coverage = self.coverage(source)
        found = naive_speed.answered(records, self.rule.of)
        values = [(o, value) for o, value in found if not isinstance(value, str)]
        tally.n, tally.unknown = len(values), len(found) - len(values)
        tally.total = len(found)
        width = int(self.rule.bin) * MS
        bins: dict[int, list[tuple[Observation, Fraction]]] = {}
        for o, value in values:
            bins.setdefault((o.sent_at or 0) // width, []).append((o, value))
        weighted = [
            (naive_speed.weight([o for o, _ in own], self.rule.weights), sum((v for _, v in own), ZERO) / len(own))
            for own in bins.values()
        ]
        whole = sum((w for w, _ in weighted), ZERO)
        if whole:
            tally.value = sum((w * mean for w, mean in weighted), ZERO) / whole
            tally.mean = (tally.value, tally.value)

    # ── stated outages ──────────────────────────────────────────────────────────────────────────────────────────────
    def outages(self, tally: Tally, applied: set[str]) -> None:
        """Measure the time that stated outages take of the period."""
        scope = None if self.service is None else self.service.id
        seen = naive_outages.complete(self.facts, self.rule, scope)
        mine = naive_outages.chosen(self.incidents, self.rule, self.agreement.vendor, scope)
        down = naive_outages.downtime(mine, self.facts, self.rule, self.as_of, seen)
        past = (self.period.start, max(self.period.start, min(self.period.end, self.as_of)))
        windows = {e.id: (e, self.windows(e, applied)) for e in self.objective.exclusions}
        for name, (_, spans) in windows.items():
            for a, b in down:
                if touches((max(a, past[0]), min(b, past[1])), spans) and touches((a, b), [past]):
                    tally.take(name)
        gone = union(w for e, spans in windows.values() if e.effect.value == "remove_minutes" for w in spans)
        aside = union(w for _, spans in windows.values() for w in spans)
        whole = past[1] - past[0] - length_within(gone, past)
        unseen = past[1] - past[0] - length_within([*seen, *down, *aside], past)
        lost = min(naive_outages.within(down, past, aside, self.rule.outage_rounding), whole - unseen)
        tally.n, tally.population = (whole - unseen) // MINUTE, whole // MINUTE
        tally.total, tally.unknown = tally.population, tally.population - tally.n
        tally.bad, tally.requests = Fraction(lost, MINUTE), 1
        tally.coverage = Fraction(whole - unseen, whole) if whole else Fraction(past[1] > past[0])
        tally.mass, tally.still = Fraction(whole, MINUTE), Fraction(self.period.end - past[1], MINUTE)
        if whole > unseen:
            tally.value = 1 - Fraction(lost, whole - unseen)
        if whole:
            tally.best, tally.worst = Fraction(lost, whole), min(Fraction(lost + unseen, whole), ONE)
