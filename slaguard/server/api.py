"""`/api/v1`: what was judged and what is known, for programs. No endpoint takes an address to call, and none writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from slaguard.evaluation.breach import BreachRecord, breach_records, to_csv
from slaguard.evaluation.parts import rfc3339
from slaguard.evaluation.snapshot import Snapshot
from slaguard.server.asked import BreachQuery, EvaluationQuery, prefers_csv, span
from slaguard.server.board import Board
from slaguard.server.documented import EVALUATION, content, errors
from slaguard.server.refusals import Refusal
from slaguard.server.views import AgreementView, FactView, IncidentView, View

JSON: Final = "application/json"


async def _each_once(request: Request) -> None:
    """Refuse a parameter that is there twice: whichever of the two counted, it would surprise somebody."""
    names = [name for name, _ in request.query_params.multi_items()]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Refusal(400, "bad_parameter", f"{twice}: it is there twice; say it once")


router = APIRouter(prefix="/api/v1", dependencies=[Depends(_each_once)])


async def _board(request: Request) -> Board:
    board: Board = request.app.state.board
    return board


async def _no_parameters(request: Request) -> None:
    if request.query_params:
        raise Refusal(400, "bad_parameter", "this path takes no parameters; leave out everything from the question mark on")


Shown = Annotated[Board, Depends(_board)]
PLAIN: Final = [Depends(_no_parameters)]


@router.get(
    "/agreements",
    summary="The Agreements in force",
    dependencies=PLAIN,
    responses={200: {"model": list[AgreementView]}, **errors(400)},
)
async def agreements(board: Shown) -> Response:
    """List the Agreements in the order of the configuration, each with its promises."""
    return _listed(AgreementView.of(loaded) for loaded in board.agreements())


@router.get(
    "/evaluations",
    summary="What was judged",
    responses={
        200: {
            "description": "With `period` one Evaluation (`slaguard/evaluation/v1`), byte for byte what `slaguard evaluate"
            " --format json` writes; without `period` what was judged last.",
            "content": content({"anyOf": [EVALUATION, {"$ref": "#/components/schemas/Standings"}]}),
        },
        **errors(400, 404, 503),
    },
)
async def evaluations(board: Shown, asked: Annotated[EvaluationQuery, Query()]) -> Response:
    """Judge one Agreement in one period, or list what was judged last."""
    if asked.agreement is not None:
        know_agreement(board, asked.agreement)
    if asked.period is None:
        if asked.as_of is not None:
            raise Refusal(400, "bad_parameter", "as_of: say which period, too: &period=2026-10")
        return Response(await asyncio.to_thread(_standings, board.snapshot(), asked.agreement), media_type=JSON)
    if asked.agreement is None:
        raise Refusal(400, "bad_parameter", "agreement: say which Agreement, too; /api/v1/agreements lists them")
    found = await board.evaluation(asked.agreement, asked.period, asked.as_of_ns)
    return Response(await asyncio.to_thread(found.to_json), media_type=JSON)


@router.get(
    "/breaches",
    summary="The promises that were broken, for contract management",
    responses={
        200: {
            "description": "A record for each broken promise; `external_id` stays the same however often it is fetched.",
            "model": list[BreachRecord],
            "content": content({"type": "string"}, "external_id,agreement,vendor\r\n", "text/csv"),
        },
        **errors(400, 404, 503),
    },
)
async def breaches(request: Request, board: Shown, asked: Annotated[BreachQuery, Query()]) -> Response:
    """Return the breach records of every own period that touches the days from `from` to `to`; of those shown without days."""
    if asked.vendor is not None:
        _know("vendor", asked.vendor, [loaded.agreement.vendor for loaded in board.agreements()])
    found: Sequence[BreachRecord]
    if asked.start is None and asked.end is None:
        found, name = _on_the_page(board.snapshot(), asked.vendor), "breaches.csv"
    else:
        start, end = span(asked, board.snapshot())
        found, name = await board.breaches(asked.vendor, start, end), f"breaches-{start}-{end}.csv"
    as_csv = asked.format == "csv" or (asked.format is None and prefers_csv(request.headers.get("accept", "")))
    if not as_csv:
        answer = _listed(found)
    else:
        answer = Response(
            to_csv(found), media_type="text/csv", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )
    answer.headers["Vary"] = "Accept"
    return answer


@router.get(
    "/incidents",
    summary="Outages as somebody stated them",
    dependencies=PLAIN,
    responses={200: {"model": list[IncidentView]}, **errors(400, 503)},
)
async def incidents(board: Shown) -> Response:
    """List the Incidents known now, the earliest first."""
    _, found = await board.documents()
    return _listed(IncidentView.of(one) for one in sorted(found, key=lambda one: (one.start, one.id)))


@router.get(
    "/facts",
    summary="Tickets, notices, announcements, invoices",
    dependencies=PLAIN,
    responses={200: {"model": list[FactView]}, **errors(400, 503)},
)
async def facts(board: Shown) -> Response:
    """List the Facts known now, the earliest first."""
    found, _ = await board.documents()
    return _listed(FactView.of(one) for one in sorted(found, key=lambda one: (one.when, one.id)))


# ── shared ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def know_agreement(board: Board, name: str) -> None:
    """Refuse an Agreement that is not in force.

    Raises:
        Refusal: 404; it names those there are.

    """
    _know("agreement", name, [loaded.agreement.name for loaded in board.agreements()])


def _know(what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        there = ", ".join(sorted(set(known))[:20]) or "none"
        word = "Agreement" if what == "agreement" else what
        raise Refusal(404, f"unknown_{what}", f"there is no {word} {name!r}; there is: {there}")


def _listed(found: Iterable[View | BreachRecord]) -> Response:
    body = [one.model_dump(mode="json") for one in found]
    return Response(json.dumps(body, ensure_ascii=False, indent=2) + "\n", media_type=JSON)


def _on_the_page(shown: Snapshot, vendor: str | None) -> list[BreachRecord]:
    """Return the breach records of the periods on the page, as they stand there."""
    chosen = [s.evaluation for s in shown.standings if vendor in {None, s.evaluation.agreement.vendor}]
    return [record for evaluation in chosen for record in breach_records(evaluation)]


def _standings(shown: Snapshot, agreement: str | None) -> str:
    """Return the current results as JSON; each Evaluation as it writes itself."""
    parts = [
        {"which": standing.which.value, "evaluation": json.loads(standing.evaluation.to_json())}
        for standing in shown.standings
        if agreement in {None, standing.evaluation.agreement.name}
    ]
    return json.dumps({"taken_at": rfc3339(shown.taken_at), "standings": parts}, ensure_ascii=False, indent=2) + "\n"
