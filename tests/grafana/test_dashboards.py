"""The boards that are committed are the boards that are generated, and what goes with them fits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from slaguard_exporters.dashboards import Dashboards
from tests.grafana.lint import panels

FOLDER = Path(__file__).resolve().parents[2] / "grafana"
NAMES = ("slaguard-overview.json", "slaguard-sla-detail.json")


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_board_is_the_generated_one(name: str, golden: Callable[[Path, str], None]) -> None:
    golden(FOLDER / "dashboards" / name, Dashboards().generate()[name].decode())


def test_no_other_board_lies_in_the_folder() -> None:
    assert sorted(path.name for path in (FOLDER / "dashboards").iterdir()) == sorted(NAMES) == sorted(Dashboards().generate())


def test_boards_have_names_of_their_own_that_never_change() -> None:
    found = [json.loads(content) for content in Dashboards().generate().values()]
    assert [board["uid"] for board in found] == ["slaguard-overview", "slaguard-sla-detail"]
    assert len({board["title"] for board in found}) == len(found)


def test_the_overview_asks_the_four_questions_in_their_order() -> None:
    board = json.loads(Dashboards().generate()["slaguard-overview.json"])
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert rows == ["Is anything breached?", "What is it worth?", "Is it getting worse?", "Can I trust the watching?"]


def test_every_verdict_is_a_word_and_a_colour_of_its_own() -> None:
    for content in Dashboards().generate().values():
        for panel in panels(json.loads(content)):
            mappings = [
                m
                for o in panel["fieldConfig"]["overrides"]
                for p in o["properties"]
                if p["id"] == "mappings"
                for m in p["value"]
            ]
            words = [m["options"] for m in [*mappings, *panel["fieldConfig"]["defaults"]["mappings"]]]
            told = [
                {v["text"]: v["color"] for v in w.values()} for w in words if any(v["text"] == "BREACH" for v in w.values())
            ]
            for word in told:
                assert set(word) == {"COMPLIANT", "BREACH", "INCONCLUSIVE", "INSUFFICIENT"}
                assert len(set(word.values())) == 4


def test_an_import_by_hand_is_asked_for_its_data_source() -> None:
    for content in Dashboards(portable=True).generate().values():
        board = json.loads(content)
        (asked,) = board["__inputs"]
        (source,) = [v for v in board["templating"]["list"] if v["type"] == "datasource"]
        assert source["current"]["value"] == "${" + asked["name"] + "}"
        assert {need["id"] for need in board["__requires"] if need["type"] == "panel"} == {p["type"] for p in panels(board)}
        assert board["editable"]


def test_the_provisioned_boards_are_those_of_the_import_by_hand() -> None:
    for name, content in Dashboards(portable=True).generate().items():
        board, other = json.loads(content), json.loads(Dashboards().generate()[name])
        assert board["panels"] == other["panels"]


def test_provisioning_points_at_a_prometheus_and_at_a_folder_of_boards() -> None:
    (source,) = read("datasources")["datasources"]
    (provider,) = read("dashboards")["providers"]
    assert source["type"] == "prometheus"
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert provider["options"]["path"].startswith("/var/lib/grafana/")


def test_the_provisioned_scrape_interval_is_that_of_the_scrape_example(repo: Path) -> None:
    scrape = yaml.safe_load((repo / "exporters" / "prometheus" / "scrape.yml").read_text(encoding="utf-8"))
    (source,) = read("datasources")["datasources"]
    assert source["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]


def read(kind: str) -> Any:
    found = yaml.safe_load((FOLDER / "provisioning" / kind / "slaguard.yaml").read_text(encoding="utf-8"))
    assert found["apiVersion"] == 1
    return found
