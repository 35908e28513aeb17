"""Numbers and foreign text as the claim page prints them."""

import unicodedata
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.evaluation.result import TargetPart
from slaguard.reports.words import (
    NARROW,
    clean,
    count,
    duration,
    figure,
    figure_range,
    money,
    percent,
    promise,
    sentence,
    spaced,
    title,
)  # fmt: skip

shares = st.fractions(0, 1, max_denominator=100_000)
limits = st.integers(0, 10_000).map(lambda n: Fraction(n, 10_000))
"""A contract writes percentages as decimals, so a limit can be printed as it is."""


def number(text: str) -> Fraction:
    return Fraction(text.partition(NARROW)[0].replace(",", ""))


@pytest.mark.parametrize(
    ("share", "target", "text"),
    [
        ("0.809", "0.92", "80.9"),
        ("0.9991", "0.995", "99.91"),
        ("0.92", "0.92", "92"),
        ("0.9996", "0.995", "99.96"),
        ("0.99999", "0.995", "99.999"),
        ("1", "0.995", "100"),
        ("0", "0.01", "0"),
        ("0.00001", "0.01", "0.001"),
        ("0.014", "0.02", "1.4"),
        ("0.5", "0.92", "50"),
    ],
)
def test_a_share_is_printed_with_the_digits_it_needs(share: str, target: str, text: str) -> None:
    assert percent(Fraction(share), Fraction(target)) == f"{text}{NARROW}%"


@pytest.mark.parametrize(
    ("share", "text"),
    [("0.91999", "91.999"), ("0.9199999", "91.99999"), ("0.92004", "92.004"), ("0.9196", "91.96"), ("0.9204", "92.04")],
)
def test_a_figure_beside_its_target_never_looks_like_it(share: str, text: str) -> None:
    assert percent(Fraction(share), Fraction(92, 100)) == f"{text}{NARROW}%"


@given(shares, limits, st.sampled_from(["half", "down", "up"]))
def test_rounding_never_moves_a_figure_onto_or_across_its_target(share: Fraction, limit: Fraction, way: str) -> None:
    shown = number(percent(share, limit, way)) / 100  # type: ignore[arg-type]
    assert (shown > limit, shown < limit) == (share > limit, share < limit)
    assert (shown == 1, shown == 0) == (share == 1, share == 0)


@given(shares, shares)
def test_the_ends_of_an_interval_are_rounded_outward(one: Fraction, other: Fraction) -> None:
    low, high = sorted((one, other))
    first, _, last = figure_range(low, high, "ratio").partition("\u00a0–\u00a0")
    assert number(first) / 100 <= low
    assert number(last) / 100 >= high


def test_an_interval_names_its_unit_once_unless_its_ends_have_two() -> None:
    assert figure_range(Fraction(3, 1000), Fraction(41, 1000), "ratio") == f"0.3\u00a0–\u00a04.1{NARROW}%"
    assert figure_range(Fraction(900), Fraction(1100), "ms") == f"900{NARROW}ms\u00a0–\u00a01.1{NARROW}s"


@given(st.fractions(0, 20_000, max_denominator=1000), st.integers(1, 20_000))
def test_a_duration_over_its_limit_never_looks_like_the_limit(ms: Fraction, limit: int) -> None:
    text = duration(ms, Fraction(limit))
    shown = number(text) * (1000 if text.endswith(f"{NARROW}s") else 1)
    assert (shown > limit, shown < limit) == (ms > limit, ms < limit)


@pytest.mark.parametrize(
    ("ms", "text"),
    [(80, "80 ms"), (100, "100 ms"), (842, "842 ms"), (1000, "1 s"), (1930, "1.93 s"), (90_000, "90 s"), (0, "0 ms")],
)
def test_durations_are_written_in_their_natural_unit(ms: int, text: str) -> None:
    assert duration(Fraction(ms)) == text.replace(" ", NARROW)


def test_counts_and_money_have_thousands_separated() -> None:
    assert count(12_345) == "12,345"
    assert count(Fraction(447, 10)) == "44.7"
    assert count(Fraction(2999, 1000)) == "2.999"
    assert money(Decimal("1800.00"), "EUR") == "1,800.00\u00a0EUR"
    assert money(Decimal(1800), "JPY") == "1,800\u00a0JPY"


def test_targets_and_missing_figures_have_words() -> None:
    assert promise(TargetPart(word="at_least", limit="99.5%")) == f"at least 99.5{NARROW}%"
    assert promise(TargetPart(word="less_than", limit="2s")) == f"less than 2{NARROW}s"
    assert figure(None, "ratio") == "–"
    assert title("first-token_time") == "First token time"
    assert sentence("46 intervals lost, 0.5% allowed") == f"46 intervals lost, 0.5{NARROW}% allowed."
    assert spaced("92% and 5 %") == f"92{NARROW}% and 5{NARROW}%"


@given(st.text(max_size=200))
def test_foreign_text_keeps_no_control_or_direction_character(text: str) -> None:
    shown = clean(text)
    assert not any(unicodedata.category(c) in {"Cc", "Cs", "Zl", "Zp"} for c in shown)
    assert not any(unicodedata.category(c) == "Cf" for c in shown if c not in "\u200c\u200d")
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Acme\x1b[31m AI\x00", "Acme [31m AI"),
        ("a\u202egnp.exe\u202c", "agnp.exe"),
        ("a\u2066b\u2069\u200fc\ufeff", "abc"),
        ("a\x85b\u2028c\nd\te", "a b c d e"),
        ("a\ud800b", "a\ufffdb"),
        ("\U000e0041tag", "tag"),
        ("  two   blanks  ", "two blanks"),
        ("می\u200cخواهم", "می\u200cخواهم"),
    ],
)
def test_hostile_characters_vanish_and_scripts_stay(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert clean("x" * 5000, 10) == "x" * 9 + "…"
    assert clean("x" * 10, 10) == "x" * 10
