"""A sidecar to scrape: its exposition as the product renders it, every counter grown since the scrape before."""

from __future__ import annotations

import threading

from slaguard.sidecar.call import Ended
from slaguard.sidecar.link import LinkState
from slaguard.sidecar.pump import PumpState
from slaguard.sidecar.series import TEXT, OwnState, families, render
from tests.exporters.real_prometheus import Answer

CALLS = 50
"""Calls between two scrapes."""


def sidecar() -> Answer:
    """Return what answers the scrapes of one sidecar."""
    lock, turns = threading.Lock(), 0

    def answer(accept: str, accept_encoding: str) -> tuple[bytes, str, str | None]:
        nonlocal turns
        with lock:
            turns += 1
            return render(families(_pump(turns), _link(turns), OWN), openmetrics=False), TEXT, None

    return answer


OWN = OwnState(
    version="0.1.0",
    ready=True,
    queue_limit=32 << 20,
    secret_kept=True,
    reload_successful=True,
    reload_success_at=1_790_000_000_000_000_000,
    restart_needed=False,
)


def _pump(turn: int) -> PumpState:
    ended = {Ended.COMPLETE: 46 * turn, Ended.CUT: turn, Ended.CLIENT_LEFT: 3 * turn}
    return PumpState(open_calls=4, clients=12, pooled=6, ended=ended, refused={"400": turn, "502": 2 * turn})


def _link(turn: int) -> LinkState:
    return LinkState(
        recorder_up=True,
        trouble=None,
        queued_bytes=4096,
        seen=CALLS * turn,
        recorded=48 * turn,
        client_abort=3 * turn,
        shed={"queue": 2 * turn, "error": 0, "stop": 0},
        bodies=turn,
        bodies_shed=0,
        last_ack_ns=1_790_000_000_000_000_000,
    )
