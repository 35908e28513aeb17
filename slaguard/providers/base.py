"""What a provider is, what goes in, and what comes up: raw facts of one attempt, never a judgement, never an exception.

Adapters are found by name through the entry points `slaguard.providers`: each is called with an `Endpoint` and a
`Transport`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from slaguard.config import Secret
from slaguard.records import Instant, RawFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One POST as it goes out. A header's value that is a `Secret` is revealed on the wire alone."""

    url: str
    headers: tuple[tuple[str, str | Secret], ...]
    body: bytes


class Fault(StrEnum):
    """Why an exchange did not come to its end."""

    DENIED = "address_denied"  # the name leads to an address that the configuration does not allow
    DNS = "dns"
    REFUSED = "connection_refused"
    CONNECTION = "connection"
    TLS = "tls"
    UNTRUSTED = "tls_untrusted"  # a certificate of an issuer that this machine does not trust
    PROTOCOL = "protocol"  # what came back is no HTTP
    CUT = "cut"  # the connection ended in the middle of the answer
    TIMEOUT = "timeout"
    OWN_PROBE = "own_probe"  # this machine is out of descriptors, ports or memory
    OWN_NETWORK = "own_network"  # this machine has no way out


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What one request and its answer were, byte for byte as far as they are kept; times are ns after `started`.

    `status` is None where no answer began. `complete` tells whether the body ended as HTTP says it must;
    `body` is unpacked (gzip, deflate) and `over_limit` where more came than is kept. `marks` are (bytes so far, ns)
    of the pieces of the body as they came in.
    """

    started: Instant
    sent_ns: int | None = None
    first_byte_ns: int | None = None
    ended_ns: int
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    complete: bool = False
    over_limit: bool = False
    marks: tuple[tuple[int, int], ...] = ()
    peer: str | None = None
    certificate_sha256: str | None = None
    fault: Fault | None = None
    detail: str | None = None

    def wall(self, after_ns: int | None) -> int | None:
        """Return the UTC nanoseconds of a moment given as ns after `started`."""
        return None if after_ns is None else self.started.wall_ns + after_ns


class Transport(Protocol):
    """Sends one request, once."""

    async def send(self, request: Request) -> Exchange:
        """Return what became of the request; a failure is part of the answer, never raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a vendor is reached, and with what key."""

    base_url: str
    key: Secret | None = None
    send_request_id: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """One question as it is put to a model: messages as (role, text), and the request's parameters as JSON values."""

    model: str
    messages: tuple[tuple[str, str], ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What an adapter read in an exchange: raw facts, the answer's text, and the vendor's own handles.

    `first_token_ns` is when the first piece of a streamed answer had come, in ns after `exchange.started`.
    """

    exchange: Exchange
    facts: RawFacts
    text: str = ""
    model_returned: str | None = None
    request_id: str | None = None
    fingerprint: str | None = None
    answer_id: str | None = None
    finish_reason: str | None = None
    stream: bool = False
    stream_end: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    first_token_ns: int | None = None


class Provider(Protocol):
    """Speaks to one vendor."""

    def request(self, prompt: Prompt) -> Request:
        """Return the request that `complete` would send."""

    async def complete(self, prompt: Prompt) -> Reply:
        """Ask once and return what came back."""
