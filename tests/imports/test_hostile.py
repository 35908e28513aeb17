"""Whatever stands in a file, an import gives records and a report that adds up, or one message; never a traceback."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.errors import SlaguardError
from slaguard.imports.load import read
from slaguard.imports.mapping import Mapping
from slaguard.imports.report import ImportReport
from slaguard.ledger.identity import identity
from slaguard.records import Observation, Record, header
from tests.imports.world import mapping

NASTY = [
    "",
    "0",
    "-1",
    "200",
    "429.0",
    "9" * 5000,
    "1e400",
    "1e-400",
    "NaN",
    "inf",
    "-inf",
    "null",
    "true",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "\ud800",
    "2026-10-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "0000-00-00",
    "1790812800",
    "=cmd()",
    '"',
    '""',
    "a,b",
    "x\ny",
    "x" * 70_000,
    "é",
    "٣",
    "1_000",
    "+5",
    "0x10",
    " 5 ",
    "[Yes]",
    "yes",
    "timeout",
    "２００",
]
CELL = st.one_of(st.sampled_from(NASTY), st.text(max_size=20))
COLUMNS = ("at", "status", "ms", "answer", "right", "who")
ROWS = st.lists(st.lists(CELL, min_size=len(COLUMNS), max_size=len(COLUMNS)), max_size=6)

EVERYTHING = mapping(
    {
        "input_tokens": "who",
        "stream": "answer",
        "model_requested": {"column": "who", "pattern": "(x+)"},
        "inclusion_probability": "right",
    },
    attributes={"a": "answer"},
    outcomes=[{"when": {"status": {"at_least": "200", "less_than": "300"}}, "facts": {}}, {"facts": {}}],
    scores=[{"parser": {"use": "last_yes_no@1", "answer": "answer", "reference": "right"}}],
)
LENIENT = mapping(
    {"sent_at": None, "total_time": None, "status": None},
    time={"batch": "2026-10-01T00:00:00Z/2026-11-01T00:00:00Z"},
    covers="batches",
    outcomes=[{"outcome": "ok", "attribution": "none"}],
    attributes={"a": "answer", "w": "who"},
    id=["who"],
    scores=[
        {"human": "true", "by": {"constant": "ann"}, "grades": [{"when": {"answer": {"matches": "."}}, "grade": "correct"}]}
    ],
)


def adds_up(records: list[Record], report: ImportReport) -> None:
    observations = [r for r in records if isinstance(r, Observation)]
    assert report.observations == len(observations)
    assert len({o.id for o in observations}) == len(observations)
    assert report.rows == len(observations) + report.repeated + report.refused_rows
    for record in records:
        assert len(header(record)) < 65_536
    assert len({(r.kind, identity(r)) for r in records}) == len(records)
    assert all(line.isprintable() for line in report.lines())


def run(content: bytes, name: str, how: Mapping | str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        imported = read([str(path)], how)
        message, records = "", list[Record]()
        try:
            records = list(imported)
        except SlaguardError as error:
            message = str(error)
    if message:
        assert message.replace("\n", "").isprintable()
    else:
        adds_up(records, imported.report)


def as_csv(rows: list[list[str]]) -> bytes:
    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"'

    text = "\n".join(",".join(map(quoted, row)) for row in [list(COLUMNS), *rows])
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("how", [EVERYTHING, LENIENT, "auto"], ids=["everything", "lenient", "auto"])
@given(rows=ROWS)
def test_any_csv_gives_records_that_add_up_or_one_message(how: Mapping | str, rows: list[list[str]]) -> None:
    run(as_csv(rows), "log.csv", how)


JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), CELL),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*COLUMNS, "a.b", ""]), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize("how", [EVERYTHING, LENIENT, "auto"], ids=["everything", "lenient", "auto"])
@given(objects=st.lists(st.one_of(JSON, st.fixed_dictionaries(dict.fromkeys(COLUMNS, JSON))), max_size=5))
def test_any_json_lines_give_records_that_add_up_or_one_message(how: Mapping | str, objects: list[Any]) -> None:
    run("\n".join(json.dumps(o) for o in objects).encode(), "log.jsonl", how)


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl", "log.csv.gz", "log"])
@given(content=st.binary(max_size=300))
def test_any_bytes_give_records_that_add_up_or_one_message(name: str, content: bytes) -> None:
    run(content, name, LENIENT)
    run(content, name, "auto")
