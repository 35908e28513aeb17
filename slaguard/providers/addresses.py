"""Which addresses a vendor's name may lead to (server-side request forgery, `evidence.md` §11).

`ipaddress` alone is not enough: it calls several addresses global that lead inside, so addresses that carry another
one (v4-mapped, NAT64, 6to4, Teredo) are unpacked, and what is denied is written out.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from slaguard.config import is_loopback

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_PRIVATE: Final = _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
_METADATA: Final = _networks(
    "169.254.169.254/32", "fd00:ec2::254/128", "168.63.129.16/32", "100.100.100.200/32", "192.0.0.192/32",
)  # fmt: skip
_NEVER: Final = _networks(
    "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/128", "100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16",
    "64:ff9b:1::/48", "fe80::/10", "fec0::/10", "ff00::/8",
)  # fmt: skip
_NAT64: Final = _networks("64:ff9b::/96")


class AddressDenied(OSError):  # noqa: N818 - what happened is the name
    """A name leads only to addresses that the configuration does not allow."""


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What is allowed beyond the public internet. A vendor configured on this machine is reached on this machine alone."""

    loopback: bool = False
    private: bool = False

    @classmethod
    def of(cls, base_url: str, *, private: bool = False) -> AddressPolicy:
        """Return the policy for a vendor's configured address."""
        return cls(is_loopback(urlsplit(base_url).hostname or ""), private)

    def refusal(self, text: str) -> str | None:
        """Return why an address may not be connected to; None if it may."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            return "no address"
        for inner in _carried(address):
            if self.loopback != inner.is_loopback:
                return "an address of this machine" if inner.is_loopback else "not an address of this machine"
            word = None if inner.is_loopback else self._denied(inner)
            if word is not None:
                return word
        return None

    def refusal_of_url(self, url: str) -> str | None:
        """Return why a URL may not be asked whose host is written as an address; a name is checked when looked up.

        aiohttp asks no resolver about a host of digits and points, so it is checked here, odd forms included.
        """
        host = urlsplit(url).hostname or ""
        is_address = ":" in host or host.replace(".", "").isdigit()
        return self.refusal(host) if is_address else None

    def _denied(self, address: Address) -> str | None:
        if _within(address, _METADATA):
            return "a cloud's metadata service"
        if _within(address, _PRIVATE):
            return None if self.private else "a private address (allow_private: true allows it)"
        return "an address no vendor has" if _within(address, _NEVER) or not address.is_global else None


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _carried(address: Address) -> Iterator[Address]:
    """Yield the address, or the one it carries inside."""
    if isinstance(address, ipaddress.IPv6Address):
        inside = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if _within(address, _NAT64):
            inside.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if int(address) >> 32 == 0 and int(address) > 1:  # v4-compatible, ::a.b.c.d
            inside.append(ipaddress.IPv4Address(int(address)))
        found = [a for a in inside if a is not None]
        if found:
            yield from found
            return
    yield address


class CheckedResolver(AbstractResolver):
    """Looks a name up each time and hands on only addresses that the policy allows: what is checked is connected to."""

    def __init__(self, policy: AddressPolicy) -> None:
        """Keep the policy."""
        self._policy = policy
        self._system = ThreadedResolver()

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[ResolveResult]:
        """Return the allowed addresses of a name.

        Raises:
            AddressDenied: it has addresses, and none is allowed.
            OSError: it has none.

        """
        found = await self._system.resolve(host, port, family)
        allowed = [result for result in found if self._policy.refusal(result["host"]) is None]
        if found and not allowed:
            raise AddressDenied(f"{host} leads to {self._policy.refusal(found[0]['host'])}")
        return allowed

    async def close(self) -> None:
        """Nothing is held open."""
        await self._system.close()
