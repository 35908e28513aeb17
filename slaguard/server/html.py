"""Pages as answers: our own templates, every foreign text escaped, one style sheet that the policy allows by its hash."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import Response

from slaguard.reports.words import clean

__all__ = ["error_page", "page_response", "render"]


def page_response(content: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return one of our pages as an answer, with the policy that lets its style sheet work and nothing else."""
    return Response(content, status, {**(headers or {}), "content-security-policy": _policy()}, "text/html; charset=utf-8")


def error_page(status: int, message: str, home: str) -> str:
    """Return the page that says why there is none; `home` is the way to the overview from where the reader stands."""
    return render("error.html.j2", status=status, message=message, home=home)


def render(name: str, **values: Any) -> str:
    """Return a template, filled in."""
    # The style sheet is our own file: its hash stands in the policy.
    return _environment().get_template(name).render(style=Markup(_read("board.css")), **values)  # noqa: S704


@cache
def _policy() -> str:
    digest = base64.b64encode(hashlib.sha256(_read("board.css").encode()).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@cache
def _environment() -> Environment:
    return Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_plain,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _read(name: str) -> str:
    return (resources.files("slaguard.server") / "templates" / name).read_text(encoding="utf-8")


def _plain(value: object) -> object:
    """Clean every text on its way into a page; markup of ours stays."""
    return value if isinstance(value, Markup) else clean(str(value), 4000)
