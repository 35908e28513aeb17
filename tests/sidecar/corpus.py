"""Ten thousand exchanges, seeded: what a client sends in which pieces, and what the vendor answers in which pieces."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.sidecar.clients import Wait
from tests.sidecar.framing import Answer, read
from tests.sidecar.wire_vendor import Do, Part, Pause, Step

Fields = list[tuple[bytes, bytes]]
Rng = random.Random
WORDS: Final = (
    "claim",
    "uptime",
    "Größe",
    "naïve",
    "日本語",
    "🙂",
    "crédit",
    "\u2028",
    '"quoted"',
    "back\\slash",
    "Ω",
    "ｆｕｌｌ",
)
MIB: Final = 1 << 20
_ENDINGS: Final = (Do.CLOSE, Do.RESET)


@dataclass(frozen=True, slots=True)
class Case:
    """One exchange. `prefix_is_enough`: the vendor may answer and go before it has the whole request."""

    token: int
    kind: str
    method: str
    sending: tuple[bytes | Pause | Wait, ...]
    script: tuple[Step, ...]
    prefix_is_enough: bool = False

    @property
    def sent(self) -> bytes:
        """All bytes of the request."""
        return b"".join(step for step in self.sending if isinstance(step, bytes))

    @property
    def answer(self) -> Answer:
        """The answer as the vendor's bytes and the way they end have it."""
        said = b"".join(step for step in self.script if isinstance(step, bytes))
        return read(said, self.method, reset=Do.RESET in self.script)


@dataclass(slots=True)
class Draft:
    """A case in the making. `pieces`: the answer's body as it comes naturally; `asked`: the request's body."""

    rng: Rng
    token: int
    method: str = "POST"
    line: bytes = b"HTTP/1.1 200 OK"
    fields: Fields = field(default_factory=list)
    pieces: list[bytes] = field(default_factory=list)
    ending: Do | None = None
    before: list[Step] = field(default_factory=list)
    request_fields: Fields = field(default_factory=list)
    asked: list[bytes | Pause | Wait] = field(default_factory=list)
    prefix_is_enough: bool = False

    def head(self) -> bytes:
        """Return the answer's head."""
        return _head(self.line, self.fields)

    def framed(self, name: bytes, value: bytes) -> None:
        """Put a framing field at a random place, in one of its spellings."""
        spelt = self.rng.choice((name, name.lower(), name.upper()))
        self.fields.insert(self.rng.randint(0, len(self.fields)), (spelt, value))

    def length(self, body: bytes) -> None:
        """Answer with a length and a body."""
        self.framed(b"Content-Length", b"%d" % len(body))
        self.pieces = [body]

    def chunks(self, parts: Sequence[bytes], trailers: bytes = b"") -> None:
        """Answer in chunks."""
        self.framed(b"Transfer-Encoding", b"chunked")
        self.pieces = [*(chunk(self.rng, part) for part in parts if part), b"0\r\n" + trailers + b"\r\n"]


# ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _head(line: bytes, fields: Fields) -> bytes:
    return b"\r\n".join([line, *(name + b":" + value for name, value in fields), b"", b""])


def chunk(rng: Rng, part: bytes) -> bytes:
    """Return a chunk; sizes are spelt in several ways, and some carry an extension."""
    size = b"%x" % len(part)
    spelt = rng.choice((size, size, size.upper(), b"0" + size, b"000" + size, size + b";seq=1", size + b'; note="a b"'))
    return spelt + b"\r\n" + part + b"\r\n"


def text(rng: Rng, most: int) -> str:
    """Return words of many scripts."""
    return " ".join(rng.choices(WORDS, k=rng.randint(1, most)))


def answer_json(rng: Rng, token: int, most: int = 200) -> bytes:
    """Return the answer of a chat, as UTF-8 or escaped."""
    message = {"role": "assistant", "content": text(rng, most)}
    whole = {"id": f"chatcmpl-{token}", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return json.dumps(whole, ensure_ascii=rng.random() < 0.3, indent=rng.choice((None, None, 1))).encode()


def events(rng: Rng, token: int) -> list[bytes]:
    """Return the events of a stream: one kind of line end throughout, comments, several data lines, [DONE] or none."""
    end = rng.choice((b"\n", b"\n", b"\r\n"))
    found = []
    for number in range(rng.randint(1, 30)):
        delta = json.dumps({"id": token, "n": number, "delta": text(rng, 6)}, ensure_ascii=False).encode()
        lines = [b"data: " + delta]
        if rng.random() < 0.15:
            lines = [b": keep-alive", b""]
        elif rng.random() < 0.2:
            lines = [b"event: message", b"id: %d" % number, b"data: {", b"data:" + delta, b"data: }"]
        found.append(end.join([*lines, b"", b""]))
    if rng.random() < 0.8:
        found.append(end.join([b"data: [DONE]", b"", b""]))
    return found


def cut(rng: Rng, data: bytes, most: int) -> list[bytes]:
    """Cut bytes at random places, in the middle of characters too."""
    if len(data) < 2:
        return [data] if data else []
    places = sorted({rng.randrange(1, len(data)) for _ in range(rng.randint(0, most))})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def _grouped(rng: Rng, pieces: list[bytes]) -> list[bytes]:
    """Put several pieces into one write."""
    groups: list[bytes] = []
    while pieces:
        size = rng.randint(1, 6)
        groups.append(b"".join(pieces[:size]))
        pieces = pieces[size:]
    return groups


def arranged(rng: Rng, head: bytes, pieces: list[bytes]) -> list[Step]:
    """Return writes, with turns and small pauses between them."""
    whole = head + b"".join(pieces)
    match rng.choice(("whole", "natural", "natural", "head", "groups", "random", "tiny")):
        case "whole":
            writes = [whole]
        case "natural":
            writes = [head, *pieces]
        case "head":
            writes = [head, b"".join(pieces)]
        case "groups":
            writes = _grouped(rng, [head, *pieces])
        case "tiny" if len(whole) < 500:
            writes = [whole[at : at + 3] for at in range(0, len(whole), 3)]
        case _:
            writes = cut(rng, whole, 8)
    steps: list[Step] = []
    for write in writes:
        if write:
            steps.append(write)
            steps += [Pause(0.001)] if rng.random() < 0.12 else [Pause()] if rng.random() < 0.5 else []
    return steps


# ── kinds of answers ────────────────────────────────────────────────────────────────────────────────────────────────
def json_length(d: Draft) -> None:
    d.fields.append((b"Content-Type", b" application/json"))
    d.length(answer_json(d.rng, d.token, d.rng.choice((20, 200, 2_000, 40_000 if d.rng.random() < 0.05 else 300))))


def json_chunked(d: Draft) -> None:
    d.fields.append((b"content-type", b" application/json; charset=utf-8"))
    d.chunks(cut(d.rng, answer_json(d.rng, d.token), 12))


def sse(d: Draft) -> None:
    d.fields += [(b"Content-Type", b" text/event-stream"), (b"Cache-Control", b" no-cache")]
    found = events(d.rng, d.token)
    match d.rng.choice(("event a chunk", "event a chunk", "several", "across")):
        case "several":
            found = _grouped(d.rng, found)
        case "across":
            found = cut(d.rng, b"".join(found), 40)
        case _:
            pass
    d.chunks(found)


def packed(d: Draft) -> None:
    coding = d.rng.choice((b"gzip", b"deflate", b"br", b"zstd"))
    plain = answer_json(d.rng, d.token)
    match coding:
        case b"gzip":
            body = gzip.compress(plain, mtime=0)
        case b"deflate":
            body = zlib.compress(plain)
        case _:
            body = d.rng.randbytes(300)  # nobody on the way may look inside
    d.fields += [(b"Content-Encoding", b" " + coding), (b"Content-Type", b" application/json"), (b"Vary", b" Accept-Encoding")]
    if d.rng.random() < 0.5:
        d.length(body)
    else:
        d.chunks(cut(d.rng, body, 9))


def utf8_split(d: Draft) -> None:
    body = ("data: " + text(d.rng, 30) + "🙂日本\n\n").encode()
    d.fields.append((b"Content-Type", b" text/event-stream; charset=utf-8"))
    d.chunks([body[at : at + 1] for at in range(len(body))] if d.rng.random() < 0.3 else cut(d.rng, body, len(body)))


def broken_off(d: Draft) -> None:
    """Cut or reset anywhere behind the head: in a size, in data, before its line end, before the last chunk, in trailers."""
    d.rng.choice((json_length, json_chunked, sse, trailers))(d)
    whole = b"".join(d.pieces)
    at = d.rng.choice((0, len(whole) - 1, len(whole) - d.rng.randint(1, min(6, len(whole))), d.rng.randrange(len(whole))))
    d.pieces = cut(d.rng, whole[:at], 6)
    d.ending = d.rng.choice(_ENDINGS)


def trailers(d: Draft) -> None:
    lines = b"".join(
        d.rng.sample([b"X-Checksum: 1f\r\n", b"x-checksum:2e\r\n", b"Server-Timing: a;dur=1\r\n", b"X-Empty:\r\n"], 3)
    )
    d.fields.append((b"Trailer", b" X-Checksum, Server-Timing"))
    d.chunks(cut(d.rng, answer_json(d.rng, d.token), 5), lines)


def error(d: Draft) -> None:
    code = d.rng.choice((400, 401, 403, 404, 408, 409, 413, 422, 429, 429, 499, 500, 502, 503, 503, 504, 529, 599))
    reason = d.rng.choice((b" Sorry", b" Too Many Requests", b" ", b"", b" \xe9t\xe9 bris\xe9"))
    d.line = b"HTTP/1.1 %d%s" % (code, reason)
    d.fields += [(b"Retry-After", b" 20"), (b"x-should-retry", b" false")]
    body = json.dumps({"error": {"message": text(d.rng, 9), "token": d.token}}).encode()
    d.length(body) if d.rng.random() < 0.6 else d.chunks(cut(d.rng, body, 3))


def bodyless(d: Draft) -> None:
    """204, 304, and answers to HEAD: with the length or coding that a GET would have had."""
    match d.rng.choice(("204", "304", "head", "head chunked")):
        case "204":
            d.line = b"HTTP/1.1 204 No Content"
        case "304":
            d.line = b"HTTP/1.1 304 Not Modified"
            d.fields += [(b"ETag", b' "x"'), (b"Content-Length", b" 5120")]
        case "head":
            d.method = "HEAD"
            d.fields.append((b"Content-Length", b" 99999"))
        case _:
            d.method = "HEAD"
            d.fields.append((b"Transfer-Encoding", b" chunked"))


def until_close(d: Draft) -> None:
    d.fields.append((b"Content-Type", b" text/plain"))
    if d.rng.random() < 0.5:
        d.fields.append((b"Connection", b" close"))
    if d.rng.random() < 0.3:
        d.line = b"HTTP/1.0 200 OK"
    d.pieces = cut(d.rng, text(d.rng, 300).encode() if d.rng.random() < 0.9 else b"", 6)
    d.ending = Do.CLOSE if d.rng.random() < 0.8 else Do.RESET


def empty(d: Draft) -> None:
    if d.rng.random() < 0.5:
        d.length(b"")
    else:
        d.chunks([])


def odd_fields(d: Draft) -> None:
    """Many, repeated, empty, oddly spelt, bytes beyond ASCII, and what is between two neighbours alone."""
    pool: Fields = [
        (b"Set-Cookie", b" a=1; Path=/"), (b"Set-Cookie", b" b=2"), (b"set-cookie", b" c=3; HttpOnly"), (b"X-Empty", b""),
        (b"X-Blank", b"   "), (b"x-oDD-cASE", b"\tTabbed\t"), (b"X-Latin", b" caf\xe9 \xff\x80"), (b"X-Utf8", "日本".encode()),
        (b"!#$%&'*+-.^_`|~9", b" token"), (b"X-Long", b" " + b"v" * 4000), (b"Warning", b' 199 - "a, b"'), (b"X-Same", b" 1"),
        (b"X-Same", b" 1"), (b"Via", b" 1.1 edge"), (b"Keep-Alive", b" timeout=5"), (b"Proxy-Authenticate", b" Basic"),
        (b"Connection", b" keep-alive, X-Hop"), (b"X-Hop", b" gone"), (b"Host", b" odd.example"), (b"Upgrade", b" h2c"),
    ]  # fmt: skip
    d.fields += d.rng.sample(pool, d.rng.randint(1, len(pool)))
    d.fields += [(b"X-Many-%d" % n, b" %d" % n) for n in range(d.rng.choice((0, 0, 60)))]
    d.rng.choice((json_length, json_chunked))(d)


def interim(d: Draft) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nlink:</b>\r\n\r\n"
    d.before = [hints]
    if d.rng.random() < 0.4:
        d.before += [Pause(0.001), hints]
    d.rng.choice((json_length, sse))(d)


def closing(d: Draft) -> None:
    """A whole answer whose vendor says that it closes, and does."""
    d.rng.choice((json_length, json_chunked))(d)
    d.fields.append((b"Connection", d.rng.choice((b" close", b" Close", b"close"))))
    d.ending = Do.CLOSE


# ── kinds of requests ───────────────────────────────────────────────────────────────────────────────────────────────
def _size(rng: Rng) -> int:
    return rng.choice((0, 1, 2, 1_000, 65_535, 65_536, 65_537, 200_000, MIB if rng.random() < 0.2 else 70_000))


def upload_of(d: Draft, size: int, *, chunked: bool) -> None:
    """Ask with a body of so many bytes."""
    body = d.rng.randbytes(size)
    if not chunked:
        d.request_fields.append((d.rng.choice((b"Content-Length", b"content-length")), b" %d" % size))
        d.asked = list(_sent(d.rng, cut(d.rng, body, 6)))
        return
    d.request_fields.append((b"Transfer-Encoding", b" chunked"))
    parts = [d.rng.choice((b"%x", b"%X", b"0%x")) % len(part) + b"\r\n" + part + b"\r\n" for part in cut(d.rng, body, 20)]
    last = b"0\r\n" + d.rng.choice((b"", b"", b"X-Sum: 1\r\nx-sum:2\r\n")) + b"\r\n"
    d.asked = list(_sent(d.rng, _grouped(d.rng, [*parts, last]) if d.rng.random() < 0.5 else [*parts, last]))


def _sent(rng: Rng, pieces: list[bytes]) -> Iterator[bytes | Pause]:
    for piece in pieces:
        yield piece
        if rng.random() < 0.2:
            yield Pause(0.001)


def upload(d: Draft) -> None:
    d.method = d.rng.choice(("POST", "PUT", "PATCH"))
    upload_of(d, _size(d.rng), chunked=d.rng.random() < 0.5)
    d.rng.choice((json_length, json_chunked, empty, error))(d)


def expect(d: Draft) -> None:
    """The client waits to be told to go on; mostly it is, sometimes it gets a final answer instead."""
    upload_of(d, d.rng.choice((1, 5_000, 100_000)), chunked=d.rng.random() < 0.5)
    d.request_fields.append((b"Expect", b" 100-continue"))
    d.asked.insert(0, Wait.CONTINUE)
    if d.rng.random() < 0.8:
        d.before = [b"HTTP/1.1 100 Continue\r\n\r\n", Do.WHOLE]
        json_length(d)
        return
    d.asked = [Wait.CONTINUE]
    d.prefix_is_enough = True
    d.before = [Part(0)]
    error(d)
    d.fields.append((b"Connection", b" close"))
    d.ending = Do.CLOSE


def early(d: Draft) -> None:
    """The vendor answers before it has the whole request: it takes the rest all the same, or closes."""
    upload_of(d, 60_000, chunked=d.rng.random() < 0.5)
    half = len(d.asked) // 2
    d.asked.insert(half, Wait.HEAD)
    there = sum(len(step) for step in d.asked[:half] if isinstance(step, bytes))
    d.before = [Part(there)]
    error(d)
    if d.rng.random() < 0.5:
        d.fields.append((b"Connection", b" close"))
        d.ending = Do.CLOSE
    d.prefix_is_enough = True


KINDS: Final[dict[Callable[[Draft], None], int]] = {
    json_length: 14, json_chunked: 8, sse: 16, packed: 8, utf8_split: 4, broken_off: 9, trailers: 4, error: 7, bodyless: 5,
    until_close: 4, empty: 2, odd_fields: 6, interim: 2, closing: 2, upload: 6, expect: 2, early: 1,
}  # fmt: skip
METHODS: Final = ("POST", "POST", "POST", "GET", "GET", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "TRACE")
QUERIES: Final = ("", "", "?stream=true", "?a=1&a=2&b[]=%20", "?q=a|b;c'\"~{}^`\\", "?", "?%zz=%E4", "?u=http://x/../y//z")


def _ask_fields(rng: Rng, token: int) -> Fields:
    """Return the fields of a request: some repeated, some oddly spelt, some between two neighbours alone."""
    pool: Fields = [
        (b"Authorization", b" Bearer sk-%d" % token), (b"authorization", b"Bearer second"), (b"Accept", b" */*"),
        (b"accept-ENCODING", b" gzip, deflate, br"), (b"User-Agent", b""), (b"X-Latin", b" \xe9\xff"),
        (b"Cookie", b" a=b; c=d"), (b"Cookie", b" e=f"), (b"Range", b" bytes=0-"),
        (b"X-Stainless-Retry-Count", b" 0"), (b"Content-Type", b" application/json"),
        (b"Connection", b" keep-alive"), (b"TE", b" trailers"), (b"Keep-Alive", b" 5"), (b"Proxy-Connection", b" keep-alive"),
        (b"Connection", b" X-Own"), (b"X-Own", b" gone"), (b"X-Blank", b" \t "), (b"Via", b" 1.0 a"), (b"Forwarded", b" for=b"),
    ]  # fmt: skip
    return rng.sample(pool, rng.randint(0, 9))


def drafted(rng: Rng, token: int, kind: Callable[[Draft], None]) -> Draft:
    """Return a draft of a kind, with the noise of real heads."""
    d = Draft(rng, token, method=rng.choice(METHODS))
    d.fields = [(b"Date", b" Tue, 03 Mar 2026 10:00:00 GMT"), (b"X-Token", b" %d" % token)]
    kind(d)
    is_framed = bool(d.request_fields)
    d.request_fields += _ask_fields(rng, token)
    rng.shuffle(d.request_fields)
    if not is_framed and rng.random() < 0.5:
        body = json.dumps({"model": "m", "messages": [text(rng, 30)]}).encode()
        d.request_fields.append((b"Content-Length", b" %d" % len(body)))
        d.asked = [body]
    if rng.random() < 0.02:
        d.request_fields.append((b"Connection", b" close"))
    return d


def finished(d: Draft, kind: str) -> Case:
    """Return the case of a draft."""
    target = target_of(d.token, d.rng.choice(QUERIES))
    host = (b"Host", d.rng.choice((b" sidecar.test", b" 127.0.0.1:7465", b"[::1]:80")))
    d.request_fields.insert(d.rng.randint(0, len(d.request_fields)), host)
    head = _head(f"{d.method} {target} HTTP/1.1".encode(), d.request_fields)
    sending: list[bytes | Pause | Wait] = [head, *d.asked]
    if len(d.asked) == 1 and isinstance(d.asked[0], bytes) and d.rng.random() < 0.7:
        sending = [head + d.asked[0]]
    elif d.rng.random() < 0.2:
        sending = [head[:20], Pause(0.001), head[20:], *d.asked]
    script = [*d.before, *arranged(d.rng, d.head(), d.pieces), *([d.ending] if d.ending else [])]
    return Case(d.token, kind, d.method, tuple(sending), tuple(script), d.prefix_is_enough)


def target_of(token: int, query: str = "") -> str:
    """Return the target of a case."""
    return f"/v1/case/{token}{query}"


def token_of(target: str) -> int:
    """Return the token of a target."""
    return int(target.partition("?")[0].rpartition("/")[2])


def cases(count: int, seed: int) -> Iterator[Case]:
    """Yield so many cases of a seed; the first ones of the same seed are always the same."""
    rng = Rng(seed)
    kinds, weights = list(KINDS), list(KINDS.values())
    for token in range(1, count + 1):
        kind = kinds[token % len(kinds)] if token <= len(kinds) else rng.choices(kinds, weights)[0]
        yield finished(drafted(Rng(rng.getrandbits(64)), token, kind), kind.__name__)
