"""What ships: released profiles never change, and every one of them is used by somebody here."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from slaguard.records import Observation
from slaguard.spec.library import Reference, Shelves, shipped_names
from slaguard.spec.model import FIELDS
from slaguard.spec.nodes import plain
from slaguard.spec.profile_check import check_profile
from tests.spec.documents import SHORT, load_text

RELEASED = Path(__file__).with_name("released-profiles.json")
NAMES = shipped_names("profiles")
PRESETS = tuple(f"vendors/{name}" for name in shipped_names("vendors"))
HEAD = SHORT.partition("use:")[0]
PROMISES = {
    "uptime/mean-of-5-minutes@1": "at_least: 99.5%",
    "uptime/bad-minutes-in-a-row@1": "at_least: 99.5%",
    "uptime/all-requests-fail@1": "at_least: 99.5%",
    "uptime/unavailable-or-slow@1": "at_least: 99.5%",
    "uptime/function-probe@1": "at_least: 99.8%",
    "uptime/dual-threshold@1": "min_coverage: 95%",
    "uptime/outages-over-5-minutes@1": "at_least: 99.9%",
    "uptime/report-clock@1": "at_least: 99.95%",
    "errors/share-failed@1": "at_most: 1%",
    "errors/share-refused@1": "at_most: 4%",
    "latency/percentile@1: {field: total_time}": "at_most: 2s",
    "latency/share-within@1: {within: 2s, field: time_to_first_token}": "at_least: 99%",
    "latency/median-speed-per-5-minutes@1: {speed: 50}": "at_least: 99%",
    "uptime/ratio-repeats-suppressed@1: {window: fixed}": "at_least: 99.9%",
    "uptime/bad-minutes-with-back-off@1: {gap_from: error_end}": "at_least: 99.5%",
    "accuracy/agreed-questions@1": "at_least: 92%\n    golden_set: claims-qa@4",
    "hallucination/human-audited-sample@1": "at_most: 2%",
}
OTHERS = ["maintenance/announced@1: {clause: B 2.4, notice: 72h}", "claim/written@1: {days: 30}"]


def content(name: str) -> dict[str, Any]:
    reference = Reference.parse(name)
    assert reference is not None
    parsed = Shelves().profile(reference)
    assert parsed is not None
    assert parsed.root is not None
    found = plain(parsed.root)
    assert isinstance(found, dict)
    return found


def fingerprint(name: str) -> str:
    """The hash over what a profile says: its terms, parameters and text, not over who verified it when."""
    said = {key: value for key, value in content(name).items() if key in {"name", "version", "text", "parameters", "terms"}}
    return hashlib.sha256(rfc8785.dumps(said)).hexdigest()


def test_released_profiles_never_change() -> None:
    released: dict[str, str] = json.loads(RELEASED.read_text(encoding="utf-8"))
    changed = [name for name, known in released.items() if fingerprint(name) != known]
    assert changed == [], "publish a change as a new version, under a new file name"
    assert sorted(released) == sorted([*NAMES, *PRESETS]), "a new profile is released by its line in released-profiles.json"


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_is_sound_and_says_whose_words_it_follows(name: str) -> None:
    reference = Reference.parse(name)
    assert reference is not None
    parsed = Shelves().profile(reference)
    assert parsed is not None
    file, problems = check_profile(parsed)
    assert problems == ()
    assert file.head is not None
    assert len(file.head.text) > 40
    assert len(file.head.source) > 20
    assert file.head.needs_confirmation is False


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_where_its_text_stands_and_that_nobody_confirmed_it(name: str) -> None:
    reference = Reference.parse(name)
    assert reference is not None
    parsed = Shelves().profile(reference)
    assert parsed is not None
    file, problems = check_profile(parsed)
    assert [p for p in problems if p.is_error] == []
    assert file.head is not None
    assert file.head.source_url is not None
    assert file.head.needs_confirmation is (file.head.verified_on is None)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_and_the_facts_of_a_contract_are_an_agreement(name: str) -> None:
    head = HEAD.replace("fee: 12000.00 EUR", "fee: {amount: 12000.00 USD, per: month}")
    lines = [line for line in head.splitlines() if not line.startswith(("combine:", "period:"))]
    loaded = load_text("\n".join([*lines, f"use: {name}", ""]))
    assert loaded.agreement.objectives
    assert loaded.unconfirmed == (name,)
    assert "W-SPEC-PRESET" in {w.code for w in loaded.warnings}


@pytest.mark.parametrize("outcomes", [n for n in NAMES if n.startswith("outcomes/")])
@pytest.mark.parametrize("use", PROMISES)
def test_every_promise_goes_with_every_way_to_count_outcomes(use: str, outcomes: str) -> None:
    entry = f"{{{use}}}" if ": " in use else use
    objective = (
        f"objectives:\n  - name: promise\n    clause: B 1\n    use: {entry}\n    {PROMISES[use]}\n    remedy: {{kind: none}}\n"
    )
    others = "".join(f"  - {other}\n" for other in [outcomes, *OTHERS])
    loaded = load_text(f"{HEAD}use:\n{others}{objective}")
    assert len(loaded.agreement.objectives) == 1


def test_every_profile_that_ships_is_in_that_trial() -> None:
    tried = {re.split(r": ", use)[0] for use in [*PROMISES, *OTHERS]}
    assert {*tried, *(n for n in NAMES if n.startswith("outcomes/"))} == set(NAMES)


def test_conditions_name_fields_that_records_have() -> None:
    fields = set(Observation.__dataclass_fields__)
    times = {"time_to_first_token", "total_time"}
    assert {f"{name}_ns" if name in times else name for name in FIELDS} <= fields


def test_the_profile_in_the_docs_is_accepted(repo: Path, tmp_path: Path) -> None:
    page = (repo / "docs" / "notation.md").read_text(encoding="utf-8")
    (shown,) = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: Profile" in block]
    (tmp_path / "ours").mkdir()
    text = shown.replace("name: claim/written", "name: ours/written")
    (tmp_path / "ours" / "written@1.yaml").write_text(text, encoding="utf-8")
    loaded = load_text(SHORT.replace("claim/written@1", "ours/written@1"), Shelves(tmp_path))
    assert loaded.spec_sha256 == load_text(SHORT).spec_sha256
