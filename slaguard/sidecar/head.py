"""Heads of HTTP/1.1 messages (RFC 9112): recognised strictly, and forwarded as the bytes that were recognised.

One pattern accepts a whole head or refuses it; nothing is mended. What decides where a message ends (`Content-Length`,
`Transfer-Encoding`) has one spelling here, so that no two readers of the forwarded bytes can differ about it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from slaguard.sidecar.body import Chunked, Framing, Length, UntilClose

MAX_HEAD: Final = 32 << 10
END: Final = b"\r\n\r\n"
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_FIELDS: Final = rb"((?:" + _TOKEN + rb"++:[\t\x20-\x7e\x80-\xff]*+\r\n)*+)\r\n"
_REQUEST: Final = re.compile(rb"(" + _TOKEN + rb"{1,32}) (/[\x21\x22\x24-\x7e]*+) HTTP/1\.([01])\r\n" + _FIELDS)
_ANSWER: Final = re.compile(rb"(HTTP/1\.([01]) ([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*+)?)\r\n" + _FIELDS)
_BEGUN: Final = re.compile(_TOKEN)
_BARE_LF: Final = re.compile(rb"(?<!\r)\n")
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._-]{1,253})(?::[0-9]{1,5})?")
_PLAIN_LENGTH: Final = re.compile(rb"0|[1-9][0-9]{0,14}")
_LENGTH: Final = re.compile(rb"[0-9]{1,15}")

HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"upgrade"}
)
"""What is between two neighbours alone and never forwarded, beside what `Connection` names (RFC 9110 §7.6.1)."""
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"host"})
NOTED: Final = frozenset(
    {
        b"x-request-id", b"x-client-request-id", b"idempotency-key", b"traceparent", b"x-stainless-retry-count",
        b"content-type", b"content-encoding",
    }
)  # fmt: skip
"""The fields of a request that observing reads; no credential is among them."""
RETURNED: Final = frozenset(
    {
        b"content-type", b"content-encoding", b"request-id", b"x-request-id", b"openai-processing-ms", b"retry-after",
        b"cf-ray", b"apim-request-id", b"x-amzn-requestid", b"x-ms-region", b"openai-model", b"x-ms-deployment-name",
    }
)  # fmt: skip
"""The fields of an answer that observing reads."""
_LOOK_ALIKES: Final = frozenset({b"content_length", b"transfer_encoding"})
"""What becomes a framing field for a vendor that takes an underscore for a hyphen, as CGI does."""
_LOOKED_AT: Final = HOP_BY_HOP | _FRAMING | _LOOK_ALIKES
_NO_BODY: Final = frozenset({204, 304})


class Refused(Exception):  # noqa: N818 - what happened is the name
    """A message that is not forwarded: the status that says so, and why, in words for whoever sent it."""

    def __init__(self, status: int, why: str) -> None:
        """Keep both."""
        self.status = status
        self.why = why
        super().__init__(why)


@dataclass(slots=True)
class Fields:
    """The field lines of one head: what is forwarded, and what decides about framing and connection."""

    kept: list[bytes]
    host_at: int
    hosts: list[bytes]
    lengths: list[bytes]
    codings: list[bytes]
    connection: frozenset[bytes]
    upgrade: bool
    noted: dict[bytes, bytes]
    doubtful: bool = False
    """Whether a field that decides about framing is written so that some readers take it and others do not."""


def _read_fields(block: bytes, noted: frozenset[bytes]) -> Fields:
    """Sort the lines of a recognised block."""
    found = Fields([], -1, [], [], [], frozenset(), False, {})
    kept = found.kept
    for line in block.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        lower = name.lower()
        if lower in _LOOKED_AT:
            _look_at(found, lower, line, value.strip(b" \t"))
            continue
        if lower in noted and lower not in found.noted:
            found.noted[lower] = value.strip(b" \t")
        kept.append(line)
    if len(found.connection) > 1 or found.connection - {b"close", b"keep-alive"}:
        _drop_named(found)
    return found


def _look_at(found: Fields, name: bytes, line: bytes, value: bytes) -> None:
    if name in _FRAMING and b"\t" in line:
        found.doubtful = True
    match name:
        case b"host":
            found.hosts.append(value)
            found.host_at = len(found.kept)
        case b"content-length":
            found.lengths.append(value)
            found.kept.append(line)
        case b"transfer-encoding":
            found.codings.append(value)
            found.kept.append(line)
        case b"connection":
            found.connection |= {token.strip(b" \t").lower() for token in value.split(b",")} - {b""}
        case b"upgrade":
            found.upgrade = True
        case b"content_length" | b"transfer_encoding":
            found.kept.append(line)
            found.doubtful = True
        case _:
            pass  # hop by hop: not forwarded


def _drop_named(found: Fields) -> None:
    """Take out the fields that `Connection` names; framing cannot be taken out so."""
    if found.connection & _FRAMING:
        raise Refused(400, "Connection names a field that is not its to name")
    before = found.kept[: max(found.host_at, 0)]
    found.kept[:] = [line for line in found.kept if line.partition(b":")[0].lower() not in found.connection]
    if found.host_at > 0:
        found.host_at = sum(line.partition(b":")[0].lower() not in found.connection for line in before)
    for name in found.connection:
        found.noted.pop(name, None)


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class RequestHead:
    """A recognised request: `framing` is None where it has no body."""

    method: bytes
    target: bytes
    minor: bytes
    host: str
    framing: Framing | None
    keep_alive: bool
    noted: dict[bytes, bytes]
    _kept: list[bytes]
    _host_at: int

    def forwarded(self, target: bytes, authority: bytes) -> bytes:
        """Return the head as it is sent to a vendor."""
        kept = self._kept
        at = self._host_at
        line = self.method + b" " + target + b" HTTP/1.1"
        return b"\r\n".join([line, *kept[:at], b"Host: " + authority, *kept[at:], b"", b""])


def read_request(head: bytes) -> RequestHead:
    """Recognise a request's head, its end included.

    Raises:
        Refused: it is not exactly one of HTTP/1.1's, or asks for what is not carried.

    """
    found = _REQUEST.fullmatch(head)
    if found is None:
        raise _why_not(head)
    method, target, minor, block = found.groups()
    fields = _read_fields(block, NOTED)
    if method == b"CONNECT":
        raise _why_not(head)
    if fields.upgrade:
        raise Refused(501, "Upgrade is not carried (WebSocket, h2c): reach the vendor directly for it")
    if fields.doubtful:
        raise Refused(400, "Host, Content-Length and Transfer-Encoding have one spelling here, without tabs")
    if len(fields.hosts) != 1:
        raise Refused(400, "a request has exactly one Host")
    host = _HOST.fullmatch(fields.hosts[0])
    if host is None:
        raise Refused(400, "Host is a name or an address, with a port or without")
    framing = _request_framing(fields, minor)
    keep_alive = minor == b"1" and b"close" not in fields.connection
    name = host[1].decode("ascii").lower().rstrip(".")
    return RequestHead(method, target, minor, name, framing, keep_alive, fields.noted, fields.kept, fields.host_at)


def _request_framing(fields: Fields, minor: bytes) -> Framing | None:
    if fields.codings:
        if fields.lengths:
            raise Refused(400, "Content-Length and Transfer-Encoding exclude each other")
        if minor == b"0" or len(fields.codings) > 1 or fields.codings[0] != b"chunked":
            raise Refused(400, "the one transfer coding that is carried is chunked, in HTTP/1.1")
        return Chunked(extensions=False)
    if not fields.lengths:
        return None
    if len(fields.lengths) > 1 or _PLAIN_LENGTH.fullmatch(fields.lengths[0]) is None:
        raise Refused(400, "Content-Length is one number")
    length = int(fields.lengths[0])
    return Length(length) if length else None


def may_be_head(begun: bytes) -> bool:
    """Tell whether bytes without an end of a head may be the beginning of one: some can be refused before they time out."""
    return _BEGUN.match(begun) is not None and _BARE_LF.search(begun) is None


def _why_not(head: bytes) -> Refused:
    if head.startswith(b"CONNECT "):
        return Refused(501, "CONNECT is not carried")
    line = head.partition(b"\r\n")[0]
    parts = line.split(b" ")
    if len(parts) == 3 and parts[2].startswith(b"HTTP/") and parts[2] not in {b"HTTP/1.0", b"HTTP/1.1"}:
        return Refused(505, "HTTP/1.1 is spoken here")
    if len(parts) == 3 and not parts[1].startswith(b"/"):
        return Refused(400, "a target begins with a slash")
    return Refused(400, "this is no head of an HTTP/1.1 request")


# ── answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(slots=True)
class AnswerHead:
    """A recognised answer: `framing` is None where it has no body."""

    status: int
    framing: Framing | None
    keep_alive: bool
    noted: dict[bytes, bytes]
    _line: bytes
    _kept: list[bytes]

    def forwarded(self, *, closing: bool, unpacked: bool = False) -> bytes:
        """Return the head as it is sent to the client.

        Args:
            closing: whether the connection is closed behind this answer, which is then said.
            unpacked: whether chunks are unpacked on the way, for a client of HTTP/1.0.

        """
        kept = [line for line in self._kept if line.partition(b":")[0].lower() not in _CHUNKED_ONLY] if unpacked else self._kept
        ending = (b"Connection: close", b"", b"") if closing else (b"", b"")
        return b"\r\n".join([self._line, *kept, *ending])


_CHUNKED_ONLY: Final = frozenset({b"transfer-encoding", b"trailer"})


def read_answer(head: bytes, method: bytes) -> AnswerHead:
    """Recognise the head of an answer to a request, its end included.

    Args:
        head: with the empty line that ends it.
        method: of the request.

    Raises:
        Refused: it is not exactly one of HTTP/1's.

    """
    found = _ANSWER.fullmatch(head)
    if found is None:
        raise Refused(502, "what the vendor sent is no head of an HTTP/1.1 answer")
    line, minor, code, block = found.groups()
    status = int(code)
    fields = _read_fields(block, RETURNED)
    if fields.hosts:
        fields.kept.insert(fields.host_at, b"Host: " + fields.hosts[0])
    framing = _answer_framing(fields, status, method)
    keep_alive = minor == b"1" and b"close" not in fields.connection and not isinstance(framing, UntilClose)
    if fields.codings and fields.lengths:
        keep_alive = False
    return AnswerHead(status, framing, keep_alive, fields.noted, line, fields.kept)


def _answer_framing(fields: Fields, status: int, method: bytes) -> Framing | None:
    """Return how the body ends (RFC 9112 §6.3); a coding wins over a length, which is then not forwarded."""
    if status == 101:
        raise Refused(502, "the vendor switched to a protocol that nobody asked for")
    lengths = set(fields.lengths) if fields.lengths else ()
    if len(lengths) > 1 or any(_LENGTH.fullmatch(length) is None for length in lengths):
        raise Refused(502, "the vendor gave no single Content-Length")
    if len(fields.lengths) > 1 or (fields.codings and lengths):
        _drop(fields, b"content-length", keep=0 if fields.codings else 1)
    if fields.codings and (len(fields.codings) > 1 or fields.codings[0].lower() != b"chunked"):
        raise Refused(502, "the vendor used a transfer coding that is not carried")
    if method == b"HEAD" or status < 200 or status in _NO_BODY:
        return None
    if fields.codings:
        return Chunked(extensions=True)
    if lengths:
        length = int(fields.lengths[0])
        return Length(length) if length else None
    return UntilClose()


def _drop(fields: Fields, name: bytes, *, keep: int) -> None:
    """Keep the first `keep` lines of a field."""
    left: list[bytes] = []
    for line in fields.kept:
        if line.partition(b":")[0].lower() == name:
            keep -= 1
            if keep < 0:
                continue
        left.append(line)
    fields.kept[:] = left


# ── our own answers ─────────────────────────────────────────────────────────────────────────────────────────────────
_REASONS: Final = {
    400: "Bad Request", 404: "Not Found", 408: "Request Timeout", 431: "Request Header Fields Too Large",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
    505: "HTTP Version Not Supported",
}  # fmt: skip


def own_answer(status: int, why: str, *, to_head: bool = False) -> bytes:
    """Return an answer of the sidecar itself, in the form that vendors' own errors have; the connection is closed after it.

    Args:
        status: one of those it gives.
        why: fixed words; nothing that was received is repeated.
        to_head: whether the request was a HEAD.

    """
    body = b'{"error":{"type":"slaguard_sidecar","message":"' + why.encode("ascii") + b'"}}\n'
    head = (
        f"HTTP/1.1 {status} {_REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Slaguard-Sidecar: refused\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (b"" if to_head else body)
