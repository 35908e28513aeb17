"""`slaguard evaluate` as a user runs it: one Agreement, or all of a configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from slaguard.cli import run
from slaguard.evaluation.result import json_schema
from tests.cli.watched import contract, october, write

AS_OF = ["--period", "2026-10", "--as-of", "2026-11-05T12:00:00Z"]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration with two Agreements, of which the second is kept."""
    write(tmp_path / "ledger", [*october(), *october((), vendor="Other AI")])
    contract(tmp_path)
    contract(tmp_path, "other", vendor="Other AI")
    path = tmp_path / "slaguard.yaml"
    path.write_text("ledger: {path: ./ledger}\nagreements: [acme.yaml, other.yaml]\n")
    return path


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run(["evaluate", *arguments, *AS_OF, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_one_agreement_is_one_object(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, str(config.parent / "acme.yaml"), "--ledger", str(config.parent / "ledger"))
    jsonschema.validate(found, json_schema())
    assert found["agreement"]["name"] == "acme"


def test_a_configuration_is_one_array_in_its_order_of_what_each_agreement_alone_gives(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = evaluated(capsys, "--config", str(config))
    assert [one["agreement"]["name"] for one in found] == ["acme", "other"]
    alone = [
        evaluated(capsys, str(config.parent / f"{name}.yaml"), "--ledger", str(config.parent / "ledger"))
        for name in ("acme", "other")
    ]
    assert found == alone


def test_a_configuration_with_one_agreement_is_an_array_too(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text("ledger: {path: ./ledger}\nagreements: acme.yaml\n")
    assert [one["agreement"]["name"] for one in evaluated(capsys, "--config", str(config))] == ["acme"]


def test_a_refused_agreement_leaves_no_half_array(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config.parent / "other.yaml").write_text("kind: Agreement\n")
    assert run(["evaluate", "--config", str(config), *AS_OF, "--format", "json"]) == 1
    assert capsys.readouterr().out == ""


def test_a_breach_of_any_agreement_can_fail_the_run(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", "--config", str(config), *AS_OF, "--fail-on", "breach"]) == 1
    shown = capsys.readouterr().out
    assert "acme 1 · October 2026" in shown
    assert "other 1 · October 2026" in shown


def test_an_agreement_and_a_configuration_are_one_too_many(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(config.parent / "acme.yaml"), "--config", str(config)]) == 2
    assert "name one Agreement, or --config" in capsys.readouterr().err


def test_the_text_says_under_each_promise_which_source_decided(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(config.with_name("acme.yaml")), "--ledger", str(config.with_name("ledger")), *AS_OF]) == 0
    said = capsys.readouterr()
    assert "      decided by " in said.out
    assert "in the future" not in said.err


def test_a_time_of_knowledge_that_has_not_come_is_warned_of_and_changes_no_byte_of_the_result(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["evaluate", str(config.with_name("acme.yaml")), "--ledger", str(config.with_name("ledger")), "--period", "2026-10"]
    assert run([*asked, "--as-of", "2190-01-01T00:00:00Z", "--format", "json"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("warning: --as-of is in the future by this machine's clock")
    assert "in the future" not in said.out
    assert json.loads(said.out)["as_of"] == "2190-01-01T00:00:00Z"
