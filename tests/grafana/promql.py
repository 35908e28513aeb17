"""PromQL as the boards write it: variables filled in, and which labels an expression's series carry."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import promql_parser as promql

from slaguard_exporters._catalogue import BY_NAME, Kind, Metric

VARIABLE: Final = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$(\w+)")
TARGET: Final = frozenset({"job", "instance"})
SUFFIXES: Final = ("_bucket", "_sum", "_count")
BUILT_IN: Final[Mapping[str, str]] = {"__rate_interval": "5m", "__interval": "1m", "__range": "1h"}


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a query with its variables replaced, Grafana's own included."""
    known = {**BUILT_IN, **values}
    return VARIABLE.sub(lambda found: known[found[1] or found[2]], text)


def variables(text: str) -> set[str]:
    """Return the names of the variables in a text, without Grafana's own."""
    return {name for found in VARIABLE.finditer(text) if not (name := found[1] or found[2]).startswith("__")}


def parts(expression: Any) -> list[Any]:
    """Return an expression and everything in it."""
    found: list[Any] = []
    promql.walk(expression, found.append)
    return found


def selectors(expression: Any) -> list[Any]:
    """Return every selector, each once."""
    seen = {id(node): node for node in parts(expression) if isinstance(node, promql.VectorSelector)}
    return list({str(node): node for node in seen.values()}.values())


def names(selector: Any) -> list[str]:
    """Return the metrics a selector names: by its name, or by a plain alternative of names."""
    if selector.name:
        return [selector.name]
    return [name for m in selector.matchers.matchers if m.name == "__name__" for name in m.value.split("|")]


def metric_of(name: str) -> Metric | None:
    """Return the metric of the catalogue that a series' name belongs to."""
    if name in BY_NAME:
        return None if BY_NAME[name].kind is Kind.HISTOGRAM else BY_NAME[name]
    for suffix in SUFFIXES:
        metric = BY_NAME.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if metric is not None and metric.kind is Kind.HISTOGRAM:
            return metric
    return None


def labels_of(name: str) -> frozenset[str]:
    """Return the labels of a series of this name, as scraped."""
    metric = metric_of(name)
    if metric is None:
        return frozenset()
    return TARGET | {*metric.labels} | ({"le"} if name.endswith("_bucket") else set())


def carried(expression: Any) -> frozenset[str]:
    """Return the labels that the series of an expression's answer carry."""
    for kind, look in _CARRIED.items():
        if isinstance(expression, kind):
            return look(expression)
    return frozenset()


def _selector(node: Any) -> frozenset[str]:
    return frozenset().union(*map(labels_of, names(node)))


def _aggregate(node: Any) -> frozenset[str]:
    if node.modifier is None:
        return frozenset()
    inner = carried(node.expr)
    by = node.modifier.type == promql.AggModifierType.By
    return inner & {*node.modifier.labels} if by else inner - {*node.modifier.labels}


def _binary(node: Any) -> frozenset[str]:
    left, right = carried(node.lhs), carried(node.rhs)
    word = str(node.op)
    if word == "or":
        return left | right
    if word in {"and", "unless"} or not right:
        return left
    return left or right


def _call(node: Any) -> frozenset[str]:
    inner = frozenset().union(*map(carried, node.args))
    return inner - {"le"} if node.func.name == "histogram_quantile" else inner


_CARRIED: Final[Mapping[type, Callable[[Any], frozenset[str]]]] = {
    promql.VectorSelector: _selector,
    promql.MatrixSelector: lambda node: _selector(node.vector_selector),
    promql.AggregateExpr: _aggregate,
    promql.BinaryExpr: _binary,
    promql.Call: _call,
    promql.ParenExpr: lambda node: carried(node.expr),
    promql.UnaryExpr: lambda node: carried(node.expr),
}
