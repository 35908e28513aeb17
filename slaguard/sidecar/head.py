"""Heads of HTTP/1.1 messages (RFC 9112): recognised strictly, and forwarded as the bytes that were recognised.

One pattern accepts a whole head or refuses it; nothing is mended. What decides where a message ends (`Content-Length`,
`Transfer-Encoding`) has one spelling here, so that no two readers of the forwarded bytes can differ about it.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
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
_TABBED: Final = re.compile(rb"^(?:host|content-length|transfer-encoding):[^\r]*\t", re.IGNORECASE | re.MULTILINE)
_MOST_DIGITS: Final = 15
"""Of a length."""
_ZERO: Final = ord("0")

HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"upgrade"}
)
"""What is between two neighbours alone and never forwarded, beside what `Connection` names (RFC 9110 §7.6.1)."""
_OURS: Final = frozenset({b"content-length", b"transfer-encoding", b"host"})
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
_FRAMING: Final = _OURS | {b"content_length", b"transfer_encoding"}
"""With what becomes a framing field for a vendor that takes an underscore for a hyphen, as CGI does."""
_WORDS: Final = {word: frozenset({word}) for word in (b"close", b"keep-alive")}
"""What `Connection` nearly always says."""
_NO_BODY: Final = frozenset({204, 304})


class Refused(Exception):  # noqa: N818 - what happened is the name
    """A message that is not forwarded: the status that says so, and why, in words for whoever sent it."""

    def __init__(self, status: int, why: str) -> None:
        """Keep both."""
        self.status = status
        self.why = why
        super().__init__(why)


class Fields:
    """The field lines of one head: what is forwarded, and what decides about framing and connection."""

    __slots__ = ("codings", "connection", "doubtful", "host_at", "hosts", "kept", "lengths", "noted", "upgrade")

    def __init__(self, block: bytes, notable: frozenset[bytes]) -> None:
        """Sort the lines of a recognised block.

        Raises:
            Refused: `Connection` names a field that is not its to name.

        """
        kept: list[bytes] = []
        noted: dict[bytes, bytes] = {}
        self.kept, self.noted = kept, noted
        self.hosts: list[bytes] = []
        self.lengths: list[bytes] = []
        self.codings: list[bytes] = []
        self.connection: frozenset[bytes] = frozenset()
        self.upgrade = False
        self.host_at = -1
        """The place of `Host` among the lines that are kept."""
        self.doubtful = b"\t" in block and _TABBED.search(block) is not None
        """Whether a field that decides about framing is written so that some readers take it and others do not."""
        for line in block.split(b"\r\n")[:-1]:
            name, _, value = line.partition(b":")
            name = name.lower()
            if name in HOP_BY_HOP:
                self._hop(name, value)
                continue
            if name in notable:
                if name not in noted:
                    noted[name] = value.strip(b" \t")
            elif name in _FRAMING:
                self._frame(name, value.strip(b" \t"))
            kept.append(line)
        if self.connection and (len(self.connection) > 1 or not self.connection <= _WORDS.keys()):
            self._drop_named()

    def _hop(self, name: bytes, value: bytes) -> None:
        """Know a field that ends here."""
        if name == b"connection":
            value = value.strip(b" \t").lower()
            self.connection |= _WORDS.get(value) or {token.strip(b" \t") for token in value.split(b",")} - {b""}
        elif name == b"upgrade":
            self.upgrade = True

    def _frame(self, name: bytes, value: bytes) -> None:
        """Know a field that says where the message goes or ends, or that some would read so."""
        if name == b"content-length":
            self.lengths.append(value)
        elif name == b"host":
            self.hosts.append(value)
            self.host_at = len(self.kept)
        elif name == b"transfer-encoding":
            self.codings.append(value)
        else:
            self.doubtful = True

    def _drop_named(self) -> None:
        """Take out the fields that `Connection` names; framing cannot be taken out so."""
        if self.connection & _OURS:
            raise Refused(400, "Connection names a field that is not its to name")
        self.drop(self.connection)
        for name in self.connection:
            self.noted.pop(name, None)

    def drop(self, names: AbstractSet[bytes], keep: int = 0) -> None:
        """Take out the lines with these names, but the first `keep` of them."""
        left: list[bytes] = []
        for line in self.kept:
            name = line.partition(b":")[0].lower()
            if name in names:
                keep -= 1
                if keep < 0:
                    continue
            if name == b"host":
                self.host_at = len(left)
            left.append(line)
        self.kept[:] = left


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
        self._kept[self._host_at] = b"Host: " + authority
        return b"%b %b HTTP/1.1\r\n%b\r\n\r\n" % (self.method, target, b"\r\n".join(self._kept))


def read_request(head: bytes) -> RequestHead:
    """Recognise a request's head, its end included.

    Raises:
        Refused: it is not exactly one of HTTP/1.1's, or asks for what is not carried.

    """
    found = _REQUEST.fullmatch(head)
    if found is None:
        raise _why_not(head)
    method, target, minor, block = found.groups()
    fields = Fields(block, NOTED)
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
    text = fields.lengths[0]
    if len(fields.lengths) > 1 or not _is_number(text) or (text[0] == _ZERO and len(text) > 1):
        raise Refused(400, "Content-Length is one number")
    length = int(text)
    return Length(length) if length else None


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _MOST_DIGITS  # of bytes, ASCII's digits alone are digits


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
    _fields: Fields

    def forwarded(self, *, closing: bool, unpacked: bool = False) -> bytes:
        """Return the head as it is sent to the client.

        Args:
            closing: whether the connection is closed behind this answer, which is then said.
            unpacked: whether chunks are unpacked on the way, for a client of HTTP/1.0.

        """
        if unpacked:
            self._fields.drop(_CHUNKED_ONLY)
        ending = (b"Connection: close", b"", b"") if closing else (b"", b"")
        return b"\r\n".join((self._line, *self._fields.kept, *ending))


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
    fields = Fields(block, RETURNED)
    framing = _answer_framing(fields, status, method)
    keep_alive = minor == b"1" and b"close" not in fields.connection and not isinstance(framing, UntilClose)
    if fields.codings and fields.lengths:
        keep_alive = False
    return AnswerHead(status, framing, keep_alive, fields.noted, line, fields)


def _answer_framing(fields: Fields, status: int, method: bytes) -> Framing | None:
    """Return how the body ends (RFC 9112 §6.3); a coding wins over a length, which is then not forwarded."""
    if status == 101:
        raise Refused(502, "the vendor switched to a protocol that nobody asked for")
    lengths, codings = fields.lengths, fields.codings
    if lengths and (not _is_number(lengths[0]) or (len(lengths) > 1 and len(set(lengths)) > 1)):
        raise Refused(502, "the vendor gave no single Content-Length")
    if len(lengths) > 1 or (codings and lengths):
        fields.drop({b"content-length"}, keep=0 if codings else 1)
    if codings and (len(codings) > 1 or codings[0].lower() != b"chunked"):
        raise Refused(502, "the vendor used a transfer coding that is not carried")
    if method == b"HEAD" or status < 200 or status in _NO_BODY:
        return None
    if codings:
        return Chunked(extensions=True)
    if lengths:
        length = int(lengths[0])
        return Length(length) if length else None
    return UntilClose()


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
