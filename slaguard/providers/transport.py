"""The one way out to a vendor: one request, once, and everything that became of it as an `Exchange`.

aiohttp, with all that hides something switched off (`evidence.md` §11): no redirects, no retries, no cookies, no proxy
from the environment, no name cache. Every request has a connection of its own: what a vendor sent behind one answer
never reaches another, and there is no stale connection on which aiohttp would send a request again. `sent_ns` is taken
once the connection stands, so a latency does not hold the handshake.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import ssl
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from slaguard.config import Secret
from slaguard.providers.addresses import AddressDenied, AddressPolicy, CheckedResolver
from slaguard.providers.base import Exchange, Fault, Request
from slaguard.providers.bodies import Body
from slaguard.records import NS_PER_MS, Clock

MAX_BODY: Final = 16 << 20
_HEADER_BYTES: Final = 32 << 10
_MARKS: Final = 512
"""Pieces of a body whose arrival is kept: enough to find the first token of any stream."""
_WATCH_S: Final = 0.25
KEPT_HEADERS: Final = frozenset(
    {
        "content-type", "date", "location", "openai-processing-ms", "request-id", "retry-after", "x-request-id",
        "apim-request-id", "x-amzn-requestid", "cf-ray", "x-ms-region",
    }
)  # fmt: skip
"""What is kept of an answer's headers; all others, cookies above all, are never looked at."""
_OWN_LIMITS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
_NO_WAY_OUT: Final = frozenset({errno.ENETUNREACH, errno.ENETDOWN})


class _Call:
    """One exchange while it runs."""

    def __init__(self, clock: Clock, max_body: int) -> None:
        self._clock = clock
        self._max_body = max_body
        self.started = clock.read()
        self.sent_ns: int | None = None
        self.first_byte_ns: int | None = None
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body: Body | None = None
        self.marks: list[tuple[int, int]] = []
        self.complete = False
        self.peer: str | None = None
        self.certificate_sha256: str | None = None
        self.transport: asyncio.Transport | None = None
        self.closed_on = False

    def elapsed(self) -> int:
        return self._clock.read().mono_ns - self.started.mono_ns

    def connected(self, transport: asyncio.Transport | None) -> None:
        """The connection stands and the request is on it."""
        self.sent_ns = self.elapsed()
        if transport is None:
            return
        self.transport = transport
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else None
        tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
        self.certificate_sha256 = hashlib.sha256(certificate).hexdigest() if certificate else None

    def answered(self, response: aiohttp.ClientResponse) -> Body:
        self.first_byte_ns = self.elapsed()
        self.status = response.status
        for name, value in response.headers.items():
            lower = name.lower()
            if lower in KEPT_HEADERS and lower not in self.headers:
                self.headers[lower] = value
        self.body = Body(response.headers.get("Content-Encoding", ""), self._max_body)
        return self.body

    def took(self, size: int) -> None:
        if len(self.marks) < _MARKS:
            now = self.elapsed()
            if not self.marks:
                self.first_byte_ns = now
            self.marks.append((size, now))

    def exchange(self, timeout_ns: int, fault: Fault | None = None, detail: str | None = None) -> Exchange:
        """Return the Exchange; one that took longer than the time-out by the Clock was ended by it, whatever came after."""
        ended = self.elapsed()
        body = self.body
        if ended > timeout_ns or fault is Fault.TIMEOUT:
            return self._timed_out(timeout_ns)
        return Exchange(
            started=self.started,
            sent_ns=self.sent_ns,
            first_byte_ns=self.first_byte_ns,
            ended_ns=ended,
            status=self.status,
            headers=self.headers,
            body=body.content() if body else b"",
            complete=self.complete and fault is None and body is not None and body.whole,
            over_limit=body is not None and body.over_limit,
            marks=tuple(self.marks),
            peer=self.peer,
            certificate_sha256=self.certificate_sha256,
            fault=fault,
            detail=detail or ("content_encoding" if body is not None and body.unreadable else None),
        )

    def _timed_out(self, timeout_ns: int) -> Exchange:
        began = self.first_byte_ns is not None and self.first_byte_ns <= timeout_ns
        return Exchange(
            started=self.started,
            sent_ns=self.sent_ns if self.sent_ns is not None and self.sent_ns <= timeout_ns else None,
            first_byte_ns=self.first_byte_ns if began else None,
            ended_ns=timeout_ns,
            status=self.status if began else None,
            headers=self.headers if began else {},
            peer=self.peer,
            certificate_sha256=self.certificate_sha256,
            fault=Fault.TIMEOUT,
        )


_RUNNING: Final[ContextVar[_Call]] = ContextVar("_RUNNING")
"""The exchange that this task runs: how an answer's class, which aiohttp makes, finds it."""


class _Response(aiohttp.ClientResponse):
    """Notes when the request was on the connection, and whom it leads to; later the connection may be gone."""

    async def start(self, connection: Connection) -> Self:
        _RUNNING.get().connected(connection.transport)
        await super().start(connection)
        return self


class HttpTransport:
    """Sends requests to one vendor; a context manager that holds one aiohttp session."""

    def __init__(
        self,
        clock: Clock,
        policy: AddressPolicy,
        *,
        timeout_ms: int,
        max_body: int = MAX_BODY,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """Keep the limits; nothing is opened yet.

        Args:
            clock: every time is read here; a time-out holds on it, whatever the event loop's own clock says.
            policy: which addresses may be connected to.
            timeout_ms: from the look-up of the name to the last byte.
            max_body: the most bytes of a body that are kept, unpacked.
            trust: the certificates that are trusted; None: the system's.

        """
        self._clock = clock
        self._policy = policy
        self._timeout_ns = timeout_ms * NS_PER_MS
        self._max_body = max_body
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(self._policy),
            use_dns_cache=False,
            force_close=True,
            limit=0,
            ssl=self._trust if self._trust is not None else True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            response_class=_Response,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None),
            max_line_size=_HEADER_BYTES,
            max_field_size=_HEADER_BYTES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, request: Request) -> Exchange:
        """Return what became of one request (see `Transport`)."""
        call = _Call(self._clock, self._max_body)
        refusal = self._policy.refusal_of_url(request.url)
        if refusal is not None:
            return call.exchange(self._timeout_ns, Fault.DENIED, refusal)
        running = _RUNNING.set(call)
        try:
            await self._exchange(call, request)
        except TimeoutError:
            fault = Fault.CUT if call.closed_on else Fault.TIMEOUT
            return call.exchange(self._timeout_ns, fault, "malformed_chunk" if call.closed_on else None)
        except (aiohttp.ClientError, OSError) as error:
            return call.exchange(self._timeout_ns, *_fault(error, call))
        finally:
            _RUNNING.reset(running)
        return call.exchange(self._timeout_ns)

    async def _exchange(self, call: _Call, request: Request) -> None:
        assert self._session is not None, "the transport is entered before it sends"  # noqa: S101
        headers = [(name, v.reveal() if isinstance(v, Secret) else v) for name, v in request.headers]
        async with asyncio.timeout(self._timeout_ns / 1e9) as limit:
            watch = _Watch(call, limit)
            try:
                async with self._session.post(
                    URL(request.url, encoded=True), data=request.body, headers=headers, allow_redirects=False
                ) as response:
                    await _read(call, response)
            finally:
                watch.cancel()


async def _read(call: _Call, response: aiohttp.ClientResponse) -> None:
    body = call.answered(response)
    async for piece in response.content.iter_any():
        wanted = body.take(piece)
        call.took(body.size)
        if not wanted:
            response.close()
            return
    call.complete = True


class _Watch:
    """Ends an exchange whose connection is closed and whose reader nobody told.

    aiohttp closes a connection on a malformed chunk without waking the reader, which would wait for the time-out.
    """

    def __init__(self, call: _Call, limit: asyncio.Timeout) -> None:
        self._call = call
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._seen_closing = False
        self._next = self._loop.call_later(_WATCH_S, self._look)

    def _look(self) -> None:
        transport = self._call.transport
        if self._limit.expired():
            return
        if transport is not None and transport.is_closing():
            if self._seen_closing:  # the reader had its time to notice
                self._call.closed_on = True
                self._limit.reschedule(self._loop.time())
                return
            self._seen_closing = True
        self._next = self._loop.call_later(_WATCH_S, self._look)

    def cancel(self) -> None:
        self._next.cancel()


def _fault(error: aiohttp.ClientError | OSError, call: _Call) -> tuple[Fault, str | None]:
    """Return why an exchange ended early, in words of ours: an error's own text may repeat what a vendor sent."""
    cause = getattr(error, "os_error", error)
    if isinstance(cause, AddressDenied):
        return Fault.DENIED, str(cause)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Fault.DNS, None
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        word = _CERTIFICATE_WORDS.get(getattr(error.certificate_error, "verify_code", 0))
        return (Fault.TLS, word) if word is not None else (Fault.UNTRUSTED, None)
    if isinstance(error, aiohttp.ClientSSLError) or isinstance(cause, ssl.SSLError):
        return Fault.TLS, "tls_handshake"
    number = getattr(cause, "errno", None)
    if number in _OWN_LIMITS:
        return Fault.OWN_PROBE, errno.errorcode[number].lower()
    if number in _NO_WAY_OUT:
        return Fault.OWN_NETWORK, errno.errorcode[number].lower()
    if call.status is not None:
        return Fault.CUT, None
    if isinstance(error, aiohttp.ClientResponseError):
        return Fault.PROTOCOL, None
    return (Fault.REFUSED if number == errno.ECONNREFUSED else Fault.CONNECTION), None


_CERTIFICATE_WORDS: Final = {
    9: "tls_not_yet_valid",
    10: "tls_expired",
    23: "tls_revoked",
    62: "tls_wrong_host",
    64: "tls_wrong_host",
}
"""By OpenSSL's verification code."""
