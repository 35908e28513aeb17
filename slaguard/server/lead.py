"""The four figures at the head of the page: what is broken, what it is worth, by when, and whether we were watching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slaguard.evaluation.result import ObjectiveResult
from slaguard.evaluation.snapshot import Snapshot, Standing, Which
from slaguard.reports.moments import Calendar
from slaguard.reports.words import clean, counted, money, percent, title
from slaguard.server.condition import is_blank
from slaguard.server.rows import OPEN_QUESTIONS
from slaguard.server.worth import Sums, at_stake, claimable, deadline_of
from slaguard.terms import Verdict


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the four: a label, the figure (of money, one a currency), and what stands below it."""

    label: str
    figures: tuple[str, ...]
    below: tuple[str, ...]
    bad: bool = False


def lead(snapshot: Snapshot, now: int) -> tuple[Figure, ...]:
    """Return the four figures."""
    return _broken(snapshot), _money(snapshot, now), _deadline(snapshot, now), _watched(snapshot)


def period_word(standing: Standing) -> str:
    """Return a period's name: ``October 2026``."""
    period = standing.evaluation.period
    return Calendar.of(period.time_zone).period(period.label, period.start, period.end)


def common_period(standings: Sequence[Standing]) -> str:
    """Return the name that all these periods have; empty where they differ, or there is none."""
    names = {period_word(standing) for standing in standings}
    return names.pop() if len(names) == 1 else ""


# ── broken promises ─────────────────────────────────────────────────────────────────────────────────────────────────
def _results(standings: Sequence[Standing]) -> list[ObjectiveResult]:
    return [result for standing in standings for result in standing.evaluation.objectives]


def _broken(snapshot: Snapshot) -> Figure:
    everything = _results(snapshot.standings)
    broken = sum(result.verdict is Verdict.BREACH for result in everything)
    if not everything:
        return Figure("broken promises", ("–",), ("nothing has been judged yet",))
    if not broken:
        undecided = sum(result.verdict in OPEN_QUESTIONS for result in everything)
        left = f"No promise is shown to be broken; {undecided:,} of {len(everything):,} are not decided"
        return Figure("broken promises", ("0",), (left if undecided else "No promise is broken",))
    closed, current = snapshot.of(Which.CLOSED, Which.EARLIER), snapshot.of(Which.CURRENT)
    below = [_of(standings, word) for standings, word in ((closed, "in closed periods"), (current, "so far"))]
    return Figure("broken promises", (f"{broken:,}",), tuple(line for line in below if line), bad=True)


def _of(standings: Sequence[Standing], word: str) -> str:
    results = _results(standings)
    if not results:
        return ""
    broken = sum(result.verdict is Verdict.BREACH for result in results)
    name = common_period(standings)
    where = word if not name else f"in {name}{' so far' if word == 'so far' else ''}"
    return f"{broken:,} of {len(results):,} {where}"


# ── money and dates ─────────────────────────────────────────────────────────────────────────────────────────────────
def _money(snapshot: Snapshot, now: int) -> Figure:
    sums, stake = claimable(snapshot.standings, now), at_stake(snapshot.standings)
    below = f"up to {_listed(stake)} at stake in open periods" if stake else "nothing at stake in open periods"
    return Figure("claimable now", tuple(money(a, c) for c, a in sums.items()) or ("nothing",), (below,))


def _listed(sums: Sums) -> str:
    return " and ".join(money(amount, currency) for currency, amount in sums.items())


def _deadline(snapshot: Snapshot, now: int) -> Figure:
    found = [(standing, due) for standing in snapshot.of(Which.CLOSED, Which.EARLIER) if (due := deadline_of(standing, now))]
    coming = [(s, d) for s, d in found if d.due is not None and d.due > now]
    if coming:
        standing, due = min(coming, key=lambda pair: pair[1].due or 0)
        days = due.days or 0
        figure = "today" if days <= 0 else counted(days, "day")
        return Figure("next deadline", (figure,), (f"{_vendor(standing)}, {due.day}",), bad=days < 7)
    unknown = [(s, d) for s, d in found if d.due is None]
    if unknown:
        standing, due = unknown[0]
        return Figure("next deadline", ("not known yet",), (f"{_vendor(standing)}: {due.reason}",))
    if found:
        standing, due = max(found, key=lambda pair: pair[1].due or 0)
        return Figure("next deadline", ("passed",), (f"{_vendor(standing)}, {due.day}",), bad=True)
    return Figure("next deadline", ("none",), ("nothing has to be claimed",))


def _vendor(standing: Standing) -> str:
    return clean(standing.evaluation.agreement.vendor, 80)


# ── what we watched ─────────────────────────────────────────────────────────────────────────────────────────────────
def _watched(snapshot: Snapshot) -> Figure:
    current = tuple(s for s in snapshot.of(Which.CURRENT) if not is_blank(s, snapshot))
    standings = current or snapshot.of(Which.CLOSED)
    seen = [(result.coverage, standing, result) for standing in standings for result in standing.evaluation.objectives]
    below = []
    if seen:
        coverage, standing, result = min(seen, key=lambda one: one[0])
        scope = "" if result.scope == "all" else f" ({clean(result.scope, 80)})"
        if any(other[0] != coverage for other in seen):
            below.append(f"least for {_vendor(standing)}, {title(result.name).lower()}{scope}")
        else:
            below.append("of the time so far" if standing.which is Which.CURRENT else "of the period")
        bad = coverage < result.min_coverage
    else:
        coverage, bad = None, False
    below += _not_asked(snapshot)
    return Figure("we watched", (percent(coverage) if coverage is not None else "–",), tuple(below), bad=bad)


def _not_asked(snapshot: Snapshot) -> list[str]:
    probes = snapshot.telemetry.probes
    if not probes:
        return ["no probe runs here"]
    lost = sum(sum(probe.lost.values()) for probe in probes)
    shed: dict[str, int] = {}
    for probe in probes:
        for reason, n in probe.shed.items():
            shed[reason] = shed.get(reason, 0) + n
    budget = shed.pop("budget", 0)
    others = sum(shed.values())
    more = f", {others:,} for other reasons" if others else ""
    return [f"{counted(lost, 'probe')} lost, {budget:,} skipped for budget{more}"]
