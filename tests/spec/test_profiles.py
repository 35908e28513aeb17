"""Profiles: how they are named and found, what their parameters do, and how they meet."""

from pathlib import Path

import pytest

from slaguard.errors import Problem, SpecError
from slaguard.spec.library import Reference, Shelves
from slaguard.spec.load import load
from slaguard.terms import Count
from tests.spec.documents import SHORT, found, line_of, load_text

OWN = """\
apiVersion: slaguard/v1
kind: Profile
name: our/{name}
version: 1
text: Ours.
source: our own words
needs_confirmation: false
{rest}"""


def write(folder: Path, text: str, name: str = "acme.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def own(folder: Path, name: str, rest: str) -> Path:
    return write(folder, OWN.format(name=name, rest=rest), f"our/{name}@1.yaml")


def refused(path: Path) -> tuple[Problem, ...]:
    with pytest.raises(SpecError) as error:
        load(path)
    return error.value.problems


@pytest.mark.parametrize("text", ["a@1", "a/b@1.2.3", "vendors/google-gemini@2026-06-30", "x/y/z@999999", "claims-qa@4"])
def test_a_reference_is_a_name_and_a_version(text: str) -> None:
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@1",
        "a@v1",
        "../a@1",
        "/a@1",
        "a/../b@1",
        "a//b@1",
        "A@1",
        "a@1 ",
        "a@1\n",
        "a@1/..",
        "a@-1",
        "a@1.",
        "é@1",
        "a\x00@1",
        "a" * 200 + "@1",
        "a@1@2",
    ],
)
def test_what_is_no_reference_leads_nowhere(text: str) -> None:
    assert Reference.parse(text) is None


@pytest.mark.parametrize(
    "use",
    [
        "use:\n  - outcomes/server-faults@1\n  - claim/written@1: {days: 30}\n",
        "use: [outcomes/server-faults@1, claim/written@1: {days: 30}]\n",
        "use: {outcomes/server-faults@1: {}, claim/written@1: {days: 30}}\n",
        "use:\n  - claim/written@1: {days: 30}\n    outcomes/server-faults@1: {}\n",
    ],
)
def test_every_way_to_write_use_means_the_same(use: str) -> None:
    written = SHORT[: SHORT.index("use:")] + use + SHORT[SHORT.index("objectives:") :]
    assert load_text(written).spec_sha256 == load_text(SHORT).spec_sha256


def test_an_objective_overrides_its_profile_which_overrides_the_agreement() -> None:
    text = SHORT.replace("objectives:", "min_coverage: 10%\nsource: probe\nobjectives:")
    assert load_text(text).spec_sha256 == load_text(SHORT).spec_sha256
    nearer = text.replace("    at_least: 99.5%", "    min_coverage: 80%\n    at_least: 99.5%")
    assert str(load_text(nearer).agreement.objectives[0].min_coverage) == "4/5"


def test_the_agreement_overrides_its_own_profile_leaf_by_leaf() -> None:
    text = SHORT.replace("objectives:", "outcomes: {rate_limited: fail, error_5xx: ok}\nobjectives:")
    outcomes = load_text(text).agreement.objectives[0].outcomes
    assert (outcomes.rate_limited, outcomes.error_500, outcomes.error_5xx, outcomes.refused) == (
        Count.FAIL, Count.FAIL, Count.OK, Count.OK,
    )  # fmt: skip


def test_a_parameter_left_out_takes_its_value_and_an_optional_one_takes_its_terms_along() -> None:
    with_cap = SHORT.replace("use:\n", "use:\n  - maintenance/announced@1: {clause: B 2.4, notice: 72h, cap: 4h}\n")
    without = with_cap.replace(", cap: 4h", "")
    assert load_text(with_cap).agreement.objectives[0].exclusions[0].cap is not None
    assert load_text(without).agreement.objectives[0].exclusions[0].cap is None
    assert [w.code for w in load_text(without).warnings] == ["W-SPEC-EXCL-SWALLOW"]


def test_a_wrong_argument_is_told_where_it_stands_under_the_code_of_its_type() -> None:
    text = SHORT.replace("uptime/mean-of-5-minutes@1", "{latency/percentile@1: {field: total_tim, p: 95}}")
    text = text.replace("at_least: 99.5%", "at_most: 2s").partition("    credits")[0] + "    remedy: {kind: none}\n"
    line = line_of(text, "total_tim")
    assert [(p.code, p.place.line, p.path) for p in found(text)] == [
        ("E-SPEC-SCHEMA", line, 'objectives[0].use["latency/percentile@1"].field'),
        ("E-SPEC-UNIT", line, 'objectives[0].use["latency/percentile@1"].p'),
    ]


def test_a_reference_to_nothing_names_the_nearest_and_the_versions_there_are() -> None:
    assert "did you mean outcomes/server-faults@1?" in found(SHORT.replace("server-faults@1", "server-fault@1"))[0].mend
    assert found(SHORT.replace("server-faults@1", "server-faults@7"))[0].mend == "there is outcomes/server-faults@1"


def test_a_profile_that_cannot_be_used_is_told_once_and_not_what_it_would_have_brought() -> None:
    text = SHORT.replace("uptime/mean-of-5-minutes@1", "uptime/mean-of-5-minute@1")
    assert [p.code for p in found(text)] == ["E-SPEC-REF"]


def test_two_profiles_of_one_level_that_set_one_leaf_are_both_named() -> None:
    text = SHORT.replace("use:\n", "use:\n  - outcomes/only-500@1\n")
    (problem,) = [p for p in found(text) if p.code == "E-SPEC-DUP"]
    assert problem.place.line == line_of(text, "outcomes/server-faults@1")
    assert "outcomes/only-500@1 and outcomes/server-faults@1 both set outcomes." in problem.text


def test_a_profile_beside_the_agreement_is_found(tmp_path: Path) -> None:
    own(tmp_path, "promise", "terms: {min_coverage: 42%}\n")
    path = write(
        tmp_path, SHORT.replace("use: uptime/mean-of-5-minutes@1", "use: uptime/mean-of-5-minutes@1\n    min_coverage: 42%")
    )
    expected = load(path).spec_sha256
    path = write(tmp_path, SHORT.replace("use:\n", "use:\n  - our/promise@1\n"))
    loaded = load(path)
    assert loaded.profiles[0] == "our/promise@1"
    assert loaded.spec_sha256 != expected  # the Objective's own profile is nearer than the Agreement's


def test_a_value_from_a_profile_is_told_in_the_profile_with_the_line_that_used_it(tmp_path: Path) -> None:
    profile = own(tmp_path, "promise", "terms:\n  eligible:\n    streem: true\n")
    path = write(tmp_path, SHORT.replace("use:\n", "use:\n  - our/promise@1\n"))
    (problem,) = refused(path)
    assert (problem.place.file, problem.place.line, problem.place.column) == (str(profile), 10, 5)
    assert problem.path == "terms.eligible.streem"
    assert f"used at {path}:13:5" in problem.text


def test_the_provenance_of_a_value_is_its_profile_and_the_line_that_used_it() -> None:
    loaded = load_text(SHORT)
    traced = loaded.provenance["objectives[0].outcomes.rate_limited"]
    assert traced.place.file == "sla_specs/profiles/outcomes/server-faults@1.yaml"
    assert (traced.profile, str(traced.used_at)) == ("outcomes/server-faults@1", "acme.yaml:13:5")
    assert loaded.provenance["objectives[0].at_least"].profile is None
    assert loaded.provenance["claim.deadlines[0].n"].profile == "claim/written@1"


def test_a_name_found_beside_the_agreement_and_among_what_ships_is_refused(tmp_path: Path) -> None:
    shipped = Path(__file__).resolve().parents[2] / "sla_specs/profiles/outcomes/server-faults@1.yaml"
    write(tmp_path, shipped.read_text(encoding="utf-8"), "outcomes/server-faults@1.yaml")
    (problem,) = refused(write(tmp_path, SHORT))
    assert problem.code == "E-SPEC-DUP"
    assert "also ships" in problem.text


def test_an_agreement_inside_what_ships_finds_the_one_file_once() -> None:
    folder = Path(__file__).resolve().parents[2] / "sla_specs" / "profiles"
    assert load_text(SHORT, Shelves(folder)).spec_sha256 == load_text(SHORT).spec_sha256


@pytest.mark.parametrize(
    ("rest", "code"),
    [
        pytest.param("terms: {use: x@1}\n", "E-SPEC-SCHEMA", id="a profile inside a profile"),
        pytest.param("terms: {min_coverage: {param: x}}\n", "E-SPEC-REF", id="a parameter there is not"),
        pytest.param(
            "parameters: {x: {type: percent, text: t}}\nterms: {min_coverage: {param: x}}\n",
            "E-SPEC-SCHEMA",
            id="neither required nor valued",
        ),
        pytest.param(
            "parameters: {x: {type: choice, text: t, value: a}}\nterms: {min_coverage: {param: x}}\n",
            "E-SPEC-SCHEMA",
            id="a choice without choices",
        ),
        pytest.param("terms: {}\n", "E-SPEC-SCHEMA", id="no terms"),
        pytest.param(
            "parameters: {x: {type: words, value: v, text: t}}\nterms: {param: x}\n", "E-SPEC-SCHEMA", id="a parameter as terms"
        ),
        pytest.param("terms: {min_coverage: 5%}\n---\n", "E-SPEC-SYNTAX", id="a second document"),
        pytest.param("", "E-SPEC-SCHEMA", id="terms missing"),
        pytest.param("terms: {min_coverage: 5%}\ntems: 1\n", "E-SPEC-SCHEMA", id="an unknown key"),
    ],
)
def test_a_profile_that_is_wrong_in_itself_cannot_be_used(tmp_path: Path, rest: str, code: str) -> None:
    own(tmp_path, "promise", rest)
    path = write(tmp_path, SHORT.replace("use:\n", "use:\n  - our/promise@1\n"))
    assert [p.code for p in refused(path)] == [code]


def test_a_profile_says_the_name_of_its_file(tmp_path: Path) -> None:
    write(tmp_path, OWN.format(name="other", rest="terms: {min_coverage: 5%}\n"), "our/promise@1.yaml")
    path = write(tmp_path, SHORT.replace("use:\n", "use:\n  - our/promise@1\n"))
    assert [p.code for p in refused(path)] == ["E-SPEC-REF"]


@pytest.mark.parametrize(("old", "new"), [("our/promise", "Our/Promise"), ("version: 1", "version: v1")])
def test_a_profile_has_a_name_and_a_version_that_can_be_referred_to(tmp_path: Path, old: str, new: str) -> None:
    profile = own(tmp_path, "promise", "terms: {min_coverage: 5%}\n")
    profile.write_text(profile.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    path = write(tmp_path, SHORT.replace("use:\n", "use:\n  - our/promise@1\n"))
    assert [p.code for p in refused(path)] == ["E-SPEC-NAME"]


def test_an_unconfirmed_profile_is_a_warning_where_it_is_used(tmp_path: Path) -> None:
    profile = own(tmp_path, "promise", "terms: {eligible: {stream: true}}\n")
    profile.write_text(
        profile.read_text(encoding="utf-8").replace("needs_confirmation: false", "needs_confirmation: true"), encoding="utf-8"
    )
    loaded = load(write(tmp_path, SHORT.replace("use:\n", "use:\n  - our/promise@1\n")))
    assert [(w.code, w.place.line) for w in loaded.warnings] == [("W-SPEC-PRESET", 13)]
    assert loaded.provenance["objectives[0].eligible.stream"].needs_confirmation
