"""exporters/kubernetes: nobody can apply it here, so everything that can be known without a cluster is checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import slaguard
from slaguard.cli.deployment import load_config
from slaguard.config import Listen, Sidecar, is_loopback
from slaguard.redact import Redactor
from tests.kubernetes.files import (
    BASE,
    FOLDER,
    KINDS_WITH_PODS,
    PLAIN,
    Manifest,
    container,
    containers,
    documents,
    kustomization,
    mounts,
    one,
    pod,
    prometheus_rule,
    render,
)  # fmt: skip

IMAGE = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z0-9.-]+)?\Z")
LABELS = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "version", "managed-by")}
CONFIG = load_config(BASE / "application" / "slaguard.yaml")
SIDECAR = CONFIG.sidecar or Sidecar.model_validate({})
WORKLOADS = [("base", "chat"), ("base", "slaguard-agent"), ("plain", "chat")]


def manifests(which: str) -> list[Manifest]:
    return render(BASE if which == "base" else PLAIN)


def workload(which: str, name: str) -> Manifest:
    return one(manifests(which), "Deployment", name)


# ── kustomize ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_every_file_belongs_to_a_kustomization_and_every_name_in_one_is_a_file() -> None:
    named: set[Path] = set()
    for found in FOLDER.rglob("kustomization.yaml"):
        asked = kustomization(found.parent)
        names = [*asked.get("resources", ()), *(n for one in asked.get("configMapGenerator", ()) for n in one["files"])]
        names += [patch["path"] for patch in asked.get("patches", ())]
        named |= {(found.parent / name).resolve() for name in names}
        named.add(found)
    there = {path for path in FOLDER.rglob("*") if path.suffix == ".yaml"}
    assert there <= named
    assert all(path.exists() for path in named)


def test_no_two_manifests_have_one_kind_and_name() -> None:
    for which in ("base", "plain"):
        found = [(m["kind"], m["metadata"]["name"]) for m in manifests(which)]
        assert len(found) == len(set(found))


def test_everything_carries_the_recommended_labels_and_ours_the_version_that_this_is() -> None:
    for which in ("base", "plain"):
        for found in manifests(which):
            labels = found["metadata"]["labels"]
            assert set(labels) >= LABELS, found["metadata"]["name"]
            if labels["app.kubernetes.io/name"] == "slaguard":
                assert labels["app.kubernetes.io/version"] == slaguard.__version__
            if found["kind"] in KINDS_WITH_PODS:
                assert set(found["spec"]["template"]["metadata"]["labels"]) >= LABELS


def test_a_workloads_selector_is_among_the_labels_of_its_pods_and_no_other_workload_answers_to_it() -> None:
    found = [m for m in manifests("base") if m["kind"] in KINDS_WITH_PODS]
    for mine in found:
        selector = mine["spec"]["selector"]["matchLabels"].items()
        hits = [m["metadata"]["name"] for m in found if selector <= m["spec"]["template"]["metadata"]["labels"].items()]
        assert hits == [mine["metadata"]["name"]]


# ── every container ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("which", "name"), WORKLOADS)
def test_images_are_pinned_by_a_whole_version(which: str, name: str) -> None:
    for found in containers(workload(which, name)):
        assert IMAGE.match(found["image"]), found["image"]
        if "slaguard" in found["image"]:
            assert found["image"].endswith(f":{slaguard.__version__}")


@pytest.mark.parametrize(("which", "name"), WORKLOADS)
def test_containers_run_as_nobody_without_rights_on_a_read_only_root(which: str, name: str) -> None:
    mine = workload(which, name)
    assert pod(mine)["automountServiceAccountToken"] is False
    assert pod(mine)["securityContext"]["runAsNonRoot"] is True
    for found in containers(mine):
        context = found["securityContext"]
        assert context["runAsNonRoot"] is True
        assert context["runAsUser"] > 10_000
        assert context["readOnlyRootFilesystem"] is True
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize(("which", "name"), WORKLOADS)
def test_every_container_asks_for_what_it_needs_and_its_memory_is_limited(which: str, name: str) -> None:
    for found in containers(workload(which, name)):
        assert {"cpu", "memory"} <= set(found["resources"]["requests"])
        assert "memory" in found["resources"]["limits"]


@pytest.mark.parametrize(("which", "name"), WORKLOADS)
def test_probes_ask_a_port_that_the_container_declares(which: str, name: str) -> None:
    for found in containers(workload(which, name)):
        ports = {port["name"]: port["containerPort"] for port in found.get("ports", ())}
        assert all(len(port) <= 15 for port in ports)
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            if kind in found:
                assert found[kind]["httpGet"]["port"] in ports
                assert found[kind]["httpGet"]["path"].startswith("/")


@pytest.mark.parametrize(("which", "name"), WORKLOADS)
def test_mounts_and_volumes_fit_together_and_every_claim_and_config_map_is_there(which: str, name: str) -> None:
    mine = workload(which, name)
    volumes = {volume["name"]: volume for volume in pod(mine)["volumes"]}
    used = {mount["name"] for found in containers(mine) for mount in found.get("volumeMounts", ())}
    assert used == set(volumes)
    for volume in volumes.values():
        if "configMap" in volume:
            one(manifests(which), "ConfigMap", volume["configMap"]["name"])
        elif "persistentVolumeClaim" in volume:
            one(manifests(which), "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
        else:
            assert "sizeLimit" in volume["emptyDir"]


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_no_manifest_holds_a_secret() -> None:
    redact = Redactor()
    for which in ("base", "plain"):
        for found in manifests(which):
            assert found["kind"] != "Secret"
            for name, text in found.get("data", {}).items():
                assert redact(text) == text, name
            for inside in containers(found):
                for variable in inside.get("env", ()):
                    assert redact(variable.get("value", "")) == variable.get("value", "")
                    if "KEY" in variable["name"]:
                        assert set(variable["valueFrom"]) == {"secretKeyRef"}


# ── Prometheus ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_pod_monitor_finds_the_sidecars_metrics() -> None:
    for which in ("base", "plain"):
        monitor, chat = one(manifests(which), "PodMonitor", "slaguard-sidecar"), workload(which, "chat")
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        assert wanted <= chat["spec"]["template"]["metadata"]["labels"].items()
        (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
        assert endpoint["path"] == "/metrics"
        ports = [port["name"] for found in containers(chat) for port in found.get("ports", ())]
        assert ports.count(endpoint["port"]) == 1
        assert endpoint["port"] in {port["name"] for port in container(chat, "slaguard")["ports"]}


def test_the_service_monitor_finds_the_agents_metrics_through_its_service() -> None:
    found = manifests("base")
    monitor, service = one(found, "ServiceMonitor", "slaguard-agent"), one(found, "Service", "slaguard")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,), (port,) = monitor["spec"]["endpoints"], service["spec"]["ports"]
    assert (endpoint["port"], endpoint["path"]) == (port["name"], "/metrics")
    agent = workload("base", "slaguard-agent")
    assert service["spec"]["selector"].items() <= agent["spec"]["template"]["metadata"]["labels"].items()
    (inside,) = container(agent, "agent")["ports"]
    assert (port["targetPort"], port["port"]) == (inside["name"], inside["containerPort"])


def test_the_network_policy_is_about_the_agent_and_lets_monitoring_reach_its_one_port() -> None:
    found = manifests("base")
    policy, agent = one(found, "NetworkPolicy", "slaguard-agent"), workload("base", "slaguard-agent")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= agent["spec"]["template"]["metadata"]["labels"].items()
    (rule,) = policy["spec"]["ingress"]
    assert [port["port"] for port in rule["ports"]] == [port["name"] for port in container(agent, "agent")["ports"]]


def test_the_rules_of_the_operator_are_the_generated_ones(golden: Callable[[Path, str], None]) -> None:
    golden(BASE / "agent" / "prometheusrule.yaml", prometheus_rule(slaguard.__version__))
    (whole,) = documents(BASE / "agent" / "prometheusrule.yaml")
    (rules,) = documents(FOLDER.parent / "prometheus" / "rules" / "slaguard.yml")
    assert whole["spec"] == rules


# ── the two kinds of sidecar ────────────────────────────────────────────────────────────────────────────────────────
def test_the_native_sidecar_starts_before_the_application_and_ends_after_it() -> None:
    (first,) = pod(workload("base", "chat"))["initContainers"]
    assert (first["name"], first["restartPolicy"]) == ("slaguard", "Always")
    assert "startupProbe" in first


def without(found: Manifest, *names: str) -> Manifest:
    return {key: value for key, value in found.items() if key not in names}


def test_the_plain_container_is_the_same_one_which_waits_for_the_application_before_it_ends() -> None:
    native, plain = (container(workload(which, "chat"), "slaguard") for which in ("base", "plain"))
    assert "initContainers" not in pod(workload("plain", "chat"))
    assert without(native, "restartPolicy") == without(plain, "lifecycle")
    assert [c["name"] for c in pod(workload("plain", "chat"))["containers"]] == ["chat", "slaguard"]
    (command, seconds) = plain["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    assert int(seconds) >= 30


def test_the_pods_grace_has_room_for_the_application_and_the_sidecars_own() -> None:
    for which in ("base", "plain"):
        chat = workload(which, "chat")
        waits = container(chat, "slaguard").get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", [0, 30])
        needed = int(waits[1]) + SIDECAR.grace / 1000
        assert pod(chat)["terminationGracePeriodSeconds"] >= needed + 10


def test_the_application_calls_where_the_sidecar_listens_which_is_loopback() -> None:
    chat = workload("base", "chat")
    (url,) = [v["value"] for v in container(chat, "chat")["env"] if v["name"] == "OPENAI_BASE_URL"]
    assert url == f"http://{SIDECAR.listen}/v1"
    assert is_loopback(SIDECAR.listen.host)
    ports = {port["name"]: port["containerPort"] for port in container(chat, "slaguard")["ports"]}
    assert ports == {"slaguard-calls": SIDECAR.listen.port, "slaguard-admin": SIDECAR.admin.port}


def test_the_kubelet_reaches_the_admin_port() -> None:
    assert SIDECAR.admin == Listen("0.0.0.0", 7466)


def test_the_applications_own_containers_see_none_of_the_sidecars_volumes() -> None:
    assert not container(workload("base", "chat"), "chat").get("volumeMounts")


def test_what_the_sidecar_writes_lies_in_volumes_and_what_it_publishes_is_what_the_agent_reads() -> None:
    there = mounts(workload("base", "chat"), "slaguard")
    ledger, read_only = there[str(CONFIG.ledger.path)]
    assert "emptyDir" in ledger
    assert not read_only
    published, read_only = there[str(SIDECAR.publish)]
    assert not read_only
    agent = workload("base", "slaguard-agent")
    for name in ("agent", "links"):
        seen, read_only = mounts(agent, name)["/published"]
        assert seen["persistentVolumeClaim"] == published["persistentVolumeClaim"]
        assert read_only
    claim = one(manifests("base"), "PersistentVolumeClaim", published["persistentVolumeClaim"]["claimName"])
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def test_one_agent_writes_to_a_disk_of_its_own() -> None:
    agent = workload("base", "slaguard-agent")
    assert (agent["spec"]["replicas"], agent["spec"]["strategy"]) == (1, {"type": "Recreate"})
    data, _ = mounts(agent, "agent")["/data"]
    claim = one(manifests("base"), "PersistentVolumeClaim", data["persistentVolumeClaim"]["claimName"])
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]


@pytest.mark.parametrize("text", ["kubectl apply -n shop -k base", "never been applied", "overlays/plain-container"])
def test_the_readme_says_how_and_says_plainly_what_was_not_tried(text: str) -> None:
    assert text in (FOLDER / "README.md").read_text("utf-8")
