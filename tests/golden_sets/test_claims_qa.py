"""claims-qa@4: every reference is computed here a second time, from the words of the question alone."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from importlib.resources import files
from math import floor
from pathlib import Path
from typing import TypedDict

import pytest
import yaml

HOME = files("sla_specs") / "golden"
DATA = (HOME / "claims-qa@4.jsonl").read_bytes()
CARD = yaml.load((HOME / "claims-qa@4.yaml").read_text("utf-8"), Loader=yaml.BaseLoader)  # every scalar as text

Row = TypedDict("Row", {"id": str, "input": str, "reference": str, "class": str, "tags": list[str]})
ITEMS: list[Row] = [json.loads(line) for line in DATA.decode("ascii").splitlines()]


def of(kind: str) -> list[object]:
    return [pytest.param(row, id=row["id"]) for row in ITEMS if row["class"] == kind]


def is_prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 2) if d < n)


def move(start: str, days: int) -> str:
    return (date.fromisoformat(start) + timedelta(days)).isoformat()


def count_working_days(start: str, n: int) -> str:
    week = [date.fromisoformat(start) + timedelta(d) for d in range(1, 2 * n + 8)]
    return [day for day in week if day.isoweekday() <= 5][n - 1].isoformat()


def end_of_month(start: str, months: int) -> str:
    first = date.fromisoformat(start).replace(day=1)
    for _ in range(months + 1):
        first = (first + timedelta(31)).replace(day=1)
    return (first - timedelta(1)).isoformat()


DATE_RULES: dict[str, Callable[[str, int], str]] = {
    r"within (?P<n>\d+) days after (?P<d>[\d-]{10})\.": move,
    r"on (?P<d>[\d-]{10}) must be notified within (?P<n>\d+) weeks": lambda d, n: move(d, 7 * n),
    r"starts on (?P<d>[\d-]{10}), which counts as day 1\. Which calendar date is day (?P<n>\d+)\?": lambda d, n: move(d, n - 1),
    r"ends on (?P<d>[\d-]{10})\. Notice must be given at least (?P<n>\d+) days before": lambda d, n: move(d, -n),
    r"accepted on (?P<d>[\d-]{10})\. Payment is due (?P<n>\d+) working days after": count_working_days,
    r"filed on (?P<d>[\d-]{10})\. .* last day of the month (?P<n>\d+) months? after that month": end_of_month,
}

UNIT_RULES: dict[str, Callable[..., Fraction]] = {
    r"drove (\S+) miles\. With 1 mile = (\S+) kilometres": lambda a, b: a * b,
    r"damage is (\S+) EUR\. The policy pays (\S+) % of what exceeds (\S+) EUR": lambda a, p, d: (a - d) * p / 100,
    r"costs (\S+) USD and is paid at (\S+) EUR for 1 USD": lambda a, b: a * b,
    r"worked (\S+) hours and (\S+) minutes?": lambda h, m: 60 * h + m,
    r"measures (\S+) square feet\. With 1 square foot = (\S+) square metres": lambda a, b: a * b,
    r"logged (\S+) degrees Fahrenheit": lambda f: (f - 32) * Fraction(5, 9),
}
DECIMALS = {"Round to one decimal.": 1, "Round to two decimals.": 2}


@pytest.mark.parametrize("row", of("prime"))
def test_a_prime_question_names_a_prime(row: Row) -> None:
    (n,) = set(re.findall(r"\d+", row["input"]))
    assert is_prime(int(n))
    assert row["reference"] == "Yes"


@pytest.mark.parametrize("row", of("composite"))
def test_a_composite_question_names_a_number_without_small_divisors(row: Row) -> None:
    (n,) = set(re.findall(r"\d+", row["input"]))
    assert not is_prime(int(n))
    assert all(int(n) % d for d in (2, 3, 5))
    assert row["reference"] == "No"


@pytest.mark.parametrize("row", of("date"))
def test_a_date_reference_follows_from_the_words_of_its_question(row: Row) -> None:
    ((rule, found),) = ((r, m) for p, r in DATE_RULES.items() if (m := re.search(p, row["input"])))
    assert row["reference"] == rule(found["d"], int(found["n"]))


@pytest.mark.parametrize("row", of("unit"))
def test_a_unit_reference_follows_from_the_words_of_its_question(row: Row) -> None:
    ((rule, found),) = ((r, m) for p, r in UNIT_RULES.items() if (m := re.search(p, row["input"])))
    exact = rule(*(Fraction(value) for value in found.groups()))
    places = next((n for words, n in DECIMALS.items() if words in row["input"]), None)
    if places is None:
        assert Fraction(row["reference"]) == exact
    else:
        scaled = exact * 10**places
        assert scaled % 1 != Fraction(1, 2), "a tie would make the answer a matter of convention"
        assert Fraction(row["reference"]) == Fraction(floor(scaled + Fraction(1, 2)), 10**places)


def test_the_classes_are_balanced_and_match_the_card() -> None:
    assert Counter(row["class"] for row in ITEMS) == dict.fromkeys(("prime", "composite", "date", "unit"), 60)
    assert {kind: int(entry["items"]) for kind, entry in CARD["classes"].items()} == Counter(r["class"] for r in ITEMS)
    assert int(CARD["items"]) == len(ITEMS) == 240


def test_no_question_and_no_id_stands_twice() -> None:
    assert len({row["id"] for row in ITEMS}) == len({row["input"].casefold() for row in ITEMS}) == len(ITEMS)
    numbers = [re.findall(r"\d+", row["input"])[0] for row in ITEMS if row["class"] in {"prime", "composite"}]
    assert len(set(numbers)) == len(numbers)


def test_every_line_is_plain_ascii_with_sorted_keys() -> None:
    assert DATA.isascii()
    assert b"\r" not in DATA
    assert DATA.endswith(b"}\n")
    assert DATA.decode().splitlines() == [json.dumps(row, sort_keys=True) for row in ITEMS]
    assert all(row["id"] == f"{row['class']}-{int(row['id'][-3:]):03}" for row in ITEMS)
    assert all(row["tags"] == sorted(row["tags"]) for row in ITEMS)


def test_the_card_pins_the_bytes_of_the_set() -> None:
    assert CARD["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert (CARD["kind"], CARD["name"], CARD["version"]) == ("GoldenSet", "claims-qa", "4")
    assert {kind: entry["scorer"] for kind, entry in CARD["classes"].items()} == {
        "prime": "exact@1",
        "composite": "exact@1",
        "date": "exact@1",
        "unit": "numeric@1",
    }
    assert "Answer: <the answer>" in CARD["prompt"]["system"]
    assert "{input}" in CARD["prompt"]["user"]
    assert CARD["request"] == {"temperature": "0", "max_tokens": "400"}


def test_the_generator_writes_the_same_bytes_again() -> None:
    spec = importlib.util.spec_from_file_location("make_claims_qa", Path(__file__).with_name("make_claims_qa.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert "".join(module.lines()).encode("ascii") == DATA
