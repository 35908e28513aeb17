"""Make the golden set claims-qa@4: 240 questions whose answers can be computed.

    python tests/golden_sets/make_claims_qa.py            print the lines
    python tests/golden_sets/make_claims_qa.py --write    write them, and their hash into the card

The draws are a hash stream, so the file is the same on every machine and every version of Python. A golden set that
was used in a period never changes: a changed question is a new version with a new name.
"""

from __future__ import annotations

import calendar
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import NamedTuple

SEED = b"claims-qa@4"
PER_CLASS = 60
HOME = Path(__file__).parents[2] / "sla_specs" / "golden"
CENT, TENTH = Decimal("0.01"), Decimal("0.1")


class Item(NamedTuple):
    """A question before it has an id."""

    input: str
    reference: str
    tags: tuple[str, ...]


class Stream:
    """Whole numbers from SHA-256 of the seed, a label and a counter."""

    def __init__(self, label: str) -> None:
        """Start the stream of one class."""
        self._label = label.encode()
        self._n = 0

    def below(self, n: int) -> int:
        """Return the next number in [0, n)."""
        block = hashlib.sha256(SEED + b"\0" + self._label + b"\0" + self._n.to_bytes(8, "big")).digest()
        self._n += 1
        return int.from_bytes(block[:8], "big") * n >> 64

    def between(self, low: int, high: int) -> int:
        """Return the next number in [low, high]."""
        return low + self.below(high - low + 1)

    def day(self) -> date:
        """Return a day from 2026 to 2029, so that a leap year is among them."""
        return date(2026, 1, 1) + timedelta(self.below(4 * 365 + 1))


# ── is it prime? ────────────────────────────────────────────────────────────────────────────────────────────────────
NUMBER_WORDINGS = (
    "Is {n} a prime number? Answer Yes or No.",
    "A claims file carries the number {n}. Is {n} a prime number? Answer Yes or No.",
    "An invoice is numbered {n}. Decide whether {n} is a prime number. Answer Yes or No.",
)


def smallest_factor(n: int) -> int:
    """Return the smallest divisor of n above 1."""
    return next((d for d in range(2, int(n**0.5) + 1) if n % d == 0), n)


def numbers(label: str, fits: Callable[[int], bool], reference: str) -> Iterator[Item]:
    """Yield questions on odd numbers from 1,001 to 19,999 that do not end in 5: the last digit gives nothing away."""
    stream = Stream(label)
    for turn in range(sys.maxsize):
        n = 2 * stream.between(500, 9999) + 1
        while n % 5 == 0 or not fits(n):
            n = 2 * stream.between(500, 9999) + 1
        wording = NUMBER_WORDINGS[turn % len(NUMBER_WORDINGS)]
        yield Item(wording.format(n=n), reference, ("number-theory",))


def primes() -> Iterator[Item]:
    """Yield questions to which the answer is yes."""
    return numbers("prime", lambda n: smallest_factor(n) == n, "Yes")


def composites() -> Iterator[Item]:
    """Yield questions to which the answer is no, without small factors that show at a glance."""
    return numbers("composite", lambda n: 7 <= smallest_factor(n) < n, "No")


# ── which day is the last? ──────────────────────────────────────────────────────────────────────────────────────────
AS_DATE = "Answer as YYYY-MM-DD."


def days_after(stream: Stream) -> Item:
    day, n = stream.day(), stream.between(10, 120)
    text = f"A claim must be sent within {n} days after {day}. Which calendar date is the last day? {AS_DATE}"
    return Item(text, str(day + timedelta(n)), ("days", "deadline"))


def weeks_after(stream: Stream) -> Item:
    day, n = stream.day(), stream.between(2, 16)
    text = f"A loss on {day} must be notified within {n} weeks after that date. Which calendar date is the last day?"
    return Item(f"{text} {AS_DATE}", str(day + timedelta(weeks=n)), ("deadline", "weeks"))


def counted_day(stream: Stream) -> Item:
    day, n = stream.day(), stream.between(14, 90)
    text = f"A waiting period starts on {day}, which counts as day 1. Which calendar date is day {n}? {AS_DATE}"
    return Item(text, str(day + timedelta(n - 1)), ("days", "waiting-period"))


def days_before(stream: Stream) -> Item:
    day, n = stream.day(), stream.between(15, 100)
    text = f"A policy ends on {day}. Notice must be given at least {n} days before that date."
    return Item(f"{text} Which calendar date is the last day for it? {AS_DATE}", str(day - timedelta(n)), ("days", "notice"))


def working_days(stream: Stream) -> Item:
    day, n = stream.day(), stream.between(3, 15)
    last = day
    for _ in range(n):
        last += timedelta(1)
        while last.weekday() > calendar.FRIDAY:
            last += timedelta(1)
    text = (
        f"A repair is accepted on {day}. Payment is due {n} working days after that date; working days are Monday to "
        f"Friday, and public holidays are ignored. Which calendar date is it due? {AS_DATE}"
    )
    return Item(text, str(last), ("payment", "working-days"))


def month_end(stream: Stream) -> Item:
    day, n = stream.day(), stream.between(1, 14)
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    last = date(year, month + 1, calendar.monthrange(year, month + 1)[1])
    text = f"A claim was filed on {day}. Which calendar date is the last day of the month {n} months after that month?"
    return Item(f"{text} {AS_DATE}".replace("1 months", "1 month") if n == 1 else f"{text} {AS_DATE}", str(last), ("months",))


# ── how much is it? ─────────────────────────────────────────────────────────────────────────────────────────────────
def rounded(value: Decimal, unit: Decimal) -> str:
    """Round to `unit`; a tie would make the answer a matter of convention, so there must be none."""
    if value % unit == unit / 2:
        msg = f"{value} lies half way: choose another question"
        raise ValueError(msg)
    return f"{value.quantize(unit, ROUND_HALF_UP)}"


def miles(stream: Stream) -> Item:
    n = stream.between(12, 480)
    text = f"A tow truck drove {n} miles. With 1 mile = 1.609344 kilometres, how many kilometres is that?"
    return Item(f"{text} Round to two decimals.", rounded(n * Decimal("1.609344"), CENT), ("length", "rounded"))


def coverage(stream: Stream) -> Item:
    deductible, share = 50 * stream.between(2, 20), 5 * stream.between(10, 19)
    damage = stream.between(1_500, 25_000)
    text = f"The damage is {damage}.00 EUR. The policy pays {share} % of what exceeds {deductible}.00 EUR."
    paid = Decimal((damage - deductible) * share) / 100
    return Item(f"{text} How many EUR are paid?", rounded(paid, CENT), ("coverage", "money"))


def currency(stream: Stream) -> Item:
    amount, rate = stream.between(80, 9_500), Decimal(stream.between(81, 119)) / 100
    text = f"A repair abroad costs {amount}.00 USD and is paid at {rate:.2f} EUR for 1 USD. How many EUR is that?"
    return Item(text, rounded(amount * rate, CENT), ("currency", "money"))


def minutes(stream: Stream) -> Item:
    hours, more = stream.between(3, 95), stream.between(1, 59)
    text = f"A loss adjuster worked {hours} hours and {more} minutes on a file. How many minutes is that?"
    return Item(text.replace("1 minutes", "1 minute") if more == 1 else text, str(hours * 60 + more), ("time",))


def roof(stream: Stream) -> Item:
    n = stream.between(150, 4_800)
    text = f"A damaged roof measures {n} square feet. With 1 square foot = 0.09290304 square metres,"
    return Item(
        f"{text} how many square metres is that? Round to two decimals.",
        rounded(n * Decimal("0.09290304"), CENT),
        ("area", "rounded"),
    )


def fahrenheit(stream: Stream) -> Item:
    n = stream.between(-20, 110)
    text = f"A cold store logged {n} degrees Fahrenheit when it failed. How many degrees Celsius is that?"
    return Item(f"{text} Round to one decimal.", rounded(Decimal(n - 32) * 5 / 9, TENTH), ("rounded", "temperature"))


DATES = (days_after, weeks_after, counted_day, days_before, working_days, month_end)
UNITS = (miles, coverage, currency, minutes, roof, fahrenheit)


def in_turn(label: str, makers: tuple[Callable[[Stream], Item], ...]) -> Iterator[Item]:
    """Yield a question of each kind, over and over."""
    stream = Stream(label)
    for turn in range(sys.maxsize):
        yield makers[turn % len(makers)](stream)


def lines() -> Iterator[str]:
    """Yield the lines of the set: 60 questions a class, none asked twice."""
    classes = {
        "prime": primes(),
        "composite": composites(),
        "date": in_turn("date", DATES),
        "unit": in_turn("unit", UNITS),
    }
    for kind, items in classes.items():
        taken: set[frozenset[str]] = set()
        while len(taken) < PER_CLASS:
            item = next(items)
            # the figures make the question, whatever the words around them
            key = frozenset(re.findall(r"\d+", item.input))
            if key in taken:
                continue
            taken.add(key)
            row = {"id": f"{kind}-{len(taken):03}", "input": item.input, "reference": item.reference, "class": kind}
            yield json.dumps(row | {"tags": list(item.tags)}, sort_keys=True) + "\n"


def main(arguments: list[str]) -> None:
    """Print the set, or write it beside its card."""
    data = "".join(lines()).encode("ascii")
    if arguments != ["--write"]:
        sys.stdout.buffer.write(data)
        return
    (HOME / "claims-qa@4.jsonl").write_bytes(data)
    card = HOME / "claims-qa@4.yaml"
    sha256 = hashlib.sha256(data).hexdigest()
    card.write_text(re.sub(r"(?m)^sha256: .*$", f"sha256: {sha256}", card.read_text("ascii")), "ascii", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
