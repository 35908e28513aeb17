"""E-mail addresses and telephone numbers, as people write them."""

from __future__ import annotations

import re
from typing import Final

from slaguard.redact.words import Span

# It begins where a run of such letters does, and gives nothing back: one look at every letter.
_EMAIL: Final = re.compile(r"(?<![\w.%+'-])[\w.%+'-]++@[\w-]++(?:\.[\w-]++)++")
EMAIL_GATE: Final = r"[\pL\pN._%+'-]@[\pL\pN_-]+\."
"""What every address holds, for RE2."""
_MONEY: Final = r"(?! ?(?:€|\$|£|%|EUR|USD|GBP|CHF|tokens?\b|[.,]\d))"
_NO_PRICE: Final = r"(?<![0-9€$£] )(?<![€$£])(?<!EUR )(?<!USD )(?<!GBP )(?<!CHF )"
_PHONE: Final = re.compile(
    r"(?:"
    r"(?<![A-Za-z0-9+.,/-])\+[1-9][0-9]{0,2}[ ()./-]{0,3}[0-9](?:[ ()./-]{0,2}[0-9]){5,12}"  # international
    r"|(?<![\w+.,/-])(?:"
    r"00[1-9][0-9]{0,2}[ ()./-]{0,3}[0-9](?:[ ()./-]{0,2}[0-9]){5,12}"
    r"|\(0?[0-9]{2,5}\)[ /-]?[0-9](?:[ /-]?[0-9]){4,9}"  # area code in brackets
    r"|0[1-9](?:([ .-])[0-9]{2})(?:\1[0-9]{2}){3}(?![ .-]?[0-9])"  # French, in pairs
    r"|0[1-9][0-9]{1,4}[ /-]{1,3}[0-9](?:[ /-]?[0-9]){4,9}"  # with its leading zero
    r"|01[567][0-9]{8,9}|0[67][0-9]{8}"  # mobile, without a space
    r"|(?<![0-9] )(?:1[-. ])?[2-9][0-8][0-9]([-. ])[2-9][0-9]{2}\2[0-9]{4}(?![ .-]?[0-9])"  # North American
    r"|" + _NO_PRICE + r"[67][0-9]{2} [0-9]{3} [0-9]{3}(?![ .-]?[0-9])" + _MONEY +  # Spanish
    r"|" + _NO_PRICE + r"[6-9][0-9]{2} [0-9]{2} [0-9]{2} [0-9]{2}(?![ .-]?[0-9])" + _MONEY +
    r"))(?!\w)"
)  # fmt: skip
PHONE_GATE: Final = (
    r"(?:\+|\b00)[1-9][0-9]{0,2}[ ()./-]{0,3}[0-9](?:[ ()./-]{0,2}[0-9]){5}"
    r"|\(0?[0-9]{2,5}\)[ /-]?[0-9](?:[ /-]?[0-9]){4}"
    r"|(?:^|[^\w+.,/-])(?:"
    r"0[1-9](?:[ .-][0-9]{2}){4}|0[1-9][0-9]{1,4}[ /-]{1,3}[0-9](?:[ /-]?[0-9]){4,9}|0[1-9][0-9]{8,10}"
    r"|(?:1[-. ])?[2-9][0-8][0-9][-. ][2-9][0-9]{2}[-. ][0-9]{4}"
    r"|[6-9][0-9]{2} (?:[0-9]{3} [0-9]{3}|[0-9]{2} [0-9]{2} [0-9]{2})"
    r")\b"
)
"""What holds every telephone number, for RE2."""


def emails(text: str) -> list[Span]:
    """Return where e-mail addresses stand."""
    return [found.span() for found in _EMAIL.finditer(text)] if "@" in text else []


def phones(text: str) -> list[Span]:
    """Return where telephone numbers stand."""
    return [found.span() for found in _PHONE.finditer(text)]
