"""`slaguard validate` as a person or a pipeline runs it: what is printed where, and the exit code."""

import json
import shutil
from pathlib import Path

import pytest

from slaguard.cli import run
from slaguard.spec.documents import documents
from slaguard.spec.reading import sha256_of
from tests.spec.documents import ACME, SHORT

REPO = Path(__file__).resolve().parents[2]
BAD = SHORT.replace("at_least: 99.5%", "at_least: 99.5")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path.relative_to(Path.cwd()))


def test_the_first_agreement_is_accepted_in_the_words_of_the_readme(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPO)
    assert run(["validate", "sla_specs/examples/acme-chat.yaml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "sla_specs/examples/acme-chat.yaml: ok (2 objectives, 5 profiles, 1 warning)"
    assert lines[1].startswith(
        "sla_specs/examples/acme-chat.yaml:30:17: W-SPEC-UNPINNED  objectives[1].golden_set: claims-qa@4"
    )


def test_an_error_is_one_block_that_says_where_what_and_how_to_mend_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", write(here / "acme.yaml", BAD)]) == 1
    assert capsys.readouterr().out == (
        "acme.yaml:19:15: E-SPEC-UNIT  objectives[0].at_least: 99.5\n"
        "    a percentage needs its sign: 99.5%\n"
        "    docs/errors.md#e-spec-unit\n"
    )


def test_at_most_ten_blocks_then_a_count(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SHORT + "".join(f"unknown{i}: x\n" for i in range(14))
    assert run(["validate", write(here / "acme.yaml", text)]) == 1
    out = capsys.readouterr().out
    assert out.count("E-SPEC-SCHEMA  ") == 10
    assert out.endswith("    and 4 more\n")


def test_a_folder_is_read_recursively_by_kind_and_what_is_none_of_ours_is_passed_over(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here / "a" / "acme.yaml", SHORT)
    write(here / "a" / "compose.yml", "services: {web: {image: x}}\n")
    write(here / "a" / ".hidden" / "bad.yaml", BAD)
    write(here / "a" / "notes.txt", "kind: Agreement\n")
    profile = REPO / "sla_specs" / "profiles" / "claim" / "written@1.yaml"
    shutil.copytree(profile.parent, here / "a" / "claim")
    shutil.copy(REPO / "sla_specs" / "golden" / "claims-qa@4.yaml", here / "a")
    shutil.copy(REPO / "sla_specs" / "golden" / "claims-qa@4.jsonl", here / "a")
    assert run(["validate", "a/claim", "a/claims-qa@4.yaml"]) == 0
    assert run(["validate", "a"]) == 1  # the profile is found beside the Agreement and among what ships
    out = capsys.readouterr().out
    assert "a/claim/written@1.yaml: ok (profile, 1 parameter)" in out
    assert "a/claims-qa@4.yaml: ok (golden set, 240 questions)" in out
    assert "E-SPEC-DUP" in out
    assert "compose" not in out
    assert ".hidden" not in out


def test_all_that_ships_is_accepted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(REPO)
    assert run(["validate", "sla_specs"]) == 0, capsys.readouterr().out


def test_a_file_named_that_is_none_of_ours_is_refused(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", write(here / "x.yaml", "services: {}\n")]) == 1
    assert "E-SPEC-SCHEMA  kind: missing" in capsys.readouterr().out
    assert run(["validate", write(here / "x.yaml", "kind: Agrement\n")]) == 1
    assert "did you mean Agreement?" in capsys.readouterr().out


def test_what_cannot_be_read_exits_two(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del here
    assert run(["validate", "absent.yaml"]) == 2
    assert capsys.readouterr().out.startswith("absent.yaml:1:1: E-SPEC-FILE  ")


def test_a_folder_without_documents_is_not_taken_for_a_good_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "empty").mkdir()
    assert run(["validate", "empty"]) == 2
    assert capsys.readouterr().out.startswith("no documents found")


def test_the_normal_form_goes_to_standard_output_alone_and_is_accepted_again(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = write(here / "acme.yaml", ACME.read_text(encoding="utf-8"))
    assert run(["validate", name, "--expand"]) == 0
    printed = capsys.readouterr()
    assert "W-SPEC-UNPINNED" in printed.err
    assert len(printed.out.splitlines()) > 100
    assert run(["validate", write(here / "again.yaml", printed.out), "--expand"]) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == (printed.out, "")


def test_only_one_sound_agreement_has_a_normal_form(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(here / "a.yaml", SHORT), write(here / "b.yaml", BAD)
    assert run(["validate", good, bad, "--expand"]) == 2
    assert run(["validate", bad, "--expand"]) == 1
    profile = str(REPO / "sla_specs" / "profiles" / "claim" / "written@1.yaml")
    assert run(["validate", profile, "--expand"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "name one file" in printed.err
    assert "only an Agreement has a normal form" in printed.err


def test_json_holds_every_finding_with_its_place(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", write(here / "a.yaml", SHORT), write(here / "b.yaml", BAD), "--format", "json"]) == 1
    body = json.loads(capsys.readouterr().out)
    good, bad = body["documents"]
    assert (body["schema"], body["ok"]) == ("slaguard/validation/v1", False)
    assert (good["ok"], good["kind"], good["holds"], len(good["sha256"])) == (
        True,
        "Agreement",
        ["1 objective", "3 profiles"],
        64,
    )
    assert bad["problems"] == [
        {
            "code": "E-SPEC-UNIT", "file": "b.yaml", "line": 19, "column": 15, "path": "objectives[0].at_least", "text": "99.5",
            "mend": "a percentage needs its sign: 99.5%", "help": "docs/errors.md#e-spec-unit",
        }
    ]  # fmt: skip


def test_github_annotations_are_one_line_each_and_escaped(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", write(here / "a,b.yaml", BAD), "--format", "github"]) == 1
    told = "objectives[0].at_least: 99.5%0Aa percentage needs its sign: 99.5%25"
    assert capsys.readouterr().out.splitlines() == [
        f"::error file=a%2Cb.yaml,line=19,col=15,title=E-SPEC-UNIT::{told}",
        "1 document, 0 accepted",
    ]


def test_nothing_a_terminal_would_obey_is_printed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SHORT.replace("customer: Example Bank AG", "custom\u202eer: x").replace(
        "at_least: 99.5%", 'at_least: "\u202e\u2066"'
    )
    assert run(["validate", write(here / "acme\u202e.yaml", text)]) == 1
    out = capsys.readouterr().out
    assert all(c == "\n" or c.isprintable() for c in out)
    assert "acme\\u202e.yaml" in out


def test_a_mapping_is_checked_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", write(here / "m.yaml", "kind: Mapping\nnmae: x\n")]) == 1
    assert "E-SPEC-SCHEMA" in capsys.readouterr().out


def test_yaml_of_others_in_a_folder_is_passed_over_even_where_it_is_broken(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(here / "a" / "chart.yaml", "x: {{ .Values.name }}\ny: [\n")
    write(here / "a" / "manifests.yaml", "kind: Service\n---\nkind: Deployment\n")
    write(here / "a" / "acme.yaml", SHORT)
    assert run(["validate", "a"]) == 0
    assert capsys.readouterr().out == "a/acme.yaml: ok (1 objective, 3 profiles)\n"
    write(here / "a" / "acme.yaml", SHORT + "y: [\n")
    assert run(["validate", "a"]) == 1


@pytest.mark.parametrize(
    ("rest", "code", "said"),
    [
        pytest.param("terms: {min_coverage: 5}\n", "E-SPEC-UNIT", "5%", id="a term with a wrong value"),
        pytest.param("terms: {min_covrage: 5%}\n", "E-SPEC-SCHEMA", "min_coverage", id="a term that is none"),
        pytest.param(
            "parameters: {x: {type: percent, value: 5, text: t}}\nterms: {min_coverage: {param: x}}\n",
            "E-SPEC-UNIT",
            "5%",
            id="a value of the wrong type",
        ),
        pytest.param(
            "parameters: {x: {type: percent, value: 5%, text: t}}\nterms: {min_coverage: 5%}\n",
            "E-SPEC-REF",
            "param: x",
            id="a parameter that no term uses",
        ),
        pytest.param(
            "parameters: {x: {type: duration, required: true, text: t}}\nterms: {min_coverage: {param: x}}\n",
            "E-SPEC-UNIT",
            "percent",
            id="a parameter of another type than its term",
        ),
    ],
)
def test_a_profile_is_checked_on_its_own(
    here: Path, capsys: pytest.CaptureFixture[str], rest: str, code: str, said: str
) -> None:
    head = (
        "apiVersion: slaguard/v1\nkind: Profile\nname: our/promise\nversion: 1\ntext: t\nsource: s\nneeds_confirmation: false\n"
    )
    assert run(["validate", write(here / "our" / "promise@1.yaml", head + rest)]) == 1
    out = capsys.readouterr().out
    assert code in out
    assert said in out


def test_questions_that_are_no_file_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(REPO / "sla_specs" / "golden" / "claims-qa@4.yaml", here)
    (here / "claims-qa@4.jsonl").mkdir()
    assert run(["validate", "claims-qa@4.yaml"]) == 2
    assert "E-SPEC-FILE" in capsys.readouterr().out


def test_a_folder_that_cannot_be_listed_is_read_as_the_file_it_is_not() -> None:
    gone = Path("no-such-folder")
    assert list(documents(gone)) == [gone]


def test_a_profile_that_nobody_would_find_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (REPO / "sla_specs" / "profiles" / "claim" / "written@1.yaml").read_text(encoding="utf-8")
    assert run(["validate", write(here / "claim" / "written.yaml", text)]) == 1
    assert "name the file claim/written@1.yaml" in capsys.readouterr().out


def test_questions_that_contradict_each_other_are_told_with_their_line(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = ['{"id":"a","input":"1+1","reference":"2"}', '{"id":"b","input":"1+1","reference":"3"}']
    questions = here / "ours@1.jsonl"
    questions.write_text("\n".join(lines), encoding="utf-8")
    card = (
        "apiVersion: slaguard/v1\nkind: GoldenSet\nname: ours\nversion: 1\ntext: t\nowner: o\nsource: s\nitems: 2\n"
        f"scorer: exact@1\nsha256: {sha256_of(questions.read_bytes())}\nprompt: {{user: '{{input}}'}}\n"
    )
    assert run(["validate", write(here / "ours@1.yaml", card)]) == 1
    assert capsys.readouterr().out.startswith("ours@1.jsonl:2:1: E-SPEC-QUALITY")
