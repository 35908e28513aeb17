"""What an Agreement's caps and rights look back at is judged on the same ledger, period after period."""

from __future__ import annotations

from typing import Any

import pytest

from slaguard.evaluation.result import Evaluation
from slaguard.ledger.judge import earlier, judge
from slaguard.ledger.store import ColumnStore
from slaguard.records import Coverage, Fact, Incident, Observation, Record
from slaguard.spec.model import Agreement
from slaguard.spec.resolve import resolve
from slaguard.terms import Attribution, Outcome, Source
from tests.evaluation.world import DAY, RATIO, agreement, objective

DAYS = 5


def terms(**more: Any) -> Agreement:
    promise = objective(RATIO, name="errors", at_most="1%", source=["traffic"], credits=[{"edge": "1%", "credit": "10%"}])
    return agreement(promise, effective="2026-07-01", expires="2026-12-31", **more)


def records(contract: Agreement, failing: dict[str, bool]) -> list[Record]:
    """Return five calls a day on five days of each month; in a failing month the first of each day fails."""
    found: list[Record] = []
    for label, bad in failing.items():
        span = resolve(contract, label)
        found.append(Coverage(source=Source.TRAFFIC, start=span.start, end=span.end, via="t"))
        for day in range(DAYS):
            for i in range(5):
                outcome = Outcome.ERROR_500 if bad and i == 0 else Outcome.OK
                at = span.start + day * DAY + i * 10**9
                found.append(
                    Observation(
                        id=f"{label}-{day}-{i}", outcome=outcome, attribution=Attribution.NONE, source=Source.TRAFFIC,
                        via="t", vendor="V", sent_at=at, inclusion_probability="1",
                    )
                )  # fmt: skip
    return found


def evaluated(contract: Agreement, failing: dict[str, bool], label: str, facts: tuple[Fact, ...] = ()) -> Evaluation:
    with ColumnStore() as store:
        store.add(records(contract, failing))
        span = resolve(contract, label)
        documents: list[Fact | Incident] = [*facts, *store.facts(span.end), *store.incidents(span.end)]
        return judge(store, contract, span, span.end, spec_sha256="0" * 64, documents=documents).evaluation


BAD = dict.fromkeys(("2026-07", "2026-08", "2026-09", "2026-10"), True)


def test_a_cap_of_a_year_is_used_up_month_after_month() -> None:
    contract = terms(caps=[{"amount": "250.00 EUR", "per": "year"}])
    paid = [str(evaluated(contract, BAD, label).credits.claimable) for label in BAD]  # type: ignore[union-attr]
    assert paid == ["100.00", "100.00", "50.00", "0.00"]


def test_a_right_arises_on_the_months_of_one_ledger() -> None:
    right = {
        "id": "r",
        "clause": "B",
        "undecided": "skip",
        "right": "terminate",
        "when": {"objective": "errors", "bad": "3", "of": "12"},
    }
    contract = terms(chronic=[right])
    for label, state in (("2026-08", "not_arisen"), ("2026-09", "arisen")):
        assert [r.state for r in evaluated(contract, BAD, label).rights] == [state]
    assert evaluated(contract, {**BAD, "2026-08": False}, "2026-09").rights[0].bad == 2


def test_what_earlier_results_were_made_from_is_part_of_the_inputs() -> None:
    contract = terms(caps=[{"amount": "250.00 EUR", "per": "year"}])
    first, other = evaluated(contract, BAD, "2026-10"), evaluated(contract, {**BAD, "2026-08": False}, "2026-10")
    assert first.inputs.history_sha256 is not None
    assert first.inputs.history_sha256 != other.inputs.history_sha256
    assert first.inputs.evidence_sha256 == other.inputs.evidence_sha256
    assert Evaluation.from_json(first.to_json()).inputs == first.inputs


def test_an_agreement_that_does_not_look_back_is_judged_alone() -> None:
    contract = terms()
    with ColumnStore() as store:
        span = resolve(contract, "2026-10")
        assert earlier(store, contract, span, span.end, "0" * 64) == ()
    assert "history_sha256" not in evaluated(contract, BAD, "2026-10").to_json()


@pytest.mark.parametrize("label", ["2026-07-05", "2026-07-01T00:00:00Z/2026-07-02T00:00:00Z"])
def test_a_look_has_no_rights(label: str) -> None:
    right = {
        "id": "r",
        "clause": "B",
        "undecided": "skip",
        "right": "terminate",
        "when": {"objective": "errors", "consecutive": "1"},
    }
    assert evaluated(terms(chronic=[right]), BAD, label).rights == ()
