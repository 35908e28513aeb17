"""The ways in which a call goes wrong, each as a client would meet it."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from aiohttp import web

from slaguard.providers.simulated import wire
from slaguard.providers.simulated.respond import Call, answer, open_stream
from slaguard.providers.simulated.script import Fault

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Responder = Callable[[Call], Awaitable[web.StreamResponse]]

_BOMB_BYTES: Final = 64 << 20
_DIGITS: Final = 5000
_SPLIT: Final = 7
_HTML: Final = (
    "<!DOCTYPE html><html><head><title>Service unavailable</title></head>"
    "<body><h1>We will be back shortly</h1><p>Answer: none</p></body></html>"
)
# Bell, escape sequence, right-to-left override, NUL, markup, a spreadsheet formula, half a surrogate pair.
_HOSTILE: Final = '\a\x1b[2J\u202e\x00<script>alert("x")</script>\n=HYPERLINK("x")\ud800\n'


async def _status(call: Call, status: int, body: dict[str, object], **headers: str) -> web.StreamResponse:
    await call.wait_first_byte()
    return call.json(json.dumps(body), status, **headers)


async def _error_500(call: Call) -> web.StreamResponse:
    return await _status(call, 500, wire.error("The server had an error processing your request.", "server_error"))


async def _error_503(call: Call) -> web.StreamResponse:
    return await _status(call, 503, wire.error("The service is temporarily unavailable.", "service_unavailable"))


async def _error_529(call: Call) -> web.StreamResponse:
    return await _status(call, 529, wire.error("Overloaded", "overloaded_error"))


async def _rate_limited(call: Call) -> web.StreamResponse:
    body = wire.error("Rate limit reached for requests.", "requests", "rate_limit_exceeded")
    return await _status(call, 429, body, **{"Retry-After": str(call.script.retry_after_s)})


async def _reset(call: Call) -> web.StreamResponse:
    await call.wait_first_byte()
    if call.request.transport is not None:
        call.request.transport.abort()
    return web.Response()


async def _empty_body(call: Call) -> web.StreamResponse:
    await call.wait_first_byte()
    return web.Response(headers=call.headers() | {"Content-Type": "application/json"})


async def _html_page(call: Call) -> web.StreamResponse:
    await call.wait_first_byte()
    return web.Response(text=_HTML, content_type="text/html", headers=call.headers())


async def _error_body(call: Call) -> web.StreamResponse:
    await call.wait_first_byte()
    body = wire.error("The model produced no output.", "server_error")
    if not call.stream:
        return call.json(json.dumps(body))
    stream = await open_stream(call)
    await stream.write(wire.event(body, wire.Framing()) + wire.done(wire.Framing()))
    await stream.write_eof()
    return stream


def _half(call: Call) -> bytes:
    """Return the first half of what a sound answer would be."""
    if not call.stream:
        whole = json.dumps(wire.completion(call.message)).encode()
        return whole[: len(whole) // 2]
    values = wire.chunks(call.message, with_usage=False)
    return b"".join(wire.event(value, wire.Framing()) for value in values[: max(2, len(values) // 2)])


async def _truncated(call: Call) -> web.StreamResponse:
    await call.wait_first_byte()
    await call.wait_rest(0.5)
    if not call.stream:
        return web.Response(body=_half(call), content_type="application/json", headers=call.headers())
    stream = await open_stream(call)
    await stream.write(_half(call))
    await stream.write_eof()
    return stream


async def _begin(call: Call, part: bytes) -> web.StreamResponse:
    """Send headers that promise more than `part`, and `part`."""
    await call.wait_first_byte()
    if call.stream:
        stream = await open_stream(call)
    else:
        whole = len(json.dumps(wire.completion(call.message)))
        stream = web.StreamResponse(headers=call.headers() | {"Content-Type": "application/json"})
        stream.content_length = whole
        await stream.prepare(call.request)
    await stream.write(part)
    return stream


async def _cut(call: Call) -> web.StreamResponse:
    stream = await _begin(call, _half(call))
    await call.wait_rest(0.5)
    call.hang_up()
    return stream


async def _stall(call: Call) -> web.StreamResponse:
    stream = await _begin(call, _half(call)[:1])
    await call.delay(call.script.stall_s)
    call.hang_up()
    return stream


async def _silence(call: Call) -> web.StreamResponse:
    await call.delay(call.script.stall_s)
    call.hang_up()
    return web.Response()


async def _redirect(call: Call) -> web.StreamResponse:
    await call.wait_first_byte()
    target = {"Location": "https://elsewhere.invalid/v1/chat/completions"}
    return web.Response(status=307, headers=call.headers() | target)


async def _content_filter(call: Call) -> web.StreamResponse:
    return await answer(replace(call, message=replace(call.message, text="", finish="content_filter")))


async def _gzip_bomb(call: Call) -> web.StreamResponse:
    await call.wait_first_byte()
    body = gzip.compress(b" " * _BOMB_BYTES, compresslevel=9, mtime=0)
    coding = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    return web.Response(body=body, headers=call.headers() | coding)


async def _hostile_text(call: Call) -> web.StreamResponse:
    return await answer(replace(call, message=replace(call.message, text=_HOSTILE + call.message.text)))


async def _huge_integer(call: Call) -> web.StreamResponse:
    return await answer(replace(call, with_usage=True), wire.Framing(digits=_DIGITS))


async def _crlf(call: Call) -> web.StreamResponse:
    return await answer(call, wire.Framing(newline="\r\n"))


async def _cr(call: Call) -> web.StreamResponse:
    return await answer(call, wire.Framing(newline="\r"))


async def _multiline(call: Call) -> web.StreamResponse:
    return await answer(call, wire.Framing(multiline=True))


async def _split_utf8(call: Call) -> web.StreamResponse:
    accented = replace(call.message, text=f"Schadenh\u00f6he gepr\u00fcft \u2013 fertig.\n{call.message.text}")
    return await answer(replace(call, message=accented), wire.Framing(ascii=False, piece=_SPLIT))


RESPONDERS: Final[Mapping[Fault, Responder]] = {
    Fault.ERROR_500: _error_500,
    Fault.ERROR_503: _error_503,
    Fault.ERROR_529: _error_529,
    Fault.RATE_LIMITED: _rate_limited,
    Fault.RESET: _reset,
    Fault.EMPTY_BODY: _empty_body,
    Fault.HTML_PAGE: _html_page,
    Fault.ERROR_BODY: _error_body,
    Fault.TRUNCATED: _truncated,
    Fault.CUT: _cut,
    Fault.REDIRECT: _redirect,
    Fault.STALL: _stall,
    Fault.SILENCE: _silence,
    Fault.CONTENT_FILTER: _content_filter,
    Fault.GZIP_BOMB: _gzip_bomb,
    Fault.HOSTILE_TEXT: _hostile_text,
    Fault.HUGE_INTEGER: _huge_integer,
    Fault.SSE_CRLF: _crlf,
    Fault.SSE_CR: _cr,
    Fault.SSE_MULTILINE: _multiline,
    Fault.SPLIT_UTF8: _split_utf8,
}


async def respond(call: Call) -> web.StreamResponse:
    """Answer one call as its turn says."""
    responder = answer if call.turn.fault is None else RESPONDERS[call.turn.fault]
    return await responder(call)
