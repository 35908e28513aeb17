"""Errors as they are told: `{"error": {"code", "message"}}` for programs, a plain page for browsers, never a traceback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from slaguard.errors import ConfigError, LedgerError, SlaguardError
from slaguard.reports import ReportRefused
from slaguard.reports.words import clean
from slaguard.server.condition import told
from slaguard.server.headers import SECURITY
from slaguard.server.html import error_page, page_response

_CODES: Final = {404: "not_found", 405: "method_not_allowed"}
_MESSAGES: Final = {
    404: "there is nothing at this path; the page is at /, the API is described in /api/v1/openapi.json",
    405: "this path does not answer that method",
}
LONGEST: Final = 2000
"""As much of a message as is told."""


class Refusal(Exception):  # noqa: N818 - what it is
    """A request that is not answered: the status, a word for programs, and a sentence that says how to mend it."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})


def answer(path: str, asked: Headers, refusal: Refusal) -> Response:
    """Return the refusal in the form the caller reads: HTML for a browser outside /api and /-, else JSON."""
    message = clean(told(refusal.message), LONGEST)
    program = path.startswith(("/api/", "/-/")) or "text/html" not in asked.get("accept", "")
    if program:
        body = {"error": {"code": refusal.code, "message": message}}
        return JSONResponse(body, refusal.status, headers=refusal.headers)
    home = "../" * max(0, path.count("/") - 1) or "./"
    return page_response(error_page(refusal.status, message, home), refusal.status, refusal.headers)


def install(app: FastAPI) -> None:
    """Let every error that can reach the application be told this way."""
    app.add_exception_handler(Refusal, _handle)
    app.add_exception_handler(HTTPException, _handle)
    app.add_exception_handler(RequestValidationError, _handle)
    app.add_exception_handler(SlaguardError, _handle)
    app.add_exception_handler(Exception, _failed)


async def _handle(request: Request, error: Exception) -> Response:
    return answer(request.url.path, request.headers, refusal_of(error))


async def _failed(request: Request, _error: Exception) -> Response:
    """Answer for a bug: the error itself goes on to the log."""
    words = "slaguard itself failed here; its log says how"
    refusal = Refusal(500, "internal", words, SECURITY)
    return answer(request.url.path, request.headers, refusal)


def refusal_of(error: Exception) -> Refusal:
    """Return how an error is told."""
    match error:
        case Refusal():
            return error
        case RequestValidationError():
            return Refusal(
                400, "bad_parameter", "; ".join(_parameter(e["loc"], e["msg"], e["type"]) for e in error.errors()[:5])
            )
        case HTTPException():
            return _http(error)
        case ConfigError():
            return Refusal(400, "bad_parameter", str(error))
        case ReportRefused():
            return Refusal(404, "no_report", str(error))
        case LedgerError():
            return Refusal(503, "ledger_unreadable", str(error))
        case _:
            return Refusal(503, "unavailable", str(error))


def _http(error: HTTPException) -> Refusal:
    headers = dict(error.headers or {})
    if "Allow" in headers:  # HEAD is answered wherever GET is
        words = {word.strip() for word in headers["Allow"].split(",")}
        headers["Allow"] = ", ".join(sorted(words | ({"HEAD"} if "GET" in words else set())))
    code = _CODES.get(error.status_code, "refused")
    return Refusal(error.status_code, code, _MESSAGES.get(error.status_code, str(error.detail)), headers)


def _parameter(where: tuple[int | str, ...], message: str, kind: str) -> str:
    name = ".".join(str(part) for part in where[1:]) or "the request"
    if kind == "extra_forbidden":
        return f"{name}: there is no such parameter; /api/v1/openapi.json lists those there are"
    if kind == "missing":
        return f"{name}: this parameter is needed"
    return f"{name}: {message.removeprefix('Value error, ')}"
