"""The choke point: what is taken out of a text, what stays, and that it costs no more than the text is long."""

from __future__ import annotations

import base64
import logging
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slaguard.redact import CARD, EMAIL, IBAN, PHONE, SECRET, RedactingFormatter, Redactor, luhn, sound

REDACT = Redactor()


@pytest.mark.parametrize(
    "token",
    [
        "sk-abcdefghijklmnop1234",
        "sk-proj-abc_def-ghi_jkl-0123456789",
        "sk-ant-api03-abcdefghijklmnopqrstuvwxyz",
        "sk_live_abcdefghijklmnop1234",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0123456789_abcdefgh",
        "glpat-abcdefghij0123456789",
        "xoxb-123456789012-abcdefghij",
        "AKIAIOSFODNN7EXAMPLE",
        "AIzaSyA-abcdefghijklmnopqrstuvwxyz01234",
        "hf_abcdefghijklmnopqrstuvwxyz012345",
        "gsk_abcdefghijklmnopqrstuvwx",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ],
)
def test_tokens_go_wherever_they_stand(token: str) -> None:
    for text in (token, f"use {token}.", f'{{"k": "{token}"}}', f"({token})", f"a\n{token}\nb"):
        assert token not in REDACT(text)
        assert SECRET in REDACT(text)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Authorization: Bearer abcdefgh12", f"Authorization: {SECRET}"),
        ("curl -H 'x-api-key: abcdefgh' host", f"curl -H 'x-api-key: {SECRET}' host"),
        ("Set-Cookie: session=abcdef; Path=/\nnext", f"Set-Cookie: {SECRET}\nnext"),
        ("it said bearer abcdef123456 and so on", f"it said bearer {SECRET} and so on"),
        ("password=hunter2hunter2&x=1", f"password={SECRET}&x=1"),
        ('{"api_key": "abcdefghijkl", "n": 1}', f'{{"api_key": "{SECRET}", "n": 1}}'),
        ("client_secret: abcdefgh", f"client_secret: {SECRET}"),
        ("https://user:pass@host/x", f"https://{SECRET}@host/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\nafter", f"{SECRET}\nafter"),
        ("-----BEGIN PRIVATE KEY-----\ncut off", SECRET),
        ("write to bob.o'hara+x@mail.example.com now", f"write to {EMAIL} now"),
        ("jörg@müller.example", EMAIL),
        ("DE89 3704 0044 0532 0130 00 please", f"{IBAN} please"),
        ("to gb82west12345698765432.", f"to {IBAN}."),
        ("NO93 8601 1117 947, FR1420041010050500013M02606", f"{IBAN}, {IBAN}"),
        ("4111 1111 1111 1111 2026", f"{CARD} 2026"),
        ("no 5500-0055-5555-5559 and 378282246310005", f"no {CARD} and {CARD}"),
        ("call +49 30 1234567 today", f"call {PHONE} today"),
        ("+1 (555) 234-5678", PHONE),
        ("0049 (30) 123 45 67", PHONE),
        ("(030) 1234567 or 030/1234567", f"{PHONE} or {PHONE}"),
        ("555-234-5678", PHONE),
    ],
)
def test_what_is_private_is_replaced_by_a_word_and_the_rest_stays(text: str, left: str) -> None:
    assert REDACT(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Answer: 2026-03-04",
        "on 01-02-2026, 05/10/2026, 1.2.2026 or 2026-10-05T00:05:00+02:00",
        "Date: Thu, 01 Oct 2026 00:00:00 GMT",
        "basic requirements are met",
        "the token budget: 4000",
        "4111 1111 1111 1112 has a wrong check digit",
        "GB00 WEST 1234 5698 7654 32 has wrong check digits",
        "AB12 is a gate, DE89 a street",
        "a@b, @home, x @ y",
        "1 square foot = 0.09290304 square metres",
        "1,234,567,890,123.45 and -3.3 and 1e10",
        "req_06d15ab1d4111111111111111a",
        "chatcmpl-550e8400-e29b-41d4-a716-446655440000",
        "fp_44709d6fcb",
        "https://host:8443/path?x=1",
        "9" * 5000,
        "12 345 678 901",
        "",
    ],
)
def test_what_is_not_private_stays_as_it_is(text: str) -> None:
    assert REDACT(text) == text


def test_no_question_and_no_answer_of_the_set_that_ships_is_touched(repo: Path) -> None:
    text = (repo / "sla_specs" / "golden" / "claims-qa@4.jsonl").read_text(encoding="utf-8")
    assert REDACT(text) == text


def test_a_secret_this_process_holds_goes_in_every_spelling() -> None:
    secret = "my own/secret+word"
    redact = Redactor((secret,))
    basic = base64.b64encode(secret.encode()).decode()
    for spelling in (secret, quote(secret, safe=""), basic, basic.rstrip("=")):
        assert redact(f"x{spelling}y").replace("=", "") == f"x{SECRET}y"
    assert "secret+word" not in repr(redact)


def test_a_secret_too_short_to_be_told_from_a_word_is_not_looked_for() -> None:
    assert Redactor(("a", ""))("a banana") == "a banana"


@given(st.text(alphabet=st.characters(), max_size=120))
@example("\ud800 bob@example.com")
@example("4111 1111 1111 1111 4111 1111 1111 1111")
def test_whatever_the_text_redacting_it_twice_changes_nothing_more(text: str) -> None:
    once = REDACT(text)
    assert REDACT(once) == once
    once.encode("utf-8")


PIECES = [
    "api_key=",
    "Authorization: ",
    "Bearer ",
    "[redacted",
    "https://",
    ":x@y",
    "bob@example.com",
    "sk-abcdefghijklmnop1234",
    "4111111111111111",
    "DE89370400440532013000",
    "+49 30 1234567",
    " ",
    "\n",
    "x",
    "-",
    "7",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_pieces_in_any_order_are_redacted_once_and_for_all(pieces: list[str]) -> None:
    once = REDACT(" ".join(pieces))
    assert REDACT(once) == once
    assert "bob@" not in once
    assert "sk-abc" not in once


@given(st.integers(0, 10**17))
def test_the_check_digit_of_luhn_is_the_only_one_that_fits(number: int) -> None:
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


HEAVY = {
    "letters": "a" * 2_000_000,
    "at signs": "@" * 2_000_000,
    "digits": "4" * 2_000_000,
    "single digits": "4 " * 500_000,
    "groups of digits": "4444 " * 100_000,
    "account starts": "DE89 " * 100_000,
    "key starts": "-----BEGIN PRIVATE KEY-----" * 50_000,
    "assignments": "token:" * 200_000,
    "almost an address": "a.b@" * 200_000,
    "plus signs": "+1 " * 300_000,
}


@pytest.mark.parametrize("kind", HEAVY)
def test_the_time_is_linear_in_the_text(kind: str) -> None:
    begun = time.process_time()
    REDACT(HEAVY[kind])
    assert time.process_time() - begun < 6


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_written() -> None:
    assert sound("a\ud800b\udfff").encode("utf-8").decode("utf-8").startswith("a")
    assert sound("\U0001f600") == "\U0001f600"


def test_a_log_line_is_redacted_whole_its_traceback_included() -> None:
    formatter = RedactingFormatter(Redactor(("canary-key",)), "%(levelname)s %(message)s")
    record = logging.makeLogRecord({})
    try:
        int("canary-key")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "mail %s", ("bob@example.com",), sys.exc_info())
    line = formatter.format(record)
    assert line.startswith(f"ERROR mail {EMAIL}")
    assert "Traceback" in line
    assert "canary-key" not in line
