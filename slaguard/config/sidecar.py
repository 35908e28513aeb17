"""The `sidecar:` section: where the application calls, where it is watched from, which vendors calls are passed to."""

from __future__ import annotations

import re
from collections import Counter
from fractions import Fraction
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, field_validator, model_validator

from slaguard.config.scalars import (
    Address,
    Flag,
    HostName,
    Listen,
    Located,
    Name,
    Part,
    Party,
    Share,
    Size,
    Timeout,
    http_address,
    is_host,
    is_loopback,
    listed,
    refuse,
    scalar,
)  # fmt: skip

_WRITER: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?\Z", re.ASCII)
_TAKEN: Final = frozenset({"import", "record", "segments"})
"""Folders of a ledger that are somebody else's."""
_PATH: Final = re.compile(r"(?:/(?!\.\.?(?:/|\Z))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*\Z", re.ASCII)
_LEAST_QUEUE: Final = 1 << 20
_TOO_SMALL: Final = "queue is at least 1MiB and four times largest_body, or no call with its bodies would fit"


# ── scalars ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def writer_name(text: str) -> str:
    """Return the name of a writer's folder in the ledger.

    Raises:
        ValueError: no folder can be called so, or another writer's is.

    """
    if not _WRITER.match(text):
        raise ValueError("write a name of at most 100 letters, digits, `.`, `_` and `-`: sidecar")
    if text.lower() in _TAKEN:
        raise ValueError("this folder of the ledger is not for a sidecar; write another name: sidecar")
    return text


def _prefix(text: str) -> str:
    if text.startswith("/") and _PATH.match(text):
        return text
    raise ValueError("write the beginning of a path, with a / before and none after it: /other")


def _url(text: str) -> str:
    url = http_address(text, "write the vendor's address, without the path that callers add: https://api.vendor.example")
    parts = urlsplit(url)
    if not is_host(parts.hostname or "") or parts.port == 0:
        raise ValueError("write the vendor's address with its host name: https://api.vendor.example")
    if not _PATH.match(parts.path):
        raise ValueError("write the path of the address plainly, of letters, digits and signs: https://api.vendor.example/api")
    return url


Writer = Annotated[str, scalar(writer_name)]
Prefix = Annotated[str, scalar(_prefix)]
Url = Annotated[str, scalar(_url)]


# ── the section ─────────────────────────────────────────────────────────────────────────────────────────────────────
class SidecarUpstream(Part):
    """One vendor that calls are passed to, and which calls."""

    vendor: Party
    """The vendor as the Agreement has it, letter by letter."""
    url: Url
    """Its address: scheme, host, port and a path that is put before every call's; https, or http on this machine."""
    prefix: Prefix | None = None
    """The beginning of the paths that are meant for it, which is taken off; absent: every path."""
    host: HostName | None = None
    """The name by which the application asks for it; absent: any."""
    service: Name | None = None
    """The Agreement's service that these calls use; absent: none is named."""
    region: Name | None = None
    """The region that these calls go to; absent: none is named."""
    connect: Timeout = 10_000
    """How long reaching it may take; absent: 10s."""
    silence: Timeout = 900_000
    """How long it may send nothing; absent: 15m."""
    allow_private: Flag = False
    """Whether its name may lead to an address of a private network; absent: no."""


def _apart(upstreams: tuple[SidecarUpstream, ...]) -> tuple[SidecarUpstream, ...]:
    if not upstreams:
        raise refuse("name at least one vendor that calls are passed to: - {vendor: ..., url: https://...}")
    twice = [key for key, n in Counter((u.host, u.prefix) for u in upstreams).items() if n > 1]
    if twice:
        host, prefix = twice[0]
        vendors = " and ".join(u.vendor for u in upstreams if (u.host, u.prefix) == twice[0])
        where = f"prefix {prefix or '(none)'}" + (f" of host {host}" if host else "")
        raise refuse(f"{vendors} both answer to {where}; give one of them a prefix or a host of its own")
    return upstreams


class Sidecar(Part):
    """The proxy beside the application, which observes real traffic (`slaguard sidecar`)."""

    listen: Address = Listen("127.0.0.1", 7465)
    """Where the application calls; absent: this machine alone, 127.0.0.1:7465."""
    admin: Address = Listen("127.0.0.1", 7466)
    """Health, readiness and metrics; absent: this machine alone, 127.0.0.1:7466."""
    name: Writer = "sidecar"
    """Its folder in the ledger, different for every sidecar that writes there; absent: sidecar."""
    bodies: Share = Fraction(1, 100)
    """The share of calls whose question and answer are kept, redacted; absent: 1%."""
    largest_body: Annotated[Size, AfterValidator(lambda n: _at_most(n, 64 << 20))] = 1 << 20
    """The largest question and answer together that are kept; absent: 1MiB."""
    queue: Annotated[Size, AfterValidator(lambda n: _at_most(n, 1 << 30))] = 32 << 20
    """How much may wait to be written before calls are left out and counted; absent: 32MiB."""
    grace: Timeout = 30_000
    """How long calls under way may still take when it is ended, with the time to write them down; absent: 30s."""
    publish: Located | None = None
    """A folder in which what is sealed is copied to one of our name; absent: it stays where it is written."""
    upstreams: Annotated[tuple[SidecarUpstream, ...], BeforeValidator(listed), AfterValidator(_apart)]
    """The vendors that calls are passed to."""

    @field_validator("queue")
    @classmethod
    def _room_for_a_body(cls, queue: int, info: ValidationInfo) -> int:
        """Refuse a queue that no body fits, where it is written."""
        if queue < max(_LEAST_QUEUE, 4 * info.data.get("largest_body", 0)):
            raise refuse(_TOO_SMALL)
        return queue

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        """Refuse what cannot be meant: one address for two things, calls to itself, a queue that no body fits."""
        if self.listen == self.admin and self.listen.port:
            raise refuse(f"listen and admin are both {self.listen}; the application's calls and /metrics need a port each")
        for upstream in self.upstreams:
            parts = urlsplit(upstream.url)
            if is_loopback(parts.hostname or "") and parts.port in {self.listen.port, self.admin.port} - {0}:
                raise refuse(f"{upstream.vendor}: {upstream.url} is this sidecar itself; write the vendor's own address")
        if self.queue < max(_LEAST_QUEUE, 4 * self.largest_body):
            raise refuse(_TOO_SMALL)  # it is not written: largest_body is
        return self


def _at_most(size: int, most: int) -> int:
    if size <= most:
        return size
    raise refuse(f"write a size of at most {most >> 20}MiB")
