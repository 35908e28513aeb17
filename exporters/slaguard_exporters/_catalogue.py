"""The one list of metrics: names, types, units, help, labels. Rules, boards and docs are checked against it.

Two counters, never a ratio of them; base units; no label value that a vendor could make up. A counter's name stands
here with its ``_total``. `period` is ``current`` (the open one) or ``closed`` (the last that ended); of what is claimed it is
also ``earlier``: all those before it, taken together, whose claim is still open.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """A metric's type in the exposition."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


UNITS: Final = ("seconds", "ratio", "bytes")
"""Base units; a share is from 0 to 1, never in percent."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        """Return the name of the family in OpenMetrics, which is the name without a counter's ``_total``."""
        return self.name.removesuffix("_total") if self.kind is Kind.COUNTER else self.name

    @property
    def unit(self) -> str:
        """Return the base unit that the name ends in; empty where a number is counted, or an amount of money."""
        return next((unit for unit in UNITS if self.family.endswith(f"_{unit}")), "")


OBJECTIVE: Final = ("sla", "objective", "scope", "vendor", "model")
WINDOW: Final = (*OBJECTIVE, "period")
PROBE: Final = ("probe", "vendor", "model")


def _gauge(name: str, text: str, labels: tuple[str, ...] = WINDOW) -> Metric:
    return Metric(f"slaguard_{name}", Kind.GAUGE, text, labels)


def _counter(name: str, text: str, labels: tuple[str, ...]) -> Metric:
    return Metric(f"slaguard_{name}_total", Kind.COUNTER, text, labels)


def _histogram(name: str, text: str, labels: tuple[str, ...]) -> Metric:
    return Metric(f"slaguard_{name}", Kind.HISTOGRAM, text, labels)


METRICS: Final = (
    # What was judged
    _gauge("objective_verdict", "1 for the verdict an objective has, 0 for the other three.", (*WINDOW, "verdict")),
    _gauge("objective_provisional", "1 while the verdict may still change."),
    _gauge("objective_to_date_breaching", "1 while the figure to date is over the limit in an open period."),
    _gauge("objective_measurement_ratio", "The measured share, over what was seen."),
    _gauge("objective_measurement_low_ratio", "The lower bound of the measured share."),
    _gauge("objective_measurement_high_ratio", "The upper bound of the measured share."),
    _gauge("objective_target_ratio", "The share the contract promises."),
    _gauge("objective_measurement_seconds", "The measured time."),
    _gauge("objective_measurement_low_seconds", "The lower bound of the measured time."),
    _gauge("objective_measurement_high_seconds", "The upper bound of the measured time."),
    _gauge("objective_target_seconds", "The time the contract promises."),
    _gauge("objective_measurement_tokens_per_second", "The measured speed."),
    _gauge("objective_measurement_low_tokens_per_second", "The lower bound of the measured speed."),
    _gauge("objective_measurement_high_tokens_per_second", "The upper bound of the measured speed."),
    _gauge("objective_target_tokens_per_second", "The speed the contract promises."),
    _gauge("objective_events", "Events of the period that were decided: intervals, requests or answers."),
    _gauge("objective_bad_events", "Events of the period that went against the promise; of intervals, the sum of lost shares."),
    _gauge("objective_excluded_events", "Events of the period that exclusions took out."),
    _gauge("objective_events_needed", "How many more events would decide at the present rate."),
    _gauge(
        "objective_coverage_ratio",
        "The share of what was due so far that was seen: of intervals, of questions, or of time in logs.",
    ),
    _gauge("objective_coverage_minimum_ratio", "The coverage that a verdict needs."),
    _gauge(
        "objective_error_budget_remaining_ratio", "What is left of the failures that the contract allows; below 0: overspent."
    ),
    _gauge("objective_period_start_timestamp_seconds", "When the period starts."),
    _gauge("objective_period_end_timestamp_seconds", "When the period ends."),
    _counter("indicator_events", "Events that were decided in periods that were current.", OBJECTIVE),
    _counter("indicator_bad_events", "Events that went against the promise in periods that were current.", OBJECTIVE),
    # What it is worth
    _gauge(
        "service_credit_amount",
        "The credit of a period in its currency: claimable, at the measured figure (point), at the far bound (upper).",
        ("sla", "vendor", "period", "basis", "currency"),
    ),
    _gauge(
        "claim_deadline_timestamp_seconds", "The nearest deadline of a claim that is still open.", ("sla", "vendor", "period")
    ),
    _gauge(
        "sla_info",
        "1; what an Agreement is.",
        ("sla", "vendor", "customer", "contract", "version", "currency", "window", "time_zone"),
    ),
    _gauge("agreement_failed", "1 while an Agreement cannot be judged; the page and the log say why.", ("sla",)),
    # What was asked
    _counter("observations", "Calls that were recorded.", ("vendor", "model", "source", "outcome")),
    _gauge("traffic_last_timestamp_seconds", "Up to when sidecars account for a vendor's real traffic.", ("vendor",)),
    _gauge(
        "traffic_lost_seconds",
        "How much of the last 24 hours lies in minutes in which calls went by unrecorded.",
        ("vendor",),
    ),
    _counter("probe_requests", "Questions that were sent.", PROBE),
    _counter("probe_failures", "Questions that were sent and got no answer.", PROBE),
    _counter("probe_shed", "Questions that were deliberately not sent.", (*PROBE, "reason")),
    _counter("probe_lost", "Questions that were planned and could not be sent.", (*PROBE, "reason")),
    _histogram("probe_duration_seconds", "How long an answered question took.", ("probe",)),
    _histogram("probe_time_to_first_token_seconds", "How long the first token of an answer took.", ("probe",)),
    _histogram("probe_lag_seconds", "How long after its moment a question was sent.", ("probe",)),
    _gauge("probe_overhead_seconds", "Our own part of a call's time, measured against this machine.", ("probe", "stat")),
    _gauge("probe_interval_seconds", "How often a probe asks.", ("probe",)),
    _gauge("last_probe_timestamp_seconds", "When the last call of a probe ended.", ("probe",)),
    _counter("spend", "What was spent on calls.", ("purpose", "vendor", "currency")),
    _gauge("budget_limit_amount", "The most that may be spent.", ("purpose", "vendor", "currency")),
    # How slaguard is
    _gauge("ledger_last_append_timestamp_seconds", "When a record was last written.", ()),
    _gauge("last_evaluation_timestamp_seconds", "When the Agreements were last judged.", ()),
    _gauge("config_last_reload_successful", "1 if the configuration that was last read is in force.", ()),
    _gauge("config_last_reload_success_timestamp_seconds", "When a configuration was last taken into force.", ()),
    _gauge("export_failed", "1 while results cannot be shown, because a label or the number of series is over its limit.", ()),
    _gauge("build_info", "1; which slaguard this is.", ("version",)),
)
"""Every family of the agent, in the order of the exposition."""

SIDECAR: Final = (
    # Calls, as the application sees them
    _counter("sidecar_calls", "Calls that are over, by how they ended.", ("ended",)),
    _gauge("sidecar_open_calls", "Calls under way.", ()),
    _gauge("sidecar_client_connections", "Connections of the application.", ()),
    _gauge("sidecar_pooled_connections", "Connections to vendors that wait for a next call.", ()),
    _counter("sidecar_refused", "Requests that the sidecar itself answered with an error, by its status.", ("code",)),
    # What became of them as records
    _counter("sidecar_calls_seen", "Calls that began and were to be recorded.", ()),
    _counter("sidecar_calls_recorded", "Calls that were acknowledged as on disk at that time.", ()),
    _counter("sidecar_client_aborts", "Recorded calls whose client left before it had the whole answer.", ()),
    _counter("capture_dropped", "Calls that could not be recorded; the traffic itself went on.", ("reason",)),
    _counter("sidecar_bodies", "Calls whose question and answer are on disk, redacted.", ()),
    _counter("sidecar_bodies_dropped", "Calls that are on disk without the question and answer that were to be kept.", ()),
    # How the sidecar is
    _gauge("sidecar_ready", "1 while calls are taken, 0 while those under way are being ended.", ()),
    _gauge("sidecar_recorder_up", "1 while the process that writes records runs.", ()),
    _counter("sidecar_recorder_restarts", "Times that the process that writes records was started anew.", ()),
    _counter(
        "sidecar_ledger_lost",
        "Times that the ledger was removed or replaced while it was written: what was not sealed is gone.",
        (),
    ),
    _gauge("sidecar_recorder_trouble", "1 while records cannot be written as they should; the log says why.", ()),
    _gauge("sidecar_queue_bytes", "What waits to be written.", ()),
    _gauge("sidecar_queue_limit_bytes", "How much may wait before calls are dropped from the record.", ()),
    _gauge("sidecar_last_recorded_timestamp_seconds", "When a call was last written.", ()),
    _gauge(
        "sidecar_secret_kept", "1 if bodies are drawn by the secret in the ledger, 0 if by one that ends with the process.", ()
    ),
    _gauge("sidecar_config_last_reload_successful", "1 if the configuration that was last read is in force.", ()),
    _gauge("sidecar_config_last_reload_success_timestamp_seconds", "When a configuration was last taken into force.", ()),
    _gauge("sidecar_restart_needed", "1 while the configuration asks for something that only a restart brings.", ()),
    _gauge("sidecar_build_info", "1; which slaguard the sidecar is.", ("version",)),
)
"""Every family of a sidecar, which shows them itself, in the order of its exposition (`slaguard.sidecar.series`)."""

BY_NAME: Final = {metric.name: metric for metric in (*METRICS, *SIDECAR)}
