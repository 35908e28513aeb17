"""OpenAI-compatible chat completions, at any base URL: build the request, read what came back.

Nothing is judged here and nothing is tried again: `complete` sends one request and hands up raw facts, which
`records.classify` turns into an outcome.
"""

from __future__ import annotations

import json
from typing import Any, Final

from slaguard.config import Secret
from slaguard.providers import chat
from slaguard.providers.base import Endpoint, Exchange, Fault, Prompt, Reply, Request, Transport
from slaguard.providers.reading import NotJson, parse_json
from slaguard.records import RawFacts

PATH: Final = "/chat/completions"
REQUEST_ID: Final = "X-Client-Request-Id"
"""The header in which a client may send its own id; the vendor finds it in its logs even if no answer came."""
_REQUEST_IDS: Final = ("x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "cf-ray")
_FAILURES: Final[dict[Fault, str]] = {
    Fault.DENIED: "own_probe",
    Fault.UNTRUSTED: "own_probe",  # whom a machine trusts is its own affair: a proxy that looks inside does this too
    Fault.OWN_PROBE: "own_probe",
    Fault.OWN_NETWORK: "own_network",
    Fault.TIMEOUT: "timeout",
    Fault.DNS: "connection",
    Fault.REFUSED: "connection",
    Fault.CONNECTION: "connection",
    Fault.TLS: "connection",
    Fault.PROTOCOL: "connection",
}
"""What each fault is in the words of `records.RawFacts.failure`; a cut answer is judged by what there is of it."""


class BearerKey(Secret):
    """A key as the Authorization header carries it."""

    __slots__ = ()

    def reveal(self) -> str:
        """Return the header's value."""
        return f"Bearer {super().reveal()}"


class OpenAIChat:
    """The adapter `openai` (a `Provider`)."""

    def __init__(self, endpoint: Endpoint, transport: Transport) -> None:
        """Keep where to ask and how to send."""
        self._endpoint = endpoint
        self._transport = transport

    def request(self, prompt: Prompt) -> Request:
        """Return the request of a question: the same question gives the same bytes."""
        body: dict[str, Any] = {
            "model": prompt.model,
            "messages": [{"role": role, "content": text} for role, text in prompt.messages],
            **prompt.parameters,
        }
        if prompt.parameters.get("stream") is True and "stream_options" not in prompt.parameters:
            body["stream_options"] = {"include_usage": True}
        headers: list[tuple[str, str | Secret]] = [("Content-Type", "application/json"), ("Accept-Encoding", "gzip, deflate")]
        if self._endpoint.key is not None:
            headers.append(("Authorization", BearerKey(self._endpoint.key.reveal())))
        if self._endpoint.send_request_id and prompt.request_id is not None:
            headers.append((REQUEST_ID, prompt.request_id))
        return Request(
            url=self._endpoint.base_url + PATH,
            headers=tuple(headers),
            body=json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
        )

    async def complete(self, prompt: Prompt) -> Reply:
        """Ask once and return what came back."""
        exchange = await self._transport.send(self.request(prompt))
        return read(exchange, stream=prompt.parameters.get("stream") is True)


def read(exchange: Exchange, *, stream: bool) -> Reply:
    """Return what an exchange says; `stream` tells whether a stream was asked for."""
    if exchange.status is None or not 200 <= exchange.status < 300 or exchange.fault is Fault.TIMEOUT:
        return _unanswered(exchange, stream=stream)
    if exchange.fault is not None and not exchange.body:
        return _unanswered(exchange, stream=stream)
    is_stream = exchange.headers.get("content-type", "").lower().startswith("text/event-stream")
    answer = chat.read_stream(exchange.body) if is_stream else chat.read_whole(exchange.body)
    return Reply(
        exchange=exchange,
        facts=_facts(exchange, answer),
        text=answer.text,
        model_returned=answer.model,
        request_id=_request_id(exchange),
        fingerprint=answer.fingerprint,
        answer_id=answer.id,
        finish_reason=answer.finish_reason,
        stream=stream,
        stream_end=_stream_end(exchange, answer),
        input_tokens=answer.input_tokens,
        output_tokens=answer.output_tokens,
        first_token_ns=chat.piece_arrival(exchange.marks, answer.first_piece_end),
    )


def _facts(exchange: Exchange, answer: chat.Answer) -> RawFacts:
    """Return the facts of an answer that began with status 200."""
    if exchange.complete and not exchange.body.strip():
        return RawFacts(status=exchange.status, body_empty=True)
    # An answer that was cut off has no form to speak of; an error or a coding nobody can read is there all the same.
    unreadable = "body_over_limit" if exchange.over_limit else exchange.detail if exchange.fault is None else None
    error = unreadable or answer.error or (answer.malformed if exchange.complete else None)
    return RawFacts(
        status=exchange.status,
        error_code=error,
        body_is_error=error is not None,
        body_complete=exchange.complete and not answer.cut_off,
        body_empty=not answer.text.strip(),
        refused=answer.refused,
        content_filtered=answer.finish_reason == "content_filter",
    )


def _unanswered(exchange: Exchange, *, stream: bool) -> Reply:
    """Return the facts of an exchange in which no answer began, or an answer of another status than 200."""
    code: str | None = exchange.detail or (str(exchange.fault) if exchange.fault is not None else None)
    failure = _FAILURES.get(exchange.fault) if exchange.fault is not None else None
    if exchange.fault is Fault.CUT and (exchange.status is None or 200 <= exchange.status < 300):
        failure = "connection"  # nothing of the answer itself came
    if exchange.status is not None and failure is None:
        code = _error_of(exchange) or code
    return Reply(
        exchange=exchange,
        facts=RawFacts(status=exchange.status, error_code=code, failure=failure),
        request_id=_request_id(exchange),
        stream=stream,
        stream_end="cut" if exchange.fault is Fault.CUT and stream else None,
    )


def _error_of(exchange: Exchange) -> str | None:
    try:
        return chat.error_code(parse_json(exchange.body))
    except NotJson:
        return None


def _stream_end(exchange: Exchange, answer: chat.Answer) -> str | None:
    return "cut" if answer.stream_end is not None and exchange.fault is Fault.CUT else answer.stream_end


def _request_id(exchange: Exchange) -> str | None:
    return next((exchange.headers[name] for name in _REQUEST_IDS if name in exchange.headers), None)
