"""A mapping's conditions and field sources, compiled once into plain functions over the cells of a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from slaguard.imports.mapping import FieldForm, TestForm, When
from slaguard.imports.scalars import compiled
from slaguard.imports.values import try_number

T = TypeVar("T")
Wanting = tuple[str, str]
"""A field that found no value, and the column it looked in first."""


class RowError(Exception):
    """A row that cannot become a record: the column, what stands there and how to mend it."""

    def __init__(self, column: str, text: str) -> None:
        """Keep column and text apart; the reader knows file and row."""
        self.column = column
        self.text = text
        super().__init__(f"{column}: {text}")


class Cells:
    """The cells of one row; texts that stand for no value read as empty, and are counted where a field wanted one."""

    __slots__ = ("_cells", "_missing", "_void")

    def __init__(self, cells: dict[str, str], void: Collection[str], missing: Counter[Wanting]) -> None:
        self._cells = cells
        self._void = void
        self._missing = missing

    def get(self, column: str) -> str:
        """Return a cell without outer blanks; empty where the row has no such value."""
        text = self._cells.get(column, "").strip()
        return "" if text in self._void else text

    def raw(self, column: str) -> str:
        """Return a cell exactly as it stands."""
        return self._cells.get(column, "")

    def first(self, columns: Sequence[str], field: str) -> tuple[str, str]:
        """Return the first of several columns that has a value, and that value; rows without one are counted by field."""
        for column in columns:
            text = self.get(column)
            if text:
                return column, text
        self._missing[field, columns[0]] += 1
        return columns[0], ""


Read = Callable[[Cells], str]
Holds = Callable[[Cells], bool]


def parsed(column: str, text: str, parse: Callable[[str], T]) -> T | None:
    """Return what a cell holds, None where it is empty.

    Raises:
        RowError: it holds something else.

    """
    if not text:
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise RowError(column, str(error)) from None


def encodable(text: str) -> str:
    """Return text without the lone surrogates that no pattern can be matched against."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def source(form: FieldForm, field: str) -> Callable[[Cells], tuple[str, str]]:
    """Return a function that gives the column and the text of a field."""
    if form.constant is not None:
        constant = form.constant
        return lambda _: ("", constant)
    columns = form.column or ()
    words = form.values or {}
    pattern = compiled(form.pattern) if form.pattern else None

    def read(cells: Cells) -> tuple[str, str]:
        column, text = cells.first(columns, field)
        if pattern is not None and text:
            found = pattern.search(encodable(text))
            text = (found.group(pattern.groups) or "") if found else ""
        return column, words.get(text, text)

    return read


def condition(when: When | None, void: Collection[str]) -> Holds:
    """Return a function that tells whether all conditions hold; `void`: the texts that stand for no value."""
    if not when:
        return lambda _: True
    tests = [(column, test(form, void)) for column, form in when.items()]
    return lambda cells: all(holds(cells.raw(column).strip()) for column, holds in tests)


def test(form: TestForm, void: Collection[str]) -> Callable[[str], bool]:
    """Return a function over one cell."""
    parts: list[Callable[[str], bool]] = []
    if form.values is not None:
        parts.append(_among(form.values))
    if form.matches is not None:
        pattern: Any = compiled(form.matches)
        parts.append(lambda text: pattern.search(encodable(text)) is not None)
    if form.lacks is not None:
        unwanted: Any = compiled(form.lacks)
        parts.append(lambda text: unwanted.search(encodable(text)) is None)
    if form.empty is not None:
        empty = form.empty
        parts.append(lambda text: (text == "" or text in void) == empty)
    parts.extend(_limit(word, limit) for word, limit in _limits(form))
    if len(parts) == 1:
        return parts[0]
    return lambda text: all(part(text) for part in parts)


test.__test__ = False  # type: ignore[attr-defined] # pytest takes it for one of its own


def _among(values: Sequence[str]) -> Callable[[str], bool]:
    texts = frozenset(values)
    numbers = frozenset(n for v in values if (n := try_number(v)) is not None)
    if not numbers:
        return lambda text: text in texts
    return lambda text: text in texts or try_number(text) in numbers


def _limits(form: TestForm) -> list[tuple[str, Decimal]]:
    words = {"at_least": form.at_least, "at_most": form.at_most, "more_than": form.more_than, "less_than": form.less_than}
    return [(word, limit) for word, limit in words.items() if limit is not None]


def _limit(word: str, limit: Decimal) -> Callable[[str], bool]:
    compare: dict[str, Callable[[Decimal], bool]] = {
        "at_least": lambda n: n >= limit,
        "at_most": lambda n: n <= limit,
        "more_than": lambda n: n > limit,
        "less_than": lambda n: n < limit,
    }
    keeps = compare[word]
    return lambda text: (n := try_number(text)) is not None and keeps(n)
