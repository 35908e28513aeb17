"""`slaguard import` as a user runs it."""

import io
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from slaguard.cli import run
from slaguard.cli.clock import SystemClock
from slaguard.imports.find import shipped_mappings
from slaguard.ledger.read import open_store
from slaguard.ledger.rowlog import RowLog

LOG = "timestamp,status,latency_ms\n2026-10-01T00:00:00Z,200,812\n2026-10-01T00:05:00Z,503,0\n"
FACT = {"kind": "fact", "id": "F-1", "type": "invoice", "when": "2026-11-02T00:00:00Z"}


def test_the_help_names_every_mapping_that_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "--help"]) == 0
    said = "".join(capsys.readouterr().out.split())  # lines break at hyphens too
    assert ",".join(sorted({m.partition("@")[0] for m in shipped_mappings()})) in said


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "calls.csv"
    path.write_text(LOG)
    return path


def count(ledger: Path) -> int:
    with open_store(ledger) as store:
        return sum(1 for _ in store.observations())


def test_a_log_goes_into_a_ledger_and_a_second_time_counts_once(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger"
    assert run(["import", str(log), "--ledger", str(ledger), "--vendor", "Acme AI"]) == 0
    said = capsys.readouterr().out
    assert "auto: 2 rows, 2 observations" in said
    assert f"{ledger}: 3 new records acknowledged" in said
    assert run(["import", str(log), "--ledger", str(ledger), "--vendor", "Acme AI"]) == 0
    assert "0 new records acknowledged, 3 were there already" in capsys.readouterr().out
    assert count(ledger) == 2


def test_the_report_is_json_where_a_machine_asks(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    facts = tmp_path / "facts.jsonl"
    facts.write_text(json.dumps(FACT))
    args = ["import", str(log), "--ledger", str(tmp_path / "ledger"), "--facts", str(facts), "--format", "json"]
    assert run(args) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["schema"] == "slaguard/import/v1"
    assert body["observations"] == 2
    assert body["ledger"] == {"new": 4, "repeated": 0, "facts": 1, "conflicts": 0}


def test_an_imported_record_is_known_from_when_it_was_written_into_the_ledger(log: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    assert run(["import", str(log), "--ledger", str(ledger)]) == 0
    with open_store(ledger) as store:
        for call in store.observations():
            assert (call.recorded_at or 0) > (call.ended_at or call.sent_at or 0)


def rows_waiting(ledger: Path) -> int:
    with closing(sqlite3.connect(f"file:{ledger / 'rows.db'}?mode=ro", uri=True)) as rows:
        return int(rows.execute("SELECT count(*) FROM rows").fetchone()[0])


def test_a_long_import_is_sealed_on_its_way_and_at_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slaguard.ledger.seal.MOST", 2_000)
    log = tmp_path / "calls.csv"
    times = [f"2026-10-01T{i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}Z" for i in range(5_500)]
    log.write_text("timestamp,status,latency_ms\n" + "".join(f"{t},200,{i % 900}\n" for i, t in enumerate(times)))
    ledger = tmp_path / "ledger"
    for _ in range(2):
        assert run(["import", str(log), "--ledger", str(ledger)]) == 0
        assert sorted(p.name for p in (ledger / "segments").glob("*.parquet")) == [f"0000000{i}.parquet" for i in range(3)]
        assert rows_waiting(ledger) == 0
        assert count(ledger) == 5_500


def test_a_small_import_waits_for_the_next_one(log: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    assert run(["import", str(log), "--ledger", str(ledger)]) == 0
    assert not (ledger / "segments").exists()


def test_a_suggestion_goes_to_standard_output_and_nothing_is_written(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "--suggest", str(log)]) == 0
    assert "kind: Mapping" in capsys.readouterr().out
    assert list(log.parent.iterdir()) == [log]


def test_a_dry_run_reports_and_writes_nothing(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", str(log), "--dry-run"]) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert list(log.parent.iterdir()) == [log]


def test_the_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LOG.encode())))
    assert run(["import", "-", "--dry-run"]) == 0
    assert "2 observations" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ([], "name the ledger to write to"),
        (["--ledger", "x", "--covers", "October"], "--covers October: write START/END"),
        (["--ledger", "x", "--mapping", "lightllm"], "did you mean litellm"),
        (["--dry-run", "--mapping", "nginx"], "names columns that are not in the header"),
        (["--dry-run", "--facts", "nowhere.jsonl"], "there is no such file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_message_and_exits_2(
    args: list[str], told: str, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", str(log), *args]) == 2
    said = capsys.readouterr().err
    assert told in said
    assert "Traceback" not in said


def test_a_file_that_breaks_off_says_how_many_records_were_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "calls.csv"
    rows = "".join(f"2026-10-01T{i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}Z,200,5\n" for i in range(6000))
    path.write_text("timestamp,status,latency_ms\n" + rows + '2026-10-02T00:00:00Z,"200,5\n')
    assert run(["import", str(path), "--ledger", str(tmp_path / "ledger")]) == 2
    said = capsys.readouterr().err
    assert "row 6002: the CSV is broken here" in said
    assert "5,000 records were acknowledged before this" in said
    assert count(tmp_path / "ledger") == 5000


def test_an_import_shows_no_progress_bar_where_nobody_looks(log: Path) -> None:
    command = [sys.executable, "-m", "slaguard", "import", str(log), "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    assert done.stderr == ""


def test_while_another_process_writes_to_the_ledger_an_import_becomes_a_writer_beside_it(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = tmp_path / "ledger"
    args = ["import", str(log), "--ledger", str(ledger), "--vendor", "Acme AI"]
    assert run(args) == 0
    with RowLog.open(ledger, clock=SystemClock()):  # as a running agent does, for months
        assert run(args) == 0
        assert f"{ledger / 'import'}: 3 new records" in capsys.readouterr().out
        assert count(ledger) == 2, "the same records in two writers count once"
