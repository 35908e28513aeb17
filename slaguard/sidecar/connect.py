"""New connections to vendors: to an address that was checked, within the time that is allowed."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import ssl
from functools import partial
from typing import Final

from slaguard.providers.addresses import AddressDenied
from slaguard.sidecar.aside import aside
from slaguard.sidecar.route import Upstream
from slaguard.sidecar.vendor import VendorSide

_OWN_LIMITS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_NO_WAY_OUT: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN})
_LOOK_UP_S: Final = 60.0
"""How long a look-up is waited for before another one is begun; who needs the name waits no longer than `connect_ms`."""


class Unreached(Exception):  # noqa: N818 - what happened is the name
    """No connection stands; `detail` is the word for why (`call.Ended.UNREACHED`)."""

    def __init__(self, detail: str) -> None:
        """Keep the word."""
        self.detail = detail
        super().__init__(detail)


class Names:
    """Looks up names: one look-up for a name at a time, whoever else waits for it, each in a thread of its own.

    A name server that does not answer for one vendor holds up neither the others nor the end of the process.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._running: dict[tuple[str, int], asyncio.Task[list[str]]] = {}

    async def look_up(self, name: str, port: int) -> list[str]:
        """Return the addresses of a name, in the system's order.

        Raises:
            OSError: it has none, or nobody answered.

        """
        key = name, port
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.create_task(aside(partial(_look_up, name, port), _LOOK_UP_S))
            task.add_done_callback(partial(self._done, key))
        return await asyncio.shield(task)  # one who stops waiting does not stop the others

    def _done(self, key: tuple[str, int], task: asyncio.Task[list[str]]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # nobody may wait any more


def _look_up(name: str, port: int) -> list[str]:
    found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class Connector:
    """Opens connections; nothing of an answer is read here."""

    def __init__(self, trust: ssl.SSLContext | None) -> None:
        """Keep whom to trust; None: the system's certificates."""
        self._trust = trust if trust is not None else ssl.create_default_context()
        self._trust.set_alpn_protocols(["http/1.1"])
        self._names = Names()

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
        except ssl.SSLError:
            raise Unreached("tls") from None
        except OSError as error:
            raise Unreached(_word(error)) from None

    async def _first(self, upstream: Upstream) -> VendorSide:
        """Try the addresses of a name in turn, each for its share of the time; the last one's error is told."""
        addresses = await self._addresses(upstream)
        for address in addresses[:-1]:
            try:
                async with asyncio.timeout(upstream.connect_ms / 1000 / len(addresses)):
                    return await self._open(upstream, address)
            except ssl.SSLError:
                raise
            except OSError:
                continue  # a time-out is one too; the next address may do
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

    async def _addresses(self, upstream: Upstream) -> list[str]:
        """Return the addresses that may be connected to, at least one: what is checked is connected to."""
        try:
            ipaddress.ip_address(upstream.address)
        except ValueError:
            found = await self._names.look_up(upstream.address, upstream.port)
        else:
            found = [upstream.address]
        allowed = [address for address in found if upstream.policy.refusal(address) is None]
        if not allowed:
            raise AddressDenied
        return allowed


def _word(error: OSError) -> str:
    if error.errno in _OWN_LIMITS or _is_out_of_files():
        return "own_limit"
    if isinstance(error, socket.gaierror):
        # A server that does not answer is as a rule our own; a vendor's name that is not there is the vendor's.
        return "no_way_out" if error.errno == socket.EAI_AGAIN else "dns"
    if error.errno in _NO_WAY_OUT:
        return "no_way_out"
    return "refused" if error.errno == errno.ECONNREFUSED else "connection"


def _is_out_of_files() -> bool:
    """Tell whether this process may open nothing more: a look-up that fails for it has many names for that."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return True
    return False
