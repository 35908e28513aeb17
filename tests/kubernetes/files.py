"""The manifests as kustomize puts them together, for the part of kustomize that they use; and what is in them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from slaguard_exporters.rules import Rules

REPO = Path(__file__).resolve().parents[2]
FOLDER = REPO / "exporters" / "kubernetes"
BASE = FOLDER / "base"
PLAIN = FOLDER / "overlays" / "plain-container"
KINDS_WITH_PODS = {"Deployment"}
KNOWN = {"apiVersion", "kind", "resources", "configMapGenerator", "labels", "images", "patches"}

Manifest = dict[str, Any]


def documents(path: Path) -> list[Any]:
    """Return what a YAML file holds."""
    return [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one is not None]


def kustomization(folder: Path) -> Manifest:
    """Return a folder's kustomization; it may ask for nothing that `render` does not do."""
    (found,) = documents(folder / "kustomization.yaml")
    assert set(found) <= KNOWN, set(found) - KNOWN
    return dict(found)


def render(folder: Path) -> list[Manifest]:
    """Return the manifests that ``kubectl apply -k`` would send. The hash behind a ConfigMap's name is left out."""
    asked = kustomization(folder)
    found: list[Manifest] = []
    for name in asked.get("resources", ()):
        path = (folder / name).resolve()
        found += render(path) if path.is_dir() else documents(path)
    found += [_config_map(folder, one) for one in asked.get("configMapGenerator", ())]
    for patch in asked.get("patches", ()):
        _patch(found, patch, folder)
    for one in asked.get("labels", ()):
        _label(found, one)
    for image in asked.get("images", ()):
        _name_image(found, image)
    return found


def _config_map(folder: Path, asked: Manifest) -> Manifest:
    files = {Path(name).name: (folder / name).read_text("utf-8") for name in asked["files"]}
    labels = dict(asked.get("options", {}).get("labels", {}))
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": asked["name"], "labels": labels}, "data": files}


def _label(found: list[Manifest], asked: Manifest) -> None:
    for one in found:
        one["metadata"].setdefault("labels", {}).update(asked["pairs"])
        if asked.get("includeTemplates") and one["kind"] in KINDS_WITH_PODS:
            one["spec"]["template"]["metadata"]["labels"].update(asked["pairs"])


def _name_image(found: list[Manifest], asked: Manifest) -> None:
    for one in found:
        for container in containers(one):
            name, _, _ = container["image"].partition(":")
            if name == asked["name"]:
                container["image"] = f"{asked['newName']}:{asked['newTag']}"


def _patch(found: list[Manifest], asked: Manifest, folder: Path) -> None:
    target = asked["target"]
    (one,) = [m for m in found if (m["kind"], m["metadata"]["name"]) == (target["kind"], target["name"])]
    ((operations),) = documents(folder / asked["path"])
    for operation in operations:
        _apply(one, operation)


def _apply(document: Any, operation: Manifest) -> None:
    """Apply one operation of a JSON patch (RFC 6902)."""
    match operation["op"]:
        case "add":
            _add(document, operation["path"], operation["value"])
        case "remove":
            _remove(document, operation["path"])
        case "move":
            _add(document, operation["path"], _remove(document, operation["from"]))
        case other:
            raise AssertionError(other)


def _holder(document: Any, pointer: str) -> tuple[Any, str]:
    *way, last = pointer.removeprefix("/").split("/")
    for step in way:
        document = document[int(step) if isinstance(document, list) else step]
    return document, last


def _add(document: Any, pointer: str, value: Any) -> None:
    holder, last = _holder(document, pointer)
    if isinstance(holder, list):
        assert int(last) <= len(holder)
        holder.insert(int(last), copy.deepcopy(value))
    else:
        holder[last] = copy.deepcopy(value)


def _remove(document: Any, pointer: str) -> Any:
    holder, last = _holder(document, pointer)
    return holder.pop(int(last) if isinstance(holder, list) else last)


# ── what is in them ─────────────────────────────────────────────────────────────────────────────────────────────────
def pod(manifest: Manifest) -> Manifest:
    """Return the Pod's spec of a workload."""
    spec: Manifest = manifest["spec"]["template"]["spec"]
    return spec


def containers(manifest: Manifest) -> Iterator[Manifest]:
    """Yield a workload's containers, those that start first before the others."""
    if manifest["kind"] in KINDS_WITH_PODS:
        yield from pod(manifest).get("initContainers", ())
        yield from pod(manifest)["containers"]


def one(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """Return the manifest of this kind and name."""
    (found,) = [m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def container(manifest: Manifest, name: str) -> Manifest:
    """Return a workload's container of this name."""
    (found,) = [c for c in containers(manifest) if c["name"] == name]
    return found


def mounts(manifest: Manifest, name: str) -> dict[str, tuple[Manifest, bool]]:
    """Return where a container has what: path → (volume, whether it may only be read)."""
    volumes = {volume["name"]: volume for volume in pod(manifest)["volumes"]}
    asked = container(manifest, name)["volumeMounts"]
    return {mount["mountPath"]: (volumes[mount["name"]], bool(mount.get("readOnly"))) for mount in asked}


# ── the rules ───────────────────────────────────────────────────────────────────────────────────────────────────────
HEAD = """\
# The alerts of exporters/prometheus/rules/slaguard.yml for the Prometheus Operator. Your own, with the addresses of your
# Grafana and your runbook: README.md says how.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: slaguard
  labels: # many a Prometheus looks only for rules with a label of its own: add it (`release: ...`)
    app.kubernetes.io/name: slaguard
    app.kubernetes.io/instance: slaguard-agent
    app.kubernetes.io/version: {version}
    app.kubernetes.io/component: agent
spec:
"""


def prometheus_rule(version: str) -> str:
    """Return the PrometheusRule: the generated file, two columns further in."""
    rules = Rules().generate()["slaguard.yml"].decode()
    return HEAD.format(version=version) + "".join(f"  {line}" if line.strip() else line for line in rules.splitlines(True))
