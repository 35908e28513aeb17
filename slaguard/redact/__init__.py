"""The one choke point: text goes through here before it reaches disk, a log or a report.

It takes out secrets (keys, tokens, passwords, whatever the configuration holds), e-mail addresses, bank accounts (IBAN,
by their check digits), card numbers (by theirs, Luhn, and their issuer) and telephone numbers. The patterns are our own;
the time is linear in the text, whatever the text. Names and addresses of people, and secrets that nothing marks as such,
are beyond them.
"""

from __future__ import annotations

import base64
import binascii
import logging
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from slaguard.redact import secrets
from slaguard.redact.folding import Folded, fold
from slaguard.redact.numbers import CARD_GATE, IBAN_GATE, cards, ibans, luhn, without_ids
from slaguard.redact.people import EMAIL_GATE, PHONE_GATE, emails, phones
from slaguard.redact.words import CARD, EMAIL, IBAN, PHONE, SECRET, Span, blanked, compiled

__all__ = ["CARD", "EMAIL", "IBAN", "PHONE", "SECRET", "SHORTEST_SECRET", "RedactingFormatter", "Redactor", "luhn", "sound"]

SHORTEST_SECRET: Final = 6
"""A configured secret shorter than this is not looked for: it would take half of every text with it."""
_ROUNDS: Final = 4
"""What is cut out may bring together what stood apart; so it is looked again, but not for ever."""

# Four letters of base64 that say three of printable ASCII: chance makes four such groups in a row once in ten thousand.
_CODED_GROUP: Final = "[I-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
_CODED: Final = re.compile(rf"(?<![A-Za-z0-9+/_-])(?:{_CODED_GROUP}){{4}}[A-Za-z0-9+/_-]*+={{0,2}}")
_CODED_GATE: Final = rf"\b(?:{_CODED_GROUP}){{4}}"
_GATE: Final = compiled(f"{secrets.GATE}|{EMAIL_GATE}|{IBAN_GATE}|{CARD_GATE}|{PHONE_GATE}|{_CODED_GATE}")
"""Whether anything of it may be there at all: most texts are clean, and one search costs a tenth of ten."""
_URL_SAFE: Final = str.maketrans("-_", "+/")
_BETWEEN: Final = "\n\0\n"
"""No recogniser looks across it."""


def _coded(text: str) -> list[Span]:
    """Return where base64 stands that says what is to be taken out; all that is said is looked at in one go."""
    runs: list[Span] = []
    said: list[str] = []
    starts: list[int] = []
    length = 0
    for found in _CODED.finditer(text):
        plain = _decoded(found[0])
        if plain is not None:
            runs.append(found.span())
            said.append(plain)
            starts.append(length)
            length += len(plain) + len(_BETWEEN)
    hits = {bisect_right(starts, start) - 1 for start, _, _ in _spans(_BETWEEN.join(said), _PLAIN)}
    return [runs[number] for number in sorted(hits)]


def _decoded(run: str) -> str | None:
    run = run.rstrip("=").translate(_URL_SAFE)
    run = run[:-1] if len(run) % 4 == 1 else run
    try:
        return binascii.a2b_base64(run + "=" * (-len(run) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return None


_Step = tuple[Callable[[str], list[Span]], Any, str]
"""What looks, the search that tells whether it needs to (the same time for any text), and the word for what it finds."""
_SECRETS: Final[tuple[_Step, ...]] = tuple((step, gate, SECRET) for step, gate in secrets.steps())
_PLAIN: Final[tuple[_Step, ...]] = (*_SECRETS, (emails, compiled(EMAIL_GATE), EMAIL), (ibans, compiled(IBAN_GATE), IBAN))
_NUMBERS: Final[tuple[_Step, ...]] = ((cards, compiled(CARD_GATE), CARD), (phones, compiled(PHONE_GATE), PHONE))
_ALL: Final[tuple[_Step, ...]] = (*_PLAIN, (_coded, compiled(_CODED_GATE), SECRET))
_SECRET_GATE: Final = compiled(secrets.GATE)
_NUMBER_GATE: Final = compiled(f"{CARD_GATE}|{PHONE_GATE}")


def _spans(text: str, steps: tuple[_Step, ...]) -> list[tuple[int, int, str]]:
    """Return what every recogniser finds; what one of them found, the next does not see."""
    spans: list[tuple[int, int, str]] = []
    if _GATE.search(text) is None:
        return spans
    if _SECRET_GATE.search(text) is None:
        steps = steps[len(_SECRETS) :]
    text = _take(text, steps, spans)
    if _NUMBER_GATE.search(text) is not None:
        _take(without_ids(text), _NUMBERS, spans)
    return spans


def _take(text: str, steps: tuple[_Step, ...], spans: list[tuple[int, int, str]]) -> str:
    for look, gate, word in steps:
        if gate.search(text) is not None and (found := look(text)):
            spans += [(start, end, word) for start, end in found]
            text = blanked(text, found)
    return text


def _cut(text: str, spans: list[tuple[int, int, str]], seen: Folded) -> str:
    parts: list[str] = []
    at = reached = 0
    for start, end, word in sorted(spans):
        if start >= reached:
            parts += [text[at : seen.start(start)], word]
        reached = max(reached, end)
        at = seen.start(reached)
    return "".join([*parts, text[at:]])


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
        for _ in range(_ROUNDS):
            seen = fold(text)
            spans = _spans(seen.text, _ALL)
            if not spans:
                break
            text = _cut(text, spans, seen)
        return text


class RedactingFormatter(logging.Formatter):
    """A log formatter whose finished line, traceback included, goes through a Redactor."""

    def __init__(self, redactor: Redactor, layout: str | None = None) -> None:
        """Format by `layout` (as `logging.Formatter` takes it), then redact."""
        super().__init__(layout)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as it may be written."""
        return self._redactor(super().format(record))
