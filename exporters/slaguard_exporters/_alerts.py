"""The alerts: when each fires, how urgent it is, and what it tells the person who is woken by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

OVERVIEW: Final = "/d/slaguard-overview"
DETAIL: Final = "/d/slaguard-sla-detail"

# In the words of a person: the figures of the promise that the alert is about, asked for when it fires.
_PROMISE: Final = (
    '{{ $it := printf "{sla=%q,objective=%q,scope=%q,period=%q,instance=%q}" '
    "$labels.sla $labels.objective $labels.scope $labels.period $labels.instance }}"
)
_PERIOD: Final = (
    '{{ if eq $labels.period "closed" }}the period that closed last{{ else if eq $labels.period "earlier" }}an earlier period'
    "{{ else }}the open period{{ end }}"
)


def _asked(metric: str, show: str, *, before: str = "", after: str = "", only: str = "") -> str:
    """Return the template of a metric's value between two texts; nothing where there is no such series, or not `only`."""
    query = f'printf "{metric}%s{only}" $it | query'
    return f"{{{{ with {query} }}}}{before}{{{{ . | first | value | {show} }}}}{after}{{{{ end }}}}"


def _figure(name: str) -> str:
    """Return the template of a figure that is a share, a time or a speed."""
    share = _asked(f"slaguard_objective_{name}_ratio", "humanizePercentage")
    time = _asked(f"slaguard_objective_{name}_seconds", "humanizeDuration")
    return share + time + _asked(f"slaguard_objective_{name}_tokens_per_second", 'printf "%.4g"', after=" tokens a second")


_COVERAGE_MINIMUM: Final = _asked(
    "slaguard_objective_coverage_minimum_ratio", "humanizePercentage", before="; it must be ", only=" > 0"
)
_NEEDED: Final = _asked(
    "slaguard_objective_events_needed", 'printf "%.0f"', before=" ", after=" more events would decide.", only=" > 0"
)


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert; `expr` keeps in its value what the description tells."""

    name: str
    group: str
    severity: str
    expr: str
    summary: str
    description: str
    board: str
    lasting: str = ""


ALERTS: Final = (
    Alert(
        "SlaguardObjectiveBreach",
        "promises",
        "ticket",
        'slaguard_objective_verdict{verdict="breach"} == 1\nand ignoring (verdict) slaguard_objective_provisional == 0',
        "{{ $labels.vendor }} broke a promise: {{ $labels.objective }} of {{ $labels.sla }}",
        f"{_PROMISE}This verdict on {_PERIOD} will not change: measured {_figure('measurement')}, promised"
        f" {_figure('target')}."
        " Write the claim (slaguard report) and send it before its deadline.",
        DETAIL,
    ),
    Alert(
        "SlaguardObjectiveBreachToDate",
        "promises",
        "page",
        # Only too few events silence it: fewer than the promise's own minimum (then events_needed is there), or a single bad
        # one. INSUFFICIENT alone must not: a count whose coverage is low, as every first month's is, has that word through
        # the whole of an outage. A sample that is over its limit is INCONCLUSIVE once it has its minimum, and is told.
        # What is final is no longer "so far": SlaguardObjectiveBreach tells.
        """\
slaguard_objective_to_date_breaching == 1
and slaguard_objective_provisional == 1
unless ignoring (verdict) (
  slaguard_objective_verdict{verdict="insufficient"} == 1
  and ignoring (verdict) (slaguard_objective_events_needed > 0 or slaguard_objective_bad_events < 2)
)""",
        "{{ $labels.objective }} of {{ $labels.sla }} is over the limit so far",
        f"{_PROMISE}{{{{ $labels.vendor }}}} stands at {_figure('measurement')} so far in the open period, promised"
        f" {_figure('target')}. The period may still be saved: this is no verdict yet.",
        DETAIL,
        "10m",
    ),
    Alert(
        "SlaguardEvidenceInsufficient",
        "promises",
        "ticket",
        # A closed period of which nothing at all was seen ended before the watching began, or SlaguardAbsent told of it.
        """\
(slaguard_objective_coverage_ratio unless slaguard_objective_coverage_ratio{period="closed"} == 0)
and (
    (
      sum without (verdict) (slaguard_objective_verdict{verdict="insufficient"}) == 1
      and
      time() - slaguard_objective_period_start_timestamp_seconds
        > 0.75 * (slaguard_objective_period_end_timestamp_seconds - slaguard_objective_period_start_timestamp_seconds)
    )
  or
    (
      slaguard_objective_coverage_ratio < slaguard_objective_coverage_minimum_ratio
      unless
      slaguard_objective_provisional == 0
      and
      time() - slaguard_objective_period_start_timestamp_seconds
        > 0.1 * (slaguard_objective_period_end_timestamp_seconds - slaguard_objective_period_start_timestamp_seconds)
    )
)""",
        "{{ $labels.objective }} of {{ $labels.sla }}: too little was seen to judge it",
        f"{_PROMISE}Coverage of {_PERIOD} is {{{{ $value | humanizePercentage }}}}"
        f"{_COVERAGE_MINIMUM}.{_NEEDED}"
        " This is neither a breach nor compliance: find out what was not seen, and why.",
        DETAIL,
        "1h",
    ),
    Alert(
        "SlaguardClaimDeadlineSoon",
        "promises",
        "ticket",
        "(slaguard_claim_deadline_timestamp_seconds - time() > 0) < 7 * 86400",
        f"A claim against {{{{ $labels.vendor }}}} ({{{{ $labels.sla }}}}, {_PERIOD}) is due in"
        " {{ $value | humanizeDuration }}",
        '{{ $it := printf "{sla=%q,vendor=%q,period=%q,instance=%q}" '
        "$labels.sla $labels.vendor $labels.period $labels.instance }}"
        f"The claim for {_PERIOD} must arrive before"
        f" {_asked('slaguard_claim_deadline_timestamp_seconds', 'humanizeTimestamp')}."
        '{{ range printf "slaguard_service_credit_amount{sla=%q,vendor=%q,period=%q,instance=%q,'
        'basis=\\"claimable\\"} > 0" $labels.sla $labels.vendor $labels.period $labels.instance | query }}'
        ' Claimable: {{ .Value | printf "%.2f" }} {{ .Labels.currency }}.{{ end }}'
        " After that moment it is lost: slaguard report writes what you send.",
        DETAIL,
    ),
    Alert(
        "SlaguardProbeStale",
        "watching",
        "ticket",
        """\
time() - (
    slaguard_last_probe_timestamp_seconds
  or
    0 * slaguard_probe_interval_seconds
      + on (job, instance) group_left () slaguard_config_last_reload_success_timestamp_seconds
) > 3 * slaguard_probe_interval_seconds""",
        "The probe {{ $labels.probe }} has asked nothing for {{ $value | humanizeDuration }}",
        '{{ $it := printf "{probe=%q,instance=%q}" $labels.probe $labels.instance }}'
        f"It should ask every {_asked('slaguard_probe_interval_seconds', 'humanizeDuration')}."
        " What is not asked is not seen: coverage falls, and nothing is made up for later.",
        OVERVIEW,
        "1m",
    ),
    Alert(
        "SlaguardAbsent",
        "watching",
        "page",
        "absent(slaguard_build_info)",
        "Prometheus sees no slaguard",
        "No slaguard answers on /metrics. Either the process is down, and nobody watches the vendors, or Prometheus cannot"
        " reach it.",
        OVERVIEW,
        "5m",
    ),
    Alert(
        "SlaguardNotJudged",
        "watching",
        "ticket",
        # One that has never judged has no such moment: there the time counts from when its configuration was read.
        """\
time() - (
    slaguard_last_evaluation_timestamp_seconds
  or
    slaguard_config_last_reload_success_timestamp_seconds
) > 15 * 60""",
        "{{ $labels.instance }} has judged nothing for {{ $value | humanizeDuration }}",
        "Every verdict, credit and deadline that is shown is as old as that, and an alert on a promise fires or is silent by"
        " old figures. Asking may go on: the log says why nothing is judged.",
        OVERVIEW,
    ),
    Alert(
        "SlaguardAgreementFailed",
        "watching",
        "ticket",
        "slaguard_agreement_failed == 1",
        "{{ $labels.sla }} cannot be judged",
        "Judging {{ $labels.sla }} has failed for a quarter of an hour, so what is shown of it is old or missing. The other"
        " Agreements are judged as ever. The log says what is wrong.",
        OVERVIEW,
        "15m",
    ),
    Alert(
        "SlaguardReloadFailed",
        "watching",
        "ticket",
        "slaguard_config_last_reload_successful == 0",
        "{{ $labels.instance }} refused its new configuration",
        "The old configuration goes on, and a restart would fail. The log says what is wrong with the new one, with"
        " file:line:column: mend it and reload.",
        OVERVIEW,
    ),
    Alert(
        "SlaguardExportFailed",
        "watching",
        "page",
        "slaguard_export_failed == 1",
        "{{ $labels.instance }} cannot show its results",
        "A label or the number of series is over its limit, so no verdict reaches Prometheus and no alert on one can"
        " fire. The log"
        " names the metric. What was judged is safe in the ledger.",
        OVERVIEW,
    ),
    Alert(
        "SlaguardBudgetExhausted",
        "watching",
        "ticket",
        # A counter that begins, or begins anew and comes to the same number, has grown as far as it stands, and increase()
        # sees nothing: it was not there an hour ago, or not in every scrape since, or others of its process fell to 0.
        """\
increase(slaguard_probe_shed_total{reason="budget"}[1h]) > 0
or
slaguard_probe_shed_total{reason="budget"} > 0
unless slaguard_probe_shed_total{reason="budget"} offset 1h
or
slaguard_probe_shed_total{reason="budget"} > 0
and
count_over_time(slaguard_probe_shed_total{reason="budget"}[1h])
  < on (job, instance) group_left () sum by (job, instance) (count_over_time(slaguard_build_info[1h]))
or
slaguard_probe_shed_total{reason="budget"} > 0
and on (job, instance)
max by (job, instance) (resets(slaguard_probe_requests_total[1h])) > 0""",
        "The budget of the probe {{ $labels.probe }} is used up",
        '{{ $value | printf "%.0f" }} questions of the last hour were not sent, because sending them would have cost'
        " more than the"
        " budget allows. They are not evidence: coverage falls until the budget's next day, or until you raise it.",
        OVERVIEW,
    ),
    Alert(
        "SlaguardCaptureDropping",
        "sidecar",
        "ticket",
        # A counter that begins has grown as far as it stands, and increase() sees nothing. One that scrapes missed for a while
        # does not begin.
        """\
increase(slaguard_capture_dropped_total[15m]) > 0
or
slaguard_capture_dropped_total > 0
unless last_over_time(slaguard_capture_dropped_total[1h] offset 15m)""",
        "{{ $labels.instance }} lets calls through without recording them: {{ $labels.reason }}",
        '{{ $value | printf "%.0f" }} calls of the last quarter of an hour were passed on and are not in the ledger. Their'
        " minutes count as not watched: neither up nor down. No call was harmed.",
        OVERVIEW,
    ),
    Alert(
        "SlaguardSidecarRecorderDown",
        "sidecar",
        "ticket",
        # One that ends again and again may be up at every scrape. More than three times: increase() makes 3 up to 3.4.
        """\
slaguard_sidecar_recorder_up == 0
or
slaguard_sidecar_recorder_trouble == 1
or
increase(slaguard_sidecar_recorder_restarts_total[10m]) > 3.5""",
        "{{ $labels.instance }} passes calls on and cannot write them down",
        "The process that records them is down, ends again and again, or cannot write. What waits is bounded: beyond the bound,"
        " calls are left out and counted. The sidecar's log says what is wrong.",
        OVERVIEW,
        "5m",
    ),
    Alert(
        "SlaguardSidecarNotRecording",
        "sidecar",
        "ticket",
        # Calls that were over five minutes ago should stand in the ledger by now, whatever the recorder says of itself. Where
        # none was ever written, there is no such moment.
        """\
sum by (job, instance) (increase(slaguard_sidecar_calls_total[10m] offset 5m)) > 0
unless on (job, instance)
time() - slaguard_sidecar_last_recorded_timestamp_seconds < 15 * 60""",
        "Calls go through {{ $labels.instance }}, and none has been recorded for a quarter of an hour",
        '{{ $value | printf "%.0f" }} calls ended between five and fifteen minutes ago, and the ledger has none of them. These'
        " minutes will count as not watched. The traffic itself goes on.",
        OVERVIEW,
        "5m",
    ),
    Alert(
        "SlaguardSidecarLedgerLost",
        "sidecar",
        "ticket",
        # As with calls that are dropped: a counter that begins has grown as far as it stands.
        """\
increase(slaguard_sidecar_ledger_lost_total[1h]) > 0
or
slaguard_sidecar_ledger_lost_total > 0
unless last_over_time(slaguard_sidecar_ledger_lost_total[1h] offset 1h)""",
        "The ledger of {{ $labels.instance }} was removed or replaced while it was written",
        "What stood in it and was not sealed and copied elsewhere is gone, and its minutes count as not watched. Calls are"
        " recorded in a new one. Find out who touches that folder: it would happen again.",
        OVERVIEW,
    ),
    Alert(
        "SlaguardSidecarDown",
        "sidecar",
        "ticket",
        # Either its target is there and does not answer, or it is gone, and nothing came in its place: a rollout replaces Pods.
        """\
max by (job, instance) (up == 0)
and on (job, instance) last_over_time(slaguard_sidecar_build_info[7d])
or
max by (job, instance) (last_over_time(slaguard_sidecar_build_info[1h]))
unless on (job, instance) slaguard_sidecar_build_info
unless on (job) (
  count by (job) (slaguard_sidecar_build_info) >= count by (job) (slaguard_sidecar_build_info offset 1h)
)""",
        "The sidecar {{ $labels.instance }} is not there any more",
        "Prometheus scraped it and does so no longer. If the process is down, whoever calls through it reaches no vendor, and"
        " nothing of that is recorded. If only the scrape fails, calls go on.",
        OVERVIEW,
        "5m",
    ),
    Alert(
        "SlaguardTrafficUnwatched",
        "sidecar",
        "ticket",
        # Where an agent reads what sidecars publish, a minute is told of once its rows are sealed: after an hour, if nothing
        # else is configured, and after its last call has ended.
        "time() - slaguard_traffic_last_timestamp_seconds > 150 * 60",
        "Nobody has accounted for the calls to {{ $labels.vendor }} for {{ $value | humanizeDuration }}",
        "Sidecars watched this traffic before and do so no longer, or what they write does not arrive. From then on it is"
        " neither up nor down: promises are judged by probes where the Agreement has them, and by nothing where not.",
        OVERVIEW,
    ),
    Alert(
        "SlaguardSidecarRefusing",
        "sidecar",
        "ticket",
        # 502 and 504 are the vendor's doing, and are in the ledger as that.
        """\
sum by (job, instance, code) (increase(slaguard_sidecar_refused_total{code!~"502|504"}[15m])) > 0
or
sum by (job, instance, code) (slaguard_sidecar_refused_total{code!~"502|504"} > 0)
unless sum by (job, instance, code) (last_over_time(slaguard_sidecar_refused_total[1h] offset 15m))""",
        "{{ $labels.instance }} itself refused calls with {{ $labels.code }}",
        '{{ $value | printf "%.0f" }} requests of the last quarter of an hour never reached a vendor: the answer was the'
        " sidecar's own. Its body says why.",
        OVERVIEW,
    ),
    Alert(
        "SlaguardSidecarReloadFailed",
        "sidecar",
        "ticket",
        "slaguard_sidecar_config_last_reload_successful == 0",
        "{{ $labels.instance }} refused its new configuration",
        "The old configuration goes on, calls are passed on as before, and a restart would fail. The log says what is wrong"
        " with the new one, with file:line:column: mend it and reload.",
        OVERVIEW,
    ),
)
"""Every alert, in the order of the file."""
