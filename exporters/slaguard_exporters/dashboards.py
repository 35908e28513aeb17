"""Grafana's boards: an overview for whoever manages vendors, and one Agreement in detail.

A board shows figures and reaches none: no query computes a verdict, a credit or an interval.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from slaguard_exporters import _detail, _overview
from slaguard_exporters._panels import SOURCE, Json, Panel, lay, source_variable
from slaguard_exporters._shared import AGREEMENT, common_variables, last_variables

TAG: Final = "slaguard"
SCHEMA: Final = 39
_INPUT: Final = "DS_PROMETHEUS"
_GRAFANA: Final = "10.4.0"
_KINDS: Final = {
    "table": "Table", "stat": "Stat", "timeseries": "Time series", "state-timeline": "State timeline", "heatmap": "Heatmap",
}  # fmt: skip
_TO_DETAIL: Final = (
    f"/d/{_detail.UID}?var-datasource=${{datasource}}&${{job:queryparam}}&${{instance:queryparam}}&${{vendor:queryparam}}"
    "&${model:queryparam}&${currency:queryparam}"
)


@dataclass(frozen=True, slots=True)
class Dashboards:
    """Writes one JSON file a board, in Grafana's classic model."""

    portable: bool = False
    """For an import by hand or a public collection: Grafana asks for the data source, and the board may be edited."""

    def generate(self) -> Mapping[str, bytes]:
        """Return the boards by file name."""
        boards = (
            # The detail board is about one Agreement, so the choice of several must not be carried over to it.
            self._board(_overview, _link("One Agreement in detail", _TO_DETAIL, carry=False)),
            self._board(_detail, _link("All promises", f"/d/{_overview.UID}", carry=True)),
        )
        return {f"{board['uid']}.json": (json.dumps(board, indent=2, ensure_ascii=False) + "\n").encode() for board in boards}

    def _board(self, about: Any, link: Json) -> Json:
        rows: Sequence[tuple[str, Sequence[Panel]]] = about.ROWS
        panels = lay(rows)
        board = {
            "uid": about.UID,
            "title": about.TITLE,
            "tags": [TAG],
            "schemaVersion": SCHEMA,
            "version": 1,
            "editable": self.portable,
            "graphTooltip": 1,
            "refresh": "1m",
            "time": {"from": "now-7d", "to": "now"},
            "timezone": "",
            "links": [link],
            "annotations": {"list": [_over_the_limit()]},
            "templating": {"list": [source_variable(), *common_variables(), *about.variables(), *last_variables()]},
            "panels": panels,
        }
        return {**_asking(board), **board} if self.portable else board


def _link(title: str, url: str, *, carry: bool) -> Json:
    return {
        "title": title, "type": "link", "url": url, "icon": "dashboard", "tooltip": "", "tags": [], "asDropdown": False,
        "targetBlank": False, "keepTime": True, "includeVars": carry,
    }  # fmt: skip


def _over_the_limit() -> Json:
    """Mark on every chart when a promise was over its limit."""
    return {
        "name": "Over the limit",
        "datasource": dict(SOURCE),
        "enable": True,
        "iconColor": "red",
        "expr": f"max by (sla, objective) (slaguard_objective_to_date_breaching{{{AGREEMENT}}}) == 1",
        "step": "60s",
        "titleFormat": "{{sla}} {{objective}}",
        "textFormat": "over the limit so far in this period",
        "tagKeys": "",
    }


def _asking(board: Json) -> Json:
    """Return what makes Grafana ask for the data source, which becomes the variable's value, when a board is imported."""
    board["templating"]["list"][0]["current"] = {"text": f"${{{_INPUT}}}", "value": f"${{{_INPUT}}}"}
    kinds = sorted({panel["type"] for panel in board["panels"]} & set(_KINDS))
    needed = [
        {"type": "grafana", "id": "grafana", "name": "Grafana", "version": _GRAFANA},
        {"type": "datasource", "id": "prometheus", "name": "Prometheus", "version": "1.0.0"},
        *({"type": "panel", "id": kind, "name": _KINDS[kind], "version": ""} for kind in kinds),
    ]
    asked = {
        "name": _INPUT, "label": "Prometheus", "description": "The Prometheus that scrapes slaguard", "type": "datasource",
        "pluginId": "prometheus", "pluginName": "Prometheus",
    }  # fmt: skip
    return {"__inputs": [asked], "__requires": needed}
