"""What else goes into a pack, so that the command on the page works in its folder."""

from importlib import resources
from pathlib import Path

import pytest

from slaguard.reports.beside import files_beside
from slaguard.spec.load import load

HEAD = """\
apiVersion: slaguard/v1
kind: Agreement
name: acme
version: 1
vendor: Acme AI
customer: Example Bank AG
contract: C-1
effective: 2026-08-01
time_zone: Europe/Berlin
period: month
use: {use}
objectives:
  - name: accuracy
    clause: Exhibit C 1
    use: accuracy/agreed-questions@1
    golden_set: {golden}
    at_least: 92%
    remedy: {{kind: none}}
"""


def shipped(path: str) -> str:
    return (resources.files("sla_specs") / path).read_text("utf-8")


def contract(folder: Path, use: str, golden: str) -> Path:
    path = folder / "acme.yaml"
    path.write_text(HEAD.format(use=use, golden=golden))
    return path


def test_questions_that_ship_go_into_a_folder_and_profiles_that_ship_stay_where_they_are(tmp_path: Path) -> None:
    path = contract(tmp_path, "outcomes/server-faults@1", "claims-qa@4")
    found = files_beside(path, load(path))
    assert set(found) == {"golden/claims-qa@4.yaml", "golden/claims-qa@4.jsonl"}
    assert found["golden/claims-qa@4.jsonl"].decode() == shipped("golden/claims-qa@4.jsonl")


def test_profiles_and_questions_of_ones_own_stand_beside_the_agreement_again(tmp_path: Path) -> None:
    (tmp_path / "house").mkdir()
    profile = shipped("profiles/outcomes/server-faults@1.yaml").replace("name: outcomes/server-faults", "name: house/faults")
    (tmp_path / "house" / "faults@1.yaml").write_text(profile)
    (tmp_path / "house-qa@1.jsonl").write_text(shipped("golden/claims-qa@4.jsonl"))
    card = shipped("golden/claims-qa@4.yaml").replace("name: claims-qa", "name: house-qa").replace("version: 4", "version: 1")
    (tmp_path / "house-qa@1.yaml").write_text(card)
    path = contract(tmp_path, "house/faults@1", "house-qa@1")
    found = files_beside(path, load(path))
    assert found == {
        name: (tmp_path / name).read_bytes() for name in ("house/faults@1.yaml", "house-qa@1.yaml", "house-qa@1.jsonl")
    }


def test_an_agreement_without_questions_and_profiles_of_its_own_needs_nothing_else(tmp_path: Path) -> None:
    path = contract(tmp_path, "outcomes/server-faults@1", "claims-qa@4")
    text = path.read_text().replace("    golden_set: claims-qa@4\n", "    decision: {estimand: realised}\n")
    path.write_text(text)
    assert files_beside(path, load(path)) == {}


@pytest.mark.parametrize("name", ["acme-chat.yaml", "acme-assistant.yaml"])
def test_the_examples_need_the_questions_alone(name: str, repo: Path) -> None:
    path = repo / "sla_specs" / "examples" / name
    assert set(files_beside(path, load(path))) == {"golden/claims-qa@4.yaml", "golden/claims-qa@4.jsonl"}
