"""A CSV of records that we wrote is a CSV we read back to the same records and the same Evidence."""

import csv
import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from slaguard.evaluation.demands import Counts, Demands
from slaguard.imports.load import evidence, load
from slaguard.imports.own import OwnRecords
from slaguard.ledger.store import ColumnStore
from slaguard.ledger.table import COLUMNS, parse_time, to_row
from slaguard.records import (
    Adjudication,
    Coverage,
    Fact,
    Incident,
    Observation,
    ProbeMissed,
    ProbePlanned,
    Record,
    Score,
)  # fmt: skip
from slaguard.terms import Attribution, Grade, Outcome, Source
from tests.imports.world import take

START = parse_time("2026-10-01T00:00:00Z")
END = parse_time("2026-11-01T00:00:00Z")
CALL = Observation(
    id="a", outcome=Outcome.OK, attribution=Attribution.NONE, source=Source.PROBE, via="agent", vendor="Acme AI", sent_at=START,
    ended_at=START + 7, recorded_at=START + 9, total_time_ns=7, inclusion_probability="1", attributes={"team": "=blue\n"},
)  # fmt: skip
RECORDS: list[Record] = [
    CALL,
    replace(CALL, id="b", outcome=Outcome.ERROR_500, attribution=Attribution.VENDOR, status=500, total_time_ns=None),
    Score(observation="a", scorer="exact@1", grade=Grade.CORRECT, recorded_at=START + 10),
    Adjudication(observation="a", grade=Grade.WRONG, by="ann", note="100 % wrong", recorded_at=START + 11),
    Incident(id="I-1", start=START, end=None, severity="major", source="vendor", recorded_at=START),
    Fact(id="F-1", type="invoice", when=START, recorded_at=START),
    ProbePlanned(slot="s", agreement="x", golden_item="q", scheduled_at=START, recorded_at=START),
    ProbeMissed(slot="t", how="lost", reason="crash", scheduled_at=START, recorded_at=START),
    Coverage(source=Source.PROBE, start=START, end=END, via="agent", recorded_at=START),
]
DEMANDS = Demands(
    counts=(
        Counts(
            source=Source.PROBE, span=(START, END), as_of=END, where=(), marks=(),
            keys=("bin", "outcome", "known", "grade", "total_time"), bin_ns=10**9, grader="exact@1",
        ),
    ),
    span=(START, END),
    as_of=END,
)  # fmt: skip


def as_csv(records: Iterable[Record]) -> str:
    rows = [to_row(r) for r in records]
    extra = sorted({name for row in rows for name in row} - set(COLUMNS))
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *extra, "counts.uptime"])
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_every_record_comes_back(tmp_path: Path) -> None:
    found = take(tmp_path, "auto", as_csv(RECORDS))
    assert found.records == RECORDS
    assert (found.report.mapping, found.report.warnings) == ("slaguard-records", ())
    assert (found.report.observations, found.report.scores, found.report.adjudications, found.report.others) == (2, 1, 1, 5)


def test_the_evidence_is_the_same_as_before(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text(as_csv(RECORDS))
    with ColumnStore() as store:
        store.add(RECORDS)
        before = store.answer(DEMANDS)
    after = evidence([str(path)], "auto", DEMANDS)
    assert after.sha256() == before.sha256()
    assert after.tables[DEMANDS.counts[0].sha256()].n.sum() > 0


def test_a_spreadsheet_may_have_reordered_rows_and_columns(tmp_path: Path) -> None:
    rows = list(csv.reader(io.StringIO(as_csv(RECORDS))))
    text = io.StringIO()
    csv.writer(text).writerows([row[::-1] for row in [rows[0], *reversed(rows[1:])]])
    assert sorted(map(str, take(tmp_path, "auto", text.getvalue()).records)) == sorted(map(str, RECORDS))


def test_read_twice_a_record_counts_once(tmp_path: Path) -> None:
    text = as_csv(RECORDS)
    found = take(tmp_path, "auto", text, text)
    assert (len(found.records), found.report.repeated) == (len(RECORDS), len(RECORDS))


def test_a_cell_that_was_changed_into_nonsense_refuses_its_row(tmp_path: Path) -> None:
    found = take(tmp_path, "auto", as_csv(RECORDS).replace("error_500", "error_501"))
    assert found.report.refused_rows == 1
    assert "outcome: 'error_501' is none of ok, empty" in found.report.refused[0].text


@pytest.mark.parametrize(
    ("columns", "own"),
    [
        (COLUMNS, True),
        ((*COLUMNS, "attributes.x", "counts.y"), True),
        (("kind", "id", "latency"), False),
        (("id", "status"), False),
    ],
)
def test_a_table_is_ours_when_every_column_is(columns: tuple[str, ...], own: bool) -> None:
    assert OwnRecords.recognises(columns) == own


def test_records_go_into_a_store_in_batches(tmp_path: Path) -> None:
    path = tmp_path / "records.csv"
    path.write_text(as_csv(replace(CALL, id=str(i)) for i in range(5000)))
    with ColumnStore() as store:
        assert load([str(path)], "auto", store).observations == 5000
        assert sum(1 for _ in store.observations()) == 5000
