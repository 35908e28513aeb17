"""Which upstream a request is for: by host name, then by the longest path prefix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Final

from slaguard.providers.addresses import AddressPolicy

Origin = tuple[bool | str | int, ...]
"""What connections are pooled by: TLS, address, port, and which addresses its name may lead to."""
_AFTER_PREFIX: Final = frozenset(b"/?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """One vendor address that requests are passed to. Times in milliseconds.

    `authority` is what stands in `Host`. `prefix` is taken off the target (`/other`; empty:
    none) and `base` put before it (`/api`; empty: none). `host`: the name (without port) by which it is asked; None: any.
    `silence_ms`: how long the vendor may send nothing.
    """

    vendor: str
    tls: bool
    address: str
    port: int
    authority: str
    policy: AddressPolicy
    prefix: str = ""
    base: str = ""
    host: str | None = None
    service: str | None = None
    region: str | None = None
    connect_ms: int = 10_000
    silence_ms: int = 900_000
    origin: Origin = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Put together, once, what connections are pooled by."""
        object.__setattr__(self, "origin", (self.tls, self.address, self.port, *astuple(self.policy)))


class Routes:
    """The configured upstreams, the most particular first."""

    def __init__(self, upstreams: Sequence[Upstream]) -> None:
        """Keep them."""
        order = sorted(upstreams, key=lambda u: (u.host is None, -len(u.prefix)))
        self.upstreams = tuple(upstreams)
        self._by_rank = tuple((u, u.host, u.prefix.encode("ascii"), u.base.encode("ascii")) for u in order)

    def find(self, host: str, target: bytes) -> tuple[Upstream, bytes] | None:
        """Return the upstream of a request and the target it is sent with; None where none is configured.

        Args:
            host: the `Host` field, lower case, without port.
            target: the request target, which begins with ``/``.

        """
        for upstream, name, prefix, base in self._by_rank:
            if (name is not None and name != host) or not target.startswith(prefix):
                continue
            rest = target[len(prefix) :]
            if not rest or rest[0] in _AFTER_PREFIX:
                return upstream, base + (rest if rest.startswith(b"/") else b"/" + rest)
        return None
