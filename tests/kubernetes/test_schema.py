"""Every manifest is what the API of Kubernetes and of the Prometheus Operator takes, looked at without a cluster."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any, Final

import jsonschema
import pytest

from tests.conftest import absent
from tests.kubernetes.files import BASE, PLAIN, Manifest, render

OURS: Final = "monitoring.coreos.com/v1"
SINCE_NATIVE: Final = ("1.29", "1.31", "1.33", "1.35", "1.37")
BEFORE: Final = ("1.25", "1.27", *SINCE_NATIVE)


def validator() -> Any:
    """Return kubernetes-validate, which brings the schemas of each release."""
    if importlib.util.find_spec("kubernetes_validate") is None:
        absent("kubernetes-validate is not installed: make install")
    return importlib.import_module("kubernetes_validate")


@pytest.mark.parametrize("version", SINCE_NATIVE)
def test_kubernetes_accepts_every_manifest_of_the_base(version: str) -> None:
    check = validator()
    for one in render(BASE):
        if one["apiVersion"] != OURS:
            check.validate(one, version, strict=True)


@pytest.mark.parametrize("version", BEFORE)
def test_older_kubernetes_too_accepts_the_plain_container(version: str) -> None:
    check = validator()
    for one in render(PLAIN):
        if one["apiVersion"] != OURS:
            check.validate(one, version, strict=True)


def test_the_check_finds_a_field_that_is_misspelt() -> None:
    check = validator()
    (chat,) = [m for m in render(BASE) if m["metadata"]["name"] == "chat"]
    chat["spec"]["template"]["spec"]["initContainers"][0]["readynessProbe"] = {}
    with pytest.raises(check.ValidationError, match="readynessProbe"):
        check.validate(chat, SINCE_NATIVE[-1], strict=True)


# ── the Prometheus Operator's kinds: the fields that are used here, as its API reference (monitoring.coreos.com/v1) has them ──
def closed(*needed: str, **fields: Any) -> dict[str, Any]:
    """Return the schema of an object that has these fields and no others."""
    return {"type": "object", "properties": fields, "required": list(needed), "additionalProperties": False}


def listed(of: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a list that has something in it."""
    return {"type": "array", "items": of, "minItems": 1}


TEXT: Final = {"type": "string", "minLength": 1}
TEXTS: Final = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION: Final = {
    "type": "string",
    "pattern": "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?)$",
}
PLACE: Final = {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$"}
"""A port's name."""
ENDPOINT: Final = closed("port", port=PLACE, path={"type": "string", "pattern": "^/"}, interval=DURATION)
SELECTOR: Final = closed(matchLabels=TEXTS)
RULE: Final = closed(
    "alert", "expr", "labels", "annotations",
    alert=TEXT, expr=TEXT, labels=TEXTS, annotations=TEXTS, **{"for": DURATION},
)  # fmt: skip
SPECS: Final = {
    "PodMonitor": closed("selector", "podMetricsEndpoints", selector=SELECTOR, podMetricsEndpoints=listed(ENDPOINT)),
    "ServiceMonitor": closed("selector", "endpoints", selector=SELECTOR, endpoints=listed(ENDPOINT)),
    "PrometheusRule": closed("groups", groups=listed(closed("name", "rules", name=TEXT, rules=listed(RULE)))),
}


def own_kinds() -> list[Manifest]:
    return [one for one in render(BASE) if one["apiVersion"] == OURS]


def test_there_is_one_of_each_kind_of_the_prometheus_operator() -> None:
    assert sorted(one["kind"] for one in own_kinds()) == sorted(SPECS)


@pytest.mark.parametrize("kind", SPECS)
def test_the_prometheus_operators_kinds_have_known_fields_alone(kind: str) -> None:
    (one,) = [m for m in own_kinds() if m["kind"] == kind]
    assert set(one) == {"apiVersion", "kind", "metadata", "spec"}
    jsonschema.Draft202012Validator(SPECS[kind]).validate(one["spec"])
