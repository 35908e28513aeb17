"""The JSON Schema: made from the models, complete with words, and of one opinion with the loader where it has one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from slaguard.spec.load import expand
from slaguard.spec.model import Agreement, Objective
from slaguard.spec.schema import schema, text
from slaguard.spec.translate import INHERITED
from tests.spec.documents import ACME, FULL, SHORT, load_text


class Core(yaml.SafeLoader):
    """YAML as editors read it: JSON's types, and no dates."""


Core.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith("timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
VALIDATOR = Draft202012Validator(schema())


def faults(document: str) -> list[str]:
    content: Any = yaml.load(document, Core)
    return ["/".join(map(str, e.absolute_path)) for e in VALIDATOR.iter_errors(content)]


def properties(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        for name, found in node.get("properties", {}).items():
            yield f"{path}/{name}", found
        for key, inner in node.items():
            yield from properties(inner, f"{path}/{key}")
    elif isinstance(node, list):
        for i, inner in enumerate(node):
            yield from properties(inner, f"{path}/{i}")


def test_the_file_that_ships_is_the_one_the_models_make(repo: Path, golden: Callable[[Path, str], None]) -> None:
    golden(repo / "sla_specs" / "schema.json", text())


def test_it_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(json.loads(text()))


def test_every_key_is_described() -> None:
    bare = [path for path, found in properties(schema()) if len(found.get("description", "")) < 4]
    assert bare == []


def test_it_knows_every_key_of_the_models_and_no_step_of_the_ladder() -> None:
    found = schema()
    assert set(found["properties"]) == {*Agreement.model_fields, *INHERITED, "use"}
    assert set(found["$defs"]["Objective"]["properties"]) == {*Objective.model_fields, "use", "remedy"}
    assert "Step" not in found["$defs"]


@pytest.mark.parametrize("document", [SHORT, FULL, ACME.read_text(encoding="utf-8")], ids=["short", "full", "acme"])
def test_what_the_loader_accepts_it_accepts_short_and_written_out(document: str) -> None:
    assert faults(document) == []
    assert faults(expand(load_text(document).agreement)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("at_least: 99.5%", "at_least: 99.5"),
        ("at_least: 99.5%", "at_leest: 99.5%"),
        ("period: month", "period: 30d"),
        ("time_zone:", "timezone: UTC\ntime_zone:"),
        ("fee: 12000.00 EUR", "fee: 12000"),
        ("below 99.0%: 25%", "beneath 99.0%: 25%"),
        ("below 99.0%: 25%", "below 99.0%: 25"),
        ("use: uptime/mean-of-5-minutes@1", "use: uptime/mean-of-5-minutes"),
        ("    at_least", "    indicator: {rule: ratios}\n    at_least"),
        ("    at_least", "    outcomes: {ok: ok}\n    at_least"),
        ("    at_least", "    eligible: {output_tokens: {more_than: 5, less_than: 7}}\n    at_least"),
        ("effective: 2026-08-01", "effective: 1.8.2026"),
    ],
)
def test_what_an_editor_can_know_it_refuses(old: str, new: str) -> None:
    assert old in SHORT
    assert faults(SHORT.replace(old, new)) != []


def test_a_part_that_a_profile_completes_is_accepted() -> None:
    assert faults(SHORT.replace("    at_least", "    indicator: {bin: 1m}\n    decision: {min_n: 5}\n    at_least")) == []
