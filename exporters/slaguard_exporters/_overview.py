"""The overview: what a vendor manager asks, from left to right and top to bottom."""

from __future__ import annotations

from typing import Any, Final

from slaguard_exporters._panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    VERDICTS,
    Column,
    Panel,
    Query,
    variable,
)
from slaguard_exporters._shared import (
    AGREEMENT,
    FINAL,
    INSTANCE,
    MONEY,
    PERIODS,
    PROBE,
    VERDICT_CODES,
    WATCHED,
    course,
    measured,
    sent,
    unsent,
    verdict_code,
    watched,
)

UID: Final = "slaguard-overview"
TITLE: Final = "slaguard: promises"
_LOOK: Final = (
    "/d/slaguard-sla-detail?var-datasource=${datasource}&var-sla=${__data.fields.agreement}"
    "&${job:queryparam}&${instance:queryparam}&${__url_time_range}"
)
_ROW: Final = "vendor, sla, objective, scope, period"
_NOW: Final = f"max by ({_ROW})"

PROMISES: Final = Panel(
    kind="table",
    title="Which promises hold, and which do not?",
    description="One row a promise, in the open period and in the one that closed last. The interval says how sure the"
    " figure is:"
    " for a count, what is not known at its worst and at its best. An open period is no breach while it can still be saved.",
    width=24,
    height=11,
    sort="verdict",
    empty="no Agreement is judged yet",
    queries=(
        Query(f"max by ({_ROW}, verdict) (slaguard_objective_verdict{{{AGREEMENT}}} == 1)", now=True, format="table"),
        Query(f"{_NOW} (slaguard_objective_provisional{{{AGREEMENT}}})", now=True, format="table"),
        Query(f"{_NOW} (slaguard_objective_to_date_breaching{{{AGREEMENT}}})", now=True, format="table"),
        *(
            Query(f"{_NOW} (slaguard_objective_{figure}_{unit}{{{AGREEMENT}}})", now=True, format="table")
            for unit in ("ratio", "seconds")
            for figure in ("measurement", "target", "measurement_low", "measurement_high")
        ),
    ),
    columns=(
        Column("vendor", "vendor"),
        Column("objective", "promise"),
        Column("sla", "agreement", link=_LOOK),
        Column("scope", "scope"),
        Column("period", "period", words=PERIODS),
        Column("verdict", "verdict", words=[(word, word.upper(), color) for word, color in VERDICTS], loud=True),
        Column("B", "final", words=FINAL),
        Column("C", "so far", words=(("0", "within the limit", GREY), ("1", "over the limit", RED))),
        Column("D", "measured", "percentunit", decimals=2),
        Column("E", "target", "percentunit", decimals=2),
        Column("F", "low", "percentunit", decimals=2),
        Column("G", "high", "percentunit", decimals=2),
        Column("H", "measured (time)", "s"),
        Column("I", "target (time)", "s"),
        Column("J", "low (time)", "s"),
        Column("K", "high (time)", "s"),
    ),
)

_DEADLINE: Final = f"slaguard_claim_deadline_timestamp_seconds{{{WATCHED}}}"
_DUE: Final = f"min by (vendor, sla, period) ({_DEADLINE})"
_CLAIMABLE: Final = f'slaguard_service_credit_amount{{{MONEY}, basis="claimable", period=~"closed|earlier"}}'

WORTH: Final = (
    Panel(
        kind="stat",
        title="What can you claim now?",
        description="The credits of the periods that are over whose own deadline is known and has not passed, for each"
        " currency. An"
        " Agreement that names no deadline stands in the table on the right alone.",
        unit="locale",
        decimals=2,
        width=6,
        height=7,
        steps=((None, GREY), (0.01, RED)),
        queries=(
            Query(
                f"sum by (currency) (max by (vendor, sla, period, currency) ({_CLAIMABLE}"
                f" and on (job, instance, vendor, sla, period) ({_DEADLINE} > time())))",
                "{{currency}}",
                now=True,
            ),
        ),
    ),
    Panel(
        kind="table",
        title="By when must you claim?",
        description="The next open deadline of each Agreement and period. A claim that comes after it is lost.",
        unit="dateTimeAsIso",
        width=8,
        height=7,
        sort="days left",
        empty="nothing is waiting to be claimed",
        queries=(
            Query(f"1000 * ({_DUE} > time())", now=True, format="table"),
            Query(f"floor(({_DUE} - time() > 0) / 86400)", now=True, format="table"),
        ),
        columns=(
            Column("vendor", "vendor"),
            Column("sla", "agreement", link=_LOOK),
            Column("period", "period", words=PERIODS),
            Column("A", "due", "dateTimeAsIso"),
            Column("B", "days left", "short"),
        ),
    ),
    Panel(
        kind="table",
        title="What is each Agreement worth?",
        description="The credit that can be claimed for certain, the one at the measured figure, and the one at the"
        " far bound of"
        " what is not known; also where the deadline has passed. Amounts of different currencies are never added.",
        unit="locale",
        decimals=2,
        width=10,
        height=7,
        sort="agreement",
        queries=tuple(
            Query(
                f'max by (vendor, sla, period, currency) (slaguard_service_credit_amount{{{MONEY}, basis="{basis}"}})',
                now=True,
                format="table",
            )
            for basis in ("claimable", "point", "upper")
        ),
        columns=(
            Column("vendor", "vendor"),
            Column("sla", "agreement", link=_LOOK),
            Column("period", "period", words=PERIODS),
            Column("currency", "currency"),
            Column("A", "claimable", "locale", decimals=2),
            Column("B", "as measured", "locale", decimals=2),
            Column("C", "at most", "locale", decimals=2),
        ),
    ),
)

WORSE: Final = (
    measured("Are the measured shares getting worse?", "ratio", "percentunit", AGREEMENT, "{{sla}} {{objective}}"),
    measured("Are the measured times getting worse?", "seconds", "s", AGREEMENT, "{{sla}} {{objective}}"),
    Panel(
        kind="timeseries",
        title="How much failure is still allowed?",
        description="What is left of the failures that the contract allows in the open period. Below zero more has"
        " failed than may.",
        unit="percentunit",
        steps=((None, RED), (0, ORANGE), (0.25, GREEN)),
        queries=(
            Query(
                course("error_budget_remaining_ratio", AGREEMENT, "sla, objective, scope"),
                "{{sla}} {{objective}} {{scope}}",
            ),
        ),
    ),
    Panel(
        kind="state-timeline",
        title="When did a verdict change?",
        description="The verdict on the open period as it stood at each moment.",
        unit="none",
        words=VERDICT_CODES,
        queries=(
            Query(verdict_code(f'{AGREEMENT}, period="current"', "sla, objective, scope"), "{{sla}} {{objective}} {{scope}}"),
        ),
    ),
)

TRUST: Final = (
    watched(AGREEMENT, "sla, objective, scope", "{{sla}} {{objective}} {{scope}}"),
    Panel(
        kind="table",
        title="When did each probe last ask?",
        description="How long ago the last call of each probe ended, and how often it should ask. Three intervals is too long.",
        unit="s",
        sort="probe",
        queries=(
            Query(f"time() - max by (probe) (slaguard_last_probe_timestamp_seconds{{{PROBE}}})", now=True, format="table"),
            Query(f"max by (probe) (slaguard_probe_interval_seconds{{{PROBE}}})", now=True, format="table"),
        ),
        columns=(Column("probe", "probe"), Column("A", "last asked before", "s"), Column("B", "asks every", "s")),
    ),
    sent(8),
    unsent(8),
    Panel(
        kind="stat",
        title="Is the configuration in force?",
        description="No means that the configuration that was last read was refused, and the one before it goes on.",
        unit="none",
        width=4,
        words=(("1", "yes", GREEN), ("0", "no, it was refused", RED)),
        queries=(Query(f"min by (instance) (slaguard_config_last_reload_successful{{{INSTANCE}}})", "{{instance}}", now=True),),
    ),
    Panel(
        kind="stat",
        title="When was it last judged?",
        description="How long ago the Agreements were last judged, and how long ago a record was last written.",
        unit="s",
        decimals=0,
        width=4,
        steps=((None, BLUE),),
        queries=(
            Query(f"time() - max by (instance) (slaguard_last_evaluation_timestamp_seconds{{{INSTANCE}}})", "judged", now=True),
            Query(
                f"time() - max by (instance) (slaguard_ledger_last_append_timestamp_seconds{{{INSTANCE}}})", "written", now=True
            ),
        ),
    ),
    # A sidecar is another target than the agent, of another job: the variables at the top do not choose it.
    Panel(
        kind="timeseries",
        title="Do the sidecars see every call?",
        description="Calls of your applications that go through sidecars, and (broken lines) those that were passed on without"
        " being recorded, and why, an hour. All sidecars that are scraped are counted.",
        low=0,
        empty="no sidecar is scraped",
        queries=(
            Query("3600 * sum(rate(slaguard_sidecar_calls_seen_total[$__rate_interval]))", "calls"),
            Query(
                "3600 * sum by (reason) (rate(slaguard_capture_dropped_total[$__rate_interval]))",
                "not recorded: {{reason}}",
                dashed=True,
            ),
        ),
    ),
    Panel(
        kind="timeseries",
        title="How do calls through sidecars end?",
        description="By how they ended on the wire, and requests that a sidecar itself answered with an error, an hour. What a"
        " vendor's status and answer say is not looked at here.",
        low=0,
        stacked=True,
        empty="no sidecar is scraped",
        queries=(
            Query("3600 * sum by (ended) (rate(slaguard_sidecar_calls_total[$__rate_interval]))", "{{ended}}"),
            Query("3600 * sum by (code) (rate(slaguard_sidecar_refused_total[$__rate_interval]))", "answered with {{code}}"),
        ),
    ),
)

ROWS: Final = (
    ("Is anything breached?", (PROMISES,)),
    ("What is it worth?", WORTH),
    ("Is it getting worse?", WORSE),
    ("Can I trust the watching?", TRUST),
)


def variables() -> list[dict[str, Any]]:
    """Return what can be chosen at the top of the board."""
    return [
        variable("vendor", "Vendor", f"label_values(slaguard_sla_info{{{INSTANCE}}}, vendor)"),
        variable("sla", "Agreement", f'label_values(slaguard_sla_info{{{INSTANCE}, vendor=~"$vendor"}}, sla)'),
    ]
