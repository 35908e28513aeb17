"""`slaguard generate` as it is typed: one file is printed, several are written, and what cannot be is refused in words."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import yaml

from slaguard.cli import run
from slaguard.cli.generate import find_generator, write
from slaguard.errors import ConfigError
from slaguard.evaluation.snapshot import Generator
from slaguard_exporters.dashboards import Dashboards
from slaguard_exporters.rules import Rules

BOARDS = ["slaguard-overview.json", "slaguard-sla-detail.json"]


def test_rules_are_printed_so_that_they_can_be_piped(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "rules", "--severity", "page=critical", "--severity", "ticket=warning"]) == 0
    groups = yaml.safe_load(capfd.readouterr().out)["groups"]
    assert {rule["labels"]["severity"] for group in groups for rule in group["rules"]} == {"critical", "warning"}


def test_rules_are_written_where_they_are_wanted(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "etc" / "rules"
    assert run(["generate", "rules", "--out", str(folder), "--runbook-url", "https://wiki.example/alerts"]) == 0
    assert capfd.readouterr().out == f"wrote {folder / 'slaguard.yml'}\n"
    assert "https://wiki.example/alerts#slaguardabsent" in (folder / "slaguard.yml").read_text(encoding="utf-8")


def test_a_file_that_another_user_must_read_is_readable_by_everyone(tmp_path: Path) -> None:
    run(["generate", "rules", "--out", str(tmp_path)])
    assert stat.S_IMODE((tmp_path / "slaguard.yml").stat().st_mode) == 0o644


def test_several_boards_are_written_and_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["generate", "dashboards"]) == 0
    assert capfd.readouterr().out.splitlines() == [f"wrote {name}" for name in BOARDS]
    assert [json.loads((tmp_path / name).read_text(encoding="utf-8"))["uid"] + ".json" for name in BOARDS] == BOARDS


def test_portable_boards_ask_for_their_data_source(tmp_path: Path) -> None:
    assert run(["generate", "dashboards", "--portable", "--out", str(tmp_path)]) == 0
    assert all("__inputs" in json.loads((tmp_path / name).read_text(encoding="utf-8")) for name in BOARDS)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        pytest.param(["rulse"], "there is dashboards, rules", id="no such generator"),
        pytest.param(["dashboards", "--runbook-url", "x"], "dashboards takes no --runbook-url", id="an option of the other"),
        pytest.param(["rules", "--portable"], "it takes --dashboard-url, --runbook-url, --severity", id="what it takes"),
        pytest.param(["rules", "--severity", "loud"], "write page=critical", id="a severity without a word"),
    ],
)
def test_what_cannot_be_generated_is_refused_in_words(typed: list[str], said: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", *typed]) == 2
    told = capfd.readouterr()
    assert said in told.err
    assert (told.out, "Traceback" in told.err) == ("", False)


def test_a_file_name_that_leaves_the_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="plain file name"):
        write({"fine.yml": b"", "../evil.yml": b""}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_replaced_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "slaguard.yml").touch(0o600)
    (tmp_path / "slaguard.yml").chmod(0o600)
    write({"slaguard.yml": b"new"}, tmp_path)
    assert (tmp_path / "slaguard.yml").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "slaguard.yml").stat().st_mode) == 0o600


def test_ours_are_what_the_protocol_asks_for() -> None:
    ours: tuple[Generator, ...] = (Rules(), Dashboards())
    assert [sorted(generator.generate()) for generator in ours] == [["slaguard.yml"], BOARDS]


@pytest.mark.parametrize("name", ["rules", "dashboards"])
def test_a_generator_gives_plain_names_and_the_same_bytes_each_time(name: str) -> None:
    files = find_generator(name, {}).generate()
    assert files == find_generator(name, {}).generate()
    assert all("/" not in file for file in files)
