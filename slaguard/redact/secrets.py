"""Keys, tokens and passwords: known by how they begin, by the header or the name they stand under, or by where in a URL."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from slaguard.redact.words import Span, compiled

_PRIVATE_KEY: Final = (
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.)*?"
    r"(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)"
)
_KEY: Final = (
    r"(?:\b|_)("
    r"(?:sk|pk|rk|csk|pplx)[-_](?:[A-Za-z0-9_-]{16,}|[A-Za-z0-9_-]{6,}\r?\n[A-Za-z0-9_-]{10,})"  # OpenAI and who copied it
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"  # Slack
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{16,}"  # AWS, Google
    r"|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{20,}"
    r"|fw_[A-Za-z0-9]{20,}|npm_[A-Za-z0-9]{20,}|pypi-Ag[A-Za-z0-9_-]{16,}|whsec_[A-Za-z0-9+/=]{16,}|dapi[0-9a-f]{32}"
    r"|SG\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # SendGrid
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON Web Token
    r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}"  # Telegram
    r")"
)
# These begin like nothing else, so a letter may stand before them.
_GLUED: Final = r"(sk-(?:proj|ant|svcacct|or)[-.][A-Za-z0-9_-]{16,})"
_NAMED_KEY: Final = r"([A-Za-z0-9]_(?:live|test|secret|key)_[A-Za-z0-9]{16,})"
_BEARER: Final = r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9._~+/=-]{8,})"
_HEADER: Final = (
    r"""(?i)\b(?:proxy-)?(?:authorization|x-api-key|api-key|x-goog-api-key|set-cookie|cookie)["']?\s*[:=]\s*["']?"""
    r"""([^\s"'\[][^\r\n"']{5,})"""
)
_ASSIGNED: Final = (
    r"(?i)\b[a-z0-9_-]{0,30}(?:api_?-?key|secret|token|passwd|password|pwd|private_?-?key|access_?-?key|account_?-?key)"
    r"""["']?\s*[:=]\s*["']?([^\s"',;}&\[][^\s"',;}&]{7,})"""
)
_PASSWORD: Final = r"""(?i)\b[a-z0-9_-]{0,30}(?:passwd|password|pwd)["']?\s*[:=]\s*["']([^"'\[\r\n][^"'\r\n]{5,})"""  # noqa: S105
_SHORT: Final = (
    r"""(?i)\b[a-z0-9_-]{0,30}(?:passwd|password|pwd)["']?\s*[:=]\s*["']?([^\s"',;}&\[][^\s"',;}&]{5,6})(?:[\s"',;}&]|\z)"""
)
_AWS: Final = r"""(?i)\bsecret[ _-]?(?:access[ _-]?)?key["']?[ :=]{1,3}["']?([A-Za-z0-9/+]{40})"""
_USERINFO: Final = r"""://([^/\s:@\[\]]{0,256}:[^/\s?"'<>\[\]]{1,256})@"""
_PATTERNS: Final = (
    f"({_PRIVATE_KEY})", _HEADER, _BEARER, _KEY, _GLUED, _NAMED_KEY, _AWS, _PASSWORD, _SHORT, _ASSIGNED, _USERINFO,
)  # fmt: skip
GATE: Final = "|".join(f"(?:{one})" for one in _PATTERNS)
"""Whether any of them is there at all."""
_LONG_TOKEN: Final = 20
_REST: Final = re.compile(r"\r?\n(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,128}(?![A-Za-z0-9_-])")


def _whole(text: str, found: Any) -> Span:
    start, end = found.span(1)
    # A key that was broken by one end of line goes on behind it.
    rest = _REST.match(text, end)
    return start, rest.end() if rest else end


def _plain(text: str, found: Any) -> Span:
    del text
    start, end = found.span(1)
    return start, end


def _credential(text: str, found: Any) -> Span | None:
    # "basic requirements" is no credential: tokens that people use hold a digit, or are longer than words are.
    del text
    start, end = found.span(1)
    return (start, end) if end - start >= _LONG_TOKEN or any(c.isdigit() for c in found[1]) else None


def _named(text: str, found: Any) -> Span | None:
    del text
    start, end = found.span(1)
    return (start, end) if any(c.isdigit() for c in found[1]) else None


Spans = Callable[[str, Any], Span | None]
_HOW: Final[tuple[Spans, ...]] = (_plain, _plain, _credential, _whole, _whole, _named, _plain, _plain, _named, _plain, _plain)
_STEPS: Final = tuple((compiled(pattern), how) for pattern, how in zip(_PATTERNS, _HOW, strict=True))


def steps() -> tuple[tuple[Callable[[str], list[Span]], Any], ...]:
    """Return the recognisers of secrets in the order in which they look, each with its pattern."""
    return tuple((_step(pattern, how), pattern) for pattern, how in _STEPS)


def _step(pattern: Any, how: Spans) -> Callable[[str], list[Span]]:
    def look(text: str) -> list[Span]:
        return [span for found in pattern.finditer(text) if (span := how(text, found)) is not None]

    return look
