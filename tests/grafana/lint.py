"""What a board must hold to: each rule yields a sentence for each thing it finds wrong.

Modelled on the rules that Grafana's own linter states, and on what is ours: names from the catalogue, money by currency,
titles that are questions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any, Final

import promql_parser as promql

from slaguard_exporters._catalogue import SIDECAR
from tests.grafana.promql import carried, filled, labels_of, metric_of, names, parts, selectors, variables

Json = dict[str, Any]
Rule = Callable[[Json], Iterator[str]]
SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
UNITS: Final = frozenset({"percentunit", "s", "short", "locale", "none", "dateTimeAsIso"})
NOW: Final = re.compile(r"now(-\d+[smhdwMy])?(/[dwMy])?\Z")
LEGEND: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
LABEL_VALUES: Final = re.compile(r"label_values\((.*), (\w+)\)\Z")
OF_SIDECARS: Final = frozenset(metric.name for metric in SIDECAR)
MONEY: Final = frozenset({"slaguard_service_credit_amount", "slaguard_spend_total", "slaguard_budget_limit_amount"})


def lint(board: Json) -> list[str]:
    """Return everything that is wrong with a board."""
    return [f"{board.get('uid')}: {rule.__name__}: {finding}" for rule in RULES for finding in rule(board)]


def panels(board: Json) -> list[Json]:
    """Return the panels that ask something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board: Json) -> Iterator[tuple[str, str]]:
    """Yield (where, query) of every panel and annotation."""
    for panel in panels(board):
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target["expr"]
    for annotation in board["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["expr"]


def asked(board: Json) -> Iterator[tuple[str, str]]:
    """Yield (variable, selector) of every variable that Prometheus is asked for."""
    for variable in board["templating"]["list"]:
        found = LABEL_VALUES.match(variable["query"]["query"]) if variable["type"] == "query" else None
        if found is not None:
            yield variable["name"], found[1]


def parsed(text: str) -> Any:
    """Return a query's tree, or None where it has none."""
    try:
        return promql.parse(filled(text, dict.fromkeys(variables(text), "x")))
    except ValueError:
        return None


def trees(board: Json) -> Iterator[tuple[str, Any]]:
    """Yield (where, tree) of every query that can be read."""
    for where, text in queries(board):
        if (tree := parsed(text)) is not None:
            yield where, tree


# ── variables ───────────────────────────────────────────────────────────────────────────────────────────────────────
def template_datasource(board: Json) -> Iterator[str]:
    found = [v for v in board["templating"]["list"] if v["type"] == "datasource"]
    if [(v["name"], v["query"]) for v in found] != [("datasource", "prometheus")]:
        yield "there must be one data source variable: datasource, of Prometheus"


def template_job_and_instance(board: Json) -> Iterator[str]:
    there = {v["name"]: v for v in board["templating"]["list"]}
    for name in ("job", "instance"):
        if not (name in there and there[name]["multi"] and there[name]["includeAll"]):
            yield f"there must be a variable {name} of several values or all"


def variable_is_there(board: Json) -> Iterator[str]:
    there = {v["name"] for v in board["templating"]["list"]}
    texts = [*queries(board), *asked(board), *((link["title"], link["url"]) for link in board["links"])]
    for where, text in texts:
        for name in sorted(variables(text) - there):
            yield f"{where}: there is no variable {name}"


def variable_query(board: Json) -> Iterator[str]:
    for variable in board["templating"]["list"]:
        if variable["type"] == "query" and not LABEL_VALUES.match(variable["query"]["query"]):
            yield f"variable {variable['name']}: {variable['query']['query']} is not label_values(selector, label)"
    for name, text in asked(board):
        tree = parsed(text)
        if tree is None:
            yield f"variable {name}: {text} is no PromQL"
        elif name not in carried(tree):
            yield f"variable {name}: no such label on {text}"


# ── panels ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def panel_datasource(board: Json) -> Iterator[str]:
    for panel in panels(board):
        for where, found in ((panel["title"], panel), *((f"{panel['title']} {t['refId']}", t) for t in panel["targets"])):
            if found.get("datasource") != SOURCE:
                yield f"{where}: the data source is not ${{datasource}}"
    others = [v for v in board["templating"]["list"] if v["type"] == "query"]
    for found in [*others, *board["annotations"]["list"]]:
        if found.get("datasource") != SOURCE:
            yield f"{found['name']}: the data source is not ${{datasource}}"


def panel_title_description(board: Json) -> Iterator[str]:
    for panel in board["panels"]:
        if not panel["title"].endswith("?"):
            yield f"{panel['title']!r} is no question"
        if panel["type"] != "row" and not panel.get("description", "").endswith("."):
            yield f"{panel['title']}: its description is no sentence"


def panel_units(board: Json) -> Iterator[str]:
    for panel in panels(board):
        if panel["fieldConfig"]["defaults"].get("unit") not in UNITS:
            yield f"{panel['title']}: no unit that is used here"
        for override in panel["fieldConfig"]["overrides"]:
            yield from (
                f"{panel['title']}: {override['matcher']['options']} has the unit {p['value']}"
                for p in override["properties"]
                if p["id"] == "unit" and p["value"] not in UNITS
            )


def panel_table_columns(board: Json) -> Iterator[str]:
    for panel in panels(board):
        if panel["type"] != "table":
            continue
        organize: Json = next((t["options"] for t in panel["transformations"] if t["id"] == "organize"), {})
        shown, hidden = organize.get("renameByName", {}), organize.get("excludeByName", {})
        labels = [carried(tree) for t in panel["targets"] if (tree := parsed(t["expr"])) is not None]
        single = len(panel["targets"]) == 1
        values = {"Value" if single else f"Value #{t['refId']}" for t in panel["targets"]}
        there = frozenset().union(*labels) | values | {"Time"}
        yield from (f"{panel['title']}: no query brings the column {name}" for name in sorted(set(shown) - there))
        yield from (f"{panel['title']}: {name} is neither a column nor hidden" for name in sorted(there - {*shown, *hidden}))


def panel_places(board: Json) -> Iterator[str]:
    for panel in board["panels"]:
        if panel["gridPos"]["x"] + panel["gridPos"]["w"] > 24:
            yield f"{panel['title']}: it is wider than the board"
    for one, other in combinations(board["panels"], 2):
        a, b = one["gridPos"], other["gridPos"]
        apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"] or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
        if not apart:
            yield f"{one['title']} and {other['title']} lie on each other"


def unique_ids(board: Json) -> Iterator[str]:
    ids = [panel["id"] for panel in board["panels"]]
    yield from (f"the id {one} stands twice" for one in sorted({i for i in ids if ids.count(i) > 1}))
    for panel in panels(board):
        refs = [target["refId"] for target in panel["targets"]]
        if not all(refs) or len(set(refs)) != len(refs):
            yield f"{panel['title']}: refIds {refs}"
    if not board.get("uid"):
        yield "it has no uid"


# ── queries ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def target_promql(board: Json) -> Iterator[str]:
    for where, text in queries(board):
        if parsed(text) is None:
            yield f"{where}: {text} is no PromQL"


def target_rate_interval(board: Json) -> Iterator[str]:
    for where, text in queries(board):
        for function, span in re.findall(r"\b(rate|irate|increase|delta)\([^\[\]]*\[([^\]]*)\]", text):
            allowed = {"$__rate_interval"} | ({"$__range", "1d"} if function == "increase" else set())
            if span not in allowed:
                yield f"{where}: {function} over [{span}]"


def target_names(board: Json) -> Iterator[str]:
    for where, tree in [*trees(board), *((n, t) for n, s in asked(board) if (t := parsed(s)) is not None)]:
        for selector in selectors(tree):
            yield from (f"{where}: there is no metric {name}" for name in names(selector) if metric_of(name) is None)
            known = frozenset().union(*map(labels_of, names(selector))) | {"__name__"}
            used = {matcher.name for matcher in selector.matchers.matchers}
            yield from (f"{where}: {names(selector)} has no label {label}" for label in sorted(used - known))
        yield from _grouped(where, tree)


def _grouped(where: str, tree: Any) -> Iterator[str]:
    there = frozenset().union(*(labels_of(name) for s in selectors(tree) for name in names(s)))
    for node in parts(tree):
        words: list[str] = []
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            words = node.modifier.labels
        if isinstance(node, promql.BinaryExpr) and node.modifier is not None and node.modifier.matching is not None:
            words = node.modifier.matching.labels
        yield from (f"{where}: nothing here has the label {label}" for label in words if label not in there)


def target_legend(board: Json) -> Iterator[str]:
    for panel in panels(board):
        for target in panel["targets"]:
            tree = parsed(target["expr"])
            gone = sorted({*LEGEND.findall(target["legendFormat"])} - (frozenset() if tree is None else carried(tree)))
            yield from (f"{panel['title']} {target['refId']}: its series carry no {label}" for label in gone)


def target_job_and_instance(board: Json) -> Iterator[str]:
    """The variables are about agents: a sidecar is a target of another job, and is never chosen by them."""
    for where, tree in trees(board):
        for selector in selectors(tree):
            used = {matcher.name for matcher in selector.matchers.matchers}
            if OF_SIDECARS & {*names(selector)}:
                yield from (f"{where}: {name} would hide every sidecar" for name in sorted(used & {"job", "instance"}))
            elif not used >= {"job", "instance"}:
                yield f"{where}: {selector.name} is not narrowed to the job and instance chosen"


def money_by_currency(board: Json) -> Iterator[str]:
    for where, tree in trees(board):
        money = [s for s in selectors(tree) if MONEY & {*names(s)}]
        if not money:
            continue
        if not all("currency" in {m.name for m in s.matchers.matchers} for s in money):
            yield f"{where}: it asks for money without choosing a currency"
        if "currency" not in carried(tree):
            yield f"{where}: it adds up amounts of different currencies"


def no_absolute_time(board: Json) -> Iterator[str]:
    for end in ("from", "to"):
        if not NOW.match(str(board["time"][end])):
            yield f"time.{end} is {board['time'][end]}"
    for where, tree in trees(board):
        for selector in selectors(tree):
            if selector.at is not None:
                yield f"{where}: it asks at a fixed time"


def links_keep_the_time(board: Json) -> Iterator[str]:
    if not board["links"]:
        yield "no link leads to another board"
    for link in board["links"]:
        carries = link["includeVars"] or "var-datasource=" in link["url"]
        if not (link["keepTime"] and carries):
            yield f"{link['title']}: it loses the time or what was chosen"


def model(board: Json) -> Iterator[str]:
    if board["schemaVersion"] != 39 or "slaguard" not in board["tags"]:
        yield "schemaVersion is 39, and slaguard is a tag"
    yield from (f"{panel['title']}: its options are null" for panel in panels(board) if panel.get("options") is None)


RULES: Final[tuple[Rule, ...]] = (
    template_datasource, template_job_and_instance, variable_is_there, variable_query, panel_datasource,
    panel_title_description, panel_units, panel_table_columns, panel_places, unique_ids, target_promql, target_rate_interval,
    target_names, target_legend, target_job_and_instance, money_by_currency, no_absolute_time, links_keep_the_time, model,
)  # fmt: skip
