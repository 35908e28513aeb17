"""From a Snapshot to families of series: fresh each time, so that what is gone from the Snapshot is gone from the metrics.

Nothing is computed that the evaluation has not decided. What is missing has no series; it is never 0. Figures are exact
fractions until here, where they become floats: the nearest one, and for bounds the nearest one outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Final

from slaguard.evaluation.breach import open_claim
from slaguard.evaluation.result import ObjectiveResult
from slaguard.evaluation.snapshot import Snapshot, Standing, Telemetry, Which
from slaguard.terms import Bound, Reason, Verdict
from slaguard_exporters._series import Family, Gathered, Labels, seconds
from slaguard_exporters._telemetry import calls, process

OVER: Final = frozenset({Reason.BREACHING_TO_DATE, Reason.AT_RISK, Reason.ERROR_BUDGET_EXHAUSTED})
"""Reasons that say of an open period that its figure is over the limit."""


_UNITS: Final = {
    "ratio": ("ratio", Fraction(1)),
    "ms": ("seconds", Fraction(1, 1000)),
    "tok/s": ("tokens_per_second", Fraction(1)),
}
"""The name of a result's unit in metrics, and how much of it one is."""


def families(snapshot: Snapshot) -> tuple[Family, ...]:
    """Return everything there is to expose."""
    gathered = Gathered()
    for standing in snapshot.of(Which.CURRENT, Which.CLOSED):
        for result in standing.evaluation.objectives:
            _objective(gathered, standing, result)
    _credits(gathered, snapshot)
    _deadlines(gathered, snapshot)
    for name in sorted({*snapshot.failures, *(s.agreement.name for s in snapshot.standings)}):
        gathered.put("agreement_failed", (name,), name in snapshot.failures)
    for name, standing in _one_each(snapshot).items():
        _agreement(gathered, name, standing, snapshot)
    calls(gathered, snapshot)
    process(gathered, snapshot.telemetry, failed=False)
    return gathered.families()


def without_results(telemetry: Telemetry) -> tuple[Family, ...]:
    """Return what is exposed while the results cannot be: how slaguard is, and that the export failed."""
    gathered = Gathered()
    process(gathered, telemetry, failed=True)
    return gathered.families()


def _one_each(snapshot: Snapshot) -> dict[str, Standing]:
    """Return one Standing of each Agreement: its current one, where it has one."""
    found = {s.agreement.name: s for s in (*snapshot.of(Which.EARLIER), *snapshot.of(Which.CLOSED))}
    return found | {s.agreement.name: s for s in snapshot.of(Which.CURRENT)}


# ── what was judged ─────────────────────────────────────────────────────────────────────────────────────────────────
def _objective(gathered: Gathered, standing: Standing, result: ObjectiveResult) -> None:
    labels = (*_who(standing, result), standing.which.value)
    for verdict in Verdict:
        gathered.put("objective_verdict", (*labels, verdict.value.lower()), result.verdict is verdict)
    estimate = result.estimate
    gathered.put("objective_provisional", labels, result.provisional)
    gathered.put("objective_to_date_breaching", labels, _breaching(standing, result))
    for name, value in _figures(standing, result):
        gathered.put(f"objective_{name}", labels, value)
    gathered.put("objective_events", labels, estimate.n)
    gathered.put("objective_bad_events", labels, estimate.bad)
    gathered.put("objective_excluded_events", labels, sum(e.n for e in result.excluded if e.state == "accepted"))
    gathered.put("objective_events_needed", labels, result.next.n_needed)
    gathered.put("objective_coverage_ratio", labels, result.coverage)
    gathered.put("objective_coverage_minimum_ratio", labels, result.min_coverage)
    if estimate.n and estimate.allowed > 0:
        gathered.put("objective_error_budget_remaining_ratio", labels, 1 - estimate.bad / estimate.allowed)
    gathered.put("objective_period_start_timestamp_seconds", labels, seconds(standing.period.start))
    gathered.put("objective_period_end_timestamp_seconds", labels, seconds(standing.period.end))


def _who(standing: Standing, result: ObjectiveResult) -> Labels:
    agreement = standing.agreement
    return agreement.name, result.name, result.scope, agreement.vendor, standing.model(result)


def _bound(standing: Standing, result: ObjectiveResult) -> Bound:
    """Return the promise; its limit is in the result's unit."""
    return next(o.bound for o in standing.agreement.objectives if o.name == result.name)


def _breaching(standing: Standing, result: ObjectiveResult) -> bool | None:
    """Tell whether the figure of an open period is over the limit so far; None where there is no figure yet.

    A percentile that no answer reaches is over every limit and has no figure: there the reason tells.
    """
    if standing.evaluation.period.closed:
        return False
    value = result.estimate.value
    if value is None:
        return True if result.reason in OVER else None
    return not _bound(standing, result).holds(value)


def _figures(standing: Standing, result: ObjectiveResult) -> Iterator[tuple[str, float | None]]:
    """Yield the figure, its bounds and its target under the names of its unit."""
    unit, scale = _UNITS[result.unit]
    estimate = result.estimate
    yield f"measurement_{unit}", None if estimate.value is None else float(estimate.value * scale)
    yield f"measurement_low_{unit}", None if estimate.low is None else float_below(estimate.low * scale)
    yield f"measurement_high_{unit}", None if estimate.high is None else float_above(estimate.high * scale)
    yield f"target_{unit}", float(_bound(standing, result).value * scale)


def float_below(value: Fraction) -> float:
    """Return the largest float that is not above a fraction."""
    near = float(value)
    return math.nextafter(near, -math.inf) if Fraction(near) > value else near


def float_above(value: Fraction) -> float:
    """Return the smallest float that is not below a fraction."""
    return -float_below(-value)


# ── what it is worth ────────────────────────────────────────────────────────────────────────────────────────────────
def _credits(gathered: Gathered, snapshot: Snapshot) -> None:
    """Gather what each period is worth; earlier ones of one Agreement are one sum."""
    sums: dict[Labels, Decimal] = {}
    for standing in snapshot.standings:
        owed = standing.evaluation.credits
        if owed is None:
            continue
        for basis, amount in (("claimable", owed.claimable), ("point", owed.point), ("upper", owed.upper)):
            labels: Labels = (standing.agreement.name, standing.agreement.vendor, standing.which.value, basis, owed.currency)
            sums[labels] = sums.get(labels, Decimal(0)) + amount
    for whose, total in sums.items():
        gathered.put("service_credit_amount", whose, total)


def _deadlines(gathered: Gathered, snapshot: Snapshot) -> None:
    """Gather the nearest deadline to come of what can be claimed: where nothing can, there is none."""
    nearest: dict[Labels, int] = {}
    for standing in snapshot.standings:
        claim = standing.agreement.claim
        forfeits = claim is not None and claim.forfeits
        _, due = open_claim(standing.evaluation, snapshot.taken_at, forfeits=forfeits)
        labels: Labels = (standing.agreement.name, standing.agreement.vendor, standing.which.value)
        if due is not None:
            nearest[labels] = min(due, nearest.get(labels, due))
    for whose, first in nearest.items():
        gathered.put("claim_deadline_timestamp_seconds", whose, seconds(first))


def _agreement(gathered: Gathered, name: str, standing: Standing, snapshot: Snapshot) -> None:
    agreement = standing.agreement
    currency = agreement.fee.amount.currency if agreement.fee else ""
    contract, version, window = agreement.contract.id, str(agreement.version), agreement.period.value
    zone = agreement.time_zone
    labels = (name, agreement.vendor, agreement.customer, contract, version, currency, window, zone)
    gathered.put("sla_info", labels, 1)
    results = {(r.name, r.scope): r for r in standing.evaluation.objectives}
    for (sla, objective, scope), (events, bad) in snapshot.telemetry.indicator_events.items():
        if sla == name and (result := results.get((objective, scope))) is not None:
            gathered.put("indicator_events_total", _who(standing, result), events)
            gathered.put("indicator_bad_events_total", _who(standing, result), bad)
