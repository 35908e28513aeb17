"""The one choke point: text goes through here before it reaches disk, a log or a report.

It takes out secrets (keys, tokens, passwords, whatever the configuration holds), e-mail addresses, bank accounts (IBAN,
by their check digits), card numbers (by theirs, Luhn) and telephone numbers. The patterns are our own and run on RE2,
so the time is linear in the text, whatever the text; names and addresses of people are beyond them.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

import re2

SECRET: Final = "[redacted secret]"  # noqa: S105 - the word that stands in its place
EMAIL: Final = "[redacted e-mail]"
IBAN: Final = "[redacted account]"
CARD: Final = "[redacted card]"
PHONE: Final = "[redacted phone]"
SHORTEST_SECRET: Final = 6
"""A configured secret shorter than this is not looked for: it would take half of every text with it."""


def _compile(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


# ── secrets ─────────────────────────────────────────────────────────────────────────────────────────────────────────
_PRIVATE_KEY: Final = _compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?s:.)*?(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----|\z)"
)
_TOKEN: Final = _compile(
    r"\b(?:"
    r"(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16,}"  # OpenAI, Anthropic, Stripe and those who copied them
    r"|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}"  # Slack
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}|AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}"  # AWS, Google
    r"|hf_[A-Za-z0-9]{20,}|gsk_[A-Za-z0-9]{20,}|xai-[A-Za-z0-9]{20,}|r8_[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{20,}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"  # JSON Web Token
    r")"
)
_BEARER: Final = _compile(r"(?i)(\b(?:bearer|basic)\s+)([A-Za-z0-9._~+/=-]{8,})")
_HEADER: Final = _compile(
    r"""(?i)(\b(?:proxy-)?(?:authorization|x-api-key|api-key|set-cookie|cookie)["']?\s*[:=]\s*["']?)([^\s"'\[][^\r\n"']{5,})"""
)
_ASSIGNED: Final = _compile(
    r"(?i)(\b[a-z_-]{0,30}(?:api_?-?key|secret|token|passwd|password|pwd|private_?-?key|access_?-?key)"
    r"""["']?\s*[:=]\s*["']?)([^\s"',;}&\[][^\s"',;}&]{7,})"""
)
_USERINFO: Final = _compile(r"(://)([^/\s:@\[\]]{1,256}:[^/\s@\[\]]{1,256})(@)")
# No counted repetition here: on a long run of letters it costs a hundred times as much.
_EMAIL: Final = _compile(r"[\pL\pN._%+'-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)+")


def _after(group: int = 1) -> Callable[[Any], str]:
    """Return a replacement that keeps what leads up to the secret."""
    return lambda found: str(found.group(group)) + SECRET


def _bearer(found: Any) -> str:
    # "basic requirements" is no credential: tokens that people use hold a digit.
    has_digit = any(c.isdigit() for c in found.group(2))
    return str(found.group(1)) + SECRET if has_digit else str(found.group(0))


def _secrets(text: str) -> str:
    text = _PRIVATE_KEY.sub(SECRET, text)
    text = _HEADER.sub(_after(), text)
    text = _BEARER.sub(_bearer, text)
    text = _TOKEN.sub(SECRET, text)
    text = _ASSIGNED.sub(_after(), text)
    return str(_USERINFO.sub(f"://{SECRET}@", text))


# ── bank accounts ───────────────────────────────────────────────────────────────────────────────────────────────────
_IBAN_LENGTH: Final[dict[str, int]] = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28,
    "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18,
    "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18,
    "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31,
    "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29,
    "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}  # fmt: skip
"""Length of an account number by country (ISO 13616 registry)."""
_IBAN_START: Final = _compile(r"\b[A-Za-z]{2}[0-9]{2}")
_SEPARATORS: Final = " -"


def _iban_end(text: str, start: int) -> int | None:
    """Return where the account number that starts at `start` ends, if its length and check digits are right."""
    length = _IBAN_LENGTH.get(text[start : start + 2].upper())
    if length is None:
        return None
    compact: list[str] = []
    at = start
    while len(compact) < length and at < len(text):
        letter = text[at]
        if letter.isascii() and letter.isalnum():
            compact.append(letter.upper())
        elif letter not in _SEPARATORS or text[at - 1] in _SEPARATORS:
            return None
        at += 1
    if len(compact) < length or (at < len(text) and text[at].isalnum()):
        return None
    moved = "".join(compact[4:] + compact[:4])
    return at if int("".join(str(int(c, 36)) for c in moved)) % 97 == 1 else None


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    free_from = 0
    for found in _IBAN_START.finditer(text):
        start = found.start()
        end = _iban_end(text, start) if start >= free_from else None
        if end is not None:
            yield start, end
            free_from = end


# ── cards ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_DIGITS: Final = _compile(r"\b[0-9](?:[ -]?[0-9]){12,}\b")
_GROUP: Final = re.compile(r"[0-9]+")
_CARD_LENGTHS: Final = range(13, 20)
_CARD_FIRST: Final = "23456"
# Cards are written in groups of three and more; digits one by one are a column of figures.
_CARD_SMALLEST_GROUP: Final = 3
_CARD_GROUPS: Final = 6


def luhn(digits: str) -> bool:
    """Tell whether the last of `digits` is the check digit of the others (ISO/IEC 7812-1)."""
    doubled = (int(d) * 2 if i % 2 else int(d) for i, d in enumerate(reversed(digits)))
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


def _card_end(groups: list[re.Match[str]], first: int) -> int | None:
    """Return where a card number that begins with group `first` ends; it ends with a group too."""
    digits, end = "", None
    if groups[first][0][0] not in _CARD_FIRST:
        return None
    for group in groups[first : first + _CARD_GROUPS]:
        if len(group[0]) < _CARD_SMALLEST_GROUP or len(digits) + len(group[0]) > max(_CARD_LENGTHS):
            break
        digits += group[0]
        if len(digits) in _CARD_LENGTHS and luhn(digits):
            end = group.end()
    return end


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for run in _DIGITS.finditer(text):
        groups = list(_GROUP.finditer(text, run.start(), run.end()))
        free_from = 0
        for first, group in enumerate(groups):
            end = _card_end(groups, first) if group.start() >= free_from else None
            if end is not None:
                yield group.start(), end
                free_from = end


# ── telephones ──────────────────────────────────────────────────────────────────────────────────────────────────────
_PHONE: Final = _compile(
    r"(^|[^\w+.,/-])("
    r"(?:\+|00)[1-9][0-9]{0,2}[ ()./-]{0,3}[0-9](?:[ ()./-]{0,2}[0-9]){5,12}"  # international
    r"|\(0?[0-9]{2,5}\)[ /-]?[0-9](?:[ /-]?[0-9]){4,9}"  # area code in brackets
    r"|0[1-9][0-9]{1,4}[ /-]{1,3}[0-9](?:[ /-]?[0-9]){4,9}"  # with its leading zero
    r"|[2-9][0-9]{2}[-.][2-9][0-9]{2}[-.][0-9]{4}"  # North American
    r")\b"
)
_DATE: Final = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}", re.ASCII)


def _phone(found: Any) -> str:
    return str(found.group(0)) if _DATE.match(found.group(2)) else str(found.group(1)) + PHONE


_SUSPECTS: Final = (
    _PRIVATE_KEY, _HEADER, _BEARER, _TOKEN, _ASSIGNED, _USERINFO, _EMAIL, _IBAN_START, _DIGITS, _PHONE,
)  # fmt: skip
_SUSPECT: Final = _compile("|".join(f"(?:{one.pattern})" for one in _SUSPECTS))
"""Whether any of them is there at all: most texts are clean, and one search costs a tenth of ten."""


def _cut(text: str, spans: Iterable[tuple[int, int]], word: str) -> str:
    parts: list[str] = []
    at = 0
    for start, end in spans:
        parts += [text[at:start], word]
        at = end
    return "".join([*parts, text[at:]]) if parts else text


def sound(text: str) -> str:
    """Return the text with every half of a surrogate pair replaced, so that it can be written as UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")


def _spellings(secret: str) -> tuple[str, ...]:
    """Return the forms in which a secret turns up: as it is, in a URL, in a Basic header."""
    coded = base64.b64encode(secret.encode("utf-8")).decode("ascii").rstrip("=")
    return tuple(dict.fromkeys((secret, quote(secret, safe=""), coded)))


@dataclass(frozen=True, slots=True)
class Redactor:
    """Takes out what must not be written; `known` are the secrets this process holds, found wherever they stand."""

    known: tuple[str, ...] = field(default=(), repr=False)

    def __call__(self, text: str) -> str:
        """Return the text fit to be written. Doing it twice changes nothing more."""
        text = sound(text)
        for secret in self.known:
            if len(secret) >= SHORTEST_SECRET:
                for spelling in _spellings(secret):
                    text = text.replace(spelling, SECRET)
        if _SUSPECT.search(text) is None:
            return text
        text = _secrets(text)
        text = str(_EMAIL.sub(EMAIL, text))
        text = _cut(text, _ibans(text), IBAN)
        text = _cut(text, _cards(text), CARD)
        return str(_PHONE.sub(_phone, text))


class RedactingFormatter(logging.Formatter):
    """A log formatter whose finished line, traceback included, goes through a Redactor."""

    def __init__(self, redactor: Redactor, layout: str | None = None) -> None:
        """Format by `layout` (as `logging.Formatter` takes it), then redact."""
        super().__init__(layout)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as it may be written."""
        return self._redactor(super().format(record))
