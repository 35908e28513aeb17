"""exporters/compose: nobody can start it here, so everything that can be known without starting it is checked."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from slaguard.cli import VERBS, run
from slaguard.cli.deployment import load_config
from slaguard.config import is_loopback
from slaguard.spec.load import load
from slaguard.terms import Source
from tests.compose.files import AGENT, FOLDER, REPO, compose, dockerfile, found, mounts, services
from tests.conftest import absent

OURS = ("vendor", "agent", "sidecar", "client")
SHARING = ("agent", "sidecar", "client")
"""Those that share the vendor's network."""
TAG = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z-]+)?\Z")


# ── docker-compose.yml ──────────────────────────────────────────────────────────────────────────────────────────────
def test_the_six_services_are_there_and_every_volume_is_declared() -> None:
    assert set(services()) == {"vendor", "agent", "sidecar", "client", "prometheus", "grafana"}
    named = {v.split(":")[0] for s in services().values() for v in s.get("volumes", ()) if not v.startswith(".")}
    assert named == set(compose()["volumes"])


@pytest.mark.parametrize("service", services())
def test_every_mounted_path_is_a_folder_of_the_checkout_and_read_only(service: str) -> None:
    for volume in services()[service].get("volumes", ()):
        source, _, mode = volume.split(":") if volume.count(":") == 2 else (*volume.split(":"), "")
        if source.startswith("."):
            assert (FOLDER / source).is_dir(), f"{source} is no folder: an editor's new copy of a file alone is never seen"
            assert mode == "ro"


@pytest.mark.parametrize("service", services())
def test_images_are_pinned_by_a_whole_version_or_built_here(service: str) -> None:
    image = services()[service]["image"]
    if service in OURS:
        assert (image, services()[service]["build"]["dockerfile"]) == ("slaguard:local", "exporters/compose/Dockerfile")
    else:
        assert TAG.match(image), image


@pytest.mark.parametrize("service", services())
def test_ports_are_published_on_loopback_alone(service: str) -> None:
    for port in services()[service].get("ports", ()):
        host, outside, inside = port.split(":")
        assert host == "127.0.0.1"
        assert outside == inside


@pytest.mark.parametrize("service", services())
def test_containers_have_no_privileges_a_read_only_root_and_a_healthcheck(service: str) -> None:
    one = services()[service]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in one
    assert one["healthcheck"]["test"][0] == "CMD"
    assert all(key in one["healthcheck"] for key in ("interval", "timeout", "retries"))


def test_ours_run_as_a_user_of_no_rights_and_write_to_data_alone() -> None:
    for service in OURS:
        assert services()[service]["user"] == "65532:65532"
    for service, wanted in (("agent", ["data:/data"]), ("sidecar", ["data:/data"]), ("client", []), ("vendor", [])):
        assert [v for v in services()[service].get("volumes", ()) if not v.endswith(":ro")] == wanted


def test_services_start_in_an_order_that_has_an_end() -> None:
    waits = {name: set(one.get("depends_on", ())) for name, one in services().items()}
    done: set[str] = set()
    while len(done) < len(waits):
        ready = {name for name, needs in waits.items() if name not in done and needs <= done}
        assert ready, f"these wait for each other: {sorted(set(waits) - done)}"
        done |= ready
    conditions = [c for s in services().values() for c in s.get("depends_on", {}).values()]
    assert all(c["condition"] == "service_healthy" for c in conditions)


def test_whom_the_agent_asks_whether_it_is_itself_that_is_away_is_up_before_it_and_waits_for_nobody() -> None:
    control = load_config(AGENT / "slaguard.yaml").control
    assert control is not None
    assert services()["agent"]["depends_on"][control.host] == {"condition": "service_healthy"}
    assert "depends_on" not in services()[control.host]
    inside = [port.rpartition(":")[2] for port in services()[control.host]["ports"]]
    assert inside == [str(control.port)]


def test_whoever_shares_a_network_follows_a_restart_of_its_owner() -> None:
    owners = {services()[name]["network_mode"].removeprefix("service:") for name in SHARING}
    assert owners == {"vendor"}
    for name in SHARING:
        assert services()[name]["depends_on"]["vendor"]["restart"] is True
    assert f"docker compose up -d --force-recreate vendor {' '.join(SHARING)}" in (FOLDER / "README.md").read_text()


def test_the_sidecar_has_time_to_end_the_calls_under_way() -> None:
    sidecar = load_config(AGENT / "slaguard.yaml").sidecar
    assert sidecar is not None
    assert int(services()["sidecar"]["stop_grace_period"].removesuffix("s")) >= sidecar.grace // 1000 + 10


def test_docker_itself_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no docker with compose is here: docker-compose.yml is checked by the other tests alone")
    done = subprocess.run(
        [docker, "compose", "-f", str(FOLDER / "docker-compose.yml"), "config", "-q"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# ── what is started ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_agents_command_is_a_verb_and_its_configuration_is_mounted_there() -> None:
    verb, option, path = services()["agent"]["command"]
    assert verb in VERBS
    assert option == "--config"
    assert found("agent", path) == AGENT / "slaguard.yaml"
    assert ["CMD", f'["{verb}",', f'"{option}",', f'"{path}"]'] in dockerfile()


def test_the_sidecars_command_is_a_verb_and_it_reads_the_agents_own_configuration() -> None:
    verb, option, path = services()["sidecar"]["command"]
    assert verb in VERBS
    assert option == "--config"
    assert found("sidecar", path) == AGENT / "slaguard.yaml"


@pytest.mark.parametrize("service", ["vendor", "client"])
def test_the_command_of_vendor_and_client_is_a_program_of_ours_whose_options_are_known(service: str) -> None:
    one = services()[service]
    program = ["-m", "slaguard.providers.simulated"]
    if service == "client":
        program = [str(found("client", one["entrypoint"][1]))]
    assert one["entrypoint"][0] == "python"
    done = subprocess.run([sys.executable, *program, "--help"], capture_output=True, text=True, timeout=30, check=True)
    for word in one["command"]:
        assert not word.startswith("--") or word in done.stdout, word


# ── slaguard.yaml, the Agreement ────────────────────────────────────────────────────────────────────────────────────
def test_the_agreement_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", str(AGENT / "acme-live.yaml")]) == 0, capsys.readouterr().err


def test_the_configuration_is_accepted_and_fits_the_containers() -> None:
    config = load_config(AGENT / "slaguard.yaml")
    assert str(config.ledger.path).startswith("/data/")
    vendor, command = config.vendors["Acme AI"], services()["vendor"]["command"]
    assert vendor.base_url == f"http://{command[command.index('--listen') + 1]}/v1"
    assert [p.model for p in config.probes] == [command[command.index("--model") + 1]]
    (agreement,) = (load(path).agreement for path in config.agreements)
    assert (agreement.name, agreement.vendor) == (config.probes[0].agreement, "Acme AI")


def test_the_sidecar_stands_between_the_client_and_the_vendor_and_its_calls_are_evidence() -> None:
    config = load_config(AGENT / "slaguard.yaml")
    assert config.sidecar is not None
    (upstream,) = config.sidecar.upstreams
    assert config.vendors[upstream.vendor].base_url == f"{upstream.url}/v1"
    command = services()["client"]["command"]
    assert command[command.index("--base-url") + 1] == f"http://{config.sidecar.listen}/v1"
    assert is_loopback(config.sidecar.listen.host)
    (agreement,) = (load(path).agreement for path in config.agreements)
    assert upstream.vendor == agreement.vendor
    sources = {objective.name: objective.source for objective in agreement.objectives}
    assert sources["uptime"] == (Source.TRAFFIC, Source.PROBE)


def test_plain_http_stays_on_the_agents_own_network() -> None:
    config = load_config(AGENT / "slaguard.yaml")
    assert all(services()[name]["network_mode"] == "service:vendor" for name in SHARING)
    assert all(is_loopback(v.base_url.split("/")[2].rpartition(":")[0]) for v in config.vendors.values())


def test_the_agent_is_published_where_it_listens_and_known_by_the_name_that_is_asked() -> None:
    config = load_config(AGENT / "slaguard.yaml")
    port = config.server.listen.port
    assert services()["vendor"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    (aliases,) = (n["aliases"] for n in services()["vendor"]["networks"].values())
    assert list(config.server.hosts) == aliases
    assert config.sidecar is not None
    agent, sidecar = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert agent["static_configs"] == [{"targets": [f"{aliases[0]}:{port}"]}]
    assert sidecar["static_configs"] == [{"targets": [f"{aliases[0]}:{config.sidecar.admin.port}"]}]
    assert config.control is not None
    assert config.control.host in services()


# ── Prometheus, Grafana ─────────────────────────────────────────────────────────────────────────────────────────────
def test_promtool_accepts_prometheus_as_it_is_mounted(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        absent("promtool is not installed: make test-system says how")
        return
    for inside, ours in mounts("prometheus").items():
        shutil.copytree(ours, tmp_path / inside.lstrip("/"))
    config = tmp_path / "etc" / "prometheus" / "prometheus.yml"
    config.write_text(config.read_text().replace("/etc/slaguard", str(tmp_path / "etc" / "slaguard")))
    done = subprocess.run([promtool, "check", "config", str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rules found" in done.stdout
    assert "--config.file=/etc/prometheus/prometheus.yml" in services()["prometheus"]["command"]


def provisioned(path: Path) -> dict[str, Any]:
    (source,) = yaml.safe_load(path.read_text("utf-8"))["datasources"]
    return {k: v for k, v in source.items() if k not in {"url", "jsonData"}}


def test_grafanas_data_source_is_the_shipped_one_at_another_address() -> None:
    ours, shipped = (
        FOLDER / "grafana" / "datasources" / "slaguard.yaml",
        REPO / "grafana" / "provisioning" / "datasources" / "slaguard.yaml",
    )
    assert provisioned(ours) == provisioned(shipped)
    (source,) = yaml.safe_load(ours.read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    scraped = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text())["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped


def test_grafana_finds_the_boards_where_its_provisioning_says() -> None:
    there = mounts("grafana")
    (provider,) = yaml.safe_load((there["/etc/grafana/provisioning/dashboards"] / "slaguard.yaml").read_text())["providers"]
    boards = there[provider["options"]["path"]]
    home = Path(services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == provider["options"]["path"]
    assert (boards / home.name).is_file()


def test_grafana_has_no_login_whose_password_could_be_left_at_its_default() -> None:
    settings = services()["grafana"]["environment"]
    assert settings["GF_AUTH_BASIC_ENABLED"] == "false"
    assert settings["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert settings["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


# ── the image ───────────────────────────────────────────────────────────────────────────────────────────────────────
def copied() -> list[str]:
    return [s for words in dockerfile() if words[0] == "COPY" and "--from=build" not in words for s in words[1:-1]]


def allowed() -> list[str]:
    lines = (FOLDER / "Dockerfile.dockerignore").read_text().splitlines()
    assert "*" in lines
    return [line[1:] for line in lines if line.startswith("!")]


def test_every_copied_file_is_in_the_checkout_and_let_through() -> None:
    for source in copied():
        assert (REPO / source).exists(), source
        assert any(fnmatch.fnmatch(source, pattern) for pattern in allowed()), f"{source} is not let through"


def test_all_that_the_wheel_is_built_from_is_copied() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    needed = {
        "pyproject.toml", project["project"]["readme"], *project["project"]["license-files"],
        *project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
    }  # fmt: skip
    assert needed <= set(copied())


def test_the_image_is_pinned_installs_by_hash_and_runs_as_nobody() -> None:
    words = dockerfile()
    bases = {w[1] for w in words if w[0] == "FROM"}
    assert len(bases) == 1
    assert all(TAG.match(base) for base in bases)
    installs = [" ".join(w) for w in words if w[0] == "RUN" and "pip install" in " ".join(w)]
    assert all("--require-hashes" in i or "--no-deps --no-build-isolation" in i for i in installs)
    assert [w[1] for w in words if w[0] == "USER"] == ["65532:65532"]
    owned = next(w for w in words if w[:2] == ["RUN", "install"])
    assert owned[-2:] == ["/data", "/data/tmp"]
    assert "65532" in owned
    assert words.index(["USER", "65532:65532"]) > words.index(owned)


def test_what_runs_is_compiled_while_the_image_is_built() -> None:
    words = dockerfile()
    stages = [i for i, w in enumerate(words) if w[0] == "FROM"]
    compiled = [i for i, w in enumerate(words) if w[:4] == ["RUN", "python", "-m", "compileall"]]
    assert [sum(start < i for start in stages) for i in compiled] == [1, 2]
    assert words[compiled[0]][-1] == "/opt/slaguard"
    version = words[0][1].partition(":")[2].rpartition(".")[0]
    assert words[compiled[1]][-1] == f"/usr/local/lib/python{version}"
    assert all("unchecked-hash" in words[i] for i in compiled)


def test_the_readme_says_plainly_that_it_was_never_started_here_and_names_what_is_published() -> None:
    text = (FOLDER / "README.md").read_text()
    assert "never been started" in text
    for one in services().values():
        for port in one.get("ports", ()):
            assert f"http://127.0.0.1:{port.split(':')[1]}/" in text
