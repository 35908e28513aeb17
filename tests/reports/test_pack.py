"""The folder that a claim is sent as."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from slaguard.evaluation.result import Evaluation
from slaguard.reports import ClaimInputs, ReportRefused, write_claim_pack
from slaguard.reports.pack import pack_files

Claims = Callable[[str], ClaimInputs]


def test_the_pack_holds_everything_and_its_manifest_proves_it(claims: Claims, tmp_path: Path) -> None:
    written = write_claim_pack(claims("mock_month"), tmp_path / "claim")
    assert [path.name for path in written] == [
        "claim.html", "agreement.yaml", "records.csv", "facts.jsonl", "evaluation.json", "claim.xlsx",
        "deadlines.ics", "manifest.txt",
    ]  # fmt: skip
    lines = (tmp_path / "claim" / "manifest.txt").read_text().splitlines()
    assert {name: digest for digest, name in (line.split("  ") for line in lines)} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in written if path.name != "manifest.txt"
    }


def test_the_page_prints_the_hash_of_every_other_file(claims: Claims) -> None:
    files = pack_files(claims("mock_month"))
    page = files["claim.html"].decode()
    for name in set(files) - {"claim.html", "manifest.txt"}:
        assert re.search(f"{re.escape(name)}</td>.*{hashlib.sha256(files[name]).hexdigest()}", page)


def test_the_result_in_the_pack_reads_back(claims: Claims) -> None:
    claim = claims("small")
    text = pack_files(claim)["evaluation.json"].decode()
    assert Evaluation.from_json(text).to_json() == text == claim.evaluation.to_json()


def test_the_same_inputs_give_the_same_bytes(claims: Claims) -> None:
    assert pack_files(claims("small")) == pack_files(claims("small"))


def test_a_report_written_again_replaces_the_one_before(claims: Claims, tmp_path: Path) -> None:
    (tmp_path / "claim.html").write_text("an older report", encoding="utf-8")
    written = write_claim_pack(claims("small"), tmp_path)
    assert written[0].read_bytes() == pack_files(claims("small"))["claim.html"]


def test_files_that_the_agreement_names_go_into_the_pack(claims: Claims, tmp_path: Path) -> None:
    claim = replace(
        claims("small"), golden_set="house-qa@1", extra_files={"golden/house-qa@1.jsonl": b"{}", "outcomes/ours@2.yaml": b""}
    )
    written = write_claim_pack(claim, tmp_path)
    assert (tmp_path / "golden" / "house-qa@1.jsonl").read_bytes() == b"{}"
    assert tmp_path / "outcomes" / "ours@2.yaml" in written
    page = written[0].read_text()
    assert "<td>golden/house-qa@1.jsonl</td><td>the agreed questions</td>" in page
    assert "<td>outcomes/ours@2.yaml</td><td>a file the agreement names</td>" in page


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "a//b",
        "",
        ".hidden",
        "claim.html",
        "manifest.txt",
        "records.csv",
        "deadlines.ics",
        "a b",
        "con",
    ],
)
def test_a_file_with_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written(
    claims: Claims, tmp_path: Path, name: str
) -> None:
    claim = replace(claims("small"), extra_files={name: b"x"})
    with pytest.raises(ReportRefused, match="E-REPORT-NAME"):
        write_claim_pack(claim, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_link_that_leads_out_of_the_folder_is_not_followed(claims: Claims, tmp_path: Path) -> None:
    out, outside = tmp_path / "out", tmp_path / "outside"
    out.mkdir()
    outside.mkdir()
    (out / "golden").symlink_to(outside)
    claim = replace(claims("small"), extra_files={"golden/house-qa@1.jsonl": b"{}"})
    with pytest.raises(ReportRefused, match="would lie outside"):
        write_claim_pack(claim, out)
    assert list(outside.iterdir()) == []
    assert [path.name for path in out.iterdir()] == ["golden"]


def test_a_refused_report_leaves_nothing_behind(claims: Claims, tmp_path: Path) -> None:
    claim = claims("mock_month")
    with pytest.raises(ReportRefused):
        write_claim_pack(replace(claim, records=claim.records.head(100)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
