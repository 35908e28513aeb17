"""claim.xlsx: the report for those who compute with it. Numbers are numbers, shares are percentages, times are dates.

Text is always typed text: nothing in a log can become a formula or a link. Dates are in the contract's zone, since a
spreadsheet knows no zones. The same inputs give the same bytes: the only date in the file's own properties is `as_of`.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from slaguard.ledger.table import IGNORED
from slaguard.records import NS, NULL
from slaguard.reports.besides import besides
from slaguard.reports.calendar import instant
from slaguard.reports.counting import OUT_OF_SCOPE
from slaguard.reports.inputs import ClaimInputs, counts_column, heading
from slaguard.reports.moments import Calendar, period_name
from slaguard.reports.standing import Standing, deadline_calendar, head, standing_of
from slaguard.reports.subjects import Subject, subjects
from slaguard.reports.tally import whole
from slaguard.reports.words import clean, promised

MOST_ROWS: Final = 1_000_000
"""A sheet holds 1,048,576 rows."""
LONGEST: Final = 32_000
"""A cell holds 32,767 characters."""
CHUNK: Final = 50_000
FORMATS: Final = {
    "share": "0.00##%", "whole": "#,##0", "money": "#,##0.00##", "number": "#,##0.######", "time": "yyyy-mm-dd hh:mm:ss",
}  # fmt: skip
SHOWN: Final = (
    "id", "sent_at", "outcome", "attribution", "status", "error_code", "grade", "scorer", "golden_item", "model_requested",
    "model_returned", "fingerprint", "region", "source", "time_to_first_token_ns", "total_time_ns", "request_id",
)  # fmt: skip
"""The fields of a record that people look at; all of them stand in records.csv."""

Cell = str | int | Fraction | Decimal | datetime | bool | None


class Book:
    """A workbook under construction: one sheet after another, each a header and rows."""

    def __init__(self, created: datetime) -> None:
        self._bytes = io.BytesIO()
        # Rows go to a temporary file as they come: a million records must not stand in memory.
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        self._book = xlsxwriter.Workbook(self._bytes, {**options, "default_date_format": "yyyy-mm-dd hh:mm:ss"})
        self._book.set_properties({"created": created.replace(tzinfo=None), "author": "slaguard", "title": "Credit claim"})
        self._head = self._book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        self._formats: dict[str, Format] = {name: self._book.add_format({"num_format": text}) for name, text in FORMATS.items()}

    def sheet(self, name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]], widths: Sequence[int] = ()) -> None:
        """Add a sheet.

        Args:
            name: its tab.
            header: the first row; a title that ends in ``%`` makes its column's fractions percentages.
            rows: cells by their sort: text, whole number, fraction, money, local time, nothing.
            widths: of the first columns, in characters.

        """
        sheet = self._book.add_worksheet(name)
        shares = [title.endswith("%") for title in header]
        for column, title in enumerate(header):
            sheet.write_string(0, column, title, self._head)
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                self._write(sheet, number, column, cell, share=column < len(shares) and shares[column])
        for column, width in enumerate(widths):
            sheet.set_column(column, column, width)
        sheet.freeze_panes(1, 0)

    def _write(self, sheet: Worksheet, row: int, column: int, cell: Cell, *, share: bool) -> None:
        match cell:
            case None:
                return
            case str():
                sheet.write_string(row, column, clean(cell, LONGEST))
            case bool():
                sheet.write_boolean(row, column, cell)
            case datetime():
                sheet.write_datetime(row, column, cell, self._formats["time"])
            case Decimal():
                sheet.write_number(row, column, cell, self._formats["money"])
            case int():
                sheet.write_number(row, column, cell, self._formats["whole"])
            case Fraction():
                # A cell holds a double: the exact figures stand in evaluation.json.
                number = cell.numerator / cell.denominator
                sheet.write_number(row, column, number, self._formats["share" if share else "number"])

    def finish(self) -> bytes:
        """Return the finished file."""
        self._book.close()
        return self._bytes.getvalue()


def claim_xlsx(inputs: ClaimInputs, *, most_rows: int = MOST_ROWS) -> bytes:
    """Return the workbook.

    Args:
        inputs: the Evaluation and what it was made from.
        most_rows: as many records as a sheet shows; beyond, it says where the others are.

    Raises:
        ReportRefused: records or events do not add up to the Evaluation's counts.

    """
    evaluation = inputs.evaluation
    calendar = Calendar.of(evaluation.period.time_zone)
    found, standing = subjects(inputs, calendar), standing_of(inputs)
    book = Book(instant(evaluation.as_of))
    book.sheet("Summary", ("what", "value"), _summary(inputs, standing, found, calendar), (34, 70))
    book.sheet("Promises", PROMISES, map(_promise, found), (22, 26, 18, 12, 12, 12, 12))
    book.sheet("Credit", CREDIT, _credit(inputs, standing), (22, 10, 18, 12, 14, 14, 10, 60))
    _records(book, inputs, calendar, most_rows)
    book.sheet("Excluded", EXCLUSIONS, _excluded(found, calendar), (22, 18, 24, 12, 10, 10, 20, 20))
    beside = besides(evaluation)
    if beside:
        book.sheet("Besides", ("what", "words"), ((one.title, line) for one in beside for line in one.lines), (30, 100))
    book.sheet("Deadlines", DEADLINES, _deadlines(inputs, calendar), (12, 20, 20, 10, 16, 60))
    book.sheet("Outages", OUTAGES, _outages(found, calendar), (22, 14, 20, 20, 12, 12))
    return book.finish()


def local(calendar: Calendar, ns: int | None) -> datetime | None:
    """Return an instant as the contract's clock shows it, without a zone, as a cell holds it."""
    return None if ns is None else calendar.at(ns).replace(tzinfo=None)


# ── sheets ──────────────────────────────────────────────────────────────────────────────────────────────────────────
Rows = Iterable[Sequence[Cell]]


def _summary(inputs: ClaimInputs, standing: Standing, found: tuple[Subject, ...], calendar: Calendar) -> Rows:
    evaluation, used = inputs.evaluation, inputs.evaluation.inputs
    told = head(inputs, standing, found, calendar)
    yield (told.title, None)
    yield ("contract", evaluation.agreement.contract)
    yield ("vendor", evaluation.agreement.vendor)
    yield ("customer", evaluation.agreement.customer)
    yield ("period", period_name(evaluation.period.label))
    yield ("period starts", local(calendar, evaluation.period.start))
    yield ("period ends (first instant after it)", local(calendar, evaluation.period.end))
    yield ("time zone of all times here", evaluation.period.time_zone)
    yield ("the period is over", evaluation.period.closed)
    yield ("evaluated as of", local(calendar, evaluation.as_of))
    if evaluation.credits is not None and standing.asks:
        yield (f"we claim ({evaluation.credits.currency})", evaluation.credits.claimable)
    yield ("agreement sha256", used.spec_sha256)
    yield ("evidence sha256", used.evidence_sha256)
    yield ("software", f"slaguard {inputs.version}, method {used.method_version}, time zones {used.tzdata}")
    for note in inputs.notes:
        yield (f"note{f' on {note.objective}' if note.objective else ''}", note.text)
    for warning in evaluation.warnings:
        yield (f"{warning.code} {warning.path}".strip(), warning.text)


PROMISES: Final = (
    "promise", "clause", "promised", "verdict", "may change", "measured %", "low %", "high %", "measured ms", "low ms",
    "high ms", "confidence, each side %", "counted", "against the promise", "allowed", "in all", "of", "source", "watched %",
    "unknown", "dropped", "unmeasured", "why",
)  # fmt: skip


def _promise(subject: Subject) -> Sequence[Cell]:
    result, estimate = subject.result, subject.result.estimate
    ends: tuple[Cell, ...] = (estimate.value, estimate.low, estimate.high)
    none: tuple[Cell, ...] = (None, None, None)
    return (
        heading(result), result.clause, promised(result), result.verdict.value,
        result.provisional, *(ends if result.unit == "ratio" else none), *(ends if result.unit == "ms" else none),
        estimate.confidence, estimate.n, estimate.bad, estimate.allowed, estimate.population, f"{estimate.noun}s",
        result.source.value, result.coverage, result.unknown, result.dropped, result.unmeasured, result.sentence,
    )  # fmt: skip


CREDIT: Final = ("promise", "scope", "step", "of the fee %", "alone", "amount", "counts", "why")


def _credit(inputs: ClaimInputs, standing: Standing) -> Iterable[Sequence[Cell]]:
    part = inputs.evaluation.credits
    if part is None or standing not in {Standing.CLAIM, Standing.LATE}:
        yield ("nothing is claimed",)
        return
    for line in part.lines:
        yield (line.objective, line.scope, line.step, line.percent, line.alone, line.amount, line.counts, line.sentence)
    word = "we claim" if standing is Standing.CLAIM else "was claimable"
    yield (word, None, None, None, None, part.claimable, None, f"{part.currency}, of a fee of {part.fee:,}")


EXCLUSIONS: Final = ("promise", "exclusion", "clause", "state", "taken out", "minutes", "from", "to")


def _excluded(found: tuple[Subject, ...], calendar: Calendar) -> Iterable[Sequence[Cell]]:
    for subject in found:
        for part in subject.result.excluded:
            names: tuple[Cell, ...] = (heading(subject.result), part.id, part.clause, part.state)
            yield (*names, part.n, part.minutes)
            for start, end in part.windows:
                yield (*names, None, None, local(calendar, start), local(calendar, end))


DEADLINES: Final = ("what", "due before", "act before", "days left", "counted from", "why")


def _deadlines(inputs: ClaimInputs, calendar: Calendar) -> Iterable[Sequence[Cell]]:
    for part in inputs.evaluation.deadlines:
        zone = deadline_calendar(inputs, part, calendar)
        yield (part.type, local(zone, part.due), local(zone, part.act_by), part.days_left, part.anchor, part.reason)


OUTAGES: Final = ("promise", "kind", "from", "to", "minutes", "intervals lost")


def _outages(found: tuple[Subject, ...], calendar: Calendar) -> Iterable[Sequence[Cell]]:
    for subject in found:
        for event in subject.result.events:
            minutes = Fraction(event.end - event.start, 60 * NS)
            lost = subject.lost(event) if event.kind == "down" else None
            yield (heading(subject.result), event.kind, local(calendar, event.start), local(calendar, event.end), minutes, lost)


# ── records ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def _records(book: Book, inputs: ClaimInputs, calendar: Calendar, most: int) -> None:
    """Add the records that count for some promise, and those that would have but were left out, each in their order."""
    columns = [counts_column(result) for result in inputs.evaluation.objectives]
    marks = inputs.records[columns].astype(str)
    counted = marks.isin(["ok", "fail"]).any(axis=1).to_numpy(dtype=bool)
    left_out = ~counted & ~(marks == OUT_OF_SCOPE).all(axis=1).to_numpy(dtype=bool)
    for name, chosen in (("Counted records", inputs.records[counted]), ("Records left out", inputs.records[left_out])):
        shown = [field for field in SHOWN if field in chosen]
        header = [*map(_title, shown), *(column.removeprefix(IGNORED) for column in columns)]
        rows = _rows(chosen.iloc[:most], shown, columns, calendar)
        if len(chosen) > most:
            told = f"the first {most:,} of {len(chosen):,} records; all of them stand in records.csv"
            rows = itertools.chain([(told,)], rows)
        book.sheet(name, header, rows, (26, 20))


def _title(name: str) -> str:
    return name.removesuffix("_ns") + "_ms" if name.endswith("_ns") else name


def _rows(chosen: pd.DataFrame, names: list[str], columns: list[str], calendar: Calendar) -> Iterator[tuple[Cell, ...]]:
    for first in range(0, len(chosen), CHUNK):
        part = chosen.iloc[first : first + CHUNK]
        cells = [_column(part, name, calendar) for name in names]
        cells += [list[Cell](part[name].astype(str).tolist()) for name in columns]
        yield from zip(*cells, strict=True)


def _column(chosen: pd.DataFrame, name: str, calendar: Calendar) -> list[Cell]:
    if name == "sent_at":
        return [None if at == NULL else local(calendar, at) for at in whole(chosen, name).tolist()]
    if name.endswith("_ns"):
        return [None if ns == NULL else Fraction(ns, 1_000_000) for ns in whole(chosen, name).tolist()]
    if name == "status":
        return [None if status == NULL else status for status in whole(chosen, name).tolist()]
    missing: list[bool] = chosen[name].isna().tolist()
    values: list[Any] = chosen[name].tolist()
    return [None if gone else str(value) for value, gone in zip(values, missing, strict=True)]
