"""New connections to vendors: to an address that was checked, within the time that is allowed."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import socket
import ssl
from typing import Final

from slaguard.providers.addresses import AddressDenied, CheckedResolver
from slaguard.sidecar.route import Upstream
from slaguard.sidecar.vendor import VendorSide

_OWN_LIMITS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_NO_WAY_OUT: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN})


class Unreached(Exception):  # noqa: N818 - what happened is the name
    """No connection stands; `detail` is the word for why (`call.Ended.UNREACHED`)."""

    def __init__(self, detail: str) -> None:
        """Keep the word."""
        self.detail = detail
        super().__init__(detail)


class Connector:
    """Opens connections; nothing of an answer is read here."""

    def __init__(self, trust: ssl.SSLContext | None) -> None:
        """Keep whom to trust; None: the system's certificates."""
        self._trust = trust if trust is not None else ssl.create_default_context()
        self._trust.set_alpn_protocols(["http/1.1"])

    async def connect(self, upstream: Upstream) -> VendorSide:
        """Return a connection that stands.

        Raises:
            Unreached: there is none, and why.

        """
        try:
            async with asyncio.timeout(upstream.connect_ms / 1000):
                return await self._first(upstream)
        except TimeoutError:
            raise Unreached("connect_timeout") from None
        except AddressDenied:
            raise Unreached("denied") from None
        except socket.gaierror:
            raise Unreached("dns") from None
        except ssl.SSLError:
            raise Unreached("tls") from None
        except OSError as error:
            raise Unreached(_word(error)) from None

    async def _first(self, upstream: Upstream) -> VendorSide:
        """Try the addresses of a name in turn."""
        addresses = await _addresses(upstream)
        for address in addresses[:-1]:
            try:
                return await self._open(upstream, address)
            except ssl.SSLError:
                raise
            except OSError:
                continue  # the next address may do; the last one's error is told
        return await self._open(upstream, addresses[-1])

    async def _open(self, upstream: Upstream, address: str) -> VendorSide:
        loop = asyncio.get_running_loop()
        trust = self._trust if upstream.tls else None
        _, vendor = await loop.create_connection(
            lambda: VendorSide(upstream.origin),
            address,
            upstream.port,
            ssl=trust,
            server_hostname=upstream.address if trust is not None else None,
        )
        return vendor


async def _addresses(upstream: Upstream) -> list[str]:
    """Return the addresses that may be connected to, at least one."""
    try:
        ipaddress.ip_address(upstream.address)
    except ValueError:
        found = await CheckedResolver(upstream.policy).resolve(upstream.address, upstream.port)
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address") from None
        return [one["host"] for one in found]
    refusal = upstream.policy.refusal(upstream.address)
    if refusal is not None:
        raise AddressDenied(refusal)
    return [upstream.address]


def _word(error: OSError) -> str:
    if error.errno in _OWN_LIMITS:
        return "own_limit"
    if error.errno in _NO_WAY_OUT:
        return "no_way_out"
    return "refused" if error.errno == errno.ECONNREFUSED else "connection"
