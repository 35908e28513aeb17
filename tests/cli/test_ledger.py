import json
from pathlib import Path

import pytest

from slaguard.cli import run
from slaguard.ledger.rowlog import RowLog
from slaguard.ledger.seal import seal_all
from tests.ledger.world import Watch, call


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    with RowLog.open(tmp_path / "ledger", clock=Watch(), entropy=bytes) as log:
        log.append([call("a"), call("b")])
        seal_all(log)
        log.append([call("c")])
    return tmp_path / "ledger"


def test_a_whole_ledger_is_told_in_one_line_per_writer(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "check", str(ledger)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{ledger}: slaguard/0000000000000000: 1 segment with 3 rows, 1 row not sealed yet, 0 payloads",
        "whole",
    ]


def test_damage_is_told_with_file_row_and_how_to_mend_it_and_ends_with_1(
    ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = ledger / "segments" / "00000000.parquet"
    path.unlink()
    assert run(["ledger", "check", str(ledger)]) == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"{path}: E-LOG-MISSING 0  the segment is gone; it holds rows 0 to 2",
        "    restore this file from a backup or another copy",
        "not whole: 1 finding",
    ]


def test_machines_get_json(ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ledger / "segments" / "00000000.json").unlink()
    assert run(["ledger", "check", str(ledger), "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["whole"], said["partials"]) == ("slaguard/ledger-check/v1", True, 0)
    assert said["writers"] == [
        {"folder": str(ledger), "origin": "slaguard/0000000000000000", "segments": 1, "sealed": 3, "waiting": 1, "payloads": 0}
    ]
    assert [(f["code"], f["seq"]) for f in said["findings"]] == [("W-SEAL", 0)]


def test_what_is_no_ledger_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ledger", "check", str(tmp_path)]) == 2
    assert "E-LOG-MISSING" in capsys.readouterr().err
    assert run(["ledger", "mend", str(tmp_path)]) == 2
