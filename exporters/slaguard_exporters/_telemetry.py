"""From counters to series: what was asked of the vendors, what it cost, and how slaguard itself is."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

from slaguard import __version__
from slaguard.evaluation.snapshot import OTHER, ProbeTelemetry, Snapshot, Telemetry
from slaguard.terms import Outcome, Source
from slaguard_exporters._series import Gathered, Labels, seconds


# ── what was asked ──────────────────────────────────────────────────────────────────────────────────────────────────
def calls(gathered: Gathered, snapshot: Snapshot) -> None:
    """Gather what was asked and what it cost."""
    telemetry = snapshot.telemetry
    for labels, count in _observed(snapshot).items():
        gathered.put("observations_total", labels, count)
    for seen in telemetry.traffic:
        gathered.put("traffic_last_timestamp_seconds", (seen.vendor,), seconds(seen.last_at))
        gathered.put("traffic_lost_seconds", (seen.vendor,), seconds(seen.lost_ns))
    for probe in telemetry.probes:
        _probe(gathered, probe)
    for row in telemetry.spending:
        labels = (row.purpose, row.vendor, row.currency)
        gathered.put("spend_total", labels, row.spent)
        gathered.put("budget_limit_amount", labels, row.limit)


def _observed(snapshot: Snapshot) -> Counter[Labels]:
    """Return the counts of calls under configured names only: whatever a vendor calls its models becomes `OTHER`."""
    vendors, models = _configured(snapshot)
    known: tuple[set[str], ...] = (vendors, models, {s.value for s in Source}, {o.value for o in Outcome})
    found: Counter[Labels] = Counter()
    for key, count in snapshot.telemetry.observations.items():
        found[tuple(str(k) if k in names else OTHER for k, names in zip(key, known, strict=True))] += count
    return found


def _configured(snapshot: Snapshot) -> tuple[set[str], set[str]]:
    """Return the vendors and the models that Agreements, probes and budgets name."""
    telemetry = snapshot.telemetry
    agreements = [s.agreement for s in snapshot.standings]
    vendors = {a.vendor for a in agreements} | {p.vendor for p in telemetry.probes} | {s.vendor for s in telemetry.spending}
    models = {p.model for p in telemetry.probes}
    for agreement in agreements:
        for service in agreement.services:
            models.update(service.models or ())
    return vendors, models


def _probe(gathered: Gathered, probe: ProbeTelemetry) -> None:
    labels = (probe.name, probe.vendor, probe.model)
    gathered.put("probe_requests_total", labels, probe.requests)
    gathered.put("probe_failures_total", labels, probe.failures)
    for reason, count in probe.shed.items():
        gathered.put("probe_shed_total", (*labels, reason), count)
    for reason, count in probe.lost.items():
        gathered.put("probe_lost_total", (*labels, reason), count)
    gathered.put("probe_duration_seconds", (probe.name,), probe.duration)
    gathered.put("probe_time_to_first_token_seconds", (probe.name,), probe.time_to_first_token)
    gathered.put("probe_lag_seconds", (probe.name,), probe.lag)
    for stat, value in probe.overhead.items():
        gathered.put("probe_overhead_seconds", (probe.name, stat), value)
    gathered.put("probe_interval_seconds", (probe.name,), Fraction(probe.every_ms, 1000) if probe.every_ms else None)
    gathered.put("last_probe_timestamp_seconds", (probe.name,), seconds(probe.last_at))


# ── how slaguard is ─────────────────────────────────────────────────────────────────────────────────────────────────
def process(gathered: Gathered, telemetry: Telemetry, *, failed: bool) -> None:
    """Gather how slaguard is, and whether its results are withheld."""
    gathered.put("ledger_last_append_timestamp_seconds", (), seconds(telemetry.last_append_at))
    gathered.put("last_evaluation_timestamp_seconds", (), seconds(telemetry.evaluated_at))
    gathered.put("config_last_reload_successful", (), telemetry.reload_successful)
    gathered.put("config_last_reload_success_timestamp_seconds", (), seconds(telemetry.reload_success_at))
    gathered.put("export_failed", (), failed)
    gathered.put("build_info", (__version__,), 1)
