"""What OpenAPI says beside the code: answers, their schemas, and every error of every path."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from slaguard.evaluation.result import json_schema
from slaguard.server.views import ErrorView

DESCRIPTION: Final = """\
What slaguard judged, and what it knows. Nothing here changes anything but `POST /-/reload`.

There is no authentication: slaguard listens on this machine alone unless told otherwise, and a reverse proxy in front of it
decides who may ask. Every path also answers HEAD. Times are RFC 3339 in UTC; ratios and money are decimal strings.
"""
EVALUATION: Final = {"$ref": "#/components/schemas/Evaluation"}
STANDINGS: Final = {
    "type": "object",
    "title": "Standings",
    "description": "What was judged last: of each Agreement the open period and the one that closed last.",
    "required": ["taken_at", "standings"],
    "additionalProperties": False,
    "properties": {
        "taken_at": {"type": "string", "format": "date-time"},
        "standings": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["which", "evaluation"],
                "additionalProperties": False,
                "properties": {"which": {"enum": ["current", "closed", "earlier"]}, "evaluation": EVALUATION},
            },
        },
    },
}
_ERRORS: Final = {
    400: (
        "A parameter is wrong; the message says how to mend it.",
        "bad_parameter",
        "from: write a day as YYYY-MM-DD: 2026-10-01",
    ),
    403: ("A browser asked for a page of another origin.", "foreign_origin", "a page of another origin may not do this"),
    404: (
        "There is no such Agreement, vendor or period.",
        "unknown_agreement",
        "there is no Agreement 'acme'; there is acme-chat",
    ),
    405: ("Another method is needed.", "method_not_allowed", "this path does not answer that method"),
    413: ("The request has a body of more than 1 MiB.", "too_large", "no request here needs a body; send none"),
    421: ("The Host header names another server.", "foreign_host", "this server has no such name: 'evil.example'"),
    500: ("It failed; the message says why.", "reload_failed", "slaguard.yaml:3:1: E-CONFIG  no such key"),
    503: ("The ledger cannot be read, or nothing can be shown yet.", "ledger_unreadable", "ledger: it is damaged"),
}


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of errors that a path can answer with, those of every path among them."""
    return {
        status: {
            "model": ErrorView,
            "description": _ERRORS[status][0],
            "content": {
                "application/json": {"example": {"error": {"code": _ERRORS[status][1], "message": _ERRORS[status][2]}}}
            },
        }
        for status in sorted({413, 421, *statuses})
    }


def content(schema: dict[str, Any], example: Any = None, kind: str = "application/json") -> dict[str, Any]:
    """Return the documentation of an answer's body."""
    return {kind: {"schema": schema} if example is None else {"schema": schema, "example": example}}


class Described(FastAPI):
    """An application that tells what it answers; addresses are relative to the description, so a path prefix changes none."""

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, made once."""
        if self.openapi_schema is None:
            servers = [{"url": "../.."}]
            document = get_openapi(
                title=self.title, version=self.version, description=DESCRIPTION, routes=self.routes, servers=servers
            )
            self.openapi_schema = _complete(document)
        return self.openapi_schema


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    evaluation = json.loads(json.dumps(json_schema()).replace('"#/$defs/', '"#/components/schemas/'))
    schemas.update(evaluation.pop("$defs", {}))
    schemas["Evaluation"], schemas["Standings"] = evaluation, STANDINGS
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
    return document
