"""The claim page as one self-contained HTML file: no script, nothing loaded from anywhere, every foreign text harmless."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from slaguard.reports.inputs import ClaimInputs
from slaguard.reports.page import page
from slaguard.reports.words import clean


def render_claim(inputs: ClaimInputs, files: Mapping[str, bytes]) -> str:
    """Return the page.

    Args:
        inputs: the Evaluation and what it was made from.
        files: the other files of the pack, by name: their hashes are printed.

    Raises:
        ReportRefused: a picture or a table does not add up to the Evaluation's counts.

    """
    style = _read("claim.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    template = _environment().get_template("claim.html.j2")
    return template.render(
        page=page(inputs, files),
        # Our own file, written into the page as it stands: its hash is what the policy allows.
        style=Markup(style),  # noqa: S704
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
    )


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


def _read(name: str) -> str:
    return (resources.files("slaguard.reports") / "templates" / name).read_text(encoding="utf-8")


def _plain(value: object) -> object:
    """Clean every text on its way into the page, whatever it passed through before; markup of ours stays."""
    return value if isinstance(value, Markup) else clean(str(value), 4000)
