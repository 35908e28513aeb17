"""Every rule of the linter bites, and bites only what it is about."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache

import pytest

from slaguard_exporters.dashboards import Dashboards
from tests.grafana.lint import RULES, Json, lint, panels

Change = Callable[[Json], object]


@cache
def boards() -> dict[str, str]:
    return {name: content.decode() for name, content in Dashboards().generate().items()}


def board(name: str = "slaguard-overview.json") -> Json:
    found: Json = json.loads(boards()[name])
    return found


def panel(found: Json, kind: str, nth: int = 0) -> Json:
    return [p for p in panels(found) if p["type"] == kind][nth]


def named(found: Json, name: str) -> Json:
    variable: Json = next(v for v in found["templating"]["list"] if v["name"] == name)
    return variable


def expr(kind: str, text: str, nth: int = 0) -> Change:
    return lambda b: panel(b, kind, nth)["targets"][0].update(expr=text)


WHO = 'job=~"$job", instance=~"$instance"'
BITES: list[tuple[str, Change]] = [
    ("template_datasource", lambda b: named(b, "datasource").update(query="loki")),
    ("template_datasource", lambda b: named(b, "datasource").update(name="ds")),
    ("template_job_and_instance", lambda b: named(b, "job").update(multi=False)),
    ("variable_is_there", lambda b: named(b, "vendor").update(name="seller")),
    ("variable_is_there", lambda b: b["links"][0].update(url="/d/x?${wrong:queryparam}&var-datasource=${datasource}")),
    ("variable_query", lambda b: named(b, "sla")["query"].update(query="query_result(slaguard_sla_info)")),
    ("variable_query", lambda b: named(b, "sla")["query"].update(query="label_values(slaguard_build_info, sla)")),
    ("variable_query", lambda b: named(b, "sla")["query"].update(query="label_values(slaguard_sla_info{, sla)")),
    ("panel_datasource", lambda b: panel(b, "table").update(datasource={"type": "prometheus", "uid": "abc"})),
    ("panel_datasource", lambda b: panel(b, "table")["targets"][1].pop("datasource")),
    ("panel_datasource", lambda b: named(b, "job").update(datasource=None)),
    ("panel_title_description", lambda b: panel(b, "stat").update(title="Claimable")),
    ("panel_title_description", lambda b: panel(b, "stat").update(description="")),
    ("panel_units", lambda b: panel(b, "timeseries")["fieldConfig"]["defaults"].update(unit="ms")),
    ("panel_units", lambda b: panel(b, "timeseries")["fieldConfig"]["defaults"].pop("unit")),
    (
        "panel_units",
        lambda b: panel(b, "table")["fieldConfig"]["overrides"].append(
            {"matcher": {"id": "byName", "options": "x"}, "properties": [{"id": "unit", "value": "percent"}]}
        ),
    ),
    ("panel_table_columns", lambda b: panel(b, "table")["transformations"][1]["options"]["renameByName"].update(model="m")),
    ("panel_table_columns", lambda b: panel(b, "table")["transformations"][1]["options"]["renameByName"].pop("scope")),
    ("panel_places", lambda b: panel(b, "stat")["gridPos"].update(w=25)),
    ("panel_places", lambda b: panel(b, "stat")["gridPos"].update(w=9)),
    ("unique_ids", lambda b: panel(b, "stat").update(id=1)),
    ("unique_ids", lambda b: panel(b, "timeseries")["targets"][0].update(refId="B")),
    ("unique_ids", lambda b: panel(b, "timeseries")["targets"][0].update(refId="")),
    ("unique_ids", lambda b: b.update(uid="")),
    ("target_promql", expr("stat", "sum by (currency (x)")),
    ("target_rate_interval", expr("timeseries", f"sum by (sla) (rate(slaguard_indicator_events_total{{{WHO}}}[5m]))")),
    ("target_rate_interval", expr("timeseries", f"sum by (sla) (increase(slaguard_indicator_events_total{{{WHO}}}[2h]))")),
    ("target_names", expr("timeseries", f"max by (sla, objective) (slaguard_objective_measurement_percent{{{WHO}}})")),
    ("target_names", expr("timeseries", f'max by (sla, objective) (slaguard_objective_events{{{WHO}, region="eu"}})')),
    ("target_names", expr("timeseries", f"max by (sla, objective, region) (slaguard_objective_events{{{WHO}}})")),
    ("target_names", expr("timeseries", f"max by (sla, objective) (slaguard_probe_duration_seconds{{{WHO}}})")),
    ("target_legend", lambda b: panel(b, "timeseries")["targets"][0].update(legendFormat="{{customer}}")),
    ("target_job_and_instance", expr("timeseries", 'max by (sla, objective) (slaguard_objective_events{job=~"$job"})')),
    ("target_job_and_instance", expr("timeseries", 'sum(rate(slaguard_sidecar_calls_seen_total{job=~"$job"}[1m]))')),
    ("money_by_currency", expr("stat", f"sum by (currency) (slaguard_service_credit_amount{{{WHO}}})")),
    ("money_by_currency", expr("stat", f'sum by (sla) (slaguard_service_credit_amount{{{WHO}, currency=~"$currency"}})')),
    ("no_absolute_time", lambda b: b["time"].update({"from": "2026-10-01T00:00:00Z"})),
    ("no_absolute_time", expr("timeseries", f"max by (sla, objective) (slaguard_objective_events{{{WHO}}} @ 1790812800)")),
    ("links_keep_the_time", lambda b: b["links"][0].update(keepTime=False)),
    ("links_keep_the_time", lambda b: b.update(links=[])),
    ("model", lambda b: b.update(schemaVersion=16)),
    ("model", lambda b: b.update(tags=[])),
    ("model", lambda b: panel(b, "stat").update(options=None)),
]


@pytest.mark.parametrize(("rule", "change"), [pytest.param(r, c, id=f"{r}-{i}") for i, (r, c) in enumerate(BITES)])
def test_a_rule_bites(rule: str, change: Change) -> None:
    found = copy.deepcopy(board())
    change(found)
    assert f": {rule}: " in "\n".join(lint(found))


def test_every_rule_is_shown_to_bite() -> None:
    assert {rule.__name__ for rule in RULES} == {rule for rule, _ in BITES}


@pytest.mark.parametrize("portable", [False, True], ids=["provisioned", "portable"])
def test_our_boards_hold_to_every_rule(portable: bool) -> None:
    for content in Dashboards(portable=portable).generate().values():
        assert lint(json.loads(content)) == []
