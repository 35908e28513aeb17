"""The demo from end to end, as a user runs it: real HTTP on loopback, a ledger, verdicts, the pack, and the way back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

AS_OF = "2026-11-02T09:00:00Z"


def slaguard(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    command = [sys.executable, "-m", "slaguard", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=280, check=False)


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole month, lived through once for all tests of this file."""
    out = tmp_path_factory.mktemp("demo") / "demo-output"
    done = slaguard("demo", "--out", out)
    assert done.returncode == 0, done.stderr
    (out / "printed.txt").write_text(done.stdout)
    return out


def result(folder: Path) -> dict[str, Any]:
    """Return the demo's evaluation."""
    body: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
    return body


def verdicts(body: dict[str, Any]) -> dict[str, str]:
    """Return the verdict of each promise."""
    return {o["name"]: o["verdict"] for o in body["objectives"]}


def test_the_month_has_a_breach_a_kept_promise_and_one_that_is_not_shown(month: Path) -> None:
    assert verdicts(result(month)) == {"uptime": "COMPLIANT", "accuracy": "BREACH", "hallucination": "INSUFFICIENT"}


def test_the_demo_says_what_is_owed_by_when_and_what_it_wrote(month: Path) -> None:
    printed = (month / "printed.txt").read_text()
    assert "Claim 1,800.00 EUR by Mon 2026-11-30, 24:00 Europe/Berlin." in printed
    assert "8,940 probes over 31 days" in printed
    for name in ("claim.html", "agreement.yaml"):
        assert name in printed
        assert (month / name).is_file()
    assert len((month / "agreement.yaml").read_text().splitlines()) <= 40


def test_the_credit_is_the_ladders_step_of_the_fee_and_nothing_else(month: Path) -> None:
    owed = result(month)["credits"]
    assert (owed["claimable"], owed["point"], owed["currency"]) == ("1800.00", "1800.00", "EUR")
    lines = {line["objective"]: line for line in owed["lines"]}
    assert lines["accuracy"]["counts"]
    assert not lines["hallucination"]["counts"]


def test_time_we_did_not_watch_is_neither_up_nor_down(month: Path) -> None:
    uptime = result(month)["objectives"][0]
    assert uptime["unknown"] == 12
    assert float(uptime["estimate"]["low"]) < float(uptime["estimate"]["value"]) <= float(uptime["estimate"]["high"])
    assert [e["kind"] for e in uptime["events"]].count("unobserved") == 1


def test_the_page_says_that_the_vendor_and_the_labels_are_simulated(month: Path) -> None:
    page = (month / "claim.html").read_text()
    assert "labels are simulated" in page
    assert "vendor and its answers are simulated" in page


def test_the_packs_own_files_evaluate_to_the_same_bytes(month: Path) -> None:
    again = slaguard(
        "evaluate", "agreement.yaml", "--records", "records.csv", "--mapping", "auto", "--facts", "facts.jsonl",
        "--period", "2026-10", "--as-of", AS_OF, "--format", "json", cwd=month,
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    assert again.stdout == (month / "evaluation.json").read_text()


def test_the_ledger_evaluates_to_the_same_bytes(month: Path) -> None:
    again = slaguard(
        "evaluate", month / "agreement.yaml", "--ledger", month / "ledger", "--period", "2026-10", "--as-of", AS_OF,
        "--format", "json",
    )  # fmt: skip
    assert again.stdout == (month / "evaluation.json").read_text()


def test_another_target_in_the_agreement_is_another_verdict(month: Path, tmp_path: Path) -> None:
    text = (month / "agreement.yaml").read_text().replace("at_least: 92%", "at_least: 85%").replace("below 92%", "below 85%")
    (tmp_path / "agreement.yaml").write_text(text)
    again = slaguard(
        "evaluate", tmp_path / "agreement.yaml", "--ledger", month / "ledger", "--period", "2026-10", "--as-of", AS_OF,
        "--format", "json",
    )  # fmt: skip
    assert verdicts(json.loads(again.stdout))["accuracy"] == "COMPLIANT"


def test_importing_the_records_twice_counts_them_once(month: Path) -> None:
    again = slaguard(
        "evaluate", "agreement.yaml", "--records", "records.csv", "--records", "records.csv", "--mapping", "auto",
        "--facts", "facts.jsonl", "--period", "2026-10", "--as-of", AS_OF, "--format", "json", cwd=month,
    )  # fmt: skip
    body, once = json.loads(again.stdout), result(month)
    assert body["objectives"] == once["objectives"]
    assert body["inputs"] == once["inputs"]


def test_fail_on_breach_ends_with_1(month: Path) -> None:
    done = slaguard(
        "evaluate", month / "agreement.yaml", "--ledger", month / "ledger", "--period", "2026-10", "--fail-on", "breach"
    )
    assert done.returncode == 1
    assert "BREACH" in done.stdout


def test_before_the_period_ends_nothing_is_a_breach(month: Path) -> None:
    early = slaguard(
        "evaluate", month / "agreement.yaml", "--ledger", month / "ledger", "--period", "2026-10",
        "--as-of", "2026-10-20T00:00:00Z", "--format", "json",
    )  # fmt: skip
    body = json.loads(early.stdout)
    assert not body["period"]["closed"]
    assert "BREACH" not in verdicts(body).values()
    assert all(o["provisional"] for o in body["objectives"])
    assert body["credits"]["claimable"] == "0.00"


def test_a_seed_is_a_month_and_another_seed_another(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = slaguard("demo", "--out", tmp_path / name, "--seed", seed, "--probes", 900)
        assert done.returncode == 0, done.stderr
    texts = {name: (tmp_path / name / "evaluation.json").read_bytes() for name in "abc"}
    assert texts["a"] == texts["b"]
    assert texts["a"] != texts["c"]
    for name in ("records.csv", "claim.html"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_demo_touches_no_folder_that_it_did_not_write(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    done = slaguard("demo", "--out", tmp_path)
    assert done.returncode == 2
    assert "--out" in done.stderr


def test_the_agreement_a_user_edited_survives_another_demo(month: Path, tmp_path: Path) -> None:
    folder = tmp_path / "demo-output"
    folder.mkdir()
    shutil.copy(month / ".slaguard-demo", folder)
    edited = (month / "agreement.yaml").read_text().replace("Example Bank AG", "My Bank AG")
    (folder / "agreement.yaml").write_text(edited)
    assert slaguard("demo", "--out", folder, "--probes", 300).returncode == 0
    assert "My Bank AG" in (folder / "agreement.yaml").read_text()
