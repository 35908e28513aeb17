"""The command line as a whole: its exit codes, and that no failure is ever a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import slaguard
from slaguard.cli import VERBS, run


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"slaguard {slaguard.__version__}\n"


def test_the_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(f"  {verb} " in printed for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    assert f"slaguard {verb}" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["nonsense"], id="unknown verb"),
        pytest.param(["evaluate", "--nonsense"], id="unknown option"),
        pytest.param(["evaluate", "x.yaml", "--format", "xml"], id="unknown choice"),
        pytest.param(["evaluate"], id="no Agreement"),
        pytest.param(["evaluate", "x.yaml", "--records", "y.csv", "--as-of", "yesterday"], id="no time"),
    ],
)
def test_wrong_usage_ends_with_2_and_one_message(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err
    assert "Traceback" not in printed.err


def test_a_failure_of_our_own_ends_with_3_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(verbs: object) -> object:
        raise RuntimeError("a wire came loose")

    monkeypatch.setattr("slaguard.cli.build", broken)
    assert run(["validate", "x"]) == 3
    assert "slaguard itself failed: RuntimeError: a wire came loose" in capsys.readouterr().err


def test_a_reader_who_leaves_early_is_no_failure(repo: Path) -> None:
    command = f"{sys.executable} -m slaguard explain {repo}/sla_specs/examples/acme-chat.yaml | head -1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("acme-chat")
    assert "Traceback" not in done.stderr
