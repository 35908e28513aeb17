"""The alerting rules: promtool accepts and tests them, their names are in the catalogue, their options do what they say."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from slaguard.errors import ConfigError
from slaguard_exporters.rules import Rules
from tests.conftest import absent
from tests.grafana.promql import carried, labels_of, metric_of, names, selectors

REPO = Path(__file__).resolve().parents[2]
FOLDER = REPO / "exporters" / "prometheus"
ASKED_FOR = {
    "SlaguardObjectiveBreach": "ticket",
    "SlaguardObjectiveBreachToDate": "page",
    "SlaguardEvidenceInsufficient": "ticket",
    "SlaguardClaimDeadlineSoon": "ticket",
    "SlaguardProbeStale": "ticket",
    "SlaguardAbsent": "page",
    "SlaguardNotJudged": "ticket",
    "SlaguardAgreementFailed": "ticket",
    "SlaguardReloadFailed": "ticket",
    "SlaguardExportFailed": "page",
    "SlaguardBudgetExhausted": "ticket",
    "SlaguardCaptureDropping": "ticket",
    "SlaguardSidecarRecorderDown": "ticket",
    "SlaguardSidecarNotRecording": "ticket",
    "SlaguardSidecarLedgerLost": "ticket",
    "SlaguardSidecarDown": "ticket",
    "SlaguardTrafficUnwatched": "ticket",
    "SlaguardSidecarRefusing": "ticket",
    "SlaguardSidecarReloadFailed": "ticket",
}


def program(name: str) -> str:
    """Return where a program of Prometheus is."""
    found = shutil.which(name)
    if found is None:
        absent(f"{name} is not installed: make test-system says how")
    return found or name


def said(*command: str | Path) -> str:
    """Run a checker in the folder of the examples and return what it says; it must be content."""
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules(**options: Any) -> list[dict[str, Any]]:
    """Return the generated rules."""
    groups = yaml.safe_load(Rules(**options).generate()["slaguard.yml"])["groups"]
    return [rule for group in groups for rule in group["rules"]]


def cases() -> list[dict[str, Any]]:
    """Return promtool's cases of all alerts."""
    tests = yaml.safe_load((FOLDER / "rules" / "slaguard_test.yml").read_text(encoding="utf-8"))["tests"]
    return [case for test in tests for case in test["alert_rule_test"]]


# ── promtool and amtool ─────────────────────────────────────────────────────────────────────────────────────────────
def test_promtool_accepts_the_rules() -> None:
    assert f"SUCCESS: {len(ASKED_FOR)} rules found" in said(program("promtool"), "check", "rules", "rules/slaguard.yml")


def test_every_alert_fires_when_it_should_and_is_silent_when_it_should() -> None:
    said(program("promtool"), "test", "rules", "rules/slaguard_test.yml")


def test_every_alert_has_a_case_that_fires_and_one_that_stays_silent() -> None:
    fire = {case["alertname"] for case in cases() if case["exp_alerts"]}
    silent = {case["alertname"] for case in cases() if not case["exp_alerts"]}
    assert fire == silent == {rule["alert"] for rule in rules()}


SPOILT = {
    "provisional breaches fire": ("Breach", "and ignoring (verdict) slaguard_objective_provisional == 0", ""),
    "one bad minute pages": ("BreachToDate", "for: 10m", "for: 1m"),
    "a final breach may still be saved": ("BreachToDate", "and slaguard_objective_provisional == 1", ""),
    "a few events page": ("BreachToDate", "slaguard_objective_events_needed > 0", "vector(0) == 1"),
    "one bad event pages": ("BreachToDate", "slaguard_objective_bad_events < 2", "vector(0) == 1"),
    "low coverage hides an outage": (
        "BreachToDate",
        "and ignoring (verdict) (slaguard_objective_events_needed > 0 or slaguard_objective_bad_events < 2)",
        "",
    ),
    "a sample at risk waits for more": ("BreachToDate", 'slaguard_objective_verdict{verdict="insufficient"} == 1', "{} == 1"),
    "too few events are told in the middle": ("EvidenceInsufficient", "> 0.75 *", "> 0.1 *"),
    "coverage is told on the first day": ("EvidenceInsufficient", "> 0.1 *", "> 0 *"),
    "a final breach asks for more": ("EvidenceInsufficient", "slaguard_objective_provisional == 0", "vector(0) == 1"),
    "a deadline that has passed fires": ("ClaimDeadlineSoon", "- time() > 0)", "- time())"),
    "a deadline far off fires": ("ClaimDeadlineSoon", "7 * 86400", "9 * 86400"),
    "one period's credit is told with another's deadline": ("ClaimDeadlineSoon", "vendor=%q,period=%q,", "vendor=%q,"),
    "one minute without a judgement fires": ("NotJudged", "> 15 * 60", "> 30"),
    "what was never judged is overlooked": (
        "NotJudged",
        "or\n          slaguard_config_last_reload_success_timestamp_seconds\n      ) > 15",
        ") > 15",
    ),
    "a moment's failure fires": ("AgreementFailed", "for: 15m", "for: 1m"),
    "one limit for all probes": ("ProbeStale", "> 3 * slaguard_probe_interval_seconds", "> 900"),
    "overload is told as a lack of money": ("BudgetExhausted", 'reason="budget"', 'reason=~".+"'),
    "a counter that begins is overlooked": ("BudgetExhausted", "offset 1h", "offset 1m"),
    "a restart with the same number is overlooked": (
        "BudgetExhausted",
        "resets(slaguard_probe_requests_total[1h])",
        "vector(0)",
    ),
    "a counter that begins anew is overlooked": ("BudgetExhausted", "< on (job, instance)", "> on (job, instance)"),
    "a scrape that failed is told as a lack of money": (
        "BudgetExhausted",
        "sum by (job, instance) (count_over_time(slaguard_build_info[1h]))",
        "sum by (job, instance) (60 * slaguard_build_info)",
    ),
    "calls that are not recorded are told for ever": ("CaptureDropping", "[1h] offset 15m", "[1m] offset 5h"),
    "a first call that is not recorded is overlooked": ("CaptureDropping", "[1h] offset 15m", "[1h]"),
    "a scrape that failed is told as calls that are not recorded": ("CaptureDropping", "[1h] offset 15m", "[1m] offset 15m"),
    "a recorder's restart is told": ("SidecarRecorderDown", "for: 5m", "for: 1m"),
    "a disk that is full is overlooked": ("SidecarRecorderDown", "slaguard_sidecar_recorder_trouble == 1", "vector(0) == 1"),
    "a recorder that flaps is overlooked": ("SidecarRecorderDown", "[10m]) > 3.5", "[10m]) > 30"),
    "a recorder that was started anew is told": ("SidecarRecorderDown", "[10m]) > 3.5", "[10m]) > 2"),
    "a ledger that is lost is told for ever": ("SidecarLedgerLost", "[1h] offset 1h", "[1m] offset 5h"),
    "a first ledger that is lost is overlooked": ("SidecarLedgerLost", "[1h] offset 1h", "[1h]"),
    "a sidecar that is down is told for an hour only": ("SidecarDown", "[7d]", "[5m]"),
    "a target that is no sidecar is told": ("SidecarDown", "and on (job, instance) last_over_time", "or last_over_time"),
    "one of two that is gone is overlooked": ("SidecarDown", ">= count by", "> 0 * count by"),
    "the last one that is gone is overlooked": ("SidecarDown", "count by (job) (slaguard_sidecar_build_info) >=", "1 >= 0 *"),
    "a Pod that is replaced is told": ("SidecarDown", ">= count by", "> 2 * count by"),
    "a sidecar that is started anew is told": ("SidecarDown", "for: 5m", "for: 1m"),
    "a quiet application is told as unwatched": ("SidecarNotRecording", "[10m] offset 5m", "[60m] offset 5m"),
    "calls that are just over are told as unwatched": ("SidecarNotRecording", "< 15 * 60", "< 9 * 60"),
    "a minute that is told late is told as unwatched": ("TrafficUnwatched", "> 150 * 60", "> 30 * 60"),
    "a vendor that is not reached is told as a refusal": ("SidecarRefusing", 'code!~"502|504"', 'code!=""'),
    "a first refusal is overlooked": ("SidecarRefusing", "[1h] offset 15m", "[1h]"),
}


@pytest.mark.parametrize(("alert", "broken", "mended"), SPOILT.values(), ids=SPOILT)
def test_a_rule_that_is_spoilt_is_found_by_its_cases(tmp_path: Path, alert: str, broken: str, mended: str) -> None:
    text = (FOLDER / "rules" / "slaguard.yml").read_text(encoding="utf-8")
    assert broken in text
    (tmp_path / "slaguard.yml").write_text(text.replace(broken, mended), encoding="utf-8")
    whole = yaml.safe_load((FOLDER / "rules" / "slaguard_test.yml").read_text(encoding="utf-8"))
    names = {f"Slaguard{alert}", f"SlaguardObjective{alert}"}
    whole["tests"] = [t for t in whole["tests"] if names & {case["alertname"] for case in t["alert_rule_test"]}]
    (tmp_path / "slaguard_test.yml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    command = [program("promtool"), "test", "rules", "slaguard_test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, "FAILED" in done.stdout + done.stderr) == (1, True)


def test_the_example_of_prometheus_is_a_whole_configuration() -> None:
    assert "SUCCESS" in said(program("promtool"), "check", "config", "scrape.yml")


def test_the_example_of_the_alertmanager_is_a_whole_configuration() -> None:
    assert "SUCCESS" in said(program("amtool"), "check-config", "alertmanager.yml")


@pytest.mark.parametrize(("severity", "receiver"), [("page", "on-call"), ("ticket", "tickets")])
def test_the_alertmanager_sends_pages_and_tickets_where_they_belong(severity: str, receiver: str) -> None:
    routed = said(program("amtool"), "config", "routes", "test", "--config.file=alertmanager.yml", f"severity={severity}")
    assert routed.split() == [receiver]


def matched(matchers: list[str], alert: dict[str, Any]) -> bool:
    """Tell whether an inhibition's matchers take an alert, as far as its name and urgency go."""
    labels = {"alertname": alert["alert"], **alert["labels"]}
    for matcher in matchers:
        found = re.fullmatch(r'(\w+) *(=~|=) *"(.*)"', matcher)
        assert found is not None, matcher
        name, how, value = found.groups()
        if not (re.fullmatch(value, labels[name]) if how == "=~" else labels[name] == value):
            return False
    return True


def inhibited() -> list[tuple[dict[str, Any], dict[str, Any], list[str]]]:
    """Return (the alert that silences, the one that is silenced, the labels in which they must agree)."""
    inhibitions = yaml.safe_load((FOLDER / "alertmanager.yml").read_text(encoding="utf-8"))["inhibit_rules"]
    return [
        (source, target, rule.get("equal", []))
        for rule in inhibitions
        for source in rules()
        for target in rules()
        if matched(rule["source_matchers"], source) and matched(rule["target_matchers"], target)
    ]


def test_a_final_breach_and_a_deadline_are_never_held_back() -> None:
    held = {target["alert"] for _, target, _ in inhibited()}
    assert held == {
        "SlaguardEvidenceInsufficient",
        "SlaguardReloadFailed",
        "SlaguardCaptureDropping",
        "SlaguardSidecarNotRecording",
        "SlaguardTrafficUnwatched",
    }


def test_an_alert_holds_back_another_only_by_labels_that_both_have() -> None:
    for source, target, equal in inhibited():
        if target["alert"] == "SlaguardTrafficUnwatched":
            assert equal == [], "the agent tells of it, and the sidecar of what is behind it"
            continue
        assert {"job", "instance"} <= {*equal}
        for alert in (source, target):
            assert {*equal} <= carried(promql.parse(alert["expr"])), (alert["alert"], equal)


# ── what is in them ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_committed_rules_are_the_generated_ones(golden: Callable[[Path, str], None]) -> None:
    golden(FOLDER / "rules" / "slaguard.yml", Rules().generate()["slaguard.yml"].decode())


def test_every_alert_that_was_promised_is_there_with_its_urgency() -> None:
    assert {rule["alert"]: rule["labels"]["severity"] for rule in rules()} == ASKED_FOR


def test_every_metric_and_label_of_a_rule_is_in_the_catalogue() -> None:
    for rule in rules():
        tree = promql.parse(rule["expr"])
        for selector in selectors(tree):
            (name,) = names(selector)
            if name == "up":
                continue  # Prometheus's own: 0 where a target does not answer
            assert metric_of(name) is not None, name
            assert {matcher.name for matcher in selector.matchers.matchers} <= labels_of(name)


def test_what_an_alert_tells_is_among_its_labels() -> None:
    for rule in rules():
        labels = carried(promql.parse(rule["expr"]))
        told = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        assert told <= labels, rule["alert"]


def test_a_figure_that_an_alert_looks_up_is_in_the_catalogue() -> None:
    for rule in rules():
        for name in re.findall(r"slaguard_\w+", rule["annotations"]["description"]):
            assert metric_of(name) is not None, name


def test_an_alert_leads_to_its_paragraph_and_to_a_board_that_is_there() -> None:
    page = (REPO / "docs" / "alerts.md").read_text(encoding="utf-8")
    for rule in rules():
        assert f"## {rule['alert']}\n" in page
        assert rule["annotations"]["runbook_url"] == f"docs/alerts.md#{rule['alert'].lower()}"
        uid = rule["annotations"]["dashboard_url"].split("/d/")[1].split("?")[0]
        assert (REPO / "grafana" / "dashboards" / f"{uid}.json").exists()


# ── options ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_links_lead_where_the_options_say() -> None:
    (first, *_) = rules(dashboard_url="https://grafana.example/g/", runbook_url="https://wiki.example/slaguard")
    assert first["annotations"]["runbook_url"] == "https://wiki.example/slaguard#slaguardobjectivebreach"
    board = "https://grafana.example/g/d/slaguard-sla-detail?var-sla={{ $labels.sla | urlquery }}"
    assert first["annotations"]["dashboard_url"] == board


def test_a_severity_can_be_renamed_and_one_alert_can_be_made_less_urgent() -> None:
    found = {r["alert"]: r["labels"]["severity"] for r in rules(severity=["page=critical", "SlaguardAbsent=ticket"])}
    assert found == {name: "critical" if s == "page" else s for name, s in ASKED_FOR.items()} | {"SlaguardAbsent": "ticket"}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"severity": ["page"]}, id="no word"),
        pytest.param({"severity": ["page=very urgent"]}, id="two words"),
        pytest.param({"severity": ["SlaguardAbsnet=page"]}, id="no such alert"),
        pytest.param({"dashboard_url": "https://x/{{ $labels.sla }}"}, id="a template"),
        pytest.param({"runbook_url": ""}, id="empty"),
        pytest.param({"runbook_url": "two words"}, id="a space"),
    ],
)
def test_an_option_that_would_spoil_the_file_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="--"):
        Rules(**options).generate()


def test_the_same_options_give_the_same_bytes() -> None:
    assert Rules().generate() == Rules().generate()
