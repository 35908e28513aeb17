"""What a pack holds is enough: read back, it gives the same Evaluation; and the hand-made claims are the product's own."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from slaguard.evaluation.evaluate import evaluate
from slaguard.evaluation.requirements import requirements
from slaguard.evaluation.result import Evaluation
from slaguard.imports.facts import read_facts
from slaguard.imports.load import load_records
from slaguard.ledger.store import ColumnStore
from slaguard.records import Fact, Record
from slaguard.reports import ClaimInputs
from slaguard.reports.claim import render_claim
from slaguard.reports.pack import pack_files
from slaguard.reports.table import observations
from slaguard.spec.resolve import resolve

Claims = Callable[[str], ClaimInputs]
SPEC = "5f0c" + "a7" * 28 + "91ab"


def evaluated(claim: ClaimInputs, store: ColumnStore, facts: Iterable[object]) -> Evaluation:
    """Evaluate a claim's Agreement on what a store holds."""
    known = tuple(fact for fact in facts if isinstance(fact, Fact))
    period, as_of = resolve(claim.agreement, claim.evaluation.period.label), claim.evaluation.as_of
    evidence = store.answer(requirements(claim.agreement, period, known, as_of))
    return evaluate(claim.agreement, period, replace(evidence, facts=known), as_of, spec_sha256=SPEC)


def from_memory(claim: ClaimInputs) -> Evaluation:
    records: list[Record] = [*observations(claim.records), *claim.companions]
    with ColumnStore() as store:
        store.add(records)
        return evaluated(claim, store, claim.facts)


@pytest.mark.parametrize("name", ["mock_month", "contested", "latency_breach", "scopes"])
def test_a_pack_evaluates_to_the_same_bytes_as_the_records_it_was_made_from(claims: Claims, tmp_path: Path, name: str) -> None:
    claim = claims(name)
    files = pack_files(claim)
    for file in ("records.csv", "facts.jsonl"):
        (tmp_path / file).write_bytes(files[file])
    with ColumnStore() as store:
        load_records([str(tmp_path / "records.csv")], "auto", store, vendor=claim.agreement.vendor)
        again = evaluated(claim, store, read_facts(tmp_path / "facts.jsonl"))
    assert again.to_json() == from_memory(claim).to_json()


def test_the_counts_made_by_hand_are_those_of_the_product(claims: Claims) -> None:
    claim = claims("mock_month")
    found = from_memory(claim)
    for ours, theirs in zip(found.objectives, claim.evaluation.objectives, strict=True):
        assert (ours.name, ours.verdict) == (theirs.name, theirs.verdict)
        for field in ("value", "n", "bad", "allowed", "noun", "population"):
            assert getattr(ours.estimate, field) == getattr(theirs.estimate, field), (ours.name, field)
        assert ours.events == theirs.events
    assert found.credits is not None
    assert claim.evaluation.credits is not None
    assert found.credits.claimable == claim.evaluation.credits.claimable
    assert found.deadlines[0].due == claim.evaluation.deadlines[0].due


@pytest.mark.parametrize("name", ["mock_month", "nothing_month", "contested", "open_month"])
def test_the_page_of_the_products_own_evaluation_adds_up(claims: Claims, name: str) -> None:
    claim = claims(name)
    html = render_claim(replace(claim, evaluation=from_memory(claim)), {})
    assert "How to check this" in html
