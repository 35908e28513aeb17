"""What the sidecar works by: its section of slaguard.yaml, checked and turned into routes, a recorder and limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from slaguard.config import Config, Listen, Sidecar, SidecarUpstream
from slaguard.errors import ConfigError
from slaguard.ledger.secret import SIZE, kept_secret
from slaguard.providers.addresses import AddressPolicy
from slaguard.sidecar.aside import aside
from slaguard.sidecar.link import RecorderSpec
from slaguard.sidecar.route import Routes, Upstream
from slaguard.terms import format_duration

SECRET_NAME: Final = "sidecar.secret"  # noqa: S105 - the file's name
_SECRET_WAIT_S: Final = 2.0
_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One configuration, accepted as a whole. `most_bytes` may wait for the recorder; `grace_s` is seconds."""

    listen: Listen
    admin: Listen
    routes: Routes
    recorder: RecorderSpec
    bodies: Fraction
    most_bytes: int
    grace_s: float
    control: Listen | None
    unknown_vendors: tuple[str, ...]
    """Vendors of upstreams that stand nowhere under `vendors:`, where there are any: probably misspelt."""

    @property
    def vendors(self) -> tuple[str, ...]:
        """Every vendor that calls are passed to."""
        return tuple(sorted({upstream.vendor for upstream in self.routes.upstreams}))

    def only_at_start(self) -> dict[str, str]:
        """Return, by its name in the configuration, what a running sidecar cannot take over."""
        spec = self.recorder
        return {
            "sidecar.listen": str(self.listen),
            "sidecar.admin": str(self.admin),
            "sidecar.name": spec.name,
            "sidecar.largest_body": f"{spec.largest_body >> 10}KiB",
            "sidecar.queue": f"{self.most_bytes >> 10}KiB",
            "sidecar.publish": str(spec.publish.parent) if spec.publish is not None else "none",
            "ledger.path": str(spec.directory.parent),
            "ledger.seal_every": format_duration(spec.seal_every_ms),
        }


def settings_of(config: Config, source: Path, name: str | None = None) -> Settings:
    """Return the settings that a configuration amounts to.

    Args:
        config: the whole of it.
        source: its file, for messages.
        name: another name than the configuration's.

    Raises:
        ConfigError: there is no sidecar in it, or an address that no vendor has.

    """
    section = config.sidecar
    if section is None:
        msg = (
            f"{source}: sidecar: missing\n"
            "    write at least: sidecar: {upstreams: [{vendor: Acme AI, url: https://api.acme.example}]}"
        )
        raise ConfigError(msg)
    routes = Routes([_upstream(upstream, source) for upstream in section.upstreams])
    return Settings(
        listen=section.listen,
        admin=section.admin,
        routes=routes,
        recorder=_recorder(config, section, source, name or section.name),
        bodies=section.bodies,
        most_bytes=section.queue,
        grace_s=section.grace / 1000,
        control=config.control,
        unknown_vendors=_unknown(config, routes),
    )


def _unknown(config: Config, routes: Routes) -> tuple[str, ...]:
    found = {upstream.vendor for upstream in routes.upstreams} - config.vendors.keys()
    return tuple(sorted(found)) if config.vendors else ()


def _recorder(config: Config, section: Sidecar, source: Path, name: str) -> RecorderSpec:
    directory = config.ledger.path / name
    copies = section.publish / name if section.publish is not None else None
    if copies is not None and copies.absolute().is_relative_to(directory.absolute()):
        msg = f"{source}: sidecar: publish: {copies} is what would be copied\n    name a folder outside of the ledger"
        raise ConfigError(msg)
    return RecorderSpec(
        directory=directory,
        name=name,
        seal_every_ms=config.ledger.seal_every,
        publish=copies,
        largest_body=section.largest_body,
    )


def _upstream(configured: SidecarUpstream, source: Path) -> Upstream:
    """Return where calls are passed to; an address that is written as such and may not be connected to is refused."""
    parts = urlsplit(configured.url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    policy = AddressPolicy.of(configured.url, private=configured.allow_private)
    refusal = policy.refusal_of_url(configured.url)
    if refusal is not None:
        msg = f"{source}: sidecar: upstreams: {configured.vendor}: url is {refusal}\n    name the vendor's own address"
        raise ConfigError(msg)
    shown = f"[{host}]" if ":" in host else host
    return Upstream(
        vendor=configured.vendor,
        tls=parts.scheme == "https",
        address=host,
        port=port,
        authority=shown if port == _PORTS[parts.scheme] else f"{shown}:{port}",
        policy=policy,
        prefix=configured.prefix or "",
        base=parts.path,
        host=configured.host,
        service=configured.service,
        region=configured.region,
        connect_ms=configured.connect,
        silence_ms=configured.silence,
    )


# ── the key that bodies are drawn by ────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Key:
    """The key, and why it is not the one that is kept in the ledger; None where it is."""

    value: bytes
    trouble: str | None = None


async def sampling_key(folder: Path, entropy: Callable[[int], bytes], *, wait_s: float = _SECRET_WAIT_S) -> Key:
    """Return the key in the writer's folder, made there at the first start; a fresh one where that cannot be.

    Args:
        folder: the writer's folder in the ledger.
        entropy: returns so many random bytes.
        wait_s: how long a disk may take to answer, seconds.

    """

    def kept() -> bytes:
        folder.mkdir(parents=True, exist_ok=True)
        return kept_secret(folder / SECRET_NAME, entropy, "bodies")

    try:
        return Key(await aside(kept, wait_s))
    except TimeoutError:
        trouble = f"{folder}: the disk does not answer\n    see to the disk, and start again"
    except (ConfigError, OSError) as error:
        trouble = str(error)
    return Key(entropy(SIZE), trouble)
