"""`slaguard explain`: an Agreement, a profile by file or by name, and the list of what ships."""

import json
import shutil
from pathlib import Path

import pytest

from slaguard.cli import run
from slaguard.spec.library import Shelves
from slaguard.spec.load import load


@pytest.fixture
def example(repo: Path) -> Path:
    return repo / "sla_specs" / "examples" / "acme-chat.yaml"


def test_an_agreement_is_explained_section_by_section(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", str(example)]) == 0
    said = capsys.readouterr().out
    titles = [line for line in said.splitlines() if line and line == line.upper() and not line.startswith(" ")]
    assert titles == [
        "WHO AND WHAT",
        "WHAT IS PROMISED",
        "WHAT COUNTS, AND WHAT DOES NOT",
        "ON WHICH EVIDENCE, AND HOW IT IS DECIDED",
        "WHAT YOU GET",
        "WHAT YOU MUST DO, AND BY WHEN",
        "WHAT IS UNCLEAR",
        "EVERY TERM, AND WHERE IT WAS WRITTEN",
    ]
    assert said.endswith("\n")
    assert not said.endswith("\n\n")


def test_the_machine_form_holds_the_same_sentences_and_every_term(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", str(example), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "slaguard/explanation/v1"
    assert told["agreement"] == {"name": "acme-chat", "version": 1, "sha256": load(example).spec_sha256}
    assert told["sections"][0]["title"] == "Who and what"
    sources = {term["path"]: term["source"] for term in told["terms"]}
    assert sources["objectives[1].outcomes.rate_limited"] == "outcomes/server-faults@1"


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_list_names_every_profile_that_ships_once(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--profiles", "--format", form]) == 0
    said = capsys.readouterr().out
    if form == "json":
        named = [f"{p['name']}@{p['version']}" for p in json.loads(said)["profiles"]]
    else:
        named = [line.split("  ")[0] for line in said.splitlines()]
    assert named == list(Shelves().profiles())


def test_a_profile_is_found_by_its_name_and_by_its_file(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "claim/written@1"]) == 0
    by_name = capsys.readouterr().out
    assert run(["explain", str(repo / "sla_specs" / "profiles" / "claim" / "written@1.yaml")]) == 0
    assert capsys.readouterr().out == by_name
    assert by_name.startswith("claim/written@1\n")


def test_a_profile_beside_the_reader_is_found_by_its_name(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = (repo / "sla_specs" / "profiles" / "claim" / "written@1.yaml").read_text("utf-8")
    (tmp_path / "claim").mkdir()
    (tmp_path / "claim" / "ours@1.yaml").write_text(shipped.replace("claim/written", "claim/ours"), encoding="utf-8")
    assert run(["explain", "claim/ours@1"]) == 0
    assert capsys.readouterr().out.startswith("claim/ours@1\n")


def test_a_name_that_leads_nowhere_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "claim/written-@1"]) == 2
    assert "did you mean claim/written@1?" in capsys.readouterr().err


def test_a_file_that_is_missing_is_told_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "no/such\x1b[2J.yaml"]) == 2
    said = capsys.readouterr().err
    assert "no such file" in said
    assert "\x1b" not in said


def test_an_agreement_that_is_refused_is_not_explained(
    example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text(example.read_text("utf-8").replace("at_least: 99.5%", "at_least: 99.5"), encoding="utf-8")
    assert run(["explain", str(bad)]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "E-SPEC-UNIT" in told.err


def test_another_kind_of_document_is_not_explained(repo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = repo / "sla_specs" / "golden" / "claims-qa@4.yaml"
    assert run(["explain", str(card)]) == 1
    assert "explain reads Agreements and Profiles" in capsys.readouterr().err


def test_one_thing_is_asked_for_at_a_time(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain"]) == 2
    assert run(["explain", str(example), "--profiles"]) == 2
    assert capsys.readouterr().err.count("explain needs one thing") == 2


def test_editing_the_target_changes_what_is_said(example: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "acme-chat.yaml"
    shutil.copy(example, mine)
    assert run(["explain", str(mine)]) == 0
    before = capsys.readouterr().out
    mine.write_text(mine.read_text("utf-8").replace("{days: 30}", "{days: 45}"), encoding="utf-8")
    assert run(["explain", str(mine)]) == 0
    after = capsys.readouterr().out
    changed = set(before.splitlines()) ^ set(after.splitlines())
    assert any("45 days after" in line for line in changed)
