"""Single-fault mutants of good Agreements: each with the code it must be refused under and the line of its fault."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

KEY = re.compile(r"(?P<key>[A-Za-z_]+): ")
PERCENT = re.compile(r"(?<=\d)%")
DURATION = re.compile(r"(?<=: )(?P<n>\d+)(ms|s|m|h|d)(?=[,}\n]|$)")
MONEY = re.compile(r"(?<=\d\.\d\d) [A-Z]{3}")
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
REFERENCE = re.compile(r"[a-z-]+/(?P<name>[a-z0-9-]+)@\d")
COUNTED = re.compile(r"^  (?P<key>[a-z_0-9]+): (fail|ok|drop)$")
_CLOSED_KEYS = (
    "asserted_by|effect|empty_bin|below_minimum|cross_period|of|failed|estimand|rule|event|grading|period|anchor|unit"
)
CLOSED = re.compile(rf"(?P<key>{_CLOSED_KEYS}): (?P<word>[a-z_]+)")
FREE = frozenset({"codes", "overloaded_error", "days", "clause", "notice", "cap"})
"""Keys whose names are free, or mean another thing as a parameter."""


@dataclass(frozen=True)
class Mutant:
    """A text with one fault."""

    kind: str
    text: str
    codes: frozenset[str]
    line: int


Lines = list[str]
Maker = Callable[[Lines, int, random.Random], Iterator[Mutant]]


def _mutant(kind: str, lines: Lines, line: int, *codes: str) -> Mutant:
    return Mutant(kind, "\n".join(lines) + "\n", frozenset(codes), line)


def _with(lines: Lines, index: int, *new: str) -> Lines:
    return [*lines[:index], *new, *lines[index + 1 :]]


def _cut(line: str, start: int, end: int, new: str = "") -> str:
    return line[:start] + new + line[end:]


def percent_without_sign(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    del rng
    for found in PERCENT.finditer(lines[i]):
        yield _mutant("% dropped", _with(lines, i, _cut(lines[i], *found.span())), i + 1, "E-SPEC-UNIT")


def duration_without_unit(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    del rng
    for found in DURATION.finditer(lines[i]):
        yield _mutant("unit dropped", _with(lines, i, _cut(lines[i], *found.span(), found["n"])), i + 1, "E-SPEC-UNIT")


def money_without_currency(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    del rng
    for found in MONEY.finditer(lines[i]):
        yield _mutant("currency dropped", _with(lines, i, _cut(lines[i], *found.span())), i + 1, "E-SPEC-UNIT")


def misspelt(word: str, rng: random.Random) -> str:
    if len(word) < 4:
        return word + "x"
    at = rng.randrange(1, len(word) - 1)
    return rng.choice((word[:at] + word[at + 1 :], word[:at] + word[at] + word[at:], word[:at] + "q" + word[at + 1 :]))


def key_misspelt(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    for found in KEY.finditer(lines[i]):
        if found["key"] not in FREE:
            new = _cut(lines[i], found.start("key"), found.end("key"), misspelt(found["key"], rng))
            yield _mutant("key misspelt", _with(lines, i, new), i + 1, "E-SPEC-SCHEMA")


def word_misspelt(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    codes = {
        "period": "E-SPEC-PERIOD", "anchor": "E-SPEC-ANCHOR", "empty_bin": "E-SPEC-EMPTY",
    }  # fmt: skip
    for found in CLOSED.finditer(lines[i]):
        new = _cut(lines[i], found.start("word"), found.end("word"), misspelt(found["word"], rng))
        yield _mutant("word misspelt", _with(lines, i, new), i + 1, codes.get(found["key"], "E-SPEC-SCHEMA"))


def key_twice(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    del rng
    if re.match(r" *[A-Za-z_]+: [^{\[|>]", lines[i]):
        yield _mutant("key twice", _with(lines, i, lines[i], lines[i]), i + 2, "E-SPEC-DUP")


def reference_misspelt(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    for found in REFERENCE.finditer(lines[i]):
        new = _cut(lines[i], found.start("name"), found.end("name"), misspelt(found["name"], rng))
        yield _mutant("reference misspelt", _with(lines, i, new), i + 1, "E-SPEC-REF")


def impossible_date(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    for found in DATE.finditer(lines[i]):
        new = _cut(lines[i], *found.span(), rng.choice(("2026-02-29", "2026-13-01", "2026-04-31", "2026-00-10")))
        yield _mutant("impossible date", _with(lines, i, new), i + 1, "E-SPEC-DATES")


def unmapped_outcome(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    del rng
    if COUNTED.match(lines[i]):
        head = max(k for k in range(i) if lines[k] == "outcomes:")
        yield _mutant("outcome unmapped", _with(lines, i), head + 1, "E-SPEC-OUTCOME")


def steps_swapped(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    del rng
    if all(re.match(r" +(below|above) ", line) for line in lines[i : i + 2]) and i + 1 < len(lines):
        first = not re.match(r" +(below|above) ", lines[i - 1])
        code, line = ("E-SPEC-TIER-TARGET", i + 1) if first else ("E-SPEC-TIER-ORDER", i + 2)
        yield _mutant("steps swapped", _with(lines[: i + 1] + lines[i + 2 :], i, lines[i + 1], lines[i]), line, code)


def anchored(lines: Lines, i: int, rng: random.Random) -> Iterator[Mutant]:
    found = re.match(r"( *-? ?[A-Za-z_]+: )([A-Za-z0-9].*)$", lines[i])
    if found:
        new = rng.choice((f"{found[1]}&a {found[2]}", f"{found[1]}*a"))
        yield _mutant("anchor or alias", _with(lines, i, new), i + 1, "E-SPEC-ALIAS")
        yield _mutant("tag", _with(lines, i, f"{found[1]}!!str {found[2]}"), i + 1, "E-SPEC-TAG")
        yield _mutant("no value", _with(lines, i, found[1]), i + 1, "E-SPEC-SCHEMA")
        yield _mutant("tab", _with(lines, i, f"{found[1]}\t{found[2]}"), i + 1, "E-SPEC-SYNTAX")


MAKERS: tuple[Maker, ...] = (
    percent_without_sign, duration_without_unit, money_without_currency, key_misspelt, word_misspelt, key_twice,
    reference_misspelt, impossible_date, unmapped_outcome, steps_swapped, anchored,
)  # fmt: skip


def mutants(text: str, seed: int) -> list[Mutant]:
    """Return every mutant of a text, the same for the same seed."""
    rng = random.Random(seed)
    lines = text.rstrip("\n").split("\n")
    return [mutant for i in range(len(lines)) for maker in MAKERS for mutant in maker(lines, i, rng) if mutant.text != text]
