"""What is shown as claimable can still be claimed: the board's query and the one of docs/metrics.md, asked of promtool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from slaguard_exporters.dashboards import Dashboards
from tests.conftest import absent
from tests.grafana.lint import panels
from tests.grafana.promql import filled, variables

REPO = Path(__file__).resolve().parents[2]
HOUR = 3600


def queries(name: str, title: str) -> list[str]:
    """Return the queries of a panel with every variable at all that there is."""
    board = json.loads(Dashboards().generate()[name])
    (panel,) = (p for p in panels(board) if p["title"] == title)
    return [filled(t["expr"], dict.fromkeys(variables(t["expr"]), ".*")) for t in panel["targets"]]


def documented(question: str) -> str:
    """Return the query that docs/metrics.md gives under a question."""
    found = re.search(
        re.escape(question) + r"\n\n```promql\n(.*?)```", (REPO / "docs" / "metrics.md").read_text("utf-8"), re.DOTALL
    )
    assert found is not None
    return found[1]


def credit(period: str, amount: int, instance: str = "one") -> dict[str, str]:
    """Return the series of a claimable credit."""
    labels = f'sla="globex-ten", vendor="Globex", currency="USD", period="{period}", job="slaguard", instance="{instance}"'
    return {"series": f'slaguard_service_credit_amount{{{labels}, basis="claimable"}}', "values": f"{amount}x60"}


def deadline(period: str, at: int, instance: str = "one") -> dict[str, str]:
    """Return the series of a deadline, in seconds after the test's start."""
    labels = f'sla="globex-ten", vendor="Globex", period="{period}", job="slaguard", instance="{instance}"'
    return {"series": f"slaguard_claim_deadline_timestamp_seconds{{{labels}}}", "values": f"{at}x60"}


def hold(folder: Path, series: list[dict[str, str]], expr: str, at: str, expected: dict[str, float]) -> None:
    """Let promtool ask a query of some series; it must answer the expected values by labels."""
    promtool = shutil.which("promtool")
    if promtool is None:
        absent("promtool is not installed: make test-system says how")
        return
    samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
    asked: dict[str, Any] = {"expr": expr, "eval_time": at, "exp_samples": samples}
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [asked]}
    file = folder / "claims.yml"
    file.write_text(yaml.safe_dump({"rule_files": [], "evaluation_interval": "1m", "tests": [test]}), "utf-8")
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


OF_THE_BOARD = (queries("slaguard-overview.json", "What can you claim now?")[0], '{currency="USD"}')
OF_THE_PAGE = (documented("What may be claimed now, in each currency:"), '{sla="globex-ten", currency="USD"}')


@pytest.mark.parametrize(("query", "labels"), [OF_THE_BOARD, OF_THE_PAGE], ids=["board", "page"])
def test_a_credit_is_shown_until_its_own_deadline_and_no_longer(tmp_path: Path, query: str, labels: str) -> None:
    series = [credit("closed", 2250), credit("earlier", 400), credit("current", 99)]
    series += [deadline("closed", HOUR // 2), deadline("earlier", HOUR // 4), deadline("current", 9 * HOUR)]
    hold(tmp_path, series, query, "10m", {labels: 2650})
    hold(tmp_path, series, query, "20m", {labels: 2250})
    hold(tmp_path, series, query, "40m", {})


@pytest.mark.parametrize("query", [OF_THE_BOARD[0], OF_THE_PAGE[0]], ids=["board", "page"])
def test_a_deadline_of_another_period_does_not_keep_a_forfeited_credit(tmp_path: Path, query: str) -> None:
    hold(tmp_path, [credit("closed", 2250), deadline("current", 9 * HOUR)], query, "10m", {})


def test_of_two_slaguards_the_board_shows_the_larger_credit_and_the_nearer_deadline(tmp_path: Path) -> None:
    series = [
        credit("closed", 100),
        credit("closed", 120, "two"),
        deadline("closed", HOUR),
        deadline("closed", 2 * HOUR, "two"),
    ]
    hold(tmp_path, series, OF_THE_BOARD[0], "10m", {'{currency="USD"}': 120})
    due, _ = queries("slaguard-overview.json", "By when must you claim?")
    hold(tmp_path, series, due, "10m", {'{sla="globex-ten", vendor="Globex", period="closed"}': 1000.0 * HOUR})


def test_what_was_spent_in_a_day_is_measured_against_a_days_limit(tmp_path: Path) -> None:
    query = documented("How much of a day's limit was spent in the last 24 hours:")
    labels = 'purpose="probe", vendor="Globex", currency="USD", job="slaguard", instance="one"'
    series = [
        {"series": f"slaguard_spend_total{{{labels}}}", "values": "0+0.25x6000"},
        {"series": f"slaguard_budget_limit_amount{{{labels}}}", "values": "720x6000"},
    ]
    hold(tmp_path, series, query, "72h", {f"{{{labels}}}": 0.5})  # three days of the process, half a limit each
