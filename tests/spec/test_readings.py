"""Readings in a document: their forms, and what is refused at its very line."""

import pytest

from slaguard.spec.canonical import expand
from slaguard.spec.explain import explain
from slaguard.spec.readings import combinations, lists
from tests.spec.documents import SHORT, codes, found, line_of, load_text
from tests.spec.promises import text

ONE = """\
    readings:
      - {id: A, set: {outcomes.rate_limited: fail}, basis: the text says errors}
      - {id: B, basis: limits are no errors}
"""
TWO = """\
    readings:
      - - {id: A, set: {outcomes.rate_limited: fail}}
        - {id: B}
      - - {id: X, set: {fee.minimum_payout: 1.00 EUR}}
        - {id: Y, set: {indicator.bin: 1m}}
"""


def test_a_document_without_readings_keeps_its_normal_form() -> None:
    assert b"readings" not in load_text(SHORT).canonical
    assert b"settled" not in load_text(SHORT).canonical


@pytest.mark.parametrize(("readings", "size"), [(ONE, 2), (TWO, 4)])
def test_lists_multiply_and_the_normal_form_loads_again(readings: str, size: int) -> None:
    loaded = load_text(SHORT + readings)
    assert len(list(combinations(loaded.agreement.objectives[0]))) == size
    assert load_text(expand(loaded.agreement)).spec_sha256 == loaded.spec_sha256


def test_one_list_in_brackets_is_the_list_without() -> None:
    bracketed = ONE.replace("      - {id: A", "      - - {id: A").replace("      - {id: B", "        - {id: B")
    assert load_text(SHORT + bracketed).spec_sha256 == load_text(SHORT + ONE).spec_sha256
    assert [[r.id for r in one] for one in lists(load_text(SHORT + bracketed).agreement.objectives[0])] == [["A", "B"]]


@pytest.mark.parametrize(
    ("readings", "code", "at"),
    [
        (ONE.replace("outcomes.rate_limited", "outcomes.rate_limted"), "E-SPEC-SCHEMA", "id: A"),
        (ONE.replace("outcomes.rate_limited: fail", "indicator.bin: 7m"), "E-SPEC-BIN", "id: A"),
        (ONE.replace("outcomes.rate_limited: fail", "at_least: 99.9%"), "E-SPEC-READING", "id: A"),
        (ONE.replace("outcomes.rate_limited: fail", "period: quarter"), "E-SPEC-READING", "id: A"),
        (ONE.replace("outcomes.rate_limited: fail", "service: chat"), "E-SPEC-READING", "id: A"),
        (ONE.replace("id: B", "id: A"), "E-SPEC-DUP", "id: A, basis"),
        (ONE.replace("id: B", "id: B, set: {outcomes.rate_limited: fail}"), "E-SPEC-READINGS", "    readings:"),
        (ONE.replace("id: B", "id: B b"), "E-SPEC-NAME", "id: B b"),
        (ONE[: ONE.index("      - {id: B")], "E-SPEC-READINGS", "    readings:"),
        (ONE + "    settled: {reading: C, evidence: letter}\n", "E-SPEC-REF", "settled"),
        (ONE + "    settled: {reading: A}\n", "W-SPEC-READINGS", "settled"),
        (TWO.replace("indicator.bin: 1m", "outcomes.rate_limited: drop"), "E-SPEC-READINGS", "    readings:"),
    ],
)
def test_a_wrong_reading_is_told_at_its_line(readings: str, code: str, at: str) -> None:
    document = SHORT + readings
    told = [(p.code, p.place.line) for p in found(document)]
    assert (code, line_of(document, at)) in told


def test_seventeen_combinations_are_too_many() -> None:
    many = "    readings:\n" + "".join(f"      - {{id: r{i}, set: {{indicator.min_requests: {i + 1}}}}}\n" for i in range(17))
    assert "E-SPEC-READINGS" in codes(SHORT + many)
    assert "E-SPEC-READINGS" not in codes(SHORT + many[: many.index("      - {id: r16")])


def test_the_sentences_tell_each_reading_its_basis_and_what_is_settled() -> None:
    said = text(
        explain(load_text(SHORT + ONE + "    settled: {reading: A, evidence: letter of May, since: 2026-11-01}\n").agreement)
    )
    assert (
        "uptime can be read in 2 ways: under A (the text says errors) outcomes.rate_limited is fail; under B (limits are no "
        "errors) nothing is otherwise." in said
    )
    assert "it is settled for periods that begin on 1 November 2026 or later that A is right, as letter of May shows." in said
    assert "the clause can be read in several ways" in said


def test_an_exclusion_that_asks_for_no_proof_still_says_so_in_the_normal_form_and_under_readings() -> None:
    one = "{id: x, clause: B, kind: maintenance, asserted_by: vendor, effect: count_as_up, proof: [], times}"
    named = one.replace("times", "windows: [{start: 2026-10-11T00:00, end: 2026-10-11T04:00}]")
    loaded = load_text(f"{SHORT}    exclusions:\n      - {named}\n{ONE}")
    assert load_text(expand(loaded.agreement)).spec_sha256 == loaded.spec_sha256
