"""A few answers become one screen of YAML that the loader takes."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slaguard.spec.answers import FORMS, Answers, Maintenance, Promise, checked, credit_steps, draft, one_of, scalar
from slaguard.spec.library import Shelves
from slaguard.spec.load import loads
from slaguard.spec.nodes import Map, plain
from slaguard.spec.notation import parse

UPTIME = Promise("uptime", "99.5%", "Exhibit B 2.1", (("99.5%", "10%"), ("99.0%", "25%"), ("95.0%", "50%")))
ACCURACY = Promise("accuracy", "92%", "Exhibit C 1", (("92%", "5%"), ("88%", "10%"), ("80%", "15%")), golden_set="claims-qa@4")
ANSWERS = Answers(
    name="acme-chat",
    vendor="Acme AI",
    customer="Example Bank AG",
    contract="C-2031",
    effective="2026-08-01",
    time_zone="Europe/Berlin",
    period="month",
    outcomes="outcomes/server-faults@1",
    promises=(UPTIME, ACCURACY),
    fee="12000.00 EUR",
    combine="greater_of",
    maintenance=Maintenance("Exhibit B 2.4", "72h", "4h"),
    claim_days="30",
)


def written(answers: Answers) -> Any:
    """Return what a reader of YAML sees in the text."""
    root = parse(draft(answers), "draft").root
    assert isinstance(root, Map)
    return plain(root)


def test_two_promises_fit_on_one_screen() -> None:
    text = draft(ANSWERS)
    assert text.count("\n") <= 40
    assert max(map(len, text.splitlines())) <= 100


def test_the_loader_takes_what_was_written() -> None:
    agreement = loads(draft(ANSWERS), "draft", Shelves()).agreement
    assert [o.name for o in agreement.objectives] == ["uptime", "accuracy"]
    assert [str(step.edge) for step in agreement.objectives[0].credits] == ["99.5%", "99%", "95%"]
    assert agreement.claim is not None
    assert agreement.claim.deadlines[0].n == 30
    assert [e.clause for e in agreement.objectives[0].exclusions] == ["Exhibit B 2.4"]


def test_it_means_the_same_as_the_first_example(repo: Path) -> None:
    example = loads((repo / "sla_specs/examples/acme-chat.yaml").read_text("utf-8"), "example", Shelves())
    accuracy = replace(ACCURACY, credits=(("92%", "15%"),))
    assert loads(draft(replace(ANSWERS, promises=(UPTIME, accuracy))), "draft", Shelves()).spec_sha256 == example.spec_sha256


@pytest.mark.parametrize("kind", FORMS)
def test_every_kind_of_promise_is_taken_with_its_usual_profile(kind: Any) -> None:
    form = FORMS[kind]
    target = "98%" if form.bound == "at_least" else "2%"
    promise = Promise(
        kind,
        target,
        "Exhibit D",
        ((target, "5%"),),
        arguments=(("within", "2s"), ("field", "total_time")) if kind == "latency" else (),
        golden_set="claims-qa@4" if kind == "accuracy" else None,
    )
    text = draft(replace(ANSWERS, promises=(promise,), combine=None))
    agreement = loads(text, "draft", Shelves()).agreement
    assert agreement.objectives[0].name == kind
    assert getattr(agreement.objectives[0], form.bound) is not None


def test_a_promise_without_credits_says_that_it_pays_nothing() -> None:
    answers = replace(ANSWERS, promises=(replace(UPTIME, credits=()),), fee=None, combine=None, claim_days=None)
    loaded = loads(draft(answers), "draft", Shelves())
    assert loaded.agreement.objectives[0].credits == ()
    assert "W-SPEC-COMBINE" not in {warning.code for warning in loaded.warnings}


@pytest.mark.parametrize(
    "text",
    [
        "Acme: AI",
        "Acme #1",
        "- Acme",
        "{Acme}",
        "[Acme]",
        "null",
        "~",
        "Acme, Inc.",
        '"Acme"',
        "'Acme'",
        "&Acme",
        "*Acme",
        "!Acme",
        "Acme ",
        "a: b #c",
        "|",
        ">",
        "%Acme",
        "@Acme",
        "`Acme`",
        "Société Générale",
        "東京",
        "Acme:",
        "?",
        "yes",
        "012",
        "12:30",
    ],
)
def test_whatever_a_name_holds_the_document_says_that_very_name(text: str) -> None:
    answers = replace(ANSWERS, vendor=text, maintenance=Maintenance(text, "72h"))
    document = written(answers)
    assert document["vendor"] == text
    assert document["use"][1]["maintenance/announced@1"]["clause"] == text


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=12))
def test_any_printable_text_is_written_so_that_it_reads_the_same(text: str) -> None:
    root = parse(f"key: {{inside: {scalar(text)}, next: x}}", "draft").root
    assert isinstance(root, Map)
    assert plain(root) == {"key": {"inside": text, "next": "x"}}


@pytest.mark.parametrize(
    ("kind", "text", "mend"),
    [
        ("percent", "99.5", "a percentage needs its sign: 99.5%"),
        ("percent", "99,5", "a percentage needs its sign: 99.5%"),
        ("money", "12,000 EUR", "write money as digits"),
        ("day", "2026-02-30", "2026-02-30 is not a day of the calendar"),
        ("zone", "Berlin", "no time zone"),
        ("period", "weekly", "day, week, month, quarter, year"),
        ("duration", "72", "a unit"),
        ("whole", "thirty", "write a whole number"),
        ("words", "  ", "write some words here"),
        ("name", "Acme AI", "lower-case letters"),
    ],
)
def test_a_wrong_answer_is_told_in_the_words_of_the_notation(kind: Any, text: str, mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        checked(kind, text)


def test_a_right_answer_is_kept_without_the_spaces_around_it() -> None:
    assert checked("percent", " 99.5% ") == "99.5%"
    assert checked("period", " month ") == "month"


def test_a_ladder_is_read_step_by_step() -> None:
    steps = credit_steps(FORMS["uptime"], "below 99.5%: 10%,below 99.0% : 25%, below 95%:50%")
    assert steps == (("99.5%", "10%"), ("99.0%", "25%"), ("95%", "50%"))


@pytest.mark.parametrize(
    ("kind", "text", "mend"),
    [
        ("uptime", "above 99.5%: 10%", "write steps as below"),
        ("error-rate", "below 1%: 10%", "write steps as above"),
        ("uptime", "99.5%: 10%", "write steps as below"),
        ("uptime", "below 99.5%: 10", "a percentage needs its sign: 10%"),
        ("uptime", "", "write steps as below"),
    ],
)
def test_what_is_no_step_is_refused_with_an_example(kind: Any, text: str, mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        credit_steps(FORMS[kind], text)


def test_a_choice_names_its_words() -> None:
    with pytest.raises(ValueError, match="write one of greater_of, sum_to_cap"):
        one_of("both", ("greater_of", "sum_to_cap"))


def test_the_agreement_on_the_page_that_teaches_it_loads(repo: Path) -> None:
    page = (repo / "docs" / "agreement.md").read_text("utf-8")
    blocks = [block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "kind: Agreement" in block]
    assert len(blocks) == 1
    loaded = loads(blocks[0], "docs/agreement.md", Shelves())
    assert [objective.name for objective in loaded.agreement.objectives] == ["uptime", "accuracy"]


def test_every_profile_that_the_page_names_ships(repo: Path) -> None:
    page = (repo / "docs" / "agreement.md").read_text("utf-8")
    named = set(re.findall(r"[a-z-]+/[a-z0-9-]+@\d+", page)) - {"claim/ours@1"}
    assert named <= set(Shelves().profiles())
    assert len(named) >= 10
