"""What a Snapshot becomes: the figures of the Evaluation, nothing computed anew, nothing where nothing is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.result import ObjectiveResult
from slaguard.evaluation.snapshot import Snapshot, Standing, Telemetry, Which
from slaguard.records import Fact
from slaguard.terms import Outcome, Source, Verdict
from slaguard_exporters._catalogue import BY_NAME
from slaguard_exporters._families import families, float_above, float_below
from slaguard_exporters._series import ExportError
from tests.evaluation.world import (
    DAY,
    MAINTENANCE,
    MEAN,
    MINUTE,
    START,
    agreement,
    judge,
    minute,
    objective,
    period,
    watched,
)
from tests.exporters.snapshots import (
    NOW,
    OCTOBER,
    PROBE,
    TELEMETRY,
    acme,
    latencies,
    snapshot,
    standing,
    standings,
    traffic,
)

Read = Callable[..., Any]
UNITS = {"ms": ("seconds", 1000), "ratio": ("ratio", 1), "tok/s": ("tokens_per_second", 1)}
"""Of a result's unit: the last words of a metric's name, and how many of it make one."""


def reading(shown: Snapshot) -> Read:
    """Return a look-up: name without prefix and some labels → the one value they name, None for no series."""
    found = {f.metric.name: f for f in families(shown)}

    def read(name: str, **labels: str) -> Any:
        family = found.get(f"slaguard_{name}")
        rows = {} if family is None else family.rows
        names = BY_NAME[f"slaguard_{name}"].labels
        values = [v for key, v in rows.items() if labels.items() <= dict(zip(names, key, strict=True)).items()]
        assert len(values) <= 1, f"{name} {labels} names several series"
        return values[0] if values else None

    return read


@pytest.fixture(scope="module")
def read() -> Read:
    return reading(snapshot())


def results() -> list[tuple[Standing, ObjectiveResult]]:
    return [(s, r) for s in standings() for r in s.evaluation.objectives]


def labels_of(one: Standing, result: ObjectiveResult) -> dict[str, str]:
    return {"sla": one.agreement.name, "objective": result.name, "scope": result.scope, "period": one.which.value}


@pytest.mark.parametrize(("one", "result"), results(), ids=lambda x: getattr(x, "name", getattr(x, "which", None)))
def test_every_figure_is_that_of_the_evaluation(read: Read, one: Standing, result: ObjectiveResult) -> None:
    labels, estimate = labels_of(one, result), result.estimate
    unit, scale = UNITS[result.unit]
    assert read(f"objective_measurement_{unit}", **labels) == (
        None if estimate.value is None else float(estimate.value / scale)
    )
    for other in {name for name, _ in UNITS.values()} - {unit}:
        assert read(f"objective_measurement_{other}", **labels) is None
    assert read("objective_events", **labels) == estimate.n
    assert read("objective_bad_events", **labels) == float(estimate.bad)
    assert read("objective_coverage_ratio", **labels) == float(result.coverage)
    assert read("objective_coverage_minimum_ratio", **labels) == float(result.min_coverage)
    assert read("objective_provisional", **labels) == result.provisional
    assert read("objective_events_needed", **labels) == result.next.n_needed
    assert read("objective_period_end_timestamp_seconds", **labels) == one.period.end / 10**9


@pytest.mark.parametrize(("one", "result"), results(), ids=lambda x: getattr(x, "name", getattr(x, "which", None)))
def test_the_verdict_is_four_series_of_which_one_is_1(read: Read, one: Standing, result: ObjectiveResult) -> None:
    found = {v: read("objective_verdict", **labels_of(one, result), verdict=v.value.lower()) for v in Verdict}
    assert found == {v: float(v is result.verdict) for v in Verdict}


@pytest.mark.parametrize(("one", "result"), results(), ids=lambda x: getattr(x, "name", getattr(x, "which", None)))
def test_bounds_are_rounded_outward_and_hold_the_figure(read: Read, one: Standing, result: ObjectiveResult) -> None:
    unit, scale = UNITS[result.unit]
    low = read(f"objective_measurement_low_{unit}", **labels_of(one, result))
    high = read(f"objective_measurement_high_{unit}", **labels_of(one, result))
    estimate = result.estimate
    assert (low is None, high is None) == (estimate.low is None, estimate.high is None)
    assert low is None or estimate.low is None or Fraction(low) <= estimate.low / scale
    assert high is None or estimate.high is None or Fraction(high) >= estimate.high / scale


@given(st.fractions())
def test_a_bound_becomes_the_nearest_float_outside(value: Fraction) -> None:
    below, above = float_below(value), float_above(value)
    assert Fraction(below) <= value <= Fraction(above)
    assert above in {below, math.nextafter(below, math.inf)}


def test_the_target_is_the_agreements_own_limit_in_its_unit(read: Read) -> None:
    assert read("objective_target_ratio", sla="acme-chat", objective="uptime", period="closed") == 0.995
    assert read("objective_target_seconds", sla="test", objective="latency", scope="any", period="closed") == 2.0
    assert read("objective_target_ratio", sla="test", objective="latency", scope="any", period="closed") is None


def test_a_model_is_named_only_where_the_scope_names_one(read: Read) -> None:
    assert read("objective_events", sla="test", objective="latency", model="chat-1", period="closed") is not None
    assert read("objective_events", sla="test", objective="latency", scope="any", model="all", period="closed") is not None


def test_over_the_limit_to_date_is_told_of_open_periods_only(read: Read) -> None:
    name = "objective_to_date_breaching"
    assert read(name, sla="acme-chat", objective="uptime", period="current") == 0
    assert read(name, sla="acme-chat", objective="uptime", period="closed") == 0
    assert read(name, sla="test", objective="uptime", period="current") == 1


def test_a_percentile_that_no_answer_reaches_is_over_the_limit_although_it_has_no_figure(read: Read) -> None:
    where = {"sla": "test", "objective": "latency", "scope": "any", "period": "current"}
    assert read("objective_measurement_seconds", **where) is None
    assert read("objective_to_date_breaching", **where) == 1


def test_without_a_figure_there_is_no_word_on_the_limit_and_no_budget(read: Read) -> None:
    where = {"sla": "test", "objective": "accuracy", "period": "current"}
    for name in ("measurement_ratio", "to_date_breaching", "error_budget_remaining_ratio"):
        assert read(f"objective_{name}", **where) is None


def test_the_error_budget_is_what_is_left_of_the_failures_allowed(read: Read) -> None:
    where = {"sla": "acme-chat", "objective": "accuracy", "period": "closed"}
    assert read("objective_error_budget_remaining_ratio", **where) == 0.5  # 20 of 40
    assert read("objective_error_budget_remaining_ratio", sla="test", objective="uptime", period="current") < 0


def test_credits_have_three_bases_and_a_currency(read: Read) -> None:
    owed = next(s for s in standings() if s.agreement.name == "acme-chat" and s.which is Which.CLOSED).evaluation.credits
    assert owed is not None
    assert owed.claimable > 0
    for basis in ("claimable", "point", "upper"):
        where = {"sla": "acme-chat", "period": "closed", "currency": "EUR", "basis": basis}
        assert read("service_credit_amount", **where) == float(getattr(owed, basis))


def test_an_agreement_that_prices_nothing_has_no_credit_series(read: Read) -> None:
    assert read("service_credit_amount", sla="test", period="closed", basis="claimable") is None


# ── deadlines ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_deadline_is_the_nearest_to_come_of_a_broken_period(read: Read) -> None:
    broken = next(s for s in standings() if s.agreement.name == "acme-chat" and s.which is Which.CLOSED)
    [due] = [d.due for d in broken.evaluation.deadlines]
    assert due is not None
    assert read("claim_deadline_timestamp_seconds", sla="acme-chat") == due / 10**9


def test_a_deadline_that_has_passed_is_not_shown() -> None:
    late = reading(replace(snapshot(), taken_at=NOW + 60 * DAY))
    assert late("claim_deadline_timestamp_seconds", sla="acme-chat") is None


def test_a_kept_promise_has_no_deadline_to_be_alarmed_about() -> None:
    kept = standing(acme(), Which.CLOSED, traffic(OCTOBER, "Acme AI"))
    assert kept.evaluation.deadlines
    assert reading(Snapshot(NOW, (kept,), TELEMETRY))("claim_deadline_timestamp_seconds") is None


def claimed(which: Which, *, owed: str = "100.00", due: int | None = None, **more: Any) -> Standing:
    """Return the broken period of acme-chat as another one, with another credit and another deadline."""
    broken = next(s for s in standings() if s.agreement.name == "acme-chat" and s.which is Which.CLOSED)
    priced = broken.evaluation.credits
    assert priced is not None
    [term] = broken.evaluation.deadlines
    changes = {
        "credits": priced.model_copy(update={"claimable": Decimal(owed)}),
        "deadlines": (term.model_copy(update={"due": term.due if due is None else due, **more}),),
    }
    return replace(broken, which=which, evaluation=broken.evaluation.model_copy(update=changes))


def test_earlier_periods_of_one_agreement_are_one_sum_and_one_deadline_and_have_no_verdicts() -> None:
    earlier = (claimed(Which.EARLIER, due=NOW + 2 * DAY), claimed(Which.EARLIER, owed="50.50", due=NOW + DAY))
    read = reading(Snapshot(NOW, (claimed(Which.CLOSED, due=NOW + 9 * DAY), *earlier)))
    assert read("service_credit_amount", period="earlier", basis="claimable") == 150.5
    assert read("service_credit_amount", period="closed", basis="claimable") == 100.0
    assert read("claim_deadline_timestamp_seconds", period="earlier") == (NOW + DAY) / 10**9
    assert read("claim_deadline_timestamp_seconds", period="closed") == (NOW + 9 * DAY) / 10**9
    assert not any(f.rows for f in families(Snapshot(NOW, earlier)) if f.metric.name == "slaguard_objective_verdict")


def test_without_a_credit_or_for_a_deadline_that_no_claim_depends_on_there_is_no_series() -> None:
    for one in (claimed(Which.CLOSED, owed="0"), claimed(Which.CLOSED, type="dispute")):
        read = reading(Snapshot(NOW, (one,)))
        assert read("claim_deadline_timestamp_seconds") is None


def test_an_agreement_that_cannot_be_judged_is_told_beside_those_that_can() -> None:
    read = reading(replace(snapshot(), failures={"broken": "broken 2026-10: no such thing"}))
    assert read("agreement_failed", sla="broken") == 1
    assert read("agreement_failed", sla="acme-chat") == 0


def test_a_probe_that_asks_no_more_has_no_interval_it_could_be_late_by() -> None:
    over = replace(snapshot(), telemetry=replace(TELEMETRY, probes=(replace(PROBE, every_ms=0),)))
    assert reading(over)("probe_interval_seconds") is None
    assert reading(over)("last_probe_timestamp_seconds") is not None


# ── what comes and goes ─────────────────────────────────────────────────────────────────────────────────────────────
def test_a_removed_agreement_disappears_with_its_counters() -> None:
    left = Snapshot(NOW, tuple(s for s in standings() if s.agreement.name == "test"), Telemetry())
    names = {"slaguard_indicator_events_total", "slaguard_sla_info", "slaguard_objective_verdict"}
    before, after = families(snapshot()), families(replace(left, telemetry=TELEMETRY))
    assert any("acme-chat" in key for f in before if f.metric.name in names for key in f.rows)
    assert not any("acme-chat" in key for f in after if f.metric.name in names for key in f.rows)


def test_an_agreement_between_periods_is_described_by_its_closed_one() -> None:
    closed = reading(Snapshot(NOW, tuple(s for s in standings() if s.which is Which.CLOSED), TELEMETRY))
    assert closed("sla_info", sla="acme-chat", window="month", time_zone="Europe/Berlin", currency="EUR") == 1
    assert closed("indicator_events_total", sla="acme-chat") == 12_345


def test_what_has_never_happened_has_no_series() -> None:
    empty = {f.metric.name for f in families(Snapshot(NOW, ()))}
    assert empty == {"slaguard_config_last_reload_successful", "slaguard_export_failed", "slaguard_build_info"}


def test_a_probe_that_has_not_asked_yet_has_no_last_time_and_no_distribution(read: Read) -> None:
    assert read("last_probe_timestamp_seconds", probe="acme-chat/acme-small") is None
    assert read("probe_duration_seconds", probe="acme-chat/acme-small") is None
    assert read("probe_interval_seconds", probe="acme-chat/acme-small") == 300.0


def test_a_statistic_that_is_no_number_is_left_out() -> None:
    odd = replace(TELEMETRY, probes=(replace(PROBE, overhead={"p50": math.nan, "p95": 0.5}),))
    assert reading(snapshot(odd))("probe_overhead_seconds", stat="p50") is None
    assert reading(snapshot(odd))("probe_overhead_seconds", stat="p95") == 0.5


# ── labels ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_ten_thousand_model_names_of_a_hostile_vendor_become_one_label_value() -> None:
    flood = {("Acme AI", f"gpt-{i}\n{{evil}}", "probe", "ok"): 1 for i in range(10_000)}
    flood |= {("Acme AI", "acme-large", "probe", "ok"): 5, ("Mallory", "acme-large", "own", "weird"): 2}
    shown = snapshot(replace(TELEMETRY, observations=flood))
    read = reading(shown)
    assert read("observations_total", model="other", vendor="Acme AI") == 10_000
    assert read("observations_total", model="acme-large", vendor="Acme AI") == 5
    assert read("observations_total", vendor="other", source="other", outcome="other", model="acme-large") == 2


def test_every_label_value_stands_in_the_configuration_or_on_a_closed_list() -> None:
    known = {"all", "other", "claimable", "point", "upper", "EUR", "p50", "p95", "probe", "judge"} | {w.value for w in Which}
    known |= {v.value.lower() for v in Verdict} | {s.value for s in Source} | {o.value for o in Outcome}
    known |= {"budget", "overload", "own_down", "crash"}
    for contract in (acme(), latencies()):
        known |= {contract.name, contract.vendor, contract.customer, contract.contract.id, str(contract.version)}
        known |= {contract.time_zone, contract.period.value, *(o.name for o in contract.objectives)}
        known |= {s.id for s in contract.services} | {m for s in contract.services for m in s.models or ()}
    known |= {value for p in TELEMETRY.probes for value in (p.name, p.vendor, p.model)}
    flood = {("Acme AI", f"model-{i}", "traffic", "ok"): 1 for i in range(10_000)}
    found = {f.metric.name: f.rows for f in families(snapshot(replace(TELEMETRY, observations=flood)))}
    del found["slaguard_build_info"]
    assert {value for rows in found.values() for key in rows for value in key} <= known


def test_a_value_that_is_no_utf_8_is_shown_with_question_marks() -> None:
    odd = replace(TELEMETRY, probes=(replace(PROBE, name="probe-\udcff"),))
    assert reading(snapshot(odd))("probe_interval_seconds", probe="probe-?") == 300.0


def test_two_series_with_the_same_labels_are_refused() -> None:
    twice = replace(TELEMETRY, probes=(PROBE, PROBE))
    with pytest.raises(ExportError, match="slaguard_probe_requests_total: E-EXPORT  two series have the same labels"):
        families(snapshot(twice))


@pytest.mark.parametrize(("hours_before", "accepted"), [(72, 12), (71, 0)])
def test_excluded_events_are_those_of_accepted_exclusions(hours_before: int, accepted: int) -> None:
    contract = agreement(objective(MEAN, at_least="99.5%", exclusions=[MAINTENANCE]))
    start = START + 120 * MINUTE
    announced = Fact(
        id="a", type="announcement", when=start - hours_before * 60 * MINUTE, exclusion="maintenance",
        start=start, end=start + 60 * MINUTE,
    )  # fmt: skip
    span, calls = period(600), [c for i in range(600) for c in minute(i, 1, 0)]
    found = Standing(contract, span, Which.CLOSED, judge(contract, span, [watched(), *calls], [announced]))
    assert [e.n for e in found.evaluation.objectives[0].excluded] == [12]
    assert reading(Snapshot(NOW, (found,)))("objective_excluded_events") == accepted
