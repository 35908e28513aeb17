"""The page on imports says what is so."""

import json
import re
from pathlib import Path

import pytest

from slaguard.imports.facts import parse_fact
from slaguard.imports.find import parse_mapping, shipped_mappings
from slaguard.imports.mapping import Fields
from slaguard.imports.parsers import PARSERS
from tests.imports.world import take


@pytest.fixture(scope="module")
def page(repo: Path) -> str:
    return (repo / "docs" / "imports.md").read_text(encoding="utf-8")


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_mapping_on_the_page_is_valid_and_reads_a_log(page: str, tmp_path: Path) -> None:
    head = "time,model,ms,upstream_status,status,team,request_id,cache,error\n"
    rows = (
        "05.10.2026 12:00:02,acme/large,1500,200,200,a,r1,,\n"
        "05.10.2026 12:00:03,acme/large,-,-,-,a,r2,,read timeout\n"
        "05.10.2026 12:00:04,acme/large,1,200,200,a,r3,hit,\n"
    )
    found = take(tmp_path, parse_mapping(block(page, "yaml"), "docs/imports.md"), head + rows)
    assert [str(c.outcome) for c in found.observations] == ["ok", "timeout"]
    assert found.report.skipped == {"answered from our cache": 1}


def test_the_facts_on_the_page_are_valid(page: str) -> None:
    assert [parse_fact(line).kind for line in block(page, "json").splitlines()] == ["fact", "fact", "incident", "fact", "fact"]
    assert all(json.loads(line) for line in block(page, "json").splitlines())


def test_the_page_names_every_field_parser_and_mapping_that_ships(page: str) -> None:
    names = [*Fields.model_fields, *PARSERS, *(m.partition("@")[0] for m in shipped_mappings())]
    assert [name for name in names if name not in page] == []
