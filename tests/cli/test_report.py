"""`slaguard report` as a user runs it."""

import json
from importlib import resources
from pathlib import Path

import pytest

from slaguard.cli import run

AGREEMENT = """\
apiVersion: slaguard/v1
kind: Agreement
name: acme
version: 1
vendor: Acme AI
customer: Example Bank AG
contract: C-1
effective: 2026-08-01
time_zone: Europe/Berlin
period: month
fee: 1000.00 EUR
use: [house/faults@1, claim/written@1: {days: 30}]
objectives:
  - name: errors
    clause: Exhibit B 3
    use: [errors/share-failed@1: {min_requests: 10}]
    at_most: 1%
    credits: {above 1%: 10%}
"""
COVERS = "2026-10-01T00:00:00+02:00/2026-11-01T00:00:00+01:00"
AS_OF = ["--period", "2026-10", "--as-of", "2026-11-02T09:00:00Z"]


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """An Agreement with a profile of its own beside it."""
    text = (resources.files("sla_specs") / "profiles" / "outcomes" / "server-faults@1.yaml").read_text("utf-8")
    (tmp_path / "house").mkdir()
    (tmp_path / "house" / "faults@1.yaml").write_text(text.replace("name: outcomes/server-faults", "name: house/faults"))
    (tmp_path / "acme.yaml").write_text(AGREEMENT)
    return tmp_path / "acme.yaml"


def log(folder: Path, failed: int) -> Path:
    rows = [f"2026-10-{1 + i % 31:02d}T{i % 24:02d}:00:{i % 60:02d}Z,{503 if i < failed else 200},800" for i in range(300)]
    path = folder / "calls.csv"
    path.write_text("\n".join(["timestamp,status,latency_ms", *rows]) + "\n")
    return path


def report(contract: Path, records: Path, out: Path, *more: str) -> int:
    args = ["report", str(contract), "--records", str(records), "--mapping", "auto", "--covers", COVERS, "--out", str(out)]
    return run([*args, *more])


def test_a_breach_becomes_a_folder_that_checks_itself(
    contract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "claim"
    assert report(contract, log(tmp_path, 9), out, *AS_OF) == 0
    said = capsys.readouterr().out
    assert said.startswith("Acme AI owes Example Bank AG 100.00 EUR\n")
    assert f"read it   {out / 'claim.html'}" in said
    assert "house/faults@1.yaml" in said
    monkeypatch.chdir(out)
    checked = ["evaluate", "agreement.yaml", "--records", "records.csv", "--mapping", "auto", "--facts", "facts.jsonl"]
    assert run([*checked, *AS_OF, "--format", "json"]) == 0
    again, written = json.loads(capsys.readouterr().out), json.loads((out / "evaluation.json").read_text())
    for part in ("inputs", "objectives", "credits", "deadlines"):
        assert again[part] == written[part]


def test_nothing_to_claim_is_said_and_needs_no_calendar(
    contract: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(contract, log(tmp_path, 1), tmp_path / "claim", *AS_OF) == 0
    assert capsys.readouterr().out.startswith("Nothing to claim from Acme AI for October 2026\n")
    assert not (tmp_path / "claim" / "deadlines.ics").exists()


def test_a_note_is_printed_on_the_page(contract: Path, tmp_path: Path) -> None:
    assert report(contract, log(tmp_path, 9), tmp_path / "claim", *AS_OF, "--note", "The log of gateway 2 is missing") == 0
    assert "The log of gateway 2 is missing." in (tmp_path / "claim" / "claim.html").read_text("utf-8")


def test_the_same_command_twice_writes_the_same_bytes(contract: Path, tmp_path: Path) -> None:
    records = log(tmp_path, 9)
    for name in ("one", "two"):
        assert report(contract, records, tmp_path / name, *AS_OF) == 0
    for file in (tmp_path / "one").rglob("*.*"):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes(), file.name


def test_without_records_it_says_what_to_name(contract: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", str(contract), "--out", str(tmp_path / "claim")]) == 2
    assert "name where the records are" in capsys.readouterr().err
    assert not (tmp_path / "claim").exists()


def test_a_place_that_cannot_be_written_is_one_message_and_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file")
    records = tmp_path / "r.csv"
    records.write_text("timestamp,status\n2026-10-01T00:00:00Z,200\n")
    example = str(Path(__file__).parents[2] / "sla_specs" / "examples" / "acme-chat.yaml")
    arguments = ["report", example, "--records", str(records), "--period", "2026-10", "--out", str(taken)]
    assert run(arguments) == 2
    assert "E-FILE" in capsys.readouterr().err
