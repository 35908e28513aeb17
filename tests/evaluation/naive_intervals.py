"""The rules over intervals by hand: means, runs and two tests, for one pool of requests or for several resources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from slaguard.records import Observation
from slaguard.terms import Count
from tests.evaluation.naive_filters import Counted, key_of
from tests.evaluation.naive_parts import MS, Span, keeps, milliseconds
from tests.evaluation.naive_verdict import ONE, ZERO, Tally

Key = tuple[str | None, ...]
MINUTE = 60_000 * MS
POOL: Key = ()


@dataclass
class Interval:
    """One interval: its valid requests by resource, what was watched of them, whether it is over, which windows touch it."""

    span: Span
    own: bool
    over: bool
    up: bool
    removed: bool
    seen: dict[Key, bool]
    calls: dict[Key, Counted] = field(default_factory=dict)

    def n(self, key: Key) -> int:
        return len(self.calls.get(key, []))

    @property
    def requests(self) -> int:
        return sum(map(len, self.calls.values()))


def resource(o: Observation, rule: Any) -> Key:
    named = getattr(rule, "resources", None)
    return POOL if named is None else key_of(o, named.by)


def is_slow(o: Observation, slow: Any) -> bool:
    took = milliseconds(o, slow.field)
    return took is not None and keeps(took, slow.bound)


def resources(line: list[Interval]) -> list[Key]:
    """Return the resources that had a counted request in the period."""
    return list({key: None for i in line if i.own for key in i.calls}) or [POOL]


@dataclass
class Bins:
    """A rule over a line of intervals."""

    rule: Any
    line: list[Interval]

    def __post_init__(self) -> None:
        self.keys = resources(self.line)
        self.there = {key: self.stays(key) for key in self.keys}

    def stays(self, key: Key) -> list[bool]:
        """Return in which intervals a resource was there."""
        used = [index for index, i in enumerate(self.line) if i.own and i.n(key)]
        presence = self.rule.presence
        begins, ends = presence is not None and presence.begins, presence is not None and presence.ends
        first = min(used, default=len(self.line)) if begins else 0
        last = max(used, default=-1) if ends else len(self.line)
        # Beyond the period's edges one of several resources is there where it has a request of its own: the page is silent.
        return [first <= index <= last if i.own else key == POOL or i.n(key) > 0 for index, i in enumerate(self.line)]

    # ── one resource in one interval ────────────────────────────────────────────────────────────────────────────────
    def failed(self, i: Interval, key: Key) -> int:
        return sum(how is Count.FAIL for _, how in i.calls.get(key, []))

    def shares(self, i: Interval, key: Key) -> list[Fraction]:
        """Return the shares that are held to an error rate: of failed requests, and where it stands alone of slow ones."""
        calls, slow = i.calls[key], self.rule.slow
        out = [Fraction(self.failed(i, key), len(calls))]
        if slow is not None and slow.counts == "on_its_own":
            out.append(Fraction(sum(is_slow(o, slow) for o, _ in calls), len(calls)))
        return out

    def small(self, i: Interval, key: Key) -> bool:
        return 0 < i.n(key) < int(self.rule.min_requests or 0)

    def aside(self, i: Interval, key: Key) -> bool:
        """Tell whether a watched resource stands aside: it has too few requests, or none, where the clause leaves it out."""
        if not i.seen[key]:
            return False
        empty = i.n(key) == 0 and self.rule.empty_bin == "leave_out"
        return empty or (self.small(i, key) and self.rule.below_minimum == "leave_out")

    # ── all resources together ──────────────────────────────────────────────────────────────────────────────────────
    def leaves(self, index: int, keys: Iterable[Key]) -> bool:
        """Tell whether an interval leaves the figure: nobody is there, or all that are stand aside."""
        i = self.line[index]
        here = [key for key in keys if self.there[key][index]]
        return not here or (not i.up and all(self.aside(i, key) for key in here))

    def together(self, words: list[str]) -> str:
        """Return what resources are together; `bad` for all of them, or for any."""
        every = getattr(self.rule, "resources", None) is None or self.rule.resources.down_when == "all"
        for word in ("good", "pass") if every else ("bad", "good"):
            if word in words:
                return word
        return "bad" if every else "pass"

    # ── means ───────────────────────────────────────────────────────────────────────────────────────────────────────
    def mean(self, tally: Tally) -> None:
        """Measure each resource's own mean, and the mean of those."""
        each = []
        for key in self.keys:
            own = Tally()
            lost = [self.loses(i, key) for i in self.line]
            worst = [b if i.seen[key] or i.up else ONE for i, b in zip(self.line, lost, strict=True)]
            self.settle(own, [key], lost, worst)
            each.append(own)
        tally.copy(each[0])
        if len(each) > 1:
            counts = [own for own in each if own.total]
            tally.n = tally.total = tally.population = sum(self.in_any(k) for k in range(len(self.line)))
            values = [own.value for own in each if own.value is not None]
            tally.value = sum(values, ZERO) / len(values) if values else None
            tally.best, tally.worst = (
                sum((getattr(o, end) for o in counts), ZERO) / len(counts) if counts else ZERO for end in ("best", "worst")
            )
            tally.bad = (1 - tally.value) * tally.n if tally.value is not None else ZERO
        tally.requests = sum(i.requests for i in self.line if i.own and i.over)

    def in_any(self, index: int) -> bool:
        """Tell whether an interval counts for any resource."""
        i = self.line[index]
        return i.own and i.over and not i.removed and any(not self.leaves(index, [key]) for key in self.keys)

    def loses(self, i: Interval, key: Key) -> Fraction:
        nothing = i.up or not i.seen[key] or not i.n(key) or self.small(i, key)
        return ZERO if nothing else Fraction(self.failed(i, key), i.n(key))

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def runs(self, tally: Tally) -> None:
        low, high = (self.lost(self.down(unseen_is_bad=bad)) for bad in (False, True))
        self.settle(tally, self.keys, low, high)

    def word(self, index: int, key: Key, *, unseen_is_bad: bool) -> str:
        """Return what one interval is for one resource: bad, good, or passed over."""
        i = self.line[index]
        if not i.seen[key]:
            return "bad" if unseen_is_bad and (i.over or not i.own) else "good"
        if i.n(key) == 0:
            return {"breaks_run": "good", "continues_run": "pass", "bad": "bad"}[self.rule.empty_bin]
        if self.small(i, key):
            return "good"
        return "bad" if any(keeps(share, self.rule.error_rate.bound) for share in self.shares(i, key)) else "good"

    def down(self, *, unseen_is_bad: bool) -> list[list[int]]:
        """Return the runs of enough bad intervals."""
        out: list[list[int]] = []
        current: list[int] = []
        for index, i in enumerate(self.line):
            word = self.joined(index, unseen_is_bad=unseen_is_bad)
            if self.rule.run_over == "counted_minutes" and (i.up or i.removed):
                word = "pass" if i.removed else "good"
            if word == "bad":
                current = [*current, index]
            elif word == "good":
                out, current = [*out, current], []
        return [run for run in [*out, current] if len(run) >= self.rule.run]

    def joined(self, index: int, *, unseen_is_bad: bool) -> str:
        i = self.line[index]
        here = [key for key in self.keys if self.there[key][index] and not self.aside(i, key)]
        if i.own and not any(self.there[key][index] for key in self.keys):
            return "good"  # a run does not go on over time that is none of the resource's: the page is silent
        if not here:
            return "pass" if self.rule.empty_bin == "continues_run" else "good"
        return self.together([self.word(index, key, unseen_is_bad=unseen_is_bad) for key in here])

    def lost(self, runs: list[list[int]]) -> list[Fraction]:
        """Return how much of each interval is lost; what rounding adds to a run, or takes from it, at its first interval."""
        out = [ZERO] * len(self.line)
        width = int(self.rule.bin) * MS
        for run in runs:
            mine = [k for k in run if self.counts(k) and not self.line[k].up]
            for k in mine:
                out[k] = Fraction(self.length(k), width)
            whole = Fraction(sum(map(self.length, mine)), MINUTE)
            rounded = {"up": Fraction(-(-whole // 1)), "down": Fraction(whole // 1), None: whole}[self.rule.outage_rounding]
            if mine:
                out[mine[0]] += (rounded - whole) * MINUTE / width
        return out

    def counts(self, index: int) -> bool:
        i = self.line[index]
        return i.own and i.over and not i.removed and not self.leaves(index, self.keys)

    def length(self, index: int) -> int:
        a, b = self.line[index].span
        return b - a

    # ── two tests ───────────────────────────────────────────────────────────────────────────────────────────────────
    def dual(self, tally: Tally) -> None:
        """Measure both shares; the one with the smaller margin stands for both."""
        for test in self.rule.tests:
            own = Tally()
            low, high = ([self.misses(k, test, unseen_is_bad=bad) for k in range(len(self.line))] for bad in (False, True))
            self.settle(own, self.keys, low, high)
            own.limit = test.share.bound
            tally.tests.append(own)
        chosen = min(tally.tests, key=lambda t: ZERO if t.value is None else t.value - t.limit.value)
        tally.copy(chosen)
        if chosen.value is not None:
            tally.value = chosen.value - chosen.limit.value

    def misses(self, index: int, test: Any, *, unseen_is_bad: bool) -> Fraction:
        i = self.line[index]
        here = [key for key in self.keys if self.there[key][index] and not self.aside(i, key)]
        words = [self.kept(i, key, test, unseen_is_bad=unseen_is_bad) for key in here]
        return ONE if words and not i.up and self.together(words) == "bad" else ZERO

    def kept(self, i: Interval, key: Key, test: Any, *, unseen_is_bad: bool) -> str:
        if not i.seen[key]:
            return "bad" if unseen_is_bad and i.over else "good"
        if i.n(key) == 0 or self.small(i, key):
            return "good"
        return "good" if all(keeps(share, test.error_rate.bound) for share in self.shares(i, key)) else "bad"

    # ── the figure ──────────────────────────────────────────────────────────────────────────────────────────────────
    def settle(self, tally: Tally, keys: list[Key], low: list[Fraction], high: list[Fraction]) -> None:
        """Add up the period's intervals: the figure over what was seen, and both bounds."""
        own = [k for k, i in enumerate(self.line) if i.own and not i.removed]
        over = [k for k in own if self.line[k].over]
        part = [k for k in over if not self.leaves(k, keys)]
        known = [k for k in part if self.line[k].up or all(self.line[k].seen[key] for key in keys)]
        tally.n, tally.unknown = len(known), len(part) - len(known)
        tally.total = tally.population = len(part)
        mass, whole = self.mass(known), self.mass(part)
        tally.bad = min(sum((low[k] for k in known), ZERO), mass)
        tally.still, tally.mass = self.mass(k for k in own if not self.line[k].over), whole
        tally.requests = sum(i.requests for i in self.line if i.own and i.over)
        all_removed = not over and any(i.over and i.own for i in self.line)
        tally.coverage = Fraction(len(over) - tally.unknown, len(over)) if over else Fraction(all_removed)
        if known:
            tally.value = 1 - tally.bad / mass
        if part:
            tally.best, tally.worst = (min(sum((lost[k] for k in part), ZERO) / whole, ONE) for lost in (low, high))

    def mass(self, indices: Iterable[int]) -> Fraction:
        """Return how many intervals these weigh: as downtime one that the period cuts weighs by its length."""
        width = int(self.rule.bin) * MS
        by_time = self.rule.rule == "error_rate_runs"
        return sum((Fraction(self.length(k), width) if by_time else ONE for k in indices), ZERO)
