"""The sidecar's own pump with a Watcher that does nothing: what it costs to pass calls on, capture left out.

python sidecar_bare.py PORT JSON_PORT EVENTS_PORT PREFIX
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

from slaguard.cli.clock import SystemClock
from slaguard.providers.addresses import AddressPolicy
from slaguard.sidecar.call import Call
from slaguard.sidecar.pump import Pump
from slaguard.sidecar.route import Routes, Upstream


class Nobody:
    """A Watcher that looks away."""

    def began(self, call: Call) -> None:
        """Do nothing."""

    def ended(self, call: Call) -> None:
        """Do nothing."""


def _upstream(vendor: str, port: int, prefix: str) -> Upstream:
    """Return what the sidecar's configuration amounts to."""
    return Upstream(
        vendor=vendor,
        tls=False,
        address="127.0.0.1",
        port=port,
        authority=f"127.0.0.1:{port}",
        policy=AddressPolicy.of(f"http://127.0.0.1:{port}"),
        prefix=prefix,
    )


async def _serve(port: int, json_port: int, events_port: int, prefix: str) -> None:
    routes = Routes([_upstream("Acme AI", json_port, ""), _upstream("Other AI", events_port, prefix)])
    await Pump(routes, Nobody(), SystemClock()).listen("127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
