"""The Mapping as a document: strict, every field described, wrong ones refused with their place."""

import re
import time
import typing
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from slaguard.errors import RecordsError, SpecError
from slaguard.imports.find import load_mapping, parse_mapping, shipped_mappings
from slaguard.imports.mapping import Mapping
from tests.imports.world import HEAD, document, mapping, take

ANSWERED = {"outcome": "ok", "attribution": "none"}


def text_of(body: dict[str, Any]) -> str:
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def refused(text: str) -> list[str]:
    with pytest.raises(SpecError) as error:
        parse_mapping(text, "mapping.yaml")
    return [p.render() for p in error.value.problems]


def models(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    def inside(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in seen:
            seen.add(annotation)
            for field in annotation.model_fields.values():
                inside(field.annotation)
        for part in typing.get_args(annotation):
            inside(part)

    inside(model)
    return seen


def test_every_field_is_described() -> None:
    found = models(Mapping, set())
    assert len(found) > 10
    assert [f"{m.__name__}.{n}" for m in found for n, f in m.model_fields.items() if not f.description] == []


@pytest.mark.parametrize("name", shipped_mappings())
def test_what_ships_is_a_mapping_of_its_files_name(name: str) -> None:
    mapping = load_mapping(name)
    assert f"{mapping.name}@{mapping.version}" == name


def test_a_shipped_mapping_is_found_by_its_name_alone_and_an_own_file_by_its_path(tmp_path: Any) -> None:
    assert load_mapping("llmperf").name == "llmperf"
    path = tmp_path / "mine.yaml"
    path.write_text(text_of(document()))
    assert load_mapping(str(path)).name == "calls"


def test_an_unknown_name_is_met_with_the_names_there_are() -> None:
    with pytest.raises(RecordsError, match="did you mean llmperf"):
        load_mapping("llmprf")
    with pytest.raises(RecordsError, match="import --suggest FILE"):
        load_mapping("our own")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"source": None}, "source: missing"),
        ({"population": None}, "population: missing"),
        ({"covers": None}, "covers: missing"),
        ({"covers": "2026-10-01/2026-11-01"}, "covers: 2026-10-01/2026-11-01"),
        ({"covers": "2026-11-01T00:00:00Z/2026-10-01T00:00:00Z"}, "the end comes after the start"),
        ({"covers": "batches"}, "batches is for records without a clock"),
        ({"zone": "Middle/Earth"}, "no time zone of the IANA list"),
        ({"sauce": "traffic"}, "did you mean source?"),
        ({"fields": {"sent_at": {"column": "at", "format": "unix"}}}, "write iso8601, date, epoch_s"),
        ({"fields": {"sent_at": {"column": "at", "format": "%H:%M"}}}, "a pattern with year, month and day"),
        ({"fields": {"total_time": {"column": "ms", "unit": "hours"}}}, "write one of s, ms, us, ns, min"),
        ({"fields": {"latency": "ms"}}, "unknown key"),
        ({"fields": {"region": {"column": "a", "constant": "b"}}}, "write either column or constant"),
        ({"fields": {"region": {"column": "a", "pattern": "(x"}}}, "no pattern that RE2 knows"),
        ({"fields": {"region": {"column": "a", "pattern": "(x)(y)"}}}, "at most one group"),
        ({"fields": {"region": {"column": "a", "pattern": "(?=x)"}}}, "no pattern that RE2 knows"),
        ({"fields": {"sent_at": None}}, "name fields.sent_at or fields.ended_at"),
        ({"time": {"batch": "2026-10-01T00:00:00Z/2026-11-01T00:00:00Z"}}, "name fields.sent_at or fields.ended_at"),
        ({"fields": {"status": None}}, "say how each call ended"),
        ({"outcomes": [{"facts": {}}, {"when": {"a": "b"}, "facts": {}}]}, "put it last"),
        ({"outcomes": [{"when": {"a": "b"}, "outcome": "timeout"}]}, "an outcome goes with its attribution"),
        ({"outcomes": [{"when": {"a": "b"}}]}, "write exactly one of facts, outcome, skip"),
        ({"outcomes": [{"when": {"a": {}}, "skip": "x"}]}, "write values, matches"),
        ({"outcomes": [{"outcome": "failed", "attribution": "vendor"}]}, "write one of ok, empty"),
        (
            {"scores": [{"parser": {"use": "yes@1", "answer": "a", "reference": "b"}}]},
            "there is no parser 'yes@1'; there are bracketed",
        ),
        ({"scores": [{"human": "true", "grades": [{"grade": "wrong"}]}]}, "grades by people name them"),
        ({"scores": [{"grades": [{"grade": "wrong"}]}, {"grades": [{"grade": "wrong"}]}]}, "two graders have one name"),
        ({"time": {"batch": {"ends": {"column": "a", "format": "epoch_s"}}}, "fields": {"sent_at": None}}, "within: 1h"),
        ({"version": "one"}, "write a whole number"),
        ({"apiVersion": "slaguard/v2"}, "write slaguard/v1"),
    ],
)
def test_a_mapping_that_leaves_something_open_or_says_something_wrong_is_refused(change: dict[str, Any], told: str) -> None:
    change = dict(change)
    blocks = refused(text_of(document(change.pop("fields", None), **change)))
    assert any(told in block for block in blocks), blocks
    assert all(re.match(r"mapping\.yaml:\d+:\d+: E-SPEC-", block) for block in blocks)


def test_all_that_is_wrong_is_told_at_once_with_its_place() -> None:
    text = text_of(document(sauce="x", zone="Nowhere")).replace("version: '1'", "version: x")
    assert len(refused(text)) >= 3


def test_a_pattern_is_matched_in_time_linear_in_the_text(tmp_path: Any) -> None:
    evil = mapping({"status": None, "region": {"column": "status", "pattern": "^(?:a|a|aa)+$"}}, outcomes=[ANSWERED])
    before = time.process_time()
    take(tmp_path, evil, HEAD + "2026-10-01T00:00:00Z," + "a" * 50_000 + "!,1\n")
    assert time.process_time() - before < 2
