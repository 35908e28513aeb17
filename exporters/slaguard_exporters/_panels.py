"""Grafana's classic dashboard model (schema 39), as far as the boards need it: panels in, a dict out.

Every panel and every query names the data source by the variable, so that a file works wherever it is provisioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Final

Json = dict[str, Any]

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
GRID: Final = 24
GREEN, RED, ORANGE, BLUE, GREY = "green", "red", "orange", "blue", "text"
VERDICTS: Final = (("breach", RED), ("inconclusive", ORANGE), ("insufficient", BLUE), ("compliant", GREEN))
"""The four words, worst first, each with its colour."""


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL query; `now` asks for the value at the end of the time shown instead of its course."""

    expr: str
    legend: str = ""
    now: bool = False
    format: str = "time_series"
    dashed: bool = False
    """Draw it thin and broken: a target, a bound, a minimum."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: a label or the value of a query (`A`, `B` ...), under its heading."""

    of: str
    title: str
    unit: str = ""
    width: int = 0
    decimals: int | None = None
    words: Sequence[tuple[str, str, str]] = ()
    """(value, text, colour): what is shown for a value."""
    link: str = ""
    loud: bool = False
    """Fill the cell with the colour, instead of writing in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel: a question, what it shows, and the queries that answer it."""

    kind: str
    title: str
    description: str
    queries: Sequence[Query]
    unit: str = "short"
    width: int = 12
    height: int = 8
    decimals: int | None = None
    columns: Sequence[Column] = ()
    sort: str = ""
    """The heading that a table is sorted by, ascending."""
    words: Sequence[tuple[str, str, str]] = ()
    steps: Sequence[tuple[float | None, str]] = ((None, GREEN),)
    low: float | None = None
    """The least that the axis shows."""
    stacked: bool = False
    empty: str = "nothing"

    def build(self, number: int, x: int, y: int) -> Json:
        """Return the panel's JSON at a place of the grid."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": dict(SOURCE),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [_target(query, ascii_uppercase[i]) for i, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": self._defaults(), "overrides": [*self._lines(), *_overrides(self.columns)]},
            "options": _options(self),
            "transformations": _transformations(self),
        }

    def _defaults(self) -> Json:
        steps = [{"value": value, "color": color} for value, color in self.steps]
        custom = dict(_CUSTOM.get(self.kind, {}))
        if self.stacked:
            custom |= {"drawStyle": "bars", "fillOpacity": 60, "stacking": {"mode": "normal", "group": "A"}}
        return {
            "unit": self.unit,
            "noValue": self.empty,
            "color": {"mode": "palette-classic" if self.kind == "timeseries" else "thresholds"},
            "thresholds": {"mode": "absolute", "steps": steps},
            "mappings": _mappings(self.words),
            "custom": custom,
            **({} if self.decimals is None else {"decimals": self.decimals}),
            **({} if self.low is None else {"min": self.low}),
        }

    def _lines(self) -> Iterator[Json]:
        for i, query in enumerate(self.queries):
            if query.dashed:
                style = [("lineStyle", {"fill": "dash", "dash": [6, 6]}), ("lineWidth", 1)]
                yield {
                    "matcher": {"id": "byFrameRefID", "options": ascii_uppercase[i]},
                    "properties": [{"id": f"custom.{name}", "value": value} for name, value in style],
                }


_CUSTOM: Final[Mapping[str, Json]] = {
    "timeseries": {
        "drawStyle": "line", "lineInterpolation": "stepAfter", "lineWidth": 2, "fillOpacity": 0, "showPoints": "never",
        "spanNulls": False,
    },
    "state-timeline": {"fillOpacity": 80, "lineWidth": 0},
    "table": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True},
}  # fmt: skip


def _options(panel: Panel) -> Json:
    if panel.kind == "table":
        return {
            "showHeader": True,
            "cellHeight": "sm",
            "sortBy": [{"displayName": panel.sort, "desc": False}] if panel.sort else [],
        }
    if panel.kind == "stat":
        calcs = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": calcs, "colorMode": "value", "graphMode": "none", "textMode": "auto", "justifyMode": "auto"}
    legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
    if panel.kind == "state-timeline":
        return {"mergeValues": True, "showValue": "auto", "alignValue": "left", "rowHeight": 0.85, "legend": legend}
    if panel.kind == "heatmap":
        color = {"mode": "scheme", "scheme": "Blues", "steps": 64, "exponent": 0.5, "reverse": False}
        axis = {"unit": panel.unit, "axisPlacement": "left"}
        return {"calculate": False, "cellGap": 1, "color": color, "yAxis": axis, "legend": {"show": True}}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": "none"}}


def _target(query: Query, ref: str) -> Json:
    return {
        "refId": ref,
        "datasource": dict(SOURCE),
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend,
        "format": query.format,
        "instant": query.now,
        "range": not query.now,
    }


def _transformations(panel: Panel) -> list[Json]:
    """Lay the answers of a table's queries side by side, a row for each set of labels, and name the columns."""
    if not panel.columns:
        return []
    shown = {_field(panel, column.of): column for column in panel.columns}
    hidden = {name: True for name in ("Time", *_values(panel)) if name not in shown}
    order = {name: i for i, name in enumerate(shown)}
    named = {name: column.title for name, column in shown.items()}
    return [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": hidden, "indexByName": order, "renameByName": named}},
    ]


def _values(panel: Panel) -> list[str]:
    return [_field(panel, ascii_uppercase[i]) for i in range(len(panel.queries))]


def _field(panel: Panel, of: str) -> str:
    if of not in ascii_uppercase:
        return of
    return "Value" if len(panel.queries) == 1 else f"Value #{of}"


def _overrides(columns: Sequence[Column]) -> list[Json]:
    return [found for column in columns if (found := _column(column))["properties"]]


def _column(column: Column) -> Json:
    asked: list[tuple[str, Any]] = [
        ("unit", column.unit), ("decimals", column.decimals), ("custom.width", column.width),
        ("mappings", _mappings(column.words)),
        ("custom.cellOptions", {"type": "color-background" if column.loud else "color-text"} if column.words else None),
        ("links", [{"title": "Look closer", "url": column.link}] if column.link else None),
    ]  # fmt: skip
    properties = [{"id": name, "value": value} for name, value in asked if value or (name == "decimals" and value is not None)]
    return {"matcher": {"id": "byName", "options": column.title}, "properties": properties}


def _mappings(words: Sequence[tuple[str, str, str]]) -> list[Json]:
    shown = {value: {"text": text, "color": color, "index": i} for i, (value, text, color) in enumerate(words)}
    return [{"type": "value", "options": shown}] if shown else []


def lay(rows: Sequence[tuple[str, Sequence[Panel]]]) -> list[Json]:
    """Return the panels of a board: each row's title, then its panels from left to right and down."""
    panels: list[Json] = []
    y = 0
    for title, row in rows:
        panels.append(_row(title, len(panels) + 1, y))
        x, y, tallest = 0, y + 1, 0
        for panel in row:
            if x + panel.width > GRID:
                x, y, tallest = 0, y + tallest, 0
            panels.append(panel.build(len(panels) + 1, x, y))
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest
    return panels


def _row(title: str, number: int, y: int) -> Json:
    place = {"x": 0, "y": y, "w": GRID, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def variable(name: str, label: str, query: str, *, one: bool = False, every: str = "", regex: str = "") -> Json:
    """Return a variable whose values Prometheus tells; `one` value only, else several or all; `every` stands for all."""
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": dict(SOURCE),
        "definition": query,
        "query": {"query": query, "refId": f"{name}-values"},
        "refresh": 2,
        "regex": regex,
        "sort": 1,
        "hide": 0,
        "multi": not one,
        "includeAll": not one,
        "allValue": every or None,
        "current": {} if one else {"text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def source_variable() -> Json:
    """Return the variable that names the data source."""
    return {
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "regex": "",
        "hide": 0, "multi": False, "includeAll": False, "current": {}, "options": [],
    }  # fmt: skip
