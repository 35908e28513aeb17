"""What the manifests start, started here: the configurations, the kubelet's questions, and what joins Pods to the agent."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slaguard.cli import VERBS, run
from slaguard.cli.deployment import load_config
from slaguard.ledger.read import facts
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from slaguard.records import Fact
from slaguard.spec.load import load
from slaguard.terms import Source
from tests.kubernetes.files import BASE, FOLDER, container, containers, one, render
from tests.ledger.test_read import LATER
from tests.ledger.world import START, Watch

AGENT = BASE / "agent"
APPLICATION = BASE / "application"


# ── what is configured ──────────────────────────────────────────────────────────────────────────────────────────────
def test_every_command_is_a_verb_whose_options_are_known() -> None:
    found = [m for m in render(BASE) if m["kind"] == "Deployment"]
    ours = [c for m in found for c in containers(m) if "slaguard" in c["image"] and "command" not in c]
    assert [c["args"][0] for c in ours] == ["sidecar", "run"]
    for one_of_ours in ours:
        verb, *words = one_of_ours["args"]
        assert verb in VERBS
        said = subprocess.run([sys.executable, "-m", "slaguard", verb, "--help"], capture_output=True, text=True, check=True)
        for word in words:
            assert not word.startswith("--") or word in said.stdout, word


def test_the_agreement_is_valid_and_judged_by_traffic_and_probes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(AGENT / "acme-chat.yaml")]) == 0, capsys.readouterr().err
    sources = {objective.name: objective.source for objective in load(AGENT / "acme-chat.yaml").agreement.objectives}
    assert sources["uptime"] == (Source.TRAFFIC, Source.PROBE)


def test_agent_and_sidecar_speak_of_the_same_vendor_as_the_agreement() -> None:
    agent, application = load_config(AGENT / "slaguard.yaml"), load_config(APPLICATION / "slaguard.yaml")
    (agreement,) = (load(path).agreement for path in agent.agreements)
    assert application.sidecar is not None
    assert [upstream.vendor for upstream in application.sidecar.upstreams] == [agreement.vendor]
    assert list(agent.vendors) == [agreement.vendor]
    assert [probe.agreement for probe in agent.probes] == [agreement.name]


def test_the_agent_is_known_by_the_name_of_its_service_and_its_key_is_in_its_environment() -> None:
    agent, found = load_config(AGENT / "slaguard.yaml"), render(BASE)
    assert one(found, "Service", "slaguard")["metadata"]["name"] in agent.server.hosts
    inside = container(one(found, "Deployment", "slaguard-agent"), "agent")
    assert inside["ports"][0]["containerPort"] == agent.server.listen.port
    given = {variable["name"] for variable in inside["env"]}
    assert {vendor.key.name for vendor in agent.vendors.values() if vendor.key is not None} <= given


def test_configurations_stand_where_the_commands_look() -> None:
    for name, inside in (("chat", "slaguard"), ("slaguard-agent", "agent")):
        found = container(one(render(BASE), "Deployment", name), inside)
        path = Path(found["args"][found["args"].index("--config") + 1])
        assert str(path.parent) in {mount["mountPath"] for mount in found["volumeMounts"]}
        assert path.name == "slaguard.yaml"


# ── the kubelet's questions ─────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def sidecar(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Start the Pod's sidecar with its own configuration at other places; yields it, and where calls and admin are."""
    text = (APPLICATION / "slaguard.yaml").read_text("utf-8")
    for old, new in (
        ("127.0.0.1:7465", "127.0.0.1:0"),
        ("0.0.0.0:7466", "127.0.0.1:0"),
        ("/var/lib/slaguard", str(folder / "ledger")),
        ("publish: /published", f"publish: {folder / 'published'}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "slaguard.yaml").write_text(text, "utf-8")
    args = container(one(render(BASE), "Deployment", "chat"), "slaguard")["args"]
    words = [w.replace("$(POD_NAME)", "chat-7d4b9c-x2x8l").replace("/etc/slaguard", str(folder)) for w in args]
    with subprocess.Popen(
        [sys.executable, "-m", "slaguard", *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as started:
        try:
            assert started.stdout is not None
            calls, admin = (re.search(r"http://[\d.:]+", started.stdout.readline()) for _ in range(2))
            assert calls is not None
            assert admin is not None
            yield started, calls[0], admin[0]
        finally:
            started.kill()


def test_the_sidecar_answers_every_probe_of_the_kubelet_and_publishes_when_the_pod_ends(tmp_path: Path) -> None:
    inside = container(one(render(BASE), "Deployment", "chat"), "slaguard")
    with sidecar(tmp_path) as (started, _, admin):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            with urllib.request.urlopen(admin + inside[probe]["httpGet"]["path"], timeout=5) as answer:
                assert answer.status == 200
        with urllib.request.urlopen(f"{admin}/metrics", timeout=5) as answer:
            assert b"slaguard_sidecar_build_info" in answer.read()
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=45) == 0
    (folder,) = (tmp_path / "published").iterdir()
    assert folder.name == "chat-7d4b9c-x2x8l"
    assert len(list((folder / "segments").glob("*.json"))) == len(list((folder / "segments").glob("*.parquet"))) >= 1


# ── Pods and agent ──────────────────────────────────────────────────────────────────────────────────────────────────
def published(folder: Path, number: int) -> None:
    """Leave what a Pod publishes: sealed segments and nothing else."""
    with RowLog.open(folder, clock=Watch(), entropy=lambda n: bytes([number]) * n) as log:
        log.append([Fact(id=f"T-{number}", type="ticket", when=START, by="Example Bank AG")])
        seal_all(log)
    for name in ("rows.db", "payloads.db", "writer.lock"):
        (folder / name).unlink()


def test_the_links_make_the_agents_ledger_of_what_pods_have_published(tmp_path: Path) -> None:
    shared, data = tmp_path / "published", tmp_path / "data"
    (data / "ledger").mkdir(parents=True)
    shared.mkdir()
    found = container(one(render(BASE), "Deployment", "slaguard-agent"), "links")
    (script,) = found["args"]
    script = script.replace("/published", str(shared)).replace("/data", str(data)).replace("sleep 30", "sleep 0.2")
    with subprocess.Popen([*found["command"], script]) as links:
        try:
            for number in (1, 2):
                published(shared / f"chat-{number}", number)
            deadline = time.monotonic() + 10
            while len(list((data / "ledger").iterdir())) < 2 and time.monotonic() < deadline:
                time.sleep(0.05)
            assert sorted(fact.id for fact in facts(data / "ledger", LATER)[0]) == ["T-1", "T-2"]
        finally:
            links.terminate()
        assert links.wait(timeout=5) == 0


def test_the_readme_names_commands_whose_files_are_there() -> None:
    text = (FOLDER / "README.md").read_text("utf-8")
    for path in re.findall(r"\]\((\.?[\w./-]+)(?:#[\w-]+)?\)", text):
        assert (FOLDER / path).exists(), path
    for path in re.findall(r"-k ([\w/-]+)", text):
        assert (FOLDER / path / "kustomization.yaml").exists()
    assert (FOLDER.parent.parent / "exporters" / "compose" / "Dockerfile").exists()
