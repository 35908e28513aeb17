"""The vendor's side of a connection, and the connections that wait for their next request.

A connection serves one request at a time. A byte that comes while nobody waits for one, or behind the end of an answer,
ends the connection: it is never handed to the next caller.
"""

from __future__ import annotations

import asyncio
import select
from typing import Final, Protocol, cast

from slaguard.sidecar.route import Origin

_MOST_IDLE: Final = 128


class Served(Protocol):
    """The one that a vendor connection works for."""

    def from_vendor(self, data: bytes) -> None:
        """Take bytes."""

    def vendor_closed(self, *, reset: bool) -> None:
        """Know that nothing more comes; `reset`: it broke, rather than ended."""

    def vendor_is_slow(self, *, slow: bool) -> None:
        """Send less, or go on."""


class VendorSide(asyncio.Protocol):
    """One connection to a vendor."""

    def __init__(self, origin: Origin) -> None:
        """Begin without a connection."""
        self.origin = origin
        self.served: Served | None = None
        self.used = False
        """Whether an earlier request was answered on it."""
        self.idle_since = 0
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._is_over = False
        self._poll: select.poll | None = None

    # ── called by the event loop ────────────────────────────────────────────────────────────────────────────────────
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # a stream's; uvloop's own are no subclass
        self._poll = select.poll()
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Hand on bytes; unasked ones end the connection."""
        if self.served is not None:
            self.served.from_vendor(data)
        else:
            self.abort()

    def eof_received(self) -> None:
        """The vendor says nothing more, so neither do we."""
        self._over(reset=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._over(reset=exc is not None)

    def pause_writing(self) -> None:
        """The vendor takes bytes more slowly than they come."""
        if self.served is not None:
            self.served.vendor_is_slow(slow=True)

    def resume_writing(self) -> None:
        """It has caught up."""
        if self.served is not None:
            self.served.vendor_is_slow(slow=False)

    def _over(self, *, reset: bool) -> None:
        self._is_over = True
        served, self.served = self.served, None
        if served is not None:
            served.vendor_closed(reset=reset)

    # ── called by whom it serves ────────────────────────────────────────────────────────────────────────────────────
    @property
    def is_usable(self) -> bool:
        """Tell whether a request may be sent on it."""
        return not self._is_over and self._transport is not None and not self._transport.is_closing()

    @property
    def has_unsent(self) -> bool:
        """Tell whether bytes of a request still wait for the vendor to take them."""
        return self._transport is not None and self._transport.get_write_buffer_size() > 0

    @property
    def is_quiet(self) -> bool:
        """Tell whether it is usable and nothing has come that nobody has read: an end, or bytes that were not asked for."""
        return self.is_usable and self._poll is not None and not self._poll.poll(0)

    def write(self, data: bytes) -> None:
        """Send bytes; on a connection that is over they go nowhere, and `vendor_closed` says so."""
        if self._transport is not None:
            self._transport.write(data)

    def pause(self, *, paused: bool) -> None:
        """Read nothing for a while, or go on."""
        if self._transport is None or paused == self._is_paused or self._transport.is_closing():
            return
        self._is_paused = paused
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def abort(self) -> None:
        """End the connection at once; whoever it serves is not told."""
        self.served = None
        self._is_over = True
        if self._transport is not None:
            self._transport.abort()


class Pool:
    """Connections that wait, the last one used first."""

    def __init__(self) -> None:
        """Begin empty."""
        self._idle: dict[Origin, list[VendorSide]] = {}

    def take(self, origin: Origin) -> VendorSide | None:
        """Return a connection that waits, if there is a usable one."""
        waiting = self._idle.get(origin)
        while waiting:
            vendor = waiting.pop()
            if vendor.is_quiet:
                return vendor
            vendor.abort()
        return None

    def give(self, vendor: VendorSide, now: int) -> None:
        """Let a connection wait whose answer has ended."""
        vendor.served = None
        vendor.used = True
        vendor.idle_since = now
        vendor.pause(paused=False)
        waiting = self._idle.setdefault(vendor.origin, [])
        if len(waiting) < _MOST_IDLE and vendor.is_usable and not vendor.has_unsent:
            waiting.append(vendor)
        else:
            vendor.abort()

    def close_idle(self, before: int) -> None:
        """Close the connections that wait since `before`, and forget those that are over."""
        for origin, waiting in list(self._idle.items()):
            for vendor in waiting:
                if vendor.idle_since <= before:
                    vendor.abort()
            self._idle[origin] = kept = [v for v in waiting if v.is_usable]
            if not kept:
                del self._idle[origin]

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._idle.values())
