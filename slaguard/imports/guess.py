"""From a header and a sample of rows to a draft of a mapping, with what was guessed and what only a person can know.

The draft serves two ends: `import --suggest` writes it out to be completed, and `--mapping auto` uses it where nothing
is left open, saying everything it assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from slaguard.imports.guess_draft import NO_NAME, Columns, Draft, normal
from slaguard.imports.guess_outcomes import guess_answers, guess_grades, guess_status
from slaguard.imports.guess_values import VOID, TimeGuess, filled, is_numeric, time_format, unit_by_size, unit_of
from slaguard.imports.guess_words import ENDS, FIRSTS, IDS, STARTS, TEXTS, TOTALS, TTFTS
from slaguard.imports.rows import Row
from slaguard.spec.scalars import SLUG

SAMPLE: Final = 200


def draft(columns: Sequence[str], rows: Iterable[Row]) -> Draft:
    """Return a draft for a file with these columns, of which these are some rows."""
    found, table = Draft(), Columns(columns, rows)
    _durations(found, table)
    guess_status(found, table)
    _clock(found, table)
    guess_grades(found, table)
    _texts(found, table)
    guess_answers(found)
    _void(found, table, columns)
    _rest(found, table)
    return found


# ── durations ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _durations(found: Draft, table: Columns) -> None:
    for name, words in (("time_to_first_token", TTFTS), ("total_time", TOTALS)):
        column = next((c for c in table.named(words) if is_numeric(table.cells(c))), None)
        if column is None:
            continue
        unit = unit_of(table.free.pop(column))[1]
        if unit is None:
            unit = unit_by_size(table.cells(column))
            told = f"column {column!r} names no unit: taken as {unit} by the size of its numbers"
            found.remarks[f"fields.{name}"] = f"unit guessed from the size of the numbers: check {unit}"
            found.assumed.append(told)
        found.fields[name] = {"column": column, "unit": unit}


# ── times ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _clock(found: Draft, table: Columns) -> None:
    start, end = _timed(table, STARTS), _timed(table, ENDS)
    if start is None and end is None:
        start = _only_times(found, table)
    if start is None and end is None:
        found.batch = {"span": "FILL_IN"}
        found.open["time.batch"] = "when the calls were made: no column holds times"
        return
    if start is not None and start[1].day_only:
        _take_time(found, table, "time.batch.day", start)
        found.batch = {"day": {"column": start[0], "format": start[1].format}}
        found.assumed.append(f"column {start[0]!r} holds days, not times: its records have no clock")
        return
    for name, guess in (("sent_at", start), ("ended_at", end), ("first_byte_at", _timed(table, FIRSTS))):
        if guess is not None and not guess[1].day_only:
            _take_time(found, table, f"fields.{name}", guess)
            found.fields[name] = {"column": guess[0], "format": guess[1].format}
    if start is not None and end is None and "total_time" in found.fields:
        found.remarks["fields.sent_at"] = "taken as the start of the call; if your log writes it at the end, say ended_at"


def _timed(table: Columns, words: Sequence[str]) -> tuple[str, TimeGuess] | None:
    for column in table.named(words):
        guess = time_format(table.cells(column))
        if guess is not None:
            return column, guess
    return None


def _only_times(found: Draft, table: Columns) -> tuple[str, TimeGuess] | None:
    """Return the one column that holds times, whatever it is called (numbers could be anything)."""
    guesses = [(c, g) for c in table.free if not is_numeric(table.cells(c)) and (g := time_format(table.cells(c))) is not None]
    if len(guesses) != 1:
        return None
    found.assumed.append(f"column {guesses[0][0]!r} is the only one that holds times: taken as the start of the call")
    return guesses[0]


def _take_time(found: Draft, table: Columns, path: str, guess: tuple[str, TimeGuess]) -> None:
    column, form = guess
    del table.free[column]
    if not form.has_zone:
        found.zone_needed = True
    if form.also is not None:
        example = filled(table.cells(column))[0]
        found.open[path] = f"which is the day and which the month in {example[:30]!r}: {form.format} or {form.also}"


# ── the rest ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _texts(found: Draft, table: Columns) -> None:
    for name, words in TEXTS.items():
        column = table.take(words)
        if column is None:
            continue
        cells = filled(table.cells(column))
        if normal(column) in IDS and cells and len(set(cells)) == len(table.cells(column)) and min(map(len, cells)) >= 8:
            found.id = [column]
        found.fields[name] = column
    if "vendor" in found.fields:
        found.remarks["fields.vendor"] = "must be the Agreement's own name for it: {column: …, values: {acme: Acme AI}}"


def _void(found: Draft, table: Columns, columns: Sequence[str]) -> None:
    used = {word for column in columns for cell in table.cells(column) if (word := cell.strip()) in VOID}
    found.missing = sorted(used)
    if used:
        found.assumed.append(f"read as no value: {', '.join(sorted(used))}")


def _rest(found: Draft, table: Columns) -> None:
    for column, name in table.free.items():
        cells = filled(table.cells(column))
        short = cells and max(map(len, cells)) <= 64 and "\n" not in "".join(cells)
        if short and SLUG.match(name) and name not in NO_NAME and len(found.attributes) < 24 and name not in found.attributes:
            found.attributes[name] = column
        else:
            found.unused.append(column)
