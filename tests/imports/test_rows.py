"""Files as rows: forms, encodings, and everything hostile that stands in logs."""

import gzip
import io
import itertools
import random
import tracemalloc
from pathlib import Path

import pytest

from slaguard.errors import RecordsError
from slaguard.imports.opening import open_rows
from slaguard.imports.rows import LONGEST, BadRow, Row

CSV = "at,answer\n1,yes\n2,no\n"
JSONL = '{"at": 1, "answer": "yes"}\n{"at": 2, "answer": "no"}\n'
NOISE = "".join(f"{n},{m}\n" for n, m in itertools.pairwise(random.Random(1).choices(range(10**12), k=60_000)))
CELLS = [{"at": "1", "answer": "yes"}, {"at": "2", "answer": "no"}]


def read(content: bytes, name: str, tmp: Path, delimiter: str | None = None) -> list[Row | BadRow]:
    path = tmp / name
    path.write_bytes(content)
    with open_rows(str(path), None, lambda _: None, delimiter) as rows:
        return list(rows)


def cells(content: bytes, name: str, tmp: Path) -> list[dict[str, str]]:
    found = read(content, name, tmp)
    assert all(isinstance(row, Row) for row in found), found
    return [row.cells for row in found if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(CSV.encode(), "log.csv", id="csv"),
        pytest.param(b"\xef\xbb\xbf" + CSV.encode(), "log.csv", id="csv with a byte order mark"),
        pytest.param(CSV.replace("\n", "\r\n").encode(), "log.csv", id="csv from windows"),
        pytest.param(CSV.replace(",", ";").encode(), "log.csv", id="semicolons"),
        pytest.param(("sep=;\n" + CSV.replace(",", ";")).encode(), "log.csv", id="excel's sep line"),
        pytest.param(CSV.replace(",", "\t").encode(), "log.tsv", id="tabs"),
        pytest.param(CSV.rstrip().encode(), "log.csv", id="no newline at the end"),
        pytest.param(CSV.replace("\n", "\n\n").encode(), "log.csv", id="blank lines"),
        pytest.param(gzip.compress(CSV.encode()), "log.csv.gz", id="csv gzipped"),
        pytest.param(gzip.compress(CSV.encode()), "log.csv", id="csv gzipped under another name"),
        pytest.param(gzip.compress(CSV[:10].encode()) + gzip.compress(CSV[10:].encode()), "log.csv.gz", id="two gzip members"),
        pytest.param(JSONL.encode(), "log.jsonl", id="json lines"),
        pytest.param(b"\xef\xbb\xbf" + JSONL.encode(), "log.jsonl", id="json lines with a byte order mark"),
        pytest.param(gzip.compress(JSONL.encode()), "log.jsonl.gz", id="json lines gzipped"),
        pytest.param(JSONL.encode(), "log", id="json lines by their first character"),
        pytest.param(CSV.encode(), "log", id="csv by their first character"),
        pytest.param(("[" + JSONL.strip().replace("\n", ",") + "]").encode(), "log.json", id="a list of objects in one line"),
    ],
)  # fmt: skip
def test_the_same_rows_come_from_every_form(content: bytes, name: str, tmp_path: Path) -> None:
    assert cells(content, name, tmp_path) == CELLS


def test_the_standard_input_is_read_and_left_open() -> None:
    stdin = io.BytesIO(CSV.encode())
    with open_rows("-", stdin, lambda _: None) as rows:
        assert [row.cells for row in rows if isinstance(row, Row)] == CELLS
    assert not stdin.closed


def test_rows_are_numbered_as_a_spreadsheet_shows_them(tmp_path: Path) -> None:
    found = read(b'at,answer\n1,"one\ntwo"\n2,no\n', "log.csv", tmp_path)
    assert [row.number for row in found] == [2, 3]


def test_nested_objects_become_dotted_columns_and_numbers_stay_as_written(tmp_path: Path) -> None:
    line = b'{"a": {"b": {"c": 1.50}}, "d": true, "e": null, "f": [1, {"g": 2}], "h": 12345678901234567890123, "i": NaN}\n'
    assert cells(line, "log.jsonl", tmp_path) == [
        {"a.b.c": "1.50", "d": "true", "e": "", "f": '["1",{"g":"2"}]', "h": "12345678901234567890123", "i": "NaN"}
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b'{"at": 1', "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b'{"at": 1, "at": 2}', "stands twice"),
        (b'{"at": "\xe9"}', "byte 0xE9 is not UTF-8"),
        (b'{"at": "\x00"}', "not a JSON object"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 5000, "nested too deeply"),
        (b'{"at": "' + b"x" * LONGEST + b'"}', "longer than 16777216 bytes"),
    ],
    ids=["cut", "numbers", "text", "duplicate key", "latin-1", "nul", "lists", "objects", "huge"],
)
def test_a_bad_line_of_json_costs_only_itself(line: bytes, told: str, tmp_path: Path) -> None:
    found = read(b'{"at": 0}\n' + line + b'\n{"at": 9}\n', "log.jsonl", tmp_path)
    first, bad, last = found[0], found[1], found[-1]
    assert isinstance(first, Row)
    assert isinstance(bad, BadRow)
    assert bad.number == 2
    assert told in bad.what
    assert isinstance(last, Row)
    assert last.number == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"at,answer\n1\n2,no\n", "it has 1 cells, the header has 2"),
        (b"at,answer\n1,yes,more\n2,no\n", "it has 3 cells, the header has 2"),
        (b"at,answer\n1,caf\xe9\n2,no\n", "byte 0xE9 is not UTF-8"),
    ],
    ids=["short", "long", "latin-1"],
)
def test_a_bad_row_of_csv_costs_only_itself(content: bytes, told: str, tmp_path: Path) -> None:
    bad, good = read(content, "log.csv", tmp_path)
    assert isinstance(bad, BadRow)
    assert (bad.number, bad.what) == (2, told)
    assert isinstance(good, Row)


def test_a_quote_that_never_closes_ends_the_reading_because_an_answer_could_pass_for_rows(tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="row 3: the CSV is broken here"):
        read(b'at,answer\n1,yes\n2,"no\n3,yes\n', "log.csv", tmp_path)


def test_an_answer_that_looks_like_rows_stays_one_cell(tmp_path: Path) -> None:
    found = cells(b'at,answer\n1,"yes\n2,no\n3,no"\n4,no\n', "log.csv", tmp_path)
    assert [row["at"] for row in found] == ["1", "4"]


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"", "log.csv", "there is no row in it"),
        (b"", "log.jsonl", "there is no row in it"),
        (b"a,a\n1,2\n", "log.csv", "the column 'a' stands twice"),
        (b'a,"b\n', "log.csv", "the header cannot be read"),
        (b"caf\xe9,b\n1,2\n", "log.csv", "the header is not UTF-8"),
        ("at,answer\n1,yes\n".encode("utf-16"), "log.csv", "this is UTF-16: save it as UTF-8"),
        (b"PK\x03\x04....", "calls.xlsx", "save the sheet as CSV"),
        (gzip.compress((CSV + NOISE).encode())[:-20], "log.csv.gz", "breaks off or is damaged"),
        (b"\x1f\x8b\x08broken", "log.csv.gz", "cannot be read"),
        (b"{\n  at: 1\n}\n", "log.jsonl", "row 1: not a JSON object"),
        (b"at,answer\r1,yes\r2,no\r", "log.csv", "a carriage return alone; save the file with LF or CRLF line ends"),
        (b"at,answer\n1," + b"x" * (17 << 20) + b"\n", "log.csv", "line 2: the line is longer than 16 MiB"),
    ],
    ids=[
        "empty csv",
        "empty json",
        "twice",
        "open quote",
        "latin-1",
        "utf-16",
        "workbook",
        "cut gzip",
        "bad gzip",
        "no json",
        "old Mac",
        "endless line",
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_one_sentence(
    content: bytes, name: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(RecordsError) as refused:
        read(content, name, tmp_path)
    assert told in str(refused.value)
    assert name in str(refused.value)


@pytest.mark.parametrize("name", ["nowhere.csv", ".", "a\0b"])
def test_a_file_that_cannot_be_opened_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecordsError), open_rows(str(tmp_path / name), None, lambda _: None):
        pass


def test_no_more_than_a_row_is_held_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("at,answer\n" + f"1,{'x' * 1000}\n" * 20_000)
    tracemalloc.start()
    with open_rows(str(path), None, lambda _: None) as rows:
        assert sum(1 for _ in rows) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3_000_000


def test_the_progress_bar_is_told_every_byte(tmp_path: Path) -> None:
    read_bytes: list[int] = []
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode()))
    with open_rows(str(path), None, read_bytes.append) as rows:
        list(rows)
    assert sum(read_bytes) == path.stat().st_size
