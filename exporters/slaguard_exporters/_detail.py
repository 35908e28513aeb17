"""The board of one Agreement: what was promised, what was seen, what it costs, and how it was watched."""

from __future__ import annotations

from typing import Any, Final

from slaguard_exporters._panels import GREEN, ORANGE, RED, VERDICTS, Column, Panel, Query, variable
from slaguard_exporters._shared import (
    AGREEMENT,
    FINAL,
    INSTANCE,
    MONEY,
    PERIODS,
    PROBE,
    VERDICT_CODES,
    WATCHED,
    measured,
    sent,
    unsent,
    verdict_code,
    watched,
)

UID: Final = "slaguard-sla-detail"
TITLE: Final = "slaguard: one Agreement"
_ROW: Final = "objective, scope, model, period"
_COUNTS: Final = ("events", "bad_events", "excluded_events", "events_needed")
_SHARES: Final = ("coverage_ratio", "coverage_minimum_ratio", "error_budget_remaining_ratio")

PROMISED: Final = (
    Panel(
        kind="table",
        title="What was agreed?",
        description="The Agreement as slaguard knows it: whose, which contract and version, its period and currency.",
        unit="none",
        width=16,
        height=5,
        queries=(
            Query(
                "max by (sla, vendor, customer, contract, version, window, time_zone, currency) "
                f"(slaguard_sla_info{{{WATCHED}}})",
                now=True,
                format="table",
            ),
        ),
        columns=(
            Column("sla", "agreement"),
            Column("vendor", "vendor"),
            Column("customer", "customer"),
            Column("contract", "contract"),
            Column("version", "version"),
            Column("window", "period"),
            Column("time_zone", "time zone"),
            Column("currency", "currency"),
        ),
    ),
    Panel(
        kind="stat",
        title="How many days are left to claim?",
        description="Until the next deadline of a claim that is still open.",
        unit="short",
        width=8,
        height=5,
        steps=((None, RED), (7, ORANGE), (14, GREEN)),
        empty="nothing is waiting to be claimed",
        queries=(
            Query(
                f"floor((min by (sla) (slaguard_claim_deadline_timestamp_seconds{{{WATCHED}}}) - time() > 0) / 86400)",
                "days",
                now=True,
            ),
        ),
    ),
    Panel(
        kind="table",
        title="How does each promise stand?",
        description="Events are intervals, requests or answers, as the clause counts. Needed: how many more would"
        " decide at the"
        " present rate. Budget: what is left of the failures that the contract allows.",
        width=24,
        height=8,
        sort="verdict",
        queries=(
            Query(f"max by ({_ROW}, verdict) (slaguard_objective_verdict{{{AGREEMENT}}} == 1)", now=True, format="table"),
            Query(f"max by ({_ROW}) (slaguard_objective_provisional{{{AGREEMENT}}})", now=True, format="table"),
            *(
                Query(f"max by ({_ROW}) (slaguard_objective_{figure}{{{AGREEMENT}}})", now=True, format="table")
                for figure in (*_COUNTS, *_SHARES)
            ),
        ),
        columns=(
            Column("objective", "promise"),
            Column("scope", "scope"),
            Column("model", "model"),
            Column("period", "period", words=PERIODS),
            Column("verdict", "verdict", words=[(word, word.upper(), color) for word, color in VERDICTS], loud=True),
            Column("B", "final", words=FINAL),
            Column("C", "events", "locale"),
            Column("D", "against the promise", "locale", decimals=2),
            Column("E", "excluded", "locale"),
            Column("F", "needed", "locale"),
            Column("G", "coverage", "percentunit", decimals=2),
            Column("H", "coverage needed", "percentunit"),
            Column("I", "budget left", "percentunit", decimals=1),
        ),
    ),
)

SEEN: Final = (
    Panel(
        kind="state-timeline",
        title="When did a verdict change?",
        description="The verdict on the open period and on the one that closed last, as it stood at each moment.",
        unit="none",
        width=24,
        height=7,
        words=VERDICT_CODES,
        queries=(Query(verdict_code(AGREEMENT, "objective, scope, period"), "{{objective}} {{scope}} ({{period}})"),),
    ),
    measured("What share was measured, and what was promised?", "ratio", "percentunit", AGREEMENT, "{{objective}} {{scope}}"),
    measured("What time was measured, and what was promised?", "seconds", "s", AGREEMENT, "{{objective}} {{scope}}"),
    Panel(
        kind="timeseries",
        title="How many events were decided an hour?",
        description="Events of the open period as they are decided, and (broken lines) those that went against the"
        " promise, an hour.",
        low=0,
        queries=tuple(
            Query(
                f"3600 * sum by (objective, scope) (rate(slaguard_indicator_{kind}_total{{{AGREEMENT}}}[$__rate_interval]))",
                "{{objective}} {{scope}}" + words,
                dashed=bool(words),
            )
            for kind, words in (("events", ""), ("bad_events", " against the promise"))
        ),
    ),
    watched(AGREEMENT, "objective, scope", "{{objective}} {{scope}}"),
)

COSTS: Final = (
    Panel(
        kind="timeseries",
        title="What is it worth?",
        description="The credit that can be claimed for certain, the one at the measured figure (point), and the one"
        " at the far bound"
        " of what is not known (upper), in the Agreement's currency.",
        unit="locale",
        decimals=2,
        low=0,
        queries=(
            Query(
                f"max by (basis, currency, period) (slaguard_service_credit_amount{{{MONEY}}})",
                "{{basis}} ({{period}}), {{currency}}",
            ),
        ),
    ),
    Panel(
        kind="timeseries",
        title="What does the watching cost?",
        description="What calls to the vendor cost in the 24 hours before each moment, and (broken line) the most they"
        " may in a day, or in a month where the budget says so. The purse"
        " is the vendor's: all probes of this vendor pay from it.",
        unit="locale",
        decimals=4,
        low=0,
        queries=(
            Query(
                "sum by (vendor, purpose, currency) (increase(slaguard_spend_total"
                f'{{{INSTANCE}, vendor=~"$vendor", currency=~"$currency"}}[1d]))',
                "{{vendor}} {{purpose}}, {{currency}}",
            ),
            Query(
                "max by (vendor, purpose, currency) (slaguard_budget_limit_amount"
                f'{{{INSTANCE}, vendor=~"$vendor", currency=~"$currency"}})',
                "{{vendor}} {{purpose}} at most, {{currency}}",
                dashed=True,
            ),
        ),
    ),
)


def _quantile(share: str, family: str, words: str) -> Query:
    buckets = f"rate(slaguard_probe_{family}_seconds_bucket{{{PROBE}}}[$__rate_interval])"
    return Query(f"histogram_quantile({share}, sum by (le, probe) ({buckets}))", f"{{{{probe}}}} {words}")


ASKED: Final = (
    Panel(
        kind="timeseries",
        title="How long do answers take?",
        description="Of the answered questions: the time that half of them, 95 and 99 of a hundred stayed under.",
        unit="s",
        low=0,
        queries=(
            _quantile("0.5", "duration", "half"),
            _quantile("0.95", "duration", "95 %"),
            _quantile("0.99", "duration", "99 %"),
        ),
    ),
    Panel(
        kind="heatmap",
        title="How are the times spread?",
        description="How many answers took how long. The edges of the buckets include every limit that a contract names.",
        unit="s",
        queries=(
            Query(
                f"sum by (le) (increase(slaguard_probe_duration_seconds_bucket{{{PROBE}}}[$__rate_interval]))",
                "{{le}}",
                format="heatmap",
            ),
        ),
    ),
    Panel(
        kind="timeseries",
        title="How long does the first token take?",
        description="Of the streamed answers: the time until the first token that half of them and 95 of a hundred"
        " stayed under.",
        unit="s",
        width=8,
        low=0,
        queries=(_quantile("0.5", "time_to_first_token", "half"), _quantile("0.95", "time_to_first_token", "95 %")),
    ),
    Panel(
        kind="timeseries",
        title="How late are questions sent, and what do we add?",
        description="How long after its moment a question is sent (95 of a hundred stay under it), and our own part of"
        " a call's time.",
        unit="s",
        width=8,
        low=0,
        queries=(
            _quantile("0.95", "lag", "late"),
            Query(
                f"max by (probe, stat) (slaguard_probe_overhead_seconds{{{PROBE}}})", "{{probe}} ours, {{stat}}", dashed=True
            ),
        ),
    ),
    Panel(
        kind="timeseries",
        title="How do calls fail?",
        description="Recorded calls of the vendor by outcome, without those that went well, an hour. Unmeasured is our"
        " own failure.",
        width=8,
        low=0,
        stacked=True,
        queries=(
            Query(
                "3600 * sum by (outcome) (rate(slaguard_observations_total"
                f'{{{INSTANCE}, vendor=~"$vendor", model=~"other|$model", outcome!="ok"}}[$__rate_interval]))',
                "{{outcome}}",
            ),
        ),
    ),
    sent(12),
    unsent(12),
)

ROWS: Final = (
    ("What was promised, and does it hold?", PROMISED),
    ("What was seen?", SEEN),
    ("What is it worth, and what does it cost?", COSTS),
    ("How was it watched?", ASKED),
)


def variables() -> list[dict[str, Any]]:
    """Return what can be chosen at the top of the board: one Agreement, and what belongs to it."""
    return [
        variable("sla", "Agreement", f"label_values(slaguard_sla_info{{{INSTANCE}}}, sla)", one=True),
        variable("vendor", "Vendor", f'label_values(slaguard_sla_info{{{INSTANCE}, sla=~"$sla"}}, vendor)'),
    ]
