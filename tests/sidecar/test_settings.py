"""From a configuration to routes, a recorder and limits; and the key that bodies are drawn by, kept or not."""

from __future__ import annotations

import asyncio
import stat
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

from slaguard.cli.deployment import parse_config
from slaguard.config import Listen
from slaguard.errors import ConfigError
from slaguard.probes.control import Control
from slaguard.providers.addresses import AddressPolicy
from slaguard.records import NS
from slaguard.sidecar.aside import aside
from slaguard.sidecar.control import ControlTarget
from slaguard.sidecar.link import RecorderSpec
from slaguard.sidecar.settings import Settings, sampling_key, settings_of
from tests.cli.watched import Now

WHERE = Path("/etc/acme/slaguard.yaml")
TEXT = """\
ledger: {path: ./ledger, seal_every: 5m}
control: example.net:443
sidecar:
  listen: 127.0.0.1:1
  admin: 127.0.0.1:2
  name: pod-1
  bodies: 0.5%
  largest_body: 64KiB
  queue: 2MiB
  grace: 1500ms
  publish: /mnt/shared
  upstreams:
    - {vendor: Acme AI, url: "https://api.acme.example"}
    - {vendor: Other AI, url: "https://api.other.example:8443/api", prefix: /other, host: Other.internal, service: chat,
       region: eu, connect: 2s, silence: 1m, allow_private: true}
    - {vendor: Here, url: "http://[::1]:8080", prefix: /here}
"""


def settings(text: str = TEXT, name: str | None = None) -> Settings:
    return settings_of(parse_config(text, WHERE), WHERE, name)


def test_a_configuration_becomes_routes_a_recorder_and_limits() -> None:
    found = settings()
    assert (found.listen, found.admin) == (Listen("127.0.0.1", 1), Listen("127.0.0.1", 2))
    assert (found.bodies, found.most_bytes, found.grace_s) == (Fraction(1, 200), 2 << 20, 1.5)
    assert found.control == Listen("example.net", 443)
    assert found.recorder == RecorderSpec(
        directory=Path("/etc/acme/ledger/pod-1"), name="pod-1", seal_every_ms=300_000, publish=Path("/mnt/shared/pod-1"),
        largest_body=64 << 10,
    )  # fmt: skip
    acme, other, here = found.routes.upstreams
    assert (acme.tls, acme.address, acme.port, acme.authority) == (True, "api.acme.example", 443, "api.acme.example")
    assert (acme.prefix, acme.base, acme.host, acme.policy) == ("", "", None, AddressPolicy())
    assert (other.port, other.authority, other.base) == (8443, "api.other.example:8443", "/api")
    assert (other.prefix, other.host, other.service, other.region) == ("/other", "other.internal", "chat", "eu")
    assert (other.connect_ms, other.silence_ms, other.policy) == (2000, 60_000, AddressPolicy(private=True))
    assert (here.tls, here.address, here.authority, here.policy) == (False, "::1", "[::1]:8080", AddressPolicy(loopback=True))


@pytest.mark.parametrize(
    ("host", "target", "found"),
    [
        ("any", b"/v1/chat?x=1", ("Acme AI", b"/v1/chat?x=1")),
        ("other.internal", b"/other/v1", ("Other AI", b"/api/v1")),
        ("any", b"/other/v1", ("Acme AI", b"/other/v1")),
        ("any", b"/here?x", ("Here", b"/?x")),
        ("any", b"/heretic", ("Acme AI", b"/heretic")),
    ],
)
def test_requests_go_where_the_configuration_says(host: str, target: bytes, found: tuple[str, bytes]) -> None:
    upstream = settings().routes.find(host, target)
    assert upstream is not None
    assert (upstream[0].vendor, upstream[1]) == found


def test_another_name_is_another_folder() -> None:
    spec = settings(name="pod-2").recorder
    assert (spec.name, spec.directory, spec.publish) == ("pod-2", Path("/etc/acme/ledger/pod-2"), Path("/mnt/shared/pod-2"))


def test_a_configuration_without_a_sidecar_is_refused_with_what_to_write() -> None:
    with pytest.raises(ConfigError, match=r"/etc/acme/slaguard\.yaml: sidecar: missing\n    write at least: sidecar:"):
        settings("ledger: {path: l}")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://169.254.169.254", "a cloud's metadata service"),
        ("https://10.0.0.1", "a private address"),
        ("https://[64:ff9b::a9fe:a9fe]", "a cloud's metadata service"),
        ("https://0.0.0.0", "an address no vendor has"),
        ("https://127.1", "no address"),
        ("https://2130706433", "no address"),
    ],
)
def test_an_address_that_no_vendor_has_is_refused(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match="sidecar: upstreams: Acme AI: url is") as refused:
        settings(TEXT.replace("https://api.acme.example", url))
    assert said in str(refused.value)


def test_what_is_published_into_itself_is_refused() -> None:
    for path in ("ledger", "./ledger/pod-1", "/etc/acme/ledger/pod-1/copy"):
        with pytest.raises(ConfigError, match="publish"):
            settings(TEXT.replace("/mnt/shared", path))


def test_vendors_that_stand_nowhere_else_are_named() -> None:
    assert settings().unknown_vendors == ()
    vendors = 'vendors:\n  Acme AI: {adapter: openai, base_url: "https://api.acme.example/v1"}\n'
    assert settings(TEXT + vendors).unknown_vendors == ("Here", "Other AI")


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("127.0.0.1:1", "127.0.0.1:7", "sidecar.listen"),
        ("127.0.0.1:2", "127.0.0.1:7", "sidecar.admin"),
        ("pod-1", "pod-2", "sidecar.name"),
        ("64KiB", "65KiB", "sidecar.largest_body"),
        ("2MiB", "3MiB", "sidecar.queue"),
        ("/mnt/shared", "/mnt/other", "sidecar.publish"),
        ("./ledger", "./other", "ledger.path"),
        ("5m}", "6m}", "ledger.seal_every"),
    ],
)
def test_what_only_a_restart_brings_is_told_apart(before: str, after: str, what: str) -> None:
    one, other = settings().only_at_start(), settings(TEXT.replace(before, after)).only_at_start()
    assert [key for key in one if one[key] != other[key]] == [what]


def test_the_rest_is_taken_over_by_a_running_sidecar() -> None:
    for before, after in (("0.5%", "2%"), ("1500ms", "3s"), ("api.acme", "api2.acme"), ("example.net:443", "example.net:80")):
        assert settings().only_at_start() == settings(TEXT.replace(before, after)).only_at_start()


# ── the key ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def entropy(size: int) -> bytes:
    return bytes(range(size))


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "ledger" / "sidecar"
    first = asyncio.run(sampling_key(folder, entropy))
    again = asyncio.run(sampling_key(folder, bytes))
    assert first == again
    assert (first.value, first.trouble) == (bytes(range(32)), None)
    assert stat.S_IMODE((folder / "sidecar.secret").stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["a file for a folder", "open to others", "no secret", "a link"])
def test_a_fresh_key_stands_in_where_it_cannot_be_kept(tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "ledger"
    path = folder / "sidecar.secret"
    if damage == "a file for a folder":
        folder.write_text("")
    else:
        folder.mkdir()
        path.write_text("zz" if damage == "no secret" else "ab" * 32)
        path.chmod(0o644 if damage == "open to others" else 0o600)
    if damage == "a link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    key = asyncio.run(sampling_key(folder, entropy))
    assert key.value == bytes(range(32))
    assert key.trouble is not None
    assert "ab" * 32 not in key.trouble


def test_a_disk_that_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    gate = threading.Event()

    def slow(size: int) -> bytes:
        if threading.current_thread() is not threading.main_thread():
            gate.wait(10)
        return bytes(size)

    began = time.monotonic()
    key = asyncio.run(sampling_key(tmp_path, slow, wait_s=0.05))
    gate.set()
    assert time.monotonic() - began < 5
    assert (key.value, "does not answer" in str(key.trouble)) == (bytes(32), True)


def test_work_aside_returns_or_refuses_as_it_would_here() -> None:
    def refuse() -> None:
        raise ConfigError("no")

    async def both() -> int:
        with pytest.raises(ConfigError, match="no"):
            await aside(refuse, 5)
        return await aside(lambda: 7, 5)

    assert asyncio.run(both()) == 7


# ── the control target ──────────────────────────────────────────────────────────────────────────────────────────────
class Somebody:
    """Counts how often it is tried, and is reached or not."""

    def __init__(self) -> None:
        self.tried = 0
        self.there = True

    def __call__(self, target: Listen) -> Control:
        async def reached() -> bool:
            self.tried += 1
            await asyncio.sleep(0.01)
            return self.there

        return reached


def test_a_control_target_is_tried_once_for_many_and_again_after_a_while() -> None:
    clock, somebody = Now(), Somebody()

    async def ask() -> None:
        control = ControlTarget(Listen("a", 1), clock, somebody)
        assert await asyncio.gather(*(control.reached() for _ in range(50))) == [True] * 50
        assert (await control.reached(), somebody.tried) == (True, 1)
        somebody.there = False
        clock.wall_ns += 2 * NS
        assert (await control.reached(), somebody.tried) == (False, 2)
        control.aim(Listen("b", 1))
        assert (await control.reached(), somebody.tried) == (False, 3)
        control.aim(None)
        assert (await control.reached(), somebody.tried) == (True, 3)

    asyncio.run(ask())


def test_one_who_stops_waiting_does_not_stop_the_others() -> None:
    async def ask() -> None:
        control = ControlTarget(Listen("a", 1), Now(), Somebody())
        first, second = (asyncio.create_task(control.reached()) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        assert await second is True

    asyncio.run(ask())
