"""Bank accounts and cards: numbers that prove themselves by their check digits, their length and who issues them."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import Final

from slaguard.redact.words import Span, blanked

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
_FIGURES_ONLY: Final = frozenset((
    "AT", "BA", "BE", "CR", "CZ", "DE", "DK", "EE", "ES", "FI", "FO", "GL", "HR", "HU", "IS", "LT", "ME", "NO", "PL", "PT",
    "RS", "SE", "SI", "SK", "TL", "VA", "XK",
))  # fmt: skip
"""Countries whose account numbers hold figures alone: a letter ends the search at once."""
_SMALL: Final = "[A-Za-z]{1,24}"
_ENDS: Final = rf"(?![0-9]|{_SMALL}[0-9])"
_IBAN_START: Final = re.compile(r"(?<![0-9A-Za-z])(?:[Ii][Bb][Aa][Nn])?([A-Za-z]{2})[0-9]{2}(?=[ .-]{0,2}[0-9A-Za-z])")
_IBAN_REST: Final = {
    country: re.compile(rf"(?:[ .-]{{0,2}}[{'0-9' if country in _FIGURES_ONLY else '0-9A-Za-z'}]){{{length - 4}}}{_ENDS}")
    for country, length in _IBAN_LENGTH.items()
}
IBAN_GATE: Final = r"(?:\b|_|(?i:IBAN))[A-Za-z]{2}[0-9]{2}[ .-]{0,2}[0-9A-Za-z]{3}"
"""What every account number begins with, for RE2."""
_NO_SEPARATORS: Final = str.maketrans("", "", " .+-")
_AS_FIGURES: Final = {code: str(int(chr(code), 36)) for code in range(ord("A"), ord("Z") + 1)}


def ibans(text: str) -> list[Span]:
    """Return where account numbers stand."""
    spans: list[Span] = []
    free_from = 0
    for found in _IBAN_START.finditer(text):
        rest = _IBAN_REST.get(found[1].upper()) if found.start(1) >= free_from else None
        tail = rest.match(text, found.end()) if rest else None
        if tail and _checks(text[found.start(1) : tail.end()]):
            spans.append((found.start(1), tail.end()))
            free_from = tail.end()
    return spans


def _checks(number: str) -> bool:
    """Tell whether the check digits of an account number are right (ISO 7064, modulo 97)."""
    compact = number.translate(_NO_SEPARATORS).upper()
    return int((compact[4:] + compact[:4]).translate(_AS_FIGURES)) % 97 == 1


# ── what is no number ───────────────────────────────────────────────────────────────────────────────────────────────
_IDS: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:"
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"  # UUID
    r"|(?=[0-9]{0,64}[a-fA-F])[0-9a-fA-F]{16,}+"  # a hash
    r")(?![0-9A-Za-z])"
    r"|(?<![\d./-])(?:"
    r"\d{4}([./-])\d{1,2}\1\d{1,2}(?:[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)?"  # a date, and the time of day
    r"|\d{1,2}([./-])\d{1,2}\2(?:\d{2}|\d{4})"
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # an address of the network
    r")(?![\d/-]|\.\d)",
    re.ASCII,
)


def without_ids(text: str) -> str:
    """Return the text with dates, network addresses, UUIDs and hashes made unreadable: digits in them are no number."""
    return blanked(text, [found.span() for found in _IDS.finditer(text)], "x")


# ── cards ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_ISSUERS: Final = (
    ("4", (19, 16, 13)),  # Visa
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", (16,)),  # Mastercard
    ("3[47]", (15,)),  # American Express
    (r"30[0-5]|309|36|3[89]", (19, 16, 14)),  # Diners
    (r"6011|64[4-9]|65|62|60|8[12]", (19, 18, 17, 16)),  # Discover, UnionPay, RuPay
    (r"35(?:2[89]|[3-8])", (19, 18, 17, 16)),  # JCB
    (r"50|5[6-8]|6304|639|67", (19, 18, 17, 16, 15, 14, 13)),  # Maestro
    (r"220[0-4]", (19, 18, 17, 16)),  # Mir
)
"""How the numbers of an issuer begin, and how many digits they have, most first (ISO/IEC 7812-1 ranges in use)."""
_ISSUER: Final = re.compile("|".join(f"({begins})" for begins, _ in _ISSUERS))
_CARD: Final = re.compile(
    r"(?:(?<![0-9A-Za-z])[A-Za-z]{1,24}+|(?<![0-9A-Za-z])(?<![0-9][.,]))"
    r"(?=[2-68])([0-9]{4,19})(?![0-9])((?:[ .+-]{1,2}[0-9]{3,15}(?![0-9])){0,4})"
)
CARD_GATE: Final = r"(?:^|[^0-9A-Za-z.,]|[^0-9][.,]|^[.,])[A-Za-z]*[2-68][0-9]{3}(?:[ .+-]{0,2}[0-9]){9}"
"""What holds every card number, for RE2."""
_GROUP: Final = re.compile(r"[0-9]+")
_WORD_AND_FIGURE: Final = re.compile(rf"{_SMALL}[0-9]")
_TWICE: Final = bytes.maketrans(b"0123456789", b"0246813579")
_ZERO: Final = ord("0")


def luhn(digits: str) -> bool:
    """Tell whether the last of `digits` is the check digit of the others (ISO/IEC 7812-1)."""
    raw = digits.encode("ascii")
    return (sum(raw[::-2]) + sum(raw[-2::-2].translate(_TWICE)) - _ZERO * len(raw)) % 10 == 0


def _card_end(text: str, found: re.Match[str]) -> int | None:
    """Return where the card number ends that begins where `found` does; it ends with a group of digits too."""
    issuer = _ISSUER.match(found[1])
    if issuer is None or issuer.lastindex is None:
        return None
    digits = (found[1] + found[2]).translate(_NO_SEPARATORS)
    ends = tuple(accumulate(map(len, _GROUP.findall(found[2])), initial=len(found[1])))
    for length in _ISSUERS[issuer.lastindex - 1][1]:
        if length in ends and luhn(digits[:length]):
            end = _end_of(length, found)
            if not _WORD_AND_FIGURE.match(text, end):
                return end
    return None


def _end_of(length: int, found: re.Match[str]) -> int:
    """Return where so many digits of `found` end; a group of them ends there."""
    so_far = len(found[1])
    end = found.end(1)
    for group in _GROUP.finditer(found[2]):
        if so_far >= length:
            break
        so_far += len(group[0])
        end = found.start(2) + group.end()
    return end


def cards(text: str) -> list[Span]:
    """Return where card numbers stand."""
    spans: list[Span] = []
    at = 0
    while (found := _CARD.search(text, at)) is not None:
        end = _card_end(text, found)
        if end is not None:
            spans.append((found.start(1), end))
        at = end or found.end(1)
    return spans
