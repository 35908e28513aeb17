"""The same records under the published terms of several vendors: from a full credit to none, and why."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from slaguard.cli import run

PRESETS = (
    "vendors/aws-bedrock@2023-10-04", "vendors/google-gemini@2026-06-30", "vendors/azure-ai-services@2025-03-01",
    "vendors/snowflake-cortex@1",
)  # fmt: skip
COVERS = "2026-10-01T00:00:00Z/2026-11-01T00:00:00Z"
AS_OF = "2026-11-02T09:00:00Z"


@pytest.fixture(scope="module")
def october(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The month of the README, as its own script writes it."""
    spec = importlib.util.spec_from_file_location("one_month", repo / "docs" / "one_month.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    file = tmp_path_factory.mktemp("simulate") / "october.csv"
    with file.open("w", encoding="utf-8") as out:
        module.write(out)
    return file


def printed(*arguments: str) -> str:
    """Return what a command that succeeds prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert run(list(arguments)) == 0
    return out.getvalue()


@pytest.fixture(scope="module")
def simulated(october: Path) -> dict[str, Any]:
    """The simulation as machines read it."""
    arguments = ["--records", str(october), "--covers", COVERS, "--period", "2026-10", "--as-of", AS_OF, "--format", "json"]
    found: dict[str, Any] = json.loads(printed("simulate", *PRESETS, *arguments))
    return found


def test_one_month_pays_everything_nothing_and_something_in_between(simulated: dict[str, Any]) -> None:
    found = {
        one["name"]: (one["evaluation"]["objectives"][0]["verdict"], promise["credit"], promise["at_most"])
        for one in simulated["agreements"]
        for promise in one["promises"]
    }
    assert found == {
        "aws-bedrock@2023-10-04": ("BREACH", "10000.00", "10000.00"),
        "google-gemini@2026-06-30": ("COMPLIANT", "0.00", "0.00"),
        "azure-ai-services@2025-03-01": ("INCONCLUSIVE", "0.00", "2500.00"),
        "snowflake-cortex@1": ("BREACH", "2258.06", "2258.06"),
    }


def test_the_figures_are_those_that_counting_by_hand_gives(simulated: dict[str, Any]) -> None:
    figure = {one["name"].partition("@")[0]: one["evaluation"]["objectives"][0] for one in simulated["agreements"]}
    bad_minutes = 4 * 1440 * 4 // 5
    assert simulated["calls"] == {"ok": 89_280 - bad_minutes, "error_500": bad_minutes}
    # Of each five minutes on four days, four of ten calls failed: 0.4 of an interval.
    assert Decimal(figure["aws-bedrock"]["estimate"]["bad"]) == Decimal(4 * 288) * Decimal("0.4")
    assert (figure["google-gemini"]["estimate"]["bad"], figure["google-gemini"]["estimate"]["n"]) == ("0", 44_640)
    readings = {r["id"]: r["verdict"] for r in figure["azure-ai-services"]["readings"]}
    assert {i: v for i, v in readings.items() if i.startswith("fixed")} == {
        "fixed+by-subscription": "BREACH", "fixed+by-client": "BREACH",
    }  # fmt: skip
    assert {v for i, v in readings.items() if i.startswith("sliding")} == {"COMPLIANT"}


def test_it_is_marked_hypothetical_and_names_the_texts_that_nobody_confirmed(simulated: dict[str, Any]) -> None:
    assert simulated["hypothetical"] is True
    assert all(one["needs_confirmation"] == [f"vendors/{one['name']}"] for one in simulated["agreements"])


def test_the_readme_shows_this_very_table(repo: Path, october: Path) -> None:
    arguments = ["--records", str(october), "--covers", COVERS, "--period", "2026-10", "--as-of", AS_OF]
    text = printed("simulate", *PRESETS, *arguments)
    table = [line.strip() for line in text.splitlines()[3 : 3 + len(PRESETS) + 1]]
    readme = (repo / "README.md").read_text(encoding="utf-8")
    assert all(line in readme for line in table), "\n".join(table)


def test_an_agreement_of_ones_own_stands_beside_presets_whenever_it_is_in_force(
    repo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "calls.csv"
    rows = "".join(f"2024-02-{d:02d}T{h:02d}:00:00Z,m,{500 if h == d else 200},900\n" for d in range(1, 30) for h in range(24))
    log.write_text(f"time,model,status,total_ms\n{rows}", encoding="utf-8")
    mine = repo / "sla_specs" / "examples" / "upptime.yaml"
    assert run(["simulate", str(mine), PRESETS[0], "--records", str(log), "--period", "2024-02", "--as-of", AS_OF]) == 0
    assert "aws-bedrock@2023-10-04" in capsys.readouterr().out


def test_records_of_several_vendors_ask_whose_to_take(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = tmp_path / "calls.csv"
    log.write_text("time,vendor,status\n2026-10-01T00:00:00Z,A,200\n2026-10-01T00:01:00Z,B,500\n", encoding="utf-8")
    assert run(["simulate", PRESETS[0], "--records", str(log), "--period", "2026-10", "--as-of", AS_OF]) == 2
    assert "--vendor NAME" in capsys.readouterr().err


def test_what_an_amount_depends_on_is_a_note(october: Path) -> None:
    arguments = ["--records", str(october), "--covers", COVERS, "--period", "2026-10", "--as-of", AS_OF]
    text = " ".join(printed("simulate", "vendors/snowflake-cortex@1", *arguments).split())
    assert "note: snowflake-cortex@1: the usage of this period is not recorded; the fee stands for it" in text
