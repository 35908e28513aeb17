"""The web application: the page at `/`, the claim pages, the API, /metrics and health, over one Board."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from fastapi import APIRouter, FastAPI, Request
from starlette.responses import JSONResponse, Response

from slaguard import __version__
from slaguard.server import api
from slaguard.server.api import Shown, know_agreement
from slaguard.server.board import Board
from slaguard.server.documented import Described, content, errors
from slaguard.server.edge import Edge
from slaguard.server.headers import FRAMED
from slaguard.server.html import page_response
from slaguard.server.page import render_board
from slaguard.server.refusals import Refusal, install
from slaguard.server.views import StateView

own = APIRouter()


def create_app(board: Board, *, hosts: Iterable[str] = (), now: Callable[[], int] | None = None) -> FastAPI:
    """Return the application.

    Args:
        board: where every answer comes from.
        hosts: names under which it may be asked, beside loopback and every IP address: `listen`'s and `server: hosts`.
        now: the time of day, UTC nanoseconds, for ages and days left; None: that of the last Snapshot.

    """
    app = Described(title="slaguard", version=__version__, openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None)
    app.state.board, app.state.now = board, now
    app.include_router(own)
    app.include_router(api.router, tags=["api"])
    install(app)
    app.add_middleware(Edge, hosts=tuple(hosts))
    return app


# ── pages ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@own.get(
    "/",
    tags=["pages"],
    summary="The overview",
    response_class=Response,
    responses={200: {"description": "The page.", "content": content({"type": "string"}, kind="text/html")}, **errors()},
)
async def overview(request: Request, board: Shown) -> Response:
    """Show what was promised and what was kept, what it is worth, and by when it must be asked for."""
    shown = board.snapshot()
    now = request.app.state.now() if request.app.state.now is not None else shown.taken_at
    words = board.agreements(), board.not_ready()
    return page_response(await asyncio.to_thread(render_board, shown, *words, now))


@own.get(
    "/claims/{agreement}/{period}",
    tags=["pages"],
    summary="The claim page of one period",
    response_class=Response,
    responses={
        200: {
            "description": "The page that `slaguard report` writes.",
            "content": content({"type": "string"}, kind="text/html"),
        },
        **errors(400, 404, 503),
    },
)
async def claim(agreement: str, period: str, board: Shown) -> Response:
    """Show the claim page of one of an Agreement's own periods, a self-contained HTML document."""
    know_agreement(board, agreement)
    page = await board.claim_page(agreement, period)
    # The page allows its one style sheet by its hash; what stands here is the frame around that.
    return Response(page, media_type="text/html; charset=utf-8", headers={"content-security-policy": FRAMED})


# ── operation ───────────────────────────────────────────────────────────────────────────────────────────────────────
@own.get(
    "/metrics",
    tags=["operation"],
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={
        200: {
            "description": "As they were rendered last: text 0.0.4, or OpenMetrics where `Accept` asks for it.",
            "content": {
                **content({"type": "string"}, kind="text/plain"),
                **content({"type": "string"}, kind="application/openmetrics-text"),
            },
        },
        **errors(),
    },
)
async def metrics(request: Request, board: Shown) -> Response:
    """Answer a scrape with the bytes that were rendered when something last changed."""
    asked = request.headers
    found = board.metrics(asked.get("accept", ""), asked.get("accept-encoding", ""))
    headers = {"Content-Type": found.content_type, "Vary": "Accept, Accept-Encoding"}
    if found.content_encoding is not None:
        headers["Content-Encoding"] = found.content_encoding
    return Response(found.body, headers=headers)


@own.get(
    "/-/healthy",
    tags=["operation"],
    summary="Whether the process lives",
    responses={200: {"model": StateView}, **errors()},
)
async def healthy() -> Response:
    """Answer as long as the process lives."""
    return JSONResponse({"status": "healthy"})


@own.get(
    "/-/ready",
    tags=["operation"],
    summary="Whether there is something to show",
    responses={200: {"model": StateView}, **errors(503)},
)
async def ready(board: Shown) -> Response:
    """Answer 200 once there is something to show; a vendor that is down is no reason not to."""
    reason = board.not_ready()
    if reason is not None:
        raise Refusal(503, "not_ready", reason)
    return JSONResponse({"status": "ready"})


@own.post(
    "/-/reload",
    tags=["operation"],
    summary="Read the configuration again",
    responses={200: {"model": StateView}, **errors(403, 500)},
)
async def reload(board: Shown) -> Response:
    """Read the configuration again; if anything of it is refused, the old one goes on and the message says what is wrong."""
    wrong = await board.reload()
    if wrong is not None:
        raise Refusal(500, "reload_failed", wrong)
    return JSONResponse({"status": "reloaded"})
