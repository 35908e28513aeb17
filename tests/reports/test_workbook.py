"""The workbook: numbers are numbers, text is text, and the same inputs make the same file."""

import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import openpyxl
import pytest

from slaguard.reports import ClaimInputs
from slaguard.reports.workbook import claim_xlsx

Claims = Callable[[str], ClaimInputs]
SHEETS = ["Summary", "Promises", "Credit", "Counted records", "Records left out", "Excluded", "Deadlines", "Outages"]


def opened(claim: ClaimInputs, **options: Any) -> Any:
    return openpyxl.load_workbook(io.BytesIO(claim_xlsx(claim, **options)))


def table(book: Any, sheet: str) -> list[dict[str, Any]]:
    head, *rows = book[sheet].iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def book(claims: Claims) -> Any:
    return opened(claims("mock_month"))


def test_every_sheet_is_there(book: Any) -> None:
    assert book.sheetnames == SHEETS


def test_figures_are_numbers_shown_as_percentages(book: Any) -> None:
    first = table(book, "Promises")[0]
    assert first["verdict"] == "BREACH"
    assert first["measured %"] == pytest.approx(7428 / 8892)
    assert (first["counted"], first["against the promise"], first["may change"]) == (8892, 1464, False)
    assert book["Promises"]["F2"].number_format == "0.00##%"


def test_the_credit_is_a_number_and_its_lines_add_up(book: Any) -> None:
    *lines, total = table(book, "Credit")
    assert total["promise"] == "we claim"
    assert total["amount"] == sum(line["amount"] for line in lines) == 1800


def test_times_are_dates_in_the_contracts_zone(book: Any) -> None:
    (row,) = table(book, "Deadlines")
    assert row["due before"] == datetime(2026, 12, 1)  # noqa: DTZ001 - a cell knows no zone
    outage = max((row for row in table(book, "Outages") if row["kind"] == "down"), key=lambda row: row["intervals lost"])
    assert outage["from"] == datetime(2026, 10, 8, 14, 20)  # noqa: DTZ001
    assert (outage["minutes"], outage["intervals lost"]) == (45, 9)


def test_counted_and_left_out_records_are_apart_and_whole(book: Any, claims: Claims) -> None:
    counted, left = table(book, "Counted records"), table(book, "Records left out")
    assert len(counted) + len(left) == len(claims("mock_month").records)
    assert sum(row["accuracy"] in {"ok", "fail"} for row in counted) == 8892
    assert {row["uptime"] for row in left} == {"unmeasured", "excluded:maintenance"}
    assert isinstance(counted[0]["time_to_first_token_ms"], float | int)


def test_exclusions_name_their_windows(book: Any) -> None:
    first, window = table(book, "Excluded")
    assert (first["exclusion"], first["taken out"], first["minutes"]) == ("maintenance", 12, 60)
    assert window["from"] == datetime(2026, 10, 6, 2)  # noqa: DTZ001


def test_hostile_text_is_text_and_no_formula_or_link(claims: Claims) -> None:
    claim = claims("latency_breach")
    frame = claim.records.head(3).assign(
        id=["=1+1", "http://evil.example/", "@x\x07"], model_requested='=HYPERLINK("http://x")', **{"counts.first-token": "ok"}
    )
    (result,) = claim.evaluation.objectives
    estimate = result.estimate.model_copy(update={"n": 3, "bad": 0})
    evaluation = claim.evaluation.model_copy(update={"objectives": (result.model_copy(update={"estimate": estimate}),)})
    book = opened(replace(claim, records=frame, evaluation=evaluation))
    sheet = book["Counted records"]
    assert [sheet.cell(row, 1).value for row in (2, 3, 4)] == ["=1+1", "http://evil.example/", "@x"]
    for cells in book:
        for row in cells.iter_rows():
            assert all(cell.data_type != "f" and cell.hyperlink is None for cell in row)


def test_beyond_its_bound_the_sheet_points_to_the_table(claims: Claims) -> None:
    book = opened(claims("small"), most_rows=10)
    rows = list(book["Counted records"].iter_rows(min_row=2, values_only=True))
    assert rows[0][0] == "the first 10 of 800 records; all of them stand in records.csv"
    assert len(rows) == 11


def test_an_open_period_has_no_amounts(claims: Claims) -> None:
    claim = claims("small")
    period = claim.evaluation.period.model_copy(update={"closed": False})
    book = opened(replace(claim, evaluation=claim.evaluation.model_copy(update={"period": period})))
    assert [row["promise"] for row in table(book, "Credit")] == ["nothing is claimed"]
    assert not any("claim (" in str(row[0].value) for row in book["Summary"].iter_rows())


def test_the_same_inputs_give_the_same_bytes(claims: Claims) -> None:
    claim = claims("small")
    assert claim_xlsx(claim) == claim_xlsx(claim)
